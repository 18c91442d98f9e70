//! Directions: vectors of length one.

use bevy::prelude::*;
use slipstream_wire::{Baseline, BitReader, BitWriter, UnitVectorQuantizer};

use super::{Bits, CodedBy, FieldCodec, WordCoder, malformed, read_sum, write_difference};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;

/// The direction of a `Vec3` as a point on an octahedron. The receiver has a vector of length one; no direction becomes +Z.
///
/// Words: the two numbers of [`UnitVectorQuantizer`]. Bits: both whole, or, where both are near those of the baseline, their
/// differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Direction3 {
    quantizer: UnitVectorQuantizer,
    k: u32,
}

impl Direction3 {
    /// `bits` bits for each of the two numbers, held to 2..=20.
    #[must_use]
    pub const fn new(bits: u32) -> Self {
        let quantizer = UnitVectorQuantizer::new(bits);
        // Turning by 84° a second at 60 Hz is about the 128th part of a number's range a tick.
        Self { k: quantizer.bits().saturating_sub(7), quantizer }
    }

    /// Differences take less than two whole numbers. Beyond a fold of the octahedron, near directions have far numbers.
    fn is_near(self, old: [u32; 2], new: [u32; 2]) -> bool {
        let near = u32::max(self.quantizer.max() / 16, 1);
        old.iter().zip(new).all(|(old, new)| old.abs_diff(new) <= near)
    }
}

fn numbers(words: &[u32]) -> Option<[u32; 2]> {
    words.first_chunk::<2>().copied()
}

impl WordCoder for Direction3 {
    fn describe(&self) -> String {
        format!("{} k {}", self.quantizer, self.k)
    }

    fn max_error(&self) -> Option<f32> {
        Some(self.quantizer.max_error())
    }

    fn length(&self, words: &[u32]) -> usize {
        words.len().min(2)
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        let Some(new) = numbers(words) else { return };
        if let Some(old) = baseline.and_then(|baseline| numbers(baseline.words)) {
            let near = self.is_near(old, new);
            writer.write_bool(near);
            if near {
                for (old, new) in old.into_iter().zip(new) {
                    write_difference(writer, self.k, old, new);
                }
                return;
            }
        }
        self.quantizer.write(writer, new);
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        if let Some([u, v]) = baseline.and_then(|baseline| numbers(baseline.words))
            && reader.read_bool()?
        {
            let mut sum = |old| read_sum(reader, self.k, old, self.quantizer.max(), "difference of a direction");
            let new = [sum(u)?, sum(v)?];
            if !self.quantizer.is_canonical(new) {
                return Err(malformed("direction"));
            }
            words.extend(new);
            return Ok(());
        }
        words.extend(self.quantizer.read(reader)?);
        Ok(())
    }
}

impl FieldCodec<Vec3> for Direction3 {
    fn quantize(&self, value: &Vec3, _: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        words.extend(self.quantizer.quantize(value.to_array()));
        Ok(())
    }

    fn dequantize(&self, words: &[u32], _: &mut ResolveEntities) -> Result<Vec3, RecordError> {
        let numbers = numbers(words).ok_or_else(|| malformed("direction"))?;
        Ok(Vec3::from_array(self.quantizer.dequantize(numbers)))
    }
}

impl CodedBy<Bits> for Vec3 {
    type Codec = Direction3;

    fn coded_by(Bits(bits): Bits) -> Direction3 {
        Direction3::new(bits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{
        assert_bears_any_words, assert_no_drift, assert_survives, bits_of, value_of, words_of,
    };
    use super::*;

    fn directions() -> impl Strategy<Value = Vec3> {
        [-1.0_f32..1.0, -1.0_f32..1.0, -1.0_f32..1.0].prop_map(Vec3::from_array)
    }

    proptest! {
        #[test]
        fn a_direction_survives(bits in 2_u32..=20, from in directions(), turn in directions(), far in any::<bool>()) {
            let to = if far { turn } else { from + turn * 0.02 };
            assert_survives(&Direction3::new(bits), &from, &to);
        }

        #[test]
        fn the_error_stays_within_what_is_declared(bits in 2_u32..=20, direction in directions()) {
            prop_assume!(direction.length() > 0.01);
            let codec = Direction3::new(bits);
            let seen = value_of(&codec, &words_of(&codec, &direction)).expect("a direction").as_dvec3();
            let direction = direction.as_dvec3();
            let error = seen.cross(direction).length().atan2(seen.dot(direction)) as f32;
            prop_assert!(Some(error) <= codec.max_error(), "{} became {}", direction, seen);
        }

        #[test]
        fn whatever_is_read_does_not_drift(
            bits in 2_u32..=20,
            from in directions(),
            bytes in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            assert_no_drift(&Direction3::new(bits), &from, &bytes);
        }

        #[test]
        fn any_words_are_borne(bits in 2_u32..=20, words in proptest::collection::vec(any::<u32>(), 0..4)) {
            assert_bears_any_words(&Direction3::new(bits), &words);
        }
    }

    #[test]
    fn turning_a_little_is_short_and_turning_round_is_whole() {
        let codec = Direction3::new(10);
        let (from, near) = (words_of(&codec, &Vec3::Z), words_of(&codec, &Vec3::new(0.005, 0.0, 1.0)));
        // near, 3 steps in order 3, none
        assert_eq!(bits_of(&codec, Some(&from), &near), 1 + 4 + 4);
        assert_eq!(bits_of(&codec, Some(&from), &words_of(&codec, &Vec3::NEG_Z)), 1 + 20);
        assert_eq!(codec.describe(), "unit_vector(10 bits) k 3");
    }
}
