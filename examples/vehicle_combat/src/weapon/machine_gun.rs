//! The machine gun: ten bullets a second that arrive in the tick in which they are fired.
//!
//! Numbers: 10 shots a second, 6 points each, 120 m, a spread of 0.012 rad. The ray starts at the turret's pivot, so
//! that a muzzle pushed into a wall does not shoot through it; the shooter's own body never stops it. The spread comes
//! from the tick and the shooter's number: the same shot always goes the same way.

use std::f32::consts::TAU;

use bevy::prelude::*;
use bevy_rapier3d::prelude::{QueryFilter, ReadRapierContext};
use bevy_slipstream::prelude::*;
use leafwing_input_manager::prelude::ActionState;

use crate::actions::{DriveAction, DriveCommand};
use crate::health::{Damage, Wreck};
use crate::pace::ticks;
use crate::player::PlayerNumber;
use crate::server::ServerConfig;
use crate::turret::Turret;
use crate::vehicle::Vehicle;
use crate::weapon::{Ammunition, Shot, Trigger, WeaponKind};

/// Shots a second.
pub const SHOTS_PER_SECOND: u32 = 10;
/// Points of health that one bullet takes.
pub const DAMAGE: u16 = 6;
/// How far a bullet flies, in metres.
pub const RANGE: f32 = 120.0;

const TICKS_PER_SHOT: u32 = ticks(1) / SHOTS_PER_SECOND;
/// The widest deviation, in radians.
const SPREAD: f32 = 0.012;

/// The direction of a shot that is aimed along `aim`, a unit vector.
#[must_use]
pub fn spread(aim: Vec3, seed: u64, tick: u32, shooter: u32) -> Vec3 {
    // An odd multiplier keeps neighbouring ticks and shooters apart.
    let mixed = seed ^ ((u64::from(tick) << 32) | u64::from(shooter)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut random = fastrand::Rng::with_seed(mixed);
    let (around, out) = (random.f32() * TAU, random.f32().sqrt() * SPREAD);
    let (side, up) = aim.any_orthonormal_pair();
    (aim + (side * around.cos() + up * around.sin()) * out).normalize()
}

/// Fires the guns whose triggers are held.
pub fn fire_machine_guns(
    tick: Res<SimulationTick>,
    config: Res<ServerConfig>,
    physics: ReadRapierContext,
    mut shooters: Query<
        (Entity, &ActionState<DriveAction>, &Transform, &Turret, &PlayerNumber, &mut Ammunition, &mut Trigger),
        (With<Vehicle>, Without<Wreck>),
    >,
    vehicles: Query<(), With<Vehicle>>,
    mut damages: MessageWriter<Damage>,
    mut shots: MessageSender<Shot>,
) {
    let Ok(physics) = physics.single() else {
        return;
    };
    for (shooter, actions, transform, turret, number, mut ammunition, mut trigger) in &mut shooters {
        if trigger.gun_wait > 0 || ammunition.rounds == 0 || !DriveCommand::read(actions).fire {
            continue;
        }
        trigger.gun_wait = TICKS_PER_SHOT;
        ammunition.rounds -= 1;

        let from = Turret::pivot(transform);
        let aim = spread(turret.looks(transform), config.seed, tick.0.get(), number.0);
        let filter = QueryFilter::default().exclude_sensors().exclude_rigid_body(shooter);
        let struck = physics.cast_ray(from, aim, RANGE, true, filter);
        let to = from + aim * struck.map_or(RANGE, |(_, distance)| distance);
        let victim = struck.map(|(entity, _)| entity).filter(|entity| vehicles.contains(*entity));
        if let Some(victim) = victim {
            let weapon = WeaponKind::MachineGun;
            damages.write(Damage { victim, attacker: Some(shooter), amount: DAMAGE, weapon });
        }
        // A shot that nobody is told of is only not drawn.
        let _ = shots.send(Target::All, &Shot { from: turret.muzzle(transform), to, hit: victim.is_some() });
    }
}

/// Ticks between two shots must be whole.
const _: () = assert!(TICKS_PER_SHOT * SHOTS_PER_SECOND == ticks(1));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_shot_goes_the_same_way_and_others_differ() {
        let first = spread(Vec3::X, 1, 100, 2);
        assert_eq!(first, spread(Vec3::X, 1, 100, 2));
        assert_ne!(first, spread(Vec3::X, 1, 101, 2));
        assert_ne!(first, spread(Vec3::X, 1, 100, 3));
        assert_ne!(first, spread(Vec3::X, 2, 100, 2));
    }

    #[test]
    fn no_shot_strays_further_than_the_spread() {
        let aim = Vec3::new(0.3, 0.1, -0.9).normalize();
        for tick in 0..1000 {
            let shot = spread(aim, 42, tick, 1);
            assert!(shot.is_normalized() && shot.angle_between(aim) <= SPREAD + 1e-3);
        }
    }
}
