//! From versions to datagrams: pick by priority within the byte budget, copy shared records.
//!
//! ```text
//! news of the tick ── fits the budget, nothing waits longer ──────────────► sections, in order of slots
//!        │ else                                                                  ▲
//!        ▼                                                                       │
//!   waiting ── by urgency, until the budget is spent ── announcements, records ──┘
//! ```

use bevy::prelude::*;
use slipstream_connection::{Connected, Endpoint, NetworkRole, Role};
use slipstream_wire::Tick;

use super::chunk::{Announcement, ChunkMemory, ChunkWriter, Outgoing};
use super::delivery::FlightKind;
use super::{Phase, ReplicationStats, View, ViewedEntity};
use crate::arena::{Arena, Body};
use crate::interest::{Audience, Interest, Surroundings};
use crate::journal::Journal;
use crate::record::Head;
use crate::registry::{Direction, LaneOptions, Registry};
use crate::requests::tell_all_announced;
use crate::slots::Slots;

/// After this many ticks without an acknowledged chunk, ticks are written whole: 16 bits name a tick within ±32,768.
const SHORT_TICK_REACH: i32 = 16_000;
/// A guess at an entry's own bits besides its records, for the budget.
const ANNOUNCEMENT_BITS: usize = 24;
const UPDATE_BITS: usize = 4;
/// What a waiting entity may need, for the guess whether all fits.
const WAITING_BITS: usize = 400;

/// What packing reads and shares over all connections in one tick.
struct Shared<'a> {
    registry: &'a Registry,
    slots: &'a Slots,
    journal: &'a mut Journal,
    arena: &'a mut Arena,
    client: bool,
    now: Tick,
    /// A bit for each lane whose records name an earlier value.
    continues_motion: u64,
}

/// Whose view it is, and what decides what it shows.
struct Viewer<'a> {
    connection: Entity,
    interest: &'a Interest,
    surroundings: &'a Surroundings,
}

/// Memory that a view uses again in each tick.
#[derive(Debug, Default)]
pub(super) struct PackScratch {
    order: Vec<(f32, u32)>,
    records: Vec<Outgoing>,
    announcements: Vec<Announcement>,
    updates: Vec<Outgoing>,
    /// Slots in sight that changed.
    seen: Vec<u32>,
    chunk: ChunkMemory,
}

/// Brings each connection's view up to date and sends what fits.
pub(crate) fn pack_connections(
    mut views: Query<(Entity, &mut View, &Interest, &mut Endpoint, &mut ReplicationStats), With<Connected>>,
    registry: Res<Registry>,
    surroundings: Res<Surroundings>,
    role: Res<NetworkRole>,
    mut journal: ResMut<Journal>,
    mut slots: ResMut<Slots>,
    mut arena: ResMut<Arena>,
) {
    arena.open(registry.lanes.len());
    let client = role.0 == Role::Client;
    let now = journal.tick;
    let reading_on = registry.lanes.iter().enumerate().filter(|(_, lane)| lane.continues_motion);
    let continues_motion = reading_on.fold(0, |mask, (index, _)| mask | 1 << index);
    let journal = &mut *journal;
    let arena = &mut *arena;
    for (connection, mut view, interest, mut endpoint, mut stats) in &mut views {
        if !client {
            let viewer = Viewer { connection, interest, surroundings: &surroundings };
            view.review(&viewer, &registry, &mut slots, journal);
        }
        let mut shared = Shared { registry: &registry, slots: &slots, journal, arena, client, now, continues_motion };
        let viewer = Viewer { connection, interest, surroundings: &surroundings };
        view.pack(&viewer, &mut endpoint, &mut shared);
        if let Some(tick) = view.finish_reset() {
            tell_all_announced(&mut endpoint, tick);
        }
        view.stats.visible = view.entities.len();
        view.stats.waiting = view.waiting.len();
        stats.set_if_neq(view.stats);
    }
    slots.reviewed.clear();
}

impl View {
    /// Takes in which entities came into sight and which left it.
    fn review(&mut self, viewer: &Viewer, registry: &Registry, slots: &mut Slots, journal: &mut Journal) {
        if core::mem::take(&mut self.fresh) {
            for slot in 0..slots.entries.len() as u32 {
                self.review_slot(slot, viewer, registry, slots, journal);
            }
            return;
        }
        for position in 0..slots.reviewed.len() {
            self.review_slot(slots.reviewed[position], viewer, registry, slots, journal);
        }
        for slot in &viewer.interest.reviewed {
            self.review_slot(*slot, viewer, registry, slots, journal);
        }
    }

    fn review_slot(
        &mut self,
        slot: u32,
        viewer: &Viewer,
        registry: &Registry,
        slots: &mut Slots,
        journal: &mut Journal,
    ) {
        if !viewer.surroundings.sees(slot, viewer.connection, viewer.interest, slots) {
            let alive = slots.get(slot).is_some_and(|entry| entry.entity.is_some());
            self.leave(slot, alive && viewer.surroundings.freezes(slot), slots, journal);
            return;
        }
        let generation = slots.entries[slot as usize].generation;
        self.enter(slot, generation, false, slots, journal.tick);
        if let Some(dense) = self.dense(slot) {
            self.review_owned_lanes(dense, slot, registry, journal);
        }
    }

    /// What a connection may receive depends on who owns the entity, which may be another now: a new owner sees more, a
    /// former one is told again what it used to tell. Lanes that are not for it are dropped when they are picked.
    fn review_owned_lanes(&mut self, dense: usize, slot: u32, registry: &Registry, journal: &Journal) {
        for (index, lane) in registry.lanes.iter().enumerate() {
            if is_for_all(&lane.options) {
                continue;
            }
            let newest = journal.history(slot, index).and_then(|history| history.newest()).map(|version| version.tick);
            let viewed = &mut self.lanes[index][dense];
            if newest.is_some() && viewed.sent() != newest {
                let lost = viewed.is_lost();
                viewed.set_pending(true, lost);
                self.queue(dense, journal.tick);
            }
        }
    }

    fn pack(&mut self, viewer: &Viewer, endpoint: &mut Endpoint, shared: &mut Shared) {
        let news: usize = shared.journal.changed.iter().map(Vec::len).sum();
        if news == 0 && self.waiting.is_empty() {
            return;
        }
        let budget_bits = endpoint.available_bytes() * 8;
        let likely_bits = news.min(self.entities.len() * self.lanes.len()) * shared.arena.likely_bits()
            + self.waiting.len() * WAITING_BITS;
        let fits = likely_bits + likely_bits / 4 < budget_bits;

        let mut scratch = core::mem::take(&mut self.scratch);
        let mut chunk = core::mem::take(&mut scratch.chunk);
        let mut flights = core::mem::take(&mut self.flights);
        let mut spare_entries = core::mem::take(&mut self.spare_entries);
        let mut next_token = self.next_token;
        let long_tick = self.acknowledged_tick.is_none_or(|tick| shared.now.since(tick) > SHORT_TICK_REACH);
        let mut writer = ChunkWriter::new(
            &mut chunk,
            endpoint,
            &mut flights,
            &mut spare_entries,
            &mut next_token,
            (self.lanes.len(), shared.continues_motion),
            (shared.now, long_tick),
        );
        let changed = core::mem::take(&mut shared.journal.changed);
        let mut seen = core::mem::take(&mut scratch.seen);
        for (lane, slots) in changed.iter().enumerate() {
            let slots = self.news_in_sight(lane, slots, &mut seen, shared.journal);
            let options = &shared.registry.lanes[lane].options;
            if fits && is_for_all(options) && options.send_every <= 1 && !shared.client {
                self.send_news(lane, slots, budget_bits, &mut writer, shared);
            } else {
                for slot in slots {
                    self.mark(*slot, lane, shared.journal);
                }
            }
        }
        shared.journal.changed = changed;
        scratch.seen = seen;
        if budget_bits > writer.bits() && !self.waiting.is_empty() {
            let left = budget_bits - writer.bits();
            self.send_waiting(viewer, left, &mut scratch, &mut writer, shared);
        }
        self.stats.bytes += writer.end();
        self.next_token = next_token;
        self.spare_entries = spare_entries;
        self.flights = flights;
        self.take_back(&chunk, shared.now);
        scratch.chunk = chunk;
        self.scratch = scratch;
    }

    /// The slots of a lane that changed, as far as this view is concerned: all of them where it sees about as many entities,
    /// else those among the entities that it sees. The cost grows with what is visible, not with what there is.
    fn news_in_sight<'a>(
        &self,
        lane: usize,
        changed: &'a [u32],
        seen: &'a mut Vec<u32>,
        journal: &Journal,
    ) -> &'a [u32] {
        if changed.len() <= 2 * self.entities.len() {
            return changed;
        }
        seen.clear();
        seen.extend(self.entities.iter().map(|entity| entity.slot).filter(|slot| journal.is_news(*slot, lane)));
        seen.sort_unstable();
        seen
    }

    /// Sends a lane's new values at once, in order of slots.
    fn send_news(
        &mut self,
        lane: usize,
        changed: &[u32],
        budget_bits: usize,
        writer: &mut ChunkWriter,
        shared: &mut Shared,
    ) {
        let (now, depth) = (shared.now, shared.journal.depth());
        let continues_motion = shared.registry.lanes[lane].continues_motion;
        let mut sent = 0;
        for slot in changed {
            let slot = *slot;
            let cell = self.index.cell(slot);
            let Some(dense) = cell.dense() else { continue };
            let viewed = &mut self.lanes[lane][dense];
            viewed.keep_baseline((slot, lane), shared.journal);
            if cell.phase != Phase::Known || writer.bits() >= budget_bits {
                viewed.set_pending(true, false);
                if cell.phase != Phase::Frozen {
                    self.queue(dense, now);
                }
                continue;
            }
            let (head, body) = encode(slot, lane, viewed.head(now, now, continues_motion, depth), shared);
            let Some(body) = body else { continue };
            viewed.note_sent(now);
            sent += 1;
            let record =
                Outgoing { slot, dense: dense as u32, lane: lane as u8, epoch: cell.epoch, value: now, head, body };
            writer.update(&record, shared.arena.words());
        }
        self.stats.records += sent;
    }

    /// Sends what waits, the most urgent first, as far as the budget goes.
    fn send_waiting(
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
            order.push((urgency(entity, self.index.cell(entity.slot).phase, shared), *dense));
        }
        // Of equally urgent ones the first slot, so that a run repeats itself.
        order.sort_unstable_by(|(a, at), (b, bt)| {
            let slot = |dense: &u32| self.entities[*dense as usize].slot;
            b.total_cmp(a).then_with(|| slot(at).cmp(&slot(bt)))
        });
        let mut spent = 0;
        for (_, dense) in order.iter() {
            let first = records.len();
            let announcement = self.pick(*dense as usize, viewer, records, shared);
            let picked = &records[first..];
            if announcement.is_none() && picked.is_empty() {
                continue;
            }
            let own = if announcement.is_some() { ANNOUNCEMENT_BITS } else { UPDATE_BITS * picked.len() };
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
        let viewed = &mut self.lanes[usize::from(record.lane)][record.dense as usize];
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
        let first = records.len();
        let mut news = cell.phase == Phase::Unannounced;
        for (index, lane) in shared.registry.lanes.iter().enumerate() {
            let newest = shared.journal.history(slot, index).and_then(|history| history.newest());
            let viewed = &mut self.lanes[index][dense];
            let Some(value) = newest.map(|version| version.tick) else {
                viewed.set_pending(false, false);
                continue;
            };
            let audible = audible & (1 << index) != 0;
            let first = spawn && !viewed.is_told();
            if !is_allowed(&lane.options, audible, relation.owned, first, shared.client) {
                viewed.set_pending(false, false);
                continue;
            }
            if !spawn {
                if viewed.is_pending() && viewed.baseline() == Some(value) {
                    viewed.set_pending(false, false);
                }
                let goes = viewed.is_pending() && (viewed.is_lost() || is_due(&lane.options, slot, shared.now));
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
                records.push(Outgoing { slot, dense: dense as u32, lane: index as u8, epoch, value, head, body });
            }
        }
        if !news {
            // A spawn that is on its way already; what changed is not for this connection.
            records.truncate(first);
        }
        (spawn && news).then(|| said(Some(generation)))
    }

    /// What the connection did not take waits again.
    fn take_back(&mut self, chunk: &ChunkMemory, now: Tick) {
        for entry in &chunk.refused {
            let Some(dense) = self.dense(entry.slot) else { continue };
            match entry.kind {
                FlightKind::Value => {
                    self.lanes[usize::from(entry.lane)][dense].set_pending(true, false);
                    self.queue(dense, now);
                }
                FlightKind::Spawn | FlightKind::Despawn => self.announce_again(dense, now),
            }
        }
    }

    /// Whether an entity stays on the waiting list after packing.
    fn still_waits(&mut self, dense: usize) -> bool {
        let waits = match self.phase(dense) {
            Phase::Unannounced => true,
            Phase::Leaving => self.entities[dense].announced_by.is_none(),
            Phase::Frozen => false,
            Phase::Announced | Phase::Known => self.lanes.iter().any(|lane| lane[dense].is_pending()),
        };
        self.entities[dense].queued = waits;
        waits
    }
}

/// The body that a head asks for, or the next best: without the earlier value, then whole.
#[inline]
fn encode(slot: u32, lane: usize, head: Head, shared: &mut Shared) -> (Head, Option<Body>) {
    match shared.arena.body(slot, lane, head, shared.journal, shared.registry) {
        Some(body) => (head, Some(body)),
        None => encode_with_less(slot, lane, head, shared),
    }
}

#[cold]
fn encode_with_less(slot: u32, lane: usize, head: Head, shared: &mut Shared) -> (Head, Option<Body>) {
    let alone = Head { earlier_age: 0, ..head };
    let whole = Head { baseline_age: 0, ..alone };
    if let Some(body) = shared.arena.body(slot, lane, alone, shared.journal, shared.registry) {
        return (alone, Some(body));
    }
    (whole, shared.arena.body(slot, lane, whole, shared.journal, shared.registry))
}

/// Whether everyone who sees an entity receives the lane, and from the server.
fn is_for_all(options: &LaneOptions) -> bool {
    options.audience == Audience::Everyone && options.direction == Direction::FromServer
}

/// Whether a lane may be sent over this connection. At `first` the owner is told a value even of what it sends itself.
fn is_allowed(options: &LaneOptions, audible: bool, owned: bool, first: bool, client: bool) -> bool {
    if client {
        return options.direction == Direction::FromOwner;
    }
    let echo = options.direction == Direction::FromOwner && owned && !first;
    !echo && audible
}

/// Whether a lane's rate lets it go in this tick; slots are spread over the ticks.
fn is_due(options: &LaneOptions, slot: u32, now: Tick) -> bool {
    options.send_every <= 1 || now.get().wrapping_add(slot).is_multiple_of(options.send_every)
}

/// Importance times the ticks waited; what is gone goes first, what is new before what changed.
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
