//! What the parameters of a codec come to, once, as whole numbers.

use core::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

/// Binary places of [`Ratios::advance`] and [`Ratios::drift`].
pub(super) const ADVANCE_PLACES: u32 = 20;
/// Binary places of [`Ratios::average`] and of reciprocals.
pub(super) const RECIPROCAL_PLACES: u32 = 16;
/// Binary places of an angle in radians.
pub(super) const ANGLE_PLACES: u32 = 30;
/// Binary places of [`Ratios::rotation_unit`].
pub(super) const UNIT_PLACES: u32 = 28;

/// Slower than this a body rests: its springs may tremble.
const REST_LINEAR: f64 = 1.0 / 32.0;
const REST_ANGULAR: f64 = 1.0 / 64.0;
/// A push that is harder (m/s², rad/s²) was an impact, which is over.
const HARDEST_PUSH: f64 = 30.0;
/// A velocity (m/s, rad/s) that would have changed by more did not: the body was put elsewhere.
const GREATEST_CHANGE: f64 = 16.0;

/// The steps that the tables of orders are for; any other are told by how many doublings they are finer.
const USUAL_POSITION: f64 = 0.001;
const USUAL_LINEAR: f64 = 1.0 / 64.0;
const USUAL_ANGULAR: f64 = 1.0 / 128.0;
const USUAL_ROTATION_BITS: i64 = 11;
const USUAL_TICK_RATE: f64 = 60.0;

/// The sizes of steps.
pub(super) struct Steps {
    /// Metres.
    pub(super) position: f64,
    /// How many steps a component of 1/√2 has.
    pub(super) rotation_half: i64,
    /// m/s.
    pub(super) linear: f64,
    /// rad/s.
    pub(super) angular: f64,
}

/// Factors between steps of different kinds, in fixed point. Made of products, quotients and `floor`, which are the
/// same on every machine, and bounded so that no product with words leaves 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ratios {
    /// Steps of position that a step of linear velocity makes in a tick.
    pub(super) advance: i64,
    /// Steps of position that a body moves in a tick beyond its velocity, on each axis.
    pub(super) drift: [i64; 3],
    /// The same in steps of velocity, whole.
    pub(super) drift_speed: [i64; 3],
    /// Twice the steps of linear velocity that a step of position in a tick is.
    pub(super) average: i64,
    /// Half the angle (radians, [`ANGLE_PLACES`]) that a step of angular velocity turns in a tick.
    pub(super) half_turn: i64,
    /// One over a quaternion's length in steps.
    pub(super) rotation_unit: i64,
    /// Twice the steps of angular velocity that a step of rotation in a tick is; a step of rotation is half the angle.
    pub(super) average_turn: i64,
    /// The greatest velocities of what rests, in steps.
    pub(super) rest: [i64; 2],
    /// The hardest pushes that go on, in steps of velocity a tick: linear, angular.
    pub(super) push: [i64; 2],
    /// The greatest corrections of a velocity, in steps: linear, angular.
    pub(super) change: [i64; 2],
    /// How many doublings finer than usual steps are: position, rotation, linear, angular.
    pub(super) position_fineness: i64,
    pub(super) rotation_fineness: i64,
    pub(super) linear_fineness: i64,
    pub(super) angular_fineness: i64,
    /// Sixtieths of a second in a tick, with 8 binary places.
    pub(super) sixtieths: i64,
}

impl Ratios {
    pub(super) fn new(steps: &Steps, rotation_bits: u32, tick_rate: f64, drift: [f32; 3]) -> Self {
        let Steps { position, rotation_half, linear, angular } = *steps;
        let length = SQRT_2 * rotation_half as f64;
        let drift = drift.map(f64::from);
        Self {
            advance: fixed(linear / (tick_rate * position), ADVANCE_PLACES, 28),
            drift: drift.map(|axis| signed_fixed(axis / (tick_rate * position), ADVANCE_PLACES, 40)),
            drift_speed: drift.map(|axis| signed_fixed(axis / linear, 0, 23)),
            average: fixed(2.0 * position * tick_rate / linear, RECIPROCAL_PLACES, 30),
            half_turn: fixed(angular / (2.0 * tick_rate), ANGLE_PLACES, 30),
            rotation_unit: fixed(1.0 / length, UNIT_PLACES, 30),
            average_turn: fixed(4.0 * tick_rate / (length * angular), RECIPROCAL_PLACES, 32),
            rest: [REST_LINEAR / linear, REST_ANGULAR / angular].map(|steps| fixed(steps, 0, 23).max(1)),
            push: [linear, angular].map(|step| fixed(HARDEST_PUSH / (tick_rate * step), 0, 23).max(1)),
            change: [linear, angular].map(|step| fixed(GREATEST_CHANGE / step, 0, 24)),
            position_fineness: doublings(USUAL_POSITION / position),
            rotation_fineness: i64::from(rotation_bits) - USUAL_ROTATION_BITS,
            linear_fineness: doublings(USUAL_LINEAR / linear),
            angular_fineness: doublings(USUAL_ANGULAR / angular),
            sixtieths: fixed(USUAL_TICK_RATE / tick_rate, 8, 16).max(1),
        }
    }
}

/// The whole number nearest to `value · 2^places`, from 0 to `2^bits`; 0 for what is no number.
fn fixed(value: f64, places: u32, bits: u32) -> i64 {
    signed_fixed(value, places, bits).max(0)
}

/// The same from `-2^bits` on.
fn signed_fixed(value: f64, places: u32, bits: u32) -> i64 {
    let limit = 1_i64 << bits;
    // A conversion to integers makes 0 of what is no number, and holds what is too great.
    let nearest = (value * (1_i64 << places) as f64 + 0.5).floor() as i64;
    nearest.clamp(-limit, limit)
}

/// The whole number nearest to the base-2 logarithm, within 30 both ways: by halving and doubling, for logarithms are
/// not the same on every machine.
fn doublings(ratio: f64) -> i64 {
    if !(ratio > 0.0 && ratio.is_finite()) {
        return 0;
    }
    let (mut ratio, mut count) = (ratio, 0);
    while ratio >= SQRT_2 && count < 30 {
        ratio *= 0.5;
        count += 1;
    }
    while ratio < FRAC_1_SQRT_2 && count > -30 {
        ratio *= 2.0;
        count -= 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_steps_make_the_ratios_of_the_format() {
        let steps = Steps { position: 0.001, rotation_half: 1023, linear: 1.0 / 64.0, angular: 1.0 / 128.0 };
        let ratios = Ratios::new(&steps, 11, 60.0, [0.0, 0.0613, 0.0]);
        assert_eq!((ratios.advance, ratios.average, ratios.half_turn), (273_067, 503_316, 69_905));
        assert_eq!((ratios.rotation_unit, ratios.average_turn), (185_545, 1_391_587));
        assert_eq!((ratios.drift, ratios.drift_speed), ([0, 1_071_295, 0], [0, 4, 0]));
        assert_eq!((ratios.rest, ratios.push, ratios.change), ([2, 2], [32, 64], [1024, 2048]));
        assert_eq!((ratios.position_fineness, ratios.angular_fineness, ratios.sixtieths), (0, 0, 256));
    }

    #[test]
    fn doublings_are_rounded_logarithms() {
        assert_eq!([1.0, 1.4, 1.5, 4.0, 0.5, 0.1, 0.0, f64::NAN].map(doublings), [0, 0, 1, 2, -1, -3, 0, 0]);
    }
}
