use core::f64::consts::TAU;

use proptest::{collection::vec, prelude::*};
use slipstream_wire::{
    AngleQuantizer, BitReader, BitWriter, QuantizedRotation, Quantizer, Sequence, SmallestThree, UnitVectorQuantizer,
    zigzag_decode, zigzag_encode,
};

use crate::item::{items, number, signed_number, stream_of};

fn bit(words: &[u64], index: usize) -> bool {
    (words[index / 64] >> (index % 64)) & 1 == 1
}

/// What a value becomes after the wire.
fn through<T>(write: impl FnOnce(&mut BitWriter), read: impl FnOnce(&mut BitReader) -> T) -> T {
    let mut writer = BitWriter::new();
    // Off the word's start, as most values are.
    writer.write_bits(0, 61);
    write(&mut writer);
    let bytes = writer.to_bytes();
    let mut reader = BitReader::new(&bytes);
    reader.skip_bits(61).unwrap();
    let value = read(&mut reader);
    assert_eq!(reader.position(), writer.bit_len());
    value
}

/// The angle (radians) between two vectors of three or, as quaternions, four components. By the chord, which unlike the
/// cosine is exact for small angles.
fn angle_between(a: &[f32], b: &[f32]) -> f64 {
    let length = |v: &[f32]| v.iter().map(|c| f64::from(*c).powi(2)).sum::<f64>().sqrt();
    let (la, lb) = (length(a), length(b));
    let pairs = a.iter().zip(b);
    let chord = pairs.map(|(x, y)| (f64::from(*x) / la - f64::from(*y) / lb).powi(2)).sum::<f64>().sqrt();
    2.0 * (chord * 0.5).min(1.0).asin()
}

fn long_enough(vector: &[f32]) -> bool {
    vector.iter().map(|c| c * c).sum::<f32>() > 1e-6
}

proptest! {
    #[test]
    fn a_stream_of_any_items_reads_back(items in items()) {
        let writer = stream_of(&items);
        let bytes = writer.to_bytes();
        prop_assert_eq!(bytes.len(), writer.byte_len());
        let mut reader = BitReader::new(&bytes);
        for item in &items {
            prop_assert_eq!(item.read(&mut reader), Ok(item.clone()));
        }
        prop_assert_eq!(reader.position(), writer.bit_len());
        prop_assert!(reader.remaining_bits() < 8);
    }

    #[test]
    fn copied_bits_are_the_bits(
        words in vec(any::<u64>(), 0..20),
        cut in (any::<u16>(), any::<u16>()),
        before in items(),
        after in any::<u64>(),
    ) {
        let total = words.len() * 64;
        let start = usize::from(cut.0) % (total + 1);
        let bits = usize::from(cut.1) % (total - start + 1);

        let mut writer = stream_of(&before);
        let offset = writer.bit_len();
        let head = writer.words().to_vec();
        writer.copy_bits(&words, start, bits);
        writer.write_bits(after, 64);

        prop_assert_eq!(writer.bit_len(), offset + bits + 64);
        prop_assert_eq!(writer.words().len(), writer.bit_len().div_ceil(64));
        for index in 0..offset {
            prop_assert_eq!(bit(writer.words(), index), bit(&head, index));
        }
        for index in 0..bits {
            prop_assert_eq!(bit(writer.words(), offset + index), bit(&words, start + index));
        }
        for index in 0..64 {
            prop_assert_eq!(bit(writer.words(), offset + bits + index), (after >> index) & 1 == 1);
        }
    }

    #[test]
    fn truncating_and_writing_again_is_as_if_never_written(
        kept in items(),
        undone in items(),
        then in items(),
    ) {
        let mut writer = stream_of(&kept);
        let length = writer.bit_len();
        for item in &undone {
            item.write(&mut writer);
        }
        writer.truncate(length);
        let mut straight = stream_of(&kept);
        for item in &then {
            item.write(&mut writer);
            item.write(&mut straight);
        }
        prop_assert_eq!(writer.words(), straight.words());
        prop_assert_eq!(writer.bit_len(), straight.bit_len());
    }

    #[test]
    fn appending_to_bytes_keeps_what_is_there(items in items(), mut out in vec(any::<u8>(), 0..10)) {
        let writer = stream_of(&items);
        let mut expected = out.clone();
        expected.extend(writer.to_bytes());
        writer.append_to(&mut out);
        prop_assert_eq!(out, expected);
    }

    #[test]
    fn zigzag_is_a_bijection(value in signed_number(), folded in number()) {
        prop_assert_eq!(zigzag_decode(zigzag_encode(value)), value);
        prop_assert_eq!(zigzag_encode(zigzag_decode(folded)), folded);
    }

    #[test]
    fn a_sequence_expands_to_the_nearest_counter(counter in number(), distance in -32_768_i64..=32_767) {
        if let Some(reference) = counter.checked_add_signed(-distance) {
            prop_assert_eq!(Sequence(counter as u16).expand(reference), counter);
        }
    }

    #[test]
    fn a_number_survives_within_its_error(
        magnitude in -6.0_f32..8.0,
        ends in (-1.0_f32..1.0, -1.0_f32..1.0),
        fineness in -9.0_f32..0.5,
        places in vec(0.0_f32..=1.0, 1..20),
        steps in vec(any::<u32>(), 1..20),
    ) {
        let scale = 10_f32.powf(magnitude);
        let (start, end) = (ends.0.min(ends.1) * scale, ends.0.max(ends.1) * scale);
        let quantizer = Quantizer::range(start..end).step(scale * 10_f32.powf(fineness));
        for place in places {
            let value = (start + (end - start) * place).clamp(start, end);
            let quantised = through(
                |writer| quantizer.write(writer, quantizer.quantize(value)),
                |reader| quantizer.read(reader),
            ).unwrap();
            let error = f64::from(quantizer.dequantize(quantised)) - f64::from(value);
            let allowed = f64::from(quantizer.max_error());
            prop_assert!(error.abs() <= allowed, "{} is {} off in {}", value, error, quantizer);
        }
        let ends = [0, quantizer.max()];
        let between = steps.into_iter().map(|step| (u64::from(step) % (u64::from(quantizer.max()) + 1)) as u32);
        for step in between.chain(ends) {
            prop_assert_eq!(quantizer.quantize(quantizer.dequantize(step)), step, "{}", quantizer);
        }
    }

    #[test]
    fn an_angle_survives_within_its_error(bits in 1_u32..=22, angle in -1e4_f32..1e4) {
        let quantizer = AngleQuantizer::new(bits);
        let quantised = through(
            |writer| quantizer.write(writer, quantizer.quantize(angle)),
            |reader| quantizer.read(reader),
        ).unwrap();
        let back = quantizer.dequantize(quantised);
        prop_assert!((-core::f32::consts::PI..core::f32::consts::PI).contains(&back));
        let turns = (f64::from(back) - f64::from(angle)) / TAU;
        let error = (turns - turns.round()).abs() * TAU;
        prop_assert!(error <= f64::from(quantizer.max_error()), "{} became {}", angle, back);
        prop_assert_eq!(quantizer.quantize(back), quantised);
    }

    #[test]
    fn a_direction_survives_within_its_error(
        bits in 2_u32..=20,
        vector in [-1.0_f32..1.0, -1.0_f32..1.0, -1.0_f32..1.0],
        near_a_face in any::<bool>(),
    ) {
        prop_assume!(long_enough(&vector));
        // The worst directions lie about the middles of the eight faces.
        let vector = if near_a_face { vector.map(|c| 1.0_f32.copysign(c) + c * 0.01) } else { vector };
        let quantizer = UnitVectorQuantizer::new(bits);
        let quantised = through(
            |writer| quantizer.write(writer, quantizer.quantize(vector)),
            |reader| quantizer.read(reader),
        ).unwrap();
        let back = quantizer.dequantize(quantised);
        let error = angle_between(&vector, &back);
        prop_assert!(error <= f64::from(quantizer.max_error()), "{:?} became {:?}", vector, back);
        prop_assert_eq!(quantizer.quantize(back), quantised);
    }

    #[test]
    fn every_canonical_direction_survives(bits in 2_u32..=20, form in [any::<u32>(), any::<u32>()]) {
        let quantizer = UnitVectorQuantizer::new(bits);
        // One number on the border in one case of three, where forms may be twins.
        let [u, v] = form.map(|number| match number % 6 {
            0 => 0,
            1 => quantizer.max(),
            _ => number % (quantizer.max() + 1),
        });
        if quantizer.is_canonical([u, v]) {
            prop_assert_eq!(quantizer.quantize(quantizer.dequantize([u, v])), [u, v]);
        }
    }

    #[test]
    fn a_rotation_survives_within_its_error(
        bits in 4_u32..=16,
        rotation in [-1.0_f32..1.0, -1.0_f32..1.0, -1.0_f32..1.0, -1.0_f32..1.0],
        tied in 0_usize..=4,
        noise in 0.0_f32..0.01,
    ) {
        // The worst rotations have components that are nearly equally great.
        let mut rotation = rotation;
        for component in &mut rotation[..tied] {
            *component = 1.0_f32.copysign(*component) + *component * noise;
        }
        prop_assume!(long_enough(&rotation));
        let quantizer = SmallestThree::new(bits);
        let quantised = through(
            |writer| quantizer.write(writer, quantizer.quantize(rotation)),
            |reader| quantizer.read(reader),
        ).unwrap();
        let back = quantizer.dequantize(quantised);
        let opposite = back.map(|component| -component);
        // A rotation turns by twice the angle of its quaternion.
        let error = 2.0 * angle_between(&rotation, &back).min(angle_between(&rotation, &opposite));
        prop_assert!(error <= f64::from(quantizer.max_error()), "{:?} became {:?}", rotation, back);
        prop_assert_eq!(quantizer.quantize(back), quantised);
        prop_assert_eq!(quantizer.quantize(opposite), quantised);
    }

    #[test]
    fn every_canonical_rotation_survives_a_renormalisation(
        bits in 4_u32..=16,
        largest in 0_u8..4,
        steps in [any::<u32>(), any::<u32>(), any::<u32>()],
    ) {
        let quantizer = SmallestThree::new(bits);
        let components = steps.map(|step| step % (quantizer.max() + 1));
        let form = QuantizedRotation { largest, components };
        if quantizer.is_canonical(form) {
            let back = quantizer.dequantize(form);
            prop_assert_eq!(quantizer.quantize(back), form);
            let inverse_length = back.iter().map(|c| c * c).sum::<f32>().sqrt().recip();
            prop_assert_eq!(quantizer.quantize(back.map(|c| c * inverse_length)), form);
        }
    }

    /// Two components a few steps apart, so that the greatest is in doubt: random forms hardly ever are.
    #[test]
    fn every_rotation_with_a_doubtful_greatest_survives(
        bits in 4_u32..=16,
        largest in 0_u8..4,
        place in 0_usize..3,
        size in 0.5_f64..0.707,
        share in 0.0_f64..1.0,
        off in -2_i64..=2,
        signs in any::<[bool; 3]>(),
    ) {
        let quantizer = SmallestThree::new(bits);
        let half = i64::from(quantizer.max() / 2);
        // n = the tied component, and 2n² + a² + b² = 2 half².
        let n = (size * core::f64::consts::SQRT_2 * half as f64) as i64;
        let rest = (2 * half * half - 2 * n * n).max(0) as f64;
        let a = (rest.sqrt() * share) as i64;
        let b = (rest - (a * a) as f64).max(0.0).sqrt() as i64 + off;
        let mut steps = [n, a, b];
        steps.swap(0, place);
        for (step, sign) in steps.iter_mut().zip(signs) {
            *step = if sign { *step } else { -*step };
        }
        let components = steps.map(|step| (step + half).clamp(0, 2 * half) as u32);
        let form = QuantizedRotation { largest, components };
        let again = quantizer.quantize(quantizer.dequantize(form));
        prop_assert!(quantizer.is_canonical(again));
        if quantizer.is_canonical(form) {
            prop_assert_eq!(again, form);
        }
    }
}

#[test]
fn every_millimetre_of_a_kilometre_survives() {
    let quantizer = Quantizer::range(-512.0..512.0).step(0.001);
    for step in 0..=quantizer.max() {
        assert_eq!(quantizer.quantize(quantizer.dequantize(step)), step);
    }
}
