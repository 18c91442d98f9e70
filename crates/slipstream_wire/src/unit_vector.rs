use core::fmt;

use crate::{BitReader, BitWriter, WireError, bit_writer::low_mask};

/// Beyond this `f32` does not tell neighbouring directions apart.
const MAX_BITS: u32 = 20;

/// Directions as two whole numbers: the sphere is projected on an octahedron, which unfolds into a square (Cigolle et
/// al., *A Survey of Efficient Representations for Independent Unit Vectors*, JCGT 3(2), 2014).
///
/// The six axes are exact. On the square's border two points are one direction; only one of them is canonical, and only
/// that is written and accepted, so one direction has one form.
///
/// ```
/// use slipstream_wire::UnitVectorQuantizer;
///
/// let direction = UnitVectorQuantizer::new(10);
/// let down = direction.quantize([0.0, -1.0, 0.0]);
/// assert_eq!(direction.dequantize(down), [0.0, -1.0, 0.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnitVectorQuantizer {
    bits: u32,
}

impl UnitVectorQuantizer {
    /// `bits` bits for each of the two numbers, held to 2..=20.
    #[must_use]
    pub const fn new(bits: u32) -> Self {
        let bits = if bits < 2 {
            2
        } else if bits > MAX_BITS {
            MAX_BITS
        } else {
            bits
        };
        Self { bits }
    }

    /// Bits of each of the two numbers.
    #[inline]
    #[must_use]
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// The greatest value of each of the two numbers. It is even, so that zero lies in the middle.
    #[inline]
    #[must_use]
    pub const fn max(&self) -> u32 {
        low_mask(self.bits) as u32 - 1
    }

    /// The form nearest to the direction of `vector`, of any length. Without a direction (zero, not finite) it is +Z.
    #[must_use]
    pub fn quantize(&self, vector: [f32; 3]) -> [u32; 2] {
        let [x, y, z] = vector.map(f64::from);
        let length = x.abs() + y.abs() + z.abs();
        let [x, y, z] =
            if length.is_finite() && length > 0.0 { [x / length, y / length, z / length] } else { [0.0, 0.0, 1.0] };
        let square = if z < 0.0 { fold(x, y) } else { [x, y] };
        let half = f64::from(self.half());
        let steps = square.map(|coordinate| (coordinate * half).round() as i32);
        self.canonicalise(steps).map(|step| (step + self.half()).clamp(0, 2 * self.half()).cast_unsigned())
    }

    /// The unit vector of a form. Numbers above [`max`](Self::max) count as that.
    #[must_use]
    pub fn dequantize(&self, quantised: [u32; 2]) -> [f32; 3] {
        let half = f64::from(self.half());
        let [u, v] = self.steps(quantised).map(|step| f64::from(step) / half);
        let z = 1.0 - u.abs() - v.abs();
        let [x, y] = if z < 0.0 { fold(u, v) } else { [u, v] };
        let length = (x * x + y * y + z * z).sqrt();
        [x, y, z].map(|component| (component / length) as f32)
    }

    /// Whether `quantised` is a form that [`quantize`](Self::quantize) gives: in range, and the canonical one of its
    /// direction. What is computed from a peer's delta must pass this before it is used.
    #[must_use]
    pub fn is_canonical(&self, quantised: [u32; 2]) -> bool {
        let [u, v] = quantised;
        let steps = self.steps(quantised);
        u <= self.max() && v <= self.max() && self.canonicalise(steps) == steps
    }

    /// The greatest angle (radians) between a direction and what it becomes.
    ///
    /// Half a step on both axes of the square moves a point by √6/2 of a step on the octahedron, whose faces are
    /// nearest to the centre, and so seen under the greatest angle, at 1/√3; the rest is the rounding of `f32`.
    #[must_use]
    pub fn max_error(&self) -> f32 {
        const WORST_ANGLE_OF_A_STEP: f64 = 2.121_321;
        (WORST_ANGLE_OF_A_STEP / f64::from(self.half()) + 3e-7) as f32
    }

    /// Appends a form in twice [`bits`](Self::bits) bits. Numbers above [`max`](Self::max) are written as that.
    #[inline]
    pub fn write(&self, writer: &mut BitWriter, quantised: [u32; 2]) {
        debug_assert!(self.is_canonical(quantised), "{quantised:?} is not of {self}");
        let [u, v] = quantised.map(|number| u64::from(number.min(self.max())));
        writer.write_bits(u | (v << self.bits), 2 * self.bits);
    }

    /// Reads a form.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`], [`WireError::ValueOutOfRange`] above [`max`](Self::max), or
    /// [`WireError::Malformed`] for a form that is not canonical.
    pub fn read(&self, reader: &mut BitReader<'_>) -> Result<[u32; 2], WireError> {
        let mut cursor = reader.clone();
        let quantised = [cursor.read_bits(self.bits)? as u32, cursor.read_bits(self.bits)? as u32];
        let [u, v] = quantised;
        if u.max(v) > self.max() {
            return Err(WireError::ValueOutOfRange {
                what: "quantised direction",
                value: u64::from(u.max(v)),
                max: u64::from(self.max()),
            });
        }
        if !self.is_canonical(quantised) {
            return Err(WireError::Malformed { what: "quantised direction" });
        }
        *reader = cursor;
        Ok(quantised)
    }

    /// The parameters as text that is the same on every machine; both sides must have the same.
    #[must_use]
    pub fn describe(&self) -> String {
        self.to_string()
    }

    /// Steps from the square's middle to its border.
    #[inline]
    const fn half(&self) -> i32 {
        (low_mask(self.bits - 1) as u32).cast_signed()
    }

    fn steps(&self, quantised: [u32; 2]) -> [i32; 2] {
        quantised.map(|number| number.min(self.max()).cast_signed() - self.half())
    }

    /// Of the two points of the border that are one direction, the one that is not negative along the border. The four
    /// corners, which are all -Z, become one.
    fn canonicalise(&self, steps: [i32; 2]) -> [i32; 2] {
        let [u, v] = steps;
        let v = if u.abs() == self.half() { v.abs() } else { v };
        let u = if v.abs() == self.half() { u.abs() } else { u };
        [u, v]
    }
}

impl fmt::Display for UnitVectorQuantizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "unit_vector({} bits)", self.bits)
    }
}

/// Folds the half-space of negative z outwards, into the corners of the square; its own inverse.
#[inline]
fn fold(x: f64, y: f64) -> [f64; 2] {
    [(1.0 - y.abs()) * 1.0_f64.copysign(x), (1.0 - x.abs()) * 1.0_f64.copysign(y)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_canonical_form_survives_the_round_trip() {
        for bits in [2, 3, 8] {
            let quantizer = UnitVectorQuantizer::new(bits);
            let max = quantizer.max();
            for form in (0..=max).flat_map(|u| (0..=max).map(move |v| [u, v])) {
                let again = quantizer.quantize(quantizer.dequantize(form));
                assert_eq!(again == form, quantizer.is_canonical(form), "{form:?} {again:?}");
                assert!(quantizer.is_canonical(again));
            }
        }
    }

    #[test]
    fn the_axes_are_exact() {
        let quantizer = UnitVectorQuantizer::new(9);
        for axis in 0..3 {
            for sign in [-1.0, 1.0] {
                let mut direction = [0.0; 3];
                direction[axis] = sign;
                assert_eq!(quantizer.dequantize(quantizer.quantize(direction)), direction);
            }
        }
    }

    #[test]
    fn what_has_no_direction_becomes_plus_z() {
        let quantizer = UnitVectorQuantizer::new(9);
        let up = quantizer.quantize([0.0, 0.0, 1.0]);
        for vector in [[0.0; 3], [f32::NAN, 0.0, 1.0], [f32::INFINITY, 0.0, 0.0]] {
            assert_eq!(quantizer.quantize(vector), up);
        }
        assert_eq!(quantizer.quantize([0.0, 0.0, 1e-45]), up);
        assert_eq!(quantizer.describe(), "unit_vector(9 bits)");
    }

    #[test]
    fn forms_that_no_writer_gives_are_refused() {
        let quantizer = UnitVectorQuantizer::new(4);
        assert_eq!(quantizer.max(), 14);
        let read = |u, v| {
            let mut writer = BitWriter::new();
            writer.write_bits(u, 4);
            writer.write_bits(v, 4);
            let bytes = writer.to_bytes();
            quantizer.read(&mut BitReader::new(&bytes))
        };
        assert_eq!(read(14, 9), Ok([14, 9]));
        assert!(matches!(read(14, 3), Err(WireError::Malformed { .. })));
        assert!(matches!(read(15, 7), Err(WireError::ValueOutOfRange { value: 15, .. })));
    }
}
