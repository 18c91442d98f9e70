//! The byte budget: it grows to what the line carries and is used, and no further.

use core::time::Duration;

use slipstream_protocol::NetworkConditions;

use crate::numbered::numbered;
use crate::pair::{End, Pair, Setup, UNORDERED, line, milliseconds};

const SECOND: Duration = Duration::from_secs(1);

/// Keeps a queue that no budget of this frame can empty, without filling it up.
fn saturate(end: &mut End, now: Duration) {
    let payload = numbered(0, 1_000);
    for _ in 0..100 {
        let was_full = end.peer.available_bytes(now) == 0;
        if end.peer.send(now, UNORDERED, &payload, None).is_err() || was_full {
            break;
        }
    }
}

fn saturate_for(pair: &mut Pair, duration: Duration) {
    let end = pair.now() + duration;
    while pair.now() < end {
        let now = pair.now();
        saturate(&mut pair.a, now);
        pair.step();
    }
}

#[test]
fn the_ceiling_is_never_passed() {
    let ceiling = 50_000;
    let setup = Setup::new(line(30, 0.0)).both(|config| config.max_budget_bytes_per_second = ceiling);
    let mut pair = Pair::connected(setup, 150);
    let start = pair.now();
    saturate_for(&mut pair, SECOND * 20);
    let bytes = pair.a.bytes_sent_since(start);
    let allowed = ceiling as usize * 20;
    assert!(bytes <= allowed * 11 / 10, "{bytes} of {allowed} bytes");
    assert!(bytes >= allowed * 7 / 10, "{bytes} of {allowed} bytes");
    assert!(pair.a.peer.stats().budget_bytes_per_second <= ceiling);
}

#[test]
fn random_loss_under_a_tenth_is_no_congestion() {
    let setup = Setup::new(line(30, 0.05)).both(|config| {
        config.max_budget_bytes_per_second = 300_000;
    });
    let mut pair = Pair::connected(setup, 151);
    saturate_for(&mut pair, SECOND * 30);
    let budget = pair.a.peer.stats().budget_bytes_per_second;
    assert!(budget >= 200_000, "{budget} bytes a second");
}

#[test]
fn a_narrow_line_is_filled_without_a_long_queue() {
    let conditions = NetworkConditions { bandwidth_bytes_per_second: Some(100_000), ..line(30, 0.0) };
    let mut pair = Pair::connected(Setup::new(conditions), 152);
    saturate_for(&mut pair, SECOND * 20);
    pair.b.inbox.clear();
    let before = pair.network.counters_a_to_b();
    let mut round_trips = Vec::new();
    for _ in 0..200 {
        saturate_for(&mut pair, milliseconds(100));
        round_trips.push(pair.a.peer.stats().latest_rtt);
    }
    let bytes: usize = pair.b.inbox.iter().map(|arrival| arrival.payload.len()).sum();
    assert!(bytes >= 20 * 50_000, "only {bytes} bytes in 20 s over a line of 100,000 a second");
    round_trips.sort();
    let median = round_trips[round_trips.len() / 2];
    assert!(median <= milliseconds(60 + 200), "the queue makes the round trip {median:?}");
    let after = pair.network.counters_a_to_b();
    let dropped = after.overflowed - before.overflowed;
    let pushed = after.pushed - before.pushed;
    assert!(dropped * 20 <= pushed, "{dropped} of {pushed} datagrams overflowed the line");
}

#[test]
fn a_budget_that_is_not_used_does_not_grow() {
    let mut pair = Pair::connected(Setup::new(line(30, 0.0)), 153);
    let before = pair.a.peer.stats().budget_bytes_per_second;
    for number in 0..600 {
        let now = pair.now();
        pair.a.peer.send(now, UNORDERED, &numbered(number, 50), None).unwrap();
        pair.run_for(milliseconds(50));
    }
    let after = pair.a.peer.stats().budget_bytes_per_second;
    assert!(after <= before + before / 4, "{before} before, {after} after");
}
