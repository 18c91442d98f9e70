//! Sending without a second try.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use super::send::{Candidate, Chunking, message_cost, piece_weight};
use crate::buffer_pool::BufferPool;
use crate::loss::Cargo;

/// How long a message may take that is being sent in pieces; below the time for which a receiver keeps such pieces.
const STARTED_WAIT: Duration = Duration::from_secs(4);

/// A queue of messages that are sent once and forgotten; those with a token are remembered by it.
#[derive(Debug)]
pub(crate) struct UnreliableSender {
    queue: VecDeque<Unsent>,
    /// Number and next piece of the front message, when it is being sent in pieces.
    front: Option<(u64, u16)>,
    /// Number of the next message sent in pieces. Whole ones need none.
    next_number: u64,
    /// Tracked messages that were sent in pieces: the token and how many pieces are unacknowledged.
    tracked: HashMap<u64, (u64, u16)>,
    max_wait: Duration,
    waiting_bytes: usize,
    cost: usize,
    /// Memory of messages that were sent.
    pool: BufferPool,
}

#[derive(Debug)]
struct Unsent {
    payload: Vec<u8>,
    token: Option<u64>,
    queued_at: Duration,
    chunking: Chunking,
}

impl Unsent {
    fn pieces(&self) -> u16 {
        self.chunking.pieces(self.payload.len())
    }

    fn cost(&self) -> usize {
        message_cost(self.payload.capacity(), self.pieces())
    }

    /// What the pieces from `first` on take of the budget.
    fn weight_from(&self, first: u16) -> usize {
        (first..self.pieces()).map(|piece| piece_weight(self.chunking.span(self.payload.len(), piece).1)).sum()
    }
}

impl UnreliableSender {
    /// A queue in which a message waits at most `max_wait`: what comes later than that is worth less than its bytes.
    pub(crate) fn new(max_wait: Duration) -> Self {
        Self {
            queue: VecDeque::new(),
            front: None,
            next_number: 0,
            tracked: HashMap::new(),
            max_wait,
            waiting_bytes: 0,
            cost: 0,
            pool: BufferPool::default(),
        }
    }

    pub(crate) fn push(&mut self, now: Duration, payload: &[u8], token: Option<u64>, chunking: Chunking) {
        let unsent = Unsent { payload: self.pool.copy_of(payload), token, queued_at: now, chunking };
        self.cost += unsent.cost();
        self.waiting_bytes += unsent.weight_from(0);
        self.queue.push_back(unsent);
    }

    pub(crate) fn peek(&mut self) -> Option<Candidate> {
        let unsent = self.queue.front()?;
        let count = unsent.pieces();
        let (number, piece) = if count == 1 { (0, 0) } else { self.front.unwrap_or((self.next_number, 0)) };
        let (start, length) = unsent.chunking.span(unsent.payload.len(), piece);
        Some(Candidate { number, piece, count, start, length, again: false })
    }

    /// The bytes of the front message.
    pub(crate) fn payload(&self) -> &[u8] {
        self.queue.front().map(|unsent| unsent.payload.as_slice()).unwrap_or_default()
    }

    pub(crate) fn take(&mut self, candidate: &Candidate) -> Option<Cargo> {
        let token = self.queue.front()?.token;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(piece_weight(candidate.length));
        if candidate.count == 1 {
            self.pop();
            return token.map(Cargo::Token);
        }
        if candidate.piece == 0 {
            self.next_number += 1;
            if let Some(token) = token {
                self.tracked.insert(candidate.number, (token, candidate.count));
            }
        }
        if candidate.piece + 1 < candidate.count {
            self.front = Some((candidate.number, candidate.piece + 1));
        } else {
            self.pop();
        }
        token.map(|_| Cargo::Fragment { number: candidate.number })
    }

    /// A piece of a tracked message was acknowledged. Returns the token when it was the last.
    pub(crate) fn on_fragment_acked(&mut self, number: u64) -> Option<u64> {
        let (token, left) = self.tracked.get_mut(&number)?;
        let token = *token;
        *left = left.saturating_sub(1);
        if *left > 0 {
            return None;
        }
        self.tracked.remove(&number);
        Some(token)
    }

    /// A piece of a tracked message was lost, and with it the message. Returns the token, the first time.
    pub(crate) fn on_fragment_lost(&mut self, number: u64) -> Option<u64> {
        let (token, _) = self.tracked.remove(&number)?;
        if self.front.is_some_and(|(front, _)| front == number) {
            self.drop_front(); // the rest of it would be of no use
        }
        Some(token)
    }

    /// Gives up what has waited for too long; adds the tokens to `lost`.
    pub(crate) fn give_up_stale(&mut self, now: Duration, lost: &mut Vec<u64>) {
        while let Some(unsent) = self.queue.front() {
            let started = self.front.is_some();
            let max_wait = if started { STARTED_WAIT } else { self.max_wait };
            if unsent.queued_at.saturating_add(max_wait) >= now {
                break;
            }
            lost.extend(unsent.token);
            if let Some((number, _)) = self.front {
                self.tracked.remove(&number);
            }
            self.drop_front();
        }
    }

    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    pub(crate) fn bookkeeping_bytes(&self) -> usize {
        self.tracked.len() * 32 + self.pool.bytes()
    }

    /// Removes the front message with what of it waits.
    fn drop_front(&mut self) {
        let first = self.front.map_or(0, |(_, piece)| piece);
        if let Some(unsent) = self.queue.front() {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(unsent.weight_from(first));
        }
        self.pop();
    }

    fn pop(&mut self) {
        self.front = None;
        if let Some(unsent) = self.queue.pop_front() {
            self.cost = self.cost.saturating_sub(unsent.cost());
            self.pool.put(unsent.payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_sent_message_holds_the_next() {
        let mut sender = UnreliableSender::new(Duration::from_secs(1));
        let chunking = Chunking { whole: 100, piece: 96 };
        let mut places = Vec::new();
        for length in [40, 60] {
            sender.push(Duration::ZERO, &vec![7; length], None, chunking);
            places.push(sender.payload().as_ptr());
            assert!(sender.cost() >= length && sender.bookkeeping_bytes() == 0);
            let candidate = sender.peek().unwrap();
            sender.take(&candidate);
            assert_eq!((sender.cost(), sender.waiting_bytes()), (0, 0));
            assert!(sender.bookkeeping_bytes() >= length);
        }
        assert_eq!(places[0], places[1]);
    }
}
