//! What `#[derive(NetworkCodec)]` writes down refers to these names. They are no interface for anything else.

pub use slipstream_wire::{Baseline, BitReader, BitWriter};

pub use super::structure::{
    any_continues_motion, describe_fields, fields_length, greatest_error, read_fields, write_fields,
};
pub use super::variant::{describe_variants, no_variant, read_variant, split_variant, variant_length, write_variant};
pub use super::{Bits, CodedBy, FieldCodec, Flags, NetworkCodec, Quantised, SerdeField, Typical, WordCoder};
pub use crate::codec::{NameEntities, ResolveEntities};
pub use crate::error::RecordError;
