//! Groups of entities that a client never sees apart: picked as one, and never cut.
//!
//! The rule is that a chunk which tells anything of a group tells everything that the other side is not known to have
//! of it: the newest value of every lane of every member in sight that was not acknowledged, whether it has been sent
//! before or not, and who came and who went likewise. So whoever has such a chunk has the whole group as it was at the
//! chunk's tick, whatever became of the chunks before it; and those, coming late, change nothing.
//!
//! Several groups share a chunk where they fit, sorted by lane like everything else; a group that fits no datagram
//! alone is a chunk that the protocol fragments.

use bevy::prelude::*;
use slipstream_wire::exp_golomb_bits;

use super::chunk::{Announcement, CHUNK_HEAD, ChunkWriter, Outgoing};
use super::pack::{Shared, Viewer};
use super::pick::{Budget, Picked};
use super::{Phase, View};
use crate::record::{ANNOUNCED_GAP_K, COUNT_BITS, EPOCH_BITS, GAP_K, GENERATION_K, lane_bits};

/// A group may take so many datagrams at once. All of them must arrive, and at the least budget they take more than a
/// second.
const MOST_DATAGRAMS: usize = 4;

/// The groups that were picked, one after the other.
#[derive(Debug, Default)]
pub(super) struct PickedConvoys {
    convoys: Vec<PickedConvoy>,
    /// Of one group ascending by slot; their records are with those of all announcements.
    announcements: Vec<Announcement>,
    /// Of one group ascending by lane and slot.
    updates: Vec<Outgoing>,
    /// Members of a group that is sent in parts: since how many ticks each waits, and its dense index.
    apart: Vec<(i32, u32)>,
}

/// What goes out of one group, or of several that share a chunk.
#[derive(Debug, Clone, Copy)]
struct PickedConvoy {
    /// Where its announcements and its updates end.
    announcements: usize,
    updates: usize,
    /// Bits of all but the beginnings of sections, at most.
    bits: usize,
    /// A bit for each lane that has a section.
    lanes: u64,
}

impl PickedConvoy {
    /// Both in one chunk, `next` being the one after this.
    fn with(self, next: Self) -> Self {
        Self { bits: self.bits + next.bits, lanes: self.lanes | next.lanes, ..next }
    }

    /// Bits of the chunk, at most, where there are so many lanes in all.
    fn chunk_bits(self, lanes: usize) -> usize {
        let section = 1 + lane_bits(lanes) as usize + COUNT_BITS as usize;
        CHUNK_HEAD + self.bits + self.lanes.count_ones() as usize * section
    }
}

impl PickedConvoys {
    pub(super) fn clear(&mut self) {
        self.convoys.clear();
        self.announcements.clear();
        self.updates.clear();
    }
}

impl View {
    /// Picks a group, if it fits the budget; whether there may be room for more. `room` is a datagram's, in bits.
    pub(super) fn pick_convoy(
        &mut self,
        convoy: u32,
        viewer: &Viewer,
        room: usize,
        budget: &mut Budget,
        picked: &mut Picked,
        shared: &mut Shared,
    ) -> bool {
        let members = shared.slots.convoys.slots(convoy);
        if !self.is_convoy_due(members, viewer, shared) {
            return true;
        }
        let records = picked.records.len();
        let (announcements, updates) = (picked.convoys.announcements.len(), picked.convoys.updates.len());
        for slot in members {
            if let Some(dense) = self.dense(*slot) {
                self.pick_unacknowledged(dense, viewer, picked, shared);
            }
        }
        picked.convoys.updates[updates..].sort_unstable_by_key(|record| (record.lane, record.slot));
        let whole = measure(picked, announcements, updates, shared);
        let bits = whole.chunk_bits(shared.registry.lanes.len());
        let fits = bits <= MOST_DATAGRAMS * room;
        if fits && budget.spend(whole.bits) {
            picked.convoys.convoys.push(whole);
            return true;
        }
        picked.records.truncate(records);
        picked.convoys.announcements.truncate(announcements);
        picked.convoys.updates.truncate(updates);
        if fits {
            return false;
        }
        warn_once!(
            "a group of {} entities takes {} bytes at once and at most {} are possible, so it is sent in parts and may \
             be seen in parts: put `Together` only on what is joined, and large components on entities outside of it",
            members.len(),
            bits / 8,
            MOST_DATAGRAMS * room / 8
        );
        self.pick_apart(members, viewer, budget, picked, shared)
    }

    /// Picks the members of a group that is too large one by one, the one that has waited longest first.
    fn pick_apart(
        &mut self,
        members: &[u32],
        viewer: &Viewer,
        budget: &mut Budget,
        picked: &mut Picked,
        shared: &mut Shared,
    ) -> bool {
        let mut apart = core::mem::take(&mut picked.convoys.apart);
        apart.clear();
        for dense in members.iter().filter_map(|slot| self.dense(*slot)) {
            let entity = &self.entities[dense];
            if entity.queued {
                apart.push((shared.now.since(entity.waiting_since), dense as u32));
            }
        }
        apart.sort_unstable_by(|a, b| b.cmp(a));
        let has_room = apart.iter().all(|(_, dense)| self.pick_entity(*dense as usize, viewer, budget, picked, shared));
        picked.convoys.apart = apart;
        has_room
    }

    /// Whether something of a group must go and may. What is not for the connection waits no longer.
    fn is_convoy_due(&mut self, members: &[u32], viewer: &Viewer, shared: &Shared) -> bool {
        let mut is_due = false;
        for slot in members {
            if let Some(dense) = self.dense(*slot) {
                is_due |= self.is_member_due(dense, viewer, shared);
            }
        }
        is_due
    }

    fn is_member_due(&mut self, dense: usize, viewer: &Viewer, shared: &Shared) -> bool {
        let slot = self.entities[dense].slot;
        let phase = self.index.cell(slot).phase;
        match phase {
            Phase::Unannounced => return true,
            Phase::Leaving => return self.entities[dense].announced_by.is_none(),
            Phase::Frozen => return false,
            Phase::Announced | Phase::Known => {}
        }
        let standing = self.standing(slot, viewer, shared);
        let mut is_due = false;
        for (lane, options) in shared.registry.lanes.iter().map(|lane| &lane.options).enumerate() {
            if self.wanted((dense, slot), lane, &standing, shared).is_none() {
                continue;
            }
            let viewed = self.lanes[lane].get(dense, slot, &self.index);
            let may_go = standing.spawns || viewed.is_lost() || viewed.is_called() || options.send_every <= 1;
            is_due |= viewed.is_pending() && may_go;
        }
        is_due
    }

    /// Picks everything of a member that the other side is not known to have.
    fn pick_unacknowledged(&mut self, dense: usize, viewer: &Viewer, picked: &mut Picked, shared: &mut Shared) {
        let slot = self.entities[dense].slot;
        match self.index.cell(slot).phase {
            Phase::Leaving => {
                picked.convoys.announcements.push(self.announcement(dense, true));
                return;
            }
            Phase::Frozen => return,
            Phase::Unannounced | Phase::Announced | Phase::Known => {}
        }
        let standing = self.standing(slot, viewer, shared);
        let first = picked.records.len() as u32;
        for lane in 0..shared.registry.lanes.len() {
            let Some(value) = self.wanted((dense, slot), lane, &standing, shared) else { continue };
            let has_it = self.lanes[lane].get(dense, slot, &self.index).baseline() == Some(value);
            if has_it && !standing.spawns {
                continue;
            }
            let record = self.outgoing((dense, slot), lane, value, &standing, shared);
            if standing.spawns { picked.records.extend(record) } else { picked.convoys.updates.extend(record) }
        }
        if standing.spawns {
            let records = (first, picked.records.len() as u32);
            picked.convoys.announcements.push(Announcement { records, ..self.announcement(dense, false) });
        }
    }

    /// Writes the groups, as many into a chunk as fit.
    pub(super) fn write_convoys(&mut self, picked: &mut Picked, writer: &mut ChunkWriter, shared: &Shared) {
        let lanes = shared.registry.lanes.len();
        let Picked { records, convoys: PickedConvoys { convoys, announcements, updates, .. }, .. } = picked;
        let (mut announced, mut updated) = (0, 0);
        let mut rest = convoys.iter().copied().peekable();
        while let Some(mut load) = rest.next() {
            while let Some(next) = rest.next_if(|next| load.with(*next).chunk_bits(lanes) <= writer.room()) {
                load = load.with(next);
            }
            let announcements = &mut announcements[announced..load.announcements];
            let updates = &mut updates[updated..load.updates];
            (announced, updated) = (load.announcements, load.updates);
            announcements.sort_unstable_by_key(|said| said.slot);
            updates.sort_unstable_by_key(|record| (record.lane, record.slot));
            writer.begin_whole(load.chunk_bits(lanes), !announcements.is_empty());
            for said in announcements.iter() {
                self.announce(said, records, writer, shared);
            }
            for record in updates.iter() {
                self.update(record, writer, shared);
            }
            writer.end_whole();
        }
    }
}

/// How large what was picked of a group is, from these announcements and updates on.
///
/// With other groups in one chunk it takes no more: the gaps between slots become shorter, and every head is counted.
fn measure(picked: &Picked, announcements: usize, updates: usize, shared: &Shared) -> PickedConvoy {
    let PickedConvoys { announcements: all_announcements, updates: all_updates, .. } = &picked.convoys;
    let record_bits = |record: &Outgoing| {
        let continues_motion = shared.continues_motion & (1 << record.lane) != 0;
        (record.head.bits(continues_motion) + record.body.bits) as usize
    };
    let mut bits = 0;
    let mut next_slot = 0;
    for said in &all_announcements[announcements..] {
        bits += 2 + exp_golomb_bits(u64::from(said.slot - next_slot), ANNOUNCED_GAP_K) as usize;
        next_slot = said.slot + 1;
        let Some(generation) = said.generation else {
            bits += 1;
            continue;
        };
        let own = &picked.records[said.records.0 as usize..said.records.1 as usize];
        bits += (exp_golomb_bits(u64::from(generation), GENERATION_K) + EPOCH_BITS) as usize;
        bits += shared.registry.lanes.len() + own.iter().map(record_bits).sum::<usize>();
    }
    let (mut lanes, mut next_slot) = (0_u64, 0);
    for record in &all_updates[updates..] {
        if lanes & (1 << record.lane) == 0 {
            lanes |= 1 << record.lane;
            next_slot = 0;
        }
        bits += 1 + exp_golomb_bits(u64::from(record.slot - next_slot), GAP_K) as usize + record_bits(record);
        next_slot = record.slot + 1;
    }
    PickedConvoy { announcements: all_announcements.len(), updates: all_updates.len(), bits, lanes }
}
