//! From versions to datagrams: pick by priority within the byte budget, copy shared records.

use bevy::prelude::*;
use slipstream_connection::{Connected, Endpoint, NetworkRole, Role, channels};
use slipstream_wire::{BitWriter, Tick};

use super::{Flight, FlightEntry, Phase, ReplicationStats, View, ViewedEntity};
use crate::journal::Journal;
use crate::record::{EPOCH_BITS, EntryKind, GAP_K, GENERATION_K, write_record, write_tick};
use crate::registry::{Audience, Direction, LaneOptions, Registry};
use crate::requests::tell_all_announced;
use crate::slots::{SlotEntry, Slots};

/// After this many ticks without an acknowledged chunk, ticks are written whole: 16 bits name a tick within ±32,768.
const SHORT_TICK_REACH: i32 = 16_000;
/// A guess at an entry's own bits besides its records, for the budget.
const ENTRY_BITS: usize = 16;

/// This tick's encoded records, shared by all connections.
#[derive(Resource, Default)]
pub(crate) struct Arena(BitWriter);

/// What packing reads and shares over all connections in one tick.
struct Shared<'a> {
    registry: &'a Registry,
    slots: &'a Slots,
    journal: &'a mut Journal,
    arena: &'a mut BitWriter,
    client: bool,
    now: Tick,
}

/// One entity that goes out in this tick, with the versions of its lanes.
struct Pick {
    dense: usize,
    slot: u32,
    kind: EntryKind,
    /// (lane, value, first bit in the arena, bits)
    records: Vec<(usize, Tick, usize, usize)>,
}

/// Brings each connection's view up to date and sends what fits.
pub(crate) fn pack_connections(
    mut views: Query<(Entity, &mut View, &mut Endpoint, &mut ReplicationStats), With<Connected>>,
    registry: Res<Registry>,
    role: Res<NetworkRole>,
    mut journal: ResMut<Journal>,
    mut slots: ResMut<Slots>,
    mut arena: ResMut<Arena>,
) {
    arena.0.clear();
    let client = role.0 == Role::Client;
    let now = journal.tick;
    for (connection, mut view, mut endpoint, mut stats) in &mut views {
        if !client {
            view.review(connection, &registry, &mut slots, &mut journal, now);
        }
        let mut shared =
            Shared { registry: &registry, slots: &slots, journal: &mut journal, arena: &mut arena.0, client, now };
        view.pack(connection, &mut endpoint, &mut shared);
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
    fn review(&mut self, connection: Entity, registry: &Registry, slots: &mut Slots, journal: &mut Journal, now: Tick) {
        let fresh = core::mem::take(&mut self.fresh);
        let count = if fresh { slots.entries.len() } else { slots.reviewed.len() };
        for position in 0..count {
            let slot = if fresh { position as u32 } else { slots.reviewed[position] };
            if !slots.sees(slot, connection) {
                self.leave(slot, slots, journal, now);
                continue;
            }
            let generation = slots.entries[slot as usize].generation;
            self.enter(slot, generation, false, slots, now);
            if let Some(dense) = self.dense(slot) {
                self.review_owned_lanes(dense, slot, registry, journal, now);
            }
        }
    }

    /// What a connection may receive depends on who owns the entity, which may be another now: a new owner sees more, a
    /// former one is told again what it used to tell. Lanes that are not for it are dropped when they are picked.
    fn review_owned_lanes(&mut self, dense: usize, slot: u32, registry: &Registry, journal: &Journal, now: Tick) {
        for (index, lane) in registry.lanes.iter().enumerate() {
            if lane.options.audience == Audience::Everyone && lane.options.direction == Direction::FromServer {
                continue;
            }
            let newest = journal.history(slot, index).and_then(|history| history.newest()).map(|version| version.tick);
            let lane = self.lane_mut(dense, index);
            if newest.is_some() && lane.sent != newest {
                lane.pending = true;
                self.queue(dense, now);
            }
        }
    }

    fn pack(&mut self, connection: Entity, endpoint: &mut Endpoint, shared: &mut Shared) {
        if self.waiting.is_empty() {
            return;
        }
        let budget_bits = endpoint.available_bytes() * 8;
        if budget_bits == 0 {
            return;
        }
        let mut order = core::mem::take(&mut self.waiting);
        order.sort_by(|a, b| {
            let (a, b) = (&self.entities[*a as usize], &self.entities[*b as usize]);
            urgency(b, shared).total_cmp(&urgency(a, shared)).then(a.slot.cmp(&b.slot))
        });
        let mut picks = Vec::new();
        let mut spent = 0;
        for dense in &order {
            let pick = self.pick(*dense as usize, connection, shared);
            let bits = ENTRY_BITS + pick.records.iter().map(|(.., bits)| bits).sum::<usize>();
            // The first always goes, whatever its size: the protocol fragments and paces it.
            if spent > 0 && spent + bits > budget_bits {
                break;
            }
            if pick.kind != EntryKind::Update || !pick.records.is_empty() {
                spent += bits;
                picks.push(pick);
            }
        }
        picks.sort_by_key(|pick| pick.slot);
        self.send(&picks, endpoint, shared);
        order.retain(|dense| self.still_waits(*dense as usize));
        self.waiting = order;
    }

    /// What of an entity must go out: everything with an announcement, else the lanes with something new.
    fn pick(&mut self, dense: usize, connection: Entity, shared: &mut Shared) -> Pick {
        let ViewedEntity { slot, phase, announced_by, .. } = self.entities[dense];
        let mut pick = Pick { dense, slot, kind: EntryKind::Update, records: Vec::new() };
        let owner = shared.slots.get(slot).and_then(|entry: &SlotEntry| entry.owner);
        let spawn = matches!(phase, Phase::Unannounced | Phase::Announced);
        if phase == Phase::Leaving {
            pick.kind = if announced_by.is_none() { EntryKind::Despawn } else { EntryKind::Update };
            return pick;
        }
        if spawn {
            pick.kind = EntryKind::Spawn;
        }
        let mut news = phase == Phase::Unannounced;
        for (index, lane) in shared.registry.lanes.iter().enumerate() {
            let newest = shared.journal.history(slot, index).and_then(|history| history.newest());
            let viewed = self.lane_mut(dense, index);
            let Some(newest) = newest.map(|version| version.tick) else {
                viewed.pending = false;
                continue;
            };
            if !allowed(&lane.options, owner == Some(connection), spawn && !viewed.told, shared.client) {
                viewed.pending = false;
                continue;
            }
            if !spawn {
                if viewed.pending && viewed.baseline == Some(newest) {
                    viewed.pending = false;
                }
                if !viewed.pending || !(viewed.lost || due(&lane.options, slot, shared.now)) {
                    continue;
                }
            }
            news |= viewed.pending;
            let baseline = if spawn { None } else { viewed.baseline };
            if let Some((start, bits)) = encode(slot, index, baseline, shared) {
                pick.records.push((index, newest, start, bits));
            }
        }
        if !news {
            // A spawn that is on its way already; what changed is not for this connection.
            pick.kind = EntryKind::Update;
            pick.records.clear();
        }
        pick
    }

    /// Writes the picks into as few datagrams as they need and hands them to the connection.
    fn send(&mut self, picks: &[Pick], endpoint: &mut Endpoint, shared: &mut Shared) {
        let limit = (endpoint.max_unfragmented_bytes() * 8).saturating_sub(1);
        let long = self.acknowledged_tick.is_none_or(|tick| shared.now.since(tick) > SHORT_TICK_REACH);
        let mut writer = BitWriter::new();
        let mut chunk: &[Pick] = &[];
        let mut begin = 0;
        let mut next_slot = 0;
        for (position, pick) in picks.iter().enumerate() {
            if chunk.is_empty() {
                write_tick(shared.now, long, &mut writer);
                next_slot = 0;
                begin = position;
            }
            let before = writer.bit_len();
            self.write_entry(pick, next_slot, shared, &mut writer);
            if writer.bit_len() > limit && !chunk.is_empty() {
                writer.truncate(before);
                self.send_chunk(chunk, &mut writer, endpoint, shared);
                write_tick(shared.now, long, &mut writer);
                begin = position;
                self.write_entry(pick, 0, shared, &mut writer);
            }
            chunk = &picks[begin..=position];
            next_slot = pick.slot + 1;
        }
        if !chunk.is_empty() {
            self.send_chunk(chunk, &mut writer, endpoint, shared);
        }
    }

    fn write_entry(&self, pick: &Pick, next_slot: u32, shared: &Shared, writer: &mut BitWriter) {
        let entity = &self.entities[pick.dense];
        writer.write_bool(true);
        writer.write_exp_golomb(u64::from(pick.slot - next_slot), GAP_K);
        pick.kind.write(writer);
        match pick.kind {
            EntryKind::Despawn => return,
            EntryKind::Spawn => {
                writer.write_exp_golomb(u64::from(entity.generation), GENERATION_K);
                writer.write_bits(u64::from(entity.epoch), EPOCH_BITS);
            }
            EntryKind::Update => {}
        }
        let mut records = pick.records.iter().peekable();
        for lane in 0..self.lane_count {
            let record = records.next_if(|(index, ..)| *index == lane);
            writer.write_bool(record.is_some());
            if let Some((_, _, start, bits)) = record {
                writer.copy_bits(shared.arena.words(), *start, *bits);
            }
        }
    }

    fn send_chunk(&mut self, picks: &[Pick], writer: &mut BitWriter, endpoint: &mut Endpoint, shared: &mut Shared) {
        writer.write_bool(false);
        let bytes = writer.to_bytes();
        writer.clear();
        let token = self.next_token;
        // What the connection refuses now, for want of room, waits for the next tick.
        if endpoint.send(channels::RECORDS, &bytes, Some(token)).is_err() {
            return;
        }
        self.next_token += 1;
        self.stats.bytes += bytes.len() as u64;
        let mut entries = Vec::new();
        for pick in picks {
            let entity = &mut self.entities[pick.dense];
            let (generation, epoch) = (entity.generation, entity.epoch);
            let entry = FlightEntry { slot: pick.slot, generation, epoch, kind: pick.kind, lane: 0, value: None };
            if pick.kind != EntryKind::Update {
                entity.announced_by = Some(token);
                entries.push(entry);
            }
            if pick.kind == EntryKind::Spawn {
                entity.phase = Phase::Announced;
                entity.heard = true;
                self.stats.spawns += 1;
            }
            for (lane, value, ..) in &pick.records {
                if let Some(history) = shared.journal.history_mut(pick.slot, *lane) {
                    history.retain(*value);
                }
                entries.push(FlightEntry { lane: *lane, value: Some(*value), ..entry });
                let viewed = self.lane_mut(pick.dense, *lane);
                let repeated = core::mem::take(&mut viewed.lost);
                viewed.sent = Some(*value);
                viewed.pending = false;
                self.stats.records += 1;
                self.stats.repeated += u64::from(repeated);
            }
            self.entities[pick.dense].waiting_since = shared.now;
        }
        self.flights.push_back(Flight { token, tick: shared.now, entries });
    }

    /// Whether an entity stays on the waiting list after packing.
    fn still_waits(&mut self, dense: usize) -> bool {
        let entity = &self.entities[dense];
        let waits = match entity.phase {
            Phase::Unannounced => true,
            Phase::Leaving => entity.announced_by.is_none(),
            Phase::Announced | Phase::Known => (0..self.lane_count).any(|lane| self.lane(dense, lane).pending),
        };
        self.entities[dense].queued = waits;
        waits
    }
}

/// Whether a lane may be sent over this connection. At `first` the owner is told a value even of what it sends itself.
fn allowed(options: &LaneOptions, owned: bool, first: bool, client: bool) -> bool {
    if client {
        return options.direction == Direction::FromOwner;
    }
    let echo = options.direction == Direction::FromOwner && owned && !first;
    !echo && (options.audience == Audience::Everyone || owned)
}

/// Whether a lane's rate lets it go in this tick; slots are spread over the ticks.
fn due(options: &LaneOptions, slot: u32, now: Tick) -> bool {
    options.send_every <= 1 || now.get().wrapping_add(slot).is_multiple_of(options.send_every)
}

/// Importance times the ticks waited; what is gone goes first, what is new before what changed.
fn urgency(entity: &ViewedEntity, shared: &Shared) -> f32 {
    let importance = shared.slots.get(entity.slot).map_or(1.0, |entry| entry.importance);
    let waited = shared.now.since(entity.waiting_since).max(0) as f32 + 1.0;
    let kind = match entity.phase {
        Phase::Leaving => 8.0,
        Phase::Unannounced => 4.0,
        Phase::Announced | Phase::Known => 1.0,
    };
    kind * importance * waited
}

/// The record in the arena, encoded now if no connection asked for it before in this tick.
fn encode(slot: u32, lane: usize, baseline: Option<Tick>, shared: &mut Shared) -> Option<(usize, usize)> {
    let history = shared.journal.history_mut(slot, lane)?;
    if let Some(record) = history.encoded(shared.now, baseline) {
        return Some(record);
    }
    let start = shared.arena.bit_len();
    let old = baseline.and_then(|tick| history.at(tick));
    let definition = shared.registry.lanes.get(lane)?;
    write_record(shared.registry, definition, history.newest()?, old, shared.now, shared.arena);
    let bits = shared.arena.bit_len() - start;
    history.note_encoded(shared.now, baseline, start, bits);
    Some((start, bits))
}
