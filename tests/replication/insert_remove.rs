use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::Harness;

use crate::scene::{Burning, Health, Label, SETTLED, assert_same, bad_line, line, one_client, register};

#[test]
fn a_component_inserted_later_appears_and_a_removed_one_goes() {
    let (mut harness, alice) = one_client();
    let entity = harness.server().world_mut().spawn((Replicated, Health(7))).id();
    harness.run_ticks(SETTLED);
    harness.server().world_mut().entity_mut(entity).insert((Burning, Label("hot".to_owned())));
    harness.run_ticks(SETTLED);
    assert!(harness.remote::<Burning>(alice, entity).is_some());
    harness.server().world_mut().entity_mut(entity).remove::<(Burning, Health)>();
    harness.run_ticks(SETTLED);
    assert!(harness.remote::<Burning>(alice, entity).is_none());
    assert!(harness.remote::<Health>(alice, entity).is_none());
    assert_eq!(harness.remote::<Label>(alice, entity), Some(&Label("hot".to_owned())));
}

#[test]
fn removed_and_inserted_in_one_tick_is_the_new_value() {
    let (mut harness, alice) = one_client();
    let entity = harness.server().world_mut().spawn((Replicated, Health(7))).id();
    harness.run_ticks(SETTLED);
    harness.server().world_mut().entity_mut(entity).remove::<Health>().insert(Health(8));
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Health>(alice, entity), Some(&Health(8)));
}

#[test]
fn inserted_and_removed_in_one_tick_is_nothing() {
    let (mut harness, alice) = one_client();
    let entity = harness.server().world_mut().spawn(Replicated).id();
    harness.run_ticks(SETTLED);
    harness.server().world_mut().entity_mut(entity).insert(Health(8)).remove::<Health>();
    harness.run_ticks(SETTLED);
    assert!(harness.remote::<Health>(alice, entity).is_none());
}

#[test]
fn a_removal_before_the_spawn_arrived_is_heeded() {
    let (mut harness, alice) = one_client();
    let entity = harness.server().world_mut().spawn((Replicated, Health(7), Burning)).id();
    harness.run_ticks(1);
    harness.server().world_mut().entity_mut(entity).remove::<Burning>();
    harness.run_ticks(SETTLED);
    assert!(harness.remote::<Burning>(alice, entity).is_none());
    assert_eq!(harness.remote::<Health>(alice, entity), Some(&Health(7)));
}

#[test]
fn a_component_that_comes_and_goes_ends_as_the_server_has_it() {
    for seed in 1..=6 {
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let alice = harness.add_client(bad_line());
        harness.connect();
        let entity = harness.server().world_mut().spawn((Replicated, Health(7))).id();
        for turn in 0..60 + seed {
            let mut entity = harness.server().world_mut().entity_mut(entity);
            if turn % 2 == 0 {
                entity.insert(Burning);
            } else {
                entity.remove::<Burning>();
            }
            harness.run_ticks(1 + (turn % 3) as u32);
        }
        harness.set_conditions(alice, line(20));
        harness.run_ticks(3 * SETTLED);
        println!("seed {seed}");
        assert_same(&mut harness, alice);
    }
}
