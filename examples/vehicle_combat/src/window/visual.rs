//! What is drawn is not what is replicated: a visual follows its replicated entity, smoothly.
//!
//! Replicated poses jump when datagrams come late and are the truth that physics (on a host) and the next delta start
//! from, so they are never written here. Each drawn thing is an entity of its own that points at the replicated one,
//! and goes with it when it despawns.

use bevy::prelude::*;
use bevy_slipstream::prelude::Controlled;

use crate::vehicle::Vehicle;

/// On a visual: the replicated entity it is drawn for.
#[derive(Component)]
#[relationship(relationship_target = Visuals)]
pub(super) struct VisualOf(pub Entity);

/// On a replicated entity: its visuals, despawned with it.
#[derive(Component)]
#[relationship_target(relationship = VisualOf, linked_spawn)]
pub(super) struct Visuals(Vec<Entity>);

/// How a visual approaches the replicated pose.
#[derive(Component, Clone, Copy)]
pub(super) struct Smoothing {
    /// Share of the remaining distance covered per second, as the rate of an exponential.
    pub rate: f32,
    /// Distances beyond this (metres) are teleports: no sliding through the arena.
    pub snap_distance: f32,
}

impl Smoothing {
    /// For vehicles: hides the jitter of a bad connection at a cost of 50 ms.
    pub const VEHICLE: Self = Self { rate: 20.0, snap_distance: 3.0 };
    /// For rockets, which cover more than a vehicle's snap distance in those 50 ms.
    pub const ROCKET: Self = Self { rate: 40.0, snap_distance: 12.0 };
}

/// The drawn pose of the vehicle that this window's player drives; `None` before it has one.
#[derive(Resource, Default)]
pub(super) struct OwnPose(pub Option<Transform>);

/// Moves every visual towards its replicated entity.
pub(super) fn follow_replicated_poses(
    time: Res<Time>,
    replicated: Query<&Transform, With<Visuals>>,
    mut visuals: Query<(&VisualOf, &Smoothing, &mut Transform), Without<Visuals>>,
) {
    for (visual_of, smoothing, mut drawn) in &mut visuals {
        if let Ok(target) = replicated.get(visual_of.0) {
            *drawn = approached(*drawn, *target, *smoothing, time.delta_secs());
        }
    }
}

/// Remembers where the own vehicle is drawn, for the camera and the interface.
pub(super) fn note_own_pose(
    mut own: ResMut<OwnPose>,
    vehicles: Query<Entity, (With<Vehicle>, With<Controlled>)>,
    visuals: Query<(&VisualOf, &Transform)>,
) {
    own.0 = vehicles.iter().next().and_then(|vehicle| {
        let mut poses = visuals.iter();
        let (_, pose) = poses.find(|(visual_of, _)| visual_of.0 == vehicle)?;
        Some(*pose)
    });
}

/// The share of the way to go in `seconds` when approaching exponentially with `rate` per second.
pub(super) fn blend(rate: f32, seconds: f32) -> f32 {
    1.0 - (-rate * seconds).exp()
}

fn approached(drawn: Transform, target: Transform, smoothing: Smoothing, seconds: f32) -> Transform {
    if drawn.translation.distance(target.translation) > smoothing.snap_distance {
        return target;
    }
    let share = blend(smoothing.rate, seconds);
    Transform {
        translation: drawn.translation.lerp(target.translation, share),
        rotation: drawn.rotation.slerp(target.rotation, share),
        scale: target.scale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_step_is_smoothed_and_a_teleport_is_not() {
        let drawn = Transform::default();
        let near = approached(drawn, Transform::from_xyz(1.0, 0.0, 0.0), Smoothing::VEHICLE, 1.0 / 60.0);
        assert!(near.translation.x > 0.0 && near.translation.x < 1.0);
        let far = approached(drawn, Transform::from_xyz(30.0, 0.0, 0.0), Smoothing::VEHICLE, 1.0 / 60.0);
        assert_eq!(far.translation.x, 30.0);
    }

    #[test]
    fn a_visual_leaves_with_its_replicated_entity() {
        let mut world = World::new();
        let vehicle = world.spawn_empty().id();
        let visual = world.spawn(VisualOf(vehicle)).id();
        world.despawn(vehicle);
        assert!(world.get_entity(visual).is_err());
    }
}
