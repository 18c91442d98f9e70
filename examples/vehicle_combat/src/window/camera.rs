//! The chase camera: behind the own vehicle, looking where the player aims, never inside a wall.

use bevy::core_pipeline::tonemapping::Tonemapping;
use bevy::prelude::*;

use super::controls::Aim;
use super::sky::HORIZON;
use super::visual::{OwnPose, blend};
use crate::arena::Arena;

/// How far behind the vehicle the camera wants to be, in metres.
const DISTANCE: f32 = 9.0;
/// Height of the point it looks past, above the vehicle's centre.
const FOCUS_HEIGHT: f32 = 2.3;
/// The camera looks this much lower than the gun aims, so that the vehicle stays in the picture (radians).
const LOOK_DOWN: f32 = 0.13;
/// Room the camera keeps to what is solid, in metres.
const CLEARANCE: f32 = 0.45;
const LOWEST: f32 = 0.6;

/// The camera and what it remembers from frame to frame.
#[derive(Component)]
pub(super) struct ChaseCamera {
    focus: Vec3,
    distance: f32,
}

/// How hard the picture shakes, 0 to 1; explosions raise it.
#[derive(Resource, Default)]
pub(super) struct Shake(pub f32);

/// Spawns the camera, high over the arena until there is a vehicle to chase.
pub(super) fn spawn_camera(mut commands: Commands, arena: Res<Arena>) {
    let reach = arena.half_size().min_element();
    let eye = Vec3::new(0.0, reach * 0.45, reach * 0.9);
    commands.spawn((
        ChaseCamera { focus: Vec3::ZERO, distance: DISTANCE },
        Camera3d::default(),
        Projection::Perspective(PerspectiveProjection { fov: 62.0_f32.to_radians(), ..default() }),
        // Keeps saturated colours saturated, and needs no look-up table.
        Tonemapping::KhronosPbrNeutral,
        DistanceFog {
            color: HORIZON,
            directional_light_color: Color::srgba(1.0, 0.55, 0.30, 0.35),
            directional_light_exponent: 14.0,
            falloff: FogFalloff::from_visibility_squared(420.0),
        },
        Transform::from_translation(eye).looking_at(Vec3::ZERO, Vec3::Y),
    ));
}

/// Moves the camera behind the drawn vehicle, or around the arena while there is none.
pub(super) fn chase_vehicle(
    time: Res<Time>,
    arena: Res<Arena>,
    aim: Res<Aim>,
    own: Res<OwnPose>,
    mut shake: ResMut<Shake>,
    camera: Single<(&mut Transform, &mut ChaseCamera)>,
) {
    let (mut transform, mut chase) = camera.into_inner();
    let seconds = time.delta_secs();
    let Some(vehicle) = own.0 else {
        let angle = time.elapsed_secs() * 0.12;
        let reach = arena.half_size().min_element();
        let radius = reach * 0.85;
        let eye = Vec3::new(angle.sin() * radius, reach * 0.4, angle.cos() * radius);
        *transform = Transform::from_translation(eye).looking_at(Vec3::ZERO, Vec3::Y);
        return;
    };

    let wanted_focus = vehicle.translation + Vec3::Y * FOCUS_HEIGHT;
    if chase.focus.distance(wanted_focus) > DISTANCE {
        chase.focus = wanted_focus;
    } else {
        // The vehicle is already smoothed; bumps of the ground are softened further, the horizontal place is not.
        let height = chase.focus.y.lerp(wanted_focus.y, blend(12.0, seconds));
        chase.focus = wanted_focus.with_y(height);
    }

    let look = Quat::from_euler(EulerRot::YXZ, aim.yaw, aim.pitch - LOOK_DOWN, 0.0);
    let back = look * Vec3::Z;
    let free = free_distance(&arena, chase.focus, back, DISTANCE);
    // In at once, so that no frame is drawn from inside an obstacle; out slowly.
    chase.distance = if free < chase.distance { free } else { chase.distance.lerp(free, blend(3.0, seconds)) };
    let eye = chase.focus + back * chase.distance;

    let moment = time.elapsed_secs();
    let tremor = Vec3::new((moment * 61.0).sin(), (moment * 53.0).cos(), (moment * 47.0).sin());
    transform.translation = eye.with_y(eye.y.max(LOWEST)) + tremor * shake.0 * 0.22;
    transform.rotation = look;
    shake.0 = (shake.0 - seconds * 2.2).max(0.0);
}

/// How far one can go from `origin` along the unit vector `direction`, up to `wanted` metres, before anything solid.
fn free_distance(arena: &Arena, origin: Vec3, direction: Vec3, wanted: f32) -> f32 {
    let half = arena.half_size();
    let inside = Vec3::new(half.x, 10_000.0, half.y);
    let mut free = wanted.min(leave_box(origin, direction, inside));
    for obstacle in &arena.obstacles {
        let turn = obstacle.rotation().inverse();
        let local = turn * (origin - obstacle.center);
        free = free.min(reach_box(local, turn * direction, obstacle.half_extents));
    }
    for ramp in &arena.ramps {
        // The wedge's box: a little room is lost above the low end of a ramp.
        let turn = ramp.rotation().inverse();
        let half = Vec3::new(ramp.width, ramp.height, ramp.length) / 2.0;
        let centre = ramp.base + Vec3::Y * half.y;
        free = free.min(reach_box(turn * (origin - centre), turn * direction, half));
    }
    (free - CLEARANCE).max(1.0)
}

/// Distance along a ray to a box around the origin, by the slab method; infinite when it misses or starts inside.
fn reach_box(origin: Vec3, direction: Vec3, half_extents: Vec3) -> f32 {
    let (mut enter, mut leave) = (f32::NEG_INFINITY, f32::INFINITY);
    for axis in 0..3 {
        let (from, along, half) = (origin[axis], direction[axis], half_extents[axis]);
        if along.abs() < 1e-6 {
            if from.abs() > half {
                return f32::INFINITY;
            }
            continue;
        }
        let (near, far) = ((-half - from) / along, (half - from) / along);
        enter = enter.max(near.min(far));
        leave = leave.min(near.max(far));
    }
    if enter <= leave && enter > 0.0 { enter } else { f32::INFINITY }
}

/// Distance along a ray that starts inside a box around the origin until it leaves it.
fn leave_box(origin: Vec3, direction: Vec3, half_extents: Vec3) -> f32 {
    let mut leave = f32::INFINITY;
    for axis in 0..3 {
        let along = direction[axis];
        if along.abs() >= 1e-6 {
            let wall = half_extents[axis].copysign(along);
            leave = leave.min(((wall - origin[axis]) / along).max(0.0));
        }
    }
    leave
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ray_reaches_the_near_face_of_a_box() {
        let half = Vec3::new(1.0, 2.0, 3.0);
        assert_eq!(reach_box(Vec3::new(-5.0, 0.0, 0.0), Vec3::X, half), 4.0);
        assert_eq!(reach_box(Vec3::new(-5.0, 2.5, 0.0), Vec3::X, half), f32::INFINITY);
        assert_eq!(reach_box(Vec3::new(5.0, 0.0, 0.0), Vec3::X, half), f32::INFINITY);
    }

    #[test]
    fn a_ray_leaves_a_box_at_its_wall() {
        let half = Vec3::new(10.0, 40.0, 10.0);
        assert_eq!(leave_box(Vec3::new(4.0, 1.0, 0.0), Vec3::X, half), 6.0);
        assert_eq!(leave_box(Vec3::new(4.0, 1.0, 0.0), Vec3::NEG_X, half), 14.0);
    }
}
