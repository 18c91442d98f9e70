//! Pick-ups: repairs and ammunition that lie in the arena and come back.
//!
//! Numbers: a repair gives 50 health, ammunition 120 rounds and 4 rockets; whoever drives within 2.6 m and needs it
//! takes it. The arena's file says after how many seconds each is there again.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use serde::{Deserialize, Serialize};

use crate::arena::Arena;
use crate::health::{Health, Wreck};
use crate::pace::ticks;
use crate::round::Round;
use crate::vehicle::Vehicle;
use crate::weapon::{Ammunition, MAX_ROCKETS, MAX_ROUNDS};

/// How near a vehicle's centre must come, in metres.
pub const REACH: f32 = 2.6;
/// Health that a repair gives.
pub const REPAIR: f32 = 50.0;
/// Rounds that ammunition gives.
pub const ROUNDS: u16 = 120;
/// Rockets that ammunition gives.
pub const ROCKETS: u8 = 4;

/// What a pick-up gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PickupKind {
    /// Health.
    Repair,
    /// Rounds and rockets.
    Ammunition,
}

/// A place where something lies, or will again.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pickup {
    /// What lies there.
    pub kind: PickupKind,
    /// Whether it is there now.
    pub available: bool,
}

/// When a taken pick-up comes back. On the server.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restock {
    after: u32,
    ticks_left: u32,
}

/// Lays out the arena's pick-ups.
pub fn spawn_pickups(mut commands: Commands, arena: Res<Arena>) {
    for point in &arena.pickups {
        commands.spawn((
            Replicated,
            Pickup { kind: point.kind, available: true },
            Restock { after: ticks(u32::from(point.respawn_seconds)), ticks_left: 0 },
            Transform::from_translation(point.position),
        ));
    }
}

/// Brings back what was taken long enough ago; everything when a round begins.
pub fn restock_pickups(round: Res<Round>, mut pickups: Query<(&mut Pickup, &mut Restock)>) {
    for (mut pickup, mut restock) in &mut pickups {
        if pickup.available {
            continue;
        }
        restock.ticks_left = restock.ticks_left.saturating_sub(1);
        if restock.ticks_left == 0 || round.begins() {
            pickup.available = true;
        }
    }
}

/// Gives pick-ups to vehicles that come near and need them.
pub fn collect_pickups(
    mut pickups: Query<(&Transform, &mut Pickup, &mut Restock)>,
    mut vehicles: Query<(&Transform, &mut Health, &mut Ammunition), (With<Vehicle>, Without<Wreck>)>,
) {
    for (place, mut pickup, mut restock) in &mut pickups {
        if !pickup.available {
            continue;
        }
        for (transform, mut health, mut ammunition) in &mut vehicles {
            let needs = match pickup.kind {
                PickupKind::Repair => health.current < health.max,
                PickupKind::Ammunition => !ammunition.is_full(),
            };
            if !needs || health.current <= 0.0 || transform.translation.distance(place.translation) > REACH {
                continue;
            }
            match pickup.kind {
                PickupKind::Repair => health.current = (health.current + REPAIR).min(health.max),
                PickupKind::Ammunition => {
                    ammunition.rounds = (ammunition.rounds + ROUNDS).min(MAX_ROUNDS);
                    ammunition.rockets = (ammunition.rockets + ROCKETS).min(MAX_ROCKETS);
                }
            }
            pickup.available = false;
            restock.ticks_left = restock.after;
            break;
        }
    }
}
