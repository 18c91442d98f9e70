use bevy::prelude::*;
use bevy_slipstream::prelude::*;

use crate::scene::{Burning, Health, SETTLED, assert_same, bad_line, line, one_client, stats};

#[test]
fn a_late_client_sees_the_world_as_it_is_now() {
    let (mut harness, alice) = one_client();
    let world = harness.server().world_mut();
    let entities: Vec<Entity> = (0..50).map(|health| world.spawn((Replicated, Health(health), Burning)).id()).collect();
    harness.run_ticks(SETTLED);
    let world = harness.server().world_mut();
    for entity in &entities[..10] {
        world.despawn(*entity);
    }
    for entity in &entities[10..30] {
        world.entity_mut(*entity).remove::<Burning>().insert(Health(1000));
    }
    harness.run_ticks(600);
    let bob = harness.add_client(line(20));
    harness.connect();
    harness.run_ticks(SETTLED);
    assert_same(&mut harness, alice);
    assert_same(&mut harness, bob);
}

#[test]
fn a_late_client_costs_the_others_nothing() {
    let (mut harness, alice) = one_client();
    for health in 0..50 {
        harness.server().world_mut().spawn((Replicated, Health(health)));
    }
    harness.run_ticks(SETTLED);
    let before = stats(&mut harness, alice);
    let bob = harness.add_client(line(20));
    harness.connect();
    harness.run_ticks(SETTLED);
    assert_eq!(stats(&mut harness, alice), before);
    assert_same(&mut harness, bob);
}

#[test]
fn a_client_joins_a_world_in_motion_over_a_bad_line() {
    let (mut harness, _) = one_client();
    let world = harness.server().world_mut();
    let entities: Vec<Entity> = (0..40).map(|_| world.spawn((Replicated, Transform::default())).id()).collect();
    harness.run_ticks(30);
    harness.set_seed(9);
    let bob = harness.add_client(bad_line());
    let mut tick = 0_u16;
    let mut move_all = |harness: &mut bevy_slipstream::testing::Harness| {
        tick += 1;
        for (entity, place) in entities.iter().zip(0_u16..) {
            let at = Vec3::new(f32::from(place), f32::from(tick) * 0.125, 0.0);
            harness.server().world_mut().entity_mut(*entity).insert(Transform::from_translation(at));
        }
        harness.run_ticks(1);
    };
    for _ in 0..400 {
        move_all(&mut harness);
    }
    harness.set_conditions(bob, line(20));
    harness.run_ticks(3 * SETTLED);
    assert_same(&mut harness, bob);
}
