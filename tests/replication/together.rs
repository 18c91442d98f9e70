//! Groups: what a client shows of one is what the server had in one tick.

use std::collections::HashSet;

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};

use crate::scene::{
    Health, Label, SETTLED, Secret, assert_same, bad_line, differences, limit_budget, line, register, stats,
};

const TICKS: u32 = 600;

/// Of each member its health and its secret; `None` where it is not to be seen.
type Picture = Vec<Option<(u32, Option<u32>)>>;

/// A group, a client, and what the server has had so far.
struct Watch {
    harness: Harness,
    client: Client,
    /// The root first.
    members: Vec<Entity>,
    ids: Vec<NetworkId>,
    had: HashSet<Picture>,
    tick: u32,
}

impl Watch {
    /// A group of `count`, or as many entities that are none, over a bad line.
    fn of(count: usize, grouped: bool, seed: u64) -> Self {
        println!("seed {seed}");
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let client = harness.add_client(bad_line());
        harness.connect();
        let mut watch = Self::begin(harness, client);
        watch.spawn(count, grouped, 0);
        watch
    }

    fn begin(harness: Harness, client: Client) -> Self {
        Self { harness, client, members: Vec::new(), ids: Vec::new(), had: HashSet::new(), tick: 0 }
    }

    /// Spawns the members, and after each so many others, which take up slots.
    fn spawn(&mut self, count: usize, grouped: bool, between: usize) {
        let world = self.harness.server().world_mut();
        for number in 0..count {
            let member = world.spawn((Replicated, Health(0))).id();
            if grouped && number > 0 {
                world.entity_mut(member).insert(Together(self.members[0]));
            }
            self.members.push(member);
            self.ids.push(world.resource::<EntityMap>().network(member).expect("it is replicated"));
            for _ in 0..between {
                world.spawn((Replicated, Health(0)));
            }
        }
        // Before they are shown.
        self.had.insert(vec![None; count]);
    }

    /// Every member changes at a pace of its own, so that what comes of one alone is wrong of all.
    fn churn(&mut self) {
        self.tick += 1;
        let tick = self.tick;
        let world = self.harness.server().world_mut();
        for (pace, member) in (1..).zip(&self.members) {
            let Ok(mut member) = world.get_entity_mut(*member) else { continue };
            if tick.is_multiple_of(pace) {
                member.insert(Health(tick));
            }
            if member.contains::<Secret>() && tick.is_multiple_of(pace + 1) {
                member.insert(Secret(tick));
            }
        }
    }

    /// A tick, and whether what the client shows after it is what the server had in one.
    fn run_tick(&mut self) -> bool {
        let told = picture(self.harness.server().world(), self.members.iter().map(|member| Some(*member)));
        self.had.insert(told);
        self.harness.run_ticks(1);
        let shown = self.shown();
        self.had.contains(&shown)
    }

    fn shown(&mut self) -> Picture {
        let world = self.harness.client(self.client).world();
        let map = world.resource::<EntityMap>();
        picture(world, self.ids.iter().map(|id| map.local(*id)))
    }

    /// Runs ticks in which all members change. In how many of them the client showed what the server never had.
    fn count_torn(&mut self, ticks: u32) -> u32 {
        let mut torn = 0;
        for _ in 0..ticks {
            self.churn();
            torn += u32::from(!self.run_tick());
        }
        torn
    }

    /// Fails where the client does not show the newest picture once nothing changes any more.
    fn settle(&mut self) {
        self.harness.set_conditions(self.client, line(20));
        for _ in 0..5 * SETTLED {
            self.run_tick();
        }
        let truth = picture(self.harness.server().world(), self.members.iter().map(|member| Some(*member)));
        assert_eq!(self.shown(), truth);
        assert_eq!(stats(&mut self.harness, self.client).resets, 0, "a sender referred to what was not acknowledged");
    }

    fn server(&mut self) -> &mut World {
        self.harness.server().world_mut()
    }
}

fn picture(world: &World, entities: impl Iterator<Item = Option<Entity>>) -> Picture {
    let of = |entity: Entity| {
        let is_hidden = world.get::<VisibleTo>(entity) == Some(&VisibleTo::Nobody);
        let health = world.get::<Health>(entity).filter(|_| !is_hidden)?;
        Some((health.0, world.get::<Secret>(entity).map(|secret| secret.0)))
    };
    entities.map(|entity| entity.and_then(of)).collect()
}

#[test]
fn members_of_a_group_are_never_seen_apart() {
    let mut repeated = 0;
    for seed in 1..=4 {
        let mut watch = Watch::of(3, true, seed);
        assert_eq!(watch.count_torn(TICKS), 0, "seed {seed}");
        watch.settle();
        repeated += stats(&mut watch.harness, watch.client).repeated;
    }
    // What was lost has mostly gone again with something newer before the loss was known.
    assert!(repeated > 0, "nothing was lost");
}

#[test]
fn what_is_in_no_group_is_seen_apart_on_such_a_line() {
    for seed in 1..=4 {
        let mut watch = Watch::of(3, false, seed);
        let torn = watch.count_torn(TICKS);
        println!("seed {seed}: torn in {torn} of {TICKS} ticks");
        assert!(torn > TICKS / 20, "seed {seed}: the test of groups would pass without groups");
        watch.settle();
    }
}

#[test]
fn members_may_be_far_apart_among_the_slots() {
    for seed in 1..=2 {
        println!("seed {seed}");
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let client = harness.add_client(bad_line());
        harness.connect();
        let mut watch = Watch::begin(harness, client);
        // Pages have 32 slots.
        watch.spawn(4, true, 45);
        let world = watch.server();
        let others: Vec<Entity> = world.query_filtered::<Entity, With<Replicated>>().iter(world).collect();
        let others: Vec<Entity> = others.into_iter().filter(|entity| !watch.members.contains(entity)).collect();
        for tick in 0..TICKS / 2 {
            for entity in &others {
                watch.server().entity_mut(*entity).insert(Health(tick));
            }
            assert_eq!(watch.count_torn(1), 0, "seed {seed}, tick {tick}");
        }
        watch.settle();
        assert_same(&mut watch.harness, watch.client);
    }
}

#[test]
fn a_tight_budget_tears_no_group_and_starves_none() {
    let seed = 5;
    println!("seed {seed}");
    let mut harness = Harness::new(|app| {
        register(app);
        limit_budget(app, 3_000);
    });
    harness.set_seed(seed);
    let client = harness.add_client(line(20));
    harness.connect();
    let mut watch = Watch::begin(harness, client);
    watch.spawn(4, true, 15);
    let world = watch.server();
    let others: Vec<Entity> = world.query_filtered::<Entity, With<Replicated>>().iter(world).collect();
    let others: Vec<Entity> = others.into_iter().filter(|entity| !watch.members.contains(entity)).collect();
    // Groups of five, of which none but the first is watched.
    for group in others.chunks(5).skip(1).step_by(2) {
        for member in &group[1..] {
            watch.server().entity_mut(*member).insert(Together(group[0]));
        }
    }
    let mut stalest = 0;
    for tick in 1..=900 {
        for entity in &others {
            watch.server().entity_mut(*entity).insert(Health(tick));
        }
        assert_eq!(watch.count_torn(1), 0, "tick {tick}");
        if tick > 300 {
            let shown = watch.shown()[0].map_or(0, |(health, _)| health);
            stalest = stalest.max(watch.tick - shown);
        }
    }
    println!("the group was {stalest} ticks behind at the most");
    assert!(stalest <= 120, "the group was {stalest} ticks behind");
}

#[test]
fn what_only_the_owner_is_told_belongs_to_the_picture() {
    for seed in 1..=2 {
        println!("seed {seed}");
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let (alice, bob) = (harness.add_client(bad_line()), harness.add_client(bad_line()));
        harness.connect();
        let owner = harness.server_connection(alice);
        let mut watch = Watch::begin(harness, alice);
        watch.spawn(3, true, 0);
        for member in watch.members.clone() {
            watch.server().entity_mut(member).insert((Owner(owner), Secret(0)));
        }
        let mut had_by_others = HashSet::from([vec![None; 3]]);
        for tick in 0..TICKS {
            watch.churn();
            let members = watch.members.clone();
            let truth = picture(watch.server(), members.into_iter().map(Some));
            had_by_others.insert(without_secrets(truth));
            assert!(watch.run_tick(), "seed {seed}, tick {tick}");
            let world = watch.harness.client(bob).world();
            let map = world.resource::<EntityMap>();
            let seen = picture(world, watch.ids.iter().map(|id| map.local(*id)));
            assert!(seen.iter().flatten().all(|(_, secret)| secret.is_none()), "seed {seed}: {seen:?}");
            assert!(had_by_others.contains(&seen), "seed {seed}, tick {tick}: {seen:?}");
        }
        watch.settle();
    }
}

fn without_secrets(picture: Picture) -> Picture {
    picture.into_iter().map(|member| member.map(|(health, _)| (health, None))).collect()
}

#[test]
fn a_member_goes_in_the_tick_in_which_it_goes() {
    for seed in 1..=4 {
        let mut watch = Watch::of(4, true, seed);
        assert_eq!(watch.count_torn(100), 0, "seed {seed}");
        let last = watch.members[3];
        watch.server().despawn(last);
        assert_eq!(watch.count_torn(100), 0, "seed {seed}: after the despawn");
        let hidden = watch.members[1];
        watch.server().entity_mut(hidden).insert(VisibleTo::Nobody);
        assert_eq!(watch.count_torn(100), 0, "seed {seed}: out of sight");
        watch.server().entity_mut(hidden).insert(VisibleTo::Everyone);
        assert_eq!(watch.count_torn(100), 0, "seed {seed}: back in sight");
        // What is in sight is a group without its root, too.
        let root = watch.members[0];
        watch.server().entity_mut(root).insert(VisibleTo::Nobody);
        assert_eq!(watch.count_torn(100), 0, "seed {seed}: without the root");
        watch.settle();
    }
}

#[test]
fn groups_form_and_dissolve_at_any_time() {
    for seed in 1..=2 {
        let mut watch = Watch::of(3, false, seed);
        watch.count_torn(100);
        let [root, second, third] = [0, 1, 2].map(|number| watch.members[number]);
        watch.server().entity_mut(second).insert(Together(root));
        watch.server().entity_mut(third).insert(Together(second));
        // Until the group has arrived as such.
        watch.count_torn(60);
        assert_eq!(watch.count_torn(200), 0, "seed {seed}");
        watch.server().entity_mut(third).remove::<Together>();
        watch.count_torn(100);
        watch.server().despawn(root);
        watch.count_torn(100);
        watch.settle();
        assert_same(&mut watch.harness, watch.client);
    }
}

#[test]
fn a_group_keeps_the_rate_of_its_lanes() {
    let seed = 3;
    println!("seed {seed}");
    let mut harness = Harness::new(|app| {
        app.replicate::<Health>().send_every(6);
        app.replicate::<Secret>().to_owner_only();
    });
    harness.set_seed(seed);
    let client = harness.add_client(line(20));
    harness.connect();
    let mut watch = Watch::begin(harness, client);
    watch.spawn(3, true, 0);
    assert_eq!(watch.count_torn(SETTLED), 0);
    let before = stats(&mut watch.harness, client).records;
    assert_eq!(watch.count_torn(300), 0);
    let records = stats(&mut watch.harness, client).records - before;
    // Every six ticks all three, or less where one has not changed.
    assert!((100..=160).contains(&records), "{records} records");
    watch.settle();
}

#[test]
fn a_group_that_is_too_large_arrives_in_parts() {
    let mut harness = Harness::new(register);
    let alice = harness.add_client(line(20));
    harness.connect();
    let world = harness.server().world_mut();
    let root = world.spawn((Replicated, Health(0))).id();
    for number in 0..120 {
        let label = Label(format!("{number} of a hundred and twenty members that each have something long to say"));
        world.spawn((Replicated, Together(root), Health(number), label));
    }
    let arrived = harness.run_until(600, |harness| differences(harness, alice).is_empty());
    assert!(arrived, "{:?}", differences(&mut harness, alice).first());
}

#[test]
fn a_group_larger_than_a_datagram_arrives_as_one() {
    for seed in 1..=2 {
        println!("seed {seed}");
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let conditions = NetworkConditions { loss: 0.1, ..line(30) };
        let client = harness.add_client(conditions);
        harness.connect();
        let mut watch = Watch::begin(harness, client);
        watch.spawn(30, true, 0);
        for member in watch.members.clone() {
            watch.server().entity_mut(member).insert(Label(String::new()));
        }
        for tick in 0..300 {
            watch.churn();
            let members = watch.members.clone();
            for (number, member) in members.into_iter().enumerate() {
                // Two datagrams of them.
                let label = Label(format!("{tick} of {number}: something long to say, and sixty bytes at least of it"));
                watch.server().entity_mut(member).insert(label);
            }
            assert!(watch.run_tick(), "seed {seed}, tick {tick}");
        }
        watch.settle();
        assert_same(&mut watch.harness, watch.client);
    }
}
