/// Writes bits into 64-bit words: bit `i` of the stream is bit `i % 64` of word `i / 64`, and the same stream as bytes
/// is those words little-endian, so bit `i` is bit `i % 8` of byte `i / 8`.
///
/// The last word is the scratch word; bits of it that are not written yet are zero. Nothing here fails or panics on a
/// value: a value wider than its field loses its upper bits.
///
/// ```
/// let mut writer = slipstream_wire::BitWriter::new();
/// writer.write_bits(0b101, 3);
/// writer.write_bool(true);
/// assert_eq!(writer.bit_len(), 4);
/// assert_eq!(writer.to_bytes(), [0b1101]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct BitWriter {
    // Invariant: `words.len() == bit_len.div_ceil(64)`, and bits of the last word at or above `bit_len` are zero.
    words: Vec<u64>,
    bit_len: usize,
}

impl BitWriter {
    /// An empty stream, without allocation.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty stream with room for `bits` bits.
    #[must_use]
    pub fn with_capacity(bits: usize) -> Self {
        Self { words: Vec::with_capacity(bits.div_ceil(64)), bit_len: 0 }
    }

    /// Empties the stream and keeps its memory.
    pub fn clear(&mut self) {
        self.words.clear();
        self.bit_len = 0;
    }

    /// Appends the low `bits` bits of `value`, lowest first. `bits` is at most 64; more is a bug of the caller, caught
    /// in debug builds and taken as 64 otherwise.
    #[inline]
    pub fn write_bits(&mut self, value: u64, bits: u32) {
        debug_assert!(bits <= 64, "write_bits takes at most 64 bits, not {bits}");
        let bits = bits.min(64);
        if bits == 0 {
            return;
        }
        let value = value & low_mask(bits);
        let offset = (self.bit_len % 64) as u32;
        self.bit_len += bits as usize;
        if offset == 0 {
            self.words.push(value);
            return;
        }
        if let Some(last) = self.words.last_mut() {
            *last |= value << offset;
        }
        let room = 64 - offset;
        if bits > room {
            self.words.push(value >> room);
        }
    }

    /// Appends one bit.
    #[inline]
    pub fn write_bool(&mut self, value: bool) {
        self.write_bits(u64::from(value), 1);
    }

    /// Appends whole bytes, at any bit position.
    pub fn write_bytes(&mut self, bytes: &[u8]) {
        self.words.reserve(bytes.len() / 8 + 2);
        let (words, rest) = bytes.as_chunks::<8>();
        let new = words.iter().map(|word| u64::from_le_bytes(*word));
        let offset = (self.bit_len % 64) as u32;
        if offset == 0 {
            self.words.extend(new);
        } else if let Some(mut begun) = self.words.pop() {
            self.words.extend(new.map(|word| {
                let full = begun | (word << offset);
                begun = word >> (64 - offset);
                full
            }));
            self.words.push(begun);
        }
        self.bit_len += words.len() * 64;
        for byte in rest {
            self.write_bits(u64::from(*byte), 8);
        }
    }

    /// Appends zeros up to the next byte boundary.
    pub fn align_to_byte(&mut self) {
        self.write_bits(0, (self.bit_len.wrapping_neg() % 8) as u32);
    }

    /// Appends `bits` bits of `words` from bit `start_bit` on, word by word: how a record that was encoded once gets
    /// into many datagrams. Reaching past the end of `words` is a bug of the caller, caught in debug builds; otherwise
    /// only what exists is copied.
    #[inline]
    pub fn copy_bits(&mut self, words: &[u64], start_bit: usize, bits: usize) {
        let available = words.len().saturating_mul(64).saturating_sub(start_bit);
        debug_assert!(bits <= available, "copy_bits of {bits} bits where {available} exist");
        let bits = bits.min(available);
        // Most records are this short.
        if bits <= 64 {
            self.write_bits(bits_at(words, start_bit, bits as u32), bits as u32);
            return;
        }
        self.copy_many_bits(words, start_bit, bits);
    }

    /// More than 64 bits, all of which exist in `words`.
    fn copy_many_bits(&mut self, words: &[u64], start_bit: usize, bits: usize) {
        // Fill the scratch word first, so that whole words can be pushed after it.
        let head = self.bit_len.wrapping_neg() % 64;
        self.write_bits(bits_at(words, start_bit, head as u32), head as u32);

        let start_bit = start_bit + head;
        let whole = (bits - head) / 64;
        let source = words.get(start_bit / 64..).unwrap_or_default();
        let shift = (start_bit % 64) as u32;
        if shift == 0 {
            self.words.extend(source.iter().take(whole));
        } else {
            // An unaligned run of `whole` words touches `whole + 1` source words, which exist.
            let next = source.iter().skip(1);
            let joined = source.iter().zip(next).take(whole);
            self.words.extend(joined.map(|(low, high)| (low >> shift) | (high << (64 - shift))));
        }
        self.bit_len += whole * 64;

        let tail = (bits - head) % 64;
        let tail_start = start_bit + whole * 64;
        self.write_bits(bits_at(words, tail_start, tail as u32), tail as u32);
    }

    /// Writes `bits` bits again where `bits` bits were written before, from bit `position` on: a count that is known
    /// only when what it counts has been written. What lies past the end is not written.
    pub fn overwrite_bits(&mut self, position: usize, value: u64, bits: u32) {
        debug_assert!(position + bits as usize <= self.bit_len, "only what was written can be overwritten");
        let (mask, value) = (low_mask(bits), value & low_mask(bits));
        let shift = (position % 64) as u32;
        if let Some(word) = self.words.get_mut(position / 64) {
            *word = (*word & !(mask << shift)) | (value << shift);
        }
        if shift + bits > 64
            && let Some(word) = self.words.get_mut(position / 64 + 1)
        {
            *word = (*word & !(mask >> (64 - shift))) | (value >> (64 - shift));
        }
    }

    /// Bits written so far.
    #[inline]
    #[must_use]
    pub fn bit_len(&self) -> usize {
        self.bit_len
    }

    /// Bytes that the stream fills, the last one padded with zeros.
    #[inline]
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bit_len.div_ceil(8)
    }

    /// Takes back everything after the first `bit_len` bits: how a record that did not fit is undone. Does nothing
    /// where the stream is not longer.
    pub fn truncate(&mut self, bit_len: usize) {
        if bit_len >= self.bit_len {
            return;
        }
        self.words.truncate(bit_len.div_ceil(64));
        self.bit_len = bit_len;
        let used = (bit_len % 64) as u32;
        if used != 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= low_mask(used);
        }
    }

    /// The stream as words; bits past [`bit_len`](Self::bit_len) are zero. What [`copy_bits`](Self::copy_bits) reads.
    #[inline]
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Appends the stream's [`byte_len`](Self::byte_len) bytes to `out`.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        let start = out.len();
        // All words at once, with the room known: that is as fast as copying memory.
        out.resize(start + self.words.len() * 8, 0);
        let (bytes, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<8>();
        for (bytes, word) in bytes.iter_mut().zip(&self.words) {
            *bytes = word.to_le_bytes();
        }
        out.truncate(start + self.byte_len());
    }

    /// The stream as bytes of its own.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.append_to(&mut bytes);
        bytes
    }
}

/// A word whose low `bits` bits are set.
#[inline]
pub(crate) const fn low_mask(bits: u32) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}

/// Up to 64 bits of `words` from bit `start_bit` on; zeros where there are none.
#[inline]
fn bits_at(words: &[u64], start_bit: usize, bits: u32) -> u64 {
    let shift = (start_bit % 64) as u32;
    let low = words.get(start_bit / 64).map_or(0, |word| word >> shift);
    let high = if shift + bits > 64 {
        // The sum is above 64 only where `shift` is not zero, so this shift is below 64.
        words.get(start_bit / 64 + 1).map_or(0, |word| word << (64 - shift))
    } else {
        0
    };
    (low | high) & low_mask(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_straddles_two_words_is_whole() {
        let mut writer = BitWriter::new();
        writer.write_bits(0, 60);
        writer.write_bits(0xabc, 12);
        assert_eq!(writer.words(), [0xc << 60, 0xab]);
        assert_eq!(writer.bit_len(), 72);
    }

    #[test]
    fn upper_bits_of_a_value_stay_out_of_the_stream() {
        let mut writer = BitWriter::new();
        writer.write_bits(u64::MAX, 3);
        writer.write_bits(0, 2);
        writer.write_bits(u64::MAX, 0);
        assert_eq!(writer.to_bytes(), [0b00111]);
    }

    #[test]
    fn truncating_leaves_no_trace_of_what_was_cut() {
        let mut writer = BitWriter::new();
        writer.write_bits(u64::MAX, 64);
        writer.write_bits(u64::MAX, 64);
        writer.truncate(70);
        assert_eq!(writer.words(), [u64::MAX, 0b11_1111]);
        writer.truncate(64);
        assert_eq!(writer.words(), [u64::MAX]);
        writer.truncate(1000);
        assert_eq!(writer.bit_len(), 64);
        writer.write_bits(1, 1);
        assert_eq!(writer.words(), [u64::MAX, 1]);
    }

    #[test]
    fn what_is_overwritten_leaves_its_neighbours() {
        for position in 0..120 {
            let mut writer = BitWriter::new();
            writer.write_bits(u64::MAX, 64);
            writer.write_bits(u64::MAX, 64);
            writer.overwrite_bits(position, 0b0100, 4);
            let whole = u128::from(writer.words()[0]) | (u128::from(writer.words()[1]) << 64);
            assert_eq!(whole, !(0b1011_u128 << position), "position {position}");
        }
    }

    #[test]
    fn clearing_keeps_the_memory() {
        let mut writer = BitWriter::with_capacity(1000);
        let capacity = writer.words.capacity();
        writer.write_bytes(&[7; 100]);
        writer.clear();
        assert_eq!((writer.bit_len(), writer.byte_len(), writer.words().len()), (0, 0, 0));
        assert_eq!(writer.words.capacity(), capacity);
    }
}
