use std::time::Duration;

use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::Harness;

use crate::scene::{Health, SETTLED, assert_same, cut_line, line, one_client, register, shown, two_clients};

#[test]
fn a_despawned_entity_goes_everywhere() {
    let (mut harness, alice, bob) = two_clients();
    let entity = harness.server().world_mut().spawn((Replicated, Health(7))).id();
    let other = harness.server().world_mut().spawn((Replicated, Health(8))).id();
    harness.run_ticks(SETTLED);
    harness.server().world_mut().despawn(entity);
    harness.run_ticks(SETTLED);
    for client in [alice, bob] {
        assert_eq!(shown(&mut harness, client), 1);
        assert_eq!(harness.remote::<Health>(client, other), Some(&Health(8)));
    }
}

#[test]
fn an_entity_that_is_no_longer_marked_goes_from_clients_only() {
    let (mut harness, alice) = one_client();
    let entity = harness.server().world_mut().spawn((Replicated, Health(7))).id();
    harness.run_ticks(SETTLED);
    harness.server().world_mut().entity_mut(entity).remove::<Replicated>();
    harness.run_ticks(SETTLED);
    assert_eq!(shown(&mut harness, alice), 0);
    assert!(harness.server().world().get::<Health>(entity).is_some());
    harness.server().world_mut().entity_mut(entity).insert(Replicated);
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Health>(alice, entity), Some(&Health(7)));
}

#[test]
fn a_lost_despawn_arrives_when_the_line_carries_again() {
    let (mut harness, alice) = one_client();
    let entity = harness.server().world_mut().spawn((Replicated, Health(7))).id();
    harness.run_ticks(SETTLED);
    harness.set_conditions(alice, cut_line());
    harness.server().world_mut().despawn(entity);
    harness.run_ticks(30);
    assert_eq!(shown(&mut harness, alice), 1);
    harness.set_conditions(alice, line(20));
    harness.run_ticks(3 * SETTLED);
    assert_eq!(shown(&mut harness, alice), 0);
}

#[test]
fn what_was_gone_before_it_was_sent_never_appears() {
    let (mut harness, alice) = one_client();
    let entity = harness.server().world_mut().spawn((Replicated, Health(7))).id();
    harness.server().world_mut().despawn(entity);
    harness.run_ticks(SETTLED);
    assert_eq!(shown(&mut harness, alice), 0);
    assert_eq!(crate::scene::stats(&mut harness, alice).spawns, 0);
}

#[test]
fn a_despawn_that_overtakes_its_spawn_leaves_no_ghost() {
    for seed in 1..=4 {
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let wild = NetworkConditions { jitter: Duration::from_millis(90), loss: 0.1, reorder: 0.3, ..line(100) };
        let alice = harness.add_client(wild);
        harness.connect();
        for turn in 0..120 {
            let entity = harness.server().world_mut().spawn((Replicated, Health(turn))).id();
            harness.run_ticks(1 + turn % 4);
            harness.server().world_mut().despawn(entity);
        }
        harness.run_ticks(5 * SETTLED);
        assert_eq!(shown(&mut harness, alice), 0, "ghosts (seed {seed})");
        assert_eq!(crate::scene::stats(&mut harness, alice).visible, 0, "despawns never acknowledged (seed {seed})");
    }
}

#[test]
fn an_entity_that_the_game_despawned_on_its_client_disturbs_nobody() {
    let (mut harness, alice, bob) = two_clients();
    let entity = harness.server().world_mut().spawn((Replicated, Health(7))).id();
    let other = harness.server().world_mut().spawn((Replicated, Health(1))).id();
    harness.run_ticks(SETTLED);
    let local = harness.remote_entity(alice, entity).expect("it has arrived");
    harness.client(alice).world_mut().despawn(local);
    assert_eq!(harness.remote_entity(alice, entity), None, "nothing refers to it any more");
    for health in 0..30 {
        harness.server().world_mut().entity_mut(entity).insert(Health(health));
        harness.server().world_mut().entity_mut(other).insert(Health(health));
        harness.run_ticks(1);
    }
    harness.run_ticks(SETTLED);
    assert_eq!(shown(&mut harness, alice), 1);
    assert_eq!(harness.remote::<Health>(alice, other), Some(&Health(29)));
    assert_eq!(harness.remote::<Health>(bob, entity), Some(&Health(29)));
    harness.server().world_mut().despawn(entity);
    harness.run_ticks(SETTLED);
    assert_same(&mut harness, alice);
    assert_same(&mut harness, bob);
}

#[test]
fn despawned_and_spawned_in_one_tick_are_two_entities() {
    let (mut harness, alice) = one_client();
    let first = harness.server().world_mut().spawn((Replicated, Health(1))).id();
    harness.run_ticks(SETTLED);
    let before = harness.remote_entity(alice, first);
    harness.server().world_mut().despawn(first);
    let second = harness.server().world_mut().spawn((Replicated, Health(2))).id();
    harness.run_ticks(SETTLED);
    assert_same(&mut harness, alice);
    assert_ne!(harness.remote_entity(alice, second), before);
}
