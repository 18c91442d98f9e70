//! What the driver needs at a glance: health, ammunition, where the gun points, and where damage comes from.

use bevy::prelude::*;
use bevy_slipstream::prelude::{Controlled, Received};

use super::camera::ChaseCamera;
use super::controls::Aim;
use super::label::{BAD, BRIGHT, DIM, GOOD, WARN, label, panel, show, write};
use super::visual::OwnPose;
use crate::health::{Health, Wreck};
use crate::turret::{Turret, angles};
use crate::weapon::{Ammunition, Explosion, Shot};

/// The crosshair marks where the gun points this far away (metres).
const CROSSHAIR_DISTANCE: f32 = 60.0;
/// A shot that ends this near to the own vehicle's centre was meant for it (metres).
const HIT_RADIUS: f32 = 3.0;

/// Which number a text shows.
#[derive(Component)]
pub(super) enum Gauge {
    Health,
    Rounds,
    Rockets,
}

/// The bar of the own health.
#[derive(Component)]
pub(super) struct HealthFill;

/// The panel with the gauges, hidden while there is no own vehicle.
#[derive(Component)]
pub(super) struct GaugePanel;

/// The crosshair.
#[derive(Component)]
pub(super) struct Crosshair;

/// The red veil over the picture after a hit.
#[derive(Component)]
pub(super) struct DamageVeil;

/// The ring around the centre whose upper edge points to the attacker.
#[derive(Component)]
pub(super) struct DamageRing;

/// The lit piece of that ring.
#[derive(Component)]
pub(super) struct DamageMark;

/// What was felt lately.
#[derive(Resource, Default)]
pub(super) struct Pain {
    /// Strength of the veil, 0 to 1.
    veil: f32,
    /// Strength of the direction mark, 0 to 1.
    mark: f32,
    /// Where the last hit came from, in the world.
    source: Vec3,
    last_health: f32,
}

/// Spawns the gauges, the crosshair and the damage marks.
pub(super) fn spawn_hud(mut commands: Commands) {
    spawn_damage_marks(&mut commands);
    spawn_crosshair(&mut commands);
    let layout = Node {
        position_type: PositionType::Absolute,
        left: px(20),
        bottom: px(20),
        width: px(310),
        flex_direction: FlexDirection::Column,
        row_gap: px(8),
        padding: UiRect::all(px(12)),
        ..default()
    };
    commands.spawn((panel(layout), GaugePanel, Visibility::Hidden)).with_children(|gauges| {
        gauges.spawn(spread_row()).with_children(|row| {
            row.spawn(label("HULL", 15.0, DIM));
            row.spawn((label("", 22.0, BRIGHT), Gauge::Health));
        });
        let track = Node { width: percent(100), height: px(14), border_radius: BorderRadius::all(px(4)), ..default() };
        gauges.spawn((track, BackgroundColor(Color::srgba(1.0, 1.0, 1.0, 0.10)))).with_children(|track| {
            let fill = Node {
                width: percent(100),
                height: percent(100),
                border_radius: BorderRadius::all(px(4)),
                ..default()
            };
            track.spawn((fill, BackgroundColor(GOOD), HealthFill));
        });
        gauges.spawn(spread_row()).with_children(|row| {
            row.spawn((label("", 20.0, BRIGHT), Gauge::Rounds));
            row.spawn((label("", 20.0, BRIGHT), Gauge::Rockets));
        });
    });
}

fn spread_row() -> Node {
    Node {
        width: percent(100),
        justify_content: JustifyContent::SpaceBetween,
        align_items: AlignItems::Center,
        ..default()
    }
}

fn spawn_crosshair(commands: &mut Commands) {
    let origin = Node { position_type: PositionType::Absolute, left: px(0), top: px(0), ..default() };
    commands.spawn((origin, UiTransform::default(), Crosshair, Visibility::Hidden)).with_children(|cross| {
        // Left, right, up, down, and the dot.
        let bars = [
            (-16.0, -1.0, 9.0, 2.0),
            (7.0, -1.0, 9.0, 2.0),
            (-1.0, -16.0, 2.0, 9.0),
            (-1.0, 7.0, 2.0, 9.0),
            (-1.5, -1.5, 3.0, 3.0),
        ];
        for (left, top, width, height) in bars {
            let bar = Node {
                position_type: PositionType::Absolute,
                left: px(left),
                top: px(top),
                width: px(width),
                height: px(height),
                ..default()
            };
            cross.spawn((bar, BackgroundColor(Color::srgba(1.0, 1.0, 1.0, 0.85))));
        }
    });
}

fn spawn_damage_marks(commands: &mut Commands) {
    let whole = Node { position_type: PositionType::Absolute, width: percent(100), height: percent(100), ..default() };
    commands.spawn((whole, BackgroundColor(Color::NONE), DamageVeil));
    const RADIUS: f32 = 150.0;
    let ring = Node {
        position_type: PositionType::Absolute,
        left: percent(50),
        top: percent(50),
        width: px(RADIUS * 2.0),
        height: px(RADIUS * 2.0),
        margin: UiRect { left: px(-RADIUS), top: px(-RADIUS), ..default() },
        justify_content: JustifyContent::Center,
        align_items: AlignItems::FlexStart,
        ..default()
    };
    commands.spawn((ring, UiTransform::default(), DamageRing)).with_children(|ring| {
        let mark = Node { width: px(96), height: px(9), border_radius: BorderRadius::all(px(4)), ..default() };
        ring.spawn((mark, BackgroundColor(Color::NONE), DamageMark));
    });
}

/// Writes health and ammunition into the gauges.
pub(super) fn update_gauges(
    own: Query<(&Health, &Ammunition), With<Controlled>>,
    mut panels: Query<&mut Visibility, With<GaugePanel>>,
    mut gauges: Query<(&Gauge, &mut Text, &mut TextColor)>,
    mut fills: Query<(&mut Node, &mut BackgroundColor), With<HealthFill>>,
) {
    let own = own.iter().next();
    for mut visibility in &mut panels {
        show(&mut visibility, own.is_some());
    }
    let Some((health, ammunition)) = own else { return };
    let share = (health.current / health.max.max(1.0)).clamp(0.0, 1.0);
    for (gauge, mut text, mut color) in &mut gauges {
        let (line, tint) = match gauge {
            Gauge::Health => (format!("{:.0}", health.current.max(0.0)), health_color(share)),
            Gauge::Rounds => (format!("ROUNDS {:>4}", ammunition.rounds), stock_color(ammunition.rounds > 0)),
            Gauge::Rockets => (format!("ROCKETS {:>2}", ammunition.rockets), stock_color(ammunition.rockets > 0)),
        };
        write(&mut text, line);
        color.set_if_neq(TextColor(tint));
    }
    for (mut node, mut color) in &mut fills {
        let width = percent(share * 100.0);
        if node.width != width {
            node.width = width;
        }
        color.set_if_neq(BackgroundColor(health_color(share)));
    }
}

/// Green, amber or red, by the share of health that is left.
pub(super) fn health_color(share: f32) -> Color {
    match share {
        share if share > 0.6 => GOOD,
        share if share > 0.3 => WARN,
        _ => BAD,
    }
}

fn stock_color(left: bool) -> Color {
    if left { BRIGHT } else { BAD }
}

/// Puts the crosshair where the gun points, which lags behind where the player looks.
pub(super) fn place_crosshair(
    own: Res<OwnPose>,
    turrets: Query<&Turret, (With<Controlled>, Without<Wreck>)>,
    camera: Single<(&Camera, &Transform), With<ChaseCamera>>,
    scale: Res<UiScale>,
    crosshair: Single<(&mut UiTransform, &mut Visibility), With<Crosshair>>,
) {
    let (camera, eye) = camera.into_inner();
    let (mut place, mut visibility) = crosshair.into_inner();
    let aimed_at = own.0.zip(turrets.iter().next()).and_then(|(pose, turret)| {
        let point = turret.muzzle(&pose) + turret.looks(&pose) * CROSSHAIR_DISTANCE;
        camera.world_to_viewport(&GlobalTransform::from(*eye), point).ok()
    });
    show(&mut visibility, aimed_at.is_some());
    if let Some(point) = aimed_at {
        place.translation = Val2::px(point.x / scale.0, point.y / scale.0);
    }
}

/// Notices hits on the own vehicle: how hard from its health, from where from the shots and explosions around it.
pub(super) fn feel_damage(
    time: Res<Time>,
    own: Query<&Health, With<Controlled>>,
    pose: Res<OwnPose>,
    mut shots: MessageReader<Received<Shot>>,
    mut explosions: MessageReader<Received<Explosion>>,
    mut pain: ResMut<Pain>,
) {
    let seconds = time.delta_secs();
    pain.veil = (pain.veil - seconds * 1.6).max(0.0);
    pain.mark = (pain.mark - seconds * 0.8).max(0.0);
    let place = pose.0.map(|pose| pose.translation);
    for shot in shots.read() {
        if shot.message.hit && place.is_some_and(|place| place.distance(shot.message.to) < HIT_RADIUS) {
            pain.source = shot.message.from;
            pain.mark = 1.0;
        }
    }
    for explosion in explosions.read() {
        let reach = explosion.message.radius + HIT_RADIUS;
        if place.is_some_and(|place| place.distance(explosion.message.at) < reach) {
            pain.source = explosion.message.at;
            pain.mark = 1.0;
        }
    }
    if let Some(health) = own.iter().next() {
        let lost = (pain.last_health - health.current) / health.max.max(1.0);
        if lost > 0.0 {
            pain.veil = (pain.veil + 0.25 + lost * 2.0).min(1.0);
        }
        pain.last_health = health.current;
    }
}

/// Draws what was felt.
pub(super) fn draw_damage(
    pain: Res<Pain>,
    aim: Res<Aim>,
    pose: Res<OwnPose>,
    mut veil: Single<&mut BackgroundColor, With<DamageVeil>>,
    mut mark: Single<&mut BackgroundColor, (With<DamageMark>, Without<DamageVeil>)>,
    mut ring: Single<&mut UiTransform, With<DamageRing>>,
) {
    veil.set_if_neq(BackgroundColor(Color::srgba(0.85, 0.05, 0.02, pain.veil * 0.14)));
    mark.set_if_neq(BackgroundColor(BAD.with_alpha(pain.mark * 0.9)));
    if let Some(pose) = pose.0 {
        let (bearing, _) = angles(pain.source - pose.translation);
        // Yaws grow to the left, the interface turns to the right.
        ring.rotation = Rot2::radians(aim.yaw - bearing);
    }
}
