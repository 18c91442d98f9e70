//! Rotations and how they go on, in whole numbers, so that all machines predict the same.
//!
//! A free body of equal inertia about all axes (a cube, a ball) keeps its angular velocity: the rotation of the last
//! frames, repeated. What was turned over a window of 2^n frames is halved n times, shortened by the damping, and then
//! applied once for each frame of the horizon.

use super::octaves::{FRACTION_BITS, STEP};

const UNIT_BITS: u32 = 20;
const UNIT: i64 = 1 << UNIT_BITS;

/// Rotations as three smallest components of 0 to `max`, the middle being zero and the ends ±1/√2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RotationScale {
    max: i64,
    /// √2 · max · 2^16: half steps in one.
    half_steps: i64,
}

impl RotationScale {
    pub fn new(max: u16) -> Self {
        let max = i64::from(max.max(1));
        let half_steps = ((2 * max * max) as u64) << 32;
        Self { max, half_steps: half_steps.isqrt() as i64 }
    }

    /// The quaternion of a form; some quaternion no longer than √1.5 where the components are too long for one.
    pub fn quaternion(&self, largest: u8, components: [u16; 3]) -> Quaternion {
        let [a, b, c] = components.map(|component| {
            let half_steps = 2 * i64::from(component) - self.max;
            (half_steps << (16 + UNIT_BITS)) / self.half_steps
        });
        let square = UNIT * UNIT - a * a - b * b - c * c;
        let greatest = square.max(0).unsigned_abs().isqrt() as i64;
        Quaternion(match largest {
            0 => [greatest, a, b, c],
            1 => [a, greatest, b, c],
            2 => [a, b, greatest, c],
            _ => [a, b, c, greatest],
        })
    }

    /// The components of a quaternion other than `largest`, as if that one were the greatest; in 1/256 step.
    pub fn components(&self, quaternion: Quaternion, largest: u8) -> [i64; 3] {
        let [x, y, z, w] = quaternion.0;
        let (left_out, others) = match largest {
            0 => (x, [y, z, w]),
            1 => (y, [x, z, w]),
            2 => (z, [x, y, w]),
            _ => (w, [x, y, z]),
        };
        let sign = if left_out < 0 { -1 } else { 1 };
        others.map(|component| {
            let half_steps = (sign * component * self.half_steps) >> (16 + UNIT_BITS - FRACTION_BITS);
            (half_steps + self.max * STEP) >> 1
        })
    }

    /// A difference of quaternion components in 1/256 step.
    pub fn steps(&self, difference: i64) -> i64 {
        (difference * self.half_steps) >> (17 + UNIT_BITS - FRACTION_BITS)
    }
}

/// x, y, z, w in 1/2^20.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quaternion([i64; 4]);

impl Quaternion {
    fn dot(self, other: Self) -> i64 {
        self.0.into_iter().zip(other.0).map(|(a, b)| a * b).sum::<i64>() >> UNIT_BITS
    }

    /// The one of the two quaternions of this rotation that is nearer to `other`.
    fn towards(self, other: Self) -> Self {
        if self.dot(other) < 0 { Self(self.0.map(|component| -component)) } else { self }
    }

    /// First `other`, then `self`.
    fn times(self, other: Self) -> Self {
        let [ax, ay, az, aw] = self.0;
        let [bx, by, bz, bw] = other.0;
        Self(
            [
                aw * bx + ax * bw + ay * bz - az * by,
                aw * by - ax * bz + ay * bw + az * bx,
                aw * bz + ax * by - ay * bx + az * bw,
                aw * bw - ax * bx - ay * by - az * bz,
            ]
            .map(|sum| sum >> UNIT_BITS),
        )
    }

    fn inverse(self) -> Self {
        let [x, y, z, w] = self.0;
        Self([-x, -y, -z, w])
    }

    fn normalised(self) -> Self {
        let square: i64 = self.0.iter().map(|component| component * component).sum();
        let length = square.unsigned_abs().isqrt().max(1) as i64;
        Self(self.0.map(|component| component * UNIT / length))
    }

    /// Half the rotation; that of a positive `w`.
    fn half(self) -> Self {
        let [x, y, z, w] = self.0;
        Self([x, y, z, w + UNIT]).normalised()
    }

    /// The rotation with its angle at `gain` / 65,536, for a small angle and a gain near one.
    fn scaled(self, gain: i64) -> Self {
        let [x, y, z, _] = self.0;
        let [x, y, z] = [x, y, z].map(|component| (component * gain) >> 16);
        let square = UNIT * UNIT - x * x - y * y - z * z;
        Self([x, y, z, square.max(0).unsigned_abs().isqrt() as i64])
    }

    /// The rotation `times` times over.
    fn repeated(self, times: usize) -> Self {
        let mut result = Self([0, 0, 0, UNIT]);
        let mut power = self;
        let mut rest = times;
        while rest > 0 {
            if rest % 2 == 1 {
                result = result.times(power);
            }
            power = power.times(power);
            rest /= 2;
        }
        result
    }

    /// The rotation `horizon` frames on, where it was `before` a number of frames earlier: two to the `halvings`. Each
    /// frame turns by `gain` / 65,536 of the mean turn between the two.
    pub fn continued(self, before: Self, halvings: usize, gain: i64, horizon: usize) -> Self {
        let before = before.towards(self);
        if before == self {
            return self;
        }
        let mut turn = self.times(before.inverse()).normalised();
        for _ in 0..halvings {
            turn = turn.half();
        }
        turn.scaled(gain).repeated(horizon).times(self)
    }

    /// How far this is from where `before` and `earlier` led, one frame each: the greatest difference of a component.
    pub fn step_error(self, before: Self, earlier: Self) -> i64 {
        let earlier = earlier.towards(before);
        let twice_cosine = 2 * before.dot(earlier);
        let led = before.0.into_iter().zip(earlier.0);
        let mut expected = [0; 4];
        for (expected, (before, earlier)) in expected.iter_mut().zip(led) {
            *expected = ((twice_cosine * before) >> UNIT_BITS) - earlier;
        }
        let expected = Self(expected);
        let now = self.towards(expected);
        now.0.into_iter().zip(expected.0).map(|(a, b)| (a - b).abs()).max().unwrap_or(0)
    }

    /// The components' indices, the greatest first; of equals the earlier first. And by how much the first is greater
    /// than the second.
    pub fn ranking(self) -> ([u8; 4], i64) {
        let [x, y, z, w] = self.0.map(i64::abs);
        let mut ranked = [(x, 0), (y, 1), (z, 2), (w, 3)];
        ranked.sort_by_key(|(size, index)| (-size, *index));
        let [(first, _), (second, _), ..] = ranked;
        (ranked.map(|(_, index)| index), first - second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(angle: f64) -> Quaternion {
        let (sine, cosine) = (angle / 2.0).sin_cos();
        let axis = [2.0 / 3.0, -1.0 / 3.0, 2.0 / 3.0];
        let [x, y, z] = axis.map(|component| (component * sine * UNIT as f64).round() as i64);
        Quaternion([x, y, z, (cosine * UNIT as f64).round() as i64])
    }

    #[test]
    fn every_form_becomes_a_quaternion_and_back() {
        let scale = RotationScale::new(511);
        for largest in 0..4 {
            for components in [[256, 256, 256], [0, 256, 255], [100, 300, 400], [511, 250, 260]] {
                let quaternion = scale.quaternion(largest, components);
                let again = scale.components(quaternion, largest).map(|component| (component + 128) >> 8);
                assert_eq!(again, components.map(i64::from));
            }
        }
        assert_eq!(scale.quaternion(3, [256, 256, 256]).ranking().0, [3, 0, 1, 2]);
    }

    #[test]
    fn a_steady_turn_goes_on() {
        for (window, halvings) in [(1.0, 0), (2.0, 1), (4.0, 2)] {
            let predicted = turned(1.0).continued(turned(1.0 - 0.1 * window), halvings, 1 << 16, 6);
            let distance = UNIT - predicted.towards(turned(1.6)).dot(turned(1.6));
            assert!(distance.abs() < UNIT / 10_000, "window {window}: {distance}");
        }
        assert_eq!(turned(0.7).continued(turned(0.7), 2, 60_000, 6), turned(0.7));
    }

    #[test]
    fn a_turn_that_changes_shows_as_an_error() {
        let scale = RotationScale::new(511);
        assert!(scale.steps(turned(0.3).step_error(turned(0.2), turned(0.1))) < STEP);
        assert!(scale.steps(turned(0.2).step_error(turned(0.2), turned(0.1))) > 5 * STEP);
    }
}
