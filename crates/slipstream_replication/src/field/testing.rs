//! What every field codec must hold, for their tests.

use bevy::prelude::*;
use slipstream_connection::EntityMap;
use slipstream_wire::{Baseline, BitReader, BitWriter};

use super::{FieldCodec, WordCoder};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;

/// A value's words, where no entity has a name.
pub(super) fn words_of<T>(codec: &impl FieldCodec<T>, value: &T) -> Vec<u32> {
    let mut words = Vec::new();
    codec.quantize(value, &mut NameEntities::new(&EntityMap::default()), &mut words).expect("it quantises");
    words
}

/// The value of words, where no entity has a name.
pub(super) fn value_of<T>(codec: &impl FieldCodec<T>, words: &[u32]) -> Result<T, RecordError> {
    let map = EntityMap::default();
    codec.dequantize(words, &mut ResolveEntities::new(&map))
}

fn encode(coder: &dyn WordCoder, baseline: Option<&[u32]>, words: &[u32]) -> BitWriter {
    let mut writer = BitWriter::new();
    coder.write(baseline.map(|words| Baseline::new(words, 1)), words, &mut writer);
    writer
}

/// How many bits the words take.
pub(super) fn bits_of(coder: &dyn WordCoder, baseline: Option<&[u32]>, words: &[u32]) -> usize {
    encode(coder, baseline, words).bit_len()
}

/// The words that any bytes stand for.
pub(super) fn read_words(
    coder: &dyn WordCoder,
    baseline: Option<&[u32]>,
    bytes: &[u8],
) -> Result<Vec<u32>, RecordError> {
    let mut words = vec![7];
    coder.read(baseline.map(|words| Baseline::new(words, 1)), &mut BitReader::new(bytes), &mut words)?;
    assert_eq!(words.first(), Some(&7), "what was there before is not touched");
    Ok(words.split_off(1))
}

fn assert_read(coder: &dyn WordCoder, baseline: Option<&[u32]>, words: &[u32]) {
    let writer = encode(coder, baseline, words);
    let bytes = writer.to_bytes();
    let mut reader = BitReader::new(&bytes);
    let mut read = Vec::new();
    coder.read(baseline.map(|words| Baseline::new(words, 1)), &mut reader, &mut read).expect("what was just written");
    assert_eq!(read, words);
    assert_eq!(reader.position(), writer.bit_len(), "all of it is read, and nothing else");
}

/// A value survives: whole, as a difference, as no difference; its words know their end; and it does not drift.
pub(super) fn assert_survives<T>(codec: &impl FieldCodec<T>, from: &T, to: &T) {
    let (from, to) = (words_of(codec, from), words_of(codec, to));
    for baseline in [None, Some(from.as_slice()), Some(to.as_slice()), Some([].as_slice())] {
        assert_read(codec, baseline, &to);
    }
    let mut followed = to.clone();
    followed.extend([1, 2, 3]);
    assert_eq!(codec.split(&followed), (to.as_slice(), [1, 2, 3].as_slice()));
    assert_eq!(words_of(codec, &value_of(codec, &to).expect("words of a value")), to);
}

/// Whatever bytes a peer sends give an error or a value that survives a relay.
pub(super) fn assert_no_drift<T>(codec: &impl FieldCodec<T>, from: &T, bytes: &[u8]) {
    let from = words_of(codec, from);
    for baseline in [None, Some(from.as_slice())] {
        let Ok(words) = read_words(codec, baseline, bytes) else { continue };
        assert_eq!(codec.length(&words), words.len());
        let value = value_of(codec, &words).expect("what was read has a value");
        assert_eq!(words_of(codec, &value), words);
        assert_read(codec, baseline, &words);
    }
}

/// The words of any content lead to no panic.
pub(super) fn assert_bears_any_words<T>(codec: &impl FieldCodec<T>, words: &[u32]) {
    let (part, rest) = codec.split(words);
    assert_eq!(part.len() + rest.len(), words.len());
    let _ = value_of(codec, part);
    let _ = read_words(codec, Some(words), &[0x5a; 40]);
}

/// A world's two entities, the first of which has a name.
pub(super) fn named_entity() -> (EntityMap, Entity, Entity) {
    let mut world = World::new();
    let (named, nameless) = (world.spawn_empty().id(), world.spawn_empty().id());
    let mut map = EntityMap::default();
    map.insert(slipstream_connection::NetworkId { slot: 41, generation: 3 }, named);
    (map, named, nameless)
}
