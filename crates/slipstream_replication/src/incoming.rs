//! What a connection sent: values by slot, incarnation, lane and tick.
//!
//! Decoding a chunk is all or nothing for the world: a bad one changes no entity. Values stay until the sender can no
//! longer refer to them. A slot's earlier incarnations stay a while too, so that a datagram that was overtaken by a despawn
//! still decodes, to be dropped.

mod lane;

use bevy::platform::collections::{HashMap, HashSet};
use bevy::prelude::*;
use slipstream_connection::NetworkId;
use slipstream_wire::{Baseline, BitReader, Tick, WireError};

use self::lane::LaneInbox;
use crate::error::RecordError;
use crate::record::{
    ANNOUNCED_GAP_K, COUNT_BITS, EPOCH_BITS, GAP_K, GENERATION_K, Head, TERM_BITS, lane_bits, read_body, read_tick,
};
use crate::registry::{Direction, References, Registry};
use crate::slots::Slots;

/// Slots above this are refused: 4 million entities.
const MAX_SLOT: u64 = 1 << 22;
/// The most incarnations kept of one slot.
const MAX_INCARNATIONS: usize = 4;

/// Who speaks: the server of everything, or a client of what it owns.
pub(crate) enum Speaker<'a> {
    Server,
    Owner { connection: Entity, slots: &'a Slots },
}

/// What a decoded chunk asks of the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Appear {
        slot: u32,
        epoch: u8,
    },
    /// A lane took a value, which its inbox holds.
    Lane {
        slot: u32,
        epoch: u8,
        lane: usize,
        value: Tick,
    },
    /// What was in the slot up to this tick is gone, or `freezes`: it stays as it is.
    Vanish {
        slot: u32,
        at: Tick,
        freezes: bool,
    },
}

/// One stay of one entity in a slot, as far as this connection knows.
#[derive(Debug)]
pub(crate) struct Incarnation {
    /// Where an owner speaks, its whole term.
    pub(crate) generation: u32,
    /// Where an owner speaks, the low bits of its term.
    pub(crate) epoch: u8,
    /// The tick of the chunk that announced it.
    since: Tick,
    /// At most one incarnation of a slot has an entity.
    pub(crate) entity: Option<Entity>,
    pub(crate) lanes: Vec<LaneInbox>,
}

/// What is known of one slot.
#[derive(Debug, Default)]
struct SlotInbox {
    incarnations: Vec<Incarnation>,
    /// The newest tick at which the slot was said to be empty: whatever was announced up to then is gone.
    vanished: Option<Tick>,
}

/// A connection's received state.
#[derive(Component, Debug, Default)]
pub(crate) struct Incoming {
    slots: HashMap<u32, SlotInbox>,
    /// On a server: the slots that the connection owns or owned.
    pub(crate) granted: HashSet<u32>,
    pub(crate) newest_tick: Option<Tick>,
    /// Lanes with references to entities that don't exist here (yet): (slot, lane).
    pub(crate) unresolved: Vec<(u32, usize)>,
    /// The lanes that refer to an entity, to be resolved again when it went and came back: (slot, lane).
    pub(crate) referrers: HashMap<NetworkId, Vec<(u32, usize)>>,
    /// A value that its component's codec refused.
    pub(crate) refused: Option<RecordError>,
    /// On a server: what an owner told, and which counts only since it confirmed the server's word.
    pub(crate) held: Vec<Change>,
    /// When everything was asked for anew.
    pub(crate) reset_requested: Option<core::time::Duration>,
    scratch: Vec<u32>,
}

/// The slot that a gap leads to.
fn read_slot(next: &mut u64, k: u32, reader: &mut BitReader) -> Result<u32, RecordError> {
    let slot = next.saturating_add(reader.read_exp_golomb(k)?);
    if slot > MAX_SLOT {
        return Err(WireError::ValueOutOfRange { what: "slot", value: slot, max: MAX_SLOT }.into());
    }
    *next = slot + 1;
    Ok(slot as u32)
}

impl Incoming {
    /// Decodes one chunk, stores its values, and adds what it asks of the world to `changes`.
    ///
    /// # Errors
    /// When the chunk is malformed, refers to what is not here, or claims authority that its sender has not. Nothing is
    /// asked of the world then.
    pub(crate) fn decode(
        &mut self,
        bytes: &[u8],
        registry: &Registry,
        speaker: &Speaker,
        changes: &mut Vec<Change>,
    ) -> Result<(), RecordError> {
        let before = changes.len();
        let decoded = self.decode_chunk(bytes, registry, speaker, changes);
        if decoded.is_err() {
            changes.truncate(before);
        }
        decoded
    }

    fn decode_chunk(
        &mut self,
        bytes: &[u8],
        registry: &Registry,
        speaker: &Speaker,
        changes: &mut Vec<Change>,
    ) -> Result<(), RecordError> {
        let mut reader = BitReader::new(bytes);
        let now = read_tick(self.newest_tick, &mut reader)?;
        let mut next_slot = 0;
        while reader.read_bool()? {
            let slot = read_slot(&mut next_slot, ANNOUNCED_GAP_K, &mut reader)?;
            self.decode_announcement(now, slot, &mut reader, registry, speaker, changes)?;
        }
        while reader.read_bool()? {
            self.decode_section(now, &mut reader, registry, speaker, changes)?;
        }
        if self.newest_tick.is_none_or(|newest| now.is_newer_than(newest)) {
            self.newest_tick = Some(now);
        }
        Ok(())
    }

    fn decode_announcement(
        &mut self,
        now: Tick,
        slot: u32,
        reader: &mut BitReader,
        registry: &Registry,
        speaker: &Speaker,
        changes: &mut Vec<Change>,
    ) -> Result<(), RecordError> {
        if matches!(speaker, Speaker::Owner { .. }) {
            return Err(RecordError::NotAuthorised { slot, lane: 0 });
        }
        if !reader.read_bool()? {
            let freezes = reader.read_bool()?;
            let vanished = &mut self.slots.entry(slot).or_default().vanished;
            if vanished.is_none_or(|at| now.is_newer_than(at)) {
                *vanished = Some(now);
            }
            changes.push(Change::Vanish { slot, at: now, freezes });
            return Ok(());
        }
        let generation = reader.read_exp_golomb(GENERATION_K)? as u32;
        let epoch = reader.read_bits(EPOCH_BITS)? as u8;
        self.announce(now, slot, generation, epoch, registry.lanes.len());
        changes.push(Change::Appear { slot, epoch });
        for (index, lane) in registry.lanes.iter().enumerate() {
            if reader.read_bool()? {
                let head = Head::read(lane.continues_motion, reader)?;
                self.decode_record(now, (slot, index), (epoch, true), head, reader, registry, changes)?;
            }
        }
        Ok(())
    }

    fn decode_section(
        &mut self,
        now: Tick,
        reader: &mut BitReader,
        registry: &Registry,
        speaker: &Speaker,
        changes: &mut Vec<Change>,
    ) -> Result<(), RecordError> {
        let index = reader.read_bits(lane_bits(registry.lanes.len()))? as usize;
        let Some(lane) = registry.lanes.get(index) else {
            let max = registry.lanes.len().saturating_sub(1) as u64;
            return Err(WireError::ValueOutOfRange { what: "lane", value: index as u64, max }.into());
        };
        let count = reader.read_bits(COUNT_BITS)? + 1;
        let (mut next_slot, mut head) = (0, None);
        for _ in 0..count {
            let slot = read_slot(&mut next_slot, GAP_K, reader)?;
            let (epoch, heeded) = match speaker {
                Speaker::Server => (self.subject(now, slot)?, true),
                Speaker::Owner { connection, slots } => {
                    let term = reader.read_bits(TERM_BITS)? as u8;
                    (term, self.heeds(now, slot, term, (*connection, slots), registry)?)
                }
            };
            if matches!(speaker, Speaker::Owner { .. }) && lane.options.direction != Direction::FromOwner {
                return Err(RecordError::NotAuthorised { slot, lane: index });
            }
            if !reader.read_bool()? {
                head = Some(Head::read(lane.continues_motion, reader)?);
            }
            let Some(head) = head else {
                return Err(WireError::Malformed { what: "first record of a section, which must have a head" }.into());
            };
            self.decode_record(now, (slot, index), (epoch, heeded), head, reader, registry, changes)?;
        }
        Ok(())
    }

    /// Reads one lane's value into its inbox: `place` is slot and lane.
    fn decode_record(
        &mut self,
        now: Tick,
        place: (u32, usize),
        (epoch, heeded): (u8, bool),
        head: Head,
        reader: &mut BitReader,
        registry: &Registry,
        changes: &mut Vec<Change>,
    ) -> Result<(), RecordError> {
        let (slot, index) = place;
        let Some(lane) = registry.lanes.get(index) else { return Ok(()) };
        let value = now - head.value_age;
        let mut words = core::mem::take(&mut self.scratch);
        words.clear();
        let inbox = self.incarnation(slot, epoch).and_then(|incarnation| incarnation.lanes.get_mut(index));
        let mut oldest = None;
        let mut baseline = None;
        if head.baseline_age > 0 {
            let missing = RecordError::MissingBaseline { slot, lane: index };
            let at = value - head.baseline_age;
            let Some(inbox) = &inbox else { return Err(missing) };
            let Some(old) = inbox.at(at) else { return Err(missing) };
            oldest = Some(at);
            let mut found = Baseline::new(old, head.baseline_age);
            if head.earlier_age > 0 {
                let Some(earlier) = inbox.at(at - head.earlier_age) else { return Err(missing) };
                oldest = Some(at - head.earlier_age);
                found.earlier = Some((earlier, head.earlier_age));
            }
            baseline = Some(found);
        }
        let read = read_body(&registry.components, lane, baseline, reader, &mut words);
        if read.is_ok()
            && let Some(inbox) = inbox
        {
            inbox.store(now, value, &words, oldest);
            if heeded {
                changes.push(Change::Lane { slot, epoch, lane: index, value });
            }
        }
        self.scratch = words;
        read
    }

    /// The server announced an entity: a new incarnation, unless this one is known or already superseded.
    fn announce(&mut self, now: Tick, slot: u32, generation: u32, epoch: u8, lanes: usize) {
        let inbox = self.slots.entry(slot).or_default();
        let known = inbox.incarnations.iter().any(|known| known.epoch == epoch && known.generation == generation);
        let overtaken = inbox.vanished.is_some_and(|at| !now.is_newer_than(at))
            || inbox.incarnations.last().is_some_and(|last| last.since.is_newer_than(now));
        if known || overtaken {
            return;
        }
        let lanes = (0..lanes).map(|_| LaneInbox::default()).collect();
        inbox.incarnations.push(Incarnation { generation, epoch, since: now, entity: None, lanes });
        if inbox.incarnations.len() > MAX_INCARNATIONS
            && let Some(oldest) = inbox.incarnations.iter().position(|known| known.entity.is_none())
        {
            inbox.incarnations.remove(oldest);
        }
    }

    /// The incarnation that an update of tick `now` speaks of, by its epoch.
    fn subject(&self, now: Tick, slot: u32) -> Result<u8, RecordError> {
        let incarnations = self.slots.get(&slot).map(|inbox| inbox.incarnations.as_slice()).unwrap_or_default();
        let known = incarnations.iter().rev().find(|known| !known.since.is_newer_than(now));
        known.map(|known| known.epoch).ok_or(RecordError::UnknownSlot { slot })
    }

    /// Whether a client is heeded that speaks as the owner in a term. What it said before it heard that the entity is no
    /// longer its own is no offence: it is read, because what comes after may be coded against it, and goes nowhere.
    fn heeds(
        &mut self,
        now: Tick,
        slot: u32,
        term: u8,
        (connection, slots): (Entity, &Slots),
        registry: &Registry,
    ) -> Result<bool, RecordError> {
        // Its slot is known to the server without an announcement.
        let Some(entry) = slots.get(slot) else { return Err(RecordError::UnknownSlot { slot }) };
        let heeded = entry.owner == Some(connection) && entry.entity.is_some() && entry.term as u8 == term;
        if heeded {
            self.granted.insert(slot);
        } else if !self.granted.contains(&slot) {
            return Err(RecordError::NotAuthorised { slot, lane: 0 });
        }
        let incarnations = &mut self.slots.entry(slot).or_default().incarnations;
        let place = incarnations.iter().position(|known| known.epoch == term);
        let known = place.and_then(|place| incarnations.get(place));
        if known.is_some_and(|known| !heeded || (known.generation == entry.term && known.entity == entry.entity)) {
            return Ok(heeded);
        }
        if let Some(place) = place {
            incarnations.remove(place);
        }
        if heeded {
            for known in incarnations.iter_mut() {
                known.entity = None;
            }
        }
        if incarnations.len() >= MAX_INCARNATIONS {
            incarnations.remove(0);
        }
        let lanes = (0..registry.lanes.len()).map(|_| LaneInbox::default()).collect();
        let entity = entry.entity.filter(|_| heeded);
        let generation = if heeded { entry.term } else { u32::MAX };
        incarnations.push(Incarnation { generation, epoch: term, since: now, entity, lanes });
        Ok(heeded)
    }

    pub(crate) fn incarnation(&mut self, slot: u32, epoch: u8) -> Option<&mut Incarnation> {
        self.slots.get_mut(&slot)?.incarnations.iter_mut().rev().find(|incarnation| incarnation.epoch == epoch)
    }

    /// The incarnation whose entity is in the world.
    pub(crate) fn present(&self, slot: u32) -> Option<&Incarnation> {
        self.slots.get(&slot)?.incarnations.iter().find(|known| known.entity.is_some())
    }

    /// The slot's newest incarnation is `epoch`'s, and not gone: a spawn may arrive once more after its despawn.
    pub(crate) fn is_current(&self, slot: u32, epoch: u8) -> bool {
        let Some(inbox) = self.slots.get(&slot) else { return false };
        let stays = |since: Tick| inbox.vanished.is_none_or(|at| since.is_newer_than(at));
        inbox.incarnations.last().is_some_and(|last| last.epoch == epoch && stays(last.since))
    }

    /// Whether the slot holds an entity that was announced at tick `at` or before.
    pub(crate) fn will_vanish(&self, slot: u32, at: Tick) -> bool {
        self.present(slot).is_some_and(|known| !known.since.is_newer_than(at))
    }

    /// The entity that was announced at tick `at` or before.
    pub(crate) fn announced_by(&self, slot: u32, at: Tick) -> Option<Entity> {
        self.present(slot).filter(|known| !known.since.is_newer_than(at))?.entity
    }

    /// Takes the entity that was announced at tick `at` or before.
    pub(crate) fn take_vanished(&mut self, slot: u32, at: Tick) -> Option<(NetworkId, Entity)> {
        let incarnations = &mut self.slots.get_mut(&slot)?.incarnations;
        let known = incarnations.iter_mut().find(|known| known.entity.is_some() && !known.since.is_newer_than(at))?;
        Some((NetworkId { slot, generation: known.generation }, known.entity.take()?))
    }

    /// The entity in a slot, and what a lane of it shows.
    pub(crate) fn shown(&self, slot: u32, lane: usize) -> Option<(Entity, Vec<u32>)> {
        let known = self.present(slot)?;
        let lane = known.lanes.get(lane).filter(|lane| lane.applied.is_some())?;
        Some((known.entity?, lane.shown.clone()))
    }

    /// Notes what a lane refers to: (slot, lane).
    pub(crate) fn note_references(&mut self, place: (u32, usize), references: References) {
        if !references.resolved {
            self.note_unresolved(place);
        }
        for id in references.found {
            let referrers = self.referrers.entry(id).or_default();
            if !referrers.contains(&place) {
                referrers.push(place);
            }
        }
    }

    /// A lane is to be applied again when something appears: (slot, lane).
    pub(crate) fn note_unresolved(&mut self, place: (u32, usize)) {
        if !self.unresolved.contains(&place) {
            self.unresolved.push(place);
        }
    }

    /// The slots whose entities were announced at tick `at` or before, and not since.
    pub(crate) fn announced_until(&self, at: Tick) -> Vec<u32> {
        self.slots.keys().copied().filter(|slot| self.will_vanish(*slot, at)).collect()
    }

    /// Takes the entity, and what its lanes show, from the slot's earlier incarnations.
    pub(crate) fn take_earlier(
        &mut self,
        slot: u32,
        epoch: u8,
    ) -> Option<(Entity, u32, Vec<(Option<Tick>, Vec<u32>)>)> {
        let earlier = self
            .slots
            .get_mut(&slot)?
            .incarnations
            .iter_mut()
            .filter(|known| known.epoch != epoch)
            .find(|known| known.entity.is_some())?;
        let entity = earlier.entity.take()?;
        let shown = earlier.lanes.iter_mut().map(|lane| (lane.applied.take(), core::mem::take(&mut lane.shown)));
        Some((entity, earlier.generation, shown.collect()))
    }

    /// All entities that this connection brought here, for when it ends.
    pub(crate) fn entities(&self) -> impl Iterator<Item = Entity> {
        self.slots.values().flat_map(|inbox| &inbox.incarnations).filter_map(|incarnation| incarnation.entity)
    }
}

#[cfg(test)]
mod tests;
