use crate::{WireError, bit_writer::low_mask};

/// Reads what a [`BitWriter`](crate::BitWriter) wrote, from bytes that may come from anyone.
///
/// Every read either gives a value and moves on, or gives a [`WireError`] and stays where it was.
#[derive(Clone, Debug)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    // Invariant: at most `bytes.len() * 8`.
    position: usize,
}

impl<'a> BitReader<'a> {
    /// Starts at the first bit of `bytes`.
    #[inline]
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Reads `bits` bits, lowest first.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`] where fewer remain, [`WireError::ValueOutOfRange`] where `bits` is above 64.
    #[inline]
    pub fn read_bits(&mut self, bits: u32) -> Result<u64, WireError> {
        if bits > 64 {
            return Err(WireError::ValueOutOfRange { what: "bit count of one read", value: u64::from(bits), max: 64 });
        }
        let word = self.peek_word();
        self.skip_bits(bits as usize)?;
        Ok(word & low_mask(bits))
    }

    /// Reads one bit.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`] at the end.
    #[inline]
    pub fn read_bool(&mut self) -> Result<bool, WireError> {
        Ok(self.read_bits(1)? != 0)
    }

    /// Fills `out`, from any bit position.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`] where fewer bytes remain; `out` is untouched then.
    pub fn read_bytes(&mut self, out: &mut [u8]) -> Result<(), WireError> {
        let mut cursor = self.clone();
        self.skip_bits(out.len().saturating_mul(8))?;
        if cursor.position.is_multiple_of(8) {
            let start = cursor.position / 8;
            if let Some(source) = cursor.bytes.get(start..start + out.len()) {
                out.copy_from_slice(source);
            }
            return Ok(());
        }
        let (words, rest) = out.as_chunks_mut::<8>();
        for word in words {
            *word = cursor.read_bits(64)?.to_le_bytes();
        }
        for byte in rest {
            *byte = cursor.read_bits(8)? as u8;
        }
        Ok(())
    }

    /// Reads `len` bytes into a new vector. Memory is taken only after `len` is known to be within `limit` and within
    /// what the stream still holds.
    ///
    /// # Errors
    /// [`WireError::TooLong`] where `len` is above `limit`, [`WireError::UnexpectedEnd`] where fewer bytes remain.
    pub fn read_vec(&mut self, len: usize, limit: usize) -> Result<Vec<u8>, WireError> {
        if len > limit {
            return Err(WireError::TooLong { what: "byte string", length: len as u64, limit: limit as u64 });
        }
        self.require(len.saturating_mul(8))?;
        let mut bytes = vec![0; len];
        self.read_bytes(&mut bytes)?;
        Ok(bytes)
    }

    /// Moves on by `bits` bits.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`] where fewer remain.
    #[inline]
    pub fn skip_bits(&mut self, bits: usize) -> Result<(), WireError> {
        self.require(bits)?;
        self.position += bits;
        Ok(())
    }

    /// Moves on to the next byte boundary, which always exists.
    #[inline]
    pub fn align_to_byte(&mut self) {
        self.position = self.position.next_multiple_of(8);
    }

    /// Bits between here and the end.
    #[inline]
    #[must_use]
    pub fn remaining_bits(&self) -> usize {
        self.bytes.len().saturating_mul(8).saturating_sub(self.position)
    }

    /// Bits read or skipped so far.
    #[inline]
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// The next 64 bits without moving, zeros past the end.
    #[inline]
    pub(crate) fn peek_word(&self) -> u64 {
        let tail = self.bytes.get(self.position / 8..).unwrap_or_default();
        let low = match tail.first_chunk::<8>() {
            Some(word) => u64::from_le_bytes(*word),
            None => {
                let mut word = [0; 8];
                for (to, from) in word.iter_mut().zip(tail) {
                    *to = *from;
                }
                u64::from_le_bytes(word)
            }
        };
        let shift = (self.position % 8) as u32;
        if shift == 0 {
            return low;
        }
        let high = tail.get(8).map_or(0, |byte| u64::from(*byte));
        (low >> shift) | (high << (64 - shift))
    }

    /// An error where fewer than `needed_bits` remain.
    #[inline]
    pub(crate) fn require(&self, needed_bits: usize) -> Result<(), WireError> {
        let remaining_bits = self.remaining_bits();
        if needed_bits > remaining_bits {
            return Err(WireError::UnexpectedEnd { needed_bits, remaining_bits });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_64_bits_from_any_offset() {
        let bytes: Vec<u8> = (1..=17).collect();
        let whole = u128::from_le_bytes(bytes[..16].try_into().unwrap());
        for offset in 0..=64 {
            let mut reader = BitReader::new(&bytes);
            reader.skip_bits(offset).unwrap();
            assert_eq!(reader.read_bits(64), Ok((whole >> offset) as u64), "offset {offset}");
        }
    }

    #[test]
    fn a_read_that_fails_stays_where_it_was() {
        let mut reader = BitReader::new(&[0xff, 0xff]);
        reader.skip_bits(3).unwrap();
        assert_eq!(reader.read_bits(14), Err(WireError::UnexpectedEnd { needed_bits: 14, remaining_bits: 13 }));
        assert!(reader.read_bits(65).is_err());
        assert!(reader.read_varint().is_err());
        assert_eq!(reader.position(), 3);
        assert_eq!(reader.read_bits(13), Ok(0x1fff));
        assert_eq!(reader.remaining_bits(), 0);
    }

    #[test]
    fn an_announced_length_is_checked_before_memory_is_taken() {
        let mut reader = BitReader::new(&[1, 2, 3]);
        assert_eq!(reader.read_vec(4, 3), Err(WireError::TooLong { what: "byte string", length: 4, limit: 3 }));
        assert!(matches!(reader.read_vec(usize::MAX, usize::MAX), Err(WireError::UnexpectedEnd { .. })));
        assert_eq!(reader.read_vec(3, 3), Ok(vec![1, 2, 3]));
    }

    #[test]
    fn aligning_moves_to_the_next_byte_once() {
        let mut reader = BitReader::new(&[0, 9]);
        reader.align_to_byte();
        assert_eq!(reader.position(), 0);
        reader.skip_bits(1).unwrap();
        reader.align_to_byte();
        reader.align_to_byte();
        assert_eq!(reader.read_bits(8), Ok(9));
    }
}
