//! The tick, the [`Simulation`] schedule and tick-stamped inputs.
//!
//! ```text
//! PreUpdate        client   feedback from the server -> the client's tick leads by as much as its inputs need
//!                  server   input messages -> one buffer per owned entity and kind of input
//! FixedFirst       both     the tick advances
//! FixedPreUpdate   game     read keys, write the input components of the entities one controls
//! FixedUpdate      client   sample those components, derive edges, remember the last ticks
//!                  server   write the inputs of this tick into the components of owned entities
//!                  both     run Simulation, once
//! PostUpdate       client   one message with every tick the server has not acknowledged
//!                  server   feedback: how early the inputs came
//! ```
//!
//! An input is an ordinary component that the owner of an entity may set. The game registers it
//! with [`AppInputExt::input`], the client writes it on entities with [`Controlled`], systems in
//! [`Simulation`] read it: on the server they see, at each tick, what the owner's component held
//! at that same tick.
//!
//! ```
//! use bevy::prelude::*;
//! use serde::{Deserialize, Serialize};
//! use slipstream_simulation::{AppInputExt, Controlled, Simulation};
//!
//! #[derive(Component, Serialize, Deserialize, Clone, Default, PartialEq)]
//! struct Drive(f32);
//!
//! #[derive(Component)]
//! struct Position(f32);
//!
//! fn register(app: &mut App) {
//!     app.input::<Drive>();
//!     app.add_systems(FixedPreUpdate, read_keys);
//!     app.add_systems(Simulation, drive);
//! }
//!
//! fn read_keys(mut mine: Query<&mut Drive, With<Controlled>>) {
//!     for mut drive in &mut mine {
//!         drive.0 = 1.0;
//!     }
//! }
//!
//! fn drive(mut movers: Query<(&mut Position, &Drive)>, time: Res<Time>) {
//!     for (mut position, drive) in &mut movers {
//!         // A peer sends whatever it likes: what an input may do is decided here.
//!         position.0 += drive.0.clamp(-1.0, 1.0) * time.delta_secs();
//!     }
//! }
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "leafwing")]
mod actions;
mod input;
mod ownership;
mod runner;
mod schedule;
mod tick;

#[cfg(feature = "leafwing")]
pub use actions::{ActionCodec, AxisRange, NetworkActions, PackedActions};
pub use input::{
    AppInputExt, BincodeInput, InputCodec, InputError, InputFaults, InputRegistry, InputStats, MAX_AHEAD_TICKS,
    MAX_REDUNDANT_TICKS, MAX_REPEATED_TICKS, MAX_SAMPLE_BYTES, SampleSize, TickLead,
};
pub use ownership::{Controlled, Owned, Owner};
pub use runner::TickRunnerPlugin;
pub use schedule::{Simulation, SimulationPlugin, SimulationSystems};
pub use tick::{SimulationTick, TickPacing, TickRate, tick_advances};
