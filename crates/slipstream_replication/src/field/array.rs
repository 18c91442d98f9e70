//! As many of the same as the type says: arrays and vectors.

use bevy::prelude::*;
use slipstream_wire::{Baseline, BitReader, BitWriter};

use super::structure::{fields_length, read_fields, write_fields};
use super::{CodedBy, Exact, FieldCodec, NetworkCodec, Quantised, WordCoder, malformed};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;

/// `N` of what `F` codes, as the fields of a struct: an element that did not change costs a bit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ArrayCodec<F, const N: usize>(F);

impl<F: WordCoder, const N: usize> ArrayCodec<F, N> {
    /// All elements by the same codec.
    #[must_use]
    pub const fn new(element: F) -> Self {
        Self(element)
    }

    fn elements(&self) -> [&dyn WordCoder; N] {
        [&self.0; N]
    }
}

impl<F: WordCoder, const N: usize> WordCoder for ArrayCodec<F, N> {
    fn describe(&self) -> String {
        format!("{N} of {}", self.0.describe())
    }

    fn max_error(&self) -> Option<f32> {
        self.0.max_error()
    }

    fn continues_motion(&self) -> bool {
        self.0.continues_motion()
    }

    fn length(&self, words: &[u32]) -> usize {
        fields_length(&self.elements(), words)
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        write_fields(&self.elements(), baseline, words, writer);
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        read_fields(&self.elements(), baseline, reader, words)
    }
}

impl<T, F: FieldCodec<T>, const N: usize> FieldCodec<[T; N]> for ArrayCodec<F, N> {
    fn quantize(&self, value: &[T; N], entities: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        value.iter().try_for_each(|element| self.0.quantize(element, entities, words))
    }

    fn dequantize(&self, words: &[u32], entities: &mut ResolveEntities) -> Result<[T; N], RecordError> {
        let mut rest = words;
        let mut elements = Vec::with_capacity(N);
        for _ in 0..N {
            let (element, after) = self.0.split(rest);
            rest = after;
            elements.push(self.0.dequantize(element, entities)?);
        }
        elements.try_into().map_err(|_| malformed("array"))
    }
}

impl<T: NetworkCodec, const N: usize> NetworkCodec for [T; N] {
    type Codec = ArrayCodec<T::Codec, N>;

    fn codec() -> Self::Codec {
        ArrayCodec::new(T::codec())
    }
}

impl<P, T: CodedBy<P>, const N: usize> CodedBy<P> for [T; N] {
    type Codec = ArrayCodec<T::Codec, N>;

    fn coded_by(parameters: P) -> Self::Codec {
        ArrayCodec::new(T::coded_by(parameters))
    }
}

macro_rules! vectors {
    ($($type:ident $count:literal [$($axis:ident)*]),*) => {$(
        impl<F: FieldCodec<f32>> FieldCodec<$type> for ArrayCodec<F, $count> {
            fn quantize(
                &self,
                value: &$type,
                entities: &mut NameEntities,
                words: &mut Vec<u32>,
            ) -> Result<(), RecordError> {
                FieldCodec::<[f32; $count]>::quantize(self, &value.to_array(), entities, words)
            }

            fn dequantize(&self, words: &[u32], entities: &mut ResolveEntities) -> Result<$type, RecordError> {
                let mut rest = words;
                $(
                    let (part, after) = self.0.split(rest);
                    rest = after;
                    let $axis = self.0.dequantize(part, entities)?;
                )*
                if !rest.is_empty() {
                    return Err(malformed(stringify!($type)));
                }
                Ok($type::from_array([$($axis),*]))
            }
        }

        impl NetworkCodec for $type {
            type Codec = ArrayCodec<Exact<1>, $count>;

            fn codec() -> Self::Codec {
                ArrayCodec::new(Exact)
            }
        }
    )*};
}

vectors!(Vec2 2 [x y], Vec3 3 [x y z], Vec4 4 [x y z w], Quat 4 [x y z w]);

macro_rules! quantised_vectors {
    ($($type:ident $count:literal),*) => {$(
        impl CodedBy<Quantised> for $type {
            type Codec = ArrayCodec<Quantised, $count>;

            fn coded_by(axis: Quantised) -> Self::Codec {
                ArrayCodec::new(axis)
            }
        }
    )*};
}

quantised_vectors!(Vec2 2, Vec3 3, Vec4 4);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{
        assert_bears_any_words, assert_no_drift, assert_survives, bits_of, value_of, words_of,
    };
    use super::*;

    fn position() -> ArrayCodec<Quantised, 3> {
        Vec3::coded_by(Quantised::new(-100.0..100.0, 0.01))
    }

    fn positions() -> impl Strategy<Value = Vec3> {
        [-110.0_f32..110.0, -110.0_f32..110.0, -110.0_f32..110.0].prop_map(Vec3::from_array)
    }

    proptest! {
        #[test]
        fn vectors_survive(from in positions(), to in positions(), axis in 0_usize..3) {
            let mut near = from;
            near[axis] = to[axis];
            for to in [to, near] {
                assert_survives(&position(), &from, &to);
                assert_survives(&Vec3::codec(), &from, &to);
            }
        }

        #[test]
        fn arrays_of_anything_survive(from in any::<[Option<u8>; 5]>(), to in any::<[Option<u8>; 5]>()) {
            let codec = <[Option<u8>; 5]>::codec();
            assert_survives(&codec, &from, &to);
            prop_assert_eq!(value_of(&codec, &words_of(&codec, &to)), Ok(to));
        }

        #[test]
        fn whatever_is_read_does_not_drift(
            from in positions(),
            bytes in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            assert_no_drift::<Vec3>(&position(), &from, &bytes);
            assert_no_drift(&<[Option<u8>; 2]>::codec(), &[None, Some(3)], &bytes);
        }

        #[test]
        fn any_words_are_borne(words in proptest::collection::vec(0_u32..4, 0..5)) {
            assert_bears_any_words::<Vec3>(&position(), &words);
            assert_bears_any_words(&<[Option<u8>; 2]>::codec(), &words);
        }
    }

    #[test]
    fn an_axis_that_rests_costs_a_bit() {
        let from = words_of(&position(), &Vec3::ZERO);
        let to = words_of(&position(), &Vec3::new(0.05, 0.0, 0.0));
        assert_eq!(bits_of(&position(), Some(&from), &to), (1 + 5) + 1 + 1);
        assert_eq!(position().describe(), "3 of range(-100..100, step 0.01) k 4");
    }

    #[test]
    fn an_array_of_nothing_has_no_words() {
        assert!(words_of(&<[u8; 0]>::codec(), &[]).is_empty());
        assert_survives(&<[u8; 0]>::codec(), &[], &[]);
    }
}
