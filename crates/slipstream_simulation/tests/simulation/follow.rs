//! The client's tick leads the server's by what its inputs need.

use crate::peers::{Drive, Peers, drive, path, tick};

/// Runs until the tick has settled, and asserts that from then on no input is missing.
fn assert_settles(peers: &mut Peers) {
    peers.run_seconds(15);
    let (before, lead) = (peers.stats(), peers.lead());
    peers.run_seconds(3);
    let after = peers.stats();
    assert_eq!(after.missing, before.missing, "{lead:?} {after:?}");
    assert_eq!(after.late, before.late, "{lead:?} {after:?}");
    assert!((0..=6).contains(&after.slack_ticks), "{lead:?} {after:?}");
}

#[test]
fn the_lead_covers_the_round_trip() {
    let mut peers = Peers::connected(drive, path(100), 10);
    peers.give_vehicle::<Drive>();
    assert_settles(&mut peers);
    let lead = i64::from(tick(&peers.client)) - i64::from(tick(&peers.server));
    // 100 ms one way are 6 ticks, the reserve is two and a bit.
    assert!((7..=14).contains(&lead), "{lead}");
}

#[test]
fn a_short_path_needs_a_short_lead() {
    let mut peers = Peers::connected(drive, path(0), 11);
    peers.give_vehicle::<Drive>();
    assert_settles(&mut peers);
    let lead = i64::from(tick(&peers.client)) - i64::from(tick(&peers.server));
    assert!((2..=7).contains(&lead), "{lead}");
}

#[test]
fn a_path_that_gets_a_little_longer_or_shorter_is_followed_tick_by_tick() {
    let mut peers = Peers::connected(drive, path(20), 12);
    peers.give_vehicle::<Drive>();
    assert_settles(&mut peers);
    let settled = peers.lead();
    peers.set_path(path(70));
    assert_settles(&mut peers);
    let longer = peers.lead();
    assert!(longer.corrections() > settled.corrections(), "{longer:?}");
    assert_eq!(longer.jumps(), settled.jumps(), "{longer:?}");
    peers.set_path(path(20));
    assert_settles(&mut peers);
    let shorter = peers.lead();
    assert!(shorter.corrections() > longer.corrections(), "{shorter:?}");
    assert_eq!(shorter.jumps(), settled.jumps(), "{shorter:?}");
}

#[test]
fn a_path_that_gets_much_longer_sets_the_tick_at_once() {
    let mut peers = Peers::connected(drive, path(10), 13);
    peers.give_vehicle::<Drive>();
    assert_settles(&mut peers);
    let settled = peers.lead();
    peers.set_path(path(300));
    assert_settles(&mut peers);
    assert!(peers.lead().jumps() > settled.jumps());
    peers.set_path(path(10));
    assert_settles(&mut peers);
}

#[test]
fn a_client_that_controls_nothing_follows_too() {
    let mut peers = Peers::connected(drive, path(50), 14);
    peers.run_seconds(10);
    assert!(peers.lead().is_synchronized());
    let lead = i64::from(tick(&peers.client)) - i64::from(tick(&peers.server));
    assert!((3..=14).contains(&lead), "{lead}");
    assert_eq!(peers.stats().received, 0);
}

#[test]
fn without_its_server_a_client_is_not_synchronized() {
    let mut peers = Peers::connected(drive, path(10), 15);
    peers.give_vehicle::<Drive>();
    peers.run_seconds(2);
    assert!(peers.lead().is_synchronized());
    peers.server.world_mut().despawn(peers.connection);
    peers.run_seconds(2);
    assert!(!peers.lead().is_synchronized());
}
