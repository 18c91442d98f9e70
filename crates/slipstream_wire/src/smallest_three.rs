use core::{f64::consts::SQRT_2, fmt};

use crate::{BitReader, BitWriter, WireError, bit_writer::low_mask};

/// Fewer and rounding could push the three components beyond unit length; more than `MAX_BITS` and `f32` does not tell
/// neighbours apart.
const MIN_BITS: u32 = 4;
const MAX_BITS: u32 = 16;

/// Rotations as the three smallest components of their unit quaternion and the index of the greatest, which follows
/// from the others and is made positive (a quaternion and its negative are one rotation).
///
/// **One rotation, one form.** Where two components are nearly equally great, rounding could make either one the
/// greatest. In steps, with `L` steps for 1/√2, the greatest has the square `G = 2L² - Σ nᵢ²`, a whole number. A form
/// is canonical where `G` is at least every `nᵢ²`, and more than `nᵢ² + tolerance` for the components before it. The
/// tolerance covers what `f32` cannot tell apart, so dequantising and quantising again gives the same form, whatever
/// was rounded between.
///
/// ```
/// use slipstream_wire::SmallestThree;
///
/// let rotation = SmallestThree::new(11);
/// let identity = rotation.quantize([0.0, 0.0, 0.0, 1.0]);
/// assert_eq!(rotation.dequantize(identity), [0.0, 0.0, 0.0, 1.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SmallestThree {
    bits: u32,
}

/// A rotation in steps, made by [`SmallestThree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QuantizedRotation {
    /// Which of x, y, z, w (0 to 3) is left out because it is the greatest.
    pub largest: u8,
    /// The other three in the order x, y, z, w; from 0 to [`SmallestThree::max`], zero in the middle.
    pub components: [u32; 3],
}

impl SmallestThree {
    /// `bits` bits for each of the three components, held to 4..=16.
    #[must_use]
    pub const fn new(bits: u32) -> Self {
        let bits = if bits < MIN_BITS {
            MIN_BITS
        } else if bits > MAX_BITS {
            MAX_BITS
        } else {
            bits
        };
        Self { bits }
    }

    /// Bits of each of the three components; a rotation is written in three times this and two.
    #[inline]
    #[must_use]
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// The greatest value of each component. It is even, so that zero lies in the middle.
    #[inline]
    #[must_use]
    pub const fn max(&self) -> u32 {
        low_mask(self.bits) as u32 - 1
    }

    /// The canonical form of a rotation near `rotation` (x, y, z, w; of any length and either sign). What is no
    /// rotation (zero, not finite) becomes the identity.
    #[must_use]
    pub fn quantize(&self, rotation: [f32; 4]) -> QuantizedRotation {
        let rotation = rotation.map(f64::from);
        let length = rotation.iter().map(|c| c * c).sum::<f64>().sqrt();
        let (rotation, length) =
            if length.is_finite() && length > 0.0 { (rotation, length) } else { ([0.0, 0.0, 0.0, 1.0], 1.0) };

        let mut largest = 0;
        let mut greatest = 0.0_f64;
        for (index, component) in (0_u8..).zip(rotation) {
            if component.abs() > greatest.abs() {
                largest = index;
                greatest = component;
            }
        }
        let half = self.half();
        let scale = (half as f64 * SQRT_2 / length).copysign(greatest);
        let steps = without(largest, rotation).map(|component| ((component * scale).round() as i64).clamp(-half, half));

        let (largest, steps) = self.canonicalise(largest, steps);
        QuantizedRotation { largest, components: steps.map(|step| (step + half).clamp(0, 2 * half) as u32) }
    }

    /// The unit quaternion (x, y, z, w) of a form, its greatest component positive. A form that is not canonical gives
    /// some unit quaternion.
    #[must_use]
    pub fn dequantize(&self, quantised: QuantizedRotation) -> [f32; 4] {
        let steps = self.steps(quantised);
        let square = self.square_of_largest(steps).max(0) as f64;
        let length = (steps.iter().map(|step| step * step).sum::<i64>() as f64 + square).sqrt();
        let others = steps.map(|step| step as f64);
        with(quantised.largest, others, square.sqrt()).map(|component| (component / length) as f32)
    }

    /// Whether `quantised` is a form that [`quantize`](Self::quantize) gives. What is computed from a peer's delta must
    /// pass this before it is used.
    #[must_use]
    pub fn is_canonical(&self, quantised: QuantizedRotation) -> bool {
        let steps = self.steps(quantised);
        let square = self.square_of_largest(steps);
        quantised.largest < 4
            && quantised.components.iter().all(|c| *c <= self.max())
            && steps.iter().all(|step| step * step <= square)
            && self.tied_before(quantised.largest, steps).is_none()
    }

    /// The greatest angle (radians) of the rotation between a rotation and what it becomes.
    ///
    /// Half a step on three components moves the fourth by 3/2 steps at most, √3 steps in all; a step is 1/(√2 L) and a
    /// rotation turns by twice the angle of its quaternion: √6/L. The rest is for ties and the rounding of `f32`.
    #[must_use]
    pub fn max_error(&self) -> f32 {
        (2.6 / self.half() as f64 + 1e-6) as f32
    }

    /// Appends a form: two bits for the index, then the three components.
    #[inline]
    pub fn write(&self, writer: &mut BitWriter, quantised: QuantizedRotation) {
        debug_assert!(self.is_canonical(quantised), "{quantised:?} is not of {self}");
        let [a, b, c] = quantised.components.map(|component| u64::from(component.min(self.max())));
        let bits = self.bits;
        let components = a | (b << bits) | (c << (2 * bits));
        let largest = u64::from(quantised.largest & 3);
        writer.write_bits(largest | (components << 2), 2 + 3 * bits);
    }

    /// Reads a form.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`], [`WireError::ValueOutOfRange`] above [`max`](Self::max), or
    /// [`WireError::Malformed`] for a form that is not canonical.
    pub fn read(&self, reader: &mut BitReader<'_>) -> Result<QuantizedRotation, WireError> {
        let mut cursor = reader.clone();
        let quantised = QuantizedRotation {
            largest: cursor.read_bits(2)? as u8,
            components: [
                cursor.read_bits(self.bits)? as u32,
                cursor.read_bits(self.bits)? as u32,
                cursor.read_bits(self.bits)? as u32,
            ],
        };
        if let Some(value) = quantised.components.into_iter().find(|c| *c > self.max()) {
            return Err(WireError::ValueOutOfRange {
                what: "quantised rotation component",
                value: u64::from(value),
                max: u64::from(self.max()),
            });
        }
        if !self.is_canonical(quantised) {
            return Err(WireError::Malformed { what: "quantised rotation" });
        }
        *reader = cursor;
        Ok(quantised)
    }

    /// The parameters as text that is the same on every machine; both sides must have the same.
    #[must_use]
    pub fn describe(&self) -> String {
        self.to_string()
    }

    /// `L`, the steps from zero to 1/√2, which no component but the greatest exceeds.
    #[inline]
    const fn half(&self) -> i64 {
        low_mask(self.bits - 1) as i64
    }

    fn steps(&self, quantised: QuantizedRotation) -> [i64; 3] {
        quantised.components.map(|component| i64::from(component.min(self.max())) - self.half())
    }

    /// `G`; negative where three components are longer than a unit quaternion.
    fn square_of_largest(&self, steps: [i64; 3]) -> i64 {
        2 * self.half() * self.half() - steps.iter().map(|step| step * step).sum::<i64>()
    }

    /// Squares that differ by no more may come from equal `f32`s: those are within 2^-24 of each other, and so squares
    /// near `L²` within `L²` / 2^22. Eight times that bears a renormalisation in between.
    fn tolerance(&self) -> i64 {
        (self.half() * self.half()) >> 19
    }

    /// The first component before `largest` that is as great, within the tolerance: its index and its steps.
    fn tied_before(&self, largest: u8, steps: [i64; 3]) -> Option<(u8, i64)> {
        let square = self.square_of_largest(steps);
        // Components before the one that is left out stand at their own index.
        (0..largest).zip(steps).find(|(_, step)| square <= step * step + self.tolerance())
    }

    /// Makes a rounded rotation canonical.
    fn canonicalise(&self, largest: u8, mut steps: [i64; 3]) -> (u8, [i64; 3]) {
        // Rounding up may leave less for the greatest than for another: take a step back there. Ends at zeros at the
        // latest.
        while let Some(greatest) = steps
            .iter()
            .copied()
            .max_by_key(|step| step.unsigned_abs())
            .filter(|step| step * step > self.square_of_largest(steps))
        {
            for step in &mut steps {
                if *step == greatest {
                    *step -= greatest.signum();
                    break;
                }
            }
        }
        let Some((index, tied)) = self.tied_before(largest, steps) else {
            return (largest, steps);
        };
        // The two swap roles: within the tolerance the greatest has as many steps, so `G` and with it all comparisons
        // stay.
        let all = with(largest, steps, tied.abs());
        let positive = all.map(|step| step * tied.signum());
        (index, without(index, positive))
    }
}

impl fmt::Display for SmallestThree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "smallest_three({} bits)", self.bits)
    }
}

#[inline]
fn without<T>(index: u8, all: [T; 4]) -> [T; 3] {
    let [x, y, z, w] = all;
    match index {
        0 => [y, z, w],
        1 => [x, z, w],
        2 => [x, y, w],
        _ => [x, y, z],
    }
}

#[inline]
fn with<T>(index: u8, others: [T; 3], value: T) -> [T; 4] {
    let [a, b, c] = others;
    match index {
        0 => [value, a, b, c],
        1 => [a, value, b, c],
        2 => [a, b, value, c],
        _ => [a, b, c, value],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_canonical_form_survives_the_round_trip() {
        for bits in [4, 5] {
            let quantizer = SmallestThree::new(bits);
            let max = quantizer.max();
            let mut canonical = 0;
            for largest in 0..4 {
                for a in 0..=max {
                    for (b, c) in (0..=max).flat_map(|b| (0..=max).map(move |c| (b, c))) {
                        let form = QuantizedRotation { largest, components: [a, b, c] };
                        let again = quantizer.quantize(quantizer.dequantize(form));
                        assert!(quantizer.is_canonical(again), "{form:?} -> {again:?}");
                        if quantizer.is_canonical(form) {
                            assert_eq!(again, form);
                            canonical += 1;
                        }
                    }
                }
            }
            // Counted independently; more than half of all forms are in use.
            assert_eq!(canonical, if bits == 4 { 7_344 } else { 73_008 });
        }
    }

    #[test]
    fn a_rotation_and_its_negative_and_its_multiple_are_one() {
        let quantizer = SmallestThree::new(11);
        let once = quantizer.quantize([0.1, -0.2, 0.3, -0.9]);
        assert_eq!(quantizer.quantize([-0.1, 0.2, -0.3, 0.9]), once);
        assert_eq!(quantizer.quantize([0.2, -0.4, 0.6, -1.8]), once);
    }

    #[test]
    fn what_is_no_rotation_becomes_the_identity() {
        let quantizer = SmallestThree::new(11);
        let identity = quantizer.quantize([0.0, 0.0, 0.0, 1.0]);
        for rotation in [[0.0; 4], [f32::NAN, 0.0, 0.0, 1.0], [f32::INFINITY, 0.0, 0.0, 0.0]] {
            assert_eq!(quantizer.quantize(rotation), identity);
        }
        assert_eq!(quantizer.describe(), "smallest_three(11 bits)");
    }

    #[test]
    fn components_longer_than_a_unit_quaternion_are_refused() {
        let quantizer = SmallestThree::new(8);
        let read = |largest, component| {
            let mut writer = BitWriter::new();
            writer.write_bits(largest, 2);
            for _ in 0..3 {
                writer.write_bits(component, 8);
            }
            let bytes = writer.to_bytes();
            quantizer.read(&mut BitReader::new(&bytes))
        };
        assert!(read(3, 127).is_ok());
        assert!(matches!(read(3, 254), Err(WireError::Malformed { .. })));
        assert!(matches!(read(3, 255), Err(WireError::ValueOutOfRange { value: 255, .. })));
    }
}
