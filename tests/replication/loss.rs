//! A world that changes at random over a line on which nothing can be relied on. When it rests, every client shows what the
//! server has.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::Harness;
use fastrand::Rng;

use crate::scene::{Burning, Health, Label, SETTLED, Target, assert_same, bad_line, line, register, stats};

const TICKS: u32 = 2_000;
const ENTITIES: usize = 40;

fn random_transform(random: &mut Rng) -> Transform {
    // Whole millimetres, so that both sides can be compared exactly.
    let mut axis = || random.i32(-100_000..100_000) as f32 / 1000.0;
    Transform::from_xyz(axis(), axis(), axis())
}

fn spawn_something(world: &mut World, random: &mut Rng) {
    let mut entity = world.spawn((Replicated, Health(random.u32(..1000))));
    if random.bool() {
        entity.insert(random_transform(random));
    }
    if random.bool() {
        entity.insert(Label("x".repeat(random.usize(..40))));
    }
    if random.bool() {
        entity.insert(Burning);
    }
}

/// One change to one entity.
fn change_something(world: &mut World, entities: &[Entity], random: &mut Rng) {
    let entity = entities[random.usize(..entities.len())];
    let other = entities[random.usize(..entities.len())];
    match random.u32(..100) {
        0..40 => {
            world.entity_mut(entity).insert(random_transform(random));
        }
        40..60 => {
            world.entity_mut(entity).insert(Health(random.u32(..1000)));
        }
        60..68 => {
            world.entity_mut(entity).remove::<Health>();
        }
        68..74 => {
            world.entity_mut(entity).insert(Burning);
        }
        74..80 => {
            world.entity_mut(entity).remove::<(Burning, Label)>();
        }
        80..86 => {
            world.entity_mut(entity).insert(Target(other));
        }
        86..90 => {
            // One level of hierarchy: no rings.
            let free = world.get::<Children>(entity).is_none() && world.get::<ChildOf>(other).is_none();
            if free && entity != other {
                world.entity_mut(entity).insert(ChildOf(other));
            }
        }
        90..92 => {
            world.entity_mut(entity).remove::<ChildOf>();
        }
        _ => {
            world.despawn(entity);
        }
    }
}

fn live_through(seed: u64) {
    println!("seed {seed}");
    let mut harness = Harness::new(register);
    harness.set_seed(seed);
    let clients = [harness.add_client(bad_line()), harness.add_client(bad_line())];
    harness.connect();
    let mut random = Rng::with_seed(seed);
    for _ in 0..TICKS {
        let world = harness.server().world_mut();
        for _ in 0..random.u32(..4) {
            let entities: Vec<Entity> = world.query_filtered::<Entity, With<Replicated>>().iter(world).collect();
            if entities.is_empty() || (entities.len() < ENTITIES && random.u32(..4) == 0) {
                spawn_something(world, &mut random);
            } else {
                change_something(world, &entities, &mut random);
            }
        }
        harness.run_ticks(1);
    }
    for client in clients {
        harness.set_conditions(client, line(20));
    }
    harness.run_ticks(5 * SETTLED);
    for client in clients {
        assert_same(&mut harness, client);
        let stats = stats(&mut harness, client);
        assert_eq!(stats.resets, 0, "a sender referred to what was not acknowledged");
        assert!(stats.repeated > 0, "nothing was lost: this tested nothing");
    }
}

#[test]
fn every_client_ends_with_the_servers_world() {
    for seed in [1, 2] {
        live_through(seed);
    }
}

#[test]
fn every_client_ends_with_the_servers_world_again() {
    for seed in [3, 4] {
        live_through(seed);
    }
}
