use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::LinkClosed;

/// One end of a pipe between two apps. Dropping it closes the pipe for the other end, which still reads what was sent.
#[derive(Debug)]
pub(super) struct PipeEnd {
    pipe: Arc<Pipe>,
    side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Connector,
    Listener,
}

#[derive(Debug, Default)]
struct Pipe {
    to_connector: Mutex<Direction>,
    to_listener: Mutex<Direction>,
    is_accepted: AtomicBool,
}

#[derive(Debug, Default)]
struct Direction {
    datagrams: VecDeque<Vec<u8>>,
    /// Memory of datagrams that were received.
    spare: Vec<Vec<u8>>,
    /// Set by the sending end; what came before it is still there.
    closed: Option<LinkClosed>,
}

impl PipeEnd {
    /// The most datagrams on their way in one direction; more are dropped, as a socket with a full buffer does.
    const MAX_DATAGRAMS: usize = 4096;

    /// The most datagrams of which the memory is kept.
    const MAX_SPARE: usize = 64;

    /// The connector's end and the listener's.
    pub fn pair() -> (Self, Self) {
        let pipe = Arc::new(Pipe::default());
        let connector = Self { pipe: Arc::clone(&pipe), side: Side::Connector };
        let listener = Self { pipe, side: Side::Listener };
        (connector, listener)
    }

    /// Sends a copy: each of the two links and the pipe have memory of their own, whoever sends more.
    pub fn send(&self, datagram: &[u8]) {
        let mut direction = self.outgoing();
        if direction.closed.is_none() && direction.datagrams.len() < Self::MAX_DATAGRAMS {
            let mut copy = direction.spare.pop().unwrap_or_default();
            copy.extend_from_slice(datagram);
            direction.datagrams.push_back(copy);
        }
    }

    /// Replaces what is in `datagram` by the next one; `false` if there is none.
    pub fn receive(&self, datagram: &mut Vec<u8>) -> bool {
        let mut direction = self.incoming();
        let Some(mut next) = direction.datagrams.pop_front() else {
            return false;
        };
        datagram.clear();
        datagram.append(&mut next);
        if direction.spare.len() < Self::MAX_SPARE {
            direction.spare.push(next);
        }
        true
    }

    /// Closes the pipe; the reason is what the other end reads. The first one stays.
    pub fn close(&self, reason: LinkClosed) {
        let mut direction = self.outgoing();
        if direction.closed.is_none() {
            direction.closed = Some(reason);
        }
    }

    /// Why the other end closed the pipe, once everything it sent has been received.
    pub fn closed_by_other(&self) -> Option<LinkClosed> {
        let direction = self.incoming();
        if direction.datagrams.is_empty() { direction.closed.clone() } else { None }
    }

    pub fn accept(&self) {
        self.pipe.is_accepted.store(true, Ordering::Release);
    }

    pub fn is_accepted(&self) -> bool {
        self.pipe.is_accepted.load(Ordering::Acquire)
    }

    fn outgoing(&self) -> MutexGuard<'_, Direction> {
        lock(match self.side {
            Side::Connector => &self.pipe.to_listener,
            Side::Listener => &self.pipe.to_connector,
        })
    }

    fn incoming(&self) -> MutexGuard<'_, Direction> {
        lock(match self.side {
            Side::Connector => &self.pipe.to_connector,
            Side::Listener => &self.pipe.to_listener,
        })
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.close(LinkClosed::Remote(String::from("its entity was despawned or its app ended")));
    }
}

/// A queue is whole between any two of its operations, so another thread's panic does not spoil it.
fn lock(direction: &Mutex<Direction>) -> MutexGuard<'_, Direction> {
    direction.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(end: &PipeEnd) -> Option<Vec<u8>> {
        let mut datagram = Vec::new();
        end.receive(&mut datagram).then_some(datagram)
    }

    #[test]
    fn the_end_is_seen_after_what_was_sent_before_it() {
        let (connector, listener) = PipeEnd::pair();
        connector.send(&[1]);
        drop(connector);
        assert_eq!(listener.closed_by_other(), None);
        assert_eq!(received(&listener), Some(vec![1]));
        assert!(matches!(listener.closed_by_other(), Some(LinkClosed::Remote(_))));
    }

    #[test]
    fn each_end_reads_what_the_other_sent() {
        let (connector, listener) = PipeEnd::pair();
        connector.send(&[1]);
        listener.send(&[2]);
        assert_eq!(received(&connector), Some(vec![2]));
        assert_eq!(received(&listener), Some(vec![1]));
        assert_eq!(received(&connector), None);
    }

    #[test]
    fn a_datagram_replaces_what_was_in_the_buffer() {
        let (connector, listener) = PipeEnd::pair();
        let mut datagram = vec![9; 10];
        for length in [8, 3] {
            connector.send(&vec![length as u8; length]);
            assert!(listener.receive(&mut datagram));
            assert_eq!(datagram, vec![length as u8; length]);
        }
        assert!(!listener.receive(&mut datagram));
    }
}
