//! Relationships, such as `ChildOf`: one entity reference.

use bevy::ecs::relationship::Relationship;
use bevy::prelude::*;
use slipstream_connection::NetworkId;
use slipstream_wire::{Baseline, BitReader, BitWriter};

use super::{Codec, NameEntities, ResolveEntities};
use crate::error::RecordError;

/// The slot and generation of the entity that a [`Relationship`] points to.
///
/// Fields of the relationship other than its target are not sent: they start as [`Relationship::from`] makes them.
pub struct RelationshipCodec;

impl<R: Relationship> Codec<R> for RelationshipCodec {
    fn describe(&self) -> String {
        "relationship".to_owned()
    }

    fn quantize(&self, component: &R, entities: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        // A relation to an entity that is not replicated is no relation on the other side.
        if let Some(id) = entities.name(component.get()) {
            words.extend([id.slot, id.generation]);
        }
        Ok(())
    }

    fn dequantize(&self, words: &[u32], entities: &mut ResolveEntities) -> Result<R, RecordError> {
        let target = match words {
            [slot, generation] => entities.resolve(NetworkId { slot: *slot, generation: *generation }),
            _ => Entity::PLACEHOLDER,
        };
        Ok(R::from(target))
    }

    fn write(&self, _: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        writer.write_bool(words.len() == 2);
        for word in words.iter().take(2) {
            writer.write_exp_golomb(u64::from(*word), 4);
        }
    }

    fn read(&self, _: Option<Baseline<'_>>, reader: &mut BitReader, words: &mut Vec<u32>) -> Result<(), RecordError> {
        if reader.read_bool()? {
            for _ in 0..2 {
                words.push(read_word(reader, 4)?);
            }
        }
        Ok(())
    }
}

/// A word in exp-Golomb code, refused when it does not fit 32 bits.
pub(super) fn read_word(reader: &mut BitReader, k: u32) -> Result<u32, RecordError> {
    let value = reader.read_exp_golomb(k)?;
    u32::try_from(value).map_err(|_| {
        slipstream_wire::WireError::ValueOutOfRange { what: "word", value, max: u64::from(u32::MAX) }.into()
    })
}
