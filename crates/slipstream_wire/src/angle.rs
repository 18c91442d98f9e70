use core::{
    f64::consts::{PI, TAU},
    fmt,
};

use crate::{BitReader, BitWriter, WireError, bit_writer::low_mask};

/// Beyond this `f32` near π does not tell neighbouring steps apart.
const MAX_BITS: u32 = 22;

/// Angles in radians as whole parts of a turn, wrapping: every `bits`-bit number is valid, and 0 is the angle 0.
///
/// Numbers from half the range on are the negative angles, so dequantised angles lie in -π..π. Differences of quantised
/// angles wrap at `1 << bits`.
///
/// ```
/// use slipstream_wire::AngleQuantizer;
///
/// let heading = AngleQuantizer::new(8);
/// assert_eq!(heading.quantize(0.0), 0);
/// assert_eq!(heading.quantize(core::f32::consts::PI), 128);
/// assert_eq!(heading.quantize(-core::f32::consts::FRAC_PI_2), 192);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AngleQuantizer {
    bits: u32,
}

impl AngleQuantizer {
    /// A turn in `2^bits` steps; `bits` is held to 1..=22.
    #[must_use]
    pub const fn new(bits: u32) -> Self {
        let bits = if bits < 1 {
            1
        } else if bits > MAX_BITS {
            MAX_BITS
        } else {
            bits
        };
        Self { bits }
    }

    /// Bits of one quantised angle.
    #[inline]
    #[must_use]
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// The greatest quantised angle, one step before 0.
    #[inline]
    #[must_use]
    pub const fn max(&self) -> u32 {
        low_mask(self.bits) as u32
    }

    /// The step nearest to `angle` (radians, of any size). What is not finite becomes 0.
    #[inline]
    #[must_use]
    pub fn quantize(&self, angle: f32) -> u32 {
        let angle = if angle.is_finite() { angle } else { 0.0 };
        let turns = f64::from(angle) / TAU;
        let part = turns - turns.floor();
        // The mask turns a part that rounds up to a whole turn into 0.
        ((part * self.steps() + 0.5) as u32) & self.max()
    }

    /// The angle of a step, in -π..π radians; bits above [`bits`](Self::bits) are ignored.
    #[inline]
    #[must_use]
    pub fn dequantize(&self, quantised: u32) -> f32 {
        let steps = f64::from(quantised & self.max());
        let signed = if steps < self.steps() * 0.5 { steps } else { steps - self.steps() };
        (signed / self.steps() * TAU) as f32
    }

    /// The greatest angle (radians, the short way round) between an angle and what it becomes, for angles up to a
    /// million radians: half a step, and the rounding of `f32`.
    #[must_use]
    pub fn max_error(&self) -> f32 {
        (PI / self.steps() + 2.5e-7) as f32
    }

    /// Appends a quantised angle in [`bits`](Self::bits) bits.
    #[inline]
    pub fn write(&self, writer: &mut BitWriter, quantised: u32) {
        writer.write_bits(u64::from(quantised), self.bits);
    }

    /// Reads a quantised angle.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`].
    #[inline]
    pub fn read(&self, reader: &mut BitReader<'_>) -> Result<u32, WireError> {
        Ok(reader.read_bits(self.bits)? as u32)
    }

    /// The parameters as text that is the same on every machine; both sides must have the same.
    #[must_use]
    pub fn describe(&self) -> String {
        self.to_string()
    }

    #[inline]
    fn steps(&self) -> f64 {
        f64::from(1_u32 << self.bits)
    }
}

impl fmt::Display for AngleQuantizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "angle({} bits)", self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_every_size_survives_the_round_trip() {
        for bits in [1, 2, 8, 11, 16, 22] {
            let quantizer = AngleQuantizer::new(bits);
            let stride = (quantizer.max() as usize / 100_000).max(1);
            for quantised in (0..=quantizer.max()).step_by(stride) {
                let angle = quantizer.dequantize(quantised);
                assert_eq!(quantizer.quantize(angle), quantised, "{bits} bits");
            }
            let last = quantizer.max();
            assert_eq!(quantizer.quantize(quantizer.dequantize(last)), last);
        }
    }

    #[test]
    fn angles_wrap() {
        let quantizer = AngleQuantizer::new(10);
        let once = quantizer.quantize(1.0);
        assert_eq!(quantizer.quantize((1.0 + TAU * 3.0) as f32), once);
        assert_eq!(quantizer.quantize((1.0 - TAU * 3.0) as f32), once);
        assert_eq!(quantizer.quantize(TAU as f32), 0);
        assert_eq!(quantizer.quantize(-1e-20), 0);
        assert_eq!(quantizer.quantize(f32::NAN), 0);
        assert_eq!(quantizer.quantize(f32::INFINITY), 0);
    }

    #[test]
    fn bit_counts_are_held_to_what_f32_can_tell_apart() {
        assert_eq!(AngleQuantizer::new(0).bits(), 1);
        assert_eq!(AngleQuantizer::new(64).bits(), 22);
        assert_eq!(AngleQuantizer::new(11).describe(), "angle(11 bits)");
    }
}
