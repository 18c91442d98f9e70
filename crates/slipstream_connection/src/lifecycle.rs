//! Connections open, live and end.

use bevy::ecs::system::SystemParam;
use bevy::prelude::*;
use slipstream_link::{Connect, Link, LinkClosed, LinkOf};
use slipstream_protocol::{CloseReason, PeerEvent, RefuseReason, Side};

use crate::connection::{
    Connected, Connecting, Connection, ConnectionData, ConnectionName, LocalConnection, LocalPeer, PeerId,
};
use crate::disconnect::{DisconnectReason, Disconnected};
use crate::endpoint::Endpoint;
use crate::hello::{Hello, Welcome};
use crate::limits::{ApproveConnections, ConnectionLimits, ConnectionSettings, ServerLimits};
use crate::outbox::{MessageQueue, Outbox};
use crate::registry::NetworkProtocol;
use crate::statistics::NetworkStats;

/// A connector is on its way from the moment in which it is spawned.
pub(crate) fn begin_connecting(added: On<Add, Connect>, mut commands: Commands) {
    commands.entity(added.entity).try_remove::<(Disconnected, Endpoint)>().try_insert(Connecting);
}

/// Server entities of ended connections have been seen for a whole frame; now they go.
pub(crate) fn despawn_disconnected(ended: Query<Entity, (With<Disconnected>, With<LinkOf>)>, mut commands: Commands) {
    for entity in &ended {
        commands.entity(entity).try_despawn();
    }
}

/// Client entities stay with their reason; what the connection held goes.
pub(crate) fn retire_disconnected(
    ended: Query<Entity, (With<Disconnected>, With<Endpoint>, Without<LinkOf>)>,
    mut commands: Commands,
) {
    for entity in &ended {
        commands.entity(entity).try_remove::<Endpoint>();
    }
}

/// What this app says in its handshakes.
#[derive(SystemParam)]
pub(crate) struct Introduction<'w> {
    name: Res<'w, ConnectionName>,
    data: Res<'w, ConnectionData>,
}

/// Each new link gets a state machine.
pub(crate) fn open_endpoints(
    time: Res<Time<Real>>,
    protocol: Res<NetworkProtocol>,
    settings: Res<ConnectionSettings>,
    limits: Res<ConnectionLimits>,
    introduction: Introduction,
    links: Query<(Entity, &Link, Has<LinkOf>), (Without<Endpoint>, Without<Disconnected>)>,
    mut commands: Commands,
) {
    for (entity, link, is_accepted) in &links {
        if let Some(closed) = link.closed() {
            disconnect(&mut commands, entity, DisconnectReason::from_link(closed, false));
            continue;
        }
        if !link.is_open() {
            continue;
        }
        let (side, hello) = if is_accepted {
            (Side::Acceptor, Vec::new())
        } else {
            (Side::Initiator, Hello::new(&introduction.name.0, &introduction.data.0).to_bytes())
        };
        let endpoint = Endpoint::new(side, &protocol, &settings, &limits, hello, link, time.elapsed());
        commands.entity(entity).try_insert((Connecting, endpoint));
    }
}

/// A host's own player joins in the first frame, as if it had connected.
pub(crate) fn open_local_connection(
    mut is_open: Local<bool>,
    introduction: Introduction,
    protocol: Res<NetworkProtocol>,
    mut commands: Commands,
) {
    if *is_open {
        return;
    }
    *is_open = true;
    let hello = Hello::new(&introduction.name.0, &introduction.data.0);
    let connection = Connection {
        peer: PeerId::random(),
        remote_name: hello.name,
        remote_data: hello.data,
        tick_rate: protocol.tick_rate(),
    };
    commands.insert_resource(LocalPeer(connection.peer));
    commands.spawn((LocalConnection, connection, NetworkStats::default(), Connected));
}

/// How a server decides whom to let in.
#[derive(SystemParam)]
pub(crate) struct Admission<'w> {
    limits: Res<'w, ServerLimits>,
    approve: Option<Res<'w, ApproveConnections>>,
    name: Res<'w, ConnectionName>,
    protocol: Res<'w, NetworkProtocol>,
}

impl Admission<'_> {
    fn decide(&self, hello: &Hello, places_taken: u32) -> Result<(), RefuseReason> {
        let max = self.limits.max_connections;
        if places_taken >= max {
            return Err(RefuseReason::ServerFull { max });
        }
        match &self.approve {
            Some(approve) => (approve.0)(hello).map_err(RefuseReason::Denied),
            None => Ok(()),
        }
    }
}

/// Datagrams to state machines, and what these report to the world.
pub(crate) fn receive_datagrams(
    time: Res<Time<Real>>,
    admission: Admission,
    mut endpoints: Query<(Entity, &mut Endpoint, &mut Link, Option<&mut NetworkStats>), Without<Disconnected>>,
    mut commands: Commands,
) {
    let now = time.elapsed();
    let mut places_taken = endpoints.iter().filter(|(_, endpoint, ..)| endpoint.holds_a_place()).count() as u32;
    for (entity, mut endpoint, mut link, stats) in &mut endpoints {
        endpoint.begin_frame(now);
        while let Some(datagram) = link.receive() {
            endpoint.receive(&datagram);
            link.recycle(datagram);
        }
        endpoint.pass_time();

        let mut ended = None;
        while let Some(event) = endpoint.poll_event() {
            match event {
                PeerEvent::HelloReceived { hello } => {
                    if admit_guest(&mut endpoint, &hello, &admission, places_taken) {
                        places_taken += 1;
                    }
                }
                PeerEvent::Connected { hello } => connect(&mut commands, entity, &mut endpoint, &hello, &admission),
                PeerEvent::Closed { reason } => ended = Some(DisconnectReason::from_protocol(reason)),
                PeerEvent::Delivery { channel, token, outcome } => endpoint.note_delivery(channel, token, outcome),
                PeerEvent::ChannelAnnounced { id, name } => endpoint.note_announced(id, name),
            }
        }
        endpoint.collect_messages();
        if let Some(mut stats) = stats {
            endpoint.sample_stats(&mut stats);
        }

        if ended.is_none() {
            ended = link.closed().map(|closed| DisconnectReason::from_link(closed, endpoint.was_connected()));
        }
        if let Some(reason) = ended {
            endpoint.end(&mut link);
            // The transport sends what is still in the outbox and closes the pipe.
            link.close(LinkClosed::Local);
            if endpoint.was_connected() {
                info!("connection {entity} ended: {reason}");
            }
            disconnect(&mut commands, entity, reason);
        }
    }
}

/// The pipe was taken away from under a connection.
pub(crate) fn end_without_link(
    orphans: Query<Entity, (With<Endpoint>, Without<Link>, Without<Disconnected>)>,
    mut commands: Commands,
) {
    for entity in &orphans {
        disconnect(&mut commands, entity, DisconnectReason::Requested);
    }
}

/// Answers a client's hello; returns whether it was let in.
fn admit_guest(endpoint: &mut Endpoint, hello: &[u8], admission: &Admission, places_taken: u32) -> bool {
    if endpoint.guest().is_some() {
        return false;
    }
    let decision = Hello::from_bytes(hello)
        .map_err(|error| RefuseReason::Denied(format!("its hello is malformed: {error}")))
        .and_then(|hello| admission.decide(&hello, places_taken).map(|()| hello));
    match decision {
        Ok(hello) => {
            let welcome = Welcome::new(PeerId::random(), admission.protocol.tick_rate(), &admission.name.0);
            endpoint.accept(hello, &welcome);
            true
        }
        Err(reason) => {
            endpoint.refuse(reason);
            false
        }
    }
}

/// The handshake is done: the entity becomes a connection, all at once.
fn connect(commands: &mut Commands, entity: Entity, endpoint: &mut Endpoint, hello: &[u8], admission: &Admission) {
    let connection = if endpoint.accepts() {
        let Some(guest) = endpoint.guest() else { return };
        Connection {
            peer: guest.peer,
            remote_name: guest.hello.name.clone(),
            remote_data: guest.hello.data.clone(),
            tick_rate: admission.protocol.tick_rate(),
        }
    } else {
        match Welcome::from_bytes(hello) {
            Ok(welcome) => {
                commands.insert_resource(LocalPeer(welcome.peer));
                Connection {
                    peer: PeerId::SERVER,
                    remote_name: welcome.name,
                    remote_data: Vec::new(),
                    tick_rate: welcome.tick_rate,
                }
            }
            Err(error) => {
                endpoint
                    .disconnect(CloseReason::ProtocolViolation(format!("the server's welcome is malformed: {error}")));
                return;
            }
        }
    };
    endpoint.mark_connected();
    info!("connected to {:?} (peer {})", connection.remote_name, connection.peer);
    commands.entity(entity).try_remove::<Connecting>().try_insert((connection, NetworkStats::default(), Connected));
}

fn disconnect(commands: &mut Commands, entity: Entity, reason: DisconnectReason) {
    debug!("{entity} is disconnected: {reason}");
    commands.entity(entity).try_remove::<(Connecting, Connected)>().try_insert(Disconnected { reason });
}

/// The player of this process is nobody any more.
pub(crate) fn forget_local_peer(
    removed: On<Remove, Connected>,
    connections: Query<(&Connection, Has<LocalConnection>)>,
    mut commands: Commands,
) {
    if let Ok((connection, is_local)) = connections.get(removed.entity)
        && (is_local || connection.peer == PeerId::SERVER)
    {
        commands.remove_resource::<LocalPeer>();
    }
}

/// Typed messages of this frame to state machines, and these machines' datagrams to links.
pub(crate) fn flush_endpoints(
    time: Res<Time<Real>>,
    outbox: Res<Outbox>,
    mut messages: Local<MessageQueue>,
    mut endpoints: Query<(&mut Endpoint, &mut Link), Without<Disconnected>>,
) {
    outbox.swap(&mut messages);
    for message in messages.iter() {
        for connection in message.to {
            let Ok((mut endpoint, _)) = endpoints.get_mut(*connection) else { continue };
            if let Err(error) = endpoint.send(message.channel, message.payload, None) {
                endpoint.note_unsent(message.channel, &error);
            }
        }
    }
    messages.clear();
    for (mut endpoint, mut link) in &mut endpoints {
        endpoint.transmit(time.elapsed(), &mut link);
    }
}

/// A connected entity is despawned, or loses its link or its state machine: the peer is told, in the last moment in which
/// that is possible.
pub(crate) fn say_farewell(discarded: On<Discard, (Endpoint, Link)>, mut endpoints: Query<(&mut Endpoint, &mut Link)>) {
    if let Ok((mut endpoint, mut link)) = endpoints.get_mut(discarded.entity) {
        endpoint.say_farewell(&mut link, CloseReason::Requested);
    }
}

/// The app ends: all peers are told.
pub(crate) fn close_on_exit(mut exits: MessageReader<AppExit>, mut endpoints: Query<(&mut Endpoint, &mut Link)>) {
    if exits.read().count() == 0 {
        return;
    }
    for (mut endpoint, mut link) in &mut endpoints {
        endpoint.say_farewell(&mut link, CloseReason::Shutdown);
    }
}
