//! Expiring messages: repaired while they are worth it, then given up.

use core::time::Duration;

use slipstream_protocol::{Delivery, DeliveryOutcome, NetworkConditions};

use crate::numbered::{number_of, numbered};
use crate::pair::{EXPIRING, FRAME, Pair, Setup, UNRELIABLE, bad_line, line, milliseconds};

const SECOND: Duration = Duration::from_secs(1);

/// A setup whose expiring channel has these limits.
fn expiring_after(
    max_retransmits: u16,
    lifetime: Duration,
    conditions: NetworkConditions,
    spare_copies: bool,
) -> Setup {
    Setup::new(conditions).both(|config| {
        config.spare_copies = spare_copies;
        for (id, channel) in &mut config.channels {
            if *id == EXPIRING {
                channel.delivery = Delivery::Expiring { max_retransmits, lifetime };
            }
        }
    })
}

#[test]
fn a_single_loss_is_repaired() {
    let mut pair = Pair::connected(expiring_after(3, SECOND, line(30, 0.0), false), 30);
    pair.run_for(SECOND);
    let now = pair.now();
    pair.a.peer.send(now, EXPIRING, &numbered(1, 16), Some(1)).unwrap();
    pair.set_conditions(line(30, 1.0));
    pair.step();
    pair.set_conditions(line(30, 0.0));
    pair.run_until("the message arrives", SECOND, |pair| !pair.b.inbox.is_empty());
    pair.run_for(SECOND);
    assert_eq!(pair.b.inbox.len(), 1);
    let outcomes: Vec<_> = pair.a.outcomes().collect();
    assert!(matches!(outcomes[..], [(_, 1, DeliveryOutcome::Acknowledged)]), "{outcomes:?}");
}

#[test]
fn a_message_is_given_up_after_its_lifetime() {
    let lifetime = milliseconds(200);
    let mut pair = Pair::connected(expiring_after(u16::MAX, lifetime, line(30, 0.0), true), 31);
    pair.run_for(SECOND);
    let sent_at = pair.now();
    pair.a.peer.send(sent_at, EXPIRING, &numbered(1, 16), Some(1)).unwrap();
    pair.set_conditions(line(30, 1.0));
    pair.run_for(SECOND);
    let outcomes: Vec<_> = pair.a.outcomes().collect();
    assert!(matches!(outcomes[..], [(_, 1, DeliveryOutcome::Expired)]), "{outcomes:?}");
    pair.set_conditions(line(30, 0.0));
    pair.run_for(SECOND * 5);
    assert!(pair.b.inbox.is_empty(), "an expired message was delivered");
    assert_eq!(pair.a.outcomes().count(), 1, "its outcome was told twice");
}

#[test]
fn a_message_is_given_up_after_its_last_retransmission() {
    for max_retransmits in [0, 1, 3] {
        let mut pair = Pair::connected(expiring_after(max_retransmits, SECOND * 60, line(30, 0.0), false), 32);
        pair.run_for(SECOND);
        // The line swallows large datagrams only, so that acks of others tell of the loss.
        pair.mangle =
            Some(Box::new(|_, datagram: Vec<u8>| if datagram.len() >= 900 { Vec::new() } else { vec![datagram] }));
        let sent_at = pair.now();
        pair.a.peer.send(sent_at, EXPIRING, &numbered(1, 900), Some(1)).unwrap();
        for number in 0..60 {
            pair.run_for(milliseconds(100));
            let now = pair.now();
            pair.a.peer.send(now, UNRELIABLE, &numbered(number, 8), None).unwrap();
        }
        let copies = pair.a.datagrams.iter().filter(|(at, bytes)| *at >= sent_at && *bytes >= 900).count();
        assert_eq!(copies, 1 + usize::from(max_retransmits), "with {max_retransmits} retransmissions");
        let outcomes: Vec<_> = pair.a.outcomes().collect();
        assert!(matches!(outcomes[..], [(_, 1, DeliveryOutcome::Expired)]), "{outcomes:?}");
    }
}

#[test]
fn on_a_bad_line_most_arrive_once_and_none_arrives_stale() {
    let lifetime = milliseconds(400);
    let conditions = bad_line(0.3);
    let mut pair = Pair::connected(expiring_after(u16::MAX, lifetime, conditions, true), 33);
    let count = 1_000_u32;
    let mut sent_at = Vec::new();
    for number in 0..count {
        let now = pair.now();
        sent_at.push(now);
        pair.a.peer.send(now, EXPIRING, &numbered(number, 24), Some(number.into())).unwrap();
        for _ in 0..3 {
            pair.step();
        }
    }
    pair.run_for(SECOND * 5);

    // Sent for the last time just before its end, then one way with all the delays of the line, then the frame's step.
    let oldest = lifetime + (conditions.latency + conditions.jitter) * 2 + FRAME * 2;
    let mut arrived = vec![false; count as usize];
    for arrival in &pair.b.inbox {
        let number = number_of(&arrival.payload) as usize;
        assert!(!arrived[number], "message {number} came twice");
        arrived[number] = true;
        let age = arrival.at - sent_at[number];
        assert!(age <= oldest, "message {number} came {age:?} old");
    }
    let share = pair.b.inbox.len() as f64 / f64::from(count);
    assert!(share > 0.93, "only {share} arrived");

    let mut outcomes = vec![0; count as usize];
    for (_, token, outcome) in pair.a.outcomes() {
        outcomes[token as usize] += 1;
        match outcome {
            DeliveryOutcome::Acknowledged => assert!(arrived[token as usize]),
            DeliveryOutcome::Expired => {}
            other => panic!("message {token} ended as {other:?}"),
        }
    }
    assert!(outcomes.iter().all(|count| *count == 1), "each message has one outcome");
}
