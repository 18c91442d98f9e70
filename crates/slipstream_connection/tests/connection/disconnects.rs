use bevy::prelude::*;
use serde::{Deserialize, Serialize};
use slipstream_connection::{
    CloseReason, Connected, Connection, DisconnectReason, Disconnected, Endpoint, LocalPeer, Target, channels,
};
use slipstream_link::{Conditioner, NetworkConditions};

use crate::fixture::{LinkKind, Network, each_link, logged, register_logged, send};

#[derive(Message, Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Chat(String);

#[derive(Resource, Default)]
struct Ended(Vec<(String, DisconnectReason)>);

fn watch(app: &mut App) {
    app.init_resource::<Ended>().add_observer(
        |added: On<Add, Disconnected>,
         all: Query<(&Disconnected, &Connection, Has<Connected>)>,
         mut ended: ResMut<Ended>| {
            let (disconnected, connection, is_connected) = all.get(added.entity).expect("who it was is still there");
            assert!(!is_connected, "`Connected` goes first");
            ended.0.push((connection.remote_name.clone(), disconnected.reason.clone()));
        },
    );
}

fn ended(app: &App) -> &[(String, DisconnectReason)] {
    &app.world().resource::<Ended>().0
}

#[test]
fn a_client_leaves_by_despawning_its_connection() {
    each_link(|link| {
        let mut network = Network::new(link, watch);
        let alice = network.connect("alice");
        let on_server = network.server_connection(alice).unwrap();
        let connection = network.clients[alice].connection;
        network.clients[alice].app.world_mut().despawn(connection);
        network.run_until("the server knows", |network| !ended(&network.server).is_empty());

        assert_eq!(*ended(&network.server), [("alice".to_string(), DisconnectReason::Requested)]);
        assert!(network.clients[alice].app.world().get_resource::<LocalPeer>().is_none());
        network.run(2);
        assert!(network.server.world().get_entity(on_server).is_err(), "the server's entity goes one frame later");
    });
}

#[test]
fn a_server_ends_a_connection_by_despawning_it() {
    each_link(|link| {
        let mut network = Network::new(link, watch);
        let alice = network.connect("alice");
        let bob = network.connect("bob");
        let connection = network.server_connection(alice).unwrap();
        network.server.world_mut().despawn(connection);
        network.run_until("alice knows", |network| network.clients[alice].reason().is_some());
        assert_eq!(network.clients[alice].reason(), Some(DisconnectReason::Requested));
        network.run(30);
        assert!(network.clients[bob].is_connected());
    });
}

#[test]
fn the_reason_stays_on_the_client_until_it_is_despawned() {
    let mut network = Network::new(LinkKind::Memory, watch);
    let alice = network.connect("alice");
    let connection = network.server_connection(alice).unwrap();
    network.server.world_mut().despawn(connection);
    network.run(120);
    let client = &mut network.clients[alice];
    assert_eq!(client.reason(), Some(DisconnectReason::Requested));
    assert_eq!(ended(&client.app).len(), 1);
    assert!(client.app.world().get::<Endpoint>(client.connection).is_none(), "what it held is freed");
    client.app.world_mut().despawn(client.connection);
    network.run(5);
}

#[test]
fn a_kick_carries_its_reason() {
    each_link(|link| {
        let mut network = Network::new(link, watch);
        let alice = network.connect("alice");
        let connection = network.server_connection(alice).unwrap();
        let mut endpoint = network.server.world_mut().get_mut::<Endpoint>(connection).unwrap();
        endpoint.disconnect(CloseReason::Kicked("language".to_string()));
        network.run_until("both know", |network| {
            network.clients[alice].reason().is_some() && !ended(&network.server).is_empty()
        });
        let kicked = DisconnectReason::Kicked("language".to_string());
        assert_eq!(network.clients[alice].reason(), Some(kicked.clone()));
        assert_eq!(*ended(&network.server), [("alice".to_string(), kicked)]);
    });
}

#[test]
fn the_end_of_the_server_is_told_to_all() {
    each_link(|link| {
        let mut network = Network::new(link, watch);
        let clients = ["alice", "bob"].map(|name| network.connect(name));
        network.server.world_mut().write_message(AppExit::Success);
        network.server.update();
        for client in clients {
            let client = &mut network.clients[client];
            for _ in 0..60 {
                client.app.update();
            }
            assert_eq!(client.reason(), Some(DisconnectReason::Shutdown));
        }
    });
}

/// Over memory only: renet drops datagrams that a server reads in one frame with the netcode disconnect, so an exiting
/// client waits for a moment, in which a server in the same thread can't run. The end-to-end tests end real processes.
#[test]
fn the_end_of_a_client_is_told_to_the_server() {
    let mut network = Network::new(LinkKind::Memory, watch);
    let alice = network.connect("alice");
    network.clients[alice].app.world_mut().write_message(AppExit::Success);
    network.clients[alice].app.update();
    network.clients.clear();
    for _ in 0..60 {
        network.server.update();
    }
    assert_eq!(*ended(&network.server), [("alice".to_string(), DisconnectReason::Shutdown)]);
}

#[test]
fn the_reason_survives_latency() {
    let mut network = Network::new(LinkKind::Memory, watch);
    let latency = NetworkConditions { latency: core::time::Duration::from_millis(80), ..default() };
    let listener = network.listener;
    network.server.world_mut().entity_mut(listener).insert(Conditioner::both_ways(latency, 1));
    let alice = network.connect("alice");
    let connection = network.server_connection(alice).unwrap();
    network
        .server
        .world_mut()
        .get_mut::<Endpoint>(connection)
        .unwrap()
        .disconnect(CloseReason::Kicked("late".to_string()));
    network.run_until("alice knows", |network| network.clients[alice].reason().is_some());
    assert_eq!(network.clients[alice].reason(), Some(DisconnectReason::Kicked("late".to_string())));
}

#[test]
fn all_links_go_with_their_listener() {
    let mut network = Network::new(LinkKind::Memory, watch);
    let alice = network.connect("alice");
    let listener = network.listener;
    network.server.world_mut().despawn(listener);
    network.run_until("alice knows", |network| network.clients[alice].reason().is_some());
    assert_eq!(network.clients[alice].reason(), Some(DisconnectReason::Requested));
}

#[test]
fn last_words_arrive_before_the_end() {
    let mut network = Network::new(LinkKind::Memory, |app| {
        watch(app);
        register_logged::<Chat>(app, channels::DISPATCH);
    });
    let alice = network.connect("alice");
    let connection = network.server_connection(alice).unwrap();
    send(&mut network.server, Target::One(connection), &Chat("goodbye".to_string())).unwrap();
    network.run(1);
    network.server.world_mut().despawn(connection);
    network.run(10);
    assert_eq!(logged::<Chat>(&network.clients[alice].app), [&Chat("goodbye".to_string())]);
    assert!(network.clients[alice].reason().is_some());
}

#[test]
fn a_client_connects_again_with_a_new_entity() {
    let mut network = Network::new(LinkKind::Memory, watch);
    let alice = network.connect("alice");
    let connection = network.clients[alice].connection;
    network.clients[alice].app.world_mut().despawn(connection);
    network.run(10);
    let app = core::mem::take(&mut network.clients[alice].app);
    let again = network.add_app(app);
    network.clients.swap_remove(alice);
    assert_eq!(again, 1);
    network.run_until("connected again", |network| network.clients[0].is_connected());
}
