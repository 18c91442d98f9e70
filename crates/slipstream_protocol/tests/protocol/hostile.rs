//! Datagrams that no peer of ours would send: no panic, no growth, no end of the world.

use core::time::Duration;
use std::collections::VecDeque;

use slipstream_protocol::{LinkProperties, Side};

use crate::numbered::{number_of, numbered};
use crate::pair::{End, FRAME, Mangle, ORDERED, Pair, SEQUENCED, Setup, UNORDERED, UNRELIABLE, bad_line, line, seed};

const SECOND: Duration = Duration::from_secs(1);

fn random_datagram(random: &mut fastrand::Rng) -> Vec<u8> {
    let most = if random.bool() { 24 } else { 1_300 };
    let mut datagram = vec![0; random.usize(0..most)];
    random.fill(&mut datagram);
    datagram
}

/// Changes bits, length or place of a genuine datagram.
fn mutate(random: &mut fastrand::Rng, datagram: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..random.usize(1..4) {
        let length = datagram.len();
        match random.u8(0..7) {
            // Near the start, where the header is.
            0 if length > 0 => datagram[random.usize(0..length.min(12))] ^= 1 << random.u8(0..8),
            1 if length > 0 => datagram[random.usize(0..length)] = random.u8(..),
            2 => datagram.truncate(random.usize(0..=length)),
            3 => datagram.extend((0..random.usize(0..40)).map(|_| random.u8(..))),
            // All ones: the largest lengths and counts that a field can say.
            4 if length > 0 => {
                let from = random.usize(0..length);
                let to = (from + random.usize(1..10)).min(length);
                datagram[from..to].fill(0xff);
            }
            // The head of one and the tail of another.
            5 if !other.is_empty() => {
                datagram.truncate(random.usize(0..=length));
                datagram.extend_from_slice(&other[random.usize(0..other.len())..]);
            }
            _ if length > 0 => {
                let from = random.usize(0..length);
                datagram.remove(from);
            }
            _ => {}
        }
    }
}

/// Keeps both ends talking on every kind of channel.
fn chat(pair: &mut Pair, number: u32) {
    let now = pair.now();
    for (channel, bytes) in [(UNRELIABLE, 30), (SEQUENCED, 50), (UNORDERED, 20), (ORDERED, 20)] {
        let bytes = if number.is_multiple_of(30) { 2_500 } else { bytes };
        for end in [&mut pair.a, &mut pair.b] {
            // A connection that was closed, or whose acks were damaged and whose queue is full, says so.
            let _ = end.peer.send(now, channel, &numbered(number, bytes), Some(number.into()));
        }
    }
}

#[test]
fn noise_before_the_handshake_changes_nothing() {
    let mut pair = Pair::new(Setup::new(line(20, 0.0)), 110);
    let mut random = fastrand::Rng::with_seed(seed(110));
    let now = pair.now();
    let before = pair.b.peer.memory_bytes();
    for _ in 0..20_000 {
        let datagram = random_datagram(&mut random);
        pair.a.receive(now, &datagram);
        pair.b.receive(now, &datagram);
    }
    assert_eq!((pair.a.rejected, pair.b.rejected), (20_000, 20_000));
    assert!(pair.b.peer.memory_bytes() <= before + 4_096);
    assert!(pair.b.flush(now).is_empty(), "noise was answered, which makes us a mirror for attacks");
    pair.connect(SECOND);
}

#[test]
fn noise_over_any_link_is_survived_by_both_sides() {
    let setup = Setup::new(line(20, 0.0));
    let mut random = fastrand::Rng::with_seed(seed(111));
    let mut admission = setup.admission;
    for authenticated in [false, true] {
        let link = LinkProperties { authenticated, ..LinkProperties::default() };
        for (side, config) in [(Side::Initiator, setup.a.clone()), (Side::Acceptor, setup.b.clone())] {
            let mut end = End::new(side, config, link, 1);
            for step in 0..600 {
                let now = FRAME * step;
                for _ in 0..50 {
                    end.receive(now, &random_datagram(&mut random));
                }
                end.update(now, &mut admission);
                end.flush(now);
                end.check_memory();
            }
        }
    }
}

#[test]
fn noise_on_a_connection_is_survived() {
    let mut pair = Pair::connected(Setup::new(bad_line(0.05)), 112);
    let mut random = fastrand::Rng::with_seed(seed(112));
    for number in 0..1_200 {
        chat(&mut pair, number);
        let now = pair.now();
        for _ in 0..10 {
            pair.a.receive(now, &random_datagram(&mut random));
            pair.b.receive(now, &random_datagram(&mut random));
        }
        pair.step();
        pair.a.check_memory();
        pair.b.check_memory();
    }
}

#[test]
fn damaged_datagrams_are_survived() {
    for round in 0..10 {
        let mut random = fastrand::Rng::with_seed(seed(120 + round));
        let mut earlier: VecDeque<Vec<u8>> = VecDeque::new();
        let mangle: Mangle = Box::new(move |_, datagram: Vec<u8>| {
            earlier.push_back(datagram.clone());
            if earlier.len() > 50 {
                earlier.pop_front();
            }
            let mut arriving = vec![datagram.clone()];
            if random.f32() < 0.3 {
                let other = &earlier[random.usize(0..earlier.len())];
                let mut damaged = datagram;
                mutate(&mut random, &mut damaged, other);
                // Before the genuine one, after it, or in its place.
                match random.u8(0..3) {
                    0 => arriving.insert(0, damaged),
                    1 => arriving.push(damaged),
                    _ => arriving = vec![damaged],
                }
            }
            arriving
        });
        let mut setup = Setup::new(bad_line(0.02));
        setup.link.authenticated = round % 2 == 1;
        let mut pair = Pair::new(setup, 120 + round);
        // Half of the rounds shake hands on the damaged line; in the others a connection is damaged.
        if round % 4 >= 2 {
            pair.connect(SECOND * 10);
        }
        pair.mangle = Some(mangle);
        for number in 0..1_200 {
            chat(&mut pair, number);
            pair.step();
            pair.a.check_memory();
            pair.b.check_memory();
            pair.a.inbox.clear();
            pair.b.inbox.clear();
        }
    }
}

#[test]
fn replayed_datagrams_and_pieces_of_them_change_nothing() {
    let mut pair = Pair::connected(Setup::new(line(20, 0.0)), 130);
    let mut random = fastrand::Rng::with_seed(seed(130));
    let mut earlier: [VecDeque<Vec<u8>>; 2] = Default::default();
    pair.mangle = Some(Box::new(move |to, datagram: Vec<u8>| {
        // Each is followed by an older one that went the same way, and by its own first bytes.
        let earlier = &mut earlier[usize::from(matches!(to, Side::Acceptor))];
        let mut arriving = vec![datagram.clone()];
        arriving.extend(earlier.get(random.usize(0..200)).cloned());
        arriving.push(datagram[..random.usize(0..datagram.len().min(3))].to_vec());
        earlier.push_back(datagram);
        if earlier.len() > 200 {
            earlier.pop_front();
        }
        arriving
    }));
    let count = 2_000_u32;
    for number in 0..count {
        let now = pair.now();
        pair.a.peer.send(now, ORDERED, &numbered(number, 20), None).unwrap();
        pair.step();
    }
    pair.run_for(SECOND * 2);
    let numbers: Vec<u32> = pair.b.inbox.iter().map(|arrival| number_of(&arrival.payload)).collect();
    assert!(numbers.iter().copied().eq(0..count), "{}", numbers.len());
    assert!(pair.a.peer.is_connected() && pair.b.peer.is_connected());
}
