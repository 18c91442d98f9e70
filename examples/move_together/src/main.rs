//! `move_together server` in one terminal, `move_together` in as many others as there are friends. Arrow keys drive.
use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

const KEY: [u8; 32] = *b"in a real game this is a secret!";

#[derive(Component, Serialize, Deserialize, Clone)]
struct Position(Vec2);

#[derive(Component, Serialize, Deserialize, Clone, Default, PartialEq)] // an input is a component its owner may set
struct Drive(Vec2);

fn main() -> AppExit {
    let address = SocketAddr::from(([127, 0, 0, 1], 41_000));
    let mut app = App::new();
    if std::env::args().nth(1).as_deref() == Some("server") {
        app.add_plugins((MinimalPlugins, NetworkingPlugin::server()));
        app.world_mut().spawn(Listen::udp(address).key(KEY));
    } else {
        app.add_plugins((DefaultPlugins, NetworkingPlugin::client()));
        app.world_mut().spawn(Connect::udp(address).key(KEY));
        app.world_mut().spawn((Camera3d::default(), Transform::from_xyz(0.0, 0.0, 30.0)));
        app.add_systems(FixedPreUpdate, read_keys).add_systems(Update, draw);
    }
    let _ = app.replicate::<Position>();
    app.input::<Drive>();
    app.add_systems(Simulation, drive.run_if(is_server)).add_observer(give_a_vehicle.run_if(is_server));
    app.run()
}

fn give_a_vehicle(joined: On<Add, Connected>, mut commands: Commands) {
    let vehicle = (Replicated, Owner(joined.entity), Position(Vec2::ZERO), Drive::default());
    commands.entity(joined.entity).with_child(vehicle); // gone with its connection
}

fn drive(mut movers: Query<(&mut Position, &Drive)>, time: Res<Time>) {
    for (mut position, drive) in &mut movers {
        position.0 += drive.0.clamp_length_max(1.0) * 8.0 * time.delta_secs();
    }
}

fn read_keys(keys: Res<ButtonInput<KeyCode>>, mut own: Query<&mut Drive, With<Controlled>>) {
    let axis = |up, down| f32::from(keys.pressed(up)) - f32::from(keys.pressed(down));
    let wish = Vec2::new(axis(KeyCode::ArrowRight, KeyCode::ArrowLeft), axis(KeyCode::ArrowUp, KeyCode::ArrowDown));
    own.iter_mut().for_each(|mut drive| drive.0 = wish);
}

fn draw(vehicles: Query<(&Position, Has<Controlled>)>, mut gizmos: Gizmos) {
    for (position, own) in &vehicles {
        let color = if own { Color::srgb(1.0, 0.8, 0.1) } else { Color::srgb(0.3, 0.7, 1.0) };
        gizmos.circle(position.0.extend(0.0), 0.5, color);
    }
}
