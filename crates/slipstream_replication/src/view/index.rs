//! From slot to dense index, in pages, so that memory grows with what is visible.

const PAGE: usize = 256;

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// Dense index plus one; 0 where the slot is not viewed.
    dense: u32,
    /// The last epoch used for this slot on this connection.
    epoch: u8,
}

/// A paged array by slot. A page exists once one of its slots has been viewed.
#[derive(Debug, Default)]
pub(super) struct SlotIndex {
    pages: Vec<Option<Box<[Cell; PAGE]>>>,
}

impl SlotIndex {
    pub(super) fn get(&self, slot: u32) -> Option<usize> {
        let cell = self.pages.get(slot as usize / PAGE)?.as_ref()?[slot as usize % PAGE];
        (cell.dense as usize).checked_sub(1)
    }

    pub(super) fn set(&mut self, slot: u32, dense: usize) {
        self.cell(slot).dense = dense as u32 + 1;
    }

    pub(super) fn clear(&mut self, slot: u32) {
        self.cell(slot).dense = 0;
    }

    /// A new epoch for the slot: it differs from those of everything that may still be on its way.
    pub(super) fn next_epoch(&mut self, slot: u32) -> u8 {
        let cell = self.cell(slot);
        cell.epoch = cell.epoch.wrapping_add(1);
        cell.epoch
    }

    fn cell(&mut self, slot: u32) -> &mut Cell {
        let page = slot as usize / PAGE;
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let page = self.pages[page].get_or_insert_with(|| Box::new([Cell::default(); PAGE]));
        &mut page[slot as usize % PAGE]
    }
}
