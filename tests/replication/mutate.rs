use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::Harness;
use serde::{Deserialize, Serialize};

use crate::scene::{Health, SETTLED, bad_line, cut_line, line, one_client, stats};

#[test]
fn a_changed_component_changes_on_the_client() {
    let (mut harness, alice) = one_client();
    let entity = harness.server().world_mut().spawn((Replicated, Health(7))).id();
    harness.run_ticks(SETTLED);
    harness.server().world_mut().get_mut::<Health>(entity).expect("it has health").0 = 3;
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Health>(alice, entity), Some(&Health(3)));
}

#[test]
fn the_newest_value_arrives_in_the_end_whatever_was_lost() {
    for seed in 1..=4 {
        let mut harness = Harness::new(crate::scene::register);
        harness.set_seed(seed);
        let alice = harness.add_client(bad_line());
        harness.connect();
        let entity = harness.server().world_mut().spawn((Replicated, Health(0))).id();
        for health in 1..=200 {
            harness.server().world_mut().entity_mut(entity).insert(Health(health));
            harness.run_ticks(1);
        }
        let arrived = harness.run_until(600, |harness| harness.remote::<Health>(alice, entity) == Some(&Health(200)));
        assert!(arrived, "the last value never arrived (seed {seed})");
    }
}

#[test]
fn an_older_value_never_follows_a_newer_one() {
    let mut harness = Harness::new(crate::scene::register);
    let alice = harness.add_client(bad_line());
    harness.connect();
    let entity = harness.server().world_mut().spawn((Replicated, Health(0))).id();
    let mut newest = 0;
    for health in 1..=400 {
        harness.server().world_mut().entity_mut(entity).insert(Health(health));
        harness.run_ticks(1);
        if let Some(Health(seen)) = harness.remote::<Health>(alice, entity) {
            assert!(*seen >= newest, "{seen} came after {newest}");
            newest = *seen;
        }
    }
    assert!(newest > 300, "only {newest} of 400 was seen");
}

#[test]
fn a_position_arrives_within_half_a_step() {
    let (mut harness, alice) = one_client();
    let mut transform = Transform::from_xyz(12.34567, -200.00049, 0.0);
    transform.rotation = Quat::from_euler(EulerRot::YXZ, 1.0, 0.3, -2.0);
    let entity = harness.server().world_mut().spawn((Replicated, transform)).id();
    for _ in 0..50 {
        transform.translation += Vec3::new(0.0317, 0.1, -0.25);
        transform.rotation *= Quat::from_rotation_y(0.05);
        harness.server().world_mut().entity_mut(entity).insert(transform);
        harness.run_ticks(1);
    }
    harness.run_ticks(SETTLED);
    let seen = harness.remote::<Transform>(alice, entity).expect("it has arrived");
    let error = (seen.translation - transform.translation).abs().max_element();
    assert!(error <= 0.0006, "{error} m");
    let angle = seen.rotation.angle_between(transform.rotation);
    assert!(angle < 0.004, "{angle} rad");
}

#[test]
fn a_change_below_the_step_is_no_change() {
    let (mut harness, alice) = one_client();
    let entity = harness.server().world_mut().spawn((Replicated, Transform::from_xyz(1.0, 0.0, 0.0))).id();
    harness.run_ticks(SETTLED);
    let before = stats(&mut harness, alice);
    harness.server().world_mut().entity_mut(entity).insert(Transform::from_xyz(1.0003, 0.0, 0.0));
    harness.run_ticks(SETTLED);
    assert_eq!(stats(&mut harness, alice).records, before.records);
}

#[test]
fn scale_travels_where_it_is_not_one() {
    let (mut harness, alice) = one_client();
    let entity = harness.server().world_mut().spawn((Replicated, Transform::from_scale(Vec3::splat(2.5)))).id();
    harness.run_ticks(SETTLED);
    let scale = |harness: &Harness| harness.remote::<Transform>(alice, entity).map(|transform| transform.scale);
    assert_eq!(scale(&harness), Some(Vec3::splat(2.5)));
    harness.server().world_mut().entity_mut(entity).insert(Transform::default());
    harness.run_ticks(SETTLED);
    assert_eq!(scale(&harness), Some(Vec3::ONE));
}

#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Slow(u32);

#[test]
fn a_slow_lane_is_sent_seldom_and_ends_with_the_newest_value() {
    let mut harness = Harness::new(|app: &mut App| {
        app.replicate::<Slow>().send_every(10);
    });
    let alice = harness.add_client(line(20));
    harness.connect();
    let entity = harness.server().world_mut().spawn((Replicated, Slow(0))).id();
    harness.run_ticks(SETTLED);
    let before = stats(&mut harness, alice).records;
    for value in 1..=100 {
        harness.server().world_mut().entity_mut(entity).insert(Slow(value));
        harness.run_ticks(1);
    }
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Slow>(alice, entity), Some(&Slow(100)));
    let records = stats(&mut harness, alice).records - before;
    assert!((10..=11).contains(&records), "{records} records for 100 changes at every tenth tick");
}

#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Left(u32);

#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Right(u32);

#[test]
fn components_of_one_lane_arrive_together() {
    let mut harness = Harness::new(|app: &mut App| {
        app.replicate::<Left>().lane("hands");
        app.replicate::<Right>().lane("hands");
    });
    let alice = harness.add_client(bad_line());
    harness.connect();
    let entity = harness.server().world_mut().spawn((Replicated, Left(0), Right(0))).id();
    for value in 1..=300 {
        // The left hand alone changes every other time: then only its bits travel.
        harness.server().world_mut().entity_mut(entity).insert(Left(value));
        if value % 2 == 0 {
            harness.server().world_mut().entity_mut(entity).insert(Right(value));
        }
        harness.run_ticks(1);
        let seen = (harness.remote::<Left>(alice, entity), harness.remote::<Right>(alice, entity));
        if let (Some(Left(left)), Some(Right(right))) = seen {
            assert_eq!(left - left % 2, *right, "the hands are of different ticks");
        }
    }
}

#[test]
fn a_starved_client_catches_up_by_a_difference() {
    let (mut harness, alice) = one_client();
    let entity = harness.server().world_mut().spawn((Replicated, Transform::default())).id();
    harness.run_ticks(SETTLED);
    harness.set_conditions(alice, cut_line());
    for tick in 0..240_u8 {
        harness.server().world_mut().entity_mut(entity).insert(Transform::from_xyz(f32::from(tick), 0.0, 0.0));
        harness.run_ticks(1);
    }
    harness.set_conditions(alice, line(20));
    let caught_up = harness.run_until(600, |harness| {
        harness.remote::<Transform>(alice, entity).is_some_and(|transform| transform.translation.x == 239.0)
    });
    assert!(caught_up);
    assert_eq!(stats(&mut harness, alice).resets, 0, "a difference was always possible");
}
