//! The work that every side does: which bodies there are and how they move.

use core::f32::consts::TAU;

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

/// Ticks a second, on every side.
pub const TICK_RATE: f64 = 60.0;
/// Metres from the middle of a body's circle to the body, and radians a second along it: 10 m/s.
const RADIUS: f32 = 20.0;
const TURN_RATE: f32 = 0.5;

/// How many bodies are shown to how many connections.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Replicated entities; every connection sees all of them.
    pub entities: u32,
    /// Connected clients.
    pub connections: u32,
    /// One body in so many moves; `None`: nothing does.
    pub moving_one_in: Option<u32>,
}

impl Work {
    /// Whether the body with this number moves.
    pub fn moves(&self, body: u32) -> bool {
        self.moving_one_in.is_some_and(|one_in| body.is_multiple_of(one_in.max(1)))
    }

    /// How many bodies move.
    pub fn moving(&self) -> u32 {
        (0..self.entities).filter(|body| self.moves(*body)).count() as u32
    }
}

/// Position and rotation: seven floats. Our side has them in a `Transform`.
#[derive(Component, Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pose {
    /// Metres.
    pub position: [f32; 3],
    /// A unit quaternion: x, y, z, w.
    pub rotation: [f32; 4],
}

impl Pose {
    /// The same as Bevy's component.
    pub fn transform(&self) -> Transform {
        Transform {
            translation: Vec3::from_array(self.position),
            rotation: Quat::from_array(self.rotation),
            scale: Vec3::ONE,
        }
    }
}

/// Linear and angular velocity: six floats.
#[derive(Component, Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Motion {
    /// Metres a second.
    pub linear: [f32; 3],
    /// Radians a second.
    pub angular: [f32; 3],
}

/// One float that stays as it is.
#[derive(Component, Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Health(pub f32);

/// The fourth component of the static world.
#[derive(Component, Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Team(pub u8);

/// Where a body is at a tick, and how fast: a function of nothing else, so that all sides have the same motion.
///
/// Each drives its own circle at 10 m/s, bobs and rolls a little. Every float of the velocities and nearly every one of the
/// pose differs from tick to tick.
pub fn body_at(body: u32, tick: u32) -> (Pose, Motion) {
    let seconds = (f64::from(tick) / TICK_RATE) as f32;
    // Parts of the golden ratio: no two bodies are at the same place of their circles.
    let phase = (body as f32 * 0.618_034).fract() * TAU;
    let angle = phase + TURN_RATE * seconds;
    let (sin, cos) = angle.sin_cos();
    let middle = [(body % 100) as f32 * 4.0 - 200.0, (body / 100) as f32 * 4.0 - 200.0];
    let position = [middle[0] + RADIUS * cos, 1.0 + 0.1 * (3.0 * angle).sin(), middle[1] + RADIUS * sin];
    let roll = 0.05 * (2.0 * angle).sin();
    let rotation = Quat::from_rotation_y(-angle) * Quat::from_rotation_z(roll);
    let speed = RADIUS * TURN_RATE;
    let linear = [-speed * sin, 0.3 * TURN_RATE * (3.0 * angle).cos(), speed * cos];
    let angular = [0.01 * (5.0 * angle).cos(), -TURN_RATE + 0.02 * sin, 0.1 * TURN_RATE * (2.0 * angle).cos()];
    (Pose { position, rotation: rotation.normalize().to_array() }, Motion { linear, angular })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moving_body_differs_from_tick_to_tick() {
        for tick in 0..600 {
            let (pose, motion) = body_at(7, tick);
            let (next_pose, next_motion) = body_at(7, tick + 1);
            assert_ne!(pose, next_pose);
            assert_ne!(motion, next_motion);
        }
    }

    #[test]
    fn one_in_ten_of_a_thousand_are_a_hundred() {
        let work = Work { entities: 1000, connections: 1, moving_one_in: Some(10) };
        assert_eq!(work.moving(), 100);
        assert_eq!(Work { moving_one_in: None, ..work }.moving(), 0);
    }
}
