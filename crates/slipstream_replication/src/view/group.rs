//! What one connection knows of one lane, of all entities: where neighbours are alike, once for all of them.
//!
//! Entities that change in the same ticks and whose datagrams arrive alike have the same baseline. Those of a page that do
//! are a **group**: their state is kept once, their records are copied as one run, and one acknowledgement moves all of
//! them. The group's baseline is the newest value that every member has. What differs has a state of its own, and joins when
//! it is alike again.

use slipstream_wire::Tick;

use super::index::{PAGE, SlotIndex};
use super::lane::ViewedLane;
use crate::journal::Journal;
use crate::record::age;

/// Records of neighbours may travel in datagrams of their own; so many values may be on their way in part.
const PARTLY: usize = 4;

/// Entities of a page that are alike.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    /// A bit for each slot of the page.
    pub(super) members: u32,
    pub(super) state: ViewedLane,
    /// Of values that some members have and others may not: which.
    partly: [(Tick, u32); PARTLY],
}

impl Group {
    /// Some members have a value. Whether all have it now.
    #[inline]
    fn complete(&mut self, value: Tick, having: u32) -> bool {
        if having == self.members {
            return true;
        }
        let known = self.partly.iter_mut().find(|(partly, _)| *partly == value);
        if let Some((_, known)) = known {
            *known |= having;
            return *known & self.members == self.members;
        }
        // In the place of the oldest.
        if let Some(oldest) = self.partly.iter_mut().reduce(|a, b| if b.0.is_newer_than(a.0) { a } else { b })
            && value.is_newer_than(oldest.0)
        {
            *oldest = (value, having);
        }
        false
    }
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

    /// The other side has a value of some entities of a page. Which of them are in no group, and have to be told one by one.
    #[inline]
    pub(super) fn confirm(
        &mut self,
        place: usize,
        having: u32,
        value: Tick,
        first: (u32, usize),
        journal: &mut Journal,
    ) -> u32 {
        let group = self.group(place);
        let inside = group.members & having;
        let news = inside != 0 && group.state.baseline().is_none_or(|baseline| value.is_newer_than(baseline));
        // What is so old that it may not be kept of each is of no use to the group.
        if news && age(journal.tick, value) < journal.depth() && group.complete(value, inside) {
            group.state.confirm(value, first, journal);
        }
        having & !inside
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
