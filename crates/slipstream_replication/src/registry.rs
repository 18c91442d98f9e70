//! What is replicated, and how: components grouped into lanes.
//!
//! Registration fills a list in any order; [`Registry::seal`] sorts it by name once all plugins are built, so that every
//! peer numbers components and lanes alike however its code is ordered.

use core::any::{Any, TypeId};
use std::sync::{Arc, Mutex, PoisonError};

use bevy::ecs::component::Mutable;
use bevy::prelude::*;
use slipstream_connection::NetworkId;
use slipstream_wire::{Baseline, BitReader, BitWriter, KinematicCodec};

use crate::batch::Batch;
use crate::codec::{Codec, MAX_COMPONENT_WORDS, NameEntities, ResolveEntities};
use crate::error::RecordError;
use crate::interest::{Audience, LaneAudiences};
use crate::kind::{KindEntry, forget_first, is_of_a_kind, put_first};
use crate::validation::Validate;

/// The most lanes a program may have: a record names its lanes by one bit each.
pub const MAX_LANES: usize = 64;

/// Who sends a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// The server, to everyone who sees the entity.
    #[default]
    FromServer,
    /// The entity's owner, to the server, which passes it on to everyone else who sees the entity.
    FromOwner,
}

/// What components of one lane have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LaneOptions {
    pub(crate) send_every: u32,
    pub(crate) audience: Audience,
    pub(crate) direction: Direction,
}

impl Default for LaneOptions {
    fn default() -> Self {
        Self { send_every: 1, audience: Audience::Everyone, direction: Direction::FromServer }
    }
}

/// One component type behind `dyn`: the only place where generics end.
pub(crate) trait ErasedComponent: Send + Sync {
    fn describe(&self) -> String;
    fn continues_motion(&self) -> bool;
    /// Of a rigid body: its codec, which has a dense form.
    fn dense(&self) -> Option<&KinematicCodec> {
        None
    }
    /// The component types that it puts on entities.
    fn puts(&self) -> Vec<TypeId>;
    /// Whether what it puts may be there before its entity is, from an earlier connection: a first value that says that it
    /// is not there takes it away.
    fn outlives_entity(&self) -> bool {
        false
    }
    fn write(&self, baseline: Option<Baseline>, words: &[u32], writer: &mut BitWriter);
    fn read(&self, baseline: Option<Baseline>, reader: &mut BitReader, words: &mut Vec<u32>)
    -> Result<(), RecordError>;
    /// Appends the words of what the entity has now. Whether it has it; `None` where that cannot be told.
    fn quantize(&self, _world: &World, _entity: Entity, _words: &mut Vec<u32>) -> Option<bool> {
        None
    }
    /// Puts the value on the entity, and says what it refers to.
    fn apply(&self, world: &mut World, entity: Entity, words: &[u32]) -> Result<References, RecordError>;
    /// Puts many values on their entities.
    fn apply_batch(&self, world: &mut World, batch: &mut Batch);
    /// Takes a relationship off that the words say is to `target`.
    fn detach(&self, world: &mut World, entity: Entity, words: &[u32], target: NetworkId);
    fn remove(&self, world: &mut World, entity: Entity);
    /// Takes the component from one entity to another.
    fn carry(&self, world: &mut World, from: Entity, to: Entity);
    /// Tells the type's journal system its number, once all are known.
    fn number(&self, world: &mut World, component: usize);
}

/// What a component that was put on an entity refers to.
pub(crate) struct References {
    /// Whether all of it exists here.
    pub(crate) resolved: bool,
    /// What does.
    pub(crate) found: Vec<NetworkId>,
}

pub(crate) struct TypedComponent<C: Component> {
    pub(crate) codec: Arc<dyn Codec<C>>,
    pub(crate) set: fn(&mut EntityWorldMut, C),
    /// Puts decoded values on their entities, where the type allows that they are written in place.
    pub(crate) set_all: fn(&mut World, &mut Decoded<C>),
    /// Of a relationship: takes it off where its target is not here. Other values go on all the same, with placeholders
    /// until their references resolve.
    pub(crate) end: Option<fn(&mut World, Entity)>,
    pub(crate) decoded: Mutex<Decoded<C>>,
}

/// Reads the words of a value, not more than there may be.
pub(crate) fn read_within_limit<C: 'static>(
    codec: &dyn Codec<C>,
    baseline: Option<Baseline>,
    reader: &mut BitReader,
    words: &mut Vec<u32>,
) -> Result<(), RecordError> {
    let start = words.len();
    codec.read(baseline, reader, words)?;
    let length = words.len() - start;
    if length > MAX_COMPONENT_WORDS {
        return Err(RecordError::TooLarge { what: "a component", length, limit: MAX_COMPONENT_WORDS });
    }
    Ok(())
}

/// Values that were decoded, and the query that finds their entities.
pub(crate) struct Decoded<C: Component> {
    pub(crate) values: Vec<(Entity, C)>,
    pub(crate) query: Option<Box<dyn Any + Send>>,
}

impl<C: Component> Default for Decoded<C> {
    fn default() -> Self {
        Self { values: Vec::new(), query: None }
    }
}

/// Writes values in place. Where the entity lacks the component it is inserted, at once or with others of its kind.
pub(crate) fn set_all_in_place<C: Component<Mutability = Mutable>>(world: &mut World, decoded: &mut Decoded<C>) {
    let query = decoded.query.get_or_insert_with(|| Box::new(world.query::<&mut C>()));
    let Some(query) = query.downcast_mut::<QueryState<&mut C>>() else { return };
    let mut lacking = Vec::new();
    let mut components = query.query_mut(world);
    for (entity, value) in decoded.values.drain(..) {
        match components.get_mut(entity) {
            Ok(mut component) => *component = value,
            Err(_) => lacking.push((entity, value)),
        }
    }
    put_first(world, lacking);
}

/// Inserts values, one after the other.
pub(crate) fn set_all_anew<C: Component>(world: &mut World, decoded: &mut Decoded<C>) {
    let mut lacking = Vec::new();
    let gathers = is_of_a_kind::<C>(world);
    for (entity, value) in decoded.values.drain(..) {
        if gathers && world.get::<C>(entity).is_none() {
            lacking.push((entity, value));
        } else if let Ok(mut entity) = world.get_entity_mut(entity) {
            entity.insert(value);
        }
    }
    put_first(world, lacking);
}

/// The codec and number of `C`, for its journal system.
#[derive(Resource)]
pub(crate) struct ComponentCodec<C: Component> {
    pub(crate) codec: Arc<dyn Codec<C>>,
    pub(crate) component: usize,
    pub(crate) direction: Direction,
}

impl<C: Component> ErasedComponent for TypedComponent<C> {
    fn describe(&self) -> String {
        self.codec.describe()
    }

    fn continues_motion(&self) -> bool {
        self.codec.continues_motion()
    }

    fn puts(&self) -> Vec<TypeId> {
        vec![TypeId::of::<C>()]
    }

    fn write(&self, baseline: Option<Baseline>, words: &[u32], writer: &mut BitWriter) {
        self.codec.write(baseline, words, writer);
    }

    fn read(
        &self,
        baseline: Option<Baseline>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        read_within_limit(self.codec.as_ref(), baseline, reader, words)
    }

    fn quantize(&self, world: &World, entity: Entity, words: &mut Vec<u32>) -> Option<bool> {
        let Some(component) = world.get::<C>(entity) else { return Some(false) };
        let mut names = NameEntities::new(world.resource());
        self.codec.quantize(component, &mut names, words).is_ok().then_some(true)
    }

    fn apply(&self, world: &mut World, entity: Entity, words: &[u32]) -> Result<References, RecordError> {
        let mut resolve = ResolveEntities::new(world.resource());
        let value = self.codec.dequantize(words, &mut resolve)?;
        let references = References { resolved: !resolve.is_unresolved(), found: core::mem::take(&mut resolve.found) };
        if let Some(end) = self.end
            && references.found.is_empty()
        {
            // To nothing, or to what is not here: either way no longer to what it was.
            end(world, entity);
        } else if let Ok(mut entity) = world.get_entity_mut(entity) {
            (self.set)(&mut entity, value);
        }
        // An entity that the game despawned by itself takes no more state; the next spawn record brings it back whole.
        Ok(references)
    }

    fn apply_batch(&self, world: &mut World, batch: &mut Batch) {
        // A panic of an observer leaves nothing here that the next batch would not clear.
        let mut decoded = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        let decoded = &mut *decoded;
        decoded.values.clear();
        let mut dropped = Vec::new();
        let mut noted = core::mem::take(&mut batch.noted);
        let mut refused = None;
        let map = world.resource();
        for (entity, place, words) in batch.iter() {
            let mut resolve = ResolveEntities::new(map);
            match self.codec.dequantize(words, &mut resolve) {
                // To nothing, or to what is not here: either way no longer to what it was.
                Ok(_) if self.end.is_some() && resolve.found.is_empty() => dropped.push(entity),
                Ok(value) => decoded.values.push((entity, value)),
                Err(error) => {
                    refused = Some(error);
                    continue;
                }
            }
            if resolve.is_unresolved() || !resolve.found.is_empty() {
                let references = References { resolved: !resolve.is_unresolved(), found: resolve.found };
                noted.push((place, references));
            }
        }
        batch.noted = noted;
        batch.refused = refused;
        (self.set_all)(world, decoded);
        for entity in dropped {
            if let Some(end) = self.end {
                end(world, entity);
            }
        }
    }

    fn detach(&self, world: &mut World, entity: Entity, words: &[u32], target: NetworkId) {
        if self.end.is_some() && words == [target.slot, target.generation] {
            self.remove(world, entity);
        }
    }

    fn remove(&self, world: &mut World, entity: Entity) {
        forget_first::<C>(world, entity);
        if let Ok(mut entity) = world.get_entity_mut(entity) {
            entity.remove::<C>();
        }
    }

    fn carry(&self, world: &mut World, from: Entity, to: Entity) {
        let value = world.get_entity_mut(from).ok().and_then(|mut entity| entity.take::<C>());
        if let (Some(value), Ok(mut entity)) = (value, world.get_entity_mut(to)) {
            entity.insert(value);
        }
    }

    fn number(&self, world: &mut World, component: usize) {
        let direction = world.resource::<Registry>().components.get(component).map(|entry| entry.options.direction);
        world.insert_resource(ComponentCodec::<C> {
            codec: Arc::clone(&self.codec),
            component,
            direction: direction.unwrap_or_default(),
        });
    }
}

pub(crate) struct ComponentEntry {
    pub(crate) name: String,
    pub(crate) lane_name: String,
    pub(crate) options: LaneOptions,
    pub(crate) erased: Arc<dyn ErasedComponent>,
    /// What an owner's values of it must pass.
    pub(crate) validator: Option<Arc<dyn Validate>>,
    /// Its lane and place there, after sealing.
    pub(crate) lane: usize,
}

/// Components that share rate, audience and direction, and travel as one record.
pub(crate) struct Lane {
    pub(crate) components: Vec<usize>,
    pub(crate) options: LaneOptions,
    /// Its records name the value before the baseline too.
    pub(crate) continues_motion: bool,
    /// Where it holds a rigid body and nothing else: the codec of its records' dense form.
    pub(crate) dense: Option<KinematicCodec>,
}

/// All replicated components and lanes.
#[derive(Resource, Default)]
pub(crate) struct Registry {
    pub(crate) components: Vec<ComponentEntry>,
    pub(crate) lanes: Vec<Lane>,
    /// Which lanes have a dense form.
    pub(crate) dense: Vec<usize>,
    /// Who may be told each lane.
    pub(crate) audiences: LaneAudiences,
    /// Components that go on an entity at once.
    pub(crate) kinds: Vec<KindEntry>,
    sealed: bool,
}

impl Registry {
    pub(crate) fn entry(&mut self, name: &str) -> Option<&mut ComponentEntry> {
        assert!(
            !self.sealed,
            "`{name}` is registered for replication after the app was finished: register it in a plugin's `build`"
        );
        self.components.iter_mut().find(|entry| entry.name == name)
    }

    pub(crate) fn add(&mut self, name: String, erased: Arc<dyn ErasedComponent>) {
        if let Some(entry) = self.entry(&name) {
            entry.erased = erased;
            return;
        }
        self.components.push(ComponentEntry {
            lane_name: name.clone(),
            name,
            options: LaneOptions::default(),
            erased,
            validator: None,
            lane: usize::MAX,
        });
    }

    pub(crate) fn add_kind(&mut self, kind: KindEntry) {
        assert!(
            !self.sealed,
            "`replicate_together` was called after the app was finished: call it in a plugin's `build`"
        );
        self.kinds.push(kind);
    }

    /// Sorts components and lanes by name and numbers them.
    ///
    /// # Panics
    /// At start-up, when components of one lane disagree on how it is sent, there are more than [`MAX_LANES`] lanes, a kind
    /// names what is not replicated, or a validator is asked about what no owner sends.
    pub(crate) fn seal(&mut self) {
        if self.sealed {
            return;
        }
        self.sealed = true;
        for kind in &self.kinds {
            kind.check(&self.components);
        }
        self.components.sort_by(|a, b| a.name.cmp(&b.name));
        let mut names: Vec<String> = self.components.iter().map(|entry| entry.lane_name.clone()).collect();
        names.sort();
        names.dedup();
        assert!(
            names.len() <= MAX_LANES,
            "{} lanes are registered, and at most {MAX_LANES} are possible: give components that change together one `.lane(\"name\")`",
            names.len()
        );
        for (lane, name) in names.iter().enumerate() {
            let mut components = Vec::new();
            let mut options: Option<LaneOptions> = None;
            for (index, entry) in self.components.iter_mut().enumerate().filter(|(_, entry)| entry.lane_name == *name) {
                let shared = *options.get_or_insert(entry.options);
                assert!(
                    shared == entry.options,
                    "the components of lane `{name}` must have the same rate, audience and direction; `{}` differs",
                    entry.name
                );
                entry.lane = lane;
                components.push(index);
                assert!(
                    entry.validator.is_none() || entry.options.direction == Direction::FromOwner,
                    "`{}` has a validator, but only the server sends it: add `.from_owner()` to its registration",
                    entry.name
                );
            }
            let continues_motion = components.iter().any(|index| self.components[*index].erased.continues_motion());
            let dense = match components.as_slice() {
                [only] => self.components[*only].erased.dense().copied(),
                _ => None,
            };
            if dense.is_some() {
                self.dense.push(lane);
            }
            self.lanes.push(Lane { components, options: options.unwrap_or_default(), continues_motion, dense });
        }
        self.audiences = self.lanes.iter().map(|lane| lane.options.audience).collect();
    }

    /// A lane that has a dense form, by its place among these, and the codec.
    pub(crate) fn dense_lane(&self, ordinal: u32) -> Option<(usize, &KinematicCodec)> {
        let lane = *self.dense.get(ordinal as usize)?;
        Some((lane, self.lanes.get(lane)?.dense.as_ref()?))
    }

    /// What the handshake compares of one component.
    pub(crate) fn parameters(entry: &ComponentEntry) -> String {
        let LaneOptions { send_every, audience, direction } = entry.options;
        format!(
            "{}, lane {}, every {send_every}, {audience:?}, {direction:?}",
            entry.erased.describe(),
            entry.lane_name
        )
    }
}
