use slipstream_link::{Link, LinkProperties};

use crate::pair::{Pair, receive, send};

#[test]
fn memory_delivers_both_ways_in_order() {
    let mut pair = Pair::over_memory();
    let link = pair.connect();
    pair.send_from_client(b"one");
    pair.send_from_client(b"two");
    send(&mut pair.server, link, b"three");
    pair.step();
    pair.step();
    assert_eq!(receive(&mut pair.server, link), vec![b"one".to_vec(), b"two".to_vec()]);
    assert_eq!(pair.receive_at_client(), vec![b"three".to_vec()]);
}

#[test]
fn memory_links_promise_what_plain_udp_does_unless_told_otherwise() {
    let mut pair = Pair::over_memory();
    let link = pair.connect();
    let properties = pair.server.world().get::<Link>(link).expect("the server has a link").properties();
    let LinkProperties { authenticated, encrypted, reliable, keeps_alive, mtu } = properties;
    assert!(!authenticated && !encrypted && !reliable && !keeps_alive);
    assert_eq!(mtu, 1200);
}

#[cfg(feature = "renet")]
mod over_udp {
    use bevy::prelude::*;
    use slipstream_link::{Connect, Link, Listen, RENET_MTU};

    use crate::pair::{Pair, app, links_of, receive, send};

    const KEY: [u8; 32] = [7; 32];

    fn pair() -> Pair {
        Pair::over_udp(Listen::udp(([127, 0, 0, 1], 0).into()).key(KEY), |server| Connect::udp(server).key(KEY))
    }

    #[test]
    fn datagrams_of_the_whole_mtu_pass_both_ways() {
        let mut pair = pair();
        let link = pair.connect();
        let big = vec![5; RENET_MTU];
        pair.send_from_client(&big);
        send(&mut pair.server, link, &big);
        let (mut at_server, mut at_client) = (Vec::new(), Vec::new());
        pair.step_until("each side has the other's datagram", |pair| {
            at_server.extend(receive(&mut pair.server, link));
            at_client.extend(pair.receive_at_client());
            !at_server.is_empty() && !at_client.is_empty()
        });
        assert_eq!(at_server, vec![big.clone()]);
        assert_eq!(at_client, vec![big]);
    }

    #[test]
    fn a_burst_above_what_renet_takes_in_a_tick_arrives_whole() {
        let mut pair = pair();
        let link = pair.connect();
        // 120 kB: twice what renet sends in a tick, and three times what a client's channels hold.
        for index in 0..100 {
            pair.send_from_client(&[index; RENET_MTU]);
            send(&mut pair.server, link, &[index; RENET_MTU]);
        }
        let (mut at_server, mut at_client) = (Vec::new(), Vec::new());
        pair.step_until("the bursts are there", |pair| {
            at_server.extend(receive(&mut pair.server, link));
            at_client.extend(pair.receive_at_client());
            at_server.len() >= 100 && at_client.len() >= 100
        });
        let expected: Vec<u8> = (0..100).collect();
        let first_bytes = |datagrams: &[Vec<u8>]| -> Vec<u8> { datagrams.iter().map(|datagram| datagram[0]).collect() };
        assert_eq!(first_bytes(&at_server), expected);
        assert_eq!(first_bytes(&at_client), expected);
    }

    #[test]
    fn several_clients_have_a_link_each() {
        let mut pair = pair();
        let first = pair.connect();
        let address = crate::pair::address_of(&pair.server, pair.listener);
        let mut other = app();
        let connector = other.world_mut().spawn(Connect::udp(address).key(KEY)).id();
        pair.step_until("a second link is there", |pair| {
            other.update();
            links_of(&mut pair.server).len() == 2 && other.world().get::<Link>(connector).is_some_and(Link::is_open)
        });
        let second = links_of(&mut pair.server).into_iter().find(|&link| link != first).expect("there are two");
        send(&mut pair.server, second, b"you");
        let mut at_other = Vec::new();
        pair.step_until("the second client got its own", |_| {
            other.update();
            at_other.extend(receive(&mut other, connector));
            !at_other.is_empty()
        });
        assert_eq!(at_other, vec![b"you".to_vec()]);
        assert_eq!(pair.receive_at_client(), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn an_unsecure_pair_connects_and_says_that_it_is_not_encrypted() {
        let mut pair = Pair::over_udp(Listen::udp(([127, 0, 0, 1], 0).into()).unsecure_for_development(), |server| {
            Connect::udp(server).unsecure_for_development()
        });
        let link = pair.connect();
        let properties = |app: &App, link| app.world().get::<Link>(link).expect("there is a link").properties();
        assert!(!properties(&pair.server, link).encrypted);
        assert!(!properties(&pair.client, pair.connector).encrypted);
    }

    #[test]
    fn a_server_on_all_addresses_is_reached_by_one_of_them() {
        let mut pair = Pair::over_udp(Listen::udp(([0, 0, 0, 0], 0).into()).key(KEY), |server| {
            Connect::udp(([127, 0, 0, 1], server.port()).into()).key(KEY)
        });
        pair.connect();
    }
}
