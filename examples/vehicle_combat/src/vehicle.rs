//! The vehicle: a box on four sprung wheels.
//!
//! Numbers: 3.6 × 1.8 × 0.7 m, 900 kg with the mass low down, wheels of 0.4 m radius on 0.35 m of suspension; at rest
//! the body's centre is 0.7 m above the ground. Forward is -Z. [`drive`](crate::drive) makes it move.

use std::f32::consts::TAU;

use bevy::prelude::*;
use bevy_rapier3d::prelude::{
    CoefficientCombineRule, Collider, ColliderMassProperties, Damping, ExternalImpulse, Friction, MassProperties,
    RigidBody, Sleeping, Velocity,
};
use serde::{Deserialize, Serialize};

/// Half the chassis' width, height and length, in metres.
pub const CHASSIS_HALF_EXTENTS: Vec3 = Vec3::new(0.9, 0.35, 1.8);

/// The wheels' radius, in metres.
pub const WHEEL_RADIUS: f32 = 0.4;

/// How far the springs reach at rest, in metres.
pub const SUSPENSION_REST: f32 = 0.35;

/// Where the suspension is fixed to the chassis: front left, front right, rear left, rear right. A wheel's centre is
/// its [`WheelPose::travel`] below.
pub const WHEEL_OFFSETS: [Vec3; 4] =
    [Vec3::new(-0.8, 0.0, -1.25), Vec3::new(0.8, 0.0, -1.25), Vec3::new(-0.8, 0.0, 1.25), Vec3::new(0.8, 0.0, 1.25)];

/// The distance between the axles, in metres.
pub const WHEEL_BASE: f32 = 2.5;

/// How high above the ground the chassis' centre rides, in metres.
pub const RIDE_HEIGHT: f32 = 0.7;

/// The vehicle's mass, in kilogrammes.
pub const MASS: f32 = 900.0;

/// The front wheels never turn further than this, in radians.
pub const MAX_STEER: f32 = 0.85;

/// Marks a vehicle.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vehicle;

/// How the wheels stand, for drawing. It travels in six bytes.
#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "PackedWheelPose", into = "PackedWheelPose")]
pub struct WheelPose {
    /// The angle of the front wheels in radians; positive is to the left, as a rotation about +Y.
    pub steer: f32,
    /// The length of each suspension in metres, in the order of [`WHEEL_OFFSETS`].
    pub travel: [f32; 4],
    /// How far the wheels have rolled, in radians, 0..2π. Rolling forward turns a wheel by `-spin` about +X.
    pub spin: f32,
}

impl Default for WheelPose {
    fn default() -> Self {
        Self { steer: 0.0, travel: [SUSPENSION_REST; 4], spin: 0.0 }
    }
}

/// The longest suspension that [`PackedWheelPose`] can say.
const MAX_TRAVEL: f32 = 0.8;

#[derive(Serialize, Deserialize)]
struct PackedWheelPose {
    steer: i8,
    travel: [u8; 4],
    spin: u8,
}

impl From<WheelPose> for PackedWheelPose {
    fn from(pose: WheelPose) -> Self {
        Self {
            steer: (pose.steer / MAX_STEER * 127.0).round().clamp(-127.0, 127.0) as i8,
            travel: pose.travel.map(|travel| (travel / MAX_TRAVEL * 255.0).round().clamp(0.0, 255.0) as u8),
            spin: ((pose.spin / TAU * 256.0).round().rem_euclid(256.0)) as u8,
        }
    }
}

impl From<PackedWheelPose> for WheelPose {
    fn from(packed: PackedWheelPose) -> Self {
        Self {
            steer: f32::from(packed.steer) / 127.0 * MAX_STEER,
            travel: packed.travel.map(|travel| f32::from(travel) / 255.0 * MAX_TRAVEL),
            spin: f32::from(packed.spin) / 256.0 * TAU,
        }
    }
}

/// The physical part of a vehicle, on the server: a dynamic body that never sleeps, for its springs must carry it.
#[must_use]
pub fn vehicle_body(at: Transform) -> impl Bundle {
    (
        at,
        RigidBody::Dynamic,
        Collider::cuboid(CHASSIS_HALF_EXTENTS.x, CHASSIS_HALF_EXTENTS.y, CHASSIS_HALF_EXTENTS.z),
        // The mass sits low and resists rolling more than a box would, so that a hard turn slides and does not tip.
        ColliderMassProperties::MassProperties(MassProperties {
            local_center_of_mass: Vec3::new(0.0, -0.25, 0.0),
            mass: MASS,
            principal_inertia_local_frame: Quat::IDENTITY,
            principal_inertia: Vec3::new(1000.0, 1000.0, 450.0),
        }),
        // The wheels hold the road; the body glides along walls.
        Friction { coefficient: 0.2, combine_rule: CoefficientCombineRule::Min },
        Damping { linear_damping: 0.0, angular_damping: 0.6 },
        Velocity::zero(),
        ExternalImpulse::default(),
        Sleeping::disabled(),
    )
}

/// The yaw of a rotation: the angle about +Y by which its forward is turned from -Z, in radians.
#[must_use]
pub fn yaw_of(rotation: Quat) -> f32 {
    let forward = rotation * Vec3::NEG_Z;
    if forward.x.hypot(forward.z) > 0.1 {
        return (-forward.x).atan2(-forward.z);
    }
    // Standing on its nose or tail: take the direction from the axles instead.
    let right = rotation * Vec3::X;
    (-right.z).atan2(right.x)
}

/// Where on or in the chassis at `transform` the point nearest to `point` is.
#[must_use]
pub fn nearest_point_on_chassis(transform: &Transform, point: Vec3) -> Vec3 {
    let local = transform.rotation.inverse() * (point - transform.translation);
    transform.translation + transform.rotation * local.clamp(-CHASSIS_HALF_EXTENTS, CHASSIS_HALF_EXTENTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_wheel_pose_packs_the_same_again() {
        for byte in 0..=255_u8 {
            let steer = (byte as i8).max(-127);
            let pose = WheelPose::from(PackedWheelPose { steer, travel: [byte, 0, 255, 7], spin: byte });
            let packed = PackedWheelPose::from(pose);
            assert_eq!((packed.steer, packed.travel, packed.spin), (steer, [byte, 0, 255, 7], byte));
        }
    }

    #[test]
    fn yaw_is_the_angle_about_the_vertical() {
        for yaw in [-3.0, -1.0, 0.0, 0.5, 2.5] {
            assert!((yaw_of(Quat::from_rotation_y(yaw)) - yaw).abs() < 1e-4);
            let pitched = Quat::from_rotation_y(yaw) * Quat::from_rotation_x(0.4);
            assert!((yaw_of(pitched) - yaw).abs() < 1e-4);
        }
    }

    #[test]
    fn the_nearest_point_lies_on_the_chassis() {
        let at = Transform::from_xyz(10.0, 1.0, 0.0).with_rotation(Quat::from_rotation_y(std::f32::consts::FRAC_PI_2));
        let nearest = nearest_point_on_chassis(&at, Vec3::new(20.0, 1.0, 0.0));
        assert!(nearest.distance(Vec3::new(11.8, 1.0, 0.0)) < 1e-4, "{nearest}");
    }
}
