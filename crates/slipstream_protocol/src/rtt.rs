//! Round-trip time after RFC 6298 and RFC 9002 §5.

use core::time::Duration;

/// The round trip assumed before the first sample (RFC 9002 §6.2.2).
const INITIAL: Duration = Duration::from_millis(333);
/// The least variation that the probe time-out allows for: a frame of the other side.
const GRANULARITY: Duration = Duration::from_millis(20);
/// How long each of the two windows of the least round trip lasts.
const WINDOW: Duration = Duration::from_secs(15);

/// Smoothed round-trip time and its variation.
#[derive(Debug)]
pub(crate) struct RttEstimator {
    latest: Duration,
    smoothed: Option<Duration>,
    variation: Duration,
    /// Least sample ever, with the acknowledgement delay in it: what a told delay may not go below.
    floor: Duration,
    /// Least adjusted sample of this window and of the one before.
    least: [Duration; 2],
    window_ends: Duration,
}

impl RttEstimator {
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            latest: Duration::ZERO,
            smoothed: None,
            variation: Duration::ZERO,
            floor: Duration::MAX,
            least: [Duration::MAX; 2],
            window_ends: now.saturating_add(WINDOW),
        }
    }

    /// Takes a sample. Returns it without the other side's delay.
    pub(crate) fn sample(&mut self, now: Duration, latest: Duration, ack_delay: Duration) -> Duration {
        self.latest = latest;
        self.floor = self.floor.min(latest);
        // RFC 9002 §5.3: a delay that would make the path shorter than it ever was is not believed.
        let adjusted =
            if latest >= self.floor.saturating_add(ack_delay) { latest.saturating_sub(ack_delay) } else { latest };
        match self.smoothed {
            None => {
                self.smoothed = Some(adjusted);
                self.variation = adjusted / 2;
            }
            Some(smoothed) => {
                self.variation = (self.variation * 3 + smoothed.abs_diff(adjusted)) / 4;
                self.smoothed = Some((smoothed * 7 + adjusted) / 8);
            }
        }
        if now >= self.window_ends {
            let [current, _] = self.least;
            self.least = [Duration::MAX, current];
            self.window_ends = now.saturating_add(WINDOW);
        }
        let [current, earlier] = self.least;
        self.least = [current.min(adjusted), earlier];
        adjusted
    }

    /// Whether there has been a sample.
    pub(crate) fn is_measured(&self) -> bool {
        self.smoothed.is_some()
    }

    /// The newest sample.
    pub(crate) fn latest(&self) -> Duration {
        self.latest
    }

    /// The smoothed round trip, or an assumption.
    pub(crate) fn smoothed(&self) -> Duration {
        self.smoothed.unwrap_or(INITIAL)
    }

    /// Mean deviation.
    pub(crate) fn variation(&self) -> Duration {
        self.variation
    }

    /// Least round trip of the last two windows.
    pub(crate) fn least(&self) -> Duration {
        let [current, earlier] = self.least;
        let least = current.min(earlier);
        if least == Duration::MAX { self.smoothed() } else { least }
    }

    /// How long to wait for any acknowledgement (RFC 9002 §6.2.1).
    pub(crate) fn probe_time_out(&self, max_ack_delay: Duration) -> Duration {
        let variation = match self.smoothed {
            Some(_) => self.variation,
            None => INITIAL / 2,
        };
        self.smoothed() + (variation * 4).max(GRANULARITY) + max_ack_delay
    }

    /// How long after a datagram was sent it counts as lost when a later one was acknowledged (RFC 9002 §6.1.2): a
    /// round trip and `slack_eighths` eighths of it.
    pub(crate) fn loss_delay(&self, slack_eighths: u32) -> Duration {
        let round_trip = self.smoothed().max(self.latest);
        (round_trip * (8 + slack_eighths) / 8).max(Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_told_delay_is_taken_off_unless_it_cannot_be_true() {
        let mut rtt = RttEstimator::new(ms(0));
        rtt.sample(ms(0), ms(100), ms(0));
        for _ in 0..100 {
            assert_eq!(rtt.sample(ms(0), ms(130), ms(30)), ms(100));
        }
        assert_eq!(rtt.smoothed(), ms(100));
        assert_eq!(rtt.sample(ms(0), ms(110), ms(30)), ms(110));
    }

    #[test]
    fn the_least_round_trip_is_forgotten_after_two_windows() {
        let mut rtt = RttEstimator::new(ms(0));
        rtt.sample(ms(0), ms(50), ms(0));
        for second in 1..60 {
            rtt.sample(Duration::from_secs(second), ms(80), ms(0));
            if second < 15 {
                assert_eq!(rtt.least(), ms(50));
            }
        }
        assert_eq!(rtt.least(), ms(80));
    }

    #[test]
    fn time_outs_follow_the_standard() {
        let mut rtt = RttEstimator::new(ms(0));
        assert_eq!(rtt.probe_time_out(ms(25)), ms(333) + ms(666) + ms(25));
        rtt.sample(ms(0), ms(80), ms(0));
        assert_eq!(rtt.probe_time_out(ms(25)), ms(80) + ms(160) + ms(25));
        assert_eq!(rtt.loss_delay(1), ms(90));
    }
}
