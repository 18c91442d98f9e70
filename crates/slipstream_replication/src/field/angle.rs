//! Angles that wrap.

use slipstream_wire::{AngleQuantizer, Baseline, BitReader, BitWriter};

use super::{Bits, CodedBy, FieldCodec, WordCoder, first_word, malformed};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;

/// An angle in radians as a part of a turn, that is sent the short way round.
///
/// Word: the angle in `2^bits` steps a turn. Bits: the same, or the shortest difference in exp-Golomb code. The receiver has
/// the angle in -π..π.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Angle {
    quantizer: AngleQuantizer,
    k: u32,
}

impl Angle {
    /// A turn in `2^bits` steps; `bits` is held to 1..=22.
    #[must_use]
    pub const fn new(bits: u32) -> Self {
        let quantizer = AngleQuantizer::new(bits);
        // Something that turns does so by about the 256th part of a turn a tick: 84° a second at 60 Hz.
        Self { k: quantizer.bits().saturating_sub(8), quantizer }
    }

    /// The difference the short way round, from half a turn back to one step less than half a turn on.
    fn difference(self, old: u32, new: u32) -> i64 {
        let steps = i64::from(self.quantizer.max()) + 1;
        let on = (i64::from(new) - i64::from(old)).rem_euclid(steps);
        if on < steps / 2 { on } else { on - steps }
    }
}

impl WordCoder for Angle {
    fn describe(&self) -> String {
        format!("{} k {}", self.quantizer, self.k)
    }

    fn max_error(&self) -> Option<f32> {
        Some(self.quantizer.max_error())
    }

    fn length(&self, words: &[u32]) -> usize {
        words.len().min(1)
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        let Some(new) = words.first() else { return };
        match first_word(baseline) {
            Some(old) => writer.write_signed_exp_golomb(self.difference(old, *new), self.k),
            None => self.quantizer.write(writer, *new),
        }
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        words.push(match first_word(baseline) {
            Some(old) => {
                let sum = i64::from(old).wrapping_add(reader.read_signed_exp_golomb(self.k)?);
                // A whole turn more is the same angle.
                (sum & i64::from(self.quantizer.max())) as u32
            }
            None => self.quantizer.read(reader)?,
        });
        Ok(())
    }
}

impl FieldCodec<f32> for Angle {
    fn quantize(&self, value: &f32, _: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        words.push(self.quantizer.quantize(*value));
        Ok(())
    }

    fn dequantize(&self, words: &[u32], _: &mut ResolveEntities) -> Result<f32, RecordError> {
        let step = words.first().ok_or_else(|| malformed("angle"))?;
        Ok(self.quantizer.dequantize(*step))
    }
}

impl CodedBy<Bits> for f32 {
    type Codec = Angle;

    fn coded_by(Bits(bits): Bits) -> Angle {
        Angle::new(bits)
    }
}

#[cfg(test)]
mod tests {
    use core::f32::consts::{PI, TAU};

    use proptest::prelude::*;

    use super::super::testing::{
        assert_bears_any_words, assert_no_drift, assert_survives, bits_of, value_of, words_of,
    };
    use super::*;

    proptest! {
        #[test]
        fn an_angle_survives(bits in 1_u32..=22, from in -20.0_f32..20.0, to in -20.0_f32..20.0) {
            assert_survives(&Angle::new(bits), &from, &to);
        }

        #[test]
        fn the_error_stays_within_what_is_declared(bits in 1_u32..=22, angle in -20.0_f32..20.0) {
            let codec = Angle::new(bits);
            let seen = value_of(&codec, &words_of(&codec, &angle)).expect("an angle");
            let apart = f64::from(angle - seen).rem_euclid(core::f64::consts::TAU);
            let error = apart.min(core::f64::consts::TAU - apart) as f32;
            // The subtraction above rounds too.
            prop_assert!(Some(error) <= codec.max_error().map(|bound| bound + 2e-6), "{} became {}", angle, seen);
        }

        #[test]
        fn whatever_is_read_does_not_drift(
            bits in 1_u32..=22,
            from in -4.0_f32..4.0,
            bytes in proptest::collection::vec(any::<u8>(), 0..24),
        ) {
            assert_no_drift(&Angle::new(bits), &from, &bytes);
        }

        #[test]
        fn any_words_are_borne(bits in 1_u32..=22, words in proptest::collection::vec(any::<u32>(), 0..3)) {
            assert_bears_any_words(&Angle::new(bits), &words);
        }
    }

    #[test]
    fn the_short_way_over_the_back_is_short() {
        let codec = Angle::new(8);
        let (before, behind) = (words_of(&codec, &(PI - TAU / 256.0)), words_of(&codec, &-PI));
        assert_eq!(bits_of(&codec, Some(&before), &behind), 3);
        assert_eq!(bits_of(&codec, Some(&behind), &before), 3);
        assert_eq!(bits_of(&codec, None, &before), 8);
        assert_eq!(codec.describe(), "angle(8 bits) k 0");
    }
}
