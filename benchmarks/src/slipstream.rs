//! Slipstream as a peer of the comparison.

use bevy::ecs::query::QueryState;
use bevy::prelude::*;
use bevy_slipstream::prelude::*;

use crate::components::{Health, Index, Motion, Moves, Team};
use crate::motion::{RANGE, TICKS_PER_SECOND, body};
use crate::peers::{Peers, Terms};
use crate::scenario::Scenario;
use crate::session::{Sent, Session, Step};

/// What is replicated, and how finely: 1 mm and 11-bit smallest-three rotation for the pose, 1/64 m/s and 1/128 rad/s for the
/// velocities; both in one value.
///
/// The only place of the benchmarks that says how Slipstream sends bodies.
pub fn register(app: &mut App) {
    app.replicate_body::<Rigid>(KinematicCodec::new(RANGE, 0.001).linear(128.0, 1.0 / 64.0).angular(32.0, 1.0 / 128.0));
    app.replicate::<Health>();
    app.replicate::<Team>();
}

/// Pose and velocity of a body.
struct Rigid;

impl KinematicBody for Rigid {
    type Pose = Transform;
    type Motion = Motion;

    fn body(pose: &Transform, motion: &Motion) -> BodyState {
        BodyState {
            position: pose.translation.to_array(),
            rotation: pose.rotation.to_array(),
            linear: motion.linear.to_array(),
            angular: motion.angular.to_array(),
        }
    }

    fn pose(body: &BodyState) -> Transform {
        Transform::from_translation(body.position.into()).with_rotation(Quat::from_array(body.rotation))
    }

    fn motion(body: &BodyState) -> Motion {
        Motion { linear: body.linear.into(), angular: body.angular.into() }
    }
}

/// Spawns the bodies of a scenario on the server, where they are at tick 0. `visible` says who sees each.
pub fn spawn_bodies(
    world: &mut World,
    scenario: &Scenario,
    mut visible: impl FnMut(usize) -> VisibleTo,
) -> Vec<Entity> {
    let bodies = (0..scenario.bodies).map(|index| {
        let body = body(index, 0);
        let transform = Transform { translation: body.position, rotation: body.rotation, ..default() };
        let mut entity = world.spawn((
            Replicated,
            visible(index),
            Index(index as u32),
            transform,
            Motion::from(&body),
            Health(100.0),
        ));
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

/// The bodies that move, and how often they did.
pub struct Movers {
    query: QueryState<(&'static Index, &'static mut Transform, &'static mut Motion), With<Moves>>,
    pub tick: u64,
}

impl Movers {
    pub fn new(world: &mut World) -> Self {
        Self { query: world.query_filtered(), tick: 0 }
    }

    /// Moves them to the next tick.
    pub fn advance(&mut self, world: &mut World) {
        self.tick += 1;
        for (index, mut transform, mut speeds) in self.query.iter_mut(world) {
            let body = body(index.0 as usize, self.tick);
            transform.translation = body.position;
            transform.rotation = body.rotation;
            *speeds = Motion::from(&body);
        }
    }
}

/// A server and clients with the bodies of a scenario.
pub struct Slipstream {
    peers: Peers,
    bodies: Vec<Entity>,
    movers: Movers,
}

impl Slipstream {
    pub fn open(scenario: &Scenario) -> Self {
        let terms = Terms {
            connections: scenario.connections,
            ticks_per_second: TICKS_PER_SECOND,
            line: scenario.line,
            budget_bytes_per_second: scenario.budget_bytes_per_second,
        };
        let mut peers = Peers::connect(terms, register);
        let bodies = spawn_bodies(peers.server.world_mut(), scenario, |_| VisibleTo::Everyone);
        let movers = Movers::new(peers.server.world_mut());
        Self { peers, bodies, movers }
    }

    /// Changes the health of a body, once.
    pub fn hurt(&mut self, body: usize) {
        if let Some(mut health) = self.peers.server.world_mut().get_mut::<Health>(self.bodies[body]) {
            health.0 -= 1.0;
        }
    }

    /// Records that the first connection was sent so far.
    pub fn records(&self) -> u64 {
        let stats = self.peers.server.world().get::<ReplicationStats>(self.peers.connections[0]);
        stats.map_or(0, |stats| stats.records)
    }
}

impl Session for Slipstream {
    fn step(&mut self, moves: bool) -> Step {
        if moves {
            self.movers.advance(self.peers.server.world_mut());
        }
        self.peers.step()
    }

    fn is_settled(&self) -> bool {
        (0..self.peers.clients.len()).all(|client| self.peers.known_to(client) >= self.bodies.len())
    }

    fn sent(&mut self) -> Sent {
        self.peers.sent()
    }

    fn motion_tick(&self) -> u64 {
        self.movers.tick
    }

    fn shown(&self, connection: usize, body: usize) -> Option<Vec3> {
        let entity = *self.bodies.get(body)?;
        self.peers.remote::<Transform>(connection, entity).map(|transform| transform.translation)
    }

    fn drop_server(&mut self) {
        self.peers.server = App::empty();
    }
}
