//! The phases of replication within a frame.

use bevy::prelude::*;

/// The phases, in order. The first runs once a frame, the others once a tick.
#[derive(SystemSet, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplicationSystems {
    /// `PreUpdate`: acknowledgements are settled, received records become components.
    Apply,
    /// `FixedPostUpdate`: what changed in this tick is quantised.
    Journal,
    /// `FixedPostUpdate`: what each connection should see is decided.
    Interest,
    /// `FixedPostUpdate`: each connection's datagrams are filled.
    Pack,
}
