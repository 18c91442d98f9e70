//! What this app is to the network, and the run conditions that ask.

use bevy::prelude::*;

use crate::connection::Connected;

/// What this app is to the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Accepts connections and owns the truth; nobody plays in this process.
    Server,
    /// Connects to a server.
    Client,
    /// A server whose own player sits in the same process, as a [`LocalConnection`](crate::LocalConnection).
    Host,
}

/// The role that [`ConnectionPlugin`](crate::ConnectionPlugin) was given.
#[derive(Resource, Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkRole(pub Role);

impl NetworkRole {
    /// Whether this app accepts connections and owns the truth.
    #[must_use]
    pub fn serves(self) -> bool {
        matches!(self.0, Role::Server | Role::Host)
    }

    /// Whether somebody plays in this app.
    #[must_use]
    pub fn plays(self) -> bool {
        matches!(self.0, Role::Client | Role::Host)
    }
}

/// Run condition: this app is a server or a host.
#[must_use]
pub fn is_server(role: Option<Res<NetworkRole>>) -> bool {
    role.is_some_and(|role| role.serves())
}

/// Run condition: this app is a client or a host.
#[must_use]
pub fn is_client(role: Option<Res<NetworkRole>>) -> bool {
    role.is_some_and(|role| role.plays())
}

/// Run condition: this app is a host.
#[must_use]
pub fn is_host(role: Option<Res<NetworkRole>>) -> bool {
    role.is_some_and(|role| role.0 == Role::Host)
}

/// Run condition: at least one connection is open. A host's own player counts.
#[must_use]
pub fn is_connected(connections: Query<(), With<Connected>>) -> bool {
    !connections.is_empty()
}
