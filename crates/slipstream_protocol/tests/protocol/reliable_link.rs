//! On a link that is reliable the protocol repairs nothing, but still tells what arrived.

use core::time::Duration;

use slipstream_protocol::{CloseReason, ClosedReason, DeliveryOutcome, LinkProperties};

use crate::numbered::{number_of, numbered};
use crate::pair::{EXPIRING, ORDERED, Pair, Setup, UNORDERED, UNRELIABLE, line};

const SECOND: Duration = Duration::from_secs(1);

fn over_reliable_link(latency_milliseconds: u64, seed: u64) -> Pair {
    let mut setup = Setup::new(line(latency_milliseconds, 0.0));
    setup.link = LinkProperties { authenticated: true, encrypted: true, reliable: true, keeps_alive: true, mtu: 1_198 };
    Pair::connected(setup, seed)
}

#[test]
fn messages_arrive_once_in_order_and_are_acknowledged() {
    let mut pair = over_reliable_link(40, 180);
    let count = 600_u32;
    for number in 0..count {
        let now = pair.now();
        for channel in [UNRELIABLE, UNORDERED, ORDERED, EXPIRING] {
            let bytes = if number.is_multiple_of(50) { 3_000 } else { 30 };
            pair.a.peer.send(now, channel, &numbered(number, bytes), Some(number.into())).unwrap();
        }
        pair.step();
    }
    pair.run_for(SECOND * 2);
    for channel in [UNRELIABLE, UNORDERED, ORDERED, EXPIRING] {
        let mut numbers: Vec<u32> = pair
            .b
            .inbox
            .iter()
            .filter(|arrival| arrival.channel == channel)
            .map(|arrival| number_of(&arrival.payload))
            .collect();
        if channel != ORDERED {
            numbers.sort_unstable();
        }
        assert!(numbers.iter().copied().eq(0..count), "{} messages on {channel:?}", numbers.len());
    }
    assert_eq!(pair.a.outcomes().count(), 4 * count as usize);
    assert!(pair.a.outcomes().all(|(_, _, outcome)| matches!(outcome, DeliveryOutcome::Acknowledged)));
}

#[test]
fn a_stall_of_the_link_is_waited_for_not_repaired() {
    let mut pair = over_reliable_link(20, 181);
    pair.run_for(SECOND);
    // A reliable pipe that lost something delivers everything late instead.
    pair.set_conditions(line(3_000, 0.0));
    let now = pair.now();
    pair.a.peer.send(now, ORDERED, &numbered(0, 900), Some(0)).unwrap();
    pair.run_for(SECOND * 8);
    let copies = pair.a.datagrams.iter().filter(|(at, bytes)| *at >= now && *bytes >= 900).count();
    assert_eq!(copies, 1, "the message was sent again over a reliable link");
    assert_eq!(pair.b.inbox.len(), 1);
    assert_eq!(pair.a.outcomes().count(), 1);
}

#[test]
fn what_finds_no_room_ends_the_connection_because_nobody_would_send_it_again() {
    let mut pair = over_reliable_link(20, 182);
    pair.b.peer.refuse_messages(true);
    let now = pair.now();
    pair.a.peer.send(now, ORDERED, &numbered(0, 30), None).unwrap();
    pair.run_for(SECOND);
    assert!(matches!(pair.b.closed(), Some((_, ClosedReason::ProtocolViolation(_)))), "{:?}", pair.b.closed());
    let told = pair.a.closed();
    assert!(matches!(told, Some((_, ClosedReason::Remote(CloseReason::ProtocolViolation(_))))), "{told:?}");
}
