//! Entities that both sides load: the client's own becomes the replicated one, and stays when the connection ends.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::replication::Slot;
use bevy_slipstream::testing::{Client, Harness};

use crate::scene::{
    Burning, Health, Label, SETTLED, Steer, Target, bad_line, line, one_client, register, shown, two_clients,
};

const NORTH: StableId = StableId::named("north gate");
const SOUTH: StableId = StableId::named("south gate");

/// The client's own: the level put it there, and replication knows nothing of it.
#[derive(Component, Debug, Clone, Copy, PartialEq)]
struct Mesh(u32);

/// A gate of the server's, with its health.
fn gate(harness: &mut Harness, id: StableId, health: u32) -> Entity {
    harness.server().world_mut().spawn((Replicated, id, Health(health))).id()
}

/// A gate of the level that a client loads.
fn local_gate(harness: &mut Harness, client: Client, id: StableId, mesh: u32) -> Entity {
    harness.client(client).world_mut().spawn((id, Mesh(mesh))).id()
}

/// A server with a gate and a client whose level has the same one: its entity there, and here.
fn adopted() -> (Harness, Client, Entity, Entity) {
    let (mut harness, alice) = one_client();
    let local = local_gate(&mut harness, alice, NORTH, 1);
    let gate = gate(&mut harness, NORTH, 7);
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote_entity(alice, gate), Some(local));
    (harness, alice, gate, local)
}

fn entities_with_ids(harness: &mut Harness, client: Client) -> usize {
    let world = harness.client(client).world_mut();
    world.query::<&StableId>().iter(world).count()
}

#[track_caller]
fn assert_local(harness: &mut Harness, client: Client, local: Entity) {
    let world = harness.client(client).world();
    assert!(world.get::<Mesh>(local).is_some(), "the level's entity stays");
    assert!(world.get::<Slot>(local).is_none() && world.get::<Remote>(local).is_none());
    assert!(world.get::<OwnedBy>(local).is_none() && world.get::<Controlled>(local).is_none());
    assert!(world.get::<Frozen>(local).is_none());
    assert!(world.resource::<EntityMap>().network(local).is_none());
}

#[test]
fn the_levels_entity_is_adopted() {
    let (mut harness, alice, gate, local) = adopted();
    let world = harness.client(alice).world();
    assert_eq!(world.get::<Health>(local), Some(&Health(7)));
    assert_eq!(world.get::<Mesh>(local), Some(&Mesh(1)), "it keeps what it has");
    assert!(world.get::<Remote>(local).is_some() && world.get::<Slot>(local).is_some());
    assert_eq!((shown(&mut harness, alice), entities_with_ids(&mut harness, alice)), (1, 1));
    harness.server().world_mut().entity_mut(gate).insert(Health(3));
    harness.run_ticks(SETTLED);
    assert_eq!(harness.client(alice).world().get::<Health>(local), Some(&Health(3)));
}

#[test]
fn a_level_that_both_sides_spawn_alike_is_adopted() {
    let (mut harness, alice) = one_client();
    let level = |world: &mut World| [NORTH, SOUTH].map(|id| world.spawn((Replicated, id, Health(1))).id());
    let gates = level(harness.server().world_mut());
    let locals = level(harness.client(alice).world_mut());
    harness.run_ticks(SETTLED);
    for (gate, local) in gates.iter().zip(locals) {
        assert_eq!(harness.remote_entity(alice, *gate), Some(local));
    }
    harness.server().world_mut().despawn(gates[0]);
    harness.run_ticks(SETTLED);
    assert!(harness.client(alice).world().get_entity(locals[0]).is_err());
    harness.disconnect(alice);
    harness.run_ticks(2);
    let world = harness.client(alice).world();
    assert!(world.get::<Health>(locals[1]).is_some() && world.get::<Slot>(locals[1]).is_none());
}

#[test]
fn an_observer_of_remote_finds_the_adopted_entity_whole() {
    #[derive(Resource, Default)]
    struct Whole(Vec<bool>);

    let (mut harness, alice) = one_client();
    harness.client(alice).init_resource::<Whole>().add_observer(
        |added: On<Add, Remote>,
         gates: Query<(), (With<Mesh>, With<Health>, With<Label>)>,
         mut whole: ResMut<Whole>| whole.0.push(gates.contains(added.entity)),
    );
    // One that is there in time, and one that is late.
    local_gate(&mut harness, alice, NORTH, 1);
    for id in [NORTH, SOUTH] {
        harness.server().world_mut().spawn((Replicated, id, Health(1), Label("gate".to_owned())));
    }
    harness.run_ticks(SETTLED);
    local_gate(&mut harness, alice, SOUTH, 2);
    harness.run_ticks(2);
    assert_eq!(harness.client(alice).world().resource::<Whole>().0, [true, false, true], "what stands in has no mesh");
}

#[test]
fn a_late_entity_takes_the_place_of_what_stood_in_for_it() {
    let (mut harness, alice) = one_client();
    let north = gate(&mut harness, NORTH, 7);
    let world = harness.server().world_mut();
    let hunter = world.spawn((Replicated, Target(north))).id();
    let lever = world.spawn((Replicated, Health(2), ChildOf(north))).id();
    world.entity_mut(north).insert(Target(hunter));
    harness.run_ticks(SETTLED);
    let stand_in = harness.remote_entity(alice, north).expect("something stands in");
    assert_eq!(harness.remote::<Target>(alice, hunter), Some(&Target(stand_in)));
    let lever_here = harness.remote_entity(alice, lever);

    let local = local_gate(&mut harness, alice, NORTH, 1);
    harness.run_ticks(2);
    assert_eq!(harness.remote_entity(alice, north), Some(local));
    assert!(harness.client(alice).world().get_entity(stand_in).is_err());
    assert_eq!(harness.remote::<Health>(alice, north), Some(&Health(7)));
    assert_eq!(harness.remote::<Mesh>(alice, north), Some(&Mesh(1)));
    assert_eq!(harness.remote::<Target>(alice, hunter), Some(&Target(local)), "references follow");
    let hunter_here = harness.remote_entity(alice, hunter).expect("it is shown");
    assert_eq!(harness.remote::<Target>(alice, north), Some(&Target(hunter_here)));
    assert_eq!(harness.remote_entity(alice, lever), lever_here, "what hung on it was not taken along");
    assert_eq!(harness.remote::<ChildOf>(alice, lever).map(ChildOf::parent), Some(local));
    assert_eq!((shown(&mut harness, alice), entities_with_ids(&mut harness, alice)), (3, 1));

    harness.server().world_mut().entity_mut(north).insert(Health(1));
    harness.run_ticks(SETTLED);
    assert_eq!(harness.client(alice).world().get::<Health>(local), Some(&Health(1)));
    harness.server().world_mut().despawn(north);
    harness.run_ticks(SETTLED);
    assert!(harness.client(alice).world().get_entity(local).is_err());
}

#[test]
fn levels_load_at_any_time_over_bad_lines() {
    for seed in 1..=4 {
        println!("seed {seed}");
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let alice = harness.add_client(bad_line());
        harness.connect();
        let mut random = fastrand::Rng::with_seed(seed);
        let ids: Vec<StableId> = (0..20).map(StableId).collect();
        let (mut gates, mut locals) = (Vec::new(), Vec::new());
        for id in &ids {
            // Either may come first.
            if random.bool() {
                locals.push((*id, local_gate(&mut harness, alice, *id, 0)));
            }
            gates.push(gate(&mut harness, *id, 1));
            harness.run_ticks(random.u32(..10));
            if locals.last().is_none_or(|(last, _)| last != id) {
                locals.push((*id, local_gate(&mut harness, alice, *id, 0)));
            }
            let some = gates[random.usize(..gates.len())];
            harness.server().world_mut().entity_mut(some).insert(Health(random.u32(..)));
        }
        harness.set_conditions(alice, line(20));
        harness.run_ticks(3 * SETTLED);
        for (gate, (_, local)) in gates.iter().zip(&locals) {
            assert_eq!(harness.remote_entity(alice, *gate), Some(*local), "seed {seed}");
            let health = harness.server().world().get::<Health>(*gate).copied();
            assert_eq!(harness.client(alice).world().get::<Health>(*local).copied(), health, "seed {seed}");
        }
        assert_eq!(entities_with_ids(&mut harness, alice), ids.len(), "seed {seed}");
    }
}

#[test]
fn an_id_that_the_server_gives_later_is_heeded_then() {
    let (mut harness, alice) = one_client();
    let local = local_gate(&mut harness, alice, NORTH, 1);
    let gate = harness.server().world_mut().spawn((Replicated, Health(7))).id();
    harness.run_ticks(SETTLED);
    assert_ne!(harness.remote_entity(alice, gate), Some(local));
    harness.server().world_mut().entity_mut(gate).insert(NORTH);
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote_entity(alice, gate), Some(local));
    assert_eq!(harness.client(alice).world().get::<Health>(local), Some(&Health(7)));
    assert_eq!(shown(&mut harness, alice), 1);
}

#[test]
fn of_two_of_one_id_the_first_is_adopted() {
    let (mut harness, alice) = one_client();
    let first = local_gate(&mut harness, alice, NORTH, 1);
    let second = local_gate(&mut harness, alice, NORTH, 2);
    let gate = gate(&mut harness, NORTH, 7);
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote_entity(alice, gate), Some(first));
    assert_local(&mut harness, alice, second);
    harness.reconnect(alice);
    harness.connect();
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote_entity(alice, gate), Some(first), "again");
}

#[test]
fn a_second_entity_of_the_servers_with_one_id_is_spawned() {
    let (mut harness, alice, gate, local) = adopted();
    let other = harness.server().world_mut().spawn((Replicated, NORTH, Health(9))).id();
    harness.run_ticks(SETTLED);
    let spawned = harness.remote_entity(alice, other).expect("it is shown");
    assert_ne!(spawned, local);
    assert_eq!(harness.remote::<Health>(alice, other), Some(&Health(9)));
    assert_eq!(harness.remote::<Health>(alice, gate), Some(&Health(7)));
    harness.disconnect(alice);
    harness.run_ticks(2);
    assert_local(&mut harness, alice, local);
    assert!(harness.client(alice).world().get_entity(spawned).is_err());
}

#[test]
fn what_the_server_despawns_goes_from_the_level() {
    let (mut harness, alice, gate, local) = adopted();
    harness.server().world_mut().despawn(gate);
    harness.run_ticks(SETTLED);
    assert!(harness.client(alice).world().get_entity(local).is_err());
    assert!(harness.client(alice).world().resource::<EntityMap>().is_empty());
    // The next one with the id has no entity of the level's to take.
    let next = self::gate(&mut harness, NORTH, 8);
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Health>(alice, next), Some(&Health(8)));
}

#[test]
fn out_of_sight_it_stays_and_back_in_sight_it_goes_on() {
    let (mut harness, alice, gate, local) = adopted();
    let server = harness.server().world_mut();
    server.entity_mut(gate).insert(VisibleTo::Nobody);
    harness.run_ticks(SETTLED);
    harness.server().world_mut().entity_mut(gate).insert(Health(99));
    harness.run_ticks(SETTLED);
    let world = harness.client(alice).world();
    assert!(world.get::<Frozen>(local).is_some());
    assert_eq!(world.get::<Health>(local), Some(&Health(7)));
    harness.server().world_mut().entity_mut(gate).insert(VisibleTo::Everyone);
    harness.run_ticks(SETTLED);
    let world = harness.client(alice).world();
    assert!(world.get::<Frozen>(local).is_none());
    assert_eq!(world.get::<Health>(local), Some(&Health(99)));
    assert_eq!(harness.remote_entity(alice, gate), Some(local));
}

#[test]
fn despawned_out_of_sight_it_goes_too() {
    let (mut harness, alice, gate, local) = adopted();
    harness.server().world_mut().entity_mut(gate).insert(VisibleTo::Nobody);
    harness.run_ticks(SETTLED);
    harness.server().world_mut().despawn(gate);
    harness.run_ticks(SETTLED);
    assert!(harness.client(alice).world().get_entity(local).is_err());
}

#[test]
fn asking_for_everything_anew_takes_nothing_of_the_level_away() {
    let (mut harness, alice, north, local) = adopted();
    let south_here = local_gate(&mut harness, alice, SOUTH, 2);
    let south = gate(&mut harness, SOUTH, 1);
    harness.run_ticks(SETTLED);
    harness.server().world_mut().entity_mut(north).insert(VisibleTo::Nobody);
    harness.run_ticks(SETTLED);
    let connection = harness.connection(alice);
    let world = harness.client(alice).world_mut();
    let mut endpoint = world.get_mut::<Endpoint>(connection).expect("it is connected");
    endpoint.send(channels::RECORD_REQUESTS, &[1], None).expect("it is sent");
    harness.run_ticks(2 * SETTLED);
    assert_eq!(crate::scene::stats(&mut harness, alice).resets, 1);
    let world = harness.client(alice).world();
    assert!(world.get::<Frozen>(local).is_some(), "what is out of sight stays as it was");
    assert_eq!(world.get::<Health>(local), Some(&Health(7)));
    assert_eq!(harness.remote_entity(alice, south), Some(south_here));
    harness.server().world_mut().entity_mut(north).insert((VisibleTo::Everyone, Health(8)));
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote_entity(alice, north), Some(local));
    assert_eq!(harness.client(alice).world().get::<Health>(local), Some(&Health(8)));
}

#[test]
fn when_the_connection_ends_the_level_stays_and_the_rest_goes() {
    let (mut harness, alice, gate, local) = adopted();
    let owner = harness.server_connection(alice);
    let world = harness.server().world_mut();
    world.entity_mut(gate).insert((Owner(owner), Steer(0)));
    let rocket = world.spawn((Replicated, Health(1))).id();
    harness.run_ticks(SETTLED);
    assert!(harness.client(alice).world().get::<Controlled>(local).is_some());
    let rocket = harness.remote_entity(alice, rocket).expect("it is shown");
    harness.disconnect(alice);
    harness.run_ticks(2);
    assert_local(&mut harness, alice, local);
    let world = harness.client(alice).world();
    assert_eq!(world.get::<Health>(local), Some(&Health(7)), "it shows what it was told last");
    assert!(world.get_entity(rocket).is_err());
    assert_eq!(shown(&mut harness, alice), 0);
}

#[test]
fn the_next_connection_adopts_it_again() {
    let (mut harness, alice, gate, local) = adopted();
    harness.server().world_mut().entity_mut(gate).insert(Burning);
    harness.run_ticks(SETTLED);
    for health in 10..13 {
        harness.disconnect(alice);
        harness.run_ticks(2);
        assert_local(&mut harness, alice, local);
        harness.server().world_mut().entity_mut(gate).remove::<Burning>().insert(Health(health));
        harness.reconnect(alice);
        harness.connect();
        harness.run_ticks(SETTLED);
        assert_eq!(harness.remote_entity(alice, gate), Some(local));
        let world = harness.client(alice).world();
        assert_eq!(world.get::<Health>(local), Some(&Health(health)));
        assert!(world.get::<Burning>(local).is_none(), "what the server took off meanwhile is off");
        assert_eq!(entities_with_ids(&mut harness, alice), 1);
        harness.server().world_mut().entity_mut(gate).insert(Burning);
        harness.run_ticks(SETTLED);
        assert!(harness.client(alice).world().get::<Burning>(local).is_some());
    }
}

#[test]
fn a_connection_that_ends_out_of_sight_of_it_leaves_it_too() {
    let (mut harness, alice, gate, local) = adopted();
    harness.server().world_mut().entity_mut(gate).insert(VisibleTo::Nobody);
    harness.run_ticks(SETTLED);
    harness.disconnect(alice);
    harness.run_ticks(2);
    assert_local(&mut harness, alice, local);
}

#[test]
fn what_hangs_on_the_level_goes_on_hanging_there() {
    let (mut harness, alice) = one_client();
    // Neither side replicates the root of its level.
    let root = harness.client(alice).world_mut().spawn_empty().id();
    let local = local_gate(&mut harness, alice, NORTH, 1);
    harness.client(alice).world_mut().entity_mut(local).insert(ChildOf(root));
    let world = harness.server().world_mut();
    let level = world.spawn_empty().id();
    let gate = world.spawn((Replicated, NORTH, Health(7), ChildOf(level))).id();
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote_entity(alice, gate), Some(local));
    assert_eq!(harness.client(alice).world().get::<ChildOf>(local).map(ChildOf::parent), Some(root));
    // Only what is replicated moves it.
    let cart = harness.server().world_mut().spawn(Replicated).id();
    harness.server().world_mut().entity_mut(gate).insert(ChildOf(cart));
    harness.run_ticks(SETTLED);
    let cart_here = harness.remote_entity(alice, cart).expect("it is shown");
    assert_eq!(harness.client(alice).world().get::<ChildOf>(local).map(ChildOf::parent), Some(cart_here));
    harness.disconnect(alice);
    harness.run_ticks(2);
    assert!(harness.client(alice).world().get_entity(cart_here).is_err());
    assert_local(&mut harness, alice, local);
    assert!(harness.client(alice).world().get::<ChildOf>(local).is_none(), "what it hung on is gone");
}

#[test]
fn a_family_of_the_level_stays_one() {
    let (mut harness, alice) = one_client();
    let spawn = |world: &mut World| {
        let gate = world.spawn((Replicated, NORTH, Health(1))).id();
        (gate, world.spawn((Replicated, SOUTH, Health(2), ChildOf(gate))).id())
    };
    let (_, lever) = spawn(harness.server().world_mut());
    let (gate_here, lever_here) = spawn(harness.client(alice).world_mut());
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote_entity(alice, lever), Some(lever_here));
    harness.disconnect(alice);
    harness.run_ticks(2);
    assert_eq!(harness.client(alice).world().get::<ChildOf>(lever_here).map(ChildOf::parent), Some(gate_here));
}

#[test]
fn a_level_that_is_loaded_again_is_adopted_again() {
    let (mut harness, alice, gate, local) = adopted();
    harness.client(alice).world_mut().despawn(local);
    harness.run_ticks(5);
    let again = local_gate(&mut harness, alice, NORTH, 2);
    harness.run_ticks(2);
    assert_eq!(harness.remote_entity(alice, gate), Some(again));
    assert_eq!(harness.client(alice).world().get::<Health>(again), Some(&Health(7)));
    harness.server().world_mut().entity_mut(gate).insert(Health(6));
    harness.run_ticks(SETTLED);
    assert_eq!(harness.client(alice).world().get::<Health>(again), Some(&Health(6)));
}

#[test]
fn who_owns_a_gate_goes_on_steering_it_when_the_level_is_loaded() {
    let (mut harness, alice, bob) = two_clients();
    let owner = harness.server_connection(alice);
    let gate = harness.server().world_mut().spawn((Replicated, NORTH, Owner(owner), Steer(0))).id();
    harness.run_ticks(SETTLED);
    let stand_in = harness.remote_entity(alice, gate).expect("something stands in");
    harness.client(alice).world_mut().entity_mut(stand_in).insert(Steer(4));
    harness.run_ticks(SETTLED);
    let local = local_gate(&mut harness, alice, NORTH, 1);
    harness.run_ticks(2);
    let world = harness.client(alice).world();
    assert!(world.get::<Controlled>(local).is_some());
    assert_eq!(world.get::<Steer>(local), Some(&Steer(4)), "her own word, not what she was told at first");
    harness.client(alice).world_mut().entity_mut(local).insert(Steer(5));
    harness.run_ticks(SETTLED);
    assert_eq!(harness.server().world().get::<Steer>(gate), Some(&Steer(5)));
    assert_eq!(harness.remote::<Steer>(bob, gate), Some(&Steer(5)));
    assert_eq!(harness.client(alice).world().get::<Steer>(local), Some(&Steer(5)));
}

#[test]
fn clients_without_the_level_see_it_all_the_same() {
    let (mut harness, alice, bob) = two_clients();
    let local = local_gate(&mut harness, alice, NORTH, 1);
    let gate = gate(&mut harness, NORTH, 7);
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote_entity(alice, gate), Some(local));
    assert_eq!(harness.remote::<Health>(bob, gate), Some(&Health(7)));
    harness.disconnect(bob);
    harness.run_ticks(2);
    assert_eq!(entities_with_ids(&mut harness, bob), 0, "what was brought goes");
}
