//! Received values of one component type, on their way to the entities.

use bevy::prelude::*;

use crate::error::RecordError;
use crate::registry::References;

/// Values of one component type, in the order in which they came.
#[derive(Default)]
pub(crate) struct Batch {
    items: Vec<BatchItem>,
    words: Vec<u32>,
    /// What the values that were put on entities refer to, by (slot, lane).
    pub(crate) noted: Vec<((u32, usize), References)>,
    /// A value that the codec refused.
    pub(crate) refused: Option<RecordError>,
}

/// One value in a batch.
#[derive(Debug, Clone, Copy)]
struct BatchItem {
    entity: Entity,
    place: (u32, usize),
    start: u32,
    end: u32,
}

impl Batch {
    #[inline]
    pub(crate) fn push(&mut self, entity: Entity, place: (u32, usize), words: &[u32]) {
        let start = self.words.len() as u32;
        self.words.extend_from_slice(words);
        self.items.push(BatchItem { entity, place, start, end: self.words.len() as u32 });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.words.clear();
    }

    /// Entity, (slot, lane) and words of each value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Entity, (u32, usize), &[u32])> {
        let words = |item: &BatchItem| self.words.get(item.start as usize..item.end as usize).unwrap_or_default();
        self.items.iter().map(move |item| (item.entity, item.place, words(item)))
    }
}
