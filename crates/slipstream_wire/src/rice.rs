use crate::{BitReader, BitWriter, WireError, bit_writer::low_mask};

/// Quotients from here on are escaped, so that no value is longer than 32 bits plus its exp-Golomb code: a plain Rice
/// code of `u64::MAX` would be 2^64 zeros.
const ESCAPE: u32 = 32;

const MAX_PARAMETER: u32 = 63;

/// Rice codes (Golomb codes with a power of two): `value >> k` zeros, a one, then the low `k` bits of `value`. From a
/// quotient of 32 on: 32 zeros, then the exp-Golomb code of order `k` of `value - 32 * 2^k`.
///
/// One bit better than exp-Golomb where values fall off geometrically and `k` is known well; worse in the tail.
impl BitWriter {
    /// Appends `value`. `k` is about the base-2 logarithm of the mean value, at most 63.
    #[inline]
    pub fn write_rice(&mut self, value: u64, k: u32) {
        let k = parameter(k);
        let quotient = value >> k;
        if quotient >= u64::from(ESCAPE) {
            // A quotient this great leaves `k` below 59, so the product fits.
            self.write_bits(0, ESCAPE);
            self.write_exp_golomb(value - (u64::from(ESCAPE) << k), k);
            return;
        }
        let zeros = quotient as u32;
        self.write_bits(1 << zeros, zeros + 1);
        self.write_bits(value & low_mask(k), k);
    }
}

impl BitReader<'_> {
    /// Reads what [`BitWriter::write_rice`] wrote with the same `k`.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`], or [`WireError::Malformed`] for a number above 64 bits.
    #[inline]
    pub fn read_rice(&mut self, k: u32) -> Result<u64, WireError> {
        const MALFORMED: WireError = WireError::Malformed { what: "Rice code" };
        let k = parameter(k);
        let zeros = self.peek_word().trailing_zeros();
        let mut cursor = self.clone();
        let value = if zeros < ESCAPE {
            cursor.skip_bits(zeros as usize + 1)?;
            // At order 59 and above a quotient below the escape may still be too great.
            let high = u64::from(zeros).checked_mul(1 << k).ok_or(MALFORMED)?;
            high | cursor.read_bits(k)?
        } else {
            cursor.skip_bits(ESCAPE as usize)?;
            let rest = cursor.read_exp_golomb(k)?;
            u64::from(ESCAPE).checked_mul(1 << k).and_then(|escaped| escaped.checked_add(rest)).ok_or(MALFORMED)?
        };
        *self = cursor;
        Ok(value)
    }
}

/// `k` is the program's, never a peer's: a wrong one is a bug, and both sides then take the same one.
#[inline]
fn parameter(k: u32) -> u32 {
    debug_assert!(k <= MAX_PARAMETER, "the parameter of a Rice code is at most 63, not {k}");
    k.min(MAX_PARAMETER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(value: u64, k: u32) -> usize {
        let mut writer = BitWriter::new();
        writer.write_rice(value, k);
        writer.bit_len()
    }

    #[test]
    fn a_usual_value_takes_its_quotient_and_k_bits_and_one() {
        assert_eq!(length(0, 0), 1);
        assert_eq!(length(3, 2), 3);
        assert_eq!(length(4, 2), 4);
        assert_eq!(length(127, 2), 34);
    }

    #[test]
    fn an_unusual_value_is_escaped_and_bounded() {
        assert_eq!(length(128, 2), 32 + 3);
        assert_eq!(length(u64::MAX, 0), 32 + 127);
    }

    #[test]
    fn a_number_above_64_bits_is_refused() {
        // A quotient of 31 at order 63, and an escape at order 59.
        for (zeros, k) in [(31, 63), (32, 59)] {
            let mut writer = BitWriter::new();
            writer.write_bits(0, zeros);
            writer.write_bits(u64::MAX, 64);
            writer.write_bits(u64::MAX, 64);
            let bytes = writer.to_bytes();
            let read = BitReader::new(&bytes).read_rice(k);
            assert_eq!(read, Err(WireError::Malformed { what: "Rice code" }));
        }
    }
}
