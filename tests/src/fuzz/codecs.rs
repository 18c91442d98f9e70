//! Codecs of components: bits to words to values.

use bevy::prelude::*;
use bevy_slipstream::connection::EntityMap;
use bevy_slipstream::prelude::{BodyState, KinematicCodec, NetworkCodec, TransformCodec};
use bevy_slipstream::replication::{
    ByField, Codec, MAX_COMPONENT_WORDS, NameEntities, RecordError, RelationshipCodec, ResolveEntities, SerdeCodec,
    StepCodec,
};
use bevy_slipstream::wire::{Baseline, BitReader, BitWriter};

use super::game::{Aims, Label, Order, Turret, body, order, turret};

/// How many values are read in a row: whole, as a difference, and as one that continues a motion.
const MOST_VALUES: usize = 4;
/// What stands before a codec's words, and is none of its business.
const BEFORE: u32 = 7;

/// What the words that a codec reads are to it.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// All of them stand for a value, which has no other words.
    One,
    /// Some stand for no value. Those that do are its only words.
    Typed,
    /// As bincode, which takes a number in longer forms than it writes: a value settles when it is relayed.
    Settling,
}

/// Values of a component, each coded against those before it: what is read is bounded, is written as it was read, and
/// does not drift when it is relayed. The first byte says which codec.
pub fn codecs(data: &[u8]) {
    let Some((codec, bytes)) = data.split_first() else { return };
    match codec % 8 {
        0 => read::<Turret>(&ByField(Turret::codec()), bytes, Form::One),
        1 => read::<Transform>(&transform(), bytes, Form::One),
        2 => read::<Order>(&StepCodec::new(0.01), bytes, Form::Typed),
        3 => read::<Label>(&SerdeCodec, bytes, Form::Settling),
        4 => read::<Aims>(&SerdeCodec, bytes, Form::Settling),
        5 => read::<ChildOf>(&RelationshipCodec, bytes, Form::Settling),
        6 => read::<BodyState>(&Body(kinematic()), bytes, Form::One),
        _ => read::<BodyState>(&Body(kinematic().without_velocities()), bytes, Form::One),
    }
}

fn kinematic() -> KinematicCodec {
    KinematicCodec::new(-512.0..512.0, 0.001)
}

/// A rigid body's codec, which belongs to two components, as that of one.
struct Body(KinematicCodec);

impl Codec<BodyState> for Body {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn quantize(&self, body: &BodyState, _: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        self.0.quantize(body, words);
        Ok(())
    }

    fn dequantize(&self, words: &[u32], _: &mut ResolveEntities) -> Result<BodyState, RecordError> {
        Ok(self.0.dequantize(words)?)
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        self.0.write(baseline, words, writer);
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        Ok(self.0.read(baseline, reader, words)?)
    }
}

fn transform() -> TransformCodec {
    TransformCodec::new(-512.0..512.0, 0.001, 11)
}

fn read<C>(codec: &impl Codec<C>, bytes: &[u8], form: Form) {
    let mut reader = BitReader::new(bytes);
    let mut known: Vec<Vec<u32>> = Vec::new();
    while known.len() < MOST_VALUES {
        let baseline = baseline(&known);
        let mut words = vec![BEFORE];
        if codec.read(baseline, &mut reader, &mut words).is_err() {
            return;
        }
        assert_eq!(words.remove(0), BEFORE, "words of another component were touched");
        assert!(words.len() <= MAX_COMPONENT_WORDS, "{} words", words.len());
        assert_written(codec, baseline, &words);
        assert_relayed(codec, &words, form);
        known.push(words);
    }
}

/// The last two values that are known, as a receiver knows them.
fn baseline(known: &[Vec<u32>]) -> Option<Baseline<'_>> {
    match known {
        [] => None,
        [last] => Some(Baseline::new(last, 1)),
        [.., earlier, last] => Some(Baseline { words: last, age: 3, earlier: Some((earlier, 2)) }),
    }
}

fn assert_written<C>(codec: &impl Codec<C>, baseline: Option<Baseline<'_>>, words: &[u32]) {
    let mut writer = BitWriter::new();
    codec.write(baseline, words, &mut writer);
    let bytes = writer.to_bytes();
    let (mut reader, mut again) = (BitReader::new(&bytes), Vec::new());
    codec.read(baseline, &mut reader, &mut again).expect("what was just written");
    assert_eq!(again, words);
    assert_eq!(reader.position(), writer.bit_len(), "all of it is read, and nothing else");
}

fn assert_relayed<C>(codec: &impl Codec<C>, words: &[u32], form: Form) {
    // No entity has a name here: references become the placeholder, which is what they settle to.
    let map = EntityMap::default();
    let relay = |words: &[u32]| {
        let value = codec.dequantize(words, &mut ResolveEntities::new(&map))?;
        let mut again = Vec::new();
        codec.quantize(&value, &mut NameEntities::new(&map), &mut again)?;
        Ok::<_, RecordError>(again)
    };
    match relay(words) {
        Ok(again) if form == Form::Settling => assert_eq!(relay(&again).as_ref(), Ok(&again), "it drifts"),
        Ok(again) => assert_eq!(again, words, "it drifts"),
        Err(error) => assert!(form != Form::One, "what was read has no value: {error}"),
    }
}

/// Several values of each type, one after the other.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let mut corpus = Vec::new();
    for first in [0, 1, 2, 30] {
        let moments: Vec<u32> = (first..).take(MOST_VALUES).collect();
        let turrets: Vec<Turret> = moments.iter().map(|moment| turret(*moment)).collect();
        corpus.push(written(0, &ByField(Turret::codec()), &turrets));
        let transforms: Vec<Transform> = moments.iter().map(|moment| moved(*moment)).collect();
        corpus.push(written(1, &transform(), &transforms));
        let orders: Vec<Order> = moments.iter().map(|moment| order(*moment)).collect();
        corpus.push(written(2, &StepCodec::new(0.01), &orders));
        let labels: Vec<Label> = moments.iter().map(|moment| Label("ä".repeat(*moment as usize))).collect();
        corpus.push(written(3, &SerdeCodec, &labels));
        let aims: Vec<Aims> = moments.iter().map(|_| Aims(Entity::PLACEHOLDER)).collect();
        corpus.push(written(4, &SerdeCodec, &aims));
        let bodies: Vec<BodyState> = moments.iter().map(|moment| state(*moment)).collect();
        corpus.push(written(6, &Body(kinematic()), &bodies));
        corpus.push(written(7, &Body(kinematic().without_velocities()), &bodies));
    }
    // Some slot and its generation.
    let mut writer = BitWriter::new();
    Codec::<ChildOf>::write(&RelationshipCodec, None, &[41, 3], &mut writer);
    corpus.push([[5_u8].as_slice(), &writer.to_bytes()].concat());
    corpus
}

fn state(moment: u32) -> BodyState {
    let (hull, velocity) = body(moment);
    BodyState {
        position: hull.0.to_array(),
        rotation: hull.1.to_array(),
        linear: velocity.linear.to_array(),
        angular: velocity.angular.to_array(),
    }
}

fn moved(moment: u32) -> Transform {
    let way = moment as f32 * 0.25;
    let scale = if moment.is_multiple_of(2) { Vec3::ONE } else { Vec3::splat(2.0) };
    Transform { translation: Vec3::new(way, 1.0, -way), rotation: Quat::from_rotation_x(way), scale }
}

fn written<C>(which: u8, codec: &impl Codec<C>, values: &[C]) -> Vec<u8> {
    let map = EntityMap::default();
    let mut writer = BitWriter::new();
    let mut known: Vec<Vec<u32>> = Vec::new();
    for value in values {
        let mut words = Vec::new();
        codec.quantize(value, &mut NameEntities::new(&map), &mut words).expect("it quantises");
        codec.write(baseline(&known), &words, &mut writer);
        known.push(words);
    }
    [[which].as_slice(), &writer.to_bytes()].concat()
}
