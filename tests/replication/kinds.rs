//! Components that go on an entity in one insertion.

use bevy::ecs::query::QueryFilter;
use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};
use serde::{Deserialize, Serialize};

use crate::scene::{Burning, Health, Label, SETTLED, Secret, assert_same, bad_line, line, register};

/// Whether everything else was there, each time that something was added.
#[derive(Resource, Default)]
struct Found(Vec<bool>);

/// Looks whether an entity passes `F` when it gets `C`.
fn watch<C: Component, F: QueryFilter + 'static>(harness: &mut Harness, client: Client) {
    harness.client(client).init_resource::<Found>().add_observer(
        |added: On<Add, C>, whole: Query<(), F>, mut found: ResMut<Found>| found.0.push(whole.contains(added.entity)),
    );
}

fn found(harness: &mut Harness, client: Client) -> Vec<bool> {
    core::mem::take(&mut harness.client(client).world_mut().resource_mut::<Found>().0)
}

fn connected(register: impl Fn(&mut App) + 'static) -> (Harness, Client) {
    let mut harness = Harness::new(register);
    let alice = harness.add_client(line(20));
    harness.connect();
    (harness, alice)
}

/// All that these tests replicate, `Health`, `Label` and `Transform` at once.
fn register_together(app: &mut App) {
    register(app);
    app.replicate_together::<(Health, Label, Transform)>();
}

fn label(text: &str) -> Label {
    Label(text.to_owned())
}

type Three = (With<Health>, With<Label>, With<Transform>);

#[test]
fn an_observer_of_any_finds_all_that_came_with_it() {
    let (mut harness, alice) = connected(register_together);
    watch::<Health, Three>(&mut harness, alice);
    watch::<Label, Three>(&mut harness, alice);
    watch::<Transform, Three>(&mut harness, alice);
    let mut entities = Vec::new();
    for health in 0..5 {
        let entity = (Replicated, Health(health), label("barrel"), Transform::from_xyz(1.0, 2.0, 3.0));
        entities.push(harness.server().world_mut().spawn(entity).id());
    }
    harness.run_ticks(SETTLED);
    assert_eq!(found(&mut harness, alice), [true; 15]);
    for (entity, health) in entities.iter().zip(0..) {
        assert_eq!(harness.remote::<Health>(alice, *entity), Some(&Health(health)));
    }
    assert_same(&mut harness, alice);
}

#[test]
fn what_is_gained_later_in_one_tick_is_there_at_once() {
    let (mut harness, alice) = connected(register_together);
    let entity = harness.server().world_mut().spawn((Replicated, Burning)).id();
    harness.run_ticks(SETTLED);
    watch::<Health, Three>(&mut harness, alice);
    watch::<Transform, Three>(&mut harness, alice);
    let gained = (Health(1), label("barrel"), Transform::default());
    harness.server().world_mut().entity_mut(entity).insert(gained);
    harness.run_ticks(SETTLED);
    assert_eq!(found(&mut harness, alice), [true; 2]);
    harness.server().world_mut().entity_mut(entity).insert((Health(2), label("crate")));
    harness.run_ticks(SETTLED);
    assert!(found(&mut harness, alice).is_empty(), "what is there is written in place");
    assert_same(&mut harness, alice);
}

#[test]
fn what_a_connection_is_not_told_does_not_hold_up_the_rest() {
    let mut harness = Harness::new(|app| {
        register(app);
        app.replicate_together::<(Health, Secret, Label)>();
    });
    let (alice, bob) = (harness.add_client(line(20)), harness.add_client(line(20)));
    harness.connect();
    watch::<Health, (With<Label>, With<Secret>)>(&mut harness, alice);
    watch::<Health, (With<Label>, Without<Secret>)>(&mut harness, bob);
    watch::<Label, With<Health>>(&mut harness, bob);
    let owner = harness.server_connection(alice);
    let entity =
        harness.server().world_mut().spawn((Replicated, Owner(owner), Health(1), Secret(7), label("safe"))).id();
    harness.run_ticks(SETTLED);
    assert_eq!(found(&mut harness, alice), [true]);
    assert_eq!(found(&mut harness, bob), [true; 2]);
    assert_eq!(harness.remote::<Secret>(alice, entity), Some(&Secret(7)));
    assert_eq!(harness.remote::<Secret>(bob, entity), None);
}

#[test]
fn a_lone_component_of_a_kind_is_put_on_too() {
    let (mut harness, alice) = connected(register_together);
    let entity = harness.server().world_mut().spawn((Replicated, label("barrel"))).id();
    harness.run_ticks(SETTLED);
    assert_eq!(harness.remote::<Label>(alice, entity), Some(&label("barrel")));
    assert!(harness.remote::<Health>(alice, entity).is_none());
    assert_same(&mut harness, alice);
}

#[test]
fn parents_come_before_their_children() {
    #[derive(Resource, Default)]
    struct Parents(Vec<bool>);

    let named: fn(&mut App) = |app| {
        app.replicate_together::<(Health, Label, ChildOf)>();
    };
    let unnamed: fn(&mut App) = |app| {
        app.replicate_together::<(Health, Label)>();
    };
    for kind in [named, unnamed] {
        let (mut harness, alice) = connected(move |app| {
            register(app);
            kind(app);
        });
        harness.client(alice).init_resource::<Parents>().add_observer(
            |added: On<Add, Health>,
             children: Query<&ChildOf>,
             whole: Query<(), (With<Health>, With<Label>)>,
             mut parents: ResMut<Parents>| {
                if let Ok(child) = children.get(added.entity) {
                    parents.0.push(whole.contains(child.parent()) && whole.contains(added.entity));
                }
            },
        );
        let world = harness.server().world_mut();
        let family: Vec<Entity> =
            (0..6).map(|number| world.spawn((Replicated, Health(number), label("kin"))).id()).collect();
        for pair in family.windows(2) {
            // Each is the child of the next, so that parents have the higher slots.
            world.entity_mut(pair[0]).insert(ChildOf(pair[1]));
        }
        harness.run_ticks(SETTLED);
        assert_eq!(harness.client(alice).world().resource::<Parents>().0, [true; 5]);
        assert_same(&mut harness, alice);
    }
}

#[test]
fn a_relationship_to_what_is_not_here_does_not_hold_up_the_rest() {
    let (mut harness, alice) = connected(|app| {
        register(app);
        app.replicate_together::<(Health, Label, ChildOf)>();
    });
    watch::<Health, (With<Label>, Without<ChildOf>)>(&mut harness, alice);
    let world = harness.server().world_mut();
    let parent = world.spawn((Replicated, VisibleTo::Nobody)).id();
    let child = world.spawn((Replicated, Health(1), label("child"), ChildOf(parent))).id();
    harness.run_ticks(SETTLED);
    assert_eq!(found(&mut harness, alice), [true]);
    assert!(harness.remote::<ChildOf>(alice, child).is_none());
    harness.server().world_mut().entity_mut(parent).insert(VisibleTo::Everyone);
    harness.run_ticks(SETTLED);
    assert!(harness.remote::<ChildOf>(alice, child).is_some());
    assert_same(&mut harness, alice);
}

#[test]
fn an_entity_takes_the_kind_of_which_most_came() {
    let (mut harness, alice) = connected(|app| {
        register(app);
        app.replicate_together::<(Transform, Health)>().replicate_together::<(Transform, Label, Burning)>();
    });
    watch::<Transform, Or<(With<Health>, (With<Label>, With<Burning>))>>(&mut harness, alice);
    let world = harness.server().world_mut();
    world.spawn((Replicated, Transform::default(), Health(1)));
    world.spawn((Replicated, Transform::default(), label("torch"), Burning));
    let both = world.spawn((Replicated, Transform::default(), Health(1), label("torch"), Burning)).id();
    harness.run_ticks(SETTLED);
    assert_eq!(found(&mut harness, alice), [true; 3]);
    assert!(harness.remote::<Health>(alice, both).is_some() && harness.remote::<Burning>(alice, both).is_some());
    assert_same(&mut harness, alice);
}

#[derive(Component, Clone, Copy, Debug, PartialEq)]
struct Velocity(Vec3);

struct Crate;

impl KinematicBody for Crate {
    type Pose = Transform;
    type Motion = Velocity;

    fn body(pose: &Transform, motion: &Velocity) -> BodyState {
        BodyState {
            position: pose.translation.to_array(),
            rotation: pose.rotation.to_array(),
            linear: motion.0.to_array(),
            angular: [0.0; 3],
        }
    }

    fn pose(body: &BodyState) -> Transform {
        Transform::from_translation(body.position.into()).with_rotation(Quat::from_array(body.rotation))
    }

    fn motion(body: &BodyState) -> Velocity {
        Velocity(body.linear.into())
    }
}

fn register_bodies(app: &mut App) {
    app.replicate_body::<Crate>(KinematicCodec::new(-512.0..512.0, 0.001));
    app.replicate::<Health>();
}

#[test]
fn a_body_takes_part_with_both_its_halves() {
    let (mut harness, alice) = connected(|app| {
        register_bodies(app);
        app.replicate_together::<(Transform, Velocity, Health)>();
    });
    watch::<Transform, (With<Velocity>, With<Health>)>(&mut harness, alice);
    watch::<Health, (With<Velocity>, With<Transform>)>(&mut harness, alice);
    let body = (Transform::from_xyz(5.0, 0.0, 0.0), Velocity(Vec3::X));
    let entity = harness.server().world_mut().spawn((Replicated, body, Health(3))).id();
    harness.run_ticks(SETTLED);
    assert_eq!(found(&mut harness, alice), [true; 2]);
    let shown = harness.remote::<Transform>(alice, entity).expect("it arrived").translation;
    assert!(shown.distance(Vec3::X * 5.0) < 0.01, "{shown}");
    harness.server().world_mut().entity_mut(entity).remove::<Velocity>();
    harness.run_ticks(SETTLED);
    assert!(harness.remote::<Transform>(alice, entity).is_none());
    assert_eq!(harness.remote::<Health>(alice, entity), Some(&Health(3)));
}

#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Part<const N: usize>(u32);

#[test]
fn large_kinds_go_on_at_once_where_they_are_whole_and_in_two_parts_where_not() {
    type Eight = (Part<0>, Part<1>, Part<2>, Part<3>, Part<4>, Part<5>, Part<6>, Part<7>);
    let (mut harness, alice) = connected(|app| {
        app.replicate::<Part<0>>();
        app.replicate::<Part<1>>();
        app.replicate::<Part<2>>();
        app.replicate::<Part<3>>();
        app.replicate::<Part<4>>();
        app.replicate::<Part<5>>();
        app.replicate::<Part<6>>();
        app.replicate::<Part<7>>();
        app.replicate_together::<Eight>();
    });
    type FirstHalf = (With<Part<0>>, With<Part<1>>, With<Part<3>>, With<Part<4>>, With<Part<5>>);
    watch::<Part<0>, (FirstHalf, With<Part<2>>, With<Part<6>>, With<Part<7>>)>(&mut harness, alice);
    watch::<Part<7>, (FirstHalf, With<Part<2>>, With<Part<6>>)>(&mut harness, alice);
    let first = (Part::<0>(0), Part::<1>(1), Part::<3>(3), Part::<4>(4), Part::<5>(5));
    let whole = (Replicated, first, Part::<2>(2), Part::<6>(6), Part::<7>(7));
    let whole = harness.server().world_mut().spawn(whole).id();
    harness.run_ticks(SETTLED);
    assert_eq!(found(&mut harness, alice), [true; 2]);
    assert_eq!(harness.remote::<Part<6>>(alice, whole), Some(&Part::<6>(6)));

    watch::<Part<3>, (FirstHalf, Without<Part<2>>, Without<Part<7>>)>(&mut harness, alice);
    watch::<Part<6>, With<Part<7>>>(&mut harness, alice);
    let partial = harness.server().world_mut().spawn((Replicated, first, Part::<6>(6), Part::<7>(7))).id();
    harness.run_ticks(SETTLED);
    let found = found(&mut harness, alice);
    // The first two observers miss `Part<2>`, the other two find what they look for.
    assert_eq!(found.iter().filter(|whole| **whole).count(), 2, "{found:?}");
    assert_eq!(found.len(), 4);
    assert_eq!(harness.remote::<Part<2>>(alice, partial), None);
    assert_eq!(harness.remote::<Part<7>>(alice, partial), Some(&Part::<7>(7)));
}

#[test]
fn kinds_need_not_be_the_same_on_both_sides() {
    let (mut harness, alice) = connected(|app| {
        register(app);
        if app.world().resource::<NetworkRole>().0 == Role::Client {
            app.replicate_together::<(Health, Transform)>();
        }
    });
    watch::<Transform, With<Health>>(&mut harness, alice);
    harness.server().world_mut().spawn((Replicated, Health(1), Transform::default()));
    harness.run_ticks(SETTLED);
    assert_eq!(found(&mut harness, alice), [true]);
}

#[test]
fn what_comes_and_goes_over_a_bad_line_ends_as_the_server_has_it() {
    for seed in 1..=4 {
        println!("seed {seed}");
        let mut harness = Harness::new(|app| {
            register(app);
            app.replicate_together::<(Health, Burning, ChildOf, Transform)>()
                .replicate_together::<(Label, Transform)>();
        });
        harness.set_seed(seed);
        let alice = harness.add_client(bad_line());
        harness.connect();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut entities: Vec<Entity> = Vec::new();
        for turn in 0..200 {
            let world = harness.server().world_mut();
            match random.u32(..8) {
                0 => entities.push(world.spawn((Replicated, Health(turn), Burning, Transform::default())).id()),
                1 => entities.push(world.spawn((Replicated, label("pickup"), Transform::default())).id()),
                choice if !entities.is_empty() => {
                    let entity = entities[random.usize(..entities.len())];
                    let parent = entities[0];
                    let mut entity = world.entity_mut(entity);
                    match choice {
                        2 => entity.insert((Health(turn), Burning)),
                        3 => entity.remove::<(Health, Burning)>(),
                        4 => entity.insert((label("named"), Transform::from_xyz(turn as f32, 0.0, 0.0))),
                        5 => entity.remove::<(Label, Transform)>(),
                        6 if entity.id() != parent => entity.insert(ChildOf(parent)),
                        _ => entity.remove::<ChildOf>(),
                    };
                }
                _ => {}
            }
            harness.run_ticks(random.u32(..3));
        }
        harness.set_conditions(alice, line(20));
        harness.run_ticks(5 * SETTLED);
        assert_same(&mut harness, alice);
    }
}

#[derive(Component)]
struct Stranger;

#[test]
#[should_panic(expected = "Stranger` is named in `replicate_together` and is not replicated")]
fn a_kind_names_only_what_is_replicated() {
    let _harness = Harness::new(|app| {
        register(app);
        app.replicate_together::<(Health, Stranger)>();
    });
}

#[test]
#[should_panic(expected = "without the other half of the body")]
fn a_kind_does_not_take_a_body_apart() {
    let _harness = Harness::new(|app| {
        register_bodies(app);
        app.replicate_together::<(Health, Transform)>();
    });
}

#[test]
#[should_panic(expected = "is named twice")]
fn a_kind_names_everything_once() {
    let _harness = Harness::new(|app| {
        register(app);
        app.replicate_together::<(Health, Label, Health)>();
    });
}
