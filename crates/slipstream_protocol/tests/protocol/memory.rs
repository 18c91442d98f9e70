//! Memory stays under the stated ceiling, whatever either application does.

use core::time::Duration;

use slipstream_protocol::NetworkConditions;

use crate::numbered::{number_of, numbered};
use crate::pair::{EXPIRING, HIGH, LOW, ORDERED, Pair, SEQUENCED, Setup, UNORDERED, UNRELIABLE, bad_line, line};

const SECOND: Duration = Duration::from_secs(1);

fn step_and_check(pair: &mut Pair) {
    pair.step();
    pair.a.check_memory();
    pair.b.check_memory();
}

#[test]
fn the_ceiling_is_one_that_a_server_can_pay_for_many_peers() {
    let pair = Pair::connected(Setup::new(line(10, 0.0)), 90);
    let ceiling = pair.b.peer.memory_ceiling_bytes();
    assert!(ceiling <= 16 * 1024 * 1024, "{ceiling} bytes");
    let quiet = pair.b.peer.memory_bytes();
    assert!(quiet <= 256 * 1024, "{quiet} bytes for a quiet connection");
}

#[test]
fn an_application_that_floods_is_told_and_memory_stays_under_the_ceiling() {
    let conditions = NetworkConditions { bandwidth_bytes_per_second: Some(30_000), ..bad_line(0.3) };
    let mut pair = Pair::connected(Setup::new(conditions), 91);
    let mut random = fastrand::Rng::with_seed(91);
    let mut refused = 0;
    let mut number = 0;
    for _ in 0..1_200 {
        for channel in [UNRELIABLE, SEQUENCED, UNORDERED, ORDERED, EXPIRING] {
            for _ in 0..5 {
                let bytes = if random.f32() < 0.05 { 20_000 } else { 100 };
                let now = pair.now();
                let payload = numbered(number, bytes);
                number += 1;
                if pair.a.peer.send(now, channel, &payload, Some(number.into())).is_err() {
                    refused += 1;
                }
            }
        }
        step_and_check(&mut pair);
        pair.a.events.clear();
        pair.b.inbox.clear();
    }
    assert!(refused > 0, "nothing was refused");
    assert!(pair.a.peer.is_connected() && pair.b.peer.is_connected());
}

#[test]
fn a_flood_into_nothing_stays_under_the_ceiling() {
    let setup = Setup::new(line(30, 0.0)).both(|config| config.timeout = SECOND * 60);
    let mut pair = Pair::connected(setup, 92);
    pair.set_conditions(line(30, 1.0));
    for number in 0..1_800 {
        let now = pair.now();
        for channel in [UNRELIABLE, UNORDERED, ORDERED, EXPIRING] {
            for _ in 0..3 {
                // The queue fills; being told so is what is asked for.
                let _ = pair.a.peer.send(now, channel, &numbered(number, 300), Some(0));
            }
        }
        step_and_check(&mut pair);
        pair.a.events.clear();
    }
}

#[test]
fn all_that_was_accepted_arrives_after_the_queue_was_full() {
    let mut pair = Pair::connected(Setup::new(line(20, 0.02)), 93);
    let mut accepted = 0;
    let now = pair.now();
    while accepted < 1_000_000 && pair.a.peer.send(now, ORDERED, &numbered(accepted, 500), None).is_ok() {
        accepted += 1;
    }
    assert!((800..2_100).contains(&accepted), "{accepted} messages of 500 bytes were accepted for a queue of a MiB");
    let mut arrived = 0;
    pair.run_until("every accepted message arrives", SECOND * 300, |pair| {
        for arrival in pair.b.inbox.drain(..) {
            assert_eq!(number_of(&arrival.payload), arrived, "out of order");
            arrived += 1;
        }
        arrived == accepted
    });
    let now = pair.now();
    pair.a.peer.send(now, ORDERED, &numbered(accepted, 500), None).expect("an emptied queue accepts again");
}

#[test]
fn an_application_that_hangs_does_not_make_its_peer_grow() {
    let setup = Setup::new(line(20, 0.02)).both(|config| config.min_budget_bytes_per_second = 400_000);
    let mut pair = Pair::connected(setup, 94);
    pair.b.takes_messages = false;
    let count = 9_000_u32; // 9 MB
    let channels = [UNORDERED, ORDERED, HIGH, LOW];
    let mut next = 0;
    let mut queue_some = |pair: &mut Pair| {
        for _ in 0..15 {
            let channel = channels[next as usize % channels.len()];
            let now = pair.now();
            if next == count || pair.a.peer.send(now, channel, &numbered(next, 1_000), None).is_err() {
                break;
            }
            next += 1;
        }
    };
    for _ in 0..1_200 {
        queue_some(&mut pair);
        step_and_check(&mut pair);
    }
    assert!(pair.a.peer.is_connected() && pair.b.peer.is_connected());

    // It wakes up, and nothing was lost.
    pair.b.takes_messages = true;
    let mut seen = vec![false; count as usize];
    let mut arrived = 0;
    pair.run_until("every message arrives", SECOND * 300, |pair| {
        queue_some(pair);
        for arrival in pair.b.inbox.drain(..) {
            let number = number_of(&arrival.payload) as usize;
            assert!(!seen[number], "message {number} came twice");
            seen[number] = true;
            arrived += 1;
        }
        arrived == count
    });
}

#[test]
fn what_the_owner_has_no_room_for_is_not_acknowledged_and_comes_later() {
    let mut pair = Pair::connected(Setup::new(line(20, 0.0)), 95);
    pair.b.peer.refuse_messages(true);
    for number in 0..10 {
        let now = pair.now();
        pair.a.peer.send(now, ORDERED, &numbered(number, 100), Some(number.into())).unwrap();
    }
    pair.run_for(SECOND * 2);
    assert!(pair.b.inbox.is_empty());
    assert_eq!(pair.a.outcomes().count(), 0, "a message was acknowledged and not taken");
    pair.b.peer.refuse_messages(false);
    pair.run_until("all messages arrive", SECOND * 3, |pair| pair.b.inbox.len() == 10);
    assert!(pair.b.inbox.iter().map(|arrival| number_of(&arrival.payload)).eq(0..10));
}

#[test]
fn a_peer_whose_messages_find_no_room_is_not_taken_for_dead() {
    let mut setup = Setup::new(line(20, 0.0));
    setup.link.keeps_alive = true;
    let mut pair = Pair::connected(setup, 96);
    pair.b.peer.refuse_messages(true);
    for number in 0..1_200 {
        let now = pair.now();
        pair.a.peer.send(now, UNRELIABLE, &numbered(number, 30), None).unwrap();
        pair.b.peer.send(now, UNRELIABLE, &numbered(number, 30), None).unwrap();
        pair.step();
    }
    assert!(pair.a.peer.is_connected() && pair.b.peer.is_connected());
}

#[test]
fn the_memory_of_a_message_that_was_given_back_holds_the_next() {
    let mut pair = Pair::connected(Setup::new(line(20, 0.0)), 97);
    let mut places = Vec::new();
    for number in 0..2 {
        let now = pair.now();
        pair.a.peer.send(now, ORDERED, &numbered(number, 500), None).unwrap();
        pair.run_until("the message arrives", SECOND * 3, |pair| !pair.b.inbox.is_empty());
        let payload = pair.b.inbox.remove(0).payload;
        assert!(payload == numbered(number, 500), "it arrived changed");
        places.push(payload.as_ptr());
        pair.b.peer.recycle(payload);
        pair.b.check_memory();
    }
    assert_eq!(places[0], places[1]);
}

#[test]
fn what_is_kept_of_messages_that_were_given_back_is_counted_and_bounded() {
    let mut pair = Pair::connected(Setup::new(line(20, 0.0)), 98);
    let before = pair.b.peer.memory_bytes();
    for _ in 0..10_000 {
        pair.b.peer.recycle(Vec::with_capacity(1024));
        pair.b.check_memory();
    }
    let kept = pair.b.peer.memory_bytes() - before;
    assert!((16 * 1024..=64 * 1024).contains(&kept), "{kept} bytes");
}
