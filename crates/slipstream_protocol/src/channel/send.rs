//! The sending half of a channel.

use core::time::Duration;

use super::Delivery;
use super::reliable::ReliableSender;
use super::unreliable::UnreliableSender;
use crate::fragment::Fragment;
use crate::loss::Cargo;

/// What a message costs beside its bytes: the greatest of what either side keeps for it.
const MESSAGE_OVERHEAD: usize = 128;
/// What each of its pieces costs beside its bytes.
const PIECE_OVERHEAD: usize = 32;
/// What a frame's header takes in a datagram, about.
const FRAME_WEIGHT: usize = 5;

/// Memory that a message of `length` bytes in `pieces` pieces is charged for. A sender charges at least what the receiver
/// does, so that what it may have outstanding always fits there: the receiver goes by the length of a message, the sender
/// by the memory that holds it.
pub(crate) fn message_cost(length: usize, pieces: u16) -> usize {
    length + MESSAGE_OVERHEAD + usize::from(pieces) * PIECE_OVERHEAD
}

/// What a piece of `length` bytes takes of the budget.
pub(crate) fn piece_weight(length: usize) -> usize {
    length + FRAME_WEIGHT
}

/// How messages are cut into pieces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunking {
    /// The greatest message that stays whole, in bytes.
    pub(crate) whole: usize,
    /// Bytes of each piece of a larger one.
    pub(crate) piece: usize,
}

impl Chunking {
    /// Count of pieces of a message of `length` bytes; saturates.
    pub(crate) fn pieces(self, length: usize) -> u16 {
        if length <= self.whole { 1 } else { u16::try_from(length.div_ceil(self.piece)).unwrap_or(u16::MAX) }
    }

    /// Where piece `index` of a message of `length` bytes begins and how long it is.
    pub(crate) fn span(self, length: usize, index: u16) -> (usize, usize) {
        if length <= self.whole {
            (0, length)
        } else {
            let start = (usize::from(index) * self.piece).min(length);
            (start, self.piece.min(length - start))
        }
    }
}

/// The piece of a message that a channel wants to send next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// Number of the message in its channel; zero for a whole unreliable one.
    pub(crate) number: u64,
    /// Index of the piece.
    pub(crate) piece: u16,
    /// Count of pieces of the message.
    pub(crate) count: u16,
    /// Where the piece begins in the message.
    pub(crate) start: usize,
    /// Its bytes.
    pub(crate) length: usize,
    /// It has been sent before.
    pub(crate) again: bool,
}

impl Candidate {
    /// The fragment header, for a piece of a larger message.
    pub(crate) fn fragment(&self) -> Option<Fragment> {
        (self.count > 1).then_some(Fragment { index: self.piece, count: self.count })
    }
}

/// What was taken for a datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// What the record of the datagram must remember.
    pub(crate) cargo: Option<Cargo>,
    /// A spare copy may follow in the next frame.
    pub(crate) spare: bool,
}

/// The sending half: by what happens to a lost message.
#[derive(Debug)]
pub(crate) enum Sender {
    /// Nothing.
    Unreliable(UnreliableSender),
    /// It is sent again, for ever or up to a limit.
    Reliable(ReliableSender),
}

impl Sender {
    pub(crate) fn new(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Unreliable => Self::Unreliable(UnreliableSender::new(Duration::from_secs(1))),
            Delivery::UnreliableSequenced => Self::Unreliable(UnreliableSender::new(Duration::from_millis(250))),
            Delivery::ReliableUnordered => Self::Reliable(ReliableSender::new(false, None)),
            Delivery::ReliableOrdered => Self::Reliable(ReliableSender::new(true, None)),
            Delivery::Expiring { max_retransmits, lifetime } => {
                Self::Reliable(ReliableSender::new(false, Some((u32::from(max_retransmits) + 1, lifetime))))
            }
        }
    }

    /// Queues a message.
    pub(crate) fn push(&mut self, now: Duration, payload: &[u8], token: Option<u64>, chunking: Chunking) {
        match self {
            Self::Unreliable(sender) => sender.push(now, payload, token, chunking),
            Self::Reliable(sender) => sender.push(now, payload, token, chunking),
        }
    }

    /// The piece to be sent next.
    pub(crate) fn peek(&mut self) -> Option<Candidate> {
        match self {
            Self::Unreliable(sender) => sender.peek(),
            Self::Reliable(sender) => sender.peek(),
        }
    }

    /// The bytes of a candidate.
    pub(crate) fn bytes(&self, candidate: &Candidate) -> &[u8] {
        let payload = match self {
            Self::Unreliable(sender) => sender.payload(),
            Self::Reliable(sender) => sender.payload(candidate.number),
        };
        payload.get(candidate.start..candidate.start + candidate.length).unwrap_or_default()
    }

    /// Notes that the candidate last peeked at goes into a datagram.
    pub(crate) fn take(&mut self, candidate: &Candidate) -> Taken {
        match self {
            Self::Unreliable(sender) => Taken { cargo: sender.take(candidate), spare: false },
            Self::Reliable(sender) => Taken {
                spare: sender.take(candidate),
                cargo: Some(Cargo::Piece { number: candidate.number, piece: candidate.piece }),
            },
        }
    }

    /// Memory charged for what is queued or outstanding, in bytes.
    pub(crate) fn cost(&self) -> usize {
        match self {
            Self::Unreliable(sender) => sender.cost(),
            Self::Reliable(sender) => sender.cost(),
        }
    }

    /// What waits to be sent, in bytes of the budget.
    pub(crate) fn waiting_bytes(&self) -> usize {
        match self {
            Self::Unreliable(sender) => sender.waiting_bytes(),
            Self::Reliable(sender) => sender.waiting_bytes(),
        }
    }

    /// Greatest memory kept for messages to come, in bytes: a part of `bookkeeping_bytes`.
    pub(crate) const MAX_KEPT_BYTES: usize = ReliableSender::MAX_KEPT_BYTES;

    /// Bytes that the bookkeeping takes beside `cost`.
    pub(crate) fn bookkeeping_bytes(&self) -> usize {
        match self {
            Self::Unreliable(sender) => sender.bookkeeping_bytes(),
            Self::Reliable(sender) => sender.bookkeeping_bytes(),
        }
    }
}
