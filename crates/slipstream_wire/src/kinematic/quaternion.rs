//! Rotations in whole numbers.

use super::{
    each,
    ratios::{ANGLE_PLACES, UNIT_PLACES},
};

/// Binary places of a component.
const PLACES: u32 = 8;

/// Binary places of [`Quaternion::difference`].
pub(super) const DIFFERENCE_PLACES: u32 = 4;

const ONE: i64 = 1 << ANGLE_PLACES;

/// A quaternion x, y, z, w whose length is `√2 · half` steps of the three smallest components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quaternion([i64; 4]);

impl Quaternion {
    /// The rotation of which the component `largest` (0 to 3) is not given, but the other three are, in steps.
    #[inline]
    pub(super) fn new(largest: u8, components: [i64; 3], half: i64) -> Self {
        let [a, b, c] = each(components, |component| component << PLACES);
        let squares = components.iter().map(|component| component * component).sum::<i64>();
        let rest = (2 * half * half - squares).max(0);
        let greatest = square_root(rest << (2 * PLACES));
        Self(match largest {
            0 => [greatest, a, b, c],
            1 => [a, greatest, b, c],
            2 => [a, b, greatest, c],
            _ => [a, b, c, greatest],
        })
    }

    /// The same, turned in the world about `half_angle`: half the angle (radians, [`ANGLE_PLACES`]) along the axis.
    /// Beyond one radian it is not turned at all: nothing that spins so fast is where one would expect it.
    #[inline]
    pub(super) fn turned(self, half_angle: [i64; 3]) -> Self {
        if half_angle.iter().any(|axis| axis.abs() >= ONE) {
            return self;
        }
        let square = half_angle.iter().map(|axis| (axis >> 15) * (axis >> 15)).sum::<i64>();
        if square > ONE {
            return self;
        }
        // The series of cos and of sin(x)/x; up to one radian they are right to 1/40,000.
        let fourth = (square * square) >> ANGLE_PLACES;
        let sixth = (fourth * square) >> ANGLE_PLACES;
        let cosine = ONE - (square >> 1) + fourth / 24 - sixth / 720;
        let sine = ONE - square / 6 + fourth / 120 - sixth / 5040;

        let [x, y, z, w] = self.0;
        let [a, b, c] = each(half_angle, |axis| (axis * sine) >> ANGLE_PLACES);
        let product = [
            cosine * x + w * a + b * z - c * y,
            cosine * y + w * b + c * x - a * z,
            cosine * z + w * c + a * y - b * x,
            cosine * w - a * x - b * y - c * z,
        ];
        let [x, y, z, w] = product;
        Self([x >> ANGLE_PLACES, y >> ANGLE_PLACES, z >> ANGLE_PLACES, w >> ANGLE_PLACES])
    }

    /// The index of the greatest component, the first of equals.
    #[inline]
    pub(super) fn largest(&self) -> u8 {
        let mut largest = 0;
        let mut greatest = -1;
        for (index, component) in (0_u8..).zip(self.0) {
            if component.abs() > greatest {
                (largest, greatest) = (index, component.abs());
            }
        }
        largest
    }

    /// The indices of the components but for `largest`, the one of the greatest magnitude first, and by how many whole
    /// steps `largest` is above it.
    #[inline]
    pub(super) fn followers(&self, largest: u8) -> ([u8; 3], i64) {
        let magnitude = |index: u8| self.component(index).abs();
        let mut followers = without(largest, [0, 1, 2, 3]);
        followers.sort_by_key(|index| -magnitude(*index));
        let [second, ..] = followers;
        (followers, (magnitude(largest) - magnitude(second)) >> PLACES)
    }

    #[inline]
    fn component(&self, index: u8) -> i64 {
        let [x, y, z, w] = self.0;
        match index {
            0 => x,
            1 => y,
            2 => z,
            _ => w,
        }
    }

    /// The same rotation with a component that is not negative.
    #[inline]
    pub(super) fn with_positive(self, index: u8) -> Self {
        let [x, y, z, w] = self.0;
        if self.component(index) < 0 { Self([-x, -y, -z, -w]) } else { self }
    }

    /// The components without one, in whole steps from `-half` to `half`.
    #[inline]
    pub(super) fn steps_without(&self, index: u8, half: i64) -> [i64; 3] {
        each(without(index, self.0), |component| ((component + (1 << (PLACES - 1))) >> PLACES).clamp(-half, half))
    }

    /// How far each component but one is from that of `other`, in whole steps.
    #[inline]
    pub(super) fn distance_without(&self, index: u8, other: &Self) -> [u64; 3] {
        let [x, y, z, w] = self.0;
        let [a, b, c, d] = other.0;
        each(without(index, [x - a, y - b, z - c, w - d]), |apart: i64| apart.unsigned_abs() >> PLACES)
    }

    /// How far each component but one moves at most, with four places, where the body turns by so many steps, of a kind
    /// that the caller knows, about each axis of the world: `dq = ½ ω q`. `unit` is
    /// [`Ratios::rotation_unit`](super::ratios::Ratios).
    #[inline]
    pub(super) fn moved_without(&self, index: u8, turn: [u64; 3], unit: i64) -> [u64; 3] {
        let [x, y, z, w] = self.0.map(|component| component.unsigned_abs() >> PLACES);
        let [a, b, c] = turn;
        let moved = [w * a + z * b + y * c, z * a + w * b + x * c, y * a + x * b + w * c, x * a + y * b + z * c];
        without(index, moved).map(|moved| (moved * unit.unsigned_abs()) >> (UNIT_PLACES - 4))
    }

    /// The rotation in the world from `other` to this one, in steps ([`DIFFERENCE_PLACES`]) about each axis: a step is
    /// half the angle, times the quaternion's length. `unit` is [`Ratios::rotation_unit`](super::ratios::Ratios).
    #[inline]
    pub(super) fn difference(&self, other: &Self, unit: i64) -> [i64; 3] {
        let [x, y, z, w] = self.0;
        let [a, b, c, d] = other.0;
        let product =
            [d * x - w * a - (y * c - z * b), d * y - w * b - (z * a - x * c), d * z - w * c - (x * b - y * a)];
        each(product, |axis| ((axis >> (2 * PLACES - DIFFERENCE_PLACES)) * unit) >> UNIT_PLACES)
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

/// The whole part of the square root of a number from 0 to `2^52`.
#[inline]
fn square_root(square: i64) -> i64 {
    // A float holds the number exactly, so this is off by one at most, however a machine rounds; the rest is exact.
    let root = (square as f64).sqrt() as i64;
    let root = root - i64::from(root * root > square);
    root + i64::from((root + 1) * (root + 1) <= square)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HALF: i64 = 1023;

    proptest! {
        #[test]
        fn the_root_is_the_whole_part(square in 0_i64..1 << 52) {
            prop_assert_eq!(square_root(square), square.isqrt());
        }

        #[test]
        fn a_turn_and_its_difference_agree(
            components in [-700_i64..700, -700_i64..700, -300_i64..300],
            largest in 0_u8..4,
            turn in [-30_000_000_i64..30_000_000, -30_000_000_i64..30_000_000, -30_000_000_i64..30_000_000],
        ) {
            let before = Quaternion::new(largest, components, HALF);
            let after = before.turned(turn);
            let length = core::f64::consts::SQRT_2 * HALF as f64;
            let unit = ((1_u64 << UNIT_PLACES) as f64 / length) as i64;
            for (turned, half_angle) in after.difference(&before, unit).into_iter().zip(turn) {
                let expected = half_angle as f64 / ONE as f64 * length;
                let turned = turned as f64 / f64::from(1 << DIFFERENCE_PLACES);
                prop_assert!((turned - expected).abs() < 0.5, "{turned} instead of {expected}");
            }
        }
    }

    #[test]
    fn a_quarter_turn_about_the_vertical() {
        let identity = Quaternion::new(3, [0, 0, 0], HALF);
        let quarter = identity.turned([0, (core::f64::consts::FRAC_PI_4 * ONE as f64) as i64, 0]);
        // Its y and w are equal, 1/√2.
        assert_eq!(quarter.steps_without(3, HALF), [0, HALF, 0]);
        assert_eq!(quarter.distance_without(3, &identity), [0, HALF as u64, 0]);
        assert_eq!(identity.largest(), 3);
    }

    #[test]
    fn what_turns_too_far_is_left_alone() {
        let some = Quaternion::new(0, [5, -6, 7], HALF);
        assert_eq!(some.turned([ONE, 0, 0]), some);
        assert_eq!(some.turned([ONE * 3 / 4, ONE * 3 / 4, 0]), some);
    }
}
