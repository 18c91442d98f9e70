use crate::{BitReader, BitWriter, WireError, zigzag_decode, zigzag_encode};

/// A `u64` is at most ten groups of seven bits.
const MAX_GROUPS: u32 = 10;

/// Varints: LEB128, seven bits a group, lowest group first; the eighth bit says that another group follows.
impl BitWriter {
    /// Appends `value` in 8 bits below 128, 16 below 16,384, … 80 at most. For lengths, counts and ids.
    #[inline]
    pub fn write_varint(&mut self, value: u64) {
        let mut rest = value;
        while rest >= 0x80 {
            self.write_bits((rest & 0x7f) | 0x80, 8);
            rest >>= 7;
        }
        self.write_bits(rest, 8);
    }

    /// Appends a signed number as the varint of its zig-zag fold.
    #[inline]
    pub fn write_signed_varint(&mut self, value: i64) {
        self.write_varint(zigzag_encode(value));
    }
}

/// Varints: each number has exactly one form; longer ones are refused.
impl BitReader<'_> {
    /// Reads what [`BitWriter::write_varint`] wrote.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`], or [`WireError::Malformed`] for a number above 64 bits or a form that is longer
    /// than it need be.
    #[inline]
    pub fn read_varint(&mut self) -> Result<u64, WireError> {
        let mut cursor = self.clone();
        let mut value = 0;
        for group in 0..MAX_GROUPS {
            let byte = cursor.read_bits(8)?;
            let payload = byte & 0x7f;
            let overflows = group == MAX_GROUPS - 1 && payload > 1;
            let last = byte & 0x80 == 0;
            if overflows || (last && payload == 0 && group > 0) {
                break;
            }
            value |= payload << (7 * group);
            if last {
                *self = cursor;
                return Ok(value);
            }
        }
        Err(WireError::Malformed { what: "varint" })
    }

    /// Reads what [`BitWriter::write_signed_varint`] wrote.
    ///
    /// # Errors
    /// As [`read_varint`](Self::read_varint).
    #[inline]
    pub fn read_signed_varint(&mut self) -> Result<i64, WireError> {
        Ok(zigzag_decode(self.read_varint()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_longer_than_it_need_be_is_refused() {
        for bytes in [&[0x80, 0x00][..], &[0xff, 0x80, 0x00]] {
            let read = BitReader::new(bytes).read_varint();
            assert_eq!(read, Err(WireError::Malformed { what: "varint" }));
        }
    }

    #[test]
    fn more_than_64_bits_are_refused() {
        let mut bytes = [0xff; 11];
        let read = BitReader::new(&bytes).read_varint();
        assert_eq!(read, Err(WireError::Malformed { what: "varint" }));
        bytes[9] = 0x02;
        assert!(BitReader::new(&bytes).read_varint().is_err());
        bytes[9] = 0x01;
        assert_eq!(BitReader::new(&bytes).read_varint(), Ok(u64::MAX));
    }
}
