//! Links of a `RenetServer`.

use core::time::Duration;
use std::collections::BTreeMap;

use bevy::prelude::*;
use bevy_renet::netcode::NetcodeServerTransport;
use bevy_renet::renet::{ClientId, DisconnectReason, ServerEvent};
use bevy_renet::{RenetServer, RenetServerEvent};
use slipstream_protocol::LinkProperties;

use super::channels::{
    BYTES_PER_TICK, CLIENT_CHANNELS, RENET_MTU, SERVER_CHANNELS, client_channel, has_channels, newest_that_fit,
    renet_connection_config, server_channel,
};
use super::reasons::renet_server_reason;
use super::udp::bind_server;
use crate::departed::DepartedLinks;
use crate::listen::{ListenTransport, UdpListen};
use crate::{Link, LinkClosed, LinkOf, Listen, ListenFailed, Listening};

/// The one listener that an app can have over renet.
#[derive(Resource, Default)]
pub(super) struct RenetListener {
    active: Option<ActiveListener>,
    events: Vec<ClientEvent>,
    /// Clients whose last datagrams go out in this frame, to be disconnected after that.
    disconnecting: Vec<ClientId>,
}

struct ActiveListener {
    /// Of the [`Listen`].
    entity: Entity,
    /// Whether the `RenetServer` is the app's own, and stays when the listener goes.
    is_adopted: bool,
    properties: LinkProperties,
    max_links: usize,
    clients: BTreeMap<ClientId, Client>,
}

struct Client {
    /// The entity of the [`Link`].
    link: Entity,
    /// The turn of the next datagram that the client sends, if none is lost.
    next_turn: u8,
    /// The turn of the next datagram to the client.
    turn: u8,
    /// By `Time<Real>`; keep-alives are not seen here.
    last_heard: Duration,
}

enum ClientEvent {
    Connected(ClientId),
    Disconnected(ClientId, DisconnectReason),
}

/// bevy_renet hands out each of renet's events once, by trigger; they wait here for their place in the frame.
pub(super) fn note_server_event(event: On<RenetServerEvent>, mut listener: ResMut<RenetListener>) {
    if listener.active.is_none() {
        return;
    }
    let noted = match &event.event().0 {
        ServerEvent::ClientConnected { client_id } => ClientEvent::Connected(*client_id),
        ServerEvent::ClientDisconnected { client_id, reason } => ClientEvent::Disconnected(*client_id, *reason),
    };
    listener.events.push(noted);
}

pub(super) fn start_listening(
    mut commands: Commands,
    mut listener: ResMut<RenetListener>,
    server: Option<Res<RenetServer>>,
    added: Query<(Entity, &Listen), Added<Listen>>,
) {
    for (entity, listen) in &added {
        let opened = match &listen.transport {
            ListenTransport::Memory(_) => continue,
            _ if listener.active.is_some() => Err(String::from(
                "cannot listen: this app listens through renet already, and bevy_renet has one server an app; \
                 despawn the other `Listen` a frame before",
            )),
            ListenTransport::Udp(_) if server.is_some() => Err(String::from(
                "cannot listen: this app has a `RenetServer` of its own, which two transports cannot share; \
                 use `Listen::renet()` to listen on it, or remove it",
            )),
            ListenTransport::Udp(udp) => open_server(&mut commands, udp, listen.max_links),
            ListenTransport::Renet => adopt_server(server.as_deref()),
        };
        match opened {
            Ok(opened) => {
                listener.events.extend(opened.present_clients);
                listener.active = Some(ActiveListener {
                    entity,
                    is_adopted: opened.is_adopted,
                    properties: opened.properties,
                    max_links: listen.max_links,
                    clients: BTreeMap::new(),
                });
                commands.entity(entity).try_remove::<ListenFailed>().try_insert(opened.listening);
            }
            Err(sentence) => {
                commands.entity(entity).try_insert(ListenFailed(sentence));
            }
        }
    }
}

struct OpenedServer {
    is_adopted: bool,
    listening: Listening,
    properties: LinkProperties,
    present_clients: Vec<ClientEvent>,
}

fn open_server(commands: &mut Commands, listen: &UdpListen, max_links: usize) -> Result<OpenedServer, String> {
    let bound = bind_server(listen, max_links)?;
    commands.insert_resource(RenetServer::new(renet_connection_config()));
    commands.insert_resource(bound.transport);
    Ok(OpenedServer {
        is_adopted: false,
        listening: Listening { address: Some(bound.address) },
        properties: bound.properties,
        present_clients: Vec::new(),
    })
}

fn adopt_server(server: Option<&RenetServer>) -> Result<OpenedServer, String> {
    let Some(server) = server else {
        return Err(String::from(
            "cannot listen: `Listen::renet()` listens on the app's own `RenetServer`, and there is none; insert it \
             before, or use `Listen::udp(..)`",
        ));
    };
    if !has_channels(server) {
        return Err(String::from(
            "cannot listen: the app's `RenetServer` lacks the channels of links; make it from a \
             `ConnectionConfig` that went through `add_renet_channels`",
        ));
    }
    Ok(OpenedServer {
        is_adopted: true,
        listening: Listening { address: None },
        properties: adopted_properties(),
        present_clients: server.clients_id_iter().map(ClientEvent::Connected).collect(),
    })
}

/// What is certain of any renet transport: each knows who sends to it.
pub(super) fn adopted_properties() -> LinkProperties {
    LinkProperties { authenticated: true, encrypted: false, reliable: false, keeps_alive: false, mtu: RENET_MTU }
}

pub(super) fn open_and_close_links(
    mut commands: Commands,
    time: Res<Time<Real>>,
    mut listener: ResMut<RenetListener>,
    mut server: Option<ResMut<RenetServer>>,
    mut links: Query<&mut Link>,
) {
    let RenetListener { active, events, .. } = &mut *listener;
    let Some(active) = active else {
        events.clear();
        return;
    };
    let now = time.elapsed();
    for event in events.drain(..) {
        match event {
            ClientEvent::Connected(client) if active.clients.len() >= active.max_links => {
                if let Some(server) = &mut server {
                    server.disconnect(client);
                }
            }
            ClientEvent::Connected(client) => {
                let link = commands.spawn((Link::new(active.properties), LinkOf(active.entity))).id();
                active.clients.insert(client, Client { link, next_turn: 0, turn: 0, last_heard: now });
            }
            ClientEvent::Disconnected(client, reason) => {
                let Some(client) = active.clients.remove(&client) else {
                    continue;
                };
                let reason = renet_server_reason(reason, now.saturating_sub(client.last_heard));
                match links.get_mut(client.link) {
                    Ok(mut link) => link.close(reason),
                    // It came and went within a frame: its entity is still to be spawned.
                    Err(_) => {
                        commands.entity(client.link).try_insert(Link::closed_with(active.properties, reason));
                    }
                }
            }
        }
    }
    if server.is_none() {
        while let Some((_, client)) = active.clients.pop_first() {
            if let Ok(mut link) = links.get_mut(client.link) {
                link.close(LinkClosed::Failed(String::from(
                    "the app removed its `RenetServer`; despawn the `Listen` to end its links instead",
                )));
            }
        }
    }
}

pub(super) fn receive_datagrams(
    time: Res<Time<Real>>,
    mut listener: ResMut<RenetListener>,
    mut server: Option<ResMut<RenetServer>>,
    mut links: Query<&mut Link>,
) {
    let (Some(active), Some(server)) = (&mut listener.active, &mut server) else {
        return;
    };
    for (&id, client) in &mut active.clients {
        let Ok(mut link) = links.get_mut(client.link) else {
            continue;
        };
        // From the channel whose turn it is, so that the datagrams come in the order they were sent.
        let first_turn = client.next_turn;
        for offset in 0..CLIENT_CHANNELS {
            let turn = first_turn.wrapping_add(offset);
            while let Some(datagram) = server.receive_message(id, client_channel(turn)) {
                link.deliver(Vec::from(datagram));
                client.next_turn = turn.wrapping_add(1);
                client.last_heard = time.elapsed();
            }
        }
    }
}

pub(super) fn send_datagrams(
    mut listener: ResMut<RenetListener>,
    mut departed: ResMut<DepartedLinks>,
    mut server: Option<ResMut<RenetServer>>,
    mut links: Query<&mut Link>,
) {
    let RenetListener { active, disconnecting, .. } = &mut *listener;
    let (Some(active), Some(server)) = (active, &mut server) else {
        return;
    };
    for departed in departed.claim(|entity| active.client_of(entity).is_some()) {
        if let Some(id) = active.client_of(departed.entity)
            && let Some(mut client) = active.clients.remove(&id)
        {
            send_last(server, id, &mut client.turn, departed.datagrams);
            disconnecting.push(id);
        }
    }
    active.clients.retain(|&id, client| {
        let Ok(mut link) = links.get_mut(client.link) else {
            disconnecting.push(id);
            return false;
        };
        if link.closed().is_some() {
            send_last(server, id, &mut client.turn, link.take_remaining());
            disconnecting.push(id);
            return false;
        }
        let mut room = BYTES_PER_TICK;
        // What is above the room stays in the link for the next frame.
        for _ in 0..SERVER_CHANNELS {
            if link.next_outgoing_bytes().is_none_or(|bytes| bytes > room) {
                break;
            }
            let Some(datagram) = link.take_outgoing() else {
                break;
            };
            room -= datagram.len();
            // renet keeps what it sends: a copy is less than a new buffer for the next datagram.
            send(server, id, &mut client.turn, datagram.clone());
            link.recycle(datagram);
        }
        true
    });
}

/// After renet sent what was queued: only the connected are sent to.
pub(super) fn disconnect_departed(mut listener: ResMut<RenetListener>, mut server: Option<ResMut<RenetServer>>) {
    for client in core::mem::take(&mut listener.disconnecting) {
        if let Some(server) = &mut server {
            server.disconnect(client);
        }
    }
}

/// Ends the listener whose [`Listen`] is gone, once its links are.
pub(super) fn stop_listening(
    mut commands: Commands,
    mut listener: ResMut<RenetListener>,
    mut departed: ResMut<DepartedLinks>,
    mut server: Option<ResMut<RenetServer>>,
    mut transport: Option<ResMut<NetcodeServerTransport>>,
    listens: Query<(), With<Listen>>,
    links: Query<(), With<Link>>,
) {
    let Some(active) = &listener.active else {
        return;
    };
    if listens.contains(active.entity) {
        return;
    }
    if active.clients.values().any(|client| links.contains(client.link)) {
        // The entity stayed, without its `Listen`: the links go first, so that they may say goodbye.
        for client in active.clients.values() {
            commands.entity(client.link).try_despawn();
        }
        return;
    }
    let Some(mut active) = listener.active.take() else {
        return;
    };
    if let Some(server) = &mut server {
        for departed in departed.claim(|entity| active.client_of(entity).is_some()) {
            if let Some(id) = active.client_of(departed.entity)
                && let Some(client) = active.clients.get_mut(&id)
            {
                send_last(server, id, &mut client.turn, departed.datagrams);
            }
        }
        if let Some(transport) = &mut transport
            && !active.is_adopted
        {
            transport.send_packets(server);
            transport.disconnect_all(server);
        } else {
            for &client in active.clients.keys() {
                server.disconnect(client);
            }
        }
    }
    if !active.is_adopted {
        commands.remove_resource::<RenetServer>();
        commands.remove_resource::<NetcodeServerTransport>();
    }
    if let Ok(mut entity) = commands.get_entity(active.entity) {
        entity.try_remove::<Listening>();
    }
}

/// Before netcode tells the clients that the app exits.
pub(super) fn flush_on_exit(
    mut listener: ResMut<RenetListener>,
    mut departed: ResMut<DepartedLinks>,
    mut server: Option<ResMut<RenetServer>>,
    mut transport: Option<ResMut<NetcodeServerTransport>>,
    mut links: Query<&mut Link>,
) {
    let (Some(active), Some(server)) = (&mut listener.active, &mut server) else {
        return;
    };
    for departed in departed.claim(|entity| active.client_of(entity).is_some()) {
        if let Some(id) = active.client_of(departed.entity)
            && let Some(client) = active.clients.get_mut(&id)
        {
            send_last(server, id, &mut client.turn, departed.datagrams);
        }
    }
    for (&id, client) in &mut active.clients {
        if let Ok(mut link) = links.get_mut(client.link) {
            send_last(server, id, &mut client.turn, link.take_remaining());
            link.close(LinkClosed::Local);
        }
    }
    if let Some(transport) = &mut transport {
        transport.send_packets(server);
    }
}

impl ActiveListener {
    fn client_of(&self, link: Entity) -> Option<ClientId> {
        self.clients.iter().find(|(_, client)| client.link == link).map(|(&id, _)| id)
    }
}

fn send_last(server: &mut RenetServer, client: ClientId, turn: &mut u8, datagrams: Vec<Vec<u8>>) {
    if !server.is_connected(client) {
        return;
    }
    for datagram in newest_that_fit(datagrams, BYTES_PER_TICK, usize::from(SERVER_CHANNELS)) {
        send(server, client, turn, datagram);
    }
}

fn send(server: &mut RenetServer, client: ClientId, turn: &mut u8, datagram: Vec<u8>) {
    server.send_message(client, server_channel(*turn), datagram);
    *turn = turn.wrapping_add(1);
}
