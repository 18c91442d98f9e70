//! Pipes of datagrams: what carries Slipstream's bytes between two processes, and nothing about what they mean.
//!
//! A [`Link`] is a component with an inbox and an outbox. A transport is a plugin that moves datagrams between its own
//! pipes and the `Link`s; the layer above reads and writes `Link`s and never meets a socket. A [`Conditioner`] on the
//! same entity makes the pipe as bad as wished, over any transport, in both directions, from a seed.
//!
//! ```text
//! PreUpdate    LinkSystems::Receive            socket, memory ──> Link        (also opens and closes links)
//!              LinkSystems::ConditionIncoming  Link ──> Conditioner ──> Link::receive
//!              ... the layer above reads, works, writes ...
//! PostUpdate   LinkSystems::ConditionOutgoing  Link::send ──> Conditioner ──> Link
//!              LinkSystems::Send               Link ──> socket, memory
//! Last         LinkSystems::Exit               on AppExit: what is left in every Link leaves, then the pipes close
//! ```
//!
//! Starting and stopping are entities: spawn a [`Listen`] and each accepted pipe becomes an entity with a [`Link`] and
//! a [`LinkOf`]; spawn a [`Connect`] and that entity gets its [`Link`] when the pipe opens. Despawn either and it ends.
//!
//! # What leaves before the end
//!
//! Datagrams written into a [`Link`] right before its entity is despawned (or the component removed), or before the app
//! exits, still leave, and only then is the pipe closed:
//!
//! - On despawn the last moment to write is an observer of `Despawn`, `Discard` or `Remove` of any component of that
//!   entity. `Link`'s own `on_remove` hook takes the rest of the outbox after all of those observers ran, because Bevy
//!   runs hooks of `Remove` after its observers. See [`DepartedLinks`].
//! - On exit it is a system in `Last` before [`LinkSystems::Exit`].
//!
//! On the receiving side, read [`Link::receive`] until it is empty before acting on [`Link::closed`]: what came before
//! the end is in the inbox.
//!
//! ```
//! use bevy::prelude::*;
//! use slipstream_link::{Connect, LinkPlugin, Listen, MemoryHub};
//!
//! let hub = MemoryHub::new();
//! let mut server = App::new();
//! server.add_plugins((MinimalPlugins, LinkPlugin));
//! server.world_mut().spawn(Listen::memory(&hub));
//! let mut client = App::new();
//! client.add_plugins((MinimalPlugins, LinkPlugin));
//! client.world_mut().spawn(Connect::memory(&hub));
//! server.update();
//! client.update();
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod closed;
mod conditioner;
mod connect;
#[cfg(feature = "renet")]
mod credentials;
mod departed;
mod link;
mod listen;
mod memory;
mod path;
mod plugin;
#[cfg(feature = "renet")]
mod renet;

pub use closed::LinkClosed;
pub use conditioner::Conditioner;
pub use connect::Connect;
pub use departed::{DepartedLink, DepartedLinks};
pub use link::{DroppedDatagrams, Link};
pub use listen::{LinkOf, Links, Listen, ListenFailed, Listening};
pub use memory::{MemoryHub, MemoryLinkPlugin};
pub use plugin::{LinkPlugin, LinkSystems};
#[cfg(feature = "renet")]
pub use renet::{
    ConnectToken, NETCODE_PROTOCOL_ID, RENET_MTU, RenetLinkPlugin, add_renet_channels, renet_connection_config,
};
pub use slipstream_protocol::{LinkProperties, NetworkConditions};
