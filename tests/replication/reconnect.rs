use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};

use crate::scene::{Health, SETTLED, Steer, assert_same, bad_line, one_client, register, shown, two_clients};

fn populate(harness: &mut Harness) -> Vec<Entity> {
    let world = harness.server().world_mut();
    (0..20).map(|health| world.spawn((Replicated, Health(health))).id()).collect()
}

#[test]
fn what_a_server_brought_goes_with_the_connection() {
    let (mut harness, alice) = one_client();
    populate(&mut harness);
    harness.client(alice).world_mut().spawn(Health(99));
    harness.run_ticks(SETTLED);
    assert_eq!(shown(&mut harness, alice), 20);
    harness.disconnect(alice);
    harness.run_ticks(2);
    assert_eq!(shown(&mut harness, alice), 0);
    let world = harness.client(alice).world_mut();
    assert!(world.resource::<EntityMap>().is_empty());
    assert_eq!(world.query::<&Health>().iter(world).count(), 1, "the client's own stays");
}

#[test]
fn a_client_that_comes_back_sees_everything_again() {
    let (mut harness, alice, bob) = two_clients();
    let entities = populate(&mut harness);
    harness.run_ticks(SETTLED);
    for turn in 0..5 {
        harness.reconnect(alice);
        harness.run_ticks(turn);
        let world = harness.server().world_mut();
        world.entity_mut(entities[0]).insert(Health(100 + turn));
        if turn == 3 {
            world.despawn(entities[7]);
            world.spawn((Replicated, Health(77)));
        }
        harness.connect();
        harness.run_ticks(SETTLED);
        assert_same(&mut harness, alice);
        assert_same(&mut harness, bob);
    }
}

#[test]
fn a_client_comes_back_over_a_bad_line() {
    for seed in 1..=3 {
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let alice = harness.add_client(bad_line());
        harness.connect();
        let entities = populate(&mut harness);
        for turn in 0..4 {
            for health in 0..60 {
                harness.server().world_mut().entity_mut(entities[health % 20]).insert(Health(1000 * turn));
                harness.run_ticks(1);
            }
            harness.reconnect(alice);
            harness.connect();
        }
        harness.set_conditions(alice, crate::scene::line(20));
        harness.run_ticks(5 * SETTLED);
        println!("seed {seed}");
        assert_same(&mut harness, alice);
    }
}

#[test]
fn a_crashed_client_is_forgotten_and_the_others_go_on() {
    let (mut harness, alice, bob) = two_clients();
    let entities = populate(&mut harness);
    let owner = harness.server_connection(alice);
    harness.server().world_mut().entity_mut(entities[0]).insert(Owner(owner));
    harness.run_ticks(SETTLED);
    harness.kill(alice);
    for health in 0..800 {
        harness.server().world_mut().entity_mut(entities[1]).insert(Health(health));
        harness.run_ticks(1);
    }
    assert!(harness.server().world().get::<Owner>(entities[0]).is_none());
    harness.run_ticks(SETTLED);
    assert_same(&mut harness, bob);
}

#[test]
fn an_owner_that_comes_back_may_speak_again() {
    let (mut harness, alice, bob) = two_clients();
    let entity = harness.server().world_mut().spawn((Replicated, Steer(0))).id();
    let own_and_steer = |harness: &mut Harness, client: Client, value: i32| {
        let owner = harness.server_connection(client);
        harness.server().world_mut().entity_mut(entity).insert(Owner(owner));
        harness.run_ticks(SETTLED);
        let local = harness.remote_entity(client, entity).expect("it sees the entity");
        harness.client(client).world_mut().entity_mut(local).insert(Steer(value));
        harness.run_ticks(SETTLED);
        assert_eq!(harness.server().world().get::<Steer>(entity), Some(&Steer(value)));
        assert_eq!(harness.remote::<Steer>(bob, entity), Some(&Steer(value)));
    };
    own_and_steer(&mut harness, alice, 5);
    harness.reconnect(alice);
    harness.connect();
    own_and_steer(&mut harness, alice, 6);
    own_and_steer(&mut harness, alice, 5);
}
