//! The errors of this crate.

use slipstream_wire::WireError;
use thiserror::Error;

use crate::channel::ChannelId;

/// Why a received datagram was not taken. The peer's state is as it was before, and the datagram is not acknowledged.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ProtocolError {
    /// A field is cut off, too long or out of range.
    #[error("the datagram is malformed: {0}")]
    Wire(#[from] WireError),
    /// Longer than any datagram can be.
    #[error("a datagram has {length} bytes, at most {limit} are accepted")]
    DatagramTooLarge {
        /// Its bytes.
        length: usize,
        /// Bytes accepted.
        limit: usize,
    },
    /// Bits that must be zero are set: not Slipstream, or a newer version.
    #[error("the first byte {first_byte:#04x} has bits that must be zero: not a Slipstream datagram of this version")]
    ReservedBits {
        /// The byte.
        first_byte: u8,
    },
    /// A hello that does not begin as a Slipstream hello does.
    #[error("the hello does not carry the Slipstream mark: the other side speaks another protocol")]
    UnknownProtocol,
    /// A hello over an unauthenticated link that is shorter than the largest answer.
    #[error("a hello has {length} bytes, {required} are required over a link that is not authenticated")]
    HelloTooShort {
        /// Its bytes.
        length: usize,
        /// Bytes required.
        required: usize,
    },
    /// The datagram does not carry the token of this connection: forged, or left over from an earlier connection.
    #[error("the datagram's token is not that of this connection")]
    WrongToken,
    /// A handshake datagram that only the other side may send.
    #[error("a {kind} came to the side that sends it")]
    WrongSide {
        /// What came.
        kind: &'static str,
    },
    /// A frame names a channel that does not exist here.
    #[error(
        "a frame is for channel {channel}, which does not exist here; channels must be registered on both sides or announced"
    )]
    UnknownChannel {
        /// The channel named.
        channel: ChannelId,
    },
    /// A datagram was acknowledged that was never sent.
    #[error("datagram {largest} was acknowledged, the next to be sent is {next}")]
    AckOfUnsent {
        /// The number acknowledged.
        largest: u64,
        /// The number the next datagram gets.
        next: u64,
    },
    /// A message, or the part of one, exceeds its channel's limit.
    #[error("a message on channel {channel} has {length} bytes or more, at most {limit} are allowed")]
    MessageTooLarge {
        /// The channel.
        channel: ChannelId,
        /// Bytes so far.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A reliable message is further ahead than the window allows.
    #[error("message {number} on channel {channel} is beyond the window, which ends at {limit}")]
    WindowExceeded {
        /// The channel.
        channel: ChannelId,
        /// The message's number.
        number: u64,
        /// The first number not allowed.
        limit: u64,
    },
    /// A fragment that does not fit the message it belongs to.
    #[error("fragment {index} of {count} on channel {channel} is not a valid part of its message")]
    BadFragment {
        /// The channel.
        channel: ChannelId,
        /// Index of the fragment.
        index: u64,
        /// Count of fragments it claims.
        count: u64,
    },
    /// A control message that makes no sense.
    #[error("a control message is invalid: {what}")]
    BadControl {
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Why [`Peer::send`](crate::Peer::send) did not take a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// The handshake is not done, or the connection has ended.
    #[error("the peer is not connected; wait for PeerEvent::Connected")]
    NotConnected,
    /// No such channel, or the control channel.
    #[error("channel {channel} does not exist; register it in PeerConfig::channels or with add_channel")]
    UnknownChannel {
        /// The channel.
        channel: ChannelId,
    },
    /// The message exceeds the limit of its channel or of either side.
    #[error(
        "a message for channel {channel} has {length} bytes, at most {limit} are allowed; raise max_message_bytes on both sides or split it"
    )]
    MessageTooLarge {
        /// The channel.
        channel: ChannelId,
        /// Bytes of the message.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Too much is waiting. Try again after the next flush.
    #[error(
        "the queue for channel {channel} is full: {queued_bytes} of {limit_bytes} bytes wait; send less or try again after the next flush"
    )]
    QueueFull {
        /// The channel.
        channel: ChannelId,
        /// Bytes waiting, overheads included.
        queued_bytes: usize,
        /// Bytes that may wait.
        limit_bytes: usize,
    },
}

/// Why [`Peer::add_channel`](crate::Peer::add_channel) did not add a channel.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChannelError {
    /// Zero belongs to the protocol, and there is a last number.
    #[error("channel {channel} cannot be used: numbers go from 1 to {last}")]
    InvalidId {
        /// The number.
        channel: ChannelId,
        /// The greatest number.
        last: ChannelId,
    },
    /// The number is in use with other settings.
    #[error("channel {channel} is already \"{name}\" with other settings; choose another number")]
    IdTaken {
        /// The number.
        channel: ChannelId,
        /// The name it has.
        name: String,
    },
    /// The name does not fit an announcement.
    #[error("the name of channel {channel} has {length} bytes, at most {limit} are allowed")]
    NameTooLong {
        /// The number.
        channel: ChannelId,
        /// Bytes of the name.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// There are as many channels as one connection may have.
    #[error("a connection has at most {limit} channels")]
    TooMany {
        /// The greatest count.
        limit: usize,
    },
}
