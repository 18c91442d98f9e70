//! Who should see what: the rules of interest once more, the simple way.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;

/// Whether a connection should see an entity. Nothing here has a team or a position.
pub fn sees(world: &World, connection: Entity, entity: Entity) -> bool {
    let owner = world.get::<Owner>(entity).map(|owner| owner.0);
    let shown = world.get::<VisibleTo>(entity).is_some_and(|visible| visible.includes(connection, owner, false));
    let root = ancestors(world, entity).last().unwrap_or(entity);
    let own = rooms(world, entity);
    let theirs = if own.is_empty() { rooms(world, root) } else { own };
    let ours = rooms(world, connection);
    shown && (theirs.is_empty() || theirs.iter().any(|room| ours.contains(room)))
}

/// An entity, its parent, and so on.
pub fn ancestors(world: &World, entity: Entity) -> impl Iterator<Item = Entity> {
    core::iter::successors(Some(entity), move |at| world.get::<ChildOf>(*at).map(ChildOf::parent))
}

fn rooms(world: &World, of: Entity) -> &[Entity] {
    world.get::<InRooms>(of).map(InRooms::rooms).unwrap_or_default()
}
