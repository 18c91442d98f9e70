//! Numbers of a range, in steps.

use core::ops::Range;

use slipstream_wire::{Baseline, BitReader, BitWriter, Quantizer};

use super::{CodedBy, FieldCodec, WordCoder, malformed, order_of, read_sum, write_difference};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;

/// Where nothing is said about changes: they are around 16 steps.
const DEFAULT_K: u32 = 4;

/// An `f32`, or each axis of a vector, in a range with a step.
///
/// Its error is at most half a step (and the rounding of `f32`) inside the range; what is outside becomes the nearest end.
/// Word: the number of the step. Bits: the step's number whole, or the difference in exp-Golomb code.
///
/// ```
/// use slipstream_replication::{Quantised, WordCoder};
///
/// // Degrees. In a tick it turns by one or two.
/// let yaw = Quantised::new(-180.0..180.0, 0.1).typical(1.5);
/// assert!(yaw.max_error().is_some_and(|error| error < 0.0501));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantised {
    quantizer: Quantizer,
    step: f32,
    k: u32,
    steady: bool,
}

impl Quantised {
    /// Numbers of `range`, both ends included, in steps of `step`. A step finer than `f32` can tell apart at the range's far
    /// end is raised to that.
    #[must_use]
    pub fn new(range: Range<f32>, step: f32) -> Self {
        let quantizer = Quantizer::range(range).step(step);
        Self { k: DEFAULT_K.min(quantizer.bits()), quantizer, step, steady: false }
    }

    /// By how much the number usually changes from one time it is sent to the next: such changes are coded shortest. For a
    /// speed, it is the speed divided by the tick rate.
    #[must_use]
    pub fn typical(self, change: f32) -> Self {
        // The cast holds at the ends: nonsense gives an order that works.
        let steps = (change / self.step).abs() as u64;
        Self { k: order_of(steps).min(self.quantizer.bits()), ..self }
    }

    /// It mostly goes on changing as it did, like the position of what moves: the difference is taken from where it would be
    /// by now. [`Quantised::typical`] is then how far it is off.
    #[must_use]
    pub const fn steady(self) -> Self {
        Self { steady: true, ..self }
    }

    /// What a difference is taken from: the baseline, or where that would have gone on to.
    fn reference(&self, baseline: Option<Baseline<'_>>) -> Option<u32> {
        let baseline = baseline?;
        let old = *baseline.words.first()?;
        let earlier = baseline.earlier.filter(|_| self.steady).and_then(|(words, age)| Some((words.first()?, age)));
        let Some((earlier, earlier_age)) = earlier else { return Some(old) };
        let moved = (i64::from(old) - i64::from(*earlier)).saturating_mul(i64::from(baseline.age));
        let reached = i64::from(old).saturating_add(moved / i64::from(earlier_age.max(1)));
        u32::try_from(reached.clamp(0, i64::from(self.quantizer.max()))).ok()
    }
}

impl WordCoder for Quantised {
    fn describe(&self) -> String {
        let steady = if self.steady { " steady" } else { "" };
        format!("{} k {}{steady}", self.quantizer, self.k)
    }

    fn continues_motion(&self) -> bool {
        self.steady
    }

    fn max_error(&self) -> Option<f32> {
        Some(self.quantizer.max_error())
    }

    fn length(&self, words: &[u32]) -> usize {
        words.len().min(1)
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        let Some(new) = words.first() else { return };
        match self.reference(baseline) {
            Some(old) => write_difference(writer, self.k, old, *new),
            None => self.quantizer.write(writer, *new),
        }
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        words.push(match self.reference(baseline) {
            Some(old) => read_sum(reader, self.k, old, self.quantizer.max(), "difference of a quantised number")?,
            None => self.quantizer.read(reader)?,
        });
        Ok(())
    }
}

impl FieldCodec<f32> for Quantised {
    fn quantize(&self, value: &f32, _: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        words.push(self.quantizer.quantize(*value));
        Ok(())
    }

    fn dequantize(&self, words: &[u32], _: &mut ResolveEntities) -> Result<f32, RecordError> {
        let step = words.first().ok_or_else(|| malformed("quantised number"))?;
        Ok(self.quantizer.dequantize(*step))
    }
}

impl CodedBy<Quantised> for f32 {
    type Codec = Quantised;

    fn coded_by(parameters: Quantised) -> Quantised {
        parameters
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{
        assert_bears_any_words, assert_no_drift, assert_survives, bits_of, value_of, words_of,
    };
    use super::*;

    fn codecs() -> impl Strategy<Value = Quantised> {
        let ranges = prop_oneof![Just(-512.0_f32..512.0), Just(0.0..1.0), Just(-180.0..180.0), Just(900.0..1000.0)];
        (ranges, prop_oneof![Just(0.001_f32), Just(0.1), Just(1.0 / 64.0)], 0.0_f32..9.0)
            .prop_map(|(range, step, typical)| Quantised::new(range, step).typical(typical))
    }

    proptest! {
        #[test]
        fn a_number_survives(codec in codecs(), from in -1000.0_f32..1100.0, to in -1000.0_f32..1100.0) {
            assert_survives(&codec, &from, &to);
        }

        #[test]
        fn the_error_stays_within_what_is_declared(range in 1.0_f32..5000.0, part in -1.0_f32..1.0, step in 0.0005_f32..2.0) {
            let codec = Quantised::new(-range..range, step);
            let value = range * part;
            let error = (value_of(&codec, &words_of(&codec, &value)).expect("a number") - value).abs();
            prop_assert!(Some(error) <= codec.max_error(), "{} became {} away", value, error);
        }

        #[test]
        fn whatever_is_read_does_not_drift(
            codec in codecs(),
            from in -600.0_f32..600.0,
            bytes in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            assert_no_drift(&codec, &from, &bytes);
        }

        #[test]
        fn any_words_are_borne(codec in codecs(), words in proptest::collection::vec(any::<u32>(), 0..3)) {
            assert_bears_any_words(&codec, &words);
        }
    }

    #[test]
    fn a_typical_change_is_short() {
        let codec = Quantised::new(-512.0..512.0, 0.001);
        let (from, to) = (words_of(&codec, &0.0), words_of(&codec, &0.2));
        // 200 steps: zig-zag 400
        assert_eq!(bits_of(&codec, Some(&from), &to), 13);
        assert_eq!(bits_of(&codec.typical(0.2), Some(&from), &to), 11);
        assert_eq!(bits_of(&codec.typical(0.2), None, &to), 20);
    }

    #[test]
    fn what_goes_on_as_it_did_costs_the_least() {
        let codec = Quantised::new(-512.0..512.0, 0.001).typical(0.002).steady();
        let words: Vec<Vec<u32>> = [0.0, 0.4, 0.9].iter().map(|value| words_of(&codec, value)).collect();
        let [earlier, old, new] = words.as_slice() else { unreachable!("there are three") };
        for (earlier, expected) in [(Some((earlier.as_slice(), 4)), 2), (None, 18)] {
            let baseline = Some(Baseline { words: old, age: 5, earlier });
            let mut writer = BitWriter::new();
            codec.write(baseline, new, &mut writer);
            assert_eq!(writer.bit_len(), expected);
            let mut read = Vec::new();
            codec.read(baseline, &mut BitReader::new(&writer.to_bytes()), &mut read).expect("what was just written");
            assert_eq!(&read, new);
        }
        assert_eq!(codec.describe(), "range(-512..512, step 0.001) k 1 steady");
    }

    #[test]
    fn what_would_have_left_the_range_is_taken_at_its_end() {
        let codec = Quantised::new(0.0..1.0, 0.1).steady();
        for age in [1, 5, u32::MAX] {
            let baseline = Some(Baseline { words: &[9], age, earlier: Some((&[0], 0)) });
            assert_eq!(codec.reference(baseline), Some(10));
        }
    }

    #[test]
    fn the_description_has_all_that_must_agree() {
        let codec = Quantised::new(-180.0..180.0, 0.1).typical(1.65);
        assert_eq!(codec.describe(), "range(-180..180, step 0.1) k 4");
    }

    #[test]
    fn senseless_parameters_give_a_codec_that_works() {
        let (start, end) = (1.0, -1.0);
        for step in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            for typical in [0.0, -1.0, f32::NAN, f32::INFINITY] {
                assert_survives(&Quantised::new(start..end, step).typical(typical), &0.3, &-0.2);
            }
        }
    }
}
