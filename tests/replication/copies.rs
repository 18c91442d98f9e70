//! Without loss, one change is one record: nothing is sent "to be safe" until it is acknowledged.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};

use crate::scene::{Burning, Health, SETTLED, line, register, stats};

/// A round trip of 100 ms: six ticks of uncertainty.
fn at_100_ms() -> (Harness, Client, Entity) {
    let mut harness = Harness::new(register);
    let alice = harness.add_client(line(50));
    harness.connect();
    let entity = harness.server().world_mut().spawn((Replicated, Health(0), Transform::default())).id();
    harness.run_ticks(SETTLED);
    (harness, alice, entity)
}

#[test]
fn a_spawn_is_sent_once() {
    let (mut harness, alice, _) = at_100_ms();
    let stats = stats(&mut harness, alice);
    assert_eq!((stats.spawns, stats.records, stats.repeated), (1, 2, 0));
}

#[test]
fn one_change_is_one_record() {
    let (mut harness, alice, entity) = at_100_ms();
    let before = stats(&mut harness, alice);
    harness.server().world_mut().entity_mut(entity).insert(Health(1));
    harness.run_ticks(SETTLED);
    let after = stats(&mut harness, alice);
    assert_eq!((after.records - before.records, after.repeated), (1, 0));
    assert_eq!(after.spawns, before.spawns);
}

#[test]
fn as_many_changes_are_as_many_records() {
    let (mut harness, alice, entity) = at_100_ms();
    let before = stats(&mut harness, alice);
    for tick in 1..=60_u8 {
        harness.server().world_mut().entity_mut(entity).insert(Transform::from_xyz(f32::from(tick), 0.0, 0.0));
        harness.run_ticks(1);
    }
    harness.run_ticks(SETTLED);
    let after = stats(&mut harness, alice);
    assert_eq!((after.records - before.records, after.repeated), (60, 0));
}

#[test]
fn an_insertion_and_a_removal_are_a_record_each() {
    let (mut harness, alice, entity) = at_100_ms();
    let before = stats(&mut harness, alice);
    harness.server().world_mut().entity_mut(entity).insert(Burning);
    harness.run_ticks(SETTLED);
    harness.server().world_mut().entity_mut(entity).remove::<Burning>();
    harness.run_ticks(SETTLED);
    assert_eq!(stats(&mut harness, alice).records - before.records, 2);
}

#[test]
fn what_stays_the_same_costs_nothing() {
    let (mut harness, alice, entity) = at_100_ms();
    let before = stats(&mut harness, alice);
    for _ in 0..60 {
        // Touched, and the same.
        harness.server().world_mut().entity_mut(entity).insert(Health(0));
        harness.run_ticks(1);
    }
    assert_eq!(stats(&mut harness, alice), before);
}

#[test]
fn a_lost_change_is_sent_again_once_for_each_loss() {
    let (mut harness, alice, entity) = at_100_ms();
    let before = stats(&mut harness, alice);
    harness.set_conditions(alice, NetworkConditions { loss: 1.0, ..line(50) });
    harness.server().world_mut().entity_mut(entity).insert(Health(1));
    harness.run_ticks(2);
    harness.set_conditions(alice, line(50));
    harness.run_ticks(4 * SETTLED);
    let after = stats(&mut harness, alice);
    assert_eq!(harness.remote::<Health>(alice, entity), Some(&Health(1)));
    assert_eq!((after.records - before.records, after.repeated - before.repeated), (2, 1));
}
