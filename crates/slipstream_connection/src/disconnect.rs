//! Why a connection ended, as one clear sentence.

use core::fmt;

use bevy::prelude::*;
use slipstream_link::LinkClosed;
use slipstream_protocol::{CloseReason, ClosedReason, RefuseReason};

/// Why a connection ended, or why there never was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisconnectReason {
    /// One of the two sides asked for it.
    Requested,
    /// The process of one of the two sides ended.
    Shutdown,
    /// One side ended it, and says why.
    Kicked(String),
    /// Nothing came for too long.
    TimedOut,
    /// There never was an answer, or no pipe could be opened.
    Unreachable(String),
    /// The server did not accept the connection.
    Refused(RefuseReason),
    /// The pipe under the connection closed without a word of the peer.
    LinkClosed(String),
    /// One side broke the protocol in a way that leaves nothing to continue with.
    ProtocolViolation(String),
    /// One side sent more malformed or excessive messages than the other forgives.
    TooManyErrors,
}

impl DisconnectReason {
    /// What the state machine reported, in the words of a user.
    pub(crate) fn from_protocol(reason: ClosedReason) -> Self {
        match reason {
            ClosedReason::Local(reason) | ClosedReason::Remote(reason) => Self::from_close(reason),
            ClosedReason::Refused(reason) => Self::Refused(reason),
            ClosedReason::TimedOut => Self::TimedOut,
            ClosedReason::HandshakeTimedOut => Self::Unreachable(
                "nobody answered there in time: check the address, and that the server runs and can be reached"
                    .to_string(),
            ),
            ClosedReason::ProtocolViolation(what) => Self::ProtocolViolation(what),
            ClosedReason::LinkClosed => Self::LinkClosed("the pipe was closed".to_string()),
        }
    }

    fn from_close(reason: CloseReason) -> Self {
        match reason {
            CloseReason::Requested => Self::Requested,
            CloseReason::Shutdown => Self::Shutdown,
            CloseReason::Kicked(why) => Self::Kicked(why),
            CloseReason::TooManyErrors => Self::TooManyErrors,
            CloseReason::ProtocolViolation(what) => Self::ProtocolViolation(what),
        }
    }

    /// What a closed pipe means for a connection that was open, or still opening.
    pub(crate) fn from_link(closed: &LinkClosed, was_connected: bool) -> Self {
        match closed {
            LinkClosed::TimedOut if was_connected => Self::TimedOut,
            LinkClosed::Local if was_connected => Self::Requested,
            closed if was_connected => Self::LinkClosed(closed.to_string()),
            closed => Self::Unreachable(closed.to_string()),
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("the connection was ended on request"),
            Self::Shutdown => f.write_str("the program at one end shut down"),
            Self::Kicked(why) => write!(f, "the connection was ended: {why}"),
            Self::TimedOut => f.write_str("the other side fell silent and was given up"),
            Self::Unreachable(why) => write!(f, "no connection could be made: {why}"),
            Self::Refused(RefuseReason::ServerFull { max }) => {
                write!(f, "the server refused the connection: it is full ({max} of {max} places are taken)")
            }
            Self::Refused(RefuseReason::Mismatch { differences }) => write!(
                f,
                "the server refused the connection: the two programs do not speak the same protocol: {}",
                differences.join("; ")
            ),
            Self::Refused(RefuseReason::WireVersion { ours, theirs }) => write!(
                f,
                "the server refused the connection: it speaks another wire version (ours {ours}, theirs {theirs}): update the older side"
            ),
            Self::Refused(RefuseReason::Denied(why)) => write!(f, "the server refused the connection: {why}"),
            Self::LinkClosed(why) => write!(f, "the pipe under the connection closed: {why}"),
            Self::ProtocolViolation(what) => write!(f, "the protocol was broken: {what}"),
            Self::TooManyErrors => f.write_str("more malformed or excessive messages came than are forgiven"),
        }
    }
}

impl core::error::Error for DisconnectReason {}

/// The connection has ended, or was never made; the reason is final.
///
/// On a server such an entity is despawned at the start of the next frame. On a client it stays, so that the reason can
/// be shown, until the game despawns it.
#[derive(Component, Debug, Clone, PartialEq)]
#[component(immutable)]
pub struct Disconnected {
    /// Why it ended.
    pub reason: DisconnectReason,
}
