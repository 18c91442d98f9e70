use std::time::Duration;

use slipstream_link::{Connect, LinkClosed, Listen, ListenFailed, Listening, MemoryHub};

use crate::pair::{Pair, closed, virtual_app};

#[test]
fn a_hub_takes_one_listener_and_says_so() {
    let hub = MemoryHub::new();
    let mut app = virtual_app();
    let first = app.world_mut().spawn(Listen::memory(&hub)).id();
    app.update();
    let second = app.world_mut().spawn(Listen::memory(&hub)).id();
    app.update();
    assert!(app.world().get::<Listening>(first).is_some());
    let failed = app.world().get::<ListenFailed>(second);
    let sentence = &failed.expect("the hub is taken").0;
    assert!(sentence.contains("already"), "{sentence}");
}

#[test]
fn a_hub_is_free_again_when_its_listener_is_gone() {
    let hub = MemoryHub::new();
    let mut app = virtual_app();
    let first = app.world_mut().spawn(Listen::memory(&hub)).id();
    app.update();
    app.world_mut().despawn(first);
    let second = app.world_mut().spawn(Listen::memory(&hub)).id();
    app.update();
    assert!(app.world().get::<Listening>(second).is_some());
}

#[test]
fn a_full_memory_listener_refuses_with_its_limit() {
    let hub = MemoryHub::new();
    let mut server = virtual_app();
    server.world_mut().spawn(Listen::memory(&hub).max_links(1));
    let mut client = virtual_app();
    let first = client.world_mut().spawn(Connect::memory(&hub)).id();
    let second = client.world_mut().spawn(Connect::memory(&hub)).id();
    for _ in 0..3 {
        client.update();
        server.update();
    }
    assert_eq!(closed(&client, first), None);
    let Some(LinkClosed::Refused(sentence)) = closed(&client, second) else {
        panic!("the second is refused: {:?}", closed(&client, second));
    };
    assert!(sentence.contains("at most 1"), "{sentence}");
}

#[test]
fn connecting_where_nothing_listens_ends_with_the_timeout() {
    let hub = MemoryHub::new();
    let mut client = virtual_app();
    let connector = client.world_mut().spawn(Connect::memory(&hub).timeout(Duration::from_millis(100))).id();
    for _ in 0..5 {
        client.update();
    }
    assert_eq!(closed(&client, connector), None);
    for _ in 0..10 {
        client.update();
    }
    let Some(LinkClosed::Failed(sentence)) = closed(&client, connector) else {
        panic!("nothing listens: {:?}", closed(&client, connector));
    };
    assert!(sentence.contains("nothing listened"), "{sentence}");
}

#[test]
fn removing_listen_closes_its_links_and_listening() {
    let mut pair = Pair::over_memory();
    pair.connect();
    let listener = pair.listener;
    pair.server.world_mut().entity_mut(listener).remove::<Listen>();
    pair.step_until("the client's link is closed", |pair| pair.client_closed().is_some());
    assert!(pair.server.world().get::<Listening>(listener).is_none());
}

#[cfg(feature = "renet")]
mod over_udp {
    use std::net::UdpSocket;

    use slipstream_link::{Connect, Listen, ListenFailed, Listening};

    use crate::pair::{Pair, app};

    const KEY: [u8; 32] = [7; 32];

    /// The sentence with which this cannot listen.
    fn failure(listen: Listen) -> String {
        let mut app = app();
        let listener = app.world_mut().spawn(listen).id();
        app.update();
        assert!(app.world().get::<Listening>(listener).is_none());
        let failed = app.world().get::<ListenFailed>(listener);
        failed.expect("it cannot listen").0.clone()
    }

    #[test]
    fn an_address_in_use_is_said_in_a_sentence() {
        let taken = UdpSocket::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let address = taken.local_addr().expect("it is bound");
        let sentence = failure(Listen::udp(address).key(KEY));
        assert!(sentence.contains(&address.to_string()), "{sentence}");
        assert!(sentence.contains("already in use"), "{sentence}");
    }

    #[test]
    fn listening_without_a_key_names_the_remedy() {
        let sentence = failure(Listen::udp(([127, 0, 0, 1], 0).into()));
        assert!(sentence.contains(".key(secret)"), "{sentence}");
        assert!(sentence.contains(".unsecure_for_development()"), "{sentence}");
    }

    #[test]
    fn a_key_of_zeros_is_no_key() {
        let sentence = failure(Listen::udp(([127, 0, 0, 1], 0).into()).key([0; 32]));
        assert!(sentence.contains("all zeros"), "{sentence}");
    }

    #[test]
    fn more_links_than_renet_has_slots_are_refused_without_a_panic() {
        let listen = Listen::udp(([127, 0, 0, 1], 0).into()).key(KEY);
        let sentence = failure(listen.max_links(1025));
        assert!(sentence.contains("1024"), "{sentence}");
    }

    #[test]
    fn an_app_has_one_udp_listener_at_a_time_and_may_start_another_after_it() {
        let mut app = app();
        let listen = || Listen::udp(([127, 0, 0, 1], 0).into()).key(KEY);
        let first = app.world_mut().spawn(listen()).id();
        app.update();
        let second = app.world_mut().spawn(listen()).id();
        app.update();
        assert!(app.world().get::<ListenFailed>(second).is_some());
        app.world_mut().despawn(first);
        let third = app.world_mut().spawn(listen()).id();
        app.update();
        assert!(app.world().get::<Listening>(third).is_some());
    }

    #[test]
    fn the_same_port_may_be_listened_on_again_at_once() {
        let mut pair =
            Pair::over_udp(Listen::udp(([127, 0, 0, 1], 0).into()).key(KEY), |server| Connect::udp(server).key(KEY));
        pair.connect();
        let address = crate::pair::address_of(&pair.server, pair.listener);
        pair.server.world_mut().despawn(pair.listener);
        let again = pair.server.world_mut().spawn(Listen::udp(address).key(KEY)).id();
        pair.server.update();
        let world = pair.server.world();
        assert_eq!(world.get::<ListenFailed>(again), None);
        assert!(world.get::<Listening>(again).is_some());
    }
}
