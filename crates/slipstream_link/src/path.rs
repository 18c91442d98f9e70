use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;

use slipstream_protocol::{ConditionedQueue, NetworkConditions};

/// One direction of a link: a bounded queue, with an imperfect line in its middle while a conditioner is there.
///
/// The two queues are apart so that a datagram passes the line once, whatever frame it is taken out in.
#[derive(Default)]
pub(crate) struct DatagramPath {
    /// Not yet through the line.
    fresh: VecDeque<Vec<u8>>,
    /// Through the line, or past it.
    ready: VecDeque<Vec<u8>>,
    line: Option<Box<Line>>,
    dropped: u64,
}

struct Line {
    queue: ConditionedQueue,
    /// When the line was last used: leaving it needs a time, and hooks have none.
    now: Duration,
}

impl DatagramPath {
    /// The most datagrams that wait in one direction, the line not counted; more are dropped.
    pub const MAX_DATAGRAMS: usize = 4096;

    pub fn push(&mut self, datagram: Vec<u8>) {
        if self.fresh.len() + self.ready.len() >= Self::MAX_DATAGRAMS {
            self.dropped += 1;
        } else {
            self.fresh.push_back(datagram);
        }
    }

    pub fn pop(&mut self) -> Option<Vec<u8>> {
        if let Some(datagram) = self.ready.pop_front() {
            return Some(datagram);
        }
        match self.line {
            Some(_) => None,
            None => self.fresh.pop_front(),
        }
    }

    /// Bytes of what `pop` gives next.
    pub fn next_bytes(&self) -> Option<usize> {
        if let Some(datagram) = self.ready.front() {
            return Some(datagram.len());
        }
        match self.line {
            Some(_) => None,
            None => self.fresh.front().map(Vec::len),
        }
    }

    pub fn count_dropped(&mut self) {
        self.dropped += 1;
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Moves datagrams through the line, which is made on first use.
    pub fn condition(&mut self, now: Duration, conditions: NetworkConditions, seed: u64) {
        let line =
            self.line.get_or_insert_with(|| Box::new(Line { queue: ConditionedQueue::new(conditions, seed), now }));
        line.now = now;
        line.queue.set_conditions(conditions);
        while let Some(datagram) = self.fresh.pop_front() {
            line.queue.push(now, datagram);
        }
        while let Some(datagram) = line.queue.pop(now) {
            self.ready.push_back(datagram);
        }
    }

    /// Takes the line away. What waits for it still meets its losses, but is there at once.
    pub fn release(&mut self) {
        let Some(mut line) = self.line.take() else {
            return;
        };
        while let Some(datagram) = self.fresh.pop_front() {
            line.queue.push(line.now, datagram);
        }
        while let Some(delivery) = line.queue.next_delivery() {
            let Some(datagram) = line.queue.pop(delivery) else {
                break;
            };
            self.ready.push_back(datagram);
        }
    }

    /// Everything, at once, in order.
    pub fn take_all(&mut self) -> Vec<Vec<u8>> {
        self.release();
        self.ready.drain(..).chain(self.fresh.drain(..)).collect()
    }
}

impl fmt::Debug for DatagramPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DatagramPath")
            .field("fresh", &self.fresh.len())
            .field("ready", &self.ready.len())
            .field("is_conditioned", &self.line.is_some())
            .field("dropped", &self.dropped)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late() -> NetworkConditions {
        NetworkConditions { latency: Duration::from_millis(50), ..NetworkConditions::default() }
    }

    #[test]
    fn a_full_path_drops_the_newest() {
        let mut path = DatagramPath::default();
        for _ in 0..DatagramPath::MAX_DATAGRAMS {
            path.push(vec![1]);
        }
        path.push(vec![2]);
        assert_eq!(path.dropped(), 1);
        assert!(path.take_all().iter().all(|datagram| datagram == &[1]));
    }

    #[test]
    fn a_conditioned_path_gives_nothing_before_its_time() {
        let mut path = DatagramPath::default();
        path.push(vec![1]);
        path.condition(Duration::ZERO, late(), 1);
        assert_eq!(path.pop(), None);
        assert_eq!(path.next_bytes(), None);
        path.condition(Duration::from_millis(50), late(), 1);
        assert_eq!(path.next_bytes(), Some(1));
        assert_eq!(path.pop(), Some(vec![1]));
    }

    #[test]
    fn a_path_left_by_its_line_gives_all_it_held_in_order() {
        let mut path = DatagramPath::default();
        path.push(vec![1]);
        path.condition(Duration::ZERO, late(), 1);
        path.push(vec![2]);
        assert_eq!(path.take_all(), vec![vec![1], vec![2]]);
    }

    #[test]
    fn datagrams_pass_the_line_once_even_when_nobody_takes_them() {
        let conditions = NetworkConditions { loss: 0.5, ..NetworkConditions::default() };
        let mut path = DatagramPath::default();
        for _ in 0..100 {
            path.push(vec![1]);
        }
        path.condition(Duration::ZERO, conditions, 3);
        let survivors = path.ready.len();
        path.condition(Duration::from_secs(1), conditions, 3);
        assert_eq!(path.ready.len(), survivors);
    }
}
