//! What one connection sees, and what of it has been acknowledged.
//!
//! Dense over what is visible: entities are found through a paged index by slot, and each has one [`ViewedLane`] a lane.
//! Baseline, flight and loss are kept per lane, so that a later pose never confirms a lost health.

mod delivery;
mod index;
mod pack;

pub(crate) use self::delivery::settle_deliveries;
pub(crate) use self::pack::{Arena, pack_connections};

use std::collections::VecDeque;

use bevy::prelude::*;
use slipstream_wire::Tick;

use self::index::SlotIndex;
use crate::journal::Journal;
use crate::record::EntryKind;
use crate::slots::Slots;

/// Counters of what a connection was sent. All since it connected.
#[derive(Component, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplicationStats {
    /// Entities that the connection sees now.
    pub visible: usize,
    /// Entities with something to send that waits, for want of budget or because its rate says later.
    pub waiting: usize,
    /// Records sent: one lane's state or difference each.
    pub records: u64,
    /// Spawns sent, repeats included.
    pub spawns: u64,
    /// Records sent again because the datagram with their newest value was lost.
    pub repeated: u64,
    /// Bytes of replication handed to the connection.
    pub bytes: u64,
    /// Times that the other side asked for everything anew.
    pub resets: u64,
}

/// Where an entity stands between this world and the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not sent yet, or lost on the way.
    Unannounced,
    /// Sent, not acknowledged: its state travels whole.
    Announced,
    /// Acknowledged: differences may be sent.
    Known,
    /// Gone from here; the despawn is not acknowledged.
    Leaving,
}

#[derive(Debug, Clone)]
pub(crate) struct ViewedEntity {
    slot: u32,
    generation: u32,
    epoch: u8,
    phase: Phase,
    /// The other side may have it, under this epoch or an earlier one: a spawn that was declared lost may yet arrive.
    heard: bool,
    /// The other side lost track of it and has not acknowledged it anew.
    owed: bool,
    /// The newest spawn or despawn on its way, by the flight that carries it.
    announced_by: Option<u64>,
    /// In the list of what waits.
    queued: bool,
    waiting_since: Tick,
}

/// One lane of one viewed entity.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ViewedLane {
    /// The newest value the other side has decoded and stored. Holds one reference on its version.
    baseline: Option<Tick>,
    /// The newest value sent.
    sent: Option<Tick>,
    /// The newest value is not on its way.
    pending: bool,
    /// The pending value was sent before and lost.
    lost: bool,
    /// On a server: the entity's owner has told a value of this lane, and knows better than we do.
    told: bool,
}

/// What one datagram's worth of records carried.
#[derive(Debug)]
struct Flight {
    token: u64,
    tick: Tick,
    entries: Vec<FlightEntry>,
}

#[derive(Debug, Clone, Copy)]
struct FlightEntry {
    slot: u32,
    generation: u32,
    epoch: u8,
    kind: EntryKind,
    /// Unused by a spawn's or despawn's own entry.
    lane: usize,
    value: Option<Tick>,
}

/// A connection's side of replication.
#[derive(Component)]
pub(crate) struct View {
    entities: Vec<ViewedEntity>,
    lanes: Vec<ViewedLane>,
    lane_count: usize,
    index: SlotIndex,
    /// Dense indices of entities with something to send.
    waiting: Vec<u32>,
    flights: VecDeque<Flight>,
    next_token: u64,
    /// The newest chunk tick the other side has.
    acknowledged_tick: Option<Tick>,
    /// Not scanned yet: every slot is new to it.
    fresh: bool,
    /// The tick at which the other side was found to have lost track, until it has everything again.
    resetting: Option<Tick>,
    /// When it last asked for everything anew.
    reset_at: Option<Tick>,
    stats: ReplicationStats,
}

impl View {
    pub(crate) fn new(lane_count: usize) -> Self {
        Self {
            entities: Vec::new(),
            lanes: Vec::new(),
            lane_count,
            index: SlotIndex::default(),
            waiting: Vec::new(),
            flights: VecDeque::new(),
            next_token: 0,
            acknowledged_tick: None,
            fresh: true,
            resetting: None,
            reset_at: None,
            stats: ReplicationStats::default(),
        }
    }

    fn dense(&self, slot: u32) -> Option<usize> {
        self.index.get(slot)
    }

    fn lane(&self, dense: usize, lane: usize) -> &ViewedLane {
        &self.lanes[dense * self.lane_count + lane]
    }

    fn lane_mut(&mut self, dense: usize, lane: usize) -> &mut ViewedLane {
        &mut self.lanes[dense * self.lane_count + lane]
    }

    /// A lane of a slot has a new value.
    pub(crate) fn mark(&mut self, slot: u32, lane: usize, now: Tick) {
        if let Some(dense) = self.dense(slot) {
            let lane = self.lane_mut(dense, lane);
            lane.pending = true;
            lane.lost = false;
            self.queue(dense, now);
        }
    }

    fn queue(&mut self, dense: usize, now: Tick) {
        let entity = &mut self.entities[dense];
        if !entity.queued {
            entity.queued = true;
            entity.waiting_since = now;
            self.waiting.push(dense as u32);
        }
    }

    /// Begins to see an entity: `known` where the other side has it already, as a server has what a client owns.
    pub(crate) fn enter(&mut self, slot: u32, generation: u32, known: bool, slots: &mut Slots, now: Tick) {
        if let Some(dense) = self.dense(slot) {
            let entity = &mut self.entities[dense];
            if entity.phase == Phase::Leaving && entity.generation == generation {
                // Back before its despawn was acknowledged: a new epoch, so that neither can be mistaken for the other.
                entity.epoch = self.index.next_epoch(slot);
                entity.phase = Phase::Unannounced;
                entity.announced_by = None;
                self.mark_all(dense, now);
            }
            return;
        }
        let dense = self.entities.len();
        let epoch = self.index.next_epoch(slot);
        let phase = if known { Phase::Known } else { Phase::Unannounced };
        self.entities.push(ViewedEntity {
            slot,
            generation,
            epoch,
            phase,
            heard: known,
            owed: false,
            announced_by: None,
            queued: false,
            waiting_since: now,
        });
        self.lanes.resize(self.lanes.len() + self.lane_count, ViewedLane::default());
        self.index.set(slot, dense);
        if let Some(entry) = slots.entries.get_mut(slot as usize) {
            entry.viewers += 1;
        }
        self.mark_all(dense, now);
    }

    /// Every lane's newest value must be sent, without a baseline.
    fn mark_all(&mut self, dense: usize, now: Tick) {
        for lane in 0..self.lane_count {
            let lane = self.lane_mut(dense, lane);
            lane.pending = true;
            lane.lost = false;
        }
        self.queue(dense, now);
    }

    /// The owner of an entity told a value of a lane.
    pub(crate) fn note_told(&mut self, slot: u32, lane: usize) {
        if let Some(dense) = self.dense(slot) {
            self.lane_mut(dense, lane).told = true;
        }
    }

    /// Stops seeing an entity.
    pub(crate) fn leave(&mut self, slot: u32, slots: &mut Slots, journal: &mut Journal, now: Tick) {
        let Some(dense) = self.dense(slot) else { return };
        match self.entities[dense].phase {
            Phase::Leaving => {}
            _ if !self.entities[dense].heard => self.forget(dense, slots, journal),
            _ => {
                self.release_baselines(dense, journal);
                for lane in 0..self.lane_count {
                    self.lane_mut(dense, lane).told = false;
                }
                let entity = &mut self.entities[dense];
                entity.phase = Phase::Leaving;
                entity.announced_by = None;
                self.queue(dense, now);
            }
        }
    }

    /// Gives up an owned entity of a client's own view, which has nobody to tell.
    pub(crate) fn drop_entity(&mut self, slot: u32, slots: &mut Slots, journal: &mut Journal) {
        if let Some(dense) = self.dense(slot) {
            self.forget(dense, slots, journal);
        }
    }

    fn release_baselines(&mut self, dense: usize, journal: &mut Journal) {
        let slot = self.entities[dense].slot;
        for lane in 0..self.lane_count {
            if let Some(tick) = self.lane_mut(dense, lane).baseline.take()
                && let Some(history) = journal.history_mut(slot, lane)
            {
                history.release(tick);
            }
            self.lane_mut(dense, lane).sent = None;
        }
    }

    /// Takes the entity out of the dense arrays; the last one moves into its place.
    fn forget(&mut self, dense: usize, slots: &mut Slots, journal: &mut Journal) {
        self.release_baselines(dense, journal);
        let slot = self.entities[dense].slot;
        let last = self.entities.len() - 1;
        if let Some(position) = self.waiting.iter().position(|waiting| *waiting as usize == dense) {
            self.waiting.swap_remove(position);
        }
        if dense != last {
            if let Some(moved) = self.waiting.iter_mut().find(|waiting| **waiting as usize == last) {
                *moved = dense as u32;
            }
            let count = self.lane_count;
            self.lanes.copy_within(last * count..(last + 1) * count, dense * count);
            self.index.set(self.entities[last].slot, dense);
        }
        self.lanes.truncate(last * self.lane_count);
        self.index.clear(slot);
        self.entities.swap_remove(dense);
        slots.release(slot, journal);
    }

    /// The other side lost track: everything is announced again, under new epochs.
    pub(crate) fn reset(&mut self, slots: &mut Slots, journal: &mut Journal, now: Tick) {
        self.stats.resets += 1;
        self.release_flights(slots, journal);
        // Nor need it know the ticks that it acknowledged.
        self.acknowledged_tick = None;
        self.resetting = Some(now);
        self.reset_at = Some(now);
        for dense in 0..self.entities.len() {
            self.release_baselines(dense, journal);
            let entity = &mut self.entities[dense];
            entity.epoch = self.index.next_epoch(entity.slot);
            entity.announced_by = None;
            if entity.phase == Phase::Leaving {
                self.queue(dense, now);
            } else {
                entity.phase = Phase::Unannounced;
                entity.owed = true;
                self.mark_all(dense, now);
            }
        }
    }

    /// The tick up to which nothing counts any more, once everything that the other side lost track of has arrived anew.
    fn finish_reset(&mut self) -> Option<Tick> {
        self.resetting?;
        let owed = |entity: &ViewedEntity| entity.owed && entity.phase != Phase::Leaving;
        if self.entities.iter().any(owed) { None } else { self.resetting.take() }
    }

    /// Whether the other side asked for everything so lately that asking again is no use to it.
    pub(crate) fn was_reset_within(&self, ticks: i32, now: Tick) -> bool {
        self.reset_at.is_some_and(|at| now.since(at) < ticks)
    }

    /// The same for a client's own view, where entities need no announcement.
    pub(crate) fn reset_known(&mut self, slots: &mut Slots, journal: &mut Journal, now: Tick) {
        self.reset(slots, journal, now);
        self.resetting = None;
        for entity in &mut self.entities {
            entity.phase = Phase::Known;
            entity.owed = false;
        }
    }

    fn release_flights(&mut self, slots: &Slots, journal: &mut Journal) {
        for flight in core::mem::take(&mut self.flights) {
            for entry in flight.entries {
                release_entry(&entry, slots, journal);
            }
        }
    }

    /// The connection is gone: nothing here is referred to any more.
    pub(crate) fn close(&mut self, slots: &mut Slots, journal: &mut Journal) {
        self.release_flights(slots, journal);
        for dense in (0..self.entities.len()).rev() {
            self.forget(dense, slots, journal);
        }
    }
}

/// Drops the reference that a flight held on a version, unless the slot belongs to another entity by now.
fn release_entry(entry: &FlightEntry, slots: &Slots, journal: &mut Journal) {
    if slots.get(entry.slot).is_none_or(|slot| slot.generation != entry.generation) {
        return;
    }
    if let Some(tick) = entry.value
        && let Some(history) = journal.history_mut(entry.slot, entry.lane)
    {
        history.release(tick);
    }
}
