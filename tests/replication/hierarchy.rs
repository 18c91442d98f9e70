use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::Harness;

use crate::scene::{Health, SETTLED, assert_same, bad_line, cut_line, line, one_client, register, shown};

#[test]
fn a_child_appears_under_its_parent() {
    let (mut harness, alice) = one_client();
    let world = harness.server().world_mut();
    // The child has the lower slot: it must wait for its parent.
    let child = world.spawn((Replicated, Health(1))).id();
    let parent = world.spawn((Replicated, Health(2))).id();
    world.entity_mut(child).insert(ChildOf(parent));
    harness.run_ticks(SETTLED);
    assert_eq!(
        harness.remote::<ChildOf>(alice, child).map(ChildOf::parent),
        Some(harness.remote_entity(alice, parent).expect("the parent is there"))
    );
    assert_same(&mut harness, alice);
}

#[test]
fn parents_are_shown_before_their_children() {
    #[derive(Resource, Default)]
    struct Orphans(usize);

    let (mut harness, alice) = one_client();
    harness.client(alice).init_resource::<Orphans>().add_observer(
        |added: On<Add, Remote>,
         children: Query<&ChildOf>,
         shown: Query<(), With<Remote>>,
         mut orphans: ResMut<Orphans>| {
            if children.get(added.entity).is_ok_and(|child| !shown.contains(child.parent())) {
                orphans.0 += 1;
            }
        },
    );
    let world = harness.server().world_mut();
    let family: Vec<Entity> = (0..6).map(|_| world.spawn((Replicated, Health(1))).id()).collect();
    for pair in family.windows(2) {
        // Each is the child of the next.
        world.entity_mut(pair[0]).insert(ChildOf(pair[1]));
    }
    harness.run_ticks(SETTLED);
    assert_same(&mut harness, alice);
    assert_eq!(harness.client(alice).world().resource::<Orphans>().0, 0);
}

#[test]
fn a_parent_takes_its_children_with_it() {
    let (mut harness, alice) = one_client();
    let world = harness.server().world_mut();
    let parent = world.spawn((Replicated, Health(2))).id();
    for health in 0..5 {
        world.spawn((Replicated, Health(health), ChildOf(parent)));
    }
    let other = world.spawn((Replicated, Health(9))).id();
    harness.run_ticks(SETTLED);
    assert_eq!(shown(&mut harness, alice), 7);
    harness.server().world_mut().despawn(parent);
    harness.run_ticks(SETTLED);
    assert_eq!(shown(&mut harness, alice), 1);
    assert_eq!(harness.remote::<Health>(alice, other), Some(&Health(9)));
}

#[test]
fn a_child_may_leave_its_parent_and_join_another() {
    let (mut harness, alice) = one_client();
    let world = harness.server().world_mut();
    let first = world.spawn((Replicated, Health(1))).id();
    let second = world.spawn((Replicated, Health(2))).id();
    let child = world.spawn((Replicated, Health(3), ChildOf(first))).id();
    harness.run_ticks(SETTLED);
    assert_same(&mut harness, alice);
    harness.server().world_mut().entity_mut(child).insert(ChildOf(second));
    harness.run_ticks(SETTLED);
    assert_same(&mut harness, alice);
    harness.server().world_mut().entity_mut(child).remove::<ChildOf>();
    harness.run_ticks(SETTLED);
    assert_same(&mut harness, alice);
    assert!(harness.remote::<ChildOf>(alice, child).is_none());
}

#[test]
fn a_child_that_left_its_parent_in_time_survives_it() {
    for seed in 1..=8 {
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let alice = harness.add_client(bad_line());
        harness.connect();
        let world = harness.server().world_mut();
        let parent = world.spawn((Replicated, Health(1))).id();
        let children: Vec<Entity> =
            (0..10).map(|health| world.spawn((Replicated, Health(health), ChildOf(parent))).id()).collect();
        harness.run_ticks(3 * SETTLED);
        for (child, pause) in children.iter().zip([0, 1, 0, 2, 0, 1, 0, 3, 0, 0]) {
            harness.server().world_mut().entity_mut(*child).remove::<ChildOf>();
            harness.run_ticks(pause);
        }
        harness.server().world_mut().despawn(parent);
        harness.run_ticks(30);
        harness.set_conditions(alice, line(20));
        harness.run_ticks(3 * SETTLED);
        println!("seed {seed}");
        assert_same(&mut harness, alice);
    }
}

#[test]
fn a_child_stays_in_sight_when_its_parent_leaves_it() {
    let (mut harness, alice) = one_client();
    let world = harness.server().world_mut();
    let parent = world.spawn((Replicated, Health(1))).id();
    let child = world.spawn((Replicated, Health(2), ChildOf(parent))).id();
    harness.run_ticks(SETTLED);
    harness.server().world_mut().entity_mut(parent).insert(VisibleTo::Nobody);
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Health>(alice, child), Some(&Health(2)));
    assert!(harness.remote::<ChildOf>(alice, child).is_none());
    assert_eq!(shown(&mut harness, alice), 1);
    harness.server().world_mut().entity_mut(parent).insert(VisibleTo::Everyone);
    harness.run_ticks(SETTLED);
    assert_same(&mut harness, alice);
}

#[test]
fn a_child_of_what_is_not_replicated_has_no_parent() {
    let (mut harness, alice) = one_client();
    let world = harness.server().world_mut();
    let parent = world.spawn_empty().id();
    let child = world.spawn((Replicated, Health(2), ChildOf(parent))).id();
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Health>(alice, child), Some(&Health(2)));
    assert!(harness.remote::<ChildOf>(alice, child).is_none());
}

#[test]
fn a_family_moves_house_while_the_line_is_cut() {
    let (mut harness, alice) = one_client();
    let world = harness.server().world_mut();
    let old = world.spawn((Replicated, Health(1))).id();
    let children: Vec<Entity> =
        (0..4).map(|health| world.spawn((Replicated, Health(health), ChildOf(old))).id()).collect();
    harness.run_ticks(SETTLED);
    harness.set_conditions(alice, cut_line());
    let world = harness.server().world_mut();
    let new = world.spawn((Replicated, Health(9))).id();
    for child in children {
        world.entity_mut(child).insert(ChildOf(new));
    }
    world.despawn(old);
    harness.run_ticks(20);
    harness.set_conditions(alice, line(20));
    harness.run_ticks(5 * SETTLED);
    assert_same(&mut harness, alice);
    assert_eq!(shown(&mut harness, alice), 5);
}
