//! Joining a world of ten thousand entities: within the budget, nearest first, and nobody else waits for it.

use std::collections::HashMap;
use std::time::Duration;

use bevy::prelude::*;
use bevy_slipstream::connection::ConnectionSettings;
use bevy_slipstream::link::DroppedDatagrams;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};

use crate::scene::{Health, SETTLED, assert_same, line, register, shown, stats};

/// What each connection may carry, in bytes a second. The congestion controller is given no choice.
const BUDGET: u32 = 120_000;
const BUDGET_A_TICK: f64 = BUDGET as f64 / 60.0;
/// What a connection that sends less may save up, in bytes: a tenth of a second.
const MOST_SAVED: f64 = BUDGET as f64 / 10.0;
/// The largest datagram, in bytes. The last one of a tick may take more than is left, which the next tick lacks.
const DATAGRAM: f64 = 1200.0;
/// How old what a client shows is at the least, where its line takes 20 ms.
const LINE_TICKS: u16 = 2;
/// The plain reaches so far from its middle, in quarters of a metre.
const PLAIN_QUARTERS: i16 = 1600;
const MOVERS: usize = 10;
/// What moves rises so much in a tick, in metres.
const RISE: f32 = 0.125;
/// Where joiners look from.
const EYE: Vec3 = Vec3::new(150.0, 0.0, -100.0);
const SEED: u64 = 7;

/// A plain with trees, and Alice, who has all of it and watches what moves.
struct Plain {
    harness: Harness,
    alice: Client,
    trees: Vec<Entity>,
    /// They rise in every tick.
    movers: Vec<Entity>,
    /// It is important, and in a corner of the plain.
    flag: Entity,
    /// How many there are in all.
    entities: usize,
    tick: u16,
}

impl Plain {
    fn with_trees(count: u32) -> Self {
        println!("seed {SEED}");
        let mut harness = Harness::new(|app| {
            register(app);
            app.insert_resource(SpatialInterest::within(1_000.0)).insert_resource(ConnectionSettings {
                min_budget_bytes_per_second: BUDGET,
                max_budget_bytes_per_second: BUDGET,
                ..default()
            });
        });
        let alice = harness.add_client(line(20));
        harness.connect();
        let owner = harness.server_connection(alice);
        let world = harness.server().world_mut();
        world.spawn((Replicated, Owner(owner), Viewpoint, Transform::default()));
        let mut random = fastrand::Rng::with_seed(SEED);
        let mut somewhere = || f32::from(random.i16(-PLAIN_QUARTERS..=PLAIN_QUARTERS)) * 0.25;
        let trees: Vec<Entity> = (0..count)
            .map(|number| {
                let place = Transform::from_xyz(somewhere(), 0.0, somewhere());
                world.spawn((Replicated, Health(number), place)).id()
            })
            .collect();
        let movers: Vec<Entity> = (0..MOVERS).map(|number| world.spawn((Replicated, risen(number, 0))).id()).collect();
        let flag = world.spawn((Replicated, Importance(50.0), Transform::from_xyz(-400.0, 0.0, 400.0))).id();
        let entities = trees.len() + movers.len() + 2;
        let has_all = harness.run_until(1200, |harness| shown(harness, alice) == entities);
        assert!(has_all, "Alice has {} of {entities} entities", shown(&mut harness, alice));
        let mut plain = Self { harness, alice, trees, movers, flag, entities, tick: 0 };
        for _ in 0..SETTLED {
            plain.run_tick();
        }
        plain
    }

    fn run_tick(&mut self) {
        self.tick += 1;
        for (number, mover) in self.movers.iter().enumerate() {
            self.harness.server().world_mut().entity_mut(*mover).insert(risen(number, self.tick));
        }
        self.harness.run_ticks(1);
    }

    /// By how many ticks Alice is behind with what moves, at the worst.
    fn staleness(&self) -> u16 {
        let shown = self.movers.iter().map(|mover| {
            let shown = self.harness.remote::<Transform>(self.alice, *mover).expect("Alice has everything");
            (shown.translation.y / RISE).round() as u16
        });
        self.tick - shown.min().unwrap_or_default()
    }
}

/// Where what moves is at a tick.
fn risen(number: usize, tick: u16) -> Transform {
    Transform::from_xyz(number as f32 * 4.0, f32::from(tick) * RISE, 0.0)
}

/// The entities that a client was shown, in the order in which it was, and when.
#[derive(Resource, Default)]
struct Arrivals(Vec<(Entity, Duration)>);

fn note_arrival(added: On<Add, Remote>, time: Res<Time<Real>>, mut arrivals: ResMut<Arrivals>) {
    arrivals.0.push((added.entity, time.elapsed()));
}

/// When a client was shown an entity.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    /// Its place in the order of all.
    place: usize,
    /// How long after the first.
    after: Duration,
}

/// What a connection was sent so far.
#[derive(Debug, Clone, Copy)]
struct Sent {
    bytes: u64,
    messages: u64,
    /// Of the messages, without what datagrams add.
    replication_bytes: u64,
}

fn sent(harness: &mut Harness, client: Client) -> Sent {
    let replication_bytes = stats(harness, client).bytes;
    let connection = harness.server_connection(client);
    let endpoint = harness.server().world().get::<Endpoint>(connection).expect("it is connected");
    let stats = endpoint.stats();
    Sent { bytes: stats.bytes_sent, messages: stats.messages_sent, replication_bytes }
}

/// A client that joins, and looks from the vehicle that it is given.
struct Joiner {
    client: Client,
    vehicle: Entity,
    sent: Sent,
    /// What its budget has left, in bytes.
    left: f64,
}

/// Connects clients. What they see is sent from the next tick on.
fn connect(plain: &mut Plain, count: usize) -> Vec<Joiner> {
    let harness = &mut plain.harness;
    let clients: Vec<Client> = (0..count)
        .map(|_| {
            let client = harness.add_client(line(20));
            harness.client(client).init_resource::<Arrivals>().add_observer(note_arrival);
            client
        })
        .collect();
    harness.connect();
    plain.entities += count;
    let joiners = clients.into_iter().map(|client| {
        let owner = harness.server_connection(client);
        let place = Transform::from_translation(EYE);
        let vehicle = harness.server().world_mut().spawn((Replicated, Owner(owner), Viewpoint, place)).id();
        Joiner { client, vehicle, sent: sent(harness, client), left: MOST_SAVED }
    });
    joiners.collect()
}

impl Joiner {
    /// The tick that has just run sent no more than the budget allows, and nothing larger than a datagram.
    fn check_tick(&mut self, harness: &mut Harness) {
        let before = core::mem::replace(&mut self.sent, sent(harness, self.client));
        let bytes = (self.sent.bytes - before.bytes) as f64;
        self.left = (self.left + BUDGET_A_TICK).min(MOST_SAVED);
        let allowed = self.left.max(0.0) + DATAGRAM;
        assert!(bytes <= allowed, "{bytes} bytes were sent in one tick, and {allowed:.0} may be");
        self.left -= bytes;

        let connection = harness.server_connection(self.client);
        let world = harness.server().world();
        let endpoint = world.get::<Endpoint>(connection).expect("it is connected");
        let messages = self.sent.messages - before.messages;
        let replication_bytes = self.sent.replication_bytes - before.replication_bytes;
        assert!(
            replication_bytes <= messages * endpoint.max_unfragmented_bytes() as u64,
            "{replication_bytes} bytes in {messages} messages: one of them is larger than a datagram"
        );
        let link = world.get::<Link>(connection).expect("it is connected");
        assert_eq!(link.dropped(), DroppedDatagrams::default());
    }

    /// When each of the client's entities arrived.
    fn arrivals(&self, harness: &mut Harness) -> HashMap<Entity, Arrival> {
        let arrivals = &harness.client(self.client).world().resource::<Arrivals>().0;
        let began = arrivals.first().map_or(Duration::ZERO, |(_, time)| *time);
        let arrivals = arrivals.iter().enumerate();
        arrivals.map(|(place, (entity, time))| (*entity, Arrival { place, after: *time - began })).collect()
    }
}

/// Runs until the joiners have everything, and checks each tick. How many ticks that took.
fn run_join(plain: &mut Plain, joiners: &mut [Joiner]) -> u32 {
    for tick in 1..=1200 {
        plain.run_tick();
        let staleness = plain.staleness();
        assert!(staleness <= LINE_TICKS + 1, "in tick {tick} of the join Alice is {staleness} ticks behind");
        let mut have_all = true;
        for joiner in joiners.iter_mut() {
            joiner.check_tick(&mut plain.harness);
            have_all &= shown(&mut plain.harness, joiner.client) == plain.entities;
        }
        if have_all {
            return tick;
        }
    }
    panic!("not everyone had all {} entities after 1,200 ticks", plain.entities);
}

/// Spearman's rank correlation of the distances with the order in which they are listed: 1 where they ascend.
fn rank_correlation(distances: &[f32]) -> f64 {
    let mut by_distance: Vec<usize> = (0..distances.len()).collect();
    by_distance.sort_by(|a, b| distances[*a].total_cmp(&distances[*b]));
    let squares = by_distance.iter().enumerate().map(|(rank, place)| (rank as f64 - *place as f64).powi(2));
    let count = distances.len() as f64;
    1.0 - 6.0 * squares.sum::<f64>() / (count * (count * count - 1.0))
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

#[test]
fn ten_thousand_entities_come_within_the_budget_nearest_first_while_nobody_waits() {
    let mut plain = Plain::with_trees(10_000);
    let mut joiners = connect(&mut plain, 1);
    let ticks = run_join(&mut plain, &mut joiners);
    println!("the join took {ticks} ticks");
    assert!(ticks >= 60, "{ticks} ticks are too few to be a join that others could notice");

    let joiner = &joiners[0];
    let arrivals = joiner.arrivals(&mut plain.harness);
    let remote = |entity| plain.harness.remote_entity(joiner.client, entity).expect("it has everything");
    let arrival = |entity| arrivals[&remote(entity)];
    let mut trees: Vec<(usize, f32)> = plain
        .trees
        .iter()
        .map(|tree| {
            let place = plain.harness.remote::<Transform>(joiner.client, *tree).expect("it has everything");
            (arrival(*tree).place, place.translation.distance(EYE))
        })
        .collect();
    trees.sort_unstable_by_key(|(place, _)| *place);
    let distances: Vec<f32> = trees.into_iter().map(|(_, distance)| distance).collect();
    let quarter = distances.len() / 4;
    let (first, last) = (mean(&distances[..quarter]), mean(&distances[distances.len() - quarter..]));
    let correlation = rank_correlation(&distances);
    println!("the first quarter is {first:.0} m away, the last {last:.0} m; rank correlation {correlation:.3}");
    assert!(first * 2.0 < last, "the first quarter is {first:.0} m away, the last {last:.0} m");
    assert!(correlation > 0.7, "the rank correlation of arrival and distance is {correlation:.3}");

    let own = arrival(joiner.vehicle);
    assert!(own.after <= Duration::from_millis(50), "what is its own came {:?} after the first", own.after);
    let flag = arrival(plain.flag);
    assert!(flag.place < plain.entities / 4, "what is important came as number {} of {}", flag.place, plain.entities);

    plain.harness.run_ticks(SETTLED);
    assert_same(&mut plain.harness, joiner.client);
    assert_same(&mut plain.harness, plain.alice);
}

#[test]
fn several_who_join_at_once_keep_nobody_waiting() {
    let mut plain = Plain::with_trees(2_000);
    let mut joiners = connect(&mut plain, 3);
    run_join(&mut plain, &mut joiners);
    plain.harness.run_ticks(SETTLED);
    for joiner in &joiners {
        assert_same(&mut plain.harness, joiner.client);
    }
    assert_same(&mut plain.harness, plain.alice);
}
