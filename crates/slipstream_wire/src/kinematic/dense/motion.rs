//! Where a body should be by now, its velocities first: where it went follows from how fast it is.

use crate::{
    Baseline,
    kinematic::{
        KinematicCodec, on_each_axis, orders,
        prediction::{LOST_TICKS, OLDEST_TICKS, PUSHED_TICKS, push_between, reciprocal},
        quaternion::Quaternion,
        ratios::{ADVANCE_PLACES, ANGLE_PLACES, RECIPROCAL_PLACES, Ratios},
        words::Fields,
    },
};

/// Binary places of what a velocity gained.
pub(super) const GAIN_PLACES: u32 = RECIPROCAL_PLACES;
/// Binary places of how far a component of a rotation moved.
pub(super) const MOVED_PLACES: u32 = 4;

/// What an angular push is believed to last, in sixtieths of a second: springs swing back. From the vehicles and cubes
/// that the weights of spreads are from.
const SPIN_LASTS: i64 = 6;
/// No velocity times ticks is more, in half steps.
const FURTHEST: i64 = 1 << 32;

/// What is known of a body's way since the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Resting,
    Going,
    Lost,
}

/// A body that goes on from its baseline.
#[derive(Clone, Debug)]
pub(super) struct Motion<'a> {
    codec: &'a KinematicCodec,
    course: Course,
    /// Ticks since the baseline.
    age: i64,
    sixtieths: u64,
    pushed: bool,
    baseline: Fields,
    before: Quaternion,
    /// What velocities gain, were they pushed as before: linear, and angular.
    gained: [[i64; 3]; 2],
    /// Of what a velocity missed in the end, twice the share that the way missed in all ticks, with
    /// [`RECIPROCAL_PLACES`].
    missing: i64,
}

impl<'a> Motion<'a> {
    /// What is known from a baseline, whose words are `fields`.
    #[inline]
    pub(super) fn new(codec: &'a KinematicCodec, baseline: &Baseline<'_>, fields: Fields) -> Self {
        let Ratios { rest: [rest, turning_rest], drift_speed, push, sixtieths, .. } = codec.ratios;
        let age = baseline.age.clamp(1, OLDEST_TICKS);
        let earlier = baseline.earlier.filter(|(_, apart)| *apart <= PUSHED_TICKS && age <= PUSHED_TICKS);
        let earlier = earlier.and_then(|(words, apart)| Some((codec.fields(words)?, apart.max(1))));
        let rests = on_each_axis(fields.linear, drift_speed, |velocity, drift| (velocity + drift).abs() <= rest)
            .into_iter()
            .chain(fields.angular.map(|axis| axis.abs() <= turning_rest))
            .all(|rests| rests);
        let course = match age {
            _ if rests => Course::Resting,
            age if age > LOST_TICKS => Course::Lost,
            _ => Course::Going,
        };
        let age = i64::from(age);
        let mut motion = Self {
            codec,
            course,
            age,
            sixtieths: ((age * sixtieths + 128) >> 8).max(1).unsigned_abs(),
            pushed: earlier.is_some(),
            baseline: fields,
            before: Quaternion::new(fields.largest, fields.components, codec.half()),
            gained: [[0; 3]; 2],
            missing: 0,
        };
        if let Some((earlier, apart)) = earlier {
            let [linear_most, angular_most] = push;
            let linear = push_between(earlier.linear, fields.linear, apart, linear_most);
            let angular = push_between(earlier.angular, fields.angular, apart, angular_most);
            let turned = motion.turned(linear, age + i64::from(apart));
            motion.gained = [turned, angular].map(|push| push.map(|axis| age * axis));
            motion.missing = ((age * age - 1) << RECIPROCAL_PLACES) / (9 * (age + i64::from(apart)));
        }
        motion
    }

    /// Whether one decision says first that nothing has changed.
    #[inline]
    pub(super) fn may_stay(&self) -> bool {
        self.course == Course::Resting
    }

    /// Since the baseline.
    #[inline]
    pub(super) fn sixtieths(&self) -> u64 {
        self.sixtieths
    }

    /// Whether the acceleration is known.
    #[inline]
    pub(super) fn pushed(&self) -> bool {
        self.pushed
    }

    #[inline]
    pub(super) fn ratios(&self) -> &Ratios {
        &self.codec.ratios
    }

    /// The baseline's, by magnitude: linear, and angular.
    #[inline]
    pub(super) fn velocities(&self) -> [[u64; 3]; 2] {
        [self.baseline.linear, self.baseline.angular].map(|velocity| velocity.map(i64::unsigned_abs))
    }

    /// What velocities should gain, by magnitude, with [`GAIN_PLACES`]: linear, and angular.
    #[inline]
    pub(super) fn gained(&self) -> [[u64; 3]; 2] {
        self.gained.map(|gained| gained.map(i64::unsigned_abs))
    }

    /// What velocities changed by.
    #[inline]
    pub(super) fn changed(&self, linear: [i64; 3]) -> [i64; 3] {
        on_each_axis(linear, self.baseline.linear, |now, before| now - before)
    }

    /// The orders of the position and the rotation of a body of which nothing was heard for long.
    #[inline]
    pub(super) fn lost_orders(&self) -> Option<[[u32; 3]; 2]> {
        if self.course != Course::Lost {
            return None;
        }
        let ratios = self.ratios();
        let span = orders::Span::new(self.age as u32, ratios);
        Some([[orders::of_lost_position(span, ratios); 3], [orders::of_lost_rotation(span, false, ratios); 3]])
    }

    /// What the linear velocity should be.
    #[inline]
    pub(super) fn linear(&self) -> [i64; 3] {
        let [gained, _] = self.gained;
        let (zero, max) = (self.codec.linear_zero, i64::from(self.codec.linear.max()));
        on_each_axis(self.baseline.linear, gained, |velocity, gained| {
            (velocity + ((gained + HALF) >> GAIN_PLACES)).clamp(-zero, max - zero)
        })
    }

    /// What the position should be, where this is the linear velocity.
    #[inline]
    pub(super) fn position(&self, linear: [i64; 3]) -> [i64; 3] {
        let Ratios { advance, drift, .. } = self.codec.ratios;
        let [gained, _] = self.gained;
        let drift = if self.course == Course::Going { drift } else { [0; 3] };
        let way = self.way(self.baseline.linear, linear, gained);
        let moved = on_each_axis(way, drift, |way, drift| {
            (advance * way + 2 * self.age * drift + (1 << ADVANCE_PLACES)) >> (ADVANCE_PLACES + 1)
        });
        let max = i64::from(self.codec.position.max());
        on_each_axis(self.baseline.position, moved, |from, moved| (from + moved).clamp(0, max))
    }

    /// What the angular velocity should be.
    #[inline]
    pub(super) fn angular(&self) -> [i64; 3] {
        let [_, gained] = self.gained;
        let lasts = SPIN_LASTS * reciprocal(SPIN_LASTS as u32 + self.sixtieths.min(1 << 12) as u32);
        let (zero, max) = (self.codec.angular_zero, i64::from(self.codec.angular.max()));
        on_each_axis(self.baseline.angular, gained, |velocity, gained| {
            let gained = (gained * lasts + (1 << (2 * GAIN_PLACES - 1))) >> (2 * GAIN_PLACES);
            (velocity + gained).clamp(-zero, max - zero)
        })
    }

    /// What the rotation should be, where this is the angular velocity.
    #[inline]
    pub(super) fn rotation(&self, angular: [i64; 3]) -> Quaternion {
        let half_turn = self.codec.ratios.half_turn;
        let [_, gained] = self.gained;
        let way = self.way(self.baseline.angular, angular, gained);
        self.before.turned(way.map(|way| (half_turn * way) >> 1))
    }

    /// How far each component of a rotation without `largest` moves, with [`MOVED_PLACES`], by so many steps of a turn
    /// about each axis.
    #[inline]
    pub(super) fn moved_by(&self, largest: u8, turn: [u64; 3]) -> [u64; 3] {
        self.before.moved_without(largest, turn, self.codec.ratios.rotation_unit)
    }

    /// Velocity times ticks, in half steps, from one velocity to another.
    ///
    /// A velocity that changes evenly over `n` ticks, of which each moves the body by what it has become, makes
    /// `n · before + (n + 1) / 2 · change`. Where the change is not the one that was to go on, a velocity that passes
    /// through the earlier, the old and the new one as a parabola, `e` ticks from the earlier to the old, makes
    /// `(n² - 1) / (6 (n + e))` of the difference less. A third of that is believed: most changes are sudden, at a time
    /// that nobody knows.
    #[inline]
    fn way(&self, before: [i64; 3], after: [i64; 3], gained: [i64; 3]) -> [i64; 3] {
        let ways = on_each_axis(before, after, |before, after| match self.course {
            Course::Lost => 0,
            Course::Resting => (self.age.min(i64::from(LOST_TICKS)) + 1) * (after - before),
            Course::Going => 2 * self.age * before + (self.age + 1) * (after - before),
        });
        let changes = on_each_axis(before, after, |before, after| (after - before) << GAIN_PLACES);
        let missed =
            on_each_axis(changes, gained, |change, gained| (((change - gained) >> 8) * self.missing + (1 << 23)) >> 24);
        on_each_axis(ways, missed, |way, missed| (way - missed).clamp(-FURTHEST, FURTHEST))
    }

    /// A linear push as it goes on, from the middle of the ticks in which it was seen to the middle of those in which
    /// it acts, `ticks / 2` in between: it turns with a body that steers, and not with one that tumbles.
    ///
    /// A body steers where the turn of its velocity with its heading, `ω × v` a tick, is part of what pushed it: where
    /// without it there is less.
    #[inline]
    fn turned(&self, push: [i64; 3], ticks: i64) -> [i64; 3] {
        let Fields { linear, angular, .. } = self.baseline;
        let half_turn = self.codec.ratios.half_turn;
        let turn = angular.map(|axis| half_turn * axis);
        if turn.iter().any(|axis| axis.abs() >= ONE_RADIAN / 8) {
            return push;
        }
        // With six places, so that squares can be added.
        let carried = cross(turn, linear).map(|axis| (axis >> (ANGLE_PLACES - 7)).clamp(-1 << 28, 1 << 28));
        let seen = push.map(|axis| axis >> (GAIN_PLACES - 6));
        if dot(carried, carried) >= 2 * dot(carried, seen) {
            return push;
        }
        let turn = turn.map(|axis| (axis * ticks) >> (ANGLE_PLACES - 16));
        if turn.iter().any(|axis| axis.abs() >= ONE_RADIAN >> (ANGLE_PLACES - 16)) {
            return push;
        }
        // The series of a rotation by a small angle.
        let first = cross(turn, push).map(|axis| axis >> 16);
        let second = cross(turn, first).map(|axis| axis >> 17);
        let turned = on_each_axis(push, first, |push, first| push + first);
        on_each_axis(turned, second, |turned, second| turned + second)
    }
}

const HALF: i64 = 1 << (GAIN_PLACES - 1);
const ONE_RADIAN: i64 = 1 << ANGLE_PLACES;

#[inline]
fn cross([a, b, c]: [i64; 3], [x, y, z]: [i64; 3]) -> [i64; 3] {
    [b * z - c * y, c * x - a * z, a * y - b * x]
}

#[inline]
fn dot([a, b, c]: [i64; 3], [x, y, z]: [i64; 3]) -> i64 {
    a * x + b * y + c * z
}
