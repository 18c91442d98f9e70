use core::{fmt, ops::Range};

use crate::{BitReader, BitWriter, WireError};

/// The finest step, as a part of the range's greatest magnitude. `f32` rounds to half of 2^-23 of a magnitude, so at
/// four times that spacing the error of a dequantised value is a quarter of a step at most and it quantises back to
/// itself.
const FINEST_STEP: f32 = 1.0 / (1 << 22) as f32;

/// Real numbers of a range in steps of equal size, as whole numbers from 0 to [`max`](Self::max).
///
/// Values lie on the multiples of the step: zero is exact where the range holds it, so what rests stays at rest. Values
/// outside the range become its nearest end, and NaN becomes what is nearest to zero.
///
/// ```
/// use slipstream_wire::Quantizer;
///
/// let metres = Quantizer::range(-512.0..512.0).step(0.001);
/// assert_eq!(metres.bits(), 20);
/// let quantised = metres.quantize(1.2344);
/// assert_eq!(metres.dequantize(quantised), 1.234);
/// assert_eq!(metres.describe(), "range(-512..512, step 0.001)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantizer {
    start: f32,
    end: f32,
    step: f32,
    steps_per_unit: f64,
    units_per_step: f64,
    /// The multiple of the step that is quantised as 0.
    first: f64,
    max: u32,
}

/// A range that lacks its step; what [`Quantizer::range`] gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizerRange {
    start: f32,
    end: f32,
}

impl QuantizerRange {
    /// The quantiser of this range with steps of `step`.
    ///
    /// A step finer than `f32` can tell apart at the range's far end (its magnitude / 2^22), zero, negative or not a
    /// number is raised to that.
    #[must_use]
    pub fn step(self, step: f32) -> Quantizer {
        let magnitude = self.magnitude();
        let finest = (magnitude * FINEST_STEP).max(f32::MIN_POSITIVE);
        let step = if step.is_finite() { step.max(finest) } else { finest };

        // A step like 0.001 has no exact float, but its inverse 1000 has: then multiples of it are exact to the last
        // bit.
        let inverse = 1.0 / f64::from(step);
        let whole = inverse.round();
        let is_whole = (inverse - whole).abs() <= whole * f64::from(f32::EPSILON);
        let steps_per_unit = if is_whole { whole } else { inverse };

        let first = (f64::from(self.start) * steps_per_unit + 0.5).floor();
        Quantizer {
            start: self.start,
            end: self.end,
            step,
            steps_per_unit,
            units_per_step: 1.0 / steps_per_unit,
            first,
            max: nearest_step(self.end, steps_per_unit, first),
        }
    }

    /// The quantiser of this range with the finest even steps that fit `bits` bits (2 to 22).
    #[must_use]
    pub fn bits(self, bits: u32) -> Quantizer {
        // One step less than would fit, so that rounding both ends outwards onto multiples of the step still fits; for
        // a symmetric range this is the odd count that has zero in its middle.
        let steps = (1_u32 << bits.clamp(2, 22)) - 2;
        let width = f64::from(self.end) - f64::from(self.start);
        self.step((width / f64::from(steps)) as f32)
    }

    fn magnitude(self) -> f32 {
        self.start.abs().max(self.end.abs())
    }
}

impl Quantizer {
    /// Begins a quantiser: `Quantizer::range(-1.0..1.0).step(0.01)`. Both ends belong to the range. Ends the wrong way
    /// round are swapped; an end that is not a number is taken as 0 and an infinite one as the greatest `f32`.
    #[must_use]
    pub fn range(range: Range<f32>) -> QuantizerRange {
        let start = finite(range.start);
        let end = finite(range.end);
        QuantizerRange { start: start.min(end), end: start.max(end) }
    }

    /// Bits of one quantised value.
    #[inline]
    #[must_use]
    pub fn bits(&self) -> u32 {
        u32::BITS - self.max.leading_zeros()
    }

    /// The greatest quantised value.
    #[inline]
    #[must_use]
    pub fn max(&self) -> u32 {
        self.max
    }

    /// The step nearest to `value`.
    #[inline]
    #[must_use]
    pub fn quantize(&self, value: f32) -> u32 {
        let value = if value.is_nan() { 0.0 } else { value };
        let value = value.clamp(self.start, self.end);
        nearest_step(value, self.steps_per_unit, self.first).min(self.max)
    }

    /// The value of a step; above [`max`](Self::max) that of the last.
    #[inline]
    #[must_use]
    pub fn dequantize(&self, quantised: u32) -> f32 {
        let steps = self.first + f64::from(quantised.min(self.max));
        let value = steps * self.units_per_step;
        // The outermost multiples may lie up to half a step outside.
        value.clamp(f64::from(self.start), f64::from(self.end)) as f32
    }

    /// The greatest distance between a value of the range and what it becomes: half a step, and the rounding of `f32`
    /// at the range's far end.
    #[must_use]
    pub fn max_error(&self) -> f32 {
        let magnitude = f64::from(self.start.abs().max(self.end.abs()));
        let rounding = magnitude * f64::from(f32::EPSILON) * 0.5;
        ((self.units_per_step * 0.5 + rounding) as f32).next_up()
    }

    /// Appends a quantised value in [`bits`](Self::bits) bits; above [`max`](Self::max) it is written as that.
    #[inline]
    pub fn write(&self, writer: &mut BitWriter, quantised: u32) {
        writer.write_bits(u64::from(quantised.min(self.max)), self.bits());
    }

    /// Reads a quantised value.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`], or [`WireError::ValueOutOfRange`] above [`max`](Self::max).
    #[inline]
    pub fn read(&self, reader: &mut BitReader<'_>) -> Result<u32, WireError> {
        let mut cursor = reader.clone();
        let value = cursor.read_bits(self.bits())?;
        if value > u64::from(self.max) {
            return Err(WireError::ValueOutOfRange { what: "quantised number", value, max: u64::from(self.max) });
        }
        *reader = cursor;
        Ok(value as u32)
    }

    /// The parameters as text that is the same on every machine; both sides must have the same.
    #[must_use]
    pub fn describe(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Quantizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, end, step, .. } = self;
        write!(formatter, "range({start}..{end}, step {step})")
    }
}

/// How many steps above `first` the multiple nearest to `value` lies, half a step rounding up. The cast rounds down and
/// holds at zero, without the call that `f64::round` is on older processors.
#[inline]
fn nearest_step(value: f32, steps_per_unit: f64, first: f64) -> u32 {
    (f64::from(value) * steps_per_unit - first + 0.5) as u32
}

fn finite(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(f32::MIN, f32::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rests_stays_at_rest() {
        for step in [0.001, 0.01, 0.3, 1.0 / 64.0, 7.0] {
            let quantizer = Quantizer::range(-512.0..511.0).step(step);
            assert_eq!(quantizer.dequantize(quantizer.quantize(0.0)), 0.0);
        }
    }

    #[test]
    fn a_decimal_step_gives_decimal_values() {
        let quantizer = Quantizer::range(-512.0..512.0).step(0.001);
        assert_eq!((quantizer.max(), quantizer.bits()), (1_024_000, 20));
        assert_eq!(quantizer.dequantize(1_023_000), 511.0);
        assert_eq!(quantizer.dequantize(quantizer.quantize(-1.2341)), -1.234);
    }

    #[test]
    fn values_outside_become_the_nearest_end_and_nan_what_is_nearest_to_zero() {
        let around = Quantizer::range(-2.0..4.0).step(0.5);
        assert_eq!(around.quantize(f32::NEG_INFINITY), 0);
        assert_eq!(around.quantize(1e30), around.max());
        assert_eq!(around.dequantize(around.quantize(f32::NAN)), 0.0);
        assert_eq!(around.dequantize(u32::MAX), 4.0);

        let above = Quantizer::range(3.0..4.0).step(0.5);
        assert_eq!(above.quantize(f32::NAN), 0);
        let below = Quantizer::range(-4.0..-3.0).step(0.5);
        assert_eq!(below.quantize(f32::NAN), below.max());
    }

    #[test]
    fn senseless_parameters_give_a_quantiser_that_works() {
        let ranges = [(1.0, -1.0), (f32::NAN, 1.0), (f32::NEG_INFINITY, f32::INFINITY), (0.0, 0.0), (5.0, 5.0)];
        for (start, end) in ranges {
            for step in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-30, 1e30] {
                let quantizer = Quantizer::range(start..end).step(step);
                assert!(quantizer.bits() <= 24, "{quantizer}");
                for quantised in [0, quantizer.max() / 2, quantizer.max()] {
                    let value = quantizer.dequantize(quantised);
                    assert_eq!(quantizer.quantize(value), quantised, "{quantizer}");
                }
            }
        }
    }

    #[test]
    fn a_bit_count_is_kept() {
        for bits in 2..=22 {
            let symmetric = Quantizer::range(-1.0..1.0).bits(bits);
            assert_eq!(symmetric.bits(), bits);
            assert_eq!(symmetric.dequantize(symmetric.max() / 2), 0.0);
            assert!(Quantizer::range(-0.3..1.1).bits(bits).bits() <= bits);
            assert!(Quantizer::range(900.0..1000.0).bits(bits).bits() <= bits);
        }
    }

    #[test]
    fn the_description_is_stable() {
        let quantizer = Quantizer::range(-0.5..1e6).step(0.25);
        assert_eq!(quantizer.describe(), "range(-0.5..1000000, step 0.25)");
    }
}
