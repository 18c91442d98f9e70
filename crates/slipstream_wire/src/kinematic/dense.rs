//! Bodies at the dense level: the values and baselines of [`KinematicCodec`], in range-coded decisions.
//!
//! ```text
//!  Baseline ──► Motion ──► expected, velocities first ──┐
//!               (motion)                                 ▼ difference
//!                  │                                  decisions ──► RangeEncoder ──► bytes
//!                  └─────► Spreads, as logarithms ───────┘ odds        ▲
//!                          (spread)            (deviation)             │
//!                                   a few flags, whose odds are learned (Models)
//! ```
//!
//! A datagram stands alone: the odds of differences follow from what both sides know of the body, and only the odds of
//! flags are learned, from the first body of the datagram on. Against the bit-packed level it spares what whole bits
//! round up, and velocities come first: a position that follows from two velocities is known to a millimetre, while a
//! velocity that follows from two positions is not.
//!
//! One walk, [`Walk`], is encoder and decoder, by the [`BitCoder`] that it is given: the two cannot drift apart.

mod deviation;
mod motion;
mod spread;

#[cfg(test)]
mod tests;

use self::{motion::Motion, spread::Spreads};
use super::{KinematicCodec, differences, quaternion::Quaternion, words::Fields};
use crate::{
    Baseline, WireError,
    range_coder::{AdaptiveBit, BitCoder, RangeCheckpoint, RangeDecoder, RangeEncoder},
};

/// Flags of the caller's that a datagram can hold, see [`DenseBodyWriter::flag`].
const FLAGS: usize = 8;

/// A greatest component that leads by less (in steps) may be another one any moment, and by more hardly.
const CLOSE: i64 = 8;
const APART: i64 = 64;

/// What is learned in a datagram.
#[derive(Clone, Debug)]
struct Models {
    stays: AdaptiveBit,
    /// Whether the greatest component is another: where it leads closely, by some, by far.
    turns_over: [AdaptiveBit; 3],
    flags: [AdaptiveBit; FLAGS],
}

impl Models {
    /// Version 1 of what is known before the first body: a flag is mostly not set, by about the odds of a coin that was
    /// tossed as often as is said.
    const fn new() -> Self {
        Self {
            stays: AdaptiveBit::seen(49_152, 4),
            turns_over: [AdaptiveBit::seen(21_845, 2), AdaptiveBit::seen(2_048, 32), AdaptiveBit::seen(128, 250)],
            flags: [AdaptiveBit::seen(8_192, 2); FLAGS],
        }
    }
}

/// Writes bodies, each against a baseline, into one datagram.
///
/// What records say besides, such as which entity comes next, can stand between them as [flags](Self::flag) and
/// [bits](Self::bits). Reuse the writer: its models are small, and the buffer is the caller's.
///
/// ```
/// use slipstream_wire::dense::{DenseBodyReader, DenseBodyWriter};
/// use slipstream_wire::{Baseline, BodyState, KinematicCodec, WireError};
///
/// let codec = KinematicCodec::new(-512.0..512.0, 0.001);
/// let before = BodyState { linear: [12.0, 0.0, 0.0], ..BodyState::default() };
/// let now = BodyState { position: [0.8, 0.0, 0.0], ..before };
/// let (mut baseline, mut words) = (Vec::new(), Vec::new());
/// codec.quantize(&before, &mut baseline);
/// codec.quantize(&now, &mut words);
///
/// let mut writer = DenseBodyWriter::new();
/// writer.begin(Vec::new());
/// for _ in 0..10 {
///     writer.write(&codec, Some(Baseline::new(&baseline, 4)), &words);
/// }
/// let bytes = writer.finish();
/// assert!(bytes.len() < 30);
///
/// let mut reader = DenseBodyReader::new(&bytes);
/// let mut received = Vec::new();
/// for _ in 0..10 {
///     received.clear();
///     reader.read(&codec, Some(Baseline::new(&baseline, 4)), &mut received)?;
///     assert_eq!(received, words);
/// }
/// reader.finish()?;
/// # Ok::<(), WireError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DenseBodyWriter {
    coder: RangeEncoder,
    models: Models,
}

/// Where a datagram was, see [`DenseBodyWriter::checkpoint`].
#[derive(Clone, Debug)]
pub struct BodyCheckpoint {
    coder: RangeCheckpoint,
    models: Models,
}

impl Default for DenseBodyWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl DenseBodyWriter {
    /// A writer of an empty datagram.
    #[must_use]
    pub fn new() -> Self {
        Self { coder: RangeEncoder::new(), models: Models::new() }
    }

    /// Begins a datagram, which is appended to `buffer`. What was not finished is forgotten.
    pub fn begin(&mut self, buffer: Vec<u8>) {
        self.coder = RangeEncoder::with_buffer(buffer);
        self.models = Models::new();
    }

    /// Writes what [`KinematicCodec::quantize`] gave, as the difference from `baseline` where there is one. A baseline
    /// of another number of words is none.
    ///
    /// Words of another number are a bug of the caller, caught in debug builds; nothing is written then.
    #[inline]
    pub fn write(&mut self, codec: &KinematicCodec, baseline: Option<Baseline<'_>>, words: &[u32]) {
        debug_assert!(codec.check(words).is_ok(), "{words:?} are no words of {codec}");
        let Some(fields) = codec.fields(words) else { return };
        let mut walk = Walk { codec, coder: &mut self.coder, models: &mut self.models };
        let written = walk.body(baseline, words, &fields);
        debug_assert!(written.is_ok(), "{words:?}: {written:?}");
    }

    /// Writes a flag that is mostly not set; how rarely is learned in each of eight contexts apart. A `context` above
    /// is the last.
    #[inline]
    pub fn flag(&mut self, context: usize, flag: bool) {
        code_flag(&mut self.coder, &mut self.models, context, flag);
    }

    /// Writes the low `bits` bits (at most 32) of `value`, all values being equally likely.
    #[inline]
    pub fn bits(&mut self, value: u32, bits: u32) {
        self.coder.encode_bits(value, bits);
    }

    /// Bytes of the datagram if it ended here, at most; it may be up to four less.
    #[inline]
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.coder.max_len()
    }

    /// Where the datagram is: whoever finds that the next body is too much comes back to it.
    #[inline]
    #[must_use]
    pub fn checkpoint(&self) -> BodyCheckpoint {
        BodyCheckpoint { coder: self.coder.checkpoint(), models: self.models.clone() }
    }

    /// Forgets what was written since the checkpoint, which must be of this datagram.
    #[inline]
    pub fn rewind(&mut self, checkpoint: &BodyCheckpoint) {
        self.coder.rewind(&checkpoint.coder);
        self.models.clone_from(&checkpoint.models);
    }

    /// Ends the datagram and gives the buffer back, with it at its end. Nothing written is no byte.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.coder).finish()
    }
}

/// Reads what [`DenseBodyWriter`] wrote, from bytes that may come from anyone.
#[derive(Clone, Debug)]
pub struct DenseBodyReader<'a> {
    coder: RangeDecoder<'a>,
    models: Models,
}

impl<'a> DenseBodyReader<'a> {
    /// Starts at the first of `bytes`, all of which are one datagram.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { coder: RangeDecoder::new(bytes), models: Models::new() }
    }

    /// Reads what [`DenseBodyWriter::write`] wrote against the same baseline and appends the words.
    ///
    /// Cut or foreign bytes may give bodies, too, that can be dequantised as any: only [`finish`](Self::finish) tells
    /// that all were there.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`], or [`WireError::ValueOutOfRange`] or [`WireError::Malformed`] for what no body
    /// quantises to. `words` is as it was then, and nothing more can be read of the datagram.
    #[inline]
    pub fn read(
        &mut self,
        codec: &KinematicCodec,
        baseline: Option<Baseline<'_>>,
        words: &mut Vec<u32>,
    ) -> Result<(), WireError> {
        let mut walk = Walk { codec, coder: &mut self.coder, models: &mut self.models };
        let read = walk.body(baseline, &[], &Fields::default())?;
        self.coder.check()?;
        match (read, baseline) {
            (Body::Stays, Some(baseline)) => {
                codec.check(baseline.words)?;
                words.extend_from_slice(baseline.words);
                Ok(())
            }
            (Body::Stays, None) => Err(WireError::Malformed { what: "dense body" }),
            (Body::Is(fields), _) => codec.push(&fields, words),
        }
    }

    /// Reads a flag that was written in the same context.
    #[inline]
    pub fn flag(&mut self, context: usize) -> bool {
        code_flag(&mut self.coder, &mut self.models, context, false)
    }

    /// Reads `bits` bits (at most 32).
    #[inline]
    pub fn bits(&mut self, bits: u32) -> u32 {
        self.coder.decode_bits(bits)
    }

    /// Ends the datagram.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`] where bytes were missing, [`WireError::Malformed`] where some are left.
    pub fn finish(&self) -> Result<(), WireError> {
        self.coder.check()?;
        if self.coder.remaining_bytes() > 0 {
            return Err(WireError::Malformed { what: "length of a dense datagram" });
        }
        Ok(())
    }
}

/// What was coded of a body.
#[derive(Debug)]
enum Body {
    /// All words are the baseline's.
    Stays,
    Is(Fields),
}

/// Over one body.
struct Walk<'a, C> {
    codec: &'a KinematicCodec,
    coder: &'a mut C,
    models: &'a mut Models,
}

impl<C: BitCoder> Walk<'_, C> {
    /// Codes a body and returns it. Decoders ignore `words` and `fields`.
    #[inline]
    fn body(&mut self, baseline: Option<Baseline<'_>>, words: &[u32], fields: &Fields) -> Result<Body, WireError> {
        let codec = self.codec;
        let Some((baseline, from)) = baseline.and_then(|baseline| Some((baseline, codec.fields(baseline.words)?)))
        else {
            return self.whole(fields).map(Body::Is);
        };
        let stays = words == baseline.words;
        if codec.velocities {
            let motion = Motion::new(codec, &baseline, from);
            if motion.may_stay() && self.stays(stays) {
                return Ok(Body::Stays);
            }
            return self.moving(&motion, fields).map(Body::Is);
        }
        match codec.predict(&baseline) {
            Some(prediction) => {
                if prediction.may_stay() && self.stays(stays) {
                    return Ok(Body::Stays);
                }
                self.pose(&prediction, fields).map(Body::Is)
            }
            None => self.whole(fields).map(Body::Is),
        }
    }

    /// A body with velocities, these first.
    #[inline]
    fn moving(&mut self, motion: &Motion<'_>, fields: &Fields) -> Result<Fields, WireError> {
        let codec = self.codec;
        let lost = motion.lost_orders();

        let expected = motion.linear();
        let linear = spread::of_linear(motion).code(self.coder, expected, fields.linear);
        // What a peer sent is checked before it is calculated with.
        codec.check_linear(linear)?;
        let missed = differences(linear, expected);

        let expected = motion.position(linear);
        let spreads = spread::of_position(motion, missed, motion.changed(linear));
        let spreads = lost.map_or(spreads, |[position, _]| spreads.at_least(position));
        let position = spreads.code(self.coder, expected, fields.position);
        codec.check_position(position)?;
        let strayed = differences(position, expected);

        let expected = motion.angular();
        let angular = spread::of_angular(motion, missed).code(self.coder, expected, fields.angular);
        codec.check_angular(angular)?;
        let spin_missed = differences(angular, expected);

        let turned = motion.rotation(angular);
        let largest = self.largest(&turned, fields.largest);
        let spreads = spread::of_rotation(motion, largest, spin_missed, strayed);
        let spreads = lost.map_or(spreads, |[_, rotation]| spreads.at_least(rotation));
        let expected = turned.with_positive(largest).steps_without(largest, codec.half());
        let components = spreads.code(self.coder, expected, fields.components);
        codec.check_rotation(largest, components)?;
        Ok(Fields { position, largest, components, linear, angular })
    }

    /// A body without velocities: what the bit-packed level expects, and its orders as spreads.
    fn pose(&mut self, prediction: &super::Prediction<'_>, fields: &Fields) -> Result<Fields, WireError> {
        let codec = self.codec;
        let expected = prediction.position();
        let position = Spreads::of_orders(expected.orders).code(self.coder, expected.values, fields.position);
        codec.check_position(position)?;
        let largest = self.largest(prediction.turned(), fields.largest);
        let expected = prediction.rotation(largest);
        let components = Spreads::of_orders(expected.orders).code(self.coder, expected.values, fields.components);
        codec.check_rotation(largest, components)?;
        Ok(Fields { position, largest, components, ..Fields::default() })
    }

    /// Without a baseline all words are equally likely.
    fn whole(&mut self, fields: &Fields) -> Result<Fields, WireError> {
        let Self { codec, coder, .. } = self;
        let mut word =
            |value: i64, zero: i64, bits: u32| i64::from(coder.code_bits((value + zero) as u32, bits)) - zero;
        let position = fields.position.map(|axis| word(axis, 0, codec.position.bits()));
        let largest = word(fields.largest.into(), 0, 2) as u8;
        let mut three = |values: [i64; 3], zero, bits| values.map(|value| word(value, zero, bits));
        let components = three(fields.components, codec.half(), codec.rotation.bits());
        codec.check_position(position)?;
        codec.check_rotation(largest, components)?;
        let pose = Fields { position, largest, components, ..Fields::default() };
        if !codec.velocities {
            return Ok(pose);
        }
        let linear = three(fields.linear, codec.linear_zero, codec.linear.bits());
        let angular = three(fields.angular, codec.angular_zero, codec.angular.bits());
        codec.check_linear(linear)?;
        codec.check_angular(angular)?;
        Ok(Fields { linear, angular, ..pose })
    }

    #[inline]
    fn stays(&mut self, stays: bool) -> bool {
        learn(self.coder, &mut self.models.stays, stays)
    }

    /// The greatest component: that of the expected rotation, or its followers in their order, the last two alike.
    #[inline]
    fn largest(&mut self, expected: &Quaternion, largest: u8) -> u8 {
        let first = expected.largest();
        let ([second, third, fourth], lead) = expected.followers(first);
        let [close, some, far] = &mut self.models.turns_over;
        let (model, far) = match lead {
            ..CLOSE => (close, false),
            CLOSE..APART => (some, false),
            _ => (far, true),
        };
        if !learn(self.coder, model, largest != first) {
            return first;
        }
        let odds = if far { ONE_OF_THREE } else { MOSTLY };
        if self.coder.code(largest == second, odds) {
            return second;
        }
        if self.coder.code(largest == third, 1 << 15) { third } else { fourth }
    }
}

/// A third, in 65,536.
const ONE_OF_THREE: u16 = 21_845;
/// 15 of 16.
const MOSTLY: u16 = 61_440;

#[inline]
fn learn<C: BitCoder>(coder: &mut C, model: &mut AdaptiveBit, bit: bool) -> bool {
    let bit = coder.code(bit, model.p1());
    model.update(bit);
    bit
}

#[inline]
fn code_flag<C: BitCoder>(coder: &mut C, models: &mut Models, context: usize, flag: bool) -> bool {
    match models.flags.get_mut(context.min(FLAGS - 1)) {
        Some(model) => learn(coder, model, flag),
        None => flag,
    }
}
