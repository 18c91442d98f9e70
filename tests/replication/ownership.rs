use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};

use crate::scene::{Health, SETTLED, Secret, Steer, bad_line, line, register, two_clients};

fn owned_by(harness: &mut Harness, client: Client) -> Entity {
    let owner = harness.server_connection(client);
    let entity = harness.server().world_mut().spawn((Replicated, Owner(owner), Secret(1), Steer(0), Health(1))).id();
    harness.run_ticks(SETTLED);
    entity
}

fn give(harness: &mut Harness, entity: Entity, client: Client) {
    let owner = harness.server_connection(client);
    harness.server().world_mut().entity_mut(entity).insert(Owner(owner));
}

fn controls(harness: &Harness, client: Client, entity: Entity) -> bool {
    harness.remote::<Controlled>(client, entity).is_some()
}

fn steer(harness: &mut Harness, client: Client, entity: Entity, steer: i32) {
    let local = harness.remote_entity(client, entity).expect("the client sees it");
    harness.client(client).world_mut().entity_mut(local).insert(Steer(steer));
}

fn on_server(harness: &mut Harness, entity: Entity) -> i32 {
    harness.server().world().get::<Steer>(entity).expect("it steers").0
}

#[test]
fn every_peer_knows_the_owner_and_the_owner_controls() {
    let (mut harness, alice, bob) = two_clients();
    let entity = owned_by(&mut harness, alice);
    let peer = harness.client(alice).world().resource::<LocalPeer>().0;
    for client in [alice, bob] {
        assert_eq!(harness.remote::<OwnedBy>(client, entity).map(|owner| owner.peer), Some(peer));
    }
    assert!(controls(&harness, alice, entity) && !controls(&harness, bob, entity));
}

#[test]
fn control_is_there_when_the_entity_is_shown() {
    #[derive(Resource, Default)]
    struct ControlledAtOnce(bool);

    let (mut harness, alice, _) = two_clients();
    harness.client(alice).init_resource::<ControlledAtOnce>().add_observer(
        |added: On<Add, Remote>, controlled: Query<(), With<Controlled>>, mut at_once: ResMut<ControlledAtOnce>| {
            at_once.0 = controlled.contains(added.entity);
        },
    );
    owned_by(&mut harness, alice);
    assert!(harness.client(alice).world().resource::<ControlledAtOnce>().0);
}

#[test]
fn control_follows_the_owner() {
    let (mut harness, alice, bob) = two_clients();
    let entity = owned_by(&mut harness, alice);
    give(&mut harness, entity, bob);
    harness.run_ticks(SETTLED);
    assert!(!controls(&harness, alice, entity) && controls(&harness, bob, entity));
    harness.server().world_mut().entity_mut(entity).remove::<Owner>();
    harness.run_ticks(SETTLED);
    assert!(!controls(&harness, alice, entity) && !controls(&harness, bob, entity));
    assert!(harness.remote::<OwnedBy>(alice, entity).is_none());
}

#[test]
fn a_secret_goes_to_the_owner_only() {
    let (mut harness, alice, bob) = two_clients();
    let entity = owned_by(&mut harness, alice);
    assert_eq!(harness.remote::<Secret>(alice, entity), Some(&Secret(1)));
    assert!(harness.remote::<Secret>(bob, entity).is_none());
    harness.server().world_mut().entity_mut(entity).insert(Secret(2));
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Secret>(alice, entity), Some(&Secret(2)));
    assert!(harness.remote::<Secret>(bob, entity).is_none());
    assert_eq!(harness.remote::<Health>(bob, entity), Some(&Health(1)), "the rest of it is no secret");
}

#[test]
fn a_new_owner_learns_the_secret_and_the_former_one_no_more_of_it() {
    let (mut harness, alice, bob) = two_clients();
    let entity = owned_by(&mut harness, alice);
    give(&mut harness, entity, bob);
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Secret>(bob, entity), Some(&Secret(1)));
    harness.server().world_mut().entity_mut(entity).insert(Secret(5));
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Secret>(bob, entity), Some(&Secret(5)));
    assert_ne!(harness.remote::<Secret>(alice, entity), Some(&Secret(5)));
}

#[test]
fn what_the_owner_says_reaches_everyone() {
    let (mut harness, alice, bob) = two_clients();
    let entity = owned_by(&mut harness, alice);
    assert_eq!(harness.remote::<Steer>(alice, entity), Some(&Steer(0)), "the owner learns the first value");
    steer(&mut harness, alice, entity, 5);
    harness.run_ticks(SETTLED);
    assert_eq!(on_server(&mut harness, entity), 5);
    assert_eq!(harness.remote::<Steer>(bob, entity), Some(&Steer(5)));
    assert_eq!(harness.remote::<Steer>(alice, entity), Some(&Steer(5)));
}

#[test]
fn what_another_says_reaches_nobody() {
    let (mut harness, alice, bob) = two_clients();
    let entity = owned_by(&mut harness, alice);
    steer(&mut harness, bob, entity, 5);
    harness.run_ticks(SETTLED);
    assert_eq!(on_server(&mut harness, entity), 0);
    assert_eq!(harness.remote::<Steer>(alice, entity), Some(&Steer(0)));
}

#[test]
fn a_component_for_the_server_alone_to_say_is_not_taken_from_the_owner() {
    let (mut harness, alice, _) = two_clients();
    let entity = owned_by(&mut harness, alice);
    let local = harness.remote_entity(alice, entity).expect("the owner sees it");
    harness.client(alice).world_mut().entity_mut(local).insert(Health(1000));
    harness.run_ticks(SETTLED);
    assert_eq!(harness.server().world().get::<Health>(entity), Some(&Health(1)));
}

#[test]
fn the_owners_newest_word_is_never_overwritten_by_its_echo() {
    for seed in 1..=3 {
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let (alice, bob) = (harness.add_client(bad_line()), harness.add_client(bad_line()));
        harness.connect();
        let owner = harness.server_connection(alice);
        let entity = harness.server().world_mut().spawn((Replicated, Owner(owner), Steer(0), Health(0))).id();
        let arrived = harness.run_until(600, |harness| controls(harness, alice, entity));
        assert!(arrived, "seed {seed}");
        for value in 1..=120_i32 {
            steer(&mut harness, alice, entity, value);
            // Something else of the entity changes too, so that it is sent while the owner speaks.
            harness.server().world_mut().entity_mut(entity).insert(Health(value.unsigned_abs()));
            harness.run_ticks(1);
            assert_eq!(harness.remote::<Steer>(alice, entity), Some(&Steer(value)), "seed {seed}");
        }
        harness.set_conditions(alice, line(20));
        harness.set_conditions(bob, line(20));
        harness.run_ticks(3 * SETTLED);
        assert_eq!(on_server(&mut harness, entity), 120, "seed {seed}");
        assert_eq!(harness.remote::<Steer>(bob, entity), Some(&Steer(120)), "seed {seed}");
    }
}

#[test]
fn a_former_owner_is_told_what_it_used_to_tell_and_its_late_words_are_no_offence() {
    let (mut harness, alice, bob) = two_clients();
    let entity = owned_by(&mut harness, alice);
    for turn in 0..40 {
        let (owner, other) = if turn % 2 == 0 { (bob, alice) } else { (alice, bob) };
        give(&mut harness, entity, owner);
        // The other has not heard of it yet, and goes on.
        for step in 0..10 {
            if controls(&harness, other, entity) {
                steer(&mut harness, other, entity, -step);
            }
            harness.run_ticks(1);
        }
        harness.run_ticks(10);
        steer(&mut harness, owner, entity, turn + 1);
        harness.run_ticks(20);
        assert_eq!(on_server(&mut harness, entity), turn + 1);
        assert_eq!(harness.remote::<Steer>(other, entity), Some(&Steer(turn + 1)));
    }
    for client in [alice, bob] {
        let connection = harness.server_connection(client);
        let stats = harness.server().world().get::<NetworkStats>(connection).expect("it is still connected");
        assert_eq!(stats.errors, 0);
    }
}

#[test]
fn words_that_came_too_late_give_way_to_the_servers() {
    let (mut harness, alice, _) = two_clients();
    let entity = owned_by(&mut harness, alice);
    harness.server().world_mut().entity_mut(entity).remove::<Owner>();
    steer(&mut harness, alice, entity, 77);
    harness.run_ticks(SETTLED);
    assert_eq!(on_server(&mut harness, entity), 0);
    assert_eq!(harness.remote::<Steer>(alice, entity), Some(&Steer(0)));
}

#[test]
fn the_same_word_after_others_spoke_counts_again() {
    let (mut harness, alice, bob) = two_clients();
    let entity = owned_by(&mut harness, alice);
    steer(&mut harness, alice, entity, 5);
    harness.run_ticks(SETTLED);
    give(&mut harness, entity, bob);
    harness.run_ticks(SETTLED);
    steer(&mut harness, bob, entity, 6);
    harness.run_ticks(SETTLED);
    give(&mut harness, entity, alice);
    harness.run_ticks(SETTLED);
    steer(&mut harness, alice, entity, 5);
    harness.run_ticks(SETTLED);
    assert_eq!(on_server(&mut harness, entity), 5);
}

#[test]
fn an_entity_outlives_its_owner_and_belongs_to_nobody() {
    let (mut harness, alice, bob) = two_clients();
    let entity = owned_by(&mut harness, alice);
    harness.disconnect(alice);
    harness.run_ticks(SETTLED);
    assert!(harness.server().world().get::<Owner>(entity).is_none());
    assert_eq!(harness.remote::<Health>(bob, entity), Some(&Health(1)));
    assert!(harness.remote::<OwnedBy>(bob, entity).is_none());
}
