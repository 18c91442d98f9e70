//! A host plays in its own world: what its player owns it controls, without a link.

use bevy::prelude::*;
use slipstream_connection::{LocalConnection, Role};
use slipstream_simulation::{Controlled, Owner};

use crate::peers::{Drive, Seen, app, drive};

fn local_connection(host: &mut App) -> Entity {
    let world = host.world_mut();
    let mut locals = world.query_filtered::<Entity, With<LocalConnection>>();
    locals.single(world).expect("a host has one connection of its own")
}

#[test]
fn what_the_hosts_player_owns_is_controlled_and_what_it_gives_away_is_not() {
    let mut host = app(Role::Host, drive);
    host.update();
    let local = local_connection(&mut host);
    let somebody = host.world_mut().spawn_empty().id();
    let vehicle = host.world_mut().spawn((Owner(local), Drive::default())).id();
    host.update();
    assert!(host.world().get::<Controlled>(vehicle).is_some());
    host.world_mut().entity_mut(vehicle).insert(Owner(somebody));
    host.update();
    assert!(host.world().get::<Controlled>(vehicle).is_none());
    host.world_mut().entity_mut(vehicle).insert(Owner(local));
    host.update();
    assert!(host.world().get::<Controlled>(vehicle).is_some());
    host.world_mut().entity_mut(vehicle).remove::<Owner>();
    host.update();
    assert!(host.world().get::<Controlled>(vehicle).is_none());
}

#[test]
fn the_hosts_inputs_count_in_the_tick_they_are_made() {
    let mut host = app(Role::Host, drive);
    host.update();
    let local = local_connection(&mut host);
    host.world_mut().spawn((Owner(local), Drive::default()));
    for _ in 0..60 {
        host.update();
    }
    let seen = &host.world().resource::<Seen>().0;
    assert!(seen.len() >= 59, "{}", seen.len());
    assert!(seen.iter().all(|(tick, input)| tick == input));
}

#[test]
fn what_a_client_controls_has_its_input() {
    let mut client = app(Role::Client, drive);
    let own = client.world_mut().spawn(Controlled).id();
    let kept = client.world_mut().spawn((Drive(7), Controlled)).id();
    let other = client.world_mut().spawn_empty().id();
    client.update();
    assert_eq!(client.world().get::<Drive>(own), Some(&Drive::default()));
    assert_eq!(client.world().get::<Drive>(kept), Some(&Drive(7)));
    assert_eq!(client.world().get::<Drive>(other), None);
}
