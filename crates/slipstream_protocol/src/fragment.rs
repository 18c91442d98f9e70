//! Putting messages together from their fragments, within bounds.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::channel::{ChannelId, message_cost};
use crate::error::ProtocolError;

/// Greatest count of fragments of one message.
pub(crate) const MAX_FRAGMENTS: u16 = 1024;
/// Greatest count of unfinished messages on a channel that may lose some.
const MAX_UNFINISHED: usize = 64;

/// Which part of its message a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) index: u16,
    pub(crate) count: u16,
}

/// Where a frame stood: the number of its datagram and its place in it. Sequenced messages are ordered by it.
pub(crate) type FrameKey = (u64, u32);

/// What to do with a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FragmentVerdict {
    /// New: it will take this much memory.
    Accept { cost: usize },
    /// It is there already.
    Duplicate,
    /// Its message was given up here, so it must not be acknowledged.
    Refuse,
}

/// How unfinished messages are given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Eviction {
    /// Memory for all unfinished messages, in bytes.
    pub(crate) max_cost: usize,
    /// How long a message may stay unfinished.
    pub(crate) lifetime: Duration,
}

/// The unfinished messages of a channel.
#[derive(Debug)]
pub(crate) struct PartialMessages {
    messages: BTreeMap<u64, Partial>,
    cost: usize,
    /// None: reliable, nothing is ever given up.
    eviction: Option<Eviction>,
    /// Numbers below this are refused when new: acknowledging a part of a message that was given up would be a lie.
    refused_below: u64,
    /// One above the greatest number seen; what wrapped numbers are expanded by.
    next: u64,
}

#[derive(Debug)]
struct Partial {
    parts: Vec<Option<Vec<u8>>>,
    missing: u16,
    bytes: usize,
    started: Duration,
    /// Key of the frame that carried the last fragment.
    last: FrameKey,
}

impl Partial {
    fn count(&self) -> u16 {
        self.parts.len() as u16
    }

    fn cost(&self) -> usize {
        message_cost(self.bytes, self.count())
    }

    fn has(&self, index: u16) -> bool {
        matches!(self.parts.get(usize::from(index)), Some(Some(_)))
    }
}

impl PartialMessages {
    pub(crate) fn new(eviction: Option<Eviction>) -> Self {
        Self { messages: BTreeMap::new(), cost: 0, eviction, refused_below: 0, next: 0 }
    }

    /// One above the greatest number seen.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Memory charged, in bytes.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// Judges a fragment without changing anything.
    pub(crate) fn check(
        &self,
        channel: ChannelId,
        number: u64,
        fragment: Fragment,
        length: usize,
        limit: usize,
    ) -> Result<FragmentVerdict, ProtocolError> {
        let Fragment { index, count } = fragment;
        let bad = ProtocolError::BadFragment { channel, index: u64::from(index), count: u64::from(count) };
        if length == 0 {
            return Err(bad);
        }
        if number < self.refused_below && !self.messages.contains_key(&number) {
            return Ok(FragmentVerdict::Refuse);
        }
        let (bytes, cost) = match self.messages.get(&number) {
            Some(partial) if partial.count() != count => return Err(bad),
            Some(partial) if partial.has(index) => return Ok(FragmentVerdict::Duplicate),
            Some(partial) => (partial.bytes + length, length),
            // Every fragment has a byte at least, so the count alone tells a least length.
            None => (length.max(usize::from(count)), message_cost(length, count)),
        };
        if bytes > limit {
            return Err(ProtocolError::MessageTooLarge { channel, length: bytes, limit });
        }
        Ok(FragmentVerdict::Accept { cost })
    }

    /// Takes a fragment that was judged acceptable. Returns the message and the key of its last fragment when it is
    /// whole.
    pub(crate) fn insert(
        &mut self,
        now: Duration,
        number: u64,
        fragment: Fragment,
        payload: &[u8],
        key: FrameKey,
        limit: usize,
    ) -> Option<(Vec<u8>, FrameKey)> {
        self.next = self.next.max(number + 1);
        let cost = &mut self.cost;
        let partial = self.messages.entry(number).or_insert_with(|| {
            let partial = Partial {
                parts: vec![None; usize::from(fragment.count)],
                missing: fragment.count,
                bytes: 0,
                started: now,
                last: key,
            };
            *cost += partial.cost();
            partial
        });
        let part = partial.parts.get_mut(usize::from(fragment.index))?;
        // Several fragments of one datagram are judged before the first of them is taken.
        if part.is_some() || partial.bytes + payload.len() > limit {
            return None;
        }
        *part = Some(payload.to_vec());
        partial.missing = partial.missing.saturating_sub(1);
        partial.bytes += payload.len();
        if fragment.index + 1 == fragment.count {
            partial.last = key;
        }
        self.cost += payload.len();
        if partial.missing > 0 {
            self.evict(number);
            return None;
        }
        let partial = self.messages.remove(&number)?;
        self.cost = self.cost.saturating_sub(partial.cost());
        let mut message = Vec::with_capacity(partial.bytes);
        for part in partial.parts.iter().flatten() {
            message.extend_from_slice(part);
        }
        Some((message, partial.last))
    }

    /// Gives up what has been unfinished for too long.
    pub(crate) fn expire(&mut self, now: Duration) {
        let Some(eviction) = self.eviction else {
            return;
        };
        while let Some((number, partial)) = self.messages.first_key_value() {
            if partial.started.saturating_add(eviction.lifetime) > now {
                break;
            }
            let number = *number;
            self.give_up(number);
        }
    }

    /// Gives up the oldest messages until the bounds hold; never the one just touched.
    fn evict(&mut self, keep: u64) {
        let Some(eviction) = self.eviction else {
            return;
        };
        while self.cost > eviction.max_cost || self.messages.len() > MAX_UNFINISHED {
            let oldest = self.messages.keys().find(|number| **number != keep).copied();
            match oldest {
                Some(number) => self.give_up(number),
                None => break,
            }
        }
    }

    fn give_up(&mut self, number: u64) {
        if let Some(partial) = self.messages.remove(&number) {
            self.cost = self.cost.saturating_sub(partial.cost());
            self.refused_below = self.refused_below.max(number + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(index: u16, count: u16) -> Fragment {
        Fragment { index, count }
    }

    #[test]
    fn fragments_join_in_any_order_and_leave_nothing_behind() {
        let mut partial = PartialMessages::new(None);
        let now = Duration::ZERO;
        assert!(partial.insert(now, 0, fragment(2, 3), b"c", (9, 0), 100).is_none());
        assert!(partial.insert(now, 0, fragment(0, 3), b"a", (7, 0), 100).is_none());
        let (message, key) = partial.insert(now, 0, fragment(1, 3), b"b", (8, 0), 100).unwrap();
        assert_eq!((message.as_slice(), key), (b"abc".as_slice(), (9, 0)));
        assert_eq!(partial.cost(), 0);
    }

    #[test]
    fn a_message_given_up_is_never_acknowledged_in_part() {
        let eviction = Eviction { max_cost: 10_000, lifetime: Duration::from_secs(5) };
        let mut partial = PartialMessages::new(Some(eviction));
        partial.insert(Duration::ZERO, 0, fragment(0, 2), b"a", (0, 0), 100);
        partial.expire(Duration::from_secs(5));
        assert_eq!(partial.cost(), 0);
        let verdict = partial.check(ChannelId(1), 0, fragment(1, 2), 1, 100).unwrap();
        assert_eq!(verdict, FragmentVerdict::Refuse);
    }

    #[test]
    fn fragments_that_contradict_each_other_or_the_limit_are_errors() {
        let mut partial = PartialMessages::new(None);
        partial.insert(Duration::ZERO, 0, fragment(0, 2), b"a", (0, 0), 100);
        assert!(partial.check(ChannelId(1), 0, fragment(1, 3), 1, 100).is_err());
        assert!(partial.check(ChannelId(1), 0, fragment(1, 2), 100, 100).is_err());
        assert!(partial.check(ChannelId(1), 1, fragment(0, 200), 1, 100).is_err());
        assert!(partial.check(ChannelId(1), 1, fragment(0, 2), 0, 100).is_err());
    }
}
