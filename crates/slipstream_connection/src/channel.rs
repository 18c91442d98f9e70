//! Channels: numbered paths with a delivery guarantee, and how an app registers them.

use std::borrow::Cow;

use bevy::prelude::*;
use slipstream_protocol::{ChannelConfig, ChannelId};

use crate::registry::Registrations;

/// The numbers of the channels that Slipstream itself uses.
///
/// 0 is the protocol's own, 1–999 belong to systems, 1000–1999 are given to plugins by name, 2000–2999 to tool sessions.
pub mod channels {
    use slipstream_protocol::ChannelId;

    /// The protocol's own channel.
    pub const CONTROL: ChannelId = ChannelId(0);
    /// Replicated state.
    pub const RECORDS: ChannelId = ChannelId(1);
    /// What a client asks of replication.
    pub const RECORD_REQUESTS: ChannelId = ChannelId(2);
    /// Tick-stamped inputs, client to server.
    pub const INPUTS: ChannelId = ChannelId(3);
    /// How the inputs arrive, server to client.
    pub const INPUT_FEEDBACK: ChannelId = ChannelId(4);
    /// Typed messages that must all arrive, in order: chat, kills, score.
    pub const DISPATCH: ChannelId = ChannelId(10);
    /// Typed messages that are worth repeating only while they are fresh: shots, explosions.
    pub const EVENT: ChannelId = ChannelId(11);
    /// Typed messages of which only the newest counts.
    pub const PHYS: ChannelId = ChannelId(12);
    /// Typed messages that must all arrive and may overtake each other.
    pub const UNORDERED: ChannelId = ChannelId(13);
    /// Requests and their answers.
    pub const REQUESTS: ChannelId = ChannelId(14);
}

/// A channel of a plugin, known to the program by its type and to the other side by its name.
///
/// ```
/// use slipstream_connection::{ChannelConfig, NetworkChannel};
/// use slipstream_protocol::Delivery;
///
/// struct Chat;
///
/// impl NetworkChannel for Chat {
///     fn config() -> ChannelConfig {
///         ChannelConfig::new("chat", Delivery::ReliableOrdered)
///     }
/// }
/// ```
pub trait NetworkChannel: 'static {
    /// The channel's unique name and what it guarantees.
    fn config() -> ChannelConfig;
}

/// Says which channel is meant, by number or by name. Names are resolved when the app starts, so that registration order
/// never matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelRef {
    /// A system channel.
    Id(ChannelId),
    /// A plugin's channel.
    Name(Cow<'static, str>),
}

impl ChannelRef {
    /// The channel of the type `Ch`.
    #[must_use]
    pub fn of<Ch: NetworkChannel>() -> Self {
        Self::Name(Ch::config().name)
    }
}

impl From<ChannelId> for ChannelRef {
    fn from(id: ChannelId) -> Self {
        Self::Id(id)
    }
}

impl From<&'static str> for ChannelRef {
    fn from(name: &'static str) -> Self {
        Self::Name(Cow::Borrowed(name))
    }
}

/// Registers channels and what else both sides must agree on. All of it happens before the app starts, in any order.
pub trait AppChannelExt {
    /// Registers a channel with a fixed number, 1 to 999. Registering the same channel again is allowed.
    ///
    /// # Panics
    /// When the app has started, or the number is not a system's, or another channel has it.
    fn register_system_channel(&mut self, id: ChannelId, config: ChannelConfig) -> &mut Self;

    /// Registers a plugin's channel. Its number is given out by the order of the names when the app starts; look it up in
    /// [`NetworkProtocol`](crate::NetworkProtocol).
    ///
    /// # Panics
    /// When the app has started, or another channel has the name.
    fn add_channel<Ch: NetworkChannel>(&mut self) -> &mut Self;

    /// Registers a plugin's channel that exists only by name.
    ///
    /// # Panics
    /// When the app has started, or another channel has the name.
    fn add_named_channel(&mut self, config: ChannelConfig) -> &mut Self;

    /// Adds a line to what both sides compare in the handshake: a component with its codec, a rule set with its version.
    /// Sides that differ in a line refuse each other and name it.
    ///
    /// # Panics
    /// When the app has started.
    fn add_protocol_entry(&mut self, kind: &str, name: &str, parameters: &str) -> &mut Self;
}

impl AppChannelExt for App {
    fn register_system_channel(&mut self, id: ChannelId, config: ChannelConfig) -> &mut Self {
        Registrations::of(self).add_system_channel(id, config);
        self
    }

    fn add_channel<Ch: NetworkChannel>(&mut self) -> &mut Self {
        self.add_named_channel(Ch::config())
    }

    fn add_named_channel(&mut self, config: ChannelConfig) -> &mut Self {
        Registrations::of(self).add_named_channel(config);
        self
    }

    fn add_protocol_entry(&mut self, kind: &str, name: &str, parameters: &str) -> &mut Self {
        Registrations::of(self).add_entry(kind, name, parameters);
        self
    }
}
