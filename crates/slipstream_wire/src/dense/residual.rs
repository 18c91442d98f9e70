//! Signed numbers that are likely small, as a path of decisions.
//!
//! Zero or not; the sign; in which octave the magnitude lies, counted up as in exp-Golomb codes; then the bits below
//! the highest one. The first two of those still have a shape worth learning, the others are evenly distributed.

use super::context_mixer::{Adaptation, ContextMixer, Contexts};
use crate::range_coder::BitCoder;

const ZERO: u32 = 0;
const SIGN: u32 = 1;
/// One for each octave that the magnitude may leave behind, 14 in all; the last serves all above.
const OCTAVE: u32 = 2;
/// One for each octave from the second on: the bit below the highest.
const SECOND_BIT: u32 = 16;
/// Two for each octave from the third on: the bit after that, by how that was.
const THIRD_BIT: u32 = 32;

const NAMED_OCTAVES: u32 = 13;
/// Of the magnitude of `i32::MIN`.
const LAST_OCTAVE: u32 = 31;

/// Codes `value`, or reads one where `coder` is a decoder. Any bytes give some value after at most 35 decisions.
pub(crate) fn code_residual<C: BitCoder>(
    models: &mut ContextMixer,
    coder: &mut C,
    adaptation: Adaptation,
    contexts: &Contexts,
    value: i32,
) -> i32 {
    let mut decide = |coder: &mut C, node, bit| models.decide(coder, adaptation, contexts, node, bit);
    if !decide(coder, ZERO, value != 0) {
        return 0;
    }
    let negative = decide(coder, SIGN, value < 0);
    let magnitude = value.unsigned_abs();
    let mut octave = 0;
    while octave < LAST_OCTAVE {
        let greater = magnitude >> (octave + 1) != 0;
        if !decide(coder, OCTAVE + octave.min(NAMED_OCTAVES), greater) {
            break;
        }
        octave += 1;
    }

    let mut read = 1;
    let mut below = octave;
    if below > 0 {
        below -= 1;
        let bit = (magnitude >> below) & 1 != 0;
        read = (read << 1) | u32::from(decide(coder, SECOND_BIT + octave.min(NAMED_OCTAVES), bit));
    }
    if below > 0 {
        below -= 1;
        let bit = (magnitude >> below) & 1 != 0;
        let node = THIRD_BIT + 2 * octave.min(NAMED_OCTAVES) + (read & 1);
        read = (read << 1) | u32::from(decide(coder, node, bit));
    }
    if below > 0 {
        read = (read << below) | coder.code_bits(magnitude & low_mask(below), below);
    }
    // 2^31 is the magnitude of `i32::MIN`, which is its own negative.
    let read = read as i32;
    if negative { read.wrapping_neg() } else { read }
}

fn low_mask(bits: u32) -> u32 {
    crate::bit_writer::low_mask(bits) as u32
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::range_coder::{RangeDecoder, RangeEncoder, Rehearsal};

    fn walk<C: BitCoder>(coder: &mut C, values: &[i32], tell: bool) -> Vec<i32> {
        let mut models = ContextMixer::new(1, 4);
        let mut before = 0;
        values
            .iter()
            .map(|value| {
                let mut contexts = Contexts::new(0);
                contexts.add(&[before]);
                contexts.add(&[]);
                let value = if tell { *value } else { 0 };
                let value = code_residual(&mut models, coder, Adaptation::Learning, &contexts, value);
                before = value.unsigned_abs().min(8);
                value
            })
            .collect()
    }

    #[test]
    fn small_numbers_that_repeat_take_little() {
        let values: Vec<i32> = (0..3_000).map(|step| [0, 1, -1, 0, 2][step % 5]).collect();
        let mut encoder = RangeEncoder::new();
        walk(&mut encoder, &values, true);
        let bits = encoder.finish().len() * 8;
        assert!(bits < 4_000, "{bits} bits");
    }

    proptest! {
        #[test]
        fn any_number_survives(values in vec(prop_oneof![any::<i32>(), -9..9, Just(i32::MIN), Just(i32::MAX)], 0..60)) {
            let mut encoder = RangeEncoder::new();
            prop_assert_eq!(&walk(&mut encoder, &values, true), &values);
            prop_assert_eq!(&walk(&mut Rehearsal, &values, true), &values);
            let bytes = encoder.finish();
            let mut decoder = RangeDecoder::new(&bytes);
            prop_assert_eq!(&walk(&mut decoder, &values, false), &values);
            prop_assert!(decoder.check().is_ok());
        }

        #[test]
        fn any_bytes_give_numbers(bytes in vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(walk(&mut RangeDecoder::new(&bytes), &[0; 50], false).len(), 50);
        }
    }
}
