//! A test harness: one `App` per peer, a simulated network between them, a manual clock.
//!
//! Nothing sleeps and nothing is left to chance: a frame is exactly one tick, and the network's loss, jitter and order come
//! from a seed.
//!
//! ```
//! use bevy::prelude::*;
//! use bevy_slipstream::{prelude::*, testing::Harness};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Component, Clone, PartialEq, Debug, Serialize, Deserialize)]
//! struct Health(u32);
//!
//! let mut harness = Harness::new(|app| {
//!     let _health = app.replicate::<Health>();
//! });
//! let alice = harness.add_client(NetworkConditions { loss: 0.2, ..Default::default() });
//! harness.connect();
//! let crate_entity = harness.server().world_mut().spawn((Replicated, Health(3))).id();
//! harness.run_ticks(60);
//! assert_eq!(harness.remote::<Health>(alice, crate_entity), Some(&Health(3)));
//! ```

use std::time::Duration;

use bevy::ecs::schedule::SingleThreadedExecutor;
use bevy::prelude::*;
use bevy::time::TimeUpdateStrategy;
use slipstream_connection::{Connected, Connection, EntityMap, LocalPeer};
use slipstream_link::{Conditioner, Connect, Listen, MemoryHub};
use slipstream_protocol::{LinkProperties, NetworkConditions};

use crate::NetworkingPlugin;

/// Which client of a [`Harness`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client(usize);

struct ClientPeer {
    app: App,
    connection: Entity,
    conditioner: Conditioner,
    killed: bool,
}

/// A server (or host) and any number of clients, in one process and one thread.
pub struct Harness {
    register: Box<dyn Fn(&mut App)>,
    hub: MemoryHub,
    server: App,
    clients: Vec<ClientPeer>,
    frame: Duration,
    seed: u64,
}

impl Harness {
    /// Starts a server that listens. `register` is run on every peer: registrations, and systems with run conditions.
    #[must_use]
    pub fn new(register: impl Fn(&mut App) + 'static) -> Self {
        Self::with_link(register, LinkProperties::default())
    }

    /// The same with a host: a server in whose world somebody plays.
    #[must_use]
    pub fn host(register: impl Fn(&mut App) + 'static) -> Self {
        Self::start(NetworkingPlugin::host(), register, LinkProperties::default())
    }

    /// The same over links that give more than datagrams.
    #[must_use]
    pub fn with_link(register: impl Fn(&mut App) + 'static, properties: LinkProperties) -> Self {
        Self::start(NetworkingPlugin::server(), register, properties)
    }

    fn start(networking: NetworkingPlugin, register: impl Fn(&mut App) + 'static, properties: LinkProperties) -> Self {
        let hub = MemoryHub::with_properties(properties);
        let frame = Duration::from_secs_f64(1.0 / 60.0);
        let mut server = peer(networking, &register, frame);
        server.world_mut().spawn(Listen::memory(&hub));
        server.update();
        Self { register: Box::new(register), hub, server, clients: Vec::new(), frame, seed: 1 }
    }

    /// The seed of the networks of clients added from here on.
    pub fn set_seed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// Adds a client that begins to connect over a network with these conditions, each way.
    pub fn add_client(&mut self, conditions: NetworkConditions) -> Client {
        let name = format!("client {}", self.clients.len() + 1);
        let mut app = peer(NetworkingPlugin::client().name(name), &*self.register, self.frame);
        let seed = self.seed.wrapping_add(self.clients.len() as u64);
        let conditioner = Conditioner { incoming: conditions, outgoing: conditions, seed };
        let connection = app.world_mut().spawn((Connect::memory(&self.hub), conditioner.clone())).id();
        self.clients.push(ClientPeer { app, connection, conditioner, killed: false });
        Client(self.clients.len() - 1)
    }

    /// A client leaves, and says so.
    pub fn disconnect(&mut self, client: Client) {
        let peer = &mut self.clients[client.0];
        peer.app.world_mut().despawn(peer.connection);
    }

    /// A client begins to connect again, over a network like before; it leaves first if it has not left. Its connection is
    /// another entity from here on.
    pub fn reconnect(&mut self, client: Client) {
        let peer = &mut self.clients[client.0];
        let world = peer.app.world_mut();
        if let Ok(connection) = world.get_entity_mut(peer.connection) {
            connection.despawn();
        }
        peer.connection = world.spawn((Connect::memory(&self.hub), peer.conditioner.clone())).id();
    }

    /// Runs until every client is connected, as both its own world and the server's see it.
    ///
    /// # Panics
    /// When that takes more than 20 simulated seconds.
    pub fn connect(&mut self) {
        let connected = self.run_until(1200, |harness| {
            // The server knows a client as connected once it has heard from it again, half a round trip later.
            let mut known = harness.server.world_mut().query_filtered::<&Connection, With<Connected>>();
            let known: Vec<_> = known.iter(harness.server.world()).map(|connection| connection.peer).collect();
            let mut alive = harness.clients.iter().filter(|client| !client.killed);
            alive.all(|client| {
                let world = client.app.world();
                let peer = world.get_resource::<LocalPeer>().map(|local| local.0);
                world.get::<Connected>(client.connection).is_some() && peer.is_some_and(|peer| known.contains(&peer))
            })
        });
        assert!(connected, "not every client connected within 20 simulated seconds (seed {})", self.seed);
    }

    /// Runs every peer for `ticks` ticks, the server first.
    pub fn run_ticks(&mut self, ticks: u32) {
        for _ in 0..ticks {
            self.server.update();
            for client in self.clients.iter_mut().filter(|client| !client.killed) {
                client.app.update();
            }
        }
    }

    /// Runs tick by tick until `done`, at most `max_ticks`; whether it was done.
    pub fn run_until(&mut self, max_ticks: u32, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        for _ in 0..max_ticks {
            if done(self) {
                return true;
            }
            self.run_ticks(1);
        }
        done(self)
    }

    /// The server, or the host.
    pub fn server(&mut self) -> &mut App {
        &mut self.server
    }

    /// A client.
    pub fn client(&mut self, client: Client) -> &mut App {
        &mut self.clients[client.0].app
    }

    /// A client's connection, in its own world.
    #[must_use]
    pub fn connection(&self, client: Client) -> Entity {
        self.clients[client.0].connection
    }

    /// The server's connection to a client.
    ///
    /// # Panics
    /// When the client is not connected.
    #[must_use]
    pub fn server_connection(&mut self, client: Client) -> Entity {
        let peer = self.clients[client.0].app.world().resource::<LocalPeer>().0;
        let mut connections = self.server.world_mut().query::<(Entity, &Connection)>();
        let found = connections.iter(self.server.world()).find(|(_, connection)| connection.peer == peer);
        found.map(|(entity, _)| entity).expect("the client is not connected: call `connect` first")
    }

    /// A client's entity for an entity of the server, if it has one.
    #[must_use]
    pub fn remote_entity(&self, client: Client, entity: Entity) -> Option<Entity> {
        let id = self.server.world().resource::<EntityMap>().network(entity)?;
        self.clients[client.0].app.world().resource::<EntityMap>().local(id)
    }

    /// A client's component of an entity of the server.
    #[must_use]
    pub fn remote<C: Component>(&self, client: Client, entity: Entity) -> Option<&C> {
        let entity = self.remote_entity(client, entity)?;
        self.clients[client.0].app.world().get::<C>(entity)
    }

    /// Changes the network of a client, each way.
    pub fn set_conditions(&mut self, client: Client, conditions: NetworkConditions) {
        let peer = &mut self.clients[client.0];
        peer.conditioner.incoming = conditions;
        peer.conditioner.outgoing = conditions;
        if let Some(mut conditioner) = peer.app.world_mut().get_mut::<Conditioner>(peer.connection) {
            *conditioner = peer.conditioner.clone();
        }
    }

    /// Ends a client's process without a word, as a crash does.
    ///
    /// Clients added later keep their numbers; this one must not be used again.
    pub fn kill(&mut self, client: Client) {
        let peer = &mut self.clients[client.0];
        peer.app = App::empty();
        peer.killed = true;
    }
}

fn peer(networking: NetworkingPlugin, register: &dyn Fn(&mut App), frame: Duration) -> App {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, networking)).insert_resource(TimeUpdateStrategy::ManualDuration(frame));
    register(&mut app);
    app.finish();
    app.cleanup();
    // Many small ticks of many apps: threads would cost more than they save, and vary the order of systems.
    for (_, schedule) in app.world_mut().resource_mut::<Schedules>().iter_mut() {
        schedule.set_executor(SingleThreadedExecutor::new());
    }
    app
}
