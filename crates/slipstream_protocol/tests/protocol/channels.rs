//! Channels by number: those agreed on in the handshake, those added later, and those that do not exist.

use core::time::Duration;

use slipstream_protocol::{ChannelConfig, ChannelId, Delivery, PeerEvent};

use crate::numbered::{number_of, numbered};
use crate::pair::{ORDERED, Pair, Setup, bad_line, line};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_channel_that_does_not_exist_is_refused_where_it_is_sent() {
    let mut pair = Pair::connected(Setup::new(line(20, 0.0)), 190);
    let now = pair.now();
    let error = pair.a.peer.send(now, ChannelId(1_234), &numbered(0, 8), None).unwrap_err();
    assert!(error.to_string().contains("1234"), "{error}");
}

#[test]
fn a_message_before_the_connection_is_refused() {
    let mut pair = Pair::new(Setup::new(line(20, 0.0)), 191);
    let now = pair.now();
    assert!(pair.a.peer.send(now, ORDERED, &numbered(0, 8), None).is_err());
}

#[test]
fn a_channel_added_later_is_announced_and_carries_messages_both_ways() {
    let mut pair = Pair::connected(Setup::new(bad_line(0.2)), 192);
    pair.run_for(SECOND);
    let id = ChannelId(1_001);
    let config = || ChannelConfig::new("late plugin", Delivery::ReliableOrdered);
    assert!(pair.b.peer.add_channel(id, config()).is_ok());
    pair.run_until("the channel is announced", SECOND * 5, |pair| {
        pair.a.events.iter().any(|(_, event)| {
            matches!(event, PeerEvent::ChannelAnnounced { id: told, name }
                if *told == id && name == "late plugin")
        })
    });
    // It may be known by the announcement alone.
    let _ = pair.a.peer.add_channel(id, config());
    for number in 0..50 {
        let now = pair.now();
        for end in [&mut pair.a, &mut pair.b] {
            end.peer.send(now, id, &numbered(number, 12), None).unwrap();
        }
        pair.step();
    }
    pair.run_for(SECOND * 10);
    for end in [&pair.a, &pair.b] {
        let numbers: Vec<u32> = end
            .inbox
            .iter()
            .filter(|arrival| arrival.channel == id)
            .map(|arrival| number_of(&arrival.payload))
            .collect();
        assert!(numbers.iter().copied().eq(0..50), "{numbers:?}");
    }
}

#[test]
fn a_number_that_is_taken_is_refused() {
    let mut pair = Pair::connected(Setup::new(line(20, 0.0)), 193);
    let config = ChannelConfig::new("another", Delivery::Unreliable);
    assert!(pair.b.peer.add_channel(ORDERED, config).is_err());
}

#[test]
fn control_is_not_for_applications() {
    let mut pair = Pair::connected(Setup::new(line(20, 0.0)), 194);
    let now = pair.now();
    assert!(pair.a.peer.send(now, ChannelId::CONTROL, &numbered(0, 8), None).is_err());
}
