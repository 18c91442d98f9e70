//! What both sides know: the last frames, and for how long each body has rested.

use std::collections::VecDeque;

use super::config::BodyFrameConfig;
use crate::WireError;

/// A body's state in whole steps, as it is on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Body {
    /// In steps, the last axis being up.
    pub position: [i32; 3],
    /// Which of x, y, z, w (0 to 3) is left out because it is the greatest.
    pub largest: u8,
    /// The other three, from 0 to [`BodyFrameConfig::rotation_max`].
    pub rotation: [u16; 3],
    /// One bit of the game: whether a player moved the body last, whether it sleeps.
    pub flag: bool,
}

impl Body {
    /// Whether all but the flag is the same.
    #[must_use]
    pub fn rests_at(&self, other: &Self) -> bool {
        self.position == other.position && self.largest == other.largest && self.rotation == other.rotation
    }

    /// An error where a value is out of its range.
    pub(crate) fn validate(&self, config: &BodyFrameConfig) -> Result<(), WireError> {
        if self.largest > 3 {
            return Err(WireError::ValueOutOfRange {
                what: "index of the largest rotation component",
                value: u64::from(self.largest),
                max: 3,
            });
        }
        match self.rotation.iter().find(|component| **component > config.rotation_max) {
            None => Ok(()),
            Some(component) => Err(WireError::ValueOutOfRange {
                what: "quantised rotation component",
                value: u64::from(*component),
                max: u64::from(config.rotation_max),
            }),
        }
    }
}

/// Frames for which a body has not moved, counted up to this.
const MAX_REST: u8 = u8::MAX;

#[derive(Clone, Debug, Default)]
struct Frame {
    bodies: Vec<Body>,
    rested: Vec<u8>,
}

/// The newest frames that both sides have, numbered from 0.
#[derive(Clone, Debug)]
pub(crate) struct BodyHistory {
    bodies: usize,
    capacity: usize,
    frames: VecDeque<Frame>,
    /// Frames that came so far, those that are forgotten too.
    count: usize,
}

impl BodyHistory {
    /// Of `bodies` bodies, keeping `capacity` frames.
    pub fn new(bodies: usize, capacity: usize) -> Self {
        Self { bodies, capacity: capacity.max(1), frames: VecDeque::new(), count: 0 }
    }

    /// Adds the next frame. Bodies that are too many are dropped, missing ones are as they were.
    pub fn push(&mut self, bodies: &[Body]) {
        let forgotten = if self.frames.len() >= self.capacity { self.frames.pop_front() } else { None };
        // Its memory serves again.
        let mut frame = forgotten.unwrap_or_default();
        frame.bodies.clear();
        frame.rested.clear();
        for index in 0..self.bodies {
            let before = self.frames.back().and_then(|last| last.bodies.get(index));
            let now = bodies.get(index).or(before).copied().unwrap_or_default();
            let rested = self.frames.back().and_then(|last| last.rested.get(index)).copied().unwrap_or(MAX_REST);
            let rests = before.is_none_or(|before| before.rests_at(&now));
            frame.rested.push(if rests { rested.saturating_add(1) } else { 0 });
            frame.bodies.push(now);
        }
        self.frames.push_back(frame);
        self.count += 1;
    }

    /// Number of the newest frame, if any came.
    pub fn newest(&self) -> Option<usize> {
        self.count.checked_sub(1)
    }

    /// Frame `number`; the oldest where it is forgotten.
    fn frame(&self, number: usize) -> Option<&Frame> {
        let oldest = self.count.saturating_sub(self.frames.len());
        self.frames.get(number.saturating_sub(oldest))
    }

    /// The bodies of frame `number`, none where it did not come yet.
    pub fn bodies(&self, number: usize) -> &[Body] {
        self.frame(number).map(|frame| frame.bodies.as_slice()).unwrap_or_default()
    }

    #[cfg(test)]
    pub fn body(&self, number: usize, index: usize) -> Body {
        self.bodies(number)[index]
    }
}

/// Frames that can be asked for, the newest included.
const AGES: usize = 24;

/// Frames that a prediction may look at: the newest known one and those before it.
///
/// Before the first frame everything stood as in the first.
pub(crate) struct Past<'a> {
    ages: [&'a [Body]; AGES],
    rested: &'a [u8],
}

impl<'a> Past<'a> {
    /// What was known when frame `known` was the newest.
    pub fn new(history: &'a BodyHistory, known: usize) -> Self {
        let nothing: &[Body] = &[];
        let mut ages = [nothing; AGES];
        for (age, bodies) in ages.iter_mut().enumerate() {
            *bodies = history.bodies(known.saturating_sub(age));
        }
        let rested = history.frame(known).map(|frame| frame.rested.as_slice()).unwrap_or_default();
        Self { ages, rested }
    }

    /// Body `index` as it was `age` frames before the newest.
    #[inline]
    pub fn body(&self, age: usize, index: usize) -> Body {
        self.ages.get(age).and_then(|bodies| bodies.get(index)).copied().unwrap_or_default()
    }

    /// Frames for which body `index` has not moved, up to 255; 0 where it moved in the newest one.
    #[inline]
    pub fn rested(&self, index: usize) -> u8 {
        self.rested.get(index).copied().unwrap_or(MAX_REST)
    }

    /// All bodies of the newest frame.
    pub fn newest(&self) -> &'a [Body] {
        let [newest, ..] = self.ages;
        newest
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One body that flies freely, engine step by engine step, its position rounded only for the history.
    pub(crate) fn throw(velocity: [f64; 3], gravity: f64, damping: f64, frames: usize) -> BodyHistory {
        let mut history = BodyHistory::new(1, frames);
        let mut position = [1000.0, -2000.0, 3000.0];
        let mut velocity = velocity;
        for _ in 0..frames {
            let rounded = position.map(|coordinate: f64| coordinate.round() as i32);
            history.push(&[Body { position: rounded, largest: 3, rotation: [256; 3], flag: false }]);
            velocity = velocity.map(|component| component * damping);
            velocity[2] += gravity;
            for axis in 0..3 {
                position[axis] += velocity[axis];
            }
        }
        history
    }

    fn at(x: i32) -> [Body; 1] {
        [Body { position: [x, 0, 0], ..Body::default() }]
    }

    #[test]
    fn rest_is_counted_from_the_last_move() {
        let mut history = BodyHistory::new(1, 4);
        let rested: Vec<u8> = [5, 5, 6, 6, 6, 7]
            .into_iter()
            .enumerate()
            .map(|(number, x)| {
                history.push(&at(x));
                Past::new(&history, number).rested(0)
            })
            .collect();
        assert_eq!(rested, [255, 255, 0, 1, 2, 0]);
    }

    #[test]
    fn the_past_begins_with_the_first_frame_known() {
        let mut history = BodyHistory::new(1, 3);
        for x in 0..5 {
            history.push(&at(x));
        }
        let past = Past::new(&history, 4);
        assert_eq!([0, 1, 2, 3, 20].map(|age| past.body(age, 0).position[0]), [4, 3, 2, 2, 2]);
        assert_eq!(past.body(0, 1), Body::default());
    }

    #[test]
    fn a_body_that_is_missing_stays_as_it_was() {
        let mut history = BodyHistory::new(1, 3);
        history.push(&at(7));
        history.push(&[]);
        assert_eq!(history.body(1, 0).position[0], 7);
    }
}
