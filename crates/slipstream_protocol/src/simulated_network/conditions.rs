use core::time::Duration;

/// How bad one direction of a line is. The default is perfect: no delay, no loss, no limit.
///
/// Chances are fractions from 0 to 1 and independent for each datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NetworkConditions {
    /// One-way delay.
    pub latency: Duration,
    /// Each datagram's delay differs from `latency` by up to this much, earlier or later, uniformly. Datagrams closer
    /// together than this may overtake each other.
    pub jitter: Duration,
    /// Chance that a datagram never arrives.
    pub loss: f32,
    /// Chance that a datagram arrives twice, the copy with a delay of its own.
    pub duplicate: f32,
    /// Chance that a datagram is held back by one more `latency + jitter`, so that later ones overtake it.
    pub reorder: f32,
    /// What the line carries; `None` is without limit. Datagrams above it wait in line for up to
    /// [`NetworkConditions::MAX_LINE_WAIT`], those beyond are dropped, as a router with a full buffer does.
    pub bandwidth_bytes_per_second: Option<u32>,
}

impl NetworkConditions {
    /// The longest that a datagram waits for a line with a bandwidth: the buffer of a common home router.
    pub const MAX_LINE_WAIT: Duration = Duration::from_millis(500);

    /// Whether datagrams pass unchanged and at once.
    pub fn is_perfect(&self) -> bool {
        *self == Self::default()
    }
}
