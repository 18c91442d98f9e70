use core::{
    fmt,
    ops::{Add, AddAssign, Sub},
};

/// One step of the simulation; the clock that orders everything. It counts up and wraps: at 60 Hz after 2.3 years.
///
/// It has no `Ord`, because a wrapping counter has no least value: two ticks compare only where they lie within half
/// the range (2^31 ticks) of each other, through [`since`](Self::since) and [`is_newer_than`](Self::is_newer_than).
///
/// ```
/// use slipstream_wire::Tick;
///
/// let last = Tick(u32::MAX);
/// assert_eq!(last + 3, Tick(2));
/// assert_eq!((last + 3).since(last), 3);
/// assert!((last + 3).is_newer_than(last));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tick(pub u32);

impl Tick {
    /// The tick with this number.
    #[inline]
    #[must_use]
    pub const fn new(tick: u32) -> Self {
        Self(tick)
    }

    /// The number of this tick.
    #[inline]
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Ticks from `earlier` to `self`; negative where `earlier` is the newer one. Right where the two lie within 2^31
    /// ticks of each other.
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Tick) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    /// Whether `self` comes after `other`, by the same measure. Of two ticks exactly half the range apart neither does.
    #[inline]
    #[must_use]
    pub const fn is_newer_than(self, other: Tick) -> bool {
        self.since(other) > 0
    }
}

impl Add<u32> for Tick {
    type Output = Tick;

    #[inline]
    fn add(self, ticks: u32) -> Tick {
        Tick(self.0.wrapping_add(ticks))
    }
}

impl Sub<u32> for Tick {
    type Output = Tick;

    #[inline]
    fn sub(self, ticks: u32) -> Tick {
        Tick(self.0.wrapping_sub(ticks))
    }
}

impl AddAssign<u32> for Tick {
    #[inline]
    fn add_assign(&mut self, ticks: u32) {
        self.0 = self.0.wrapping_add(ticks);
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_compare_across_the_wrap() {
        let mut tick = Tick::new(u32::MAX - 1);
        tick += 4;
        assert_eq!(tick, Tick(2));
        assert_eq!(tick.since(Tick(u32::MAX)), 3);
        assert_eq!(Tick(u32::MAX).since(tick), -3);
        assert!(tick.is_newer_than(Tick(u32::MAX)));
        assert!(!Tick(u32::MAX).is_newer_than(tick));
        assert_eq!(tick - 3, Tick(u32::MAX));
        assert_eq!(tick.to_string(), "2");
    }

    #[test]
    fn no_tick_is_newer_than_itself_or_its_antipode() {
        assert!(!Tick(7).is_newer_than(Tick(7)));
        assert!(!Tick(0).is_newer_than(Tick(1 << 31)));
        assert!(!Tick(1 << 31).is_newer_than(Tick(0)));
    }
}
