//! The vehicle as it is drawn: hull, cabin, four wheels, turret and barrel, painted in its player's hue.

use bevy::light::NotShadowCaster;
use bevy::prelude::*;

use super::scene::{glowing, surface};
use super::solid::{corner, extruded};
use super::visual::{Smoothing, VisualOf, Visuals, blend};
use crate::health::{Health, Wreck};
use crate::player::Player;
use crate::turret::{MUZZLE_OFFSET, TURRET_OFFSET, Turret};
use crate::vehicle::{CHASSIS_HALF_EXTENTS, Vehicle, WHEEL_OFFSETS, WHEEL_RADIUS, WheelPose};

/// Below this share of its health a vehicle smokes.
const SMOKING_HEALTH: f32 = 0.4;

/// On the visual root of a vehicle: the parts that move and the materials that change.
#[derive(Component)]
pub(super) struct VehicleModel {
    wheels: [Entity; 4],
    turret: Entity,
    gun: Entity,
    paint: Handle<StandardMaterial>,
    glow: Handle<StandardMaterial>,
    hue: u16,
    wrecked: bool,
    /// How thick the smoke is, 0 to 1.
    pub smoke: f32,
}

/// Marks a part that a system moves.
#[derive(Component)]
pub(super) struct MovingPart;

/// Meshes and materials that all vehicles share.
#[derive(Resource)]
pub(super) struct VehicleParts {
    hull: Handle<Mesh>,
    cabin: Handle<Mesh>,
    wheel: Handle<Mesh>,
    hub: Handle<Mesh>,
    turret: Handle<Mesh>,
    barrel: Handle<Mesh>,
    skirt: Handle<Mesh>,
    lamp: Handle<Mesh>,
    metal: Handle<StandardMaterial>,
    rubber: Handle<StandardMaterial>,
    glass: Handle<StandardMaterial>,
    headlight: Handle<StandardMaterial>,
    taillight: Handle<StandardMaterial>,
}

/// The paint of a player's hue (degrees).
pub(super) fn paint_color(hue: u16) -> Color {
    Color::hsl(f32::from(hue % 360), 0.82, 0.46)
}

/// The light of a player's hue (degrees), for trims and for text.
pub(super) fn light_color(hue: u16) -> Color {
    Color::hsl(f32::from(hue % 360), 0.95, 0.66)
}

fn paint(hue: u16) -> StandardMaterial {
    StandardMaterial {
        base_color: paint_color(hue),
        perceptual_roughness: 0.42,
        metallic: 0.15,
        reflectance: 0.5,
        ..default()
    }
}

/// Makes the shared meshes and materials.
pub(super) fn make_vehicle_parts(
    mut commands: Commands,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<StandardMaterial>>,
) {
    let Vec3 { x, y, z } = CHASSIS_HALF_EXTENTS;
    let hull = extruded(&[
        corner(-z, -0.1 * y, 0.80 * x),
        corner(-0.82 * z, -y, 0.72 * x),
        corner(0.86 * z, -y, 0.72 * x),
        corner(z, 0.1 * y, 0.92 * x),
        corner(0.92 * z, 0.8 * y, 0.84 * x),
        corner(-0.30 * z, 0.8 * y, 0.84 * x),
        corner(-0.94 * z, 0.2 * y, 0.76 * x),
    ]);
    let cabin = extruded(&[
        corner(-0.34 * z, 0.75 * y, 0.74 * x),
        corner(-0.10 * z, 1.45 * y, 0.60 * x),
        corner(0.62 * z, 1.45 * y, 0.60 * x),
        corner(0.84 * z, 0.75 * y, 0.74 * x),
    ]);
    let wheel_width = WHEEL_RADIUS * 0.75;
    let lying = Quat::from_rotation_z(core::f32::consts::FRAC_PI_2);
    let wheel = Cylinder::new(WHEEL_RADIUS, wheel_width).mesh().resolution(20).build();
    let hub = Cuboid::new(wheel_width + 0.05, WHEEL_RADIUS * 0.95, WHEEL_RADIUS * 0.28);
    let barrel_length = barrel_length();
    let barrel = Cylinder::new(0.085, barrel_length).mesh().resolution(12).build();
    let upwards_to_forwards = Quat::from_rotation_x(-core::f32::consts::FRAC_PI_2);
    commands.insert_resource(VehicleParts {
        hull: meshes.add(hull),
        cabin: meshes.add(cabin),
        wheel: meshes.add(wheel.rotated_by(lying)),
        hub: meshes.add(hub),
        turret: meshes.add(ConicalFrustum { radius_top: 0.36 * x, radius_bottom: 0.58 * x, height: 0.42 }),
        barrel: meshes.add(barrel.rotated_by(upwards_to_forwards)),
        skirt: meshes.add(Cuboid::new(0.05, 0.09, z * 1.1)),
        lamp: meshes.add(Cuboid::new(0.26, 0.12, 0.06)),
        metal: materials.add(StandardMaterial {
            base_color: Color::srgb(0.17, 0.175, 0.19),
            perceptual_roughness: 0.5,
            metallic: 0.4,
            ..default()
        }),
        rubber: materials.add(surface(Color::srgb(0.035, 0.035, 0.040))),
        glass: materials.add(StandardMaterial {
            base_color: Color::srgb(0.03, 0.045, 0.065),
            perceptual_roughness: 0.12,
            reflectance: 0.8,
            ..default()
        }),
        headlight: materials.add(glowing(LinearRgba::rgb(1.0, 0.92, 0.75), 4.0)),
        taillight: materials.add(glowing(LinearRgba::rgb(1.0, 0.03, 0.02), 2.5)),
    });
}

/// Gives each replicated vehicle that has none its model.
pub(super) fn spawn_vehicle_models(
    mut commands: Commands,
    parts: Res<VehicleParts>,
    mut materials: ResMut<Assets<StandardMaterial>>,
    vehicles: Query<(Entity, &Transform, &Player), (With<Vehicle>, Without<Visuals>)>,
) {
    for (vehicle, pose, player) in &vehicles {
        let paint = materials.add(paint(player.hue));
        let glow = materials.add(glowing(light_color(player.hue).to_linear(), 1.6));
        let root = commands.spawn((VisualOf(vehicle), Smoothing::VEHICLE, *pose, Visibility::default())).id();
        spawn_body(&mut commands, &parts, root, &paint, &glow);
        let wheels = WHEEL_OFFSETS.map(|offset| {
            let wheel = commands.spawn((part(&parts.wheel, &parts.rubber, at(offset), root), MovingPart)).id();
            commands.spawn(part(&parts.hub, &parts.metal, Transform::IDENTITY, wheel));
            wheel
        });
        let turret = commands.spawn((part(&parts.turret, &paint, at(TURRET_OFFSET), root), MovingPart)).id();
        let gun = commands.spawn((Transform::IDENTITY, Visibility::default(), ChildOf(turret), MovingPart)).id();
        let along = Vec3::new(MUZZLE_OFFSET.x, MUZZLE_OFFSET.y, 0.0) + Vec3::NEG_Z * (barrel_length() / 2.0);
        commands.spawn(part(&parts.barrel, &parts.metal, at(along), gun));
        commands.entity(root).insert(VehicleModel {
            wheels,
            turret,
            gun,
            paint,
            glow,
            hue: player.hue,
            wrecked: false,
            smoke: 0.0,
        });
    }
}

fn spawn_body(
    commands: &mut Commands,
    parts: &VehicleParts,
    root: Entity,
    paint: &Handle<StandardMaterial>,
    glow: &Handle<StandardMaterial>,
) {
    let Vec3 { x, y, z } = CHASSIS_HALF_EXTENTS;
    commands.spawn(part(&parts.hull, paint, Transform::IDENTITY, root));
    commands.spawn(part(&parts.cabin, &parts.glass, Transform::IDENTITY, root));
    for side in [-1.0, 1.0] {
        let lit = [
            (&parts.skirt, glow, Vec3::new(side * 0.86 * x, 0.42 * y, 0.25 * z)),
            (&parts.lamp, &parts.headlight, Vec3::new(side * 0.5 * x, 0.05 * y, -0.99 * z)),
            (&parts.lamp, &parts.taillight, Vec3::new(side * 0.6 * x, 0.35 * y, 0.98 * z)),
        ];
        for (mesh, material, offset) in lit {
            commands.spawn((part(mesh, material, at(offset), root), NotShadowCaster));
        }
    }
}

/// Steers and turns the wheels, and points turret and gun.
pub(super) fn pose_vehicle_parts(
    time: Res<Time>,
    vehicles: Query<(&WheelPose, &Turret), With<Vehicle>>,
    models: Query<(&VisualOf, &VehicleModel)>,
    mut moving: Query<&mut Transform, With<MovingPart>>,
) {
    let share = blend(25.0, time.delta_secs());
    for (visual_of, model) in &models {
        let Ok((wheels, turret)) = vehicles.get(visual_of.0) else { continue };
        for (index, wheel) in model.wheels.iter().enumerate() {
            let Ok(mut pose) = moving.get_mut(*wheel) else { continue };
            let offset = WHEEL_OFFSETS[index];
            let front = offset.z < 0.0;
            let steer = if front { wheels.steer } else { 0.0 };
            let height = offset.y - wheels.travel[index];
            pose.translation.y = pose.translation.y.lerp(height, share);
            let turned = Quat::from_rotation_y(steer) * Quat::from_rotation_x(-wheels.spin);
            pose.rotation = pose.rotation.slerp(turned, share);
        }
        if let Ok(mut pose) = moving.get_mut(model.turret) {
            pose.rotation = pose.rotation.slerp(Quat::from_rotation_y(turret.yaw), share);
        }
        if let Ok(mut pose) = moving.get_mut(model.gun) {
            pose.rotation = pose.rotation.slerp(Quat::from_rotation_x(turret.pitch), share);
        }
    }
}

/// Burns the paint of wrecks, restores it on respawn, and lets damaged vehicles smoke.
pub(super) fn show_damage(
    vehicles: Query<(&Health, Has<Wreck>), With<Vehicle>>,
    mut models: Query<(&VisualOf, &mut VehicleModel)>,
    mut materials: ResMut<Assets<StandardMaterial>>,
) {
    for (visual_of, mut model) in &mut models {
        let Ok((health, wrecked)) = vehicles.get(visual_of.0) else { continue };
        let share = (health.current / health.max.max(1.0)).clamp(0.0, 1.0);
        let leaking = ((SMOKING_HEALTH - share) / SMOKING_HEALTH).max(0.0) * 0.7;
        model.smoke = if wrecked { 1.0 } else { leaking };
        if model.wrecked == wrecked {
            continue;
        }
        model.wrecked = wrecked;
        if let Some(mut material) = materials.get_mut(&model.paint) {
            *material = if wrecked { surface(Color::srgb(0.045, 0.040, 0.038)) } else { paint(model.hue) };
        }
        if let Some(mut material) = materials.get_mut(&model.glow) {
            let alive = glowing(light_color(model.hue).to_linear(), 1.6);
            *material = if wrecked { glowing(LinearRgba::rgb(1.0, 0.18, 0.02), 0.35) } else { alive };
        }
    }
}

/// From the turret's axis to the muzzle.
fn barrel_length() -> f32 {
    MUZZLE_OFFSET.z.abs().max(0.8)
}

fn at(offset: Vec3) -> Transform {
    Transform::from_translation(offset)
}

/// A child of `parent` that is drawn.
pub(super) fn part(
    mesh: &Handle<Mesh>,
    material: &Handle<StandardMaterial>,
    pose: Transform,
    parent: Entity,
) -> (Mesh3d, MeshMaterial3d<StandardMaterial>, Transform, ChildOf) {
    (Mesh3d(mesh.clone()), MeshMaterial3d(material.clone()), pose, ChildOf(parent))
}
