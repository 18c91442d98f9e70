//! The link of a `RenetClient`.

use core::time::Duration;
use std::thread;

use bevy::prelude::*;
use bevy_renet::RenetClient;
use bevy_renet::netcode::{NetcodeClientTransport, NetcodeErrorEvent, NetcodeTransportError};
use slipstream_protocol::LinkProperties;

use super::channels::{
    BYTES_PER_TICK, CLIENT_CHANNELS, RENET_MTU, SERVER_CHANNELS, client_channel, has_channels, newest_that_fit,
    renet_connection_config, server_channel,
};
use super::listener::adopted_properties;
use super::reasons::{netcode_reason, no_answer, renet_client_reason};
use super::udp::open_client;
use crate::connect::{ConnectTransport, UdpConnect};
use crate::departed::DepartedLinks;
use crate::{Connect, Link, LinkClosed};

/// Between a client's last datagrams and its netcode disconnect: a server that reads both in one frame throws the
/// datagrams away, so the pause is longer than a slow server's frame.
const FAREWELL: Duration = Duration::from_millis(100);

/// The same when the app exits, where it is slept: long enough for a server of 20 ticks a second.
const FAREWELL_ON_EXIT: Duration = Duration::from_millis(50);

/// The one link that an app can have through its `RenetClient`.
#[derive(Resource, Default)]
pub(super) struct RenetConnector {
    active: Option<ActiveConnector>,
    /// A pipe whose link is gone, until it is closed.
    farewell: Option<Farewell>,
    last_socket_error: Option<String>,
}

struct ActiveConnector {
    /// Of the [`Connect`], and of its [`Link`].
    entity: Entity,
    /// Whether the `RenetClient` is the app's own, and stays when the link goes.
    is_adopted: bool,
    /// The server, for sentences.
    server: String,
    properties: LinkProperties,
    timeout: Duration,
    /// Of opening, by `Time<Real>`.
    deadline: Duration,
    is_open: bool,
    /// Counts the datagrams sent, to find the channel of the next.
    turn: u8,
    /// The turn of the next datagram that the server sends, if none is lost.
    next_turn: u8,
}

struct Farewell {
    is_adopted: bool,
    /// By `Time<Real>`.
    until: Duration,
}

/// Keeps why the socket failed, for the sentence when opening takes too long; each is retried until then.
pub(super) fn note_socket_error(error: On<NetcodeErrorEvent>, mut connector: ResMut<RenetConnector>) {
    if let NetcodeTransportError::IO(error) = &error.event().0 {
        connector.last_socket_error = Some(error.to_string());
    }
}

pub(super) fn start_connecting(
    mut commands: Commands,
    time: Res<Time<Real>>,
    mut connector: ResMut<RenetConnector>,
    mut departed: ResMut<DepartedLinks>,
    mut client: Option<ResMut<RenetClient>>,
    mut transport: Option<ResMut<NetcodeClientTransport>>,
    added: Query<(Entity, &Connect), Added<Connect>>,
    connects: Query<(), With<Connect>>,
) {
    // Commands remove it only after this system.
    let mut is_client_ours = false;
    for (entity, connect) in &added {
        if connect.memory_hub().is_some() {
            continue;
        }
        // An older pipe of this entity, or one whose entity is gone, has no more time.
        let superseded =
            connector.active.take_if(|active| active.entity == entity || !connects.contains(active.entity));
        if let (Some(mut active), Some(client)) = (superseded, &mut client) {
            for link in departed.claim(|departed| departed == active.entity) {
                send_last(client, &mut active.turn, link.datagrams);
            }
            if let Some(transport) = &mut transport {
                // An error here is that of a pipe which has ended already.
                let _ = transport.send_packets(client);
            }
            disconnect(client, transport.as_deref_mut(), active.is_adopted);
            if !active.is_adopted {
                remove_client(&mut commands);
                is_client_ours = true;
            }
        }
        if let (Some(farewell), Some(client)) = (connector.farewell.take(), &mut client) {
            disconnect(client, transport.as_deref_mut(), farewell.is_adopted);
            if !farewell.is_adopted {
                remove_client(&mut commands);
                is_client_ours = true;
            }
        }

        let app_client = client.as_deref().filter(|_| !is_client_ours);
        let opened = if connector.active.is_some() {
            Err(String::from(
                "cannot connect: this app connects through renet already, and bevy_renet has one client an app; \
                 despawn the other `Connect` before",
            ))
        } else {
            match &connect.transport {
                ConnectTransport::Udp(_) if app_client.is_some() => Err(String::from(
                    "cannot connect: this app has a `RenetClient` of its own, which two transports cannot share; \
                     use `Connect::renet()` to connect through it, or remove it",
                )),
                ConnectTransport::Udp(udp) => open_own(&mut commands, udp, connect.timeout),
                ConnectTransport::Renet => adopt(app_client),
                ConnectTransport::Memory(_) => continue,
            }
        };
        match opened {
            Ok(opened) => {
                connector.last_socket_error = None;
                connector.active = Some(ActiveConnector {
                    entity,
                    is_adopted: opened.is_adopted,
                    server: opened.server,
                    properties: opened.properties,
                    timeout: connect.timeout,
                    deadline: time.elapsed().saturating_add(connect.timeout),
                    is_open: false,
                    turn: 0,
                    next_turn: 0,
                });
            }
            Err(sentence) => {
                commands
                    .entity(entity)
                    .try_insert(Link::closed_with(adopted_properties(), LinkClosed::Failed(sentence)));
            }
        }
    }
}

struct OpenedClient {
    is_adopted: bool,
    server: String,
    properties: LinkProperties,
}

fn open_own(commands: &mut Commands, connect: &UdpConnect, timeout: Duration) -> Result<OpenedClient, String> {
    let (transport, properties) = open_client(connect, timeout)?;
    commands.insert_resource(RenetClient::new(renet_connection_config()));
    commands.insert_resource(transport);
    Ok(OpenedClient { is_adopted: false, server: connect.server.to_string(), properties })
}

fn adopt(client: Option<&RenetClient>) -> Result<OpenedClient, String> {
    let Some(client) = client else {
        return Err(String::from(
            "cannot connect: `Connect::renet()` connects through the app's own `RenetClient`, and there is none; \
             insert it before, or use `Connect::udp(..)`",
        ));
    };
    if !has_channels(client) {
        return Err(String::from(
            "cannot connect: the app's `RenetClient` lacks the channels of links; make it from a \
             `ConnectionConfig` that went through `add_renet_channels`",
        ));
    }
    Ok(OpenedClient {
        is_adopted: true,
        server: String::from("the server of the app's `RenetClient`"),
        properties: adopted_properties(),
    })
}

/// Gives the entity its link: open once renet is connected, closed if that fails.
pub(super) fn open_link(
    mut commands: Commands,
    time: Res<Time<Real>>,
    mut connector: ResMut<RenetConnector>,
    client: Option<Res<RenetClient>>,
    transport: Option<Res<NetcodeClientTransport>>,
    connects: Query<(), With<Connect>>,
) {
    let RenetConnector { active: slot, last_socket_error, .. } = &mut *connector;
    let Some(active) = slot.as_mut().filter(|active| !active.is_open) else {
        return;
    };
    if !connects.contains(active.entity) {
        return;
    }
    if client.as_ref().is_some_and(|client| client.is_connected()) {
        active.is_open = true;
        commands.entity(active.entity).try_insert(Link::new(active.properties));
        return;
    }
    let netcode_end = transport.and_then(|transport| transport.disconnect_reason());
    let reason = match (netcode_end, &client) {
        (Some(reason), _) => netcode_reason(reason, &active.server),
        (None, None) => client_removed(),
        (None, Some(client)) if client.is_disconnected() => renet_client_reason(client.disconnect_reason()),
        (None, Some(_)) if time.elapsed() >= active.deadline => {
            no_answer(&active.server, active.timeout, last_socket_error.as_deref())
        }
        (None, Some(_)) => return,
    };
    commands.entity(active.entity).try_insert(Link::closed_with(active.properties, reason));
    if !active.is_adopted {
        remove_client(&mut commands);
    }
    *slot = None;
}

pub(super) fn receive_datagrams(
    mut commands: Commands,
    mut connector: ResMut<RenetConnector>,
    mut client: Option<ResMut<RenetClient>>,
    transport: Option<Res<NetcodeClientTransport>>,
    mut links: Query<&mut Link>,
) {
    let Some(active) = connector.active.as_mut().filter(|active| active.is_open) else {
        return;
    };
    // One that is gone is ended by `send_datagrams`.
    let Ok(mut link) = links.get_mut(active.entity) else {
        return;
    };
    let reason = match &mut client {
        None => client_removed(),
        Some(client) => {
            // From the channel whose turn it is, so that the datagrams come in the order they were sent.
            let first_turn = active.next_turn;
            for offset in 0..SERVER_CHANNELS {
                let turn = first_turn.wrapping_add(offset);
                while let Some(datagram) = client.receive_message(server_channel(turn)) {
                    link.deliver(Vec::from(datagram));
                    active.next_turn = turn.wrapping_add(1);
                }
            }
            if !client.is_disconnected() {
                return;
            }
            match transport.and_then(|transport| transport.disconnect_reason()) {
                Some(reason) => netcode_reason(reason, &active.server),
                None => renet_client_reason(client.disconnect_reason()),
            }
        }
    };
    link.close(reason);
    if !active.is_adopted {
        remove_client(&mut commands);
    }
    connector.active = None;
}

pub(super) fn send_datagrams(
    mut commands: Commands,
    time: Res<Time<Real>>,
    mut connector: ResMut<RenetConnector>,
    mut departed: ResMut<DepartedLinks>,
    mut client: Option<ResMut<RenetClient>>,
    mut links: Query<&mut Link>,
    connects: Query<(), With<Connect>>,
) {
    let RenetConnector { active: slot, farewell, .. } = &mut *connector;
    let (Some(active), Some(client)) = (slot.as_mut(), &mut client) else {
        return;
    };
    if !active.is_open {
        // Called off before it opened: the server has nothing to be told.
        if !connects.contains(active.entity) {
            if !active.is_adopted {
                remove_client(&mut commands);
            }
            *slot = None;
        }
        return;
    }
    let mut last = Vec::new();
    if let Ok(mut link) = links.get_mut(active.entity) {
        if link.closed().is_none() {
            send_due(client, &mut active.turn, &mut link);
            return;
        }
        last = link.take_remaining();
    }
    for link in departed.claim(|departed| departed == active.entity) {
        last.extend(link.datagrams);
    }
    send_last(client, &mut active.turn, last);
    *farewell = Some(Farewell { is_adopted: active.is_adopted, until: time.elapsed().saturating_add(FAREWELL) });
    *slot = None;
}

/// Closes the pipe whose link is gone, once its last datagrams had their time.
pub(super) fn finish_farewell(
    mut commands: Commands,
    time: Res<Time<Real>>,
    mut connector: ResMut<RenetConnector>,
    mut client: Option<ResMut<RenetClient>>,
    mut transport: Option<ResMut<NetcodeClientTransport>>,
) {
    let is_over = connector.farewell.take_if(|farewell| {
        let is_connected = client.as_ref().is_some_and(|client| client.is_connected());
        !is_connected || time.elapsed() >= farewell.until
    });
    let Some(farewell) = is_over else {
        return;
    };
    if let Some(client) = &mut client {
        disconnect(client, transport.as_deref_mut(), farewell.is_adopted);
    }
    if !farewell.is_adopted {
        remove_client(&mut commands);
    }
}

/// Before netcode tells the server that the app exits.
pub(super) fn flush_on_exit(
    mut connector: ResMut<RenetConnector>,
    mut departed: ResMut<DepartedLinks>,
    mut client: Option<ResMut<RenetClient>>,
    mut transport: Option<ResMut<NetcodeClientTransport>>,
    mut links: Query<&mut Link>,
) {
    let RenetConnector { active, farewell, .. } = &mut *connector;
    let Some(client) = &mut client else {
        return;
    };
    if let Some(active) = active.as_mut().filter(|active| active.is_open) {
        let mut last = Vec::new();
        if let Ok(mut link) = links.get_mut(active.entity) {
            last = link.take_remaining();
            link.close(LinkClosed::Local);
        }
        for link in departed.claim(|departed| departed == active.entity) {
            last.extend(link.datagrams);
        }
        send_last(client, &mut active.turn, last);
    } else if farewell.is_none() {
        return;
    }
    if let Some(transport) = &mut transport {
        // An error here is that of a pipe which has ended already.
        let _ = transport.send_packets(client);
        if client.is_connected() {
            thread::sleep(FAREWELL_ON_EXIT);
        }
    }
}

/// Sends what fits into this frame; the rest stays in the link for the next.
fn send_due(client: &mut RenetClient, turn: &mut u8, link: &mut Link) {
    for _ in 0..CLIENT_CHANNELS {
        let Some(datagram) = link.take_outgoing() else {
            break;
        };
        // renet keeps what it sends: a copy is less than a new buffer for the next datagram.
        send(client, turn, datagram.clone());
        link.recycle(datagram);
    }
}

fn send_last(client: &mut RenetClient, turn: &mut u8, datagrams: Vec<Vec<u8>>) {
    if !client.is_connected() {
        return;
    }
    let most_datagrams = usize::from(CLIENT_CHANNELS);
    for datagram in newest_that_fit(datagrams, BYTES_PER_TICK, most_datagrams) {
        send(client, turn, datagram);
    }
}

fn send(client: &mut RenetClient, turn: &mut u8, datagram: Vec<u8>) {
    client.send_message(client_channel(*turn), datagram);
    *turn = turn.wrapping_add(1);
}

// What a frame of all channels sends stays below what renet drops.
const _: () = assert!(CLIENT_CHANNELS as usize * RENET_MTU <= BYTES_PER_TICK);

/// Tells the server that the pipe ends.
fn disconnect(client: &mut RenetClient, transport: Option<&mut NetcodeClientTransport>, is_adopted: bool) {
    match transport {
        Some(transport) if !is_adopted => {
            if client.is_connected() {
                transport.disconnect();
            }
        }
        _ => client.disconnect(),
    }
}

fn remove_client(commands: &mut Commands) {
    commands.remove_resource::<RenetClient>();
    commands.remove_resource::<NetcodeClientTransport>();
}

fn client_removed() -> LinkClosed {
    LinkClosed::Failed(String::from("the app removed its `RenetClient`; despawn the `Connect` to end its link instead"))
}
