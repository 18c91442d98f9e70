use std::time::Duration;

use slipstream_link::{Conditioner, NetworkConditions};

use crate::pair::{FRAME, Pair, links_of, receive};

fn lossy(loss: f32) -> NetworkConditions {
    NetworkConditions { loss, ..NetworkConditions::default() }
}

/// Sends 0 to 199 from the client, one a frame, and gives what reaches the server.
fn send_through(conditioner: Conditioner) -> Vec<u8> {
    let mut pair = Pair::over_memory();
    let connector = pair.connector;
    pair.client.world_mut().entity_mut(connector).insert(conditioner);
    let link = pair.connect();
    let mut received = Vec::new();
    for index in 0..200 {
        pair.send_from_client(&[index]);
        pair.step();
        received.extend(receive(&mut pair.server, link).concat());
    }
    for _ in 0..100 {
        pair.step();
        received.extend(receive(&mut pair.server, link).concat());
    }
    received
}

#[test]
fn seeded_loss_is_reproducible() {
    let run = |seed| send_through(Conditioner { outgoing: lossy(0.3), seed, ..Conditioner::default() });
    let first = run(7);
    assert!((110..170).contains(&first.len()), "{} came", first.len());
    assert_eq!(first, run(7));
    assert_ne!(first, run(8));
}

#[test]
fn reordering_and_duplication_lose_nothing() {
    let mut received = send_through(Conditioner {
        outgoing: NetworkConditions {
            latency: Duration::from_millis(40),
            duplicate: 0.2,
            reorder: 0.2,
            ..NetworkConditions::default()
        },
        seed: 3,
        ..Conditioner::default()
    });
    assert!(received.len() > 200);
    assert!(!received.is_sorted());
    received.sort_unstable();
    received.dedup();
    assert_eq!(received, (0..200).collect::<Vec<u8>>());
}

#[test]
fn latency_holds_datagrams_back_in_both_directions() {
    let mut pair = Pair::over_memory();
    let late = NetworkConditions { latency: Duration::from_millis(100), ..NetworkConditions::default() };
    let connector = pair.connector;
    pair.client.world_mut().entity_mut(connector).insert(Conditioner::both_ways(late, 1));
    let link = pair.connect();
    pair.send_from_client(b"ping");
    let mut frames_there = 0;
    pair.step_until("the ping is there", |pair| {
        frames_there += 1;
        !receive(&mut pair.server, link).is_empty()
    });
    crate::pair::send(&mut pair.server, link, b"pong");
    let mut frames_back = 0;
    pair.step_until("the pong is back", |pair| {
        frames_back += 1;
        !pair.receive_at_client().is_empty()
    });
    for frames in [frames_there, frames_back] {
        assert!(FRAME * frames >= Duration::from_millis(100), "{frames}");
        assert!(FRAME * frames <= Duration::from_millis(150), "{frames}");
    }
}

#[test]
fn conditions_may_change_while_the_link_is_open() {
    let mut pair = Pair::over_memory();
    let connector = pair.connector;
    pair.client.world_mut().entity_mut(connector).insert(Conditioner::both_ways(lossy(1.0), 1));
    let link = pair.connect();
    pair.send_from_client(b"lost");
    pair.step();
    pair.step();
    assert!(receive(&mut pair.server, link).is_empty());
    pair.client.world_mut().get_mut::<Conditioner>(connector).expect("it was inserted").outgoing =
        NetworkConditions::default();
    pair.send_from_client(b"kept");
    pair.step();
    pair.step();
    assert_eq!(receive(&mut pair.server, link), vec![b"kept".to_vec()]);
}

#[test]
fn removing_the_conditioner_delivers_what_it_held() {
    let mut pair = Pair::over_memory();
    let connector = pair.connector;
    let never = NetworkConditions { latency: Duration::from_secs(3600), ..NetworkConditions::default() };
    pair.client.world_mut().entity_mut(connector).insert(Conditioner::both_ways(never, 1));
    let link = pair.connect();
    pair.send_from_client(b"held");
    pair.step();
    pair.client.world_mut().entity_mut(connector).remove::<Conditioner>();
    pair.step();
    pair.step();
    assert_eq!(receive(&mut pair.server, link), vec![b"held".to_vec()]);
}

#[test]
fn a_listeners_conditioner_holds_for_its_links_and_follows_its_changes() {
    let mut pair = Pair::over_memory();
    let listener = pair.listener;
    pair.server.world_mut().entity_mut(listener).insert(Conditioner::both_ways(lossy(1.0), 1));
    let link = pair.connect();
    pair.send_from_client(b"lost");
    pair.step();
    pair.step();
    assert!(receive(&mut pair.server, link).is_empty());
    pair.server.world_mut().get_mut::<Conditioner>(listener).expect("it was inserted").incoming =
        NetworkConditions::default();
    pair.step();
    pair.send_from_client(b"kept");
    pair.step();
    pair.step();
    assert_eq!(receive(&mut pair.server, link), vec![b"kept".to_vec()]);
    assert_eq!(links_of(&mut pair.server), vec![link]);
}
