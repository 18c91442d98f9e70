//! Driving: the driver's command becomes wheel forces, through Rapier's ray-cast vehicle controller.
//!
//! Numbers: 0 to 15 m/s in 2 s, top speed 22 m/s, 8 m/s in reverse, full braking at 14 m/s². Steering is limited so that
//! the turn asks for at most 15 m/s² of grip. The handbrake locks the rear wheels and lets them slide. Righting a
//! vehicle works when it lies or stands still, once in 2 s.
//!
//! The controller is built anew each tick from [`WheelPose`] and holds nothing: there is no hidden state that a rollback
//! could forget.

use std::f32::consts::TAU;

use bevy::prelude::*;
use bevy_rapier3d::parry::query::DefaultQueryDispatcher;
use bevy_rapier3d::prelude::{
    DefaultRapierContext, RapierContextColliders, RapierContextSimulation, RapierRigidBodyHandle, RapierRigidBodySet,
    Velocity,
};
use bevy_rapier3d::rapier::control::{DynamicRayCastVehicleController, WheelTuning};
use bevy_rapier3d::rapier::dynamics::RigidBodyHandle;
use bevy_rapier3d::rapier::pipeline::QueryFilter;
use leafwing_input_manager::prelude::ActionState;

use crate::actions::{DriveAction, DriveCommand};
use crate::health::Wreck;
use crate::pace::{TICK_SECONDS, ticks};
use crate::vehicle::{
    MASS, MAX_STEER, SUSPENSION_REST, Vehicle, WHEEL_BASE, WHEEL_OFFSETS, WHEEL_RADIUS, WheelPose, yaw_of,
};

/// The speed at which the engine has nothing left to give, in m/s.
pub const TOP_SPEED: f32 = 22.0;
/// The same in reverse.
pub const TOP_REVERSE_SPEED: f32 = 8.0;

/// The engine's pull from standing, in m/s². With the fall to zero at [`TOP_SPEED`], 15 m/s take 2 s.
const ACCELERATION: f32 = 9.2;
const REVERSE_ACCELERATION: f32 = 6.0;
const BRAKING: f32 = 14.0;
/// What slows a vehicle that rolls freely, in m/s².
const ROLLING: f32 = 1.5;
const HANDBRAKE: f32 = 20.0;

/// The widest steering angle when slow, in radians.
const STEER: f32 = 0.6;
/// The sideways acceleration that full steering asks for, in m/s².
const STEER_ACCELERATION: f32 = 15.0;
/// A sliding vehicle may be steered this much further.
const HANDBRAKE_STEER: f32 = 1.4;
/// How fast the front wheels turn, in rad/s.
const STEER_RATE: f32 = 4.0;

const GRIP_FRONT: f32 = 1.8;
const GRIP_REAR: f32 = 1.7;
const GRIP_LOCKED: f32 = 0.75;

/// How long until a vehicle can be righted again, in ticks.
const FLIP_WAIT: u32 = ticks(2);

/// Ticks until the vehicle can be righted again.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlipWait(u32);

/// What the wheels shall do in one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Effort {
    /// Forward acceleration by the engine, in m/s².
    acceleration: f32,
    /// Braking of all wheels, in m/s².
    braking: f32,
}

/// What throttle and brakes do at a forward speed in m/s.
fn effort(throttle: f32, speed: f32) -> Effort {
    let pull = |most: f32, top: f32| most * (1.0 - (speed / top).powi(2)).max(0.0);
    let acceleration = if throttle > 0.0 && speed > -1.0 {
        throttle * pull(ACCELERATION, TOP_SPEED)
    } else if throttle < 0.0 && speed < 1.0 {
        throttle * pull(REVERSE_ACCELERATION, TOP_REVERSE_SPEED)
    } else if throttle != 0.0 {
        return Effort { acceleration: 0.0, braking: BRAKING * throttle.abs() };
    } else {
        0.0
    };
    Effort { acceleration, braking: if acceleration == 0.0 { ROLLING } else { 0.0 } }
}

/// The angle that the front wheels shall reach, in radians, positive to the left.
fn wanted_steer(steer: f32, speed: f32, handbrake: bool) -> f32 {
    let most = (WHEEL_BASE * STEER_ACCELERATION / (speed * speed).max(0.01)).atan().min(STEER);
    let most = if handbrake { most * HANDBRAKE_STEER } else { most };
    (-steer * most).clamp(-MAX_STEER, MAX_STEER)
}

fn wheel_tuning(grip: f32) -> WheelTuning {
    WheelTuning {
        suspension_stiffness: 45.0,
        suspension_compression: 3.3,
        suspension_damping: 5.3,
        max_suspension_travel: 0.3,
        side_friction_stiffness: 1.0,
        friction_slip: grip,
        max_suspension_force: 40_000.0,
    }
}

/// The controller of one vehicle for one tick.
fn controller(
    chassis: RigidBodyHandle,
    steer: f32,
    effort: Effort,
    handbrake: bool,
) -> DynamicRayCastVehicleController {
    let mut controller = DynamicRayCastVehicleController::new(chassis);
    controller.index_forward_axis = 2;
    for (index, offset) in WHEEL_OFFSETS.into_iter().enumerate() {
        let rear = index >= 2;
        let locked = rear && handbrake;
        let grip = match (rear, locked) {
            (_, true) => GRIP_LOCKED,
            (true, false) => GRIP_REAR,
            (false, _) => GRIP_FRONT,
        };
        // The axle points right, so that the wheel rolls towards -Z.
        let wheel =
            controller.add_wheel(offset, Vec3::NEG_Y, Vec3::X, SUSPENSION_REST, WHEEL_RADIUS, &wheel_tuning(grip));
        wheel.steering = if rear { 0.0 } else { steer };
        wheel.engine_force = if locked { 0.0 } else { effort.acceleration * MASS / 4.0 };
        // Rapier takes the brake as the most impulse of one step.
        let braking = if locked { HANDBRAKE } else { effort.braking };
        wheel.brake = braking * MASS / 4.0 * TICK_SECONDS;
    }
    controller
}

/// Applies springs, engine, brakes and grip to every vehicle. In `Simulation`, between Rapier's `SyncBackend` and
/// `StepSimulation`.
pub fn drive_vehicles(
    mut worlds: Query<
        (&RapierContextSimulation, &mut RapierContextColliders, &mut RapierRigidBodySet),
        With<DefaultRapierContext>,
    >,
    mut vehicles: Query<(&RapierRigidBodyHandle, &ActionState<DriveAction>, &mut WheelPose, Has<Wreck>), With<Vehicle>>,
) {
    let Ok((simulation, mut colliders, mut bodies)) = worlds.single_mut() else {
        return;
    };
    for (handle, actions, mut pose, wrecked) in &mut vehicles {
        let Some(body) = bodies.bodies.get(handle.0) else {
            continue;
        };
        // A body without mass, before its collider counts, would turn the friction into NaN.
        if body.mass_properties().effective_inv_mass.x <= 0.0 {
            continue;
        }
        let forward = *body.rotation() * Vec3::NEG_Z;
        let speed = forward.dot(body.linvel());
        let command = if wrecked { DriveCommand::PARKED } else { DriveCommand::read(actions) };

        let wanted = wanted_steer(command.steer, speed, command.handbrake);
        let turn = (wanted - pose.steer).clamp(-STEER_RATE * TICK_SECONDS, STEER_RATE * TICK_SECONDS);
        let steer = pose.steer + turn;

        let effort = effort(command.throttle, speed);
        let mut controller = controller(handle.0, steer, effort, command.handbrake);
        // Wheels stand on the arena, never on other vehicles.
        let filter = QueryFilter::exclude_dynamic().exclude_sensors().exclude_rigid_body(handle.0);
        let queries = simulation.broad_phase.as_query_pipeline_mut(
            &DefaultQueryDispatcher,
            &mut bodies.bodies,
            &mut colliders.colliders,
            filter,
        );
        controller.update_vehicle(TICK_SECONDS, queries);

        let mut stands = WheelPose { steer, ..*pose };
        for (travel, wheel) in stands.travel.iter_mut().zip(controller.wheels()) {
            *travel = wheel.raycast_info().suspension_length;
        }
        let rolled = controller.wheels().iter().map(|wheel| wheel.rotation).sum::<f32>() / 4.0;
        stands.spin = (stands.spin + rolled).rem_euclid(TAU);
        pose.set_if_neq(stands);
    }
}

/// Puts vehicles back on their wheels whose drivers ask for it. In `Simulation`, before Rapier reads the components.
pub fn right_vehicles(
    mut vehicles: Query<
        (&ActionState<DriveAction>, &mut Transform, &mut Velocity, &mut FlipWait),
        (With<Vehicle>, Without<Wreck>),
    >,
) {
    for (actions, mut transform, mut velocity, mut wait) in &mut vehicles {
        if wait.0 > 0 {
            wait.0 -= 1;
            continue;
        }
        let upright = (transform.rotation * Vec3::Y).y;
        let lies = upright < 0.7 || velocity.linear.length() < 1.0;
        if !lies || !DriveCommand::read(actions).flip {
            continue;
        }
        transform.rotation = Quat::from_rotation_y(yaw_of(transform.rotation));
        transform.translation.y += 1.0;
        *velocity = Velocity::zero();
        wait.0 = FLIP_WAIT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_reaches_fifteen_metres_a_second_in_two_seconds_and_never_exceeds_the_top() {
        let mut speed = 0.0_f32;
        for _ in 0..120 {
            speed += effort(1.0, speed).acceleration * TICK_SECONDS;
        }
        assert!((14.0..16.0).contains(&speed), "{speed}");
        assert_eq!(effort(1.0, TOP_SPEED).acceleration, 0.0);
        assert!(effort(1.0, TOP_SPEED).braking > 0.0);
    }

    #[test]
    fn backwards_throttle_brakes_first() {
        assert_eq!(effort(-1.0, 10.0), Effort { acceleration: 0.0, braking: BRAKING });
        assert!(effort(-1.0, 0.0).acceleration < 0.0);
        assert!(effort(1.0, -5.0).braking > 0.0);
    }

    #[test]
    fn steering_narrows_with_speed_and_right_is_negative() {
        assert!(wanted_steer(1.0, 0.0, false) < 0.0);
        assert!(wanted_steer(1.0, 20.0, false).abs() < wanted_steer(1.0, 5.0, false).abs());
        assert!(wanted_steer(-1.0, 0.0, true) <= MAX_STEER);
    }
}
