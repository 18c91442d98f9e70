//! Bots.

use bevy::prelude::*;
use vehicle_combat::health::Wreck;
use vehicle_combat::pace::ticks;
use vehicle_combat::player::Player;
use vehicle_combat::round::{RoundPhase, RoundRules, Score};
use vehicle_combat::server::ServerConfig;

use crate::game::{Game, at_once};

#[test]
fn a_bot_beats_an_idle_driver_in_nine_rounds_of_ten() {
    const ROUNDS: u16 = 10;
    let rules = RoundRules { kills_to_win: 3, time_limit_seconds: 120, over_seconds: 1, warmup_seconds: 0 };
    let mut game = Game::new(ServerConfig { rules, ..ServerConfig::default() });
    game.seat("Idle");
    let bot = game.seat_bot("Bot", 1);
    let mut won = 0;
    for number in 1..=ROUNDS {
        let over = game.ticks_until(ticks(123), |game| {
            let round = game.round();
            round.number == number && round.phase == RoundPhase::Over
        });
        assert!(over, "round {number} ends");
        let winner = game.round().winner;
        println!("round {number}: {winner:?}, {:?}", game.get::<Score>(bot));
        won += u16::from(winner == "Bot");
        game.ticks_until(ticks(2), |game| game.round().phase == RoundPhase::Fighting);
    }
    assert!(won >= 9, "the bot won {won} of {ROUNDS}");
}

#[test]
fn two_bots_hit_each_other() {
    let mut game = Game::new(at_once());
    let (ada, bo) = (game.seat_bot("Ada", 1), game.seat_bot("Bo", 2));
    let both =
        game.ticks_until(ticks(120), |game| game.get::<Score>(ada).damage > 0 && game.get::<Score>(bo).damage > 0);
    assert!(both, "{:?} and {:?}", game.get::<Score>(ada), game.get::<Score>(bo));
}

#[test]
fn bots_get_about_and_stay_inside() {
    let mut game = Game::new(ServerConfig::default());
    let bots: Vec<Entity> = (0..6).map(|seed| game.seat_bot("Bot", seed)).collect();
    let mut way = vec![0.0_f32; bots.len()];
    let mut before: Vec<Vec3> = bots.iter().map(|bot| game.get::<Transform>(*bot).translation).collect();
    for _ in 0..ticks(30) {
        game.ticks(1);
        for (index, bot) in bots.iter().enumerate() {
            let now = game.get::<Transform>(*bot).translation;
            assert!(now.is_finite() && (now.y > -1.0 || game.try_get::<Wreck>(*bot).is_some()), "{now}");
            // New starts are no driving.
            way[index] += Some(now.distance(before[index])).filter(|step| *step < 3.0).unwrap_or(0.0);
            before[index] = now;
        }
    }
    assert!(way.iter().all(|way| *way > 40.0), "{way:?}");
}

#[test]
fn a_server_seats_its_own_bots() {
    let mut game = Game::new(ServerConfig { bots: 3, ..ServerConfig::default() });
    game.ticks(10);
    let mut players = game.world().query::<&Player>();
    let mut names: Vec<String> = players.iter(game.world()).map(|player| player.name.clone()).collect();
    names.sort();
    assert_eq!(names, ["Bot", "Bot 2", "Bot 3"]);
    assert!(players.iter(game.world()).all(|player| player.bot));
}
