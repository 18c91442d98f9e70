use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};

use crate::scene::{Health, SETTLED, Target, assert_same, one_client, two_clients};

fn target(harness: &Harness, client: Client, entity: Entity) -> Option<Entity> {
    harness.remote::<Target>(client, entity).map(|target| target.0)
}

#[test]
fn a_reference_means_the_same_entity_on_every_peer() {
    let (mut harness, alice, bob) = two_clients();
    // So that local entities differ in number.
    harness.client(bob).world_mut().spawn_batch((0..17).map(Health));
    let world = harness.server().world_mut();
    let victim = world.spawn((Replicated, Health(1))).id();
    let hunter = world.spawn((Replicated, Target(victim))).id();
    let narcissus = world.spawn(Replicated).id();
    world.entity_mut(narcissus).insert(Target(narcissus));
    harness.run_ticks(SETTLED);
    for client in [alice, bob] {
        assert!(harness.remote_entity(client, victim).is_some());
        assert_eq!(target(&harness, client, hunter), harness.remote_entity(client, victim));
        assert_eq!(target(&harness, client, narcissus), harness.remote_entity(client, narcissus));
        assert_same(&mut harness, client);
    }
}

#[test]
fn a_reference_to_what_comes_later_resolves_then() {
    let (mut harness, alice) = one_client();
    let world = harness.server().world_mut();
    let victim = world.spawn((Replicated, Health(1), VisibleTo::Nobody)).id();
    let hunter = world.spawn((Replicated, Target(victim))).id();
    harness.run_ticks(SETTLED);
    assert_eq!(target(&harness, alice, hunter), Some(Entity::PLACEHOLDER));
    harness.server().world_mut().entity_mut(victim).insert(VisibleTo::Everyone);
    harness.run_ticks(SETTLED);
    assert!(harness.remote_entity(alice, victim).is_some());
    assert_eq!(target(&harness, alice, hunter), harness.remote_entity(alice, victim));
}

#[test]
fn a_reference_finds_an_entity_that_went_and_came_back() {
    let (mut harness, alice) = one_client();
    let world = harness.server().world_mut();
    let victim = world.spawn((Replicated, Health(1))).id();
    let hunter = world.spawn((Replicated, Target(victim))).id();
    harness.run_ticks(SETTLED);
    let before = harness.remote_entity(alice, victim);
    harness.server().world_mut().entity_mut(victim).insert(VisibleTo::Nobody);
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote_entity(alice, victim), None);
    harness.server().world_mut().entity_mut(victim).insert(VisibleTo::Everyone);
    harness.run_ticks(SETTLED);
    let after = harness.remote_entity(alice, victim);
    assert!(after.is_some() && after != before);
    assert_eq!(target(&harness, alice, hunter), after);
}

#[test]
fn a_reference_to_what_is_not_replicated_is_the_placeholder() {
    let (mut harness, alice) = one_client();
    let world = harness.server().world_mut();
    let local = world.spawn_empty().id();
    let hunter = world.spawn((Replicated, Target(local))).id();
    harness.run_ticks(SETTLED);
    assert_eq!(target(&harness, alice, hunter), Some(Entity::PLACEHOLDER));
}

#[test]
fn a_reference_never_finds_the_next_entity_in_the_slot() {
    let (mut harness, alice) = one_client();
    let world = harness.server().world_mut();
    let victim = world.spawn((Replicated, Health(1))).id();
    let hunter = world.spawn((Replicated, Target(victim))).id();
    harness.run_ticks(SETTLED);
    harness.server().world_mut().despawn(victim);
    harness.run_ticks(SETTLED);
    let next = harness.server().world_mut().spawn((Replicated, Health(2))).id();
    harness.run_ticks(SETTLED);
    let next = harness.remote_entity(alice, next);
    assert!(next.is_some());
    assert_ne!(target(&harness, alice, hunter), next);
}

#[test]
fn a_reference_to_what_is_replicated_only_later_is_named_then() {
    let (mut harness, alice) = one_client();
    let world = harness.server().world_mut();
    let victim = world.spawn(Health(1)).id();
    let hunter = world.spawn((Replicated, Target(victim))).id();
    harness.run_ticks(SETTLED);
    assert_eq!(target(&harness, alice, hunter), Some(Entity::PLACEHOLDER));
    harness.server().world_mut().entity_mut(victim).insert(Replicated);
    harness.run_ticks(SETTLED);
    assert!(harness.remote_entity(alice, victim).is_some());
    assert_eq!(target(&harness, alice, hunter), harness.remote_entity(alice, victim));
}
