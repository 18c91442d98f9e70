//! A hashed grid of positions: what is near a point, at a cost in proportion to what is near it.

#[cfg(test)]
mod tests;

use bevy::platform::collections::HashMap;
use bevy::prelude::*;

/// The two axes over which the world is divided into cells.
///
/// Two, because game worlds are wide and flat: a third axis would triple the cells around a viewpoint and leave the same
/// entities in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Axes {
    /// The ground of a 3D world, where Bevy's Y is up. Distances count all three axes.
    #[default]
    Xz,
    /// The screen of a 2D world. Distances leave out Z, which says there only what is drawn on top.
    Xy,
}

/// Cells are numbered within ± this, and what lies beyond is in the outermost ones.
const OUTERMOST: i32 = 1 << 30;
/// In metres.
const SMALLEST_CELL: f32 = 0.01;
const LARGEST_CELL: f32 = 1.0e6;
/// Room for so many entries stays with a cell that fell empty.
const SPARE_ENTRIES: usize = 8;
const NOWHERE: Place = Place { cell: u32::MAX, index: u32::MAX };

/// Positions by slot, in square cells.
///
/// A move within a cell looks nothing up by hash. A query allocates nothing. Memory is in proportion to the entities: empty
/// cells are used again.
#[derive(Debug)]
pub(super) struct Grid {
    cell_size: f32,
    axes: Axes,
    /// By slot.
    places: Vec<Place>,
    cells: Vec<Cell>,
    /// The cells that hold anything, by their coordinates.
    occupied: HashMap<(i32, i32), u32>,
    free: Vec<u32>,
    /// Counts changes.
    clock: u64,
}

/// Where an entry is: which of `cells`, and which entry there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    cell: u32,
    index: u32,
}

#[derive(Debug)]
struct Cell {
    coordinates: (i32, i32),
    /// The clock at the cell's last change. No two cells ever have the same.
    stamp: u64,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    slot: u32,
    position: Vec3,
}

impl Grid {
    /// An empty grid. `cell_size` is in metres, at least a centimetre; `clock` is beyond that of any grid before it.
    pub(super) fn new(cell_size: f32, axes: Axes, clock: u64) -> Self {
        Self {
            cell_size: sane(cell_size),
            axes,
            places: Vec::new(),
            cells: Vec::new(),
            occupied: HashMap::default(),
            free: Vec::new(),
            clock,
        }
    }

    pub(super) fn has_cells_of(&self, cell_size: f32, axes: Axes) -> bool {
        self.cell_size == sane(cell_size) && self.axes == axes
    }

    /// It grows with every change.
    pub(super) fn clock(&self) -> u64 {
        self.clock
    }

    pub(super) fn contains(&self, slot: u32) -> bool {
        self.place_of(slot).is_some()
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = u32> {
        self.cells.iter().flat_map(|cell| cell.entries.iter().map(|entry| entry.slot))
    }

    /// The square of the distance between a slot and a point.
    pub(super) fn distance_squared(&self, slot: u32, point: Vec3) -> Option<f32> {
        let place = self.place_of(slot)?;
        let entry = self.cells[place.cell as usize].entries[place.index as usize];
        Some(entry.position.distance_squared(self.flatten(point)))
    }

    /// Puts a slot where it is now; whether it is new here. A position that is not finite counts as the origin.
    pub(super) fn insert(&mut self, slot: u32, position: Vec3) -> bool {
        let position = self.flatten(position);
        let coordinates = self.coordinates(position);
        let before = self.place_of(slot);
        if let Some(place) = before {
            let cell = &mut self.cells[place.cell as usize];
            if cell.coordinates == coordinates {
                let entry = &mut cell.entries[place.index as usize];
                if entry.position != position {
                    entry.position = position;
                    self.clock += 1;
                    cell.stamp = self.clock;
                }
                return false;
            }
            self.take_out(place);
        }
        self.clock += 1;
        let index = self.cell_at(coordinates);
        let cell = &mut self.cells[index as usize];
        cell.stamp = self.clock;
        if self.places.len() <= slot as usize {
            self.places.resize(slot as usize + 1, NOWHERE);
        }
        self.places[slot as usize] = Place { cell: index, index: cell.entries.len() as u32 };
        cell.entries.push(Entry { slot, position });
        before.is_none()
    }

    /// Takes a slot out; whether it was here.
    pub(super) fn remove(&mut self, slot: u32) -> bool {
        let Some(place) = self.place_of(slot) else { return false };
        self.take_out(place);
        self.places[slot as usize] = NOWHERE;
        true
    }

    /// Visits each slot within `radius` metres of `center`, with the square of its distance.
    ///
    /// Returns how many entries were examined for that: all in the cells around, in the circle or not.
    pub(super) fn query(&self, center: Vec3, radius: f32, visit: &mut impl FnMut(u32, f32)) -> usize {
        let center = self.flatten(center);
        let radius_squared = radius * radius;
        let mut examined = 0;
        self.for_each_cell(center, radius, |cell| {
            examined += cell.entries.len();
            for entry in &cell.entries {
                let distance_squared = entry.position.distance_squared(center);
                if distance_squared <= radius_squared {
                    visit(entry.slot, distance_squared);
                }
            }
        });
        examined
    }

    /// A number that stays the same while nothing changes in the cells that a query would visit.
    pub(super) fn fingerprint(&self, center: Vec3, radius: f32) -> u64 {
        let mut sum = 0_u64;
        self.for_each_cell(self.flatten(center), radius, |cell| sum = sum.wrapping_add(mix(cell.stamp)));
        sum
    }

    /// Visits the occupied cells around a point: by their coordinates, or all where that is less.
    fn for_each_cell(&self, center: Vec3, radius: f32, mut visit: impl FnMut(&Cell)) {
        if radius.is_nan() || radius < 0.0 {
            return;
        }
        // The slack is for rounding: nothing that the distance admits may lie in a cell beyond.
        let reach = Vec3::splat(radius) + (center.abs() + radius) * 1.0e-6;
        let low = self.coordinates(center - reach);
        let high = self.coordinates(center + reach);
        let width = i64::from(high.0) - i64::from(low.0) + 1;
        let height = i64::from(high.1) - i64::from(low.1) + 1;
        if width * height > self.occupied.len() as i64 {
            for cell in self.occupied.values().map(|index| &self.cells[*index as usize]) {
                let (a, b) = cell.coordinates;
                if (low.0..=high.0).contains(&a) && (low.1..=high.1).contains(&b) {
                    visit(cell);
                }
            }
            return;
        }
        for a in low.0..=high.0 {
            for b in low.1..=high.1 {
                if let Some(index) = self.occupied.get(&(a, b)) {
                    visit(&self.cells[*index as usize]);
                }
            }
        }
    }

    fn place_of(&self, slot: u32) -> Option<Place> {
        self.places.get(slot as usize).copied().filter(|place| *place != NOWHERE)
    }

    fn flatten(&self, position: Vec3) -> Vec3 {
        match self.axes {
            _ if !position.is_finite() => Vec3::ZERO,
            Axes::Xz => position,
            Axes::Xy => position.with_z(0.0),
        }
    }

    fn coordinates(&self, position: Vec3) -> (i32, i32) {
        // The cast saturates.
        let along = |metres: f32| ((metres / self.cell_size).floor() as i32).clamp(-OUTERMOST, OUTERMOST);
        match self.axes {
            Axes::Xz => (along(position.x), along(position.z)),
            Axes::Xy => (along(position.x), along(position.y)),
        }
    }

    /// The index of the cell with these coordinates, which holds something from here on.
    fn cell_at(&mut self, coordinates: (i32, i32)) -> u32 {
        if let Some(index) = self.occupied.get(&coordinates) {
            return *index;
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.cells.push(Cell { coordinates, stamp: 0, entries: Vec::new() });
            self.cells.len() as u32 - 1
        });
        self.cells[index as usize].coordinates = coordinates;
        self.occupied.insert(coordinates, index);
        index
    }

    fn take_out(&mut self, place: Place) {
        self.clock += 1;
        let cell = &mut self.cells[place.cell as usize];
        cell.stamp = self.clock;
        cell.entries.swap_remove(place.index as usize);
        if let Some(moved) = cell.entries.get(place.index as usize) {
            self.places[moved.slot as usize] = place;
        }
        if cell.entries.is_empty() {
            cell.entries.shrink_to(SPARE_ENTRIES);
            self.occupied.remove(&cell.coordinates);
            self.free.push(place.cell);
        }
    }
}

/// A cell size that can be divided by; NaN becomes the smallest.
fn sane(cell_size: f32) -> f32 {
    if cell_size.is_nan() { SMALLEST_CELL } else { cell_size.clamp(SMALLEST_CELL, LARGEST_CELL) }
}

/// Spreads a stamp over all bits, so that sums of different stamps differ: the finaliser of SplitMix64 (Steele, Lea and
/// Flood, "Fast splittable pseudorandom number generators", 2014).
fn mix(stamp: u64) -> u64 {
    let mut bits = stamp.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
