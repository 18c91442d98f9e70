//! The `Simulation` schedule and its place in the frame.

use bevy::ecs::schedule::{ScheduleLabel, SingleThreadedExecutor};
use bevy::prelude::*;

use crate::input::InputsPlugin;
use crate::ownership::OwnershipPlugin;
use crate::tick::{SimulationTick, TickPacing, TickRate, advance_tick, tick_advances};

/// One tick of the game: the only schedule that is ever replayed.
///
/// What must happen again when a client corrects its past goes here: movement, physics, weapons.
/// What must not (sounds, effects, score) stays outside. Systems in it read components, resources
/// and [`SimulationTick`]; no messages, `Local`, `Changed` or wall time.
#[derive(ScheduleLabel, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Simulation;

/// The phases of this crate.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SimulationSystems {
    /// `PreUpdate`: input messages and feedback are taken from the connections.
    Receive,
    /// `FixedFirst`: the tick advances.
    AdvanceTick,
    /// `FixedUpdate` of clients and hosts: input components of controlled entities are sampled.
    /// It comes after everything in `FixedPreUpdate`, where a game writes them.
    GatherInputs,
    /// `FixedUpdate` of servers and hosts: the inputs of this tick are written into components.
    ApplyInputs,
    /// `FixedUpdate`: [`Simulation`] runs.
    Run,
    /// `FixedPostUpdate`: what is true for one tick only (a press) ends.
    Settle,
    /// `PostUpdate`: inputs and feedback are handed to the connections.
    Send,
}

/// Sets the fixed timestep, advances [`SimulationTick`], runs [`Simulation`] once a tick and
/// carries inputs from clients to the server.
///
/// The handshake compares the timestep, so client and server must have the same. Needs Bevy's `TimePlugin` (part of
/// `MinimalPlugins` and `DefaultPlugins`) and `slipstream_connection`'s `ConnectionPlugin`, in any order.
///
/// # Panics
///
/// Building the plugin panics unless `tick_rate` is positive and finite.
pub struct SimulationPlugin {
    /// Ticks per second.
    pub tick_rate: f64,
}

impl Default for SimulationPlugin {
    fn default() -> Self {
        Self { tick_rate: 60.0 }
    }
}

impl Plugin for SimulationPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(TickRate(self.tick_rate))
            .insert_resource(Time::<Fixed>::from_hz(self.tick_rate))
            .init_resource::<SimulationTick>()
            .init_resource::<TickPacing>();

        // Ticks are short: handing systems to other threads costs more than it saves
        // (158 against 819 microseconds for a tick of physics, docs of the project).
        app.edit_schedule(Simulation, |schedule| {
            schedule.set_executor(SingleThreadedExecutor::new());
        });

        app.configure_sets(
            FixedUpdate,
            (
                SimulationSystems::GatherInputs.run_if(tick_advances),
                SimulationSystems::ApplyInputs.run_if(tick_advances),
                SimulationSystems::Run.run_if(tick_advances),
            )
                .chain(),
        )
        .configure_sets(FixedPostUpdate, SimulationSystems::Settle.run_if(tick_advances))
        .add_systems(FixedFirst, advance_tick.in_set(SimulationSystems::AdvanceTick))
        .add_systems(FixedUpdate, run_simulation.in_set(SimulationSystems::Run))
        .add_plugins((OwnershipPlugin, InputsPlugin));
    }
}

fn run_simulation(world: &mut World) {
    world.run_schedule(Simulation);
}
