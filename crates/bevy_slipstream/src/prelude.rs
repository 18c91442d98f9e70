//! What a game imports: `use bevy_slipstream::prelude::*;`.

pub use crate::NetworkingPlugin;
pub use slipstream_connection::{
    Answered, AppChannelExt, AppMessageExt, Connected, Connecting, Connection, ConnectionName, ConnectionSystems,
    DisconnectReason, Disconnected, Endpoint, EntityMap, Incoming, LocalConnection, LocalPeer, MessageSender,
    NetworkError, NetworkId, NetworkRole, NetworkStats, PeerId, Received, RemoteEvent, Request, RequestError,
    RequestId, Requester, Responder, Role, ServerLimits, Target, channels, is_client, is_connected, is_host, is_server,
};
pub use slipstream_link::{Conditioner, Connect, Link, LinkOf, Links, Listen, ListenFailed, Listening, MemoryHub};
pub use slipstream_protocol::{
    ChannelConfig, ChannelId, CloseReason, Delivery, NetworkConditions, Priority, RefuseReason,
};
pub use slipstream_replication::{
    AlwaysRelevant, AppInterestExt, AppReplicateExt, Audience, Axes, Bits, BodyState, Claim, CodedBy, Companions,
    Compression, DefaultPriorityWeights, FieldsCodec, Frozen, Importance, InRooms, KinematicBody, KinematicCodec,
    NetworkCodec, OnLeave, OwnedBy, Priorities, PriorityWeights, Quantised, Remote, RemoteTick, Replicated,
    ReplicationStats, ReplicationSystems, Reveal, Room, SpatialInterest, StableId, Team, Together, TransformCodec,
    Verdict, Vicinity, Viewpoint, VisibleTo,
};
pub use slipstream_simulation::{
    AppInputExt, Controlled, InputStats, Owned, Owner, Simulation, SimulationSystems, SimulationTick, TickLead,
    TickRate, TickRunnerPlugin,
};
#[cfg(feature = "leafwing")]
pub use slipstream_simulation::{AxisRange, NetworkActions};
pub use slipstream_wire::Tick;
