//! Rockets as they are drawn: a painted tube with a bright tail.

use bevy::light::NotShadowCaster;
use bevy::prelude::*;

use super::quality::Quality;
use super::scene::glowing;
use super::vehicle_model::{light_color, part};
use super::visual::{Smoothing, VisualOf, Visuals};
use crate::weapon::rocket::Rocket;

/// On a rocket's visual root; its trail is laid where it is drawn.
#[derive(Component, Default)]
pub(super) struct RocketModel {
    /// Seconds until the next puff of the trail.
    pub next_puff: f32,
}

/// Meshes and materials that all rockets share.
#[derive(Resource)]
pub(super) struct RocketParts {
    tube: Handle<Mesh>,
    nose: Handle<Mesh>,
    flame: Handle<Mesh>,
    burning: Handle<StandardMaterial>,
}

/// Makes the shared meshes and materials.
pub(super) fn make_rocket_parts(
    mut commands: Commands,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<StandardMaterial>>,
) {
    let upwards_to_forwards = Quat::from_rotation_x(-core::f32::consts::FRAC_PI_2);
    let tube = Mesh::from(Cylinder::new(0.11, 0.85)).rotated_by(upwards_to_forwards);
    let nose = Mesh::from(Cone::new(0.11, 0.28)).rotated_by(upwards_to_forwards);
    commands.insert_resource(RocketParts {
        tube: meshes.add(tube),
        nose: meshes.add(nose),
        flame: meshes.add(Sphere::new(0.19)),
        burning: materials.add(glowing(LinearRgba::rgb(1.0, 0.55, 0.15), 7.0)),
    });
}

/// Gives each replicated rocket that has none its model.
pub(super) fn spawn_rocket_models(
    mut commands: Commands,
    parts: Res<RocketParts>,
    quality: Res<Quality>,
    mut materials: ResMut<Assets<StandardMaterial>>,
    rockets: Query<(Entity, &Transform, &Rocket), Without<Visuals>>,
) {
    for (rocket, pose, tail) in &rockets {
        let paint = materials.add(glowing(light_color(tail.shooter_hue).to_linear(), 0.8));
        let root = commands
            .spawn((VisualOf(rocket), Smoothing::ROCKET, RocketModel::default(), *pose, Visibility::default()))
            .id();
        commands.spawn(part(&parts.tube, &paint, Transform::IDENTITY, root));
        commands.spawn(part(&parts.nose, &parts.burning, Transform::from_xyz(0.0, 0.0, -0.56), root));
        let flame = part(&parts.flame, &parts.burning, Transform::from_xyz(0.0, 0.0, 0.5), root);
        commands.spawn((flame, NotShadowCaster));
        if quality.effect_lights {
            commands.spawn((
                PointLight { color: Color::srgb(1.0, 0.6, 0.25), intensity: 350_000.0, range: 14.0, ..default() },
                Transform::from_xyz(0.0, 0.0, 0.7),
                ChildOf(root),
            ));
        }
    }
}
