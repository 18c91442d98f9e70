//! Where every body is at every tick, for all peers the same: a function of the body's number and the tick.
//!
//! Each body drives a circle of its own at about 10 m/s, bobs, rolls and pitches. Velocities are the derivatives of the
//! pose, as a physics engine would have them. No body repeats a place, so a shown place tells the tick that it is from.

use std::f64::consts::{PI, TAU};

use bevy::math::{DQuat, DVec3};
use bevy::prelude::*;

/// Ticks a second of everything but the bandwidth rows.
pub const TICKS_PER_SECOND: f64 = 60.0;
/// All positions lie within this range, in metres, on each axis.
pub const RANGE: core::ops::Range<f32> = -512.0..512.0;

const COLUMNS: usize = 32;
const SPACING: f64 = 28.0;
/// Half the distance in time of the two rotations whose difference is the angular velocity, in seconds.
const STEP: f64 = 1e-3;

/// A body at one tick, in metres, metres a second and radians a second.
pub struct Body {
    pub position: Vec3,
    pub rotation: Quat,
    pub linear: Vec3,
    pub angular: Vec3,
}

/// The body `index` at `tick`.
pub fn body(index: usize, tick: u64) -> Body {
    let course = Course::of(index);
    let time = seconds(tick);
    let mut turn = course.rotation(time + STEP) * course.rotation(time - STEP).inverse();
    if turn.w < 0.0 {
        turn = -turn;
    }
    Body {
        position: course.position(time).as_vec3(),
        rotation: course.rotation(time).as_quat(),
        linear: course.velocity(time).as_vec3(),
        angular: (turn.to_scaled_axis() / (2.0 * STEP)).as_vec3(),
    }
}

/// Where the body `index` is at `tick`.
pub fn position(index: usize, tick: u64) -> Vec3 {
    Course::of(index).position(seconds(tick)).as_vec3()
}

fn seconds(tick: u64) -> f64 {
    tick as f64 / TICKS_PER_SECOND
}

/// What tells one body from another.
struct Course {
    center: DVec3,
    radius: f64,
    /// Radians a second around the center.
    rate: f64,
    phase: f64,
}

impl Course {
    fn of(index: usize) -> Self {
        let cell = |number: usize| (number % COLUMNS) as f64 * SPACING - (COLUMNS - 1) as f64 * SPACING / 2.0;
        let layer = index / (COLUMNS * COLUMNS) % 100;
        // Well spread numbers within 0 to 1.
        let first = (index as f64 * 0.618_033_988_749_895).fract();
        let second = (index as f64 * 0.754_877_666_246_693).fract();
        let radius = 12.0 + 12.0 * first;
        let speed = 8.5 + 3.0 * second;
        Self {
            center: DVec3::new(cell(index), 2.0 + 4.0 * layer as f64, cell(index / COLUMNS)),
            radius,
            rate: speed / radius,
            phase: TAU * second + first,
        }
    }

    fn position(&self, time: f64) -> DVec3 {
        let angle = self.phase + self.rate * time;
        let height = 0.3 * (2.3 * time + self.phase).sin();
        self.center + DVec3::new(self.radius * angle.cos(), height, self.radius * angle.sin())
    }

    fn velocity(&self, time: f64) -> DVec3 {
        let angle = self.phase + self.rate * time;
        let speed = self.radius * self.rate;
        DVec3::new(-speed * angle.sin(), 0.3 * 2.3 * (2.3 * time + self.phase).cos(), speed * angle.cos())
    }

    /// It faces where it goes: along -z before it is turned.
    fn rotation(&self, time: f64) -> DQuat {
        let yaw = PI - (self.phase + self.rate * time);
        let pitch = 0.04 * (1.9 * time + self.phase).sin();
        let roll = 0.06 * (1.3 * time + 2.0 * self.phase).sin();
        DQuat::from_euler(EulerRot::YXZ, yaw, pitch, roll)
    }
}
