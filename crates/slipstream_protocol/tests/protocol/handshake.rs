//! How two peers come to be connected, and why they may not.

use core::time::Duration;
use std::cell::RefCell;
use std::rc::Rc;

use slipstream_protocol::{
    ClosedReason, Delivery, LinkProperties, Peer, PeerConfig, PeerEvent, RefuseReason, Side, WIRE_VERSION,
};

use crate::pair::{End, FRAME, Pair, Setup, bad_line, line, manifest};

const SECOND: Duration = Duration::from_secs(1);

fn refusal(end: &End) -> Option<&RefuseReason> {
    match end.closed() {
        Some((_, ClosedReason::Refused(reason))) => Some(reason),
        _ => None,
    }
}

/// What the initiator is told differs, when the pair's manifests are not the same.
fn differences(pair: &mut Pair) -> Vec<String> {
    pair.run_until("the initiator is refused", SECOND * 30, |pair| pair.a.closed().is_some());
    match refusal(&pair.a) {
        Some(RefuseReason::Mismatch { differences }) => differences.clone(),
        _ => panic!("refused for another reason: {:?}", pair.a.closed()),
    }
}

#[test]
fn two_peers_connect_and_exchange_their_hellos() {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let mut setup = Setup::new(line(50, 0.0));
    let heard_by_admission = Rc::clone(&heard);
    setup.admission = Box::new(move |peer, now, hello| {
        heard_by_admission.borrow_mut().push(hello.to_vec());
        peer.accept(now, b"welcome");
    });
    let mut pair = Pair::new(setup, 1);
    pair.connect(SECOND);
    pair.run_for(SECOND);
    assert_eq!(*heard.borrow(), vec![b"from the initiator".to_vec()]);
    let answers: Vec<_> = pair
        .a
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            PeerEvent::Connected { hello } => Some(hello.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(answers, vec![b"welcome".to_vec()]);
    let connected_at_b = pair.b.events.iter().filter(|(_, event)| matches!(event, PeerEvent::Connected { .. })).count();
    assert_eq!(connected_at_b, 1);
    assert_eq!((pair.a.rejected, pair.b.rejected), (0, 0));
}

#[test]
fn a_handshake_survives_heavy_loss() {
    for seed in 0..20 {
        let setup = Setup::new(bad_line(0.3)).both(|config| config.handshake_timeout = SECOND * 60);
        let mut pair = Pair::new(setup, 100 + seed);
        pair.connect(SECOND * 60);
    }
}

#[test]
fn the_order_of_registration_does_not_matter() {
    let mut setup = Setup::new(line(10, 0.0));
    setup.a.manifest.add("component", "Ammunition", "bincode");
    setup.a.manifest.add("component", "Turret", "bincode");
    setup.b.manifest.add("component", "Turret", "bincode");
    setup.b.manifest.add("component", "Ammunition", "bincode");
    setup.b.channels.reverse();
    Pair::new(setup, 2).connect(SECOND);
}

#[test]
fn a_mismatch_names_what_differs() {
    for loss in [0.0, 0.2] {
        let mut setup = Setup::new(bad_line(loss));
        setup.a.manifest.add("component", "OnlyTheInitiatorHasThis", "bincode");
        setup.b.manifest.add("message", "OnlyTheAcceptorHasThis", "bincode");
        setup.a.manifest.add("component", "Angle", "bits 10");
        setup.b.manifest.add("component", "Angle", "bits 12");
        let mut pair = Pair::new(setup.both(|config| config.handshake_timeout = SECOND * 30), 3);
        let differences = differences(&mut pair);
        for name in ["OnlyTheInitiatorHasThis", "OnlyTheAcceptorHasThis", "Angle"] {
            assert!(differences.iter().any(|line| line.contains(name)), "{name} is not named in {differences:?}");
        }
        assert!(!differences.iter().any(|line| line.contains("Health")), "what agrees is named in {differences:?}");
        assert!(!pair.b.peer.is_connected());
        assert!(
            !pair.b.events.iter().any(|(_, event)| matches!(event, PeerEvent::HelloReceived { .. })),
            "the application was asked about a peer that speaks otherwise"
        );
    }
}

#[test]
fn another_tick_rate_is_a_mismatch() {
    let mut setup = Setup::new(line(10, 0.0));
    setup.a.manifest = manifest(30);
    let differences = differences(&mut Pair::new(setup, 4));
    assert!(
        differences.iter().any(|line| line.contains("30") && line.contains("60")),
        "the rates are not named in {differences:?}"
    );
}

#[test]
fn another_channel_is_a_mismatch() {
    let mut setup = Setup::new(line(10, 0.0));
    let config = setup.a.channels.iter_mut().map(|(_, config)| config).find(|config| config.name == "ordered").unwrap();
    config.delivery = Delivery::ReliableUnordered;
    let differences = differences(&mut Pair::new(setup, 5));
    assert!(differences.iter().any(|line| line.contains("ordered")), "the channel is not named in {differences:?}");
}

#[test]
fn many_differences_are_told_in_a_few_lines() {
    let mut setup = Setup::new(line(10, 0.0));
    for index in 0..200 {
        setup.b.manifest.add("component", &format!("Component{index}"), "bincode");
    }
    let differences = differences(&mut Pair::new(setup, 6));
    assert!(!differences.is_empty());
    assert!(differences.len() <= 16, "{} lines", differences.len());
    assert!(differences.iter().all(|line| line.len() <= 400));
}

#[test]
fn a_full_server_refuses_with_its_limit() {
    for seed in 0..10 {
        let mut setup = Setup::new(line(30, 0.1));
        setup.admission = Box::new(|peer, now, _| peer.refuse(now, RefuseReason::ServerFull { max: 2 }));
        let mut pair = Pair::new(setup, 200 + seed);
        let time = pair.run_until("the initiator is refused", SECOND * 10, |pair| pair.a.closed().is_some());
        assert!(matches!(refusal(&pair.a), Some(RefuseReason::ServerFull { max: 2 })), "{:?}", pair.a.closed());
        assert!(time < SECOND * 5, "the refusal took {time:?}");
        assert!(pair.a.peer.is_closed() && !pair.b.peer.is_connected());
    }
}

#[test]
fn a_denial_carries_its_words() {
    let mut setup = Setup::new(line(30, 0.0));
    setup.admission = Box::new(|peer, now, _| peer.refuse(now, RefuseReason::Denied("no guests".to_owned())));
    let mut pair = Pair::new(setup, 7);
    pair.run_until("the initiator is refused", SECOND * 2, |pair| pair.a.closed().is_some());
    assert!(
        matches!(refusal(&pair.a), Some(RefuseReason::Denied(words)) if words == "no guests"),
        "{:?}",
        pair.a.closed()
    );
}

#[test]
fn an_unanswered_hello_times_out_and_does_not_flood() {
    let mut pair = Pair::new(Setup::new(line(50, 1.0)), 8);
    let time = pair.run_until("the initiator gives up", SECOND * 12, |pair| pair.a.closed().is_some());
    assert!(matches!(pair.a.closed(), Some((_, ClosedReason::HandshakeTimedOut))), "{:?}", pair.a.closed());
    assert!(time > Duration::from_millis(9_800), "gave up after {time:?}");
    let datagrams = pair.a.datagrams.len();
    assert!((5..=20).contains(&datagrams), "{datagrams} hellos");
}

#[test]
fn an_unvalidated_address_is_not_answered_with_more_than_it_sent() {
    let mut pair = Pair::new(Setup::new(line(0, 0.0)), 9);
    let now = pair.now();
    let hellos = pair.a.flush(now);
    assert_eq!(hellos.len(), 1);
    assert!(hellos[0].len() >= 600, "{} bytes", hellos[0].len());
    let (mut bytes_in, mut bytes_out) = (0, 0);
    for step in 0..200 {
        let now = FRAME * step;
        pair.b.receive(now, &hellos[0]);
        pair.b.update(now, &mut pair.admission);
        bytes_in += hellos[0].len();
        bytes_out += pair.b.flush(now).iter().map(Vec::len).sum::<usize>();
    }
    assert!(bytes_out <= bytes_in, "{bytes_out} for {bytes_in} bytes");
    assert!(
        !pair.b.events.iter().any(|(_, event)| matches!(event, PeerEvent::HelloReceived { .. })),
        "the application was asked about an address that answered no challenge"
    );
}

#[test]
fn an_authenticated_link_skips_challenge_and_padding() {
    let connect = |authenticated| {
        let mut setup = Setup::new(line(50, 0.0));
        setup.link = LinkProperties { authenticated, ..LinkProperties::default() };
        let mut pair = Pair::new(setup, 10);
        let time = pair.connect(SECOND);
        (time, pair.a.datagrams[0].1)
    };
    let (time_with_challenge, padded) = connect(false);
    let (time_without, unpadded) = connect(true);
    assert!(padded >= 600 && unpadded < 600, "{padded} and {unpadded}");
    assert!(
        time_without + Duration::from_millis(80) < time_with_challenge,
        "{time_without:?} without a challenge, {time_with_challenge:?} with one"
    );
}

#[test]
fn nothing_is_sent_before_a_connection() {
    let setup = Setup::new(line(10, 0.0));
    let mut peer = Peer::new(Side::Acceptor, setup.b, setup.link, Duration::ZERO, 11);
    assert!(!peer.is_connected() && !peer.is_closed());
    assert!(!peer.poll_transmit(Duration::ZERO, &mut Vec::new()));
    assert!(peer.poll_message().is_none());
}

/// The version stands behind the kind (1 byte) and the mark (4 bytes) of a hello; docs/wire-format.md.
#[test]
fn a_hello_of_another_wire_version_is_refused_with_both_versions() {
    let link = LinkProperties { authenticated: true, ..LinkProperties::default() };
    let mut old = Peer::new(Side::Initiator, PeerConfig::default(), link, Duration::ZERO, 1);
    let mut new = Peer::new(Side::Acceptor, PeerConfig::default(), link, Duration::ZERO, 2);
    let mut datagram = Vec::new();
    assert!(old.poll_transmit(Duration::ZERO, &mut datagram), "a hello is due at once");
    let other = WIRE_VERSION + 7;
    datagram[5..7].copy_from_slice(&other.to_le_bytes());
    new.receive(FRAME, &datagram).expect("another version is no violation");
    assert!(new.poll_transmit(FRAME, &mut datagram), "a refusal is due");
    old.receive(FRAME * 2, &datagram).expect("a refusal is understood whatever the version");
    let closed = core::iter::from_fn(|| old.poll_event()).find_map(|event| match event {
        PeerEvent::Closed { reason } => Some(reason),
        _ => None,
    });
    let expected = RefuseReason::WireVersion { ours: other, theirs: WIRE_VERSION };
    assert_eq!(closed, Some(ClosedReason::Refused(expected)));
}
