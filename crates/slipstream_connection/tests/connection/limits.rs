use bevy::prelude::*;
use serde::{Deserialize, Serialize};
use slipstream_connection::{
    AppMessageExt, Connection, ConnectionLimits, DisconnectReason, Endpoint, MAX_NAME_BYTES, NetworkStats, RateLimit,
    Target, channels,
};

use crate::fixture::{LinkKind, Network, each_link, log_received, logged, send};

#[derive(Message, Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Chat(u32);

fn register(app: &mut App) {
    app.register_message::<Chat>(channels::DISPATCH).rate_limit(RateLimit::new(10.0, 20));
    log_received::<Chat>(app);
}

/// Sends bytes that no `MessageSender` would.
fn send_raw(network: &mut Network, client: usize, bytes: &[u8]) {
    let client = &mut network.clients[client];
    let mut endpoint = client.app.world_mut().get_mut::<Endpoint>(client.connection).unwrap();
    endpoint.send(channels::DISPATCH, bytes, None).unwrap();
}

#[test]
fn what_exceeds_a_rate_is_dropped_and_counted() {
    let mut network = Network::new(LinkKind::Memory, register);
    let alice = network.connect("alice");
    for number in 0..50 {
        send(&mut network.clients[alice].app, Target::Server, &Chat(number)).unwrap();
    }
    network.run(10);
    let arrived = logged::<Chat>(&network.server).len();
    assert!((20..25).contains(&arrived), "{arrived} of 50 arrived");
    let connection = network.server_connection(alice).expect("that alone is forgiven");
    let stats = network.server.world().get::<NetworkStats>(connection).unwrap();
    assert_eq!(stats.messages_dropped as usize, 50 - arrived);
}

#[test]
fn a_server_may_send_as_much_as_it_wants() {
    let mut network = Network::new(LinkKind::Memory, register);
    let alice = network.connect("alice");
    for number in 0..300 {
        send(&mut network.server, Target::All, &Chat(number)).unwrap();
    }
    network.run_until("all arrived", |network| logged::<Chat>(&network.clients[alice].app).len() == 300);
}

#[test]
fn too_many_malformed_messages_end_the_connection_and_no_other() {
    each_link(|link| {
        let mut network = Network::new(link, register);
        let mallory = network.connect("mallory");
        let alice = network.connect("alice");
        for round in 0..40_u8 {
            for length in 1..6 {
                let bytes: Vec<u8> = (0..length).map(|i: u8| i.wrapping_mul(37) ^ 0xf7 ^ round).collect();
                if network.clients[mallory].is_connected() {
                    send_raw(&mut network, mallory, &bytes);
                }
            }
            network.run(1);
        }
        network.run_until("mallory is gone", |network| network.clients[mallory].reason().is_some());
        assert_eq!(network.clients[mallory].reason(), Some(DisconnectReason::TooManyErrors));

        send(&mut network.clients[alice].app, Target::Server, &Chat(1)).unwrap();
        network.run(10);
        assert!(logged::<Chat>(&network.server).contains(&&Chat(1)));
    });
}

#[test]
fn a_few_errors_are_forgiven() {
    let mut network = Network::new(LinkKind::Memory, register);
    let alice = network.connect("alice");
    for _ in 0..10 {
        send_raw(&mut network, alice, &[0xfe, 0xff]);
    }
    network.run(60);
    assert!(network.clients[alice].is_connected());
    let connection = network.server_connection(alice).unwrap();
    let stats = network.server.world().get::<NetworkStats>(connection).unwrap();
    assert_eq!(stats.errors, 10);
}

#[test]
fn what_the_game_does_not_allow_never_reaches_it() {
    fn is_small(chat: &Chat, connection: &Connection) -> bool {
        connection.remote_name == "admin" || chat.0 < 100
    }

    let mut network = Network::new(LinkKind::Memory, |app| {
        app.register_message::<Chat>(channels::DISPATCH).validate(is_small);
        log_received::<Chat>(app);
    });
    for (name, first) in [("alice", 0), ("admin", 10)] {
        let client = network.connect(name);
        for number in [first + 1, first + 500] {
            send(&mut network.clients[client].app, Target::Server, &Chat(number)).unwrap();
        }
        network.run(10);
    }
    assert_eq!(logged::<Chat>(&network.server), [&Chat(1), &Chat(11), &Chat(510)]);
}

#[test]
fn the_error_budget_can_be_set() {
    let mut network = Network::new(LinkKind::Memory, |app| {
        register(app);
        app.insert_resource(ConnectionLimits { errors: RateLimit::new(0.0, 0), ..default() });
    });
    let alice = network.connect("alice");
    send_raw(&mut network, alice, &[0xfe, 0xff]);
    network.run_until("alice is gone", |network| network.clients[alice].reason().is_some());
    assert_eq!(network.clients[alice].reason(), Some(DisconnectReason::TooManyErrors));
}

#[test]
fn a_name_is_cut_to_what_can_be_shown() {
    let mut network = Network::new(LinkKind::Memory, |_| {});
    let client = network.connect(&"\u{7}é".repeat(100));
    let connection = network.server_connection(client).unwrap();
    let name = &network.server.world().get::<Connection>(connection).unwrap().remote_name;
    assert!(name.len() <= MAX_NAME_BYTES && name.starts_with('é') && !name.contains('\u{7}'), "{name:?}");
}
