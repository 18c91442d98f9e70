//! CPU time of this process, summed over its threads: what a server pays for, however many cores share the work.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time that all threads of this process have used so far.
pub fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// CPU time that `work` takes, with what other threads of this process do meanwhile.
pub fn time(work: impl FnOnce()) -> Duration {
    let before = process_time();
    work();
    process_time().saturating_sub(before)
}

/// Microseconds, with fraction.
pub fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The middle one, in microseconds; of an even number the upper of the two.
pub fn median_microseconds(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().map_or(f64::NAN, microseconds)
}
