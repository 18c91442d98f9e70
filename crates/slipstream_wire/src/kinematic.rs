//! One rigid body: position, rotation and velocities, as the difference from where the body should be by now.
//!
//! ```text
//!  BodyState ──quantize──► words ──────────────┐
//!                                         ▼ difference, folded           class codes
//!  Baseline ──► Prediction ──► Expected values and orders ──► three axes ──► BitWriter
//!               (prediction)        (ratios, orders)        (class_code)
//! ```
//!
//! What is expected follows from the baseline, its age and what was written before it: the position from the velocity,
//! the velocity from how far the position missed, the rotation from the angular velocity, and that again from how far
//! the rotation missed. All of it is integer arithmetic, so that all machines expect the same.

mod class_code;
mod dense;
mod orders;
mod prediction;
mod quaternion;
mod ratios;
mod words;

#[cfg(test)]
mod tests;

use core::{fmt, ops::Range};

pub use self::dense::{BodyCheckpoint, DenseBodyReader, DenseBodyWriter};
pub(crate) use self::prediction::{Expected, Prediction};
pub use self::words::BodyState;
use self::{
    ratios::{Ratios, Steps},
    words::{BODY_WORDS, Fields, POSE_WORDS},
};
use crate::{
    Baseline, BitReader, BitWriter, QuantizedRotation, Quantizer, SmallestThree, WireError, zigzag_decode,
    zigzag_encode,
};

/// A rigid body in steps: position on a grid, rotation as [`SmallestThree`], velocities on grids of their own.
///
/// Words: x, y, z, largest component, three components, and then the linear and the angular velocity, each axis counted
/// from its least value. A velocity of zero is exact.
///
/// Against a [`Baseline`] only what was not to be expected is written: a vehicle that is driven takes about 45 bits
/// with a baseline two to six ticks old, and five less where an [earlier](Baseline::earlier) value tells how it was
/// being pushed. A body at rest that stays where it is takes one bit.
///
/// ```
/// use slipstream_wire::{Baseline, BitReader, BitWriter, BodyState, KinematicCodec, WireError};
///
/// let codec = KinematicCodec::new(-512.0..512.0, 0.001);
/// let before = BodyState { linear: [12.0, 0.0, 0.0], ..BodyState::default() };
/// let now = BodyState { position: [0.8, 0.0, 0.0], ..before };
/// let (mut baseline, mut words) = (Vec::new(), Vec::new());
/// codec.quantize(&before, &mut baseline);
/// codec.quantize(&now, &mut words);
///
/// // Four ticks at 12 m/s are 0.8 m: nothing that was not expected.
/// let mut writer = BitWriter::new();
/// codec.write(Some(Baseline::new(&baseline, 4)), &words, &mut writer);
/// assert!(writer.bit_len() < 24);
///
/// let bytes = writer.to_bytes();
/// let mut received = Vec::new();
/// codec.read(Some(Baseline::new(&baseline, 4)), &mut BitReader::new(&bytes), &mut received)?;
/// assert_eq!(codec.dequantize(&received)?.position, [0.8, 0.0, 0.0]);
/// # Ok::<(), WireError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KinematicCodec {
    position: Quantizer,
    rotation: SmallestThree,
    linear: Quantizer,
    angular: Quantizer,
    velocities: bool,
    tick_rate: f64,
    drift: [f32; 3],
    // What follows from the above.
    ratios: Ratios,
    linear_zero: i64,
    angular_zero: i64,
}

/// Bits that the parts of one body take, see [`KinematicCodec::bits_by_part`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BitsByPart {
    /// Whether anything has changed at all, where that is asked first.
    pub head: usize,
    /// The position.
    pub position: usize,
    /// The linear velocity.
    pub linear: usize,
    /// The rotation.
    pub rotation: usize,
    /// The angular velocity.
    pub angular: usize,
}

impl BitsByPart {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> usize {
        self.head + self.position + self.linear + self.rotation + self.angular
    }
}

impl KinematicCodec {
    /// A codec for bodies within `range` metres on each axis, in steps of `step` metres, and otherwise: 11 bits a
    /// component of the rotation (0.15° off at most), 64 m/s in steps of 1/64, 32 rad/s in steps of 1/128, 60 ticks a
    /// second.
    #[must_use]
    pub fn new(range: Range<f32>, step: f32) -> Self {
        Self {
            position: Quantizer::range(range).step(step),
            rotation: SmallestThree::new(11),
            linear: symmetric(64.0, 1.0 / 64.0),
            angular: symmetric(32.0, 1.0 / 128.0),
            velocities: true,
            tick_rate: 60.0,
            drift: [0.0; 3],
            ratios: Ratios::default(),
            linear_zero: 0,
            angular_zero: 0,
        }
        .derive()
    }

    /// Bits of each component of the rotation, held to 4..=16.
    #[must_use]
    pub fn rotation_bits(self, bits: u32) -> Self {
        Self { rotation: SmallestThree::new(bits), ..self }.derive()
    }

    /// The greatest linear velocity along each axis and the step, in m/s. Faster is held to the greatest.
    #[must_use]
    pub fn linear(self, max: f32, step: f32) -> Self {
        Self { linear: symmetric(max, step), ..self }.derive()
    }

    /// The greatest angular velocity about each axis and the step, in rad/s. Faster is held to the greatest.
    #[must_use]
    pub fn angular(self, max: f32, step: f32) -> Self {
        Self { angular: symmetric(max, step), ..self }.derive()
    }

    /// Ticks a second: what turns the age of a baseline into seconds. Held to 1..=1000; what is no number is 60.
    #[must_use]
    pub fn tick_rate(self, ticks_per_second: f64) -> Self {
        let tick_rate = if ticks_per_second.is_nan() { 60.0 } else { ticks_per_second.clamp(1.0, 1000.0) };
        Self { tick_rate, ..self }.derive()
    }

    /// How much faster than its linear velocity says a body moves, in m/s along each axis.
    ///
    /// A solver that takes a tick in `n` small steps moves a body with the velocities between them, and reports the
    /// last. Under an acceleration that it applies in each small step the body has moved as if it were slower by
    /// `acceleration · tick · (1 - 1/n) / 2`. Rapier does so with gravity and takes four small steps: a body that
    /// falls, or that something other than a contact carries (the springs of its ray-cast vehicles), has a drift of
    /// `[0, 0.0613, 0]` at 60 ticks a second. It spares some 8 bits a vehicle.
    #[must_use]
    pub fn drift(self, drift: [f32; 3]) -> Self {
        let finite = |axis: f32| if axis.is_finite() { axis } else { 0.0 };
        Self { drift: drift.map(finite), ..self }.derive()
    }

    /// Position and rotation only: seven words. Motion is continued from an [earlier](Baseline::earlier) value then,
    /// and without one it is not.
    #[must_use]
    pub fn without_velocities(self) -> Self {
        Self { velocities: false, ..self }.derive()
    }

    /// The greatest distance in metres on each axis between a position of the range and what it becomes.
    #[must_use]
    pub fn max_position_error(&self) -> f32 {
        self.position.max_error()
    }

    /// The greatest angle in radians between a rotation and what it becomes.
    #[must_use]
    pub fn max_rotation_error(&self) -> f32 {
        self.rotation.max_error()
    }

    /// The greatest difference in m/s on each axis between a linear velocity of the range and what it becomes.
    #[must_use]
    pub fn max_linear_error(&self) -> f32 {
        self.linear.max_error()
    }

    /// The greatest difference in rad/s on each axis between an angular velocity of the range and what it becomes.
    #[must_use]
    pub fn max_angular_error(&self) -> f32 {
        self.angular.max_error()
    }

    /// The parameters as text that is the same on every machine; both sides must have the same.
    #[must_use]
    pub fn describe(&self) -> String {
        self.to_string()
    }

    /// Writes what [`quantize`](Self::quantize) gave, as the difference from `baseline` where there is one. A baseline
    /// of another number of words is none.
    ///
    /// Words of another number are a bug of the caller, caught in debug builds; nothing is written then.
    pub fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        debug_assert!(self.check(words).is_ok(), "{words:?} are no words of {self}");
        let Some(fields) = self.fields(words) else { return };
        let known = baseline.and_then(|baseline| Some((baseline.words, self.predict(&baseline)?)));
        let Some((old, prediction)) = known else {
            self.write_whole(words, writer);
            return;
        };
        self.write_difference(old, &prediction, words, &fields, writer, |_| {});
    }

    /// Reads what [`write`](Self::write) wrote against the same baseline and appends the words. On an error `reader`
    /// and `words` are as they were.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`], or [`WireError::ValueOutOfRange`] or [`WireError::Malformed`] for what no body
    /// quantises to: whatever is read survives a relay.
    pub fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader<'_>,
        words: &mut Vec<u32>,
    ) -> Result<(), WireError> {
        let known = baseline.and_then(|baseline| Some((baseline.words, self.predict(&baseline)?)));
        let Some((old, prediction)) = known else {
            return self.read_whole(reader, words);
        };
        let mut cursor = reader.clone();
        if prediction.may_stay() && cursor.read_bool()? {
            self.check(old)?;
            words.extend_from_slice(old);
            *reader = cursor;
            return Ok(());
        }

        let expected = prediction.position();
        let position = expected.read(&mut cursor)?;
        // What a peer sent is checked before it is calculated with.
        self.check_position(position)?;
        let missed = differences(position, expected.values);
        let linear = if self.velocities { prediction.linear(missed).read(&mut cursor)? } else { Default::default() };
        let largest = self.read_largest(prediction.largest(), &mut cursor)?;
        let components = prediction.rotation(largest).read(&mut cursor)?;
        self.check_rotation(largest, components)?;
        let angular = if self.velocities {
            prediction.angular(largest, components).read(&mut cursor)?
        } else {
            Default::default()
        };
        self.push(&Fields { position, largest, components, linear, angular }, words)?;
        *reader = cursor;
        Ok(())
    }

    /// Where the body should be by now, for whoever codes the differences in another way. `None` where the baseline
    /// has another number of words.
    pub(crate) fn predict(&self, baseline: &Baseline<'_>) -> Option<Prediction<'_>> {
        Prediction::new(self, baseline)
    }

    /// What [`write`](Self::write) would take, part by part: for those who choose steps, and for measuring. `None`
    /// where the body would be written whole.
    #[must_use]
    pub fn bits_by_part(&self, baseline: Baseline<'_>, words: &[u32]) -> Option<BitsByPart> {
        let prediction = self.predict(&baseline)?;
        let fields = self.fields(words)?;
        let (mut bits, mut parts) = ([0; 5], 0..);
        self.write_difference(baseline.words, &prediction, words, &fields, &mut BitWriter::new(), |written| {
            if let Some(bits) = parts.next().and_then(|part: usize| bits.get_mut(part)) {
                *bits = written;
            }
        });
        // How many there were after each part; what was not reached took none.
        let [head, position, linear, rotation, angular] = bits;
        let since = |before: usize, after: usize| after.saturating_sub(before);
        Some(BitsByPart {
            head,
            position: since(head, position),
            linear: since(position, linear),
            rotation: since(linear, rotation),
            angular: since(rotation, angular),
        })
    }

    /// Tells `done` how many bits there are after each part: head, position, linear velocity, rotation, angular
    /// velocity.
    #[inline]
    fn write_difference(
        &self,
        old: &[u32],
        prediction: &Prediction<'_>,
        words: &[u32],
        fields: &Fields,
        writer: &mut BitWriter,
        mut done: impl FnMut(usize),
    ) {
        if prediction.may_stay() {
            let stays = old == words;
            writer.write_bool(stays);
            if stays {
                return done(writer.bit_len());
            }
        }
        done(writer.bit_len());

        let expected = prediction.position();
        let missed = expected.write(fields.position, writer);
        done(writer.bit_len());
        if self.velocities {
            prediction.linear(missed).write(fields.linear, writer);
        }
        done(writer.bit_len());
        if fields.largest != prediction.largest() {
            let largest = u64::from(fields.largest & 3);
            writer.write_bits((1 | (largest << 1)) << self.turnover_zeros(), self.turnover_zeros() + 3);
        }
        prediction.rotation(fields.largest).write(fields.components, writer);
        done(writer.bit_len());
        if self.velocities {
            prediction.angular(fields.largest, fields.components).write(fields.angular, writer);
        }
        done(writer.bit_len());
    }

    fn write_whole(&self, words: &[u32], writer: &mut BitWriter) {
        let Some(([x, y, z, largest, a, b, c], velocities)) = words.split_first_chunk::<POSE_WORDS>() else { return };
        for axis in [x, y, z] {
            self.position.write(writer, *axis);
        }
        self.rotation.write(writer, QuantizedRotation { largest: *largest as u8, components: [*a, *b, *c] });
        if let [vx, vy, vz, wx, wy, wz] = velocities {
            for axis in [vx, vy, vz] {
                self.linear.write(writer, *axis);
            }
            for axis in [wx, wy, wz] {
                self.angular.write(writer, *axis);
            }
        }
    }

    fn read_whole(&self, reader: &mut BitReader<'_>, words: &mut Vec<u32>) -> Result<(), WireError> {
        let mut cursor = reader.clone();
        let mut body = [0; BODY_WORDS];
        let [x, y, z, largest, a, b, c, vx, vy, vz, wx, wy, wz] = &mut body;
        for axis in [x, y, z] {
            *axis = self.position.read(&mut cursor)?;
        }
        let rotation = self.rotation.read(&mut cursor)?;
        *largest = u32::from(rotation.largest);
        [*a, *b, *c] = rotation.components;
        if self.velocities {
            for axis in [vx, vy, vz] {
                *axis = self.linear.read(&mut cursor)?;
            }
            for axis in [wx, wy, wz] {
                *axis = self.angular.read(&mut cursor)?;
            }
        }
        words.extend_from_slice(body.get(..self.word_count()).unwrap_or_default());
        *reader = cursor;
        Ok(())
    }

    /// Zeros that say that another component is the largest than expected: one more than a difference can begin with.
    const fn turnover_zeros(&self) -> u32 {
        self.rotation.bits() + 2
    }

    fn read_largest(&self, expected: u8, reader: &mut BitReader<'_>) -> Result<u8, WireError> {
        let zeros = self.turnover_zeros();
        if reader.peek_word().trailing_zeros() != zeros {
            return Ok(expected);
        }
        let largest = (reader.read_bits(zeros + 3)? >> (zeros + 1)) as u8;
        if largest == expected {
            return Err(WireError::Malformed { what: "largest component of a rotation" });
        }
        Ok(largest)
    }

    /// Computes what follows from the parameters.
    fn derive(self) -> Self {
        let steps = Steps {
            position: step_of(&self.position),
            rotation_half: self.half(),
            // Without velocities `describe` does not tell their step, so it must not shape the codes.
            linear: if self.velocities { step_of(&self.linear) } else { 1.0 / 64.0 },
            angular: step_of(&self.angular),
        };
        Self {
            ratios: Ratios::new(&steps, self.rotation.bits(), self.tick_rate, self.drift),
            linear_zero: i64::from(self.linear.quantize(0.0)),
            angular_zero: i64::from(self.angular.quantize(0.0)),
            ..self
        }
    }

    /// Steps of a rotation's component from zero to its greatest.
    #[inline]
    fn half(&self) -> i64 {
        i64::from(self.rotation.max() / 2)
    }
}

impl Expected {
    /// Writes how far `values` are from what is expected, and gives that.
    #[inline]
    fn write(&self, values: [i64; 3], writer: &mut BitWriter) -> [i64; 3] {
        let missed = differences(values, self.values);
        class_code::write_three(writer, each(missed, zigzag_encode), self.orders);
        missed
    }

    /// Reads the values. They may lie outside of their range.
    #[inline]
    fn read(&self, reader: &mut BitReader<'_>) -> Result<[i64; 3], WireError> {
        let missed = each(class_code::read_three(reader, self.orders)?, zigzag_decode);
        Ok(on_each_axis(self.values, missed, |expected, missed| expected + missed))
    }
}

impl fmt::Display for KinematicCodec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, rotation, linear, angular, velocities, tick_rate, drift: [x, y, z], .. } = self;
        write!(formatter, "kinematic(position {position}, rotation {rotation}, ")?;
        if *velocities {
            write!(formatter, "linear {linear}, angular {angular}, drift {x} {y} {z}, ")?;
        }
        write!(formatter, "{tick_rate} ticks a second)")
    }
}

fn symmetric(max: f32, step: f32) -> Quantizer {
    Quantizer::range(-max.abs()..max.abs()).step(step)
}

/// The size of a quantiser's steps, from inside its range: the outermost may be cut short.
fn step_of(quantizer: &Quantizer) -> f64 {
    let max = quantizer.max();
    let (first, last) = if max > 3 { (1, max - 1) } else { (0, max) };
    let length = f64::from(quantizer.dequantize(last)) - f64::from(quantizer.dequantize(first));
    length / f64::from((last - first).max(1))
}

#[inline]
fn differences(values: [i64; 3], from: [i64; 3]) -> [i64; 3] {
    on_each_axis(values, from, |value, from| value - from)
}

/// As an array's `map`, but that the compiler always makes one piece of it.
#[inline(always)]
fn each<A, R>([a, b, c]: [A; 3], apply: impl Fn(A) -> R) -> [R; 3] {
    [apply(a), apply(b), apply(c)]
}

#[inline(always)]
fn on_each_axis<A, B, R>(a: [A; 3], b: [B; 3], apply: impl Fn(A, B) -> R) -> [R; 3] {
    let ([a0, a1, a2], [b0, b1, b2]) = (a, b);
    [apply(a0, b0), apply(a1, b1), apply(a2, b2)]
}
