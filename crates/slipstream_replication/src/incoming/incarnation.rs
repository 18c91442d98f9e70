//! Who is, and was, in a slot: an entity stays in it more than once, and others use it after it.

use bevy::prelude::*;
use slipstream_wire::Tick;

/// The most incarnations kept of one slot.
const MAX_INCARNATIONS: usize = 4;
/// A slot that is empty for so many ticks is forgotten: what was said of it is not on its way any more.
pub(super) const FORGET_TICKS: i32 = 1024;

/// One stay of one entity in a slot, as far as this connection knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incarnation {
    /// Where an owner speaks, its whole term.
    pub(crate) generation: u32,
    /// Where an owner speaks, the low bits of its term.
    pub(crate) epoch: u8,
    /// The tick of the chunk that announced it.
    pub(super) since: Tick,
    /// At most one incarnation of a slot has an entity.
    pub(crate) entity: Option<Entity>,
}

/// What is known of one slot.
#[derive(Debug, Default)]
pub(super) struct SlotInbox {
    pub(super) newest: Option<Incarnation>,
    /// Those before it, oldest first.
    earlier: Vec<Incarnation>,
    /// The newest tick at which the slot was said to be empty: whatever was announced up to then is gone.
    pub(super) vanished: Option<Tick>,
}

impl SlotInbox {
    /// Newest first.
    #[inline]
    pub(super) fn incarnations(&self) -> impl Iterator<Item = &Incarnation> {
        self.newest.iter().chain(self.earlier.iter().rev())
    }

    #[inline]
    pub(super) fn incarnations_mut(&mut self) -> impl Iterator<Item = &mut Incarnation> {
        self.newest.iter_mut().chain(self.earlier.iter_mut().rev())
    }

    /// The incarnation whose entity is in the world.
    pub(super) fn present(&self) -> Option<&Incarnation> {
        self.incarnations().find(|known| known.entity.is_some())
    }

    /// Adds one; of too many the oldest without an entity goes.
    pub(super) fn push(&mut self, incarnation: Incarnation) {
        self.earlier.extend(self.newest.replace(incarnation));
        if self.earlier.len() >= MAX_INCARNATIONS
            && let Some(oldest) = self.earlier.iter().position(|known| known.entity.is_none())
        {
            self.earlier.remove(oldest);
        }
    }

    pub(super) fn remove(&mut self, epoch: u8) {
        self.earlier.retain(|known| known.epoch != epoch);
        if self.newest.as_ref().is_some_and(|known| known.epoch == epoch) {
            self.newest = self.earlier.pop();
        }
    }

    /// Whether nothing was heard of an entity in it for long.
    pub(super) fn is_forgotten(&self, now: Tick) -> bool {
        let since = self.incarnations().map(|known| known.since).chain(self.vanished);
        self.present().is_none() && since.map(|since| now.since(since)).min().is_none_or(|age| age > FORGET_TICKS)
    }
}
