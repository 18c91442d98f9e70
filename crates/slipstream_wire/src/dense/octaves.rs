//! How great a number is, in steps coarse enough to be a context.
//!
//! Numbers are fixed-point with [`FRACTION_BITS`] bits, so that what is below one step still counts.

/// Bits behind the point of positions and rotations that are predicted.
pub(crate) const FRACTION_BITS: u32 = 8;
pub(crate) const STEP: i64 = 1 << FRACTION_BITS;

/// `log2(1 + |value|)`, rounded down, at most 11.
#[inline]
pub(crate) fn octaves(value: i64) -> u32 {
    (raised(value).ilog2() - FRACTION_BITS).min(11)
}

/// `2 log2(1 + |value|)`, rounded down, at most 15.
#[inline]
pub(crate) fn half_octaves(value: i64) -> u32 {
    let raised = raised(value);
    // The logarithm of the square is twice the logarithm.
    ((raised * raised).ilog2() - 2 * FRACTION_BITS).min(15)
}

/// [`octaves`] with the sign of the value: 0 to `2 * most`, `most` for zero.
#[inline]
pub(crate) fn signed_octaves(value: i64, most: u32) -> u32 {
    let octaves = octaves(value).min(most);
    if value < 0 { most - octaves } else { most + octaves }
}

/// At least one step and at most what can be squared.
#[inline]
fn raised(value: i64) -> u64 {
    value.unsigned_abs().min(1 << 28) + STEP as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_steps_fall_into_octaves() {
        let steps = [0, 1, 2, 3, 6, 7, 1 << 20, i64::MAX >> 8];
        assert_eq!(steps.map(|value| octaves(value * STEP)), [0, 1, 1, 2, 2, 3, 11, 11]);
        assert_eq!(steps.map(|value| half_octaves(-value * STEP)), [0, 2, 3, 4, 5, 6, 15, 15]);
        assert_eq!([-5, 0, 5].map(|value| signed_octaves(value * STEP, 2)), [0, 2, 4]);
        assert_eq!(octaves(i64::MIN), 11);
    }
}
