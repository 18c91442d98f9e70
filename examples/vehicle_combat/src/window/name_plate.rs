//! Names and health above the other vehicles.

use bevy::prelude::*;
use bevy_slipstream::prelude::Controlled;

use super::camera::ChaseCamera;
use super::hud::health_color;
use super::label::{label, show, write};
use super::vehicle_model::{VehicleModel, light_color};
use super::visual::VisualOf;
use crate::health::{Health, Wreck};
use crate::player::Player;
use crate::vehicle::Vehicle;

const WIDTH: f32 = 130.0;
/// Above the vehicle's centre, in metres.
const HEIGHT: f32 = 2.1;
/// Plates of vehicles farther away than this are not shown (metres).
const RANGE: f32 = 140.0;

/// On a plate: the replicated vehicle it names.
#[derive(Component)]
#[relationship(relationship_target = NamePlates)]
pub(super) struct NamePlateOf(pub Entity);

/// On a replicated vehicle: its plate, despawned with it.
#[derive(Component)]
#[relationship_target(relationship = NamePlateOf, linked_spawn)]
pub(super) struct NamePlates(Vec<Entity>);

/// The plate's parts.
#[derive(Component)]
pub(super) struct NamePlate {
    name: Entity,
    fill: Entity,
}

/// The bar on a plate.
#[derive(Component)]
pub(super) struct PlateFill;

/// The name on a plate.
#[derive(Component)]
pub(super) struct PlateName;

/// Gives each vehicle that has none a plate.
pub(super) fn spawn_name_plates(
    mut commands: Commands,
    vehicles: Query<(Entity, &Player), (With<Vehicle>, Without<NamePlates>)>,
) {
    for (vehicle, player) in &vehicles {
        let layout = Node {
            position_type: PositionType::Absolute,
            left: px(0),
            top: px(0),
            width: px(WIDTH),
            flex_direction: FlexDirection::Column,
            align_items: AlignItems::Center,
            row_gap: px(2),
            ..default()
        };
        let plate = commands.spawn((layout, UiTransform::default(), NamePlateOf(vehicle), Visibility::Hidden)).id();
        let name = commands
            .spawn((
                label(player.name.clone(), 15.0, light_color(player.hue)),
                TextShadow { offset: Vec2::splat(1.0), ..default() },
                PlateName,
                ChildOf(plate),
            ))
            .id();
        let track = Node { width: px(70), height: px(5), ..default() };
        let track = commands.spawn((track, BackgroundColor(Color::srgba(0.0, 0.0, 0.0, 0.6)), ChildOf(plate))).id();
        let fill = Node { width: percent(100), height: percent(100), ..default() };
        let fill = commands.spawn((fill, BackgroundColor::default(), PlateFill, ChildOf(track))).id();
        commands.entity(plate).insert(NamePlate { name, fill });
    }
}

/// Puts each plate above its vehicle's drawn pose, and hides it for the own vehicle, wrecks, and what is not in view.
pub(super) fn place_name_plates(
    camera: Single<(&Camera, &Transform), With<ChaseCamera>>,
    scale: Res<UiScale>,
    vehicles: Query<(&Player, &Health, Has<Wreck>, Has<Controlled>), With<Vehicle>>,
    models: Query<(&VisualOf, &Transform), (With<VehicleModel>, Without<ChaseCamera>)>,
    mut plates: Query<(&NamePlateOf, &NamePlate, &mut UiTransform, &mut Visibility)>,
    mut names: Query<&mut Text, With<PlateName>>,
    mut fills: Query<(&mut Node, &mut BackgroundColor), With<PlateFill>>,
) {
    let (camera, eye) = camera.into_inner();
    let view = GlobalTransform::from(*eye);
    for (plate_of, plate, mut place, mut visibility) in &mut plates {
        let Ok((player, health, wrecked, own)) = vehicles.get(plate_of.0) else { continue };
        let drawn = models.iter().find(|(visual_of, _)| visual_of.0 == plate_of.0);
        let point = drawn.and_then(|(_, pose)| {
            let above = pose.translation + Vec3::Y * HEIGHT;
            let near = above.distance(eye.translation) < RANGE;
            if own || wrecked || !near { None } else { camera.world_to_viewport(&view, above).ok() }
        });
        show(&mut visibility, point.is_some());
        let Some(point) = point else { continue };
        let corner = point / scale.0 - Vec2::new(WIDTH / 2.0, 24.0);
        place.translation = Val2::px(corner.x, corner.y);
        if let Ok(mut name) = names.get_mut(plate.name) {
            write(&mut name, player.name.clone());
        }
        if let Ok((mut node, mut color)) = fills.get_mut(plate.fill) {
            let share = (health.current / health.max.max(1.0)).clamp(0.0, 1.0);
            let width = percent(share * 100.0);
            if node.width != width {
                node.width = width;
            }
            color.set_if_neq(BackgroundColor(health_color(share)));
        }
    }
}
