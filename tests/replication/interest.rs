//! Who should see what: distance, rooms, teams and the game's own filters.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};

use crate::scene::{Health, SETTLED, assert_same, bad_line, line, register, shown, two_clients};

/// Within 100 metres, and out beyond 120.
fn near() -> SpatialInterest {
    SpatialInterest::within(100.0)
}

/// A server with spatial interest, and two connected clients.
fn two_clients_within(spatial: SpatialInterest) -> (Harness, Client, Client) {
    let mut harness = Harness::new(move |app| {
        register(app);
        app.insert_resource(spatial);
    });
    let (alice, bob) = (harness.add_client(line(20)), harness.add_client(line(20)));
    harness.connect();
    (harness, alice, bob)
}

fn sees(harness: &Harness, client: Client, entity: Entity) -> bool {
    harness.remote_entity(client, entity).is_some()
}

fn spawn(harness: &mut Harness, bundle: impl Bundle) -> Entity {
    harness.server().world_mut().spawn((Replicated, Health(1), bundle)).id()
}

fn at(x: f32) -> Transform {
    Transform::from_xyz(x, 0.0, 0.0)
}

/// A vehicle from which its owner looks.
fn vehicle(harness: &mut Harness, client: Client, x: f32) -> Entity {
    let owner = harness.server_connection(client);
    spawn(harness, (Owner(owner), Viewpoint, at(x)))
}

fn insert(harness: &mut Harness, entity: Entity, bundle: impl Bundle) {
    harness.server().world_mut().entity_mut(entity).insert(bundle);
    harness.run_ticks(SETTLED);
}

/// What a client was shown anew since [`count_spawns`].
#[derive(Resource)]
struct Spawns(usize);

fn count_spawns(harness: &mut Harness, client: Client) {
    harness
        .client(client)
        .insert_resource(Spawns(0))
        .add_observer(|_: On<Add, Remote>, mut spawns: ResMut<Spawns>| spawns.0 += 1);
}

fn spawns(harness: &mut Harness, client: Client) -> usize {
    harness.client(client).world().resource::<Spawns>().0
}

#[test]
fn what_comes_near_is_shown_and_what_goes_far_is_not() {
    let (mut harness, alice, bob) = two_clients_within(near());
    let (hers, his) = (vehicle(&mut harness, alice, 0.0), vehicle(&mut harness, bob, 300.0));
    let tree = spawn(&mut harness, at(90.0));
    harness.run_ticks(SETTLED);
    assert!(sees(&harness, alice, tree) && !sees(&harness, bob, tree));
    assert!(!sees(&harness, alice, his) && !sees(&harness, bob, hers));
    insert(&mut harness, tree, (at(250.0), Health(7)));
    assert!(!sees(&harness, alice, tree));
    assert_eq!(harness.remote::<Health>(bob, tree), Some(&Health(7)));
    // Bob drives to Alice; the tree stays behind.
    insert(&mut harness, his, at(50.0));
    assert!(sees(&harness, alice, his) && sees(&harness, bob, hers));
    assert!(!sees(&harness, bob, tree));
}

#[test]
fn what_wobbles_at_the_border_does_not_flicker() {
    let (mut harness, alice, _) = two_clients_within(near());
    vehicle(&mut harness, alice, 0.0);
    let buoy = spawn(&mut harness, at(110.0));
    harness.run_ticks(SETTLED);
    assert!(!sees(&harness, alice, buoy));
    count_spawns(&mut harness, alice);
    for tick in 0..300 {
        let x = 105.0 + 10.0 * (tick as f32 * 0.3).sin();
        harness.server().world_mut().entity_mut(buoy).insert(at(x));
        harness.run_ticks(1);
    }
    harness.run_ticks(SETTLED);
    assert!(sees(&harness, alice, buoy));
    assert_eq!(spawns(&mut harness, alice), 1);
}

#[test]
fn what_appears_nearby_does_not_wait_for_the_next_look() {
    let (mut harness, alice, _) = two_clients_within(SpatialInterest { every_ticks: 30, ..near() });
    vehicle(&mut harness, alice, 0.0);
    harness.run_ticks(SETTLED);
    let waits: Vec<u32> = (0..20)
        .map(|pause| {
            harness.run_ticks(pause);
            let rocket = spawn(&mut harness, at(5.0));
            (1..SETTLED)
                .find(|_| {
                    harness.run_ticks(1);
                    sees(&harness, alice, rocket)
                })
                .expect("it is shown")
        })
        .collect();
    assert!(waits.iter().all(|wait| *wait <= 4), "ticks until each was shown: {waits:?}");
}

#[test]
fn distance_hides_nothing_from_its_owner() {
    let (mut harness, alice, bob) = two_clients_within(near());
    vehicle(&mut harness, alice, 0.0);
    vehicle(&mut harness, bob, 0.0);
    let owner = harness.server_connection(alice);
    let drone = spawn(&mut harness, (Owner(owner), at(400.0)));
    let camera = spawn(&mut harness, (Transform::default(), ChildOf(drone)));
    harness.run_ticks(SETTLED);
    assert!(sees(&harness, alice, drone) && sees(&harness, alice, camera));
    assert!(!sees(&harness, bob, drone) && !sees(&harness, bob, camera));
    let other = harness.server_connection(bob);
    insert(&mut harness, drone, Owner(other));
    assert!(!sees(&harness, alice, drone) && !sees(&harness, alice, camera));
    assert!(sees(&harness, bob, drone) && sees(&harness, bob, camera));
}

#[test]
fn who_never_looked_from_anywhere_sees_what_has_no_place() {
    let (mut harness, alice, _) = two_clients_within(near());
    let tree = spawn(&mut harness, at(0.0));
    let score = spawn(&mut harness, ());
    let sun = spawn(&mut harness, (at(400.0), AlwaysRelevant));
    harness.run_ticks(SETTLED);
    assert!(!sees(&harness, alice, tree));
    assert!(sees(&harness, alice, score) && sees(&harness, alice, sun));
    harness.server().world_mut().entity_mut(sun).remove::<AlwaysRelevant>();
    harness.run_ticks(SETTLED);
    assert!(!sees(&harness, alice, sun));
    harness.server().world_mut().remove_resource::<SpatialInterest>();
    harness.run_ticks(SETTLED);
    assert_same(&mut harness, alice);
    harness.server().insert_resource(near());
    harness.run_ticks(SETTLED);
    assert!(!sees(&harness, alice, tree) && sees(&harness, alice, score));
}

#[test]
fn who_lost_its_vehicle_looks_from_where_it_was() {
    let (mut harness, alice, _) = two_clients_within(near());
    let vehicle_of_alice = vehicle(&mut harness, alice, 0.0);
    let tree = spawn(&mut harness, at(50.0));
    harness.run_ticks(SETTLED);
    harness.server().world_mut().despawn(vehicle_of_alice);
    let late = spawn(&mut harness, at(60.0));
    harness.run_ticks(SETTLED);
    assert!(sees(&harness, alice, tree) && sees(&harness, alice, late));
    vehicle(&mut harness, alice, 300.0);
    harness.run_ticks(SETTLED);
    assert!(!sees(&harness, alice, tree) && !sees(&harness, alice, late));
}

#[test]
fn a_connection_may_look_from_itself_and_from_several_places() {
    let (mut harness, alice, _) = two_clients_within(near());
    let trees: Vec<Entity> = (0..4).map(|number| spawn(&mut harness, at(number as f32 * 120.0))).collect();
    let camera = harness.server_connection(alice);
    insert(&mut harness, camera, (Viewpoint, at(0.0)));
    let seen = |harness: &Harness| -> Vec<bool> { trees.iter().map(|tree| sees(harness, alice, *tree)).collect() };
    assert_eq!(seen(&harness), [true, false, false, false]);
    let drone = vehicle(&mut harness, alice, 360.0);
    harness.run_ticks(SETTLED);
    assert_eq!(seen(&harness), [true, false, false, true]);
    insert(&mut harness, drone, Vicinity::within(150.0));
    assert_eq!(seen(&harness), [true, false, true, true]);
}

#[test]
fn children_come_and_go_with_their_root() {
    let (mut harness, alice, _) = two_clients_within(near());
    vehicle(&mut harness, alice, 0.0);
    let tank = spawn(&mut harness, at(300.0));
    let turret = spawn(&mut harness, (Transform::default(), ChildOf(tank)));
    let gun = spawn(&mut harness, ChildOf(turret));
    harness.run_ticks(SETTLED);
    assert!([tank, turret, gun].iter().all(|part| !sees(&harness, alice, *part)));
    insert(&mut harness, tank, at(50.0));
    assert!([tank, turret, gun].iter().all(|part| sees(&harness, alice, *part)));
    insert(&mut harness, tank, at(300.0));
    assert!([tank, turret, gun].iter().all(|part| !sees(&harness, alice, *part)));
    // Blown off, it is where its own transform says.
    harness.server().world_mut().entity_mut(turret).remove::<ChildOf>();
    harness.run_ticks(SETTLED);
    assert!(!sees(&harness, alice, tank));
    assert!(sees(&harness, alice, turret) && sees(&harness, alice, gun));
}

#[test]
fn what_wanders_over_a_bad_line_ends_as_it_should() {
    for seed in 1..=3_u64 {
        println!("seed {seed}");
        let mut harness = Harness::new(|app| {
            register(app);
            app.insert_resource(near());
        });
        harness.set_seed(seed);
        let alice = harness.add_client(bad_line());
        harness.connect();
        let eye = vehicle(&mut harness, alice, 0.0);
        let bodies: Vec<Entity> = (0..40).map(|number| spawn(&mut harness, at(number as f32 * 10.0 - 200.0))).collect();
        let mut random = fastrand::Rng::with_seed(seed);
        for tick in 0..400 {
            let body = bodies[random.usize(..bodies.len())];
            let place = Transform::from_xyz(random.f32() * 500.0 - 250.0, 0.0, random.f32() * 500.0 - 250.0);
            harness.server().world_mut().entity_mut(body).insert((place, Health(tick)));
            if random.u32(..20) == 0 {
                harness.server().world_mut().entity_mut(eye).insert(at(random.f32() * 200.0 - 100.0));
            }
            harness.run_ticks(1);
        }
        harness.set_conditions(alice, line(20));
        harness.run_ticks(5 * SETTLED);
        let world = harness.server().world();
        let position = |entity: Entity| world.get::<Transform>(entity).expect("it has a place").translation;
        let from = position(eye);
        let truth: Vec<(Entity, f32, Health)> = bodies
            .iter()
            .map(|body| (*body, position(*body).distance(from), *world.get::<Health>(*body).expect("it has health")))
            .collect();
        for (body, distance, health) in truth {
            if distance < 99.9 {
                assert_eq!(harness.remote::<Health>(alice, body), Some(&health), "seed {seed}, {distance} m");
            } else if distance > 120.1 {
                assert!(!sees(&harness, alice, body), "seed {seed}, {distance} m");
            }
        }
        let visible = bodies.iter().filter(|body| sees(&harness, alice, **body)).count();
        assert_eq!(shown(&mut harness, alice), visible + 1, "seed {seed}: besides the vehicle");
    }
}

#[test]
fn only_those_in_its_room_see_an_entity() {
    let (mut harness, alice, bob) = two_clients();
    let (to_alice, to_bob) = (harness.server_connection(alice), harness.server_connection(bob));
    let [lobby, arena] = [(); 2].map(|()| harness.server().world_mut().spawn(Room).id());
    let ball = spawn(&mut harness, InRooms::one(arena));
    let spot = spawn(&mut harness, ChildOf(ball));
    let clock = spawn(&mut harness, ());
    harness.run_ticks(SETTLED);
    assert!(!sees(&harness, alice, ball) && !sees(&harness, alice, spot) && sees(&harness, alice, clock));
    insert(&mut harness, to_alice, InRooms::one(arena));
    insert(&mut harness, to_bob, InRooms::one(lobby));
    assert!(sees(&harness, alice, ball) && sees(&harness, alice, spot));
    assert!(!sees(&harness, bob, ball) && sees(&harness, bob, clock));
    insert(&mut harness, ball, InRooms::one(lobby));
    assert!(!sees(&harness, alice, ball) && !sees(&harness, alice, spot));
    assert!(sees(&harness, bob, ball) && sees(&harness, bob, spot));
    insert(&mut harness, to_alice, InRooms::one(arena).with(lobby));
    assert!(sees(&harness, alice, ball));
    harness.server().world_mut().entity_mut(to_bob).remove::<InRooms>();
    harness.run_ticks(SETTLED);
    assert!(!sees(&harness, bob, ball) && sees(&harness, bob, clock));
    harness.server().world_mut().entity_mut(ball).remove::<InRooms>();
    harness.run_ticks(SETTLED);
    assert_same(&mut harness, alice);
    assert_same(&mut harness, bob);
}

#[test]
fn a_room_that_is_gone_is_empty() {
    let (mut harness, alice, _) = two_clients();
    let to_alice = harness.server_connection(alice);
    let [lobby, arena] = [(); 2].map(|()| harness.server().world_mut().spawn(Room).id());
    let ball = spawn(&mut harness, InRooms::one(arena));
    let sign = spawn(&mut harness, InRooms::one(lobby));
    insert(&mut harness, to_alice, InRooms::one(lobby).with(arena));
    assert!(sees(&harness, alice, ball) && sees(&harness, alice, sign));
    harness.server().world_mut().despawn(arena);
    harness.run_ticks(SETTLED);
    assert!(!sees(&harness, alice, ball) && sees(&harness, alice, sign));
    insert(&mut harness, ball, InRooms::one(lobby));
    assert!(sees(&harness, alice, ball));
}

#[test]
fn who_comes_back_is_in_no_room() {
    let (mut harness, alice, _) = two_clients();
    let to_alice = harness.server_connection(alice);
    let arena = harness.server().world_mut().spawn(Room).id();
    let ball = spawn(&mut harness, InRooms::one(arena));
    insert(&mut harness, to_alice, InRooms::one(arena));
    assert!(sees(&harness, alice, ball));
    harness.reconnect(alice);
    harness.connect();
    harness.run_ticks(SETTLED);
    assert!(!sees(&harness, alice, ball));
    let to_alice = harness.server_connection(alice);
    insert(&mut harness, to_alice, InRooms::one(arena));
    assert!(sees(&harness, alice, ball));
}

#[test]
fn a_team_sees_what_is_its_own() {
    let (mut harness, alice, bob) = two_clients();
    let (to_alice, to_bob) = (harness.server_connection(alice), harness.server_connection(bob));
    let beacon = spawn(&mut harness, (VisibleTo::Team, Team(1)));
    let lonely = spawn(&mut harness, (VisibleTo::Team, Owner(to_bob)));
    insert(&mut harness, to_alice, Team(1));
    assert!(sees(&harness, alice, beacon) && !sees(&harness, bob, beacon));
    assert!(!sees(&harness, alice, lonely) && sees(&harness, bob, lonely), "its owner sees it without a team");
    insert(&mut harness, to_bob, Team(2));
    assert!(!sees(&harness, bob, beacon));
    insert(&mut harness, beacon, Team(2));
    assert!(!sees(&harness, alice, beacon) && sees(&harness, bob, beacon));
    insert(&mut harness, to_alice, Team(2));
    assert!(sees(&harness, alice, beacon));
    harness.server().world_mut().entity_mut(to_bob).remove::<Team>();
    harness.run_ticks(SETTLED);
    assert!(!sees(&harness, bob, beacon));
}

#[test]
fn a_filter_keeps_entities_from_connections() {
    #[derive(Component)]
    struct Cloaked;
    #[derive(Component)]
    struct Sensors;

    let mut harness = Harness::new(|app| {
        register(app);
        app.add_interest_filter(|entity, connection| !entity.contains::<Cloaked>() || connection.contains::<Sensors>());
    });
    let (alice, bob) = (harness.add_client(line(20)), harness.add_client(line(20)));
    harness.connect();
    let to_alice = harness.server_connection(alice);
    let ship = spawn(&mut harness, ());
    let ghost = spawn(&mut harness, Cloaked);
    count_spawns(&mut harness, bob);
    harness.run_ticks(SETTLED);
    assert!(sees(&harness, alice, ship) && !sees(&harness, alice, ghost));
    insert(&mut harness, ship, Cloaked);
    assert!(!sees(&harness, alice, ship) && !sees(&harness, bob, ship));
    insert(&mut harness, to_alice, Sensors);
    assert!(sees(&harness, alice, ship) && sees(&harness, alice, ghost) && !sees(&harness, bob, ship));
    harness.server().world_mut().entity_mut(ghost).remove::<Cloaked>();
    insert(&mut harness, ghost, VisibleTo::Nobody);
    assert!(!sees(&harness, alice, ghost) && !sees(&harness, bob, ghost), "a filter shows nothing that is hidden");
    assert_eq!(spawns(&mut harness, bob), 1, "the ghost was never shown to him");
}

#[test]
fn what_freezes_stays_as_it_was_until_it_comes_back() {
    let (mut harness, alice, _) = two_clients_within(near());
    let eye = vehicle(&mut harness, alice, 0.0);
    let base = spawn(&mut harness, (at(50.0), OnLeave::Freeze));
    harness.run_ticks(SETTLED);
    assert!(sees(&harness, alice, base) && harness.remote::<Frozen>(alice, base).is_none());
    count_spawns(&mut harness, alice);
    insert(&mut harness, eye, at(300.0));
    insert(&mut harness, base, Health(99));
    assert_eq!(harness.remote::<Health>(alice, base), Some(&Health(1)));
    assert!(harness.remote::<Frozen>(alice, base).is_some());
    insert(&mut harness, eye, at(0.0));
    assert_eq!(harness.remote::<Health>(alice, base), Some(&Health(99)));
    assert!(harness.remote::<Frozen>(alice, base).is_none());
    assert_eq!(spawns(&mut harness, alice), 0, "it was there all the time");
}

#[test]
fn what_freezes_goes_when_it_is_despawned() {
    let (mut harness, alice, bob) = two_clients();
    let to_alice = harness.server_connection(alice);
    let base = spawn(&mut harness, OnLeave::Freeze);
    harness.run_ticks(SETTLED);
    insert(&mut harness, base, VisibleTo::Only(vec![to_alice]));
    assert!(harness.remote::<Frozen>(bob, base).is_some() && harness.remote::<Frozen>(alice, base).is_none());
    harness.server().world_mut().despawn(base);
    harness.run_ticks(SETTLED);
    assert_eq!((shown(&mut harness, alice), shown(&mut harness, bob)), (0, 0));
}
