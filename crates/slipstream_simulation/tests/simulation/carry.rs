//! Inputs reach the server at the tick they were made for.

use std::time::Duration;

use slipstream_connection::Connected;
use slipstream_link::NetworkConditions;
use slipstream_simulation::{MAX_REPEATED_TICKS, Owner};

use crate::peers::{Drive, Peers, drive, path};

#[test]
fn each_tick_on_the_server_has_the_input_of_the_same_tick_on_the_client() {
    let mut peers = Peers::connected(drive, path(50), 1);
    peers.give_vehicle::<Drive>();
    peers.run_seconds(5);
    peers.take_seen();
    let before = peers.stats();
    peers.run_seconds(5);
    let seen = peers.take_seen();
    assert!(seen.len() >= 290, "{}", seen.len());
    for (tick, input) in seen {
        assert_eq!(input, tick);
    }
    let after = peers.stats();
    assert_eq!(after.missing, before.missing);
    assert_eq!((after.late, after.early, after.foreign, after.malformed), (before.late, before.early, 0, 0));
}

#[test]
fn loss_jitter_and_duplication_cost_few_ticks_and_each_is_counted() {
    let conditions = NetworkConditions {
        latency: Duration::from_millis(60),
        jitter: Duration::from_millis(10),
        loss: 0.2,
        duplicate: 0.1,
        reorder: 0.1,
        ..NetworkConditions::default()
    };
    let mut peers = Peers::connected(drive, conditions, 2);
    peers.give_vehicle::<Drive>();
    peers.run_seconds(10);
    peers.take_seen();
    let before = peers.stats();
    peers.run_seconds(20);
    let seen = peers.take_seen();
    let wrong = seen.iter().filter(|(tick, input)| tick != input).count();
    assert!(wrong * 10 < seen.len(), "{wrong} of {} ticks had another tick's input", seen.len());
    assert_eq!(wrong as u64, peers.stats().missing - before.missing);
}

#[test]
fn a_client_that_falls_silent_is_repeated_for_a_while_and_then_at_rest() {
    let mut peers = Peers::connected(drive, path(10), 3);
    let (owned, _) = peers.give_vehicle::<Drive>();
    peers.run_seconds(3);
    let held = peers.server.world().get::<Drive>(owned).cloned().expect("it drives");
    assert_ne!(held, Drive(0));
    // The client freezes; the server goes on. Some inputs are still under way.
    for _ in 0..MAX_REPEATED_TICKS {
        peers.server.update();
    }
    assert_ne!(peers.server.world().get::<Drive>(owned), Some(&Drive(0)));
    for _ in 0..30 {
        peers.server.update();
    }
    assert_eq!(peers.server.world().get::<Drive>(owned), Some(&Drive(0)));
}

#[test]
fn a_vehicle_that_loses_its_owner_is_at_rest_in_the_next_tick() {
    let mut peers = Peers::connected(drive, path(10), 4);
    let (owned, _) = peers.give_vehicle::<Drive>();
    peers.run_seconds(2);
    assert_ne!(peers.server.world().get::<Drive>(owned), Some(&Drive(0)));
    peers.server.world_mut().entity_mut(owned).remove::<Owner>();
    peers.server.update();
    assert_eq!(peers.server.world().get::<Drive>(owned), Some(&Drive(0)));
    peers.run_seconds(1);
    assert_eq!(peers.server.world().get::<Drive>(owned), Some(&Drive(0)));
    assert!(peers.stats().foreign > 0, "what still came was refused");
    assert!(peers.client.world().get::<Connected>(peers.connect).is_some());
}
