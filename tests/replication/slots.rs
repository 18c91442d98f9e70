use std::collections::HashSet;

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::replication::Slot;
use bevy_slipstream::testing::Harness;

use crate::scene::{
    Burning, Health, SETTLED, assert_same, bad_line, cut_line, line, one_client, register, two_clients,
};

fn slot(harness: &mut Harness, entity: Entity) -> Slot {
    *harness.server().world().get::<Slot>(entity).expect("it is replicated")
}

#[test]
fn a_slot_is_used_again_when_all_know_that_it_is_free() {
    let (mut harness, alice, bob) = two_clients();
    let first = harness.server().world_mut().spawn((Replicated, Health(1), Burning)).id();
    let first_slot = slot(&mut harness, first);
    harness.run_ticks(SETTLED);
    harness.set_conditions(bob, cut_line());
    harness.server().world_mut().despawn(first);
    harness.run_ticks(SETTLED);
    // Alice knows, Bob does not.
    let second = harness.server().world_mut().spawn((Replicated, Health(2))).id();
    assert_ne!(slot(&mut harness, second).index(), first_slot.index());
    harness.set_conditions(bob, line(20));
    harness.run_ticks(5 * SETTLED);
    let third = harness.server().world_mut().spawn((Replicated, Health(3))).id();
    let third_slot = slot(&mut harness, third);
    assert_eq!((third_slot.index(), third_slot.generation()), (first_slot.index(), first_slot.generation() + 1));
    harness.run_ticks(SETTLED);
    for client in [alice, bob] {
        assert!(harness.remote::<Burning>(client, third).is_none(), "it has nothing of the slot's first entity");
        assert_same(&mut harness, client);
    }
}

#[test]
fn a_client_that_leaves_holds_no_slot() {
    let (mut harness, alice, bob) = two_clients();
    let first = harness.server().world_mut().spawn((Replicated, Health(1))).id();
    let first_slot = slot(&mut harness, first);
    harness.run_ticks(SETTLED);
    harness.set_conditions(bob, cut_line());
    harness.server().world_mut().despawn(first);
    harness.run_ticks(SETTLED);
    harness.disconnect(bob);
    // Whether he is heard or missed: in the end he holds nothing.
    harness.run_ticks(12 * 60);
    let second = harness.server().world_mut().spawn((Replicated, Health(2))).id();
    assert_eq!(slot(&mut harness, second).index(), first_slot.index());
    harness.run_ticks(SETTLED);
    assert_same(&mut harness, alice);
}

#[test]
fn slots_stay_dense_however_many_entities_come_and_go() {
    let (mut harness, alice) = one_client();
    let mut used = HashSet::new();
    for number in 0..300 {
        let entity = harness.server().world_mut().spawn((Replicated, Health(number))).id();
        used.insert(slot(&mut harness, entity).index());
        harness.run_ticks(2);
        harness.server().world_mut().despawn(entity);
    }
    assert!(used.len() <= 12, "{} slots for one entity at a time", used.len());
    harness.run_ticks(SETTLED);
    assert_same(&mut harness, alice);
}

#[test]
fn the_next_entity_in_a_slot_is_another_one_over_a_bad_line() {
    for seed in 1..=4 {
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let alice = harness.add_client(bad_line());
        harness.connect();
        let mut last = None;
        for number in 0..80_u32 {
            if let Some(last) = last {
                harness.server().world_mut().despawn(last);
            }
            let entity = harness.server().world_mut().spawn((Replicated, Health(number))).id();
            if number % 2 == 0 {
                harness.server().world_mut().entity_mut(entity).insert(Burning);
            }
            last = Some(entity);
            harness.run_ticks(number % 20);
        }
        harness.set_conditions(alice, line(20));
        harness.run_ticks(5 * SETTLED);
        println!("seed {seed}");
        assert_same(&mut harness, alice);
    }
}
