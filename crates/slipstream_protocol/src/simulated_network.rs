//! A network with a virtual clock and a seed, to test against.
//!
//! [`ConditionedQueue`] is one direction of an imperfect line: datagrams go in with the time, and come out later, twice
//! or never. [`SimulatedNetwork`] is two of them between an end A and an end B, with a clock that moves only when told to.
//! The same seed and the same calls give the same deliveries, so a failing seed is a test case.
//!
//! ```
//! use core::time::Duration;
//! use slipstream_protocol::{NetworkConditions, SimulatedNetwork};
//!
//! let conditions = NetworkConditions { latency: Duration::from_millis(50), ..NetworkConditions::default() };
//! let mut network = SimulatedNetwork::new(conditions, conditions, 7);
//! network.send_from_a(vec![1, 2, 3]);
//! assert_eq!(network.receive_at_b(), None);
//! network.advance(Duration::from_millis(50));
//! assert_eq!(network.receive_at_b(), Some(vec![1, 2, 3]));
//! ```

use core::time::Duration;

mod conditions;
mod queue;

pub use conditions::NetworkConditions;
pub use queue::{ConditionedQueue, QueueCounters};

/// Two ends, A and B, joined by one [`ConditionedQueue`] each way, and the clock they share.
#[derive(Clone, Debug)]
pub struct SimulatedNetwork {
    now: Duration,
    a_to_b: ConditionedQueue,
    b_to_a: ConditionedQueue,
}

impl SimulatedNetwork {
    /// A network at time zero. Both directions draw from generators seeded from `seed`, but not with the same numbers.
    pub fn new(conditions_a_to_b: NetworkConditions, conditions_b_to_a: NetworkConditions, seed: u64) -> Self {
        let mut seeds = fastrand::Rng::with_seed(seed);
        Self {
            now: Duration::ZERO,
            a_to_b: ConditionedQueue::new(conditions_a_to_b, seeds.u64(..)),
            b_to_a: ConditionedQueue::new(conditions_b_to_a, seeds.u64(..)),
        }
    }

    /// The time since the network was made.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Moves the clock forward.
    pub fn advance(&mut self, by: Duration) {
        self.now = self.now.saturating_add(by);
    }

    /// Replaces the conditions for datagrams sent from now on; those on their way keep their time of arrival.
    pub fn set_conditions(&mut self, conditions_a_to_b: NetworkConditions, conditions_b_to_a: NetworkConditions) {
        self.a_to_b.set_conditions(conditions_a_to_b);
        self.b_to_a.set_conditions(conditions_b_to_a);
    }

    /// Sends one datagram from A towards B.
    pub fn send_from_a(&mut self, datagram: Vec<u8>) {
        self.a_to_b.push(self.now, datagram);
    }

    /// Sends one datagram from B towards A.
    pub fn send_from_b(&mut self, datagram: Vec<u8>) {
        self.b_to_a.push(self.now, datagram);
    }

    /// The next datagram that has arrived at A by now.
    pub fn receive_at_a(&mut self) -> Option<Vec<u8>> {
        self.b_to_a.pop(self.now)
    }

    /// The next datagram that has arrived at B by now.
    pub fn receive_at_b(&mut self) -> Option<Vec<u8>> {
        self.a_to_b.pop(self.now)
    }

    /// When the next datagram arrives at either end; `None` while nothing is on its way.
    pub fn next_delivery(&self) -> Option<Duration> {
        match (self.a_to_b.next_delivery(), self.b_to_a.next_delivery()) {
            (Some(to_b), Some(to_a)) => Some(to_b.min(to_a)),
            (to_b, to_a) => to_b.or(to_a),
        }
    }

    /// What happened so far to the datagrams that A sent.
    pub fn counters_a_to_b(&self) -> QueueCounters {
        self.a_to_b.counters()
    }

    /// What happened so far to the datagrams that B sent.
    pub fn counters_b_to_a(&self) -> QueueCounters {
        self.b_to_a.counters()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delayed(milliseconds: u64) -> NetworkConditions {
        NetworkConditions { latency: Duration::from_millis(milliseconds), ..NetworkConditions::default() }
    }

    #[test]
    fn each_direction_has_its_own_conditions() {
        let mut network = SimulatedNetwork::new(delayed(10), delayed(30), 1);
        network.send_from_a(vec![1]);
        network.send_from_b(vec![2]);
        assert_eq!(network.next_delivery(), Some(Duration::from_millis(10)));
        network.advance(Duration::from_millis(10));
        assert_eq!(network.receive_at_b(), Some(vec![1]));
        assert_eq!(network.receive_at_a(), None);
        network.advance(Duration::from_millis(20));
        assert_eq!(network.receive_at_a(), Some(vec![2]));
        assert_eq!(network.next_delivery(), None);
    }

    #[test]
    fn new_conditions_leave_datagrams_on_their_way_alone() {
        let mut network = SimulatedNetwork::new(delayed(10), delayed(10), 1);
        network.send_from_a(vec![1]);
        network.set_conditions(delayed(500), delayed(500));
        network.send_from_a(vec![2]);
        network.advance(Duration::from_millis(10));
        assert_eq!(network.receive_at_b(), Some(vec![1]));
        assert_eq!(network.receive_at_b(), None);
        network.advance(Duration::from_millis(490));
        assert_eq!(network.receive_at_b(), Some(vec![2]));
    }
}
