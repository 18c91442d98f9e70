//! A server and a client in one process, one tick a frame unless a test wants otherwise.

use std::time::Duration;

use bevy::prelude::*;
use bevy::time::TimeUpdateStrategy;
use serde::{Deserialize, Serialize};
use slipstream_connection::{Connected, ConnectionPlugin, EntityMap, NetworkId, Role};
use slipstream_link::{Conditioner, Connect, LinkPlugin, Listen, MemoryHub, NetworkConditions};
use slipstream_simulation::{
    AppInputExt, Controlled, InputStats, Owner, Simulation, SimulationPlugin, SimulationTick, TickLead,
};

/// The input: the client writes the number of the tick, so the server can tell which tick's input it has.
#[derive(Component, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drive(pub u32);

/// What `Simulation` saw: the tick, and the input of the one entity that has one.
#[derive(Resource, Default)]
pub struct Seen(pub Vec<(u32, u32)>);

pub const VEHICLE: NetworkId = NetworkId { slot: 7, generation: 1 };

pub struct Peers {
    pub server: App,
    pub client: App,
    pub connect: Entity,
    /// The client's connection on the server.
    pub connection: Entity,
}

pub fn app(role: Role, register: fn(&mut App)) -> App {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, LinkPlugin, ConnectionPlugin { role }, SimulationPlugin::default()))
        .insert_resource(TimeUpdateStrategy::FixedTimesteps(1));
    register(&mut app);
    app.finish();
    app.cleanup();
    app
}

/// Registers [`Drive`], written on the client and recorded on both.
pub fn drive(app: &mut App) {
    app.input::<Drive>();
    app.init_resource::<Seen>().add_systems(FixedPreUpdate, write_drive).add_systems(Simulation, record_drive);
}

fn write_drive(tick: Res<SimulationTick>, mut controlled: Query<&mut Drive, With<Controlled>>) {
    for mut drive in &mut controlled {
        drive.0 = tick.0.get();
    }
}

fn record_drive(tick: Res<SimulationTick>, driven: Query<&Drive>, mut seen: ResMut<Seen>) {
    if let Ok(drive) = driven.single() {
        seen.0.push((tick.0.get(), drive.0));
    }
}

pub fn path(latency_ms: u64) -> NetworkConditions {
    NetworkConditions { latency: Duration::from_millis(latency_ms), ..NetworkConditions::default() }
}

impl Peers {
    /// Two connected apps; `conditions` hold in each direction.
    pub fn connected(register: fn(&mut App), conditions: NetworkConditions, seed: u64) -> Self {
        println!("seed {seed}");
        let hub = MemoryHub::new();
        let mut server = app(Role::Server, register);
        server.world_mut().spawn(Listen::memory(&hub));
        let mut client = app(Role::Client, register);
        let conditioner = Conditioner::both_ways(conditions, seed);
        let connect = client.world_mut().spawn((Connect::memory(&hub), conditioner)).id();
        let mut peers = Self { server, client, connect, connection: Entity::PLACEHOLDER };
        for _ in 0..1200 {
            peers.step();
            let greeted = greeted_connection(&mut peers.server);
            let is_connected = peers.client.world().get::<Connected>(connect).is_some();
            if let (Some(connection), true) = (greeted, is_connected) {
                peers.connection = connection;
                return peers;
            }
        }
        panic!("the client did not connect within 20 seconds");
    }

    /// One frame of each.
    pub fn step(&mut self) {
        self.server.update();
        self.client.update();
    }

    pub fn run_seconds(&mut self, seconds: u32) {
        for _ in 0..seconds * 60 {
            self.step();
        }
    }

    /// Gives the client a vehicle: what replication would do, by hand.
    pub fn give_vehicle<C: Component + Default>(&mut self) -> (Entity, Entity) {
        let owned = self.server.world_mut().spawn((Owner(self.connection), C::default())).id();
        self.server.world_mut().resource_mut::<EntityMap>().insert(VEHICLE, owned);
        (owned, self.control_vehicle::<C>())
    }

    /// The client's part of [`give_vehicle`](Self::give_vehicle).
    pub fn control_vehicle<C: Component + Default>(&mut self) -> Entity {
        let controlled = self.client.world_mut().spawn((Controlled, C::default())).id();
        self.client.world_mut().resource_mut::<EntityMap>().insert(VEHICLE, controlled);
        controlled
    }

    pub fn stats(&self) -> InputStats {
        *self.server.world().get::<InputStats>(self.connection).expect("the client is connected")
    }

    pub fn lead(&self) -> TickLead {
        *self.client.world().resource::<TickLead>()
    }

    pub fn set_path(&mut self, conditions: NetworkConditions) {
        let mut conditioner =
            self.client.world_mut().get_mut::<Conditioner>(self.connect).expect("it was spawned with one");
        conditioner.incoming = conditions;
        conditioner.outgoing = conditions;
    }

    /// What the server's `Simulation` saw since the last call.
    pub fn take_seen(&mut self) -> Vec<(u32, u32)> {
        std::mem::take(&mut self.server.world_mut().resource_mut::<Seen>().0)
    }
}

fn greeted_connection(server: &mut App) -> Option<Entity> {
    let world = server.world_mut();
    let mut connections = world.query_filtered::<Entity, (With<Connected>, With<InputStats>)>();
    connections.single(world).ok()
}

pub fn tick(app: &App) -> u32 {
    app.world().resource::<SimulationTick>().0.get()
}
