use std::net::UdpSocket;
use std::time::Duration;

use slipstream_link::{Connect, Link, LinkClosed, Listen};

use crate::pair::{Pair, address_of, app, closed};

const KEY: [u8; 32] = [7; 32];

fn listen() -> Listen {
    Listen::udp(([127, 0, 0, 1], 0).into())
}

#[test]
fn a_wrong_key_ends_with_a_sentence_that_names_it() {
    let mut pair = Pair::over_udp(listen().key(KEY), |server| {
        Connect::udp(server).key([8; 32]).timeout(Duration::from_millis(600))
    });
    pair.step_until("the client gave up", |pair| pair.client_closed().is_some());
    let Some(LinkClosed::Failed(sentence)) = pair.client_closed() else {
        panic!("{:?}", pair.client_closed());
    };
    assert!(sentence.contains("keys differ"), "{sentence}");
    assert!(sentence.contains("600ms"), "{sentence}");
}

#[test]
fn nobody_there_ends_with_a_sentence_that_says_so() {
    // A socket that never answers keeps the port from anybody else.
    let silent = UdpSocket::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let address = silent.local_addr().expect("it is bound");
    let mut pair =
        Pair::over_udp(listen().key(KEY), |_| Connect::udp(address).key(KEY).timeout(Duration::from_millis(300)));
    pair.step_until("the client gave up", |pair| pair.client_closed().is_some());
    let Some(LinkClosed::Failed(sentence)) = pair.client_closed() else {
        panic!("{:?}", pair.client_closed());
    };
    assert!(sentence.contains("no server listens there"), "{sentence}");
    assert!(sentence.contains(&address.to_string()), "{sentence}");
}

#[test]
fn a_full_listener_refuses() {
    let mut pair = Pair::over_udp(listen().key(KEY).max_links(1), |server| Connect::udp(server).key(KEY));
    pair.connect();
    let address = address_of(&pair.server, pair.listener);
    let mut other = app();
    let connector = other.world_mut().spawn(Connect::udp(address).key(KEY)).id();
    pair.step_until("the second client has its answer", |_| {
        other.update();
        closed(&other, connector).is_some()
    });
    let Some(LinkClosed::Refused(sentence)) = closed(&other, connector) else {
        panic!("{:?}", closed(&other, connector));
    };
    assert!(sentence.contains("is full"), "{sentence}");
    assert_eq!(pair.client_closed(), None);
}

#[test]
fn connecting_without_credentials_names_the_remedy() {
    let mut client = app();
    let connector = client.world_mut().spawn(Connect::udp(([127, 0, 0, 1], 9).into())).id();
    client.update();
    let Some(LinkClosed::Failed(sentence)) = closed(&client, connector) else {
        panic!("{:?}", closed(&client, connector));
    };
    assert!(sentence.contains(".key(secret)"), "{sentence}");
}

#[test]
fn a_second_connect_is_told_of_the_first() {
    let mut pair = Pair::over_udp(listen().key(KEY), |server| Connect::udp(server).key(KEY));
    pair.connect();
    let address = address_of(&pair.server, pair.listener);
    let second = pair.client.world_mut().spawn(Connect::udp(address).key(KEY)).id();
    pair.step();
    let Some(LinkClosed::Failed(sentence)) = closed(&pair.client, second) else {
        panic!("{:?}", closed(&pair.client, second));
    };
    assert!(sentence.contains("one client an app"), "{sentence}");
    assert_eq!(pair.client_closed(), None);
}

#[test]
fn a_failed_connect_may_be_followed_by_one_that_succeeds() {
    let mut pair = Pair::over_udp(listen().key(KEY), |server| {
        Connect::udp(server).key([8; 32]).timeout(Duration::from_millis(200))
    });
    pair.step_until("the client gave up", |pair| pair.client_closed().is_some());
    let address = address_of(&pair.server, pair.listener);
    let connector = pair.connector;
    pair.client.world_mut().entity_mut(connector).remove::<(Connect, Link)>().insert(Connect::udp(address).key(KEY));
    pair.connect();
}
