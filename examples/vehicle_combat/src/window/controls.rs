//! The player's hands: keyboard through leafwing, mouse aim through [`Aim`], and who holds the cursor.

use core::f32::consts::{FRAC_PI_2, PI};

use bevy::input::mouse::AccumulatedMouseMotion;
use bevy::prelude::*;
use bevy::window::{CursorGrabMode, CursorOptions, PrimaryWindow};
use bevy_slipstream::prelude::Controlled;
use leafwing_input_manager::prelude::{ActionState, InputMap, VirtualAxis};

use super::WindowBot;
use super::visual::{OwnPose, blend};
use crate::actions::{DriveAction, default_input_map};
use crate::turret::{Turret, angles, wrap_angle};
use crate::vehicle::{Vehicle, yaw_of};

const RADIANS_PER_PIXEL: f32 = 0.0024;
const PITCH_LIMIT: f32 = 0.6;

/// Where the player looks and aims, in the world: yaw turns left from -Z, pitch is up (radians).
#[derive(Resource, Default)]
pub(super) struct Aim {
    pub yaw: f32,
    pub pitch: f32,
    /// The mouse has aimed at least once; from then on the heading does not.
    by_mouse: bool,
    /// The first own vehicle has set the yaw.
    placed: bool,
}

/// Gives a new own vehicle the keyboard and mouse, unless a bot drives.
pub(super) fn hand_over_controls(
    mut commands: Commands,
    bot: Option<Res<WindowBot>>,
    vehicles: Query<Entity, (With<Vehicle>, With<Controlled>, Without<InputMap<DriveAction>>)>,
) {
    if bot.is_some() {
        return;
    }
    for vehicle in &vehicles {
        commands.entity(vehicle).insert(window_input_map());
    }
}

/// The game's bindings, and second keys for hands that are not on WASD and the mouse.
fn window_input_map() -> InputMap<DriveAction> {
    default_input_map()
        .with_axis(DriveAction::Throttle, VirtualAxis::vertical_arrow_keys())
        .with_axis(DriveAction::Steer, VirtualAxis::horizontal_arrow_keys())
        .with(DriveAction::Fire, KeyCode::ControlLeft)
        .with(DriveAction::Rocket, KeyCode::KeyE)
        .with(DriveAction::Flip, KeyCode::KeyR)
}

/// A click in the window takes the cursor; Esc gives it back, and quits when it is free already.
pub(super) fn hold_cursor(
    keys: Res<ButtonInput<KeyCode>>,
    buttons: Res<ButtonInput<MouseButton>>,
    bot: Option<Res<WindowBot>>,
    window: Single<(&Window, &mut CursorOptions), With<PrimaryWindow>>,
    mut exit: MessageWriter<AppExit>,
) {
    let (window, mut cursor) = window.into_inner();
    let held = cursor.grab_mode != CursorGrabMode::None;
    let escape = keys.just_pressed(KeyCode::Escape);
    if escape && !held {
        exit.write(AppExit::Success);
    }
    if held && (escape || !window.focused) {
        cursor.grab_mode = CursorGrabMode::None;
        cursor.visible = true;
    } else if !held && bot.is_none() && buttons.just_pressed(MouseButton::Left) {
        // Falls back to confining it where locking is not supported (X11).
        cursor.grab_mode = CursorGrabMode::Locked;
        cursor.visible = false;
    }
}

/// Mouse motion turns the aim while the cursor is held.
pub(super) fn aim_with_mouse(
    motion: Res<AccumulatedMouseMotion>,
    cursor: Single<&CursorOptions, With<PrimaryWindow>>,
    mut aim: ResMut<Aim>,
) {
    if cursor.grab_mode == CursorGrabMode::None || motion.delta == Vec2::ZERO {
        return;
    }
    aim.by_mouse = true;
    aim.yaw = wrap_angle(aim.yaw - motion.delta.x * RADIANS_PER_PIXEL);
    aim.pitch = (aim.pitch - motion.delta.y * RADIANS_PER_PIXEL).clamp(-PITCH_LIMIT, PITCH_LIMIT);
}

/// Without a mouse the view follows the vehicle's heading; with a bot at the wheel, its turret.
pub(super) fn aim_without_mouse(
    time: Res<Time>,
    own: Res<OwnPose>,
    bot: Option<Res<WindowBot>>,
    turrets: Query<&Turret, With<Controlled>>,
    mut aim: ResMut<Aim>,
) {
    let Some(pose) = own.0 else { return };
    let heading = yaw_of(pose.rotation);
    if !aim.placed {
        aim.placed = true;
        aim.yaw = heading;
    }
    let share = blend(3.0, time.delta_secs());
    if bot.is_some() {
        let turret = turrets.iter().next().copied().unwrap_or_default();
        let (turret_yaw, _) = angles(turret.looks(&pose));
        aim.yaw = turned(aim.yaw, turret_yaw, share);
    } else if !aim.by_mouse {
        aim.yaw = turned(aim.yaw, heading, share);
        aim.pitch *= 1.0 - share;
    }
}

/// Writes the aim into this tick's actions. Runs in `FixedPreUpdate`: leafwing clears an unbound axis every frame, and
/// the tick's inputs are sampled after this.
pub(super) fn write_aim(
    bot: Option<Res<WindowBot>>,
    aim: Res<Aim>,
    mut actions: Query<&mut ActionState<DriveAction>, With<Controlled>>,
) {
    if bot.is_some() {
        return;
    }
    for mut actions in &mut actions {
        actions.set_value(&DriveAction::AimYaw, (aim.yaw / PI).clamp(-1.0, 1.0));
        actions.set_value(&DriveAction::AimPitch, (aim.pitch / FRAC_PI_2).clamp(-1.0, 1.0));
    }
}

/// `from`, turned by a share of the shorter way to `to`.
fn turned(from: f32, to: f32, share: f32) -> f32 {
    wrap_angle(from + wrap_angle(to - from) * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_takes_the_short_way_over_the_back() {
        let next = turned(3.0, -3.0, 0.5);
        assert!((next.abs() - PI).abs() < 1e-5, "{next}");
    }
}
