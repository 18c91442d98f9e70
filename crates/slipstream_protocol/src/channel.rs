//! Channels: numbered paths with a delivery guarantee.

mod announcement;
mod ordered;
mod receive;
mod registry;
mod reliable;
mod send;
mod unreliable;

use core::fmt;
use core::time::Duration;
use std::borrow::Cow;

pub(crate) use announcement::{Announcement, NAME_LIMIT};
pub(crate) use receive::Verdict;
pub(crate) use registry::{Announced, Channel, Channels, MAX_CHANNELS};
pub(crate) use reliable::WINDOW;
pub(crate) use send::{Candidate, Chunking, Sender, message_cost};

/// The number of a channel.
///
/// 0 is the protocol's own; 1–999 belong to systems; 1000–1999 are given out at run time by name; 2000–2999 are for
/// tool sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub u16);

impl ChannelId {
    /// The protocol's own channel.
    pub const CONTROL: ChannelId = ChannelId(0);
    /// The first number for systems.
    pub const FIRST_SYSTEM: ChannelId = ChannelId(1);
    /// The first number for plugins' channels, given out by name.
    pub const FIRST_PLUGIN: ChannelId = ChannelId(1000);
    /// The first number for tool sessions.
    pub const FIRST_TOOL: ChannelId = ChannelId(2000);
    /// The last number.
    pub const LAST: ChannelId = ChannelId(2999);
}

impl fmt::Display for ChannelId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// What a channel guarantees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// At most once, in any order.
    Unreliable,
    /// At most once, and never an older message after a newer one.
    UnreliableSequenced,
    /// Exactly once, in any order.
    ReliableUnordered,
    /// Exactly once, in the order of sending.
    ReliableOrdered,
    /// At most once, in any order, sent again while it is lost until either limit is reached.
    Expiring {
        /// Further transmissions after the first; a spare copy is one of them.
        max_retransmits: u16,
        /// Time since `send` after which the message is given up.
        lifetime: Duration,
    },
}

impl Delivery {
    /// Whether every message arrives as long as the connection lives.
    pub const fn is_reliable(self) -> bool {
        matches!(self, Self::ReliableUnordered | Self::ReliableOrdered)
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreliable => write!(formatter, "unreliable"),
            Self::UnreliableSequenced => write!(formatter, "unreliable sequenced"),
            Self::ReliableUnordered => write!(formatter, "reliable unordered"),
            Self::ReliableOrdered => write!(formatter, "reliable ordered"),
            Self::Expiring { max_retransmits, lifetime } => {
                write!(formatter, "expiring after {max_retransmits} retransmits or {} ms", lifetime.as_millis())
            }
        }
    }
}

/// Who goes first when the budget does not suffice for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Priority {
    /// At the end of this frame, past the budget; only the ceiling of the budget holds it back.
    Critical,
    /// Eight shares of the budget.
    High,
    /// Four shares of the budget.
    Normal,
    /// One share of the budget: slow, never starved.
    Low,
}

impl fmt::Display for Priority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        })
    }
}

/// Settings of a channel; the same on both sides, which the handshake checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelConfig {
    /// Explicit name, at most 128 bytes; what a mismatch is told by.
    pub name: Cow<'static, str>,
    /// The guarantee.
    pub delivery: Delivery,
    /// Who goes first.
    pub priority: Priority,
    /// Greatest message in bytes. [`PeerConfig::max_message_bytes`](crate::PeerConfig::max_message_bytes) holds as
    /// well.
    pub max_message_bytes: usize,
}

impl ChannelConfig {
    /// A channel of normal priority with messages up to 64 KiB.
    pub fn new(name: impl Into<Cow<'static, str>>, delivery: Delivery) -> Self {
        Self { name: name.into(), delivery, priority: Priority::Normal, max_message_bytes: 64 << 10 }
    }

    /// The same with another priority.
    pub fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// The same with another greatest message, in bytes.
    pub fn with_max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// The lane of physics state: only the newest counts.
    pub fn phys() -> Self {
        Self::new("phys", Delivery::UnreliableSequenced).with_priority(Priority::High)
    }

    /// The lane of happenings that are worth a few tries and pointless when late.
    pub fn event() -> Self {
        Self::new("event", Delivery::Expiring { max_retransmits: 5, lifetime: Duration::from_secs(2) })
            .with_priority(Priority::High)
    }

    /// The lane of what must arrive in order: joins, scores, chat.
    pub fn dispatch() -> Self {
        Self::new("dispatch", Delivery::ReliableOrdered)
    }

    /// What the manifest says of this channel.
    pub(crate) fn describe(&self, id: ChannelId) -> String {
        format!("id {id}, {}, {} priority, {} bytes", self.delivery, self.priority, self.max_message_bytes)
    }
}
