//! What can go wrong when something is sent.

use bevy::prelude::*;
use slipstream_protocol::SendError;
use thiserror::Error;

/// Why something could not be sent. Every fallible call of this crate returns it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// The target has no open connection.
    #[error("expected an open connection to {target}, found none: send once `Connected` was added to it")]
    NotConnected {
        /// What was to be reached, in words.
        target: String,
    },
    /// The channel was never registered.
    #[error(
        "expected a registered channel, got {channel}: add it with `add_channel` or `register_system_channel` before the app starts"
    )]
    ChannelNotFound {
        /// Its name or number.
        channel: String,
    },
    /// The encoded message is larger than its channel carries.
    #[error(
        "expected at most {limit} bytes for one message on channel `{channel}`, got {bytes}: split it, or raise the channel's `max_message_bytes`"
    )]
    MessageTooLarge {
        /// The channel's name.
        channel: String,
        /// The encoded size in bytes.
        bytes: usize,
        /// The channel's limit in bytes.
        limit: usize,
    },
    /// The type was never registered.
    #[error(
        "expected a registered type, got `{type_name}`: add `app.register_message::<..>`, `register_event` or `register_request` for it on both sides, and `ConnectionPlugin`"
    )]
    NotRegistered {
        /// The Rust type.
        type_name: &'static str,
    },
    /// More was sent than the connection can hold back.
    #[error(
        "expected room in the queue of channel `{channel}`, but {queued_bytes} bytes wait already: send less, or less often"
    )]
    QueueFull {
        /// The channel's name or number.
        channel: String,
        /// What waits already, in bytes.
        queued_bytes: usize,
    },
    /// The value could not be encoded.
    #[error("expected a value that bincode can encode: {0}")]
    Encode(String),
    /// A message refers to an entity that is not replicated, so the other side could not know it.
    #[error(
        "expected an entity that is replicated, got {0}, which has no network id: add `Replicated` to it before sending"
    )]
    UnknownEntity(Entity),
    /// A channel could not be opened at run time.
    #[error("the channel could not be opened: {0}")]
    ChannelRefused(String),
}

impl NetworkError {
    pub(crate) fn from_protocol(error: SendError, channel: String) -> Self {
        match error {
            SendError::NotConnected => Self::NotConnected { target: "this peer".to_string() },
            SendError::UnknownChannel { .. } => Self::ChannelNotFound { channel },
            SendError::MessageTooLarge { length, limit, .. } => Self::MessageTooLarge { channel, bytes: length, limit },
            SendError::QueueFull { queued_bytes, .. } => Self::QueueFull { channel, queued_bytes },
        }
    }
}
