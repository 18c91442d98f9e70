//! Vehicle combat: the reference game of Slipstream.
//!
//! One library, so that the server, windows, bots and tests run the same code; the binary beside it is the command line.
//!
//! ```text
//! command_line -> process ──┬── server:  arena, player, drive, turret, weapon, health, pickup, round
//!                           ├── client:  what is replicated, and the actions of the own vehicle
//!                           │     ├── window: scene, camera, controls, panels
//!                           │     └── bot:    a brain at the wheel
//!                           ├── statistics, shutdown
//!                           ├── demo:    one process of each, and the live table
//!                           └── record:  the server's game without a network, into a file
//! ```
//!
//! The server trusts a client for nothing but its inputs ([`actions::DriveAction`]): where a vehicle is, what a shot hits
//! and who scores is decided in [`server`].
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod actions;
pub mod arena;
pub mod bot;
pub mod client;
pub mod command_line;
pub mod demo;
pub mod drive;
pub mod health;
pub mod live_table;
pub mod pace;
pub mod pickup;
pub mod player;
pub mod process;
pub mod protocol;
pub mod record;
pub mod round;
pub mod server;
pub mod shutdown;
pub mod statistics;
pub mod turret;
pub mod vehicle;
pub mod weapon;
#[cfg(feature = "window")]
pub mod window;
