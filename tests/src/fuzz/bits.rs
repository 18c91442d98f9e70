//! The codes of the bit stream.

use bevy_slipstream::wire::{BitReader, BitWriter, WireError};

use super::steps;

const KINDS: u8 = 9;
/// The longest byte string that is read. Some steps ask for more.
const BYTES_LIMIT: usize = 200;

/// Reads any sequence of bits, numbers and byte strings: each value has one form, and a failed read moves nothing.
pub fn bits(data: &[u8]) {
    steps::follow(data, read);
}

fn read(kind: u8, parameter: u8, reader: &mut BitReader<'_>) -> Result<BitWriter, WireError> {
    let mut again = BitWriter::new();
    let order = order(parameter);
    match kind % KINDS {
        0 => {
            let bits = width(parameter);
            again.write_bits(reader.read_bits(bits)?, bits);
        }
        1 => again.write_bool(reader.read_bool()?),
        2 => again.write_varint(reader.read_varint()?),
        3 => again.write_signed_varint(reader.read_signed_varint()?),
        4 => again.write_exp_golomb(reader.read_exp_golomb(order)?, order),
        5 => again.write_signed_exp_golomb(reader.read_signed_exp_golomb(order)?, order),
        6 => again.write_rice(reader.read_rice(order)?, order),
        7 => {
            let bytes = reader.read_vec(usize::from(parameter), BYTES_LIMIT)?;
            assert!(bytes.len() <= BYTES_LIMIT);
            again.write_bytes(&bytes);
        }
        _ => {
            let skipped = reader.position().next_multiple_of(8) - reader.position();
            again.write_bits(reader.clone().read_bits(skipped as u32)?, skipped as u32);
            reader.align_to_byte();
        }
    }
    Ok(again)
}

/// Up to one more bit than a read can be asked for.
fn width(parameter: u8) -> u32 {
    u32::from(parameter % 66)
}

fn order(parameter: u8) -> u32 {
    u32::from(parameter % 64)
}

fn write(kind: u8, parameter: u8, value: u64, writer: &mut BitWriter) {
    let order = order(parameter);
    match kind % KINDS {
        0 => writer.write_bits(value, width(parameter).min(64)),
        1 => writer.write_bool(value % 2 == 1),
        2 => writer.write_varint(value),
        3 => writer.write_signed_varint(value.cast_signed()),
        4 => writer.write_exp_golomb(value, order),
        5 => writer.write_signed_exp_golomb(value.cast_signed(), order),
        6 => writer.write_rice(value, order),
        7 => writer.write_bytes(&vec![value as u8; usize::from(parameter)]),
        _ => writer.align_to_byte(),
    }
}

/// Each kind by itself, and all of them in turn.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    const VALUES: [u64; 8] = [0, 1, 5, 127, 128, 70_000, 1 << 40, u64::MAX];
    let mut programs: Vec<Vec<[u8; 2]>> = Vec::new();
    for parameter in [1, 7, 40] {
        programs.extend((0..KINDS).map(|kind| vec![[kind, parameter]; VALUES.len()]));
        programs.push((0..4 * KINDS).map(|kind| [kind, parameter + kind]).collect());
    }
    let input = |program: &Vec<[u8; 2]>| {
        let mut writer = BitWriter::new();
        for ([kind, parameter], value) in program.iter().zip(VALUES.iter().cycle()) {
            write(*kind, *parameter, *value, &mut writer);
        }
        steps::join(program, &writer.to_bytes())
    };
    programs.iter().map(input).collect()
}
