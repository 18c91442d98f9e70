//! Joining and leaving.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use leafwing_input_manager::prelude::ActionState;
use vehicle_combat::actions::DriveAction;
use vehicle_combat::player::Player;
use vehicle_combat::server::ServerConfig;
use vehicle_combat::vehicle::Vehicle;

use crate::game::Game;

#[test]
fn a_hosts_own_player_gets_a_vehicle_to_control_and_loses_it_with_the_connection() {
    let mut game = Game::with(NetworkingPlugin::host().name("Ada"), ServerConfig::default());
    game.ticks(3);
    let mut own = game.world().query_filtered::<(Entity, &Owner, &Player), (With<Vehicle>, With<Controlled>)>();
    let (vehicle, connection) = {
        let (vehicle, owner, player) = own.single(game.world()).expect("one vehicle, of the host's own player");
        assert_eq!(player.name, "Ada");
        (vehicle, owner.0)
    };
    assert!(game.try_get::<ActionState<DriveAction>>(vehicle).is_some());
    game.world().entity_mut(connection).remove::<Connected>();
    assert!(game.try_get::<Player>(vehicle).is_none(), "the vehicle has left too");
}

#[test]
fn names_are_unique_and_hues_differ() {
    let mut game = Game::new(ServerConfig::default());
    let (first, second) = (game.seat("Rust"), game.seat(" Rust "));
    assert_eq!(game.get::<Player>(first).name, "Rust");
    assert_eq!(game.get::<Player>(second).name, "Rust 2");
    assert_ne!(game.get::<Player>(first).hue, game.get::<Player>(second).hue);
}

#[test]
fn a_full_game_seats_nobody_more() {
    let mut game = Game::new(ServerConfig { max_players: 1, ..ServerConfig::default() });
    assert!(game.try_seat("Ada").is_some());
    assert!(game.try_seat("Bo").is_none());
}

#[test]
fn players_start_far_from_each_other_and_any_number_fits() {
    let mut game = Game::new(ServerConfig::default());
    let players: Vec<Entity> = (0..20).map(|_| game.seat("Ada")).collect();
    let first = game.get::<Transform>(players[0]).translation;
    assert!(game.get::<Transform>(players[1]).translation.distance(first) > 50.0);
    game.ticks(180);
    for player in players {
        let transform = game.get::<Transform>(player);
        assert!(transform.translation.is_finite() && transform.translation.y > 0.0, "{transform:?}");
    }
}
