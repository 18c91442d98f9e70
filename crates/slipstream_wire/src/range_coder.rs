//! A binary range coder: decisions with known odds become bytes, each decision costing as little as it says.
//!
//! Bytes hold what [`RangeEncoder`] narrowed an interval to; [`RangeDecoder`] narrows the same interval by the same
//! odds. The carry is held back as in LZMA's coder (Pavlov, after Martin 1979 and Subbotin 1999). Probabilities have
//! 16 bits and the range at least 24, so a decision that is nearly certain costs 1/40,000 of a bit.
//!
//! Where the odds come from: [`AdaptiveBit`] and [`TwoRateBit`] learn them, [`Mixer`] joins several opinions into one,
//! [`Apm`] corrects what is left. All of it is integer arithmetic, so that all machines agree.

mod adaptive_bit;
mod apm;
mod logistic;
mod mixer;

pub use adaptive_bit::{AdaptiveBit, TwoRateBit};
pub use apm::Apm;
pub use logistic::{STRETCH_LIMIT, squash, stretch};
pub use mixer::Mixer;

use crate::WireError;

/// The range is kept at or above this, one byte at a time.
const MIN_RANGE: u32 = 1 << 24;

/// Bytes of the interval's start that stand in the coder and not in the stream.
const STATE_BYTES: usize = 4;

/// Equiprobable bits taken at once: more would leave too little of the range to tell values apart.
const CHUNK_BITS: u32 = 16;

/// What takes part in coding a decision: an encoder, a decoder, or [`Rehearsal`], which only goes along.
///
/// One function over a `BitCoder` is encoder, decoder and trainer of a format at once, so the three cannot drift apart.
pub trait BitCoder {
    /// Codes one decision that is true with the odds `p1` in 65,536 and returns it. A decoder ignores `bit`.
    fn code(&mut self, bit: bool, p1: u16) -> bool;

    /// Codes the low `bits` bits (at most 32) of `value`, all values being equally likely, and returns them. A decoder
    /// ignores `value`.
    fn code_bits(&mut self, value: u32, bits: u32) -> u32;
}

/// Codes nothing: what it is told is what it returns. For training models on data that both sides have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rehearsal;

impl BitCoder for Rehearsal {
    #[inline]
    fn code(&mut self, bit: bool, _p1: u16) -> bool {
        bit
    }

    #[inline]
    fn code_bits(&mut self, value: u32, bits: u32) -> u32 {
        value & mask(bits.min(32))
    }
}

/// Turns decisions into bytes.
///
/// ```
/// use slipstream_wire::range_coder::{RangeDecoder, RangeEncoder};
///
/// let mut encoder = RangeEncoder::new();
/// encoder.encode(true, 60_000);
/// encoder.encode_bits(0x2a, 7);
/// let bytes = encoder.finish();
///
/// let mut decoder = RangeDecoder::new(&bytes);
/// assert!(decoder.decode(60_000));
/// assert_eq!(decoder.decode_bits(7), 0x2a);
/// decoder.check()?;
/// # Ok::<(), slipstream_wire::WireError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RangeEncoder {
    out: Vec<u8>,
    // Bytes before this are the caller's.
    start: usize,
    // Below 2^33: bit 32 is a carry into the bytes that are held back.
    low: u64,
    range: u32,
    // The last byte that is not 255: a carry may still raise it, and makes zeros of the `held_ones` bytes after it.
    // There is none at the start, where no carry can come: the whole stream is a number below one.
    held: Option<u8>,
    held_ones: usize,
}

/// A place in a stream that is being written, see [`RangeEncoder::checkpoint`].
#[derive(Clone, Copy, Debug)]
pub struct RangeCheckpoint {
    len: usize,
    low: u64,
    range: u32,
    held: Option<u8>,
    held_ones: usize,
}

impl Default for RangeEncoder {
    fn default() -> Self {
        Self::new()
    }
}

impl RangeEncoder {
    /// An empty stream.
    #[must_use]
    pub fn new() -> Self {
        Self::with_buffer(Vec::new())
    }

    /// A stream that is appended to `buffer`.
    #[must_use]
    pub fn with_buffer(buffer: Vec<u8>) -> Self {
        Self { start: buffer.len(), out: buffer, low: 0, range: u32::MAX, held: None, held_ones: 0 }
    }

    /// Appends one decision that is true with the odds `p1` in 65,536; 0 is taken as 1.
    #[inline]
    pub fn encode(&mut self, bit: bool, p1: u16) {
        let bound = bound(self.range, p1);
        if bit {
            self.range = bound;
        } else {
            self.low += u64::from(bound);
            self.range -= bound;
        }
        self.normalise();
    }

    /// Appends the low `bits` bits (at most 32) of `value`, all values being equally likely.
    #[inline]
    pub fn encode_bits(&mut self, value: u32, bits: u32) {
        let bits = bits.min(32);
        let high_bits = bits.saturating_sub(CHUNK_BITS);
        if high_bits > 0 {
            self.encode_chunk(value >> CHUNK_BITS, high_bits);
        }
        self.encode_chunk(value, bits - high_bits);
    }

    fn encode_chunk(&mut self, value: u32, bits: u32) {
        self.range >>= bits;
        self.low += u64::from(value & mask(bits)) * u64::from(self.range);
        self.normalise();
    }

    /// Bytes that [`finish`](Self::finish) would make of what was written so far, at most; it may be up to four less.
    #[inline]
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.out.len() - self.start + usize::from(self.held.is_some()) + self.held_ones + STATE_BYTES
    }

    /// Where the stream is, to come back to.
    #[inline]
    #[must_use]
    pub fn checkpoint(&self) -> RangeCheckpoint {
        let Self { low, range, held, held_ones, .. } = *self;
        RangeCheckpoint { len: self.out.len(), low, range, held, held_ones }
    }

    /// Forgets what was written since the checkpoint, which must be of this stream: bytes before it never change.
    #[inline]
    pub fn rewind(&mut self, checkpoint: &RangeCheckpoint) {
        let RangeCheckpoint { len, low, range, held, held_ones } = *checkpoint;
        debug_assert!(self.start <= len && len <= self.out.len(), "a checkpoint of another stream");
        self.out.truncate(len.max(self.start));
        (self.low, self.range, self.held, self.held_ones) = (low, range, held, held_ones);
    }

    /// Ends the stream with the number of the interval that has the most zeros at its end. Up to four zero bytes are
    /// left out: the decoder reads zeros past the end.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let last = self.low + u64::from(self.range) - 1;
        for zeros in (0..=32).rev() {
            let below = (1_u64 << zeros) - 1;
            let candidate = (self.low + below) & !below;
            if candidate <= last {
                self.low = candidate;
                break;
            }
        }
        // Four bytes of `low`, and one more to push out what is held.
        for _ in 0..=STATE_BYTES {
            self.shift_out();
        }
        for _ in 0..STATE_BYTES {
            if self.out.len() > self.start && self.out.last() == Some(&0) {
                self.out.pop();
            }
        }
        self.out
    }

    #[inline]
    fn normalise(&mut self) {
        while self.range < MIN_RANGE {
            self.range <<= 8;
            self.shift_out();
        }
    }

    fn shift_out(&mut self) {
        let carry = (self.low >> 32) as u8;
        if carry == 0 && self.low >= 0xff00_0000 {
            self.held_ones += 1;
        } else {
            if let Some(byte) = self.held {
                self.out.push(byte.wrapping_add(carry));
            }
            let rest = 0xff_u8.wrapping_add(carry);
            self.out.extend(core::iter::repeat_n(rest, self.held_ones));
            self.held_ones = 0;
            self.held = Some((self.low >> 24) as u8);
        }
        self.low = (self.low & 0x00ff_ffff) << 8;
    }
}

impl BitCoder for RangeEncoder {
    #[inline]
    fn code(&mut self, bit: bool, p1: u16) -> bool {
        self.encode(bit, p1);
        bit
    }

    #[inline]
    fn code_bits(&mut self, value: u32, bits: u32) -> u32 {
        self.encode_bits(value, bits);
        value & mask(bits.min(32))
    }
}

/// Reads what [`RangeEncoder`] wrote, from bytes that may come from anyone.
///
/// A decision is always returned, whatever the bytes are: only [`check`](Self::check) tells data that ended early. So
/// loops over decisions must be bounded by what the caller knows.
#[derive(Clone, Debug)]
pub struct RangeDecoder<'a> {
    bytes: &'a [u8],
    position: usize,
    // Zeros read past the end.
    overrun: usize,
    range: u32,
    code: u32,
}

impl<'a> RangeDecoder<'a> {
    /// Starts at the first of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { bytes, position: 0, overrun: 0, range: u32::MAX, code: 0 };
        for _ in 0..STATE_BYTES {
            decoder.shift_in();
        }
        decoder
    }

    /// Reads one decision that was written with the same odds.
    #[inline]
    pub fn decode(&mut self, p1: u16) -> bool {
        let bound = bound(self.range, p1);
        let bit = self.code < bound;
        if bit {
            self.range = bound;
        } else {
            self.code -= bound;
            self.range -= bound;
        }
        self.normalise();
        bit
    }

    /// Reads `bits` bits (at most 32) that were written as equally likely.
    #[inline]
    pub fn decode_bits(&mut self, bits: u32) -> u32 {
        let bits = bits.min(32);
        let high_bits = bits.saturating_sub(CHUNK_BITS);
        let high = if high_bits > 0 { self.decode_chunk(high_bits) << CHUNK_BITS } else { 0 };
        high | self.decode_chunk(bits - high_bits)
    }

    fn decode_chunk(&mut self, bits: u32) -> u32 {
        // At least 2^24 before, and `bits` is at most 16: never zero.
        self.range >>= bits;
        let value = (self.code / self.range).min(mask(bits));
        self.code -= value * self.range;
        self.normalise();
        value
    }

    /// Whether all that was read was there.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`] where more bytes were read past the end than an encoder leaves out.
    pub fn check(&self) -> Result<(), WireError> {
        match self.overrun.checked_sub(STATE_BYTES) {
            None | Some(0) => Ok(()),
            Some(missing) => {
                Err(WireError::UnexpectedEnd { needed_bits: missing.saturating_mul(8), remaining_bits: 0 })
            }
        }
    }

    /// Bytes that were not read: none, once everything that one encoder wrote is decoded.
    #[must_use]
    pub fn remaining_bytes(&self) -> usize {
        self.bytes.len().saturating_sub(self.position)
    }

    #[inline]
    fn normalise(&mut self) {
        while self.range < MIN_RANGE {
            self.range <<= 8;
            self.shift_in();
        }
    }

    #[inline]
    fn shift_in(&mut self) {
        let byte = match self.bytes.get(self.position) {
            Some(byte) => {
                self.position += 1;
                *byte
            }
            None => {
                self.overrun = self.overrun.saturating_add(1);
                0
            }
        };
        self.code = (self.code << 8) | u32::from(byte);
    }
}

impl BitCoder for RangeDecoder<'_> {
    #[inline]
    fn code(&mut self, _bit: bool, p1: u16) -> bool {
        self.decode(p1)
    }

    #[inline]
    fn code_bits(&mut self, _value: u32, bits: u32) -> u32 {
        self.decode_bits(bits)
    }
}

/// The part of the range that stands for true: with at least 2^24 to split neither part is empty.
#[inline]
fn bound(range: u32, p1: u16) -> u32 {
    ((u64::from(range) * u64::from(p1.max(1))) >> 16) as u32
}

#[inline]
const fn mask(bits: u32) -> u32 {
    crate::bit_writer::low_mask(bits) as u32
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Numbers that look random and are the same everywhere (Marsaglia's xorshift).
    fn random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    #[test]
    fn nothing_takes_no_bytes() {
        assert!(RangeEncoder::new().finish().is_empty());
        assert!(RangeDecoder::new(&[]).check().is_ok());
    }

    #[test]
    fn a_buffer_keeps_what_it_held() {
        let mut encoder = RangeEncoder::with_buffer(vec![9, 0]);
        encoder.encode_bits(0, 8);
        assert_eq!(encoder.finish(), [9, 0, 0]);
    }

    #[test]
    fn a_carry_runs_through_held_bytes() {
        // Creeping up to the end of the interval makes runs of 255, which the last decision may overturn.
        for last in [false, true] {
            let mut encoder = RangeEncoder::new();
            for _ in 0..200 {
                encoder.encode(false, 1 << 15);
            }
            encoder.encode(last, 3);
            let bytes = encoder.finish();
            let mut decoder = RangeDecoder::new(&bytes);
            assert!((0..200).all(|_| !decoder.decode(1 << 15)));
            assert_eq!(decoder.decode(3), last);
            assert!(decoder.check().is_ok());
        }
    }

    #[test]
    fn a_skewed_source_costs_its_entropy() {
        for p1 in [655_u16, 6_554, 32_768, 60_000] {
            let mut state = 0x1234_5678_9abc_def1;
            let bits: Vec<bool> = (0..200_000).map(|_| random(&mut state) as u16 <= p1).collect();
            let mut known = RangeEncoder::new();
            let mut learned = RangeEncoder::new();
            let mut model = AdaptiveBit::new();
            for bit in &bits {
                known.encode(*bit, p1);
                learned.encode(*bit, model.p1());
                model.update(*bit);
            }
            let ones = bits.iter().filter(|bit| **bit).count() as f64 / bits.len() as f64;
            let entropy = -(ones * ones.log2() + (1.0 - ones) * (1.0 - ones).log2()) * bits.len() as f64;
            assert!((known.finish().len() as f64 * 8.0) < entropy * 1.01 + 16.0);
            // Learning the odds costs a little more.
            assert!((learned.finish().len() as f64 * 8.0) < entropy * 1.03 + 64.0);
        }
    }

    #[test]
    fn data_that_ends_early_is_told() {
        let mut encoder = RangeEncoder::new();
        for value in 1..50 {
            encoder.encode_bits(value * 0x0101_0101, 32);
        }
        let bytes = encoder.finish();
        let mut decoder = RangeDecoder::new(bytes.get(..100).unwrap());
        for _ in 1..50 {
            decoder.decode_bits(32);
        }
        assert!(matches!(decoder.check(), Err(WireError::UnexpectedEnd { .. })));
    }

    #[test]
    fn a_stream_that_was_rewound_is_as_it_was() {
        let mut state = 0x9abc_def1_1234_5678;
        for before in 0..200 {
            let mut encoder = RangeEncoder::with_buffer(vec![1, 2, 3]);
            let mut straight = RangeEncoder::with_buffer(vec![1, 2, 3]);
            for _ in 0..before {
                // Now and then close to the upper end, where carries are held back.
                let (bit, p1) = (random(&mut state).is_multiple_of(9), random(&mut state) as u16 >> 9);
                encoder.encode(bit, p1);
                straight.encode(bit, p1);
            }
            let checkpoint = encoder.checkpoint();
            for _ in 0..50 {
                encoder.encode_bits(random(&mut state) as u32, 13);
            }
            encoder.rewind(&checkpoint);
            encoder.encode_bits(77, 9);
            straight.encode_bits(77, 9);
            let most = straight.max_len();
            let bytes = straight.finish();
            assert!((bytes.len() - 3..=bytes.len() + 1).contains(&most), "{most} for {}", bytes.len() - 3);
            assert_eq!(encoder.finish(), bytes);
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Bit(bool, usize),
        Fixed(bool, u16),
        Bits(u32, u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (any::<bool>(), 0_usize..4).prop_map(|(bit, context)| Step::Bit(bit, context)),
            (any::<bool>(), any::<u16>()).prop_map(|(bit, p1)| Step::Fixed(bit, p1)),
            (any::<u32>(), 0_u32..=32).prop_map(|(value, bits)| Step::Bits(value & mask(bits), bits)),
        ]
    }

    /// The same walk for an encoder and a decoder, which is told nothing.
    fn walk<C: BitCoder>(coder: &mut C, steps: &[Step], tell: bool) -> Vec<u32> {
        let mut models = [AdaptiveBit::new(); 4];
        let mut results = Vec::new();
        for step in steps {
            results.push(match *step {
                Step::Bit(bit, context) => {
                    let result = coder.code(bit && tell, models[context].p1());
                    models[context].update(result);
                    u32::from(result)
                }
                Step::Fixed(bit, p1) => u32::from(coder.code(bit && tell, p1)),
                Step::Bits(value, bits) => coder.code_bits(if tell { value } else { 0 }, bits),
            });
        }
        results
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(steps in vec(step(), 0..400)) {
            let mut encoder = RangeEncoder::new();
            let written = walk(&mut encoder, &steps, true);
            prop_assert_eq!(&walk(&mut Rehearsal, &steps, true), &written);
            let bytes = encoder.finish();
            let mut decoder = RangeDecoder::new(&bytes);
            prop_assert_eq!(walk(&mut decoder, &steps, false), written);
            prop_assert!(decoder.check().is_ok());
            prop_assert_eq!(decoder.remaining_bytes(), 0);
        }

        #[test]
        fn any_bytes_can_be_read(bytes in vec(any::<u8>(), 0..64), steps in vec(step(), 0..400)) {
            let mut decoder = RangeDecoder::new(&bytes);
            for (result, step) in walk(&mut decoder, &steps, false).into_iter().zip(&steps) {
                if let Step::Bits(_, bits) = step {
                    prop_assert!(result <= mask(*bits));
                }
            }
        }
    }
}
