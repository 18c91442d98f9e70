//! How a component becomes words, and words become bits.
//!
//! A component is **quantised** into a short run of `u32` words. The words are what is compared, stored as history and
//! delta-coded, so two values that are equal on the wire are equal everywhere. A codec writes words either in full or as
//! the difference from a baseline that the receiver has acknowledged.

mod relationship;
mod serde;
mod transform;

pub use self::relationship::RelationshipCodec;
pub use self::serde::SerdeCodec;
pub use self::transform::TransformCodec;

use bevy::ecs::entity::EntityMapper;
use bevy::prelude::*;
use slipstream_connection::{EntityMap, NetworkId};
use slipstream_wire::{Baseline, BitReader, BitWriter};

use crate::error::RecordError;

/// The most words that one component may take: 16 KiB. Larger state belongs into several components or a message.
pub const MAX_COMPONENT_WORDS: usize = 4096;

/// Turns a component into words and back, and words into bits and back.
///
/// `quantize(dequantize(words)) == words` must hold for every value that `read` accepts: a relayed value must not drift.
pub trait Codec<C>: Send + Sync + 'static {
    /// The parameters, as text. Both sides compare them in the handshake, so that a different range or step is refused by name.
    fn describe(&self) -> String;

    /// Appends the component's words.
    ///
    /// # Errors
    /// When the component can't be represented, with the reason in words.
    fn quantize(&self, component: &C, entities: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError>;

    /// The component that the words stand for.
    ///
    /// # Errors
    /// When the words do not stand for a value of `C`.
    fn dequantize(&self, words: &[u32], entities: &mut ResolveEntities) -> Result<C, RecordError>;

    /// Writes the words, as a difference from `baseline` where there is one.
    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter);

    /// Reads what [`Codec::write`] wrote against the same baseline and appends the words.
    ///
    /// # Errors
    /// When the bits do not stand for words. Never panics, and appends at most [`MAX_COMPONENT_WORDS`].
    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError>;

    /// Whether a difference is smaller where the receiver's value before the baseline is known too: for what moves and
    /// whose velocity does not travel. Records of such a component name that value as well.
    fn continues_motion(&self) -> bool {
        false
    }
}

/// Maps entities in received components to local ones, and remembers whether all of them exist here yet.
pub struct ResolveEntities<'a> {
    map: &'a EntityMap,
    unresolved: bool,
    /// What was found: it may go and come back.
    pub(crate) found: Vec<NetworkId>,
}

impl<'a> ResolveEntities<'a> {
    /// A resolver over the map of what is replicated here.
    #[must_use]
    pub fn new(map: &'a EntityMap) -> Self {
        Self { map, unresolved: false, found: Vec::new() }
    }

    /// Whether an entity was asked for that does not exist here yet. The component is applied again when it does.
    #[must_use]
    pub fn is_unresolved(&self) -> bool {
        self.unresolved
    }

    /// The local entity of a network id, or the placeholder, which is noted.
    pub fn resolve(&mut self, id: NetworkId) -> Entity {
        let Some(entity) = self.map.local(id) else {
            self.unresolved = true;
            return Entity::PLACEHOLDER;
        };
        self.found.push(id);
        entity
    }
}

impl EntityMapper for ResolveEntities<'_> {
    fn get_mapped(&mut self, source: Entity) -> Entity {
        if source == Entity::PLACEHOLDER {
            return source;
        }
        self.resolve(NetworkId::from_entity(source))
    }

    fn set_mapped(&mut self, _source: Entity, _target: Entity) {}
}

/// Maps local entities in a component to their wire form, and remembers whether all of them have one yet.
pub struct NameEntities<'a> {
    map: &'a EntityMap,
    unnamed: bool,
}

impl<'a> NameEntities<'a> {
    /// A namer over the map of what is replicated here.
    #[must_use]
    pub fn new(map: &'a EntityMap) -> Self {
        Self { map, unnamed: false }
    }

    /// Whether an entity was named that is not replicated, or not yet. The component is quantised again in the next tick.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        self.unnamed
    }

    /// The network id of a local entity, or `None` where it is not replicated, which is noted.
    pub fn name(&mut self, entity: Entity) -> Option<NetworkId> {
        let id = self.map.network(entity);
        self.unnamed |= id.is_none();
        id
    }
}

impl EntityMapper for NameEntities<'_> {
    fn get_mapped(&mut self, source: Entity) -> Entity {
        if source == Entity::PLACEHOLDER {
            return source;
        }
        self.name(source).map_or(Entity::PLACEHOLDER, NetworkId::to_entity)
    }

    fn set_mapped(&mut self, _source: Entity, _target: Entity) {}
}
