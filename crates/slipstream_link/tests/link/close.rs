use bevy::prelude::*;
use slipstream_link::{Conditioner, Link, LinkClosed, LinkSystems, NetworkConditions};

use crate::pair::{Pair, closed, links_of, receive, send};

/// Steps until the client's link is closed, and gives what it received until then and why.
fn until_client_closed(pair: &mut Pair) -> (Vec<Vec<u8>>, LinkClosed) {
    let mut received = Vec::new();
    pair.step_until("the client's link is closed", |pair| {
        received.extend(pair.receive_at_client());
        pair.client_closed().is_some()
    });
    received.extend(pair.receive_at_client());
    let reason = pair.client_closed().expect("it is closed");
    (received, reason)
}

/// The same for the server's link.
fn until_server_closed(pair: &mut Pair, link: Entity) -> (Vec<Vec<u8>>, LinkClosed) {
    let mut received = Vec::new();
    pair.step_until("the server's link is closed", |pair| {
        received.extend(receive(&mut pair.server, link));
        closed(&pair.server, link).is_some()
    });
    received.extend(receive(&mut pair.server, link));
    let reason = closed(&pair.server, link).expect("it is closed");
    (received, reason)
}

fn despawning_a_link_delivers_the_rest_and_closes_the_other_side(mut pair: Pair) {
    let link = pair.connect();
    send(&mut pair.server, link, b"bye");
    pair.server.world_mut().despawn(link);
    let (received, reason) = until_client_closed(&mut pair);
    assert_eq!(received, vec![b"bye".to_vec()]);
    assert!(matches!(reason, LinkClosed::Remote(_)), "{reason}");
}

fn despawning_a_connector_delivers_the_rest_and_closes_the_other_side(mut pair: Pair) {
    let link = pair.connect();
    pair.send_from_client(b"bye");
    pair.client.world_mut().despawn(pair.connector);
    let (received, reason) = until_server_closed(&mut pair, link);
    assert_eq!(received, vec![b"bye".to_vec()]);
    assert!(matches!(reason, LinkClosed::Remote(_)), "{reason}");
}

fn despawning_a_listener_despawns_its_links_and_closes_the_other_side(mut pair: Pair) {
    let link = pair.connect();
    send(&mut pair.server, link, b"bye");
    pair.server.world_mut().despawn(pair.listener);
    assert_eq!(links_of(&mut pair.server), Vec::<Entity>::new());
    let (received, reason) = until_client_closed(&mut pair);
    assert_eq!(received, vec![b"bye".to_vec()]);
    assert!(matches!(reason, LinkClosed::Remote(_)), "{reason}");
}

fn closing_a_link_by_hand_delivers_the_rest_and_closes_the_other_side(mut pair: Pair) {
    let link = pair.connect();
    send(&mut pair.server, link, b"bye");
    pair.server.world_mut().get_mut::<Link>(link).expect("the server has a link").close(LinkClosed::Local);
    let (received, reason) = until_client_closed(&mut pair);
    assert_eq!(received, vec![b"bye".to_vec()]);
    assert!(matches!(reason, LinkClosed::Remote(_)), "{reason}");
}

fn an_app_that_exits_delivers_the_rest_and_closes_the_other_side(mut pair: Pair) {
    let link = pair.connect();
    let say_goodbye = |mut links: Query<&mut Link>| {
        for mut link in &mut links {
            link.send(b"bye".to_vec());
        }
    };
    pair.server.add_systems(Last, say_goodbye.run_if(on_message::<AppExit>).before(LinkSystems::Exit));
    pair.server.world_mut().write_message(AppExit::Success);
    let (received, reason) = until_client_closed(&mut pair);
    assert_eq!(received, vec![b"bye".to_vec()]);
    assert!(matches!(reason, LinkClosed::Remote(_)), "{reason}");
    assert_eq!(closed(&pair.server, link), Some(LinkClosed::Local));
}

macro_rules! test_each {
    ($make:path: $($behaviour:ident),+ $(,)?) => {
        $(
            #[test]
            fn $behaviour() {
                super::$behaviour($make());
            }
        )+
    };
}

mod over_memory {
    test_each!(
        crate::pair::Pair::over_memory:
        despawning_a_link_delivers_the_rest_and_closes_the_other_side,
        despawning_a_connector_delivers_the_rest_and_closes_the_other_side,
        despawning_a_listener_despawns_its_links_and_closes_the_other_side,
        closing_a_link_by_hand_delivers_the_rest_and_closes_the_other_side,
        an_app_that_exits_delivers_the_rest_and_closes_the_other_side,
    );
}

#[cfg(feature = "renet")]
mod over_udp {
    use slipstream_link::{Connect, Listen};

    use crate::pair::Pair;

    const KEY: [u8; 32] = [7; 32];

    fn pair() -> Pair {
        Pair::over_udp(Listen::udp(([127, 0, 0, 1], 0).into()).key(KEY), |server| Connect::udp(server).key(KEY))
    }

    test_each!(
        self::pair:
        despawning_a_link_delivers_the_rest_and_closes_the_other_side,
        despawning_a_connector_delivers_the_rest_and_closes_the_other_side,
        despawning_a_listener_despawns_its_links_and_closes_the_other_side,
        closing_a_link_by_hand_delivers_the_rest_and_closes_the_other_side,
        an_app_that_exits_delivers_the_rest_and_closes_the_other_side,
    );

    #[test]
    fn a_client_may_connect_again_right_after_it_left() {
        let mut pair = pair();
        let first = pair.connect();
        let address = crate::pair::address_of(&pair.server, pair.listener);
        pair.client.world_mut().despawn(pair.connector);
        pair.connector = pair.client.world_mut().spawn(Connect::udp(address).key(KEY)).id();
        pair.step_until("the old link is closed and a new one is there", |pair| {
            crate::pair::closed(&pair.server, first).is_some() && crate::pair::links_of(&mut pair.server).len() == 2
        });
        pair.connect();
    }
}

#[test]
fn what_a_conditioner_holds_leaves_before_the_end() {
    let mut pair = Pair::over_memory();
    let link = pair.connect();
    let late = NetworkConditions { latency: std::time::Duration::from_secs(60), ..NetworkConditions::default() };
    pair.server.world_mut().entity_mut(link).insert(Conditioner::both_ways(late, 1));
    send(&mut pair.server, link, b"held");
    pair.step();
    send(&mut pair.server, link, b"bye");
    pair.server.world_mut().despawn(link);
    let (received, _) = until_client_closed(&mut pair);
    assert_eq!(received, vec![b"held".to_vec(), b"bye".to_vec()]);
}

#[test]
fn an_app_that_is_dropped_closes_its_links() {
    let mut pair = Pair::over_memory();
    pair.connect();
    pair.server = crate::pair::virtual_app();
    let (_, reason) = until_client_closed(&mut pair);
    assert!(matches!(reason, LinkClosed::Remote(_)), "{reason}");
}
