//! What waits: picked by urgency, until the budget is spent.

use slipstream_wire::Tick;

use super::chunk::{Announcement, ChunkMemory, ChunkWriter, Outgoing};
use super::delivery::FlightKind;
use super::group::bits;
use super::pack::{PackScratch, Shared, Viewer, encode};
use super::{Phase, View, ViewedEntity};
use crate::record::Head;
use crate::registry::{Direction, LaneOptions};

/// A guess at an entry's own bits besides its records, for the budget.
const ANNOUNCEMENT_BITS: usize = 24;
/// The same for a head.
const HEAD_BITS: usize = 6;
const UPDATE_BITS: usize = 4;
/// No entity takes fewer, but for few.
const LEAST_BITS: usize = 16;

impl View {
    /// Sends what waits, the most urgent first, as far as the budget goes.
    pub(super) fn send_waiting(
        &mut self,
        viewer: &Viewer,
        budget_bits: usize,
        scratch: &mut PackScratch,
        writer: &mut ChunkWriter,
        shared: &mut Shared,
    ) {
        let PackScratch { order, records, announcements, updates, .. } = scratch;
        order.clear();
        records.clear();
        announcements.clear();
        updates.clear();
        for dense in &self.waiting {
            let entity = &self.entities[*dense as usize];
            let weight = viewer.surroundings.weight(entity.slot, viewer.connection, viewer.interest, shared.slots);
            order.push((weight * urgency(entity, self.index.cell(entity.slot).phase, shared), *dense));
        }
        // Of equally urgent ones the first slot, so that a run repeats itself.
        let more_urgent = |(a, at): &(f32, u32), (b, bt): &(f32, u32)| {
            let slot = |dense: &u32| self.entities[*dense as usize].slot;
            b.total_cmp(a).then_with(|| slot(at).cmp(&slot(bt)))
        };
        // Of ten thousand that wait at a join only those need an order that may fit.
        let most = budget_bits / LEAST_BITS + 1;
        if order.len() > 2 * most {
            order.select_nth_unstable_by(most, more_urgent);
            order.truncate(most);
        }
        order.sort_unstable_by(more_urgent);
        let lanes = shared.registry.lanes.len();
        let mut spent = 0;
        for (_, dense) in order.iter() {
            let first = records.len();
            let announcement = self.pick(*dense as usize, viewer, records, shared);
            let picked = &records[first..];
            if announcement.is_none() && picked.is_empty() {
                continue;
            }
            let own = match announcement {
                Some(_) => ANNOUNCEMENT_BITS + lanes + HEAD_BITS * picked.len(),
                None => UPDATE_BITS * picked.len(),
            };
            let bits = own + picked.iter().map(|record| record.body.bits as usize).sum::<usize>();
            // The first always goes, whatever its size: the protocol fragments and paces it.
            if spent > 0 && spent + bits > budget_bits {
                records.truncate(first);
                break;
            }
            spent += bits;
            match announcement {
                Some(announcement) => {
                    announcements.push(Announcement { records: (first as u32, records.len() as u32), ..announcement })
                }
                None => updates.extend(records.drain(first..)),
            }
        }
        announcements.sort_unstable_by_key(|said| said.slot);
        updates.sort_unstable_by_key(|record| (record.lane, record.slot));
        for said in announcements.iter() {
            let own = &records[said.records.0 as usize..said.records.1 as usize];
            writer.announce(said, own, shared.arena.words());
            let entity = &mut self.entities[said.dense as usize];
            entity.announced_by = Some(writer.token());
            entity.waiting_since = shared.now;
            if said.generation.is_some() {
                entity.heard = true;
                self.index.set_phase(said.slot, Phase::Announced);
                self.stats.spawns += 1;
            }
            for record in own {
                self.note_sent(record);
            }
        }
        for record in updates.iter() {
            writer.update(record, shared.arena.words());
            self.entities[record.dense as usize].waiting_since = shared.now;
            self.note_sent(record);
        }
        let mut waiting = core::mem::take(&mut self.waiting);
        waiting.retain(|dense| self.still_waits(*dense as usize));
        self.waiting = waiting;
    }

    fn note_sent(&mut self, record: &Outgoing) {
        let lane = &mut self.lanes[usize::from(record.lane)];
        let viewed = lane.own(record.dense as usize, record.slot, &self.index);
        let repeated = viewed.note_sent(record.value);
        self.stats.records += 1;
        self.stats.repeated += u64::from(repeated);
    }

    /// What of an entity must go out: everything with an announcement, else the lanes with something new.
    fn pick(
        &mut self,
        dense: usize,
        viewer: &Viewer,
        records: &mut Vec<Outgoing>,
        shared: &mut Shared,
    ) -> Option<Announcement> {
        let ViewedEntity { slot, generation, announced_by, freezes, .. } = self.entities[dense];
        let cell = self.index.cell(slot);
        let epoch = cell.epoch;
        let said = |generation| Announcement { slot, dense: dense as u32, epoch, generation, freezes, records: (0, 0) };
        if cell.phase == Phase::Leaving {
            return announced_by.is_none().then(|| said(None));
        }
        if cell.phase == Phase::Frozen {
            return None;
        }
        let Viewer { connection, interest, surroundings } = *viewer;
        let relation = surroundings.relation(slot, connection, interest, shared.slots);
        let audible = shared.registry.audiences.allowed(relation);
        let spawn = matches!(cell.phase, Phase::Unannounced | Phase::Announced);
        let term = shared.client.then(|| shared.slots.get(slot).map_or(0, |entry| entry.term as u8));
        let first = records.len();
        let mut news = cell.phase == Phase::Unannounced;
        for (index, lane) in shared.registry.lanes.iter().enumerate() {
            let newest = shared.journal.newest_tick(slot, index);
            let viewed = self.lanes[index].own(dense, slot, &self.index);
            let Some(value) = newest else {
                viewed.set_pending(false, false);
                continue;
            };
            let audible = audible & (1 << index) != 0;
            let corrects = relation.owned && shared.slots.precedence.is_telling(slot, index);
            if !is_allowed(&lane.options, audible, relation.owned, corrects, shared.client) {
                // Should it be allowed again, nothing counts as sent: it may have been lost.
                viewed.withdraw();
                continue;
            }
            if !spawn {
                if viewed.is_pending() && viewed.baseline() == Some(value) {
                    viewed.set_pending(false, false);
                }
                let may_go = corrects || viewed.is_lost() || is_due(&lane.options, slot, shared.now);
                let goes = viewed.is_pending() && may_go;
                if !goes {
                    continue;
                }
            }
            news |= viewed.is_pending();
            let depth = shared.journal.depth();
            let mut head = viewed.head(value, shared.now, lane.continues_motion, depth);
            if spawn {
                head = Head { baseline_age: 0, earlier_age: 0, ..head };
            }
            let (head, body) = encode(slot, index, head, shared);
            if let Some(body) = body {
                records.push(Outgoing { slot, dense: dense as u32, lane: index as u8, value, head, body, term });
            }
        }
        if !news {
            // A spawn that is on its way already; what changed is not for this connection.
            records.truncate(first);
        }
        (spawn && news).then(|| said(Some(generation)))
    }

    /// What the connection did not take waits again.
    pub(super) fn take_back(&mut self, chunk: &ChunkMemory, now: Tick) {
        for entry in &chunk.refused {
            let members = if entry.kind == FlightKind::Run { entry.members } else { 1 };
            for slot in bits(members).map(|bit| entry.slot + bit) {
                let Some(dense) = self.dense(slot) else { continue };
                match entry.kind {
                    FlightKind::Value | FlightKind::Run => {
                        let lane = &mut self.lanes[usize::from(entry.lane)];
                        lane.own(dense, slot, &self.index).set_pending(true, false);
                        self.queue(dense, now);
                    }
                    FlightKind::Spawn | FlightKind::Despawn => self.announce_again(dense, now),
                }
            }
        }
    }

    /// Whether an entity stays on the waiting list after packing.
    fn still_waits(&mut self, dense: usize) -> bool {
        let waits = match self.phase(dense) {
            Phase::Unannounced => true,
            Phase::Leaving => self.entities[dense].announced_by.is_none(),
            Phase::Frozen => false,
            Phase::Announced | Phase::Known => {
                let slot = self.entities[dense].slot;
                self.lanes.iter().any(|lane| lane.get(dense, slot, &self.index).is_pending())
            }
        };
        self.entities[dense].queued = waits;
        waits
    }
}

/// Whether a lane may be sent over this connection. The owner is told of what it sends itself where that `corrects` it.
fn is_allowed(options: &LaneOptions, audible: bool, owned: bool, corrects: bool, client: bool) -> bool {
    if client {
        return options.direction == Direction::FromOwner;
    }
    let echo = options.direction == Direction::FromOwner && owned && !corrects;
    !echo && audible
}

/// Whether a lane's rate lets it go in this tick; slots are spread over the ticks.
fn is_due(options: &LaneOptions, slot: u32, now: Tick) -> bool {
    options.send_every <= 1 || now.get().wrapping_add(slot).is_multiple_of(options.send_every)
}

/// Importance times the ticks waited, for all connections alike; what is gone goes first, what is new before what changed.
fn urgency(entity: &ViewedEntity, phase: Phase, shared: &Shared) -> f32 {
    let importance = shared.slots.get(entity.slot).map_or(1.0, |entry| entry.importance);
    let waited = shared.now.since(entity.waiting_since).max(0) as f32 + 1.0;
    let kind = match phase {
        Phase::Leaving => 8.0,
        Phase::Unannounced => 4.0,
        Phase::Announced | Phase::Known | Phase::Frozen => 1.0,
    };
    kind * importance * waited
}
