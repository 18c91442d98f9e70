//! A body as words, and words as steps.

use super::{KinematicCodec, each};
use crate::{QuantizedRotation, Quantizer, WireError};

/// Words of a position and a rotation.
pub(super) const POSE_WORDS: usize = 7;
/// Words of a position, a rotation and two velocities.
pub(super) const BODY_WORDS: usize = 13;

const POSITION: &str = "quantised position";
const VELOCITY: &str = "quantised velocity";
const NO_ROTATION: WireError = WireError::Malformed { what: "quantised rotation" };
const WORD_COUNT: WireError = WireError::Malformed { what: "number of words of a body" };

/// A rigid body as a game has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BodyState {
    /// x, y and z in metres.
    pub position: [f32; 3],
    /// A quaternion: x, y, z, w. Its length and its sign do not travel; what is no rotation becomes the identity.
    pub rotation: [f32; 4],
    /// m/s along x, y and z of the world.
    pub linear: [f32; 3],
    /// rad/s about x, y and z of the world, as Rapier and Avian have it.
    pub angular: [f32; 3],
}

impl Default for BodyState {
    fn default() -> Self {
        Self { position: [0.0; 3], rotation: [0.0, 0.0, 0.0, 1.0], linear: [0.0; 3], angular: [0.0; 3] }
    }
}

/// A body's words as signed steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// From 0, as in the words.
    pub(crate) position: [i64; 3],
    pub(crate) largest: u8,
    /// From zero, both ways; and so are the velocities.
    pub(crate) components: [i64; 3],
    pub(crate) linear: [i64; 3],
    pub(crate) angular: [i64; 3],
}

impl KinematicCodec {
    /// Words of one body: 13, or 7 without velocities.
    #[inline]
    #[must_use]
    pub const fn word_count(&self) -> usize {
        if self.velocities { BODY_WORDS } else { POSE_WORDS }
    }

    /// Appends the body's words.
    pub fn quantize(&self, body: &BodyState, words: &mut Vec<u32>) {
        let rotation = self.rotation.quantize(body.rotation);
        words.extend(each(body.position, |axis| self.position.quantize(axis)));
        words.push(u32::from(rotation.largest));
        words.extend(rotation.components);
        if self.velocities {
            words.extend(each(body.linear, |axis| self.linear.quantize(axis)));
            words.extend(each(body.angular, |axis| self.angular.quantize(axis)));
        }
    }

    /// The body that the words stand for; without velocities those are zero.
    ///
    /// # Errors
    /// [`WireError::Malformed`] where there are not [`word_count`](Self::word_count) words or no rotation quantises to
    /// these, [`WireError::ValueOutOfRange`] above a quantiser's greatest.
    pub fn dequantize(&self, words: &[u32]) -> Result<BodyState, WireError> {
        self.check(words)?;
        let Some(([x, y, z, largest, a, b, c], velocities)) = words.split_first_chunk::<POSE_WORDS>() else {
            return Err(WORD_COUNT);
        };
        let rotation = QuantizedRotation { largest: *largest as u8, components: [*a, *b, *c] };
        let pose = BodyState {
            position: each([*x, *y, *z], |axis| self.position.dequantize(axis)),
            rotation: self.rotation.dequantize(rotation),
            ..BodyState::default()
        };
        let [vx, vy, vz, wx, wy, wz] = velocities else { return Ok(pose) };
        Ok(BodyState {
            linear: each([*vx, *vy, *vz], |axis| self.linear.dequantize(axis)),
            angular: each([*wx, *wy, *wz], |axis| self.angular.dequantize(axis)),
            ..pose
        })
    }

    /// The words as steps; what no body quantises to is held to what can be calculated with.
    #[inline]
    pub(crate) fn fields(&self, words: &[u32]) -> Option<Fields> {
        if words.len() != self.word_count() {
            return None;
        }
        let ([x, y, z, largest, a, b, c], velocities) = words.split_first_chunk::<POSE_WORDS>()?;
        let held = |word: &u32, max: u32| i64::from((*word).min(max));
        let [position_max, rotation_max] = [self.position.max(), self.rotation.max()];
        let pose = Fields {
            position: each([x, y, z], |word| held(word, position_max)),
            largest: (*largest & 3) as u8,
            components: each([a, b, c], |word| held(word, rotation_max) - self.half()),
            linear: [0; 3],
            angular: [0; 3],
        };
        let [vx, vy, vz, wx, wy, wz] = velocities else { return Some(pose) };
        Some(Fields {
            linear: each([vx, vy, vz], |word| held(word, self.linear.max()) - self.linear_zero),
            angular: each([wx, wy, wz], |word| held(word, self.angular.max()) - self.angular_zero),
            ..pose
        })
    }

    /// Appends the words of a pose that was checked and of velocities that are checked here.
    pub(super) fn push(&self, fields: &Fields, words: &mut Vec<u32>) -> Result<(), WireError> {
        let velocity = |steps: i64, zero: i64, of: &Quantizer| {
            word_of(steps + zero)
                .filter(|word| *word <= of.max())
                .ok_or_else(|| out_of_range(VELOCITY, steps + zero, of))
        };
        let linear = |steps| velocity(steps, self.linear_zero, &self.linear);
        let angular = |steps| velocity(steps, self.angular_zero, &self.angular);
        let ([vx, vy, vz], [wx, wy, wz]) = (fields.linear, fields.angular);
        let velocities = [linear(vx)?, linear(vy)?, linear(vz)?, angular(wx)?, angular(wy)?, angular(wz)?];

        words.extend(fields.position.map(|axis| axis as u32));
        words.push(u32::from(fields.largest));
        words.extend(fields.components.map(|component| (component + self.half()) as u32));
        if self.velocities {
            words.extend(velocities);
        }
        Ok(())
    }

    pub(super) fn check_position(&self, position: [i64; 3]) -> Result<(), WireError> {
        let max = i64::from(self.position.max());
        let outside = position.into_iter().find(|axis| !(0..=max).contains(axis));
        outside.map_or(Ok(()), |axis| Err(out_of_range(POSITION, axis, &self.position)))
    }

    pub(super) fn check_linear(&self, velocity: [i64; 3]) -> Result<(), WireError> {
        check_velocity(velocity, self.linear_zero, &self.linear)
    }

    pub(super) fn check_angular(&self, velocity: [i64; 3]) -> Result<(), WireError> {
        check_velocity(velocity, self.angular_zero, &self.angular)
    }

    pub(super) fn check_rotation(&self, largest: u8, components: [i64; 3]) -> Result<(), WireError> {
        // What is no word becomes greater than any component may be.
        let components = each(components, |component| word_of(component + self.half()).unwrap_or(u32::MAX));
        if !self.rotation.is_canonical(QuantizedRotation { largest, components }) {
            return Err(NO_ROTATION);
        }
        Ok(())
    }

    /// Whether a body quantises to these words.
    pub(super) fn check(&self, words: &[u32]) -> Result<(), WireError> {
        let Some(([x, y, z, largest, a, b, c], velocities)) = words.split_first_chunk::<POSE_WORDS>() else {
            return Err(WORD_COUNT);
        };
        if words.len() != self.word_count() {
            return Err(WORD_COUNT);
        }
        let within = |words: &[u32], what: &'static str, of: &Quantizer| {
            let found = words.iter().find(|word| **word > of.max());
            found.map_or(Ok(()), |word| Err(out_of_range(what, i64::from(*word), of)))
        };
        within(&[*x, *y, *z], POSITION, &self.position)?;
        let largest = u8::try_from(*largest).unwrap_or(u8::MAX);
        if !self.rotation.is_canonical(QuantizedRotation { largest, components: [*a, *b, *c] }) {
            return Err(NO_ROTATION);
        }
        let (linear, angular) = velocities.split_at_checked(3).unwrap_or_default();
        within(linear, VELOCITY, &self.linear)?;
        within(angular, VELOCITY, &self.angular)
    }
}

fn check_velocity(velocity: [i64; 3], zero: i64, of: &Quantizer) -> Result<(), WireError> {
    let max = i64::from(of.max());
    let outside = velocity.into_iter().find(|axis| !(0..=max).contains(&(axis + zero)));
    outside.map_or(Ok(()), |axis| Err(out_of_range(VELOCITY, axis + zero, of)))
}

fn out_of_range(what: &'static str, value: i64, of: &Quantizer) -> WireError {
    // What is below zero is told as the number that it wraps to.
    WireError::ValueOutOfRange { what, value: value as u64, max: u64::from(of.max()) }
}

fn word_of(value: i64) -> Option<u32> {
    u32::try_from(value).ok()
}
