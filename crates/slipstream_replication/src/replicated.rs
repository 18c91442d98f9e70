//! The components that a game puts on its entities, and those it finds on received ones.

use bevy::prelude::*;
use serde::{Deserialize, Serialize};
use slipstream_connection::PeerId;
use slipstream_wire::Tick;

/// Put this on an entity of the server and it exists on every client that may see it.
#[derive(Component, Debug, Clone, Copy, Default)]
#[require(Importance, VisibleTo)]
pub struct Replicated;

/// On a client: this entity came from the server.
///
/// It is inserted last. An observer of `On<Add, Remote>` finds the entity with all its components, its relationships and,
/// where the local peer owns it, [`Controlled`](slipstream_simulation::Controlled). Observers of a single component find
/// those that [`replicate_together`](crate::AppReplicateExt::replicate_together) names with it.
#[derive(Component, Debug, Clone, Copy, Default)]
pub struct Remote;

/// On a client's connection: the newest server tick whose state has arrived.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteTick(pub Tick);

/// How much an entity's state matters where bandwidth is short: twice the importance waits half as long. Default 1.
///
/// No importance starves an entity: what has waited for long goes before what is important, see
/// [`PriorityWeights::max_staleness`](crate::PriorityWeights::max_staleness). With an importance of 0 it waits until
/// then, unless nothing else does. An importance that is negative or not a number counts as 0, one above a million as a
/// million.
#[derive(Component, Debug, Clone, Copy, PartialEq)]
pub struct Importance(pub f32);

impl Default for Importance {
    fn default() -> Self {
        Self(1.0)
    }
}

/// Which connections see an entity. To a client, coming into sight is a spawn and going out of it a despawn.
#[derive(Component, Debug, Clone, PartialEq, Eq, Default)]
pub enum VisibleTo {
    /// Every connection.
    #[default]
    Everyone,
    /// No connection: the entity waits.
    Nobody,
    /// The connection that owns the entity.
    Owner,
    /// The connection that owns the entity, and those of its [`Team`](crate::Team).
    Team,
    /// These connections.
    Only(Vec<Entity>),
    /// All but these connections.
    AllBut(Vec<Entity>),
}

impl VisibleTo {
    /// Whether `connection` sees an entity that `owner` owns; `same_team` where the two are of one team.
    #[must_use]
    pub fn includes(&self, connection: Entity, owner: Option<Entity>, same_team: bool) -> bool {
        match self {
            Self::Everyone => true,
            Self::Nobody => false,
            Self::Owner => owner == Some(connection),
            Self::Team => same_team || owner == Some(connection),
            Self::Only(connections) => connections.contains(&connection),
            Self::AllBut(connections) => !connections.contains(&connection),
        }
    }
}

/// The peer that owns the entity, on every peer. The server derives it from [`Owner`](slipstream_simulation::Owner).
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedBy {
    /// Whose it is.
    pub peer: PeerId,
    /// Which ownership this is: a peer that lost an entity and got it back must not go on where it was.
    pub(crate) term: u32,
}

/// The dense number of a replicated entity, the same on every peer, with the generation that tells reuses apart.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl Slot {
    /// The dense index. It is reused once every connection has acknowledged the despawn.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// How often the index was used before.
    #[must_use]
    pub fn generation(self) -> u32 {
        self.generation
    }
}
