//! Tracers, muzzle flashes, sparks, explosions and smoke: short-lived meshes that step through prepared materials.

use bevy::light::{NotShadowCaster, NotShadowReceiver};
use bevy::prelude::*;
use bevy_slipstream::prelude::Received;

use super::camera::Shake;
use super::quality::Quality;
use super::rocket_model::RocketModel;
use super::vehicle_model::VehicleModel;
use super::visual::OwnPose;
use crate::weapon::{Explosion, Shot};

/// Materials per ramp: enough that the steps are not seen in half a second.
const RAMP_STEPS: usize = 10;
/// Explosions farther away than this do not shake the picture (metres).
const SHAKE_DISTANCE: f32 = 35.0;

/// A row of materials that an effect walks through as it ages.
#[derive(Clone, Copy)]
enum Ramp {
    Tracer,
    Fire,
    Smoke,
    Spark,
}

/// Something that grows, drifts, fades and is gone.
#[derive(Component)]
pub(super) struct Effect {
    ramp: Ramp,
    age: f32,
    life: f32,
    from_scale: Vec3,
    to_scale: Vec3,
    velocity: Vec3,
    /// Downward acceleration in m/s²; negative rises.
    fall: f32,
}

/// A light that goes out.
#[derive(Component)]
pub(super) struct Flash {
    left: f32,
    life: f32,
    intensity: f32,
}

/// Meshes and materials of all effects: made once, so that a fight makes no garbage in the asset stores.
#[derive(Resource)]
pub(super) struct EffectParts {
    ball: Handle<Mesh>,
    cube: Handle<Mesh>,
    tracer: Vec<Handle<StandardMaterial>>,
    fire: Vec<Handle<StandardMaterial>>,
    smoke: Vec<Handle<StandardMaterial>>,
    spark: Vec<Handle<StandardMaterial>>,
}

impl EffectParts {
    /// The material at `age`, from 0 (new) to 1 (gone).
    fn material(&self, ramp: Ramp, age: f32) -> &Handle<StandardMaterial> {
        let materials = match ramp {
            Ramp::Tracer => &self.tracer,
            Ramp::Fire => &self.fire,
            Ramp::Smoke => &self.smoke,
            Ramp::Spark => &self.spark,
        };
        let step = (age * RAMP_STEPS as f32) as usize;
        &materials[step.min(RAMP_STEPS - 1)]
    }
}

/// Makes the meshes and the material ramps.
pub(super) fn make_effect_parts(
    mut commands: Commands,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<StandardMaterial>>,
) {
    let mut ramp = |look: &dyn Fn(f32) -> StandardMaterial| -> Vec<Handle<StandardMaterial>> {
        let steps = (0..RAMP_STEPS).map(|step| step as f32 / RAMP_STEPS as f32);
        steps.map(|age| materials.add(look(age))).collect()
    };
    let light = |red: f32, green: f32, blue: f32, alpha: f32, alpha_mode: AlphaMode| StandardMaterial {
        base_color: Color::linear_rgba(red, green, blue, alpha),
        unlit: true,
        alpha_mode,
        ..default()
    };
    let tracer = ramp(&|age: f32| light(1.0, 0.78, 0.30, 1.0 - age, AlphaMode::Add));
    let spark = ramp(&|age: f32| light(1.0, 0.60 - age * 0.35, 0.15, 1.0 - age, AlphaMode::Add));
    let fire = ramp(&|age: f32| {
        let cooling = 1.0 - age;
        light(1.0, 0.12 + 0.75 * cooling * cooling, 0.45 * cooling.powi(4), cooling.sqrt(), AlphaMode::Blend)
    });
    let smoke = ramp(&|age: f32| StandardMaterial {
        base_color: Color::linear_rgba(0.055, 0.050, 0.050, 0.55 * (1.0 - age)),
        perceptual_roughness: 1.0,
        reflectance: 0.0,
        alpha_mode: AlphaMode::Blend,
        ..default()
    });
    commands.insert_resource(EffectParts {
        ball: meshes.add(Sphere::new(1.0).mesh().uv(20, 12)),
        cube: meshes.add(Cuboid::from_length(1.0)),
        tracer,
        fire,
        smoke,
        spark,
    });
}

/// A shot: a line of light from the muzzle, a flash there, sparks or dust where it ends.
pub(super) fn show_shots(mut commands: Commands, parts: Res<EffectParts>, mut shots: MessageReader<Received<Shot>>) {
    for received in shots.read() {
        let Shot { from, to, hit } = received.message;
        let length = from.distance(to);
        if length < 0.1 {
            continue;
        }
        let along = Transform::from_translation(from.midpoint(to)).looking_at(to, upright_to(to - from));
        let line = Effect {
            ramp: Ramp::Tracer,
            age: 0.0,
            life: 0.11,
            from_scale: Vec3::new(0.055, 0.055, length),
            to_scale: Vec3::new(0.02, 0.02, length),
            velocity: Vec3::ZERO,
            fall: 0.0,
        };
        spawn(&mut commands, &parts, &parts.cube, line, along);
        let flash = puff(Ramp::Fire, 0.09, 0.34, 0.12);
        spawn(&mut commands, &parts, &parts.ball, flash, Transform::from_translation(from));
        let back = (from - to).normalize_or(Vec3::Y);
        if hit {
            spawn_sparks(&mut commands, &parts, to, back, 5);
            let bright = puff(Ramp::Fire, 0.14, 0.15, 0.5);
            spawn(&mut commands, &parts, &parts.ball, bright, Transform::from_translation(to));
        } else {
            let dust = Effect { velocity: back + Vec3::Y, ..puff(Ramp::Smoke, 0.5, 0.1, 0.55) };
            spawn(&mut commands, &parts, &parts.ball, dust, Transform::from_translation(to));
        }
    }
}

/// An explosion: a fireball, smoke that rises from it, sparks, a light, and a shake of the picture.
pub(super) fn show_explosions(
    mut commands: Commands,
    parts: Res<EffectParts>,
    quality: Res<Quality>,
    own: Res<OwnPose>,
    mut shake: ResMut<Shake>,
    mut explosions: MessageReader<Received<Explosion>>,
) {
    for received in explosions.read() {
        let Explosion { at, radius } = received.message;
        let radius = radius.clamp(0.5, 12.0);
        let centre = Transform::from_translation(at);
        let core = puff(Ramp::Fire, 0.55, radius * 0.25, radius * 0.75);
        spawn(&mut commands, &parts, &parts.ball, core, centre);
        for _ in 0..5 {
            let out = scatter();
            let lobe = Effect {
                velocity: out * radius * 1.4,
                ..puff(Ramp::Fire, 0.35 + fastrand::f32() * 0.3, radius * 0.15, radius * 0.42)
            };
            spawn(&mut commands, &parts, &parts.ball, lobe, centre);
            let smoke = Effect {
                velocity: (out + Vec3::Y) * radius * 0.35,
                fall: -0.8,
                ..puff(Ramp::Smoke, 1.4 + fastrand::f32(), radius * 0.2, radius * 0.65)
            };
            spawn(&mut commands, &parts, &parts.ball, smoke, centre);
        }
        spawn_sparks(&mut commands, &parts, at, Vec3::Y, 12);
        if quality.effect_lights {
            let intensity = 4_000_000.0;
            commands.spawn((
                PointLight { color: Color::srgb(1.0, 0.62, 0.28), intensity, range: radius * 5.0, ..default() },
                Transform::from_translation(at + Vec3::Y),
                Flash { left: 0.4, life: 0.4, intensity },
            ));
        }
        if let Some(pose) = own.0 {
            let near = 1.0 - pose.translation.distance(at) / SHAKE_DISTANCE;
            shake.0 = shake.0.max(near).clamp(0.0, 1.0);
        }
    }
}

/// Lays the smoke trails of rockets.
pub(super) fn lay_rocket_trails(
    time: Res<Time>,
    mut commands: Commands,
    parts: Res<EffectParts>,
    mut rockets: Query<(&Transform, &mut RocketModel)>,
) {
    for (pose, mut rocket) in &mut rockets {
        rocket.next_puff -= time.delta_secs();
        if rocket.next_puff > 0.0 {
            continue;
        }
        rocket.next_puff = 0.035;
        let tail = Transform::from_translation(pose.translation + pose.rotation * Vec3::Z * 0.7);
        let trail = Effect { fall: -0.6, ..puff(Ramp::Smoke, 0.9, 0.16, 0.62) };
        spawn(&mut commands, &parts, &parts.ball, trail, tail);
        let exhaust = puff(Ramp::Fire, 0.16, 0.20, 0.05);
        spawn(&mut commands, &parts, &parts.ball, exhaust, tail);
    }
}

/// Smoke from damaged vehicles and wrecks, thicker the worse they are.
pub(super) fn smoke_from_damage(
    time: Res<Time>,
    mut commands: Commands,
    parts: Res<EffectParts>,
    vehicles: Query<(&Transform, &VehicleModel)>,
) {
    for (pose, model) in &vehicles {
        let puffs_per_second = model.smoke * 14.0;
        if fastrand::f32() >= puffs_per_second * time.delta_secs() {
            continue;
        }
        let origin = Transform::from_translation(pose.translation + pose.rotation * Vec3::new(0.0, 0.6, -0.5));
        let smoke = Effect {
            velocity: Vec3::Y * 1.8 + scatter() * 0.5,
            fall: -0.5,
            ..puff(Ramp::Smoke, 1.6, 0.25, 0.6 + model.smoke * 0.7)
        };
        spawn(&mut commands, &parts, &parts.ball, smoke, origin);
        if model.smoke > 0.95 && fastrand::bool() {
            let flame = Effect { velocity: Vec3::Y * 1.5, ..puff(Ramp::Fire, 0.45, 0.45, 0.1) };
            spawn(&mut commands, &parts, &parts.ball, flame, origin);
        }
    }
}

/// Ages the effects. Runs before the systems that spawn them, so that each is drawn at least once at any frame rate.
pub(super) fn age_effects(
    time: Res<Time>,
    mut commands: Commands,
    parts: Res<EffectParts>,
    mut effects: Query<(Entity, &mut Effect, &mut Transform, &mut MeshMaterial3d<StandardMaterial>)>,
) {
    let seconds = time.delta_secs();
    for (entity, mut effect, mut pose, mut material) in &mut effects {
        effect.age += seconds;
        if effect.age >= effect.life {
            commands.entity(entity).despawn();
            continue;
        }
        let age = effect.age / effect.life;
        let grown = 1.0 - (1.0 - age) * (1.0 - age);
        pose.scale = effect.from_scale.lerp(effect.to_scale, grown);
        let fall = effect.fall;
        effect.velocity.y -= fall * seconds;
        pose.translation += effect.velocity * seconds;
        let wanted = parts.material(effect.ramp, age);
        if material.0 != *wanted {
            material.0 = wanted.clone();
        }
    }
}

/// Lets the flashes of explosions go out.
pub(super) fn dim_flashes(
    time: Res<Time>,
    mut commands: Commands,
    mut flashes: Query<(Entity, &mut Flash, &mut PointLight)>,
) {
    for (entity, mut flash, mut light) in &mut flashes {
        flash.left -= time.delta_secs();
        if flash.left <= 0.0 {
            commands.entity(entity).despawn();
        } else {
            let share = flash.left / flash.life;
            light.intensity = flash.intensity * share * share;
        }
    }
}

/// A ball of `life` seconds that grows (or shrinks) from one radius to another.
fn puff(ramp: Ramp, life: f32, from_radius: f32, to_radius: f32) -> Effect {
    Effect {
        ramp,
        age: 0.0,
        life,
        from_scale: Vec3::splat(from_radius),
        to_scale: Vec3::splat(to_radius),
        velocity: Vec3::ZERO,
        fall: 0.0,
    }
}

fn spawn_sparks(commands: &mut Commands, parts: &EffectParts, at: Vec3, towards: Vec3, count: usize) {
    for _ in 0..count {
        let spark = Effect {
            velocity: (towards + scatter()) * (4.0 + fastrand::f32() * 6.0),
            fall: 14.0,
            ..puff(Ramp::Spark, 0.25 + fastrand::f32() * 0.35, 0.09, 0.02)
        };
        spawn(commands, parts, &parts.cube, spark, Transform::from_translation(at));
    }
}

fn spawn(commands: &mut Commands, parts: &EffectParts, mesh: &Handle<Mesh>, effect: Effect, pose: Transform) {
    commands.spawn((
        Mesh3d(mesh.clone()),
        MeshMaterial3d(parts.material(effect.ramp, 0.0).clone()),
        pose.with_scale(effect.from_scale),
        NotShadowCaster,
        NotShadowReceiver,
        effect,
    ));
}

/// A random vector of at most unit length.
fn scatter() -> Vec3 {
    let component = || fastrand::f32() * 2.0 - 1.0;
    Vec3::new(component(), component(), component()).clamp_length_max(1.0)
}

/// An up direction that is not parallel to `direction`.
fn upright_to(direction: Vec3) -> Vec3 {
    if direction.x.abs() + direction.z.abs() < 1e-3 { Vec3::X } else { Vec3::Y }
}
