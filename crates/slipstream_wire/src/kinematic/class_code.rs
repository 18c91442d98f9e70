//! Whole numbers of which both sides know the magnitude roughly.

use crate::{BitReader, BitWriter, WireError, bit_writer::low_mask};

/// The greatest order; numbers that need a greater one do not occur.
pub(super) const MAX_ORDER: u32 = 16;

/// No difference of two words of a quantiser, folded, has more bits.
const MAX_CLASS: u32 = 26;

const MALFORMED: WireError = WireError::Malformed { what: "class code" };

/// Appends three numbers below `2^26` in class codes of orders of at most [`MAX_ORDER`].
///
/// The class of a number is how many bits it has above its low `order` bits: as many zeros, a one, then the bits below
/// its highest, but at least `order`. So the classes hold `2^k, 2^k, 2^(k+1), 2^(k+2), …` numbers. Against exp-Golomb,
/// where already the second holds twice as many as the first, it takes some 2 % off the differences of a vehicle.
#[inline]
pub(super) fn write_three(writer: &mut BitWriter, values: [u64; 3], orders: [u32; 3]) {
    let ([a, b, c], [a_order, b_order, c_order]) = (values, orders);
    let (a, a_bits) = code(a, a_order);
    let (b, b_bits) = code(b, b_order);
    let (c, c_bits) = code(c, c_order);
    let bits = a_bits + b_bits + c_bits;
    if bits <= 64 {
        writer.write_bits(a | (b << a_bits) | (c << (a_bits + b_bits)), bits);
        return;
    }
    for (code, bits) in [(a, a_bits), (b, b_bits), (c, c_bits)] {
        writer.write_bits(code, bits);
    }
}

/// Reads what [`write_three`] wrote with the same orders. The numbers are below `2^42`.
#[inline]
pub(super) fn read_three(reader: &mut BitReader<'_>, orders: [u32; 3]) -> Result<[u64; 3], WireError> {
    let [a, b, c] = orders;
    Ok([read(reader, a)?, read(reader, b)?, read(reader, c)?])
}

/// The code and how many bits it has, at most 64.
#[inline]
fn code(value: u64, order: u32) -> (u64, u32) {
    debug_assert!(value >> MAX_CLASS == 0 && order <= MAX_ORDER, "{value} in order {order}");
    let class = u64::BITS - (value >> order).leading_zeros();
    let suffix_bits = order + class.saturating_sub(1);
    let suffix = value & low_mask(suffix_bits);
    (((suffix << 1) | 1) << class, class + 1 + suffix_bits)
}

#[inline]
fn read(reader: &mut BitReader<'_>, order: u32) -> Result<u64, WireError> {
    let word = reader.peek_word();
    let class = word.trailing_zeros();
    if class > MAX_CLASS {
        // Beyond the end there seem to be zeros.
        reader.require(MAX_CLASS as usize + 2)?;
        return Err(MALFORMED);
    }
    let suffix_bits = order + class.saturating_sub(1);
    let bits = class + 1 + suffix_bits;
    if bits > 64 {
        return Err(MALFORMED);
    }
    reader.skip_bits(bits as usize)?;
    let suffix = (word >> (class + 1)) & low_mask(suffix_bits);
    Ok(if class == 0 { suffix } else { suffix | (1 << suffix_bits) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            values in [0_u64..1 << 26, 0_u64..1 << 26, 0_u64..1 << 26],
            shifts in [0_u32..26, 0_u32..26, 0_u32..26],
            orders in [0..=MAX_ORDER, 0..=MAX_ORDER, 0..=MAX_ORDER],
        ) {
            let values: [u64; 3] = core::array::from_fn(|axis| values[axis] >> shifts[axis]);
            let mut writer = BitWriter::new();
            write_three(&mut writer, values, orders);
            let bytes = writer.to_bytes();
            let mut reader = BitReader::new(&bytes);
            prop_assert_eq!(read_three(&mut reader, orders), Ok(values));
            prop_assert_eq!(reader.position(), writer.bit_len());
        }
    }

    #[test]
    fn classes_grow_by_doubling() {
        let bits = |value, order| code(value, order).1;
        assert_eq!([0, 1, 2, 3, 4, 7, 8].map(|value| bits(value, 0)), [1, 2, 4, 4, 6, 6, 8]);
        assert_eq!([0, 7, 8, 15, 16, 31, 32].map(|value| bits(value, 3)), [4, 4, 5, 5, 7, 7, 9]);
        assert_eq!(code(0b1101, 2), (0b101_100, 6));
    }

    #[test]
    fn a_cut_code_and_an_endless_one_are_told_apart() {
        let mut writer = BitWriter::new();
        writer.write_bits(0, 20);
        let bytes = writer.to_bytes();
        assert!(matches!(read(&mut BitReader::new(&bytes), 0), Err(WireError::UnexpectedEnd { .. })));
        assert_eq!(read(&mut BitReader::new(&[0; 16]), 0), Err(MALFORMED));
        // Class 26 with order 16 would have more bits than any code.
        assert_eq!(read(&mut BitReader::new(&[0, 0, 0, 0b100, 0, 0, 0, 0, 0, 0, 0, 0]), MAX_ORDER), Err(MALFORMED));
    }
}
