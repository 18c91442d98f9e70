use crate::{BitReader, BitWriter, WireError, bit_writer::low_mask, zigzag_decode, zigzag_encode};

/// Above this order every number has the same length.
const MAX_ORDER: u32 = 63;

const MALFORMED: WireError = WireError::Malformed { what: "exp-Golomb code" };

/// Bits of `value` in the exp-Golomb code of order `k`.
///
/// ```
/// assert_eq!(slipstream_wire::exp_golomb_bits(0, 0), 1);
/// assert_eq!(slipstream_wire::exp_golomb_bits(5, 0), 5);
/// ```
#[inline]
#[must_use]
pub fn exp_golomb_bits(value: u64, k: u32) -> u32 {
    let k = order(k);
    let zeros = (value >> k).checked_add(1).map_or(64, u64::ilog2);
    2 * zeros + 1 + k
}

/// Exp-Golomb codes of order `k` (Teuhola 1978; the form that ITU-T H.264 §9.1 uses): with `v = value + 2^k` of `n`
/// bits, `n - 1 - k` zeros, a one, then the low `n - 1` bits of `v`. Here those come lowest first, as everything in the
/// stream.
///
/// A number below `2^k` takes `k + 1` bits and each doubling above it two more: short for the deltas that come often,
/// bounded (129 bits) for any.
impl BitWriter {
    /// Appends `value`. `k` is about the base-2 logarithm of a usual value, at most 63.
    #[inline]
    pub fn write_exp_golomb(&mut self, value: u64, k: u32) {
        let k = order(k);
        let zeros = (value >> k).checked_add(1).map_or(64, u64::ilog2);
        // `zeros + k` is at most 64, because `value >> k` has at most `64 - k` bits.
        let suffix_bits = zeros + k;
        let suffix = value.wrapping_add(1 << k) & low_mask(suffix_bits);
        let bits = zeros + 1 + suffix_bits;
        if bits <= 64 {
            self.write_bits(((suffix << 1) | 1) << zeros, bits);
        } else {
            self.write_bits(0, zeros);
            self.write_bits(1, 1);
            self.write_bits(suffix, suffix_bits);
        }
    }

    /// Appends a signed number as the exp-Golomb code of its zig-zag fold.
    #[inline]
    pub fn write_signed_exp_golomb(&mut self, value: i64, k: u32) {
        self.write_exp_golomb(zigzag_encode(value), k);
    }
}

impl BitReader<'_> {
    /// Reads what [`BitWriter::write_exp_golomb`] wrote with the same `k`.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`], or [`WireError::Malformed`] for a number above 64 bits.
    #[inline]
    pub fn read_exp_golomb(&mut self, k: u32) -> Result<u64, WireError> {
        let k = order(k);
        let word = self.peek_word();
        let zeros = word.trailing_zeros();
        let suffix_bits = zeros + k;
        let bits = zeros + 1 + suffix_bits;
        if bits <= 64 {
            self.skip_bits(bits as usize)?;
            let suffix = (word >> (zeros + 1)) & low_mask(suffix_bits);
            return value_of(suffix, suffix_bits, k);
        }
        // A word that ends past the data looks like a longer run of zeros; asking for all of it tells the two apart.
        self.require(bits as usize)?;
        if suffix_bits > 64 {
            return Err(MALFORMED);
        }
        let mut cursor = self.clone();
        cursor.skip_bits(zeros as usize)?;
        if !cursor.read_bool()? {
            return Err(MALFORMED);
        }
        let value = value_of(cursor.read_bits(suffix_bits)?, suffix_bits, k)?;
        *self = cursor;
        Ok(value)
    }

    /// Reads what [`BitWriter::write_signed_exp_golomb`] wrote with the same `k`.
    ///
    /// # Errors
    /// As [`read_exp_golomb`](Self::read_exp_golomb).
    #[inline]
    pub fn read_signed_exp_golomb(&mut self, k: u32) -> Result<i64, WireError> {
        Ok(zigzag_decode(self.read_exp_golomb(k)?))
    }
}

/// `k` is the program's, never a peer's: a wrong one is a bug, and both sides then take the same one.
#[inline]
fn order(k: u32) -> u32 {
    debug_assert!(k <= MAX_ORDER, "the order of a Golomb code is at most 63, not {k}");
    k.min(MAX_ORDER)
}

/// `2^suffix_bits + suffix - 2^k`, where it fits 64 bits. `suffix_bits` is at most 64 and at least `k`.
#[inline]
fn value_of(suffix: u64, suffix_bits: u32, k: u32) -> Result<u64, WireError> {
    if suffix_bits < 64 {
        return Ok(suffix + (1 << suffix_bits) - (1 << k));
    }
    // 2^64 - 2^k + suffix: only the low k bits of the suffix may be set, or the sum is above 64 bits.
    if suffix >> k != 0 {
        return Err(MALFORMED);
    }
    Ok(suffix.wrapping_sub(1 << k))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_number_is_short_and_each_doubling_costs_two_bits() {
        let length = |value, k| {
            let mut writer = BitWriter::new();
            writer.write_exp_golomb(value, k);
            writer.bit_len()
        };
        assert_eq!(length(0, 0), 1);
        assert_eq!(length(1, 0), 3);
        assert_eq!(length(2, 0), 3);
        assert_eq!(length(3, 0), 5);
        assert_eq!(length(15, 4), 5);
        assert_eq!(length(16, 4), 7);
        assert_eq!(length(48, 4), 9);
        assert_eq!(length(u64::MAX, 0), 129);
        assert_eq!(length(u64::MAX, 63), 66);
    }

    #[test]
    fn a_number_above_64_bits_is_refused() {
        for k in [0, 1, 5, 62, 63] {
            // One zero more than the longest code of this order has, then ones.
            let mut writer = BitWriter::new();
            writer.write_bits(0, 64 - k);
            writer.write_bits(0, 1);
            for _ in 0..4 {
                writer.write_bits(u64::MAX, 64);
            }
            let bytes = writer.to_bytes();
            let mut reader = BitReader::new(&bytes);
            assert_eq!(reader.read_exp_golomb(k), Err(MALFORMED), "order {k}");

            // The longest prefix with a suffix that does not fit.
            writer.clear();
            writer.write_bits(0, 64 - k);
            writer.write_bits(1, 1);
            writer.write_bits(u64::MAX, 64);
            let bytes = writer.to_bytes();
            let mut reader = BitReader::new(&bytes);
            assert_eq!(reader.read_exp_golomb(k), Err(MALFORMED), "order {k}");
            assert_eq!(reader.position(), 0);
        }
    }
}
