//! What may be missing.

use slipstream_wire::{Baseline, BitReader, BitWriter};

use super::{CodedBy, FieldCodec, NetworkCodec, WordCoder, malformed};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;

/// An `Option` of what `F` codes.
///
/// Words: 0, or 1 and the value's. Bits: whether it is there, and the value: as a difference where it was there before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OptionCodec<F>(pub F);

/// The words of the value, where there is one.
fn value_of(words: &[u32]) -> Option<&[u32]> {
    match words {
        [1, value @ ..] => Some(value),
        _ => None,
    }
}

/// The baseline's value, where it has one.
fn old_value(baseline: Option<Baseline<'_>>) -> Option<Baseline<'_>> {
    let baseline = baseline?;
    Some(Baseline::new(value_of(baseline.words)?, baseline.age))
}

impl<F: WordCoder> WordCoder for OptionCodec<F> {
    fn describe(&self) -> String {
        format!("option of {}", self.0.describe())
    }

    fn max_error(&self) -> Option<f32> {
        self.0.max_error()
    }

    fn length(&self, words: &[u32]) -> usize {
        match value_of(words) {
            Some(value) => 1 + self.0.length(value),
            None => words.len().min(1),
        }
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        let value = value_of(words);
        writer.write_bool(value.is_some());
        if let Some(value) = value {
            self.0.write(old_value(baseline), value, writer);
        }
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        let is_some = reader.read_bool()?;
        words.push(u32::from(is_some));
        if is_some {
            self.0.read(old_value(baseline), reader, words)?;
        }
        Ok(())
    }
}

impl<T, F: FieldCodec<T>> FieldCodec<Option<T>> for OptionCodec<F> {
    fn quantize(
        &self,
        value: &Option<T>,
        entities: &mut NameEntities,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        words.push(u32::from(value.is_some()));
        match value {
            Some(value) => self.0.quantize(value, entities, words),
            None => Ok(()),
        }
    }

    fn dequantize(&self, words: &[u32], entities: &mut ResolveEntities) -> Result<Option<T>, RecordError> {
        match words {
            [0] => Ok(None),
            [1, value @ ..] => self.0.dequantize(value, entities).map(Some),
            _ => Err(malformed("option")),
        }
    }
}

impl<T: NetworkCodec> NetworkCodec for Option<T> {
    type Codec = OptionCodec<T::Codec>;

    fn codec() -> Self::Codec {
        OptionCodec(T::codec())
    }
}

impl<P, T: CodedBy<P>> CodedBy<P> for Option<T> {
    type Codec = OptionCodec<T::Codec>;

    fn coded_by(parameters: P) -> Self::Codec {
        OptionCodec(T::coded_by(parameters))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{assert_bears_any_words, assert_no_drift, assert_survives, bits_of};
    use super::*;
    use crate::field::Quantised;

    fn nested() -> OptionCodec<OptionCodec<Quantised>> {
        Option::<Option<f32>>::coded_by(Quantised::new(-10.0..10.0, 0.01))
    }

    fn values() -> impl Strategy<Value = Option<Option<f32>>> {
        proptest::option::of(proptest::option::of(-11.0_f32..11.0))
    }

    proptest! {
        #[test]
        fn something_and_nothing_survive(from in values(), to in values()) {
            assert_survives(&nested(), &from, &to);
        }

        #[test]
        fn whatever_is_read_does_not_drift(
            from in values(),
            bytes in proptest::collection::vec(any::<u8>(), 0..9),
        ) {
            assert_no_drift(&nested(), &from, &bytes);
        }

        #[test]
        fn any_words_are_borne(words in proptest::collection::vec(0_u32..4, 0..5)) {
            assert_bears_any_words(&nested(), &words);
        }
    }

    #[test]
    fn what_was_there_is_a_difference() {
        let codec = Option::<u16>::codec();
        assert_eq!(bits_of(&codec, Some(&[1, 300]), &[1, 299]), 1 + 3);
        assert_eq!(bits_of(&codec, Some(&[0]), &[1, 299]), 1 + 16);
        assert_eq!(bits_of(&codec, Some(&[1, 300]), &[0]), 1);
        assert_eq!(codec.describe(), "option of u16 k 2");
    }
}
