//! Wrecks, new starts, credit and rounds.

use bevy::prelude::*;
use vehicle_combat::actions::DriveCommand;
use vehicle_combat::health::{Damage, Health, WRECK_TICKS, Wreck};
use vehicle_combat::pace::ticks;
use vehicle_combat::round::{RoundPhase, RoundRules, Score};
use vehicle_combat::server::ServerConfig;
use vehicle_combat::weapon::{Ammunition, WeaponKind};

use crate::game::{Game, at_once};

fn gun(victim: Entity, attacker: Entity, amount: u16) -> Damage {
    Damage { victim, attacker: Some(attacker), amount, weapon: WeaponKind::MachineGun }
}

#[test]
fn a_kill_is_counted_on_both_sides_and_damage_never_exceeds_what_was_there() {
    let mut game = Game::new(at_once());
    let (ada, bo) = game.seat_two();
    game.deal(gun(bo, ada, 70));
    game.deal(gun(bo, ada, 70));
    assert!(game.try_get::<Wreck>(bo).is_some());
    assert_eq!(game.get::<Score>(ada), Score { kills: 1, deaths: 0, damage: 100 });
    assert_eq!(game.get::<Score>(bo), Score { kills: 0, deaths: 1, damage: 0 });
    game.deal(gun(bo, ada, 70));
    assert_eq!(game.get::<Score>(ada).damage, 100, "a wreck takes no more");
}

#[test]
fn a_wreck_does_not_obey_and_starts_anew_after_four_seconds() {
    let mut game = Game::new(at_once());
    let (ada, bo) = game.seat_two();
    game.place(bo, -50.0, 40.0, 0.0);
    game.set(bo, Ammunition { rounds: 3, rockets: 0 });
    game.deal(gun(bo, ada, 100));
    game.command(bo, DriveCommand { throttle: 1.0, fire: true, ..default() });
    let died_at = game.get::<Transform>(bo).translation;
    game.ticks(WRECK_TICKS - 5);
    assert!(game.try_get::<Wreck>(bo).is_some());
    assert!(game.get::<Transform>(bo).translation.distance(died_at) < 1.0, "the hulk stays");
    assert_eq!(game.get::<Ammunition>(bo).rounds, 3);
    game.command(bo, DriveCommand::PARKED);
    game.ticks(10);
    assert!(game.try_get::<Wreck>(bo).is_none());
    assert_eq!(game.get::<Health>(bo), Health::FULL);
    assert_eq!(game.get::<Ammunition>(bo), Ammunition::FULL);
    let apart = game.get::<Transform>(bo).translation.distance(game.get::<Transform>(ada).translation);
    assert!(apart > 20.0, "{apart}");
}

#[test]
fn an_own_rocket_is_a_death_and_nobodys_kill() {
    let mut game = Game::new(at_once());
    let (ada, bo) = game.seat_two();
    game.deal(gun(ada, bo, 10));
    game.deal(Damage { victim: ada, attacker: Some(ada), amount: 200, weapon: WeaponKind::Rocket });
    assert_eq!(game.get::<Score>(ada), Score { kills: 0, deaths: 1, damage: 0 });
    assert_eq!(game.get::<Score>(bo), Score { kills: 0, deaths: 0, damage: 10 });
}

#[test]
fn who_pushed_somebody_out_of_the_arena_gets_the_kill() {
    let mut game = Game::new(at_once());
    let (ada, bo) = game.seat_two();
    game.deal(gun(ada, bo, 10));
    game.set(ada, Transform::from_xyz(0.0, 20.0, 100.0));
    game.ticks(3);
    assert!(game.try_get::<Wreck>(ada).is_some());
    assert_eq!(game.get::<Score>(bo).kills, 1);
    assert_eq!(game.get::<Score>(bo).damage, 10, "the fall is nobody's damage");
}

#[test]
fn a_round_ends_with_the_deciding_kill_and_the_next_starts_from_nothing() {
    let rules = RoundRules { kills_to_win: 1, over_seconds: 1, warmup_seconds: 0, ..RoundRules::default() };
    let mut game = Game::new(ServerConfig { rules, ..ServerConfig::default() });
    let (ada, bo) = game.seat_two();
    game.deal(gun(bo, ada, 100));
    game.ticks(1);
    let round = game.round();
    assert_eq!((round.number, round.phase, round.winner.as_str()), (1, RoundPhase::Over, "Ada"));

    game.deal(gun(ada, bo, 50));
    assert_eq!(game.get::<Health>(ada), Health::FULL, "nothing hurts between rounds");

    game.ticks(ticks(1));
    let round = game.round();
    assert_eq!((round.number, round.phase, round.winner.as_str()), (2, RoundPhase::Fighting, ""));
    assert_eq!(game.get::<Score>(ada), Score::default());
    assert_eq!(game.get::<Score>(bo), Score::default());
    assert!(game.try_get::<Wreck>(bo).is_none(), "everyone starts whole");
}

#[test]
fn the_clock_ends_a_round_in_favour_of_the_better_score() {
    let rules = RoundRules { time_limit_seconds: 2, warmup_seconds: 0, ..RoundRules::default() };
    let mut game = Game::new(ServerConfig { rules, ..ServerConfig::default() });
    let (ada, bo) = game.seat_two();
    game.deal(gun(ada, bo, 30));
    game.ticks(ticks(2));
    let round = game.round();
    assert_eq!((round.phase, round.winner.as_str()), (RoundPhase::Over, "Bo"));
}

#[test]
fn one_player_alone_stays_in_the_warm_up() {
    let mut game = Game::new(at_once());
    game.seat("Ada");
    game.ticks(120);
    assert_eq!(game.round().phase, RoundPhase::Warmup);
    game.seat("Bo");
    game.ticks(3);
    assert_eq!(game.round().phase, RoundPhase::Fighting);
}
