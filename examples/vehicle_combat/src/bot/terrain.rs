//! The arena as a bot knows it: blocks that are in the way of wheels and of sight.

use bevy::prelude::*;

use crate::arena::Arena;

/// A vehicle's half width and some room, in metres: blocks are taken to be this much larger.
const BERTH: f32 = 1.6;

/// A block, turned about the vertical.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Block {
    center: Vec3,
    half_extents: Vec3,
    rotation: Quat,
}

/// What is in the way.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct Terrain {
    half_size: Vec2,
    blocks: Vec<Block>,
}

impl Terrain {
    /// What a driver knows of an arena. Ramps count as blocks: a bot does not jump.
    #[must_use]
    pub fn of(arena: &Arena) -> Self {
        let boxes = arena.obstacles.iter().map(|obstacle| Block {
            center: obstacle.center,
            half_extents: obstacle.half_extents,
            rotation: obstacle.rotation(),
        });
        let ramps = arena.ramps.iter().map(|ramp| Block {
            // For the eye a wedge is about half as high as its end.
            center: ramp.base + Vec3::Y * ramp.height / 4.0,
            half_extents: Vec3::new(ramp.width, ramp.height / 2.0, ramp.length) / 2.0,
            rotation: ramp.rotation(),
        });
        Self { half_size: arena.half_size(), blocks: boxes.chain(ramps).collect() }
    }

    /// Whether nothing of the arena is between two points.
    #[must_use]
    pub fn sees(&self, from: Vec3, to: Vec3) -> bool {
        !self.blocks.iter().any(|block| {
            let (from, to) = (block.local(from), block.local(to));
            crossing(from, to - from, block.half_extents).is_some_and(|(enter, leave)| enter < 1.0 && leave > 0.0)
        })
    }

    /// How far a vehicle could drive from `from` along the unit vector `heading` (x and z), at most `limit` metres.
    #[must_use]
    pub fn clearance(&self, from: Vec2, heading: Vec2, limit: f32) -> f32 {
        let mut free = limit;
        for (position, direction, half) in
            [(from.x, heading.x, self.half_size.x), (from.y, heading.y, self.half_size.y)]
        {
            if direction.abs() > 1e-3 {
                let wall = (half - BERTH) * direction.signum();
                free = free.min(((wall - position) / direction).max(0.0));
            }
        }
        for block in &self.blocks {
            let origin = block.local(Vec3::new(from.x, block.center.y, from.y));
            let direction = block.rotation.inverse() * Vec3::new(heading.x, 0.0, heading.y);
            // Who is inside the berth already only has to keep off the block itself; who is on it may leave anyhow.
            for berth in [BERTH, 0.0] {
                let half = block.half_extents + Vec3::new(berth, 0.0, berth);
                let inside = origin.x.abs() < half.x && origin.z.abs() < half.z;
                if inside {
                    continue;
                }
                if let Some((enter, leave)) = crossing(origin, direction, half)
                    && leave > 0.0
                {
                    free = free.min(enter.max(0.0));
                }
                break;
            }
        }
        free
    }
}

impl Block {
    fn local(&self, point: Vec3) -> Vec3 {
        self.rotation.inverse() * (point - self.center)
    }
}

/// Where the line `origin + t * direction` enters and leaves the box of these half extents, as values of t.
fn crossing(origin: Vec3, direction: Vec3, half: Vec3) -> Option<(f32, f32)> {
    let (mut enter, mut leave) = (f32::NEG_INFINITY, f32::INFINITY);
    for axis in 0..3 {
        if direction[axis].abs() < 1e-6 {
            if origin[axis].abs() > half[axis] {
                return None;
            }
            continue;
        }
        let one = (-half[axis] - origin[axis]) / direction[axis];
        let other = (half[axis] - origin[axis]) / direction[axis];
        enter = enter.max(one.min(other));
        leave = leave.min(one.max(other));
    }
    (enter <= leave).then_some((enter, leave))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_block() -> Terrain {
        let block = Block {
            center: Vec3::new(10.0, 1.0, 0.0),
            half_extents: Vec3::new(1.0, 1.0, 3.0),
            rotation: Quat::IDENTITY,
        };
        Terrain { half_size: Vec2::splat(50.0), blocks: vec![block] }
    }

    #[test]
    fn a_block_hides_what_is_behind_it_and_not_what_is_above_or_before() {
        let terrain = one_block();
        assert!(!terrain.sees(Vec3::Y, Vec3::new(20.0, 1.0, 0.0)));
        assert!(terrain.sees(Vec3::Y, Vec3::new(8.0, 1.0, 0.0)));
        assert!(terrain.sees(Vec3::Y * 3.0, Vec3::new(20.0, 3.0, 0.0)));
        assert!(terrain.sees(Vec3::Y, Vec3::new(20.0, 1.0, 10.0)));
    }

    #[test]
    fn clearance_ends_a_berth_before_blocks_and_walls() {
        let terrain = one_block();
        assert!((terrain.clearance(Vec2::ZERO, Vec2::X, 40.0) - (9.0 - BERTH)).abs() < 1e-3);
        assert!((terrain.clearance(Vec2::ZERO, Vec2::Y, 100.0) - (50.0 - BERTH)).abs() < 1e-3);
        assert_eq!(terrain.clearance(Vec2::ZERO, Vec2::NEG_X, 20.0), 20.0);
    }

    #[test]
    fn who_touches_a_block_can_drive_away_but_not_into_it() {
        let terrain = one_block();
        let beside = Vec2::new(8.5, 0.0);
        assert!(terrain.clearance(beside, Vec2::NEG_X, 20.0) > 10.0);
        assert!(terrain.clearance(beside, Vec2::X, 20.0) < 1.0);
    }

    #[test]
    fn a_turned_block_is_met_where_it_stands() {
        let mut terrain = one_block();
        terrain.blocks[0].rotation = Quat::from_rotation_y(std::f32::consts::FRAC_PI_2);
        assert!((terrain.clearance(Vec2::ZERO, Vec2::X, 40.0) - (7.0 - BERTH)).abs() < 1e-3);
    }
}
