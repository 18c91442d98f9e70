use bevy::prelude::*;
use serde::{Deserialize, Serialize};
use slipstream_connection::{NetworkError, Target, channels};

use crate::fixture::{LinkKind, Network, each_link, logged, register_logged, send};

#[derive(Message, Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Shout(u8);

/// Connects three clients and returns the server's entities of their connections.
fn three(link: LinkKind) -> (Network, [Entity; 3]) {
    let mut network = Network::new(link, |app| register_logged::<Shout>(app, channels::DISPATCH));
    let connections = ["alice", "bob", "carol"].map(|name| {
        let client = network.connect(name);
        network.server_connection(client).unwrap()
    });
    (network, connections)
}

fn heard(network: &Network) -> Vec<Vec<u8>> {
    let shouts = |app: &App| logged::<Shout>(app).into_iter().map(|shout| shout.0).collect();
    network.clients.iter().map(|client| shouts(&client.app)).collect()
}

#[test]
fn everybody_hears_a_broadcast() {
    each_link(|link| {
        let (mut network, _) = three(link);
        send(&mut network.server, Target::All, &Shout(1)).unwrap();
        network.run(10);
        assert_eq!(heard(&network), [[1], [1], [1]]);
    });
}

#[test]
fn one_can_be_left_out() {
    let (mut network, [_, bob, _]) = three(LinkKind::Memory);
    send(&mut network.server, Target::AllBut(bob), &Shout(2)).unwrap();
    network.run(10);
    assert_eq!(heard(&network), [vec![2], vec![], vec![2]]);
}

#[test]
fn a_query_can_be_addressed() {
    #[derive(Component)]
    struct Red;

    let (mut network, [alice, _, carol]) = three(LinkKind::Memory);
    network.server.world_mut().entity_mut(alice).insert(Red);
    network.server.world_mut().entity_mut(carol).insert(Red);
    let mut team = network.server.world_mut().query_filtered::<Entity, With<Red>>();
    let team: Vec<Entity> = team.iter(network.server.world()).collect();
    send(&mut network.server, Target::Many(&team), &Shout(3)).unwrap();
    network.run(10);
    assert_eq!(heard(&network), [vec![3], vec![], vec![3]]);
}

#[test]
fn those_who_have_left_do_not_spoil_it_for_the_rest() {
    let (mut network, [alice, bob, _]) = three(LinkKind::Memory);
    network.server.world_mut().despawn(bob);
    send(&mut network.server, Target::Many(&[alice, bob]), &Shout(4)).unwrap();
    network.run(10);
    assert_eq!(heard(&network)[0], [4]);
    let error = send(&mut network.server, Target::Many(&[bob]), &Shout(5)).unwrap_err();
    assert!(matches!(error, NetworkError::NotConnected { .. }), "{error}");
}
