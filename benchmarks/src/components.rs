//! What the entities of the benchmarks are made of, for every peer.
//!
//! Slipstream replicates the pose as Bevy's `Transform`, without its scale; the others, which would send the scale too, as
//! [`Pose`] with the same seven numbers.

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use crate::motion::Body;

/// Which body of [`motion`](crate::motion) an entity is. Not replicated.
#[derive(Component, Clone, Copy)]
pub struct Index(pub u32);

/// The entity moves. Not replicated.
#[derive(Component, Clone, Copy)]
pub struct Moves;

/// Where a body is, and how it is turned: 7 f32.
#[derive(Component, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pose {
    pub position: Vec3,
    pub rotation: Quat,
}

/// How fast a body moves and turns: 6 f32.
#[derive(Component, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Motion {
    pub linear: Vec3,
    pub angular: Vec3,
}

/// Changes only where a benchmark says so.
#[derive(Component, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Health(pub f32);

/// The fourth component of static worlds.
#[derive(Component, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Team(pub u32);

impl From<&Body> for Pose {
    fn from(body: &Body) -> Self {
        Self { position: body.position, rotation: body.rotation }
    }
}

impl From<&Body> for Motion {
    fn from(body: &Body) -> Self {
        Self { linear: body.linear, angular: body.angular }
    }
}
