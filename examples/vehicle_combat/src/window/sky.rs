//! The dusk sky: a dome of vertex colours that travels with the camera, and the sun below it.

use bevy::camera::visibility::NoFrustumCulling;
use bevy::light::{CascadeShadowConfigBuilder, DirectionalLightShadowMap, NotShadowCaster, NotShadowReceiver};
use bevy::prelude::*;

use super::camera::ChaseCamera;
use super::quality::Quality;

/// What the sky looks like just above the horizon; distance fog fades to it.
pub(super) const HORIZON: Color = Color::linear_rgb(0.24, 0.14, 0.20);

const ZENITH: Vec3 = Vec3::new(0.012, 0.016, 0.055);
const MIDDLE: Vec3 = Vec3::new(0.085, 0.045, 0.14);
/// Towards the sun; low, so that shadows are long.
const SUN: Vec3 = Vec3::new(-0.66, 0.38, -0.65);
/// Inside the camera's far plane of 1,000 m.
const DOME_RADIUS: f32 = 800.0;

/// Marks the dome.
#[derive(Component)]
pub(super) struct SkyDome;

/// Spawns the dome, the sun with its shadows, and the ambient light.
pub(super) fn spawn_sky(
    mut commands: Commands,
    quality: Res<Quality>,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<StandardMaterial>>,
) {
    commands.insert_resource(DirectionalLightShadowMap { size: quality.shadow_map_size });
    commands.insert_resource(GlobalAmbientLight {
        color: Color::srgb(0.62, 0.60, 0.95),
        brightness: 1_100.0,
        ..default()
    });
    commands.spawn((
        DirectionalLight {
            color: Color::srgb(1.0, 0.68, 0.42),
            illuminance: 13_000.0,
            shadow_maps_enabled: true,
            ..default()
        },
        CascadeShadowConfigBuilder {
            num_cascades: quality.shadow_cascades,
            first_cascade_far_bound: 24.0,
            maximum_distance: 110.0,
            ..default()
        }
        .build(),
        Transform::from_translation(SUN * 100.0).looking_at(Vec3::ZERO, Vec3::Y),
    ));
    commands.spawn((
        SkyDome,
        Mesh3d(meshes.add(dome())),
        MeshMaterial3d(materials.add(StandardMaterial {
            unlit: true,
            fog_enabled: false,
            cull_mode: None,
            ..default()
        })),
        Transform::default(),
        NoFrustumCulling,
        NotShadowCaster,
        NotShadowReceiver,
    ));
}

/// Keeps the dome around the camera, so that the sky has no distance.
pub(super) fn carry_sky(
    camera: Single<&Transform, With<ChaseCamera>>,
    mut dome: Single<&mut Transform, (With<SkyDome>, Without<ChaseCamera>)>,
) {
    dome.translation = camera.translation;
}

fn dome() -> Mesh {
    let mut mesh = Sphere::new(DOME_RADIUS).mesh().uv(48, 32);
    let colors: Vec<[f32; 4]> = mesh
        .attribute(Mesh::ATTRIBUTE_POSITION)
        .and_then(|positions| positions.as_float3())
        .unwrap_or_default()
        .iter()
        .map(|position| sky_color(Vec3::from_array(*position).normalize_or(Vec3::Y)))
        .collect();
    mesh.insert_attribute(Mesh::ATTRIBUTE_COLOR, colors);
    mesh
}

fn sky_color(direction: Vec3) -> [f32; 4] {
    let horizon = HORIZON.to_linear();
    let horizon = Vec3::new(horizon.red, horizon.green, horizon.blue);
    let height = direction.y.max(0.0);
    let base = if height < 0.28 {
        horizon.lerp(MIDDLE, (height / 0.28).sqrt())
    } else {
        MIDDLE.lerp(ZENITH, ((height - 0.28) / 0.72).sqrt())
    };
    let towards_sun = direction.dot(SUN.normalize()).max(0.0);
    let halo = Vec3::new(0.55, 0.20, 0.07) * towards_sun.powi(6) * (1.0 - height);
    let disc = Vec3::new(1.6, 0.85, 0.40) * towards_sun.powi(220);
    let color = base + halo + disc;
    [color.x, color.y, color.z, 1.0]
}
