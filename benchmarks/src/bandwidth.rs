//! 500 objects at 20 Hz: three motions that other libraries have published figures of.
//!
//! Counted is what the server sends to its one client, with 28 bytes of UDP and IP headers a datagram, over a perfect line,
//! at a precision of 0.001. The peers' figures are published ones, the best of five for each motion (`docs/benchmarks.md`).

use std::f32::consts::TAU;

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use fastrand::Rng;

use crate::peers::{Peers, Terms};
use crate::row::{Goal, Row};
use crate::scenario::{AMPLE, Line};

const OBJECTS: usize = 500;
const TICKS_PER_SECOND: f64 = 20.0;
/// A minute.
const TICKS: usize = 1_200;
const WARM_UP_TICKS: usize = 100;
/// Of UDP and IPv4.
const HEADER_BYTES: u64 = 28;
/// Half the width of the place where objects start, in metres.
const PLACE: f32 = 5.0;
const WANDER_SPEED: f32 = 3.0;
const WANDER_MASS: f32 = 15.0;
const WANDER_MAX_FORCE: f32 = 15.0;

/// How the objects move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// Each somewhere, up and down.
    MoveY,
    /// Each on a line through the origin, to and fro.
    AllAxes,
    /// Each steers at random, stays near the origin and faces where it goes.
    Wander,
}

/// One row a motion: goal, and the best published figure in kB/s with its owner.
pub fn rows(quick: bool) -> Vec<Row> {
    let ticks = if quick { TICKS / 6 } else { TICKS };
    let row = |name: &str, course, goal, peer_name: &str, peer| {
        let work = format!("500 objects at 20 Hz, {name}");
        let ours = kilobytes_per_second(course, ticks);
        Row::new(work, "kB/s", ours).beside(format!("{peer_name}, published"), peer).goal(Goal::AtMost(goal))
    };
    vec![
        row("move Y", Course::MoveY, 13.0, "Fusion 1", 26.0),
        row("all axes", Course::AllAxes, 40.0, "Fusion 2", 79.0),
        row("wander", Course::Wander, 60.0, "Fusion 2", 85.0),
    ]
}

/// What is replicated, and how finely.
fn register(app: &mut App) {
    app.replicate_transform(TransformCodec::new(-16.0..16.0, 0.001, 11));
}

fn kilobytes_per_second(course: Course, ticks: usize) -> f64 {
    let terms = Terms {
        connections: 1,
        ticks_per_second: TICKS_PER_SECOND,
        line: Line::default(),
        budget_bytes_per_second: AMPLE,
    };
    let mut peers = Peers::connect(terms, register);
    let mut random = Rng::with_seed(20);
    let mut objects: Vec<Object> = (0..OBJECTS).map(|_| Object::new(course, &mut random)).collect();
    let world = peers.server.world_mut();
    let entities: Vec<Entity> =
        objects.iter().map(|object| world.spawn((Replicated, object.transform(course, 0.0))).id()).collect();
    let mut sent = peers.sent();
    for tick in 0..WARM_UP_TICKS + ticks {
        if tick == WARM_UP_TICKS {
            sent = peers.sent();
        }
        let time = (tick as f64 / TICKS_PER_SECOND) as f32;
        let world = peers.server.world_mut();
        for (entity, object) in entities.iter().zip(&mut objects) {
            if course == Course::Wander {
                object.wander(&mut random);
            }
            if let Some(mut transform) = world.get_mut::<Transform>(*entity) {
                *transform = object.transform(course, time);
            }
        }
        peers.step();
    }
    let known = peers.known_to(0);
    assert_eq!(known, OBJECTS, "the client has {known} of {OBJECTS} objects");
    let sent = peers.sent().since(sent);
    let seconds = ticks as f64 / TICKS_PER_SECOND;
    (sent.bytes + HEADER_BYTES * sent.datagrams) as f64 / seconds / 1000.0
}

/// An object's own numbers.
struct Object {
    position: Vec3,
    velocity: Vec3,
    /// Where a wanderer wants to go.
    force: Vec3,
    amplitude: f32,
    frequency: f32,
}

impl Object {
    fn new(course: Course, random: &mut Rng) -> Self {
        let mut within = |reach: f32| {
            let mut axis = || (random.f32() * 2.0 - 1.0) * reach;
            Vec3::new(axis(), axis(), axis())
        };
        let position = within(PLACE);
        let velocity = match course {
            Course::Wander => within(1.0).normalize_or(Vec3::X) * WANDER_SPEED,
            Course::MoveY | Course::AllAxes => within(1.0),
        };
        let (amplitude, frequency) = (0.5 + random.f32() / 2.0, 0.5 + random.f32() / 2.0);
        Self { position, velocity, force: velocity.normalize_or(Vec3::X), amplitude, frequency }
    }

    fn transform(&self, course: Course, time: f32) -> Transform {
        match course {
            Course::MoveY => {
                let height = self.amplitude * (self.frequency * time).sin();
                Transform::from_xyz(self.position.x, height, self.position.z)
            }
            Course::AllAxes => Transform::from_translation(self.velocity * time.sin()),
            Course::Wander => Transform::from_translation(self.position).looking_to(self.velocity, Vec3::Y),
        }
    }

    /// One tick of steering: the desired velocity lies along the wander force, and what is missing to it accelerates.
    fn wander(&mut self, random: &mut Rng) {
        let heading = self.velocity.normalize_or(Vec3::X);
        if self.position.length() > PLACE {
            self.force = heading - self.position.normalize_or(Vec3::X);
        } else if random.f32() < 0.05 {
            let (radius, angle) = (random.f32().sqrt(), random.f32() * TAU);
            let on_disc = Vec3::new(radius * angle.cos(), radius * angle.sin(), 0.0);
            let facing = Transform::default().looking_to(heading, Vec3::Y).rotation;
            self.force = heading + facing * on_disc;
        }
        let desired = self.force.normalize_or(heading) * WANDER_SPEED;
        let steering = (desired - self.velocity).clamp_length_max(WANDER_MAX_FORCE) / WANDER_MASS;
        self.velocity = (self.velocity + steering).clamp_length_max(WANDER_SPEED);
        self.position += self.velocity / TICKS_PER_SECOND as f32;
    }
}
