/// Decisions after which [`AdaptiveBit`] learns no slower.
const LIMIT: u32 = 255;

/// `2^17 / (2n + 3)`: the share, in 1/65,536, that decision number `n` has in the estimate.
static RATES: [u32; LIMIT as usize + 1] = rates();

#[allow(clippy::indexing_slicing, reason = "the compiler runs this: a wrong index is an error of the build")]
const fn rates() -> [u32; LIMIT as usize + 1] {
    let mut table = [0; LIMIT as usize + 1];
    let mut count = 0;
    while count <= LIMIT {
        table[count as usize] = (1 << 17) / (2 * count + 3);
        count += 1;
    }
    table
}

/// How likely a decision is, learned from how it went: quickly at first (the n-th time by 1/(n + 1.5), which is the
/// mean of what was seen), and by 1/256 of the surprise once it was seen often, so that it follows a source that
/// changes.
///
/// This is the state of Mahoney's lpaq: 22 bits of probability and 10 of count in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdaptiveBit(u32);

impl Default for AdaptiveBit {
    fn default() -> Self {
        Self::new()
    }
}

impl AdaptiveBit {
    /// Knows nothing: even odds.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self(1 << 31)
    }

    /// As if it had been seen `count` times (255 at most) and been true with the odds `p1` in 65,536.
    #[inline]
    #[must_use]
    pub const fn seen(p1: u16, count: u8) -> Self {
        Self(((p1 as u32) << 16) | count as u32)
    }

    /// The odds of true in 65,536.
    #[inline]
    #[must_use]
    pub const fn p1(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// Learns how the decision went.
    #[inline]
    pub fn update(&mut self, bit: bool) {
        let count = self.0 & 0x3ff;
        let probability = i64::from(self.0 >> 10);
        let target = if bit { (1 << 22) - 1 } else { 0 };
        let rate = RATES.get(count as usize).copied().unwrap_or(1 << 8);
        // A weighted mean of two numbers of 22 bits is one of 22 bits.
        let probability = probability + (((target - probability) * i64::from(rate)) >> 16);
        self.0 = ((probability as u32) << 10) | (count + 1).min(LIMIT);
    }
}

/// The mean of a quick estimate (1/16 of the surprise) and a slow one (1/128): good from the first decisions on, steady
/// later, and half the size of an [`AdaptiveBit`] that knows its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwoRateBit {
    quick: u16,
    slow: u16,
}

impl Default for TwoRateBit {
    fn default() -> Self {
        Self::new()
    }
}

impl TwoRateBit {
    const QUICK_SHIFT: u32 = 4;
    const SLOW_SHIFT: u32 = 7;

    /// Knows nothing: even odds.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self { quick: 1 << 15, slow: 1 << 15 }
    }

    /// The odds of true in 65,536.
    #[inline]
    #[must_use]
    pub const fn p1(self) -> u16 {
        ((self.quick as u32 + self.slow as u32) / 2) as u16
    }

    /// Learns how the decision went.
    #[inline]
    pub fn update(&mut self, bit: bool) {
        if bit {
            self.quick += (u16::MAX - self.quick) >> Self::QUICK_SHIFT;
            self.slow += (u16::MAX - self.slow) >> Self::SLOW_SHIFT;
        } else {
            self.quick -= self.quick >> Self::QUICK_SHIFT;
            self.slow -= self.slow >> Self::SLOW_SHIFT;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_decisions_count_most() {
        let mut bit = AdaptiveBit::new();
        bit.update(true);
        assert!((54_000..55_000).contains(&bit.p1()), "1/2 + 1/3, not {}", bit.p1());
        bit.update(false);
        assert!((30_000..36_000).contains(&bit.p1()), "about even again, not {}", bit.p1());
    }

    #[test]
    fn what_was_seen_before_counts() {
        let mut bit = AdaptiveBit::seen(60_000, 14);
        assert_eq!(bit.p1(), 60_000);
        bit.update(false);
        assert!((55_000..57_000).contains(&bit.p1()), "1/15.5 less, not {}", bit.p1());
    }

    #[test]
    fn certainty_is_learned_and_forgotten() {
        let mut steady = AdaptiveBit::new();
        let mut mixed = TwoRateBit::new();
        for _ in 0..20_000 {
            steady.update(true);
            mixed.update(true);
        }
        assert!(steady.p1() > 65_500 && mixed.p1() > 65_400);
        for _ in 0..2_000 {
            steady.update(false);
            mixed.update(false);
        }
        assert!(steady.p1() < 100 && mixed.p1() < 100);
    }
}
