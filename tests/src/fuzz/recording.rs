//! What a server and a client of ours say to each other, message by message: corpora, and a server that behaves.
//!
//! ```text
//! server App ◄── up ── recorded, passed on ── down ──► client App
//! ```
//!
//! The ids of peers are random, so two recordings differ in some bytes.

use core::time::Duration;
use std::sync::LazyLock;

use bevy::prelude::*;
use bevy_slipstream::prelude::*;

use super::game::{
    Ask, Chat, Drive, Health, Label, Order, Pose, Scene, Shot, Steer, Turret, body, furnish, order, start, turret,
};
use super::inputs::shift_newest;
use super::parts;
use super::stranger::{Said, Stranger, frame};

/// Long enough for the client's inputs to begin, and for differences of differences.
const TICKS: u32 = 60;
/// Another entity lives between these ticks.
const SPAWN_TICK: u32 = 20;
const DESPAWN_TICK: u32 = 40;
/// From here on bodies are told densely.
const DENSE_TICK: u32 = 30;
/// Messages of one input.
pub(crate) const MOST_PARTS: usize = 8;

pub(crate) struct Recording {
    /// The application bytes of the handshake.
    pub(crate) hello: Vec<u8>,
    pub(crate) welcome: Vec<u8>,
    /// From the server to the client.
    pub(crate) down: Vec<Said>,
    /// From the client to the server. The newest tick of inputs is told from the server's.
    pub(crate) up: Vec<Said>,
    /// Entities that the client shows in the end.
    pub(crate) shown: usize,
}

pub(crate) static RECORDING: LazyLock<Recording> = LazyLock::new(record);

/// The application bytes of a client's hello, in bincode: a name, and no data.
pub(crate) fn hello(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).expect("a short name");
    [[length].as_slice(), name.as_bytes(), &[0]].concat()
}

fn record() -> Recording {
    let mut server = start(NetworkingPlugin::server(), |app| {
        app.add_systems(Update, tell_clients);
    });
    let scene = furnish(server.world_mut());
    let listener = server.world_mut().spawn_empty().id();
    let mut up = Stranger::client_of(&mut server, listener, &hello("recorder"));
    assert!(up.connect(&mut server), "a server lets in who behaves");
    server.world_mut().entity_mut(scene.vehicle).insert(Owner(up.link));

    let mut client = start(NetworkingPlugin::client(), |app| {
        app.add_systems(Update, tell_server);
    });
    let mut down = Stranger::server_of(&mut client, &up.greeting);
    assert!(down.connect(&mut client), "a client joins who behaves");

    let (hello, welcome) = (down.greeting.clone(), up.greeting.clone());
    let mut recording = Recording { hello, welcome, down: Vec::new(), up: Vec::new(), shown: 0 };
    let mut visitor = None;
    for tick in 0..TICKS {
        play(server.world_mut(), &scene, tick);
        match tick {
            DENSE_TICK => {
                server.world_mut().entity_mut(up.link).insert(Compression::Dense);
            }
            SPAWN_TICK => visitor = Some(server.world_mut().spawn((Replicated, Health(1))).id()),
            DESPAWN_TICK => {
                if let Some(visitor) = visitor.take() {
                    server.world_mut().despawn(visitor);
                }
            }
            _ => {}
        }
        steer(client.world_mut(), tick);

        frame(&mut server, &mut [&mut up]);
        let server_tick = server.world().resource::<SimulationTick>().0.get();
        for (channel, payload) in up.inbox.drain(..) {
            assert!(down.send(channel, &payload), "it was sent like this before");
            recording.down.push((channel, payload));
        }
        frame(&mut client, &mut [&mut down]);
        for (channel, mut payload) in down.inbox.drain(..) {
            assert!(up.send(channel, &payload), "it was sent like this before");
            if channel == channels::INPUTS {
                shift_newest(&mut payload, server_tick.wrapping_neg());
            }
            recording.up.push((channel, payload));
        }
    }
    recording.shown = client.world_mut().query_filtered::<(), With<Remote>>().iter(client.world()).count();
    recording
}

/// The server's game: everything changes, each thing at its own pace.
fn play(world: &mut World, scene: &Scene, tick: u32) {
    if let Some(mut transform) = world.get_mut::<Transform>(scene.vehicle) {
        transform.translation.x += 0.05;
        transform.rotate_y(0.02);
    }
    let vehicle = &mut world.entity_mut(scene.vehicle);
    vehicle.insert(body(tick));
    match tick % 5 {
        0 => vehicle.insert(Health(tick)),
        1 => vehicle.insert(turret(tick)),
        2 => vehicle.insert(order(tick)),
        3 => vehicle.remove::<Order>(),
        _ => vehicle.insert(Label(format!("tick {tick}"))),
    };
    if tick % 16 == 9 {
        vehicle.remove::<Turret>();
    }
}

/// The client's player: holds the throttle, shouts now and then.
fn steer(world: &mut World, tick: u32) {
    let mut owned = world.query_filtered::<(&mut Steer, &mut Drive), With<Controlled>>();
    for (mut steer, mut drive) in owned.iter_mut(world) {
        steer.0 = (tick / 3).cast_signed();
        drive.throttle = if tick % 8 < 5 { 1.0 } else { -0.5 };
        drive.shout = if tick.is_multiple_of(10) { "hey".to_owned() } else { String::new() };
    }
}

fn tell_clients(mut chats: MessageSender<Chat>, mut poses: MessageSender<Pose>, mut asks: Requester<Ask>) {
    // While nobody is there, nobody is told.
    let _ = chats.send(Target::All, &Chat("welcome".to_owned()));
    let _ = poses.send(Target::All, &Pose(0.5, vec![1, -2, 300]));
    let _ = asks.send(Target::All, &Ask(7), Duration::from_secs(5));
}

fn tell_server(
    mut chats: MessageSender<Chat>,
    mut poses: MessageSender<Pose>,
    mut shots: MessageSender<Shot>,
    mut asks: Requester<Ask>,
    shown: Query<Entity, With<Remote>>,
) {
    // Before the connection stands, nobody is told.
    let _ = chats.send(Target::Server, &Chat("hello".to_owned()));
    let _ = poses.send(Target::Server, &Pose(-1.0, Vec::new()));
    let _ = asks.send(Target::Server, &Ask(300), Duration::from_secs(5));
    for at in &shown {
        let _ = shots.send(Target::Server, &Shot { at });
    }
}

/// Inputs of what was said on some channels: the first messages one by one, and the first several at once, because what
/// comes later often refers to what came before. Each message follows the place of its channel.
pub(crate) fn corpus(said: &[Said], open: &[ChannelId]) -> Vec<Vec<u8>> {
    let messages: Vec<Vec<u8>> = said
        .iter()
        .filter_map(|(channel, payload)| {
            let place = open.iter().position(|open| open == channel)?;
            Some([[place as u8].as_slice(), payload].concat())
        })
        .collect();
    let alone = messages.iter().take(16).map(|message| parts::join([message]));
    let from_the_start = [2, 3, 4, 6, MOST_PARTS].map(|count| parts::join(messages.iter().take(count)));
    let later = messages.chunks(MOST_PARTS).skip(1).take(3).map(parts::join);
    alone.chain(from_the_start).chain(later).collect()
}
