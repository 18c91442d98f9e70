//! The bodies of a scenario as replicon has them, and lightyear, which is built on it: [`Pose`], [`Motion`] and
//! [`Health`], found on a client by replicon's map of entities.

use bevy::ecs::query::QueryState;
use bevy::prelude::*;
use bevy_replicon::prelude::ReplicatePriority;
use bevy_replicon::shared::server_entity_map::ServerEntityMap;

use crate::components::{Health, Index, Motion, Moves, Pose, Team};
use crate::motion::body;
use crate::scenario::Scenario;

/// Entities of a server, and how often those that move did.
pub struct Bodies {
    entities: Vec<Entity>,
    movers: QueryState<(&'static Index, &'static mut Pose, &'static mut Motion), With<Moves>>,
    tick: u64,
}

impl Bodies {
    /// Spawns them on the server, where they are at tick 0. `replicated` is what tells the peer to replicate an entity.
    pub fn spawn<B: Bundle>(world: &mut World, scenario: &Scenario, replicated: impl Fn() -> B) -> Self {
        let entities = (0..scenario.bodies).map(|index| {
            let body = body(index, 0);
            let mut entity =
                world.spawn((replicated(), Index(index as u32), Pose::from(&body), Motion::from(&body), Health(100.0)));
            if scenario.moving.includes(index) {
                entity.insert(Moves);
            }
            if scenario.has_team {
                entity.insert(Team(index as u32 % 4));
            }
            entity.id()
        });
        let entities = entities.collect();
        Self { entities, movers: world.query_filtered(), tick: 0 }
    }

    /// Moves those that move to the next tick.
    pub fn advance(&mut self, server: &mut World) {
        self.tick += 1;
        for (index, mut pose, mut speeds) in self.movers.iter_mut(server) {
            let body = body(index.0 as usize, self.tick);
            *pose = Pose::from(&body);
            *speeds = Motion::from(&body);
        }
    }

    /// How often they have moved.
    pub fn tick(&self) -> u64 {
        self.tick
    }

    /// Changes the health of a body, once.
    pub fn hurt(&self, server: &mut World, body: usize) {
        if let Some(mut health) = server.get_mut::<Health>(self.entities[body]) {
            health.0 -= 1.0;
        }
    }

    /// Gives every body a priority: below one, replicon sends its mutations at most every 1 / `priority` ticks after it
    /// was acknowledged last, and then every tick until it is again.
    pub fn prioritise(&self, server: &mut World, priority: f32) {
        for entity in &self.entities {
            server.entity_mut(*entity).insert(ReplicatePriority(priority));
        }
    }

    /// Whether a client has all of them.
    pub fn are_known_to(&self, client: &World) -> bool {
        client.resource::<ServerEntityMap>().to_client().len() >= self.entities.len()
    }

    /// Where a client shows a body, if it does.
    pub fn shown(&self, client: &World, body: usize) -> Option<Vec3> {
        let entity = *client.resource::<ServerEntityMap>().to_client().get(self.entities.get(body)?)?;
        client.get::<Pose>(entity).map(|pose| pose.position)
    }
}
