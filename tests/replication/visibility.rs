use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};

use crate::scene::{Burning, Health, SETTLED, assert_same, bad_line, line, register, shown, two_clients};

fn sees(harness: &Harness, client: Client, entity: Entity) -> bool {
    harness.remote_entity(client, entity).is_some()
}

fn set(harness: &mut Harness, entity: Entity, visible: VisibleTo) {
    harness.server().world_mut().entity_mut(entity).insert(visible);
    harness.run_ticks(SETTLED);
}

#[test]
fn an_entity_is_seen_by_those_it_is_visible_to() {
    let (mut harness, alice, bob) = two_clients();
    let to_alice = harness.server_connection(alice);
    let entity = harness.server().world_mut().spawn((Replicated, Health(7), VisibleTo::Nobody)).id();
    harness.run_ticks(SETTLED);
    assert!(!sees(&harness, alice, entity) && !sees(&harness, bob, entity));
    set(&mut harness, entity, VisibleTo::Only(vec![to_alice]));
    assert!(sees(&harness, alice, entity) && !sees(&harness, bob, entity));
    set(&mut harness, entity, VisibleTo::AllBut(vec![to_alice]));
    assert!(!sees(&harness, alice, entity) && sees(&harness, bob, entity));
    set(&mut harness, entity, VisibleTo::Everyone);
    assert!(sees(&harness, alice, entity) && sees(&harness, bob, entity));
    set(&mut harness, entity, VisibleTo::Nobody);
    assert!(!sees(&harness, alice, entity) && !sees(&harness, bob, entity));
    assert_eq!((shown(&mut harness, alice), shown(&mut harness, bob)), (0, 0));
}

#[test]
fn what_is_visible_to_its_owner_follows_the_owner() {
    let (mut harness, alice, bob) = two_clients();
    let (to_alice, to_bob) = (harness.server_connection(alice), harness.server_connection(bob));
    let entity = harness.server().world_mut().spawn((Replicated, Health(7), VisibleTo::Owner)).id();
    harness.run_ticks(SETTLED);
    assert!(!sees(&harness, alice, entity) && !sees(&harness, bob, entity));
    harness.server().world_mut().entity_mut(entity).insert(Owner(to_alice));
    harness.run_ticks(SETTLED);
    assert!(sees(&harness, alice, entity) && !sees(&harness, bob, entity));
    harness.server().world_mut().entity_mut(entity).insert(Owner(to_bob));
    harness.run_ticks(SETTLED);
    assert!(!sees(&harness, alice, entity) && sees(&harness, bob, entity));
}

#[test]
fn what_happened_out_of_sight_shows_on_return() {
    let (mut harness, alice, _) = two_clients();
    let entity = harness.server().world_mut().spawn((Replicated, Health(7), Burning)).id();
    harness.run_ticks(SETTLED);
    set(&mut harness, entity, VisibleTo::Nobody);
    harness.server().world_mut().entity_mut(entity).insert(Health(1)).remove::<Burning>();
    harness.run_ticks(SETTLED);
    set(&mut harness, entity, VisibleTo::Everyone);
    assert_eq!(harness.remote::<Health>(alice, entity), Some(&Health(1)));
    assert!(harness.remote::<Burning>(alice, entity).is_none());
    assert_same(&mut harness, alice);
}

#[test]
fn out_and_back_before_anybody_noticed_leaves_one_entity_without_what_it_lost() {
    for pause in 1..8 {
        let (mut harness, alice, _) = two_clients();
        let entity = harness.server().world_mut().spawn((Replicated, Health(7), Burning)).id();
        harness.run_ticks(SETTLED);
        harness.server().world_mut().entity_mut(entity).insert(VisibleTo::Nobody);
        harness.run_ticks(pause);
        harness.server().world_mut().entity_mut(entity).insert(VisibleTo::Everyone).remove::<Burning>();
        harness.run_ticks(SETTLED);
        assert_eq!(shown(&mut harness, alice), 1, "pause of {pause} ticks");
        assert_same(&mut harness, alice);
    }
}

#[test]
fn flickering_entities_end_as_they_should_over_a_bad_line() {
    for seed in 1..=4_u64 {
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let alice = harness.add_client(bad_line());
        harness.connect();
        let world = harness.server().world_mut();
        let entities: Vec<Entity> = (0..20).map(|health| world.spawn((Replicated, Health(health))).id()).collect();
        let mut random = fastrand::Rng::with_seed(seed);
        for tick in 0..300 {
            let entity = entities[random.usize(..entities.len())];
            let visible = if random.bool() { VisibleTo::Everyone } else { VisibleTo::Nobody };
            harness.server().world_mut().entity_mut(entity).insert((visible, Health(tick)));
            harness.run_ticks(1);
        }
        harness.set_conditions(alice, line(20));
        harness.run_ticks(5 * SETTLED);
        let visible: Vec<Entity> = entities
            .iter()
            .copied()
            .filter(|entity| harness.server().world().get::<VisibleTo>(*entity) == Some(&VisibleTo::Everyone))
            .collect();
        assert_eq!(shown(&mut harness, alice), visible.len(), "seed {seed}");
        for entity in visible {
            let truth = *harness.server().world().get::<Health>(entity).expect("it has health");
            assert_eq!(harness.remote::<Health>(alice, entity), Some(&truth), "seed {seed}");
        }
    }
}
