//! Connections as entities, and typed messages between them.
//!
//! Below lies [`slipstream_link`], which moves datagrams, and [`slipstream_protocol`], which makes channels of them. Here
//! they meet the ECS: a link becomes an entity with [`Connecting`], then [`Connected`] and [`Connection`], and in the end
//! [`Disconnected`] with a typed reason. All of it can be observed and queried; there is no list of clients beside the world.
//!
//! ```text
//!  Link ──datagrams──► Endpoint ──raw bytes──► systems that drain a channel (replication, inputs)
//!   ▲                  │  ▲  └────typed──────► MessageReader<Received<M>>, On<RemoteEvent<E>>,
//!   └────datagrams─────┘  │                    MessageReader<Incoming<Q>>, MessageReader<Answered<Q>>
//!                         └── MessageSender<M>, Requester<Q>, Responder<Q>
//! ```
//!
//! # A server and a client that talk
//!
//! ```
//! use bevy::prelude::*;
//! use serde::{Deserialize, Serialize};
//! use slipstream_connection::{
//!     AppMessageExt, Connected, ConnectionPlugin, MessageSender, Received, Role, Target, channels,
//! };
//! use slipstream_link::{Connect, LinkPlugin, Listen, MemoryHub};
//!
//! #[derive(Message, Serialize, Deserialize)]
//! struct Chat(String);
//!
//! fn peer(role: Role) -> App {
//!     let mut app = App::new();
//!     app.add_plugins((MinimalPlugins, LinkPlugin, ConnectionPlugin { role }));
//!     app.register_message::<Chat>(channels::DISPATCH);
//!     app
//! }
//!
//! let hub = MemoryHub::new();
//! let mut server = peer(Role::Server);
//! server.world_mut().spawn(Listen::memory(&hub));
//! server.add_observer(|joined: On<Add, Connected>, mut sender: MessageSender<Chat>| {
//!     // The peer may have left again; nobody minds.
//!     let _ = sender.send(Target::One(joined.entity), &Chat("welcome".to_string()));
//! });
//!
//! let mut client = peer(Role::Client);
//! client.world_mut().spawn(Connect::memory(&hub));
//! client.add_systems(Update, |mut chats: MessageReader<Received<Chat>>| {
//!     for chat in chats.read() {
//!         println!("{}", chat.message.0);
//!     }
//! });
//! for _ in 0..10 {
//!     server.update();
//!     client.update();
//! }
//! ```
//!
//! # What a peer may do
//!
//! Everything that a peer sends is bounded and checked before a game system sees it: sizes, rates ([`ConnectionLimits`]),
//! a validation hook per type ([`MessageRegistration::validate`]), and a budget of errors after which the connection ends.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod channel;
mod codec;
mod connection;
mod disconnect;
mod dispatch;
mod endpoint;
mod entity_map;
mod error;
mod hello;
mod lifecycle;
mod limits;
mod message;
mod outbox;
mod plugin;
mod registry;
mod request;
mod role;
mod statistics;
mod waiting;

pub use channel::{AppChannelExt, ChannelRef, NetworkChannel, channels};
pub use connection::{
    Connected, Connecting, Connection, ConnectionData, ConnectionName, LocalConnection, LocalPeer,
    MAX_HELLO_DATA_BYTES, MAX_NAME_BYTES, PeerId,
};
pub use disconnect::{DisconnectReason, Disconnected};
pub use endpoint::Endpoint;
pub use entity_map::{EntityMap, NetworkId};
pub use error::NetworkError;
pub use hello::Hello;
pub use limits::{ApproveConnections, ConnectionLimits, ConnectionSettings, RateLimit, ServerLimits};
pub use message::{AppMessageExt, MessageRegistration, MessageSender, Payload, Received, RemoteEvent, Sending, Target};
pub use plugin::{ConnectionPlugin, ConnectionSystems};
pub use registry::{ApplicationVersion, NetworkProtocol};
pub use request::{Answered, Incoming, Request, RequestError, RequestId, Requester, Responder};
pub use role::{NetworkRole, Role, is_client, is_connected, is_host, is_server};
pub use statistics::NetworkStats;

pub use slipstream_protocol::{
    ChannelConfig, ChannelId, CloseReason, Delivery, DeliveryOutcome, Priority, RefuseReason,
};
