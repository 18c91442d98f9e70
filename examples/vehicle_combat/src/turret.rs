//! The turret: it looks where the driver aims, apart from where the vehicle goes.
//!
//! Numbers: it turns at 4.5 rad/s and tilts at 2.5 rad/s, between 15° down and 40° up. The muzzle is 1.6 m before the
//! turret's pivot, inside the chassis' length.

use std::f32::consts::PI;

use bevy::prelude::*;
use leafwing_input_manager::prelude::ActionState;
use serde::{Deserialize, Serialize};

use crate::actions::{DriveAction, DriveCommand};
use crate::health::Wreck;
use crate::pace::TICK_SECONDS;
use crate::vehicle::Vehicle;

/// Where the turret turns, from the chassis' centre.
pub const TURRET_OFFSET: Vec3 = Vec3::new(0.0, 0.5, 0.2);

/// Where shots leave, from the turret's pivot, while it looks ahead.
pub const MUZZLE_OFFSET: Vec3 = Vec3::new(0.0, 0.1, -1.6);

/// Radians a second about the vertical.
const YAW_RATE: f32 = 4.5;
/// Radians a second up and down.
const PITCH_RATE: f32 = 2.5;
const MIN_PITCH: f32 = -0.26;
const MAX_PITCH: f32 = 0.7;

/// Where the turret looks, relative to the chassis. It travels in four bytes.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "PackedTurret", into = "PackedTurret")]
pub struct Turret {
    /// Radians about the chassis' +Y, -π..π; 0 is forward, positive to the left.
    pub yaw: f32,
    /// Radians up.
    pub pitch: f32,
}

#[derive(Serialize, Deserialize)]
struct PackedTurret {
    yaw: i16,
    pitch: i16,
}

const STEPS: f32 = 32_767.0;

impl From<Turret> for PackedTurret {
    fn from(turret: Turret) -> Self {
        let pack = |angle: f32| (angle / PI * STEPS).round().clamp(-STEPS, STEPS) as i16;
        Self { yaw: pack(turret.yaw), pitch: pack(turret.pitch) }
    }
}

impl From<PackedTurret> for Turret {
    fn from(packed: PackedTurret) -> Self {
        let unpack = |angle: i16| f32::from(angle) / STEPS * PI;
        Self { yaw: unpack(packed.yaw), pitch: unpack(packed.pitch) }
    }
}

/// The direction with this yaw and pitch, in the same frame as they are given in.
#[must_use]
pub fn direction(yaw: f32, pitch: f32) -> Vec3 {
    Vec3::new(-yaw.sin() * pitch.cos(), pitch.sin(), -yaw.cos() * pitch.cos())
}

/// The yaw and pitch of a direction; the opposite of [`direction`].
#[must_use]
pub fn angles(direction: Vec3) -> (f32, f32) {
    let direction = direction.normalize_or(Vec3::NEG_Z);
    ((-direction.x).atan2(-direction.z), direction.y.clamp(-1.0, 1.0).asin())
}

/// An angle brought into -π..π.
#[must_use]
pub fn wrap_angle(angle: f32) -> f32 {
    (angle + PI).rem_euclid(2.0 * PI) - PI
}

impl Turret {
    /// Where it looks in the world, on a chassis at `chassis`. A unit vector.
    #[must_use]
    pub fn looks(&self, chassis: &Transform) -> Vec3 {
        chassis.rotation * direction(self.yaw, self.pitch)
    }

    /// Where it turns, in the world.
    #[must_use]
    pub fn pivot(chassis: &Transform) -> Vec3 {
        chassis.translation + chassis.rotation * TURRET_OFFSET
    }

    /// Where its shots leave, in the world.
    #[must_use]
    pub fn muzzle(&self, chassis: &Transform) -> Vec3 {
        let turn = Quat::from_rotation_y(self.yaw) * Quat::from_rotation_x(self.pitch);
        Self::pivot(chassis) + chassis.rotation * (turn * MUZZLE_OFFSET)
    }

    /// This turret one tick later, when it is told to look at a yaw and pitch in the world.
    #[must_use]
    pub fn slewed(self, chassis: Quat, aim_yaw: f32, aim_pitch: f32) -> Self {
        let (yaw, pitch) = angles(chassis.inverse() * direction(aim_yaw, aim_pitch));
        let turn = wrap_angle(yaw - self.yaw).clamp(-YAW_RATE * TICK_SECONDS, YAW_RATE * TICK_SECONDS);
        let tilt = (pitch.clamp(MIN_PITCH, MAX_PITCH) - self.pitch)
            .clamp(-PITCH_RATE * TICK_SECONDS, PITCH_RATE * TICK_SECONDS);
        Self { yaw: wrap_angle(self.yaw + turn), pitch: self.pitch + tilt }
    }
}

/// Turns every turret towards its driver's aim. In `Simulation`, once the bodies have moved.
pub fn slew_turrets(
    mut turrets: Query<(&mut Turret, &Transform, &ActionState<DriveAction>), (With<Vehicle>, Without<Wreck>)>,
) {
    for (mut turret, transform, actions) in &mut turrets {
        let command = DriveCommand::read(actions);
        let slewed = turret.slewed(transform.rotation, command.aim_yaw, command.aim_pitch);
        turret.set_if_neq(slewed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_and_direction_are_opposites() {
        for (yaw, pitch) in [(0.0, 0.0), (1.0, 0.3), (-2.5, -0.2), (3.0, 0.6)] {
            let (back_yaw, back_pitch) = angles(direction(yaw, pitch));
            assert!((back_yaw - yaw).abs() < 1e-4 && (back_pitch - pitch).abs() < 1e-4);
        }
        assert!(direction(0.0, 0.0).distance(Vec3::NEG_Z) < 1e-6);
        assert!(direction(PI / 2.0, 0.0).distance(Vec3::NEG_X) < 1e-6);
    }

    #[test]
    fn a_turret_turns_at_its_rate_and_the_short_way() {
        let turret = Turret { yaw: 3.0, pitch: 0.0 };
        let turned = turret.slewed(Quat::IDENTITY, -3.0, 0.0);
        assert!((wrap_angle(turned.yaw - 3.0) - YAW_RATE * TICK_SECONDS).abs() < 1e-4, "{turned:?}");
    }

    #[test]
    fn a_turret_holds_its_aim_however_the_chassis_stands() {
        let chassis = Transform::from_rotation(Quat::from_rotation_y(1.2));
        let mut turret = Turret::default();
        for _ in 0..120 {
            turret = turret.slewed(chassis.rotation, -0.4, 0.1);
        }
        assert!(turret.looks(&chassis).distance(direction(-0.4, 0.1)) < 1e-3);
    }

    #[test]
    fn a_packed_turret_packs_the_same_again() {
        for yaw in [-32_767, -1, 0, 5, 32_767] {
            let packed = PackedTurret::from(Turret::from(PackedTurret { yaw, pitch: 77 }));
            assert_eq!((packed.yaw, packed.pitch), (yaw, 77));
        }
    }
}
