//! What a client keeps of an entity that went out of its sight.

use bevy::prelude::*;

/// What a replicated entity's leaving of a connection's interest looks like there. Default: it is despawned.
///
/// It counts whatever the reason is: distance, rooms, teams, a filter or [`VisibleTo`](crate::VisibleTo). When the entity is
/// despawned on the server, it goes from the clients that show it frozen too.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[component(immutable)]
pub enum OnLeave {
    /// The client despawns it.
    #[default]
    Despawn,
    /// The client keeps it as it was last told, with [`Frozen`] on it: a remembered building, a base seen once in the fog of
    /// war. Back in sight, it is brought up to date at once.
    ///
    /// A connection's memory then grows with everything of this kind that it has ever seen.
    ///
    /// Entities with a [`StableId`](crate::StableId) freeze, whatever this component says.
    Freeze,
}

/// On a client: this entity is out of sight, and what it shows may be true no longer.
///
/// It is put on by replication and taken off before the entity's newer state is shown. It is seen in queries like any
/// component: a simulation leaves frozen entities alone, a renderer draws them grey.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frozen;
