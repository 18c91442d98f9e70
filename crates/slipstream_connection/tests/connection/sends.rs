use bevy::prelude::*;
use serde::{Deserialize, Serialize};
use slipstream_connection::{
    AppMessageExt, Connected, MessageSender, NetworkError, Received, RemoteEvent, Target, channels, is_server,
};

use crate::fixture::{LinkKind, Log, Network, each_link, logged, register_logged, send};

#[derive(Message, Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Chat(String);

#[derive(Message, Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Count(u32);

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Explosion {
    radius: f32,
}

fn chat(text: &str) -> Chat {
    Chat(text.to_string())
}

fn register(app: &mut App) {
    register_logged::<Chat>(app, channels::DISPATCH);
    register_logged::<Count>(app, channels::DISPATCH);
}

#[test]
fn messages_travel_both_ways() {
    each_link(|link| {
        let mut network = Network::new(link, register);
        let alice = network.connect("alice");
        let connection = network.server_connection(alice).unwrap();

        send(&mut network.clients[alice].app, Target::Server, &chat("to the server")).unwrap();
        send(&mut network.server, Target::One(connection), &chat("to alice")).unwrap();
        network.run(10);

        let log = &network.server.world().resource::<Log<Chat>>().0;
        assert_eq!(*log, [(connection, chat("to the server"))]);
        assert_eq!(logged::<Chat>(&network.clients[alice].app), [&chat("to alice")]);
    });
}

#[test]
fn an_ordered_channel_keeps_the_order_of_sending_across_types() {
    #[derive(Event, Serialize, Deserialize)]
    struct Even(u32);

    #[derive(Event, Serialize, Deserialize)]
    struct Odd(u32);

    #[derive(Resource, Default, Debug)]
    struct Order(Vec<u32>);

    each_link(|link| {
        let mut network = Network::new(link, |app| {
            app.register_event::<Even>(channels::DISPATCH);
            app.register_event::<Odd>(channels::DISPATCH);
            app.init_resource::<Order>()
                .add_observer(|even: On<RemoteEvent<Even>>, mut order: ResMut<Order>| order.0.push(even.event.0))
                .add_observer(|odd: On<RemoteEvent<Odd>>, mut order: ResMut<Order>| order.0.push(odd.event.0));
        });
        let alice = network.connect("alice");
        for number in 0..100 {
            send(&mut network.clients[alice].app, Target::Server, &Even(2 * number)).unwrap();
            send(&mut network.clients[alice].app, Target::Server, &Odd(2 * number + 1)).unwrap();
        }
        network.run_until("all arrived", |network| network.server.world().resource::<Order>().0.len() == 200);
        assert_eq!(network.server.world().resource::<Order>().0, (0..200).collect::<Vec<u32>>());
    });
}

#[test]
fn an_event_triggers_observers_at_the_other_end() {
    #[derive(Resource, Default, Debug)]
    struct Seen(Vec<Explosion>);

    each_link(|link| {
        let mut network = Network::new(link, |app| {
            app.register_event::<Explosion>(channels::EVENT);
            app.init_resource::<Seen>().add_observer(|event: On<RemoteEvent<Explosion>>, mut seen: ResMut<Seen>| {
                seen.0.push(event.event.clone());
            });
        });
        let alice = network.connect("alice");
        send(&mut network.server, Target::All, &Explosion { radius: 4.0 }).unwrap();
        network.run(10);
        assert_eq!(network.clients[alice].app.world().resource::<Seen>().0, [Explosion { radius: 4.0 }]);
        assert!(network.server.world().resource::<Seen>().0.is_empty());
    });
}

#[test]
fn a_message_that_is_larger_than_a_datagram_arrives_whole() {
    each_link(|link| {
        let mut network = Network::new(link, register);
        let alice = network.connect("alice");
        let long = chat(&"0123456789".repeat(2_000));
        send(&mut network.clients[alice].app, Target::Server, &long).unwrap();
        network.run_until("it arrived", |network| !logged::<Chat>(&network.server).is_empty());
        assert_eq!(logged::<Chat>(&network.server), [&long]);
    });
}

#[test]
fn two_senders_and_a_reader_live_in_one_system() {
    fn relay(
        mut chats: MessageReader<Received<Chat>>,
        mut answers: MessageSender<Chat>,
        mut counts: MessageSender<Count>,
    ) -> Result {
        for received in chats.read() {
            counts.send(Target::One(received.from), &Count(received.message.0.len() as u32))?;
            answers.send(Target::One(received.from), &received.message)?;
        }
        Ok(())
    }

    let mut network = Network::new(LinkKind::Memory, |app| {
        register(app);
        app.add_systems(Update, relay.run_if(is_server));
    });
    let alice = network.connect("alice");
    send(&mut network.clients[alice].app, Target::Server, &chat("four")).unwrap();
    network.run(10);
    assert_eq!(logged::<Count>(&network.clients[alice].app), [&Count(4)]);
    assert_eq!(logged::<Chat>(&network.clients[alice].app), [&chat("four")]);
}

#[test]
fn a_message_of_the_first_moment_arrives() {
    let mut network = Network::new(LinkKind::Memory, |app| {
        register(app);
        app.add_observer(|added: On<Add, Connected>, mut sender: MessageSender<Chat>| {
            sender.send(Target::One(added.entity), &Chat("welcome".to_string())).expect("it is connected");
        });
    });
    let alice = network.connect("alice");
    network.run(10);
    assert_eq!(logged::<Chat>(&network.clients[alice].app), [&chat("welcome")]);
    assert_eq!(logged::<Chat>(&network.server), [&chat("welcome")]);
}

#[test]
fn sending_to_nobody_is_an_error_that_says_so() {
    let mut network = Network::new(LinkKind::Memory, register);
    network.run(2);
    let nobody = network.server.world_mut().spawn_empty().id();
    let error = send(&mut network.server, Target::One(nobody), &chat("?")).unwrap_err();
    assert!(matches!(error, NetworkError::NotConnected { .. }), "{error}");
    let error = send(&mut network.server, Target::Server, &chat("?")).unwrap_err();
    assert!(matches!(error, NetworkError::NotConnected { .. }), "{error}");
    assert_eq!(send(&mut network.server, Target::All, &chat("!")), Ok(()));
}

#[test]
fn an_unregistered_type_is_named() {
    #[derive(Serialize, Deserialize)]
    struct Stranger;

    let mut network = Network::new(LinkKind::Memory, register);
    network.connect("alice");
    let error = send(&mut network.server, Target::All, &Stranger).unwrap_err();
    assert!(error.to_string().contains("Stranger"), "{error}");
}

#[test]
fn a_message_above_its_channels_limit_is_refused_where_it_is_sent() {
    let mut network = Network::new(LinkKind::Memory, register);
    network.connect("alice");
    let error = send(&mut network.server, Target::All, &chat(&"x".repeat(100_000))).unwrap_err();
    assert!(matches!(error, NetworkError::MessageTooLarge { .. }), "{error}");
}
