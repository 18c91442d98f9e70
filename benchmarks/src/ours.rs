//! The work through Slipstream: a server `App`, client `App`s, a memory hub between them.

use core::time::Duration;

use bevy::prelude::*;
use bevy::time::TimeUpdateStrategy;
use bevy_slipstream::connection::ConnectionSettings;
use bevy_slipstream::prelude::*;

use crate::sample::{Measured, Sample, timed};
use crate::work::{Health, Motion, TICK_RATE, Team, Work, body_at};

/// What this side sends.
pub const SENDS: &str = "ours sends: position ±512 m at 1 mm and rotation at 11-bit smallest-three (TransformCodec), six f32 \
    of velocity and one f32 of health through serde; pose and velocity in one lane. A row with quantised velocities \
    comes with a codec for them.";
/// How its figures are counted.
pub const COUNTS: &str = "ours counts: the whole App::update, with protocol, acknowledgements and datagrams; bytes as handed to \
    the link (NetworkStats::bytes_out: headers and acknowledgements included, UDP and IP not); copies as \
    ReplicationStats::records.";

/// No budget limits the work: 10,000 bodies of 100 bytes take 60 MB a second. A connection starts at the least budget. What
/// may wait in a connection's queue is 1 MiB a tick and cannot be set from here; 10,000 bodies stay below it.
const BUDGET_BYTES_PER_SECOND: u32 = 1_000_000_000;
/// Ticks until all must have joined.
const MAX_JOIN_TICKS: u32 = 600;
/// Ticks after that and before the first measured one.
const SETTLING_TICKS: u32 = 30;

/// A server with its clients, the bodies on it, and the tick.
///
/// The first client is whole. The others take part in the protocol, so that they acknowledge each datagram, but throw the
/// records away: to the server they are the same, and a hundred worlds of 10,000 entities are spared.
pub struct Ours {
    work: Work,
    server: App,
    clients: Vec<App>,
    bodies: Vec<Entity>,
    tick: u32,
    bytes: u64,
}

impl Ours {
    /// Connects all clients, spawns the bodies and runs until every client has them and all is acknowledged.
    pub fn new(work: Work) -> Self {
        Self::over(work, NetworkConditions::default())
    }

    /// The same over a network with these conditions, each way.
    fn over(work: Work, conditions: NetworkConditions) -> Self {
        let hub = MemoryHub::new();
        let mut server = app(NetworkingPlugin::server().max_connections(work.connections));
        server.world_mut().spawn(Listen::memory(&hub).max_links(work.connections as usize));
        server.update();
        let clients = (0..work.connections).map(|number| client(&hub, number, conditions)).collect();
        let mut ours = Self { work, server, clients, bodies: Vec::new(), tick: 0, bytes: 0 };
        ours.run_until("connect", |ours| ours.connected() == ours.work.connections as usize);
        ours.spawn_bodies();
        ours.run_until("join", Self::has_joined);
        for _ in 0..SETTLING_TICKS {
            ours.run_tick();
        }
        ours
    }

    /// Runs `ticks` ticks and takes their figures.
    pub fn measure(mut self, ticks: u32) -> Measured {
        let before = self.records();
        let samples: Vec<Sample> = (0..ticks).map(|_| self.run_tick()).collect();
        let sent = self.records() - before;
        let expected = u64::from(ticks) * u64::from(self.work.moving()) * u64::from(self.work.connections);
        if sent != expected {
            eprintln!("note: {sent} records were sent, one for each moving body, connection and tick are {expected}");
        }
        Measured::of(&samples, &self.work)
    }

    /// One tick: the bodies move, outside what is measured; the server; the clients. The acknowledgements of this tick's
    /// datagrams are there in the server's next one.
    fn run_tick(&mut self) -> Sample {
        self.tick += 1;
        self.move_bodies();
        let server = timed(|| self.server.update());
        let mut client = Duration::ZERO;
        for (number, app) in self.clients.iter_mut().enumerate() {
            let took = timed(|| app.update());
            if number == 0 {
                client = took;
            }
        }
        let total = self.bytes_out();
        let bytes = total.saturating_sub(self.bytes);
        self.bytes = total;
        Sample { server, client, bytes }
    }

    fn run_until(&mut self, what: &str, done: impl Fn(&mut Self) -> bool) {
        for _ in 0..MAX_JOIN_TICKS {
            if done(self) {
                return;
            }
            self.run_tick();
        }
        panic!("not all clients could {what} within {MAX_JOIN_TICKS} ticks: {:?}", self.work);
    }

    fn spawn_bodies(&mut self) {
        let is_static = self.work.moving_one_in.is_none();
        let world = self.server.world_mut();
        for body in 0..self.work.entities {
            let (pose, motion) = body_at(body, self.tick);
            let mut entity = world.spawn((Replicated, pose.transform(), motion, Health(100.0)));
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
            if let Some(mut transform) = entity.get_mut::<Transform>() {
                *transform = pose.transform();
            }
            if let Some(mut component) = entity.get_mut::<Motion>() {
                *component = motion;
            }
        }
    }

    fn connected(&mut self) -> usize {
        let world = self.server.world_mut();
        let mut connections = world.query_filtered::<Entity, (With<Connection>, With<Connected>)>();
        connections.iter(world).count()
    }

    /// Whether everything was sent to every connection, and the whole client shows it.
    fn has_joined(&mut self) -> bool {
        let entities = self.work.entities as usize;
        let all_sent = self.statistics().iter().all(|stats| stats.visible == entities && stats.waiting == 0);
        let shown = self.clients.first_mut().map_or(0, |client| {
            let world = client.world_mut();
            let mut remotes = world.query_filtered::<Entity, With<Remote>>();
            remotes.iter(world).count()
        });
        all_sent && shown == entities
    }

    fn statistics(&mut self) -> Vec<ReplicationStats> {
        let world = self.server.world_mut();
        let mut statistics = world.query::<&ReplicationStats>();
        statistics.iter(world).copied().collect()
    }

    fn records(&mut self) -> u64 {
        self.statistics().iter().map(|stats| stats.records).sum()
    }

    fn bytes_out(&mut self) -> u64 {
        let world = self.server.world_mut();
        let mut statistics = world.query::<&NetworkStats>();
        statistics.iter(world).map(|stats| stats.bytes_out).sum()
    }
}

/// How often one change of one component is sent over 50 ms each way without loss. Each side's frames come on top, as in a
/// game.
pub fn copies_of_one_change() -> f64 {
    let work = Work { entities: 10, connections: 1, moving_one_in: None };
    let late = NetworkConditions { latency: Duration::from_millis(50), ..NetworkConditions::default() };
    let mut ours = Ours::over(work, late);
    let before = ours.records();
    let changed = ours.bodies[0];
    if let Some(mut health) = ours.server.world_mut().get_mut::<Health>(changed) {
        health.0 -= 1.0;
    }
    for _ in 0..60 {
        ours.run_tick();
    }
    (ours.records() - before) as f64
}

fn app(networking: NetworkingPlugin) -> App {
    let frame = Duration::from_secs_f64(1.0 / TICK_RATE);
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, networking.tick_rate(TICK_RATE)))
        .insert_resource(TimeUpdateStrategy::ManualDuration(frame))
        .insert_resource(ConnectionSettings {
            min_budget_bytes_per_second: BUDGET_BYTES_PER_SECOND,
            max_budget_bytes_per_second: BUDGET_BYTES_PER_SECOND,
            ..default()
        });
    register(&mut app);
    app.finish();
    app.cleanup();
    app
}

/// What [`SENDS`] says.
fn register(app: &mut App) {
    let _pose = app.replicate_transform(TransformCodec::new(-512.0..512.0, 0.001, 11)).lane("body");
    let _motion = app.replicate::<Motion>().lane("body");
    let _health = app.replicate::<Health>();
    let _team = app.replicate::<Team>();
}

fn client(hub: &MemoryHub, number: u32, conditions: NetworkConditions) -> App {
    let mut client = app(NetworkingPlugin::client());
    if number > 0 {
        client.add_systems(
            PreUpdate,
            discard_records.after(ConnectionSystems::Dispatch).before(ReplicationSystems::Apply),
        );
    }
    let connect = client.world_mut().spawn(Connect::memory(hub)).id();
    if conditions != NetworkConditions::default() {
        let conditioner = Conditioner { incoming: conditions, outgoing: conditions, seed: 1 };
        client.world_mut().entity_mut(connect).insert(conditioner);
    }
    client
}

fn discard_records(mut endpoints: Query<&mut Endpoint>) {
    for mut endpoint in &mut endpoints {
        drop(endpoint.drain(channels::RECORDS));
    }
}
