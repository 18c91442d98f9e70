//! The README's programme, in the harness: what a client puts into its input moves its vehicle on every peer.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};
use serde::{Deserialize, Serialize};

use crate::scene::SETTLED;

#[derive(Component, Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Position(Vec2);

#[derive(Component, Serialize, Deserialize, Clone, Default, PartialEq)]
struct Drive(Vec2);

fn programme(app: &mut App) {
    app.replicate::<Position>();
    app.input::<Drive>();
    app.add_systems(Simulation, drive.run_if(is_server)).add_observer(give_a_vehicle.run_if(is_server));
}

fn give_a_vehicle(joined: On<Add, Connected>, mut commands: Commands) {
    let vehicle = (Replicated, Owner(joined.entity), Position(Vec2::ZERO), Drive::default());
    commands.entity(joined.entity).with_child(vehicle);
}

fn drive(mut movers: Query<(&mut Position, &Drive)>, time: Res<Time>) {
    for (mut position, drive) in &mut movers {
        position.0 += drive.0.clamp_length_max(1.0) * 8.0 * time.delta_secs();
    }
}

fn positions(app: &mut App) -> Vec<f32> {
    let mut query = app.world_mut().query::<&Position>();
    let mut positions: Vec<f32> = query.iter(app.world()).map(|position| position.0.x).collect();
    positions.sort_by(f32::total_cmp);
    positions
}

fn steer(harness: &mut Harness, client: Client, wish: Vec2) {
    let world = harness.client(client).world_mut();
    let mut own = world.query_filtered::<&mut Drive, With<Controlled>>();
    own.single_mut(world).expect("one vehicle is this client's, and has its input").0 = wish;
}

#[test]
fn an_input_moves_the_vehicle_on_every_peer() {
    let mut harness = Harness::new(programme);
    let conditions = NetworkConditions { loss: 0.05, ..NetworkConditions::default() };
    let (alice, bob) = (harness.add_client(conditions), harness.add_client(conditions));
    harness.connect();
    harness.run_ticks(SETTLED);
    steer(&mut harness, alice, Vec2::X);
    harness.run_ticks(120);
    steer(&mut harness, alice, Vec2::ZERO);
    harness.run_ticks(SETTLED);
    let truth = positions(harness.server());
    assert_eq!(truth.len(), 2);
    assert_eq!(truth[0], 0.0, "nobody drove the other");
    // Two seconds at 8 m/s, and the ticks of the way to the server at either end.
    assert!((15.0..=17.0).contains(&truth[1]), "{truth:?}");
    for client in [alice, bob] {
        assert_eq!(positions(harness.client(client)), truth);
    }
    harness.disconnect(bob);
    harness.run_ticks(SETTLED);
    assert_eq!(positions(harness.server()).len(), 1, "a vehicle goes with its connection");
}
