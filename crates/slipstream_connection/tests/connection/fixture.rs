//! A server and its clients in one process: one `App` each, frames of a sixtieth of a second, nothing sleeps.

use core::time::Duration;
use std::net::SocketAddr;

use bevy::ecs::system::SystemState;
use bevy::prelude::*;
use bevy::time::TimeUpdateStrategy;
use slipstream_connection::{
    AppMessageExt, ChannelRef, Connected, Connection, ConnectionName, ConnectionPlugin, DisconnectReason, Disconnected,
    LocalPeer, MessageSender, NetworkError, Payload, Received, Role, Target,
};
use slipstream_link::{Connect, LinkPlugin, Listen, Listening, MemoryHub};

pub const FRAME: Duration = Duration::from_nanos(16_666_667);

const KEY: [u8; 32] = [7; 32];

/// What lies under the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    Memory,
    Renet,
}

/// Runs a test over each link.
pub fn each_link(test: fn(LinkKind)) {
    for link in [LinkKind::Memory, LinkKind::Renet] {
        println!("over {link:?}");
        test(link);
    }
}

/// One client's app and the entity of its connection.
pub struct Client {
    pub app: App,
    pub connection: Entity,
}

impl Client {
    pub fn reason(&self) -> Option<DisconnectReason> {
        self.app.world().get::<Disconnected>(self.connection).map(|ended| ended.reason.clone())
    }

    pub fn is_connected(&self) -> bool {
        self.app.world().get::<Connected>(self.connection).is_some()
    }
}

/// A server that listens, and clients that connect to it.
pub struct Network {
    register: Box<dyn Fn(&mut App)>,
    hub: MemoryHub,
    address: Option<SocketAddr>,
    pub server: App,
    pub listener: Entity,
    pub clients: Vec<Client>,
}

impl Network {
    /// A server that listens; `register` runs on every app of the network.
    pub fn new(link: LinkKind, register: impl Fn(&mut App) + 'static) -> Self {
        Self::with_role(link, Role::Server, register)
    }

    pub fn with_role(link: LinkKind, role: Role, register: impl Fn(&mut App) + 'static) -> Self {
        let hub = MemoryHub::new();
        let mut server = peer(role, "server", &register);
        let listen = match link {
            LinkKind::Memory => Listen::memory(&hub),
            LinkKind::Renet => Listen::udp(SocketAddr::from(([127, 0, 0, 1], 0))).key(KEY),
        };
        let listener = server.world_mut().spawn(listen).id();
        server.update();
        server.update();
        let listening = server.world().get::<Listening>(listener).expect("the server listens");
        let address = listening.address;
        Self { register: Box::new(register), hub, address, server, listener, clients: Vec::new() }
    }

    /// Adds a client that begins to connect, and returns its number.
    pub fn add_client(&mut self, name: &str) -> usize {
        let app = peer(Role::Client, name, &*self.register);
        self.add_app(app)
    }

    /// The same with an app that was made elsewhere.
    pub fn add_app(&mut self, mut app: App) -> usize {
        let connect = match self.address {
            None => Connect::memory(&self.hub),
            Some(address) => Connect::udp(address).key(KEY),
        };
        let connection = app.world_mut().spawn(connect).id();
        self.clients.push(Client { app, connection });
        self.clients.len() - 1
    }

    /// Adds a client and runs until it is connected.
    pub fn connect(&mut self, name: &str) -> usize {
        let client = self.add_client(name);
        self.run_until("the client is connected", |network| {
            network.clients[client].is_connected() && network.server_connection(client).is_some()
        });
        client
    }

    pub fn run(&mut self, frames: u32) {
        for _ in 0..frames {
            self.server.update();
            for client in &mut self.clients {
                client.app.update();
            }
        }
    }

    /// Runs frame by frame, at most 20 simulated seconds.
    pub fn run_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        for _ in 0..1200 {
            if done(self) {
                return;
            }
            self.run(1);
        }
        let reasons: Vec<_> = self.clients.iter().map(Client::reason).collect();
        panic!("not within 20 simulated seconds: {what} (the clients' reasons: {reasons:?})");
    }

    /// The server's entity of a client's connection.
    pub fn server_connection(&mut self, client: usize) -> Option<Entity> {
        let peer = self.clients[client].app.world().get_resource::<LocalPeer>()?.0;
        let mut connections = self.server.world_mut().query_filtered::<(Entity, &Connection), With<Connected>>();
        let found = connections.iter(self.server.world()).find(|(_, connection)| connection.peer == peer);
        found.map(|(entity, _)| entity)
    }
}

/// An app with links and connections, not yet started.
pub fn peer(role: Role, name: &str, register: &dyn Fn(&mut App)) -> App {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, LinkPlugin, ConnectionPlugin { role }))
        .insert_resource(TimeUpdateStrategy::ManualDuration(FRAME))
        .insert_resource(ConnectionName(name.to_string()));
    register(&mut app);
    app.finish();
    app.cleanup();
    app
}

/// Sends as a system would.
pub fn send<M: Payload>(app: &mut App, target: Target<'_>, message: &M) -> Result<(), NetworkError> {
    let world = app.world_mut();
    let mut state = SystemState::<MessageSender<'static, 'static, M>>::new(world);
    let result = state.get_mut(world).expect("the parameters are valid").send(target, message);
    state.apply(world);
    result
}

/// What arrived, with the connections it came through, oldest first.
#[derive(Resource)]
pub struct Log<M>(pub Vec<(Entity, M)>);

impl<M> Log<M> {
    pub fn messages(&self) -> Vec<&M> {
        self.0.iter().map(|(_, message)| message).collect()
    }
}

/// Registers a message and keeps what arrives of it in a [`Log`].
pub fn register_logged<M: Payload + Clone>(app: &mut App, channel: impl Into<ChannelRef>) {
    app.register_message::<M>(channel);
    log_received::<M>(app);
}

pub fn log_received<M: Payload + Clone>(app: &mut App) {
    app.insert_resource(Log::<M>(Vec::new()));
    app.add_systems(Update, |mut received: MessageReader<Received<M>>, mut log: ResMut<Log<M>>| {
        log.0.extend(received.read().map(|received| (received.from, received.message.clone())));
    });
}

pub fn logged<M: Payload>(app: &App) -> Vec<&M> {
    app.world().resource::<Log<M>>().messages()
}
