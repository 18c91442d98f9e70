//! Unreliable messages: at most once, at once, and never again.

use core::time::Duration;

use crate::numbered::{number_of, numbered};
use crate::pair::{FRAME, Pair, Setup, UNRELIABLE, bad_line, line};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn messages_arrive_at_most_once_and_as_often_as_the_line_lets_them() {
    let mut pair = Pair::connected(Setup::new(bad_line(0.2)), 50);
    let count = 6_000_u32;
    for number in 0..count {
        let now = pair.now();
        pair.a.peer.send(now, UNRELIABLE, &numbered(number, 20), None).unwrap();
        pair.step();
    }
    pair.run_for(SECOND);
    let mut seen = vec![false; count as usize];
    for arrival in &pair.b.inbox {
        let number = number_of(&arrival.payload) as usize;
        assert!(!seen[number], "message {number} came twice");
        seen[number] = true;
    }
    let share = pair.b.inbox.len() as f64 / f64::from(count);
    assert!((0.76..0.84).contains(&share), "{share} arrived");
}

#[test]
fn a_message_arrives_after_the_latency_alone() {
    let mut pair = Pair::connected(Setup::new(line(50, 0.0)), 51);
    for number in 0..100 {
        let sent_at = pair.now();
        pair.a.peer.send(sent_at, UNRELIABLE, &numbered(number, 20), None).unwrap();
        let time = pair.run_until("the message arrives", SECOND, |pair| !pair.b.inbox.is_empty());
        assert!(time <= FRAME * 3, "{time:?}");
        pair.b.inbox.clear();
    }
}

#[test]
fn a_lost_message_is_not_sent_again() {
    let mut pair = Pair::connected(Setup::new(line(30, 0.0)), 52);
    let now = pair.now();
    pair.a.peer.send(now, UNRELIABLE, &numbered(1, 16), None).unwrap();
    pair.set_conditions(line(30, 1.0));
    pair.step();
    pair.set_conditions(line(30, 0.0));
    pair.run_for(SECOND * 5);
    assert!(pair.b.inbox.is_empty());
}
