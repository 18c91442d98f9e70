//! Acknowledgements and losses: what a datagram carried becomes a baseline, or waits again.

use bevy::prelude::*;
use slipstream_connection::{Endpoint, channels};
use slipstream_protocol::DeliveryOutcome;
use slipstream_wire::Tick;

use super::group::bits;
use super::index::PAGE;
use super::{Phase, View};
use crate::journal::Journal;
use crate::slots::Slots;

/// What one chunk carried.
#[derive(Debug, Default)]
pub(super) struct Flight {
    pub(super) token: u64,
    pub(super) tick: Tick,
    pub(super) entries: Vec<FlightEntry>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct FlightEntry {
    /// Of a run, its page's first.
    pub(super) slot: u32,
    /// Unused by an announcement's own entry.
    pub(super) value: Tick,
    /// Of a run, which slots of the page.
    pub(super) members: u32,
    pub(super) lane: u8,
    pub(super) kind: FlightKind,
}

impl FlightEntry {
    /// Of values: whose they are, a bit for each slot of the page.
    #[inline]
    pub(super) fn mask(&self) -> u32 {
        match self.kind {
            FlightKind::Run => self.members,
            _ => 1 << (self.slot % PAGE),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FlightKind {
    Spawn,
    Despawn,
    /// A lane's value.
    Value,
    /// The values of one lane of several entities of a page.
    Run,
}

/// Settles every flight that the protocol has word of.
pub(crate) fn settle_deliveries(
    mut views: Query<(&mut View, &mut Endpoint)>,
    mut journal: ResMut<Journal>,
    mut slots: ResMut<Slots>,
) {
    for (mut view, mut endpoint) in &mut views {
        let view = &mut *view;
        for (token, outcome) in endpoint.drain_deliveries(channels::RECORDS) {
            let Some(mut flight) = view.take_flight(token) else { continue };
            match outcome {
                DeliveryOutcome::Acknowledged => view.acknowledge(&flight, &mut journal, &mut slots),
                DeliveryOutcome::Lost | DeliveryOutcome::Expired => view.lose(&flight),
            }
            flight.entries.clear();
            view.spare_entries.push(flight.entries);
        }
    }
}

impl View {
    fn take_flight(&mut self, token: u64) -> Option<Flight> {
        let index = self.flights.binary_search_by_key(&token, |flight| flight.token).ok()?;
        self.flights.remove(index)
    }

    fn acknowledge(&mut self, flight: &Flight, journal: &mut Journal, slots: &mut Slots) {
        if self.acknowledged_tick.is_none_or(|tick| flight.tick.is_newer_than(tick)) {
            self.acknowledged_tick = Some(flight.tick);
        }
        for entry in &flight.entries {
            if matches!(entry.kind, FlightKind::Value | FlightKind::Run) {
                self.confirm(entry, flight.tick, slots, journal);
                continue;
            }
            let cell = self.index.cell(entry.slot);
            let Some(dense) = cell.dense_since(flight.tick) else { continue };
            match entry.kind {
                FlightKind::Spawn if matches!(cell.phase, Phase::Unannounced | Phase::Announced) => {
                    self.index.set_phase(entry.slot, Phase::Known);
                    let entity = &mut self.entities[dense];
                    entity.owed = false;
                    entity.announced_by = None;
                }
                FlightKind::Despawn if cell.phase == Phase::Leaving && self.entities[dense].freezes => {
                    self.index.set_phase(entry.slot, Phase::Frozen);
                    let entity = &mut self.entities[dense];
                    entity.owed = false;
                    entity.announced_by = None;
                }
                // What was said last counts: it may have frozen before it was despawned. In a group it is said again
                // and again.
                FlightKind::Despawn
                    if cell.phase == Phase::Leaving
                        && self.entities[dense].announced_by.is_some_and(|first| first <= flight.token) =>
                {
                    self.forget(dense, slots, journal);
                }
                _ => {}
            }
        }
    }

    /// The other side has values of one lane of one or several entities of a page.
    fn confirm(&mut self, entry: &FlightEntry, sent: Tick, slots: &Slots, journal: &mut Journal) {
        let (lane, first) = (usize::from(entry.lane), entry.slot - entry.slot % PAGE);
        let Some(place) = self.index.place(first / PAGE) else { return };
        let page = self.index.page(place);
        let mut having = entry.mask();
        if self.index.since(place).is_newer_than(sent) {
            // What came into sight again since then has not got it.
            let has = |bit: &u32| page.cell(*bit).dense_since(sent).is_some();
            having = bits(having).filter(has).fold(0, |mask, bit| mask | 1 << bit);
        }
        let viewed = &mut self.lanes[lane];
        let alone = viewed.confirm(place, having, entry.value, (first, lane), journal);
        if alone == 0 {
            return;
        }
        let apart = slots.convoys.mask(first / PAGE);
        for bit in bits(alone) {
            let (slot, cell) = (first + bit, page.cell(bit));
            let Some(dense) = cell.dense() else { continue };
            // Should a leaving entity come back into sight, it starts from nothing.
            if matches!(cell.phase, Phase::Leaving | Phase::Frozen) {
                continue;
            }
            viewed.own(dense, slot, &self.index).confirm(entry.value, (slot, lane), journal);
            // What is picked with others in any case has nothing to gain from neighbours.
            if cell.phase == Phase::Known && apart & (1 << bit) == 0 {
                viewed.join(dense, slot, place);
            }
        }
    }

    fn lose(&mut self, flight: &Flight) {
        for entry in &flight.entries {
            if entry.kind == FlightKind::Run {
                self.lose_run(entry, flight.tick);
                continue;
            }
            let cell = self.index.cell(entry.slot);
            let Some(dense) = cell.dense_since(flight.tick) else { continue };
            if entry.kind == FlightKind::Value {
                self.lose_value(dense, entry.slot, entry, flight.tick);
                continue;
            }
            // A newer announcement may be on its way already.
            if self.entities[dense].announced_by == Some(flight.token) {
                self.announce_again(dense, self.entities[dense].lacking_since(flight.tick));
            }
        }
    }

    fn lose_run(&mut self, entry: &FlightEntry, sent: Tick) {
        let Some(place) = self.index.place(entry.slot / PAGE) else { return };
        let group = *self.lanes[usize::from(entry.lane)].group(place);
        // The usual case: newer values of the whole group are on their way.
        let superseded = if group.state.sent() == Some(entry.value) { 0 } else { group.members };
        for bit in bits(entry.members & !superseded) {
            if let Some(dense) = self.index.page(place).cell(bit).dense_since(sent) {
                self.lose_value(dense, entry.slot + bit, entry, sent);
            }
        }
    }

    /// A value of an entity did not arrive. Only the newest matters: an older one is superseded by what is on its way.
    fn lose_value(&mut self, dense: usize, slot: u32, entry: &FlightEntry, sent: Tick) {
        let lane = &mut self.lanes[usize::from(entry.lane)];
        let viewed = lane.get(dense, slot, &self.index);
        let newest = viewed.sent() == Some(entry.value);
        let stored = viewed.baseline().is_some_and(|baseline| !entry.value.is_newer_than(baseline));
        if newest && !stored {
            if !viewed.is_pending() {
                lane.own(dense, slot, &self.index).set_pending(true, true);
            }
            self.queue(dense, self.entities[dense].lacking_since(sent));
        }
    }

    /// An announcement did not arrive, or was not let out. The other side lacks it since then.
    pub(super) fn announce_again(&mut self, dense: usize, since: Tick) {
        let slot = self.entities[dense].slot;
        self.entities[dense].announced_by = None;
        if self.index.cell(slot).phase == Phase::Announced {
            self.index.set_phase(slot, Phase::Unannounced);
            self.mark_all(dense, since);
        } else {
            self.queue(dense, since);
        }
    }
}
