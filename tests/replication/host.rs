//! A host is one world: what it replicates to others it plays in itself.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};

use crate::scene::{Burning, Health, SETTLED, Secret, Steer, assert_same, bad_line, line, register};

fn hosted() -> (Harness, Client, Client) {
    let mut harness = Harness::host(register);
    let (alice, bob) = (harness.add_client(line(20)), harness.add_client(line(20)));
    harness.connect();
    (harness, alice, bob)
}

fn local_connection(harness: &mut Harness) -> Entity {
    let world = harness.server().world_mut();
    world.query_filtered::<Entity, With<LocalConnection>>().single(world).expect("a host has one local connection")
}

#[test]
fn clients_of_a_host_see_its_world() {
    let (mut harness, alice, bob) = hosted();
    let world = harness.server().world_mut();
    let entities: Vec<Entity> = (0..10).map(|health| world.spawn((Replicated, Health(health))).id()).collect();
    harness.run_ticks(SETTLED);
    let world = harness.server().world_mut();
    world.entity_mut(entities[0]).insert((Health(50), Burning));
    world.despawn(entities[1]);
    harness.run_ticks(SETTLED);
    assert_same(&mut harness, alice);
    assert_same(&mut harness, bob);
}

#[test]
fn a_host_shows_its_own_entities_and_nothing_is_remote_to_it() {
    let (mut harness, ..) = hosted();
    harness.server().world_mut().spawn((Replicated, Health(1)));
    harness.run_ticks(SETTLED);
    let world = harness.server().world_mut();
    assert_eq!(world.query_filtered::<(), With<Remote>>().iter(world).count(), 0);
    assert_eq!(world.query::<&Health>().iter(world).count(), 1);
}

#[test]
fn each_player_controls_its_own() {
    let (mut harness, alice, bob) = hosted();
    let local = local_connection(&mut harness);
    let to_alice = harness.server_connection(alice);
    let world = harness.server().world_mut();
    let hosts = world.spawn((Replicated, Owner(local), Secret(1), Steer(0))).id();
    let alices = world.spawn((Replicated, Owner(to_alice), Secret(2), Steer(0))).id();
    harness.run_ticks(SETTLED);
    assert!(harness.server().world().get::<Controlled>(hosts).is_some());
    assert!(harness.server().world().get::<Controlled>(alices).is_none());
    assert!(harness.remote::<Controlled>(alice, alices).is_some());
    assert!(harness.remote::<Controlled>(alice, hosts).is_none());
    assert!(harness.remote::<Controlled>(bob, alices).is_none());
    assert!(harness.remote::<Secret>(alice, alices).is_some());
    assert!(harness.remote::<Secret>(alice, hosts).is_none() && harness.remote::<Secret>(bob, hosts).is_none());
    let peer = harness.server().world().resource::<LocalPeer>().0;
    assert_eq!(harness.remote::<OwnedBy>(bob, hosts).map(|owner| owner.peer), Some(peer));
}

#[test]
fn what_each_owner_says_reaches_everyone() {
    let (mut harness, alice, bob) = hosted();
    let local = local_connection(&mut harness);
    let to_alice = harness.server_connection(alice);
    let world = harness.server().world_mut();
    let hosts = world.spawn((Replicated, Owner(local), Steer(0))).id();
    let alices = world.spawn((Replicated, Owner(to_alice), Steer(0))).id();
    harness.run_ticks(SETTLED);
    harness.server().world_mut().entity_mut(hosts).insert(Steer(3));
    let at_alice = harness.remote_entity(alice, alices).expect("she sees it");
    harness.client(alice).world_mut().entity_mut(at_alice).insert(Steer(4));
    harness.run_ticks(SETTLED);
    assert_eq!(harness.server().world().get::<Steer>(alices), Some(&Steer(4)));
    assert_eq!(harness.server().world().get::<Steer>(hosts), Some(&Steer(3)));
    for (client, entity, steer) in [(alice, hosts, 3), (bob, hosts, 3), (bob, alices, 4)] {
        assert_eq!(harness.remote::<Steer>(client, entity), Some(&Steer(steer)));
    }
}

#[test]
fn visibility_on_a_host_is_about_its_clients() {
    let (mut harness, alice, bob) = hosted();
    let local = local_connection(&mut harness);
    let entity = harness.server().world_mut().spawn((Replicated, Health(1), VisibleTo::Only(vec![local]))).id();
    harness.run_ticks(SETTLED);
    assert!(harness.remote_entity(alice, entity).is_none() && harness.remote_entity(bob, entity).is_none());
    harness.server().world_mut().entity_mut(entity).insert(VisibleTo::AllBut(vec![local]));
    harness.run_ticks(SETTLED);
    assert!(harness.remote_entity(alice, entity).is_some() && harness.remote_entity(bob, entity).is_some());
}

#[test]
fn a_host_replicates_over_a_bad_line() {
    let mut harness = Harness::host(register);
    harness.set_seed(5);
    let alice = harness.add_client(bad_line());
    harness.connect();
    for number in 0..60 {
        let entity = harness.server().world_mut().spawn((Replicated, Health(number))).id();
        harness.run_ticks(3);
        harness.server().world_mut().entity_mut(entity).insert(Health(number + 1));
        if number % 3 == 0 {
            harness.server().world_mut().despawn(entity);
        }
    }
    harness.set_conditions(alice, line(20));
    harness.run_ticks(5 * SETTLED);
    assert_same(&mut harness, alice);
}
