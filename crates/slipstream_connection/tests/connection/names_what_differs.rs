use bevy::prelude::*;
use serde::{Deserialize, Serialize};
use slipstream_connection::{
    AppChannelExt, AppMessageExt, ApplicationVersion, ChannelConfig, Delivery, DisconnectReason, NetworkChannel,
    NetworkProtocol, RefuseReason, Role, Target, channels,
};

use crate::fixture::{LinkKind, Network, each_link, logged, peer, register_logged, send};

#[derive(Message, Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Chat(String);

#[derive(Message, Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Wave(u8);

struct Side;

impl NetworkChannel for Side {
    fn config() -> ChannelConfig {
        ChannelConfig::new("side", Delivery::ReliableOrdered)
    }
}

struct Main;

impl NetworkChannel for Main {
    fn config() -> ChannelConfig {
        ChannelConfig::new("main", Delivery::ReliableOrdered)
    }
}

/// Connects a client that was registered otherwise than the server and returns the lines of the refusal.
fn differences(link: LinkKind, server: fn(&mut App), client: fn(&mut App)) -> String {
    let mut network = Network::new(link, server);
    let alice = network.add_app(peer(Role::Client, "alice", &client));
    network.run_until("alice is refused", |network| network.clients[alice].reason().is_some());
    match network.clients[alice].reason() {
        Some(reason @ DisconnectReason::Refused(RefuseReason::Mismatch { .. })) => reason.to_string(),
        other => panic!("expected a mismatch, got {other:?}"),
    }
}

#[test]
fn a_message_that_only_one_side_knows_is_named() {
    each_link(|link| {
        let sentence = differences(
            link,
            |app| register_logged::<Chat>(app, channels::DISPATCH),
            |app| {
                register_logged::<Chat>(app, channels::DISPATCH);
                register_logged::<Wave>(app, channels::EVENT);
            },
        );
        assert!(sentence.contains("Wave"), "{sentence}");
        assert!(!sentence.contains("Chat"), "{sentence}");
    });
}

#[test]
fn a_message_on_another_channel_is_named() {
    let sentence = differences(
        LinkKind::Memory,
        |app| register_logged::<Chat>(app, channels::DISPATCH),
        |app| register_logged::<Chat>(app, channels::UNORDERED),
    );
    assert!(sentence.contains("Chat") && sentence.contains("dispatch") && sentence.contains("unordered"), "{sentence}");
}

#[test]
fn another_version_of_the_application_is_named() {
    let sentence = differences(
        LinkKind::Memory,
        |app| {
            app.insert_resource(ApplicationVersion("1.2".to_string()));
        },
        |app| {
            app.insert_resource(ApplicationVersion("1.3".to_string()));
        },
    );
    assert!(sentence.contains("1.2") && sentence.contains("1.3"), "{sentence}");
}

#[test]
fn a_protocol_entry_that_differs_is_named() {
    let sentence = differences(
        LinkKind::Memory,
        |app| {
            app.add_protocol_entry("component", "Position", "step 0.01");
        },
        |app| {
            app.add_protocol_entry("component", "Position", "step 0.02");
        },
    );
    assert!(sentence.contains("Position") && sentence.contains("0.02"), "{sentence}");
}

#[test]
fn another_tick_rate_is_named() {
    let sentence = differences(
        LinkKind::Memory,
        |app| {
            app.insert_resource(Time::<Fixed>::from_hz(60.0));
        },
        |app| {
            app.insert_resource(Time::<Fixed>::from_hz(30.0));
        },
    );
    assert!(sentence.contains("tick rate"), "{sentence}");
}

#[test]
fn the_order_of_registration_does_not_matter() {
    let mut network = Network::new(LinkKind::Memory, |app| {
        app.add_channel::<Side>().add_channel::<Main>();
        app.register_message::<Wave>(slipstream_connection::ChannelRef::of::<Main>());
        register_logged::<Chat>(app, slipstream_connection::ChannelRef::of::<Side>());
    });
    let alice = network.add_app(peer(Role::Client, "alice", &|app| {
        register_logged::<Chat>(app, slipstream_connection::ChannelRef::of::<Side>());
        app.register_message::<Wave>("main");
        app.add_channel::<Main>().add_channel::<Side>();
    }));
    network.run_until("connected", |network| network.server_connection(alice).is_some());
    send(&mut network.clients[alice].app, Target::Server, &Chat("hello".to_string())).unwrap();
    network.run(5);
    assert_eq!(logged::<Chat>(&network.server), [&Chat("hello".to_string())]);

    let protocol = network.server.world().resource::<NetworkProtocol>();
    assert_eq!(protocol.channel::<Main>().map(|id| id.0), Some(1000));
    assert_eq!(protocol.channel::<Side>().map(|id| id.0), Some(1001));
}

#[test]
fn types_with_other_rust_names_meet_under_one_wire_name() {
    let mut network = Network::new(LinkKind::Memory, |app| {
        app.register_message::<Chat>(channels::DISPATCH).named("talk");
    });
    let alice = network.add_app(peer(Role::Client, "alice", &|app| {
        app.register_message::<Wave>(channels::DISPATCH).named("talk");
    }));
    network.run_until("connected", |network| network.server_connection(alice).is_some());
}
