//! `lightyear` 0.30.1 as a peer of the comparison, without prediction and interpolation, and without a socket: packets
//! are handed from link to link in the process, outside of what is timed.
//!
//! It replicates through `bevy_replicon` 0.44, so replicon's times are its floor. What it adds is a transport: packets
//! with acknowledgements, reliable channels, pings, and a limit of bytes a second (`PriorityConfig`), which drops the
//! mutations that do not fit into this frame. It sends once in a frame with a fixed step, when its interval has passed;
//! the interval is zero unless set, so it sends every tick.

mod exchange;
mod pace;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bevy::prelude::*;
use bevy::state::app::StatesPlugin;
use bevy::time::TimeUpdateStrategy;
use bevy_replicon::prelude::ClientReplicationStats;
use lightyear::link::Linked;
use lightyear::link::server::LinkOf;
use lightyear::prelude::client::{ClientPlugins, RawClient};
use lightyear::prelude::server::{RawServer, ServerPlugins};
use lightyear::prelude::{
    AppComponentExt, LocalAddr, NetworkTarget, PeerAddr, PriorityConfig, Replicate, ReplicationReceiver,
    ReplicationSender, Transport,
};

use self::exchange::Exchange;
use self::pace::Pace;
use crate::bodies::Bodies;
use crate::components::{Health, Motion, Pose, Team};
use crate::cpu;
use crate::executor::Executor;
use crate::motion::TICKS_PER_SECOND;
use crate::scenario::{AMPLE, Scenario};
use crate::session::{Sent, Session, Step};

/// How many times as fast as the machine's clock the game's runs under a limit of bytes, which goes by the machine's.
/// The limit is as many times higher, so that the bytes a tick come out the same.
const SPEED_UNDER_LIMIT: u32 = 4;

/// A server and clients with the bodies of a scenario.
pub struct Lightyear {
    server: App,
    clients: Vec<App>,
    exchange: Exchange,
    bodies: Bodies,
    /// Where times of the machine's clock matter.
    pace: Option<Pace>,
}

impl Lightyear {
    pub fn open(scenario: &Scenario, executor: Executor) -> Self {
        let is_late = scenario.line.latency_ticks > 0;
        let is_limited = scenario.budget_bytes_per_second < AMPLE;
        // Times of pings must be right where the line is late. Where it is not, acknowledgements come with the next
        // tick, and so in time, whatever the pings say.
        let speed = if is_late { 1 } else { SPEED_UNDER_LIMIT };
        let limit = if is_limited {
            // As by default, a burst may be as much as a second's bytes, in a second of the game's.
            let budget = scenario.budget_bytes_per_second;
            PriorityConfig::new(budget * speed).with_burst_size(budget)
        } else {
            PriorityConfig::default()
        };

        let mut server = server(executor);
        // No transport listens: the server is up when it says so.
        let listener = server.world_mut().spawn(RawServer).insert(Linked).id();
        server.update();
        let mut exchange = Exchange::new(scenario.line);
        let clients = (0..scenario.connections).map(|number| {
            // By its address, the server tells a client from others.
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, number as u16 + 1));
            let transport = Transport::new(limit.clone());
            let link = (LinkOf { server: listener }, transport, ReplicationSender, PeerAddr(address));
            let server_end = server.world_mut().spawn(link).insert(Linked).id();
            let mut client = client(executor);
            let link = (RawClient, ReplicationReceiver, LocalAddr(address));
            let client_end = client.world_mut().spawn(link).insert(Linked).id();
            exchange.add(server_end, client_end);
            client
        });
        let clients = clients.collect();
        let bodies = Bodies::spawn(server.world_mut(), scenario, || Replicate::to_clients(NetworkTarget::All));
        let pace = (is_late || is_limited).then(|| Pace::new(speed));
        Self { server, clients, exchange, bodies, pace }
    }

    /// Gives every body a priority, as [`Bodies::prioritise`] says.
    pub fn prioritise(&mut self, priority: f32) {
        self.bodies.prioritise(self.server.world_mut(), priority);
    }

    /// Changes the health of a body, once.
    pub fn hurt(&mut self, body: usize) {
        self.bodies.hurt(self.server.world_mut(), body);
    }

    /// Messages of replication that the first client has received since this was asked first. On a line without loss,
    /// they are those that the server has sent.
    pub fn messages(&mut self) -> u64 {
        let stats = self.clients[0].world_mut().get_resource_or_init::<ClientReplicationStats>();
        stats.messages as u64
    }
}

impl Session for Lightyear {
    fn step(&mut self, moves: bool) -> Step {
        if let Some(pace) = &mut self.pace {
            pace.wait();
        }
        if moves {
            self.bodies.advance(self.server.world_mut());
        }
        let mut step = Step { server: cpu::time(|| self.server.update()), ..default() };
        self.exchange.take_from_server(self.server.world_mut());
        for (number, client) in self.clients.iter_mut().enumerate() {
            self.exchange.deliver_to_client(number, client.world_mut());
            if number == 0 {
                step.client = cpu::time(|| client.update());
            } else {
                client.update();
            }
            self.exchange.take_from_client(number, client.world_mut());
        }
        self.exchange.deliver_to_server(self.server.world_mut());
        step
    }

    fn is_settled(&self) -> bool {
        self.clients.iter().all(|client| self.bodies.are_known_to(client.world()))
    }

    fn sent(&mut self) -> Sent {
        self.exchange.sent()
    }

    fn motion_tick(&self) -> u64 {
        self.bodies.tick()
    }

    fn shown(&self, connection: usize, body: usize) -> Option<Vec3> {
        self.bodies.shown(self.clients.get(connection)?.world(), body)
    }

    fn drop_server(&mut self) {
        self.server = App::empty();
    }
}

fn server(executor: Executor) -> App {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, StatesPlugin, ServerPlugins { tick_duration: tick_duration() }));
    finish(&mut app, executor);
    app
}

fn client(executor: Executor) -> App {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, StatesPlugin, ClientPlugins { tick_duration: tick_duration() }));
    finish(&mut app, executor);
    app
}

/// Registers what is replicated: on both sides in the same order, and after lightyear's plugins.
fn finish(app: &mut App, executor: Executor) {
    app.insert_resource(TimeUpdateStrategy::ManualDuration(tick_duration()));
    app.component::<Pose>().replicate();
    app.component::<Motion>().replicate();
    app.component::<Health>().replicate();
    app.component::<Team>().replicate();
    app.finish();
    app.cleanup();
    executor.install(app);
}

fn tick_duration() -> Duration {
    Duration::from_secs_f64(1.0 / TICKS_PER_SECOND)
}
