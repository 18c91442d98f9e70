//! Entities that both sides load: matched by an id, not spawned.

use bevy::platform::collections::HashMap;
use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use crate::registry::Decoded;
use crate::replicated::Slot;

/// The same entity on both sides: a gate of a level that server and client load by themselves.
///
/// Put it on the entity of the server, with [`Replicated`](crate::Replicated), and with the same id on the client's.
/// When the entity comes into the client's sight, none is spawned there: the client's own is **adopted**. It gets
/// [`Remote`](crate::Remote) and what the server replicates of it, and keeps everything else that it has.
///
/// * Where the level is still loading, an entity of replication's own stands in. It gives way as soon as the level's
///   appears, and references to it follow.
/// * Out of sight, the entity stays, [`Frozen`](crate::Frozen), as with [`OnLeave::Freeze`](crate::OnLeave::Freeze).
///   Back in sight, it is brought up to date.
/// * When the server despawns it, the client's goes too.
/// * When the connection ends, it stays as it is, and is the client's alone. The next connection adopts it again.
/// * What hangs on an entity of the level that is not replicated goes on hanging there.
///
/// An id is one entity's: of two that a client has, the first is adopted, and a second one of the server's is spawned.
///
/// A client learns that something is despawned only if it has had it in sight: who joins later has it in the level
/// again. What may be destroyed is better marked with a component that is replicated than despawned.
///
/// ```
/// use bevy::prelude::*;
/// use serde::{Deserialize, Serialize};
/// use slipstream_replication::{Replicated, StableId};
///
/// #[derive(Component, Clone, Serialize, Deserialize)]
/// struct Gate {
///     open: bool,
/// }
///
/// /// Run on both sides. `Replicated` says nothing on a client.
/// fn load_level(mut commands: Commands) {
///     commands.spawn((Replicated, StableId::named("north gate"), Gate { open: false }));
/// }
/// ```
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[component(immutable)]
pub struct StableId(pub u64);

impl StableId {
    /// The id of a name: its FNV-1a hash of 64 bits, over the bytes of its UTF-8. It is the same on every platform and
    /// in every version.
    #[must_use]
    pub const fn named(name: &str) -> Self {
        let bytes = name.as_bytes();
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut position = 0;
        while position < bytes.len() {
            hash = (hash ^ bytes[position] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            position += 1;
        }
        Self(hash)
    }
}

/// On a client: the entity was here before replication came to it, and stays when it goes.
#[derive(Component, Debug, Clone, Copy, Default)]
pub(crate) struct Adopted;

/// This world's entities by their ids.
#[derive(Resource, Debug, Default)]
pub(crate) struct StableEntities {
    /// In the order in which they came.
    by_id: HashMap<StableId, Vec<Entity>>,
    /// Ids of entities that came since the last frame, of the level or of replication: one may take the other's place.
    pub(crate) noted: Vec<StableId>,
}

impl StableEntities {
    fn add(&mut self, id: StableId, entity: Entity) {
        let entities = self.by_id.entry(id).or_default();
        if !entities.contains(&entity) {
            entities.push(entity);
        }
    }
}

/// An entity got an id.
pub(crate) fn note_stable_id(
    inserted: On<Insert, StableId>,
    entities: Query<(&StableId, Has<Adopted>)>,
    mut stable: ResMut<StableEntities>,
) {
    let Ok((id, adopted)) = entities.get(inserted.entity) else { return };
    stable.add(*id, inserted.entity);
    if !adopted {
        stable.noted.push(*id);
    }
}

/// An entity loses its id, or gets another.
pub(crate) fn forget_stable_id(
    discarded: On<Discard, StableId>,
    entities: Query<&StableId>,
    mut stable: ResMut<StableEntities>,
) {
    let Ok(id) = entities.get(discarded.entity) else { return };
    let Some(same) = stable.by_id.get_mut(id) else { return };
    same.retain(|entity| *entity != discarded.entity);
    if same.is_empty() {
        stable.by_id.remove(id);
    }
}

/// Notes the ids of entities that came before anybody observed it.
pub(crate) fn note_present(world: &mut World) {
    let mut entities = world.query::<(Entity, &StableId)>();
    let present: Vec<(Entity, StableId)> = entities.iter(world).map(|(entity, id)| (entity, *id)).collect();
    let mut stable = world.resource_mut::<StableEntities>();
    for (entity, id) in present {
        stable.add(id, entity);
    }
}

/// Puts a received id on its entity. One that has it already keeps its place among those of the same id.
pub(crate) fn set_id(entity: &mut EntityWorldMut, id: StableId) {
    if entity.get::<StableId>() != Some(&id) {
        entity.insert(id);
    }
}

/// The same for many.
pub(crate) fn set_all_ids(world: &mut World, decoded: &mut Decoded<StableId>) {
    for (entity, id) in decoded.values.drain(..) {
        // An entity that the game despawned by itself takes no more state.
        if let Ok(mut entity) = world.get_entity_mut(entity) {
            set_id(&mut entity, id);
        }
    }
}

/// The entity of this side that replication may take for an id. `None` where there is none, or one is taken already.
pub(crate) fn local_of(world: &World, id: StableId) -> Option<Entity> {
    let same = world.resource::<StableEntities>().by_id.get(&id)?;
    if same.iter().any(|entity| world.get::<Adopted>(*entity).is_some()) {
        return None;
    }
    let is_local = |entity: &Entity| world.get_entity(*entity).is_ok_and(|entity| !entity.contains::<Slot>());
    let mut locals = same.iter().copied().filter(is_local);
    let first = locals.next()?;
    if locals.next().is_some() {
        warn_once!("{id:?} is on several entities of this world, and only the first is adopted: give each its own id");
    }
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_id_that_fnv_gives_it() {
        assert_eq!(StableId::named(""), StableId(0xcbf2_9ce4_8422_2325));
        assert_eq!(StableId::named("a"), StableId(0xaf63_dc4c_8601_ec8c));
        assert_eq!(StableId::named("foobar"), StableId(0x8594_4171_f739_67e8));
    }

    fn observed() -> World {
        let mut world = World::new();
        world.init_resource::<StableEntities>();
        world.add_observer(note_stable_id);
        world.add_observer(forget_stable_id);
        world
    }

    #[test]
    fn the_first_of_an_id_is_found_until_it_is_gone() {
        let mut world = observed();
        let id = StableId::named("gate");
        assert_eq!(local_of(&world, id), None);
        let first = world.spawn(id).id();
        let second = world.spawn(id).id();
        assert_eq!(local_of(&world, id), Some(first));
        world.despawn(first);
        assert_eq!(local_of(&world, id), Some(second));
        world.entity_mut(second).insert(StableId(7));
        assert_eq!((local_of(&world, id), local_of(&world, StableId(7))), (None, Some(second)));
        world.entity_mut(second).remove::<StableId>();
        assert!(world.resource::<StableEntities>().by_id.is_empty(), "nothing is kept of what is gone");
    }

    #[test]
    fn an_id_is_taken_once() {
        let mut world = observed();
        let id = StableId(3);
        world.spawn((id, Slot { index: 0, generation: 0 }));
        assert_eq!(local_of(&world, id), None, "that is replication's own");
        let first = world.spawn(id).id();
        assert_eq!(local_of(&world, id), Some(first));
        world.entity_mut(first).insert((Slot { index: 1, generation: 0 }, Adopted));
        world.spawn(id);
        assert_eq!(local_of(&world, id), None);
    }

    #[test]
    fn what_was_there_before_is_found_too() {
        let mut world = World::new();
        world.init_resource::<StableEntities>();
        let early = world.spawn(StableId(5)).id();
        note_present(&mut world);
        assert_eq!(local_of(&world, StableId(5)), Some(early));
    }
}
