use bevy::prelude::*;
use serde::{Deserialize, Serialize};
use slipstream_connection::{
    AppChannelExt, AppMessageExt, ChannelConfig, Connection, ConnectionLimits, DisconnectReason, Endpoint,
    MAX_NAME_BYTES, NetworkError, NetworkStats, RateLimit, Target, channels,
};
use slipstream_protocol::{ChannelId, Delivery};

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

const BULK: ChannelId = ChannelId(500);

/// A raw channel that only a test drains, and little room for what waits.
fn register_bulk(app: &mut App) {
    app.register_system_channel(BULK, ChannelConfig::new("bulk", Delivery::ReliableOrdered));
    app.insert_resource(ConnectionLimits { inbox_bytes: 10_000, ..default() });
}

fn drain_bulk(network: &mut Network, client: usize) -> Vec<Vec<u8>> {
    let connection = network.server_connection(client).expect("the client is connected");
    let mut endpoint = network.server.world_mut().get_mut::<Endpoint>(connection).unwrap();
    endpoint.drain(BULK).collect()
}

#[test]
fn what_nobody_reads_in_time_is_held_back_and_not_lost() {
    let mut network = Network::new(LinkKind::Memory, register_bulk);
    let alice = network.connect("alice");
    let count = 60_u32;
    for number in 0..count {
        let client = &mut network.clients[alice];
        let mut endpoint = client.app.world_mut().get_mut::<Endpoint>(client.connection).unwrap();
        let mut payload = number.to_le_bytes().to_vec();
        payload.resize(1_000, 0);
        endpoint.send(BULK, &payload, None).unwrap();
        network.run(1);
    }
    assert!(network.clients[alice].is_connected());
    let waiting = drain_bulk(&mut network, alice);
    assert!(waiting.len() < 20, "{} messages waited where there is room for a few", waiting.len());
    let mut numbers: Vec<u32> = Vec::new();
    let mut note = |messages: Vec<Vec<u8>>| {
        numbers.extend(messages.iter().map(|payload| u32::from_le_bytes(payload[..4].try_into().unwrap())));
        numbers.len()
    };
    note(waiting);
    network.run_until("everything was read", |network| note(drain_bulk(network, alice)) == count as usize);
    assert!(numbers.iter().copied().eq(0..count), "out of order");
}

#[test]
fn empty_messages_that_nobody_reads_fill_the_room_too() {
    let mut network = Network::new(LinkKind::Memory, register_bulk);
    let mallory = network.connect("mallory");
    for _ in 0..120 {
        let client = &mut network.clients[mallory];
        let mut endpoint = client.app.world_mut().get_mut::<Endpoint>(client.connection).unwrap();
        for _ in 0..20 {
            // A full queue says so.
            let _ = endpoint.send(BULK, &[], None);
        }
        network.run(1);
    }
    let waiting = drain_bulk(&mut network, mallory).len();
    assert!(waiting < 1_000, "{waiting} empty messages waited");
}

#[derive(Message, Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Map(Vec<u8>);

#[test]
fn a_reliable_message_that_finds_no_room_ends_the_connection_and_is_not_lost_silently() {
    let mut network = Network::new(LinkKind::Memory, |app| {
        app.register_message::<Map>(channels::DISPATCH);
        log_received::<Map>(app);
    });
    let alice = network.connect("alice");
    // More than the protocol holds for one connection, in one frame.
    for _ in 0..20 {
        send(&mut network.server, Target::All, &Map(vec![7; 60_000])).unwrap();
    }
    network.run_until("alice is gone", |network| network.clients[alice].reason().is_some());
    match network.clients[alice].reason() {
        Some(DisconnectReason::Kicked(why)) => assert!(why.contains("could not be sent"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_above_what_the_protocol_takes_is_told_to_its_sender() {
    let mut network = Network::new(LinkKind::Memory, |app| {
        let huge = ChannelConfig::new("huge", Delivery::ReliableOrdered).with_max_message_bytes(1 << 30);
        app.add_named_channel(huge);
        app.register_message::<Map>("huge");
    });
    let alice = network.connect("alice");
    let result = send(&mut network.server, Target::All, &Map(vec![7; 300_000]));
    assert!(matches!(result, Err(NetworkError::MessageTooLarge { .. })), "{result:?}");
    send(&mut network.server, Target::All, &Map(vec![7; 250_000])).unwrap();
    network.run(60);
    assert!(network.clients[alice].is_connected());
}

#[test]
fn only_a_server_opens_channels_at_run_time() {
    let mut network = Network::new(LinkKind::Memory, |_| {});
    let alice = network.connect("alice");
    let client = &mut network.clients[alice];
    let mut endpoint = client.app.world_mut().get_mut::<Endpoint>(client.connection).unwrap();
    let refused = endpoint.announce_channel(ChannelId(2000), ChannelConfig::new("tool", Delivery::ReliableOrdered));
    assert!(matches!(refused, Err(NetworkError::ChannelRefused(_))), "{refused:?}");
}

#[test]
fn a_name_is_cut_to_what_can_be_shown() {
    let mut network = Network::new(LinkKind::Memory, |_| {});
    let client = network.connect(&"\u{7}é".repeat(100));
    let connection = network.server_connection(client).unwrap();
    let name = &network.server.world().get::<Connection>(connection).unwrap().remote_name;
    assert!(name.len() <= MAX_NAME_BYTES && name.starts_with('é') && !name.contains('\u{7}'), "{name:?}");
}
