//! How many bytes a second the path takes.
//!
//! Delay first: a queue on the path makes the least round trip of a round rise above the least of the last half minute.
//! That is answered by sending what was delivered, a little less; random loss below some 10 % is none of its business.
//! The shape follows LEDBAT (RFC 6817) and the receiver-less part of GCC (draft-ietf-rmcat-gcc §5–6).

use core::time::Duration;

use crate::rtt::RttEstimator;

/// Where a connection starts, in bytes a second.
const INITIAL: f64 = 100_000.0;
/// Smoothing of the loss: about this many datagrams.
const LOSS_MEMORY: f32 = 128.0;
/// Loss that is congestion. The mean of 128 datagrams strays by 3 % where 10 % are lost, so this stands above that.
const LOSS_LIMIT: f32 = 0.15;
/// How often loss alone may lower the budget.
const LOSS_INTERVAL: Duration = Duration::from_secs(1);
/// Queueing delay that is tolerated, beside twice the variation of the round trip.
const DELAY_TARGET: Duration = Duration::from_millis(20);
/// The variation counts up to here, so that a queue that wobbles does not excuse itself.
const MAX_VARIATION: Duration = Duration::from_millis(50);
/// The least round, so that frames of either side do not look like queues.
const MIN_ROUND: Duration = Duration::from_millis(50);
/// Samples that a round should have.
const ROUND_SAMPLES: u32 = 4;
/// Growth in each round: until the first congestion, and after it.
const FAST_GROWTH: f64 = 1.5;
const SLOW_GROWTH: f64 = 1.05;
/// Share of the budget that must be used for it to grow.
const USED_ENOUGH: f64 = 0.7;

/// The byte budget.
#[derive(Debug)]
pub(crate) struct Congestion {
    budget: f64,
    least: f64,
    greatest: f64,
    loss: f32,
    lowered_for_loss_at: Option<Duration>,
    growing_fast: bool,
    round: Round,
}

#[derive(Debug, Default)]
struct Round {
    started: Duration,
    sent: usize,
    acked: usize,
    samples: u32,
    least_rtt: Option<Duration>,
    /// Data waited because the budget was used up.
    limited: bool,
}

impl Congestion {
    pub(crate) fn new(now: Duration, least: u32, greatest: u32) -> Self {
        let least = f64::from(least.max(1));
        let greatest = f64::from(greatest).max(least);
        Self {
            budget: INITIAL.clamp(least, greatest),
            least,
            greatest,
            loss: 0.0,
            lowered_for_loss_at: None,
            growing_fast: true,
            round: Round { started: now, ..Round::default() },
        }
    }

    /// Bytes a second.
    pub(crate) fn budget(&self) -> f64 {
        self.budget
    }

    /// The ceiling, in bytes a second.
    pub(crate) fn greatest(&self) -> f64 {
        self.greatest
    }

    /// Smoothed loss, 0 to 1.
    pub(crate) fn loss(&self) -> f32 {
        self.loss
    }

    pub(crate) fn on_sent(&mut self, bytes: usize) {
        self.round.sent += bytes;
    }

    pub(crate) fn on_acked(&mut self, datagrams: u32, bytes: usize) {
        for _ in 0..datagrams {
            self.loss -= self.loss / LOSS_MEMORY;
        }
        self.round.acked += bytes;
    }

    pub(crate) fn on_lost(&mut self, datagrams: u32) {
        for _ in 0..datagrams {
            self.loss += (1.0 - self.loss) / LOSS_MEMORY;
        }
    }

    /// Datagrams that had been declared lost turned up.
    pub(crate) fn on_recovered(&mut self, datagrams: u32) {
        self.loss = (self.loss - datagrams as f32 / LOSS_MEMORY).max(0.0);
    }

    /// A round-trip sample without the other side's delay.
    pub(crate) fn on_sample(&mut self, rtt: Duration) {
        self.round.samples += 1;
        self.round.least_rtt = Some(self.round.least_rtt.map_or(rtt, |least| least.min(rtt)));
    }

    /// Data waited because the budget was used up.
    pub(crate) fn on_limited(&mut self) {
        self.round.limited = true;
    }

    /// Ends the round when it has lasted long enough, and sets the budget of the next.
    pub(crate) fn update(&mut self, now: Duration, rtt: &RttEstimator) {
        let elapsed = now.saturating_sub(self.round.started);
        let length = rtt.smoothed().max(MIN_ROUND);
        let enough = self.round.samples >= ROUND_SAMPLES || elapsed >= length * 4;
        if elapsed < length || !enough {
            return;
        }
        let round = core::mem::replace(&mut self.round, Round { started: now, ..Round::default() });
        let seconds = elapsed.as_secs_f64();
        let used = round.sent as f64 / (self.budget * seconds);
        let delivered = round.acked as f64 / seconds;
        let tolerated = DELAY_TARGET + rtt.variation().min(MAX_VARIATION) * 2;
        let delayed = round.least_rtt.is_some_and(|least| least.saturating_sub(rtt.least()) > tolerated);
        let lossy = self.loss >= LOSS_LIMIT && used >= 0.5;
        if delayed {
            self.growing_fast = false;
            let target = if used >= 0.5 { delivered * 0.9 } else { self.budget * 0.85 };
            self.set(target.clamp(self.budget * 0.5, self.budget * 0.9));
        } else if lossy {
            self.growing_fast = false;
            let lowered_lately = self.lowered_for_loss_at.is_some_and(|at| now.saturating_sub(at) < LOSS_INTERVAL);
            if !lowered_lately {
                self.lowered_for_loss_at = Some(now);
                self.set(self.budget * (1.0 - 0.5 * f64::from(self.loss)));
            }
        } else if self.loss < LOSS_LIMIT && (round.limited || used >= USED_ENOUGH) && round.samples > 0 {
            let growth = if self.growing_fast { FAST_GROWTH } else { SLOW_GROWTH };
            self.set(self.budget * growth);
        }
    }

    fn set(&mut self, budget: f64) {
        self.budget = budget.clamp(self.least, self.greatest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// Runs rounds of 100 ms in which the whole budget is used and the round trip is as given.
    fn run(congestion: &mut Congestion, rtt: &mut RttEstimator, now: &mut Duration, round_trips: &[u64]) {
        for round_trip in round_trips {
            for _ in 0..5 {
                *now += ms(20);
                congestion.on_sent((congestion.budget() * 0.02) as usize);
                congestion.on_acked(1, 1000);
                let adjusted = rtt.sample(*now, ms(*round_trip), ms(0));
                congestion.on_sample(adjusted);
                congestion.update(*now, rtt);
            }
        }
    }

    #[test]
    fn the_budget_grows_while_it_is_used_and_falls_when_the_round_trip_rises() {
        let (mut rtt, mut now) = (RttEstimator::new(ms(0)), ms(0));
        let mut congestion = Congestion::new(now, 8_000, 2_000_000);
        run(&mut congestion, &mut rtt, &mut now, &[50; 20]);
        let grown = congestion.budget();
        assert!(grown > 1_000_000.0, "{grown}");
        run(&mut congestion, &mut rtt, &mut now, &[400; 20]);
        assert!(congestion.budget() < grown / 2.0, "{}", congestion.budget());
    }

    #[test]
    fn the_budget_does_not_grow_unused() {
        let (mut rtt, mut now) = (RttEstimator::new(ms(0)), ms(0));
        let mut congestion = Congestion::new(now, 8_000, 2_000_000);
        let before = congestion.budget();
        for _ in 0..100 {
            now += ms(20);
            congestion.on_sent(100);
            let adjusted = rtt.sample(now, ms(50), ms(0));
            congestion.on_sample(adjusted);
            congestion.update(now, &rtt);
        }
        assert_eq!(congestion.budget(), before);
    }
}
