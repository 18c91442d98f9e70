//! The memory of messages that are done with, kept for the next ones.

use std::collections::VecDeque;

/// Capacities that are kept. Longer messages travel in fragments and are rare.
const LEAST_CAPACITY: usize = 16;
const GREATEST_CAPACITY: usize = 2048;
/// Buffers kept: what is searched for each message.
const MAX_BUFFERS: usize = 64;

/// Buffers without content, within [`MAX_BYTES`](Self::MAX_BYTES).
///
/// Their capacities are powers of two, and a message gets the least that holds it: were any buffer good for any message, a
/// peer could make short messages, which are cheap to queue, hold the memory of long ones.
#[derive(Debug, Default)]
pub(crate) struct BufferPool {
    /// The one given back last is at the back.
    buffers: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl BufferPool {
    /// What the buffers take together at most, in bytes: 31 of the largest. The greatest budget, 2 MB a second, is 28
    /// datagrams in each frame of a sixtieth of a second.
    pub(crate) const MAX_BYTES: usize = 64 << 10;

    /// A copy of a message. Its capacity is below twice its length, or 16.
    pub(crate) fn copy_of(&mut self, message: &[u8]) -> Vec<u8> {
        if message.is_empty() || message.len() > GREATEST_CAPACITY {
            return message.to_vec();
        }
        let capacity = message.len().next_power_of_two().max(LEAST_CAPACITY);
        let mut buffer = self.take(capacity).unwrap_or_else(|| Vec::with_capacity(capacity));
        buffer.extend_from_slice(message);
        buffer
    }

    /// Gives a buffer back. Where there are too many, those that nobody has wanted for longest are freed.
    pub(crate) fn put(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if !capacity.is_power_of_two() || !(LEAST_CAPACITY..=GREATEST_CAPACITY).contains(&capacity) {
            return;
        }
        while self.buffers.len() >= MAX_BUFFERS || self.bytes + cost(capacity) > Self::MAX_BYTES {
            let Some(freed) = self.buffers.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(cost(freed.capacity()));
        }
        buffer.clear();
        self.bytes += cost(capacity);
        self.buffers.push_back(buffer);
    }

    /// Heap bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn take(&mut self, capacity: usize) -> Option<Vec<u8>> {
        let place = self.buffers.iter().rposition(|buffer| buffer.capacity() == capacity)?;
        let buffer = self.buffers.remove(place)?;
        self.bytes = self.bytes.saturating_sub(cost(capacity));
        Some(buffer)
    }
}

/// Memory of one buffer of this capacity.
fn cost(capacity: usize) -> usize {
    capacity + size_of::<Vec<u8>>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_gets_the_memory_of_one_of_its_size() {
        let mut pool = BufferPool::default();
        let long = pool.copy_of(&[1; 1000]);
        let (place, capacity) = (long.as_ptr(), long.capacity());
        pool.put(long);
        let short = pool.copy_of(&[2; 20]);
        assert!(short.capacity() < 40, "a short message holds {} bytes", short.capacity());
        let long = pool.copy_of(&[3; 900]);
        assert_eq!((long.as_ptr(), long.capacity()), (place, capacity));
        assert_eq!(long, [3; 900]);
        assert_eq!(pool.bytes(), 0);
    }

    #[test]
    fn the_pool_is_bounded_and_keeps_what_was_used_last() {
        let mut pool = BufferPool::default();
        for length in [1, 100, 2000, 5000] {
            let buffers: Vec<Vec<u8>> = (0..500).map(|_| pool.copy_of(&vec![7; length])).collect();
            for buffer in buffers {
                pool.put(buffer);
                assert!(pool.bytes() <= BufferPool::MAX_BYTES && pool.buffers.len() <= MAX_BUFFERS);
            }
        }
        assert!(pool.buffers.len() > 28);
        assert!(pool.buffers.iter().all(|buffer| buffer.capacity() == 2048));
    }

    #[test]
    fn memory_of_another_size_is_not_kept() {
        let mut pool = BufferPool::default();
        for capacity in [0, 8, 1000, 4096] {
            pool.put(Vec::with_capacity(capacity));
        }
        assert_eq!(pool.bytes(), 0);
    }
}
