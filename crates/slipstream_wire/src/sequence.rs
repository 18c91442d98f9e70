use core::{
    fmt,
    ops::{Add, AddAssign, Sub},
};

/// The low 16 bits of a counter that travel, as packet and message numbers do. It wraps and has no `Ord`, like
/// [`Tick`](crate::Tick): two of them compare only within half the range (2^15) of each other.
///
/// ```
/// use slipstream_wire::Sequence;
///
/// let received = Sequence(3);
/// assert_eq!(received.expand(65_530), 65_539);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sequence(pub u16);

impl Sequence {
    /// The sequence with this number.
    #[inline]
    #[must_use]
    pub const fn new(sequence: u16) -> Self {
        Self(sequence)
    }

    /// The number of this sequence.
    #[inline]
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Steps from `earlier` to `self`; negative where `earlier` is the newer one. Right where the two lie within 2^15
    /// of each other.
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Sequence) -> i16 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    /// Whether `self` comes after `other`, by the same measure. Of two sequences exactly half the range apart neither
    /// does.
    #[inline]
    #[must_use]
    pub const fn is_newer_than(self, other: Sequence) -> bool {
        self.since(other) > 0
    }

    /// The full counter that these 16 bits were cut from: the one nearest to `reference` (RFC 9000, appendix A.3). Of
    /// two equally near ones it is the smaller; near either end of `u64` it is the one that exists.
    #[must_use]
    pub fn expand(self, reference: u64) -> u64 {
        let offset = i64::from(self.since(Sequence(reference as u16)));
        if let Some(nearest) = reference.checked_add_signed(offset) {
            return nearest;
        }
        reference.wrapping_add_signed(offset - offset.signum() * (1 << 16))
    }
}

impl Add<u16> for Sequence {
    type Output = Sequence;

    #[inline]
    fn add(self, steps: u16) -> Sequence {
        Sequence(self.0.wrapping_add(steps))
    }
}

impl Sub<u16> for Sequence {
    type Output = Sequence;

    #[inline]
    fn sub(self, steps: u16) -> Sequence {
        Sequence(self.0.wrapping_sub(steps))
    }
}

impl AddAssign<u16> for Sequence {
    #[inline]
    fn add_assign(&mut self, steps: u16) {
        self.0 = self.0.wrapping_add(steps);
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_compare_across_the_wrap() {
        let mut sequence = Sequence::new(u16::MAX);
        sequence += 2;
        assert_eq!(sequence, Sequence(1));
        assert_eq!(sequence.since(Sequence(u16::MAX)), 2);
        assert!(sequence.is_newer_than(Sequence(u16::MAX)));
        assert_eq!((sequence - 2).get(), u16::MAX);
        assert!(!Sequence(0).is_newer_than(Sequence(1 << 15)));
        assert!(!Sequence(1 << 15).is_newer_than(Sequence(0)));
    }

    #[test]
    fn expanding_finds_the_nearest_counter() {
        for reference in [40_000, 65_535, 65_536, 1 << 40, u64::MAX - 40_000] {
            for distance in [-32_768, -1000, -1, 0, 1, 1000, 32_767] {
                let counter = reference.checked_add_signed(distance).unwrap();
                assert_eq!(Sequence(counter as u16).expand(reference), counter, "{reference} {distance}");
            }
        }
    }

    #[test]
    fn expanding_stays_inside_the_counter_at_both_ends() {
        assert_eq!(Sequence(65_535).expand(0), 65_535);
        assert_eq!(Sequence(40_000).expand(10), 40_000);
        assert_eq!(Sequence(0).expand(u64::MAX), u64::MAX - 65_535);
    }
}
