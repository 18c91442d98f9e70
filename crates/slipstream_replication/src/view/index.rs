//! From slot to dense index, in pages, so that memory grows with what is visible.

use super::Phase;

const PAGE: usize = 256;

/// What a view knows of a slot.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cell {
    /// Dense index plus one; 0 where the slot is not viewed.
    dense: u32,
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
}

/// A paged array by slot. A page exists once one of its slots has been viewed.
#[derive(Debug, Default)]
pub(super) struct SlotIndex {
    pages: Vec<Option<Box<[Cell; PAGE]>>>,
}

impl SlotIndex {
    #[inline]
    pub(super) fn cell(&self, slot: u32) -> Cell {
        match self.pages.get(slot as usize / PAGE) {
            Some(Some(page)) => page[slot as usize % PAGE],
            _ => Cell::default(),
        }
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<usize> {
        self.cell(slot).dense()
    }

    pub(super) fn set(&mut self, slot: u32, dense: usize) {
        self.cell_mut(slot).dense = dense as u32 + 1;
    }

    pub(super) fn set_phase(&mut self, slot: u32, phase: Phase) {
        self.cell_mut(slot).phase = phase;
    }

    pub(super) fn clear(&mut self, slot: u32) {
        self.cell_mut(slot).dense = 0;
    }

    /// A new epoch for the slot: it differs from those of everything that may still be on its way.
    pub(super) fn raise_epoch(&mut self, slot: u32) {
        let cell = self.cell_mut(slot);
        cell.epoch = cell.epoch.wrapping_add(1);
    }

    fn cell_mut(&mut self, slot: u32) -> &mut Cell {
        let page = slot as usize / PAGE;
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let page = self.pages[page].get_or_insert_with(|| Box::new([Cell::default(); PAGE]));
        &mut page[slot as usize % PAGE]
    }
}
