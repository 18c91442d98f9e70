//! Replication: what the server's world holds, clients' worlds show.
//!
//! Mark an entity [`Replicated`] and register its components; the entity then appears, changes and goes on every client
//! that may see it. A component travels as the difference from a value that the client has acknowledged, and a value that
//! arrived is never sent again.
//!
//! ```text
//!  Changed<C> ── quantise ──> Journal ── one value a lane and tick ────┐
//!                                                                      │ shared
//!  VisibleTo, Owner, Importance ──> View (one a connection): which     │
//!                                   entities, which baselines ── pick ─┴─> records ──> datagrams
//!                                        ▲                                                │
//!                                        └── acknowledged / lost ─────────────────────────┤
//!                                                                                         ▼
//!                                   components <── apply <── Incoming: values by slot, lane and tick
//! ```
//!
//! * **Slot**: a dense number for a replicated entity ([`Slot`]). It is used again only after every client acknowledged the despawn.
//! * **Lane**: components that share rate, audience and direction. Baseline, flight and loss are kept per lane.
//! * **Record**: one lane's value at a tick, whole or as a difference. It is encoded once and copied to every connection
//!   with the same baseline.
//! * **Dense section**: the end of a chunk, where records of rigid bodies go through a range coder ([`Compression`]).
//! * **Claim**: what an owner says of a lane that is its own to tell. The server may judge it, and its own word wins.
//! * **Epoch**: raised when an entity comes into a connection's sight, so that old news of it is recognised.
//! * **Group**: entities of which no client sees one without the others ([`Together`]).
//!
//! ```
//! use bevy::prelude::*;
//! use serde::{Deserialize, Serialize};
//! use slipstream_replication::{AppReplicateExt, Replicated, TransformCodec};
//!
//! #[derive(Component, Clone, Serialize, Deserialize)]
//! struct Health(f32);
//!
//! fn register(app: &mut App) {
//!     app.replicate::<Health>().to_owner_only();
//!     app.replicate_transform(TransformCodec::new(-512.0..512.0, 0.001, 11));
//!     app.replicate_relationship::<ChildOf>();
//! }
//!
//! fn spawn(mut commands: Commands) {
//!     commands.spawn((Replicated, Health(100.0), Transform::default()));
//! }
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod adoption;
mod ancestry;
mod apply;
mod arena;
mod batch;
mod body;
mod carrier;
mod changes;
mod codec;
mod compression;
mod confirmation;
mod convoy;
mod dense;
mod error;
mod field;
mod hearing;
mod incoming;
mod interest;
mod journal;
mod kind;
mod lifecycle;
mod news;
mod ownership;
mod plugin;
mod precedence;
mod priority;
mod record;
mod registration;
mod registry;
mod replicated;
mod requests;
mod resource;
mod rows;
mod slots;
mod stable_id;
mod systems;
mod tick_log;
mod validation;
mod view;

pub use body::KinematicBody;
pub use codec::{
    Codec, MAX_COMPONENT_WORDS, NameEntities, RelationshipCodec, ResolveEntities, SerdeCodec, TransformCodec,
};
pub use compression::Compression;
pub use convoy::{Companions, Together};
pub use error::RecordError;
#[doc(hidden)]
pub use field::generated as __codec;
pub use field::{
    Angle, ArrayCodec, Bits, BoolCodec, ByField, CodedBy, Direction3, EntityCodec, Exact, FieldCodec, FieldsCodec,
    Flags, FlagsCodec, Integer, IntegerCodec, ListCodec, NetworkCodec, OptionCodec, Quantised, Rotation, SerdeField,
    StepCodec, SteppedField, TextCodec, Typical, WordCoder,
};
pub use interest::{
    AlwaysRelevant, AppInterestExt, Audience, Axes, Frozen, InRooms, OnLeave, Reveal, Room, SpatialInterest, Team,
    Vicinity, Viewpoint,
};
pub use kind::Kind;
pub use plugin::ReplicationPlugin;
pub use priority::{DefaultPriorityWeights, Priorities, PriorityWeights};
pub use registration::{AppReplicateExt, Registration};
pub use registry::{Direction, MAX_LANES};
pub use replicated::{Importance, OwnedBy, Remote, RemoteTick, Replicated, Slot, VisibleTo};
pub use resource::ResourceRegistration;
pub use slipstream_derive::NetworkCodec;
pub use slipstream_wire::{BodyState, KinematicCodec};
pub use stable_id::StableId;
pub use systems::ReplicationSystems;
pub use validation::{Claim, Verdict};
pub use view::ReplicationStats;
