//! From a place to get to, to throttle and wheel.

use std::f32::consts::PI;

use bevy::math::{Vec2, Vec3, Vec3Swizzles};
use bevy::transform::components::Transform;

use super::terrain::Terrain;

/// How far a bot looks ahead for obstacles, in metres.
const LOOK_AHEAD: f32 = 16.0;
/// Headings that are compared, all around.
const HEADINGS: u32 = 24;

/// Throttle, wheel and handbrake, as in [`DriveCommand`](crate::actions::DriveCommand).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wheelwork {
    /// -1..1.
    pub throttle: f32,
    /// -1..1; 1 is right.
    pub steer: f32,
    /// Whether the rear wheels are locked.
    pub handbrake: bool,
}

/// The angle from one direction (x and z) to another in radians, positive to the left as seen from above.
#[must_use]
pub fn turn_between(from: Vec2, to: Vec2) -> f32 {
    // With z pointing towards the viewer the plane is seen mirrored, hence the sign.
    -from.perp_dot(to).atan2(from.dot(to))
}

/// The free heading that leads best towards `wanted`, a unit vector; `goal_distance` metres need to be free at most.
#[must_use]
pub fn free_heading(terrain: &Terrain, from: Vec2, wanted: Vec2, goal_distance: f32) -> Vec2 {
    let limit = LOOK_AHEAD.min(goal_distance + 2.0);
    let mut best = (f32::NEG_INFINITY, wanted);
    for index in 0..HEADINGS {
        // 0, +1, -1, +2, -2, ... steps away from where it wants to go.
        let steps = index.div_ceil(2) as f32 * if index.is_multiple_of(2) { 1.0 } else { -1.0 };
        let angle = steps * 2.0 * PI / HEADINGS as f32;
        let heading = Vec2::from_angle(angle).rotate(wanted);
        let free = terrain.clearance(from, heading, limit) / limit;
        // A way that is blocked soon is no way, however well it points.
        let blocked = if free < 0.3 { 1.5 } else { 0.0 };
        let score = angle.cos() + 1.2 * free - blocked;
        if score > best.0 {
            best = (score, heading);
        }
    }
    best.1
}

/// Drives the vehicle at `transform` with a forward speed of `speed` m/s along `heading`, a unit vector (x and z).
#[must_use]
pub fn follow(terrain: &Terrain, transform: &Transform, speed: f32, heading: Vec2, haste: f32) -> Wheelwork {
    let forward = (transform.rotation * Vec3::NEG_Z).xz().normalize_or(Vec2::NEG_Y);
    let turn = turn_between(forward, heading);
    let steer = (-turn * 2.0).clamp(-1.0, 1.0);
    let ahead = terrain.clearance(transform.translation.xz(), forward, LOOK_AHEAD);
    // From v m/s, braking at 12 m/s² takes v²/24 m.
    let must_brake = speed > 3.0 && ahead < speed * speed / 24.0 + 2.0;
    let throttle = if must_brake { -0.7 } else { haste * (1.0 - 0.6 * turn.abs() / PI) };
    Wheelwork { throttle, steer, handbrake: turn.abs() > 1.3 && speed > 9.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Arena;

    #[test]
    fn left_is_positive() {
        let (north, west) = (Vec2::NEG_Y, Vec2::NEG_X);
        assert!((turn_between(north, west) - PI / 2.0).abs() < 1e-5);
        assert!((turn_between(west, north) + PI / 2.0).abs() < 1e-5);
    }

    #[test]
    fn a_goal_to_the_right_is_steered_to_the_right() {
        let terrain = Terrain::of(&Arena::bundled());
        let at = Transform::from_xyz(0.0, 0.7, 50.0);
        let work = follow(&terrain, &at, 5.0, Vec2::X, 1.0);
        assert!(work.steer > 0.5 && work.throttle > 0.0, "{work:?}");
    }

    #[test]
    fn the_way_leads_around_a_block() {
        let terrain = Terrain::of(&Arena::bundled());
        // The furnace stands between here and there.
        let heading = free_heading(&terrain, Vec2::new(0.0, 12.0), Vec2::NEG_Y, 40.0);
        assert!(heading.dot(Vec2::NEG_Y) < 0.95, "{heading}");
        let open = free_heading(&terrain, Vec2::new(0.0, 52.0), Vec2::X, 20.0);
        assert!(open.dot(Vec2::X) > 0.8, "{open}");
    }
}
