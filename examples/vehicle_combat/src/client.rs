//! The client's game without a window: it shows nothing and simulates nothing.
//!
//! A client runs no physics: vehicles, rockets, pick-ups and the round are replicated, and it sends the actions of the
//! vehicle it controls. Windows and bots build on this.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use leafwing_input_manager::prelude::ActionState;

use crate::actions::DriveAction;
use crate::arena::Arena;
use crate::protocol;

/// The client's game. After `NetworkingPlugin::client()`, or on a host after
/// [`ServerGamePlugin`](crate::server::ServerGamePlugin). Without an [`Arena`] resource it takes the foundry.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientGamePlugin;

impl Plugin for ClientGamePlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Arena>();
        protocol::register(app);
        protocol::declare_arena(app);
        app.add_observer(take_the_wheel);
    }
}

/// The vehicle that the local player controls gets actions; they are not replicated.
fn take_the_wheel(
    controlled: On<Add, Controlled>,
    with_actions: Query<(), With<ActionState<DriveAction>>>,
    mut commands: Commands,
) {
    if !with_actions.contains(controlled.entity) {
        commands.entity(controlled.entity).insert(ActionState::<DriveAction>::default());
    }
}
