//! Where a connection looks from, and how far.

use bevy::prelude::*;

use super::Axes;

/// Limits what connections see by distance. Without this resource nothing is limited.
///
/// Entities take part with the `Transform` of their root: a root entity with a `Transform` and no [`AlwaysRelevant`], and
/// everything replicated below it. All others are in sight everywhere: those without a `Transform`, and those below a root
/// that is not replicated. It is `Transform` and not `GlobalTransform` because that is true in the tick it was written, also
/// on a server without Bevy's transform plugin; for a root they are the same.
///
/// An entity comes into sight within `enter` of one of the connection's [`Viewpoint`]s, and goes when it is beyond `leave`
/// of all of them. What lies between stays as it is, so that nothing flickers at the border. A new entity is looked at in
/// its first tick, one that moves every few. A connection always sees what it owns.
///
/// ```
/// use bevy::prelude::*;
/// use slipstream_replication::SpatialInterest;
///
/// fn limit_sight(app: &mut App) {
///     app.insert_resource(SpatialInterest::within(150.0));
/// }
/// ```
#[derive(Resource, Debug, Clone, Copy, PartialEq)]
pub struct SpatialInterest {
    /// The edge of a grid cell, in metres: about half of `enter` is good. Smaller cells are more to visit, larger ones hold
    /// more that is too far.
    pub cell: f32,
    /// For viewpoints without a [`Vicinity`]: the distance at which entities come into sight, in metres.
    pub enter: f32,
    /// The distance at which they go, in metres; not less than `enter`.
    pub leave: f32,
    /// Over which axes the cells lie.
    pub axes: Axes,
    /// Each connection's neighbourhood is looked at once in so many ticks. Connections take turns.
    pub every_ticks: u32,
}

impl SpatialInterest {
    /// Entities come into sight within `enter` metres and go beyond a fifth more; looked at every 4 ticks.
    #[must_use]
    pub fn within(enter: f32) -> Self {
        let Vicinity { enter, leave } = Vicinity::within(enter);
        Self { cell: enter * 0.5, enter, leave, axes: Axes::default(), every_ticks: 4 }
    }

    pub(super) fn vicinity(&self) -> Vicinity {
        Vicinity { enter: self.enter, leave: self.leave }
    }
}

/// A connection sees from here: put it on the player's vehicle, or on the connection itself for a free camera.
///
/// A connection's viewpoints are those on its own entity and on the entities it owns. Its position is the `Transform` of the
/// entity's root; without one it is no viewpoint. A connection that loses its last viewpoint, when its vehicle is destroyed,
/// goes on looking from where that was last. One that never had any sees nothing that takes part in [`SpatialInterest`], but
/// for what it owns.
#[derive(Component, Debug, Clone, Copy, Default)]
pub struct Viewpoint;

/// How far a [`Viewpoint`] sees, where that differs from [`SpatialInterest`]: a radar, binoculars.
#[derive(Component, Debug, Clone, Copy, PartialEq)]
pub struct Vicinity {
    /// The distance at which entities come into sight, in metres.
    pub enter: f32,
    /// The distance at which they go, in metres. Less than `enter` counts as `enter`.
    pub leave: f32,
}

impl Vicinity {
    /// Entities come into sight within `enter` metres and go beyond a fifth more.
    #[must_use]
    pub fn within(enter: f32) -> Self {
        Self { enter, leave: enter * 1.2 }
    }
}

/// This entity, and everything below it, is in sight at any distance: a flag, a boss, the sun. It counts on roots only.
#[derive(Component, Debug, Clone, Copy, Default)]
pub struct AlwaysRelevant;
