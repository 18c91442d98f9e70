//! Rockets: replicated kinematic bodies that fly straight and hurt everything near where they end.
//!
//! Numbers: 45 m/s for at most 3 s, one in 1.2 s. An explosion reaches 6 m and takes up to 48 points, falling off with
//! the distance to the nearest point of the chassis; the shooter itself takes 60 % of that. It pushes by up to 7 m/s.
//! What stands behind the arena's walls and boxes is safe.

use bevy::prelude::*;
use bevy_rapier3d::prelude::{
    Collider, ExternalImpulse, QueryFilter, RapierContext, ReadRapierContext, RigidBody, Sensor,
};
use bevy_slipstream::prelude::*;
use leafwing_input_manager::prelude::ActionState;
use serde::{Deserialize, Serialize};

use crate::actions::{DriveAction, DriveCommand};
use crate::health::{Damage, Wreck};
use crate::pace::{TICK_SECONDS, ticks};
use crate::player::Player;
use crate::round::Round;
use crate::turret::Turret;
use crate::vehicle::{MASS, Vehicle, nearest_point_on_chassis};
use crate::weapon::{Ammunition, Explosion, Trigger, WeaponKind};

/// Metres a second.
pub const SPEED: f32 = 45.0;
/// How far an explosion reaches, in metres.
pub const BLAST_RADIUS: f32 = 6.0;
/// Points of health at the explosion's centre.
pub const BLAST_DAMAGE: f32 = 48.0;

const OWN_DAMAGE: f32 = 0.6;
/// The change of speed at the explosion's centre, in m/s.
const BLAST_PUSH: f32 = 7.0;
const ROCKET_WAIT: u32 = ticks(6) / 5;
const LIFETIME: u32 = ticks(3);
const RADIUS: f32 = 0.15;

/// Marks a rocket in flight; its `Transform` looks along its way.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rocket {
    /// The hue of the player who fired it, in degrees.
    pub shooter_hue: u16,
}

/// What the server knows of a rocket beyond what it shows.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct RocketFlight {
    shooter: Entity,
    velocity: Vec3,
    ticks_left: u32,
    /// Where it struck, until [`explode_rockets`] makes an end of it.
    impact: Option<Vec3>,
}

/// Fires rockets for those who ask for one.
pub fn fire_rockets(
    mut commands: Commands,
    physics: ReadRapierContext,
    mut shooters: Query<
        (Entity, &ActionState<DriveAction>, &Transform, &Turret, &Player, &mut Ammunition, &mut Trigger),
        (With<Vehicle>, Without<Wreck>),
    >,
) {
    let Ok(physics) = physics.single() else {
        return;
    };
    for (shooter, actions, transform, turret, player, mut ammunition, mut trigger) in &mut shooters {
        if trigger.rocket_wait > 0 || ammunition.rockets == 0 || !DriveCommand::read(actions).rocket {
            continue;
        }
        trigger.rocket_wait = ROCKET_WAIT;
        ammunition.rockets -= 1;

        // A muzzle that sticks in a wall explodes there: nothing is shot through walls.
        let (pivot, muzzle) = (Turret::pivot(transform), turret.muzzle(transform));
        let impact = strike(&physics, pivot, muzzle - pivot, shooter);
        let velocity = turret.looks(transform) * SPEED;
        let at = Transform::from_translation(impact.unwrap_or(muzzle)).looking_to(velocity, Vec3::Y);
        commands.spawn((
            Replicated,
            Rocket { shooter_hue: player.hue },
            RocketFlight { shooter, velocity, ticks_left: LIFETIME, impact },
            at,
            RigidBody::KinematicPositionBased,
            Collider::ball(RADIUS),
            Sensor,
        ));
    }
}

/// Where the way `along` from `from` first meets something solid that is not the shooter; just before it.
fn strike(physics: &RapierContext, from: Vec3, along: Vec3, shooter: Entity) -> Option<Vec3> {
    let length = along.length();
    let direction = along.normalize_or_zero();
    let filter = QueryFilter::default().exclude_sensors().exclude_rigid_body(shooter);
    let (_, distance) = physics.cast_ray(from, direction, length + RADIUS, true, filter)?;
    Some(from + direction * (distance - RADIUS).max(0.0))
}

/// Moves the rockets by one tick. In `Simulation`, before Rapier reads the components.
pub fn fly_rockets(physics: ReadRapierContext, mut rockets: Query<(&mut Transform, &mut RocketFlight)>) {
    let Ok(physics) = physics.single() else {
        return;
    };
    for (mut transform, mut flight) in &mut rockets {
        if flight.impact.is_some() {
            continue;
        }
        let step = flight.velocity * TICK_SECONDS;
        let struck = strike(&physics, transform.translation, step, flight.shooter);
        transform.translation = struck.unwrap_or(transform.translation + step);
        flight.ticks_left = flight.ticks_left.saturating_sub(1);
        if struck.is_some() || flight.ticks_left == 0 {
            flight.impact = Some(transform.translation);
        }
    }
}

/// The points that an explosion takes from a vehicle whose nearest point is `distance` metres away.
#[must_use]
pub fn blast_damage(distance: f32, own: bool) -> u16 {
    let share = (1.0 - distance / BLAST_RADIUS).clamp(0.0, 1.0) * if own { OWN_DAMAGE } else { 1.0 };
    (BLAST_DAMAGE * share).round() as u16
}

/// Lets the rockets explode that have struck something or flown long enough.
pub fn explode_rockets(
    mut commands: Commands,
    physics: ReadRapierContext,
    rockets: Query<(Entity, &RocketFlight)>,
    mut vehicles: Query<(Entity, &Transform, &mut ExternalImpulse), With<Vehicle>>,
    mut damages: MessageWriter<Damage>,
    mut explosions: MessageSender<Explosion>,
) {
    let Ok(physics) = physics.single() else {
        return;
    };
    for (rocket, flight) in &rockets {
        let Some(at) = flight.impact else {
            continue;
        };
        commands.entity(rocket).despawn();
        let _ = explosions.send(Target::All, &Explosion { at, radius: BLAST_RADIUS });
        for (victim, transform, mut impulse) in &mut vehicles {
            let nearest = nearest_point_on_chassis(transform, at);
            let distance = nearest.distance(at);
            if distance >= BLAST_RADIUS || !is_exposed(&physics, at, transform, nearest) {
                continue;
            }
            let amount = blast_damage(distance, victim == flight.shooter);
            if amount > 0 {
                let weapon = WeaponKind::Rocket;
                damages.write(Damage { victim, attacker: Some(flight.shooter), amount, weapon });
            }
            // A little upwards, for a blast on the ground lifts.
            let away = (transform.translation - at).normalize_or(Vec3::Y) + Vec3::Y * 0.4;
            let push = away.normalize() * BLAST_PUSH * MASS * (1.0 - distance / BLAST_RADIUS);
            *impulse +=
                ExternalImpulse::at_point(push, nearest.lerp(transform.translation, 0.6), transform.translation);
        }
    }
}

/// Whether the arena leaves a way from the explosion to the vehicle: to its nearest point, its centre or its turret.
fn is_exposed(physics: &RapierContext, at: Vec3, vehicle: &Transform, nearest: Vec3) -> bool {
    [nearest, vehicle.translation, Turret::pivot(vehicle)].into_iter().any(|point| {
        let filter = QueryFilter::only_fixed().exclude_sensors();
        physics.cast_ray(at, point - at, 0.99, true, filter).is_none()
    })
}

/// Removes all rockets when a round begins.
pub fn clear_rockets(round: Res<Round>, mut commands: Commands, rockets: Query<Entity, With<RocketFlight>>) {
    if !round.begins() {
        return;
    }
    for rocket in &rockets {
        commands.entity(rocket).despawn();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blast_falls_off_with_the_distance() {
        assert_eq!(blast_damage(0.0, false), 48);
        assert_eq!(blast_damage(3.0, false), 24);
        assert_eq!(blast_damage(BLAST_RADIUS, false), 0);
        assert_eq!(blast_damage(100.0, false), 0);
        assert_eq!(blast_damage(0.0, true), 29);
    }
}
