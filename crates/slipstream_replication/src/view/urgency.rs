//! Which of what waits goes first.
//!
//! ```text
//! urgency = importance × weight × factor × (8 gone | 4 new | 1 changed) × ticks waited
//! ```
//!
//! It grows without bound, so that everything goes in the end. How late that may be is a rule of its own: what has
//! waited for longer than [`PriorityWeights::max_staleness`](crate::PriorityWeights::max_staleness) allows is
//! **overdue** and goes before all that is not, oldest first. Where more is overdue than the budget carries, that is
//! taking turns, and importance would count for nothing; so in one tick of four urgency alone decides.
//!
//! A group of entities is one entry: it matters as much as the member that matters most, and has waited as long as the
//! one that has waited longest.

use core::cmp::Ordering;

use super::pack::{PackScratch, Shared, Viewer};
use super::{Phase, View};
use crate::registry::LaneOptions;
use crate::slots::Slots;

/// No entity takes fewer bits, but for few.
const LEAST_BITS: usize = 16;
/// In one tick of so many urgency decides, even between what is overdue and what is not.
const URGENT_EVERY: u32 = 4;

/// An entity that waits, or a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ranked {
    /// Ticks that it has waited, where these are too many; else 0.
    overdue: i32,
    urgency: f32,
    /// Of a group, its first in sight.
    slot: u32,
    /// Meaningless for a group.
    pub(super) dense: u32,
    /// The number of the group; 0 for an entity that is in none.
    pub(super) convoy: u32,
}

impl Ranked {
    /// Of equally urgent ones the first slot, so that a run repeats itself.
    fn compare(&self, other: &Self) -> Ordering {
        let urgency = other.urgency.total_cmp(&self.urgency);
        other.overdue.cmp(&self.overdue).then(urgency).then(self.slot.cmp(&other.slot))
    }
}

/// How long and for what a member of a group waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct WaitingMember {
    convoy: u32,
    waited: i32,
    kind: f32,
}

impl Viewer<'_> {
    /// How much the entity in a slot matters to the connection, however long it has waited.
    fn worth(&self, slot: u32, slots: &Slots) -> f32 {
        let importance = slots.get(slot).map_or(1.0, |entry| entry.importance);
        let weight = self.surroundings.weight(slot, self.connection, self.interest, &self.weights, slots);
        importance * weight * self.factor(slot)
    }

    /// The connection's own factor.
    fn factor(&self, slot: u32) -> f32 {
        if self.factors.is_empty() {
            return 1.0;
        }
        let place = self.factors.binary_search_by_key(&slot, |(slot, _)| *slot);
        place.map_or(1.0, |place| self.factors[place].1)
    }
}

impl View {
    /// Lists what waits and may go, the most urgent first, and of it not much more than fits.
    pub(super) fn rank_waiting(
        &self,
        viewer: &Viewer,
        budget_bits: usize,
        oldest_first: bool,
        scratch: &mut PackScratch,
        shared: &Shared,
    ) {
        let PackScratch { order, members, .. } = scratch;
        order.clear();
        members.clear();
        let overdue = |waited: i32| if oldest_first && waited > viewer.weights.longest_wait { waited } else { 0 };
        for dense in &self.waiting {
            let entity = &self.entities[*dense as usize];
            let phase = self.index.cell(entity.slot).phase;
            if shared.rated != 0 && !self.may_go(*dense as usize, phase, shared) {
                continue;
            }
            let waited = shared.now.since(entity.waiting_since).max(0).saturating_add(1);
            let convoy = shared.slots.get(entity.slot).map_or(0, |entry| entry.convoy);
            if convoy != 0 {
                members.push(WaitingMember { convoy, waited, kind: kind(phase) });
                continue;
            }
            let urgency = viewer.worth(entity.slot, shared.slots) * kind(phase) * waited as f32;
            order.push(Ranked { overdue: overdue(waited), urgency, slot: entity.slot, dense: *dense, convoy });
        }
        members.sort_unstable_by_key(|member| member.convoy);
        for members in members.chunk_by(|a, b| a.convoy == b.convoy) {
            let convoy = members[0].convoy;
            let in_sight = shared.slots.convoys.slots(convoy).iter().filter(|slot| self.dense(**slot).is_some());
            let waited = members.iter().map(|member| member.waited).max().unwrap_or_default();
            let kind = members.iter().map(|member| member.kind).fold(0.0, f32::max);
            let worth = in_sight.clone().map(|slot| viewer.worth(*slot, shared.slots)).fold(0.0, f32::max);
            let slot = in_sight.copied().next().unwrap_or_default();
            order.push(Ranked {
                overdue: overdue(waited),
                urgency: worth * kind * waited as f32,
                slot,
                dense: 0,
                convoy,
            });
        }
        // Of ten thousand that wait at a join only those need an order that may fit.
        let most = budget_bits / LEAST_BITS + 1;
        if order.len() > 2 * most {
            order.select_nth_unstable_by(most, Ranked::compare);
            order.truncate(most);
        }
        order.sort_unstable_by(Ranked::compare);
    }

    /// Whether what is overdue goes before what is urgent in the tick that begins.
    pub(super) fn goes_oldest_first(&mut self) -> bool {
        self.rounds = self.rounds.wrapping_add(1);
        !self.rounds.is_multiple_of(URGENT_EVERY)
    }

    /// Whether anything of what waits may go.
    pub(super) fn is_something_due(&self, shared: &Shared) -> bool {
        self.waiting.iter().any(|dense| {
            let dense = *dense as usize;
            self.may_go(dense, self.phase(dense), shared)
        })
    }

    /// Whether the rates of an entity's lanes let anything of it go.
    fn may_go(&self, dense: usize, phase: Phase, shared: &Shared) -> bool {
        if phase != Phase::Known {
            return true;
        }
        let slot = self.entities[dense].slot;
        shared.registry.lanes.iter().zip(&self.lanes).any(|(lane, viewed)| {
            let viewed = viewed.get(dense, slot, &self.index);
            viewed.is_pending() && (viewed.is_lost() || viewed.is_called() || lane.options.send_every <= 1)
        })
    }

    /// Lets go what waits of lanes that are not sent in every tick and whose turn it is. Slots are spread over the
    /// ticks, but for the members of a group, which take one turn.
    pub(super) fn call_rated_lanes(&mut self, shared: &Shared) {
        let lanes = shared.registry.lanes.iter().zip(&mut self.lanes).enumerate();
        for (index, (lane, viewed)) in lanes.filter(|(_, (lane, _))| lane.options.send_every > 1) {
            for dense in &self.waiting {
                let slot = self.entities[*dense as usize].slot;
                let convoy = shared.slots.get(slot).map_or(0, |entry| entry.convoy);
                let turn = shared.slots.convoys.slots(convoy).first().copied().unwrap_or(slot);
                // An owner that has to be told better is told at once.
                let is_turn = is_turn(&lane.options, turn, shared) || shared.slots.precedence.is_telling(slot, index);
                if is_turn && viewed.get(*dense as usize, slot, &self.index).is_pending() {
                    viewed.own(*dense as usize, slot, &self.index).call();
                }
            }
        }
    }
}

/// Whether a lane's rate lets it go in this tick.
fn is_turn(options: &LaneOptions, slot: u32, shared: &Shared) -> bool {
    shared.now.get().wrapping_add(slot).is_multiple_of(options.send_every)
}

/// What is gone goes first, what is new before what changed.
fn kind(phase: Phase) -> f32 {
    match phase {
        Phase::Leaving => 8.0,
        Phase::Unannounced => 4.0,
        Phase::Announced | Phase::Known | Phase::Frozen => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(overdue: i32, urgency: f32, slot: u32) -> Ranked {
        Ranked { overdue, urgency, slot, dense: 0, convoy: 0 }
    }

    #[test]
    fn what_is_overdue_goes_first_then_what_is_urgent_then_the_first_slot() {
        let mut order = [
            ranked(0, 2.0, 4),
            ranked(0, 900.0, 3),
            ranked(100, 0.0, 6),
            ranked(0, 2.0, 1),
            ranked(120, 0.5, 5),
            ranked(100, 1.0, 7),
        ];
        order.sort_unstable_by(Ranked::compare);
        assert_eq!(order.map(|ranked| ranked.slot), [5, 7, 6, 3, 1, 4]);
    }
}
