//! Messages that name entities which do not exist here yet.

use core::time::Duration;
use std::collections::VecDeque;

use slipstream_protocol::{ChannelId, Delivery};

use crate::registry::NetworkProtocol;

/// One connection's waiting messages, oldest first. Bounded in time and bytes by
/// [`ConnectionLimits`](crate::ConnectionLimits).
#[derive(Debug, Default)]
pub(crate) struct WaitingMessages {
    queue: VecDeque<WaitingMessage>,
    bytes: usize,
    /// How many entities had been named when the queue was last tried.
    tried_at: u64,
    /// Something was dropped from the front, so that what it held up may pass.
    freed: bool,
}

#[derive(Debug)]
pub(crate) struct WaitingMessage {
    pub(crate) since: Duration,
    pub(crate) channel: ChannelId,
    pub(crate) payload: Vec<u8>,
}

impl WaitingMessage {
    /// Memory charged, in bytes: a short message is not free, or a peer could make the queue long.
    fn cost(&self) -> usize {
        self.payload.capacity() + size_of::<Self>()
    }
}

impl WaitingMessages {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether another try could change anything: an entity got its name, or a message has waited long enough.
    pub(crate) fn is_due(&self, now: Duration, named_entities: u64, waiting_time: Duration) -> bool {
        let Some(oldest) = self.queue.front() else { return false };
        self.freed || self.tried_at != named_entities || oldest.since.saturating_add(waiting_time) <= now
    }

    /// Takes everything, to try it again.
    pub(crate) fn take(&mut self, named_entities: u64) -> VecDeque<WaitingMessage> {
        self.tried_at = named_entities;
        self.freed = false;
        self.bytes = 0;
        core::mem::take(&mut self.queue)
    }

    pub(crate) fn keep(&mut self, message: WaitingMessage, named_entities: u64) {
        if self.queue.is_empty() {
            self.tried_at = named_entities;
        }
        self.bytes += message.cost();
        self.queue.push_back(message);
    }

    /// Whether a message on this channel must queue up behind one that waits, because the channel keeps its order.
    pub(crate) fn holds_up(&self, protocol: &NetworkProtocol, channel: ChannelId) -> bool {
        self.queue.iter().any(|message| message.channel == channel)
            && protocol
                .channel_entry(channel)
                .is_some_and(|entry| matches!(entry.config.delivery, Delivery::ReliableOrdered))
    }

    /// Drops the oldest messages until the rest fits; returns how many.
    pub(crate) fn shrink_to(&mut self, limit_bytes: usize) -> u64 {
        let mut dropped = 0;
        while self.bytes > limit_bytes {
            let Some(message) = self.queue.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(message.cost());
            self.freed = true;
            dropped += 1;
        }
        dropped
    }
}

/// Whether a message on this channel is worth waiting for: of sequenced ones only the newest counts, and it comes soon.
pub(crate) fn may_wait(protocol: &NetworkProtocol, channel: ChannelId) -> bool {
    protocol.channel_entry(channel).is_some_and(|entry| !matches!(entry.config.delivery, Delivery::UnreliableSequenced))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(since: u64, bytes: usize) -> WaitingMessage {
        WaitingMessage { since: Duration::from_millis(since), channel: ChannelId(10), payload: vec![0; bytes] }
    }

    #[test]
    fn the_queue_is_tried_again_only_when_that_can_help() {
        let mut waiting = WaitingMessages::default();
        waiting.keep(message(100, 10), 5);
        let (patience, soon) = (Duration::from_secs(2), Duration::from_millis(200));
        assert!(!waiting.is_due(soon, 5, patience));
        assert!(waiting.is_due(soon, 6, patience));
        assert!(waiting.is_due(Duration::from_millis(2100), 5, patience));
    }

    #[test]
    fn the_oldest_are_dropped_when_there_is_no_room() {
        let mut waiting = WaitingMessages::default();
        for since in 0..5 {
            waiting.keep(message(since, 30), 0);
        }
        let each = message(0, 30).cost();
        assert_eq!(waiting.bytes(), 5 * each);
        assert_eq!(waiting.shrink_to(3 * each + 10), 2);
        assert_eq!(waiting.bytes(), 3 * each);
        assert!(waiting.is_due(Duration::ZERO, 0, Duration::from_secs(2)));
        assert_eq!(waiting.take(0).front().map(|message| message.since), Some(Duration::from_millis(2)));
        assert_eq!(waiting.bytes(), 0);
    }
}
