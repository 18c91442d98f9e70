//! Pick-ups as they are drawn: a hovering, spinning sign over a pad that stays when the pick-up is taken.

use bevy::light::NotShadowCaster;
use bevy::prelude::*;

use super::scene::{glowing, surface};
use super::vehicle_model::part;
use super::visual::{VisualOf, Visuals};
use crate::pickup::{Pickup, PickupKind};

const HOVER_HEIGHT: f32 = 1.15;

/// On a pick-up's visual root: the part that hovers.
#[derive(Component)]
pub(super) struct PickupModel {
    sign: Entity,
    /// So that neighbours do not bob in step.
    phase: f32,
}

/// Marks the hovering part.
#[derive(Component)]
pub(super) struct Hovering;

/// Meshes and materials that all pick-ups share.
#[derive(Resource)]
pub(super) struct PickupParts {
    pad: Handle<Mesh>,
    ring: Handle<Mesh>,
    beam: Handle<Mesh>,
    crate_box: Handle<Mesh>,
    band: Handle<Mesh>,
    steel: Handle<StandardMaterial>,
    green: Handle<StandardMaterial>,
    amber: Handle<StandardMaterial>,
    olive: Handle<StandardMaterial>,
}

/// Makes the shared meshes and materials.
pub(super) fn make_pickup_parts(
    mut commands: Commands,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<StandardMaterial>>,
) {
    commands.insert_resource(PickupParts {
        pad: meshes.add(Cylinder::new(1.25, 0.12)),
        ring: meshes.add(Torus::new(1.05, 1.20)),
        beam: meshes.add(Cuboid::new(0.95, 0.32, 0.32)),
        crate_box: meshes.add(Cuboid::new(0.85, 0.55, 0.60)),
        band: meshes.add(Cuboid::new(0.90, 0.14, 0.65)),
        steel: materials.add(surface(Color::srgb(0.16, 0.165, 0.18))),
        green: materials.add(glowing(LinearRgba::rgb(0.08, 1.0, 0.30), 2.0)),
        amber: materials.add(glowing(LinearRgba::rgb(1.0, 0.50, 0.05), 2.2)),
        olive: materials.add(surface(Color::srgb(0.25, 0.27, 0.13))),
    });
}

/// Gives each replicated pick-up that has none its model.
pub(super) fn spawn_pickup_models(
    mut commands: Commands,
    parts: Res<PickupParts>,
    pickups: Query<(Entity, &Transform, &Pickup), Without<Visuals>>,
) {
    for (entity, pose, pickup) in &pickups {
        let place = pose.translation;
        // The sign hovers over the ground below the pick-up, wherever its trigger's centre is.
        let ground = Transform::from_xyz(place.x, (place.y - 1.0).max(0.0), place.z);
        let root = commands.spawn((VisualOf(entity), ground, Visibility::default())).id();
        commands.spawn(part(&parts.pad, &parts.steel, Transform::from_xyz(0.0, 0.06, 0.0), root));
        let glow = match pickup.kind {
            PickupKind::Repair => &parts.green,
            PickupKind::Ammunition => &parts.amber,
        };
        let ring = Transform::from_xyz(0.0, 0.13, 0.0).with_scale(Vec3::new(1.0, 0.5, 1.0));
        commands.spawn((part(&parts.ring, glow, ring, root), NotShadowCaster));

        let hover = Transform::from_xyz(0.0, HOVER_HEIGHT, 0.0);
        let sign = commands.spawn((Hovering, hover, Visibility::default(), ChildOf(root))).id();
        match pickup.kind {
            PickupKind::Repair => {
                let upright = Quat::from_rotation_z(core::f32::consts::FRAC_PI_2);
                commands.spawn(part(&parts.beam, glow, Transform::IDENTITY, sign));
                commands.spawn(part(&parts.beam, glow, Transform::from_rotation(upright), sign));
            }
            PickupKind::Ammunition => {
                commands.spawn(part(&parts.crate_box, &parts.olive, Transform::IDENTITY, sign));
                commands.spawn(part(&parts.band, glow, Transform::IDENTITY, sign));
            }
        }
        let phase = place.x * 0.7 + place.z * 0.3;
        commands.entity(root).insert(PickupModel { sign, phase });
    }
}

/// Bobs and spins what is there to be taken, and hides what was.
pub(super) fn hover_pickups(
    time: Res<Time>,
    pickups: Query<&Pickup>,
    models: Query<(&VisualOf, &PickupModel)>,
    mut signs: Query<(&mut Transform, &mut Visibility), With<Hovering>>,
) {
    let moment = time.elapsed_secs();
    for (visual_of, model) in &models {
        let Ok(pickup) = pickups.get(visual_of.0) else { continue };
        let Ok((mut pose, mut visibility)) = signs.get_mut(model.sign) else { continue };
        pose.translation.y = HOVER_HEIGHT + (moment * 2.0 + model.phase).sin() * 0.14;
        pose.rotation = Quat::from_rotation_y(moment * 1.4 + model.phase);
        let shown = if pickup.available { Visibility::Inherited } else { Visibility::Hidden };
        visibility.set_if_neq(shown);
    }
}
