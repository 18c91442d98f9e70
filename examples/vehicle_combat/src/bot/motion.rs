//! How fast a vehicle moves, judged by eye: velocities are not replicated, and on the server a bot shall know no more
//! than on a client.

use bevy::prelude::*;

use crate::pace::TICK_SECONDS;
use crate::vehicle::Vehicle;

/// The share of a new observation: replicated poses come in bursts, and this smooths over some six ticks.
const WEIGHT: f32 = 0.25;

/// Further than this in one tick is no movement but a new start, in metres.
const JUMP: f32 = 5.0;

/// The smoothed velocity of what has a `Transform`, in m/s.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Motion {
    seen_at: Option<Vec3>,
    velocity: Vec3,
}

impl Motion {
    /// The velocity as judged now.
    #[must_use]
    pub fn velocity(&self) -> Vec3 {
        self.velocity
    }

    /// The judgement after seeing it at `position` one tick later.
    #[must_use]
    pub fn seen(self, position: Vec3) -> Self {
        let velocity = match self.seen_at {
            Some(before) if before.distance(position) < JUMP => {
                self.velocity.lerp((position - before) / TICK_SECONDS, WEIGHT)
            }
            _ => Vec3::ZERO,
        };
        Self { seen_at: Some(position), velocity }
    }
}

/// Every vehicle that appears is watched.
pub(super) fn give_motion(appeared: On<Add, Vehicle>, mut commands: Commands) {
    commands.entity(appeared.entity).insert(Motion::default());
}

pub(super) fn track_motion(mut watched: Query<(&Transform, &mut Motion)>) {
    for (transform, mut motion) in &mut watched {
        *motion = motion.seen(transform.translation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_movement_is_judged_right_even_in_bursts() {
        let mut motion = Motion::default();
        for tick in 0..120_u32 {
            // The position arrives only every third tick.
            let position = Vec3::X * (tick / 3 * 3) as f32 * 0.2;
            motion = motion.seen(position);
        }
        assert!((motion.velocity().x - 12.0).abs() < 6.0, "{motion:?}");
    }

    #[test]
    fn a_new_start_is_no_movement() {
        let motion = Motion::default().seen(Vec3::ZERO).seen(Vec3::X * 60.0);
        assert_eq!(motion.velocity(), Vec3::ZERO);
    }
}
