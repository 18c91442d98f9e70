//! Sending until it is acknowledged, or until a limit is reached.

use core::mem;
use core::time::Duration;
use std::collections::VecDeque;

use super::send::{Candidate, Chunking, message_cost, piece_weight};
use crate::buffer_pool::BufferPool;

/// Messages that may be outstanding, from the oldest unacknowledged one on. The receiver keeps a window of this size.
pub(crate) const WINDOW: u64 = 8192;
/// Messages that are done with and whose records are kept for the next ones.
const MAX_BLANK: usize = 32;

/// Messages by number, from the oldest unacknowledged one on.
#[derive(Debug)]
pub(crate) struct ReliableSender {
    /// The receiver holds messages back behind a missing one; so their cost stays with us until that one arrived.
    ordered: bool,
    /// Greatest count of transmissions of a piece, and greatest age of a message.
    limits: Option<(u32, Duration)>,
    /// Number of the first slot.
    base: u64,
    slots: VecDeque<Slot>,
    /// The message, and its piece, that is to be sent for the first time next.
    fresh: (u64, u16),
    /// What is to be sent again. May hold entries that need it no longer; those are skipped.
    resend: VecDeque<(u64, u16)>,
    waiting_bytes: usize,
    cost: usize,
    /// Memory of messages that are done with: their bytes, and their records.
    pool: BufferPool,
    blank: VecDeque<Box<Outgoing>>,
}

#[derive(Debug)]
enum Slot {
    Outstanding(Box<Outgoing>),
    /// Acknowledged or given up; the cost that is still charged.
    Done(usize),
}

#[derive(Debug)]
struct Outgoing {
    payload: Vec<u8>,
    token: Option<u64>,
    queued_at: Duration,
    chunking: Chunking,
    unacked: u16,
    first: Piece,
    rest: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Piece {
    /// Transmissions that are neither acknowledged nor lost.
    in_flight: u16,
    /// Transmissions so far.
    sends: u16,
    acked: bool,
    /// It is to be sent again.
    queued: bool,
}

impl Piece {
    fn waits(&self) -> bool {
        !self.acked && (self.queued || self.sends == 0)
    }
}

impl Outgoing {
    fn count(&self) -> u16 {
        self.chunking.pieces(self.payload.len())
    }

    fn cost(&self) -> usize {
        message_cost(self.payload.capacity(), self.count())
    }

    fn weight(&self, piece: u16) -> usize {
        piece_weight(self.chunking.span(self.payload.len(), piece).1)
    }

    fn piece(&self, index: u16) -> Option<&Piece> {
        match usize::from(index).checked_sub(1) {
            None => Some(&self.first),
            Some(rest) => self.rest.get(rest),
        }
    }

    fn piece_mut(&mut self, index: u16) -> Option<&mut Piece> {
        match usize::from(index).checked_sub(1) {
            None => Some(&mut self.first),
            Some(rest) => self.rest.get_mut(rest),
        }
    }

    fn waiting_weight(&self) -> usize {
        (0..self.count())
            .filter(|index| self.piece(*index).is_some_and(Piece::waits))
            .map(|index| self.weight(index))
            .sum()
    }

    fn candidate(&self, number: u64, piece: u16, again: bool) -> Candidate {
        let (start, length) = self.chunking.span(self.payload.len(), piece);
        Candidate { number, piece, count: self.count(), start, length, again }
    }
}

impl ReliableSender {
    /// What is kept for the next messages takes at most this, in bytes.
    pub(crate) const MAX_KEPT_BYTES: usize = BufferPool::MAX_BYTES + MAX_BLANK * size_of::<Outgoing>();

    pub(crate) fn new(ordered: bool, limits: Option<(u32, Duration)>) -> Self {
        Self {
            ordered,
            limits,
            base: 0,
            slots: VecDeque::new(),
            fresh: (0, 0),
            resend: VecDeque::new(),
            waiting_bytes: 0,
            cost: 0,
            pool: BufferPool::default(),
            blank: VecDeque::new(),
        }
    }

    pub(crate) fn push(&mut self, now: Duration, payload: &[u8], token: Option<u64>, chunking: Chunking) {
        let count = chunking.pieces(payload.len());
        let outgoing = Outgoing {
            payload: self.pool.copy_of(payload),
            token,
            queued_at: now,
            chunking,
            unacked: count,
            first: Piece::default(),
            rest: vec![Piece::default(); usize::from(count).saturating_sub(1)],
        };
        self.cost += outgoing.cost();
        self.waiting_bytes += outgoing.waiting_weight();
        let boxed = match self.blank.pop_back() {
            Some(mut blank) => {
                *blank = outgoing;
                blank
            }
            None => Box::new(outgoing),
        };
        self.slots.push_back(Slot::Outstanding(boxed));
    }

    pub(crate) fn peek(&mut self) -> Option<Candidate> {
        while let Some(&(number, piece)) = self.resend.front() {
            if let Some(outgoing) = self.outgoing(number)
                && outgoing.piece(piece).is_some_and(|p| p.queued && !p.acked)
            {
                return Some(outgoing.candidate(number, piece, true));
            }
            self.resend.pop_front();
        }
        if self.fresh.0 < self.base {
            self.fresh = (self.base, 0);
        }
        while self.fresh.0 < self.base + WINDOW {
            let (number, piece) = self.fresh;
            let index = (number - self.base) as usize;
            match self.slots.get(index)? {
                Slot::Outstanding(outgoing) => {
                    return Some(outgoing.candidate(number, piece, false));
                }
                Slot::Done(_) => self.fresh = (number + 1, 0),
            }
        }
        None
    }

    /// The bytes of a message.
    pub(crate) fn payload(&self, number: u64) -> &[u8] {
        self.outgoing(number).map(|outgoing| outgoing.payload.as_slice()).unwrap_or_default()
    }

    /// Notes a transmission. Returns whether a spare copy may follow.
    pub(crate) fn take(&mut self, candidate: &Candidate) -> bool {
        if candidate.again {
            self.resend.pop_front();
        } else if candidate.piece + 1 < candidate.count {
            self.fresh = (candidate.number, candidate.piece + 1);
        } else {
            self.fresh = (candidate.number + 1, 0);
        }
        self.waiting_bytes = self.waiting_bytes.saturating_sub(piece_weight(candidate.length));
        self.mark_sent(candidate);
        !candidate.again && candidate.count == 1
    }

    /// The spare copy of a whole message that is still on its way.
    pub(crate) fn spare(&self, number: u64) -> Option<Candidate> {
        let outgoing = self.outgoing(number)?;
        let piece = &outgoing.first;
        let useful = !piece.acked && !piece.queued && piece.in_flight > 0;
        (outgoing.rest.is_empty() && useful && self.may_send_again(piece)).then(|| outgoing.candidate(number, 0, true))
    }

    /// Notes the transmission of a spare copy.
    pub(crate) fn mark_sent(&mut self, candidate: &Candidate) {
        if let Some(outgoing) = self.outgoing_mut(candidate.number)
            && let Some(piece) = outgoing.piece_mut(candidate.piece)
        {
            piece.queued = false;
            piece.in_flight = piece.in_flight.saturating_add(1);
            piece.sends = piece.sends.saturating_add(1);
        }
    }

    /// A datagram with this piece was acknowledged. Returns the token when the message is complete by it.
    pub(crate) fn on_acked(&mut self, number: u64, piece: u16) -> Option<u64> {
        let outgoing = self.outgoing_mut(number)?;
        let weight = outgoing.weight(piece);
        let state = outgoing.piece_mut(piece)?;
        if state.acked {
            return None;
        }
        let waited = state.waits();
        state.acked = true;
        outgoing.unacked = outgoing.unacked.saturating_sub(1);
        let complete = outgoing.unacked == 0;
        let token = outgoing.token;
        if waited {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(weight);
        }
        if !complete {
            return None;
        }
        self.finish(number);
        token
    }

    /// A datagram with this piece was lost. Sends it again unless another copy is on its way; returns the token when
    /// that was the last transmission allowed.
    pub(crate) fn on_lost(&mut self, number: u64, piece: u16) -> Option<u64> {
        let limits = self.limits;
        let outgoing = self.outgoing_mut(number)?;
        let state = outgoing.piece_mut(piece)?;
        state.in_flight = state.in_flight.saturating_sub(1);
        if state.acked || state.queued || state.in_flight > 0 {
            return None;
        }
        if limits.is_some_and(|(sends, _)| u32::from(state.sends) >= sends) {
            return self.give_up(number);
        }
        self.send_again(number, piece);
        None
    }

    /// Sends a piece again although a copy of it may be on its way.
    pub(crate) fn probe(&mut self, number: u64, piece: u16) {
        let wanted = self
            .outgoing(number)
            .and_then(|outgoing| outgoing.piece(piece))
            .is_some_and(|state| !state.acked && !state.queued && self.may_send_again(state));
        if wanted {
            self.send_again(number, piece);
        }
    }

    /// Gives up messages that have reached their age; adds the tokens to `expired`.
    pub(crate) fn give_up_expired(&mut self, now: Duration, expired: &mut Vec<u64>) {
        while self.next_expiry().is_some_and(|expiry| expiry <= now) {
            expired.extend(self.give_up(self.base));
        }
    }

    /// When the oldest message expires.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        let (_, lifetime) = self.limits?;
        match self.slots.front()? {
            Slot::Outstanding(outgoing) => Some(outgoing.queued_at.saturating_add(lifetime)),
            Slot::Done(_) => None,
        }
    }

    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    pub(crate) fn bookkeeping_bytes(&self) -> usize {
        self.slots.len() * size_of::<Slot>()
            + self.resend.len() * size_of::<(u64, u16)>()
            + self.blank.len() * size_of::<Outgoing>()
            + self.pool.bytes()
    }

    fn may_send_again(&self, piece: &Piece) -> bool {
        self.limits.is_none_or(|(sends, _)| u32::from(piece.sends) < sends)
    }

    fn send_again(&mut self, number: u64, piece: u16) {
        let mut weight = 0;
        if let Some(outgoing) = self.outgoing_mut(number) {
            weight = outgoing.weight(piece);
            if let Some(state) = outgoing.piece_mut(piece) {
                state.queued = true;
            }
        }
        self.waiting_bytes += weight;
        self.resend.push_back((number, piece));
    }

    fn give_up(&mut self, number: u64) -> Option<u64> {
        let outgoing = self.outgoing(number)?;
        let token = outgoing.token;
        let weight = outgoing.waiting_weight();
        self.waiting_bytes = self.waiting_bytes.saturating_sub(weight);
        self.finish(number);
        token
    }

    /// Frees a message, and the slots in front that wait for nothing any more.
    fn finish(&mut self, number: u64) {
        let Some(index) = number.checked_sub(self.base) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(index as usize) else {
            return;
        };
        let kept = match slot {
            Slot::Outstanding(outgoing) if self.ordered => outgoing.cost(),
            Slot::Outstanding(_) => 0,
            Slot::Done(kept) => *kept,
        };
        if let Slot::Outstanding(mut outgoing) = mem::replace(slot, Slot::Done(kept)) {
            self.cost = self.cost.saturating_sub(outgoing.cost() - kept);
            self.pool.put(mem::take(&mut outgoing.payload));
            outgoing.rest = Vec::new();
            if self.blank.len() < MAX_BLANK {
                self.blank.push_back(outgoing);
            }
        }
        while let Some(Slot::Done(kept)) = self.slots.front() {
            self.cost = self.cost.saturating_sub(*kept);
            self.slots.pop_front();
            self.base += 1;
        }
    }

    fn outgoing(&self, number: u64) -> Option<&Outgoing> {
        let index = number.checked_sub(self.base)?;
        match self.slots.get(index as usize)? {
            Slot::Outstanding(outgoing) => Some(outgoing),
            Slot::Done(_) => None,
        }
    }

    fn outgoing_mut(&mut self, number: u64) -> Option<&mut Outgoing> {
        let index = number.checked_sub(self.base)?;
        match self.slots.get_mut(index as usize)? {
            Slot::Outstanding(outgoing) => Some(outgoing),
            Slot::Done(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKING: Chunking = Chunking { whole: 100, piece: 96 };

    fn send_next(sender: &mut ReliableSender) -> Option<(u64, u16)> {
        let candidate = sender.peek()?;
        sender.take(&candidate);
        Some((candidate.number, candidate.piece))
    }

    #[test]
    fn a_lost_message_is_sent_again_before_new_ones() {
        let mut sender = ReliableSender::new(true, None);
        for _ in 0..3 {
            sender.push(Duration::ZERO, &[1], None, CHUNKING);
        }
        assert_eq!(send_next(&mut sender), Some((0, 0)));
        assert_eq!(sender.on_lost(0, 0), None);
        assert_eq!(send_next(&mut sender), Some((0, 0)));
        assert_eq!(send_next(&mut sender), Some((1, 0)));
    }

    #[test]
    fn the_memory_of_an_acknowledged_message_holds_the_next() {
        let mut sender = ReliableSender::new(true, None);
        let mut places = Vec::new();
        for number in 0..2 {
            sender.push(Duration::ZERO, &[7; 50], None, CHUNKING);
            places.push(sender.payload(number).as_ptr());
            assert_eq!(sender.bookkeeping_bytes(), size_of::<Slot>());
            send_next(&mut sender);
            sender.on_acked(number, 0);
            assert_eq!(sender.cost(), 0);
            assert!(sender.bookkeeping_bytes() > 50);
        }
        assert_eq!(places[0], places[1]);
        for number in 2..500 {
            sender.push(Duration::ZERO, &[7; 2000], None, Chunking { whole: 2000, piece: 1000 });
            assert!(sender.payload(number).len() == 2000);
        }
        while send_next(&mut sender).is_some() {}
        for number in 2..500 {
            sender.on_acked(number, 0);
        }
        assert!(sender.bookkeeping_bytes() <= ReliableSender::MAX_KEPT_BYTES);
    }

    #[test]
    fn a_message_is_not_sent_again_while_a_copy_is_on_its_way() {
        let mut sender = ReliableSender::new(false, None);
        sender.push(Duration::ZERO, &[1], Some(7), CHUNKING);
        send_next(&mut sender);
        let spare = sender.spare(0).unwrap();
        sender.mark_sent(&spare);
        sender.on_lost(0, 0);
        assert!(sender.peek().is_none());
        sender.on_lost(0, 0);
        assert!(sender.peek().is_some());
        assert_eq!(sender.on_acked(0, 0), Some(7));
        assert!(sender.peek().is_none());
        assert_eq!((sender.cost(), sender.waiting_bytes()), (0, 0));
    }

    #[test]
    fn ordered_messages_are_charged_until_all_before_them_arrived() {
        let mut sender = ReliableSender::new(true, None);
        sender.push(Duration::ZERO, &[1], None, CHUNKING);
        sender.push(Duration::ZERO, &[2], None, CHUNKING);
        let both = sender.cost();
        while send_next(&mut sender).is_some() {}
        sender.on_acked(1, 0);
        assert_eq!(sender.cost(), both);
        sender.on_acked(0, 0);
        assert_eq!(sender.cost(), 0);
    }

    #[test]
    fn pieces_are_acknowledged_one_by_one() {
        let mut sender = ReliableSender::new(false, None);
        sender.push(Duration::ZERO, &[0; 200], Some(1), CHUNKING);
        assert_eq!(send_next(&mut sender), Some((0, 0)));
        assert_eq!(send_next(&mut sender), Some((0, 1)));
        assert_eq!(send_next(&mut sender), Some((0, 2)));
        assert_eq!(send_next(&mut sender), None);
        assert_eq!(sender.on_acked(0, 0), None);
        assert_eq!(sender.on_lost(0, 1), None);
        assert_eq!(sender.on_acked(0, 2), None);
        assert_eq!(send_next(&mut sender), Some((0, 1)));
        assert_eq!(sender.on_acked(0, 1), Some(1));
        assert_eq!((sender.cost(), sender.waiting_bytes()), (0, 0));
    }

    #[test]
    fn an_expiring_message_is_given_up_after_its_retransmits_or_its_lifetime() {
        let limits = Some((2, Duration::from_secs(1)));
        let mut sender = ReliableSender::new(false, limits);
        sender.push(Duration::ZERO, &[1], Some(1), CHUNKING);
        send_next(&mut sender);
        assert_eq!(sender.on_lost(0, 0), None);
        send_next(&mut sender);
        assert_eq!(sender.on_lost(0, 0), Some(1));

        sender.push(Duration::ZERO, &[2], Some(2), CHUNKING);
        let mut expired = Vec::new();
        sender.give_up_expired(Duration::from_millis(999), &mut expired);
        assert!(expired.is_empty());
        sender.give_up_expired(Duration::from_millis(1000), &mut expired);
        assert_eq!(expired, [2]);
        assert!(sender.peek().is_none());
        assert_eq!((sender.cost(), sender.waiting_bytes()), (0, 0));
    }
}
