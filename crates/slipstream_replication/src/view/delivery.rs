//! Acknowledgements and losses: what a datagram carried becomes a baseline, or waits again.

use bevy::prelude::*;
use slipstream_connection::{Endpoint, channels};
use slipstream_protocol::DeliveryOutcome;

use super::{Flight, FlightEntry, Phase, View, release_entry};
use crate::journal::Journal;
use crate::record::EntryKind;
use crate::slots::Slots;

/// Settles every flight that the protocol has word of.
pub(crate) fn settle_deliveries(
    mut views: Query<(&mut View, &mut Endpoint)>,
    mut journal: ResMut<Journal>,
    mut slots: ResMut<Slots>,
) {
    for (mut view, mut endpoint) in &mut views {
        for (token, outcome) in endpoint.drain_deliveries(channels::RECORDS) {
            let Some(flight) = view.take_flight(token) else { continue };
            match outcome {
                DeliveryOutcome::Acknowledged => view.acknowledge(flight, &mut journal, &mut slots),
                DeliveryOutcome::Lost | DeliveryOutcome::Expired => view.lose(flight, &mut journal, &slots),
            }
        }
    }
}

impl View {
    fn take_flight(&mut self, token: u64) -> Option<Flight> {
        let index = self.flights.binary_search_by_key(&token, |flight| flight.token).ok()?;
        self.flights.remove(index)
    }

    fn acknowledge(&mut self, flight: Flight, journal: &mut Journal, slots: &mut Slots) {
        if self.acknowledged_tick.is_none_or(|tick| flight.tick.is_newer_than(tick)) {
            self.acknowledged_tick = Some(flight.tick);
        }
        for entry in &flight.entries {
            let Some(dense) = self.entry_of(entry) else {
                release_entry(entry, slots, journal);
                continue;
            };
            match (entry.kind, entry.value) {
                (EntryKind::Spawn, None) => {
                    let entity = &mut self.entities[dense];
                    if matches!(entity.phase, Phase::Unannounced | Phase::Announced) {
                        entity.phase = Phase::Known;
                        entity.owed = false;
                        entity.announced_by = None;
                    }
                }
                (EntryKind::Despawn, _) => {
                    if self.entities[dense].phase == Phase::Leaving {
                        self.forget(dense, slots, journal);
                    }
                }
                // Should it come back into sight, it starts from nothing.
                (_, Some(_)) if self.entities[dense].phase == Phase::Leaving => release_entry(entry, slots, journal),
                (_, Some(value)) => {
                    let lane = self.lane_mut(dense, entry.lane);
                    let superseded = match lane.baseline {
                        Some(baseline) if !value.is_newer_than(baseline) => Some(value),
                        _ => lane.baseline.replace(value),
                    };
                    if let (Some(tick), Some(history)) = (superseded, journal.history_mut(entry.slot, entry.lane)) {
                        history.release(tick);
                    }
                }
                (EntryKind::Update, None) => {}
            }
        }
    }

    fn lose(&mut self, flight: Flight, journal: &mut Journal, slots: &Slots) {
        let now = journal.tick;
        for entry in &flight.entries {
            release_entry(entry, slots, journal);
            let Some(dense) = self.entry_of(entry) else { continue };
            match (entry.kind, entry.value) {
                (EntryKind::Spawn | EntryKind::Despawn, None) => {
                    let entity = &mut self.entities[dense];
                    // A newer announcement may be on its way already.
                    if entity.announced_by != Some(flight.token) {
                        continue;
                    }
                    entity.announced_by = None;
                    if entity.phase == Phase::Announced {
                        entity.phase = Phase::Unannounced;
                        self.mark_all(dense, now);
                    } else {
                        self.queue(dense, now);
                    }
                }
                (_, Some(value)) => {
                    let lane = self.lane_mut(dense, entry.lane);
                    // Only the newest value matters: an older one is superseded by what is on its way.
                    let newest = lane.sent == Some(value);
                    let stored = lane.baseline.is_some_and(|baseline| !value.is_newer_than(baseline));
                    if newest && !stored && !lane.pending {
                        lane.pending = true;
                        lane.lost = true;
                        self.queue(dense, now);
                    }
                }
                (EntryKind::Update, None) => {}
            }
        }
    }

    /// The viewed entity that a flight's entry speaks of, unless it has left or entered anew since.
    fn entry_of(&self, entry: &FlightEntry) -> Option<usize> {
        let dense = self.dense(entry.slot)?;
        let entity = &self.entities[dense];
        (entity.epoch == entry.epoch && entity.generation == entry.generation).then_some(dense)
    }
}
