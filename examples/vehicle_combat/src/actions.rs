//! What a driver can do, as leafwing actions: that is all a client may ever tell the server.
//!
//! Four axes in -1..1 (throttle, steering, and the aim as absolute angles in the world) and four buttons. Keyboard and
//! mouse: W/S throttle, A/D steer, Space handbrake, left button gun, right button rocket, F rights the vehicle. The aim
//! has no binding: the camera gives it.

use std::f32::consts::{FRAC_PI_2, PI};

use bevy::prelude::*;
use bevy_slipstream::prelude::NetworkActions;
use bevy_slipstream::simulation::AxisRange;
use leafwing_input_manager::prelude::*;
use serde::{Deserialize, Serialize};

/// One thing that a driver controls.
#[derive(Actionlike, Clone, Copy, Debug, PartialEq, Eq, Hash, Reflect, Serialize, Deserialize)]
pub enum DriveAction {
    /// 1 is full speed ahead; -1 brakes, then reverses.
    #[actionlike(Axis)]
    Throttle,
    /// 1 is full right, -1 full left.
    #[actionlike(Axis)]
    Steer,
    /// Where the turret shall look: the yaw in the world divided by π. 0 is -Z, positive is to the left.
    #[actionlike(Axis)]
    AimYaw,
    /// How high the turret shall look: the pitch divided by π/2. Positive is up.
    #[actionlike(Axis)]
    AimPitch,
    /// Locks the rear wheels.
    Handbrake,
    /// Fires the machine gun while held.
    Fire,
    /// Fires a rocket.
    Rocket,
    /// Rights the vehicle.
    Flip,
}

impl NetworkActions for DriveAction {
    fn actions() -> &'static [Self] {
        &[
            Self::Throttle,
            Self::Steer,
            Self::AimYaw,
            Self::AimPitch,
            Self::Handbrake,
            Self::Fire,
            Self::Rocket,
            Self::Flip,
        ]
    }

    fn axis_range(&self) -> AxisRange {
        match self {
            // 0.09 degrees: at 60 m that is a hand's breadth.
            Self::AimYaw | Self::AimPitch => AxisRange::new(1.0, 12),
            _ => AxisRange::new(1.0, 8),
        }
    }
}

/// All axes, in the order of the enum.
pub const AXES: [DriveAction; 4] =
    [DriveAction::Throttle, DriveAction::Steer, DriveAction::AimYaw, DriveAction::AimPitch];

/// All buttons, in the order of the enum.
pub const BUTTONS: [DriveAction; 4] =
    [DriveAction::Handbrake, DriveAction::Fire, DriveAction::Rocket, DriveAction::Flip];

/// The bindings for keyboard and mouse. The aim is set from the camera, after leafwing has updated the actions.
#[must_use]
pub fn default_input_map() -> InputMap<DriveAction> {
    InputMap::default()
        .with_axis(DriveAction::Throttle, VirtualAxis::ws())
        .with_axis(DriveAction::Steer, VirtualAxis::ad())
        .with(DriveAction::Handbrake, KeyCode::Space)
        .with(DriveAction::Fire, MouseButton::Left)
        .with(DriveAction::Rocket, MouseButton::Right)
        .with(DriveAction::Flip, KeyCode::KeyF)
}

/// The actions of one tick as plain numbers: what vehicles obey and bots decide.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DriveCommand {
    /// -1..1, see [`DriveAction::Throttle`].
    pub throttle: f32,
    /// -1..1, see [`DriveAction::Steer`].
    pub steer: f32,
    /// The yaw to aim at, in radians in the world, -π..π.
    pub aim_yaw: f32,
    /// The pitch to aim at, in radians, -π/2..π/2.
    pub aim_pitch: f32,
    /// Whether the rear wheels are locked.
    pub handbrake: bool,
    /// Whether the gun's trigger is held.
    pub fire: bool,
    /// Whether the rocket's trigger is held.
    pub rocket: bool,
    /// Whether the driver wants to be righted.
    pub flip: bool,
}

impl DriveCommand {
    /// Nobody at the wheel, brakes locked.
    pub const PARKED: Self = Self {
        throttle: 0.0,
        steer: 0.0,
        aim_yaw: 0.0,
        aim_pitch: 0.0,
        handbrake: true,
        fire: false,
        rocket: false,
        flip: false,
    };

    /// Reads the actions. Whatever came, the result is finite and in range: physics must never see a NaN.
    #[must_use]
    pub fn read(actions: &ActionState<DriveAction>) -> Self {
        let axis = |action: DriveAction| {
            let value = actions.clamped_value(&action);
            if value.is_finite() { value } else { 0.0 }
        };
        Self {
            throttle: axis(DriveAction::Throttle),
            steer: axis(DriveAction::Steer),
            aim_yaw: axis(DriveAction::AimYaw) * PI,
            aim_pitch: axis(DriveAction::AimPitch) * FRAC_PI_2,
            handbrake: actions.pressed(&DriveAction::Handbrake),
            fire: actions.pressed(&DriveAction::Fire),
            rocket: actions.pressed(&DriveAction::Rocket),
            flip: actions.pressed(&DriveAction::Flip),
        }
    }

    /// Writes the command into the actions, as a driver's hands would.
    pub fn write(&self, actions: &mut ActionState<DriveAction>) {
        let values = [self.throttle, self.steer, self.aim_yaw / PI, self.aim_pitch / FRAC_PI_2];
        for (action, value) in AXES.into_iter().zip(values) {
            actions.set_value(&action, value.clamp(-1.0, 1.0));
        }
        let held = [self.handbrake, self.fire, self.rocket, self.flip];
        for (action, held) in BUTTONS.into_iter().zip(held) {
            if held {
                actions.press(&action);
            } else {
                actions.release(&action);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_survives_being_written_and_read() {
        let command = DriveCommand {
            throttle: -0.5,
            steer: 1.0,
            aim_yaw: 2.0,
            aim_pitch: -0.3,
            handbrake: true,
            fire: true,
            rocket: false,
            flip: true,
        };
        let mut actions = ActionState::default();
        command.write(&mut actions);
        let read = DriveCommand::read(&actions);
        assert!((read.aim_yaw - command.aim_yaw).abs() < 1e-5);
        assert!((read.aim_pitch - command.aim_pitch).abs() < 1e-5);
        assert_eq!(DriveCommand { aim_yaw: 2.0, aim_pitch: -0.3, ..read }, command);
    }

    #[test]
    fn what_is_not_a_number_is_read_as_nothing() {
        let mut actions = ActionState::default();
        actions.set_value(&DriveAction::Throttle, f32::NAN);
        actions.set_value(&DriveAction::Steer, f32::INFINITY);
        let read = DriveCommand::read(&actions);
        assert_eq!((read.throttle, read.steer), (0.0, 1.0));
    }
}
