//! From versions to datagrams: pick by priority within the byte budget, copy shared records.
//!
//! ```text
//! news of the tick ── fits the budget, nothing waits longer ──────────────► sections, in order of slots
//!        │ else                                                                  ▲
//!        ▼                                                                       │
//!   waiting ── by urgency, until the budget is spent ── announcements, records ──┘
//! ```
//!
//! Bodies of a connection that is told densely take the lower way: shared records are of no use to it, but for telling
//! how much fits.

use bevy::prelude::*;
use slipstream_connection::{Connected, Endpoint, NetworkRole, Role};
use slipstream_wire::Tick;

use super::chunk::{ChunkMemory, ChunkWriter, Outgoing};
use super::news::Leftover;
use super::pick::Picked;
use super::urgency::{Ranked, WaitingMember};
use super::{ReplicationStats, View};
use crate::arena::{Arena, Body, baseline};
use crate::compression::{Compression, Load};
use crate::dense::DenseRecord;
use crate::interest::{Audience, Interest, Surroundings};
use crate::journal::Journal;
use crate::news::News;
use crate::priority::{DefaultPriorityWeights, Priorities, PriorityWeights, Weights, resolve_factors};
use crate::record::Head;
use crate::registry::{Direction, LaneOptions, Registry};
use crate::replicated::Slot;
use crate::requests::tell_all_announced;
use crate::slots::Slots;

/// After this many ticks without an acknowledged chunk, ticks are written whole: 16 bits name a tick within ±32,768.
const SHORT_TICK_REACH: i32 = 16_000;
/// What a waiting entity may need, for the guess whether all fits.
const WAITING_BITS: usize = 400;

/// What packing reads and shares over all connections in one tick.
pub(super) struct Shared<'a> {
    pub(super) registry: &'a Registry,
    pub(super) slots: &'a Slots,
    pub(super) journal: &'a mut Journal,
    /// What changed in this tick, by lane.
    pub(super) news: &'a [News],
    /// Which seal of the journal that is.
    pub(super) seal: u64,
    pub(super) arena: &'a mut Arena,
    pub(super) client: bool,
    pub(super) now: Tick,
    /// A bit for each lane whose records name an earlier value.
    pub(super) continues_motion: u64,
    /// A bit for each lane that is not sent in every tick.
    pub(super) rated: u64,
    /// A bit for each lane whose updates this connection is told densely.
    pub(super) dense: u64,
}

impl Shared<'_> {
    #[inline]
    pub(super) fn is_dense(&self, lane: u8) -> bool {
        self.dense & (1 << lane) != 0
    }

    /// A record for a dense section. `None` where a value that its head names is not kept.
    pub(super) fn dense_record(&self, record: &Outgoing) -> Option<DenseRecord<'_>> {
        let (slot, lane, head) = (record.slot, usize::from(record.lane), record.head);
        let ordinal = self.registry.dense.iter().position(|dense| *dense == lane)? as u32;
        let (_, codec) = self.registry.dense_lane(ordinal)?;
        let journal = &*self.journal;
        let (tick, value) = journal.newest(slot, lane)?;
        let baseline = match head.baseline_age {
            0 => None,
            ticks => Some(baseline(journal, (slot, lane), tick, ticks, head.earlier_age)?),
        };
        Some(DenseRecord { codec, ordinal, lanes: self.registry.dense.len(), slot, head, value, baseline })
    }
}

/// Whose view it is, and what decides what it shows.
pub(super) struct Viewer<'a> {
    pub(super) connection: Entity,
    pub(super) interest: &'a Interest,
    pub(super) surroundings: &'a Surroundings,
    pub(super) weights: Weights,
    /// The connection's own factors by slot, ascending.
    pub(super) factors: &'a [(u32, f32)],
}

/// Memory that a view uses again in each tick.
#[derive(Debug, Default)]
pub(super) struct PackScratch {
    pub(super) order: Vec<Ranked>,
    /// What waits of groups.
    pub(super) members: Vec<WaitingMember>,
    pub(super) picked: Picked,
    /// Pages in sight.
    seen: Vec<u32>,
    leftovers: Vec<Leftover>,
    chunk: ChunkMemory,
}

/// Brings each connection's view up to date and sends what fits.
pub(crate) fn pack_connections(
    mut views: Query<
        (
            Entity,
            &mut View,
            &Interest,
            &mut Endpoint,
            &mut ReplicationStats,
            Option<&PriorityWeights>,
            Option<&mut Priorities>,
            Option<&Compression>,
        ),
        With<Connected>,
    >,
    entities: Query<Option<&Slot>>,
    registry: Res<Registry>,
    surroundings: Res<Surroundings>,
    weights: Res<DefaultPriorityWeights>,
    role: Res<NetworkRole>,
    tick_length: Res<Time<Fixed>>,
    mut journal: ResMut<Journal>,
    mut slots: ResMut<Slots>,
    mut arena: ResMut<Arena>,
    mut factors: Local<Vec<(u32, f32)>>,
) {
    arena.open(registry.lanes.len());
    let client = role.0 == Role::Client;
    let now = journal.tick;
    let reading_on = registry.lanes.iter().enumerate().filter(|(_, lane)| lane.continues_motion);
    let continues_motion = reading_on.fold(0, |mask, (index, _)| mask | 1 << index);
    let slow = registry.lanes.iter().enumerate().filter(|(_, lane)| lane.options.send_every > 1);
    let rated = slow.fold(0, |mask, (index, _)| mask | 1 << index);
    let dense_lanes = registry.dense.iter().fold(0, |mask, lane| mask | 1_u64 << *lane);
    let journal = &mut *journal;
    let arena = &mut *arena;
    let (news, seal) = (core::mem::take(&mut journal.news), journal.seals());
    for (connection, mut view, interest, mut endpoint, mut stats, own_weights, priorities, chosen) in &mut views {
        factors.clear();
        if let Some(priorities) = priorities {
            resolve_factors(priorities, &entities, &mut factors);
        }
        let weights = own_weights.unwrap_or(&weights.0).resolve(tick_length.timestep());
        let viewer = Viewer { connection, interest, surroundings: &surroundings, weights, factors: &factors };
        if !client {
            view.review(&viewer, &registry, &mut slots, journal);
        }
        let is_dense = !client && view.level.settle(chosen.copied().unwrap_or_default());
        let mut shared = Shared {
            registry: &registry,
            slots: &slots,
            journal,
            news: &news,
            seal,
            arena,
            client,
            now,
            continues_motion,
            rated,
            dense: if is_dense { dense_lanes } else { 0 },
        };
        let load = view.pack(&viewer, &mut endpoint, &mut shared);
        let budget_bytes = endpoint.stats().budget_bytes_per_second as f32 * tick_length.timestep().as_secs_f32();
        view.level.note(&load, budget_bytes);
        if let Some(tick) = view.finish_reset() {
            tell_all_announced(&mut endpoint, tick);
        }
        view.stats.visible = view.entities.len();
        view.stats.waiting = view.waiting.len();
        stats.set_if_neq(view.stats);
    }
    journal.news = news;
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
        let came = self.enter(slot, generation, false, slots, journal.tick);
        if came && slots.get(slot).is_some_and(|entry| entry.owner == Some(viewer.connection)) {
            slots.precedence.tell_anew(slot, journal);
        }
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
            let newest = journal.newest_tick(slot, index);
            let viewed = self.lanes[index].get(dense, slot, &self.index);
            if newest.is_some() && viewed.sent() != newest {
                let lost = viewed.is_lost();
                self.lanes[index].own(dense, slot, &self.index).set_pending(true, lost);
                self.queue(dense, journal.tick);
            }
        }
    }

    fn pack(&mut self, viewer: &Viewer, endpoint: &mut Endpoint, shared: &mut Shared) -> Load {
        let news: usize = shared.news.iter().map(|news| news.count).sum();
        if news == 0 && self.waiting.is_empty() {
            return Load::default();
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
        let all_news = shared.news;
        for (lane, news) in all_news.iter().enumerate().filter(|(_, news)| news.count > 0) {
            let pages = self.news_in_sight(&news.pages, &mut scratch.seen);
            let options = &shared.registry.lanes[lane].options;
            let at_once = is_for_all(options) && options.send_every <= 1 && !shared.is_dense(lane as u8);
            if fits && at_once && !shared.client {
                self.send_news(lane, pages, budget_bits, &mut scratch.leftovers, &mut writer, shared);
            } else {
                self.mark_news(lane, pages, shared);
            }
        }
        if shared.rated != 0 {
            self.call_rated_lanes(shared);
        }
        let left = budget_bits.saturating_sub(writer.bits());
        let mut is_short = false;
        if !self.waiting.is_empty() {
            let went_for_all = left > 0 && self.send_waiting(viewer, left, &mut scratch, &mut writer, shared);
            is_short = !went_for_all && (left > 0 || self.is_something_due(shared));
        }
        let sent = writer.end();
        self.stats.bytes += sent.bytes;
        self.next_token = next_token;
        self.spare_entries = spare_entries;
        self.flights = flights;
        self.take_back(&chunk, shared.now);
        scratch.chunk = chunk;
        self.scratch = scratch;
        Load {
            is_short,
            other_bits: (sent.bytes as usize * 8).saturating_sub(sent.dense_bits),
            dense_bits: sent.dense_bits,
            packed_bits: sent.packed_bits,
        }
    }
}

/// The body that a head asks for, or the next best: without the earlier value, then whole.
#[inline]
pub(super) fn encode(slot: u32, lane: usize, head: Head, shared: &mut Shared) -> (Head, Option<Body>) {
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
pub(super) fn is_for_all(options: &LaneOptions) -> bool {
    options.audience == Audience::Everyone && options.direction == Direction::FromServer
}
