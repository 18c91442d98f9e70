//! What a client may not do, and what it cannot break.

use slipstream_connection::{Connected, Endpoint, EntityMap, channels};
use slipstream_simulation::Owner;

use crate::peers::{Drive, Peers, VEHICLE, drive, path};

#[test]
fn an_input_for_somebody_elses_vehicle_is_dropped_and_counted() {
    let mut peers = Peers::connected(drive, path(10), 20);
    let world = peers.server.world_mut();
    let somebody = world.spawn_empty().id();
    let vehicle = world.spawn((Owner(somebody), Drive::default())).id();
    world.resource_mut::<EntityMap>().insert(VEHICLE, vehicle);
    peers.control_vehicle::<Drive>();
    peers.run_seconds(3);
    assert_eq!(peers.server.world().get::<Drive>(vehicle), Some(&Drive(0)));
    assert!(peers.stats().foreign > 60, "{:?}", peers.stats());
    assert!(peers.take_seen().iter().all(|(_, input)| *input == 0));
}

#[test]
fn an_input_for_a_vehicle_that_is_gone_is_dropped_and_counted() {
    let mut peers = Peers::connected(drive, path(10), 21);
    peers.control_vehicle::<Drive>();
    peers.run_seconds(3);
    assert!(peers.stats().unknown > 60, "{:?}", peers.stats());
    assert_eq!(peers.stats().malformed, 0);
}

#[test]
fn a_message_that_does_not_decode_is_held_against_the_client_and_changes_nothing() {
    let mut peers = Peers::connected(drive, path(10), 22);
    peers.give_vehicle::<Drive>();
    peers.run_seconds(3);
    let before = peers.stats();
    send_raw(&mut peers, &[0xff; 40]);
    send_raw(&mut peers, &[0]);
    peers.run_seconds(1);
    assert_eq!(peers.stats().malformed, before.malformed + 2);
    peers.take_seen();
    peers.run_seconds(1);
    assert!(peers.take_seen().iter().all(|(tick, input)| tick == input));
}

#[test]
fn endless_garbage_ends_the_connection() {
    let mut peers = Peers::connected(drive, path(10), 23);
    for round in 0..600 {
        send_raw(&mut peers, &[0xff; 40]);
        peers.step();
        if peers.server.world().get::<Connected>(peers.connection).is_none() {
            println!("ended after {round} messages");
            return;
        }
    }
    panic!("the server still listens to a client that sent 600 broken messages");
}

#[test]
fn a_flood_is_cut_off_and_the_connection_lives() {
    let mut peers = Peers::connected(drive, path(10), 24);
    peers.give_vehicle::<Drive>();
    peers.run_seconds(3);
    // A whole message without a section: newest tick 1, nothing else.
    for _ in 0..600 {
        send_raw(&mut peers, &[1, 0, 0, 0, 0]);
    }
    peers.run_seconds(3);
    assert!(peers.stats().flooding > 100, "{:?}", peers.stats());
    assert_eq!(peers.stats().malformed, 0);
    peers.take_seen();
    peers.run_seconds(1);
    assert!(peers.take_seen().iter().all(|(tick, input)| tick == input), "{:?}", peers.stats());
}

#[test]
fn an_input_from_the_far_future_is_dropped_and_counted() {
    let mut peers = Peers::connected(drive, path(10), 25);
    peers.give_vehicle::<Drive>();
    peers.run_seconds(3);
    send_raw(&mut peers, &[0, 0, 0, 0x10, 0]);
    peers.run_seconds(1);
    assert_eq!(peers.stats().early, 1, "{:?}", peers.stats());
}

fn send_raw(peers: &mut Peers, payload: &[u8]) {
    let connect = peers.connect;
    let mut endpoint = peers.client.world_mut().get_mut::<Endpoint>(connect).expect("it is connected");
    // Late in the test the server may have hung up already.
    let _ = endpoint.send(channels::INPUTS, payload, None);
}
