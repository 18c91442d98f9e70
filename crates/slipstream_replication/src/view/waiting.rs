//! What waits: picked by urgency, until the budget is spent, then written in the order that takes the fewest bits,
//! dense records last.

use slipstream_wire::Tick;

use super::chunk::{Announcement, ChunkMemory, ChunkWriter, Outgoing};
use super::delivery::FlightKind;
use super::group::bits;
use super::pack::{PackScratch, Shared, Viewer};
use super::pick::Budget;
use super::{Phase, View};
use crate::journal::Journal;

impl View {
    /// Sends what waits, the most urgent first, as far as the budget goes. Whether it went for all that is due.
    pub(super) fn send_waiting(
        &mut self,
        viewer: &Viewer,
        budget_bits: usize,
        scratch: &mut PackScratch,
        writer: &mut ChunkWriter,
        shared: &mut Shared,
    ) -> bool {
        let oldest_first = self.goes_oldest_first();
        self.rank_waiting(viewer, budget_bits, oldest_first, scratch, shared);
        let PackScratch { order, picked, .. } = scratch;
        picked.clear();
        let mut budget = Budget::new(budget_bits);
        let mut went_for_all = true;
        for ranked in order.iter() {
            let has_room = match ranked.convoy {
                0 => self.pick_entity(ranked.dense as usize, viewer, &mut budget, picked, shared),
                convoy => self.pick_convoy(convoy, viewer, writer.room(), &mut budget, picked, shared),
            };
            if !has_room {
                went_for_all = false;
                break;
            }
        }
        picked.announcements.sort_unstable_by_key(|said| said.slot);
        // A dense section takes the rest of its chunk.
        picked.updates.sort_unstable_by_key(|record| (shared.is_dense(record.lane), record.lane, record.slot));
        for said in &picked.announcements {
            self.announce(said, &picked.records, writer, shared);
        }
        self.write_convoys(picked, writer, shared);
        for record in &picked.updates {
            if shared.is_dense(record.lane) {
                self.update_densely(record, writer, shared);
            } else {
                self.update(record, writer, shared);
            }
        }
        let mut waiting = core::mem::take(&mut self.waiting);
        waiting.retain(|dense| self.still_waits(*dense as usize, shared.journal));
        self.waiting = waiting;
        went_for_all
    }

    /// Writes an announcement with its own of these records.
    pub(super) fn announce(
        &mut self,
        said: &Announcement,
        records: &[Outgoing],
        writer: &mut ChunkWriter,
        shared: &Shared,
    ) {
        let own = &records[said.records.0 as usize..said.records.1 as usize];
        writer.announce(said, own, shared.arena.words());
        let entity = &mut self.entities[said.dense as usize];
        // Whichever copy of a despawn arrives will do, so the first is remembered.
        if said.generation.is_some() || entity.announced_by.is_none() {
            entity.announced_by = Some(writer.token());
        }
        entity.note_served(shared.now);
        if said.generation.is_some() {
            entity.heard = true;
            self.index.set_phase(said.slot, Phase::Announced);
            self.stats.spawns += 1;
        }
        for record in own {
            self.note_sent(record);
        }
    }

    /// Writes the record of an entity that the other side knows.
    pub(super) fn update(&mut self, record: &Outgoing, writer: &mut ChunkWriter, shared: &Shared) {
        writer.update(record, shared.arena.words());
        self.entities[record.dense as usize].note_served(shared.now);
        self.note_sent(record);
    }

    /// Writes it into the dense section.
    fn update_densely(&mut self, record: &Outgoing, writer: &mut ChunkWriter, shared: &Shared) {
        let Some(said) = shared.dense_record(record) else { return self.update(record, writer, shared) };
        writer.update_densely(record, &said);
        self.stats.dense_records += 1;
        self.entities[record.dense as usize].note_served(shared.now);
        self.note_sent(record);
    }

    fn note_sent(&mut self, record: &Outgoing) {
        let lane = &mut self.lanes[usize::from(record.lane)];
        let viewed = lane.own(record.dense as usize, record.slot, &self.index);
        let repeated = viewed.note_sent(record.value);
        self.stats.records += 1;
        self.stats.repeated += u64::from(repeated);
    }

    /// What the connection did not take waits again, as it has waited.
    pub(super) fn take_back(&mut self, chunk: &ChunkMemory, now: Tick) {
        for entry in &chunk.refused {
            let members = if entry.kind == FlightKind::Run { entry.members } else { 1 };
            for slot in bits(members).map(|bit| entry.slot + bit) {
                let Some(dense) = self.dense(slot) else { continue };
                let since = self.entities[dense].lacking_since(now);
                match entry.kind {
                    FlightKind::Value | FlightKind::Run => {
                        let lane = &mut self.lanes[usize::from(entry.lane)];
                        lane.own(dense, slot, &self.index).set_pending(true, false);
                        self.queue(dense, since);
                    }
                    FlightKind::Spawn | FlightKind::Despawn => self.announce_again(dense, since),
                }
            }
        }
    }

    /// Whether an entity stays on the waiting list after packing. What it waits with stays a difference: its baselines are
    /// kept.
    fn still_waits(&mut self, dense: usize, journal: &mut Journal) -> bool {
        let waits = match self.phase(dense) {
            Phase::Unannounced => true,
            Phase::Leaving => self.entities[dense].announced_by.is_none(),
            Phase::Frozen => false,
            Phase::Announced | Phase::Known => {
                let slot = self.entities[dense].slot;
                let mut waits = false;
                for (index, lane) in self.lanes.iter_mut().enumerate() {
                    let viewed = lane.get(dense, slot, &self.index);
                    waits |= viewed.is_pending();
                    if viewed.is_pending() && viewed.must_pin(journal) {
                        lane.own(dense, slot, &self.index).keep_baseline((slot, index), journal);
                    }
                }
                waits
            }
        };
        self.entities[dense].queued = waits;
        waits
    }
}
