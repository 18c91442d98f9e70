//! Where typed messages wait for the end of the frame.
//!
//! Many systems send in the same frame, in parallel and several types each. They share one queue behind a lock, so that
//! no two senders exclude each other and messages leave in the order in which they were sent.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bevy::prelude::*;
use slipstream_protocol::ChannelId;

use crate::error::NetworkError;

/// More bytes than this in one frame are a mistake that should be noticed where it is made.
const MAX_QUEUED_BYTES: usize = 8 * 1024 * 1024;
/// What a queue keeps of each of its lists when it is emptied, in entries and in bytes.
const MAX_KEPT: usize = 64 * 1024;

/// Typed messages of this frame.
#[derive(Resource, Debug, Default)]
pub(crate) struct Outbox {
    remote: Mutex<MessageQueue>,
    /// From a host to itself, through its local connection.
    local: Mutex<MessageQueue>,
}

/// Encoded messages, oldest first, in memory that is used again.
#[derive(Debug, Default)]
pub(crate) struct MessageQueue {
    messages: Vec<Queued>,
    /// The connections of each message, after those of the one before; and the same with their bytes.
    recipients: Vec<Entity>,
    payloads: Vec<u8>,
}

#[derive(Debug)]
struct Queued {
    channel: ChannelId,
    recipients: usize,
    bytes: usize,
}

/// An encoded message and the connections that get it.
#[derive(Debug)]
pub(crate) struct OutgoingMessage<'a> {
    pub(crate) to: &'a [Entity],
    pub(crate) channel: ChannelId,
    pub(crate) payload: &'a [u8],
}

impl Outbox {
    pub(crate) fn push(&self, message: &OutgoingMessage<'_>, channel_name: &str) -> Result<(), NetworkError> {
        let mut queue = lock(&self.remote);
        let queued_bytes = queue.payloads.len();
        if queued_bytes + message.payload.len() > MAX_QUEUED_BYTES {
            return Err(NetworkError::QueueFull { channel: channel_name.to_string(), queued_bytes });
        }
        queue.push(message);
        Ok(())
    }

    pub(crate) fn push_local(&self, message: &OutgoingMessage<'_>) {
        lock(&self.local).push(message);
    }

    /// Exchanges the messages of this frame for an empty queue.
    pub(crate) fn swap(&self, queue: &mut MessageQueue) {
        core::mem::swap(&mut *lock(&self.remote), queue);
    }

    /// Exchanges what a host has sent to itself for an empty queue.
    pub(crate) fn swap_local(&self, queue: &mut MessageQueue) {
        core::mem::swap(&mut *lock(&self.local), queue);
    }
}

impl MessageQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = OutgoingMessage<'_>> {
        let (mut recipients, mut payloads) = (self.recipients.as_slice(), self.payloads.as_slice());
        self.messages.iter().filter_map(move |queued| {
            let (to, others) = recipients.split_at_checked(queued.recipients)?;
            let (payload, rest) = payloads.split_at_checked(queued.bytes)?;
            (recipients, payloads) = (others, rest);
            Some(OutgoingMessage { to, channel: queued.channel, payload })
        })
    }

    pub(crate) fn clear(&mut self) {
        self.messages.clear();
        self.recipients.clear();
        self.payloads.clear();
        // One frame with a lot to say is not paid for ever.
        self.messages.shrink_to(MAX_KEPT);
        self.recipients.shrink_to(MAX_KEPT);
        self.payloads.shrink_to(MAX_KEPT);
    }

    fn push(&mut self, message: &OutgoingMessage<'_>) {
        self.recipients.extend_from_slice(message.to);
        self.payloads.extend_from_slice(message.payload);
        self.messages.push(Queued {
            channel: message.channel,
            recipients: message.to.len(),
            bytes: message.payload.len(),
        });
    }
}

/// A queue is whole between any two of its operations, so another thread's panic does not spoil it.
fn lock(queue: &Mutex<MessageQueue>) -> MutexGuard<'_, MessageQueue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entities(count: usize) -> Vec<Entity> {
        let mut world = World::new();
        (0..count).map(|_| world.spawn_empty().id()).collect()
    }

    #[test]
    fn messages_come_apart_as_they_were_put_in_and_their_memory_is_used_again() {
        let (outbox, to) = (Outbox::default(), entities(3));
        let sent: [(&[Entity], &[u8]); 3] = [(&to[..1], b"one"), (&to[..0], b""), (&to[1..], b"three")];
        let mut queue = MessageQueue::default();
        let mut places = Vec::new();
        for _ in 0..4 {
            for (to, payload) in sent {
                outbox.push(&OutgoingMessage { to, channel: ChannelId(10), payload }, "dispatch").unwrap();
            }
            outbox.swap(&mut queue);
            let came: Vec<_> = queue.iter().map(|message| (message.to, message.payload)).collect();
            assert_eq!(came, sent);
            places.push(queue.payloads.as_ptr());
            queue.clear();
            assert!(queue.is_empty() && queue.iter().next().is_none());
        }
        assert_eq!(places[..2], places[2..], "two queues take turns");
    }

    #[test]
    fn what_a_frame_may_queue_and_what_is_kept_of_it_is_bounded() {
        let (outbox, to) = (Outbox::default(), entities(1));
        let message = OutgoingMessage { to: &to, channel: ChannelId(10), payload: &[7; 100_000] };
        let accepted = (0..1000).take_while(|_| outbox.push(&message, "dispatch").is_ok()).count();
        assert_eq!(accepted, MAX_QUEUED_BYTES / 100_000);
        let mut queue = MessageQueue::default();
        outbox.swap(&mut queue);
        queue.clear();
        assert!(queue.payloads.capacity() <= MAX_KEPT);
        assert!(outbox.push(&message, "dispatch").is_ok(), "the next frame has room again");
    }
}
