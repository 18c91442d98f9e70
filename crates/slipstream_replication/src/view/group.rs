//! What one connection knows of one lane, of all entities: where neighbours are alike, once for all of them.
//!
//! Entities that change in the same ticks and whose datagrams arrive alike have the same baseline. Those of a page that do
//! are a **group**: their state is kept once, their records are copied as one run, and one acknowledgement moves all of
//! them. What differs has a state of its own, and joins when it is alike again.

use super::index::{PAGE, SlotIndex};
use super::lane::ViewedLane;

/// Entities of a page that are alike.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    /// A bit for each slot of the page.
    pub(super) members: u32,
    pub(super) state: ViewedLane,
}

/// One lane, by entity.
#[derive(Debug, Default)]
pub(super) struct LaneView {
    /// By dense index; stale where the entity's slot is in a group.
    each: Vec<ViewedLane>,
    /// By the place of a page; shorter than there are pages where the last have none.
    groups: Vec<Group>,
}

/// The bits of a mask, ascending.
#[inline]
pub(super) fn bits(mut mask: u32) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || {
        let bit = mask.trailing_zeros();
        mask &= mask.wrapping_sub(1);
        (bit < PAGE).then_some(bit)
    })
}

impl LaneView {
    pub(super) fn push(&mut self) {
        self.each.push(ViewedLane::default());
    }

    /// Takes out an entity that is in no group; the last one moves into its place.
    pub(super) fn swap_remove(&mut self, dense: usize) {
        self.each.swap_remove(dense);
    }

    #[inline]
    pub(super) fn group(&mut self, place: usize) -> &mut Group {
        if self.groups.len() <= place {
            self.groups.resize(place + 1, Group::default());
        }
        &mut self.groups[place]
    }

    /// The state of an entity.
    #[inline]
    pub(super) fn get(&self, dense: usize, slot: u32, index: &SlotIndex) -> ViewedLane {
        let group = index.place(slot / PAGE).and_then(|place| self.groups.get(place));
        match group {
            Some(group) if group.members & (1 << (slot % PAGE)) != 0 => group.state,
            _ => self.each[dense],
        }
    }

    /// The state of an entity, which is its own from here on.
    #[inline]
    pub(super) fn own(&mut self, dense: usize, slot: u32, index: &SlotIndex) -> &mut ViewedLane {
        if let Some(place) = index.place(slot / PAGE)
            && let Some(group) = self.groups.get_mut(place)
            && group.members & (1 << (slot % PAGE)) != 0
        {
            group.members &= !(1 << (slot % PAGE));
            self.each[dense] = group.state;
        }
        &mut self.each[dense]
    }

    /// Members that are not alike any more get states of their own.
    #[inline]
    pub(super) fn release(&mut self, place: usize, members: u32, index: &SlotIndex) {
        let Some(group) = self.groups.get_mut(place) else { return };
        let leaving = group.members & members;
        if leaving == 0 {
            return;
        }
        group.members &= !leaving;
        for bit in bits(leaving) {
            if let Some(dense) = index.page(place).cell(bit).dense() {
                self.each[dense] = group.state;
            }
        }
    }

    /// Lets an entity into its page's group where it is like the others, or the first.
    #[inline]
    pub(super) fn join(&mut self, dense: usize, slot: u32, place: usize) {
        let state = self.each[dense];
        if !state.may_join() {
            return;
        }
        let group = self.group(place);
        if group.members == 0 {
            group.state = state;
        }
        if group.state == state {
            group.members |= 1 << (slot % PAGE);
        }
    }
}
