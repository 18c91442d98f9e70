use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::Harness;

use crate::scene::{SETTLED, bad_line, line, stats};

#[derive(Component, Debug, Clone, Copy, PartialEq)]
pub struct Velocity {
    pub linear: Vec3,
    pub angular: Vec3,
}

struct Crate;

impl KinematicBody for Crate {
    type Pose = Transform;
    type Motion = Velocity;

    fn body(pose: &Transform, motion: &Velocity) -> BodyState {
        BodyState {
            position: pose.translation.to_array(),
            rotation: pose.rotation.to_array(),
            linear: motion.linear.to_array(),
            angular: motion.angular.to_array(),
        }
    }

    fn pose(body: &BodyState) -> Transform {
        Transform::from_translation(body.position.into()).with_rotation(Quat::from_array(body.rotation))
    }

    fn motion(body: &BodyState) -> Velocity {
        Velocity { linear: body.linear.into(), angular: body.angular.into() }
    }
}

pub fn register(app: &mut App) {
    app.replicate_body::<Crate>(KinematicCodec::new(-512.0..512.0, 0.001));
}

fn at(tick: u32) -> (Transform, Velocity) {
    let time = tick as f32 / 60.0;
    let turn = Quat::from_rotation_y(0.5 * time);
    let velocity = Velocity { linear: Vec3::new(9.0, 0.0, 3.0 * time), angular: Vec3::Y * 0.5 };
    (Transform::from_xyz(9.0 * time, 1.0, 1.5 * time * time).with_rotation(turn), velocity)
}

#[test]
fn bodies_move_within_their_declared_errors_on_good_and_bad_lines() {
    let codec = KinematicCodec::new(-512.0..512.0, 0.001);
    for conditions in [line(40), bad_line()] {
        let mut harness = Harness::new(register);
        let alice = harness.add_client(conditions);
        harness.connect();
        let bodies: Vec<Entity> =
            (0..40).map(|_| harness.server().world_mut().spawn((Replicated, at(0))).id()).collect();
        for tick in 1..=200 {
            for body in &bodies {
                harness.server().world_mut().entity_mut(*body).insert(at(tick));
            }
            harness.run_ticks(1);
        }
        harness.set_conditions(alice, line(20));
        harness.run_ticks(2 * SETTLED);
        let (pose, motion) = at(200);
        for body in &bodies {
            let shown = harness.remote::<Transform>(alice, *body).expect("it arrived");
            let off = (shown.translation - pose.translation).abs().max_element();
            assert!(off <= codec.max_position_error() * 1.01, "{off} m off");
            assert!(shown.rotation.angle_between(pose.rotation) <= codec.max_rotation_error() * 1.1);
            let velocity = harness.remote::<Velocity>(alice, *body).expect("it arrived");
            assert!((velocity.linear - motion.linear).abs().max_element() <= codec.max_linear_error() * 1.01);
            assert!((velocity.angular - motion.angular).abs().max_element() <= codec.max_angular_error() * 1.01);
        }
        assert_eq!(stats(&mut harness, alice).resets, 0);
    }
}

#[test]
fn what_has_no_velocity_is_no_body() {
    let mut harness = Harness::new(register);
    let alice = harness.add_client(line(20));
    harness.connect();
    let entity = harness.server().world_mut().spawn((Replicated, Transform::default())).id();
    harness.run_ticks(SETTLED);
    assert!(harness.remote::<Transform>(alice, entity).is_none());
    harness.server().world_mut().entity_mut(entity).insert(at(1).1);
    harness.run_ticks(SETTLED);
    assert!(
        harness.remote::<Transform>(alice, entity).is_some() && harness.remote::<Velocity>(alice, entity).is_some()
    );
    harness.server().world_mut().entity_mut(entity).remove::<Velocity>();
    harness.run_ticks(SETTLED);
    assert!(
        harness.remote::<Transform>(alice, entity).is_none() && harness.remote::<Velocity>(alice, entity).is_none()
    );
}
