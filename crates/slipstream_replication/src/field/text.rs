//! Text.

use slipstream_wire::{Baseline, BitReader, BitWriter};

use super::bytes::{bytes_length, bytes_of, push_bytes, read_bytes, write_bytes};
use super::{FieldCodec, NetworkCodec, WordCoder, malformed};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;

/// A `String` of at most 16,380 bytes. Of a changed one only what lies between the first and the last difference is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextCodec;

impl WordCoder for TextCodec {
    fn describe(&self) -> String {
        "text".to_owned()
    }

    fn length(&self, words: &[u32]) -> usize {
        bytes_length(words)
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        write_bytes(baseline, words, writer);
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        let bytes = read_bytes(baseline, reader)?;
        core::str::from_utf8(&bytes).map_err(|_| malformed("text"))?;
        push_bytes(&bytes, words)
    }
}

impl FieldCodec<String> for TextCodec {
    fn quantize(&self, value: &String, _: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        push_bytes(value.as_bytes(), words)
    }

    fn dequantize(&self, words: &[u32], _: &mut ResolveEntities) -> Result<String, RecordError> {
        String::from_utf8(bytes_of(words)).map_err(|_| malformed("text"))
    }
}

impl NetworkCodec for String {
    type Codec = TextCodec;

    fn codec() -> TextCodec {
        TextCodec
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::bytes::MAX_BYTES;
    use super::super::testing::{
        assert_bears_any_words, assert_no_drift, assert_survives, bits_of, read_words, value_of, words_of,
    };
    use super::*;
    use slipstream_connection::EntityMap;

    fn words(text: &str) -> Vec<u32> {
        words_of(&TextCodec, &text.to_owned())
    }

    proptest! {
        #[test]
        fn text_survives(from in "[abü ]{0,12}", to in "[abü ]{0,12}") {
            assert_survives(&TextCodec, &from, &to);
            prop_assert_eq!(value_of(&TextCodec, &words(&to)), Ok(to));
        }

        #[test]
        fn any_text_survives(from in ".{0,20}", to in ".{0,20}") {
            assert_survives(&TextCodec, &from, &to);
        }

        #[test]
        fn whatever_is_read_does_not_drift(
            from in "[abü]{0,9}",
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            assert_no_drift(&TextCodec, &from, &bytes);
        }

        #[test]
        fn any_words_are_borne(words in proptest::collection::vec(prop_oneof![0_u32..9, any::<u32>()], 0..6)) {
            assert_bears_any_words(&TextCodec, &words);
        }
    }

    #[test]
    fn a_changed_letter_is_a_letter() {
        let (from, to) = (words("kills: 7 of many"), words("kills: 8 of many"));
        // seven kept in front, eight behind, one new
        assert_eq!(bits_of(&TextCodec, Some(&from), &to), 4 + 6 + 4 + 8);
        assert_eq!(bits_of(&TextCodec, None, &to), 8 + 16 * 8);
    }

    #[test]
    fn half_a_letter_is_refused() {
        let mut writer = BitWriter::new();
        writer.write_varint(1);
        writer.write_bytes(&"ü".as_bytes()[..1]);
        assert!(read_words(&TextCodec, None, &writer.to_bytes()).is_err());
        // All but the last byte of what was there.
        writer.clear();
        for kept in [1, 0, 0] {
            writer.write_exp_golomb(kept, 3);
        }
        assert!(read_words(&TextCodec, Some(&words("ü")), &writer.to_bytes()).is_err());
        assert!(read_words(&TextCodec, Some(&words("ab")), &writer.to_bytes()).is_ok());
    }

    #[test]
    fn too_much_is_neither_sent_nor_taken() {
        let long = "x".repeat(MAX_BYTES + 1);
        let map = EntityMap::default();
        let refused = TextCodec.quantize(&long, &mut NameEntities::new(&map), &mut Vec::new());
        assert!(matches!(refused, Err(RecordError::TooLarge { .. })));

        let mut writer = BitWriter::new();
        writer.write_varint(MAX_BYTES as u64 + 1);
        writer.write_bytes(long.as_bytes());
        assert!(read_words(&TextCodec, None, &writer.to_bytes()).is_err());

        // Little by little, with what is there already.
        let longest = words(&long[1..]);
        writer.clear();
        for length in [MAX_BYTES as u64, 0, 1] {
            writer.write_exp_golomb(length, 3);
        }
        writer.write_bytes(b"x");
        assert!(read_words(&TextCodec, Some(&longest), &writer.to_bytes()).is_err());
    }

    #[test]
    fn keeping_more_than_there_is_is_refused() {
        for kept in [[2, 2], [u64::MAX, 1], [4, 0]] {
            let mut writer = BitWriter::new();
            for length in kept.into_iter().chain([0]) {
                writer.write_exp_golomb(length, 3);
            }
            assert!(read_words(&TextCodec, Some(&words("abc")), &writer.to_bytes()).is_err(), "{kept:?}");
        }
    }
}
