//! Rotations as the three smallest components of their quaternion.

use bevy::prelude::*;
use slipstream_wire::{Baseline, BitReader, BitWriter, QuantizedRotation, SmallestThree};

use super::{Bits, CodedBy, FieldCodec, WordCoder, malformed, read_sum, write_difference};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;

/// A `Quat` as [`SmallestThree`]. The receiver has a unit quaternion, maybe the negative one, which is the same rotation.
///
/// Words: the index of the largest component, then the other three. Bits: all of it, or, where the same component is the
/// largest, the differences of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    quantizer: SmallestThree,
    k: u32,
}

impl Rotation {
    /// `bits` bits for each of the three components, held to 4..=16; 11 is about 0.05°.
    #[must_use]
    pub const fn new(bits: u32) -> Self {
        let quantizer = SmallestThree::new(bits);
        // Turning by 84° a second at 60 Hz is about the 128th part of a component's range a tick, on one axis of three.
        Self { k: quantizer.bits().saturating_sub(8), quantizer }
    }
}

fn rotation(words: &[u32]) -> Option<QuantizedRotation> {
    let [largest, a, b, c] = words.first_chunk::<4>()?;
    Some(QuantizedRotation { largest: u8::try_from(*largest).ok()?, components: [*a, *b, *c] })
}

fn push(rotation: QuantizedRotation, words: &mut Vec<u32>) {
    words.push(u32::from(rotation.largest));
    words.extend(rotation.components);
}

impl WordCoder for Rotation {
    fn describe(&self) -> String {
        format!("{} k {}", self.quantizer, self.k)
    }

    fn max_error(&self) -> Option<f32> {
        Some(self.quantizer.max_error())
    }

    fn length(&self, words: &[u32]) -> usize {
        words.len().min(4)
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        let Some(new) = rotation(words) else { return };
        if let Some(old) = baseline.and_then(|baseline| rotation(baseline.words)) {
            let same_largest = old.largest == new.largest;
            writer.write_bool(same_largest);
            if same_largest {
                for (old, new) in old.components.into_iter().zip(new.components) {
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
        if let Some(old) = baseline.and_then(|baseline| rotation(baseline.words))
            && reader.read_bool()?
        {
            let [a, b, c] = old.components;
            let mut sum = |old| read_sum(reader, self.k, old, self.quantizer.max(), "difference of a rotation");
            let new = QuantizedRotation { largest: old.largest, components: [sum(a)?, sum(b)?, sum(c)?] };
            if !self.quantizer.is_canonical(new) {
                return Err(malformed("rotation"));
            }
            push(new, words);
            return Ok(());
        }
        push(self.quantizer.read(reader)?, words);
        Ok(())
    }
}

impl FieldCodec<Quat> for Rotation {
    fn quantize(&self, value: &Quat, _: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        push(self.quantizer.quantize(value.to_array()), words);
        Ok(())
    }

    fn dequantize(&self, words: &[u32], _: &mut ResolveEntities) -> Result<Quat, RecordError> {
        let rotation = rotation(words).ok_or_else(|| malformed("rotation"))?;
        Ok(Quat::from_array(self.quantizer.dequantize(rotation)))
    }
}

impl CodedBy<Bits> for Quat {
    type Codec = Rotation;

    fn coded_by(Bits(bits): Bits) -> Rotation {
        Rotation::new(bits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{
        assert_bears_any_words, assert_no_drift, assert_survives, bits_of, value_of, words_of,
    };
    use super::*;

    fn rotations() -> impl Strategy<Value = Quat> {
        [-1.0_f32..1.0, -1.0_f32..1.0, -1.0_f32..1.0, -1.0_f32..1.0]
            .prop_filter("it has a length", |all| all.iter().map(|one| one * one).sum::<f32>() > 0.01)
            .prop_map(|all| Quat::from_array(all).normalize())
    }

    proptest! {
        #[test]
        fn a_rotation_survives(bits in 4_u32..=16, from in rotations(), turn in rotations(), far in any::<bool>()) {
            let to = if far { turn } else { from.slerp(turn, 0.02) };
            assert_survives(&Rotation::new(bits), &from, &to);
        }

        #[test]
        fn the_error_stays_within_what_is_declared(bits in 4_u32..=16, rotation in rotations()) {
            let codec = Rotation::new(bits);
            let seen = value_of(&codec, &words_of(&codec, &rotation)).expect("a rotation").as_dquat();
            let between = seen.normalize().inverse() * rotation.as_dquat().normalize();
            let error = (2.0 * between.xyz().length().atan2(between.w.abs())) as f32;
            prop_assert!(Some(error) <= codec.max_error(), "{} became {}", rotation, seen);
        }

        #[test]
        fn whatever_is_read_does_not_drift(
            bits in 4_u32..=16,
            from in rotations(),
            bytes in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            assert_no_drift(&Rotation::new(bits), &from, &bytes);
        }

        #[test]
        fn any_words_are_borne(bits in 4_u32..=16, words in proptest::collection::vec(any::<u32>(), 0..6)) {
            assert_bears_any_words(&Rotation::new(bits), &words);
        }
    }

    #[test]
    fn turning_a_little_is_shorter() {
        let codec = Rotation::new(11);
        let from = words_of(&codec, &Quat::IDENTITY);
        let turned = words_of(&codec, &Quat::from_rotation_y(0.004));
        // the same largest, none, three steps in order 3, none
        assert_eq!(bits_of(&codec, Some(&from), &turned), 1 + 4 + 4 + 4);
        assert_eq!(bits_of(&codec, None, &turned), 2 + 33);
        assert_eq!(codec.describe(), "smallest_three(11 bits) k 3");
    }
}
