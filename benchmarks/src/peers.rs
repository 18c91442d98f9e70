//! Slipstream's peers: a server and its clients, one `App` each, over links in memory.
//!
//! As `bevy_slipstream::testing::Harness` has them, but with a step that times the server alone.

use std::time::Duration;

use bevy::ecs::schedule::SingleThreadedExecutor;
use bevy::prelude::*;
use bevy::time::TimeUpdateStrategy;
use bevy_slipstream::connection::ConnectionSettings;
use bevy_slipstream::prelude::*;

use crate::cpu;
use crate::scenario::Line;
use crate::session::{Sent, Step};

/// How the peers are connected.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    pub connections: usize,
    pub ticks_per_second: f64,
    pub line: Line,
    /// What each connection may carry; the congestion controller is given no choice.
    pub budget_bytes_per_second: u32,
}

/// A server and clients that are connected to it.
pub struct Peers {
    pub server: App,
    pub clients: Vec<App>,
    /// The server's connections, in no order that matters.
    pub connections: Vec<Entity>,
}

impl Peers {
    /// Starts a server, connects the clients and waits until all are. `register` is run on every peer.
    ///
    /// # Panics
    /// When that takes more than 20 simulated seconds.
    pub fn connect(terms: Terms, register: fn(&mut App)) -> Self {
        let hub = MemoryHub::new();
        let places = terms.connections as u32 + 1;
        let mut server = peer(NetworkingPlugin::server().max_connections(places), terms, register);
        server.world_mut().spawn(Listen::memory(&hub).max_links(places as usize));
        server.update();
        let clients = (0..terms.connections).map(|number| {
            let mut client = peer(NetworkingPlugin::client().name(format!("client {number}")), terms, register);
            let connection = client.world_mut().spawn(Connect::memory(&hub)).id();
            if let Some(conditioner) = conditioner(terms, number as u64) {
                client.world_mut().entity_mut(connection).insert(conditioner);
            }
            client
        });
        let mut peers = Self { clients: clients.collect(), server, connections: Vec::new() };
        let connected = (0..20 * terms.ticks_per_second as usize).any(|_| {
            peers.step();
            peers.all_are_connected()
        });
        assert!(connected, "not every client connected within 20 simulated seconds");
        let world = peers.server.world_mut();
        peers.connections = world.query_filtered::<Entity, With<Connected>>().iter(world).collect();
        peers
    }

    /// One tick of every peer, the server first. Only its own update is in its time.
    pub fn step(&mut self) -> Step {
        let mut step = Step { server: cpu::time(|| self.server.update()), ..default() };
        for (number, client) in self.clients.iter_mut().enumerate() {
            if number == 0 {
                step.client = cpu::time(|| client.update());
            } else {
                client.update();
            }
        }
        step
    }

    /// What the server's state machines have handed to their links, headers of UDP and IP not counted.
    pub fn sent(&mut self) -> Sent {
        let world = self.server.world_mut();
        let mut endpoints = world.query_filtered::<&Endpoint, With<Connected>>();
        endpoints.iter(world).fold(Sent::default(), |sum, endpoint| {
            let stats = endpoint.stats();
            Sent { bytes: sum.bytes + stats.bytes_sent, datagrams: sum.datagrams + stats.packets_sent }
        })
    }

    /// How many entities of the server a client has.
    pub fn known_to(&self, client: usize) -> usize {
        self.clients[client].world().resource::<EntityMap>().len()
    }

    /// A client's component of an entity of the server.
    pub fn remote<C: Component>(&self, client: usize, entity: Entity) -> Option<&C> {
        let id = self.server.world().resource::<EntityMap>().network(entity)?;
        let world = self.clients[client].world();
        world.get::<C>(world.resource::<EntityMap>().local(id)?)
    }

    fn all_are_connected(&mut self) -> bool {
        let world = self.server.world_mut();
        if world.query_filtered::<(), With<Connected>>().iter(world).count() < self.clients.len() {
            return false;
        }
        self.clients.iter_mut().all(|client| {
            let world = client.world_mut();
            world.query_filtered::<(), With<Connected>>().iter(world).count() == 1
        })
    }
}

/// Runs every schedule that the app has on the calling thread.
pub fn run_on_one_thread(app: &mut App) {
    for (_, schedule) in app.world_mut().resource_mut::<Schedules>().iter_mut() {
        schedule.set_executor(SingleThreadedExecutor::new());
    }
}

fn peer(networking: NetworkingPlugin, terms: Terms, register: fn(&mut App)) -> App {
    let frame = Duration::from_secs_f64(1.0 / terms.ticks_per_second);
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, networking.tick_rate(terms.ticks_per_second)))
        .insert_resource(TimeUpdateStrategy::ManualDuration(frame))
        .insert_resource(ConnectionSettings {
            min_budget_bytes_per_second: terms.budget_bytes_per_second,
            max_budget_bytes_per_second: terms.budget_bytes_per_second,
            ..default()
        });
    register(&mut app);
    app.finish();
    app.cleanup();
    run_on_one_thread(&mut app);
    app
}

/// What makes a client's line what it should be; sits at the client, so that it costs the server nothing.
fn conditioner(terms: Terms, seed: u64) -> Option<Conditioner> {
    if terms.line == Line::default() {
        return None;
    }
    let latency = Duration::from_secs_f64(1.0 / terms.ticks_per_second) * terms.line.latency_ticks;
    let outgoing = NetworkConditions { latency, ..default() };
    let incoming = NetworkConditions { loss: terms.line.loss, ..outgoing };
    Some(Conditioner { incoming, outgoing, seed })
}
