//! What a diligent user of replicon would write to save bandwidth: pose and motion as quantised integers, packed into whole
//! bytes, as precisely as Slipstream sends them. 12 and 10 bytes instead of 28 and 24.
//!
//! | | step | bits |
//! |---|---|---|
//! | position | 1 mm within ±512 m | 3 × 20 |
//! | rotation | the smallest three components | 2 + 3 × 11 |
//! | linear velocity | 1/64 m/s within ±64 m/s | 3 × 13 |
//! | angular velocity | 1/128 rad/s within ±16 rad/s | 3 × 12 |

use bevy::prelude::*;
use bevy_replicon::bytes::Bytes;
use bevy_replicon::prelude::*;
use bevy_replicon::shared::replication::registry::ctx::{SerializeCtx, WriteCtx};

use crate::components::{Motion, Pose};

const POSITION: Steps = Steps { bits: 20, per_unit: 1000.0 };
const LINEAR: Steps = Steps { bits: 13, per_unit: 64.0 };
const ANGULAR: Steps = Steps { bits: 12, per_unit: 128.0 };
const ROTATION_BITS: u32 = 11;
const POSE_BYTES: usize = 12;
const MOTION_BYTES: usize = 10;

pub fn register(app: &mut App) {
    app.replicate_with(RuleFns::new(serialize_pose, deserialize_pose))
        .replicate_with(RuleFns::new(serialize_motion, deserialize_motion));
}

fn serialize_pose(_context: &mut SerializeCtx, pose: &Pose, message: &mut Vec<u8>) -> Result<()> {
    let mut packed = Packed::default();
    packed.push_vector(POSITION, pose.position);
    packed.push_rotation(pose.rotation);
    packed.write(POSE_BYTES, message);
    Ok(())
}

fn deserialize_pose(_context: &mut WriteCtx, message: &mut Bytes) -> Result<Pose> {
    let mut packed = Packed::read(POSE_BYTES, message)?;
    Ok(Pose { position: packed.take_vector(POSITION), rotation: packed.take_rotation() })
}

fn serialize_motion(_context: &mut SerializeCtx, motion: &Motion, message: &mut Vec<u8>) -> Result<()> {
    let mut packed = Packed::default();
    packed.push_vector(LINEAR, motion.linear);
    packed.push_vector(ANGULAR, motion.angular);
    packed.write(MOTION_BYTES, message);
    Ok(())
}

fn deserialize_motion(_context: &mut WriteCtx, message: &mut Bytes) -> Result<Motion> {
    let mut packed = Packed::read(MOTION_BYTES, message)?;
    Ok(Motion { linear: packed.take_vector(LINEAR), angular: packed.take_vector(ANGULAR) })
}

/// Numbers on both sides of zero, as whole steps.
#[derive(Clone, Copy)]
struct Steps {
    bits: u32,
    per_unit: f32,
}

impl Steps {
    fn middle(self) -> f32 {
        (1_u32 << (self.bits - 1)) as f32
    }

    fn quantise(self, value: f32) -> u128 {
        let greatest = (1_u32 << self.bits) - 1;
        // Out of range is clamped, and so is what is no number: `as` makes it zero.
        ((value * self.per_unit + self.middle()).round() as u32).min(greatest).into()
    }

    fn dequantise(self, steps: u128) -> f32 {
        (steps as f32 - self.middle()) / self.per_unit
    }
}

/// Up to 128 bits, the first ones lowest.
#[derive(Default)]
struct Packed {
    bits: u128,
    used: u32,
}

impl Packed {
    fn push(&mut self, value: u128, bits: u32) {
        self.bits |= value << self.used;
        self.used += bits;
    }

    fn take(&mut self, bits: u32) -> u128 {
        let value = self.bits & ((1 << bits) - 1);
        self.bits >>= bits;
        value
    }

    fn push_vector(&mut self, steps: Steps, vector: Vec3) {
        for axis in vector.to_array() {
            self.push(steps.quantise(axis), steps.bits);
        }
    }

    fn take_vector(&mut self, steps: Steps) -> Vec3 {
        let mut axis = || steps.dequantise(self.take(steps.bits));
        Vec3::new(axis(), axis(), axis())
    }

    /// Which component is the largest, then the others, which lie within ±√½.
    fn push_rotation(&mut self, rotation: Quat) {
        let components = rotation.to_array();
        let mut largest = 0;
        for (index, component) in components.iter().enumerate() {
            if component.abs() > components[largest].abs() {
                largest = index;
            }
        }
        // A rotation and its negative are the same: the largest is made positive.
        let sign = if components[largest] < 0.0 { -1.0 } else { 1.0 };
        self.push(largest as u128, 2);
        let greatest = ((1 << ROTATION_BITS) - 1) as f32;
        for (index, component) in components.iter().enumerate() {
            if index != largest {
                let share = (sign * component * core::f32::consts::SQRT_2 + 1.0) / 2.0;
                self.push((share.clamp(0.0, 1.0) * greatest).round() as u128, ROTATION_BITS);
            }
        }
    }

    fn take_rotation(&mut self) -> Quat {
        let largest = self.take(2) as usize;
        let greatest = ((1 << ROTATION_BITS) - 1) as f32;
        let mut components = [0.0_f32; 4];
        let mut rest = 1.0_f32;
        for (index, component) in components.iter_mut().enumerate() {
            if index != largest {
                let share = self.take(ROTATION_BITS) as f32 / greatest;
                *component = (share * 2.0 - 1.0) * core::f32::consts::FRAC_1_SQRT_2;
                rest -= *component * *component;
            }
        }
        components[largest] = rest.max(0.0).sqrt();
        Quat::from_array(components).normalize()
    }

    fn write(&self, bytes: usize, message: &mut Vec<u8>) {
        message.extend_from_slice(&self.bits.to_le_bytes()[..bytes]);
    }

    fn read(bytes: usize, message: &mut Bytes) -> Result<Self> {
        if message.len() < bytes {
            return Err(format!("expected {bytes} bytes, got {}", message.len()).into());
        }
        let mut all = [0; 16];
        all[..bytes].copy_from_slice(&message.split_to(bytes));
        Ok(Self { bits: u128::from_le_bytes(all), used: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pose_survives_within_its_steps() {
        let position = Vec3::new(-511.25, 3.001, 17.5);
        let rotation = Quat::from_euler(EulerRot::YXZ, 2.0, -0.4, 0.1);
        let mut packed = Packed::default();
        packed.push_vector(POSITION, position);
        packed.push_rotation(rotation);
        assert!(packed.used <= POSE_BYTES as u32 * 8);
        let mut message = Vec::new();
        packed.write(POSE_BYTES, &mut message);
        let mut packed = Packed::read(POSE_BYTES, &mut Bytes::from(message)).unwrap();
        assert!(packed.take_vector(POSITION).distance(position) < 0.001);
        assert!(packed.take_rotation().angle_between(rotation) < 0.003);
    }
}
