/// Folds a signed number into an unsigned one so that small magnitudes stay small: 0, -1, 1, -2 become 0, 1, 2, 3.
///
/// ```
/// assert_eq!(slipstream_wire::zigzag_encode(-2), 3);
/// ```
#[inline]
#[must_use]
pub const fn zigzag_encode(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag_encode`]; every `u64` is the fold of exactly one `i64`.
#[inline]
#[must_use]
pub const fn zigzag_decode(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_small_magnitudes_to_small_numbers() {
        let folded = [0, -1, 1, -2, 2, i64::MAX, i64::MIN].map(zigzag_encode);
        assert_eq!(folded, [0, 1, 2, 3, 4, u64::MAX - 1, u64::MAX]);
        assert_eq!(folded.map(zigzag_decode), [0, -1, 1, -2, 2, i64::MAX, i64::MIN]);
    }
}
