//! `bevy_replicon` 0.44.3 as a peer of the comparison, without a messaging backend: messages are handed over in the
//! process, as its own `test_app` does, and outside of what is timed.

mod exchange;
mod quantised;

use std::time::Duration;

use bevy::prelude::*;
use bevy::state::app::StatesPlugin;
use bevy::time::TimeUpdateStrategy;
use bevy_replicon::prelude::*;

use self::exchange::Exchange;
use crate::bodies::Bodies;
use crate::components::{Health, Motion, Pose, Team};
use crate::cpu;
use crate::executor::Executor;
use crate::motion::TICKS_PER_SECOND;
use crate::scenario::Scenario;
use crate::session::{Sent, Session, Step};

/// The largest message, as its own tests have it.
const MAX_SIZE: usize = 1200;

/// How components are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codecs {
    /// As f32, through postcard: the default.
    Plain,
    /// By hand, as precisely as Slipstream: see [`quantised`].
    Quantised,
}

/// A server and clients with the bodies of a scenario.
pub struct Replicon {
    server: App,
    clients: Vec<App>,
    exchange: Exchange,
    bodies: Bodies,
}

impl Replicon {
    pub fn open(scenario: &Scenario, codecs: Codecs, executor: Executor) -> Self {
        let mut server = peer(codecs, executor);
        server.world_mut().resource_mut::<NextState<ServerState>>().set(ServerState::Running);
        server.update();
        let mut exchange = Exchange::new(scenario.line);
        let clients = (0..scenario.connections).map(|_| {
            exchange.add(server.world_mut().spawn(ConnectedClient { max_size: MAX_SIZE }).id());
            let mut client = peer(codecs, executor);
            client.world_mut().resource_mut::<NextState<ClientState>>().set(ClientState::Connected);
            client.update();
            client
        });
        let clients = clients.collect();
        let bodies = Bodies::spawn(server.world_mut(), scenario, || Replicated);
        Self { server, clients, exchange, bodies }
    }

    /// From now on the line to each client carries so many bytes a second.
    pub fn limit(&mut self, bytes_per_second: u32) {
        self.exchange.limit(f64::from(bytes_per_second) / TICKS_PER_SECOND);
    }

    /// Gives every body a priority, as [`Bodies::prioritise`] says.
    pub fn prioritise(&mut self, priority: f32) {
        self.bodies.prioritise(self.server.world_mut(), priority);
    }

    /// Changes the health of a body, once.
    pub fn hurt(&mut self, body: usize) {
        self.bodies.hurt(self.server.world_mut(), body);
    }

    /// Messages with mutations that the server has sent so far.
    pub fn mutation_messages(&self) -> u64 {
        self.exchange.mutation_messages()
    }
}

impl Session for Replicon {
    fn step(&mut self, moves: bool) -> Step {
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

fn peer(codecs: Codecs, executor: Executor) -> App {
    let frame = Duration::from_secs_f64(1.0 / TICKS_PER_SECOND);
    let mut app = App::new();
    app.add_plugins((
        MinimalPlugins,
        StatesPlugin,
        RepliconPlugins
            .set(RepliconSharedPlugin { auth_method: AuthMethod::None })
            // A tick each update.
            .set(ServerPlugin::new(PostUpdate)),
    ))
    .insert_resource(TimeUpdateStrategy::ManualDuration(frame));
    match codecs {
        Codecs::Plain => {
            app.replicate::<Pose>().replicate::<Motion>();
        }
        Codecs::Quantised => quantised::register(&mut app),
    }
    app.replicate::<Health>().replicate::<Team>();
    app.finish();
    app.cleanup();
    executor.install(&mut app);
    app
}
