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
    /// Set by the sending end; what came before it is still there.
    closed: Option<LinkClosed>,
}

impl PipeEnd {
    /// The most datagrams on their way in one direction; more are dropped, as a socket with a full buffer does.
    const MAX_DATAGRAMS: usize = 4096;

    /// The connector's end and the listener's.
    pub fn pair() -> (Self, Self) {
        let pipe = Arc::new(Pipe::default());
        let connector = Self { pipe: Arc::clone(&pipe), side: Side::Connector };
        let listener = Self { pipe, side: Side::Listener };
        (connector, listener)
    }

    pub fn send(&self, datagram: Vec<u8>) {
        let mut direction = self.outgoing();
        if direction.closed.is_none() && direction.datagrams.len() < Self::MAX_DATAGRAMS {
            direction.datagrams.push_back(datagram);
        }
    }

    pub fn receive(&self) -> Option<Vec<u8>> {
        self.incoming().datagrams.pop_front()
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

    #[test]
    fn the_end_is_seen_after_what_was_sent_before_it() {
        let (connector, listener) = PipeEnd::pair();
        connector.send(vec![1]);
        drop(connector);
        assert_eq!(listener.closed_by_other(), None);
        assert_eq!(listener.receive(), Some(vec![1]));
        assert!(matches!(listener.closed_by_other(), Some(LinkClosed::Remote(_))));
    }

    #[test]
    fn each_end_reads_what_the_other_sent() {
        let (connector, listener) = PipeEnd::pair();
        connector.send(vec![1]);
        listener.send(vec![2]);
        assert_eq!(connector.receive(), Some(vec![2]));
        assert_eq!(listener.receive(), Some(vec![1]));
        assert_eq!(connector.receive(), None);
    }
}
