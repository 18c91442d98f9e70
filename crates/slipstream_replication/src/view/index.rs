//! From slot to dense index, in pages, so that memory grows with what is visible.

use slipstream_wire::Tick;

use super::Phase;

/// Slots of a page: one bit each in a `u32`.
pub(crate) const PAGE: u32 = 32;

/// What a view knows of a slot.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cell {
    /// Dense index plus one; 0 where the slot is not viewed.
    dense: u32,
    /// When the epoch began: what was sent before is of no account.
    pub(super) since: Tick,
    /// The last epoch used for this slot on this connection.
    pub(super) epoch: u8,
    pub(super) phase: Phase,
}

impl Cell {
    /// The dense index, where the slot is viewed.
    #[inline]
    pub(super) fn dense(self) -> Option<usize> {
        (self.dense as usize).checked_sub(1)
    }

    /// The dense index, where the slot is viewed and has been since before something was sent at `then`.
    #[inline]
    pub(super) fn dense_since(self, then: Tick) -> Option<usize> {
        self.dense().filter(|_| !self.since.is_newer_than(then))
    }
}

/// Cells of neighbouring slots.
#[derive(Debug, Clone, Default)]
pub(super) struct Page {
    cells: [Cell; PAGE as usize],
}

impl Page {
    #[inline]
    pub(super) fn cell(&self, bit: u32) -> Cell {
        self.cells[(bit % PAGE) as usize]
    }
}

/// A paged array by slot. A page exists once one of its slots has been viewed.
#[derive(Debug, Default)]
pub(super) struct SlotIndex {
    /// By slot over [`PAGE`], where the page is, plus one; 0 where there is none.
    places: Vec<u32>,
    pages: Vec<Page>,
    /// The page numbers, by place.
    numbers: Vec<u32>,
    /// By place, when the last epoch of a slot of the page began.
    since: Vec<Tick>,
    /// By place, how many slots of the page are viewed.
    viewed: Vec<u32>,
    /// How many pages have a slot that is viewed.
    in_sight: usize,
}

impl SlotIndex {
    #[inline]
    pub(super) fn cell(&self, slot: u32) -> Cell {
        self.place(slot / PAGE).map_or_else(Cell::default, |place| self.pages[place].cell(slot))
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<usize> {
        self.cell(slot).dense()
    }

    /// Where a page is.
    #[inline]
    pub(super) fn place(&self, number: u32) -> Option<usize> {
        self.places.get(number as usize).and_then(|place| (*place as usize).checked_sub(1))
    }

    #[inline]
    pub(super) fn page(&self, place: usize) -> &Page {
        &self.pages[place]
    }

    /// When the last epoch of a slot of a page began.
    #[inline]
    pub(super) fn since(&self, place: usize) -> Tick {
        self.since[place]
    }

    /// The numbers of all pages, by place.
    #[inline]
    pub(super) fn numbers(&self) -> &[u32] {
        &self.numbers
    }

    /// How many pages have a slot that is viewed.
    pub(super) fn pages_in_sight(&self) -> usize {
        self.in_sight
    }

    /// Their numbers.
    pub(super) fn numbers_in_sight(&self) -> impl Iterator<Item = u32> {
        let pages = self.numbers.iter().zip(&self.viewed);
        pages.filter(|(_, viewed)| **viewed > 0).map(|(number, _)| *number)
    }

    pub(super) fn set(&mut self, slot: u32, dense: usize) {
        let is_new = core::mem::replace(&mut self.cell_mut(slot).dense, dense as u32 + 1) == 0;
        if is_new && let Some(place) = self.place(slot / PAGE) {
            self.in_sight += usize::from(self.viewed[place] == 0);
            self.viewed[place] += 1;
        }
    }

    pub(super) fn set_phase(&mut self, slot: u32, phase: Phase) {
        self.cell_mut(slot).phase = phase;
    }

    pub(super) fn clear(&mut self, slot: u32) {
        let was_viewed = core::mem::take(&mut self.cell_mut(slot).dense) != 0;
        if was_viewed && let Some(place) = self.place(slot / PAGE) {
            self.viewed[place] -= 1;
            self.in_sight -= usize::from(self.viewed[place] == 0);
        }
    }

    /// A new epoch for the slot: it differs from those of everything that may still be on its way.
    pub(super) fn raise_epoch(&mut self, slot: u32, now: Tick) {
        let cell = self.cell_mut(slot);
        cell.epoch = cell.epoch.wrapping_add(1);
        cell.since = now;
        if let Some(place) = self.place(slot / PAGE) {
            self.since[place] = now;
        }
    }

    fn cell_mut(&mut self, slot: u32) -> &mut Cell {
        let number = slot / PAGE;
        if self.places.len() <= number as usize {
            self.places.resize(number as usize + 1, 0);
        }
        if self.places[number as usize] == 0 {
            self.pages.push(Page::default());
            self.numbers.push(number);
            self.viewed.push(0);
            self.since.push(Tick::default());
            self.places[number as usize] = self.pages.len() as u32;
        }
        let place = self.places[number as usize] as usize - 1;
        &mut self.pages[place].cells[(slot % PAGE) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_in_sight_while_one_of_its_slots_is_viewed() {
        let mut index = SlotIndex::default();
        for (dense, slot) in [3, 40, 41].into_iter().enumerate() {
            index.set(slot, dense);
        }
        // Moved within the dense arrays: viewed already.
        index.set(41, 1);
        assert_eq!((index.pages_in_sight(), index.numbers_in_sight().collect()), (2, vec![0, 1]));
        index.clear(40);
        assert_eq!(index.pages_in_sight(), 2);
        index.clear(41);
        index.clear(41);
        assert_eq!((index.pages_in_sight(), index.numbers_in_sight().collect()), (1, vec![0]));
    }
}
