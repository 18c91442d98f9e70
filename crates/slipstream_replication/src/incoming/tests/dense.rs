//! Dense sections: what is read of them, and what is refused.

use bevy::prelude::*;
use proptest::prelude::*;
use slipstream_wire::dense::DenseBodyWriter;
use slipstream_wire::{BodyState, KinematicCodec};

use super::*;
use crate::body::KinematicBody;
use crate::dense::DenseRecord;

#[derive(Component)]
struct Velocity {
    linear: Vec3,
    angular: Vec3,
}

struct Rigid;

impl KinematicBody for Rigid {
    type Pose = Transform;
    type Motion = Velocity;

    fn body(pose: &Transform, motion: &Velocity) -> BodyState {
        BodyState {
            position: pose.translation.to_array(),
            rotation: pose.rotation.to_array(),
            linear: motion.linear.to_array(),
            angular: motion.angular.to_array(),
        }
    }

    fn pose(body: &BodyState) -> Transform {
        Transform::from_translation(body.position.into()).with_rotation(Quat::from_array(body.rotation))
    }

    fn motion(body: &BodyState) -> Velocity {
        Velocity { linear: body.linear.into(), angular: body.angular.into() }
    }
}

fn codec() -> KinematicCodec {
    KinematicCodec::new(-512.0..512.0, 0.001)
}

/// Lane 0 holds bodies, lane 1 the owner.
fn with_bodies() -> Registry {
    let registry = sealed(|app| {
        app.replicate::<OwnedBy>();
        app.replicate_body::<Rigid>(codec());
    });
    assert_eq!(registry.dense, [0]);
    registry
}

/// A body that flies along x.
fn flying(tick: u32) -> Version {
    let body = BodyState { position: [tick as f32 * 0.2, 1.0, -3.0], linear: [12.0, 0.0, 0.0], ..BodyState::default() };
    let mut words = vec![0];
    codec().quantize(&body, &mut words);
    words[0] = words.len() as u32;
    Version { tick: Tick(tick), words }
}

/// A slot, its value, and the baseline.
type Body<'a> = (u32, &'a Version, Option<&'a Version>);

impl Chunk<'_> {
    /// Ends the sections; `count` dense records follow.
    fn begin_dense(mut self, count: usize) -> Vec<u8> {
        if self.announces {
            self.writer.write_bool(false);
        }
        self.writer.write_bool(false);
        self.writer.write_bool(true);
        self.writer.write_bits(count as u64 - 1, COUNT_BITS);
        self.writer.to_bytes()
    }

    fn finish_densely(self, bodies: &[Body]) -> Vec<u8> {
        let (registry, now, codec) = (self.registry, self.now, codec());
        let mut stream = DenseBodyWriter::new();
        stream.begin(self.begin_dense(bodies.len()));
        let mut course = Course::default();
        for (slot, value, old) in bodies {
            let head = Head {
                value_age: age(now, value.tick),
                baseline_age: old.map_or(0, |old| age(value.tick, old.tick)),
                earlier_age: 0,
            };
            let record = DenseRecord {
                codec: &codec,
                ordinal: 0,
                lanes: registry.dense.len(),
                slot: *slot,
                head,
                value: &value.words,
                baseline: old.map(|old| Baseline::new(&old.words, head.baseline_age)),
            };
            record.write(&mut course, &mut stream);
        }
        stream.finish()
    }
}

/// The spawns of three bodies at tick 100.
fn spawns(registry: &Registry) -> Vec<u8> {
    let old = flying(100);
    let chunk = Chunk::new(registry, 100, true);
    let chunk = chunk.spawn(0, 0, 1, &[(0, &old, None)]).spawn(2, 0, 1, &[(0, &old, None)]);
    chunk.spawn(7, 3, 1, &[(0, &old, None)]).finish()
}

/// What a connection is told of them at tick 104: one moved on, one is as it was, one is told whole.
fn updates(registry: &Registry) -> Vec<u8> {
    let (old, new) = (flying(100), flying(104));
    let stays = Version { tick: Tick(103), words: old.words.clone() };
    let bodies = [(0, &new, Some(&old)), (2, &stays, Some(&old)), (7, &new, None)];
    Chunk::new(registry, 104, true).finish_densely(&bodies)
}

#[test]
fn bodies_are_read_as_they_were_written() {
    let registry = with_bodies();
    let mut incoming = Incoming::default();
    decode(&mut incoming, &spawns(&registry), &registry, &Speaker::Server).expect("spawns");
    let changes = decode(&mut incoming, &updates(&registry), &registry, &Speaker::Server).expect("updates");
    let lane = |slot, tick| Change::Lane { slot, epoch: 1, lane: 0, value: Tick(tick) };
    assert_eq!(changes, [lane(0, 104), lane(2, 103), lane(7, 104)]);
    let (old, new) = (flying(100).words, flying(104).words);
    assert_eq!(incoming.value(0, 0, Tick(104)), Some(&new[..]));
    assert_eq!(incoming.value(2, 0, Tick(103)), Some(&old[..]));
    assert_eq!(incoming.value(7, 0, Tick(104)), Some(&new[..]));
}

#[test]
fn a_dense_section_may_follow_ordinary_ones() {
    let registry = with_bodies();
    let mut incoming = Incoming::default();
    decode(&mut incoming, &spawns(&registry), &registry, &Speaker::Server).expect("spawns");
    let (old, new) = (flying(100), flying(104));
    let chunk = Chunk::new(&registry, 104, false).update(2, (0, &new, None));
    let chunk = chunk.finish_densely(&[(7, &new, Some(&old))]);
    let changes = decode(&mut incoming, &chunk, &registry, &Speaker::Server).expect("updates");
    assert_eq!(changes.len(), 2);
    assert_eq!(incoming.value(7, 0, Tick(104)), Some(&new.words[..]));
}

#[test]
fn a_body_may_be_none_any_more_and_one_again() {
    let registry = with_bodies();
    let mut incoming = Incoming::default();
    decode(&mut incoming, &spawns(&registry), &registry, &Speaker::Server).expect("spawns");
    let (old, back) = (flying(100), flying(108));
    let gone = Version { tick: Tick(104), words: vec![0] };
    for (tick, value, old) in [(104, &gone, &old), (108, &back, &gone)] {
        let chunk = Chunk::new(&registry, tick, true).finish_densely(&[(2, value, Some(old))]);
        decode(&mut incoming, &chunk, &registry, &Speaker::Server).expect("an update");
        assert_eq!(incoming.value(2, 0, Tick(tick)), Some(&value.words[..]));
    }
}

#[test]
fn what_no_server_says_is_refused() {
    let registry = with_bodies();
    let (old, new) = (flying(100), flying(104));
    let refused = |chunk: &[u8], registry: &Registry| {
        let mut incoming = Incoming::default();
        decode(&mut incoming, &spawns(registry), registry, &Speaker::Server).expect("spawns");
        decode(&mut incoming, chunk, registry, &Speaker::Server).expect_err("it must be refused")
    };
    let unknown = Chunk::new(&registry, 104, true).finish_densely(&[(3, &new, Some(&old))]);
    assert_eq!(refused(&unknown, &registry), RecordError::UnknownSlot { slot: 3 });
    let missing = Chunk::new(&registry, 104, true).finish_densely(&[(2, &new, Some(&flying(99)))]);
    assert_eq!(refused(&missing, &registry), RecordError::MissingBaseline { slot: 2, lane: 0 });
    let fewer = Chunk::new(&registry, 104, true).begin_dense(1000);
    refused(&fewer, &registry);
    let longer = [updates(&registry), vec![0x55; 64]].concat();
    refused(&longer, &registry);

    // Nothing here has a dense form.
    let others = two_lanes();
    let chunk = Chunk::new(&others, 104, true).begin_dense(1);
    let refused = decode(&mut Incoming::default(), &chunk, &others, &Speaker::Server);
    assert!(matches!(refused, Err(RecordError::Wire(WireError::ValueOutOfRange { .. }))), "{refused:?}");
}

#[test]
fn no_client_may_send_one() {
    let registry = with_bodies();
    let owner = World::new().spawn_empty().id();
    let mut slots = Slots::default();
    slots.entries.push(SlotEntry { entity: Some(owner), owner: Some(owner), ..default() });
    let chunk = Chunk::new(&registry, 104, true).finish_densely(&[(0, &flying(104), None)]);
    let refused =
        decode(&mut Incoming::default(), &chunk, &registry, &Speaker::Owner { connection: owner, slots: &slots });
    assert_eq!(refused, Err(RecordError::DenseFromClient));
}

#[test]
fn every_cut_is_survived() {
    let registry = with_bodies();
    let (spawns, chunk) = (spawns(&registry), updates(&registry));
    for length in 0..chunk.len() {
        decode_after(&registry, &spawns, &chunk[..length]);
    }
    // The tick, the two ends, the mark and the count: 46 bits, and nothing of the stream.
    let mut incoming = Incoming::default();
    decode(&mut incoming, &spawns, &registry, &Speaker::Server).expect("spawns");
    assert!(decode(&mut incoming, &chunk[..6], &registry, &Speaker::Server).is_err());
}

proptest! {
    #[test]
    fn random_streams_never_panic(
        count in 1..1024_usize,
        stream in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let registry = with_bodies();
        let chunk = [Chunk::new(&registry, 104, true).begin_dense(count), stream].concat();
        decode_after(&registry, &spawns(&registry), &chunk);
    }

    #[test]
    fn mutated_streams_never_panic(
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), 0..8_u32), 1..6),
    ) {
        let registry = with_bodies();
        let mut chunk = updates(&registry);
        for (byte, bit) in flips {
            let byte = byte.index(chunk.len());
            chunk[byte] ^= 1 << bit;
        }
        decode_after(&registry, &spawns(&registry), &chunk);
    }
}
