//! Who hangs on whom among entities that have arrived.

use bevy::ecs::entity::EntityHashSet;
use bevy::prelude::*;

use crate::kind::first_value;

/// A hierarchy of more levels is sorted no further: a peer could make a ring.
const DEEPEST: usize = 64;

/// Each of the entities once, every parent before its children, else in the order in which they are given.
pub(crate) fn parents_first(world: &World, mut entities: Vec<Entity>) -> Vec<Entity> {
    let mut seen = EntityHashSet::default();
    entities.retain(|entity| seen.insert(*entity));
    entities.sort_by_cached_key(|entity| depth(world, *entity));
    entities
}

fn depth(world: &World, entity: Entity) -> usize {
    core::iter::successors(Some(entity), |entity| parent(world, *entity)).take(DEEPEST).count()
}

/// The parent that an entity has, or is about to get.
fn parent(world: &World, entity: Entity) -> Option<Entity> {
    let child = first_value::<ChildOf>(world, entity).or_else(|| world.get::<ChildOf>(entity))?;
    Some(child.parent())
}
