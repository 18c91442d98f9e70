use core::cmp::Ordering;
use core::time::Duration;
use std::collections::BinaryHeap;

use super::NetworkConditions;

/// What happened to the datagrams of one [`ConditionedQueue`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounters {
    /// Datagrams put in.
    pub pushed: u64,
    /// Datagrams taken out, copies included.
    pub delivered: u64,
    /// Dropped by the chance of loss.
    pub lost: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Held back so that later ones overtake them.
    pub held_back: u64,
    /// Dropped because the queue or the line was full.
    pub overflowed: u64,
}

/// One direction of an imperfect line.
///
/// Time comes in as a parameter and may be any clock that does not run backwards. Each pushed datagram draws the same
/// number of random values whatever the conditions are, so that changing one condition keeps the fate of the others.
#[derive(Clone, Debug)]
pub struct ConditionedQueue {
    conditions: NetworkConditions,
    random: fastrand::Rng,
    held: BinaryHeap<Held>,
    next_order: u64,
    line_free_at: Duration,
    counters: QueueCounters,
}

impl ConditionedQueue {
    /// The most datagrams on their way at once; more are dropped.
    pub const MAX_DATAGRAMS: usize = 4096;

    /// An empty queue.
    pub fn new(conditions: NetworkConditions, seed: u64) -> Self {
        Self {
            conditions,
            random: fastrand::Rng::with_seed(seed),
            held: BinaryHeap::new(),
            next_order: 0,
            line_free_at: Duration::ZERO,
            counters: QueueCounters::default(),
        }
    }

    /// The conditions that the next datagram will meet.
    pub fn conditions(&self) -> NetworkConditions {
        self.conditions
    }

    /// Replaces the conditions for datagrams pushed from now on.
    pub fn set_conditions(&mut self, conditions: NetworkConditions) {
        self.conditions = conditions;
    }

    /// Sends one datagram along the line.
    pub fn push(&mut self, now: Duration, datagram: Vec<u8>) {
        self.counters.pushed += 1;
        let is_lost = self.random.f32() < self.conditions.loss;
        let is_duplicated = self.random.f32() < self.conditions.duplicate;
        let is_held_back = self.random.f32() < self.conditions.reorder;
        let delay = self.draw_delay();
        let delay_of_copy = self.draw_delay();

        // The bottleneck comes first, as on a real path: a datagram that is lost further on has used the line all the same.
        let Some(leaves_at) = self.pass_line(now, datagram.len()) else {
            self.counters.overflowed += 1;
            return;
        };
        if is_lost {
            self.counters.lost += 1;
            return;
        }
        if is_duplicated {
            self.counters.duplicated += 1;
            self.hold(leaves_at.saturating_add(delay_of_copy), datagram.clone());
        }
        let held_back_for = if is_held_back {
            self.counters.held_back += 1;
            self.conditions.latency.saturating_add(self.conditions.jitter)
        } else {
            Duration::ZERO
        };
        let deliver_at = leaves_at.saturating_add(delay).saturating_add(held_back_for);
        self.hold(deliver_at, datagram);
    }

    /// The next datagram that has arrived by `now`, earliest first.
    pub fn pop(&mut self, now: Duration) -> Option<Vec<u8>> {
        if self.next_delivery()? > now {
            return None;
        }
        self.counters.delivered += 1;
        self.held.pop().map(|held| held.datagram)
    }

    /// When the next datagram arrives; `None` while nothing is on its way.
    pub fn next_delivery(&self) -> Option<Duration> {
        self.held.peek().map(|held| held.deliver_at)
    }

    /// Datagrams on their way.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// What happened so far.
    pub fn counters(&self) -> QueueCounters {
        self.counters
    }

    /// `latency ± jitter`, never below zero.
    fn draw_delay(&mut self) -> Duration {
        let fraction = self.random.f64();
        let NetworkConditions { latency, jitter, .. } = self.conditions;
        // Through nanoseconds, because a `Duration` times a factor panics when it overflows.
        let spread = (jitter.as_nanos() as f64 * 2.0 * fraction) as u64;
        latency.saturating_add(Duration::from_nanos(spread)).saturating_sub(jitter)
    }

    /// When a datagram of this many bytes has passed the bottleneck; `None` if the line's buffer is full.
    fn pass_line(&mut self, now: Duration, bytes: usize) -> Option<Duration> {
        let Some(bandwidth) = self.conditions.bandwidth_bytes_per_second else {
            return Some(now);
        };
        let starts_at = self.line_free_at.max(now);
        if starts_at.saturating_sub(now) > NetworkConditions::MAX_LINE_WAIT {
            return None;
        }
        let nanoseconds = (bytes as u64).saturating_mul(1_000_000_000) / u64::from(bandwidth.max(1));
        self.line_free_at = starts_at.saturating_add(Duration::from_nanos(nanoseconds));
        Some(self.line_free_at)
    }

    fn hold(&mut self, deliver_at: Duration, datagram: Vec<u8>) {
        if self.held.len() >= Self::MAX_DATAGRAMS {
            self.counters.overflowed += 1;
            return;
        }
        self.held.push(Held { deliver_at, order: self.next_order, datagram });
        self.next_order += 1;
    }
}

/// A datagram on its way. Ordered so that the earliest is the greatest, which is what a `BinaryHeap` gives first; those
/// of the same instant leave in the order they came.
#[derive(Clone, Debug)]
struct Held {
    deliver_at: Duration,
    order: u64,
    datagram: Vec<u8>,
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.deliver_at, other.order).cmp(&(self.deliver_at, self.order))
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Held {}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn drain(queue: &mut ConditionedQueue, now: Duration) -> Vec<u8> {
        core::iter::from_fn(|| queue.pop(now)).map(|datagram| datagram[0]).collect()
    }

    #[test]
    fn a_perfect_line_delivers_everything_at_once_in_order() {
        let mut queue = ConditionedQueue::new(NetworkConditions::default(), 1);
        for index in 0..100 {
            queue.push(SECOND, vec![index]);
        }
        assert_eq!(drain(&mut queue, SECOND), (0..100).collect::<Vec<u8>>());
        assert!(queue.is_empty());
    }

    #[test]
    fn delays_stay_within_latency_and_jitter() {
        let conditions = NetworkConditions {
            latency: Duration::from_millis(50),
            jitter: Duration::from_millis(10),
            ..NetworkConditions::default()
        };
        let mut queue = ConditionedQueue::new(conditions, 2);
        for _ in 0..1000 {
            queue.push(SECOND, vec![0]);
            let delay = queue.next_delivery().unwrap() - SECOND;
            assert!(delay >= Duration::from_millis(40) && delay <= Duration::from_millis(60));
            queue.pop(SECOND * 2).unwrap();
        }
    }

    #[test]
    fn jitter_above_latency_never_delivers_before_the_sending() {
        let conditions =
            NetworkConditions { latency: Duration::from_millis(1), jitter: SECOND, ..NetworkConditions::default() };
        let mut queue = ConditionedQueue::new(conditions, 3);
        for _ in 0..100 {
            queue.push(SECOND, vec![0]);
        }
        assert!(queue.next_delivery().unwrap() >= SECOND);
    }

    #[test]
    fn chances_of_loss_and_copies_are_met() {
        let conditions = NetworkConditions { loss: 0.3, duplicate: 0.1, ..NetworkConditions::default() };
        let mut queue = ConditionedQueue::new(conditions, 4);
        for _ in 0..10_000 {
            queue.push(SECOND, vec![0]);
            drain(&mut queue, SECOND);
        }
        let counters = queue.counters();
        assert!((2_800..3_200).contains(&counters.lost), "{counters:?}");
        assert!((600..800).contains(&counters.duplicated), "{counters:?}");
        assert_eq!(counters.delivered, counters.pushed - counters.lost + counters.duplicated);
    }

    #[test]
    fn certain_loss_loses_everything() {
        let conditions = NetworkConditions { loss: 1.0, ..NetworkConditions::default() };
        let mut queue = ConditionedQueue::new(conditions, 5);
        for _ in 0..1000 {
            queue.push(SECOND, vec![0]);
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn a_datagram_held_back_is_overtaken() {
        let conditions =
            NetworkConditions { latency: Duration::from_millis(10), reorder: 1.0, ..NetworkConditions::default() };
        let mut queue = ConditionedQueue::new(conditions, 6);
        queue.push(SECOND, vec![1]);
        queue.set_conditions(NetworkConditions { reorder: 0.0, ..conditions });
        queue.push(SECOND + Duration::from_millis(5), vec![2]);
        assert_eq!(drain(&mut queue, SECOND * 2), vec![2, 1]);
    }

    #[test]
    fn a_narrow_line_spaces_datagrams_and_drops_what_its_buffer_cannot_hold() {
        let conditions = NetworkConditions { bandwidth_bytes_per_second: Some(10_000), ..NetworkConditions::default() };
        let mut queue = ConditionedQueue::new(conditions, 7);
        for _ in 0..20 {
            queue.push(SECOND, vec![0; 1000]); // 100 ms of the line each
        }
        assert_eq!(queue.counters().overflowed, 14);
        assert_eq!(drain(&mut queue, SECOND + Duration::from_millis(99)).len(), 0);
        assert_eq!(drain(&mut queue, SECOND + Duration::from_millis(200)).len(), 2);
        assert_eq!(drain(&mut queue, SECOND * 2).len(), 4);
    }

    #[test]
    fn a_full_queue_drops() {
        let conditions = NetworkConditions { latency: SECOND, ..NetworkConditions::default() };
        let mut queue = ConditionedQueue::new(conditions, 8);
        for _ in 0..ConditionedQueue::MAX_DATAGRAMS + 5 {
            queue.push(SECOND, vec![0]);
        }
        assert_eq!(queue.len(), ConditionedQueue::MAX_DATAGRAMS);
        assert_eq!(queue.counters().overflowed, 5);
    }

    #[test]
    fn the_same_seed_gives_the_same_deliveries() {
        let conditions = NetworkConditions {
            latency: Duration::from_millis(50),
            jitter: Duration::from_millis(30),
            loss: 0.2,
            duplicate: 0.2,
            reorder: 0.2,
            bandwidth_bytes_per_second: None,
        };
        let run = |seed| {
            let mut queue = ConditionedQueue::new(conditions, seed);
            for index in 0..200 {
                queue.push(Duration::from_millis(index as u64), vec![index]);
            }
            drain(&mut queue, SECOND)
        };
        assert_eq!(run(9), run(9));
        assert_ne!(run(9), run(10));
    }
}
