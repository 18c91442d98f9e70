//! `Transform`: position on a grid, rotation as its three smallest components.

use bevy::prelude::*;
use slipstream_wire::{Baseline, BitReader, BitWriter, QuantizedRotation, Quantizer, SmallestThree, WireError};

use super::{Codec, NameEntities, ResolveEntities};
use crate::error::RecordError;

/// Bits of exp-Golomb's fixed part for a position difference: at 60 Hz and 1 mm, 4 m/s is 64 steps a tick.
const POSITION_K: u32 = 5;
const ROTATION_K: u32 = 3;
/// The same where the motion is continued, for a baseline one tick old; one more for each doubling of its age, because what
/// is not foreseen is an acceleration.
const CONTINUED_K: u32 = 2;
/// A motion is continued for so many ticks at most: what was not heard of for a second may be anywhere.
const CONTINUED_TICKS: u32 = 64;

/// Position in a range with a step, rotation as [`SmallestThree`], scale only where it is not one.
///
/// The position's error is at most half a step on each axis, inside the range; outside it is clamped to the range. A
/// difference is taken from where the entity would be, had it gone on as it went between the receiver's last two values.
/// Words: x, y, z, largest component, three components; then, where the scale is not one, its three floats as bits.
#[derive(Debug, Clone)]
pub struct TransformCodec {
    range: core::ops::Range<f32>,
    step: f32,
    rotation_bits: u32,
    position: Quantizer,
    rotation: SmallestThree,
}

impl Default for TransformCodec {
    fn default() -> Self {
        Self::new(-2048.0..2048.0, 0.001, 11)
    }
}

impl TransformCodec {
    /// A codec for positions within `range` metres on each axis, in steps of `step` metres, with `rotation_bits` bits a
    /// component of the rotation (11 is about 0.05°).
    #[must_use]
    pub fn new(range: core::ops::Range<f32>, step: f32, rotation_bits: u32) -> Self {
        let rotation = SmallestThree::new(rotation_bits);
        Self {
            position: Quantizer::range(range.clone()).step(step),
            rotation_bits: rotation.bits(),
            rotation,
            range,
            step,
        }
    }

    /// The same codec with another range of positions, in metres.
    #[must_use]
    pub fn position(&self, range: core::ops::Range<f32>, step: f32) -> Self {
        Self::new(range, step, self.rotation_bits)
    }

    /// The same codec with another number of bits a rotation component, held to 4..=16.
    #[must_use]
    pub fn rotation_bits(&self, bits: u32) -> Self {
        Self::new(self.range.clone(), self.step, bits)
    }

    fn write_rotation(&self, words: &[u32], writer: &mut BitWriter) {
        writer.write_bits(u64::from(words[0]), 2);
        for component in &words[1..4] {
            writer.write_bits(u64::from(*component), self.rotation_bits);
        }
    }
}

impl Codec<Transform> for TransformCodec {
    fn describe(&self) -> String {
        format!("transform {:?} step {} rotation {} bits", self.range, self.step, self.rotation_bits)
    }

    fn quantize(&self, component: &Transform, _: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        words.extend(component.translation.to_array().map(|axis| self.position.quantize(axis)));
        let rotation = self.rotation.quantize(component.rotation.to_array());
        words.push(u32::from(rotation.largest));
        words.extend(rotation.components);
        if component.scale != Vec3::ONE {
            words.extend(component.scale.to_array().map(f32::to_bits));
        }
        Ok(())
    }

    fn dequantize(&self, words: &[u32], _: &mut ResolveEntities) -> Result<Transform, RecordError> {
        let [x, y, z, largest, a, b, c, scale @ ..] = words else {
            return Err(WireError::Malformed { what: "transform" }.into());
        };
        let rotation = QuantizedRotation { largest: *largest as u8, components: [*a, *b, *c] };
        let scale = match scale {
            [x, y, z] => Vec3::new(f32::from_bits(*x), f32::from_bits(*y), f32::from_bits(*z)),
            _ => Vec3::ONE,
        };
        Ok(Transform {
            translation: Vec3::from_array([*x, *y, *z].map(|axis| self.position.dequantize(axis))),
            rotation: Quat::from_array(self.rotation.dequantize(rotation)),
            scale,
        })
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        let Some((baseline, course)) = baseline.map(|old| (old.words, Course::of(&old))) else {
            for axis in &words[..3] {
                writer.write_bits(u64::from(*axis), self.position.bits());
            }
            self.write_rotation(&words[3..7], writer);
            write_scale(None, &words[7..], writer);
            return;
        };
        let moved = baseline[..3] != words[..3];
        writer.write_bool(moved);
        if moved {
            for (axis, (from, to)) in baseline.iter().zip(words).take(3).enumerate() {
                let expected = course.expected(axis, *from, self.position.max());
                writer.write_signed_exp_golomb(i64::from(*to) - expected, course.position_k());
            }
        }
        let turned = baseline[3..7] != words[3..7];
        writer.write_bool(turned);
        if turned {
            let same_largest = baseline[3] == words[3];
            writer.write_bool(same_largest);
            if same_largest {
                for (axis, (from, to)) in baseline.iter().zip(words).enumerate().take(7).skip(4) {
                    let expected = course.expected(axis, *from, self.rotation.max());
                    writer.write_signed_exp_golomb(i64::from(*to) - expected, ROTATION_K);
                }
            } else {
                self.write_rotation(&words[3..7], writer);
            }
        }
        write_scale(Some(&baseline[7..]), &words[7..], writer);
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        let Some((baseline, course)) = baseline.map(|old| (old.words, Course::of(&old))) else {
            for _ in 0..3 {
                words.push(self.in_range(reader.read_bits(self.position.bits())?)?);
            }
            self.read_rotation(reader, words)?;
            return read_scale(None, reader, words);
        };
        if baseline.len() < 7 {
            return Err(WireError::Malformed { what: "baseline of a transform" }.into());
        }
        if reader.read_bool()? {
            for (axis, from) in baseline.iter().enumerate().take(3) {
                let difference = reader.read_signed_exp_golomb(course.position_k())?;
                let expected = course.expected(axis, *from, self.position.max());
                let value = expected.checked_add(difference).and_then(|value| u64::try_from(value).ok());
                words.push(self.in_range(value.unwrap_or(u64::MAX))?);
            }
        } else {
            words.extend(&baseline[..3]);
        }
        if !reader.read_bool()? {
            words.extend(&baseline[3..7]);
        } else if reader.read_bool()? {
            words.push(baseline[3]);
            let max = (1_i64 << self.rotation_bits) - 1;
            for (axis, from) in baseline.iter().enumerate().take(7).skip(4) {
                let difference = reader.read_signed_exp_golomb(ROTATION_K)?;
                let expected = course.expected(axis, *from, self.rotation.max());
                let value = expected.checked_add(difference).filter(|value| (0..=max).contains(value));
                words.push(value.ok_or(WireError::Malformed { what: "rotation difference" })? as u32);
            }
            self.check_rotation(words)?;
        } else {
            self.read_rotation(reader, words)?;
        }
        read_scale(Some(&baseline[7..]), reader, words)
    }

    fn continues_motion(&self) -> bool {
        true
    }
}

/// How an entity moved between the receiver's last two values.
struct Course<'a> {
    earlier: Option<&'a [u32]>,
    /// Ticks between those two.
    between: i64,
    /// Ticks since.
    age: u32,
}

impl<'a> Course<'a> {
    fn of(baseline: &Baseline<'a>) -> Self {
        // Rotations compare only where the same component is left out.
        let known = |(words, _): &(&[u32], u32)| words.len() >= 7 && baseline.words.get(3) == words.get(3);
        let earlier = baseline.earlier.filter(known).filter(|_| baseline.age <= CONTINUED_TICKS);
        let between = earlier.map_or(1, |(_, ticks)| i64::from(ticks.max(1)));
        Self { earlier: earlier.map(|(words, _)| words), between, age: baseline.age }
    }

    /// The word that an axis would have by now, had it gone on; within 0 and `max`.
    fn expected(&self, axis: usize, from: u32, max: u32) -> i64 {
        let from = i64::from(from);
        let Some(earlier) = self.earlier.and_then(|words| words.get(axis)) else { return from };
        let moved = (from - i64::from(*earlier)) * i64::from(self.age) / self.between;
        (from + moved).clamp(0, i64::from(max))
    }

    fn position_k(&self) -> u32 {
        if self.earlier.is_none() {
            return POSITION_K;
        }
        (CONTINUED_K + self.age.max(1).ilog2()).min(POSITION_K)
    }
}

impl TransformCodec {
    fn in_range(&self, value: u64) -> Result<u32, RecordError> {
        let max = self.position.max();
        match u32::try_from(value) {
            Ok(value) if value <= max => Ok(value),
            _ => Err(WireError::ValueOutOfRange { what: "position", value, max: u64::from(max) }.into()),
        }
    }

    fn read_rotation(&self, reader: &mut BitReader, words: &mut Vec<u32>) -> Result<(), RecordError> {
        words.push(reader.read_bits(2)? as u32);
        for _ in 0..3 {
            words.push(reader.read_bits(self.rotation_bits)? as u32);
        }
        self.check_rotation(words)
    }

    /// The last four words must be what some rotation quantises to, or a relayed rotation would change on its way.
    fn check_rotation(&self, words: &[u32]) -> Result<(), RecordError> {
        match words {
            [.., largest, a, b, c]
                if self
                    .rotation
                    .is_canonical(QuantizedRotation { largest: *largest as u8, components: [*a, *b, *c] }) =>
            {
                Ok(())
            }
            _ => Err(WireError::Malformed { what: "rotation" }.into()),
        }
    }
}

fn write_scale(baseline: Option<&[u32]>, scale: &[u32], writer: &mut BitWriter) {
    if let Some(baseline) = baseline {
        writer.write_bool(baseline != scale);
        if baseline == scale {
            return;
        }
    }
    writer.write_bool(scale.len() == 3);
    for axis in scale.iter().take(3) {
        writer.write_bits(u64::from(*axis), 32);
    }
}

fn read_scale(baseline: Option<&[u32]>, reader: &mut BitReader, words: &mut Vec<u32>) -> Result<(), RecordError> {
    if let Some(baseline) = baseline
        && !reader.read_bool()?
    {
        words.extend(baseline);
        return Ok(());
    }
    if reader.read_bool()? {
        let start = words.len();
        for _ in 0..3 {
            words.push(reader.read_bits(32)? as u32);
        }
        // A scale of one has no words: two forms of one value would differ after a relay.
        if words.iter().skip(start).all(|axis| *axis == 1.0_f32.to_bits()) {
            return Err(WireError::Malformed { what: "scale" }.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use slipstream_connection::EntityMap;

    fn words_of(codec: &TransformCodec, transform: &Transform) -> Vec<u32> {
        let mut words = Vec::new();
        codec
            .quantize(transform, &mut NameEntities::new(&EntityMap::default()), &mut words)
            .expect("a transform always quantises");
        words
    }

    fn transform_of(codec: &TransformCodec, words: &[u32]) -> Transform {
        let map = EntityMap::default();
        codec.dequantize(words, &mut ResolveEntities::new(&map)).expect("words of a transform")
    }

    fn round_trip(codec: &TransformCodec, baseline: Option<&[u32]>, words: &[u32]) -> Vec<u32> {
        let mut writer = BitWriter::new();
        codec.write(baseline.map(|words| Baseline::new(words, 1)), words, &mut writer);
        let bytes = writer.to_bytes();
        let mut reader = BitReader::new(&bytes);
        let mut read = Vec::new();
        codec
            .read(baseline.map(|words| Baseline::new(words, 1)), &mut reader, &mut read)
            .expect("what was just written");
        assert_eq!(reader.position(), writer.bit_len(), "all of it is read, and nothing else");
        read
    }

    fn transforms() -> impl Strategy<Value = Transform> {
        let position = [-600.0_f32..600.0, -600.0_f32..600.0, -600.0_f32..600.0];
        let rotation = [-1.0_f32..1.0, -1.0_f32..1.0, -1.0_f32..1.0, -1.0_f32..1.0];
        let scale = prop_oneof![Just(Vec3::ONE), [0.1_f32..9.0, 0.1_f32..9.0, 0.1_f32..9.0].prop_map(Vec3::from_array)];
        (position, rotation, scale).prop_map(|(position, rotation, scale)| Transform {
            translation: Vec3::from_array(position),
            rotation: Quat::from_array(rotation),
            scale,
        })
    }

    fn codecs() -> impl Strategy<Value = TransformCodec> {
        (0..20_u32, prop_oneof![Just(0.001_f32), Just(0.01), Just(0.25)])
            .prop_map(|(bits, step)| TransformCodec::new(-512.0..512.0, step, bits))
    }

    proptest! {
        #[test]
        fn quantising_what_was_dequantised_changes_nothing(codec in codecs(), transform in transforms()) {
            let words = words_of(&codec, &transform);
            prop_assert_eq!(words_of(&codec, &transform_of(&codec, &words)), words);
        }

        #[test]
        fn what_is_written_is_read(codec in codecs(), from in transforms(), to in transforms()) {
            let (from, to) = (words_of(&codec, &from), words_of(&codec, &to));
            prop_assert_eq!(&round_trip(&codec, None, &to), &to);
            prop_assert_eq!(&round_trip(&codec, Some(&from), &to), &to);
            prop_assert_eq!(&round_trip(&codec, Some(&to), &to), &to);
        }

        #[test]
        fn what_goes_on_is_read(
            codec in codecs(),
            [first, from, to] in [transforms(), transforms(), transforms()],
            age in 1..100_u32,
            between in 1..9_u32,
        ) {
            let [first, from, to] = [first, from, to].map(|transform| words_of(&codec, &transform));
            let baseline = Some(Baseline { words: &from, age, earlier: Some((&first, between)) });
            let mut writer = BitWriter::new();
            codec.write(baseline, &to, &mut writer);
            let mut read = Vec::new();
            codec.read(baseline, &mut BitReader::new(&writer.to_bytes()), &mut read).expect("what was just written");
            prop_assert_eq!(read, to);
        }

        /// A peer may send any bits: what is taken from them must survive a relay.
        #[test]
        fn whatever_is_read_does_not_drift(
            codec in codecs(),
            from in transforms(),
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            against in any::<bool>(),
        ) {
            let from = words_of(&codec, &from);
            let baseline = against.then(|| Baseline::new(&from, 1));
            let mut words = Vec::new();
            if codec.read(baseline, &mut BitReader::new(&bytes), &mut words).is_ok() {
                prop_assert_eq!(words_of(&codec, &transform_of(&codec, &words)), words);
            }
        }
    }

    #[test]
    fn a_step_along_one_axis_is_short() {
        let codec = TransformCodec::new(-512.0..512.0, 0.001, 11);
        let from = words_of(&codec, &Transform::default());
        let to = words_of(&codec, &Transform::from_xyz(0.1, 0.0, 0.0));
        let mut writer = BitWriter::new();
        codec.write(Some(Baseline::new(&from, 1)), &to, &mut writer);
        // moved, three differences of which one is 100 steps (zig-zag 200), not turned, scale as it was
        assert_eq!(writer.bit_len(), 1 + (10 + 6 + 6) + 1 + 1);
    }

    #[test]
    fn what_goes_on_as_it_went_is_shorter_still() {
        let codec = TransformCodec::new(-512.0..512.0, 0.001, 11);
        let at =
            |tick: u8| words_of(&codec, &Transform::from_xyz(0.15 * f32::from(tick), 0.0, -0.02 * f32::from(tick)));
        let (first, from, to) = (at(2), at(4), at(8));
        let mut writer = BitWriter::new();
        codec.write(Some(Baseline { words: &from, age: 4, earlier: Some((&first, 2)) }), &to, &mut writer);
        // moved, three differences of zero in order 4, not turned, scale as it was
        assert_eq!(writer.bit_len(), 1 + 3 * 5 + 1 + 1);
    }

    #[test]
    fn a_scale_of_one_has_one_form() {
        let codec = TransformCodec::default();
        let mut writer = BitWriter::new();
        write_scale(None, &[1.0_f32.to_bits(); 3], &mut writer);
        let bytes = writer.to_bytes();
        assert!(read_scale(None, &mut BitReader::new(&bytes), &mut Vec::new()).is_err());
        assert_eq!(words_of(&codec, &Transform::default()).len(), 7);
    }
}
