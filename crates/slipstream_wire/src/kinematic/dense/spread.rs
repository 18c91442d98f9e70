//! How far from what is expected a value usually is: its spread, as a logarithm.
//!
//! The laws: what pushed a body once pushes it otherwise soon, by about as much; an axis along which nothing moves
//! stays still; the longer ago, the further; what missed in one part of a body's motion missed in the others. So the
//! logarithm of a spread is a sum of logarithms, and the weights are how much each of them tells.
//!
//! The weights were fitted, once, to bodies of Rapier's: sixteen vehicles of random build, springs, grip, controls and
//! ground, and thrown cubes, balls and boxes, at baselines one to sixteen ticks old, with and without an earlier value.
//! No recording of a game had part in it.

use super::{
    deviation::{self, DOUBLING},
    motion::{GAIN_PLACES, MOVED_PLACES, Motion},
};
use crate::{
    kinematic::{differences, on_each_axis, ratios::Ratios},
    range_coder::BitCoder,
};

/// Binary places of what a logarithm is taken of.
const LOG_PLACES: u32 = 4;

/// The spread of numbers of which half are zero: there `7/8 t⁻⁴ + 1/8 t⁻¹` is a half where `x` is 0.22 of it.
const FIRST_CLASS: i64 = 19;

/// Weights are in sixteenths, as logarithms are in sixteenths of a doubling.
struct Weights {
    /// What a spread is where all else is one step.
    one: i64,
    /// More for the first axis of three: nothing is known of the others.
    first: i64,
    /// The greatest miss of the axes before.
    others: i64,
    /// Sixtieths of a second.
    age: i64,
    /// More where the acceleration is not known, …
    unknown: i64,
    /// … and with the age.
    unknown_age: i64,
}

const LINEAR: Weights = Weights { one: 12, first: 13, others: 7, age: 10, unknown: 45, unknown_age: 2 };
const POSITION: Weights = Weights { one: -16, first: 8, others: 6, age: 10, unknown: -11, unknown_age: 0 };
const ANGULAR: Weights = Weights { one: -4, first: 16, others: 10, age: -1, unknown: -6, unknown_age: 2 };
const ROTATION: Weights = Weights { one: -25, first: 4, others: 4, age: 7, unknown: 1, unknown_age: 0 };

/// The spreads of three values, and how those before tell of the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spreads {
    spreads: [i64; 3],
    first: i64,
    others: i64,
    fineness: i64,
}

impl Spreads {
    /// `told` is the sum of what is known of each axis apart, in weights times sixteenths of a doubling.
    #[inline]
    fn new(weights: &Weights, motion: &Motion<'_>, fineness: i64, told: [i64; 3]) -> Self {
        let age = log(motion.sixtieths(), 0);
        let mut all = weights.one * DOUBLING + weights.age * age;
        if !motion.pushed() {
            all += weights.unknown * DOUBLING + weights.unknown_age * age;
        }
        Self {
            spreads: told.map(|told| ((told + all) >> 4) + fineness * DOUBLING),
            first: weights.first,
            others: weights.others,
            fineness,
        }
    }

    /// Those of class codes of these orders, of whose first class a number is as often as not.
    #[inline]
    pub(super) fn of_orders(orders: [u32; 3]) -> Self {
        let spreads = orders.map(|order| i64::from(order) * DOUBLING + FIRST_CLASS);
        Self { spreads, first: 0, others: 0, fineness: 0 }
    }

    /// Not less than those of these orders.
    #[inline]
    pub(super) fn at_least(self, orders: [u32; 3]) -> Self {
        let Self { spreads: least, .. } = Self::of_orders(orders);
        Self { spreads: on_each_axis(self.spreads, least, i64::max), ..self }
    }

    /// Codes three values, or reads them where `coder` is a decoder; they may lie outside of their range then.
    #[inline]
    pub(super) fn code<C: BitCoder>(&self, coder: &mut C, expected: [i64; 3], values: [i64; 3]) -> [i64; 3] {
        let [a, b, c] = differences(values, expected);
        let [a_spread, b_spread, c_spread] = self.spreads;
        let more = |missed: i64| (self.others * usual(missed.unsigned_abs(), 0, self.fineness)) >> 4;
        let a = deviation::code(coder, a_spread + self.first, a);
        let b = deviation::code(coder, b_spread + more(a), b);
        let c = deviation::code(coder, c_spread + more(a.abs().max(b.abs())), c);
        on_each_axis(expected, [a, b, c], |expected, missed| expected + missed)
    }
}

/// Of a linear velocity.
#[inline]
pub(super) fn of_linear(motion: &Motion<'_>) -> Spreads {
    let Ratios { linear_fineness: linear, angular_fineness: angular, .. } = *motion.ratios();
    let [gained, spun] = motion.gained();
    let [speed, _] = motion.velocities();
    let all = -usual(greatest(gained), GAIN_PLACES, linear) - 9 * usual(greatest(speed), 0, linear)
        + 4 * usual(greatest(spun), GAIN_PLACES, angular);
    let told = on_each_axis(gained, speed, |gained, speed| {
        all + 5 * usual(gained, GAIN_PLACES, linear) + 8 * usual(speed, 0, linear)
    });
    Spreads::new(&LINEAR, motion, linear, told)
}

/// Of a position, where the linear velocity missed by `missed` and changed by `changed`.
#[inline]
pub(super) fn of_position(motion: &Motion<'_>, missed: [i64; 3], changed: [i64; 3]) -> Spreads {
    let Ratios { linear_fineness: linear, position_fineness: position, .. } = *motion.ratios();
    let missed = missed.map(i64::unsigned_abs);
    let all = usual(greatest(missed), 0, linear) - usual(greatest(changed.map(i64::unsigned_abs)), 0, linear);
    let told = missed.map(|missed| all + 9 * usual(missed, 0, linear));
    Spreads::new(&POSITION, motion, position, told)
}

/// Of an angular velocity, where the linear velocity missed by `missed`.
#[inline]
pub(super) fn of_angular(motion: &Motion<'_>, missed: [i64; 3]) -> Spreads {
    let Ratios { linear_fineness: linear, angular_fineness: angular, .. } = *motion.ratios();
    let [_, gained] = motion.gained();
    let [_, spin] = motion.velocities();
    let all = usual(greatest(gained), GAIN_PLACES, angular) - 3 * usual(greatest(spin), 0, angular)
        + 9 * usual(greatest(missed.map(i64::unsigned_abs)), 0, linear);
    let told = on_each_axis(gained, spin, |gained, spin| {
        all + 7 * usual(gained, GAIN_PLACES, angular) + 5 * usual(spin, 0, angular)
    });
    Spreads::new(&ANGULAR, motion, angular, told)
}

/// Of a rotation's components without `largest`, where the angular velocity missed by `spin_missed` and the position by
/// `missed`.
#[inline]
pub(super) fn of_rotation(motion: &Motion<'_>, largest: u8, spin_missed: [i64; 3], missed: [i64; 3]) -> Spreads {
    let ratios = motion.ratios();
    let Ratios { angular_fineness: angular, position_fineness: position, .. } = *ratios;
    let [_, spin] = motion.velocities();
    let spin_missed = spin_missed.map(i64::unsigned_abs);
    let all =
        2 * usual(greatest(spin_missed), 0, angular) + 3 * usual(greatest(missed.map(i64::unsigned_abs)), 0, position);
    let told = on_each_axis(motion.moved_by(largest, spin_missed), motion.moved_by(largest, spin), |missed, spin| {
        all + 6 * usual(missed, MOVED_PLACES, angular) + usual(spin, MOVED_PLACES, angular)
    });
    Spreads::new(&ROTATION, motion, ratios.rotation_fineness, told)
}

/// The logarithm of a number of steps in usual steps, of which no less than half a one counts.
#[inline]
fn usual(value: u64, places: u32, fineness: i64) -> i64 {
    (log(value, places) - fineness * DOUBLING).max(-DOUBLING)
}

/// The base-2 logarithm of a half and `value`, which has `places` (at least [`LOG_PLACES`], or none), in sixteenths;
/// between doublings it is taken as straight.
#[inline]
fn log(value: u64, places: u32) -> i64 {
    let value = if places == 0 { value << LOG_PLACES } else { value >> (places - LOG_PLACES) };
    let raised = value + (1 << (LOG_PLACES - 1));
    // At least 8, of which the highest bit and four below it count.
    let doublings = raised.ilog2();
    let part = ((raised << LOG_PLACES) >> doublings) & (DOUBLING as u64 - 1);
    (i64::from(doublings) - i64::from(LOG_PLACES)) * DOUBLING + part as i64
}

#[inline]
fn greatest([a, b, c]: [u64; 3]) -> u64 {
    a.max(b).max(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_right_to_a_tenth_of_a_doubling() {
        for value in (0..2_000).chain([1 << 20, 1 << 26, (1 << 27) + 12_345]) {
            let exact = (value as f64 + 0.5).log2();
            assert!((log(value, 0) as f64 / 16.0 - exact).abs() < 0.15, "{value}");
            assert_eq!(log(value << 16, 16), log(value, 0));
        }
        assert_eq!([0, 1, 2].map(|value| log(value, 0)), [-16, 8, 20]);
    }

    #[test]
    fn finer_steps_count_as_usual_ones() {
        assert_eq!(usual(4 << 3, 0, 3), log(4 << 3, 0) - 48);
        assert_eq!(usual(1, 0, 6), -16);
    }
}
