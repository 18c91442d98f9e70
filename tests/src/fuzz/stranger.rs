//! A bare peer at the other end of an app's link: it shakes hands like a program of ours, and then says anything.

use core::time::Duration;

use bevy::prelude::*;
use bevy_slipstream::connection::{Connected, NetworkProtocol};
use bevy_slipstream::link::{Link, LinkOf};
use bevy_slipstream::protocol::{ChannelId, ClosedReason, LinkProperties, Peer, PeerConfig, PeerEvent, Side};

use super::pair::FRAME;

/// A message and its channel.
pub(crate) type Said = (ChannelId, Vec<u8>);

/// Fast, so that nothing waits for a budget.
const BUDGET_BYTES_PER_SECOND: u32 = 20_000_000;

/// Nobody else can inject datagrams: what is wrong is this peer's fault.
const LINK: LinkProperties =
    LinkProperties { authenticated: true, encrypted: true, reliable: false, keeps_alive: false, mtu: 1200 };

pub(crate) struct Stranger {
    peer: Peer,
    now: Duration,
    /// What a hello is answered with.
    welcome: Vec<u8>,
    /// The entity of the link, which is the connection in the app.
    pub(crate) link: Entity,
    /// The application bytes of the other side's hello or welcome.
    pub(crate) greeting: Vec<u8>,
    pub(crate) inbox: Vec<Said>,
    pub(crate) closed: Option<ClosedReason>,
}

impl Stranger {
    /// A client of a server, which accepted it through `listener`.
    pub(crate) fn client_of(app: &mut App, listener: Entity, hello: &[u8]) -> Self {
        let link = app.world_mut().spawn((Link::new(LINK), LinkOf(listener))).id();
        Self::new(app.world(), Side::Initiator, link, hello)
    }

    /// The server of a client.
    pub(crate) fn server_of(app: &mut App, welcome: &[u8]) -> Self {
        let link = app.world_mut().spawn(Link::new(LINK)).id();
        Self::new(app.world(), Side::Acceptor, link, welcome)
    }

    fn new(world: &World, side: Side, link: Entity, greeting: &[u8]) -> Self {
        let protocol = world.resource::<NetworkProtocol>();
        let config = PeerConfig {
            manifest: protocol.manifest().clone(),
            channels: protocol.channels().map(|(id, config)| (id, config.clone())).collect(),
            min_budget_bytes_per_second: BUDGET_BYTES_PER_SECOND,
            max_budget_bytes_per_second: BUDGET_BYTES_PER_SECOND,
            hello: greeting.to_vec(),
            ..PeerConfig::default()
        };
        Self {
            peer: Peer::new(side, config, LINK, Duration::ZERO, 1),
            now: Duration::ZERO,
            welcome: greeting.to_vec(),
            link,
            greeting: Vec::new(),
            inbox: Vec::new(),
            closed: None,
        }
    }

    /// Runs the app until the handshake is done; whether it is within twenty frames.
    pub(crate) fn connect(&mut self, app: &mut App) -> bool {
        (0..20).any(|_| {
            frame(app, &mut [&mut *self]);
            self.is_connected(app.world())
        })
    }

    /// Whether both sides are connected.
    pub(crate) fn is_connected(&self, world: &World) -> bool {
        self.peer.is_connected() && world.get::<Connected>(self.link).is_some()
    }

    /// Says something; whether that was possible.
    pub(crate) fn send(&mut self, channel: ChannelId, payload: &[u8]) -> bool {
        self.peer.send(self.now, channel, payload, None).is_ok()
    }

    fn speak(&mut self, world: &mut World) {
        self.now += FRAME;
        let Some(mut link) = world.get_mut::<Link>(self.link) else { return };
        let mut datagram = Vec::new();
        while self.peer.poll_transmit(self.now, &mut datagram) {
            link.deliver(datagram.clone());
        }
    }

    fn listen(&mut self, world: &mut World) {
        if let Some(mut link) = world.get_mut::<Link>(self.link) {
            while let Some(datagram) = link.take_outgoing() {
                self.peer.receive(self.now, &datagram).expect("an app keeps to the protocol");
            }
        }
        while let Some(event) = self.peer.poll_event() {
            match event {
                PeerEvent::HelloReceived { .. } => self.peer.accept(self.now, &self.welcome),
                PeerEvent::Connected { hello } => self.greeting = hello,
                PeerEvent::Closed { reason } => self.closed = Some(reason),
                PeerEvent::Delivery { .. } | PeerEvent::ChannelAnnounced { .. } => {}
            }
        }
        while let Some(message) = self.peer.poll_message() {
            self.inbox.push((message.channel, message.payload));
        }
    }
}

/// One frame of an app: it hears what the strangers said, runs, and they hear what it says.
pub(crate) fn frame(app: &mut App, strangers: &mut [&mut Stranger]) {
    for stranger in &mut *strangers {
        stranger.speak(app.world_mut());
    }
    app.update();
    for stranger in strangers {
        stranger.listen(app.world_mut());
    }
}
