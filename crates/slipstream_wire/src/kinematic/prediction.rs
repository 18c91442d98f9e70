//! Where a body should be by now.

use super::{
    KinematicCodec, each, on_each_axis, orders,
    orders::Span,
    quaternion::{DIFFERENCE_PLACES, Quaternion},
    ratios::{ADVANCE_PLACES, RECIPROCAL_PLACES, Ratios},
    words::Fields,
};
use crate::{Baseline, zigzag_encode};

/// What was not heard of for longer, in ticks, may be anywhere.
pub(super) const LOST_TICKS: u32 = 64;
/// A push is taken to go on for so many ticks at most, and from values that are no further apart.
pub(super) const PUSHED_TICKS: u32 = 16;
/// Beyond it only the orders depend on the age.
pub(super) const OLDEST_TICKS: u32 = u16::MAX as u32;

const ONE: i64 = 1 << RECIPROCAL_PLACES;

/// What three values should be, and how near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// In the steps of [`Fields`], within the range.
    pub(crate) values: [i64; 3],
    /// The order of each difference's class code: about the base-2 logarithm of the usual difference, folded.
    pub(crate) orders: [u32; 3],
}

/// What is known of a body's way since the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// It lay still.
    Resting,
    /// It goes on.
    Going,
    /// It was going, long ago.
    Lost,
    /// Neither a velocity nor an earlier value says.
    Unknown,
}

/// What to expect of a body, field by field: of the later ones in the light of what the earlier ones turned out to be.
#[derive(Clone, Debug)]
pub(crate) struct Prediction<'a> {
    codec: &'a KinematicCodec,
    course: Course,
    /// Ticks since the baseline.
    age: u32,
    span: Span,
    /// Whether the acceleration is known.
    pushed: bool,
    baseline: Fields,
    /// Steps of velocity in all these ticks, by the known acceleration: linear, and angular.
    gained: [[i64; 3]; 2],
    position: Expected,
    before: Quaternion,
    rotation: Quaternion,
}

impl<'a> Prediction<'a> {
    /// What to expect of a body with this baseline; `None` where that has another number of words.
    #[inline]
    pub(super) fn new(codec: &'a KinematicCodec, baseline: &Baseline<'_>) -> Option<Self> {
        let age = baseline.age.clamp(1, OLDEST_TICKS);
        let fields = codec.fields(baseline.words)?;
        let before = Quaternion::new(fields.largest, fields.components, codec.half());
        let mut prediction = Self {
            codec,
            course: Course::Unknown,
            age,
            span: Span::new(age, &codec.ratios),
            pushed: false,
            baseline: fields,
            gained: [[0; 3]; 2],
            position: Expected { values: fields.position, orders: [0; 3] },
            before,
            rotation: before,
        };
        let near = |(_, apart): &(&[u32], u32)| *apart <= PUSHED_TICKS && age <= PUSHED_TICKS;
        let earlier = baseline.earlier.filter(near);
        let earlier = earlier.and_then(|(words, apart)| Some((codec.fields(words)?, apart.max(1))));
        let speed = if codec.velocities {
            prediction.go_on_at_velocity(earlier)
        } else {
            prediction.go_on_from_earlier(earlier)
        };
        prediction.expect_position(speed);
        Some(prediction)
    }

    /// Whether one bit says first that nothing has changed.
    #[inline]
    pub(crate) fn may_stay(&self) -> bool {
        matches!(self.course, Course::Resting | Course::Unknown)
    }

    /// What to expect of the position.
    #[inline]
    pub(crate) fn position(&self) -> Expected {
        self.position
    }

    /// What to expect of the linear velocity, where the position is off by `missed` steps. What moved a body further
    /// than its velocity says has made it faster: evenly over `n` ticks, of which each moves it on by what it has
    /// gained so far, `2 / (n + 1)` of the miss a tick.
    #[inline]
    pub(crate) fn linear(&self, missed: [i64; 3]) -> Expected {
        let Ratios { average, change: [most, _], .. } = self.codec.ratios;
        let factor = (average * self.share()) >> RECIPROCAL_PLACES;
        let [gained, _] = self.gained;
        let from = on_each_axis(self.baseline.linear, gained, |velocity, gained| velocity + gained);
        let zero = self.codec.linear_zero;
        let max = i64::from(self.codec.linear.max()) - zero;
        Expected {
            values: on_each_axis(from, missed, |from, missed| {
                let change = (missed * factor + ONE / 2) >> RECIPROCAL_PLACES;
                (from + held_change(change, most)).clamp(-zero, max)
            }),
            orders: each(missed, |missed| {
                orders::of_linear(self.span, self.pushed, zigzag_encode(missed), &self.codec.ratios)
            }),
        }
    }

    /// Which component of the rotation should be the largest.
    #[inline]
    pub(crate) fn largest(&self) -> u8 {
        self.rotation.largest()
    }

    /// What to expect of the rotation as a whole.
    #[inline]
    pub(super) fn turned(&self) -> &Quaternion {
        &self.rotation
    }

    /// What to expect of the rotation's other components.
    #[inline]
    pub(crate) fn rotation(&self, largest: u8) -> Expected {
        let (span, pushed, ratios) = (self.span, self.pushed, &self.codec.ratios);
        let values = self.rotation.with_positive(largest).steps_without(largest, self.codec.half());
        let orders = match self.course {
            Course::Unknown => [orders::of_unknown_rotation(span, ratios); 3],
            Course::Lost => [orders::of_lost_rotation(span, pushed, ratios); 3],
            Course::Resting | Course::Going => {
                let moved = self.rotation.distance_without(largest, &self.before);
                each(moved, |moved| orders::of_rotation(span, pushed, moved, ratios))
            }
        };
        Expected { values, orders }
    }

    /// What to expect of the angular velocity, where the rotation is this one: as with the linear velocity, but that a
    /// miss of a step or less says little, for rotations are coarse.
    #[inline]
    pub(crate) fn angular(&self, largest: u8, components: [i64; 3]) -> Expected {
        let Ratios { average_turn, rotation_unit, change: [_, most], .. } = self.codec.ratios;
        let turned = Quaternion::new(largest, components, self.codec.half());
        let missed = turned.difference(&self.rotation.with_positive(largest), rotation_unit);
        let factor = (average_turn * self.share()) >> RECIPROCAL_PLACES;
        let [_, gained] = self.gained;
        let from = on_each_axis(self.baseline.angular, gained, |velocity, gained| velocity + gained);
        let zero = self.codec.angular_zero;
        let max = i64::from(self.codec.angular.max()) - zero;
        Expected {
            values: on_each_axis(from, missed, |from, missed| {
                let change = (missed * credit(missed) * factor + (1 << (CHANGE_PLACES - 1))) >> CHANGE_PLACES;
                (from + held_change(change, most)).clamp(-zero, max)
            }),
            orders: each(missed, |missed| {
                let half_steps = missed.unsigned_abs() >> (DIFFERENCE_PLACES - 1);
                orders::of_angular(half_steps, &self.codec.ratios)
            }),
        }
    }

    /// Of a miss, what belongs to a tick more or less: `1 / (n + 1)`, or nothing where it tells nothing.
    #[inline]
    fn share(&self) -> i64 {
        if self.course == Course::Lost {
            return 0;
        }
        reciprocal(self.age + 1)
    }

    /// Moves and turns the body with its velocities, and with its accelerations where an earlier value tells them.
    /// Gives its speed along each axis in steps of linear velocity.
    #[inline]
    fn go_on_at_velocity(&mut self, earlier: Option<(Fields, u32)>) -> [u64; 3] {
        let Ratios { advance, drift, drift_speed, half_turn, rest: [rest, turning_rest], push, .. } = self.codec.ratios;
        let Fields { position, linear, angular, .. } = self.baseline;
        let speed = on_each_axis(linear, drift_speed, |velocity, drift| (velocity + drift).unsigned_abs());
        self.pushed = earlier.is_some();
        let rests = speed.iter().all(|axis| *axis <= rest.unsigned_abs())
            && angular.iter().all(|axis| axis.abs() <= turning_rest);
        if rests {
            self.course = Course::Resting;
            return speed;
        }
        if self.age > LOST_TICKS {
            self.course = Course::Lost;
            return speed;
        }
        self.course = Course::Going;

        let age = i64::from(self.age);
        let [push_linear, push_angular] = earlier.map_or([[0; 3]; 2], |(earlier, apart)| {
            let [linear_most, angular_most] = push;
            [
                push_between(earlier.linear, linear, apart, linear_most),
                push_between(earlier.angular, angular, apart, angular_most),
            ]
        });
        // A push that goes on for n ticks has moved the body by 1 + 2 + … + n times what it gains in one. Of angular
        // pushes half is believed: the springs of a vehicle swing back.
        let ticks_gained = age * (age + 1) / 2;
        self.gained = [
            each(push_linear, |push| (age * push + ONE / 2) >> RECIPROCAL_PLACES),
            each(push_angular, |push| (age * push + ONE) >> (RECIPROCAL_PLACES + 1)),
        ];
        let travelled = on_each_axis(linear, push_linear, |velocity, push| {
            advance * (age * velocity + ((ticks_gained * push) >> RECIPROCAL_PLACES))
        });
        let moved = on_each_axis(travelled, drift, |travelled, drift| {
            (travelled + age * drift + (1 << (ADVANCE_PLACES - 1))) >> ADVANCE_PLACES
        });
        self.position.values = on_each_axis(position, moved, |from, moved| from + moved);
        self.rotation = self.before.turned(on_each_axis(angular, push_angular, |velocity, push| {
            half_turn * (age * velocity + ((ticks_gained * push) >> (RECIPROCAL_PLACES + 1)))
        }));
        speed
    }

    /// Moves and turns the body as it went from the earlier value to the baseline. Gives its speed along each axis in
    /// steps of linear velocity.
    #[inline]
    fn go_on_from_earlier(&mut self, earlier: Option<(Fields, u32)>) -> [u64; 3] {
        let Some((earlier, apart)) = earlier else {
            self.course = Course::Unknown;
            return [0; 3];
        };
        // What is known is the velocity in the middle between the two.
        self.span = Span::new(self.age + apart / 2, &self.codec.ratios);
        let one_tick = reciprocal(apart);
        let Fields { position, largest, components, .. } = self.baseline;
        let went = on_each_axis(position, earlier.position, |to, from| to - from);
        let average = self.codec.ratios.average;
        let speed = each(went, |steps| {
            ((((steps.abs() * average) >> (RECIPROCAL_PLACES + 1)) * one_tick) >> RECIPROCAL_PLACES) as u64
        });
        let rests = earlier == self.baseline;
        if rests {
            self.course = Course::Resting;
            return speed;
        }
        self.course = Course::Going;
        let ages = i64::from(self.age) * one_tick;
        let go_on = |from: i64, went: i64| from + ((went * ages + ONE / 2) >> RECIPROCAL_PLACES);
        self.position.values = on_each_axis(position, went, go_on);
        // Components compare only where the same one is left out.
        if earlier.largest == largest {
            let half = self.codec.half();
            let turned = on_each_axis(components, earlier.components, |to, from| go_on(to, to - from));
            let held = each(turned, |component| component.clamp(-half, half));
            self.rotation = Quaternion::new(largest, held, half);
        }
        speed
    }

    /// Holds the position within the range, and says how near it should be.
    #[inline]
    fn expect_position(&mut self, speed: [u64; 3]) {
        let codec = self.codec;
        let (span, pushed, ratios) = (self.span, self.pushed, &codec.ratios);
        let max = i64::from(codec.position.max());
        self.position.values = each(self.position.values, |axis| axis.clamp(0, max));
        self.position.orders = match self.course {
            Course::Unknown => [orders::of_unknown_position(span, ratios); 3],
            Course::Resting => [orders::of_position_from_rest(span, ratios); 3],
            Course::Lost => [orders::of_lost_position(span, ratios); 3],
            Course::Going => each(speed, |axis| orders::of_position(span, pushed, axis, ratios)),
        };
    }
}

/// What a velocity has gained in each of `apart` ticks, with [`RECIPROCAL_PLACES`]; nothing where it is more than
/// `most` on any axis, for that was an impact.
#[inline]
pub(super) fn push_between(before: [i64; 3], after: [i64; 3], apart: u32, most: i64) -> [i64; 3] {
    let gained = on_each_axis(after, before, |after, before| after - before);
    let most = most * i64::from(apart);
    if gained.iter().any(|axis| axis.abs() > most) {
        return [0; 3];
    }
    let one_tick = reciprocal(apart);
    each(gained, |axis| axis * one_tick)
}

/// One over a number of ticks that is not zero, with [`RECIPROCAL_PLACES`].
#[inline]
pub(super) fn reciprocal(ticks: u32) -> i64 {
    i64::from((1_u32 << RECIPROCAL_PLACES) / ticks.max(1))
}

/// A change of velocity, unless it is more than could be.
#[inline]
fn held_change(change: i64, most: i64) -> i64 {
    if change.abs() > most { 0 } else { change }
}

const CREDIT_PLACES: u32 = 8;
/// Binary places of a miss times its credit times a share.
const CHANGE_PLACES: u32 = RECIPROCAL_PLACES + DIFFERENCE_PLACES + CREDIT_PLACES;

/// How much of a rotation's miss comes from the velocity, with [`CREDIT_PLACES`], for misses `r` of 1/8, 3/8, 5/8 steps
/// and so on: `r² / (r² + 1)`, because rounding alone makes it miss by up to a step.
const CREDIT: [u8; 32] = [
    4, 32, 72, 111, 143, 167, 186, 199, 210, 217, 224, 228, 232, 235, 238, 240, 242, 243, 245, 246, 247, 247, 248, 249,
    249, 250, 250, 251, 251, 251, 252, 252,
];

#[inline]
fn credit(missed: i64) -> i64 {
    let quarters = (missed.unsigned_abs() >> (DIFFERENCE_PLACES - 2)).min(31);
    CREDIT.get(quarters as usize).map_or(0, |part| i64::from(*part))
}
