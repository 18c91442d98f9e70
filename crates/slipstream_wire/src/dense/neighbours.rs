//! Who may move a body that rests: the one that is steered, or one that comes near.

use super::{
    config::BodyFrameConfig,
    history::{Body, Past},
};

/// A body that moved within so many frames is taken to be moving still.
const LIVELY: u8 = 3;

/// Distances are counted in sixths of a body's width, up to 31 of them.
const PARTS: u32 = 6;
const MOST: u32 = 31;

/// Far away from everything, and far enough from the ends of the type to subtract.
const WORLD: i64 = 1 << 28;

/// Places, by axis, so that the distance to all of them is computed in one sweep.
#[derive(Clone, Debug, Default)]
struct Places {
    axes: [Vec<i32>; 3],
}

impl Places {
    fn push(&mut self, place: [i32; 3]) {
        for (axis, coordinate) in self.axes.iter_mut().zip(place) {
            axis.push(coordinate);
        }
    }

    /// Along the axis on which it is greatest: from `place` to the nearest of these.
    fn nearest(&self, place: [i32; 3]) -> u32 {
        let [x, y, z] = place;
        let [xs, ys, zs] = &self.axes;
        let distances = xs.iter().zip(ys).zip(zs);
        distances.fold(u32::MAX, |nearest, ((ox, oy), oz)| {
            nearest.min(x.abs_diff(*ox).max(y.abs_diff(*oy)).max(z.abs_diff(*oz)))
        })
    }
}

/// How near a body is to others, in parts of a body's width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nearness {
    /// To body 0 where it is now.
    pub leader: u32,
    /// To body 0 where it was.
    pub leader_before: u32,
    /// To the nearest body that is expected to move, where it is expected.
    pub expected: u32,
    /// To the nearest body that was coded before this one and moved, where it is.
    pub coded: u32,
    /// As `coded`, twice as fine, up to 63.
    pub coded_finely: u32,
}

/// Of one frame, while it is coded.
#[derive(Clone, Debug)]
pub(crate) struct Neighbours {
    body_size: u32,
    expected: Places,
    coded: Places,
    leader: Option<[i32; 3]>,
    leader_before: [i32; 3],
}

impl Neighbours {
    /// Nothing coded yet.
    pub fn new(config: &BodyFrameConfig, past: &Past<'_>) -> Self {
        let mut expected = Places::default();
        let horizon = config.horizon as i64;
        for (index, now) in past.newest().iter().enumerate() {
            if past.rested(index) < LIVELY {
                let before = past.body(1, index);
                let mut place = now.position;
                for (place, before) in place.iter_mut().zip(before.position) {
                    let velocity = i64::from(*place) - i64::from(before);
                    *place = (i64::from(*place) + horizon * velocity).clamp(-WORLD, WORLD) as i32;
                }
                expected.push(place);
            }
        }
        let leader_before = past.body(0, 0).position;
        Self { body_size: config.body_size, expected, coded: Places::default(), leader: None, leader_before }
    }

    /// Body 0 stands at the first place that is told.
    pub fn coded(&mut self, body: &Body, moved: bool) {
        self.leader.get_or_insert(body.position);
        if moved {
            self.coded.push(body.position);
        }
    }

    /// How near a body that was at `place` is to the others.
    pub fn of(&self, place: [i32; 3]) -> Nearness {
        let expected = self.expected.nearest(place);
        let coded = self.coded.nearest(place);
        let distance = |other: [i32; 3]| {
            place.iter().zip(other).map(|(coordinate, other)| coordinate.abs_diff(other)).max().unwrap_or(0)
        };
        Nearness {
            leader: self.parts(distance(self.leader.unwrap_or(self.leader_before)), PARTS, MOST),
            leader_before: self.parts(distance(self.leader_before), PARTS, MOST),
            expected: self.parts(expected, PARTS, MOST),
            coded: self.parts(coded, PARTS, MOST),
            coded_finely: self.parts(coded, 2 * PARTS, 2 * MOST + 1),
        }
    }

    fn parts(&self, distance: u32, parts: u32, most: u32) -> u32 {
        (u64::from(distance) * u64::from(parts) / u64::from(self.body_size.max(1))).min(u64::from(most)) as u32
    }
}
