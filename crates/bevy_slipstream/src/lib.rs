//! Multiplayer for Bevy as ordinary ECS.
//!
//! Add [`NetworkingPlugin`], mark entities [`Replicated`](prelude::Replicated), and they exist on every client. Connections
//! are entities; inputs, messages and state are components, `Message`s and `Event`s.
//!
//! ```text
//! PreUpdate        sockets -> Link -> protocol -> messages, inputs, records -> components
//! FixedUpdate      Simulation: one tick of the game
//! FixedPostUpdate  journal: what changed, quantised once; pack: what fits each connection's budget
//! PostUpdate       datagrams -> Link -> sockets
//! ```
//!
//! ```
//! use bevy::prelude::*;
//! use bevy_slipstream::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Component, Clone, Serialize, Deserialize)]
//! struct Position(Vec2);
//!
//! fn server() -> App {
//!     let mut app = App::new();
//!     app.add_plugins((MinimalPlugins, NetworkingPlugin::server()));
//!     app.replicate::<Position>();
//!     app.add_systems(Startup, |mut commands: Commands| {
//!         commands.spawn((Replicated, Position(Vec2::ZERO)));
//!     });
//!     app
//! }
//! ```
//!
//! This crate has no logic: it adds the plugins of the crates below and names what a game needs of them. The crates, from
//! the ground up: [`wire`], [`protocol`], [`link`], [`connection`], [`simulation`], [`replication`].
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod plugin;
pub mod prelude;
#[cfg(feature = "testing")]
pub mod testing;

pub use plugin::NetworkingPlugin;
pub use slipstream_connection as connection;
pub use slipstream_link as link;
pub use slipstream_protocol as protocol;
pub use slipstream_replication as replication;
#[doc(hidden)]
pub use slipstream_replication::__codec;
pub use slipstream_simulation as simulation;
pub use slipstream_wire as wire;

/// `docs/testing.md`, here so that its code is run as a test.
#[cfg(all(doctest, feature = "testing"))]
#[doc = include_str!("../../../docs/testing.md")]
pub struct TestingPage;
