//! Acknowledgements and losses: what a datagram carried becomes a baseline, or waits again.

use bevy::prelude::*;
use slipstream_connection::{Endpoint, channels};
use slipstream_protocol::DeliveryOutcome;
use slipstream_wire::Tick;

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
    pub(super) slot: u32,
    /// Unused by an announcement's own entry.
    pub(super) value: Tick,
    pub(super) epoch: u8,
    pub(super) lane: u8,
    pub(super) kind: FlightKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FlightKind {
    Spawn,
    Despawn,
    /// A lane's value.
    Value,
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
            let cell = self.index.cell(entry.slot);
            let Some(dense) = cell.dense().filter(|_| cell.epoch == entry.epoch) else { continue };
            match entry.kind {
                // Should a leaving entity come back into sight, it starts from nothing.
                FlightKind::Value if matches!(cell.phase, Phase::Leaving | Phase::Frozen) => {}
                FlightKind::Value => {
                    let lane = usize::from(entry.lane);
                    self.lanes[lane][dense].confirm(entry.value, (entry.slot, lane), journal);
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
                FlightKind::Spawn | FlightKind::Despawn => {}
            }
        }
    }

    fn lose(&mut self, flight: &Flight, journal: &Journal) {
        for entry in &flight.entries {
            let cell = self.index.cell(entry.slot);
            let Some(dense) = cell.dense().filter(|_| cell.epoch == entry.epoch) else { continue };
            if entry.kind == FlightKind::Value {
                let lane = &mut self.lanes[usize::from(entry.lane)][dense];
                // Only the newest value matters: an older one is superseded by what is on its way.
                let newest = lane.sent() == Some(entry.value);
                let stored = lane.baseline().is_some_and(|baseline| !entry.value.is_newer_than(baseline));
                if newest && !stored && !lane.is_pending() {
                    lane.set_pending(true, true);
                    self.queue(dense, journal.tick);
                }
                continue;
            }
            // A newer announcement may be on its way already.
            if self.entities[dense].announced_by == Some(flight.token) {
                self.announce_again(dense, journal.tick);
            }
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
