//! Messages larger than a datagram: whole or not at all, within bounds.

use core::time::Duration;

use crate::numbered::{number_of, numbered};
use crate::pair::{HIGH, ORDERED, Pair, SEQUENCED, Setup, UNORDERED, UNRELIABLE, bad_line, line};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn messages_around_the_size_of_a_datagram_arrive_whole() {
    let mut pair = Pair::connected(Setup::new(line(20, 0.0)), 60);
    let fits = pair.a.peer.max_unfragmented_bytes();
    assert!((900..1_200).contains(&fits), "{fits} bytes fit a datagram");
    let sizes: Vec<usize> = (fits - 20..fits + 40).chain(fits * 2 - 30..fits * 2 + 10).collect();
    for channel in [UNRELIABLE, SEQUENCED, UNORDERED, ORDERED] {
        for (number, bytes) in sizes.iter().enumerate() {
            let now = pair.now();
            let payload = numbered(number as u32, *bytes);
            pair.a.peer.send(now, channel, &payload, None).unwrap();
            pair.run_until("the message arrives", SECOND * 2, |pair| !pair.b.inbox.is_empty());
            assert_eq!(pair.b.inbox.len(), 1);
            assert!(pair.b.inbox[0].payload == payload, "{bytes} bytes on {channel:?} arrived changed");
            pair.b.inbox.clear();
        }
    }
}

#[test]
fn a_message_that_fits_a_datagram_takes_one() {
    let mut pair = Pair::connected(Setup::new(line(20, 0.0)), 61);
    pair.run_for(SECOND * 3);
    let fits = pair.a.peer.max_unfragmented_bytes();
    for (bytes, datagrams) in [(fits, 1), (fits + 1, 2)] {
        let now = pair.now();
        pair.a.peer.send(now, UNRELIABLE, &numbered(0, bytes), None).unwrap();
        pair.step();
        assert_eq!(pair.a.datagrams_sent_since(now), datagrams, "for {bytes} bytes");
        pair.run_for(SECOND);
    }
}

#[test]
fn the_largest_messages_arrive_whole_on_a_bad_line() {
    let mut pair = Pair::connected(Setup::new(bad_line(0.1)), 62);
    let largest = 256 * 1024;
    for (number, channel) in [UNORDERED, ORDERED, ORDERED].into_iter().enumerate() {
        let now = pair.now();
        let payload = numbered(number as u32, largest);
        pair.a.peer.send(now, channel, &payload, Some(7)).unwrap();
        pair.run_until("the message arrives", SECOND * 90, |pair| !pair.b.inbox.is_empty());
        assert!(pair.b.inbox[0].payload == payload, "it arrived changed");
        pair.b.inbox.clear();
    }
    pair.run_for(SECOND * 5);
    assert!(pair.b.inbox.is_empty(), "a message arrived twice");
    assert_eq!(pair.a.outcomes().count(), 3);
}

#[test]
fn a_message_above_the_limit_is_refused_where_it_is_sent() {
    let setup = Setup::new(line(20, 0.0)).both(|config| {
        for (_, channel) in &mut config.channels {
            channel.max_message_bytes = 5_000;
        }
    });
    let mut pair = Pair::connected(setup, 63);
    let now = pair.now();
    for channel in [UNRELIABLE, SEQUENCED, UNORDERED, ORDERED] {
        let error = pair.a.peer.send(now, channel, &numbered(0, 5_001), None).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("5000") && text.contains("5001"), "the error names neither size: {text}");
        pair.a.peer.send(now, channel, &numbered(0, 5_000), None).unwrap();
    }
    pair.run_for(SECOND);
    assert_eq!(pair.b.inbox.len(), 4);
}

#[test]
fn small_messages_overtake_a_large_one() {
    let setup = Setup::new(line(20, 0.0)).both(|config| config.max_budget_bytes_per_second = 40_000);
    let mut pair = Pair::connected(setup, 64);
    let now = pair.now();
    pair.a.peer.send(now, UNORDERED, &numbered(1, 200_000), None).unwrap();
    pair.run_for(SECOND);
    let now = pair.now();
    pair.a.peer.send(now, HIGH, &numbered(2, 50), None).unwrap();
    let time = pair.run_until("the small message arrives", SECOND * 10, |pair| !pair.b.inbox.is_empty());
    assert_eq!(number_of(&pair.b.inbox[0].payload), 2);
    assert!(time < Duration::from_millis(300), "it took {time:?}");
}

#[test]
fn an_unreliable_message_arrives_whole_or_not_at_all() {
    let mut pair = Pair::connected(Setup::new(bad_line(0.05)), 65);
    let fits = pair.a.peer.max_unfragmented_bytes();
    let bytes = fits * 3 + 10; // four fragments
    let count = 400;
    for number in 0..count {
        let now = pair.now();
        pair.a.peer.send(now, UNRELIABLE, &numbered(number, bytes), None).unwrap();
        // Slow enough for any budget to have let it go.
        pair.run_for(SECOND / 2);
    }
    pair.run_for(SECOND);
    let mut seen = vec![false; count as usize];
    for arrival in &pair.b.inbox {
        assert_eq!(arrival.payload.len(), bytes);
        let number = number_of(&arrival.payload) as usize;
        assert!(!seen[number], "message {number} came twice");
        seen[number] = true;
    }
    // 0.95^4 is 0.815.
    let share = pair.b.inbox.len() as f64 / f64::from(count);
    assert!((0.74..0.89).contains(&share), "{share} arrived");
}

#[test]
fn unfinished_messages_are_forgotten() {
    let mut pair = Pair::connected(Setup::new(line(20, 0.0)), 66);
    pair.run_for(SECOND);
    let before = pair.b.peer.memory_bytes();
    pair.set_conditions(line(20, 0.5));
    for number in 0..600 {
        let now = pair.now();
        // What the queue does not hold is refused, and that is well.
        let _ = pair.a.peer.send(now, UNRELIABLE, &numbered(number, 12_000), None);
        pair.step();
        pair.b.check_memory();
    }
    pair.set_conditions(line(20, 0.0));
    pair.run_for(SECOND * 30);
    pair.b.inbox.clear();
    let after = pair.b.peer.memory_bytes();
    assert!(after <= before + 64 * 1024, "{before} bytes before, {after} bytes half a minute after");
}
