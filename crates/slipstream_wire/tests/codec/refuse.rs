use proptest::{collection::vec, prelude::*};
use slipstream_wire::{AngleQuantizer, BitReader, Quantizer, SmallestThree, UnitVectorQuantizer, WireError};

use crate::item::{items, stream_of};

proptest! {
    #[test]
    fn every_truncation_is_an_error(items in items(), cut in any::<u16>()) {
        let writer = stream_of(&items);
        let bytes = writer.to_bytes();
        prop_assume!(!bytes.is_empty());
        let kept = &bytes[..usize::from(cut) % bytes.len()];

        let mut reader = BitReader::new(kept);
        let failure = items.iter().find_map(|item| item.read(&mut reader).err());
        prop_assert!(matches!(failure, Some(WireError::UnexpectedEnd { .. })), "{:?}", failure);
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error_that_moves_nothing(items in items(), bytes in vec(any::<u8>(), 0..200)) {
        let mut reader = BitReader::new(&bytes);
        for item in &items {
            let before = reader.position();
            if item.read(&mut reader).is_err() {
                prop_assert_eq!(reader.position(), before);
            }
            prop_assert!(reader.position() <= bytes.len() * 8);
        }
    }

    /// Long runs of equal bits, which random bytes hardly ever hold, are what unary prefixes and varints fear.
    #[test]
    fn any_runs_of_equal_bytes_give_a_value_or_an_error(
        items in items(),
        runs in vec((prop_oneof![Just(0_u8), Just(0xff_u8), Just(0x80_u8), any::<u8>()], 0_usize..20), 0..10),
    ) {
        let bytes: Vec<u8> = runs.into_iter().flat_map(|(byte, count)| vec![byte; count]).collect();
        let mut reader = BitReader::new(&bytes);
        for item in &items {
            let before = reader.position();
            if item.read(&mut reader).is_err() {
                prop_assert_eq!(reader.position(), before);
            }
        }
    }

    /// Whatever a quantiser accepts is a form that it writes itself.
    #[test]
    fn quantisers_accept_only_their_own_forms(
        bytes in vec(any::<u8>(), 0..12),
        bits in 1_u32..=22,
        skip in 0_usize..8,
    ) {
        let mut start = BitReader::new(&bytes);
        prop_assume!(start.skip_bits(skip).is_ok());

        let number = Quantizer::range(-3.0..7.0).bits(bits);
        if let Ok(form) = number.read(&mut start.clone()) {
            prop_assert_eq!(number.quantize(number.dequantize(form)), form);
        }
        let angle = AngleQuantizer::new(bits);
        if let Ok(form) = angle.read(&mut start.clone()) {
            prop_assert_eq!(angle.quantize(angle.dequantize(form)), form);
        }
        let direction = UnitVectorQuantizer::new(bits);
        if let Ok(form) = direction.read(&mut start.clone()) {
            prop_assert_eq!(direction.quantize(direction.dequantize(form)), form);
        }
        let rotation = SmallestThree::new(bits);
        if let Ok(form) = rotation.read(&mut start.clone()) {
            prop_assert_eq!(rotation.quantize(rotation.dequantize(form)), form);
        }
    }
}

#[test]
fn an_error_says_what_was_expected_what_came_and_what_to_do() {
    let end = BitReader::new(&[0]).read_bits(9).unwrap_err();
    assert!(end.to_string().starts_with("expected 9 more bits but 8 remain: "), "{end}");

    let number = Quantizer::range(0.0..2.0).step(1.0);
    let range = number.read(&mut BitReader::new(&[0xff])).unwrap_err();
    assert!(range.to_string().starts_with("expected quantised number of at most 2 but got 3: "), "{range}");

    let long = BitReader::new(&[0; 9]).read_vec(9, 8).unwrap_err();
    assert!(long.to_string().contains("at most 8 elements but 9 are announced"), "{long}");

    let malformed = BitReader::new(&[0x80, 0]).read_varint().unwrap_err();
    assert!(malformed.to_string().starts_with("expected a well-formed varint: "), "{malformed}");
}
