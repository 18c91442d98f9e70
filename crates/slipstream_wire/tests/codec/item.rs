use proptest::{collection::vec, prelude::*};
use slipstream_wire::{BitReader, BitWriter, WireError};

/// One value of any code, to make streams of.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Bits(u64, u32),
    Bool(bool),
    Varint(u64),
    SignedVarint(i64),
    ExpGolomb(u64, u32),
    SignedExpGolomb(i64, u32),
    Rice(u64, u32),
    Bytes(Vec<u8>),
    Align,
}

impl Item {
    pub fn write(&self, writer: &mut BitWriter) {
        match self {
            Item::Bits(value, bits) => writer.write_bits(*value, *bits),
            Item::Bool(value) => writer.write_bool(*value),
            Item::Varint(value) => writer.write_varint(*value),
            Item::SignedVarint(value) => writer.write_signed_varint(*value),
            Item::ExpGolomb(value, k) => writer.write_exp_golomb(*value, *k),
            Item::SignedExpGolomb(value, k) => writer.write_signed_exp_golomb(*value, *k),
            Item::Rice(value, k) => writer.write_rice(*value, *k),
            Item::Bytes(bytes) => writer.write_bytes(bytes),
            Item::Align => writer.align_to_byte(),
        }
    }

    /// Reads an item of this shape, whatever its value.
    pub fn read(&self, reader: &mut BitReader) -> Result<Item, WireError> {
        Ok(match self {
            Item::Bits(_, bits) => Item::Bits(reader.read_bits(*bits)?, *bits),
            Item::Bool(_) => Item::Bool(reader.read_bool()?),
            Item::Varint(_) => Item::Varint(reader.read_varint()?),
            Item::SignedVarint(_) => Item::SignedVarint(reader.read_signed_varint()?),
            Item::ExpGolomb(_, k) => Item::ExpGolomb(reader.read_exp_golomb(*k)?, *k),
            Item::SignedExpGolomb(_, k) => Item::SignedExpGolomb(reader.read_signed_exp_golomb(*k)?, *k),
            Item::Rice(_, k) => Item::Rice(reader.read_rice(*k)?, *k),
            Item::Bytes(bytes) => Item::Bytes(reader.read_vec(bytes.len(), bytes.len())?),
            Item::Align => {
                reader.align_to_byte();
                Item::Align
            }
        })
    }
}

/// Numbers of every magnitude: uniform ones are nearly all above 2^60.
pub fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(value, shift)| value >> shift)
}

pub fn signed_number() -> impl Strategy<Value = i64> {
    (any::<i64>(), 0_u32..64).prop_map(|(value, shift)| value >> shift)
}

pub fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = prop_oneof![
        (any::<u64>(), 0_u32..=64).prop_map(|(value, bits)| {
            let kept = if bits == 64 { value } else { value & ((1 << bits) - 1) };
            Item::Bits(kept, bits)
        }),
        any::<bool>().prop_map(Item::Bool),
        number().prop_map(Item::Varint),
        signed_number().prop_map(Item::SignedVarint),
        (number(), 0_u32..64).prop_map(|(value, k)| Item::ExpGolomb(value, k)),
        (signed_number(), 0_u32..64).prop_map(|(value, k)| Item::SignedExpGolomb(value, k)),
        (number(), 0_u32..64).prop_map(|(value, k)| Item::Rice(value, k)),
        vec(any::<u8>(), 0..40).prop_map(Item::Bytes),
        Just(Item::Align),
    ];
    vec(item, 0..40)
}

pub fn stream_of(items: &[Item]) -> BitWriter {
    let mut writer = BitWriter::new();
    for item in items {
        item.write(&mut writer);
    }
    writer
}
