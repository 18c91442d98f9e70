use bevy::prelude::*;
use serde::{Deserialize, Serialize};
use slipstream_connection::{
    Connected, Connecting, Connection, ConnectionData, LocalPeer, NetworkStats, PeerId, Role, Target, channels,
    is_connected,
};

use crate::fixture::{LinkKind, Network, each_link, peer, register_logged, send};

#[test]
fn a_client_and_a_server_connect() {
    each_link(|link| {
        let mut network = Network::new(link, |_| {});
        let alice = network.connect("alice");

        let client = &network.clients[alice];
        let connection = client.app.world().get::<Connection>(client.connection).unwrap();
        assert_eq!(connection.peer, PeerId::SERVER);
        assert_eq!(connection.remote_name, "server");
        assert!(client.app.world().get::<Connecting>(client.connection).is_none());

        let local = client.app.world().resource::<LocalPeer>().0;
        let entity = network.server_connection(alice).unwrap();
        let connection = network.server.world().get::<Connection>(entity).unwrap();
        assert_eq!(connection.peer, local);
        assert_ne!(connection.peer, PeerId::SERVER);
        assert_eq!(connection.remote_name, "alice");
        assert!(network.server.world().get::<Connecting>(entity).is_none());
    });
}

#[test]
fn a_connection_is_complete_when_it_is_observed() {
    #[derive(Resource, Default)]
    struct Observed(Vec<String>);

    let mut network = Network::new(LinkKind::Memory, |app| {
        app.init_resource::<Observed>().add_observer(
            |added: On<Add, Connected>,
             connections: Query<(&Connection, &NetworkStats)>,
             mut observed: ResMut<Observed>| {
                let (connection, _) = connections.get(added.entity).expect("all of it is there");
                observed.0.push(connection.remote_name.clone());
            },
        );
    });
    let alice = network.connect("alice");
    assert_eq!(network.server.world().resource::<Observed>().0, ["alice"]);
    assert_eq!(network.clients[alice].app.world().resource::<Observed>().0, ["server"]);
}

#[test]
fn several_clients_have_different_ids() {
    each_link(|link| {
        let mut network = Network::new(link, |_| {});
        for name in ["alice", "bob", "carol"] {
            network.connect(name);
        }
        let mut ids: Vec<PeerId> =
            network.clients.iter().map(|client| client.app.world().resource::<LocalPeer>().0).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 3);
    });
}

#[test]
fn a_connector_is_connecting_from_the_start() {
    let mut network = Network::new(LinkKind::Memory, |_| {});
    let alice = network.add_client("alice");
    let client = &network.clients[alice];
    assert!(client.app.world().get::<Connecting>(client.connection).is_some());
}

#[test]
fn application_bytes_travel_with_the_hello() {
    let mut network = Network::new(LinkKind::Memory, |_| {});
    let alice = network.add_app(peer(Role::Client, "alice", &|app| {
        app.insert_resource(ConnectionData(vec![4, 2]));
    }));
    network.run_until("connected", |network| network.server_connection(alice).is_some());
    let entity = network.server_connection(alice).unwrap();
    assert_eq!(network.server.world().get::<Connection>(entity).unwrap().remote_data, [4, 2]);
}

#[test]
fn both_sides_know_the_tick_rate() {
    let mut network = Network::new(LinkKind::Memory, |app| {
        app.insert_resource(Time::<Fixed>::from_hz(30.0));
    });
    let alice = network.connect("alice");
    let client = &network.clients[alice];
    let connection = client.app.world().get::<Connection>(client.connection).unwrap();
    assert_eq!(connection.tick_rate, 30.0);
}

#[test]
fn statistics_are_measured() {
    #[derive(Serialize, Deserialize, Clone)]
    struct Note;

    each_link(|link| {
        let mut network = Network::new(link, |app| register_logged::<Note>(app, channels::DISPATCH));
        let alice = network.connect("alice");
        for _ in 0..10 {
            send(&mut network.server, Target::All, &Note).unwrap();
            send(&mut network.clients[alice].app, Target::Server, &Note).unwrap();
            network.run(6);
        }
        network.run(180);
        let client = &network.clients[alice];
        let stats = client.app.world().get::<NetworkStats>(client.connection).unwrap();
        assert!(stats.bytes_in > 0 && stats.bytes_out > 0, "{stats:?}");
        assert!(stats.packets_in > 0 && stats.packets_out > 0, "{stats:?}");
        assert_eq!((stats.messages_in, stats.messages_out), (10, 10));
        assert!(!stats.rtt.is_zero() && stats.rtt.as_millis() < 100, "{stats:?}");
        assert!(stats.best_rtt <= stats.average_rtt && stats.average_rtt <= stats.worst_rtt, "{stats:?}");
        assert_eq!(stats.errors, 0);
        assert!(stats.bytes_out_per_second <= 300.0, "idle, but {} bytes a second", stats.bytes_out_per_second);
    });
}

#[test]
fn a_run_condition_tells_whether_a_connection_is_open() {
    #[derive(Resource, Default)]
    struct Frames(u32);

    let mut network = Network::new(LinkKind::Memory, |app| {
        app.init_resource::<Frames>()
            .add_systems(Update, (|mut frames: ResMut<Frames>| frames.0 += 1).run_if(is_connected));
    });
    network.run(5);
    assert_eq!(network.server.world().resource::<Frames>().0, 0);
    network.connect("alice");
    network.run(5);
    assert!(network.server.world().resource::<Frames>().0 >= 5);
}
