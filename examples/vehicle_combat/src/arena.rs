//! The arena: what stands where, read from a RON file.
//!
//! Numbers of the built-in foundry: 120 × 120 m inside walls of 5 m, a furnace in the middle that two ramps lead over,
//! four jumps, boxes and walls for cover, 12 spawn points, 4 repairs (20 s) and 4 times ammunition (15 s).
//!
//! Lengths are metres, angles degrees about +Y: 0 looks to -Z, positive turns to the left. The ground is at y = 0.

use std::fs;
use std::path::Path;

use bevy::prelude::*;
use bevy_rapier3d::prelude::Collider;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::pickup::PickupKind;

/// The built-in arena's file, relative to this one.
const FOUNDRY: &str = include_str!("../../../assets/arenas/foundry.arena.ron");

/// The thickness of the outer walls, in metres.
pub const WALL_THICKNESS: f32 = 2.0;

/// Nothing may be listed more often than this.
const MAX_ITEMS: usize = 512;

/// Where the game is played. The same file must lie on all sides; the handshake compares fingerprints.
#[derive(Resource, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arena {
    /// Its name, for people.
    pub name: String,
    /// The inner width (x) and depth (z). The middle is the origin.
    pub size: Vec2,
    /// The height of the outer walls.
    pub wall_height: f32,
    /// Boxes.
    pub obstacles: Vec<Obstacle>,
    /// Wedges to drive up.
    pub ramps: Vec<Ramp>,
    /// Where vehicles start.
    pub spawn_points: Vec<SpawnPoint>,
    /// Where something lies to take.
    pub pickups: Vec<PickupPoint>,
}

/// A box that stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Obstacle {
    /// Its middle.
    pub center: Vec3,
    /// Half its width, height and depth.
    pub half_extents: Vec3,
    /// How it is turned.
    #[serde(default)]
    pub yaw_degrees: f32,
}

/// A wedge. Turned by 0 it rises towards -Z, from the ground to its height.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    /// The middle of its footprint.
    pub base: Vec3,
    /// Across the way.
    pub width: f32,
    /// Along the way.
    pub length: f32,
    /// At its high end.
    pub height: f32,
    /// How it is turned.
    #[serde(default)]
    pub yaw_degrees: f32,
}

/// Where a vehicle starts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpawnPoint {
    /// On the ground.
    pub position: Vec3,
    /// Where the vehicle looks.
    pub yaw_degrees: f32,
}

/// Where something lies to take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PickupPoint {
    /// What.
    pub kind: PickupKind,
    /// About a metre above what it lies on.
    pub position: Vec3,
    /// How long until it is there again.
    pub respawn_seconds: u16,
}

/// Why an arena can't be played. Each is one sentence that names the place.
#[derive(Debug, Error)]
pub enum ArenaError {
    /// The file can't be read.
    #[error("expected to read an arena from {path}, but {reason}: give --arena the path of a .arena.ron file")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The text is not RON, or not an arena's.
    #[error("expected an arena in {origin}, but line {line}, column {column} is wrong: {reason}")]
    Malformed {
        /// The file.
        origin: String,
        /// Counts from 1.
        line: usize,
        /// Counts from 1.
        column: usize,
        /// What RON said.
        reason: String,
    },
    /// A value makes no sense.
    #[error("expected a playable arena in {origin}, but {place} {reason}")]
    Invalid {
        /// The file.
        origin: String,
        /// Which value, such as `spawn_points[3]`; lists count from 0.
        place: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

impl Default for Arena {
    fn default() -> Self {
        Self::bundled()
    }
}

impl Arena {
    /// The built-in foundry.
    #[must_use]
    pub fn bundled() -> Self {
        Self::parse("the built-in foundry", FOUNDRY).expect("the built-in arena is tested")
    }

    /// Reads an arena from a file.
    ///
    /// # Errors
    /// When the file can't be read, is not an arena, or is one that can't be played.
    pub fn load(path: &Path) -> Result<Self, ArenaError> {
        let origin = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|error| ArenaError::Unreadable { path: origin.clone(), reason: error.to_string() })?;
        Self::parse(&origin, &text)
    }

    /// Reads an arena from RON. `origin` says in errors where the text came from.
    ///
    /// # Errors
    /// When the text is not an arena, or one that can't be played.
    pub fn parse(origin: &str, text: &str) -> Result<Self, ArenaError> {
        let arena: Self = ron::from_str(text).map_err(|error| ArenaError::Malformed {
            origin: origin.to_owned(),
            line: error.span.end.line,
            column: error.span.end.col,
            reason: error.code.to_string(),
        })?;
        arena.check().map_err(|(place, reason)| ArenaError::Invalid { origin: origin.to_owned(), place, reason })?;
        Ok(arena)
    }

    /// Half the inner width and depth.
    #[must_use]
    pub fn half_size(&self) -> Vec2 {
        self.size / 2.0
    }

    /// Whether a point is inside the walls and not below the ground. Above it is open.
    #[must_use]
    pub fn contains(&self, point: Vec3) -> bool {
        let half = self.half_size();
        point.x.abs() <= half.x && point.z.abs() <= half.y && point.y > -2.0 && point.is_finite()
    }

    /// The four outer walls.
    #[must_use]
    pub fn walls(&self) -> [Obstacle; 4] {
        let (half, height, thick) = (self.half_size(), self.wall_height / 2.0, WALL_THICKNESS / 2.0);
        let along_x = Vec3::new(half.x + WALL_THICKNESS, height, thick);
        let along_z = Vec3::new(thick, height, half.y + WALL_THICKNESS);
        [
            (Vec3::new(0.0, height, -half.y - thick), along_x),
            (Vec3::new(0.0, height, half.y + thick), along_x),
            (Vec3::new(-half.x - thick, height, 0.0), along_z),
            (Vec3::new(half.x + thick, height, 0.0), along_z),
        ]
        .map(|(center, half_extents)| Obstacle { center, half_extents, yaw_degrees: 0.0 })
    }

    /// All that is solid, as one collider: Rapier then holds and queries a single static shape.
    #[must_use]
    pub fn collider(&self) -> Collider {
        let half = self.half_size() + Vec2::splat(WALL_THICKNESS);
        let ground = (Vec3::new(0.0, -1.0, 0.0), Quat::IDENTITY, Collider::cuboid(half.x, 1.0, half.y));
        let walls = self.walls();
        let boxes = walls.iter().chain(&self.obstacles).map(|obstacle| {
            let half = obstacle.half_extents;
            (obstacle.center, obstacle.rotation(), Collider::cuboid(half.x, half.y, half.z))
        });
        let ramps = self
            .ramps
            .iter()
            .filter_map(|ramp| Some((Vec3::ZERO, Quat::IDENTITY, Collider::convex_hull(&ramp.corners())?)));
        Collider::compound(std::iter::once(ground).chain(boxes).chain(ramps).collect())
    }

    /// A short text that differs when anything in the arena does.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        // FNV-1a over the canonical text: it only has to tell files apart, not to resist anybody.
        let text = ron::to_string(self).unwrap_or_default();
        let hash = text
            .bytes()
            .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
        format!("{hash:016x}")
    }

    /// What is wrong: which place, and why.
    fn check(&self) -> Result<(), (String, String)> {
        let wrong = |place: &str, reason: &str| Err((place.to_owned(), reason.to_owned()));
        if !self.size.is_finite() || self.size.min_element() < 20.0 || self.size.max_element() > 900.0 {
            return wrong("size", "must be between 20 and 900 m on both axes");
        }
        if !(1.0..=50.0).contains(&self.wall_height) {
            return wrong("wall_height", "must be between 1 and 50 m");
        }
        let lists = [
            ("obstacles", self.obstacles.len(), 0),
            ("ramps", self.ramps.len(), 0),
            ("spawn_points", self.spawn_points.len(), 2),
            ("pickups", self.pickups.len(), 0),
        ];
        for (place, count, least) in lists {
            if !(least..=MAX_ITEMS).contains(&count) {
                return Err((place.to_owned(), format!("has {count} entries and must have {least} to {MAX_ITEMS}")));
            }
        }
        for (index, obstacle) in self.obstacles.iter().enumerate() {
            let place = format!("obstacles[{index}]");
            self.check_point(&place, obstacle.center)?;
            if !obstacle.half_extents.is_finite() || obstacle.half_extents.min_element() <= 0.0 {
                return Err((place, "must have half_extents above 0".to_owned()));
            }
            check_angle(&place, obstacle.yaw_degrees)?;
        }
        for (index, ramp) in self.ramps.iter().enumerate() {
            let place = format!("ramps[{index}]");
            self.check_point(&place, ramp.base)?;
            if ![ramp.width, ramp.length, ramp.height].iter().all(|length| length.is_finite() && *length > 0.0) {
                return Err((place, "must have a width, length and height above 0".to_owned()));
            }
            check_angle(&place, ramp.yaw_degrees)?;
        }
        for (index, point) in self.spawn_points.iter().enumerate() {
            let place = format!("spawn_points[{index}]");
            self.check_point(&place, point.position)?;
            check_angle(&place, point.yaw_degrees)?;
            // A vehicle's length around it must be free, whichever way it looks.
            let blocked = self.obstacles.iter().position(|obstacle| obstacle.is_near(point.position, 2.2));
            if let Some(obstacle) = blocked {
                return Err((place, format!("is blocked by obstacles[{obstacle}]: keep 2.2 m between them")));
            }
        }
        for (index, pickup) in self.pickups.iter().enumerate() {
            let place = format!("pickups[{index}]");
            self.check_point(&place, pickup.position)?;
            if pickup.respawn_seconds == 0 {
                return Err((place, "must have respawn_seconds above 0".to_owned()));
            }
        }
        Ok(())
    }

    fn check_point(&self, place: &str, point: Vec3) -> Result<(), (String, String)> {
        if self.contains(point) {
            return Ok(());
        }
        Err((place.to_owned(), format!("lies at {point}, outside the walls or below the ground")))
    }
}

fn check_angle(place: &str, degrees: f32) -> Result<(), (String, String)> {
    if degrees.is_finite() {
        return Ok(());
    }
    Err((place.to_owned(), format!("is turned by {degrees} degrees, which is no angle")))
}

impl Obstacle {
    /// How it is turned.
    #[must_use]
    pub fn rotation(&self) -> Quat {
        Quat::from_rotation_y(self.yaw_degrees.to_radians())
    }

    /// Whether a point is inside it or nearer than `margin` metres to its sides.
    #[must_use]
    pub fn is_near(&self, point: Vec3, margin: f32) -> bool {
        let local = self.rotation().inverse() * (point - self.center);
        let outside = (local.abs() - self.half_extents).max(Vec3::ZERO);
        outside.length() < margin
    }
}

impl Ramp {
    /// How it is turned.
    #[must_use]
    pub fn rotation(&self) -> Quat {
        Quat::from_rotation_y(self.yaw_degrees.to_radians())
    }

    /// Its corners in the world: low left, low right, high end's bottom left and right, high end's top left and right,
    /// as seen by who drives up.
    #[must_use]
    pub fn corners(&self) -> [Vec3; 6] {
        let (side, along, top) = (self.width / 2.0, self.length / 2.0, self.height);
        [
            Vec3::new(-side, 0.0, along),
            Vec3::new(side, 0.0, along),
            Vec3::new(-side, 0.0, -along),
            Vec3::new(side, 0.0, -along),
            Vec3::new(-side, top, -along),
            Vec3::new(side, top, -along),
        ]
        .map(|corner| self.base + self.rotation() * corner)
    }
}

impl SpawnPoint {
    /// The pose of something that stands on the point.
    #[must_use]
    pub fn transform(&self) -> Transform {
        Transform::from_translation(self.position).with_rotation(Quat::from_rotation_y(self.yaw_degrees.to_radians()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_foundry_is_playable() {
        let arena = Arena::bundled();
        assert!(arena.spawn_points.len() >= 8);
        assert!(arena.pickups.iter().any(|pickup| pickup.kind == PickupKind::Repair));
        assert!(arena.pickups.iter().any(|pickup| pickup.kind == PickupKind::Ammunition));
        for ramp in &arena.ramps {
            assert!(Collider::convex_hull(&ramp.corners()).is_some(), "{ramp:?}");
        }
    }

    #[test]
    fn a_ramp_rises_towards_where_it_looks() {
        let ramp = Ramp { base: Vec3::ZERO, width: 2.0, length: 4.0, height: 1.0, yaw_degrees: 90.0 };
        let [.., top_left, _] = ramp.corners();
        assert!(top_left.distance(Vec3::new(-2.0, 1.0, 1.0)) < 1e-4, "{top_left}");
    }

    #[test]
    fn fingerprints_tell_arenas_apart() {
        let arena = Arena::bundled();
        let mut other = arena.clone();
        assert_eq!(arena.fingerprint(), other.fingerprint());
        other.obstacles[0].center.x += 0.01;
        assert_ne!(arena.fingerprint(), other.fingerprint());
    }
}
