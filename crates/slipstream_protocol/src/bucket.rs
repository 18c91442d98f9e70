//! A token bucket in bytes.

use core::time::Duration;

/// Tokens that come at a rate and are spent by bytes. It may go below zero by what one datagram takes too much, which
/// then has to be earned first; so the average holds whatever the sizes are.
#[derive(Clone, Debug)]
pub(crate) struct TokenBucket {
    tokens: f64,
    refilled_at: Duration,
}

impl TokenBucket {
    pub(crate) fn new(now: Duration, tokens: f64) -> Self {
        Self { tokens, refilled_at: now }
    }

    /// Tokens at `now`, without taking note.
    pub(crate) fn at(&self, now: Duration, rate: f64, capacity: f64) -> f64 {
        let elapsed = now.saturating_sub(self.refilled_at).as_secs_f64();
        (self.tokens + elapsed * rate).min(capacity)
    }

    /// Adds what has been earned until `now` and returns the tokens.
    pub(crate) fn refill(&mut self, now: Duration, rate: f64, capacity: f64) -> f64 {
        self.tokens = self.at(now, rate, capacity);
        self.refilled_at = self.refilled_at.max(now);
        self.tokens
    }

    /// Whether there are tokens, as of the last refill.
    pub(crate) fn has_tokens(&self) -> bool {
        self.tokens > 0.0
    }

    /// Spends `bytes`; the debt never exceeds `max_debt`.
    pub(crate) fn spend(&mut self, bytes: usize, max_debt: f64) {
        self.tokens = (self.tokens - bytes as f64).max(-max_debt);
    }

    /// When there is a token.
    pub(crate) fn ready_at(&self, rate: f64) -> Duration {
        if self.tokens > 0.0 || rate <= 0.0 {
            return self.refilled_at;
        }
        let wait = Duration::from_secs_f64(((1.0 - self.tokens) / rate).min(60.0));
        self.refilled_at.saturating_add(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debt_is_earned_back_at_the_rate() {
        let mut bucket = TokenBucket::new(Duration::ZERO, 100.0);
        bucket.spend(300, 1000.0);
        assert!(bucket.at(Duration::from_millis(190), 1000.0, 500.0) < 0.0);
        assert!(bucket.at(Duration::from_millis(210), 1000.0, 500.0) > 0.0);
        let ready = bucket.ready_at(1000.0);
        assert!(ready > Duration::from_millis(200) && ready < Duration::from_millis(202));
        assert_eq!(bucket.at(Duration::from_secs(9), 1000.0, 500.0), 500.0);
    }
}
