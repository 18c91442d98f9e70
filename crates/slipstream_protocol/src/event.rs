//! What a peer tells its owner.

use crate::channel::ChannelId;
use crate::close::ClosedReason;

/// Something that happened, taken with [`Peer::poll_event`](crate::Peer::poll_event).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerEvent {
    /// Acceptor only: a validated initiator with an equal manifest asks to be let in. Answer with
    /// [`Peer::accept`](crate::Peer::accept) or [`Peer::refuse`](crate::Peer::refuse) within the handshake time-out.
    HelloReceived {
        /// The initiator's application bytes.
        hello: Vec<u8>,
    },
    /// The handshake is done; messages may be sent.
    Connected {
        /// The other side's application bytes.
        hello: Vec<u8>,
    },
    /// The connection has ended. The last event of a peer.
    Closed {
        /// Why.
        reason: ClosedReason,
    },
    /// What became of a message that was sent with a tracking token. Each token is reported once, unless the connection
    /// closes first.
    Delivery {
        /// The channel it was sent on.
        channel: ChannelId,
        /// The token given to [`Peer::send`](crate::Peer::send).
        token: u64,
        /// What became of it.
        outcome: DeliveryOutcome,
    },
    /// Initiator only: the acceptor opened a channel at run time; it exists on this side too now.
    ChannelAnnounced {
        /// Its number.
        id: ChannelId,
        /// Its name.
        name: String,
    },
}

/// What became of a tracked message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryOutcome {
    /// The other side took all of it into its channel (a sequenced message: it or a newer one).
    Acknowledged,
    /// An unreliable message of which a datagram was declared lost, or that waited unsent for too long.
    Lost,
    /// An expiring message whose retransmits or lifetime are used up.
    Expired,
}

/// A message that arrived, whole, taken with [`Peer::poll_message`](crate::Peer::poll_message).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The channel it came on.
    pub channel: ChannelId,
    /// Its bytes.
    pub payload: Vec<u8>,
}
