//! The speed of a session by the machine's clock.
//!
//! lightyear takes two times from the machine's clock and not from Bevy's, and cannot be given another: that of its
//! limiter of bytes a second, and that of its pings, by which it tells a late acknowledgement from a lost packet. Where
//! they matter, a step waits until its time has come. Waiting is outside of what is timed.

use std::thread;
use std::time::{Duration, Instant};

use crate::motion::TICKS_PER_SECOND;

/// When the steps of a session take place.
pub struct Pace {
    /// When the next one does.
    due: Instant,
    period: Duration,
}

impl Pace {
    /// The game's clock runs `speed` times as fast as the machine's.
    pub fn new(speed: u32) -> Self {
        Self { due: Instant::now(), period: Duration::from_secs_f64(1.0 / TICKS_PER_SECOND) / speed }
    }

    /// Waits for the next step's time. Late steps are made up for: what counts is how many there are in a second.
    pub fn wait(&mut self) {
        thread::sleep(self.due.saturating_duration_since(Instant::now()));
        self.due += self.period;
    }
}
