//! How stale what a client shows may become where the budget is as small as it can be.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};

use crate::bodies::{Velocity, register};
use crate::scene::{limit_budget, line, shown};

/// The floor, in bytes a second: 50 a tick, of which a datagram's own take a third.
const FLOOR: u32 = 3_000;
/// The promise: two seconds.
const STALEST_TICKS: u32 = 120;
/// From one tick to the next, a body moves so many metres.
const STEP: f32 = 0.1;
/// As different as can be; bodies take turns.
const IMPORTANCES: [f32; 4] = [0.01, 0.1, 1.0, 4.0];

/// Bodies that drive side by side, and a client on a narrow line that watches them.
struct Race {
    harness: Harness,
    alice: Client,
    bodies: Vec<Entity>,
    tick: u32,
}

/// Where a body is at a tick, and how fast. The road is not quite even.
fn body(number: usize, tick: u32) -> (Transform, Velocity) {
    let bump = tick as f32 / 120.0 + number as f32;
    let place = Vec3::new(tick as f32 * STEP - 300.0, 1.0 + 0.3 * bump.sin(), number as f32 * 0.5);
    let linear = Vec3::new(60.0 * STEP, 0.15 * bump.cos(), 0.0);
    (Transform::from_translation(place), Velocity { linear, angular: Vec3::ZERO })
}

impl Race {
    /// Begins when the client has all of them.
    fn of(count: usize) -> Self {
        let mut harness = Harness::new(|app| {
            register(app);
            limit_budget(app, FLOOR);
        });
        let alice = harness.add_client(line(20));
        harness.connect();
        let world = harness.server().world_mut();
        let spawn = |number: usize| {
            let importance = Importance(IMPORTANCES[number % IMPORTANCES.len()]);
            world.spawn((Replicated, importance, body(number, 0))).id()
        };
        let bodies = (0..count).map(spawn).collect();
        let mut race = Self { harness, alice, bodies, tick: 0 };
        while shown(&mut race.harness, alice) < count {
            assert!(race.tick < 2400, "{} of {count} were shown", shown(&mut race.harness, alice));
            race.run_tick();
        }
        for _ in 0..240 {
            race.run_tick();
        }
        race
    }

    fn run_tick(&mut self) {
        self.tick += 1;
        let world = self.harness.server().world_mut();
        for (number, entity) in self.bodies.iter().enumerate() {
            world.entity_mut(*entity).insert(body(number, self.tick));
        }
        self.harness.run_ticks(1);
    }

    /// The tick of which the client shows a body.
    fn shown_tick(&self, number: usize) -> u32 {
        let shown = self.harness.remote::<Transform>(self.alice, self.bodies[number]).expect("it has everything");
        ((shown.translation.x + 300.0) / STEP).round() as u32
    }
}

#[test]
fn no_body_is_staler_than_two_seconds_at_the_floor_whatever_its_importance() {
    let mut race = Race::of(200);
    let mut stalest = [0; IMPORTANCES.len()];
    for _ in 0..1200 {
        race.run_tick();
        for number in 0..race.bodies.len() {
            let stalest = &mut stalest[number % IMPORTANCES.len()];
            *stalest = race.tick.saturating_sub(race.shown_tick(number)).max(*stalest);
        }
    }
    println!("the stalest by importance, in ticks: {stalest:?}");
    assert!(stalest.iter().all(|ticks| *ticks <= STALEST_TICKS), "the stalest by importance, in ticks: {stalest:?}");
    assert!(stalest[3] < stalest[0], "what is important is no fresher: {stalest:?}");
}

#[test]
fn what_comes_and_what_goes_is_told_within_two_seconds_at_the_floor() {
    let mut race = Race::of(150);
    let alice = race.alice;
    let mut here: Vec<(NetworkId, Entity, u32)> = Vec::new();
    let mut gone: Vec<(NetworkId, u32)> = Vec::new();
    for round in 0..1200_u32 {
        let world = race.harness.server().world_mut();
        if round % 30 == 0 {
            let entity = world.spawn((Replicated, Importance(0.0), body(0, 0))).id();
            let id = world.resource::<EntityMap>().network(entity).expect("it is replicated");
            here.push((id, entity, race.tick));
        }
        if round % 30 == 15 && round > 300 {
            let (id, entity, _) = here.remove(0);
            world.despawn(entity);
            gone.push((id, race.tick));
        }
        race.run_tick();
        let mut shows = |id: NetworkId| race.harness.client(alice).world().resource::<EntityMap>().local(id).is_some();
        let late = |since: u32| race.tick - since > STALEST_TICKS;
        let missing: Vec<_> = here.iter().filter(|(_, _, since)| late(*since)).collect();
        let ghosts: Vec<_> = gone.iter().filter(|(_, since)| late(*since)).collect();
        assert!(missing.iter().all(|(id, ..)| shows(*id)), "round {round}: not all of {missing:?} are there");
        assert!(!ghosts.iter().any(|(id, _)| shows(*id)), "round {round}: some of {ghosts:?} are still there");
    }
    assert!(!gone.is_empty());
}

#[test]
fn where_the_budget_carries_not_even_that_all_take_turns() {
    let mut race = Race::of(500);
    let important = 10;
    for body in &race.bodies[..important] {
        race.harness.server().world_mut().entity_mut(*body).insert(Importance(50.0));
    }
    let mut seen: Vec<u32> = (0..race.bodies.len()).map(|number| race.shown_tick(number)).collect();
    let mut updates = vec![0_u32; race.bodies.len()];
    for _ in 0..2400 {
        race.run_tick();
        for (number, (seen, updates)) in seen.iter_mut().zip(&mut updates).enumerate() {
            let now = race.shown_tick(number);
            *updates += u32::from(core::mem::replace(seen, now) != now);
        }
    }
    let mean = |updates: &[u32]| updates.iter().sum::<u32>() / updates.len() as u32;
    let (favoured, others) = updates.split_at(important);
    let least = others.iter().min().copied().unwrap_or_default();
    let (favoured, others) = (mean(favoured), mean(others));
    println!("{others} updates of each, {least} of one at the least, {favoured} of each that is important");
    assert!(2 * least >= others, "one had {least} updates, and {others} is the mean");
    assert!(favoured > 3 * others, "what is important had {favoured} updates, what is not had {others}");
}

#[test]
fn how_stale_may_be_said_of_one_connection() {
    let mut race = Race::of(60);
    let alice = race.alice;
    let connection = race.harness.server_connection(alice);
    let weights = PriorityWeights { max_staleness: core::time::Duration::from_millis(800), ..default() };
    race.harness.server().world_mut().entity_mut(connection).insert(weights);
    for _ in 0..120 {
        race.run_tick();
    }
    let mut stalest = 0;
    for _ in 0..600 {
        race.run_tick();
        let shown = (0..race.bodies.len()).map(|number| race.shown_tick(number)).min().unwrap_or_default();
        stalest = race.tick.saturating_sub(shown).max(stalest);
    }
    println!("the stalest was {stalest} ticks old");
    assert!(stalest <= 48, "{stalest} ticks");
}
