use bevy::prelude::*;
use serde::{Deserialize, Serialize};
use slipstream_connection::{
    AppMessageExt, Connected, Connection, Endpoint, LocalConnection, LocalPeer, MessageSender, NetworkStats, Received,
    RemoteEvent, Role, Target, channels, is_client, is_host, is_server,
};

use crate::fixture::{LinkKind, Log, Network, each_link, logged, register_logged, send};

#[derive(Message, Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Chat(String);

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Ping(u32);

fn chat(text: &str) -> Chat {
    Chat(text.to_string())
}

fn host(register: impl Fn(&mut App) + 'static) -> Network {
    let mut network = Network::with_role(LinkKind::Memory, Role::Host, register);
    network.run(1);
    network
}

fn local(app: &mut App) -> Entity {
    let mut locals = app.world_mut().query_filtered::<Entity, With<LocalConnection>>();
    locals.single(app.world()).expect("a host has one local connection")
}

#[test]
fn a_host_has_a_connection_of_its_own() {
    let mut network = host(|_| {});
    let local = local(&mut network.server);
    let world = network.server.world();
    let connection = world.get::<Connection>(local).unwrap();
    assert_eq!(world.resource::<LocalPeer>().0, connection.peer);
    assert_eq!(connection.remote_name, "server");
    assert!(world.get::<Connected>(local).is_some());
    assert!(world.get::<NetworkStats>(local).is_some());
    assert!(world.get::<Endpoint>(local).is_none());
}

#[test]
fn a_hosts_message_to_the_server_arrives_in_the_same_frame() {
    let mut network = host(|app| {
        app.register_message::<Chat>(channels::DISPATCH);
        app.insert_resource(Log::<Chat>(Vec::new()));
        app.add_systems(
            Update,
            (
                |mut sender: MessageSender<Chat>, mut sent: Local<bool>| {
                    if !*sent {
                        *sent = true;
                        sender.send(Target::Server, &Chat("now".to_string())).expect("a host reaches itself");
                    }
                },
                |mut received: MessageReader<Received<Chat>>, mut log: ResMut<Log<Chat>>| {
                    log.0.extend(received.read().map(|received| (received.from, received.message.clone())));
                },
            )
                .chain()
                .run_if(slipstream_connection::is_connected),
        );
    });
    let local = local(&mut network.server);
    assert_eq!(network.server.world().resource::<Log<Chat>>().0, [(local, chat("now"))]);
}

#[test]
fn a_broadcast_includes_the_hosts_own_player() {
    each_link(|link| {
        let mut network = Network::with_role(link, Role::Host, |app| register_logged::<Chat>(app, channels::DISPATCH));
        let alice = network.connect("alice");
        send(&mut network.server, Target::All, &chat("to all")).unwrap();
        network.run(10);
        assert_eq!(logged::<Chat>(&network.server), [&chat("to all")]);
        assert_eq!(logged::<Chat>(&network.clients[alice].app), [&chat("to all")]);

        let own = local(&mut network.server);
        send(&mut network.server, Target::AllBut(own), &chat("to others")).unwrap();
        network.run(10);
        assert_eq!(logged::<Chat>(&network.server).len(), 1);
        assert_eq!(logged::<Chat>(&network.clients[alice].app).len(), 2);
    });
}

#[test]
fn a_remote_client_and_the_own_player_are_told_apart() {
    let mut network =
        Network::with_role(LinkKind::Memory, Role::Host, |app| register_logged::<Chat>(app, channels::DISPATCH));
    let alice = network.connect("alice");
    let (own, remote) = (local(&mut network.server), network.server_connection(alice).unwrap());
    send(&mut network.clients[alice].app, Target::Server, &chat("remote")).unwrap();
    network.run(5);
    send(&mut network.server, Target::Server, &chat("own")).unwrap();
    network.run(5);
    assert_eq!(network.server.world().resource::<Log<Chat>>().0, [(remote, chat("remote")), (own, chat("own"))]);
    assert!(logged::<Chat>(&network.clients[alice].app).is_empty());
}

#[test]
fn an_endless_exchange_with_oneself_does_not_hang_the_frame() {
    #[derive(Resource, Default)]
    struct Count(u32);

    let mut network = host(|app| {
        app.register_event::<Ping>(channels::DISPATCH);
        app.init_resource::<Count>().add_observer(
            |ping: On<RemoteEvent<Ping>>, mut count: ResMut<Count>, mut sender: MessageSender<Ping>| {
                count.0 += 1;
                sender.send(Target::Server, &Ping(ping.event.0 + 1)).expect("a host reaches itself");
            },
        );
    });
    send(&mut network.server, Target::Server, &Ping(0)).unwrap();
    network.run(3);
    let count = network.server.world().resource::<Count>().0;
    assert!((3..200).contains(&count), "{count} pings in three frames");
}

#[test]
fn run_conditions_know_the_host() {
    #[derive(Resource, Default)]
    struct Ran(Vec<&'static str>);

    let mut network = host(|app| {
        app.init_resource::<Ran>().add_systems(
            Startup,
            (
                (|mut ran: ResMut<Ran>| ran.0.push("server")).run_if(is_server),
                (|mut ran: ResMut<Ran>| ran.0.push("client")).run_if(is_client),
                (|mut ran: ResMut<Ran>| ran.0.push("host")).run_if(is_host),
            )
                .chain(),
        );
    });
    network.run(1);
    assert_eq!(network.server.world().resource::<Ran>().0, ["server", "client", "host"]);
}
