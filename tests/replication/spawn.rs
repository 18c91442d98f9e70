use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::Harness;

use crate::scene::{Health, Label, SETTLED, assert_same, cut_line, line, one_client, register, shown, two_clients};

#[test]
fn a_spawned_entity_appears_with_everything_it_has() {
    let (mut harness, alice, bob) = two_clients();
    let entity = harness
        .server()
        .world_mut()
        .spawn((Replicated, Health(7), Label("barrel".to_owned()), Transform::from_xyz(1.0, -2.0, 3.5)))
        .id();
    harness.run_ticks(SETTLED);
    for client in [alice, bob] {
        assert_eq!(harness.remote::<Health>(client, entity), Some(&Health(7)));
        assert_eq!(harness.remote::<Label>(client, entity), Some(&Label("barrel".to_owned())));
        assert_same(&mut harness, client);
    }
}

#[test]
fn an_entity_without_components_appears_too() {
    let (mut harness, alice) = one_client();
    let entity = harness.server().world_mut().spawn(Replicated).id();
    harness.run_ticks(SETTLED);
    assert!(harness.remote_entity(alice, entity).is_some());
    assert_eq!(shown(&mut harness, alice), 1);
}

#[test]
fn what_is_not_marked_stays_at_home() {
    let (mut harness, alice) = one_client();
    harness.server().world_mut().spawn(Health(7));
    harness.run_ticks(SETTLED);
    assert_eq!(shown(&mut harness, alice), 0);
}

#[test]
fn an_entity_may_be_marked_later() {
    let (mut harness, alice) = one_client();
    let entity = harness.server().world_mut().spawn(Health(7)).id();
    harness.run_ticks(SETTLED);
    harness.server().world_mut().entity_mut(entity).insert(Replicated);
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Health>(alice, entity), Some(&Health(7)));
}

#[test]
fn an_observer_of_remote_finds_the_entity_whole() {
    #[derive(Resource, Default)]
    struct Whole(Vec<bool>);

    let (mut harness, alice) = one_client();
    let app = harness.client(alice);
    app.init_resource::<Whole>().add_observer(
        |added: On<Add, Remote>, entities: Query<(), (With<Health>, With<Transform>)>, mut whole: ResMut<Whole>| {
            whole.0.push(entities.contains(added.entity));
        },
    );
    for _ in 0..20 {
        harness.server().world_mut().spawn((Replicated, Health(1), Transform::default()));
        harness.run_ticks(3);
    }
    harness.run_ticks(SETTLED);
    assert_eq!(harness.client(alice).world().resource::<Whole>().0, [true; 20]);
}

#[test]
fn a_lost_spawn_arrives_when_the_line_carries_again() {
    let (mut harness, alice) = one_client();
    harness.set_conditions(alice, cut_line());
    let entity = harness.server().world_mut().spawn((Replicated, Health(7))).id();
    harness.run_ticks(30);
    assert_eq!(shown(&mut harness, alice), 0);
    harness.set_conditions(alice, line(20));
    harness.run_ticks(3 * SETTLED);
    assert_eq!(harness.remote::<Health>(alice, entity), Some(&Health(7)));
}

#[test]
fn what_changes_while_its_spawn_is_on_the_way_arrives_changed() {
    let (mut harness, alice) = one_client();
    let entity = harness.server().world_mut().spawn((Replicated, Health(0))).id();
    for health in 1..10 {
        harness.run_ticks(1);
        harness.server().world_mut().entity_mut(entity).insert(Health(health));
    }
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Health>(alice, entity), Some(&Health(9)));
    assert_eq!(shown(&mut harness, alice), 1);
}

#[test]
fn entities_spawned_before_the_first_client_are_there_for_it() {
    let mut harness = Harness::new(register);
    let entity = harness.server().world_mut().spawn((Replicated, Health(7))).id();
    harness.run_ticks(10);
    let alice = harness.add_client(line(20));
    harness.connect();
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Health>(alice, entity), Some(&Health(7)));
}
