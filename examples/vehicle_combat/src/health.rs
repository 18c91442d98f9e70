//! Health, damage, wrecks and who gets the credit.
//!
//! Numbers: 100 health; a wreck burns for 4 s where it died and then its driver starts anew. Damage counts in whole
//! points, so that what one side loses is exactly what the other side's score shows. Who hit a vehicle within 5 s before
//! it is lost without an enemy's hand (over the wall, out of the world) gets the kill; an own rocket is one's own fault.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use serde::{Deserialize, Serialize};

use crate::arena::Arena;
use crate::pace::{has_come, ticks};
use crate::player::Player;
use crate::round::{Round, Score};
use crate::vehicle::Vehicle;
use crate::weapon::{Explosion, Kill, WeaponKind};

/// Health of a fresh vehicle.
pub const MAX_HEALTH: f32 = 100.0;

/// How long a wreck burns, in ticks.
pub const WRECK_TICKS: u32 = ticks(4);

/// How long a hit is remembered for the credit, in ticks.
const CREDIT_TICKS: u32 = ticks(5);

/// How much a vehicle still takes.
#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// What is left: 0 is a wreck.
    pub current: f32,
    /// What it has when whole.
    pub max: f32,
}

impl Health {
    /// Undamaged.
    pub const FULL: Self = Self { current: MAX_HEALTH, max: MAX_HEALTH };
}

/// The vehicle is a burning hulk until it is given a new start.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wreck {
    /// The tick of the new start.
    pub respawn_at: u32,
}

/// Damage dealt in this tick. On the server, from weapons to [`apply_damage`].
#[derive(Message, Clone, Copy, Debug, PartialEq)]
pub struct Damage {
    /// The vehicle that is hit.
    pub victim: Entity,
    /// The vehicle whose driver did it, if any did.
    pub attacker: Option<Entity>,
    /// Points of health.
    pub amount: u16,
    /// What with.
    pub weapon: WeaponKind,
}

/// Who hit the vehicle last, and when. On the server.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastAttacker(Option<(Entity, u32)>);

impl LastAttacker {
    /// Whose hit is remembered at this tick.
    fn remembered(self, now: u32) -> Option<Entity> {
        let (attacker, at) = self.0?;
        (!has_come(now, at.wrapping_add(CREDIT_TICKS))).then_some(attacker)
    }

    /// Forgets: a new start.
    pub fn clear(&mut self) {
        self.0 = None;
    }
}

/// Condemns vehicles that left the arena: over the wall, or through the ground.
pub fn condemn_the_lost(
    arena: Res<Arena>,
    vehicles: Query<(Entity, &Transform), (With<Vehicle>, Without<Wreck>)>,
    mut damages: MessageWriter<Damage>,
) {
    for (victim, transform) in &vehicles {
        if !arena.contains(transform.translation) {
            damages.write(Damage { victim, attacker: None, amount: u16::MAX, weapon: WeaponKind::Arena });
        }
    }
}

/// Takes the tick's damage off, makes wrecks of those who had none left, and keeps the score. Between rounds nothing
/// hurts but the arena's bounds.
pub fn apply_damage(
    tick: Res<SimulationTick>,
    round: Res<Round>,
    mut commands: Commands,
    mut damages: MessageReader<Damage>,
    mut vehicles: Query<(&mut Health, &mut LastAttacker, &Transform, Has<Wreck>), With<Vehicle>>,
    mut scores: Query<&mut Score>,
    names: Query<&Player>,
    mut kills: MessageSender<Kill>,
    mut explosions: MessageSender<Explosion>,
) {
    let now = tick.0.get();
    for damage in damages.read() {
        if !round.hurts() && damage.weapon != WeaponKind::Arena {
            continue;
        }
        let Ok((mut health, mut last, transform, wrecked)) = vehicles.get_mut(damage.victim) else {
            continue;
        };
        if wrecked || health.current <= 0.0 {
            continue;
        }
        let dealt = health.current.min(f32::from(damage.amount));
        health.current -= dealt;

        let enemy = damage.attacker.filter(|attacker| *attacker != damage.victim);
        if let Some(enemy) = enemy {
            last.0 = Some((enemy, now));
            if let Ok(mut score) = scores.get_mut(enemy) {
                score.damage += dealt as u32;
            }
        }
        if health.current > 0.0 {
            continue;
        }

        // An own rocket is nobody else's merit; a fall may be.
        let killer = if damage.attacker.is_some() { enemy } else { last.remembered(now) };
        if let Ok(mut score) = scores.get_mut(damage.victim) {
            score.deaths = score.deaths.saturating_add(1);
        }
        if let Some(killer) = killer
            && let Ok(mut score) = scores.get_mut(killer)
        {
            score.kills = score.kills.saturating_add(1);
        }
        commands.entity(damage.victim).insert(Wreck { respawn_at: now.wrapping_add(WRECK_TICKS) });

        let name =
            |entity: Entity| names.get(entity).map_or_else(|_| "someone who left".to_owned(), |p| p.name.clone());
        let kill =
            Kill { killer: name(killer.unwrap_or(damage.victim)), victim: name(damage.victim), weapon: damage.weapon };
        // With nobody connected there is nobody to tell, and that is no error of the game.
        let _ = kills.send(Target::All, &kill);
        let _ = explosions.send(Target::All, &Explosion { at: transform.translation, radius: 3.0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_is_remembered_for_five_seconds() {
        let attacker = Entity::from_bits(7);
        let last = LastAttacker(Some((attacker, 100)));
        assert_eq!(last.remembered(100 + CREDIT_TICKS - 1), Some(attacker));
        assert_eq!(last.remembered(100 + CREDIT_TICKS), None);
        assert_eq!(LastAttacker::default().remembered(0), None);
    }
}
