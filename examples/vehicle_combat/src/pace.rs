//! The game's pace: 60 ticks a second, and everything that lasts is counted in ticks.

/// Ticks a second. The networking must run at the same rate, which is its default.
pub const TICK_RATE: f64 = 60.0;

/// Seconds that one tick of the simulation lasts.
pub const TICK_SECONDS: f32 = 1.0 / TICK_RATE as f32;

/// So many seconds in ticks.
#[must_use]
pub const fn ticks(seconds: u32) -> u32 {
    seconds * TICK_RATE as u32
}

/// The whole seconds that `ticks` last, rounded up: what a clock shows.
#[must_use]
pub fn seconds_shown(ticks: u32) -> u16 {
    u16::try_from(ticks.div_ceil(TICK_RATE as u32)).unwrap_or(u16::MAX)
}

/// Whether the tick number `now` has reached `due`. Tick numbers wrap, so they compare within half their range.
#[must_use]
pub fn has_come(now: u32, due: u32) -> bool {
    now.wrapping_sub(due) < u32::MAX / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_comes_also_across_the_wrap() {
        assert!(has_come(10, 10));
        assert!(has_come(11, 10));
        assert!(!has_come(9, 10));
        assert!(has_come(3, u32::MAX - 3));
        assert!(!has_come(u32::MAX - 3, 3));
    }

    #[test]
    fn a_clock_shows_started_seconds() {
        assert_eq!(seconds_shown(0), 0);
        assert_eq!(seconds_shown(1), 1);
        assert_eq!(seconds_shown(ticks(3)), 3);
        assert_eq!(seconds_shown(ticks(3) + 1), 4);
    }
}
