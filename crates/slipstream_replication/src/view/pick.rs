//! What of an entity goes out: everything with an announcement, else the lanes with something new.

use slipstream_wire::Tick;

use super::chunk::{Announcement, Outgoing};
use super::convoy::PickedConvoys;
use super::pack::{Shared, Viewer, encode};
use super::{Phase, View};
use crate::record::Head;
use crate::registry::{Direction, LaneOptions};

/// A guess at an entry's own bits besides its records, for the budget.
const ANNOUNCEMENT_BITS: usize = 24;
/// The same for a head.
const HEAD_BITS: usize = 6;
const UPDATE_BITS: usize = 4;

/// What was picked in a tick, to be written in an order of its own.
#[derive(Debug, Default)]
pub(super) struct Picked {
    /// The records of all announcements.
    pub(super) records: Vec<Outgoing>,
    pub(super) announcements: Vec<Announcement>,
    pub(super) updates: Vec<Outgoing>,
    pub(super) convoys: PickedConvoys,
}

impl Picked {
    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.announcements.clear();
        self.updates.clear();
        self.convoys.clear();
    }
}

/// The bits that may be spent in a tick.
#[derive(Debug)]
pub(super) struct Budget {
    bits: usize,
    spent: usize,
}

impl Budget {
    pub(super) fn new(bits: usize) -> Self {
        Self { bits, spent: 0 }
    }

    /// Whether so many may be spent, which they are then. The first always may, however many they are: the protocol
    /// fragments and paces them.
    pub(super) fn spend(&mut self, bits: usize) -> bool {
        let may = self.spent == 0 || self.spent + bits <= self.bits;
        if may {
            self.spent += bits;
        }
        may
    }
}

/// What a connection is to be told of an entity that it sees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// A bit for each lane that it may hear.
    audible: u64,
    owned: bool,
    /// It is told the entity whole, for it is not known to have it.
    pub(super) spawns: bool,
    /// Where the connection is told by the entity's owner.
    term: Option<u8>,
}

impl View {
    pub(super) fn standing(&self, slot: u32, viewer: &Viewer, shared: &Shared) -> Standing {
        let Viewer { connection, interest, surroundings, .. } = *viewer;
        let relation = surroundings.relation(slot, connection, interest, shared.slots);
        Standing {
            audible: shared.registry.audiences.allowed(relation),
            owned: relation.owned,
            spawns: matches!(self.index.cell(slot).phase, Phase::Unannounced | Phase::Announced),
            term: shared.client.then(|| shared.slots.get(slot).map_or(0, |entry| entry.term as u8)),
        }
    }

    /// The newest value of a lane, where the connection is to have it. Where it is not, nothing of the lane waits any
    /// more.
    #[inline]
    pub(super) fn wanted(
        &mut self,
        (dense, slot): (usize, u32),
        lane: usize,
        standing: &Standing,
        shared: &Shared,
    ) -> Option<Tick> {
        let newest = shared.journal.newest_tick(slot, lane);
        let viewed = self.lanes[lane].own(dense, slot, &self.index);
        let Some(value) = newest else {
            viewed.set_pending(false, false);
            return None;
        };
        let audible = standing.audible & (1 << lane) != 0;
        let corrects = standing.owned && shared.slots.precedence.is_telling(slot, lane);
        if !is_allowed(&shared.registry.lanes[lane].options, audible, standing.owned, corrects, shared.client) {
            // Should it be allowed again, nothing counts as sent: it may have been lost.
            viewed.withdraw();
            return None;
        }
        if !standing.spawns && viewed.is_pending() && viewed.baseline() == Some(value) {
            viewed.set_pending(false, false);
        }
        Some(value)
    }

    /// A value of a lane as it goes out to this connection.
    pub(super) fn outgoing(
        &self,
        (dense, slot): (usize, u32),
        lane: usize,
        value: Tick,
        standing: &Standing,
        shared: &mut Shared,
    ) -> Option<Outgoing> {
        let viewed = self.lanes[lane].get(dense, slot, &self.index);
        let continues_motion = shared.registry.lanes[lane].continues_motion;
        let mut head = viewed.head(value, shared.now, continues_motion, shared.journal.depth());
        if standing.spawns {
            head = Head { baseline_age: 0, earlier_age: 0, ..head };
        }
        let (head, body) = encode(slot, lane, head, shared);
        let term = standing.term;
        body.map(|body| Outgoing { slot, dense: dense as u32, lane: lane as u8, value, head, body, term })
    }

    /// The announcement of an entity, or that it is gone.
    pub(super) fn announcement(&self, dense: usize, is_gone: bool) -> Announcement {
        let entity = &self.entities[dense];
        Announcement {
            slot: entity.slot,
            dense: dense as u32,
            epoch: self.index.cell(entity.slot).epoch,
            generation: (!is_gone).then_some(entity.generation),
            freezes: entity.freezes,
            records: (0, 0),
        }
    }

    /// Picks what is new of an entity, if it fits the budget; whether there may be room for more.
    pub(super) fn pick_entity(
        &mut self,
        dense: usize,
        viewer: &Viewer,
        budget: &mut Budget,
        picked: &mut Picked,
        shared: &mut Shared,
    ) -> bool {
        let first = picked.records.len();
        let announcement = self.pick_news(dense, viewer, &mut picked.records, shared);
        let records = &picked.records[first..];
        if announcement.is_none() && records.is_empty() {
            return true;
        }
        let own = match announcement {
            Some(_) => ANNOUNCEMENT_BITS + shared.registry.lanes.len() + HEAD_BITS * records.len(),
            None => UPDATE_BITS * records.len(),
        };
        let is_update = announcement.is_none();
        let body_bits = |record: &Outgoing| match record.body.bits as usize {
            bits if is_update && shared.is_dense(record.lane) => self.level.estimate(bits),
            bits => bits,
        };
        let bits = own + records.iter().map(body_bits).sum::<usize>();
        if !budget.spend(bits) {
            picked.records.truncate(first);
            return false;
        }
        match announcement {
            Some(announcement) => {
                let records = (first as u32, picked.records.len() as u32);
                picked.announcements.push(Announcement { records, ..announcement });
            }
            None => picked.updates.extend(picked.records.drain(first..)),
        }
        true
    }

    /// What of an entity must go out: its announcement, if it needs one, and the records.
    fn pick_news(
        &mut self,
        dense: usize,
        viewer: &Viewer,
        records: &mut Vec<Outgoing>,
        shared: &mut Shared,
    ) -> Option<Announcement> {
        let slot = self.entities[dense].slot;
        let phase = self.index.cell(slot).phase;
        match phase {
            Phase::Leaving => {
                let is_said = self.entities[dense].announced_by.is_some();
                return (!is_said).then(|| self.announcement(dense, true));
            }
            Phase::Frozen => return None,
            Phase::Unannounced | Phase::Announced | Phase::Known => {}
        }
        let standing = self.standing(slot, viewer, shared);
        let first = records.len();
        let mut news = phase == Phase::Unannounced;
        for (lane, options) in shared.registry.lanes.iter().map(|lane| &lane.options).enumerate() {
            let Some(value) = self.wanted((dense, slot), lane, &standing, shared) else { continue };
            let viewed = self.lanes[lane].get(dense, slot, &self.index);
            let goes = viewed.is_pending() && (viewed.is_lost() || viewed.is_called() || options.send_every <= 1);
            if !standing.spawns && !goes {
                continue;
            }
            news |= viewed.is_pending();
            records.extend(self.outgoing((dense, slot), lane, value, &standing, shared));
        }
        if !news {
            // A spawn that is on its way already; what changed is not for this connection.
            records.truncate(first);
        }
        (standing.spawns && news).then(|| self.announcement(dense, false))
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
