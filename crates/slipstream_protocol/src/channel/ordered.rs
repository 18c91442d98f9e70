//! Holding messages back until those before them have arrived.

use std::collections::BTreeMap;

use super::reliable::WINDOW;
use super::send::message_cost;

/// Messages that came too early, by number.
#[derive(Debug, Default)]
pub(crate) struct ReorderBuffer {
    /// The number that is delivered next.
    next: u64,
    early: BTreeMap<u64, Vec<u8>>,
    cost: usize,
}

impl ReorderBuffer {
    /// The number that is delivered next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Memory charged, in bytes.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// Whether this message has arrived.
    pub(crate) fn has(&self, number: u64) -> bool {
        number < self.next || self.early.contains_key(&number)
    }

    /// Takes a message and moves what is in order to `delivered`.
    pub(crate) fn insert(&mut self, number: u64, payload: Vec<u8>, delivered: &mut Vec<Vec<u8>>) {
        if number >= self.next + WINDOW || self.has(number) {
            return;
        }
        if number > self.next {
            self.cost += message_cost(payload.len(), 1);
            self.early.insert(number, payload);
            return;
        }
        delivered.push(payload);
        self.next += 1;
        while let Some(payload) = self.early.remove(&self.next) {
            self.cost = self.cost.saturating_sub(message_cost(payload.len(), 1));
            delivered.push(payload);
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_leave_in_order() {
        let mut buffer = ReorderBuffer::default();
        let mut delivered = Vec::new();
        for number in [2, 1, 1, 4] {
            buffer.insert(number, vec![number as u8], &mut delivered);
        }
        assert!(delivered.is_empty());
        buffer.insert(0, vec![0], &mut delivered);
        assert_eq!(delivered, [[0], [1], [2]]);
        assert!(buffer.has(2) && !buffer.has(3) && buffer.has(4));
        buffer.insert(3, vec![3], &mut delivered);
        assert_eq!(delivered.len(), 5);
        assert_eq!((buffer.cost(), buffer.next()), (0, 5));
    }
}
