//! Actions of `leafwing-input-manager` as inputs.
//!
//! leafwing keeps one state for `Update` and one for the fixed schedules and swaps them around the
//! fixed loop of every frame, whether it has ticks or not. Its edges therefore belong to frames: a
//! tap that begins and ends between two ticks shows only as a release, and what an edge means on a
//! server that has other frames is anybody's guess. Here edges belong to ticks: what travels is the
//! level of each action, and both sides derive the same edges from the levels of two ticks.

use bevy::input::InputPlugin;
use bevy::prelude::*;
use bevy::reflect::{GetTypeRegistration, TypePath};
use leafwing_input_manager::Actionlike;
use leafwing_input_manager::action_state::ActionState;
use leafwing_input_manager::plugin::InputManagerPlugin;
use slipstream_connection::is_client;

mod codec;
mod levels;
mod tap;

pub use codec::{ActionCodec, AxisRange, PackedActions};

use crate::input::{AppInputExt, InputRegistry};
use crate::schedule::SimulationSystems;
use tap::{attach_taps, latch_taps, settle_actions};

/// Actions that travel from a client to the server.
///
/// ```
/// use bevy::prelude::*;
/// use leafwing_input_manager::prelude::*;
/// use slipstream_simulation::{AxisRange, NetworkActions};
///
/// #[derive(Actionlike, Clone, Copy, PartialEq, Eq, Hash, Debug, Reflect)]
/// enum DriveAction {
///     #[actionlike(Axis)]
///     Throttle,
///     #[actionlike(Axis)]
///     AimYaw,
///     Fire,
/// }
///
/// impl NetworkActions for DriveAction {
///     fn actions() -> &'static [Self] {
///         &[Self::Throttle, Self::AimYaw, Self::Fire]
///     }
///
///     fn axis_range(&self) -> AxisRange {
///         match self {
///             Self::AimYaw => AxisRange::new(core::f32::consts::PI, 14),
///             _ => AxisRange::default(),
///         }
///     }
/// }
/// ```
pub trait NetworkActions: Actionlike + GetTypeRegistration {
    /// Every action that travels, in the order in which they are packed: the same on all peers.
    fn actions() -> &'static [Self];

    /// The range and precision of an axis, or of each axis of a dual or triple one. Not asked for
    /// buttons.
    fn axis_range(&self) -> AxisRange {
        AxisRange::default()
    }
}

/// The work of [`AppInputExt::input_actions`].
pub(crate) fn register<A: NetworkActions>(app: &mut App) {
    // Its systems read keyboard and mouse resources that only `InputPlugin` makes. Its `server()`
    // form is no alternative: it ends presses once a frame, not once a tick.
    if app.is_plugin_added::<InputPlugin>() && !app.is_plugin_added::<InputManagerPlugin<A>>() {
        app.add_plugins(InputManagerPlugin::<A>::default());
    }
    let is_known = app
        .world()
        .get_resource::<InputRegistry>()
        .is_some_and(|registry| registry.index_of::<ActionState<A>>().is_some());
    if is_known {
        return;
    }
    let name = <A as TypePath>::type_path();
    app.input_with::<ActionState<A>, _>(name, ActionCodec::<A>::new());
    app.add_systems(PreUpdate, attach_taps::<A>.run_if(is_client))
        .add_systems(
            FixedUpdate,
            // Also in a pass without a tick, or a tap seen in it would be lost.
            latch_taps::<A>.before(SimulationSystems::GatherInputs).run_if(is_client),
        )
        .add_systems(FixedPostUpdate, settle_actions::<A>.in_set(SimulationSystems::Settle));
}
