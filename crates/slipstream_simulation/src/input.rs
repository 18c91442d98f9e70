//! Inputs: from a component on a client to the same component on the server, tick by tick.

use bevy::ecs::component::Mutable;
use bevy::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use slipstream_connection::{AppChannelExt, ConnectionSystems, channels, is_client, is_server};
use slipstream_protocol::{ChannelConfig, Delivery, Priority};

mod buffer;
mod client;
mod codec;
mod error;
mod feedback;
mod lead;
mod message;
mod registry;
mod sample;
mod server;
mod statistics;
mod track;

pub use buffer::{MAX_AHEAD_TICKS, MAX_REPEATED_TICKS};
pub use codec::{BincodeInput, InputCodec};
pub use error::InputError;
pub use lead::TickLead;
pub use message::MAX_REDUNDANT_TICKS;
pub use registry::InputRegistry;
pub use sample::{MAX_SAMPLE_BYTES, SampleSize};
pub use statistics::{InputFaults, InputStats};

pub(crate) use registry::RegisteredInput;

use crate::ownership::Controlled;
use crate::schedule::SimulationSystems;
use client::{follow_server, gather_inputs, send_inputs};
use message::InputInbox;
use server::{ReceivedInputs, apply_inputs, buffer_inputs, greet_connections, receive_inputs, send_feedback};
use track::InputTracks;

/// Registers inputs: components that the owner of an entity may set.
pub trait AppInputExt {
    /// Carries component `C` of owned entities from the owning client to the server, once a tick.
    ///
    /// The client writes `C` on its [`Controlled`](crate::Controlled) entities in `FixedPreUpdate`;
    /// systems in [`Simulation`](crate::Simulation) read it, on the server with the value it had at
    /// the same tick on the client. An input that did not arrive is replaced by the one before, for
    /// [`MAX_REPEATED_TICKS`], then by `C::default()`.
    ///
    /// A client's [`Controlled`](crate::Controlled) entity is given `C::default()` where it has no `C`; on the server the
    /// game puts it on the entities that take it, and the others heed none.
    ///
    /// Encoded with `bincode`, at most [`MAX_SAMPLE_BYTES`]; for another encoding, a stable name or
    /// a check of what peers send see [`input_with`](Self::input_with). Register on every role.
    fn input<C>(&mut self) -> &mut Self
    where
        C: Component<Mutability = Mutable> + Clone + Default + PartialEq + Serialize + DeserializeOwned;

    /// Like [`input`](Self::input) with a codec of your choice and a name for the handshake, which
    /// compares names and the codec's parameters. A component that is registered already stays as
    /// it is.
    fn input_with<C, K>(&mut self, name: &str, codec: K) -> &mut Self
    where
        C: Component<Mutability = Mutable>,
        K: InputCodec<C>;

    /// Carries the actions `A` of `leafwing-input-manager`: `ActionState<A>` of owned entities.
    ///
    /// Buttons take a bit, axes the bits that [`NetworkActions`](crate::NetworkActions) declares.
    /// On clients and server alike each tick sees edges made for it: `just_pressed` is true in
    /// exactly one tick for each press, however many ticks a frame has, and a tap that began and
    /// ended between two ticks is a press of one tick.
    ///
    /// Where Bevy's `InputPlugin` is there (call this after `DefaultPlugins`),
    /// `InputManagerPlugin::<A>` is added unless you did; then write actions by `InputMap`, or by
    /// hand in `FixedPreUpdate`. Without it (server, bots) `ActionState<A>` is a plain component.
    #[cfg(feature = "leafwing")]
    fn input_actions<A: crate::NetworkActions>(&mut self) -> &mut Self;
}

impl AppInputExt for App {
    fn input<C>(&mut self) -> &mut Self
    where
        C: Component<Mutability = Mutable> + Clone + Default + PartialEq + Serialize + DeserializeOwned,
    {
        let is_new =
            self.world().get_resource::<InputRegistry>().is_none_or(|registry| registry.index_of::<C>().is_none());
        if is_new {
            self.add_observer(give_input::<C>.run_if(is_client));
        }
        self.input_with::<C, _>(core::any::type_name::<C>(), BincodeInput::<C>::default())
    }

    fn input_with<C, K>(&mut self, name: &str, codec: K) -> &mut Self
    where
        C: Component<Mutability = Mutable>,
        K: InputCodec<C>,
    {
        self.init_resource::<InputRegistry>();
        let is_new = self.world_mut().resource_mut::<InputRegistry>().register::<C>(name, codec.size());
        if !is_new {
            return self;
        }
        self.add_protocol_entry("input", name, &codec.parameters());
        self.insert_resource(RegisteredInput::<C, K>::new(codec))
            .insert_resource(ReceivedInputs::<C, K>::default())
            .add_systems(
                PreUpdate,
                buffer_inputs::<C, K>.in_set(SimulationSystems::Receive).after(receive_inputs).run_if(is_server),
            )
            .add_systems(
                FixedUpdate,
                (
                    gather_inputs::<C, K>.in_set(SimulationSystems::GatherInputs).run_if(is_client),
                    apply_inputs::<C, K>.in_set(SimulationSystems::ApplyInputs).run_if(is_server),
                ),
            )
    }

    #[cfg(feature = "leafwing")]
    fn input_actions<A: crate::NetworkActions>(&mut self) -> &mut Self {
        crate::actions::register::<A>(self);
        self
    }
}

/// What the local player controls can be steered: it has the input, which is not replicated.
fn give_input<C: Component + Default>(
    added: On<Add, Controlled>,
    with_input: Query<(), With<C>>,
    mut commands: Commands,
) {
    if !with_input.contains(added.entity) {
        commands.entity(added.entity).try_insert(C::default());
    }
}

/// The parts of the input path that do not depend on what the inputs are.
pub(crate) struct InputsPlugin;

impl Plugin for InputsPlugin {
    fn build(&self, app: &mut App) {
        let mut inputs = ChannelConfig::new("inputs", Delivery::Unreliable);
        inputs.priority = Priority::Critical;
        inputs.max_message_bytes = message::MAX_MESSAGE_BYTES;
        app.register_system_channel(channels::INPUTS, inputs);
        let mut feedback = ChannelConfig::new("input_feedback", Delivery::UnreliableSequenced);
        feedback.priority = Priority::High;
        feedback.max_message_bytes = feedback::MAX_FEEDBACK_BYTES;
        app.register_system_channel(channels::INPUT_FEEDBACK, feedback);

        app.init_resource::<InputRegistry>()
            .init_resource::<InputTracks>()
            .init_resource::<InputFaults>()
            .init_resource::<InputInbox>()
            .init_resource::<TickLead>()
            .configure_sets(PreUpdate, SimulationSystems::Receive.after(ConnectionSystems::Receive))
            .configure_sets(PostUpdate, SimulationSystems::Send.before(ConnectionSystems::Flush))
            .add_systems(
                PreUpdate,
                (
                    (greet_connections, receive_inputs).chain().run_if(is_server),
                    // A host has endpoints of its own clients: none of them sets its clock.
                    follow_server.run_if(is_client).run_if(not(is_server)),
                )
                    .in_set(SimulationSystems::Receive),
            )
            .add_systems(
                PostUpdate,
                (send_inputs.run_if(is_client).run_if(not(is_server)), send_feedback.run_if(is_server))
                    .in_set(SimulationSystems::Send),
            );
    }
}
