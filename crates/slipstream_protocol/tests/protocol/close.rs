//! How a connection ends on purpose.

use core::time::Duration;

use slipstream_protocol::{CloseReason, ClosedReason, PeerEvent};

use crate::numbered::numbered;
use crate::pair::{FRAME, ORDERED, Pair, Setup, line, milliseconds};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn both_ends_learn_the_reason_once() {
    let mut pair = Pair::connected(Setup::new(line(50, 0.0)), 160);
    let now = pair.now();
    pair.a.peer.close(now, CloseReason::Requested);
    let time = pair.run_until("the acceptor learns of it", SECOND, |pair| pair.b.closed().is_some());
    assert!(time <= FRAME * 4, "{time:?}");
    pair.run_for(SECOND * 5);
    assert!(matches!(pair.a.closed(), Some((_, ClosedReason::Local(CloseReason::Requested)))), "{:?}", pair.a.closed());
    assert!(
        matches!(pair.b.closed(), Some((_, ClosedReason::Remote(CloseReason::Requested)))),
        "{:?}",
        pair.b.closed()
    );
    for end in [&pair.a, &pair.b] {
        let closed = end.events.iter().filter(|(_, event)| matches!(event, PeerEvent::Closed { .. })).count();
        assert_eq!(closed, 1);
        assert!(end.peer.is_closed() && !end.peer.is_connected());
    }
}

#[test]
fn a_kick_carries_its_words() {
    let mut pair = Pair::connected(Setup::new(line(50, 0.0)), 161);
    let now = pair.now();
    let words = "idle for too long";
    pair.b.peer.close(now, CloseReason::Kicked(words.to_owned()));
    pair.run_until("the initiator learns of it", SECOND, |pair| pair.a.closed().is_some());
    assert!(
        matches!(
            pair.a.closed(),
            Some((_, ClosedReason::Remote(CloseReason::Kicked(told)))) if told == words
        ),
        "{:?}",
        pair.a.closed()
    );
}

#[test]
fn a_close_survives_loss() {
    let rounds = 40;
    let mut told = 0;
    for round in 0..rounds {
        let mut pair = Pair::connected(Setup::new(line(30, 0.3)), 200 + round);
        let now = pair.now();
        pair.b.peer.close(now, CloseReason::Shutdown);
        pair.run_for(SECOND);
        if let Some((_, ClosedReason::Remote(CloseReason::Shutdown))) = pair.a.closed() {
            told += 1;
        }
        // Three copies are lost together once in 37; silence tells then.
        pair.run_until("the initiator is closed", SECOND * 12, |pair| pair.a.closed().is_some());
    }
    assert!(told >= rounds * 85 / 100, "{told} of {rounds} were told");
}

#[test]
fn the_copies_of_a_close_leave_with_one_flush_when_there_is_no_later() {
    // A process that ends has one last frame: what it sends then must be enough.
    let mut pair = Pair::connected(Setup::new(line(30, 0.0)), 162);
    let now = pair.now();
    pair.a.peer.close(now, CloseReason::Shutdown);
    let datagrams = pair.a.flush(now);
    assert!(!datagrams.is_empty());
    pair.b.receive(now + milliseconds(30), &datagrams[0]);
    pair.b.update(now + milliseconds(30), &mut pair.admission);
    assert!(matches!(pair.b.closed(), Some((_, ClosedReason::Remote(CloseReason::Shutdown)))), "{:?}", pair.b.closed());
}

#[test]
fn both_may_close_at_once() {
    let mut pair = Pair::connected(Setup::new(line(50, 0.0)), 163);
    let now = pair.now();
    pair.a.peer.close(now, CloseReason::Requested);
    pair.b.peer.close(now, CloseReason::Shutdown);
    pair.run_for(SECOND * 2);
    for end in [&pair.a, &pair.b] {
        assert!(end.closed().is_some() && end.peer.is_closed());
    }
}

#[test]
fn a_closed_peer_is_quiet_and_refuses_messages() {
    let mut pair = Pair::connected(Setup::new(line(20, 0.0)), 164);
    let now = pair.now();
    pair.a.peer.close(now, CloseReason::Requested);
    pair.run_for(SECOND * 5);
    let now = pair.now();
    for end in [&mut pair.a, &mut pair.b] {
        let error = end.peer.send(now, ORDERED, &numbered(0, 8), None).unwrap_err();
        assert!(!error.to_string().is_empty());
        assert!(end.flush(now).is_empty());
    }
    pair.run_for(SECOND * 20);
    assert_eq!(pair.a.datagrams_sent_since(now), 0);
    assert_eq!(pair.b.datagrams_sent_since(now), 0);
}

#[test]
fn a_handshake_may_be_given_up() {
    let mut pair = Pair::new(Setup::new(line(50, 1.0)), 165);
    pair.run_for(SECOND);
    let now = pair.now();
    pair.a.peer.close(now, CloseReason::Requested);
    pair.run_for(SECOND);
    assert!(matches!(pair.a.closed(), Some((_, ClosedReason::Local(CloseReason::Requested)))), "{:?}", pair.a.closed());
}
