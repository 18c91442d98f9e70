//! `bevy_replicon` 0.44.3 as a peer of the comparison, without a messaging backend: messages are handed over in the
//! process, as its own `test_app` does, and outside of what is timed.

mod exchange;
mod quantised;

use std::time::Duration;

use bevy::ecs::query::QueryState;
use bevy::prelude::*;
use bevy::state::app::StatesPlugin;
use bevy::time::TimeUpdateStrategy;
use bevy_replicon::prelude::*;
use bevy_replicon::shared::server_entity_map::ServerEntityMap;

use self::exchange::Exchange;
use crate::components::{Health, Index, Motion, Moves, Pose, Team};
use crate::cpu;
use crate::motion::{TICKS_PER_SECOND, body};
use crate::peers::run_on_one_thread;
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

/// Who runs the systems of the server and the clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executor {
    /// Bevy's default with several threads.
    Default,
    SingleThreaded,
}

impl Executor {
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default executor",
            Self::SingleThreaded => "single-threaded",
        }
    }
}

/// A server and clients with the bodies of a scenario.
pub struct Replicon {
    server: App,
    clients: Vec<App>,
    exchange: Exchange,
    bodies: Vec<Entity>,
    movers: QueryState<(&'static Index, &'static mut Pose, &'static mut Motion), With<Moves>>,
    tick: u64,
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
        let world = server.world_mut();
        let bodies = spawn_bodies(world, scenario);
        let movers = world.query_filtered();
        Self { server, clients, exchange, bodies, movers, tick: 0 }
    }

    /// From now on the line to each client carries so many bytes a second.
    pub fn limit(&mut self, bytes_per_second: u32) {
        self.exchange.limit(f64::from(bytes_per_second) / TICKS_PER_SECOND);
    }

    /// Gives every body a priority: below one, replicon sends its mutations at most every 1 / `priority` ticks after it was
    /// acknowledged last, and then every tick until it is again.
    pub fn prioritise(&mut self, priority: f32) {
        for body in &self.bodies {
            self.server.world_mut().entity_mut(*body).insert(ReplicatePriority(priority));
        }
    }

    /// Changes the health of a body, once.
    pub fn hurt(&mut self, body: usize) {
        if let Some(mut health) = self.server.world_mut().get_mut::<Health>(self.bodies[body]) {
            health.0 -= 1.0;
        }
    }

    /// Messages with mutations that the server has sent so far.
    pub fn mutation_messages(&self) -> u64 {
        self.exchange.mutation_messages()
    }

    fn advance(&mut self) {
        self.tick += 1;
        for (index, mut pose, mut speeds) in self.movers.iter_mut(self.server.world_mut()) {
            let body = body(index.0 as usize, self.tick);
            *pose = Pose::from(&body);
            *speeds = Motion::from(&body);
        }
    }
}

impl Session for Replicon {
    fn step(&mut self, moves: bool) -> Step {
        if moves {
            self.advance();
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
        let known = |client: &App| client.world().resource::<ServerEntityMap>().to_client().len();
        self.clients.iter().all(|client| known(client) >= self.bodies.len())
    }

    fn sent(&mut self) -> Sent {
        self.exchange.sent()
    }

    fn motion_tick(&self) -> u64 {
        self.tick
    }

    fn shown(&self, connection: usize, body: usize) -> Option<Vec3> {
        let world = self.clients.get(connection)?.world();
        let entity = *world.resource::<ServerEntityMap>().to_client().get(self.bodies.get(body)?)?;
        world.get::<Pose>(entity).map(|pose| pose.position)
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
    if executor == Executor::SingleThreaded {
        run_on_one_thread(&mut app);
    }
    app
}

fn spawn_bodies(world: &mut World, scenario: &Scenario) -> Vec<Entity> {
    let bodies = (0..scenario.bodies).map(|index| {
        let body = body(index, 0);
        let mut entity =
            world.spawn((Replicated, Index(index as u32), Pose::from(&body), Motion::from(&body), Health(100.0)));
        if scenario.moving.includes(index) {
            entity.insert(Moves);
        }
        if scenario.has_team {
            entity.insert(Team(index as u32 % 4));
        }
        entity.id()
    });
    bodies.collect()
}
