//! Weapons: what they carry, how often they fire, and what they tell the players.
//!
//! Numbers: 240 rounds and 6 rockets when fresh. See [`machine_gun`] and [`rocket`] for theirs.

pub mod machine_gun;
pub mod rocket;

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

/// Rounds of a full belt.
pub const MAX_ROUNDS: u16 = 240;
/// Rockets in a full rack.
pub const MAX_ROCKETS: u8 = 6;

/// What a vehicle has left to fire.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ammunition {
    /// For the machine gun.
    pub rounds: u16,
    /// Rockets.
    pub rockets: u8,
}

impl Ammunition {
    /// Everything it can carry.
    pub const FULL: Self = Self { rounds: MAX_ROUNDS, rockets: MAX_ROCKETS };

    /// Whether nothing more fits.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.rounds >= MAX_ROUNDS && self.rockets >= MAX_ROCKETS
    }
}

/// What a kill was done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WeaponKind {
    /// The machine gun.
    MachineGun,
    /// A rocket's explosion.
    Rocket,
    /// No weapon: the vehicle left the arena.
    Arena,
}

impl WeaponKind {
    /// The weapon in words, for a kill feed: "Ada [rocket] Bo".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MachineGun => "gun",
            Self::Rocket => "rocket",
            Self::Arena => "arena",
        }
    }
}

/// A bullet's way, for everyone to draw. From the server; may be lost.
#[derive(Message, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shot {
    /// The muzzle.
    pub from: Vec3,
    /// Where it ended.
    pub to: Vec3,
    /// Whether it ended in a vehicle.
    pub hit: bool,
}

/// An explosion, for everyone to draw. From the server; may be lost.
#[derive(Message, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explosion {
    /// Its centre.
    pub at: Vec3,
    /// How far it reached, in metres.
    pub radius: f32,
}

/// Somebody was wrecked. From the server, never lost and in order.
#[derive(Message, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// Who gets the credit; the victim itself when it was nobody else's doing.
    pub killer: String,
    /// Who was wrecked.
    pub victim: String,
    /// What with.
    pub weapon: WeaponKind,
}

/// How many ticks until the weapons can fire again. On the server.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trigger {
    pub(crate) gun_wait: u32,
    pub(crate) rocket_wait: u32,
}

/// One tick passes for every weapon.
pub fn cool_weapons(mut triggers: Query<&mut Trigger>) {
    for mut trigger in &mut triggers {
        trigger.gun_wait = trigger.gun_wait.saturating_sub(1);
        trigger.rocket_wait = trigger.rocket_wait.saturating_sub(1);
    }
}
