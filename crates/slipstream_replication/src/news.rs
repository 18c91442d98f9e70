//! What changed in a tick, by lane, in pages of neighbouring slots.

use crate::view::PAGE;

/// Which slots of a lane have a value that is new in this tick.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// How many.
    pub(crate) count: usize,
    /// The pages that they are in, ascending.
    pub(crate) pages: Vec<u32>,
    /// By page, which seal this is of, and a bit for each slot.
    masks: Vec<(u64, u32)>,
}

impl News {
    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.pages.clear();
    }

    pub(crate) fn add(&mut self, slot: u32, seal: u64) {
        let page = (slot / PAGE) as usize;
        if self.masks.len() <= page {
            self.masks.resize(page + 1, (0, 0));
        }
        let (sealed, mask) = &mut self.masks[page];
        if *sealed != seal {
            (*sealed, *mask) = (seal, 0);
            self.pages.push(page as u32);
        }
        *mask |= 1 << (slot % PAGE);
        self.count += 1;
    }

    /// A bit for each slot of a page that is new as of `seal`.
    #[inline]
    pub(crate) fn mask(&self, page: u32, seal: u64) -> u32 {
        self.masks.get(page as usize).filter(|(sealed, _)| *sealed == seal).map_or(0, |(_, mask)| *mask)
    }
}
