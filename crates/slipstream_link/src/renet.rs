//! Links over `bevy_renet`: netcode 1.02 on UDP, or whatever renet transport the app runs itself.
//!
//! All datagrams go over unreliable renet channels; acknowledgement, resending and order are the protocol's own. What
//! the link has to know of renet 2.0.1:
//!
//! - It has one `RenetServer` and one `RenetClient` an app, and neither can be shared by two transports: an app has at
//!   most one `Listen` and one `Connect` over renet at a time.
//! - It silently drops what exceeds 60,000 bytes a tick: the link holds the rest back for the next frame.
//! - It sends messages above 1,198 bytes in slices, and reads a peer's slices through an unchecked index: see
//!   `channels`.
//! - A server that reads a client's last datagrams and its netcode disconnect in one go throws the datagrams away: so a
//!   client waits a moment between the two.
//! - Its disconnect is a single datagram; when it is lost, the other side notices after `silence_timeout`.

use bevy::prelude::*;
use bevy_renet::netcode::{NetcodeClientPlugin, NetcodeServerPlugin};
use bevy_renet::{RenetClientPlugin, RenetReceive, RenetSend, RenetServerPlugin};

use crate::LinkSystems;
use crate::plugin::add_link_systems;

mod channels;
mod connector;
mod listener;
mod reasons;
mod udp;

pub use bevy_renet::netcode::ConnectToken;
pub use channels::{RENET_MTU, add_renet_channels, renet_connection_config};
pub use udp::NETCODE_PROTOCOL_ID;

use connector::RenetConnector;
use listener::RenetListener;

/// Links over `bevy_renet`. Part of [`LinkPlugin`](crate::LinkPlugin); may be added more than once.
///
/// Adds renet's own plugins unless they are there already: an app that adds them itself does so before this one.
pub struct RenetLinkPlugin;

impl Plugin for RenetLinkPlugin {
    fn build(&self, app: &mut App) {
        add_link_systems(app);
        if app.world().contains_resource::<RenetListener>() {
            return;
        }
        add_renet_plugins(app);
        app.init_resource::<RenetListener>()
            .init_resource::<RenetConnector>()
            .add_observer(listener::note_server_event)
            .add_observer(connector::note_socket_error)
            .add_systems(
                PreUpdate,
                (
                    (
                        listener::stop_listening,
                        listener::start_listening,
                        listener::open_and_close_links,
                        listener::receive_datagrams,
                    )
                        .chain(),
                    (connector::start_connecting, connector::open_link, connector::receive_datagrams).chain(),
                )
                    .in_set(LinkSystems::Receive)
                    .after(RenetReceive),
            )
            .add_systems(
                PostUpdate,
                (
                    (listener::send_datagrams, connector::send_datagrams).in_set(LinkSystems::Send).before(RenetSend),
                    (listener::disconnect_departed, listener::stop_listening, connector::finish_farewell)
                        .chain()
                        .after(RenetSend),
                ),
            )
            .add_systems(
                Last,
                (
                    listener::flush_on_exit.before(NetcodeServerPlugin::disconnect_on_exit),
                    connector::flush_on_exit.before(NetcodeClientPlugin::disconnect_on_exit),
                )
                    .in_set(LinkSystems::Exit),
            );
    }

    fn is_unique(&self) -> bool {
        false
    }
}

fn add_renet_plugins(app: &mut App) {
    if !app.is_plugin_added::<RenetServerPlugin>() {
        app.add_plugins(RenetServerPlugin);
    }
    if !app.is_plugin_added::<RenetClientPlugin>() {
        app.add_plugins(RenetClientPlugin);
    }
    if !app.is_plugin_added::<NetcodeServerPlugin>() {
        app.add_plugins(NetcodeServerPlugin);
    }
    if !app.is_plugin_added::<NetcodeClientPlugin>() {
        app.add_plugins(NetcodeClientPlugin);
    }
}
