//! Guns and rockets.

use bevy::prelude::*;
use vehicle_combat::actions::DriveCommand;
use vehicle_combat::health::Health;
use vehicle_combat::round::Score;
use vehicle_combat::weapon::rocket::Rocket;
use vehicle_combat::weapon::{Ammunition, MAX_ROCKETS, MAX_ROUNDS};

use crate::game::{Game, at_once};

/// Slightly down, at a vehicle on the same ground some 14 m away.
const AT_THE_OTHER: DriveCommand = DriveCommand { aim_pitch: -0.03, ..DriveCommand::PARKED };

/// One looks at the other's side from 14 m.
fn face_to_face(game: &mut Game) -> (Entity, Entity) {
    let (shooter, victim) = game.seat_two();
    game.place(shooter, -30.0, 54.0, 0.0);
    game.place(victim, -30.0, 40.0, 90.0);
    game.command(shooter, AT_THE_OTHER);
    game.command(victim, DriveCommand::PARKED);
    game.ticks(40);
    (shooter, victim)
}

#[test]
fn the_gun_fires_ten_times_a_second_and_what_it_takes_is_what_it_scores() {
    let mut game = Game::new(at_once());
    let (shooter, victim) = face_to_face(&mut game);
    game.command(shooter, DriveCommand { fire: true, ..AT_THE_OTHER });
    game.ticks(60);
    let lost = Health::FULL.current - game.get::<Health>(victim).current;
    assert!((30.0..=60.0).contains(&lost), "{lost}");
    assert_eq!(game.get::<Score>(shooter).damage, lost as u32);
    assert_eq!(game.get::<Ammunition>(shooter).rounds, MAX_ROUNDS - 10);
    assert_eq!(game.get::<Health>(shooter), Health::FULL, "nobody hits himself");
}

#[test]
fn an_empty_gun_is_silent() {
    let mut game = Game::new(at_once());
    let (shooter, victim) = face_to_face(&mut game);
    game.set(shooter, Ammunition { rounds: 1, rockets: 0 });
    game.command(shooter, DriveCommand { fire: true, rocket: true, ..AT_THE_OTHER });
    game.ticks(60);
    assert_eq!(game.get::<Ammunition>(shooter), Ammunition { rounds: 0, rockets: 0 });
    assert!(Health::FULL.current - game.get::<Health>(victim).current <= 6.0);
}

#[test]
fn a_rocket_flies_and_hurts_what_is_near_where_it_strikes() {
    let mut game = Game::new(at_once());
    let (shooter, victim) = face_to_face(&mut game);
    game.command(shooter, DriveCommand { rocket: true, ..AT_THE_OTHER });
    game.ticks(3);
    game.command(shooter, AT_THE_OTHER);
    let rockets = game.world().query::<&Rocket>().iter(game.world()).count();
    assert_eq!(rockets, 1);
    game.ticks(60);
    let lost = Health::FULL.current - game.get::<Health>(victim).current;
    assert!(lost > 25.0, "{lost}");
    assert_eq!(game.get::<Score>(shooter).damage, lost as u32);
    assert_eq!(game.get::<Ammunition>(shooter).rockets, MAX_ROCKETS - 1);
    let rockets = game.world().query::<&Rocket>().iter(game.world()).count();
    assert_eq!(rockets, 0, "it is gone");
}

#[test]
fn who_stands_behind_a_wall_is_safe_from_bullets_and_blasts() {
    let mut game = Game::new(at_once());
    let (shooter, victim) = game.seat_two();
    // The low wall in the east, 2.5 m high, stands between them.
    game.place(shooter, 18.0, 5.0, -90.0);
    game.place(victim, 33.5, 5.0, 0.0);
    let aim = DriveCommand { aim_yaw: -std::f32::consts::FRAC_PI_2, ..DriveCommand::PARKED };
    game.command(shooter, aim);
    game.ticks(40);
    game.command(shooter, DriveCommand { fire: true, rocket: true, ..aim });
    game.ticks(90);
    assert!(game.get::<Ammunition>(shooter).rockets < MAX_ROCKETS);
    assert_eq!(game.get::<Health>(victim), Health::FULL);
}

#[test]
fn a_rocket_fired_into_a_wall_hurts_its_shooter_and_scores_nothing() {
    let mut game = Game::new(at_once());
    let (shooter, other) = game.seat_two();
    game.place(shooter, -30.0, -57.0, 0.0);
    game.place(other, 30.0, 57.0, 0.0);
    game.ticks(30);
    game.command(shooter, DriveCommand { rocket: true, ..DriveCommand::PARKED });
    game.ticks(20);
    assert!(game.get::<Health>(shooter).current < Health::FULL.current);
    assert_eq!(game.get::<Score>(shooter), Score::default());
}
