//! The decisions of a bot: whom to fight, where to drive, when to fire.

use bevy::math::Vec3Swizzles;
use bevy::prelude::*;

use super::steering::{Wheelwork, follow, free_heading};
use super::terrain::Terrain;
use crate::actions::DriveCommand;
use crate::health::Health;
use crate::pickup::{Pickup, PickupKind};
use crate::turret::{Turret, angles};
use crate::weapon::Ammunition;

/// The distance to an enemy that a bot keeps while it circles it, in metres.
const FIGHTING_DISTANCE: f32 = 14.0;
/// Nearer than this the bot circles, further away it comes closer.
const CIRCLING_DISTANCE: f32 = 24.0;
const GUN_RANGE: f32 = 80.0;
const LOW_HEALTH: f32 = 40.0;
const LOW_ROUNDS: u16 = 40;
/// Below this forward speed in m/s a bot that wants to move is stuck.
const STUCK_SPEED: f32 = 0.8;
const STUCK_TICKS: u16 = 40;
const REVERSE_TICKS: u16 = 55;
/// A bot circles the other way after so many ticks, so that it is no clockwork.
const CIRCLE_TICKS: u32 = 400;

/// What a bot sees in one tick.
#[derive(Clone, Debug)]
pub struct BotView<'a> {
    /// Now.
    pub tick: u32,
    /// Its own vehicle.
    pub me: Me,
    /// All other vehicles, wrecks too.
    pub enemies: &'a [Enemy],
    /// All pick-ups, taken ones too.
    pub pickups: &'a [SeenPickup],
    /// What is in the way.
    pub terrain: &'a Terrain,
    /// How much later than what it sees its shots arrive, in seconds.
    pub lead_seconds: f32,
}

/// The bot's own vehicle.
#[derive(Clone, Copy, Debug)]
pub struct Me {
    /// Where it stands.
    pub transform: Transform,
    /// m/s.
    pub velocity: Vec3,
    /// Where its turret looks.
    pub turret: Turret,
    /// What it still takes.
    pub health: Health,
    /// What it has to fire.
    pub ammunition: Ammunition,
    /// Whether it is a wreck.
    pub wrecked: bool,
}

/// Another vehicle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Enemy {
    /// Its centre.
    pub position: Vec3,
    /// m/s.
    pub velocity: Vec3,
    /// What it still takes.
    pub health: f32,
    /// Whether it is a wreck.
    pub wrecked: bool,
}

/// A pick-up and where it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeenPickup {
    /// Where.
    pub position: Vec3,
    /// What, and whether it is there.
    pub pickup: Pickup,
}

/// What a bot remembers from one tick to the next. On a vehicle it makes a bot of it.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brain {
    /// Shifts its habits in time, so that bots do not dance in step.
    phase: u32,
    stuck_ticks: u16,
    reverse_ticks: u16,
}

impl Brain {
    /// A fresh brain with habits of its own.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self { phase: fastrand::Rng::with_seed(seed).u32(..10_000), ..Self::default() }
    }
}

/// What a bot does next, and what it will remember. The same view and memory give the same answer.
#[must_use]
pub fn decide(view: &BotView, brain: Brain) -> (DriveCommand, Brain) {
    if view.me.wrecked {
        return (DriveCommand::default(), Brain { phase: brain.phase, ..default() });
    }
    let target = choose_target(view);
    let (work, brain) = drive(view, target, brain);
    let mut command = aim(view, target);
    command.throttle = work.throttle;
    command.steer = work.steer;
    command.handbrake = work.handbrake;
    command.flip = (view.me.transform.rotation * Vec3::Y).y < 0.5 && view.me.velocity.length() < 3.0;
    (command, brain)
}

/// An enemy worth fighting.
#[derive(Clone, Copy, Debug)]
struct Target {
    enemy: Enemy,
    distance: f32,
    in_sight: bool,
}

/// The nearest living enemy, preferring those in sight and those who are nearly done.
fn choose_target(view: &BotView) -> Option<Target> {
    let eye = Turret::pivot(&view.me.transform);
    let cost = |target: &Target| {
        let detour = if target.in_sight { 0.0 } else { 25.0 };
        target.distance + detour + target.enemy.health * 0.1
    };
    view.enemies
        .iter()
        .filter(|enemy| !enemy.wrecked)
        .map(|enemy| Target {
            enemy: *enemy,
            distance: enemy.position.distance(eye),
            in_sight: view.terrain.sees(eye, enemy.position),
        })
        .min_by(|a, b| cost(a).total_cmp(&cost(b)))
}

/// Aims where the enemy will be and pulls the triggers when that is where the turret looks.
fn aim(view: &BotView, target: Option<Target>) -> DriveCommand {
    let me = &view.me;
    let Some(target) = target else {
        // Nobody there: look where it drives.
        let (aim_yaw, aim_pitch) = angles(me.transform.rotation * Vec3::NEG_Z);
        return DriveCommand { aim_yaw, aim_pitch, ..default() };
    };
    let apart = target.enemy.velocity - me.velocity;
    let wanted = target.enemy.position + apart * view.lead_seconds - Turret::pivot(&me.transform);
    let (aim_yaw, aim_pitch) = angles(wanted);

    // A chassis is some 2 m wide from most sides.
    let tolerance = (1.0 / target.distance.max(1.0)).clamp(0.02, 0.2);
    let aligned = me.turret.looks(&me.transform).angle_between(wanted.normalize_or(Vec3::NEG_Z)) < tolerance;
    let ready = aligned && target.in_sight;
    // A rocket needs an enemy that will still be near when it arrives, and must not hurt its shooter.
    let slow = target.enemy.velocity.length() < 7.0;
    let rocket_range = 9.0..if slow { 40.0 } else { 22.0 };
    DriveCommand {
        aim_yaw,
        aim_pitch,
        fire: ready && target.distance < GUN_RANGE && me.ammunition.rounds > 0,
        rocket: ready && rocket_range.contains(&target.distance) && me.ammunition.rockets > 0,
        ..default()
    }
}

/// Drives to what it needs most, around what is in the way, and backs out when stuck.
fn drive(view: &BotView, target: Option<Target>, brain: Brain) -> (Wheelwork, Brain) {
    let me = &view.me;
    let from = me.transform.translation.xz();
    let (wanted, distance) = goal(view, target, brain.phase);
    let heading = free_heading(view.terrain, from, wanted, distance);
    let forward = me.transform.rotation * Vec3::NEG_Z;
    let speed = forward.dot(me.velocity);
    let work = follow(view.terrain, &me.transform, speed, heading, 1.0);

    if brain.reverse_ticks > 0 {
        // Backwards the nose swings the other way: steering away from the goal turns it towards the goal.
        let steer = if work.steer > 0.0 { -1.0 } else { 1.0 };
        let backing = Wheelwork { throttle: -1.0, steer, handbrake: false };
        return (backing, Brain { stuck_ticks: 0, reverse_ticks: brain.reverse_ticks - 1, ..brain });
    }
    let stuck = work.throttle.abs() > 0.3 && speed.abs() < STUCK_SPEED;
    let stuck_ticks = if stuck { brain.stuck_ticks + 1 } else { brain.stuck_ticks.saturating_sub(2) };
    if stuck_ticks > STUCK_TICKS {
        return (work, Brain { stuck_ticks: 0, reverse_ticks: REVERSE_TICKS, ..brain });
    }
    (work, Brain { stuck_ticks, ..brain })
}

/// The direction a bot wants to go (x and z, a unit vector) and how far, in metres.
fn goal(view: &BotView, target: Option<Target>, phase: u32) -> (Vec2, f32) {
    let time = view.tick.wrapping_add(phase);
    let from = view.me.transform.translation.xz();
    let towards = |place: Vec2| ((place - from).normalize_or(Vec2::NEG_Y), place.distance(from));
    if let Some(place) = needed_pickup(view) {
        return towards(place);
    }
    let Some(target) = target else {
        // Nobody to fight: patrol, a quarter of the arena further every ten seconds.
        let quarter = (time / 600 % 4) as f32 * std::f32::consts::FRAC_PI_2;
        return towards(Vec2::from_angle(quarter) * 26.0);
    };
    let (to_enemy, distance) = towards(target.enemy.position.xz());
    if distance > CIRCLING_DISTANCE || !target.in_sight {
        return (to_enemy, distance);
    }
    let around = if (time / CIRCLE_TICKS).is_multiple_of(2) { to_enemy.perp() } else { -to_enemy.perp() };
    let closer = ((distance - FIGHTING_DISTANCE) / 8.0).clamp(-1.0, 1.0);
    ((around + to_enemy * closer).normalize_or(to_enemy), LOOKING_AROUND)
}

/// How much free way a circling bot wants, in metres.
const LOOKING_AROUND: f32 = 10.0;

/// The nearest pick-up on the ground that the bot needs and that is there.
fn needed_pickup(view: &BotView) -> Option<Vec2> {
    let from = view.me.transform.translation;
    let hurt = view.me.health.current < LOW_HEALTH;
    let empty = view.me.ammunition.rounds < LOW_ROUNDS;
    view.pickups
        .iter()
        .filter(|seen| seen.pickup.available && seen.position.y < 2.0)
        .filter(|seen| match seen.pickup.kind {
            PickupKind::Repair => hurt,
            PickupKind::Ammunition => empty,
        })
        .min_by(|a, b| a.position.distance(from).total_cmp(&b.position.distance(from)))
        .map(|seen| seen.position.xz())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Arena;

    fn me(position: Vec3) -> Me {
        Me {
            transform: Transform::from_translation(position),
            velocity: Vec3::ZERO,
            turret: Turret::default(),
            health: Health::FULL,
            ammunition: Ammunition::FULL,
            wrecked: false,
        }
    }

    fn enemy(position: Vec3) -> Enemy {
        Enemy { position, velocity: Vec3::ZERO, health: 100.0, wrecked: false }
    }

    fn view<'a>(me: Me, enemies: &'a [Enemy], pickups: &'a [SeenPickup], terrain: &'a Terrain) -> BotView<'a> {
        BotView { tick: 0, me, enemies, pickups, terrain, lead_seconds: 0.0 }
    }

    #[test]
    fn a_bot_fires_when_its_turret_looks_at_an_enemy_in_sight() {
        let terrain = Terrain::of(&Arena::bundled());
        // Its turret looks to -Z, and so stands the first enemy; the second is to the right.
        let bot = me(Vec3::new(-15.0, 0.7, 55.0));
        let ahead = [enemy(Vec3::new(-15.0, 0.7, 35.0))];
        let beside = [enemy(Vec3::new(10.0, 0.7, 55.0))];
        assert!(!decide(&view(bot, &ahead, &[], &terrain), Brain::default()).0.fire, "a container hides it");
        let bot = me(Vec3::new(-30.0, 0.7, 55.0));
        let ahead = [enemy(Vec3::new(-30.0, 0.7, 35.0))];
        assert!(decide(&view(bot, &ahead, &[], &terrain), Brain::default()).0.fire);
        assert!(!decide(&view(bot, &beside, &[], &terrain), Brain::default()).0.fire);
    }

    #[test]
    fn a_bot_aims_ahead_of_a_moving_enemy() {
        let terrain = Terrain::of(&Arena::bundled());
        let bot = me(Vec3::new(-30.0, 0.7, 55.0));
        let moving = [Enemy { velocity: Vec3::X * 10.0, ..enemy(Vec3::new(-30.0, 0.7, 35.0)) }];
        let mut seen = view(bot, &moving, &[], &terrain);
        seen.lead_seconds = 0.2;
        // To the right is a negative yaw.
        assert!(decide(&seen, Brain::default()).0.aim_yaw < -0.05);
    }

    #[test]
    fn a_hurt_bot_drives_to_a_repair_and_not_to_one_that_is_taken() {
        let terrain = Terrain::of(&Arena::bundled());
        let mut bot = me(Vec3::new(0.0, 0.7, 52.0));
        bot.health.current = 20.0;
        let repair = |x: f32, available| SeenPickup {
            position: Vec3::new(x, 1.0, 52.0),
            pickup: Pickup { kind: PickupKind::Repair, available },
        };
        let pickups = [repair(-12.0, false), repair(14.0, true)];
        let seen = view(bot, &[], &pickups, &terrain);
        assert_eq!(needed_pickup(&seen), Some(Vec2::new(14.0, 52.0)));
        assert!(decide(&seen, Brain::default()).0.steer > 0.0);
    }

    #[test]
    fn a_stuck_bot_backs_out() {
        let terrain = Terrain::of(&Arena::bundled());
        let bot = me(Vec3::new(0.0, 0.7, 52.0));
        let enemies = [enemy(Vec3::new(0.0, 0.7, 20.0))];
        let seen = view(bot, &enemies, &[], &terrain);
        let mut brain = Brain::default();
        let mut backed = false;
        for _ in 0..120 {
            let (command, next) = decide(&seen, brain);
            backed |= command.throttle < -0.9;
            brain = next;
        }
        assert!(backed);
    }

    #[test]
    fn a_wreck_does_nothing_and_an_overturned_bot_rights_itself() {
        let terrain = Terrain::of(&Arena::bundled());
        let mut bot = me(Vec3::new(0.0, 0.7, 52.0));
        bot.transform.rotation = Quat::from_rotation_z(3.0);
        assert!(decide(&view(bot, &[], &[], &terrain), Brain::default()).0.flip);
        bot.wrecked = true;
        assert_eq!(decide(&view(bot, &[], &[], &terrain), Brain::default()).0, DriveCommand::default());
    }
}
