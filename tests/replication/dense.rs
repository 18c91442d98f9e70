//! Bodies through the range coder: the same worlds in fewer bytes, by choice or where bandwidth is short.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};

use crate::bodies::{Velocity, register};
use crate::scene::{Health, SETTLED, bad_line, limit_budget, line, stats};

/// Never the limit.
const PLENTY: u32 = 1_000_000;
const BODIES: usize = 40;

/// Where a body is at a tick, and how fast: each on a circle of its own, over uneven ground.
fn body(number: usize, tick: u32) -> (Transform, Velocity) {
    let (time, radius, speed) = (tick as f32 / 60.0, 5.0 + number as f32 * 0.7, 8.0);
    let turn = speed / radius * time + number as f32;
    let middle = Vec3::new(number as f32 * 3.0 - 60.0, 1.0, 0.0);
    let place = middle + Vec3::new(turn.cos() * radius, 0.2 * (3.0 * time).sin(), turn.sin() * radius);
    let linear = Vec3::new(-turn.sin() * speed, 0.6 * (3.0 * time).cos(), turn.cos() * speed);
    let pose = Transform::from_translation(place).with_rotation(Quat::from_rotation_y(-turn));
    (pose, Velocity { linear, angular: Vec3::NEG_Y * (speed / radius) })
}

/// Bodies that drive, and who watches them.
struct Ground {
    harness: Harness,
    bodies: Vec<Entity>,
    tick: u32,
}

impl Ground {
    fn new(seed: u64, budget: u32) -> Self {
        let mut harness = Harness::new(move |app| {
            register(app);
            app.replicate::<Health>();
            limit_budget(app, budget);
        });
        harness.set_seed(seed);
        Self { harness, bodies: Vec::new(), tick: 0 }
    }

    /// A client that is told at this level.
    fn watcher(&mut self, conditions: NetworkConditions, level: Compression) -> Client {
        let client = self.harness.add_client(conditions);
        self.harness.connect();
        let connection = self.harness.server_connection(client);
        self.harness.server().world_mut().entity_mut(connection).insert(level);
        client
    }

    fn spawn(&mut self, count: usize) {
        let world = self.harness.server().world_mut();
        self.bodies = (0..count).map(|number| world.spawn((Replicated, body(number, 0))).id()).collect();
    }

    /// The first `count` bodies move in each tick.
    fn drive(&mut self, count: usize, ticks: u32) {
        for _ in 0..ticks {
            self.tick += 1;
            let world = self.harness.server().world_mut();
            for (number, entity) in self.bodies.iter().take(count).enumerate() {
                world.entity_mut(*entity).insert(body(number, self.tick));
            }
            self.harness.run_ticks(1);
        }
    }

    /// Everything has arrived, over a line that is good from here on.
    fn settle(&mut self, client: Client) {
        self.harness.set_conditions(client, line(20));
        self.harness.run_ticks(2 * SETTLED);
    }

    /// The client shows all bodies where they are, within the errors of the codec.
    fn assert_shown(&self, client: Client) {
        let codec = KinematicCodec::new(-512.0..512.0, 0.001);
        for (number, entity) in self.bodies.iter().enumerate() {
            let (pose, motion) = body(number, self.tick);
            let shown = self.harness.remote::<Transform>(client, *entity).expect("it arrived");
            let off = (shown.translation - pose.translation).abs().max_element();
            assert!(off <= codec.max_position_error() * 1.05, "body {number} is {off} m off");
            assert!(shown.rotation.angle_between(pose.rotation) <= codec.max_rotation_error() * 1.1);
            let velocity = self.harness.remote::<Velocity>(client, *entity).expect("it arrived");
            assert!((velocity.linear - motion.linear).abs().max_element() <= codec.max_linear_error() * 1.05);
            assert!((velocity.angular - motion.angular).abs().max_element() <= codec.max_angular_error() * 1.05);
        }
    }
}

/// What a client was sent while bodies drove.
fn sent(seed: u64, conditions: NetworkConditions, level: Compression) -> ReplicationStats {
    let mut ground = Ground::new(seed, PLENTY);
    let alice = ground.watcher(conditions, level);
    ground.spawn(BODIES);
    ground.drive(BODIES, 300);
    let stats = stats(&mut ground.harness, alice);
    ground.settle(alice);
    ground.assert_shown(alice);
    assert_eq!(crate::scene::stats(&mut ground.harness, alice).resets, 0, "seed {seed}");
    stats
}

#[test]
fn bodies_arrive_as_they_are_in_fewer_bytes_on_good_and_bad_lines() {
    for (seed, conditions) in [(1, line(20)), (2, bad_line()), (3, bad_line()), (4, bad_line())] {
        let packed = sent(seed, conditions, Compression::BitPacked);
        let dense = sent(seed, conditions, Compression::Dense);
        println!("seed {seed}: {} bytes instead of {}", dense.bytes, packed.bytes);
        assert_eq!(packed.dense_records, 0);
        assert!(dense.dense_records > 0 && dense.dense_records <= dense.records);
        assert!(dense.bytes < packed.bytes, "seed {seed}: {} bytes instead of {}", dense.bytes, packed.bytes);
    }
}

#[test]
fn whoever_has_enough_bandwidth_stays_bit_packed() {
    let stats = sent(1, line(20), Compression::Auto);
    assert_eq!(stats.dense_records, 0);
    assert_eq!(stats.bytes, sent(1, line(20), Compression::BitPacked).bytes);
}

#[test]
fn bodies_turn_dense_where_bandwidth_is_short_and_back_where_there_is_enough() {
    let mut ground = Ground::new(5, 12_000);
    let alice = ground.watcher(line(20), Compression::Auto);
    ground.spawn(100);
    ground.drive(100, 300);
    let short = stats(&mut ground.harness, alice);
    assert!(short.dense_records > 500, "{short:?}");
    // All but five stand still.
    ground.drive(5, 900);
    let enough = stats(&mut ground.harness, alice);
    ground.drive(5, 60);
    let later = stats(&mut ground.harness, alice);
    assert_eq!(later.dense_records, enough.dense_records);
    assert!(later.records >= enough.records + 5 * 50, "{later:?}");
}

#[test]
fn each_connection_is_told_at_its_own_level() {
    let mut ground = Ground::new(6, PLENTY);
    let alice = ground.watcher(bad_line(), Compression::Dense);
    let bob = ground.watcher(line(40), Compression::BitPacked);
    ground.spawn(BODIES);
    ground.drive(BODIES, 200);
    ground.settle(alice);
    ground.settle(bob);
    ground.assert_shown(alice);
    ground.assert_shown(bob);
    assert!(stats(&mut ground.harness, alice).dense_records > 0);
    assert_eq!(stats(&mut ground.harness, bob).dense_records, 0);
}

#[test]
fn other_components_travel_beside_dense_bodies() {
    let mut ground = Ground::new(7, PLENTY);
    let alice = ground.watcher(bad_line(), Compression::Dense);
    ground.spawn(BODIES);
    let scores: Vec<Entity> =
        (0..20).map(|_| ground.harness.server().world_mut().spawn((Replicated, Health(0))).id()).collect();
    for round in 1..=100 {
        for entity in scores.iter().chain(&ground.bodies[..10]) {
            ground.harness.server().world_mut().entity_mut(*entity).insert(Health(round));
        }
        ground.drive(BODIES, 2);
        if round % 20 == 0 {
            // Another level at any time.
            let level = if round % 40 == 0 { Compression::Dense } else { Compression::BitPacked };
            let connection = ground.harness.server_connection(alice);
            ground.harness.server().world_mut().entity_mut(connection).insert(level);
        }
    }
    ground.settle(alice);
    ground.assert_shown(alice);
    for entity in scores.iter().chain(&ground.bodies[..10]) {
        assert_eq!(ground.harness.remote::<Health>(alice, *entity), Some(&Health(100)));
    }
    let stats = stats(&mut ground.harness, alice);
    assert!(stats.dense_records > 0 && stats.dense_records < stats.records && stats.resets == 0, "{stats:?}");
}

#[test]
fn what_stops_being_a_body_is_none_on_a_dense_line_either() {
    let mut ground = Ground::new(8, PLENTY);
    let alice = ground.watcher(line(20), Compression::Dense);
    ground.spawn(3);
    ground.drive(3, SETTLED);
    let entity = ground.bodies[1];
    ground.harness.server().world_mut().entity_mut(entity).remove::<Velocity>();
    ground.harness.run_ticks(SETTLED);
    assert!(ground.harness.remote::<Transform>(alice, entity).is_none());
    assert!(ground.harness.remote::<Velocity>(alice, entity).is_none());
    ground.drive(3, SETTLED);
    ground.settle(alice);
    ground.assert_shown(alice);
}
