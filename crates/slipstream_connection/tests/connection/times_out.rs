use core::time::Duration;

use bevy::prelude::*;
use bevy::time::TimeUpdateStrategy;
use slipstream_connection::{Connected, ConnectionSettings, DisconnectReason, Disconnected, Role};
use slipstream_link::{Connect, LinkPlugin, Listen, MemoryHub};

use crate::fixture::{FRAME, LinkKind, Network, peer};

#[derive(Resource, Default)]
struct Reasons(Vec<DisconnectReason>);

fn watch(app: &mut App) {
    app.init_resource::<Reasons>().add_observer(
        |added: On<Add, Disconnected>, ended: Query<&Disconnected>, mut reasons: ResMut<Reasons>| {
            reasons.0.push(ended.get(added.entity).expect("it was just added").reason.clone());
        },
    );
}

#[test]
fn a_client_that_falls_silent_is_given_up() {
    let mut network = Network::new(LinkKind::Memory, |app| {
        watch(app);
        app.insert_resource(ConnectionSettings { timeout: Duration::from_secs(3), ..default() });
    });
    network.connect("alice");
    // The client's process hangs: only the server goes on.
    for _ in 0..150 {
        network.server.update();
    }
    assert!(network.server.world().resource::<Reasons>().0.is_empty());
    for _ in 0..60 {
        network.server.update();
    }
    assert_eq!(network.server.world().resource::<Reasons>().0, [DisconnectReason::TimedOut]);
    let mut connected = network.server.world_mut().query_filtered::<(), With<Connected>>();
    assert_eq!(connected.iter(network.server.world()).count(), 0);
}

#[test]
fn a_frame_that_hangs_is_no_silence_of_the_peer() {
    let mut network = Network::new(LinkKind::Memory, |app| {
        watch(app);
        app.insert_resource(ConnectionSettings { timeout: Duration::from_secs(3), ..default() });
    });
    let alice = network.connect("alice");
    // The server hangs for longer than its time-out, and what alice sent meanwhile waits in the pipe.
    for _ in 0..150 {
        network.clients[alice].app.update();
    }
    network.server.insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_secs(4)));
    network.server.update();
    network.server.insert_resource(TimeUpdateStrategy::ManualDuration(FRAME));
    network.run(60);
    assert!(network.server.world().resource::<Reasons>().0.is_empty());
    assert!(network.clients[alice].is_connected());
}

#[test]
fn an_idle_connection_lives() {
    let mut network = Network::new(LinkKind::Memory, |app| {
        watch(app);
        app.insert_resource(ConnectionSettings { timeout: Duration::from_secs(3), ..default() });
    });
    let alice = network.connect("alice");
    network.run(1200);
    assert!(network.clients[alice].is_connected());
    assert!(network.server.world().resource::<Reasons>().0.is_empty());
}

#[test]
fn a_connector_that_finds_nobody_says_so() {
    let hub = MemoryHub::new();
    let mut app = peer(Role::Client, "alice", &|_| {});
    let connection = app.world_mut().spawn(Connect::memory(&hub).timeout(Duration::from_secs(1))).id();
    for _ in 0..120 {
        app.update();
    }
    let ended = app.world().get::<Disconnected>(connection).expect("it was given up");
    assert!(matches!(ended.reason, DisconnectReason::Unreachable(_)), "{}", ended.reason);
}

#[test]
fn a_handshake_without_an_answer_is_given_up() {
    // Somebody accepts the pipe, but no connection layer answers on it.
    let hub = MemoryHub::new();
    let mut mute = App::new();
    mute.add_plugins((MinimalPlugins, LinkPlugin));
    mute.world_mut().spawn(Listen::memory(&hub));
    let mut app = peer(Role::Client, "alice", &|app| {
        app.insert_resource(ConnectionSettings { handshake_timeout: Duration::from_secs(2), ..default() });
    });
    let connection = app.world_mut().spawn(Connect::memory(&hub)).id();
    for _ in 0..180 {
        mute.update();
        app.update();
    }
    let ended = app.world().get::<Disconnected>(connection).expect("it was given up");
    assert!(matches!(ended.reason, DisconnectReason::Unreachable(_)), "{}", ended.reason);
}
