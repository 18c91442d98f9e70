//! What a peer may hold: budgets, queues and memory.

use super::Peer;
use crate::buffer_pool::BufferPool;
use crate::channel::{ChannelId, Priority, Sender, WINDOW, message_cost};
use crate::error::SendError;
use crate::event::PeerEvent;
use crate::fragment::MAX_FRAGMENTS;
use crate::link::MAX_DATAGRAM_BYTES;
use crate::loss::{MAX_CARRIED, SentPackets};
use crate::{ReceivedMessage, manifest::Manifest};

/// What a datagram takes beside the messages in it, about: its header and an acknowledgement.
pub(super) const DATAGRAM_OVERHEAD: usize = 24;
/// Bytes of spare copies that may be saved up.
pub(super) const SPARE_BURST: f64 = 1200.0;
/// Events that may wait to be taken before tracked messages are refused.
pub(super) const MAX_EVENTS: usize = 16_384;
/// What a sender keeps for each number in its window.
const SLOT_BYTES: usize = 16;
/// Spare copies that may wait.
pub(super) const MAX_SPARES: usize = 1024;
/// How much a received datagram may grow in the inbox: its smallest frame has two bytes and becomes a message.
const SMALLEST_FRAME_GROWTH: usize = 24;

/// Memory that a message in the inbox is charged for, by the capacity of its payload.
pub(super) fn inbox_cost(capacity: usize) -> usize {
    capacity + size_of::<ReceivedMessage>() + 16
}

impl Peer {
    /// Memory in use, in bytes, about: what is queued, held back, remembered and waiting to be taken.
    pub fn memory_bytes(&self) -> usize {
        let channels: usize = self
            .channels
            .iter()
            .map(|channel| {
                size_of_val(channel)
                    + channel.sender.cost()
                    + channel.sender.bookkeeping_bytes()
                    + channel.receiver.held_bytes()
                    + channel.receiver.partial_bytes()
                    + channel.receiver.window_bytes()
            })
            .sum();
        channels
            + self.fixed_bytes()
            + self.inbox_bytes
            + self.pool.bytes()
            + self.events.len() * size_of::<PeerEvent>()
            + self.spares.len() * size_of::<super::Spare>()
            + self.sent.memory_bytes()
            + match &self.state {
                super::State::Initiating(initiator) => initiator.memory_bytes(),
                super::State::Accepting(acceptor) => acceptor.memory_bytes(),
                _ => 0,
            }
    }

    /// What [`memory_bytes`](Self::memory_bytes) never exceeds, whatever either side does; some 14 MiB with the
    /// default settings and a handful of channels. A quiet connection takes a few kilobytes.
    ///
    /// It is the sum of: [`max_queued_bytes`](crate::PeerConfig::max_queued_bytes) once for what is to be sent, once
    /// for what is held back on arrival and twice for the inbox, eight unfinished messages of the channels that may
    /// lose some, the windows of the channels, the records of sent datagrams, the events, and what is kept of messages
    /// that are done with.
    pub fn memory_ceiling_bytes(&self) -> usize {
        let queued = self.config.max_queued_bytes;
        let channels: usize = self
            .channels
            .iter()
            .map(|channel| {
                size_of_val(channel)
                    + WINDOW as usize * SLOT_BYTES
                    + Sender::MAX_KEPT_BYTES
                    + channel.receiver.window_bytes()
            })
            .sum();
        let control = self.channels.len() * message_cost(super::CONTROL_MESSAGE_BYTES, 1);
        // Entries of what is to be sent again, and of unreliable messages in fragments.
        let entries = MAX_CARRIED * 64;
        let events = (MAX_EVENTS + 2 * MAX_CARRIED + queued / message_cost(0, 1)) * size_of::<PeerEvent>();
        let handshake = 256 * 1024;
        4 * queued
            + queued / 8
            + self.largest_cost()
            + self.partial_limit()
            + MAX_DATAGRAM_BYTES * SMALLEST_FRAME_GROWTH
            + channels
            + control
            + entries
            + events
            + MAX_SPARES * size_of::<super::Spare>()
            + BufferPool::MAX_BYTES
            + SentPackets::memory_ceiling()
            + self.fixed_bytes()
            + handshake
    }

    /// Greatest message of a channel, with the limits of this side considered.
    pub(super) fn channel_limit(&self, max_message_bytes: usize) -> usize {
        // Half of what may be queued, so that one message never blocks a channel for good.
        let queue = reliable_limit(self.config.max_queued_bytes) / 2;
        max_message_bytes.min(self.config.max_message_bytes).min(queue)
    }

    /// Memory of unfinished messages on channels that may lose some, in bytes.
    pub(super) fn partial_limit(&self) -> usize {
        8 * self.largest_cost()
    }

    /// Memory of the largest message while it is put together, in bytes.
    fn largest_cost(&self) -> usize {
        message_cost(self.channel_limit(self.config.max_message_bytes), MAX_FRAGMENTS)
    }

    /// Tokens that may be saved up at `rate` bytes a second: a tenth of a second, two datagrams at least.
    pub(super) fn burst(&self, rate: f64) -> f64 {
        (rate / 10.0).max(2.0 * self.link.mtu as f64)
    }

    /// Whether a message of `length` bytes may be queued.
    pub(super) fn check_room(
        &self,
        channel: ChannelId,
        index: u16,
        length: usize,
        tracked: bool,
    ) -> Result<(), SendError> {
        let Some(found) = self.channels.get(index) else {
            return Err(SendError::UnknownChannel { channel });
        };
        let theirs = self.remote_limits;
        let sendable = usize::from(MAX_FRAGMENTS) * self.chunking.piece;
        let limit = found.limit.min(theirs.message_bytes as usize).min(sendable);
        if length > limit {
            return Err(SendError::MessageTooLarge { channel, length, limit });
        }
        let cost = message_cost(length, self.chunking.pieces(length));
        let (reliable, all) = self.channels.send_costs();
        let all_limit = self.config.max_queued_bytes;
        if all + cost > all_limit || (tracked && self.events.len() >= MAX_EVENTS) {
            return Err(SendError::QueueFull { channel, queued_bytes: all, limit_bytes: all_limit });
        }
        if found.config.delivery.is_reliable() {
            let queue = all_limit.min(theirs.queued_bytes as usize);
            let limit_bytes = match found.config.priority {
                Priority::Low => reliable_limit(queue) / 4 * 3,
                _ => reliable_limit(queue),
            };
            if reliable + cost > limit_bytes {
                return Err(SendError::QueueFull { channel, queued_bytes: reliable, limit_bytes });
            }
        }
        Ok(())
    }

    /// Memory that does not depend on traffic.
    fn fixed_bytes(&self) -> usize {
        let manifest: &Manifest = &self.config.manifest;
        size_of::<Self>() + self.received.memory_bytes() + manifest.memory_bytes() + 4 * self.link.mtu
    }
}

/// What reliable messages may take of a queue; the rest is for those that do not wait.
fn reliable_limit(max_queued_bytes: usize) -> usize {
    max_queued_bytes / 8 * 7
}
