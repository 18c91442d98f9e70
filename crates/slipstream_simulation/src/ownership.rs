//! Who owns an entity, and which entities the local player controls.

use bevy::prelude::*;
use slipstream_connection::LocalConnection;

/// This entity belongs to a connection: its peer may set the entity's inputs.
///
/// Lives on the server and on a host; clients see [`Controlled`] instead. When the connection
/// leaves, the relationship goes and the entity stays: whether it is despawned is the game's rule.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
#[relationship(relationship_target = Owned)]
pub struct Owner(pub Entity);

/// The entities that a connection owns; kept by Bevy from [`Owner`].
#[derive(Component, Debug, Default, PartialEq, Eq)]
#[relationship_target(relationship = Owner)]
pub struct Owned(Vec<Entity>);

impl Owned {
    /// The owned entities, in the order in which they were given.
    pub fn entities(&self) -> &[Entity] {
        &self.0
    }
}

/// The local player owns this entity, and its input components are what this peer sends.
///
/// On a client replication puts it on; on a host it follows from an [`Owner`] that is the host's
/// own connection.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Controlled;

/// Puts [`Controlled`] on what a host's own player owns.
pub(crate) struct OwnershipPlugin;

impl Plugin for OwnershipPlugin {
    fn build(&self, app: &mut App) {
        app.add_observer(take_local_control).add_observer(release_local_control);
    }
}

fn take_local_control(
    inserted: On<Insert, Owner>,
    owners: Query<&Owner>,
    locals: Query<(), With<LocalConnection>>,
    mut commands: Commands,
) {
    // Only a host has a local connection; elsewhere `Controlled` is not this observer's to set.
    if locals.is_empty() {
        return;
    }
    let Ok(owner) = owners.get(inserted.entity) else {
        return;
    };
    let mut owned = commands.entity(inserted.entity);
    if locals.contains(owner.0) {
        owned.try_insert(Controlled);
    } else {
        owned.try_remove::<Controlled>();
    }
}

fn release_local_control(
    removed: On<Remove, Owner>,
    owners: Query<&Owner>,
    locals: Query<(), With<LocalConnection>>,
    mut commands: Commands,
) {
    if owners.get(removed.entity).is_ok_and(|owner| locals.contains(owner.0)) {
        commands.entity(removed.entity).try_remove::<Controlled>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owned_lists_what_a_connection_owns_and_forgets_what_it_gave_away() {
        let mut world = World::new();
        let alice = world.spawn_empty().id();
        let bob = world.spawn_empty().id();
        let car = world.spawn(Owner(alice)).id();
        let boat = world.spawn(Owner(alice)).id();
        assert_eq!(world.get::<Owned>(alice).map(|owned| owned.entities().to_vec()), Some(vec![car, boat]));
        world.entity_mut(car).insert(Owner(bob));
        assert_eq!(world.get::<Owned>(alice).map(|owned| owned.entities().to_vec()), Some(vec![boat]));
        world.despawn(bob);
        assert!(world.get::<Owner>(car).is_none());
        assert!(world.get_entity(car).is_ok(), "the entity outlives its owner");
    }
}
