//! `demo`: one command, a whole game, and an end.

use std::time::Duration;

use crate::process::Game;

#[test]
fn the_demo_plays_shows_a_table_and_ends_by_itself() {
    let mut demo =
        Game::start_with(&["demo", "--headless", "--seconds", "12", "--seed", "3", "--latency-ms", "20"], &[]);
    let status = demo.wait(Duration::from_secs(60));
    let output = demo.lines().join("\n");
    assert!(status.success(), "{status}\n{output}\n{}", demo.errors());
    for word in ["player", "health", "rtt ms", "loss %", "in B/s", "summary", "Rust", "Ferris"] {
        assert!(output.contains(word), "`{word}` is missing in\n{output}");
    }
}

#[test]
fn a_signal_ends_the_demo_and_all_it_started() {
    let mut demo = Game::start_with(&["demo", "--headless", "--players", "3"], &[]);
    std::thread::sleep(Duration::from_secs(4));
    demo.terminate();
    let status = demo.wait(Duration::from_secs(20));
    assert!(status.success(), "{status} {}", demo.errors());
    assert!(demo.lines().iter().any(|line| line.starts_with("summary")));
}
