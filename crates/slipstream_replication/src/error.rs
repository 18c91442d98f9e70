//! What can go wrong between a component and its bytes.

use slipstream_wire::WireError;

/// Why a record could not be decoded or a component not encoded.
///
/// A record that fails costs its sender one entry of the connection's error budget; nothing of it is applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes ended early or held a value out of range.
    #[error("a replication record is malformed: {0}")]
    Wire(#[from] WireError),
    /// A component's own format refused the bytes.
    #[error("component `{name}` does not decode: {reason}; both sides must register it with the same type and codec")]
    Component {
        /// The registered name of the component.
        name: String,
        /// What its codec said.
        reason: String,
    },
    /// A delta refers to a value that this side no longer has or never had.
    #[error(
        "a record of slot {slot}, lane {lane} refers to a baseline that is not stored here; asking for the full state"
    )]
    MissingBaseline {
        /// The slot of the record.
        slot: u32,
        /// The lane of the record.
        lane: usize,
    },
    /// A record names an entity that was never announced on this connection.
    #[error("a record names slot {slot}, which was never announced on this connection")]
    UnknownSlot {
        /// The slot of the record.
        slot: u32,
    },
    /// A peer sent state that it has no authority over.
    #[error(
        "a record of slot {slot}, lane {lane} came from a peer that neither owns the entity nor may send this lane"
    )]
    NotAuthorised {
        /// The slot of the record.
        slot: u32,
        /// The lane of the record.
        lane: usize,
    },
    /// A client sent a dense section, which only a server may.
    #[error("a client sent a dense section; only a server codes bodies densely")]
    DenseFromClient,
    /// More than the declared limit.
    #[error("a record holds {what} of {length}, and at most {limit} is allowed")]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// Its size.
        length: usize,
        /// The limit.
        limit: usize,
    },
}
