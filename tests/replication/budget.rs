use bevy::prelude::*;
use bevy_slipstream::connection::ConnectionSettings;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::Harness;

use crate::scene::{Health, Label, differences, line, register};

/// The least that a connection may have: 133 bytes a tick.
fn narrow(app: &mut App) {
    register(app);
    app.insert_resource(ConnectionSettings {
        min_budget_bytes_per_second: 8_000,
        max_budget_bytes_per_second: 8_000,
        ..default()
    });
}

#[test]
fn what_is_important_comes_first_and_everything_comes_in_the_end() {
    let mut harness = Harness::new(narrow);
    let alice = harness.add_client(line(20));
    harness.connect();
    let world = harness.server().world_mut();
    let mut important = Vec::new();
    for number in 0..300 {
        let label = Label(format!("one of three hundred entities, of which this has the number {number}"));
        let entity = world.spawn((Replicated, Health(number), label)).id();
        if number % 10 == 0 {
            world.entity_mut(entity).insert(Importance(50.0));
            important.push(entity);
        }
    }
    let arrived = harness
        .run_until(1200, |harness| important.iter().all(|entity| harness.remote_entity(alice, *entity).is_some()));
    assert!(arrived, "the important ones never came");
    let shown = crate::scene::shown(&mut harness, alice);
    assert!(shown < 100, "{shown} of 300 came before the last of the 30 important ones");
    let converged = harness.run_until(2400, |harness| differences(harness, alice).is_empty());
    assert!(converged, "{:?}", differences(&mut harness, alice).first());
}

#[test]
fn no_entity_is_staler_than_two_seconds_at_the_floor() {
    let mut harness = Harness::new(narrow);
    let alice = harness.add_client(line(20));
    harness.connect();
    let world = harness.server().world_mut();
    let entities: Vec<Entity> = (0..200).map(|_| world.spawn((Replicated, Health(0))).id()).collect();
    let mut worst = 0;
    for now in 1..=900_u32 {
        for entity in &entities {
            harness.server().world_mut().entity_mut(*entity).insert(Health(now));
        }
        harness.run_ticks(1);
        if now > 600 {
            let seen = entities.iter().map(|entity| harness.remote::<Health>(alice, *entity).map_or(0, |seen| seen.0));
            let stalest = seen.min().unwrap_or(0);
            worst = worst.max(now - stalest);
        }
    }
    println!("the stalest was {worst} ticks old");
    assert!(worst <= 120, "an entity was {worst} ticks old");
}

#[test]
fn the_budget_is_kept() {
    let mut harness = Harness::new(narrow);
    let alice = harness.add_client(line(20));
    harness.connect();
    let world = harness.server().world_mut();
    let entities: Vec<Entity> = (0..200).map(|_| world.spawn((Replicated, Health(0))).id()).collect();
    let connection = harness.server_connection(alice);
    let sent = |harness: &mut Harness| {
        harness.server().world().get::<NetworkStats>(connection).expect("it is connected").bytes_out
    };
    let before = sent(&mut harness);
    for now in 1..=600_u32 {
        for entity in &entities {
            harness.server().world_mut().entity_mut(*entity).insert(Health(now));
        }
        harness.run_ticks(1);
    }
    let bytes = sent(&mut harness) - before;
    assert!(bytes <= 96_000, "{bytes} bytes in ten seconds at 8,000 a second");
}
