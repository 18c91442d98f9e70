//! The receiving half of a channel: judge a frame first, take it afterwards.

use core::time::Duration;

use slipstream_wire::Sequence;

use super::ordered::ReorderBuffer;
use super::reliable::WINDOW;
use super::send::message_cost;
use super::{ChannelId, Delivery};
use crate::buffer_pool::BufferPool;
use crate::error::ProtocolError;
use crate::fragment::{Eviction, FragmentVerdict, FrameKey, MAX_FRAGMENTS, PartialMessages};
use crate::packet::{Frame, expand_32};
use crate::seen::{Seen, SeenWindow};

/// How long an unreliable message may stay unfinished.
const UNFINISHED_LIFETIME: Duration = Duration::from_secs(5);
/// What is added to an expiring message's lifetime: no datagram is under way for longer.
const EXPIRING_GRACE: Duration = Duration::from_secs(10);

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// New: it may be held back in `held` bytes of memory that the sender accounts for, or stay unfinished in `partial`
    /// bytes that nobody accounts for.
    Accept { held: usize, partial: usize },
    /// It is here already; acknowledge it, do nothing else.
    Duplicate,
    /// It cannot be taken any more and must not be acknowledged.
    Refuse,
}

/// The receiving half.
#[derive(Debug)]
pub(crate) struct Receiver {
    order: Order,
    partial: PartialMessages,
}

#[derive(Debug)]
enum Order {
    Any,
    /// Nothing older than this frame is delivered.
    Newest(Option<FrameKey>),
    Once(SeenWindow),
    OnceExpiring(SeenWindow),
    Consecutive(ReorderBuffer),
}

impl Receiver {
    pub(crate) fn new(delivery: Delivery, limit: usize) -> Self {
        let max_cost = 2 * message_cost(limit, MAX_FRAGMENTS);
        let (order, lifetime) = match delivery {
            Delivery::Unreliable => (Order::Any, Some(UNFINISHED_LIFETIME)),
            Delivery::UnreliableSequenced => (Order::Newest(None), Some(UNFINISHED_LIFETIME)),
            Delivery::ReliableUnordered => (Order::Once(SeenWindow::new(WINDOW as usize)), None),
            Delivery::ReliableOrdered => (Order::Consecutive(ReorderBuffer::default()), None),
            Delivery::Expiring { lifetime, .. } => {
                (Order::OnceExpiring(SeenWindow::new(WINDOW as usize)), Some(lifetime.saturating_add(EXPIRING_GRACE)))
            }
        };
        let eviction = lifetime.map(|lifetime| Eviction { max_cost, lifetime });
        Self { order, partial: PartialMessages::new(eviction) }
    }

    /// Judges a frame without changing anything.
    pub(crate) fn check(&self, channel: ChannelId, frame: &Frame<'_>, limit: usize) -> Result<Verdict, ProtocolError> {
        let length = frame.payload.len();
        if length > limit {
            return Err(ProtocolError::MessageTooLarge { channel, length, limit });
        }
        let number = self.expand(frame.number);
        let end = match &self.order {
            Order::Once(seen) => seen.next() + WINDOW,
            Order::Consecutive(buffer) => buffer.next() + WINDOW,
            Order::Any | Order::Newest(_) | Order::OnceExpiring(_) => u64::MAX,
        };
        if number >= end {
            return Err(ProtocolError::WindowExceeded { channel, number, limit: end });
        }
        match &self.order {
            Order::Once(seen) if seen.look(number) != Seen::New => return Ok(Verdict::Duplicate),
            Order::OnceExpiring(seen) => match seen.look(number) {
                Seen::New => {}
                Seen::Before => return Ok(Verdict::Duplicate),
                Seen::TooOld => return Ok(Verdict::Refuse),
            },
            Order::Consecutive(buffer) if buffer.has(number) => return Ok(Verdict::Duplicate),
            _ => {}
        }
        let Some(fragment) = frame.fragment else {
            let held = match &self.order {
                Order::Consecutive(_) => message_cost(length, 1),
                _ => 0,
            };
            return Ok(Verdict::Accept { held, partial: 0 });
        };
        let verdict = self.partial.check(channel, number, fragment, length, limit)?;
        Ok(match verdict {
            FragmentVerdict::Accept { cost } if self.is_accounted() => Verdict::Accept { held: cost, partial: 0 },
            FragmentVerdict::Accept { cost } => Verdict::Accept { held: 0, partial: cost },
            FragmentVerdict::Duplicate => Verdict::Duplicate,
            FragmentVerdict::Refuse => Verdict::Refuse,
        })
    }

    /// Takes a frame that was judged acceptable; whole messages that may be delivered go to `delivered`, in memory of
    /// `pool`.
    pub(crate) fn accept(
        &mut self,
        now: Duration,
        frame: &Frame<'_>,
        key: FrameKey,
        limit: usize,
        pool: &mut BufferPool,
        delivered: &mut Vec<Vec<u8>>,
    ) {
        let number = self.expand(frame.number);
        let known = match &self.order {
            Order::Any | Order::Newest(_) => false,
            Order::Once(seen) | Order::OnceExpiring(seen) => seen.look(number) != Seen::New,
            Order::Consecutive(buffer) => buffer.has(number),
        };
        if known {
            return;
        }
        let (payload, key) = match (frame.fragment, &self.order) {
            // What is held back is charged by its length, so it takes no more than that.
            (None, Order::Consecutive(buffer)) if number > buffer.next() => (frame.payload.to_vec(), key),
            (None, _) => (pool.copy_of(frame.payload), key),
            (Some(fragment), _) => {
                let whole = self.partial.insert(now, number, fragment, frame.payload, key, limit);
                match whole {
                    Some(whole) => whole,
                    None => return,
                }
            }
        };
        match &mut self.order {
            Order::Any => delivered.push(payload),
            Order::Newest(newest) => {
                if newest.is_none_or(|newest| key > newest) {
                    *newest = Some(key);
                    delivered.push(payload);
                } else {
                    pool.put(payload);
                }
            }
            Order::Once(seen) | Order::OnceExpiring(seen) => {
                seen.insert(number);
                delivered.push(payload);
            }
            Order::Consecutive(buffer) => buffer.insert(number, payload, delivered),
        }
    }

    /// Gives up unfinished messages that may be lost.
    pub(crate) fn expire(&mut self, now: Duration) {
        self.partial.expire(now);
    }

    /// Memory held back that the sender accounts for, in bytes.
    pub(crate) fn held_bytes(&self) -> usize {
        let early = match &self.order {
            Order::Consecutive(buffer) => buffer.cost(),
            _ => 0,
        };
        if self.is_accounted() { early + self.partial.cost() } else { early }
    }

    /// Memory of unfinished messages that nobody accounts for, in bytes.
    pub(crate) fn partial_bytes(&self) -> usize {
        if self.is_accounted() { 0 } else { self.partial.cost() }
    }

    /// Memory of the window, in bytes.
    pub(crate) fn window_bytes(&self) -> usize {
        match &self.order {
            Order::Any | Order::Newest(_) | Order::Consecutive(_) => 0,
            Order::Once(seen) | Order::OnceExpiring(seen) => seen.memory_bytes(),
        }
    }

    /// Whether unfinished messages are charged to the sender, who will finish every one of them.
    fn is_accounted(&self) -> bool {
        matches!(self.order, Order::Once(_) | Order::Consecutive(_))
    }

    /// The full number of a message.
    fn expand(&self, wire: u32) -> u64 {
        match &self.order {
            Order::Any | Order::Newest(_) => expand_16(wire, self.partial.next()),
            Order::Once(seen) => expand_16(wire, seen.next()),
            Order::Consecutive(buffer) => expand_16(wire, buffer.next()),
            Order::OnceExpiring(seen) => expand_32(wire, seen.next()),
        }
    }
}

fn expand_16(wire: u32, reference: u64) -> u64 {
    Sequence(wire as u16).expand(reference)
}
