//! Two apps with a link between them, stepped together.

use std::thread;
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy::time::TimeUpdateStrategy;
use slipstream_link::{Connect, Link, LinkClosed, LinkOf, LinkPlugin, Listen, MemoryHub};

/// What virtual time moves by in one step.
pub const FRAME: Duration = Duration::from_millis(10);

/// A stuck test fails after this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// An app with links and no window.
pub fn app() -> App {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, LinkPlugin));
    app
}

/// The same with a clock that moves by [`FRAME`] an update.
pub fn virtual_app() -> App {
    let mut app = app();
    app.insert_resource(TimeUpdateStrategy::ManualDuration(FRAME));
    app
}

pub struct Pair {
    pub server: App,
    pub client: App,
    /// In the server's world.
    pub listener: Entity,
    /// In the client's world; carries the link.
    pub connector: Entity,
    /// Real sockets need real time between steps.
    pause: Duration,
}

impl Pair {
    /// Two apps on a hub, with virtual time. Not connected yet.
    pub fn over_memory() -> Self {
        let hub = MemoryHub::new();
        let mut server = virtual_app();
        let listener = server.world_mut().spawn(Listen::memory(&hub)).id();
        let mut client = virtual_app();
        let connector = client.world_mut().spawn(Connect::memory(&hub)).id();
        Self { server, client, listener, connector, pause: Duration::ZERO }
    }

    /// Two apps with sockets on loopback, with real time. Not connected yet; the server listens.
    #[cfg(feature = "renet")]
    pub fn over_udp(listen: Listen, connect: impl FnOnce(std::net::SocketAddr) -> Connect) -> Self {
        let mut server = app();
        let listener = server.world_mut().spawn(listen).id();
        server.update();
        let address = address_of(&server, listener);
        let mut client = app();
        let connector = client.world_mut().spawn(connect(address)).id();
        Self { server, client, listener, connector, pause: Duration::from_millis(2) }
    }

    pub fn step(&mut self) {
        self.client.update();
        self.server.update();
        thread::sleep(self.pause);
    }

    pub fn step_until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let start = Instant::now();
        while !is_so(self) {
            assert!(start.elapsed() < PATIENCE, "it never came to this: {what}");
            self.step();
        }
    }

    /// Steps until both sides have an open link, and gives the server's.
    pub fn connect(&mut self) -> Entity {
        self.step_until("both sides have an open link", |pair| {
            let client_is_open = pair.client.world().get::<Link>(pair.connector).is_some_and(Link::is_open);
            client_is_open && !links_of(&mut pair.server).is_empty()
        });
        links_of(&mut self.server)[0]
    }

    pub fn send_from_client(&mut self, datagram: &[u8]) {
        send(&mut self.client, self.connector, datagram);
    }

    pub fn receive_at_client(&mut self) -> Vec<Vec<u8>> {
        receive(&mut self.client, self.connector)
    }

    /// Why the client's link is closed, if it is.
    pub fn client_closed(&self) -> Option<LinkClosed> {
        closed(&self.client, self.connector)
    }
}

/// The accepted links of an app.
pub fn links_of(app: &mut App) -> Vec<Entity> {
    let world = app.world_mut();
    let mut links = world.query_filtered::<Entity, With<LinkOf>>();
    links.iter(world).collect()
}

#[cfg(feature = "renet")]
pub fn address_of(app: &App, listener: Entity) -> std::net::SocketAddr {
    app.world()
        .get::<slipstream_link::Listening>(listener)
        .and_then(|listening| listening.address)
        .expect("the listener is bound")
}

pub fn send(app: &mut App, link: Entity, datagram: &[u8]) {
    app.world_mut().get_mut::<Link>(link).expect("the entity has a link").send(datagram.to_vec());
}

/// Empties the inbox; nothing if there is no link.
pub fn receive(app: &mut App, link: Entity) -> Vec<Vec<u8>> {
    let mut received = Vec::new();
    if let Some(mut link) = app.world_mut().get_mut::<Link>(link) {
        while let Some(datagram) = link.receive() {
            received.push(datagram);
        }
    }
    received
}

pub fn closed(app: &App, link: Entity) -> Option<LinkClosed> {
    app.world().get::<Link>(link)?.closed().cloned()
}
