//! Who goes first when not all fits.

use core::time::Duration;

use slipstream_protocol::ChannelId;

use crate::numbered::{number_of, numbered};
use crate::pair::{CRITICAL, FRAME, HIGH, LOW, Pair, Setup, UNORDERED, UNRELIABLE, line};

const SECOND: Duration = Duration::from_secs(1);

fn bytes_arrived(pair: &Pair, channel: ChannelId) -> usize {
    pair.b.inbox.iter().filter(|arrival| arrival.channel == channel).map(|arrival| arrival.payload.len()).sum()
}

#[test]
fn low_still_moves_when_all_are_saturated() {
    let setup = Setup::new(line(30, 0.0)).both(|config| config.max_budget_bytes_per_second = 30_000);
    let mut pair = Pair::connected(setup, 140);
    let start = pair.now();
    for number in 0..420 {
        let now = pair.now();
        // Each alone asks for the whole budget.
        for channel in [LOW, UNORDERED, HIGH] {
            pair.a.peer.send(now, channel, &numbered(number, 500), None).unwrap();
        }
        pair.step();
    }
    let [high, normal, low] = [HIGH, UNORDERED, LOW].map(|channel| bytes_arrived(&pair, channel));
    let all = high + normal + low;
    assert!(high > normal && normal > low, "high {high}, normal {normal}, low {low} bytes");
    assert!(low * 50 >= all, "low moved {low} of {all} bytes");
    let mut last = start;
    for arrival in pair.b.inbox.iter().filter(|arrival| arrival.channel == LOW) {
        let gap = arrival.at - last;
        assert!(gap <= SECOND * 2, "low stood still for {gap:?}");
        last = arrival.at;
    }
}

#[test]
fn a_critical_message_leaves_this_frame_though_others_wait() {
    let mut pair = Pair::connected(Setup::new(line(50, 0.0)), 141);
    pair.run_for(SECOND);
    let now = pair.now();
    for number in 0..1_000 {
        pair.a.peer.send(now, UNORDERED, &numbered(number, 400), None).unwrap();
    }
    for round in 0..4 {
        pair.run_for(FRAME * 5);
        let now = pair.now();
        pair.a.peer.send(now, CRITICAL, &numbered(round, 60), None).unwrap();
        let before = pair.b.inbox.iter().filter(|arrival| arrival.channel == CRITICAL).count();
        let time = pair.run_until("the critical message arrives", SECOND, |pair| {
            pair.b.inbox.iter().filter(|arrival| arrival.channel == CRITICAL).count() > before
        });
        assert!(time <= FRAME * 3, "it took {time:?}");
        assert!(bytes_arrived(&pair, UNORDERED) < 1_000 * 400, "the others no longer waited");
    }
}

#[test]
fn a_higher_priority_overtakes_what_waits() {
    let setup = Setup::new(line(30, 0.0)).both(|config| config.max_budget_bytes_per_second = 30_000);
    let mut pair = Pair::connected(setup, 142);
    let now = pair.now();
    for number in 0..500 {
        pair.a.peer.send(now, LOW, &numbered(number, 400), None).unwrap();
    }
    pair.run_for(SECOND);
    let now = pair.now();
    pair.a.peer.send(now, HIGH, &numbered(0, 200), None).unwrap();
    let time = pair.run_until("the high message arrives", SECOND * 2, |pair| bytes_arrived(pair, HIGH) > 0);
    assert!(time <= Duration::from_millis(150), "it took {time:?}");
    assert!(bytes_arrived(&pair, LOW) < 500 * 400, "the low ones no longer waited");
}

#[test]
fn available_bytes_shrink_by_what_is_queued_and_come_back() {
    let mut pair = Pair::connected(Setup::new(line(30, 0.0)), 143);
    pair.run_for(SECOND * 2);
    let now = pair.now();
    let rested = pair.a.peer.available_bytes(now);
    assert!(rested >= 1_000, "{rested} bytes are available after a rest");
    pair.a.peer.send(now, UNORDERED, &numbered(0, 600), None).unwrap();
    let queued = pair.a.peer.available_bytes(now);
    assert!(queued + 500 <= rested, "{rested} before, {queued} after");
    for number in 0..500 {
        pair.a.peer.send(now, UNORDERED, &numbered(number, 1_000), None).unwrap();
    }
    assert_eq!(pair.a.peer.available_bytes(now), 0);
    pair.run_for(SECOND * 70);
    let now = pair.now();
    let again = pair.a.peer.available_bytes(now);
    assert!(again * 2 >= rested, "{rested} at first, {again} again");
}

#[test]
fn filling_what_is_available_makes_no_queue() {
    // As replication does it: each frame exactly what the budget has left.
    let setup = Setup::new(line(30, 0.0)).both(|config| config.max_budget_bytes_per_second = 40_000);
    let mut pair = Pair::connected(setup, 144);
    let mut sent_at = Vec::new();
    for _ in 0..1_200 {
        let now = pair.now();
        let bytes = pair.a.peer.available_bytes(now).min(pair.a.peer.max_unfragmented_bytes());
        if bytes >= 100 {
            let payload = numbered(sent_at.len() as u32, bytes);
            pair.a.peer.send(now, UNRELIABLE, &payload, None).unwrap();
            sent_at.push(now);
        }
        pair.step();
    }
    pair.run_for(SECOND);
    assert_eq!(pair.b.inbox.len(), sent_at.len(), "what was said to fit was dropped");
    for arrival in &pair.b.inbox {
        let number = number_of(&arrival.payload) as usize;
        let age = arrival.at - sent_at[number];
        assert!(age <= FRAME * 4, "a message waited {age:?}");
    }
}
