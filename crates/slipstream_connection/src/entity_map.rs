//! The names that entities have on the wire.

use bevy::ecs::entity::{EntityGeneration, EntityHashMap, EntityMapper};
use bevy::platform::collections::HashMap;
use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::NetworkError;

/// The name of a replicated entity: the same on every peer, given out by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NetworkId {
    /// The dense index of the entity. Slots are used again.
    pub slot: u32,
    /// Which use of the slot this is.
    pub generation: u32,
}

impl NetworkId {
    /// The form in which the id travels inside messages: an `Entity` whose index is the slot.
    ///
    /// It names nothing in the local world. The two highest slots do not exist; they become the placeholder.
    #[must_use]
    pub fn to_entity(self) -> Entity {
        Entity::from_raw_u32(self.slot).map_or(Entity::PLACEHOLDER, |entity| {
            Entity::from_index_and_generation(entity.index(), EntityGeneration::from_bits(self.generation))
        })
    }

    /// Reads the form of [`NetworkId::to_entity`].
    #[must_use]
    pub fn from_entity(entity: Entity) -> Self {
        Self { slot: entity.index_u32(), generation: entity.generation().to_bits() }
    }
}

/// Which local entity a network id means, and the other way round. Replication fills it, on every role.
#[derive(Resource, Debug, Default)]
pub struct EntityMap {
    to_local: HashMap<NetworkId, Entity>,
    to_network: EntityHashMap<NetworkId>,
    insertions: u64,
}

impl EntityMap {
    /// Notes that `entity` is called `id` on the wire. Earlier names of either are forgotten.
    pub fn insert(&mut self, id: NetworkId, entity: Entity) {
        if let Some(old) = self.to_local.insert(id, entity)
            && old != entity
        {
            self.to_network.remove(&old);
        }
        if let Some(old) = self.to_network.insert(entity, id)
            && old != id
        {
            self.to_local.remove(&old);
        }
        self.insertions += 1;
    }

    /// Forgets an id and returns the entity that had it.
    pub fn remove_network(&mut self, id: NetworkId) -> Option<Entity> {
        let entity = self.to_local.remove(&id)?;
        self.to_network.remove(&entity);
        Some(entity)
    }

    /// Forgets an entity and returns the id that it had.
    pub fn remove_entity(&mut self, entity: Entity) -> Option<NetworkId> {
        let id = self.to_network.remove(&entity)?;
        self.to_local.remove(&id);
        Some(id)
    }

    /// The local entity of an id.
    #[must_use]
    pub fn local(&self, id: NetworkId) -> Option<Entity> {
        self.to_local.get(&id).copied()
    }

    /// The id of a local entity.
    #[must_use]
    pub fn network(&self, entity: Entity) -> Option<NetworkId> {
        self.to_network.get(&entity).copied()
    }

    /// How many entities have a name.
    #[must_use]
    pub fn len(&self) -> usize {
        self.to_local.len()
    }

    /// Whether no entity has a name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.to_local.is_empty()
    }

    /// Forgets everything: a client does when it starts again with another server.
    pub fn clear(&mut self) {
        self.to_local.clear();
        self.to_network.clear();
    }

    /// Grows with each insertion, so that messages which wait for an entity are looked at only when one came.
    pub(crate) fn insertions(&self) -> u64 {
        self.insertions
    }
}

/// Gives the entities inside an outgoing message their wire form.
pub(crate) struct NameEntities<'a> {
    map: &'a EntityMap,
    unknown: Option<Entity>,
}

impl<'a> NameEntities<'a> {
    pub(crate) fn new(map: &'a EntityMap) -> Self {
        Self { map, unknown: None }
    }

    pub(crate) fn finish(self) -> Result<(), NetworkError> {
        self.unknown.map_or(Ok(()), |entity| Err(NetworkError::UnknownEntity(entity)))
    }
}

impl EntityMapper for NameEntities<'_> {
    fn get_mapped(&mut self, source: Entity) -> Entity {
        if source == Entity::PLACEHOLDER {
            return source;
        }
        match self.map.network(source) {
            Some(id) => id.to_entity(),
            None => {
                self.unknown.get_or_insert(source);
                Entity::PLACEHOLDER
            }
        }
    }

    fn set_mapped(&mut self, _source: Entity, _target: Entity) {}
}

/// Turns the wire form inside an incoming message into local entities.
pub(crate) struct ResolveEntities<'a> {
    map: &'a EntityMap,
    unresolved: bool,
}

impl<'a> ResolveEntities<'a> {
    pub(crate) fn new(map: &'a EntityMap) -> Self {
        Self { map, unresolved: false }
    }

    /// Whether the message names an entity that does not exist here (yet).
    pub(crate) fn is_unresolved(&self) -> bool {
        self.unresolved
    }
}

impl EntityMapper for ResolveEntities<'_> {
    fn get_mapped(&mut self, source: Entity) -> Entity {
        if source == Entity::PLACEHOLDER {
            return source;
        }
        self.map.local(NetworkId::from_entity(source)).unwrap_or_else(|| {
            self.unresolved = true;
            Entity::PLACEHOLDER
        })
    }

    fn set_mapped(&mut self, _source: Entity, _target: Entity) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(slot: u32, generation: u32) -> NetworkId {
        NetworkId { slot, generation }
    }

    #[test]
    fn an_id_survives_its_wire_form() {
        for id in [id(0, 0), id(1, 7), id(65_536, u32::MAX), id(u32::MAX - 2, 3)] {
            assert_eq!(NetworkId::from_entity(id.to_entity()), id);
        }
        assert_eq!(id(u32::MAX, 0).to_entity(), Entity::PLACEHOLDER);
    }

    #[test]
    fn a_reused_slot_forgets_its_earlier_entity() {
        let mut world = World::new();
        let (first, second) = (world.spawn_empty().id(), world.spawn_empty().id());
        let mut map = EntityMap::default();
        map.insert(id(4, 0), first);
        map.insert(id(4, 0), second);
        assert_eq!(map.local(id(4, 0)), Some(second));
        assert_eq!(map.network(first), None);
        assert_eq!(map.len(), 1);
    }

    #[test]
    fn an_entity_without_a_name_is_reported() {
        let entity = World::new().spawn_empty().id();
        let map = EntityMap::default();
        let mut names = NameEntities::new(&map);
        assert_eq!(names.get_mapped(entity), Entity::PLACEHOLDER);
        assert_eq!(names.finish(), Err(NetworkError::UnknownEntity(entity)));
    }

    #[test]
    fn an_unknown_id_is_noticed_and_the_placeholder_passes() {
        let map = EntityMap::default();
        let mut resolve = ResolveEntities::new(&map);
        assert_eq!(resolve.get_mapped(Entity::PLACEHOLDER), Entity::PLACEHOLDER);
        assert!(!resolve.is_unresolved());
        resolve.get_mapped(id(9, 1).to_entity());
        assert!(resolve.is_unresolved());
    }
}
