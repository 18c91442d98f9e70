use super::*;

fn found(grid: &Grid, center: Vec3, radius: f32) -> Vec<u32> {
    let mut slots = Vec::new();
    grid.query(center, radius, &mut |slot, _| slots.push(slot));
    slots.sort_unstable();
    slots
}

fn somewhere(random: &mut fastrand::Rng) -> Vec3 {
    let mut axis = |reach: f32| (random.f32() * 2.0 - 1.0) * reach;
    let place = Vec3::new(axis(500.0), axis(50.0), axis(500.0));
    match random.u32(..40) {
        0 => place * 1.0e7,
        1 => place * 1.0e36,
        2 => Vec3::new(place.x, f32::NAN, place.z),
        3 => Vec3::splat(f32::INFINITY),
        4 => Vec3::ZERO,
        _ => place,
    }
}

/// `slots` entities in a square lattice, ten metres apart.
fn lattice(side: u32, cell_size: f32) -> Grid {
    let mut grid = Grid::new(cell_size, Axes::Xz, 0);
    for slot in 0..side * side {
        let (x, z) = (slot % side, slot / side);
        grid.insert(slot, Vec3::new(x as f32 * 10.0, 0.0, z as f32 * 10.0));
    }
    grid
}

#[test]
fn a_grid_finds_what_a_search_through_everything_finds() {
    for seed in 0..40_u64 {
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let axes = if seed % 2 == 0 { Axes::Xz } else { Axes::Xy };
        let cell_size = [0.5, 20.0, 64.0, 5000.0][random.usize(..4)];
        let mut grid = Grid::new(cell_size, axes, 0);
        let mut model: Vec<Option<Vec3>> = vec![None; 300];
        for _ in 0..2000 {
            let slot = random.u32(..300);
            let known = &mut model[slot as usize];
            match (random.u32(..10), *known) {
                (0..=1, _) => {
                    assert_eq!(grid.remove(slot), known.is_some(), "seed {seed}");
                    *known = None;
                }
                (2..=6, Some(position)) => {
                    let moved = position + Vec3::new(random.f32() - 0.5, random.f32() - 0.5, random.f32() - 0.5);
                    assert!(!grid.insert(slot, moved), "seed {seed}");
                    *known = Some(grid.flatten(moved));
                }
                _ => {
                    let place = somewhere(&mut random);
                    assert_eq!(grid.insert(slot, place), known.is_none(), "seed {seed}");
                    *known = Some(grid.flatten(place));
                }
            }
        }
        for _ in 0..100 {
            let center = somewhere(&mut random);
            let radius = [0.0, 30.0, 200.0, 1.0e12, f32::INFINITY][random.usize(..5)];
            let center_here = grid.flatten(center);
            let is_near = |position: &Vec3| position.distance_squared(center_here) <= radius * radius;
            let expected: Vec<u32> =
                (0..300).filter(|slot| model[*slot as usize].as_ref().is_some_and(is_near)).collect();
            assert_eq!(found(&grid, center, radius), expected, "seed {seed}, {center} within {radius}");
        }
        let mut slots: Vec<u32> = grid.slots().collect();
        slots.sort_unstable();
        let expected: Vec<u32> = (0..300).filter(|slot| model[*slot as usize].is_some()).collect();
        assert_eq!(slots, expected, "seed {seed}");
    }
}

#[test]
fn no_position_and_no_radius_does_harm() {
    for axes in [Axes::Xz, Axes::Xy] {
        for cell_size in [f32::NAN, -1.0, 0.0, 1.0e-30, 10.0, f32::INFINITY] {
            let mut grid = Grid::new(cell_size, axes, 0);
            let extremes = [f32::MIN, -1.0, 0.0, 1.0, f32::MAX, f32::INFINITY, f32::NAN];
            for (slot, value) in extremes.into_iter().enumerate() {
                grid.insert(slot as u32, Vec3::splat(value));
            }
            for center in extremes {
                for radius in extremes {
                    grid.query(Vec3::splat(center), radius, &mut |_, _| {});
                    grid.fingerprint(Vec3::splat(center), radius);
                }
            }
            assert_eq!(found(&grid, Vec3::ZERO, 0.0), [2, 5, 6], "what is nowhere is at the origin");
            assert!(found(&grid, Vec3::ZERO, f32::NAN).is_empty() && found(&grid, Vec3::ZERO, -1.0).is_empty());
        }
    }
}

#[test]
fn the_drawing_order_of_a_2d_world_is_no_distance() {
    let mut flat = Grid::new(10.0, Axes::Xy, 0);
    flat.insert(0, Vec3::new(3.0, 4.0, 900.0));
    assert_eq!(flat.distance_squared(0, Vec3::ZERO), Some(25.0));
    assert_eq!(found(&flat, Vec3::new(0.0, 0.0, -900.0), 5.0), [0]);
    let mut deep = Grid::new(10.0, Axes::Xz, 0);
    deep.insert(0, Vec3::new(3.0, 900.0, 4.0));
    assert!(found(&deep, Vec3::ZERO, 5.0).is_empty());
}

#[test]
fn what_is_examined_grows_with_what_is_near_and_not_with_the_world() {
    let center = Vec3::new(250.0, 0.0, 250.0);
    let examined: Vec<usize> = [50, 100, 300]
        .into_iter()
        .map(|side| {
            let grid = lattice(side, 50.0);
            let mut near = 0;
            let examined = grid.query(center, 100.0, &mut |_, _| near += 1);
            assert!(examined <= 3 * near, "{examined} entries were examined to find {near}");
            examined
        })
        .collect();
    assert!(examined.windows(2).all(|pair| pair[0] == pair[1]), "{examined:?}");
}

#[test]
fn a_radius_of_many_empty_cells_costs_no_more_than_the_cells_that_hold_something() {
    let mut grid = Grid::new(0.01, Axes::Xz, 0);
    grid.insert(7, Vec3::splat(1000.0));
    // 10^16 cells: it would not end.
    assert_eq!(found(&grid, Vec3::ZERO, 1.0e6), [7]);
}

#[test]
fn a_fingerprint_tells_of_its_neighbourhood_alone() {
    let mut grid = lattice(50, 20.0);
    let center = Vec3::new(100.0, 0.0, 100.0);
    let near = grid.query(center, 10.0, &mut |_, _| {});
    assert!(near > 0);
    let before = grid.fingerprint(center, 50.0);
    grid.insert(2499, Vec3::new(480.0, 0.0, 485.0));
    grid.remove(2400);
    assert_eq!(grid.fingerprint(center, 50.0), before, "what changed is far away");
    let mut seen = vec![before];
    // Slot 510 is at (100, 100).
    grid.insert(510, Vec3::new(100.0, 1.0, 100.0));
    seen.push(grid.fingerprint(center, 50.0));
    grid.insert(510, Vec3::new(100.0, 0.0, 100.0));
    seen.push(grid.fingerprint(center, 50.0));
    grid.remove(510);
    seen.push(grid.fingerprint(center, 50.0));
    grid.insert(510, Vec3::new(100.0, 0.0, 100.0));
    seen.push(grid.fingerprint(center, 50.0));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 5, "each change gave another");
    let clock = grid.clock();
    grid.insert(510, Vec3::new(100.0, 0.0, 100.0));
    assert_eq!(grid.clock(), clock, "to stay is no change");
}

#[test]
fn a_cell_that_emptied_is_noticed_and_used_again() {
    let mut grid = Grid::new(10.0, Axes::Xz, 0);
    grid.insert(0, Vec3::ZERO);
    let before = grid.fingerprint(Vec3::ZERO, 5.0);
    for step in 1..1000 {
        grid.insert(0, Vec3::new(step as f32 * 10.0, 0.0, 0.0));
    }
    assert_ne!(grid.fingerprint(Vec3::ZERO, 5.0), before);
    assert_eq!((grid.occupied.len(), grid.cells.len()), (1, 1));
    grid.remove(0);
    assert_eq!((grid.occupied.len(), grid.cells.len()), (0, 1));
}
