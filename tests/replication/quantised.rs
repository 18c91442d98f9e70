use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::replication::{Bits, CodedBy, FieldsCodec, Quantised, WordCoder};
use bevy_slipstream::testing::{Client, Harness};
use serde::{Deserialize, Serialize};

use crate::scene::{SETTLED, bad_line, line, stats};

#[derive(Component, NetworkCodec, Clone, PartialEq, Debug)]
struct Turret {
    #[net(range = -180.0..180.0, step = 0.1)]
    yaw: f32,
    #[net(bits = 8)]
    pitch: f32,
    #[net(range = -64.0..64.0, step = 0.01, steady)]
    muzzle: Vec3,
    #[net(bits = 10)]
    aim: Vec3,
    #[net(bits = 11)]
    mount: Quat,
    exact: f32,
    ammo: u16,
    loaded: bool,
    #[net(flags)]
    faults: u8,
    #[net(typical = 100)]
    score: i64,
    #[net(range = 0.0..1.0, step = 0.01)]
    heat: Vec<f32>,
    target: Option<Entity>,
    state: TurretState,
    label: String,
    #[net(serde)]
    paint: Paint,
    #[net(skip)]
    local: u32,
}

#[derive(NetworkCodec, Clone, PartialEq, Debug)]
enum TurretState {
    Idle,
    Firing { burst: u8, at: [u8; 2] },
    Broken(String),
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Paint {
    colour: (u8, u8, u8),
    name: String,
}

fn turret() -> Turret {
    Turret {
        yaw: 0.0,
        pitch: 0.0,
        muzzle: Vec3::ZERO,
        aim: Vec3::Z,
        mount: Quat::IDENTITY,
        exact: 0.0,
        ammo: 500,
        loaded: true,
        faults: 0,
        score: 0,
        heat: vec![0.0; 32],
        target: None,
        state: TurretState::Idle,
        label: "a turret of its own".to_owned(),
        paint: Paint { colour: (10, 20, 30), name: "grey".to_owned() },
        local: 0,
    }
}

/// What the turret is at a tick: all of it moves, by its own rhythm.
fn turret_at(tick: u16, target: Entity) -> Turret {
    let time = f32::from(tick) / 60.0;
    Turret {
        yaw: (time * 40.0).sin() * 179.97,
        pitch: time * 3.0,
        muzzle: Vec3::new(time, -time * 2.0, time.sin() * 63.0),
        aim: Vec3::new(time.cos(), 0.3, time.sin()).normalize(),
        mount: Quat::from_euler(EulerRot::YXZ, time, time * 0.3, -time),
        exact: time / 3.0,
        ammo: 500 - tick,
        loaded: tick.is_multiple_of(3),
        faults: (tick / 20) as u8,
        score: i64::from(tick) * 100 - 5_000,
        heat: (0..tick % 40).map(|barrel| f32::from((tick + barrel) % 90) / 91.0).collect(),
        target: (tick % 50 > 20).then_some(target),
        state: match tick / 30 % 3 {
            0 => TurretState::Idle,
            1 => TurretState::Firing { burst: (tick % 30) as u8, at: [1, (tick % 7) as u8] },
            _ => TurretState::Broken(format!("since {}", tick / 10)),
        },
        label: format!("turret number {} of many", tick / 4),
        paint: Paint { colour: (tick as u8, 2, 3), name: "p".repeat(usize::from(tick % 9)) },
        local: u32::from(tick),
    }
}

fn turrets(app: &mut App) {
    app.replicate_quantised::<Turret>();
}

fn one_turret() -> (Harness, Client, Entity) {
    let mut harness = Harness::new(turrets);
    let alice = harness.add_client(line(20));
    harness.connect();
    let entity = harness.server().world_mut().spawn((Replicated, turret())).id();
    harness.run_ticks(SETTLED);
    (harness, alice, entity)
}

fn change(harness: &mut Harness, entity: Entity, change: impl FnOnce(&mut Turret)) {
    let mut turret = harness.server().world_mut().get_mut::<Turret>(entity).expect("it has a turret");
    change(&mut turret);
}

/// Where a received turret is not what was sent, within what its codecs declare.
fn difference(seen: &Turret, sent: &Turret, target: Option<Entity>) -> Option<String> {
    let within = |error: f32, declared: Option<f32>| declared.is_some_and(|declared| error <= declared + 1e-5);
    let turn = |a: Quat, b: Quat| 2.0 * (a.inverse() * b).xyz().length().atan2((a.inverse() * b).w.abs());
    let angle = |a: Vec3, b: Vec3| a.cross(b).length().atan2(a.dot(b));
    let wrapped = |a: f32, b: f32| {
        let apart = (a - b).rem_euclid(core::f32::consts::TAU);
        apart.min(core::f32::consts::TAU - apart)
    };
    let far = |a: Vec3, b: Vec3| (a - b).abs().max_element();
    let heat = Quantised::new(0.0..1.0, 0.01).max_error();
    let checks = [
        ("yaw", within((seen.yaw - sent.yaw).abs(), Quantised::new(-180.0..180.0, 0.1).max_error())),
        ("pitch", within(wrapped(seen.pitch, sent.pitch), f32::coded_by(Bits(8)).max_error())),
        ("muzzle", within(far(seen.muzzle, sent.muzzle), Quantised::new(-64.0..64.0, 0.01).max_error())),
        ("aim", within(angle(seen.aim, sent.aim), Vec3::coded_by(Bits(10)).max_error())),
        ("mount", within(turn(seen.mount, sent.mount), Quat::coded_by(Bits(11)).max_error())),
        ("exact", seen.exact == sent.exact),
        ("ammo", seen.ammo == sent.ammo),
        ("loaded", seen.loaded == sent.loaded),
        ("faults", seen.faults == sent.faults),
        ("score", seen.score == sent.score),
        ("count of barrels", seen.heat.len() == sent.heat.len()),
        ("heat", seen.heat.iter().zip(&sent.heat).all(|(seen, sent)| within((seen - sent).abs(), heat))),
        ("target", seen.target == sent.target.and(target)),
        ("state", seen.state == sent.state),
        ("label", seen.label == sent.label),
        ("paint", seen.paint == sent.paint),
        ("local", seen.local == 0),
    ];
    checks.iter().find(|(_, holds)| !holds).map(|(name, _)| format!("{name}: {seen:?} instead of {sent:?}"))
}

#[test]
fn every_kind_of_field_arrives_within_its_error_whatever_was_lost() {
    for seed in 1..=3 {
        let mut harness = Harness::new(turrets);
        harness.set_seed(seed);
        let alice = harness.add_client(bad_line());
        harness.connect();
        let world = harness.server().world_mut();
        let target = world.spawn((Replicated, turret())).id();
        let entity = world.spawn((Replicated, turret())).id();
        let announced = harness.run_until(600, |harness| harness.remote_entity(alice, target).is_some());
        assert!(announced, "the target never arrived (seed {seed})");
        let remote_target = harness.remote_entity(alice, target);

        let mut seen_ticks = 0;
        for tick in 1..=240 {
            harness.server().world_mut().entity_mut(entity).insert(turret_at(tick, target));
            harness.run_ticks(1);
            // The ammunition says of which tick a turret is: nothing of it may be of another.
            let Some(seen) = harness.remote::<Turret>(alice, entity) else { continue };
            if seen.ammo < 500 {
                seen_ticks += 1;
                let wrong = difference(seen, &turret_at(500 - seen.ammo, target), remote_target);
                assert_eq!(wrong, None, "at tick {tick} (seed {seed})");
            }
        }
        assert!(seen_ticks > 150, "only {seen_ticks} ticks showed a turret (seed {seed})");
        let last = turret_at(240, target);
        let arrived = harness.run_until(600, |harness| {
            let seen = harness.remote::<Turret>(alice, entity);
            seen.is_some_and(|seen| difference(seen, &last, remote_target).is_none())
        });
        assert!(arrived, "the last turret never arrived (seed {seed})");
        assert_eq!(stats(&mut harness, alice).resets, 0);
    }
}

#[test]
fn what_is_the_same_after_quantising_costs_nothing() {
    let (mut harness, alice, entity) = one_turret();
    let before = stats(&mut harness, alice);
    for tick in 1..=60_u16 {
        change(&mut harness, entity, |turret| {
            turret.yaw = if tick % 2 == 0 { 0.03 } else { -0.03 };
            turret.muzzle.x = 0.004;
            turret.local = u32::from(tick);
        });
        harness.run_ticks(1);
    }
    let after = stats(&mut harness, alice);
    assert_eq!((after.records, after.bytes), (before.records, before.bytes));
}

/// Bytes of replication for one change, after everything has settled.
fn bytes_of(harness: &mut Harness, alice: Client, entity: Entity, make: impl FnOnce(&mut Turret)) -> u64 {
    let before = stats(harness, alice).bytes;
    change(harness, entity, make);
    harness.run_ticks(SETTLED);
    stats(harness, alice).bytes - before
}

#[test]
fn what_changed_is_sent_and_what_did_not_costs_a_bit() {
    let (mut harness, alice, entity) = one_turret();
    let whole = stats(&mut harness, alice).bytes;
    let ammo = bytes_of(&mut harness, alice, entity, |turret| turret.ammo -= 1);
    let label = bytes_of(&mut harness, alice, entity, |turret| turret.label = "a turret of my own".to_owned());
    let state = bytes_of(&mut harness, alice, entity, |turret| turret.state = TurretState::Broken(String::new()));
    assert!(whole > 80, "{whole} bytes for all of it: the test does not test what it says");
    // A chunk's and a record's head, 15 fields, and the change itself.
    assert!(ammo <= 16, "{ammo} bytes for a shot");
    assert!(label <= 20, "{label} bytes for two letters");
    assert!(state <= 17, "{state} bytes for another state");
}

#[test]
fn an_element_of_a_list_is_sent_alone() {
    let (mut harness, alice, entity) = one_turret();
    let one = bytes_of(&mut harness, alice, entity, |turret| turret.heat[20] = 0.5);
    let pushed = bytes_of(&mut harness, alice, entity, |turret| turret.heat.push(0.7));
    let all = bytes_of(&mut harness, alice, entity, |turret| turret.heat.iter_mut().for_each(|heat| *heat = 0.9));
    assert!(one <= 18, "{one} bytes for one of 32 elements");
    assert!(pushed <= 18, "{pushed} bytes for one more element");
    assert!(all > 30, "{all} bytes for all elements: the test does not test what it says");
    let seen = harness.remote::<Turret>(alice, entity).expect("it has arrived");
    assert_eq!((seen.heat.len(), seen.heat[20]), (33, 0.9));
}

/// Not ours to derive on.
#[derive(Component, Default, Clone, PartialEq, Debug)]
struct Velocity {
    linear: Vec3,
    asleep: bool,
}

#[test]
fn a_type_of_others_is_put_together_by_hand() {
    let codec = || Quantised::new(-100.0..100.0, 1.0 / 64.0);
    let mut harness = Harness::new(move |app: &mut App| {
        let fields = FieldsCodec::<Velocity>::new()
            .field("linear", |it| &it.linear, |it| &mut it.linear, Vec3::coded_by(codec()))
            .field("asleep", |it| &it.asleep, |it| &mut it.asleep, bool::codec());
        app.replicate_with(fields.build());
    });
    let alice = harness.add_client(line(20));
    harness.connect();
    let sent = Velocity { linear: Vec3::new(1.003, -99.0, 0.0), asleep: true };
    let entity = harness.server().world_mut().spawn((Replicated, sent.clone())).id();
    harness.run_ticks(SETTLED);
    let seen = harness.remote::<Velocity>(alice, entity).expect("it has arrived");
    assert!(Some((seen.linear - sent.linear).abs().max_element()) <= codec().max_error());
    assert!(seen.asleep);
}

#[derive(Component, Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Position(Vec2);

#[test]
fn a_serde_component_travels_in_steps() {
    let mut harness = Harness::new(|app: &mut App| {
        app.replicate::<Position>().step(0.01);
    });
    let alice = harness.add_client(line(20));
    harness.connect();
    let entity = harness.server().world_mut().spawn((Replicated, Position(Vec2::ZERO))).id();
    let mut sent = Vec2::ZERO;
    for _ in 0..120 {
        sent += Vec2::new(0.1337, -0.02);
        harness.server().world_mut().entity_mut(entity).insert(Position(sent));
        harness.run_ticks(1);
    }
    harness.run_ticks(SETTLED);
    let seen = harness.remote::<Position>(alice, entity).expect("it has arrived").0;
    assert!((seen - sent).abs().max_element() <= 0.0051, "{seen} instead of {sent}");

    let before = stats(&mut harness, alice).records;
    harness.server().world_mut().entity_mut(entity).insert(Position(seen + Vec2::splat(0.003)));
    harness.run_ticks(SETTLED);
    assert_eq!(stats(&mut harness, alice).records, before, "less than half a step is no change");
}
