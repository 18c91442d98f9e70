//! Connections as entities.

use core::fmt;

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

/// Names a peer for the length of a session. The server gives it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PeerId(pub u64);

impl PeerId {
    /// The server itself, seen from a client.
    pub const SERVER: Self = Self(0);

    /// Ids are unpredictable, so that knowing one's own says nothing of the others.
    pub(crate) fn random() -> Self {
        Self(random_u64().max(1))
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The standard library seeds its hashers from the operating system and a hasher of nothing yields a keyed random value:
/// good enough for ids and for the protocol's cookie secret, without another dependency.
pub(crate) fn random_u64() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

/// A peer that has passed the handshake. Inserted together with [`Connected`] and [`NetworkStats`](crate::NetworkStats).
#[derive(Component, Debug, Clone, PartialEq)]
#[component(immutable)]
pub struct Connection {
    /// Who is at the other end: on a server the id that it gave to the client, on a client [`PeerId::SERVER`].
    pub peer: PeerId,
    /// The display name that the other side gave: at most [`MAX_NAME_BYTES`], without control characters.
    pub remote_name: String,
    /// The application bytes of the other side's hello (see [`ConnectionData`]).
    pub remote_data: Vec<u8>,
    /// Ticks a second of the server, which both sides agreed on in the handshake.
    pub tick_rate: f64,
}

/// The handshake is under way, or the pipe is still opening.
#[derive(Component, Debug, Clone, Copy, Default)]
pub struct Connecting;

/// The handshake is done: messages can be sent and received.
#[derive(Component, Debug, Clone, Copy, Default)]
pub struct Connected;

/// A host's own player: a connection without a link. What is sent to it arrives in the same frame.
#[derive(Component, Debug, Clone, Copy, Default)]
pub struct LocalConnection;

/// The id of the player who plays in this process: on a client the one that the server gave, on a host that of its
/// [`LocalConnection`]. Absent on a server, and on a client that is not connected.
#[derive(Resource, Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalPeer(pub PeerId);

/// The most bytes of a name that travel in the handshake.
pub const MAX_NAME_BYTES: usize = 64;

/// The most application bytes that travel in the handshake.
pub const MAX_HELLO_DATA_BYTES: usize = 384;

/// The display name that this app gives in the handshake. Longer names are cut at [`MAX_NAME_BYTES`].
#[derive(Resource, Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionName(pub String);

/// Bytes of the application that a client sends with its hello, such as a ticket or a wish for a team. At most
/// [`MAX_HELLO_DATA_BYTES`]; what exceeds them is cut. The server reads them in [`Connection::remote_data`].
#[derive(Resource, Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionData(pub Vec<u8>);
