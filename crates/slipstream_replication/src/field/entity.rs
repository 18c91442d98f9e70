//! References to entities.

use bevy::prelude::*;
use slipstream_connection::NetworkId;
use slipstream_wire::{Baseline, BitReader, BitWriter, WireError};

use super::{FieldCodec, NetworkCodec, WordCoder, malformed};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;

const ID_K: u32 = 4;

/// The slot and generation of an entity. On the receiver it is the entity that shows it, or the placeholder as long as there is
/// none.
///
/// Words: 0 where it names nothing; else the slot plus one, and the generation. Bits: whether it names something, and both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EntityCodec;

impl WordCoder for EntityCodec {
    fn describe(&self) -> String {
        "entity".to_owned()
    }

    fn length(&self, words: &[u32]) -> usize {
        let length = if words.first() == Some(&0) { 1 } else { 2 };
        length.min(words.len())
    }

    fn write(&self, _: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        let [place @ 1..=u32::MAX, generation] = words else {
            writer.write_bool(false);
            return;
        };
        writer.write_bool(true);
        writer.write_exp_golomb(u64::from(*place - 1), ID_K);
        writer.write_exp_golomb(u64::from(*generation), ID_K);
    }

    fn read(&self, _: Option<Baseline<'_>>, reader: &mut BitReader, words: &mut Vec<u32>) -> Result<(), RecordError> {
        if !reader.read_bool()? {
            words.push(0);
            return Ok(());
        }
        let place = number(reader, "slot", u32::MAX - 1)? + 1;
        words.extend([place, number(reader, "generation", u32::MAX)?]);
        Ok(())
    }
}

fn number(reader: &mut BitReader, what: &'static str, max: u32) -> Result<u32, RecordError> {
    let value = reader.read_exp_golomb(ID_K)?;
    let number = u32::try_from(value).ok().filter(|number| *number <= max);
    number.ok_or_else(|| WireError::ValueOutOfRange { what, value, max: u64::from(max) }.into())
}

impl FieldCodec<Entity> for EntityCodec {
    fn quantize(&self, value: &Entity, entities: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        let id = if *value == Entity::PLACEHOLDER { None } else { entities.name(*value) };
        match id.and_then(|id| Some([id.slot.checked_add(1)?, id.generation])) {
            Some(named) => words.extend(named),
            None => words.push(0),
        }
        Ok(())
    }

    fn dequantize(&self, words: &[u32], entities: &mut ResolveEntities) -> Result<Entity, RecordError> {
        match words {
            [0] => Ok(Entity::PLACEHOLDER),
            [place @ 1..=u32::MAX, generation] => {
                Ok(entities.resolve(NetworkId { slot: *place - 1, generation: *generation }))
            }
            _ => Err(malformed("entity")),
        }
    }
}

impl NetworkCodec for Entity {
    type Codec = EntityCodec;

    fn codec() -> EntityCodec {
        EntityCodec
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{assert_bears_any_words, bits_of, named_entity, read_words};
    use super::*;

    #[test]
    fn what_has_a_name_is_found_and_what_has_none_is_noted() {
        let (map, named, nameless) = named_entity();
        let words_of = |entity| {
            let (mut words, mut names) = (Vec::new(), NameEntities::new(&map));
            EntityCodec.quantize(&entity, &mut names, &mut words).expect("an entity always quantises");
            (words, names.is_unnamed())
        };
        assert_eq!(words_of(named), (vec![42, 3], false));
        assert_eq!(words_of(nameless), (vec![0], true));
        assert_eq!(words_of(Entity::PLACEHOLDER), (vec![0], false));

        let entity_of = |words: &[u32]| {
            let mut resolve = ResolveEntities::new(&map);
            let entity = EntityCodec.dequantize(words, &mut resolve).expect("words of an entity");
            (entity, resolve.is_unresolved())
        };
        assert_eq!(entity_of(&[42, 3]), (named, false));
        assert_eq!(entity_of(&[42, 4]), (Entity::PLACEHOLDER, true));
        assert_eq!(entity_of(&[0]), (Entity::PLACEHOLDER, false));
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_alike(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let Ok(words) = read_words(&EntityCodec, None, &bytes) else { return Ok(()) };
            prop_assert_eq!(EntityCodec.length(&words), words.len());
            let mut writer = BitWriter::new();
            EntityCodec.write(None, &words, &mut writer);
            prop_assert_eq!(read_words(&EntityCodec, Some(&[42, 3]), &writer.to_bytes()), Ok(words));
        }

        #[test]
        fn any_words_are_borne(words in proptest::collection::vec(0_u32..3, 0..4)) {
            assert_bears_any_words(&EntityCodec, &words);
        }
    }

    #[test]
    fn a_slot_that_can_not_be_is_refused() {
        let mut writer = BitWriter::new();
        writer.write_bool(true);
        writer.write_exp_golomb(u64::from(u32::MAX), ID_K);
        writer.write_exp_golomb(0, ID_K);
        assert!(read_words(&EntityCodec, None, &writer.to_bytes()).is_err());
        assert_eq!(bits_of(&EntityCodec, None, &[1, 0]), 1 + 5 + 5);
        assert_eq!(bits_of(&EntityCodec, None, &[0]), 1);
    }
}
