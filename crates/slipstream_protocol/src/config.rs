//! What a peer is told when it is made.

use core::time::Duration;

use crate::WIRE_VERSION;
use crate::channel::{ChannelConfig, ChannelId};
use crate::manifest::Manifest;

/// Which end of the connection a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Says hello first: a client.
    Initiator,
    /// Waits for a hello and decides: a server.
    Acceptor,
}

/// Settings of one [`Peer`](crate::Peer). The defaults suit a game at 60 ticks a second.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// What both sides must have in common. The channels below are added to it by the peer itself.
    pub manifest: Manifest,
    /// Channels that exist from the start. [`ChannelId::CONTROL`] belongs to the protocol and is ignored here.
    pub channels: Vec<(ChannelId, ChannelConfig)>,
    /// Longest silence before an idle side sends a datagram of a few bytes. Default 1 s.
    pub keep_alive: Duration,
    /// Nothing heard for this long closes the connection. Default 10 s.
    pub timeout: Duration,
    /// A handshake that takes longer is given up. Default 10 s.
    pub handshake_timeout: Duration,
    /// Longest time an acknowledgement waits for a datagram to ride on. Default 25 ms.
    pub max_ack_delay: Duration,
    /// The congestion controller never goes below this. Default 8,000.
    pub min_budget_bytes_per_second: u32,
    /// The congestion controller never goes above this, and neither do critical messages. Default 2,000,000.
    pub max_budget_bytes_per_second: u32,
    /// Memory for messages, per direction, overheads included. Default 1 MiB. Reliable messages may take
    /// seven eighths of it, those of low priority three quarters of that.
    pub max_queued_bytes: usize,
    /// Greatest message on any channel, in bytes. Default 256 KiB.
    pub max_message_bytes: usize,
    /// Send a second copy of each small reliable message in the next frame's datagram. Default true.
    pub spare_copies: bool,
    /// The application's own bytes, carried by the handshake to the other side: at most
    /// [`HELLO_LIMIT`](crate::HELLO_LIMIT), the rest is cut off. Sent by the initiator; the acceptor's go into
    /// [`Peer::accept`](crate::Peer::accept).
    pub hello: Vec<u8>,
}

impl PeerConfig {
    /// The default settings with this manifest and these channels.
    pub fn new(manifest: Manifest, channels: Vec<(ChannelId, ChannelConfig)>) -> Self {
        Self { manifest, channels, ..Self::default() }
    }
}

impl Default for PeerConfig {
    fn default() -> Self {
        Self {
            manifest: Manifest::new(WIRE_VERSION, 60.0),
            channels: Vec::new(),
            keep_alive: Duration::from_secs(1),
            timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            max_ack_delay: Duration::from_millis(25),
            min_budget_bytes_per_second: 8_000,
            max_budget_bytes_per_second: 2_000_000,
            max_queued_bytes: 1 << 20,
            max_message_bytes: 256 << 10,
            spare_copies: true,
            hello: Vec::new(),
        }
    }
}
