//! The work through `bevy_replicon`: apps as in its own test app, messages passed by hand.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use bevy::prelude::*;
use bevy::state::app::StatesPlugin;
use bevy::time::TimeUpdateStrategy;
use bevy_replicon::bytes::Bytes;
use bevy_replicon::prelude::*;
use bevy_replicon::test_app::{ServerTestAppExt, TestClientEntity};

use crate::sample::{Measured, Sample, timed};
use crate::work::{Health, Motion, Pose, TICK_RATE, Team, Work, body_at};

/// The peer as the rows name it.
pub const NAME: &str = "bevy_replicon 0.44.3";
/// What this side sends.
pub const SENDS: &str = "bevy_replicon sends: seven f32 of pose, six f32 of velocity and one f32 of health through its own serde (postcard).";
/// How its figures are counted.
pub const COUNTS: &str = "bevy_replicon counts: the whole App::update, without any transport, which would come on top; bytes as \
    handed to its messaging backend, without a transport's headers; copies as messages sent after the change.";

/// Ticks until all must have joined.
const MAX_JOIN_TICKS: u32 = 600;
/// Ticks after that and before the first measured one.
const SETTLING_TICKS: u32 = 30;
/// Ticks on the way, each way, where messages are late: 50 ms at 60 Hz.
const LATE_TICKS: usize = 3;

struct Client {
    app: App,
    /// Its entity on the server.
    connection: Entity,
}

/// A message with its channel.
type ChannelMessage = (usize, Bytes);

/// A server with its clients, the bodies on it, and the tick.
pub struct Replicon {
    work: Work,
    server: App,
    clients: Vec<Client>,
    bodies: Vec<Entity>,
    tick: u32,
}

impl Replicon {
    /// Connects all clients, spawns the bodies and runs until every client has them.
    pub fn new(work: Work) -> Self {
        let mut server = app();
        let mut clients = Vec::new();
        for _ in 0..work.connections {
            let mut app = app();
            server.connect_client(&mut app);
            let connection = **app.world().resource::<TestClientEntity>();
            clients.push(Client { app, connection });
        }
        let mut replicon = Self { work, server, clients, bodies: Vec::new(), tick: 0 };
        replicon.spawn_bodies();
        replicon.join();
        for _ in 0..SETTLING_TICKS {
            replicon.run_tick();
        }
        replicon
    }

    /// Runs `ticks` ticks and takes their figures.
    pub fn measure(mut self, ticks: u32) -> Measured {
        let samples: Vec<Sample> = (0..ticks).map(|_| self.run_tick()).collect();
        Measured::of(&samples, &self.work)
    }

    /// One tick: the bodies move, outside what is measured; the server; its messages; the clients; their acknowledgements,
    /// which are there in the server's next tick. Passing messages is not measured.
    fn run_tick(&mut self) -> Sample {
        self.tick += 1;
        self.move_bodies();
        let server = timed(|| self.server.update());
        let bytes = self.pass_to_clients();
        let mut client_time = Duration::ZERO;
        for (number, client) in self.clients.iter_mut().enumerate() {
            let took = timed(|| client.app.update());
            if number == 0 {
                client_time = took;
            }
        }
        self.pass_to_server();
        Sample { server, client: client_time, bytes }
    }

    /// Passes on what the server sent; its bytes.
    fn pass_to_clients(&mut self) -> u64 {
        let numbers: HashMap<Entity, usize> =
            self.clients.iter().enumerate().map(|(number, client)| (client.connection, number)).collect();
        let mut bytes = 0;
        let mut sent = self.server.world_mut().resource_mut::<ServerMessages>();
        for (connection, channel, message) in sent.drain_sent() {
            bytes += message.len() as u64;
            let Some(&number) = numbers.get(&connection) else { continue };
            let client = self.clients[number].app.world_mut();
            client.resource_mut::<ClientMessages>().insert_received(channel, message);
        }
        bytes
    }

    fn pass_to_server(&mut self) {
        let mut received = self.server.world_mut().resource_mut::<ServerMessages>();
        for client in &mut self.clients {
            let mut sent = client.app.world_mut().resource_mut::<ClientMessages>();
            for (channel, message) in sent.drain_sent() {
                received.insert_received(client.connection, channel, message);
            }
        }
    }

    fn spawn_bodies(&mut self) {
        let is_static = self.work.moving_one_in.is_none();
        let world = self.server.world_mut();
        for body in 0..self.work.entities {
            let (pose, motion) = body_at(body, self.tick);
            let mut entity = world.spawn((Replicated, pose, motion, Health(100.0)));
            if is_static {
                entity.insert(Team(1));
            }
            self.bodies.push(entity.id());
        }
    }

    fn move_bodies(&mut self) {
        let world = self.server.world_mut();
        for (body, entity) in (0_u32..).zip(&self.bodies) {
            if !self.work.moves(body) {
                continue;
            }
            let (pose, motion) = body_at(body, self.tick);
            let mut entity = world.entity_mut(*entity);
            if let Some(mut component) = entity.get_mut::<Pose>() {
                *component = pose;
            }
            if let Some(mut component) = entity.get_mut::<Motion>() {
                *component = motion;
            }
        }
    }

    fn join(&mut self) {
        for _ in 0..MAX_JOIN_TICKS {
            self.run_tick();
            let entities = self.work.entities as usize;
            if self.clients.iter_mut().all(|client| shown(&mut client.app) == entities) {
                return;
            }
        }
        panic!("not all clients joined within {MAX_JOIN_TICKS} ticks: {:?}", self.work);
    }

    /// Takes what the server sent to its only client, and leaves it out of the exchange.
    fn take_sent(&mut self) -> Vec<ChannelMessage> {
        let mut sent = self.server.world_mut().resource_mut::<ServerMessages>();
        sent.drain_sent().map(|(_, channel, message)| (channel, message)).collect()
    }
}

/// How often one change of one component is sent over three ticks each way without loss: the messages that the server sends
/// after it, while nothing else changes.
pub fn copies_of_one_change() -> f64 {
    let mut replicon = Replicon::new(Work { entities: 10, connections: 1, moving_one_in: None });
    let changed = replicon.bodies[0];
    if let Some(mut health) = replicon.server.world_mut().get_mut::<Health>(changed) {
        health.0 -= 1.0;
    }
    let mut to_client: VecDeque<Vec<ChannelMessage>> = VecDeque::new();
    let mut to_server: VecDeque<Vec<ChannelMessage>> = VecDeque::new();
    let mut copies = 0;
    for _ in 0..60 {
        replicon.server.update();
        let sent = replicon.take_sent();
        copies += sent.len();
        to_client.push_back(sent);
        let Some(client) = replicon.clients.first_mut() else { break };
        if to_client.len() > LATE_TICKS {
            let mut received = client.app.world_mut().resource_mut::<ClientMessages>();
            for (channel, message) in to_client.pop_front().unwrap_or_default() {
                received.insert_received(channel, message);
            }
        }
        client.app.update();
        let mut sent = client.app.world_mut().resource_mut::<ClientMessages>();
        to_server.push_back(sent.drain_sent().collect());
        if to_server.len() > LATE_TICKS {
            let mut received = replicon.server.world_mut().resource_mut::<ServerMessages>();
            for (channel, message) in to_server.pop_front().unwrap_or_default() {
                received.insert_received(client.connection, channel, message);
            }
        }
    }
    copies as f64
}

/// How many replicated entities a client has.
fn shown(client: &mut App) -> usize {
    let world = client.world_mut();
    let mut remotes = world.query_filtered::<Entity, With<Remote>>();
    remotes.iter(world).count()
}

/// A server or a client: which one it is, its states say. It replicates once each update.
fn app() -> App {
    let frame = Duration::from_secs_f64(1.0 / TICK_RATE);
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, StatesPlugin, RepliconPlugins.set(ServerPlugin::new(PostUpdate))))
        .insert_resource(TimeUpdateStrategy::ManualDuration(frame));
    app.replicate::<Pose>().replicate::<Motion>().replicate::<Health>().replicate::<Team>();
    app.finish();
    app.cleanup();
    app
}
