//! Teams: what is visible to one's own side only.

use bevy::prelude::*;

/// The side of a replicated entity, or of a connection.
///
/// With [`VisibleTo::Team`](crate::VisibleTo::Team) an entity is seen by its owner and by connections of its team; without a
/// team by its owner alone. Components registered for [`Audience::Team`](crate::Audience::Team) are told to the same.
///
/// To change sides, insert the component anew. A change of an entity costs each connection one check, a change of a
/// connection one check for each entity of both teams.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[component(immutable)]
pub struct Team(pub u32);
