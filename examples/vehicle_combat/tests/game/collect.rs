//! Pick-ups.

use bevy::prelude::*;
use vehicle_combat::arena::Arena;
use vehicle_combat::health::Health;
use vehicle_combat::pace::ticks;
use vehicle_combat::pickup::{Pickup, PickupKind, REPAIR};
use vehicle_combat::server::ServerConfig;
use vehicle_combat::weapon::{Ammunition, MAX_ROCKETS, MAX_ROUNDS};

use crate::game::Game;

/// The first pick-up of a kind: the entity, where it lies and after how many seconds it comes back.
fn first(game: &mut Game, kind: PickupKind) -> (Entity, Vec3, u32) {
    let arena = game.world().resource::<Arena>().clone();
    let point = *arena.pickups.iter().find(|point| point.kind == kind).expect("the foundry has all kinds");
    let mut pickups = game.world().query::<(Entity, &Transform)>();
    let (entity, _) = pickups
        .iter(game.world())
        .find(|(_, transform)| transform.translation == point.position)
        .expect("every pick-up is laid out");
    (entity, point.position, u32::from(point.respawn_seconds))
}

#[test]
fn a_repair_heals_is_gone_and_comes_back() {
    let mut game = Game::new(ServerConfig::default());
    let vehicle = game.seat("Ada");
    let (pickup, place, seconds) = first(&mut game, PickupKind::Repair);
    game.place(vehicle, place.x, place.z, 0.0);
    game.ticks(5);
    assert!(game.get::<Pickup>(pickup).available, "who is whole leaves it");

    game.set(vehicle, Health { current: 10.0, ..Health::FULL });
    game.ticks(2);
    assert_eq!(game.get::<Health>(vehicle).current, 10.0 + REPAIR);
    assert!(!game.get::<Pickup>(pickup).available);

    game.ticks(ticks(seconds) - 10);
    assert_eq!(game.get::<Health>(vehicle).current, 10.0 + REPAIR, "once is once");
    game.ticks(20);
    assert_eq!(game.get::<Health>(vehicle), Health::FULL, "it is there again, and never heals beyond whole");
}

#[test]
fn ammunition_fills_up_to_what_fits() {
    let mut game = Game::new(ServerConfig::default());
    let vehicle = game.seat("Ada");
    let (pickup, place, _) = first(&mut game, PickupKind::Ammunition);
    game.set(vehicle, Ammunition { rounds: MAX_ROUNDS - 1, rockets: 0 });
    game.place(vehicle, place.x, place.z, 0.0);
    game.ticks(3);
    assert!(!game.get::<Pickup>(pickup).available);
    let ammunition = game.get::<Ammunition>(vehicle);
    assert_eq!(ammunition.rounds, MAX_ROUNDS);
    assert!(ammunition.rockets > 0 && ammunition.rockets <= MAX_ROCKETS);
}
