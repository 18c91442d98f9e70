//! Driving on Rapier.

use bevy::prelude::*;
use bevy_rapier3d::prelude::Velocity;
use vehicle_combat::actions::DriveCommand;
use vehicle_combat::server::ServerConfig;
use vehicle_combat::turret::Turret;
use vehicle_combat::vehicle::{RIDE_HEIGHT, yaw_of};

use crate::game::Game;

fn forward_speed(game: &Game, vehicle: Entity) -> f32 {
    let forward = game.get::<Transform>(vehicle).rotation * Vec3::NEG_Z;
    forward.dot(game.get::<Velocity>(vehicle).linear)
}

#[test]
fn a_vehicle_settles_on_its_wheels() {
    let mut game = Game::new(ServerConfig::default());
    let vehicle = game.seat("Ada");
    game.ticks(120);
    let transform = game.get::<Transform>(vehicle);
    assert!((transform.translation.y - RIDE_HEIGHT).abs() < 0.1, "{transform:?}");
    assert!((transform.rotation * Vec3::Y).y > 0.99, "{transform:?}");
    let velocity = game.get::<Velocity>(vehicle);
    assert!(velocity.linear.length() < 0.2, "{velocity:?}");
}

#[test]
fn full_throttle_reaches_about_fifteen_metres_a_second_in_two_seconds() {
    let mut game = Game::new(ServerConfig::default());
    let vehicle = game.seat("Ada");
    game.place(vehicle, -54.0, 54.0, 0.0);
    game.ticks(30);
    let start = game.get::<Transform>(vehicle);
    game.command(vehicle, DriveCommand { throttle: 1.0, ..default() });
    game.ticks(120);
    let speed = forward_speed(&game, vehicle);
    assert!((12.0..17.5).contains(&speed), "{speed}");
    let way = game.get::<Transform>(vehicle).translation - start.translation;
    assert!(way.dot(start.rotation * Vec3::NEG_Z) > 10.0, "{way}");
}

#[test]
fn braking_stops_a_vehicle_and_then_reverses_it() {
    let mut game = Game::new(ServerConfig::default());
    let vehicle = game.seat("Ada");
    game.place(vehicle, -54.0, 54.0, 0.0);
    game.command(vehicle, DriveCommand { throttle: 1.0, ..default() });
    game.ticks(90);
    game.command(vehicle, DriveCommand { throttle: -1.0, ..default() });
    game.ticks(150);
    let speed = forward_speed(&game, vehicle);
    assert!((-9.0..-1.0).contains(&speed), "{speed}");
}

#[test]
fn steering_right_turns_right_without_tipping_over() {
    let mut game = Game::new(ServerConfig::default());
    let vehicle = game.seat("Ada");
    game.place(vehicle, -54.0, 54.0, 0.0);
    game.command(vehicle, DriveCommand { throttle: 1.0, ..default() });
    game.ticks(75);
    game.command(vehicle, DriveCommand { throttle: 1.0, steer: 1.0, ..default() });
    let mut lowest = 1.0_f32;
    for _ in 0..45 {
        game.ticks(1);
        lowest = lowest.min((game.get::<Transform>(vehicle).rotation * Vec3::Y).y);
    }
    let yaw = yaw_of(game.get::<Transform>(vehicle).rotation);
    assert!((-2.5..-0.3).contains(&yaw), "{yaw}");
    assert!(lowest > 0.9, "{lowest}");
}

#[test]
fn an_overturned_vehicle_is_righted_on_demand() {
    let mut game = Game::new(ServerConfig::default());
    let vehicle = game.seat("Ada");
    let upside_down = Quat::from_rotation_z(std::f32::consts::PI);
    game.set(vehicle, Transform::from_xyz(-50.0, 0.6, 0.0).with_rotation(upside_down));
    game.ticks(60);
    assert!((game.get::<Transform>(vehicle).rotation * Vec3::Y).y < 0.0, "it stays on its roof");
    game.command(vehicle, DriveCommand { flip: true, ..default() });
    game.ticks(100);
    let transform = game.get::<Transform>(vehicle);
    assert!((transform.rotation * Vec3::Y).y > 0.95, "{transform:?}");
}

#[test]
fn the_turret_looks_where_the_driver_aims_while_the_vehicle_turns() {
    let mut game = Game::new(ServerConfig::default());
    let vehicle = game.seat("Ada");
    game.place(vehicle, -54.0, 54.0, 0.0);
    game.command(vehicle, DriveCommand { throttle: 0.6, steer: 0.5, aim_yaw: 1.0, aim_pitch: 0.1, ..default() });
    game.ticks(90);
    let looks = game.get::<Turret>(vehicle).looks(&game.get::<Transform>(vehicle));
    let aimed = vehicle_combat::turret::direction(1.0, 0.1);
    assert!(looks.angle_between(aimed) < 0.1, "{looks} instead of {aimed}");
}

#[test]
fn the_same_commands_lead_to_the_same_place() {
    let run = || {
        let mut game = Game::new(ServerConfig::default());
        let vehicle = game.seat("Ada");
        game.command(vehicle, DriveCommand { throttle: 1.0, steer: 0.2, ..default() });
        game.ticks(180);
        game.get::<Transform>(vehicle)
    };
    assert_eq!(run(), run());
}
