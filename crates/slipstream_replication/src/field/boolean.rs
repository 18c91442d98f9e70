//! Yes and no.

use slipstream_wire::{Baseline, BitReader, BitWriter};

use super::{FieldCodec, NetworkCodec, WordCoder, malformed};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;

/// A `bool`: one word, one bit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BoolCodec;

impl WordCoder for BoolCodec {
    fn describe(&self) -> String {
        "bool".to_owned()
    }

    fn length(&self, words: &[u32]) -> usize {
        words.len().min(1)
    }

    fn write(&self, _: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        writer.write_bool(words.first() == Some(&1));
    }

    fn read(&self, _: Option<Baseline<'_>>, reader: &mut BitReader, words: &mut Vec<u32>) -> Result<(), RecordError> {
        words.push(u32::from(reader.read_bool()?));
        Ok(())
    }
}

impl FieldCodec<bool> for BoolCodec {
    fn quantize(&self, value: &bool, _: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        words.push(u32::from(*value));
        Ok(())
    }

    fn dequantize(&self, words: &[u32], _: &mut ResolveEntities) -> Result<bool, RecordError> {
        match words {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(malformed("bool")),
        }
    }
}

impl NetworkCodec for bool {
    type Codec = BoolCodec;

    fn codec() -> BoolCodec {
        BoolCodec
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_bears_any_words, assert_no_drift, assert_survives};
    use super::*;

    #[test]
    fn both_survive() {
        for (from, to) in [(false, true), (true, false)] {
            assert_survives(&BoolCodec, &from, &to);
            assert_no_drift(&BoolCodec, &from, &[u8::from(to)]);
        }
        assert_bears_any_words(&BoolCodec, &[2, 1]);
    }
}
