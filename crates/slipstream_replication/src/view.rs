//! What one connection sees, and what of it has been acknowledged.
//!
//! Dense over what is visible: entities are found through a paged index by slot, and each has one [`ViewedLane`] a lane.
//! Baseline, flight and loss are kept per lane, so that a later pose never confirms a lost health.

mod chunk;
mod convoy;
mod delivery;
mod group;
mod index;
mod lane;
mod news;
mod pack;
mod pick;
mod urgency;
mod waiting;

pub(crate) use self::delivery::settle_deliveries;
pub(crate) use self::index::PAGE;
pub(crate) use self::pack::pack_connections;

use std::collections::VecDeque;

use bevy::prelude::*;
use slipstream_wire::Tick;

use self::delivery::{Flight, FlightEntry};
use self::group::LaneView;
use self::index::SlotIndex;
use self::pack::PackScratch;
use crate::compression::Level;
use crate::interest::Interest;
use crate::journal::Journal;
use crate::slots::Slots;

/// Counters of what a connection was sent, and of what it said. All since it connected.
#[derive(Component, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplicationStats {
    /// Entities that the connection sees now.
    pub visible: usize,
    /// Entities with something to send that waits, for want of budget or because its rate says later.
    pub waiting: usize,
    /// Records sent: one lane's state or difference each.
    pub records: u64,
    /// Of these, records of rigid bodies that were coded densely: see [`Compression`](crate::Compression).
    pub dense_records: u64,
    /// Spawns sent, repeats included.
    pub spawns: u64,
    /// Records sent again because the datagram with their newest value was lost.
    pub repeated: u64,
    /// Bytes of replication handed to the connection.
    pub bytes: u64,
    /// Times that the other side asked for everything anew.
    pub resets: u64,
    /// What the connection said as an owner, and a validator refused: see
    /// [`Registration::validate`](crate::Registration::validate).
    pub refused: u64,
    /// What it said as an owner, and a validator corrected.
    pub corrected: u64,
}

/// Where an entity stands between this world and the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// Not sent yet, or lost on the way.
    #[default]
    Unannounced,
    /// Sent, not acknowledged: its state travels whole.
    Announced,
    /// Acknowledged: differences may be sent.
    Known,
    /// Gone from here, or out of sight; the other side has not acknowledged that.
    Leaving,
    /// Out of sight, and the other side keeps it as it was.
    Frozen,
}

#[derive(Debug, Clone)]
pub(crate) struct ViewedEntity {
    slot: u32,
    generation: u32,
    /// The newest spawn on its way, or the first despawn, by the flight that carries it.
    announced_by: Option<u64>,
    /// Since when the other side lacks what waits, or the last time that something was sent.
    waiting_since: Tick,
    /// When it was last picked from what waits, and since when that had waited.
    served: Tick,
    served_since: Tick,
    /// The other side may have it, under this epoch or an earlier one: a spawn that was declared lost may yet arrive.
    heard: bool,
    /// The other side lost track of it and has not acknowledged it anew.
    owed: bool,
    /// Where it leaves, the other side keeps it as it is.
    freezes: bool,
    /// In the list of what waits.
    queued: bool,
}

impl ViewedEntity {
    /// It is sent: what is still to come waits from now on.
    fn note_served(&mut self, now: Tick) {
        if self.served != now {
            self.served = now;
            self.served_since = if self.queued { self.waiting_since } else { now };
        }
        self.waiting_since = now;
    }

    /// Since when the other side lacks what was sent at a tick and lost.
    fn lacking_since(&self, sent: Tick) -> Tick {
        if self.served == sent { self.served_since } else { sent }
    }
}

/// A connection's side of replication.
#[derive(Component)]
#[require(Interest)]
pub(crate) struct View {
    entities: Vec<ViewedEntity>,
    lanes: Vec<LaneView>,
    index: SlotIndex,
    /// Dense indices of entities with something to send.
    waiting: Vec<u32>,
    /// Counts the ticks in which some of it was picked.
    rounds: u32,
    flights: VecDeque<Flight>,
    /// Memory of settled flights, to be used again.
    spare_entries: Vec<Vec<FlightEntry>>,
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
    /// How densely it is told.
    level: Level,
    scratch: PackScratch,
}

impl View {
    pub(crate) fn new(lane_count: usize) -> Self {
        Self {
            entities: Vec::new(),
            lanes: (0..lane_count).map(|_| LaneView::default()).collect(),
            index: SlotIndex::default(),
            waiting: Vec::new(),
            rounds: 0,
            flights: VecDeque::new(),
            spare_entries: Vec::new(),
            next_token: 0,
            acknowledged_tick: None,
            fresh: true,
            resetting: None,
            reset_at: None,
            stats: ReplicationStats::default(),
            level: Level::default(),
            scratch: PackScratch::default(),
        }
    }

    fn dense(&self, slot: u32) -> Option<usize> {
        self.index.get(slot)
    }

    fn phase(&self, dense: usize) -> Phase {
        self.index.cell(self.entities[dense].slot).phase
    }

    /// A lane of a slot has a new value, which is not sent at once.
    fn mark(&mut self, slot: u32, lane: usize, journal: &mut Journal) {
        if let Some(dense) = self.dense(slot) {
            let viewed = self.lanes[lane].own(dense, slot, &self.index);
            viewed.keep_baseline((slot, lane), journal);
            viewed.set_pending(true, false);
            if self.phase(dense) != Phase::Frozen {
                self.queue(dense, journal.tick);
            }
        }
    }

    /// Something of an entity waits, which the other side has been lacking since a tick.
    fn queue(&mut self, dense: usize, since: Tick) {
        let entity = &mut self.entities[dense];
        if !entity.queued {
            entity.queued = true;
            entity.waiting_since = since;
            self.waiting.push(dense as u32);
        } else if entity.waiting_since.is_newer_than(since) {
            entity.waiting_since = since;
        }
    }

    /// Begins to see an entity: `known` where the other side has it already, as a server has what a client owns.
    /// Whether it came into sight.
    pub(crate) fn enter(&mut self, slot: u32, generation: u32, known: bool, slots: &mut Slots, now: Tick) -> bool {
        if let Some(dense) = self.dense(slot) {
            let gone = matches!(self.phase(dense), Phase::Leaving | Phase::Frozen);
            let entity = &mut self.entities[dense];
            let returns = gone && entity.generation == generation;
            if returns {
                // Back, perhaps before its despawn was acknowledged: a new epoch, so that neither can be mistaken for the
                // other.
                entity.announced_by = None;
                self.index.raise_epoch(slot, now);
                self.index.set_phase(slot, Phase::Unannounced);
                self.mark_all(dense, now);
            }
            return returns;
        }
        let dense = self.entities.len();
        self.entities.push(ViewedEntity {
            slot,
            generation,
            announced_by: None,
            waiting_since: now,
            served: now - 1,
            served_since: now - 1,
            heard: known,
            owed: false,
            freezes: false,
            queued: false,
        });
        for lane in &mut self.lanes {
            lane.push();
        }
        self.index.raise_epoch(slot, now);
        self.index.set(slot, dense);
        self.index.set_phase(slot, if known { Phase::Known } else { Phase::Unannounced });
        if let Some(entry) = slots.entries.get_mut(slot as usize) {
            entry.viewers += 1;
        }
        self.mark_all(dense, now);
        true
    }

    /// Every lane's newest value must be sent, and the other side has been lacking them since a tick.
    fn mark_all(&mut self, dense: usize, since: Tick) {
        let slot = self.entities[dense].slot;
        for lane in &mut self.lanes {
            lane.own(dense, slot, &self.index).set_pending(true, false);
        }
        self.queue(dense, since);
    }

    /// The slots that are viewed.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> {
        self.entities.iter().map(|entity| entity.slot)
    }

    /// Under which epoch a slot is viewed.
    pub(crate) fn epoch(&self, slot: u32) -> Option<u8> {
        self.dense(slot).map(|_| self.index.cell(slot).epoch)
    }

    /// A validator refused what the connection said.
    pub(crate) fn count_refusal(&mut self) {
        self.stats.refused += 1;
    }

    /// A validator corrected what the connection said.
    pub(crate) fn count_correction(&mut self) {
        self.stats.corrected += 1;
    }

    /// Stops seeing an entity, which the other side despawns, or keeps as it is where it `freezes`.
    pub(crate) fn leave(&mut self, slot: u32, freezes: bool, slots: &mut Slots, journal: &mut Journal) {
        let Some(dense) = self.dense(slot) else { return };
        match self.phase(dense) {
            Phase::Leaving | Phase::Frozen if freezes || !self.entities[dense].freezes => {}
            _ if !self.entities[dense].heard => self.forget(dense, slots, journal),
            _ => {
                self.forget_baselines(dense, journal);
                self.index.set_phase(slot, Phase::Leaving);
                self.entities[dense].announced_by = None;
                self.entities[dense].freezes = freezes;
                self.queue(dense, journal.tick);
            }
        }
    }

    /// Gives up an owned entity of a client's own view, which has nobody to tell.
    pub(crate) fn drop_entity(&mut self, slot: u32, slots: &mut Slots, journal: &mut Journal) {
        if let Some(dense) = self.dense(slot) {
            self.forget(dense, slots, journal);
        }
    }

    fn forget_baselines(&mut self, dense: usize, journal: &mut Journal) {
        let slot = self.entities[dense].slot;
        for (lane, viewed) in self.lanes.iter_mut().enumerate() {
            viewed.own(dense, slot, &self.index).forget_baseline((slot, lane), journal);
        }
    }

    /// Takes the entity out of the dense arrays; the last one moves into its place.
    fn forget(&mut self, dense: usize, slots: &mut Slots, journal: &mut Journal) {
        self.forget_baselines(dense, journal);
        let slot = self.entities[dense].slot;
        let last = self.entities.len() - 1;
        if self.entities[dense].queued
            && let Some(position) = self.waiting.iter().position(|waiting| *waiting as usize == dense)
        {
            self.waiting.swap_remove(position);
        }
        if dense != last {
            if self.entities[last].queued
                && let Some(moved) = self.waiting.iter_mut().find(|waiting| **waiting as usize == last)
            {
                *moved = dense as u32;
            }
            self.index.set(self.entities[last].slot, dense);
        }
        self.index.clear(slot);
        self.entities.swap_remove(dense);
        for lane in &mut self.lanes {
            lane.swap_remove(dense);
        }
        slots.release(slot, journal);
    }

    /// The other side lost track: everything is announced again, under new epochs.
    pub(crate) fn reset(&mut self, journal: &mut Journal) {
        let now = journal.tick;
        self.stats.resets += 1;
        self.flights.clear();
        // Nor need it know the ticks that it acknowledged.
        self.acknowledged_tick = None;
        self.resetting = Some(now);
        self.reset_at = Some(now);
        for dense in 0..self.entities.len() {
            self.forget_baselines(dense, journal);
            let slot = self.entities[dense].slot;
            self.index.raise_epoch(slot, now);
            self.entities[dense].announced_by = None;
            if matches!(self.phase(dense), Phase::Leaving | Phase::Frozen) {
                // What it keeps frozen is told anew too: it drops what is not.
                self.entities[dense].owed = self.entities[dense].freezes;
                self.index.set_phase(slot, Phase::Leaving);
                self.queue(dense, now);
            } else {
                self.index.set_phase(slot, Phase::Unannounced);
                self.entities[dense].owed = true;
                self.mark_all(dense, now);
            }
        }
    }

    /// The tick up to which nothing counts any more, once everything that the other side lost track of has arrived anew.
    fn finish_reset(&mut self) -> Option<Tick> {
        self.resetting?;
        let leaves = |entity: &ViewedEntity| self.index.cell(entity.slot).phase == Phase::Leaving && !entity.freezes;
        let owed = |entity: &ViewedEntity| entity.owed && !leaves(entity);
        if self.entities.iter().any(owed) { None } else { self.resetting.take() }
    }

    /// Whether the other side asked for everything so lately that asking again is no use to it.
    pub(crate) fn was_reset_within(&self, ticks: i32, now: Tick) -> bool {
        self.reset_at.is_some_and(|at| now.since(at) < ticks)
    }

    /// The same for a client's own view, where entities need no announcement.
    pub(crate) fn reset_known(&mut self, journal: &mut Journal) {
        self.reset(journal);
        self.resetting = None;
        for entity in &mut self.entities {
            self.index.set_phase(entity.slot, Phase::Known);
            entity.owed = false;
        }
    }

    /// The connection is gone: nothing here is referred to any more.
    pub(crate) fn close(&mut self, slots: &mut Slots, journal: &mut Journal) {
        self.flights.clear();
        for dense in (0..self.entities.len()).rev() {
            self.forget(dense, slots, journal);
        }
    }
}
