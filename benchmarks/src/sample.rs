//! What one tick took, and what many ticks take.

use std::time::{Duration, Instant};

use crate::work::Work;

/// One measured tick.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// The server's `App::update`.
    pub server: Duration,
    /// The first client's `App::update`.
    pub client: Duration,
    /// Bytes from the server to all clients.
    pub bytes: u64,
}

/// The figures of a work.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Median of the server's time, in microseconds a tick.
    pub server_microseconds: f64,
    /// Median of the first client's time, in microseconds a tick.
    pub client_microseconds: f64,
    /// Mean bytes a tick, for each moving body and connection. Zero where nothing moves.
    pub bytes_per_moving_body: f64,
}

impl Measured {
    /// The figures from at least one tick.
    pub fn of(samples: &[Sample], work: &Work) -> Self {
        let bytes: u64 = samples.iter().map(|sample| sample.bytes).sum();
        let told = samples.len() as f64 * f64::from(work.moving()) * f64::from(work.connections);
        Self {
            server_microseconds: median(samples.iter().map(|sample| sample.server)),
            client_microseconds: median(samples.iter().map(|sample| sample.client)),
            bytes_per_moving_body: if told > 0.0 { bytes as f64 / told } else { 0.0 },
        }
    }
}

/// How long something took. One thread does all of it, so this is its CPU time unless another process took the core.
pub fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn median(durations: impl Iterator<Item = Duration>) -> f64 {
    let mut sorted: Vec<Duration> = durations.collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).map_or(0.0, |duration| duration.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_tick_does_not_move_the_median() {
        let durations = [3, 1, 2, 900, 2].map(Duration::from_micros);
        assert!((median(durations.into_iter()) - 2.0).abs() < 1e-9);
    }
}
