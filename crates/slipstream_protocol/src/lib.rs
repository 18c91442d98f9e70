//! One Slipstream connection as a **sans-IO state machine**: time and bytes go in, bytes and a deadline come out.
//!
//! A [`Peer`] is one end of one connection. It knows no socket, no wall clock and no Bevy: the caller hands it each
//! datagram with the time it came, takes the datagrams it wants to send, and asks when it wants to be woken. That makes
//! every rule of the protocol testable against [`SimulatedNetwork`] with a virtual clock and a seed.
//!
//! ```text
//!  send(channel, payload) ──► channels ──► schedule ──► datagram ──► poll_transmit
//!                               ▲  │        (priority,      │
//!                  lost: again  │  │ spare   budget)        ▼
//!                               │  └ copies            sent packets ◄── acks, loss, probe time-out
//!                               │                           ▲
//!  poll_message ◄── inbox ◄── channels ◄── frames ◄── validate ◄── receive
//!  poll_event   ◄── handshake, deliveries, close
//! ```
//!
//! One frame of a caller:
//!
//! ```
//! use core::time::Duration;
//! use slipstream_protocol::{LinkProperties, Peer, PeerConfig, Side};
//!
//! let now = Duration::ZERO;
//! let mut client = Peer::new(Side::Initiator, PeerConfig::default(), LinkProperties::default(), now, 1);
//! let mut server = Peer::new(Side::Acceptor, PeerConfig::default(), LinkProperties::default(), now, 2);
//!
//! let mut datagram = Vec::new();
//! while client.poll_transmit(now, &mut datagram) {
//!     server.receive(now, &datagram).expect("a datagram of our own");
//! }
//! ```
//!
//! What a link already gives (authentication, keep-alive, reliability: [`LinkProperties`]) is not done a second time.
//! Every byte of a datagram is specified in `docs/wire-format.md`.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod ack;
mod bucket;
mod buffer_pool;
mod channel;
mod close;
mod config;
mod congestion;
mod error;
mod event;
mod fragment;
mod handshake;
mod link;
mod loss;
mod manifest;
mod packet;
mod peer;
mod rtt;
mod schedule;
mod seen;
mod simulated_network;
mod stats;
mod text;

pub use channel::{ChannelConfig, ChannelId, Delivery, Priority};
pub use close::{CloseReason, ClosedReason, RefuseReason};
pub use config::{PeerConfig, Side};
pub use error::{ChannelError, ProtocolError, SendError};
pub use event::{DeliveryOutcome, PeerEvent, ReceivedMessage};
pub use handshake::HELLO_LIMIT;
pub use link::{LinkProperties, MIN_MTU};
pub use manifest::Manifest;
pub use peer::Peer;
pub use simulated_network::{ConditionedQueue, NetworkConditions, QueueCounters, SimulatedNetwork};
pub use stats::PeerStats;

/// Version of the wire format. Two peers with different versions refuse each other and name both versions.
pub const WIRE_VERSION: u16 = 4;
