//! Components that not everybody who sees their entity is told.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};
use serde::{Deserialize, Serialize};

use crate::scene::{Health, SETTLED, line};

#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Armour(u32);

#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Cargo(u32);

/// A ship of team 1. Alice is of that team, Bob is not.
fn ship() -> (Harness, Client, Client, Entity) {
    let mut harness = Harness::new(|app| {
        app.replicate::<Health>();
        app.replicate::<Armour>().to_team_only();
        app.replicate::<Cargo>().when_revealed();
    });
    let (alice, bob) = (harness.add_client(line(20)), harness.add_client(line(20)));
    harness.connect();
    for (client, team) in [(alice, 1), (bob, 2)] {
        let connection = harness.server_connection(client);
        harness.server().world_mut().entity_mut(connection).insert(Team(team));
    }
    let ship = harness.server().world_mut().spawn((Replicated, Team(1), Health(9), Armour(7), Cargo(5))).id();
    harness.run_ticks(SETTLED);
    (harness, alice, bob, ship)
}

#[test]
fn a_teams_component_is_told_to_the_team_alone() {
    let (mut harness, alice, bob, ship) = ship();
    assert_eq!(harness.remote::<Armour>(alice, ship), Some(&Armour(7)));
    assert_eq!(harness.remote::<Health>(bob, ship), Some(&Health(9)), "the ship itself is in sight");
    assert_eq!(harness.remote::<Armour>(bob, ship), None);
    harness.server().world_mut().entity_mut(ship).insert(Armour(6));
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Armour>(alice, ship), Some(&Armour(6)));
    assert_eq!(harness.remote::<Armour>(bob, ship), None);
}

#[test]
fn who_changes_sides_is_told_from_then_on() {
    let (mut harness, _, bob, ship) = ship();
    let connection = harness.server_connection(bob);
    harness.server().world_mut().entity_mut(connection).insert(Team(1));
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Armour>(bob, ship), Some(&Armour(7)));
}

#[test]
fn what_is_revealed_is_told_to_whom_it_is_revealed() {
    let (mut harness, alice, bob, ship) = ship();
    assert_eq!(harness.remote::<Cargo>(alice, ship), None);
    assert_eq!(harness.remote::<Cargo>(bob, ship), None);
    let connection = harness.server_connection(bob);
    harness.server().world_mut().entity_mut(ship).insert(Reveal(VisibleTo::Only(vec![connection])));
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Cargo>(bob, ship), Some(&Cargo(5)));
    assert_eq!(harness.remote::<Cargo>(alice, ship), None);
}
