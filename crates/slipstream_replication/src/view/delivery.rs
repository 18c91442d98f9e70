//! Acknowledgements and losses: what a datagram carried becomes a baseline, or waits again.

use bevy::prelude::*;
use slipstream_connection::{Endpoint, channels};
use slipstream_protocol::DeliveryOutcome;
use slipstream_wire::Tick;

use super::group::bits;
use super::index::PAGE;
use super::{Phase, View};
use crate::journal::Journal;
use crate::record::age;
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
                DeliveryOutcome::Lost | DeliveryOutcome::Expired => view.lose(&flight, &journal),
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
            if entry.kind == FlightKind::Run {
                self.confirm_run(entry, flight.tick, journal);
                continue;
            }
            let cell = self.index.cell(entry.slot);
            let Some(dense) = cell.dense_since(flight.tick) else { continue };
            match entry.kind {
                // Should a leaving entity come back into sight, it starts from nothing.
                FlightKind::Value if matches!(cell.phase, Phase::Leaving | Phase::Frozen) => {}
                FlightKind::Value => {
                    let lane = usize::from(entry.lane);
                    let viewed = self.lanes[lane].own(dense, entry.slot, &self.index);
                    viewed.confirm(entry.value, (entry.slot, lane), journal);
                    if cell.phase == Phase::Known
                        && let Some(place) = self.index.place(entry.slot / PAGE)
                    {
                        self.lanes[lane].join(dense, entry.slot, place);
                    }
                }
                FlightKind::Spawn if matches!(cell.phase, Phase::Unannounced | Phase::Announced) => {
                    self.index.set_phase(entry.slot, Phase::Known);
                    let entity = &mut self.entities[dense];
                    entity.owed = false;
                    entity.announced_by = None;
                }
                FlightKind::Despawn if cell.phase == Phase::Leaving && self.entities[dense].freezes => {
                    self.index.set_phase(entry.slot, Phase::Frozen);
                    self.entities[dense].announced_by = None;
                }
                // What was said last counts: it may have frozen before it was despawned.
                FlightKind::Despawn
                    if cell.phase == Phase::Leaving && self.entities[dense].announced_by == Some(flight.token) =>
                {
                    self.forget(dense, slots, journal);
                }
                FlightKind::Spawn | FlightKind::Despawn | FlightKind::Run => {}
            }
        }
    }

    /// The other side has a run of values: its members move together, as far as they are still alike.
    fn confirm_run(&mut self, entry: &FlightEntry, sent: Tick, journal: &mut Journal) {
        let lane = usize::from(entry.lane);
        let Some(place) = self.index.place(entry.slot / PAGE) else { return };
        let viewed = &mut self.lanes[lane];
        let members = viewed.group(place).members;
        let (inside, outside) = (members & entry.members, members & !entry.members);
        let is_kept = age(journal.tick, entry.value) < journal.depth();
        let same_epochs = !self.index.page(place).since.is_newer_than(sent);
        let mut alone = entry.members;
        if inside.count_ones() > outside.count_ones() && is_kept && same_epochs {
            viewed.release(place, outside, &self.index);
            viewed.group(place).state.confirm(entry.value, (entry.slot, lane), journal);
            alone &= !inside;
        } else {
            viewed.release(place, inside, &self.index);
        }
        for bit in bits(alone) {
            let (slot, cell) = (entry.slot + bit, self.index.page(place).cell(bit));
            let Some(dense) = cell.dense_since(sent) else { continue };
            if matches!(cell.phase, Phase::Leaving | Phase::Frozen) {
                continue;
            }
            viewed.own(dense, slot, &self.index).confirm(entry.value, (slot, lane), journal);
            if cell.phase == Phase::Known {
                viewed.join(dense, slot, place);
            }
        }
    }

    fn lose(&mut self, flight: &Flight, journal: &Journal) {
        for entry in &flight.entries {
            if entry.kind == FlightKind::Run {
                self.lose_run(entry, flight.tick, journal);
                continue;
            }
            let cell = self.index.cell(entry.slot);
            let Some(dense) = cell.dense_since(flight.tick) else { continue };
            if entry.kind == FlightKind::Value {
                self.lose_value(dense, entry.slot, entry, journal);
                continue;
            }
            // A newer announcement may be on its way already.
            if self.entities[dense].announced_by == Some(flight.token) {
                self.announce_again(dense, journal.tick);
            }
        }
    }

    fn lose_run(&mut self, entry: &FlightEntry, sent: Tick, journal: &Journal) {
        let Some(place) = self.index.place(entry.slot / PAGE) else { return };
        let group = *self.lanes[usize::from(entry.lane)].group(place);
        // The usual case: newer values of the whole group are on their way.
        let superseded = if group.state.sent() == Some(entry.value) { 0 } else { group.members };
        for bit in bits(entry.members & !superseded) {
            if let Some(dense) = self.index.page(place).cell(bit).dense_since(sent) {
                self.lose_value(dense, entry.slot + bit, entry, journal);
            }
        }
    }

    /// A value of an entity did not arrive. Only the newest matters: an older one is superseded by what is on its way.
    fn lose_value(&mut self, dense: usize, slot: u32, entry: &FlightEntry, journal: &Journal) {
        let lane = &mut self.lanes[usize::from(entry.lane)];
        let viewed = lane.get(dense, slot, &self.index);
        let newest = viewed.sent() == Some(entry.value);
        let stored = viewed.baseline().is_some_and(|baseline| !entry.value.is_newer_than(baseline));
        if newest && !stored && !viewed.is_pending() {
            lane.own(dense, slot, &self.index).set_pending(true, true);
            self.queue(dense, journal.tick);
        }
    }

    /// An announcement did not arrive, or was not let out.
    pub(super) fn announce_again(&mut self, dense: usize, now: Tick) {
        let slot = self.entities[dense].slot;
        self.entities[dense].announced_by = None;
        if self.index.cell(slot).phase == Phase::Announced {
            self.index.set_phase(slot, Phase::Unannounced);
            self.mark_all(dense, now);
        } else {
            self.queue(dense, now);
        }
    }
}
