//! Where what is known of a slot lies: dense over the slots that were heard of, through pages.

use crate::view::PAGE;

/// Where a slot's state and its values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Among the positions of all pages that were heard of: in the order of slots within a page, and of one slot only.
    pub(crate) position: u32,
    /// Among the slots that are known now.
    pub(crate) dense: u32,
}

/// Positions and dense indices by slot.
#[derive(Debug, Default)]
pub(crate) struct HeardSlots {
    /// By slot over [`PAGE`], the page, plus one.
    pages: Vec<u32>,
    /// By position, the dense index, plus one.
    cells: Vec<u32>,
    /// Dense indices that are free.
    free: Vec<u32>,
    /// Dense indices that were ever used.
    used: u32,
}

impl HeardSlots {
    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<Place> {
        let page = self.pages.get((slot / PAGE) as usize)?.checked_sub(1)?;
        let position = page * PAGE + slot % PAGE;
        Some(Place { position, dense: self.dense(position)? })
    }

    /// The dense index of a position's slot, while it is known.
    #[inline]
    pub(crate) fn dense(&self, position: u32) -> Option<u32> {
        self.cells.get(position as usize)?.checked_sub(1)
    }

    /// The slot's place, which it gets if it has none.
    pub(crate) fn insert(&mut self, slot: u32) -> Place {
        let number = (slot / PAGE) as usize;
        if self.pages.len() <= number {
            self.pages.resize(number + 1, 0);
        }
        if self.pages[number] == 0 {
            self.cells.resize(self.cells.len() + PAGE as usize, 0);
            self.pages[number] = self.cells.len() as u32 / PAGE;
        }
        let position = (self.pages[number] - 1) * PAGE + slot % PAGE;
        let cell = &mut self.cells[position as usize];
        if *cell == 0 {
            let dense = self.free.pop().unwrap_or_else(|| {
                self.used += 1;
                self.used - 1
            });
            *cell = dense + 1;
        }
        Place { position, dense: *cell - 1 }
    }

    /// The slot is not known any more.
    pub(crate) fn remove(&mut self, place: Place) {
        if let Some(cell) = self.cells.get_mut(place.position as usize)
            && core::mem::take(cell) != 0
        {
            self.free.push(place.dense);
        }
    }

    /// All slots that are known.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Place)> {
        let pages = self.pages.iter().enumerate().filter_map(|(number, page)| Some((number, page.checked_sub(1)?)));
        pages.flat_map(move |(number, page)| {
            (0..PAGE).filter_map(move |bit| {
                let position = page * PAGE + bit;
                Some((number as u32 * PAGE + bit, Place { position, dense: self.dense(position)? }))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_get_dense_indices_that_are_used_again() {
        let mut slots = HeardSlots::default();
        let (far, near) = (slots.insert(100_000), slots.insert(3));
        assert_eq!((far.dense, near.dense), (0, 1));
        assert_eq!(slots.insert(100_000), far);
        slots.remove(far);
        assert_eq!((slots.get(100_000), slots.get(3)), (None, Some(near)));
        assert_eq!(slots.insert(4), Place { position: near.position + 1, dense: 0 });
        assert_eq!(slots.iter().map(|(slot, _)| slot).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(slots.insert(100_000), Place { position: far.position, dense: 2 });
    }
}
