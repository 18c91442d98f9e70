//! What is replicated, and how: components grouped into lanes.
//!
//! Registration fills a list in any order; [`Registry::seal`] sorts it by name once all plugins are built, so that every
//! peer numbers components and lanes alike however its code is ordered.

use std::sync::Arc;

use bevy::prelude::*;
use slipstream_connection::NetworkId;
use slipstream_wire::{BitReader, BitWriter};

use crate::codec::{Codec, MAX_COMPONENT_WORDS, ResolveEntities};
use crate::error::RecordError;

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

/// Who may receive a component of a visible entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Audience {
    /// Everyone who sees the entity.
    #[default]
    Everyone,
    /// Only the connection that owns the entity.
    Owner,
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
    fn write(&self, baseline: Option<&[u32]>, words: &[u32], writer: &mut BitWriter);
    fn read(&self, baseline: Option<&[u32]>, reader: &mut BitReader, words: &mut Vec<u32>) -> Result<(), RecordError>;
    /// Puts the value on the entity, and says what it refers to.
    fn apply(&self, world: &mut World, entity: Entity, words: &[u32]) -> Result<References, RecordError>;
    /// Takes a relationship off that the words say is to `target`.
    fn detach(&self, world: &mut World, entity: Entity, words: &[u32], target: NetworkId);
    fn remove(&self, world: &mut World, entity: Entity);
    /// Tells the type's journal system its number, once all are known.
    fn number(&self, world: &mut World, component: usize);
}

/// How a decoded value gets onto its entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApplyMode {
    /// Even with unresolved references: they are placeholders until they resolve.
    Always,
    /// Only where its one reference resolves: a relationship to nothing is none.
    WhenResolved,
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
    pub(crate) mode: ApplyMode,
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

    fn write(&self, baseline: Option<&[u32]>, words: &[u32], writer: &mut BitWriter) {
        self.codec.write(baseline, words, writer);
    }

    fn read(&self, baseline: Option<&[u32]>, reader: &mut BitReader, words: &mut Vec<u32>) -> Result<(), RecordError> {
        let start = words.len();
        self.codec.read(baseline, reader, words)?;
        let length = words.len() - start;
        if length > MAX_COMPONENT_WORDS {
            return Err(RecordError::TooLarge { what: "a component", length, limit: MAX_COMPONENT_WORDS });
        }
        Ok(())
    }

    fn apply(&self, world: &mut World, entity: Entity, words: &[u32]) -> Result<References, RecordError> {
        let mut resolve = ResolveEntities::new(world.resource());
        let value = self.codec.dequantize(words, &mut resolve)?;
        let references = References { resolved: !resolve.is_unresolved(), found: core::mem::take(&mut resolve.found) };
        if self.mode == ApplyMode::WhenResolved && references.found.is_empty() {
            // To nothing, or to what is not here: either way no longer to what it was.
            self.remove(world, entity);
        } else if let Ok(mut entity) = world.get_entity_mut(entity) {
            (self.set)(&mut entity, value);
        }
        // An entity that the game despawned by itself takes no more state; the next spawn record brings it back whole.
        Ok(references)
    }

    fn detach(&self, world: &mut World, entity: Entity, words: &[u32], target: NetworkId) {
        if self.mode == ApplyMode::WhenResolved && words == [target.slot, target.generation] {
            self.remove(world, entity);
        }
    }

    fn remove(&self, world: &mut World, entity: Entity) {
        if let Ok(mut entity) = world.get_entity_mut(entity) {
            entity.remove::<C>();
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
    /// Its lane and place there, after sealing.
    pub(crate) lane: usize,
}

/// Components that share rate, audience and direction, and travel as one record.
pub(crate) struct Lane {
    pub(crate) components: Vec<usize>,
    pub(crate) options: LaneOptions,
}

/// All replicated components and lanes.
#[derive(Resource, Default)]
pub(crate) struct Registry {
    pub(crate) components: Vec<ComponentEntry>,
    pub(crate) lanes: Vec<Lane>,
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
            lane: usize::MAX,
        });
    }

    /// Sorts components and lanes by name and numbers them.
    ///
    /// # Panics
    /// At start-up, when components of one lane disagree on how it is sent, or there are more than [`MAX_LANES`] lanes.
    pub(crate) fn seal(&mut self) {
        if self.sealed {
            return;
        }
        self.sealed = true;
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
            }
            self.lanes.push(Lane { components, options: options.unwrap_or_default() });
        }
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
