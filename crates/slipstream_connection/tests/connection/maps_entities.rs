use bevy::ecs::entity::MapEntities;
use bevy::prelude::*;
use serde::{Deserialize, Serialize};
use slipstream_connection::{
    AppMessageExt, EntityMap, MessageSender, NetworkError, NetworkId, NetworkStats, Payload, Role, Target, channels,
};

use crate::fixture::{LinkKind, Network, each_link, log_received, logged, send};

#[derive(Message, Serialize, Deserialize, MapEntities, Clone, Debug, PartialEq)]
struct Hit {
    #[entities]
    victim: Entity,
    damage: u32,
}

#[derive(Message, Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Chat(u32);

fn register(app: &mut App) {
    app.register_message::<Hit>(channels::DISPATCH).map_entities();
    app.register_message::<Chat>(channels::DISPATCH);
    log_received::<Hit>(app);
    log_received::<Chat>(app);
}

/// Spawns an entity and gives it a network id, as replication does.
fn spawn_named(app: &mut App, id: NetworkId) -> Entity {
    let entity = app.world_mut().spawn_empty().id();
    app.world_mut().resource_mut::<EntityMap>().insert(id, entity);
    entity
}

const VEHICLE: NetworkId = NetworkId { slot: 5, generation: 2 };

#[test]
fn entities_in_messages_are_those_of_the_receiver() {
    each_link(|link| {
        let mut network = Network::new(link, register);
        let alice = network.connect("alice");
        // The client's entity has another index, as in a real game.
        network.clients[alice].app.world_mut().spawn_empty();
        let on_server = spawn_named(&mut network.server, VEHICLE);
        let on_client = spawn_named(&mut network.clients[alice].app, VEHICLE);

        send(&mut network.server, Target::All, &Hit { victim: on_server, damage: 1 }).unwrap();
        send(&mut network.clients[alice].app, Target::Server, &Hit { victim: on_client, damage: 2 }).unwrap();
        network.run(10);
        assert_eq!(logged::<Hit>(&network.clients[alice].app), [&Hit { victim: on_client, damage: 1 }]);
        assert_eq!(logged::<Hit>(&network.server), [&Hit { victim: on_server, damage: 2 }]);
    });
}

#[test]
fn a_message_waits_for_its_entity_and_those_behind_it_keep_their_order() {
    let mut network = Network::new(LinkKind::Memory, register);
    let alice = network.connect("alice");
    let victim = spawn_named(&mut network.server, VEHICLE);
    send(&mut network.server, Target::All, &Hit { victim, damage: 1 }).unwrap();
    send(&mut network.server, Target::All, &Chat(7)).unwrap();
    network.run(60);
    assert!(logged::<Hit>(&network.clients[alice].app).is_empty());
    assert!(logged::<Chat>(&network.clients[alice].app).is_empty(), "the channel is ordered");

    let victim = spawn_named(&mut network.clients[alice].app, VEHICLE);
    network.run(2);
    assert_eq!(logged::<Hit>(&network.clients[alice].app), [&Hit { victim, damage: 1 }]);
    assert_eq!(logged::<Chat>(&network.clients[alice].app), [&Chat(7)]);
}

#[test]
fn a_message_whose_entity_never_comes_is_dropped_and_counted() {
    let mut network = Network::new(LinkKind::Memory, register);
    let alice = network.connect("alice");
    let victim = spawn_named(&mut network.server, VEHICLE);
    send(&mut network.server, Target::All, &Hit { victim, damage: 1 }).unwrap();
    send(&mut network.server, Target::All, &Chat(7)).unwrap();
    network.run(150);
    let client = &network.clients[alice];
    assert!(logged::<Hit>(&client.app).is_empty());
    assert_eq!(logged::<Chat>(&client.app), [&Chat(7)], "what it held up goes on");
    let stats = client.app.world().get::<NetworkStats>(client.connection).unwrap();
    assert_eq!(stats.messages_dropped, 1);
}

#[test]
fn an_entity_that_is_not_replicated_cannot_be_named() {
    let mut network = Network::new(LinkKind::Memory, register);
    network.connect("alice");
    let victim = network.server.world_mut().spawn_empty().id();
    let error = send(&mut network.server, Target::All, &Hit { victim, damage: 1 });
    assert_eq!(error, Err(NetworkError::UnknownEntity(victim)));
}

#[test]
fn a_hosts_own_messages_keep_their_entities() {
    let mut network = Network::with_role(LinkKind::Memory, Role::Host, register);
    network.run(2);
    let victim = network.server.world_mut().spawn_empty().id();
    send(&mut network.server, Target::Server, &Hit { victim, damage: 3 }).unwrap();
    network.run(2);
    assert_eq!(logged::<Hit>(&network.server), [&Hit { victim, damage: 3 }]);
}

#[test]
fn the_placeholder_passes_as_it_is() {
    let mut network = Network::new(LinkKind::Memory, register);
    let alice = network.connect("alice");
    let nobody = Hit { victim: Entity::PLACEHOLDER, damage: 4 };
    send(&mut network.server, Target::All, &nobody).unwrap();
    network.run(10);
    assert_eq!(logged::<Hit>(&network.clients[alice].app), [&nobody]);
}

/// A sender can be named as a type by generic code.
#[test]
fn a_sender_is_a_system_parameter_of_any_payload() {
    fn system<M: Payload>(_: MessageSender<M>) {}
    let mut app = App::new();
    app.add_systems(Update, system::<Chat>);
}
