//! What a connection sent: values by slot, incarnation, lane and tick.
//!
//! Decoding a chunk is all or nothing for the world: a bad one changes no entity. Values stay until the sender can no
//! longer refer to them. A slot's earlier incarnations stay a while too, so that a datagram that was overtaken by a despawn
//! still decodes, to be dropped.

use std::collections::VecDeque;
use std::sync::Arc;

use bevy::platform::collections::HashMap;
use bevy::prelude::*;
use slipstream_connection::NetworkId;
use slipstream_wire::{BitReader, Tick, WireError};

use crate::error::RecordError;
use crate::record::{EPOCH_BITS, EntryKind, GAP_K, GENERATION_K, read_head, read_tick, read_value};
use crate::registry::{Direction, References, Registry};
use crate::slots::Slots;

/// Slots above this are refused: 4 million entities.
const MAX_SLOT: u64 = 1 << 22;
/// How long a value stays after the sender named a newer baseline: datagrams may be reordered by so much.
const REORDER_TICKS: i32 = 32;
/// The most values kept of one lane.
const MAX_VALUES: usize = 512;
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
    Lane {
        slot: u32,
        epoch: u8,
        lane: usize,
        value: Tick,
        words: Arc<[u32]>,
    },
    /// What was in the slot up to this tick is gone.
    Vanish {
        slot: u32,
        at: Tick,
    },
}

#[derive(Debug)]
struct StoredValue {
    tick: Tick,
    words: Arc<[u32]>,
    /// The tick of the chunk that named a newer baseline.
    superseded: Option<Tick>,
}

#[derive(Debug, Default)]
pub(crate) struct LaneInbox {
    values: VecDeque<StoredValue>,
    /// What the entity shows.
    pub(crate) applied: Option<(Tick, Arc<[u32]>)>,
}

impl LaneInbox {
    fn at(&self, tick: Tick) -> Option<&Arc<[u32]>> {
        self.values.iter().rev().find(|value| value.tick == tick).map(|value| &value.words)
    }

    fn store(&mut self, now: Tick, tick: Tick, words: &Arc<[u32]>, baseline: Option<Tick>) {
        if let Some(baseline) = baseline {
            for value in self.values.iter_mut().filter(|value| baseline.is_newer_than(value.tick)) {
                value.superseded.get_or_insert(now);
            }
        }
        self.values.retain(|value| value.superseded.is_none_or(|since| now.since(since) <= REORDER_TICKS));
        if self.at(tick).is_some() {
            return;
        }
        let place = self.values.iter().rposition(|value| tick.is_newer_than(value.tick)).map_or(0, |index| index + 1);
        self.values.insert(place, StoredValue { tick, words: Arc::clone(words), superseded: None });
        if self.values.len() > MAX_VALUES {
            self.values.pop_front();
        }
    }
}

/// One stay of one entity in a slot, as far as this connection knows.
#[derive(Debug)]
pub(crate) struct Incarnation {
    pub(crate) generation: u32,
    pub(crate) epoch: u8,
    /// The tick of the chunk that announced it.
    since: Tick,
    /// Which owner of the entity this is, counted; only where an owner speaks.
    term: u32,
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
    pub(crate) newest_tick: Option<Tick>,
    /// Lanes with references to entities that don't exist here (yet): (slot, lane).
    pub(crate) unresolved: Vec<(u32, usize)>,
    /// The lanes that refer to an entity, to be resolved again when it went and came back: (slot, lane).
    pub(crate) referrers: HashMap<NetworkId, Vec<(u32, usize)>>,
    /// A value that its component's codec refused.
    pub(crate) refused: Option<RecordError>,
    /// When everything was asked for anew.
    pub(crate) reset_requested: Option<core::time::Duration>,
}

impl Incoming {
    /// Decodes one chunk, stores its values, and returns what it asks of the world.
    ///
    /// # Errors
    /// When the chunk is malformed, refers to what is not here, or claims authority that its sender has not.
    pub(crate) fn decode(
        &mut self,
        bytes: &[u8],
        registry: &Registry,
        speaker: &Speaker,
    ) -> Result<Vec<Change>, RecordError> {
        let mut reader = BitReader::new(bytes);
        let now = read_tick(self.newest_tick, &mut reader)?;
        let mut changes = Vec::new();
        let mut next_slot = 0_u64;
        while reader.read_bool()? {
            let slot = next_slot.saturating_add(reader.read_exp_golomb(GAP_K)?);
            if slot > MAX_SLOT {
                return Err(WireError::ValueOutOfRange { what: "slot", value: slot, max: MAX_SLOT }.into());
            }
            next_slot = slot + 1;
            self.decode_entry(now, slot as u32, &mut reader, registry, speaker, &mut changes)?;
        }
        if self.newest_tick.is_none_or(|newest| now.is_newer_than(newest)) {
            self.newest_tick = Some(now);
        }
        Ok(changes)
    }

    fn decode_entry(
        &mut self,
        now: Tick,
        slot: u32,
        reader: &mut BitReader,
        registry: &Registry,
        speaker: &Speaker,
        changes: &mut Vec<Change>,
    ) -> Result<(), RecordError> {
        let kind = EntryKind::read(reader)?;
        if kind != EntryKind::Update && matches!(speaker, Speaker::Owner { .. }) {
            return Err(RecordError::NotAuthorised { slot, lane: 0 });
        }
        let (epoch, heeded) = match kind {
            EntryKind::Despawn => {
                let vanished = &mut self.slots.entry(slot).or_default().vanished;
                if vanished.is_none_or(|at| now.is_newer_than(at)) {
                    *vanished = Some(now);
                }
                changes.push(Change::Vanish { slot, at: now });
                return Ok(());
            }
            EntryKind::Spawn => {
                let generation = reader.read_exp_golomb(GENERATION_K)? as u32;
                let epoch = reader.read_bits(EPOCH_BITS)? as u8;
                self.announce(now, slot, generation, epoch, registry.lanes.len());
                changes.push(Change::Appear { slot, epoch });
                (epoch, true)
            }
            EntryKind::Update => self.subject(now, slot, registry, speaker)?,
        };
        for (index, lane) in registry.lanes.iter().enumerate() {
            if !reader.read_bool()? {
                continue;
            }
            if matches!(speaker, Speaker::Owner { .. }) && lane.options.direction != Direction::FromOwner {
                return Err(RecordError::NotAuthorised { slot, lane: index });
            }
            let head = read_head(now, reader)?;
            let inbox = self.incarnation(slot, epoch).and_then(|incarnation| incarnation.lanes.get_mut(index));
            let old = match (head.baseline, &inbox) {
                (None, _) => None,
                (Some(tick), Some(inbox)) => inbox.at(tick).cloned(),
                (Some(_), None) => None,
            };
            if head.baseline.is_some() && old.is_none() {
                return Err(RecordError::MissingBaseline { slot, lane: index });
            }
            let words = read_value(&registry.components, lane, old.as_deref(), reader)?;
            if let Some(inbox) = inbox {
                inbox.store(now, head.value, &words, head.baseline);
                if heeded {
                    changes.push(Change::Lane { slot, epoch, lane: index, value: head.value, words });
                }
            }
        }
        Ok(())
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
        inbox.incarnations.push(Incarnation { generation, epoch, since: now, term: 0, entity: None, lanes });
        if inbox.incarnations.len() > MAX_INCARNATIONS
            && let Some(oldest) = inbox.incarnations.iter().position(|known| known.entity.is_none())
        {
            inbox.incarnations.remove(oldest);
        }
    }

    /// The incarnation that an update of tick `now` speaks of, by its epoch, and whether it is to be heeded.
    fn subject(
        &mut self,
        now: Tick,
        slot: u32,
        registry: &Registry,
        speaker: &Speaker,
    ) -> Result<(u8, bool), RecordError> {
        let Speaker::Owner { connection, slots } = speaker else {
            let incarnations = self.slots.get(&slot).map(|inbox| inbox.incarnations.as_slice()).unwrap_or_default();
            let known = incarnations.iter().rev().find(|known| !known.since.is_newer_than(now));
            return known.map(|known| (known.epoch, true)).ok_or(RecordError::UnknownSlot { slot });
        };
        // A client may speak of what it owns; its slot is known to the server without an announcement.
        let Some(entry) = slots.get(slot) else { return Err(RecordError::UnknownSlot { slot }) };
        if entry.owner != Some(*connection) || entry.entity.is_none() {
            // What it sent before it heard that the entity is no longer its own is no offence.
            let owned_before = self.slots.contains_key(&slot);
            return if owned_before { Ok((0, false)) } else { Err(RecordError::NotAuthorised { slot, lane: 0 }) };
        }
        let incarnations = &mut self.slots.entry(slot).or_default().incarnations;
        match incarnations.last_mut() {
            Some(known) if known.generation == entry.generation => {
                if known.term != entry.term {
                    known.term = entry.term;
                    // Others have spoken meanwhile: what this owner sent last need not be what the entity shows.
                    for (_, words) in known.lanes.iter_mut().filter_map(|lane| lane.applied.as_mut()) {
                        *words = Arc::default();
                    }
                }
            }
            _ => {
                let lanes = (0..registry.lanes.len()).map(|_| LaneInbox::default()).collect();
                let (generation, term) = (entry.generation, entry.term);
                *incarnations =
                    vec![Incarnation { generation, epoch: 0, since: now, term, entity: entry.entity, lanes }];
            }
        }
        Ok((0, true))
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

    /// Takes the entity that was announced at tick `at` or before.
    pub(crate) fn take_vanished(&mut self, slot: u32, at: Tick) -> Option<(NetworkId, Entity)> {
        let incarnations = &mut self.slots.get_mut(&slot)?.incarnations;
        let known = incarnations.iter_mut().find(|known| known.entity.is_some() && !known.since.is_newer_than(at))?;
        Some((NetworkId { slot, generation: known.generation }, known.entity.take()?))
    }

    /// The entity in a slot, and what a lane of it shows.
    pub(crate) fn shown(&self, slot: u32, lane: usize) -> Option<(Entity, Arc<[u32]>)> {
        let known = self.present(slot)?;
        let (_, words) = known.lanes.get(lane)?.applied.as_ref()?;
        Some((known.entity?, Arc::clone(words)))
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
    ) -> Option<(Entity, u32, Vec<Option<(Tick, Arc<[u32]>)>>)> {
        let earlier = self
            .slots
            .get_mut(&slot)?
            .incarnations
            .iter_mut()
            .filter(|known| known.epoch != epoch)
            .find(|known| known.entity.is_some())?;
        let entity = earlier.entity.take()?;
        Some((entity, earlier.generation, earlier.lanes.iter_mut().map(|lane| lane.applied.take()).collect()))
    }

    /// All entities that this connection brought here, for when it ends.
    pub(crate) fn entities(&self) -> impl Iterator<Item = Entity> {
        self.slots.values().flat_map(|inbox| &inbox.incarnations).filter_map(|incarnation| incarnation.entity)
    }
}

#[cfg(test)]
mod tests;
