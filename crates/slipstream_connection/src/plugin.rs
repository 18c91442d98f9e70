//! The plugin and its place in the frame.

use bevy::prelude::*;
use slipstream_link::LinkSystems;

use crate::connection::{ConnectionData, ConnectionName};
use crate::dispatch::{DeliveringLocally, dispatch_messages};
use crate::entity_map::EntityMap;
use crate::lifecycle::{
    begin_connecting, close_on_exit, despawn_disconnected, end_without_link, flush_endpoints, forget_local_peer,
    open_endpoints, open_local_connection, receive_datagrams, retire_disconnected, say_farewell,
};
use crate::limits::{ConnectionLimits, ConnectionSettings, ServerLimits};
use crate::outbox::Outbox;
use crate::registry::{Registrations, seal_protocol};
use crate::role::{NetworkRole, Role, is_host};

/// The phases of connections in a frame.
#[derive(SystemSet, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionSystems {
    /// `PreUpdate`, after `LinkSystems::ConditionIncoming`: connections open and end, datagrams become messages in inboxes.
    Receive,
    /// `PreUpdate`, after [`ConnectionSystems::Receive`]: typed messages reach the world.
    Dispatch,
    /// `PostUpdate`, before `LinkSystems::ConditionOutgoing`: what was sent in this frame becomes datagrams.
    Flush,
}

/// Turns links into connections, and bytes into typed messages.
///
/// ```text
/// PreStartup  what was registered is sorted, numbered and sealed
/// PreUpdate   LinkSystems::Receive .. ConditionIncoming
///             Receive    ended connections of a server are despawned
///                        new links get a state machine; datagrams go through it
///                        handshakes end: `Connected` or `Disconnected` is added
///             Dispatch   bytes -> `Received<M>`, `RemoteEvent<E>`, `Incoming<Q>`, `Answered<Q>`
/// PostUpdate  Flush      typed messages -> channels -> datagrams
///             LinkSystems::ConditionOutgoing .. Send
/// Last        on `AppExit`, every peer is told
/// ```
///
/// It needs a clock (`TimePlugin`, part of `MinimalPlugins`) and the link plugins of `slipstream_link`.
pub struct ConnectionPlugin {
    /// What this app is to the network.
    pub role: Role,
}

impl Plugin for ConnectionPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(NetworkRole(self.role))
            .init_resource::<Registrations>()
            .init_resource::<ServerLimits>()
            .init_resource::<ConnectionLimits>()
            .init_resource::<ConnectionSettings>()
            .init_resource::<ConnectionName>()
            .init_resource::<ConnectionData>()
            .init_resource::<EntityMap>()
            .init_resource::<Outbox>()
            .init_resource::<DeliveringLocally>()
            .configure_sets(
                PreUpdate,
                (ConnectionSystems::Receive, ConnectionSystems::Dispatch).chain().after(LinkSystems::ConditionIncoming),
            )
            .configure_sets(PostUpdate, ConnectionSystems::Flush.before(LinkSystems::ConditionOutgoing))
            .add_systems(PreStartup, seal_protocol)
            .add_systems(
                PreUpdate,
                (
                    (despawn_disconnected, retire_disconnected, end_without_link),
                    (open_endpoints, open_local_connection.run_if(is_host)),
                    receive_datagrams,
                )
                    .chain()
                    .in_set(ConnectionSystems::Receive),
            )
            .add_systems(PreUpdate, dispatch_messages.in_set(ConnectionSystems::Dispatch))
            .add_systems(PostUpdate, (flush_endpoints, close_on_exit).chain().in_set(ConnectionSystems::Flush))
            .add_systems(Last, close_on_exit.before(LinkSystems::Exit))
            .add_observer(begin_connecting)
            .add_observer(forget_local_peer)
            .add_observer(say_farewell);
    }
}
