//! What one connection has in sight by distance, with hysteresis.

use bevy::prelude::*;

use super::Vicinity;
use super::grid::Grid;
use super::slot_map::SlotMap;

/// A viewpoint at the moment of a look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Eye {
    position: Vec3,
    enter: f32,
    leave: f32,
}

impl Eye {
    /// Whatever the game says, the eye is somewhere and `leave` is not less than `enter`.
    pub(super) fn new(position: Vec3, vicinity: Vicinity) -> Self {
        let position = if position.is_finite() { position } else { Vec3::ZERO };
        let enter = vicinity.enter.max(0.0);
        Self { position, enter, leave: vicinity.leave.max(enter) }
    }
}

/// The roots in sight of one connection.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// With the look in which each was found last.
    seen: SlotMap<u32>,
    eyes: Vec<Eye>,
    looks: u32,
    /// The grid's clock at the last look, and the fingerprint of the neighbourhood.
    clock: Option<u64>,
    fingerprint: u64,
    /// What came into sight in this tick.
    pub(super) entered: Vec<u32>,
    /// What went out of sight in this tick, and still exists.
    pub(super) left: Vec<u32>,
}

impl Sight {
    pub(super) fn contains(&self, root: u32) -> bool {
        self.seen.contains(root)
    }

    /// Has never had a viewpoint.
    pub(super) fn is_blind(&self) -> bool {
        self.eyes.is_empty()
    }

    /// How near a root is to the nearest viewpoint: 1 at it, and `nearest` times less where it would go out of sight.
    /// `None` where distance says nothing.
    pub(super) fn nearness(&self, root: u32, grid: &Grid, nearest: f32) -> Option<f32> {
        let nearness = |eye: &Eye| {
            let distance = grid.distance_squared(root, eye.position)?.sqrt();
            Some(1.0 / (1.0 + (nearest - 1.0) * (distance / eye.leave.max(f32::MIN_POSITIVE)).min(1.0)))
        };
        self.eyes.iter().filter_map(nearness).max_by(f32::total_cmp)
    }

    /// A new tick: nothing has come or gone yet, but for what is in the grid no longer.
    pub(super) fn begin(&mut self, vanished: &[u32]) {
        self.entered.clear();
        self.left.clear();
        for slot in vanished {
            self.seen.remove(*slot);
        }
    }

    /// A slot is new in the grid, and should not wait for the connection's turn to look.
    pub(super) fn notice(&mut self, slot: u32, grid: &Grid) {
        let near = |eye: &Eye| {
            grid.distance_squared(slot, eye.position).is_some_and(|distance| distance <= eye.enter * eye.enter)
        };
        if !self.seen.contains(slot) && self.eyes.iter().any(near) {
            self.seen.insert(slot, self.looks);
            self.entered.push(slot);
        }
    }

    /// There is no spatial interest any more.
    pub(super) fn close(&mut self) {
        if !self.is_blind() {
            *self = Self::default();
        }
    }
}

/// Looks around from `eyes`, or from where they were last if there are none.
///
/// Nothing is done while neither the eyes nor the cells around them changed. Returns how many entries of the grid were
/// examined.
pub(super) fn update_sight(sight: &mut Sight, grid: &Grid, eyes: &[Eye]) -> usize {
    let moved = !eyes.is_empty() && sight.eyes != eyes;
    if moved {
        sight.eyes.clear();
        sight.eyes.extend_from_slice(eyes);
    }
    if sight.clock.replace(grid.clock()) == Some(grid.clock()) && !moved {
        return 0;
    }
    let fingerprint = sight
        .eyes
        .iter()
        .map(|eye| grid.fingerprint(eye.position, eye.leave))
        .fold(0_u64, |sum, fingerprint| sum.wrapping_add(fingerprint));
    if core::mem::replace(&mut sight.fingerprint, fingerprint) == fingerprint && !moved {
        return 0;
    }
    sight.looks = sight.looks.wrapping_add(1);
    let Sight { seen, eyes, looks, entered, left, .. } = sight;
    let mut examined = 0;
    for eye in eyes.iter() {
        let enter_squared = eye.enter * eye.enter;
        examined += grid.query(eye.position, eye.leave, &mut |slot, distance_squared| {
            if let Some(look) = seen.get_mut(slot) {
                *look = *looks;
            } else if distance_squared <= enter_squared {
                seen.insert(slot, *looks);
                entered.push(slot);
            }
        });
    }
    seen.retain(|slot, look| {
        if *look != *looks {
            left.push(slot);
        }
        *look == *looks
    });
    examined
}

#[cfg(test)]
mod tests {
    use super::super::Axes;
    use super::*;

    const AT_ORIGIN: Eye = Eye { position: Vec3::ZERO, enter: 100.0, leave: 120.0 };

    fn grid() -> Grid {
        Grid::new(50.0, Axes::Xz, 0)
    }

    /// One tick's look: what came and what went.
    fn look(sight: &mut Sight, grid: &Grid, eyes: &[Eye]) -> (Vec<u32>, Vec<u32>) {
        sight.begin(&[]);
        update_sight(sight, grid, eyes);
        (sight.entered.clone(), sight.left.clone())
    }

    #[test]
    fn what_is_near_comes_into_sight_and_what_is_far_goes() {
        let (mut sight, mut grid) = (Sight::default(), grid());
        grid.insert(1, Vec3::X * 101.0);
        assert_eq!(look(&mut sight, &grid, &[AT_ORIGIN]), (vec![], vec![]));
        grid.insert(1, Vec3::X * 100.0);
        assert_eq!(look(&mut sight, &grid, &[AT_ORIGIN]), (vec![1], vec![]));
        grid.insert(1, Vec3::X * 120.0);
        assert_eq!(look(&mut sight, &grid, &[AT_ORIGIN]), (vec![], vec![]));
        grid.insert(1, Vec3::X * 121.0);
        assert_eq!(look(&mut sight, &grid, &[AT_ORIGIN]), (vec![], vec![1]));
        assert!(!sight.contains(1));
    }

    #[test]
    fn what_wobbles_at_the_border_does_not_flicker() {
        for seed in 0..10_u64 {
            println!("seed {seed}");
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut sight, mut grid) = (Sight::default(), grid());
            let mut changes = 0;
            for _ in 0..1000 {
                grid.insert(1, Vec3::new(90.0 + random.f32() * 20.0, 0.0, random.f32() * 10.0));
                let (entered, left) = look(&mut sight, &grid, &[AT_ORIGIN]);
                changes += entered.len() + left.len();
            }
            assert_eq!(changes, 1, "seed {seed}");
        }
    }

    #[test]
    fn the_border_holds_for_any_walk() {
        for seed in 0..20_u64 {
            println!("seed {seed}");
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut sight, mut grid) = (Sight::default(), grid());
            let mut eye = AT_ORIGIN;
            let mut positions: Vec<Vec3> =
                (0..200).map(|_| Vec3::new(random.f32() * 600.0 - 300.0, 0.0, random.f32() * 600.0 - 300.0)).collect();
            let mut shown = vec![false; positions.len()];
            for _ in 0..200 {
                for (slot, position) in positions.iter_mut().enumerate() {
                    if random.u32(..4) == 0 {
                        *position += Vec3::new(random.f32() * 40.0 - 20.0, 0.0, random.f32() * 40.0 - 20.0);
                    }
                    grid.insert(slot as u32, *position);
                }
                eye.position += Vec3::new(random.f32() * 4.0 - 2.0, 0.0, random.f32() * 4.0 - 2.0);
                let (entered, left) = look(&mut sight, &grid, &[eye]);
                for slot in entered {
                    assert!(!core::mem::replace(&mut shown[slot as usize], true), "seed {seed}");
                }
                for slot in left {
                    assert!(core::mem::replace(&mut shown[slot as usize], false), "seed {seed}");
                }
                for (slot, position) in positions.iter().enumerate() {
                    let distance = position.distance(eye.position);
                    assert!(shown[slot] || distance > 99.9, "seed {seed}: {slot} at {distance} m is not in sight");
                    assert!(!shown[slot] || distance < 120.1, "seed {seed}: {slot} at {distance} m is in sight");
                    assert_eq!(sight.contains(slot as u32), shown[slot], "seed {seed}");
                }
            }
        }
    }

    #[test]
    fn what_is_near_matters_more_by_as_much_as_the_game_says() {
        let (mut sight, mut grid) = (Sight::default(), grid());
        grid.insert(1, Vec3::ZERO);
        grid.insert(2, Vec3::X * 60.0);
        grid.insert(3, Vec3::X * 500.0);
        look(&mut sight, &grid, &[AT_ORIGIN]);
        let nearness = |nearest| [1, 2, 3].map(|root| sight.nearness(root, &grid, nearest));
        assert_eq!(nearness(9.0), [Some(1.0), Some(0.2), Some(1.0 / 9.0)]);
        assert_eq!(nearness(1.0), [Some(1.0); 3]);
        assert_eq!(sight.nearness(4, &grid, 9.0), None);
    }

    #[test]
    fn several_eyes_see_what_any_of_them_sees() {
        let (mut sight, mut grid) = (Sight::default(), grid());
        let there = Eye { position: Vec3::X * 500.0, enter: 10.0, leave: 10.0 };
        grid.insert(1, Vec3::X * 50.0);
        grid.insert(2, Vec3::X * 505.0);
        grid.insert(3, Vec3::X * 250.0);
        let (mut entered, _) = look(&mut sight, &grid, &[AT_ORIGIN, there]);
        entered.sort_unstable();
        assert_eq!(entered, [1, 2]);
        assert_eq!(look(&mut sight, &grid, &[AT_ORIGIN]), (vec![], vec![2]));
    }

    #[test]
    fn a_connection_without_eyes_looks_from_where_they_were() {
        let (mut sight, mut grid) = (Sight::default(), grid());
        grid.insert(1, Vec3::ZERO);
        assert_eq!(look(&mut sight, &grid, &[]), (vec![], vec![]));
        assert!(sight.is_blind());
        assert_eq!(look(&mut sight, &grid, &[AT_ORIGIN]), (vec![1], vec![]));
        grid.insert(2, Vec3::Z);
        assert_eq!(look(&mut sight, &grid, &[]), (vec![2], vec![]));
    }

    #[test]
    fn a_still_neighbourhood_is_not_examined() {
        let (mut sight, mut grid) = (Sight::default(), grid());
        for slot in 0..100 {
            grid.insert(slot, Vec3::X * slot as f32 * 10.0);
        }
        assert!(update_sight(&mut sight, &grid, &[AT_ORIGIN]) > 0);
        assert_eq!(update_sight(&mut sight, &grid, &[AT_ORIGIN]), 0, "nothing moved at all");
        grid.insert(99, Vec3::X * 995.0);
        assert_eq!(update_sight(&mut sight, &grid, &[AT_ORIGIN]), 0, "what moved is far away");
        grid.insert(3, Vec3::X * 31.0);
        assert!(update_sight(&mut sight, &grid, &[AT_ORIGIN]) > 0);
        let moved = Eye { position: Vec3::Z, ..AT_ORIGIN };
        assert!(update_sight(&mut sight, &grid, &[moved]) > 0, "the eye moved");
    }

    #[test]
    fn a_look_costs_in_proportion_to_what_is_in_sight() {
        for side in [60_u32, 240] {
            let (mut sight, mut grid) = (Sight::default(), grid());
            for slot in 0..side * side {
                grid.insert(slot, Vec3::new((slot % side) as f32 * 10.0, 0.0, (slot / side) as f32 * 10.0));
            }
            let eye = Eye { position: Vec3::new(300.0, 0.0, 300.0), ..AT_ORIGIN };
            sight.begin(&[]);
            let examined = update_sight(&mut sight, &grid, &[eye]);
            let visible = sight.entered.len();
            assert!(visible > 250 && examined < 4 * visible, "{examined} were examined for {visible} in sight");
        }
    }

    #[test]
    fn what_is_new_is_noticed_at_once_and_what_vanished_is_forgotten_in_silence() {
        let (mut sight, mut grid) = (Sight::default(), grid());
        look(&mut sight, &grid, &[AT_ORIGIN]);
        grid.insert(1, Vec3::X);
        grid.insert(2, Vec3::X * 110.0);
        sight.begin(&[]);
        sight.notice(1, &grid);
        sight.notice(2, &grid);
        assert_eq!(sight.entered, [1]);
        assert_eq!(look(&mut sight, &grid, &[AT_ORIGIN]), (vec![], vec![]));
        grid.remove(1);
        sight.begin(&[1]);
        update_sight(&mut sight, &grid, &[AT_ORIGIN]);
        assert!(sight.left.is_empty() && !sight.contains(1));
    }

    #[test]
    fn an_impossible_viewpoint_is_one_at_the_origin() {
        let nowhere = Eye::new(Vec3::splat(f32::NAN), Vicinity { enter: f32::NAN, leave: -5.0 });
        assert_eq!(nowhere, Eye { position: Vec3::ZERO, enter: 0.0, leave: 0.0 });
    }
}
