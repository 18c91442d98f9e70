//! What an owner says is judged before it reaches the server's world.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};
use serde::{Deserialize, Serialize};

use crate::scene::{Health, SETTLED, bad_line, line};

/// From 0 to 100: more is corrected, less refused, and what is below -100 only a cheat says.
#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Throttle(i32);

fn judge(claim: &Claim<Throttle>) -> Verdict<Throttle> {
    match claim.value.0 {
        0..=100 => Verdict::Accept,
        101.. => Verdict::Correct(Throttle(100)),
        -100..0 => Verdict::Refuse("it is less than nothing"),
        _ => Verdict::Violation("no client says that"),
    }
}

fn register(app: &mut App) {
    app.replicate::<Health>();
    app.replicate::<Throttle>().from_owner().validate(judge);
}

/// A server's entity, its owner, and somebody who looks on.
struct Table {
    harness: Harness,
    alice: Client,
    bob: Client,
    entity: Entity,
}

impl Table {
    fn new(seed: u64, conditions: NetworkConditions, register: impl Fn(&mut App) + 'static) -> Self {
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let (alice, bob) = (harness.add_client(conditions), harness.add_client(conditions));
        harness.connect();
        let owner = harness.server_connection(alice);
        let entity = harness.server().world_mut().spawn((Replicated, Owner(owner), Throttle(0), Health(9))).id();
        let mut table = Self { harness, alice, bob, entity };
        let arrived = table.harness.run_until(600, |harness| {
            harness.remote::<Controlled>(alice, entity).is_some() && harness.remote::<Throttle>(bob, entity).is_some()
        });
        assert!(arrived, "seed {seed}: the clients never saw the entity");
        table
    }

    fn say(&mut self, bundle: impl Bundle) {
        let local = self.harness.remote_entity(self.alice, self.entity).expect("the owner sees it");
        self.harness.client(self.alice).world_mut().entity_mut(local).insert(bundle);
    }

    fn on_server(&mut self) -> Option<i32> {
        self.harness.server().world().get::<Throttle>(self.entity).map(|throttle| throttle.0)
    }

    fn shown(&self, client: Client) -> Option<i32> {
        self.harness.remote::<Throttle>(client, self.entity).map(|throttle| throttle.0)
    }

    /// What the server counted of its owner: refusals, corrections, and errors.
    fn counted(&mut self) -> (u64, u64, u64) {
        let owner = self.harness.server_connection(self.alice);
        let world = self.harness.server().world();
        let stats = world.get::<ReplicationStats>(owner).expect("the owner is connected");
        let errors = world.get::<NetworkStats>(owner).expect("the owner is connected").errors;
        (stats.refused, stats.corrected, errors)
    }

    #[track_caller]
    fn assert_all_have(&mut self, value: i32) {
        let all = (self.on_server(), self.shown(self.alice), self.shown(self.bob));
        assert_eq!(all, (Some(value), Some(value), Some(value)), "the server, its owner, and who looks on");
    }
}

#[test]
fn what_passes_reaches_everyone() {
    let mut table = Table::new(1, line(20), register);
    table.say(Throttle(70));
    table.harness.run_ticks(SETTLED);
    table.assert_all_have(70);
    assert_eq!(table.counted(), (0, 0, 0));
}

#[test]
fn what_is_refused_costs_nothing_and_the_owner_shows_what_the_server_has() {
    let mut table = Table::new(1, line(20), register);
    table.say(Throttle(70));
    table.harness.run_ticks(SETTLED);
    for refused in 1..=3 {
        table.say(Throttle(-5));
        table.harness.run_ticks(SETTLED);
        table.assert_all_have(70);
        assert_eq!(table.counted(), (refused, 0, 0));
    }
    table.say(Throttle(71));
    table.harness.run_ticks(SETTLED);
    table.assert_all_have(71);
}

#[test]
fn what_is_corrected_is_the_same_on_every_peer() {
    let mut table = Table::new(1, line(20), register);
    for corrected in 1..=3 {
        // Twice to what the server has already.
        table.say(Throttle(1000));
        table.harness.run_ticks(SETTLED);
        table.assert_all_have(100);
        assert_eq!(table.counted(), (0, corrected, 0));
    }
    table.say(Throttle(3));
    table.harness.run_ticks(SETTLED);
    table.assert_all_have(3);
}

#[test]
fn a_violation_is_charged_and_too_many_end_the_connection() {
    let mut table = Table::new(1, line(20), register);
    table.say(Throttle(-1000));
    table.harness.run_ticks(SETTLED);
    table.assert_all_have(0);
    assert_eq!(table.counted(), (1, 0, 1));
    let (alice, entity) = (table.alice, table.entity);
    let connection = table.harness.connection(alice);
    let mut said = 0;
    let ended = table.harness.run_until(3_000, |harness| {
        let Some(local) = harness.remote_entity(alice, entity) else { return true };
        said += 1;
        let world = harness.client(alice).world_mut();
        world.entity_mut(local).insert(Throttle(-1000 - said));
        world.get::<Connected>(connection).is_none()
    });
    assert!(ended, "it was still connected after {said} ticks");
    table.harness.run_ticks(SETTLED);
    assert_eq!(table.on_server(), Some(0));
}

#[test]
fn what_is_refused_is_never_seen_nor_passed_on_however_often_it_is_said() {
    for seed in 1..=5 {
        let mut table = Table::new(seed, bad_line(), register);
        let mut allowed = Vec::new();
        for tick in 0..300_i32 {
            // Mostly nonsense, in every tick; what is allowed is a number of its own.
            let word = match tick % 10 {
                0..4 => -1 - tick % 90,
                4..8 => 101 + tick,
                _ => tick / 3,
            };
            if (0..=100).contains(&word) {
                allowed.push(word);
            }
            table.say(Throttle(word));
            table.harness.run_ticks(1);
            for value in [table.on_server(), table.shown(table.bob)].into_iter().flatten() {
                assert!(value == 0 || value == 100 || allowed.contains(&value), "seed {seed}: {value} is seen");
            }
        }
        let (refused, corrected, errors) = table.counted();
        assert!(refused > 0 && corrected > 0, "seed {seed}: {refused} were refused, {corrected} corrected");
        assert_eq!(errors, 0, "seed {seed}: an honest owner paid");
        for client in [table.alice, table.bob] {
            table.harness.set_conditions(client, line(20));
        }
        table.harness.run_ticks(4 * SETTLED);
        let truth = table.on_server().expect("it has a throttle");
        let shown = (table.shown(table.alice), table.shown(table.bob));
        assert_eq!(shown, (Some(truth), Some(truth)), "seed {seed}: alice, bob");
        table.say(Throttle(42));
        table.harness.run_ticks(4 * SETTLED);
        assert_eq!((table.on_server(), table.shown(table.bob)), (Some(42), Some(42)), "seed {seed}");
    }
}

#[test]
fn a_validator_is_asked_once_about_what_differs_and_only_on_the_server() {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let mut table = Table::new(1, line(20), move |app| {
        let counter = Arc::clone(&counter);
        app.replicate::<Health>();
        app.replicate::<Throttle>().from_owner().validate(move |_: &Claim<Throttle>| {
            counter.fetch_add(1, Ordering::Relaxed);
            Verdict::Accept
        });
    });
    table.harness.run_ticks(SETTLED);
    for value in [5, 5, 6, 5] {
        table.say(Throttle(value));
        table.harness.run_ticks(SETTLED);
        table.assert_all_have(value);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    // What the server says comes back as what its owner shows, and is no question.
    let entity = table.entity;
    table.harness.server().world_mut().entity_mut(entity).insert(Throttle(9));
    table.harness.run_ticks(SETTLED);
    table.assert_all_have(9);
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

/// What a validator was told.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    value: i32,
    current: Option<i32>,
    entity: Entity,
    connection: Entity,
    ticks: u32,
    health: Option<u32>,
}

#[test]
fn a_validator_sees_who_says_what_of_which_entity_and_how_long_after_the_last() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let mut table = Table::new(1, line(20), move |app| {
        let noted = Arc::clone(&noted);
        app.replicate::<Health>();
        app.replicate::<Throttle>().from_owner().validate(move |claim: &Claim<Throttle>| {
            let seen = Seen {
                value: claim.value.0,
                current: claim.current.map(|current| current.0),
                entity: claim.entity,
                connection: claim.connection,
                ticks: claim.ticks,
                health: claim.get::<Health>().map(|health| health.0),
            };
            noted.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
            Verdict::Accept
        });
    });
    table.harness.run_ticks(SETTLED);
    let connection = table.harness.server_connection(table.alice);
    for value in [5, 6] {
        table.say(Throttle(value));
        table.harness.run_ticks(SETTLED);
    }
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let [first, second] = seen[..] else { panic!("it was not asked twice: {seen:?}") };
    let expected =
        Seen { value: 5, current: Some(0), entity: table.entity, connection, ticks: first.ticks, health: Some(9) };
    assert_eq!(first, expected);
    assert_eq!(second, Seen { value: 6, current: Some(5), ticks: second.ticks, ..first });
    assert!(second.ticks.abs_diff(SETTLED) <= 2, "{} ticks after the first", second.ticks);
}

#[test]
fn an_owner_cannot_take_off_what_has_a_validator() {
    let mut table = Table::new(1, line(20), register);
    table.say(Throttle(70));
    table.harness.run_ticks(SETTLED);
    let local = table.harness.remote_entity(table.alice, table.entity).expect("the owner sees it");
    table.harness.client(table.alice).world_mut().entity_mut(local).remove::<Throttle>();
    table.harness.run_ticks(SETTLED);
    table.assert_all_have(70);
    assert_eq!(table.counted(), (1, 0, 0));
}

/// Shares a lane with [`Throttle`], and has no validator.
#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Wheel(i32);

#[test]
fn components_of_a_lane_are_taken_together_or_not_at_all() {
    let mut table = Table::new(1, line(20), |app| {
        app.replicate::<Health>();
        app.replicate::<Throttle>().from_owner().lane("controls").validate(judge);
        app.replicate::<Wheel>().from_owner().lane("controls");
    });
    table.say((Throttle(1), Wheel(1)));
    table.harness.run_ticks(SETTLED);
    let wheel = |table: &mut Table| table.harness.server().world().get::<Wheel>(table.entity).copied();
    assert_eq!((table.on_server(), wheel(&mut table)), (Some(1), Some(Wheel(1))));
    table.say((Throttle(-2), Wheel(2)));
    table.harness.run_ticks(SETTLED);
    table.assert_all_have(1);
    assert_eq!(wheel(&mut table), Some(Wheel(1)));
    assert_eq!(table.harness.remote::<Wheel>(table.alice, table.entity), Some(&Wheel(1)), "it gives way as a whole");
    table.say((Throttle(300), Wheel(3)));
    table.harness.run_ticks(SETTLED);
    table.assert_all_have(100);
    assert_eq!(wheel(&mut table), Some(Wheel(3)));
}

#[derive(Component, Debug, Clone, Copy, PartialEq)]
struct Velocity(Vec3);

struct Walker;

impl KinematicBody for Walker {
    type Pose = Transform;
    type Motion = Velocity;

    fn body(pose: &Transform, motion: &Velocity) -> BodyState {
        BodyState {
            position: pose.translation.to_array(),
            rotation: pose.rotation.to_array(),
            linear: motion.0.to_array(),
            angular: [0.0; 3],
        }
    }

    fn pose(body: &BodyState) -> Transform {
        Transform::from_translation(body.position.into()).with_rotation(Quat::from_array(body.rotation))
    }

    fn motion(body: &BodyState) -> Velocity {
        Velocity(body.linear.into())
    }
}

/// A walker makes half a metre a tick at most, and may be some ticks late.
fn may_walk(claim: &Claim<BodyState>) -> Verdict<BodyState> {
    let Some(current) = claim.current else { return Verdict::Refuse("nothing stands here") };
    let moved = Vec3::from(claim.value.position).distance(current.position.into());
    if moved > 0.5 * (claim.ticks + 8) as f32 { Verdict::Refuse("it is too fast") } else { Verdict::Accept }
}

#[test]
fn a_body_that_its_owner_moves_may_walk_and_not_jump() {
    for seed in 1..=3 {
        let mut table = Table::new(seed, bad_line(), |app| {
            register(app);
            app.replicate_body::<Walker>(KinematicCodec::new(-512.0..512.0, 0.001))
                .from_owner()
                .validate_body(may_walk);
        });
        let entity = table.entity;
        let standing = (Transform::default(), Velocity(Vec3::ZERO));
        table.harness.server().world_mut().entity_mut(entity).insert(standing);
        let alice = table.alice;
        let arrived = table.harness.run_until(600, |harness| harness.remote::<Velocity>(alice, entity).is_some());
        assert!(arrived, "seed {seed}: the owner has no body");
        // What it says before it has confirmed that it has one is held, and comes late.
        table.harness.run_ticks(2 * SETTLED);
        let at = |table: &mut Table| {
            table.harness.server().world().get::<Transform>(table.entity).map_or(f32::NAN, |pose| pose.translation.x)
        };
        for step in 1..=120_u8 {
            let x = f32::from(step) * 0.1;
            table.say((Transform::from_xyz(x, 0.0, 0.0), Velocity(Vec3::X * 6.0)));
            table.harness.run_ticks(1);
        }
        table.harness.set_conditions(alice, line(20));
        table.harness.run_ticks(4 * SETTLED);
        assert!((at(&mut table) - 12.0).abs() < 0.01, "seed {seed}: {}", at(&mut table));
        assert_eq!(table.counted().0, 0, "seed {seed}: an honest walk was refused");
        // To the other end of the world, however long it waited.
        table.say(Transform::from_xyz(500.0, 0.0, 0.0));
        table.harness.run_ticks(SETTLED);
        assert!((at(&mut table) - 12.0).abs() < 0.01, "seed {seed}: it jumped to {}", at(&mut table));
        let shown = table.harness.remote::<Transform>(alice, entity).map(|pose| pose.translation.x);
        assert!(shown.is_some_and(|x| (x - 12.0).abs() < 0.01), "seed {seed}: its owner shows {shown:?}");
        assert_eq!(table.counted().0, 1, "seed {seed}");
    }
}

#[test]
#[should_panic(expected = "add `.from_owner()`")]
fn a_validator_of_what_no_owner_sends_is_a_mistake() {
    let _never = Harness::new(|app| {
        app.replicate::<Throttle>().validate(judge);
    });
}
