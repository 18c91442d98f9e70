//! Fields of any type, through serde.

use ::serde::{Serialize, de::DeserializeOwned};
use bincode::config;
use slipstream_wire::{Baseline, BitReader, BitWriter};

use super::bytes::{MAX_BYTES, bytes_length, bytes_of, push_bytes, read_bytes, write_bytes};
use super::{FieldCodec, WordCoder};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;

/// A field of any serialisable type, as bincode (2, standard configuration, with a limit), at most 16,380 bytes.
///
/// Of changed bytes only what lies between the first and the last difference is sent. Entities in it are not mapped: give
/// them fields of their own. Like [`SerdeCodec`](crate::SerdeCodec) it trusts the type to have one form for a value; a
/// `HashMap` has not, and is sent again without need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SerdeField;

impl WordCoder for SerdeField {
    fn describe(&self) -> String {
        "bincode".to_owned()
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
        push_bytes(&read_bytes(baseline, reader)?, words)
    }
}

impl<T: Serialize + DeserializeOwned> FieldCodec<T> for SerdeField {
    fn quantize(&self, value: &T, _: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        let bytes = bincode::serde::encode_to_vec(value, config::standard()).map_err(|error| failed::<T>(&error))?;
        push_bytes(&bytes, words)
    }

    fn dequantize(&self, words: &[u32], _: &mut ResolveEntities) -> Result<T, RecordError> {
        let bytes = bytes_of(words);
        let limited = config::standard().with_limit::<{ 4 * MAX_BYTES }>();
        let (value, used): (T, usize) =
            bincode::serde::decode_from_slice(&bytes, limited).map_err(|error| failed::<T>(&error))?;
        if used != bytes.len() {
            return Err(failed::<T>(&format!("{} bytes follow its end", bytes.len() - used)));
        }
        Ok(value)
    }
}

fn failed<T>(reason: &impl core::fmt::Display) -> RecordError {
    RecordError::Component { name: core::any::type_name::<T>().to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use ::serde::Deserialize;
    use proptest::prelude::*;

    use super::super::testing::{assert_bears_any_words, assert_survives, bits_of, value_of, words_of};
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Label {
        text: String,
        colours: Vec<(u8, u8, u8)>,
        size: Option<f32>,
    }

    fn labels() -> impl Strategy<Value = Label> {
        let colours = proptest::collection::vec(any::<(u8, u8, u8)>(), 0..9);
        let size = proptest::option::of(0.0_f32..99.0);
        (".{0,20}", colours, size).prop_map(|(text, colours, size)| Label { text, colours, size })
    }

    proptest! {
        #[test]
        fn a_value_survives(from in labels(), to in labels()) {
            assert_survives(&SerdeField, &from, &to);
            prop_assert_eq!(value_of::<Label>(&SerdeField, &words_of(&SerdeField, &to)), Ok(to));
        }

        #[test]
        fn any_words_are_borne(words in proptest::collection::vec(prop_oneof![0_u32..30, any::<u32>()], 0..9)) {
            assert_bears_any_words::<Label>(&SerdeField, &words);
        }
    }

    #[test]
    fn what_changed_in_the_middle_is_sent_alone() {
        let label = |size| Label { text: "a long text in front".to_owned(), colours: vec![(1, 2, 3); 9], size };
        let (from, to) = (words_of(&SerdeField, &label(Some(1.0))), words_of(&SerdeField, &label(Some(2.0))));
        assert!(bits_of(&SerdeField, Some(&from), &to) < 50);
    }
}
