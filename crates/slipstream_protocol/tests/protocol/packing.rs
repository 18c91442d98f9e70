//! Acks and the messages of all channels share datagrams: one a frame where it fits.

use core::time::Duration;

use crate::numbered::numbered;
use crate::pair::{EXPIRING, HIGH, LOW, ORDERED, Pair, SEQUENCED, Setup, UNORDERED, UNRELIABLE, line};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn one_datagram_a_frame_carries_acks_and_all_channels() {
    let mut pair = Pair::connected(Setup::new(line(50, 0.0)), 210);
    pair.run_for(SECOND);
    let start = pair.now();
    let frames = 300;
    for number in 0..frames {
        let now = pair.now();
        for channel in [UNRELIABLE, SEQUENCED, UNORDERED, ORDERED, EXPIRING, HIGH, LOW] {
            for end in [&mut pair.a, &mut pair.b] {
                end.peer.send(now, channel, &numbered(number, 8), None).unwrap();
            }
        }
        pair.step();
    }
    for end in [&pair.a, &pair.b] {
        let datagrams = end.datagrams_sent_since(start);
        assert!(
            (frames as usize * 98 / 100..=frames as usize).contains(&datagrams),
            "{datagrams} datagrams in {frames} frames"
        );
    }
    pair.run_for(SECOND);
    assert_eq!(pair.a.inbox.len(), frames as usize * 7);
    assert_eq!(pair.b.inbox.len(), frames as usize * 7);
}

#[test]
fn a_message_costs_few_bytes_beside_its_own() {
    let setup = Setup::new(line(50, 0.0)).both(|config| config.spare_copies = false);
    let mut pair = Pair::connected(setup, 211);
    pair.run_for(SECOND);
    let (frames, messages, bytes_each) = (120, 20, 20);
    let start = pair.now();
    for number in 0..frames {
        let now = pair.now();
        for _ in 0..messages {
            pair.a.peer.send(now, ORDERED, &numbered(number, bytes_each), None).unwrap();
        }
        pair.step();
    }
    let bytes = pair.a.bytes_sent_since(start);
    let sent = (frames * messages) as usize;
    let beside = (bytes - sent * bytes_each) as f64 / sent as f64;
    // A datagram's header is shared by twenty.
    assert!(beside <= 6.0, "{beside} bytes beside each message");
}
