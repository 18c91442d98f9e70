use bevy::prelude::*;
use slipstream_connection::{
    ApproveConnections, Connected, DisconnectReason, Disconnected, Hello, RefuseReason, ServerLimits,
};

use crate::fixture::{LinkKind, Network, each_link};

#[test]
fn a_full_server_refuses_and_says_so() {
    each_link(|link| {
        let mut network = Network::new(link, |app| {
            app.insert_resource(ServerLimits { max_connections: 1 });
        });
        let alice = network.connect("alice");
        let bob = network.add_client("bob");
        network.run_until("bob is refused", |network| network.clients[bob].reason().is_some());

        let reason = network.clients[bob].reason().unwrap();
        assert_eq!(reason, DisconnectReason::Refused(RefuseReason::ServerFull { max: 1 }));
        assert!(reason.to_string().contains("full"), "{reason}");
        network.run(60);
        assert!(network.clients[alice].is_connected());
        assert!(!network.clients[bob].is_connected());
    });
}

#[test]
fn a_place_is_free_again_when_somebody_leaves() {
    let mut network = Network::new(LinkKind::Memory, |app| {
        app.insert_resource(ServerLimits { max_connections: 1 });
    });
    let alice = network.connect("alice");
    let connection = network.clients[alice].connection;
    network.clients[alice].app.world_mut().despawn(connection);
    network.run(10);
    network.connect("bob");
}

#[test]
fn clients_that_come_in_the_same_frame_do_not_share_a_place() {
    let mut network = Network::new(LinkKind::Memory, |app| {
        app.insert_resource(ServerLimits { max_connections: 2 });
    });
    for name in ["alice", "bob", "carol", "dave"] {
        network.add_client(name);
    }
    network.run_until("all have an answer", |network| {
        network.clients.iter().all(|client| client.is_connected() || client.reason().is_some())
    });
    assert_eq!(network.clients.iter().filter(|client| client.is_connected()).count(), 2);
}

#[test]
fn the_application_may_deny_a_connection() {
    fn only_alice(hello: &Hello) -> Result<(), String> {
        if hello.name == "alice" { Ok(()) } else { Err(format!("{} is banned", hello.name)) }
    }

    let mut network = Network::new(LinkKind::Memory, |app| {
        app.insert_resource(ApproveConnections(only_alice));
    });
    network.connect("alice");
    let bob = network.add_client("bob");
    network.run_until("bob is refused", |network| network.clients[bob].reason().is_some());
    let reason = network.clients[bob].reason().unwrap();
    assert_eq!(reason, DisconnectReason::Refused(RefuseReason::Denied("bob is banned".to_string())));
}

#[test]
fn a_refused_link_leaves_nothing_on_the_server() {
    let mut network = Network::new(LinkKind::Memory, |app| {
        app.insert_resource(ServerLimits { max_connections: 0 });
    });
    let alice = network.add_client("alice");
    network.run_until("alice is refused", |network| network.clients[alice].reason().is_some());
    network.run(30);
    let mut connected = network.server.world_mut().query_filtered::<(), With<Connected>>();
    assert_eq!(connected.iter(network.server.world()).count(), 0);
    let mut ended = network.server.world_mut().query_filtered::<(), With<Disconnected>>();
    assert_eq!(ended.iter(network.server.world()).count(), 0);
}
