//! What goes wrong ends in one clear sentence and a non-zero exit code.

use std::io::Write;
use std::time::Duration;

use crate::process::Game;

const SOON: Duration = Duration::from_secs(20);

/// Runs to the end, which must be a failure that says all of `words` in one line.
fn fails_saying(mut game: Game, words: &[&str]) {
    let status = game.wait(SOON);
    let said = game.errors();
    assert!(!status.success(), "it ended with {status}: {said}");
    let clear = said.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(clear, "no line has all of {words:?}:\n{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_wrong_address_is_named() {
    let unused = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    fails_saying(Game::bot(unused, "Anna", &[]), &[&unused.to_string()]);
}

#[test]
fn a_full_server_says_so() {
    let (server, address) = Game::server(&["--max-players", "1"]);
    let _first = Game::bot(address, "First", &[]);
    server.wait_for("the first player", SOON, |sample| sample.players.len() == 1);
    fails_saying(Game::bot(address, "Second", &[]), &["full", "1"]);
}

#[test]
fn a_different_arena_is_named() {
    let arena = include_str!("../../assets/arenas/foundry.arena.ron").replacen("Foundry", "Other", 1);
    let file = temporary_file("other.arena.ron", arena.as_bytes());
    let (_server, address) = Game::server(&[]);
    fails_saying(Game::bot(address, "Anna", &["--arena", &file]), &["arena", "Other"]);
}

#[test]
fn a_corrupt_arena_is_told_with_its_place() {
    let file = temporary_file("corrupt.arena.ron", b"(name: \"Half");
    fails_saying(Game::start_with(&["server", "--arena", &file], &[]), &[&file]);
    fails_saying(Game::start_with(&["demo", "--headless", "--arena", &file], &[]), &[&file]);
    fails_saying(Game::start_with(&["server", "--arena", "/nowhere/at/all.ron"], &[]), &["/nowhere/at/all.ron"]);
}

#[test]
fn a_wrong_key_is_told() {
    let key = "ab".repeat(32);
    let (_server, address) = Game::server(&["--key", &key]);
    fails_saying(Game::bot(address, "Anna", &[]), &[&address.to_string()]);
}

#[test]
fn an_address_in_use_is_named() {
    let (_server, address) = Game::server(&[]);
    let second = Game::start_with(&["server", "--bind", &address.to_string()], &[]);
    fails_saying(second, &[&address.to_string()]);
}

#[test]
fn bad_flags_are_told() {
    fails_saying(Game::start_with(&["server", "--loss-percent", "150"], &[]), &["0 to 100"]);
    fails_saying(Game::start_with(&["server", "--bind", "somewhere"], &[]), &["somewhere"]);
    fails_saying(Game::start_with(&["dance"], &[]), &["dance"]);
    fails_saying(Game::start_with(&["client", "--connect", "127.0.0.1:9"], &[]), &["display"]);
}

#[test]
fn a_display_that_is_not_there_is_told() {
    let client = Game::start_on_display(":4711", &["client", "--connect", "127.0.0.1:9"]);
    fails_saying(client, &["no window can be opened here", "demo --headless"]);
}

fn temporary_file(name: &str, content: &[u8]) -> String {
    let path = std::env::temp_dir().join(format!("slipstream-{}-{name}", std::process::id()));
    std::fs::File::create(&path)
        .and_then(|mut file| file.write_all(content))
        .expect("the folder for temporary files takes one");
    path.to_string_lossy().into_owned()
}
