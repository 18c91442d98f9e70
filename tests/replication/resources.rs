//! Resources: the server's value is every client's.

use bevy::ecs::entity::MapEntities;
use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};
use serde::{Deserialize, Serialize};

use crate::scene::{Health, SETTLED, bad_line, line, shown};

#[derive(Resource, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Score {
    red: u32,
    blue: u32,
}

#[derive(Resource, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Weather(f32);

#[derive(Resource, MapEntities, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[component(map_entities)]
struct Leader(#[entities] Entity);

/// Says something of an entity, and is no part of what is compared.
#[derive(Component)]
struct Cloaked;

fn score(red: u32) -> Score {
    Score { red, blue: 0 }
}

fn register(app: &mut App) {
    app.replicate::<Health>();
    app.replicate_resource::<Score>();
    app.replicate_resource::<Weather>().step(0.5);
    app.replicate_resource::<Leader>();
}

fn connected() -> (Harness, Client) {
    let mut harness = Harness::new(register);
    let alice = harness.add_client(line(20));
    harness.connect();
    (harness, alice)
}

fn set<R: Resource>(harness: &mut Harness, value: R) {
    harness.server().insert_resource(value);
    harness.run_ticks(SETTLED);
}

fn at<R: Resource + Clone>(harness: &mut Harness, client: Client) -> Option<R> {
    harness.client(client).world().get_resource::<R>().cloned()
}

/// How often the resource was added or changed.
#[derive(Resource, Default)]
struct Changes {
    seen: usize,
    added: usize,
}

fn count_changes(app: &mut App) {
    let see = |score: Option<Res<Score>>, mut changes: ResMut<Changes>| {
        changes.seen += usize::from(score.is_some_and(|score| score.is_changed()));
    };
    app.init_resource::<Changes>()
        .add_systems(Last, see)
        .add_observer(|_: On<Add, Score>, mut changes: ResMut<Changes>| changes.added += 1);
}

fn changes(app: &App) -> (usize, usize) {
    let changes = app.world().resource::<Changes>();
    (changes.seen, changes.added)
}

#[test]
fn the_servers_value_is_every_clients() {
    let mut harness = Harness::new(register);
    harness.server().insert_resource(score(1));
    harness.run_ticks(10);
    let (alice, bob) = (harness.add_client(line(20)), harness.add_client(line(20)));
    harness.connect();
    harness.run_ticks(SETTLED);
    for client in [alice, bob] {
        assert_eq!(at(&mut harness, client), Some(score(1)));
        assert_eq!(at::<Weather>(&mut harness, client), None);
    }
    harness.server().world_mut().resource_mut::<Score>().blue = 7;
    harness.run_ticks(SETTLED);
    for client in [alice, bob] {
        assert_eq!(at(&mut harness, client), Some(Score { red: 1, blue: 7 }));
    }
    let carol = harness.add_client(line(20));
    harness.connect();
    harness.run_ticks(SETTLED);
    assert_eq!(at(&mut harness, carol), Some(Score { red: 1, blue: 7 }), "who joins late");
}

#[test]
fn a_resource_that_comes_after_the_client_reaches_it() {
    let (mut harness, alice) = connected();
    harness.run_ticks(SETTLED);
    assert_eq!(at::<Score>(&mut harness, alice), None);
    set(&mut harness, score(3));
    assert_eq!(at(&mut harness, alice), Some(score(3)));
    set(&mut harness, Weather(2.5));
    assert_eq!((at(&mut harness, alice), at(&mut harness, alice)), (Some(score(3)), Some(Weather(2.5))));
}

#[test]
fn a_value_is_written_into_the_resource_that_is_there() {
    let (mut harness, alice) = connected();
    harness.client(alice).insert_resource(score(99));
    count_changes(harness.client(alice));
    harness.run_ticks(10);
    let before = changes(harness.client(alice));
    set(&mut harness, score(1));
    assert_eq!(at(&mut harness, alice), Some(score(1)));
    assert_eq!(changes(harness.client(alice)), (before.0 + 1, 0), "it changed once, and was not inserted");
    harness.run_ticks(SETTLED);
    assert_eq!(changes(harness.client(alice)).0, before.0 + 1, "what does not change is not written");
    // Written, and the same.
    set(&mut harness, score(1));
    assert_eq!(changes(harness.client(alice)).0, before.0 + 1);
}

#[test]
fn a_value_is_inserted_where_there_is_none() {
    let (mut harness, alice) = connected();
    count_changes(harness.client(alice));
    set(&mut harness, score(1));
    set(&mut harness, score(2));
    assert_eq!(changes(harness.client(alice)), (2, 1));
}

#[test]
fn what_the_server_removes_is_removed() {
    let (mut harness, alice) = connected();
    set(&mut harness, score(1));
    set(&mut harness, Weather(1.0));
    harness.server().world_mut().remove_resource::<Score>();
    harness.run_ticks(SETTLED);
    assert_eq!(at::<Score>(&mut harness, alice), None);
    assert_eq!(at(&mut harness, alice), Some(Weather(1.0)), "the other one stays");
    set(&mut harness, score(1));
    assert_eq!(at(&mut harness, alice), Some(score(1)), "the same value again");
}

#[test]
fn a_connection_leaves_the_value_and_the_next_one_brings_it_up_to_date() {
    let (mut harness, alice) = connected();
    set(&mut harness, score(1));
    set(&mut harness, Weather(1.0));
    for red in 2..5 {
        harness.disconnect(alice);
        harness.run_ticks(2);
        assert_eq!(at(&mut harness, alice), Some(score(red - 1)));
        harness.server().insert_resource(score(red));
        harness.reconnect(alice);
        harness.connect();
        harness.run_ticks(SETTLED);
        assert_eq!((at(&mut harness, alice), at(&mut harness, alice)), (Some(score(red)), Some(Weather(1.0))));
    }
    harness.disconnect(alice);
    harness.server().world_mut().remove_resource::<Score>();
    harness.run_ticks(2);
    assert_eq!(at(&mut harness, alice), Some(score(4)));
    harness.reconnect(alice);
    harness.connect();
    harness.run_ticks(SETTLED);
    assert_eq!(at::<Score>(&mut harness, alice), None, "it was removed meanwhile");
    assert_eq!(at(&mut harness, alice), Some(Weather(1.0)));
}

#[test]
fn the_order_of_registration_does_not_matter() {
    let mut harness = Harness::new(|app| {
        if app.world().resource::<NetworkRole>().0 == Role::Client {
            app.replicate_resource::<Weather>();
            app.replicate::<Health>();
            app.replicate_resource::<Score>();
        } else {
            app.replicate_resource::<Score>();
            app.replicate_resource::<Weather>();
            app.replicate::<Health>();
        }
    });
    let alice = harness.add_client(line(20));
    harness.connect();
    set(&mut harness, score(5));
    set(&mut harness, Weather(0.25));
    assert_eq!((at(&mut harness, alice), at(&mut harness, alice)), (Some(score(5)), Some(Weather(0.25))));
}

#[test]
fn resources_may_share_a_lane() {
    let mut harness = Harness::new(|app| {
        app.replicate_resource::<Score>().lane("match");
        app.replicate_resource::<Weather>().lane("match");
    });
    let alice = harness.add_client(line(20));
    harness.connect();
    set(&mut harness, score(5));
    assert_eq!((at(&mut harness, alice), at::<Weather>(&mut harness, alice)), (Some(score(5)), None));
    set(&mut harness, Weather(0.25));
    harness.server().world_mut().remove_resource::<Score>();
    harness.run_ticks(SETTLED);
    assert_eq!((at::<Score>(&mut harness, alice), at(&mut harness, alice)), (None, Some(Weather(0.25))));
}

#[test]
fn options_are_those_of_components() {
    let mut harness = Harness::new(|app| {
        app.replicate_resource::<Weather>().step(0.5).send_every(30);
    });
    let alice = harness.add_client(line(20));
    harness.connect();
    set(&mut harness, Weather(0.0));
    let mut values = Vec::new();
    for tick in 1..=120_u16 {
        harness.server().insert_resource(Weather(f32::from(tick)));
        harness.run_ticks(1);
        values.extend(at::<Weather>(&mut harness, alice).map(|weather| weather.0));
    }
    values.dedup();
    assert!((3..=6).contains(&values.len()), "every half second: {values:?}");
    set(&mut harness, Weather(7.3));
    assert_eq!(at(&mut harness, alice), Some(Weather(7.5)), "in steps of a half");
}

#[test]
fn a_codec_of_ones_own_may_be_given() {
    use bevy_slipstream::replication::SerdeCodec;

    let mut harness = Harness::new(|app| {
        app.replicate_resource_with::<Score>(SerdeCodec);
        app.replicate_resource::<Weather>().codec(SerdeCodec);
    });
    let alice = harness.add_client(line(20));
    harness.connect();
    set(&mut harness, score(5));
    set(&mut harness, Weather(0.125));
    assert_eq!((at(&mut harness, alice), at(&mut harness, alice)), (Some(score(5)), Some(Weather(0.125))));
}

#[test]
fn an_entity_in_a_resource_is_the_clients_own() {
    let (mut harness, alice) = connected();
    let leader = harness.server().world_mut().spawn((Replicated, VisibleTo::Nobody)).id();
    set(&mut harness, Leader(leader));
    assert_eq!(at(&mut harness, alice), Some(Leader(Entity::PLACEHOLDER)));
    harness.server().world_mut().entity_mut(leader).insert(VisibleTo::Everyone);
    harness.run_ticks(SETTLED);
    let here = harness.remote_entity(alice, leader).expect("it is shown");
    assert_eq!(at(&mut harness, alice), Some(Leader(here)));
}

#[test]
fn what_carries_a_resource_is_hidden_from_the_game() {
    let mut harness = Harness::new(|app| {
        register(app);
        app.add_interest_filter(|entity, _| entity.contains::<Health>() && !entity.contains::<Cloaked>());
    });
    let alice = harness.add_client(line(20));
    harness.connect();
    set(&mut harness, score(1));
    set(&mut harness, Weather(1.0));
    assert_eq!(at(&mut harness, alice), Some(score(1)), "no filter keeps it back");
    assert_eq!(shown(&mut harness, alice), 0);
    harness.server().world_mut().spawn((Replicated, Health(1)));
    harness.server().world_mut().spawn((Replicated, Health(2), Cloaked));
    harness.run_ticks(SETTLED);
    assert_eq!(shown(&mut harness, alice), 1);
}

#[test]
fn taking_the_resource_out_for_a_while_is_no_removal() {
    let (mut harness, alice) = connected();
    set(&mut harness, score(0));
    count_changes(harness.client(alice));
    for _ in 0..30 {
        harness.server().world_mut().resource_scope(|_, mut score: Mut<Score>| score.red += 1);
        harness.run_ticks(1);
    }
    harness.run_ticks(SETTLED);
    assert_eq!(at(&mut harness, alice), Some(score(30)));
    assert_eq!(changes(harness.client(alice)).1, 0, "it was there all the time");
}

#[test]
fn what_a_client_writes_is_its_own_affair() {
    let mut harness = Harness::new(register);
    let (alice, bob) = (harness.add_client(line(20)), harness.add_client(line(20)));
    harness.connect();
    set(&mut harness, score(1));
    harness.client(alice).insert_resource(score(1000));
    harness.run_ticks(SETTLED);
    assert_eq!(harness.server().world().resource::<Score>(), &score(1));
    assert_eq!(at(&mut harness, bob), Some(score(1)));
    set(&mut harness, score(2));
    assert_eq!((at(&mut harness, alice), at(&mut harness, bob)), (Some(score(2)), Some(score(2))));
}

#[test]
fn a_host_has_the_servers_own() {
    let mut harness = Harness::host(register);
    let alice = harness.add_client(line(20));
    harness.connect();
    count_changes(harness.server());
    set(&mut harness, score(1));
    set(&mut harness, score(2));
    assert_eq!(changes(harness.server()), (2, 1), "nothing comes back to it");
    assert_eq!(at(&mut harness, alice), Some(score(2)));
}

#[test]
fn a_resource_over_a_bad_line_ends_as_the_server_has_it() {
    for seed in 1..=4 {
        println!("seed {seed}");
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let alice = harness.add_client(bad_line());
        harness.connect();
        let mut random = fastrand::Rng::with_seed(seed);
        for turn in 0..150 {
            let world = harness.server().world_mut();
            match random.u32(..4) {
                0 => drop(world.remove_resource::<Score>()),
                1 => world.insert_resource(Weather(f32::from(random.u8(..)))),
                _ => world.insert_resource(score(turn)),
            }
            harness.run_ticks(random.u32(..3));
        }
        harness.set_conditions(alice, line(20));
        harness.run_ticks(3 * SETTLED);
        let world = harness.server().world();
        let truth = (world.get_resource::<Score>().cloned(), world.get_resource::<Weather>().cloned());
        assert_eq!((at(&mut harness, alice), at(&mut harness, alice)), truth, "seed {seed}");
    }
}

#[test]
fn a_carrier_that_the_game_despawns_is_replaced() {
    let (mut harness, alice) = connected();
    set(&mut harness, score(1));
    let world = harness.server().world_mut();
    let everything: Vec<Entity> = world.query_filtered::<Entity, With<Replicated>>().iter(world).collect();
    for entity in everything {
        world.despawn(entity);
    }
    harness.run_ticks(SETTLED);
    assert_eq!(at(&mut harness, alice), Some(score(1)));
    set(&mut harness, score(2));
    assert_eq!(at(&mut harness, alice), Some(score(2)));
}
