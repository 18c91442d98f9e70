//! How far from what is expected a value usually is, as the order of its class code.
//!
//! The tables were fitted to a model of the reference game's vehicles, driven by its bots and by a stand-in for hands
//! on keys (1 mm, 1/64 m/s, 11 bits, 1/128 rad/s, 60 ticks a second). They are flat about their best: a whole table
//! that is one off costs half a bit a body. The laws behind them: an acceleration that nobody foresaw moves a body with
//! the square of the age; a body that does not move along an axis is rarely pushed along it (a vehicle does not lift
//! off); what missed in position missed in velocity.

use super::{class_code::MAX_ORDER, ratios::Ratios};

/// One entry for each age from 1 to 16 sixtieths of a second.
type ByAge = [i8; 16];

/// Steps of position, at most, where the body goes on at its velocity.
const POSITION: ByAge = [2, 3, 4, 5, 5, 6, 6, 7, 7, 7, 8, 8, 8, 8, 9, 9];
/// The same where its acceleration is known.
const POSITION_PUSHED: ByAge = [0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 6, 7, 7, 7];
/// And no more than this and the bits of the speed along the axis.
const POSITION_BY_SPEED: ByAge = [-5, -2, -1, -1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2];
/// A body that rested is pushed gently at first.
const POSITION_FROM_REST: i64 = 4;
/// A body of which nothing was heard for a second, and a doubling more for each of its age beyond the tables.
const POSITION_LOST: i64 = 9;
/// A body that may move or not, and a doubling more for each of its age, at most as many as that.
const POSITION_UNKNOWN: i64 = 5;

/// The order of a velocity is the bits of what the position missed less this, …
const LINEAR_BY_MISS: ByAge = [2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3];
/// … but at least this where it missed at all, …
const LINEAR_LEAST: ByAge = [2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
/// … and at most this where the acceleration was not known: then the miss tells of it, and not of how it changed.
const LINEAR_MOST: ByAge = [2, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4];

/// Steps of rotation, at most.
const ROTATION: ByAge = [0, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6];
/// The same where the angular acceleration is known.
const ROTATION_PUSHED: ByAge = [0, 0, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6, 6];
const ROTATION_UNKNOWN: i64 = 3;

const ANGULAR_MOST: i64 = 7;

/// An age as far as it matters for orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Into the tables.
    index: usize,
    /// Doublings beyond them, from one on.
    beyond: i64,
    /// In sixtieths of a second.
    sixtieths: i64,
}

impl Span {
    #[inline]
    pub(super) fn new(ticks: u32, ratios: &Ratios) -> Self {
        let sixtieths = ((i64::from(ticks) * ratios.sixtieths + 128) >> 8).max(1);
        let beyond = if sixtieths > 16 { (bits(sixtieths.unsigned_abs()) - 4).min(4) } else { 0 };
        Self { index: (sixtieths.min(16) - 1) as usize, beyond, sixtieths }
    }

    #[inline]
    fn of(&self, table: &ByAge) -> i64 {
        table.get(self.index).map_or(0, |entry| i64::from(*entry))
    }
}

/// Orders of a position where the body goes on. `speed` is in steps of linear velocity along the axis.
#[inline]
pub(super) fn of_position(span: Span, pushed: bool, speed: u64, ratios: &Ratios) -> u32 {
    let most = span.of(if pushed { &POSITION_PUSHED } else { &POSITION });
    let by_speed = bits(speed) - ratios.linear_fineness + span.of(&POSITION_BY_SPEED);
    held(most.min(by_speed) + span.beyond + ratios.position_fineness)
}

#[inline]
pub(super) fn of_position_from_rest(span: Span, ratios: &Ratios) -> u32 {
    held(span.of(&POSITION).min(POSITION_FROM_REST) + ratios.position_fineness)
}

#[inline]
pub(super) fn of_lost_position(span: Span, ratios: &Ratios) -> u32 {
    held(POSITION_LOST + span.beyond + ratios.position_fineness)
}

#[inline]
pub(super) fn of_unknown_position(span: Span, ratios: &Ratios) -> u32 {
    held((POSITION_UNKNOWN + bits(span.sixtieths.unsigned_abs())).min(POSITION_LOST) + ratios.position_fineness)
}

/// The order of a linear velocity where the position missed by `missed`, folded.
#[inline]
pub(super) fn of_linear(span: Span, pushed: bool, missed: u64, ratios: &Ratios) -> u32 {
    if missed == 0 {
        return 0;
    }
    let by_miss = bits(missed) - ratios.position_fineness - span.of(&LINEAR_BY_MISS);
    let order = by_miss.max(span.of(&LINEAR_LEAST));
    let order = if pushed { order } else { order.min(span.of(&LINEAR_MOST) + span.beyond) };
    held(order + ratios.linear_fineness)
}

/// The order of a component of a rotation that should have moved by `moved` steps since the baseline.
#[inline]
pub(super) fn of_rotation(span: Span, pushed: bool, moved: u64, ratios: &Ratios) -> u32 {
    let usual = moved >> ratios.rotation_fineness.max(0);
    let by_motion = bits(usual) - 1 + i64::from(span.index >= 8);
    held(by_motion.clamp(0, most_of_rotation(span, pushed)) + ratios.rotation_fineness)
}

#[inline]
pub(super) fn of_lost_rotation(span: Span, pushed: bool, ratios: &Ratios) -> u32 {
    held(most_of_rotation(span, pushed) + ratios.rotation_fineness)
}

#[inline]
pub(super) fn of_unknown_rotation(span: Span, ratios: &Ratios) -> u32 {
    held(ROTATION_UNKNOWN + span.index.min(2) as i64 + ratios.rotation_fineness)
}

#[inline]
fn most_of_rotation(span: Span, pushed: bool) -> i64 {
    span.of(if pushed { &ROTATION_PUSHED } else { &ROTATION }) + span.beyond.min(1)
}

/// The order of an angular velocity where the rotation about its axis missed by `missed` half steps.
#[inline]
pub(super) fn of_angular(missed: u64, ratios: &Ratios) -> u32 {
    let missed = if missed == 0 { 0 } else { (bits(missed) - ratios.rotation_fineness).max(0) };
    let order = if missed <= 1 { missed } else { (missed - 2).clamp(2, ANGULAR_MOST) };
    held(order + ratios.angular_fineness)
}

#[inline]
fn bits(value: u64) -> i64 {
    i64::from(u64::BITS - value.leading_zeros())
}

#[inline]
fn held(order: i64) -> u32 {
    order.clamp(0, i64::from(MAX_ORDER)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> Ratios {
        Ratios { sixtieths: 256, ..Ratios::default() }
    }

    #[test]
    fn orders_grow_with_age_and_speed() {
        let order = |ticks, speed| of_position(Span::new(ticks, &usual()), false, speed, &usual());
        assert_eq!([1, 2, 4, 6, 12].map(|ticks| order(ticks, 768)), [2, 3, 5, 6, 8]);
        assert_eq!([0, 1, 4, 32, 512].map(|speed| order(4, speed)), [0, 0, 2, 5, 5]);
        // Beyond the tables: another for each doubling of the age, four at most.
        assert_eq!([16, 17, 32, 64, 128, 10_000].map(|ticks| order(ticks, 768)), [9, 10, 11, 12, 13, 13]);
    }

    #[test]
    fn finer_steps_have_greater_orders() {
        let fine = Ratios { position_fineness: 2, linear_fineness: 1, ..usual() };
        let span = Span::new(4, &fine);
        assert_eq!(of_position(span, false, 768, &fine), 7);
        // The same miss is two doublings less in usual steps.
        assert_eq!(of_linear(span, true, 1 << 8, &fine), of_linear(span, true, 1 << 6, &usual()) + 1);
    }
}
