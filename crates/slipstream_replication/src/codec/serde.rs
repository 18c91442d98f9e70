//! The default codec: bincode through serde, resent whole when a byte differs.

use bevy::prelude::*;
use bincode::config;
use serde::{Serialize, de::DeserializeOwned};
use slipstream_wire::{Baseline, BitReader, BitWriter};

use super::{Codec, MAX_COMPONENT_WORDS, NameEntities, ResolveEntities};
use crate::error::RecordError;

const MAX_BYTES: usize = (MAX_COMPONENT_WORDS - 1) * 4;

/// bincode 2 (standard configuration, with a limit) through serde.
///
/// Words: the length in bytes, then the bytes packed into words. There is no difference coding: a component either has the
/// same bytes as its baseline, which costs nothing, or is sent whole. Fields marked `#[entities]` are mapped.
pub struct SerdeCodec;

impl<C> Codec<C> for SerdeCodec
where
    C: Component + Clone + Serialize + DeserializeOwned,
{
    fn describe(&self) -> String {
        "bincode".to_owned()
    }

    fn quantize(&self, component: &C, entities: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        let mut named = component.clone();
        C::map_entities(&mut named, entities);
        let bytes = bincode::serde::encode_to_vec(&named, config::standard()).map_err(|error| failed::<C>(&error))?;
        if bytes.len() > MAX_BYTES {
            return Err(RecordError::TooLarge { what: "a component", length: bytes.len(), limit: MAX_BYTES });
        }
        words.push(bytes.len() as u32);
        for chunk in bytes.chunks(4) {
            let mut word = [0; 4];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            words.push(u32::from_le_bytes(word));
        }
        Ok(())
    }

    fn dequantize(&self, words: &[u32], entities: &mut ResolveEntities) -> Result<C, RecordError> {
        let (length, packed) = words.split_first().unwrap_or((&0, &[]));
        let mut bytes: Vec<u8> = packed.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(*length as usize);
        let limited = config::standard().with_limit::<{ 4 * MAX_BYTES }>();
        let (mut component, used): (C, usize) =
            bincode::serde::decode_from_slice(&bytes, limited).map_err(|error| failed::<C>(&error))?;
        if used != bytes.len() {
            return Err(failed::<C>(&format!("{} bytes follow its end", bytes.len() - used)));
        }
        C::map_entities(&mut component, entities);
        Ok(component)
    }

    fn write(&self, _: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        let (length, packed) = words.split_first().unwrap_or((&0, &[]));
        writer.write_varint(u64::from(*length));
        let mut left = *length as usize;
        for word in packed {
            let bytes = left.min(4) as u32;
            writer.write_bits(u64::from(*word), bytes * 8);
            left -= bytes as usize;
        }
    }

    fn read(&self, _: Option<Baseline<'_>>, reader: &mut BitReader, words: &mut Vec<u32>) -> Result<(), RecordError> {
        let length = reader.read_varint()? as usize;
        if length > MAX_BYTES {
            return Err(RecordError::TooLarge { what: "a component", length, limit: MAX_BYTES });
        }
        words.push(length as u32);
        let mut left = length;
        while left > 0 {
            let bytes = left.min(4);
            words.push(reader.read_bits(bytes as u32 * 8)? as u32);
            left -= bytes;
        }
        Ok(())
    }
}

fn failed<C>(reason: &impl std::fmt::Display) -> RecordError {
    RecordError::Component { name: std::any::type_name::<C>().to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use ::serde::Deserialize;
    use proptest::prelude::*;

    use super::*;
    use slipstream_connection::EntityMap;

    #[derive(Component, Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Cargo {
        weight: u32,
        name: String,
        holds: Vec<i16>,
        sealed: Option<bool>,
    }

    fn cargos() -> impl Strategy<Value = Cargo> {
        let holds = proptest::collection::vec(any::<i16>(), 0..20);
        (any::<u32>(), ".{0,20}", holds, any::<Option<bool>>()).prop_map(|(weight, name, holds, sealed)| Cargo {
            weight,
            name,
            holds,
            sealed,
        })
    }

    fn words_of(cargo: &Cargo) -> Vec<u32> {
        let mut words = Vec::new();
        SerdeCodec.quantize(cargo, &mut NameEntities::new(&EntityMap::default()), &mut words).expect("it is small");
        words
    }

    fn cargo_of(words: &[u32]) -> Result<Cargo, RecordError> {
        let map = EntityMap::default();
        SerdeCodec.dequantize(words, &mut ResolveEntities::new(&map))
    }

    fn read_cargo(bytes: &[u8]) -> Result<(Vec<u32>, usize), RecordError> {
        let mut words = Vec::new();
        let mut reader = BitReader::new(bytes);
        Codec::<Cargo>::read(&SerdeCodec, None, &mut reader, &mut words)?;
        Ok((words, reader.position()))
    }

    proptest! {
        #[test]
        fn quantising_what_was_dequantised_changes_nothing(cargo in cargos()) {
            let words = words_of(&cargo);
            let again = cargo_of(&words);
            prop_assert_eq!(again.as_ref(), Ok(&cargo));
            prop_assert_eq!(words_of(&cargo), words);
        }

        #[test]
        fn what_is_written_is_read(cargo in cargos()) {
            let words = words_of(&cargo);
            let mut writer = BitWriter::new();
            Codec::<Cargo>::write(&SerdeCodec, None, &words, &mut writer);
            prop_assert_eq!(read_cargo(&writer.to_bytes()), Ok((words, writer.bit_len())));
        }

        #[test]
        fn random_bytes_give_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok((words, _)) = read_cargo(&bytes) {
                // Words of some other type are refused by bincode, not by a panic.
                let _ = cargo_of(&words);
            }
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_memory_is_taken() {
        let mut writer = BitWriter::new();
        writer.write_varint(MAX_BYTES as u64 + 1);
        let refused = read_cargo(&writer.to_bytes());
        assert!(matches!(refused, Err(RecordError::TooLarge { .. })), "{refused:?}");
    }

    #[test]
    fn a_component_beyond_the_limit_is_not_sent() {
        let cargo = Cargo { weight: 0, name: "x".repeat(MAX_BYTES), holds: Vec::new(), sealed: None };
        let refused = SerdeCodec.quantize(&cargo, &mut NameEntities::new(&EntityMap::default()), &mut Vec::new());
        assert!(matches!(refused, Err(RecordError::TooLarge { .. })));
    }
}
