//! Every process ends well, and those left behind are told.

use std::time::Duration;

use crate::process::Game;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_server_that_ends_tells_its_players_why() {
    let (mut server, address) = Game::server(&[]);
    let mut bot = Game::bot(address, "Anna", &[]);
    bot.wait_for("its own vehicle", SOON, |sample| sample.players.iter().any(|player| player.own));
    server.terminate();
    assert!(server.wait(SOON).success(), "{}", server.errors());
    assert!(bot.wait(Duration::from_secs(3)).success(), "told, not timed out: {}", bot.errors());
    let said = bot.lines().into_iter().find(|line| line.starts_with(&address.to_string()));
    assert!(said.as_ref().is_some_and(|line| line.contains("shut")), "{said:?} {:?}", bot.errors());
}

#[test]
fn a_player_that_ends_leaves_at_once() {
    let (server, address) = Game::server(&[]);
    let mut bot = Game::bot(address, "Anna", &["--seconds", "4"]);
    server.wait_for("the player", SOON, |sample| sample.players.len() == 1);
    assert!(bot.wait(SOON).success(), "{}", bot.errors());
    // Well below the time-out of a link that fell silent.
    server.wait_for("the player leaves", Duration::from_secs(3), |sample| sample.players.is_empty());
}

#[test]
fn several_bots_share_a_process() {
    let (server, address) = Game::server(&["--max-players", "5"]);
    let mut bots = Game::bot(address, "Crowd", &["--count", "4", "--seconds", "8"]);
    server.wait_for("four players", SOON, |sample| sample.players.len() == 4);
    assert!(bots.wait(SOON).success(), "{}", bots.errors());
}
