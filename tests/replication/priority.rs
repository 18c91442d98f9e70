//! What matters more to one connection than to another.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};

use crate::scene::{Health, limit_budget, line, register};

/// Far less than what changes.
const BUDGET: u32 = 8_000;
const ENTITIES: usize = 600;
/// Until everything was shown.
const WARM_UP: u32 = 300;
const MEASURED: u32 = 300;

/// Entities that all change in every tick, and two clients that are told too little of it.
struct Crowd {
    harness: Harness,
    alice: Client,
    bob: Client,
    entities: Vec<Entity>,
    now: u32,
}

impl Crowd {
    fn new(spatial: Option<SpatialInterest>) -> Self {
        let mut harness = Harness::new(move |app| {
            register(app);
            limit_budget(app, BUDGET);
            if let Some(spatial) = spatial {
                app.insert_resource(spatial);
            }
        });
        let (alice, bob) = (harness.add_client(line(20)), harness.add_client(line(20)));
        harness.connect();
        let world = harness.server().world_mut();
        let entities = (0..ENTITIES).map(|_| world.spawn((Replicated, Health(0))).id()).collect();
        Self { harness, alice, bob, entities, now: 0 }
    }

    fn run_tick(&mut self) {
        self.now += 1;
        let world = self.harness.server().world_mut();
        for entity in &self.entities {
            if let Ok(mut entity) = world.get_entity_mut(*entity) {
                entity.insert(Health(self.now));
            }
        }
        self.harness.run_ticks(1);
    }

    /// By how many ticks Alice is behind with some entities, and by how many Bob is: the mean of some seconds.
    fn staleness(&mut self, entities: &[Entity]) -> [f32; 2] {
        for _ in 0..WARM_UP {
            self.run_tick();
        }
        let mut sums = [0, 0];
        for _ in 0..MEASURED {
            self.run_tick();
            for (sum, client) in sums.iter_mut().zip([self.alice, self.bob]) {
                let seen = entities.iter().map(|entity| self.harness.remote::<Health>(client, *entity));
                *sum += seen.map(|seen| u64::from(self.now - seen.map_or(0, |seen| seen.0))).sum::<u64>();
            }
        }
        let staleness = sums.map(|sum| sum as f32 / (MEASURED as f32 * entities.len() as f32));
        println!("Alice is {:.1} ticks behind, Bob {:.1}", staleness[0], staleness[1]);
        staleness
    }

    fn priorities(&mut self) -> Mut<'_, Priorities> {
        let connection = self.harness.server_connection(self.alice);
        self.harness.server().world_mut().get_mut::<Priorities>(connection).expect("she has priorities")
    }
}

#[test]
fn what_one_player_aims_at_waits_less_for_that_player_alone() {
    let mut crowd = Crowd::new(None);
    let target = crowd.entities[ENTITIES / 2];
    let connection = crowd.harness.server_connection(crowd.alice);
    crowd.harness.server().world_mut().entity_mut(connection).insert(Priorities::default().with(target, 20.0));
    let [alice, bob] = crowd.staleness(&[target]);
    assert!(2.0 * alice < bob, "the one who aims is {alice} ticks behind, the other {bob}");
    crowd.priorities().clear(target);
    let [alice, bob] = crowd.staleness(&[target]);
    assert!(2.0 * alice > bob, "who aims no longer is {alice} ticks behind, the other {bob}");
}

#[test]
fn what_one_player_ignores_waits_longer_for_that_player_alone() {
    let mut crowd = Crowd::new(None);
    let ignored = crowd.entities[..20].to_vec();
    let connection = crowd.harness.server_connection(crowd.alice);
    let priorities = ignored.iter().fold(Priorities::default(), |all, entity| all.with(*entity, 0.0));
    crowd.harness.server().world_mut().entity_mut(connection).insert(priorities);
    let [alice, bob] = crowd.staleness(&ignored);
    assert!(alice > 1.5 * bob, "the one who ignores them is {alice} ticks behind, the other {bob}");
    assert!(alice < 120.0, "nothing is starved: {alice} ticks");
}

#[test]
fn a_priority_goes_with_its_entity() {
    let mut crowd = Crowd::new(None);
    let [gone, stays] = [0, 1].map(|number| crowd.entities[number]);
    let connection = crowd.harness.server_connection(crowd.alice);
    let priorities = Priorities::default().with(gone, 2.0).with(stays, 3.0);
    crowd.harness.server().world_mut().entity_mut(connection).insert(priorities);
    crowd.run_tick();
    assert_eq!((crowd.priorities().get(gone), crowd.priorities().get(stays)), (2.0, 3.0));
    crowd.harness.server().world_mut().despawn(gone);
    crowd.run_tick();
    assert_eq!((crowd.priorities().get(gone), crowd.priorities().get(stays)), (1.0, 3.0));
}

#[test]
fn distance_matters_as_much_as_a_connection_says() {
    let mut crowd = Crowd::new(Some(SpatialInterest::within(100.0)));
    let (alice, bob) = (crowd.alice, crowd.bob);
    let [to_alice, to_bob] = [alice, bob].map(|client| crowd.harness.server_connection(client));
    let world = crowd.harness.server().world_mut();
    for connection in [to_alice, to_bob] {
        world.entity_mut(connection).insert((Viewpoint, Transform::default()));
    }
    world.entity_mut(to_alice).insert(PriorityWeights { nearest: 1.0, ..default() });
    // Half of them right here, half almost out of sight.
    for (number, entity) in crowd.entities.iter().enumerate() {
        world.entity_mut(*entity).insert(Transform::from_xyz(if number % 2 == 0 { 5.0 } else { 95.0 }, 0.0, 0.0));
    }
    let far: Vec<Entity> = crowd.entities.iter().skip(1).step_by(2).copied().collect();
    let [alice, bob] = crowd.staleness(&far);
    assert!(1.5 * alice < bob, "to whom distance is nothing: {alice} ticks behind with what is far, the other {bob}");
}

#[test]
fn the_weights_of_all_connections_may_be_changed() {
    let mut crowd = Crowd::new(None);
    let weights = PriorityWeights { own: 0.0, ..default() };
    crowd.harness.server().insert_resource(DefaultPriorityWeights(weights));
    let to_bob = crowd.harness.server_connection(crowd.bob);
    crowd.harness.server().world_mut().entity_mut(to_bob).insert(PriorityWeights::default());
    let owned: Vec<Entity> = crowd.entities[..20].to_vec();
    for (number, entity) in owned.iter().enumerate() {
        let owner = [crowd.alice, crowd.bob][number % 2];
        let owner = crowd.harness.server_connection(owner);
        crowd.harness.server().world_mut().entity_mut(*entity).insert(Owner(owner));
    }
    let of_alice: Vec<Entity> = owned.iter().step_by(2).copied().collect();
    let of_bob: Vec<Entity> = owned.iter().skip(1).step_by(2).copied().collect();
    let [alice, _] = crowd.staleness(&of_alice);
    let [_, bob] = crowd.staleness(&of_bob);
    assert!(alice > 2.0 * bob, "what is her own counts nothing: {alice} ticks behind, {bob} where it counts most");
}
