//! Floats that must arrive to the last bit.

use slipstream_wire::{Baseline, BitReader, BitWriter};

use super::{FieldCodec, NetworkCodec, WordCoder, malformed};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;

/// The bits of an `f32` (one word) or an `f64` (two, the low one first), written whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exact<const WORDS: usize>;

impl<const WORDS: usize> WordCoder for Exact<WORDS> {
    fn describe(&self) -> String {
        format!("exact, {} bits", 32 * WORDS)
    }

    fn length(&self, words: &[u32]) -> usize {
        words.len().min(WORDS)
    }

    fn write(&self, _: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        for word in words {
            writer.write_bits(u64::from(*word), 32);
        }
    }

    fn read(&self, _: Option<Baseline<'_>>, reader: &mut BitReader, words: &mut Vec<u32>) -> Result<(), RecordError> {
        for _ in 0..WORDS {
            words.push(reader.read_bits(32)? as u32);
        }
        Ok(())
    }
}

impl FieldCodec<f32> for Exact<1> {
    fn quantize(&self, value: &f32, _: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        words.push(value.to_bits());
        Ok(())
    }

    fn dequantize(&self, words: &[u32], _: &mut ResolveEntities) -> Result<f32, RecordError> {
        let bits = words.first().ok_or_else(|| malformed("f32"))?;
        Ok(f32::from_bits(*bits))
    }
}

impl FieldCodec<f64> for Exact<2> {
    fn quantize(&self, value: &f64, _: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        let bits = value.to_bits();
        words.extend([bits as u32, (bits >> 32) as u32]);
        Ok(())
    }

    fn dequantize(&self, words: &[u32], _: &mut ResolveEntities) -> Result<f64, RecordError> {
        let [low, high] = words else { return Err(malformed("f64")) };
        Ok(f64::from_bits(u64::from(*low) | (u64::from(*high) << 32)))
    }
}

impl NetworkCodec for f32 {
    type Codec = Exact<1>;

    fn codec() -> Exact<1> {
        Exact
    }
}

impl NetworkCodec for f64 {
    type Codec = Exact<2>;

    fn codec() -> Exact<2> {
        Exact
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{assert_bears_any_words, assert_no_drift, assert_survives, value_of, words_of};
    use super::*;

    proptest! {
        #[test]
        fn every_float_arrives_as_it_is(from in any::<u64>(), to in any::<u64>()) {
            let (single, double) = (f32::from_bits(to as u32), f64::from_bits(to));
            assert_survives(&f32::codec(), &f32::from_bits(from as u32), &single);
            assert_survives(&f64::codec(), &f64::from_bits(from), &double);
            let seen = value_of(&f32::codec(), &words_of(&f32::codec(), &single)).expect("a float");
            prop_assert_eq!(seen.to_bits(), single.to_bits());
        }

        #[test]
        fn whatever_is_read_does_not_drift(bytes in proptest::collection::vec(any::<u8>(), 0..10)) {
            assert_no_drift(&f32::codec(), &0.5, &bytes);
            assert_no_drift(&f64::codec(), &0.5, &bytes);
        }
    }

    #[test]
    fn any_words_are_borne() {
        assert_bears_any_words(&f32::codec(), &[]);
        assert_bears_any_words(&f64::codec(), &[1]);
    }
}
