//! Golden vectors. They were computed from the written rules by a program that shares no code with this crate; a change
//! here is a change of the wire format and of its version.

use slipstream_wire::{
    AngleQuantizer, BitReader, BitWriter, QuantizedRotation, Quantizer, SmallestThree, UnitVectorQuantizer,
};

/// The stream in hexadecimal and its length in bits.
fn written(write: impl FnOnce(&mut BitWriter)) -> (String, usize) {
    let mut writer = BitWriter::new();
    write(&mut writer);
    let hexadecimal = writer.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    (hexadecimal, writer.bit_len())
}

#[track_caller]
fn pin(write: impl FnOnce(&mut BitWriter), hexadecimal: &str, bits: usize) {
    assert_eq!(written(write), (hexadecimal.to_owned(), bits));
}

#[test]
fn bits_are_little_endian() {
    pin(
        |writer| {
            writer.write_bits(0b101, 3);
            writer.write_bool(true);
            writer.write_bits(0xabcd, 16);
            writer.write_bits(u64::MAX, 64);
            writer.write_bool(false);
            writer.write_bits(0b11, 2);
        },
        "ddbcfaffffffffffffff6f",
        87,
    );
}

#[test]
fn bytes_may_lie_off_the_byte_boundary() {
    pin(
        |writer| {
            writer.write_bool(true);
            writer.write_bytes(b"Slipstream");
        },
        "a7d8d2e0e6e8e4cac2da00",
        81,
    );
    pin(
        |writer| {
            writer.write_bool(true);
            writer.align_to_byte();
            writer.write_bytes(b"Slip");
        },
        "01536c6970",
        40,
    );
}

#[test]
fn varints() {
    for (value, hexadecimal) in
        [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (u64::MAX, "ffffffffffffffffff01")]
    {
        pin(|writer| writer.write_varint(value), hexadecimal, hexadecimal.len() * 4);
    }
    for (value, hexadecimal) in [(-1, "01"), (63, "7e"), (-65, "8101"), (i64::MIN, "ffffffffffffffffff01")] {
        pin(|writer| writer.write_signed_varint(value), hexadecimal, hexadecimal.len() * 4);
    }
}

#[test]
fn exp_golomb_codes() {
    for (value, k, hexadecimal, bits) in [
        (0, 0, "01", 1),
        (1, 0, "02", 3),
        (7, 0, "08", 7),
        (5, 2, "06", 5),
        (1000, 3, "40f8", 16),
        (u64::MAX, 0, "0000000000000000010000000000000000", 129),
        (u64::MAX, 63, "feffffffffffffff01", 66),
    ] {
        pin(|writer| writer.write_exp_golomb(value, k), hexadecimal, bits);
    }
    pin(|writer| writer.write_signed_exp_golomb(-3, 1), "0e", 4);
    pin(|writer| writer.write_signed_exp_golomb(i64::MIN, 0), "0000000000000000010000000000000000", 129);
}

#[test]
fn rice_codes() {
    for (value, k, hexadecimal, bits) in [
        (0, 0, "01", 1),
        (9, 2, "0c", 5),
        (127, 2, "0000008003", 34),
        (128, 2, "0000000001", 35),
        (u64::MAX, 4, "0000000000000000000000f8e0ffffffffffff07", 155),
    ] {
        pin(|writer| writer.write_rice(value, k), hexadecimal, bits);
    }
}

#[test]
fn quantised_numbers() {
    let position = Quantizer::range(-512.0..512.0).step(0.001);
    for (value, quantised, hexadecimal) in
        [(1.5, 513_500, "dcd507"), (-512.0, 0, "000000"), (512.0, 1_024_000, "00a00f")]
    {
        assert_eq!(position.quantize(value), quantised);
        assert_eq!(position.dequantize(quantised), value);
        pin(|writer| position.write(writer, quantised), hexadecimal, 20);
    }
}

#[test]
fn quantised_angles() {
    use core::f32::consts::FRAC_PI_2;
    let heading = AngleQuantizer::new(11);
    for (angle, quantised, hexadecimal) in [(FRAC_PI_2, 512, "0002"), (-FRAC_PI_2, 1536, "0006"), (3.0, 978, "d203")] {
        assert_eq!(heading.quantize(angle), quantised);
        pin(|writer| heading.write(writer, quantised), hexadecimal, 11);
    }
    assert_eq!(heading.dequantize(512), FRAC_PI_2);
}

#[test]
fn quantised_directions() {
    let direction = UnitVectorQuantizer::new(10);
    for (vector, quantised, hexadecimal) in [
        ([0.0, 0.0, -1.0], [1022, 1022], "fefb0f"),
        ([1.0, 2.0, 3.0], [596, 681], "54a60a"),
        ([1.0, -2.0, -3.0], [852, 85], "545701"),
    ] {
        assert_eq!(direction.quantize(vector), quantised);
        pin(|writer| direction.write(writer, quantised), hexadecimal, 20);
    }
}

#[test]
fn quantised_rotations() {
    let codec = SmallestThree::new(11);
    for (rotation, largest, components, hexadecimal) in [
        ([0.0, 0.0, 0.0, 1.0], 3, [1023, 1023, 1023], "ffef7fff03"),
        ([0.5, -0.5, 0.5, -0.5], 0, [300, 1746, 300], "b044da2c01"),
        ([0.0, 0.6, 0.0, 0.8], 3, [1023, 1891, 1023], "ff6fecff03"),
        ([-0.7, 0.1, 0.2, 0.3], 0, [841, 658, 476], "244d52dc01"),
    ] {
        let quantised = QuantizedRotation { largest, components };
        assert_eq!(codec.quantize(rotation), quantised);
        pin(|writer| codec.write(writer, quantised), hexadecimal, 35);
    }
}

#[test]
fn pinned_bytes_read_back() {
    let bytes = [0xdd, 0xbc, 0xfa, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x6f];
    let mut reader = BitReader::new(&bytes);
    assert_eq!(reader.read_bits(3), Ok(0b101));
    assert_eq!(reader.read_bool(), Ok(true));
    assert_eq!(reader.read_bits(16), Ok(0xabcd));
    assert_eq!(reader.read_bits(64), Ok(u64::MAX));
    assert_eq!(reader.read_bool(), Ok(false));
    assert_eq!(reader.read_bits(2), Ok(0b11));
}
