//! The ranges of one acknowledgement.

use core::ops::Deref;

use super::{MAX_RANGES, Range};

/// At most [`MAX_RANGES`], in place: a list would be memory for each datagram.
#[derive(Clone, Debug)]
pub(crate) struct Ranges {
    list: [Range; MAX_RANGES],
    len: usize,
}

impl Ranges {
    pub(crate) const NONE: Self = Self { list: [(0, 0); MAX_RANGES], len: 0 };

    /// Adds a range; does nothing where there is no room.
    pub(crate) fn push(&mut self, range: Range) {
        if let Some(free) = self.list.get_mut(self.len) {
            *free = range;
            self.len += 1;
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len == MAX_RANGES
    }

    /// Keeps the first `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl Deref for Ranges {
    type Target = [Range];

    fn deref(&self) -> &[Range] {
        self.list.get(..self.len).unwrap_or_default()
    }
}
