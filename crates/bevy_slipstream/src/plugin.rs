//! The one plugin that a game adds.

use bevy::prelude::*;
use slipstream_connection::{ConnectionName, ConnectionPlugin, Role, ServerLimits};
use slipstream_link::{LinkPlugin, MemoryLinkPlugin};
use slipstream_replication::ReplicationPlugin;
use slipstream_simulation::SimulationPlugin;

/// Everything Slipstream does, for one role.
///
/// It adds the plugins of links, connections, simulation and replication, in this order. Register components, inputs and
/// messages before or after it, in any order.
pub struct NetworkingPlugin {
    role: Role,
    tick_rate: f64,
    max_connections: Option<u32>,
    name: Option<String>,
}

impl NetworkingPlugin {
    /// A dedicated server: it has the truth, and no player of its own.
    #[must_use]
    pub fn server() -> Self {
        Self::new(Role::Server)
    }

    /// A client of a server.
    #[must_use]
    pub fn client() -> Self {
        Self::new(Role::Client)
    }

    /// A server whose own player plays in its world, through a connection without a link.
    #[must_use]
    pub fn host() -> Self {
        Self::new(Role::Host)
    }

    /// The plugin for a role.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self { role, tick_rate: 60.0, max_connections: None, name: None }
    }

    /// Ticks a second; 60 unless given. Client and server must agree, and are told when they don't.
    #[must_use]
    pub fn tick_rate(mut self, ticks_per_second: f64) -> Self {
        self.tick_rate = ticks_per_second;
        self
    }

    /// How many connections a server takes before it refuses more with `ServerFull`.
    #[must_use]
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = Some(connections);
        self
    }

    /// The name under which a client introduces itself.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl Plugin for NetworkingPlugin {
    fn build(&self, app: &mut App) {
        if let Some(max_connections) = self.max_connections {
            app.insert_resource(ServerLimits { max_connections });
        }
        if let Some(name) = &self.name {
            app.insert_resource(ConnectionName(name.clone()));
        }
        app.add_plugins((LinkPlugin, MemoryLinkPlugin));
        #[cfg(feature = "renet")]
        app.add_plugins(slipstream_link::RenetLinkPlugin);
        app.add_plugins((
            ConnectionPlugin { role: self.role },
            SimulationPlugin { tick_rate: self.tick_rate },
            ReplicationPlugin,
        ));
    }
}
