//! Unreliable sequenced messages: never an older one after a newer one.

use core::time::Duration;

use crate::numbered::{number_of, numbered};
use crate::pair::{FRAME, Pair, SEQUENCED, Setup, bad_line, line, milliseconds};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_older_message_never_follows_a_newer_one() {
    let mut conditions = bad_line(0.1);
    conditions.jitter = milliseconds(40);
    conditions.reorder = 0.3;
    let mut pair = Pair::connected(Setup::new(conditions), 40);
    let count = 70_000_u32; // past the wrap of 16 bits
    let mut newest = None;
    let mut arrived = 0;
    let mut next = 0;
    while next < count {
        let now = pair.now();
        for _ in 0..7 {
            pair.a.peer.send(now, SEQUENCED, &numbered(next, 8), None).unwrap();
            next += 1;
        }
        pair.step();
        for arrival in pair.b.inbox.drain(..) {
            let number = number_of(&arrival.payload);
            assert!(newest < Some(number), "{number} came after {newest:?}");
            newest = Some(number);
            arrived += 1;
        }
    }
    assert!(newest > Some(count - 1_000), "the newest is {newest:?}");
    assert!(arrived > count / 8, "only {arrived} of {count} arrived");
}

#[test]
fn a_lost_message_is_not_sent_again() {
    let mut pair = Pair::connected(Setup::new(line(30, 0.0)), 41);
    let now = pair.now();
    pair.a.peer.send(now, SEQUENCED, &numbered(1, 16), None).unwrap();
    pair.set_conditions(line(30, 1.0));
    pair.step();
    pair.set_conditions(line(30, 0.0));
    pair.run_for(SECOND * 5);
    assert!(pair.b.inbox.is_empty());
}

#[test]
fn a_budget_too_small_for_all_still_carries_the_newest() {
    // 60 a second of 400 bytes is three times what the budget allows: old ones must make room, not make a queue.
    let setup = Setup::new(line(30, 0.0)).both(|config| config.max_budget_bytes_per_second = 8_000);
    let mut pair = Pair::connected(setup, 42);
    let mut sent_at = Vec::new();
    for number in 0..900 {
        let now = pair.now();
        sent_at.push(now);
        // A refused message is one that made room, too.
        let _ = pair.a.peer.send(now, SEQUENCED, &numbered(number, 400), None);
        pair.step();
    }
    assert!(pair.b.inbox.len() > 150, "{} messages arrived in 15 s", pair.b.inbox.len());
    let oldest = pair.b.inbox.iter().map(|arrival| arrival.at - sent_at[number_of(&arrival.payload) as usize]).max();
    assert!(oldest < Some(milliseconds(30) + FRAME * 30), "a sequenced message waited {oldest:?}");
}
