//! What one peer may ask of us.

use core::time::Duration;

use bevy::prelude::*;

use crate::hello::Hello;

/// How many connections a server holds.
#[derive(Resource, Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Remote connections at the same time; one more is refused with [`RefuseReason::ServerFull`](slipstream_protocol::RefuseReason::ServerFull).
    /// A host's own player does not count. Default 64.
    pub max_connections: u32,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { max_connections: 64 }
    }
}

/// A rate that allows bursts: a bucket of `burst` tokens that fills with `per_second` of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// Sustained rate, a second.
    pub per_second: f32,
    /// How many may come at once.
    pub burst: u32,
}

impl RateLimit {
    /// A limit of `per_second` with bursts of `burst`.
    #[must_use]
    pub const fn new(per_second: f32, burst: u32) -> Self {
        Self { per_second, burst }
    }
}

/// What a server takes from each connection, and for how long it holds what cannot be delivered yet.
#[derive(Resource, Debug, Clone, Copy, PartialEq)]
pub struct ConnectionLimits {
    /// Messages of one type from one connection, unless its registration says otherwise. What exceeds it is dropped,
    /// counted, and charged to [`ConnectionLimits::errors`]. Default 120 a second, 240 at once. Clients do not limit
    /// what their server sends.
    pub message_rate: RateLimit,
    /// Errors that are forgiven: malformed, misdirected, rejected or too frequent messages. A connection that exceeds
    /// it ends with [`DisconnectReason::TooManyErrors`](crate::DisconnectReason::TooManyErrors). Default 1 a second, 60 at once.
    pub errors: RateLimit,
    /// How long a message waits for the entities that it names. Default 2 s.
    pub waiting_time: Duration,
    /// How many bytes of such messages wait for one connection. Default 64 KiB.
    pub waiting_bytes: usize,
    /// How many bytes of received messages of one connection may wait for the systems that read raw channels. Beyond it
    /// no further message is taken from the peer, nor acknowledged, until they are read: nothing is lost, but the
    /// connection stands still. One frame may bring a MiB more. Default 1 MiB.
    pub inbox_bytes: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            message_rate: RateLimit::new(120.0, 240),
            errors: RateLimit::new(1.0, 60),
            waiting_time: Duration::from_secs(2),
            waiting_bytes: 64 * 1024,
            inbox_bytes: 1024 * 1024,
        }
    }
}

/// The time-outs and byte budgets of new connections.
#[derive(Resource, Debug, Clone, Copy, PartialEq)]
pub struct ConnectionSettings {
    /// An idle connection says that it lives this often. Default 1 s.
    pub keep_alive: Duration,
    /// A silent peer is given up after this time. Default 10 s.
    pub timeout: Duration,
    /// A handshake that takes longer is given up. Default 10 s.
    pub handshake_timeout: Duration,
    /// The congestion controller never goes below this. Default 8,000 bytes a second.
    pub min_budget_bytes_per_second: u32,
    /// The congestion controller never goes above this. Default 2,000,000 bytes a second.
    pub max_budget_bytes_per_second: u32,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(1),
            timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            min_budget_bytes_per_second: 8_000,
            max_budget_bytes_per_second: 2_000_000,
        }
    }
}

/// Decides whether a server accepts somebody, from what the peer said in its hello.
///
/// Without this resource everybody is accepted while there is room.
#[derive(Resource, Debug, Clone, Copy)]
pub struct ApproveConnections(
    /// `Err` holds one sentence that the refused peer reads.
    pub fn(&Hello) -> Result<(), String>,
);

/// The state of one [`RateLimit`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenBucket {
    tokens: f32,
    filled: Duration,
}

impl TokenBucket {
    pub(crate) fn full(limit: RateLimit, now: Duration) -> Self {
        Self { tokens: limit.burst as f32, filled: now }
    }

    /// Takes one token; `false` when there is none.
    pub(crate) fn take(&mut self, limit: RateLimit, now: Duration) -> bool {
        let elapsed = now.saturating_sub(self.filled).as_secs_f32();
        self.filled = now;
        self.tokens = (self.tokens + elapsed * limit.per_second).min(limit.burst as f32);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_allows_its_burst_and_then_its_rate() {
        let limit = RateLimit::new(10.0, 5);
        let mut bucket = TokenBucket::full(limit, Duration::ZERO);
        let taken = (0..20).filter(|_| bucket.take(limit, Duration::ZERO)).count();
        assert_eq!(taken, 5);
        let taken = (1..=40).filter(|i| bucket.take(limit, Duration::from_millis(i * 50))).count();
        assert!((19..=20).contains(&taken), "{taken} in two seconds at ten a second");
    }

    #[test]
    fn a_bucket_never_holds_more_than_its_burst() {
        let limit = RateLimit::new(1000.0, 3);
        let mut bucket = TokenBucket::full(limit, Duration::ZERO);
        let late = Duration::from_secs(3600);
        assert_eq!((0..10).filter(|_| bucket.take(limit, late)).count(), 3);
    }
}
