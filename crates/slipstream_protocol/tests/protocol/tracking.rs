//! Tokens: each message that has one ends in exactly one outcome, and the outcome is true.

use core::time::Duration;
use std::collections::{HashMap, HashSet};

use slipstream_protocol::{ChannelId, DeliveryOutcome};

use crate::numbered::{number_of, numbered};
use crate::pair::{
    EXPIRING, FRAME, ORDERED, Pair, SEQUENCED, Setup, UNORDERED, UNRELIABLE, bad_line, line, milliseconds,
};

const SECOND: Duration = Duration::from_secs(1);
const CHANNELS: [ChannelId; 5] = [UNRELIABLE, SEQUENCED, UNORDERED, ORDERED, EXPIRING];

#[test]
fn every_token_is_told_once_and_truly() {
    let mut pair = Pair::connected(Setup::new(bad_line(0.2)), 170);
    let count = 1_200_u32;
    for number in 0..count {
        let now = pair.now();
        for channel in CHANNELS {
            let bytes = if number.is_multiple_of(40) { 2_500 } else { 20 };
            pair.a
                .peer
                .send(
                    now,
                    channel,
                    &numbered(number, bytes),
                    Some(u64::from(number) | (1 << 40)), // tokens are the application's, of any size
                )
                .unwrap();
        }
        pair.step();
        pair.step();
    }
    pair.run_for(SECOND * 30);

    let arrived: HashSet<(u16, u32)> =
        pair.b.inbox.iter().map(|arrival| (arrival.channel.0, number_of(&arrival.payload))).collect();
    let mut told: HashMap<(u16, u32), u32> = HashMap::new();
    let mut lost = HashMap::new();
    for (channel, token, outcome) in pair.a.outcomes() {
        let number = (token & 0xffff_ffff) as u32;
        let message = (channel.0, number);
        *told.entry(message).or_default() += 1;
        match outcome {
            DeliveryOutcome::Acknowledged => {
                // What a sequenced channel received too late was received all the same.
                assert!(
                    channel == SEQUENCED || arrived.contains(&message),
                    "{message:?} was acknowledged and never arrived"
                );
            }
            DeliveryOutcome::Lost => {
                assert!(channel == UNRELIABLE || channel == SEQUENCED, "{message:?} is reliable and was told lost");
                *lost.entry(channel.0).or_insert(0) += 1;
            }
            DeliveryOutcome::Expired => {
                assert!(channel == EXPIRING, "{message:?} cannot expire");
            }
        }
    }
    for channel in CHANNELS {
        for number in 0..count {
            let times = told.get(&(channel.0, number)).copied().unwrap_or(0);
            assert_eq!(times, 1, "outcomes of message {number} on {channel:?}");
        }
    }
    // Loss of 20 %, and what the line held back for longer than the time threshold.
    for channel in [UNRELIABLE, SEQUENCED] {
        let lost = lost.get(&channel.0).copied().unwrap_or(0);
        assert!((count / 8..count / 2).contains(&lost), "{lost} of {count} were lost on {channel:?}");
    }
}

#[test]
fn an_acknowledgement_is_told_within_a_round_trip_and_the_delay_of_acks() {
    let mut pair = Pair::connected(Setup::new(line(50, 0.0)), 171);
    pair.run_for(SECOND);
    for (token, channel) in (0..).zip(CHANNELS) {
        let before = pair.a.outcomes().count();
        let now = pair.now();
        pair.a.peer.send(now, channel, &numbered(0, 20), Some(token)).unwrap();
        let time = pair.run_until("the outcome is told", SECOND, |pair| pair.a.outcomes().count() > before);
        assert!(time <= milliseconds(100 + 25) + FRAME * 2, "{time:?} on {channel:?}");
        pair.run_for(milliseconds(200));
    }
}

#[test]
fn a_lost_last_unreliable_message_is_told_lost() {
    let mut pair = Pair::connected(Setup::new(line(50, 0.0)), 172);
    pair.run_for(SECOND);
    let now = pair.now();
    pair.a.peer.send(now, UNRELIABLE, &numbered(0, 20), Some(5)).unwrap();
    pair.set_conditions(line(50, 1.0));
    pair.step();
    pair.set_conditions(line(50, 0.0));
    pair.run_until("the loss is told", SECOND * 3, |pair| pair.a.outcomes().count() > 0);
    let outcomes: Vec<_> = pair.a.outcomes().collect();
    assert!(matches!(outcomes[..], [(_, 5, DeliveryOutcome::Lost)]), "{outcomes:?}");
}

#[test]
fn what_has_no_token_is_not_told() {
    let mut pair = Pair::connected(Setup::new(line(20, 0.1)), 173);
    for number in 0..100 {
        let now = pair.now();
        for channel in CHANNELS {
            pair.a.peer.send(now, channel, &numbered(number, 20), None).unwrap();
        }
        pair.step();
    }
    pair.run_for(SECOND * 3);
    assert_eq!(pair.a.outcomes().count(), 0);
}
