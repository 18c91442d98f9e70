//! What a connection sent: who is in which slot, and values by lane, slot and tick.
//!
//! Decoding a chunk is all or nothing for the world: a bad one changes no entity. Values stay until the sender can no
//! longer refer to them. A slot's earlier incarnations stay a while too, so that a datagram that was overtaken by a despawn
//! still decodes, to be dropped. A value belongs to a slot and a tick, whatever incarnation it was said of: a sender has but
//! one.

mod incarnation;
mod lane;
mod slots;

use bevy::platform::collections::{HashMap, HashSet};
use bevy::prelude::*;
use slipstream_connection::NetworkId;
use slipstream_wire::dense::DenseBodyReader;
use slipstream_wire::{Baseline, BitReader, Tick, WireError};

pub(crate) use self::incarnation::Incarnation;
use self::incarnation::{FORGET_TICKS, SlotInbox};
use self::lane::LaneInbox;
use self::slots::{HeardSlots, Place};
use crate::dense::{Course, Preamble, read_value};
use crate::error::RecordError;
use crate::record::{
    ANNOUNCED_GAP_K, COUNT_BITS, EPOCH_BITS, GAP_K, GENERATION_K, Head, MAX_SLOT, TERM_BITS, lane_bits, read_body,
    read_tick,
};
use crate::registry::{Direction, Lane, References, Registry};
use crate::slots::Slots;

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

/// What a lane's entity shows, and what it is to show.
pub(crate) struct LaneNews<'a> {
    pub(crate) entity: Entity,
    /// Whether it shows nothing of the lane yet.
    pub(crate) is_first: bool,
    pub(crate) shown: &'a [u32],
    pub(crate) words: &'a [u32],
}

/// A connection's received state.
#[derive(Component, Debug, Default)]
pub(crate) struct Incoming {
    heard: HeardSlots,
    /// By dense index.
    slots: Vec<SlotInbox>,
    /// By lane.
    lanes: Vec<LaneInbox>,
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
    /// When was last looked which slots are forgotten.
    looked: Option<Tick>,
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
        if self.lanes.len() != registry.lanes.len() {
            self.lanes.resize_with(registry.lanes.len(), LaneInbox::default);
        }
        let mut next_slot = 0;
        while reader.read_bool()? {
            let slot = read_slot(&mut next_slot, ANNOUNCED_GAP_K, &mut reader)?;
            self.decode_announcement(now, slot, &mut reader, registry, speaker, changes)?;
        }
        while reader.read_bool()? {
            self.decode_section(now, &mut reader, registry, speaker, changes)?;
        }
        // What fills up the last byte of a chunk without a dense section is zeros.
        if reader.remaining_bits() > 0 && reader.read_bool()? {
            self.decode_dense(now, bytes, &mut reader, registry, speaker, changes)?;
        }
        if self.newest_tick.is_none_or(|newest| now.is_newer_than(newest)) {
            self.newest_tick = Some(now);
            self.forget_empty(now);
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
            let vanished = &mut self.slot_mut(slot).vanished;
            if vanished.is_none_or(|at| now.is_newer_than(at)) {
                *vanished = Some(now);
            }
            changes.push(Change::Vanish { slot, at: now, freezes });
            return Ok(());
        }
        let generation = reader.read_exp_golomb(GENERATION_K)? as u32;
        let epoch = reader.read_bits(EPOCH_BITS)? as u8;
        self.announce(now, slot, generation, epoch);
        changes.push(Change::Appear { slot, epoch });
        for (index, lane) in registry.lanes.iter().enumerate() {
            if reader.read_bool()? {
                let head = Head::read(lane.continues_motion, reader)?;
                let place = self.heard.get(slot);
                let subject = (epoch, true);
                self.decode_record(now, (slot, index), place, subject, head, registry, changes, |lane, old, words| {
                    read_body(&registry.components, lane, old, reader, words)
                })?;
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
                Speaker::Server => {
                    let place = self.heard.get(slot);
                    (self.subject(now, slot, place)?, true)
                }
                Speaker::Owner { connection, slots } => {
                    let term = reader.read_bits(TERM_BITS)? as u8;
                    (term, self.heeds(now, slot, term, (*connection, slots))?)
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
            let place = self.heard.get(slot);
            let subject = (epoch, heeded);
            self.decode_record(now, (slot, index), place, subject, head, registry, changes, |lane, old, words| {
                read_body(&registry.components, lane, old, reader, words)
            })?;
        }
        Ok(())
    }

    /// Reads the records of rigid bodies that take the rest of the chunk.
    fn decode_dense(
        &mut self,
        now: Tick,
        bytes: &[u8],
        reader: &mut BitReader,
        registry: &Registry,
        speaker: &Speaker,
        changes: &mut Vec<Change>,
    ) -> Result<(), RecordError> {
        if matches!(speaker, Speaker::Owner { .. }) {
            return Err(RecordError::DenseFromClient);
        }
        let count = reader.read_bits(COUNT_BITS)? + 1;
        reader.align_to_byte();
        let mut stream = DenseBodyReader::new(bytes.get(reader.position() / 8..).unwrap_or_default());
        let mut course = Course::default();
        for _ in 0..count {
            let said = course.code(&Preamble::default(), registry.dense.len(), &mut stream)?;
            let Some((index, codec)) = registry.dense_lane(said.ordinal) else {
                return Err(WireError::Malformed { what: "lane of a dense section" }.into());
            };
            let place = self.heard.get(said.slot);
            let subject = (self.subject(now, said.slot, place)?, true);
            let record = (said.slot, index);
            self.decode_record(now, record, place, subject, said.head, registry, changes, |_, old, words| {
                read_value(codec, said.is_absent, old, &mut stream, words)
            })?;
        }
        // Cut or foreign bytes decode to something: only now it is known that all were there.
        Ok(stream.finish()?)
    }

    /// Puts one lane's value into its inbox, which `read` reads: it is given the lane and what the value is coded
    /// against, and appends the words.
    #[expect(clippy::too_many_arguments, reason = "all of it is what a record is about")]
    #[inline]
    fn decode_record(
        &mut self,
        now: Tick,
        (slot, index): (u32, usize),
        place: Option<Place>,
        (epoch, heeded): (u8, bool),
        head: Head,
        registry: &Registry,
        changes: &mut Vec<Change>,
        read: impl FnOnce(&Lane, Option<Baseline<'_>>, &mut Vec<u32>) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        let Some(lane) = registry.lanes.get(index) else { return Ok(()) };
        let known = place.zip(self.lanes.get_mut(index));
        let value = now - head.value_age;
        let words = &mut self.scratch;
        words.clear();
        let mut oldest = None;
        let mut baseline = None;
        if head.baseline_age > 0 {
            let missing = RecordError::MissingBaseline { slot, lane: index };
            let at = value - head.baseline_age;
            let Some((place, inbox)) = &known else { return Err(missing) };
            let Some(old) = inbox.at(*place, at) else { return Err(missing) };
            oldest = Some(at);
            let mut found = Baseline::new(old, head.baseline_age);
            if head.earlier_age > 0 {
                let at = at - head.earlier_age;
                let Some(earlier) = inbox.at(*place, at) else { return Err(missing) };
                oldest = Some(at);
                found.earlier = Some((earlier, head.earlier_age));
            }
            baseline = Some(found);
        }
        read(lane, baseline, words)?;
        if let Some((place, inbox)) = known {
            inbox.store(now, place, value, words, oldest, |position| self.heard.dense(position));
            if heeded {
                changes.push(Change::Lane { slot, epoch, lane: index, value });
            }
        }
        Ok(())
    }

    /// What is known of a slot.
    #[inline]
    fn slot(&self, slot: u32) -> Option<&SlotInbox> {
        self.slots.get(self.heard.get(slot)?.dense as usize)
    }

    /// The same, and from here on something is.
    fn slot_mut(&mut self, slot: u32) -> &mut SlotInbox {
        let dense = self.heard.insert(slot).dense as usize;
        if self.slots.len() <= dense {
            self.slots.resize_with(dense + 1, SlotInbox::default);
        }
        &mut self.slots[dense]
    }

    /// Forgets slots that have been empty for long.
    fn forget_empty(&mut self, now: Tick) {
        if self.looked.is_some_and(|looked| now.since(looked) < FORGET_TICKS) {
            return;
        }
        self.looked = Some(now);
        let empty = |(_, place): &(u32, Place)| {
            self.slots.get(place.dense as usize).is_none_or(|inbox| inbox.is_forgotten(now))
        };
        let forgotten: Vec<(u32, Place)> = self.heard.iter().filter(empty).collect();
        for (_, place) in forgotten {
            self.heard.remove(place);
            if let Some(inbox) = self.slots.get_mut(place.dense as usize) {
                *inbox = SlotInbox::default();
            }
            for lane in &mut self.lanes {
                lane.forget(place);
            }
        }
    }

    /// The server announced an entity: a new incarnation, unless this one is known or already superseded.
    fn announce(&mut self, now: Tick, slot: u32, generation: u32, epoch: u8) {
        let inbox = self.slot_mut(slot);
        let known = inbox.incarnations().any(|known| known.epoch == epoch && known.generation == generation);
        let overtaken = inbox.vanished.is_some_and(|at| !now.is_newer_than(at))
            || inbox.newest.is_some_and(|newest| newest.since.is_newer_than(now));
        if !known && !overtaken {
            inbox.push(Incarnation { generation, epoch, since: now, entity: None });
        }
    }

    /// The incarnation that an update of tick `now` speaks of, by its epoch.
    #[inline]
    fn subject(&self, now: Tick, slot: u32, place: Option<Place>) -> Result<u8, RecordError> {
        let inbox = place.and_then(|place| self.slots.get(place.dense as usize));
        let known = inbox.and_then(|inbox| inbox.incarnations().find(|known| !known.since.is_newer_than(now)));
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
    ) -> Result<bool, RecordError> {
        // Its slot is known to the server without an announcement.
        let Some(entry) = slots.get(slot) else { return Err(RecordError::UnknownSlot { slot }) };
        let heeded = entry.owner == Some(connection) && entry.entity.is_some() && entry.term as u8 == term;
        if heeded {
            self.granted.insert(slot);
        } else if !self.granted.contains(&slot) {
            return Err(RecordError::NotAuthorised { slot, lane: 0 });
        }
        let entity = entry.entity.filter(|_| heeded);
        let generation = if heeded { entry.term } else { u32::MAX };
        let inbox = self.slot_mut(slot);
        let known = inbox.incarnations().find(|known| known.epoch == term);
        if known.is_some_and(|known| !heeded || (known.generation == generation && known.entity == entity)) {
            return Ok(heeded);
        }
        inbox.remove(term);
        if heeded {
            for known in inbox.incarnations_mut() {
                known.entity = None;
            }
        }
        inbox.push(Incarnation { generation, epoch: term, since: now, entity });
        if heeded {
            // What it showed may be another's.
            self.clear_shown(slot);
        }
        Ok(heeded)
    }

    #[inline]
    pub(crate) fn incarnation(&mut self, slot: u32, epoch: u8) -> Option<&mut Incarnation> {
        let dense = self.heard.get(slot)?.dense as usize;
        self.slots.get_mut(dense)?.incarnations_mut().find(|incarnation| incarnation.epoch == epoch)
    }

    /// The incarnation whose entity is in the world.
    pub(crate) fn present(&self, slot: u32) -> Option<&Incarnation> {
        self.slot(slot)?.present()
    }

    /// The slot's newest incarnation is `epoch`'s, and not gone: a spawn may arrive once more after its despawn.
    pub(crate) fn is_current(&self, slot: u32, epoch: u8) -> bool {
        let Some(inbox) = self.slot(slot) else { return false };
        let stays = |since: Tick| inbox.vanished.is_none_or(|at| since.is_newer_than(at));
        inbox.newest.is_some_and(|newest| newest.epoch == epoch && stays(newest.since))
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
        let dense = self.heard.get(slot)?.dense as usize;
        let gone = |known: &&mut Incarnation| known.entity.is_some() && !known.since.is_newer_than(at);
        let known = self.slots.get_mut(dense)?.incarnations_mut().find(gone)?;
        let (generation, entity) = (known.generation, known.entity.take()?);
        self.clear_shown(slot);
        Some((NetworkId { slot, generation }, entity))
    }

    /// The entity in a slot, and what a lane of it shows.
    pub(crate) fn shown(&self, slot: u32, lane: usize) -> Option<(Entity, Vec<u32>)> {
        let entity = self.present(slot)?.entity?;
        let (place, inbox) = (self.heard.get(slot)?, self.lanes.get(lane)?);
        inbox.applied(place)?;
        Some((entity, inbox.shown(place).to_vec()))
    }

    /// The slot shows nothing any more: another entity is in it.
    pub(crate) fn clear_shown(&mut self, slot: u32) {
        if let Some(place) = self.heard.get(slot) {
            for lane in &mut self.lanes {
                lane.clear_shown(place);
            }
        }
    }

    /// The same of one lane.
    pub(crate) fn clear_shown_lane(&mut self, slot: u32, lane: usize) {
        if let Some((place, lane)) = self.heard.get(slot).zip(self.lanes.get_mut(lane)) {
            lane.clear_shown(place);
        }
    }

    /// A lane's value that its entity does not show yet, nor a newer one.
    #[inline]
    pub(crate) fn news(&self, slot: u32, epoch: u8, lane: usize, value: Tick) -> Option<LaneNews<'_>> {
        let place = self.heard.get(slot)?;
        let known = self.slots.get(place.dense as usize)?.incarnations().find(|known| known.epoch == epoch)?;
        let (entity, inbox) = (known.entity?, self.lanes.get(lane)?);
        let applied = inbox.applied(place);
        if applied.is_some_and(|applied| !value.is_newer_than(applied)) {
            return None;
        }
        // A newer baseline may have let it go within this frame: what it was coded for comes after it.
        let words = inbox.at(place, value)?;
        Some(LaneNews { entity, is_first: applied.is_none(), shown: inbox.shown(place), words })
    }

    /// The tick of what a lane's entity shows.
    pub(crate) fn applied(&self, slot: u32, lane: usize) -> Option<Tick> {
        self.lanes.get(lane)?.applied(self.heard.get(slot)?)
    }

    /// A lane's value that was received.
    pub(crate) fn value(&self, slot: u32, lane: usize, value: Tick) -> Option<&[u32]> {
        self.lanes.get(lane)?.at(self.heard.get(slot)?, value)
    }

    /// A lane's entity shows a value from here on.
    #[inline]
    pub(crate) fn show(&mut self, slot: u32, lane: usize, value: Tick) {
        let Some((place, inbox)) = self.heard.get(slot).zip(self.lanes.get_mut(lane)) else { return };
        let Some(words) = inbox.at(place, value) else { return };
        self.scratch.clear();
        self.scratch.extend_from_slice(words);
        inbox.show(place, value, &self.scratch);
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

    /// The slots whose entities were announced at tick `at` or before, and not since. What was said to freeze since is not
    /// among them: it stays.
    pub(crate) fn announced_until(&self, at: Tick) -> Vec<u32> {
        let froze =
            |slot: u32| self.slot(slot).and_then(|inbox| inbox.vanished).is_some_and(|told| told.is_newer_than(at));
        let slots = self.heard.iter().map(|(slot, _)| slot);
        slots.filter(|slot| self.will_vanish(*slot, at) && !froze(*slot)).collect()
    }

    /// The slots whose entities are in the world.
    pub(crate) fn present_slots(&self) -> impl Iterator<Item = u32> {
        self.heard.iter().map(|(slot, _)| slot).filter(|slot| self.present(*slot).is_some())
    }

    /// Another entity is the one in a slot from here on.
    pub(crate) fn rehome(&mut self, slot: u32, entity: Entity) {
        if self.heard.get(slot).is_none() {
            return;
        }
        for known in self.slot_mut(slot).incarnations_mut().filter(|known| known.entity.is_some()) {
            known.entity = Some(entity);
        }
    }

    /// Takes the entity from the slot's earlier incarnations, with the generation that it was of.
    pub(crate) fn take_earlier(&mut self, slot: u32, epoch: u8) -> Option<(Entity, u32)> {
        let dense = self.heard.get(slot)?.dense as usize;
        let mut others = self.slots.get_mut(dense)?.incarnations_mut().filter(|known| known.epoch != epoch);
        let earlier = others.find(|known| known.entity.is_some())?;
        Some((earlier.entity.take()?, earlier.generation))
    }

    /// All entities that this connection brought here, for when it ends.
    pub(crate) fn entities(&self) -> impl Iterator<Item = Entity> {
        self.slots.iter().flat_map(SlotInbox::incarnations).filter_map(|incarnation| incarnation.entity)
    }
}

#[cfg(test)]
mod tests;
