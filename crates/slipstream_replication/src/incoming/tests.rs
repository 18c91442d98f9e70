mod dense;

use bevy::prelude::*;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use slipstream_wire::BitWriter;

use super::*;
use crate::codec::TransformCodec;
use crate::record::{age, write_body, write_tick};
use crate::registration::{AppReplicateExt, replicate_stable_ids};
use crate::replicated::OwnedBy;
use crate::slots::SlotEntry;

// Lanes are sorted by name: `Health` comes before `OwnedBy`, `Transform` before both.
#[derive(Component, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Health(u32);

fn sealed(register: impl FnOnce(&mut App)) -> Registry {
    let mut app = App::new();
    register(&mut app);
    let mut registry = app.world_mut().remove_resource::<Registry>().expect("something was registered");
    registry.seal();
    registry
}

/// Two lanes: `Health` is 0, `OwnedBy` is 1.
fn two_lanes() -> Registry {
    sealed(|app| {
        app.replicate::<OwnedBy>();
        app.replicate::<Health>();
    })
}

/// The lanes of a program that replicates one component: `Health` is 0, `OwnedBy` is 1, `StableId` is 2.
fn three_lanes() -> Registry {
    sealed(|app| {
        app.replicate::<OwnedBy>();
        app.replicate::<Health>();
        replicate_stable_ids(app);
    })
}

/// A lane's value at the tick at which it took it.
struct Version {
    tick: Tick,
    words: Vec<u32>,
}

/// The value of a lane of one component of one byte.
fn version(tick: u32, byte: u8) -> Version {
    // Present, in two words: the length in bytes, and the byte.
    Version { tick: Tick(tick), words: vec![3, 1, u32::from(byte)] }
}

/// Writes a chunk as a sender does: announcements, then updates, each in a section of its own.
struct Chunk<'a> {
    registry: &'a Registry,
    writer: BitWriter,
    now: Tick,
    next_slot: u32,
    announces: bool,
    /// Where an owner speaks.
    term: Option<u8>,
}

/// A lane, its value, and the baseline.
type Record<'a> = (usize, &'a Version, Option<&'a Version>);

impl<'a> Chunk<'a> {
    fn new(registry: &'a Registry, now: u32, long: bool) -> Self {
        let mut writer = BitWriter::new();
        write_tick(Tick(now), long, &mut writer);
        Self { registry, writer, now: Tick(now), next_slot: 0, announces: true, term: None }
    }

    fn in_term(self, term: u8) -> Self {
        Self { term: Some(term), ..self }
    }

    fn announcement(&mut self, slot: u32, spawn: bool) {
        self.writer.write_bool(true);
        self.writer.write_exp_golomb(u64::from(slot - self.next_slot), ANNOUNCED_GAP_K);
        self.writer.write_bool(spawn);
        self.next_slot = slot + 1;
    }

    fn head(&mut self, value: &Version, baseline: Option<&Version>) {
        let head = Head {
            value_age: age(self.now, value.tick),
            baseline_age: baseline.map_or(0, |baseline| age(value.tick, baseline.tick)),
            earlier_age: 0,
        };
        head.write(false, &mut self.writer);
    }

    fn body(&mut self, (lane, value, baseline): Record) {
        let baseline = baseline.map(|old| Baseline::new(&old.words, age(value.tick, old.tick)));
        write_body(self.registry, &self.registry.lanes[lane], &value.words, baseline, &mut self.writer);
    }

    fn spawn(mut self, slot: u32, generation: u32, epoch: u8, records: &[Record]) -> Self {
        self.announcement(slot, true);
        self.writer.write_exp_golomb(u64::from(generation), GENERATION_K);
        self.writer.write_bits(u64::from(epoch), EPOCH_BITS);
        for index in 0..self.registry.lanes.len() {
            let record = records.iter().find(|(lane, ..)| *lane == index);
            self.writer.write_bool(record.is_some());
            if let Some(record) = record {
                self.head(record.1, record.2);
                self.body(*record);
            }
        }
        self
    }

    fn update(mut self, slot: u32, record: Record) -> Self {
        if core::mem::take(&mut self.announces) {
            self.writer.write_bool(false);
        }
        self.writer.write_bool(true);
        self.writer.write_bits(record.0 as u64, lane_bits(self.registry.lanes.len()));
        self.writer.write_bits(0, COUNT_BITS);
        self.writer.write_exp_golomb(u64::from(slot), GAP_K);
        if let Some(term) = self.term {
            self.writer.write_bits(u64::from(term), TERM_BITS);
        }
        self.writer.write_bool(false);
        self.head(record.1, record.2);
        self.body(record);
        self
    }

    fn despawn(mut self, slot: u32) -> Self {
        self.announcement(slot, false);
        self.writer.write_bool(false);
        self
    }

    fn finish(mut self) -> Vec<u8> {
        if self.announces {
            self.writer.write_bool(false);
        }
        self.writer.write_bool(false);
        self.writer.to_bytes()
    }
}

fn decode(
    incoming: &mut Incoming,
    bytes: &[u8],
    registry: &Registry,
    speaker: &Speaker,
) -> Result<Vec<Change>, RecordError> {
    let mut changes = Vec::new();
    incoming.decode(bytes, registry, speaker, &mut changes)?;
    Ok(changes)
}

fn health(incoming: &mut Incoming, changes: &[Change]) -> Vec<(u32, Tick, u32)> {
    let lanes = changes.iter().filter_map(|change| match change {
        Change::Lane { slot, epoch, lane: 0, value } => {
            incoming.incarnation(*slot, *epoch)?;
            let words = incoming.lanes[0].at(incoming.heard.get(*slot)?, *value)?;
            Some((*slot, *value, words.last().copied()?))
        }
        _ => None,
    });
    lanes.collect()
}

/// The worked example of docs/wire-format.md.
#[test]
fn the_worked_example_is_what_is_written_and_read() {
    let registry = three_lanes();
    let (seven, eight) = (version(256, 7), version(260, 8));
    let spawn = Chunk::new(&registry, 258, true).spawn(5, 0, 1, &[(0, &seven, None)]).finish();
    assert_eq!(spawn, [0x05, 0x02, 0x00, 0x00, 0xee, 0x01, 0x6d, 0xc0, 0x01, 0x00]);
    let update = Chunk::new(&registry, 260, false).update(5, (0, &eight, Some(&seven))).finish();
    assert_eq!(update, [0x08, 0x02, 0x04, 0x00, 0xea, 0x0f, 0x40, 0x00]);

    let mut incoming = Incoming::default();
    let changes = decode(&mut incoming, &spawn, &registry, &Speaker::Server).expect("a spawn");
    assert_eq!(changes[0], Change::Appear { slot: 5, epoch: 1 });
    assert_eq!(health(&mut incoming, &changes), [(5, Tick(256), 7)]);
    let changes = decode(&mut incoming, &update, &registry, &Speaker::Server).expect("an update");
    assert_eq!(health(&mut incoming, &changes), [(5, Tick(260), 8)]);
    assert_eq!(incoming.newest_tick, Some(Tick(260)));
}

#[test]
fn a_difference_from_what_never_came_is_refused() {
    let registry = two_lanes();
    let (seven, eight) = (version(10, 7), version(20, 8));
    let mut incoming = Incoming::default();
    let spawn = Chunk::new(&registry, 12, true).spawn(0, 0, 1, &[]).finish();
    decode(&mut incoming, &spawn, &registry, &Speaker::Server).expect("a spawn");
    let update = Chunk::new(&registry, 20, true).update(0, (0, &eight, Some(&seven))).finish();
    let refused = decode(&mut incoming, &update, &registry, &Speaker::Server);
    assert_eq!(refused, Err(RecordError::MissingBaseline { slot: 0, lane: 0 }));
    let update = Chunk::new(&registry, 21, true).update(3, (0, &eight, None)).finish();
    let refused = decode(&mut incoming, &update, &registry, &Speaker::Server);
    assert_eq!(refused, Err(RecordError::UnknownSlot { slot: 3 }));
}

#[test]
fn a_short_tick_needs_a_long_one_before_it() {
    let registry = two_lanes();
    let mut incoming = Incoming::default();
    let short = Chunk::new(&registry, 70_000, false).finish();
    assert!(matches!(decode(&mut incoming, &short, &registry, &Speaker::Server), Err(RecordError::Wire(_))));
    let long = Chunk::new(&registry, 69_990, true).finish();
    decode(&mut incoming, &long, &registry, &Speaker::Server).expect("a long tick");
    decode(&mut incoming, &short, &registry, &Speaker::Server).expect("a short tick");
    assert_eq!(incoming.newest_tick, Some(Tick(70_000)));
    // One that was overtaken, from before the low bits wrapped.
    let late = Chunk::new(&registry, 65_500, false).finish();
    decode(&mut incoming, &late, &registry, &Speaker::Server).expect("a late tick");
    assert_eq!(incoming.newest_tick, Some(Tick(70_000)));
}

#[test]
fn a_spawn_that_its_despawn_overtook_is_old_news() {
    let registry = two_lanes();
    let seven = version(10, 7);
    let mut incoming = Incoming::default();
    let despawn = Chunk::new(&registry, 12, true).despawn(4).finish();
    let changes = decode(&mut incoming, &despawn, &registry, &Speaker::Server).expect("a despawn");
    assert_eq!(changes, [Change::Vanish { slot: 4, at: Tick(12), freezes: false }]);
    let spawn = Chunk::new(&registry, 10, true).spawn(4, 0, 1, &[(0, &seven, None)]).finish();
    decode(&mut incoming, &spawn, &registry, &Speaker::Server).expect("a late spawn");
    assert!(!incoming.is_current(4, 1), "it must not appear");
    // A copy that comes later still is no better.
    decode(&mut incoming, &spawn, &registry, &Speaker::Server).expect("a copy");
    assert!(!incoming.is_current(4, 1));
    // The next one to use the slot is another matter.
    let spawn = Chunk::new(&registry, 15, true).spawn(4, 1, 2, &[(0, &seven, None)]).finish();
    decode(&mut incoming, &spawn, &registry, &Speaker::Server).expect("a new spawn");
    assert!(incoming.is_current(4, 2));
}

#[test]
fn a_copy_of_a_spawn_after_its_despawn_is_old_news() {
    let registry = two_lanes();
    let mut incoming = Incoming::default();
    for chunk in [
        Chunk::new(&registry, 10, true).spawn(4, 0, 1, &[]),
        Chunk::new(&registry, 14, true).despawn(4),
        Chunk::new(&registry, 11, true).spawn(4, 0, 1, &[]),
    ] {
        decode(&mut incoming, &chunk.finish(), &registry, &Speaker::Server).expect("a chunk");
    }
    assert!(!incoming.is_current(4, 1), "it must not appear again");
}

#[test]
fn a_late_despawn_does_not_take_the_next_entity_in_the_slot() {
    let registry = two_lanes();
    let mut incoming = Incoming::default();
    let mut world = World::new();
    let spawn = Chunk::new(&registry, 20, true).spawn(4, 1, 2, &[]).finish();
    decode(&mut incoming, &spawn, &registry, &Speaker::Server).expect("a spawn");
    let entity = world.spawn_empty().id();
    incoming.incarnation(4, 2).expect("it was announced").entity = Some(entity);
    assert_eq!(incoming.take_vanished(4, Tick(19)), None);
    assert_eq!(incoming.take_vanished(4, Tick(20)), Some((NetworkId { slot: 4, generation: 1 }, entity)));
}

#[test]
fn what_was_said_to_freeze_since_everything_was_asked_for_is_not_old() {
    let registry = two_lanes();
    let mut incoming = Incoming::default();
    let spawns = Chunk::new(&registry, 10, true).spawn(2, 0, 1, &[]).spawn(4, 0, 1, &[]).finish();
    decode(&mut incoming, &spawns, &registry, &Speaker::Server).expect("spawns");
    let mut world = World::new();
    for slot in [2, 4] {
        incoming.incarnation(slot, 1).expect("it was announced").entity = Some(world.spawn_empty().id());
    }
    let frozen = Chunk::new(&registry, 25, true).despawn(4).finish();
    decode(&mut incoming, &frozen, &registry, &Speaker::Server).expect("an announcement");
    assert_eq!(incoming.announced_until(Tick(20)), [2]);
}

#[test]
fn no_incarnation_with_an_entity_is_dropped_for_want_of_room() {
    let registry = two_lanes();
    let mut incoming = Incoming::default();
    let entity = World::new().spawn_empty().id();
    for epoch in 1..=20 {
        let spawn = Chunk::new(&registry, 10 * u32::from(epoch), true).spawn(0, 0, epoch, &[]).finish();
        decode(&mut incoming, &spawn, &registry, &Speaker::Server).expect("a spawn");
        if epoch == 1 {
            incoming.incarnation(0, 1).expect("it was announced").entity = Some(entity);
        }
    }
    assert_eq!(incoming.entities().collect::<Vec<_>>(), [entity]);
    assert!(incoming.take_earlier(0, 20).is_some_and(|(earlier, _)| earlier == entity));
}

/// A registry whose lane 0 is the owner's to tell, and the slots of a world where `owner` owns slot 0.
fn told_by(owner: Option<Entity>) -> (Registry, Slots) {
    let registry = sealed(|app| {
        app.replicate::<OwnedBy>();
        app.replicate::<Health>().from_owner();
    });
    let mut slots = Slots::default();
    let entity = World::new().spawn_empty().id();
    slots.entries.push(SlotEntry { entity: Some(entity), owner, ..default() });
    (registry, slots)
}

#[test]
fn a_client_may_tell_only_what_it_owns() {
    let mut world = World::new();
    let (alice, bob) = (world.spawn_empty().id(), world.spawn_empty().id());
    let (registry, slots) = told_by(Some(alice));
    let seven = version(10, 7);
    let update = Chunk::new(&registry, 10, true).in_term(0).update(0, (0, &seven, None)).finish();
    let from = |connection| Speaker::Owner { connection, slots: &slots };

    let mut incoming = Incoming::default();
    let heeded = decode(&mut incoming, &update, &registry, &from(alice)).expect("the owner may");
    assert_eq!(health(&mut incoming, &heeded), [(0, Tick(10), 7)]);
    let refused = decode(&mut Incoming::default(), &update, &registry, &from(bob));
    assert_eq!(refused, Err(RecordError::NotAuthorised { slot: 0, lane: 0 }));

    let foreign_lane = Chunk::new(&registry, 10, true).in_term(0).update(0, (1, &seven, None)).finish();
    let refused = decode(&mut Incoming::default(), &foreign_lane, &registry, &from(alice));
    assert_eq!(refused, Err(RecordError::NotAuthorised { slot: 0, lane: 1 }));

    for chunk in [Chunk::new(&registry, 10, true).despawn(0), Chunk::new(&registry, 10, true).spawn(0, 0, 0, &[])] {
        let refused = decode(&mut Incoming::default(), &chunk.finish(), &registry, &from(alice));
        assert_eq!(refused, Err(RecordError::NotAuthorised { slot: 0, lane: 0 }));
    }

    let nowhere = Chunk::new(&registry, 10, true).in_term(0).update(9, (0, &seven, None)).finish();
    let refused = decode(&mut Incoming::default(), &nowhere, &registry, &from(alice));
    assert_eq!(refused, Err(RecordError::UnknownSlot { slot: 9 }));
}

#[test]
fn late_words_of_a_former_owner_are_read_and_not_heeded() {
    let mut world = World::new();
    let (alice, bob) = (world.spawn_empty().id(), world.spawn_empty().id());
    let (registry, mut slots) = told_by(Some(alice));
    let (seven, eight) = (version(10, 7), version(11, 8));
    let mut incoming = Incoming::default();
    let first = Chunk::new(&registry, 10, true).in_term(0).update(0, (0, &seven, None)).finish();
    let late = Chunk::new(&registry, 11, true).in_term(0).update(0, (0, &eight, Some(&seven))).finish();
    decode(&mut incoming, &first, &registry, &Speaker::Owner { connection: alice, slots: &slots })
        .expect("the owner may");
    slots.entries[0].owner = Some(bob);
    let changes = decode(&mut incoming, &late, &registry, &Speaker::Owner { connection: alice, slots: &slots });
    assert_eq!(changes, Ok(Vec::new()));
}

#[test]
fn words_of_an_earlier_term_do_not_count_in_a_later_one() {
    let mut world = World::new();
    let alice = world.spawn_empty().id();
    let (registry, mut slots) = told_by(Some(alice));
    let (seven, eight) = (version(10, 7), version(11, 8));
    let mut incoming = Incoming::default();
    let say = |tick, term, value| Chunk::new(&registry, tick, true).in_term(term).update(0, (0, value, None)).finish();
    let first = say(10, 0, &seven);
    decode(&mut incoming, &first, &registry, &Speaker::Owner { connection: alice, slots: &slots }).expect("heeded");
    slots.entries[0].term = 2;
    let late = say(11, 0, &eight);
    let changes = decode(&mut incoming, &late, &registry, &Speaker::Owner { connection: alice, slots: &slots });
    assert_eq!(changes, Ok(Vec::new()));
    let anew = say(12, 2, &eight);
    let changes = decode(&mut incoming, &anew, &registry, &Speaker::Owner { connection: alice, slots: &slots });
    assert_eq!(changes.map(|changes| changes.len()), Ok(1));
}

#[test]
fn the_first_words_of_who_was_owner_may_come_late() {
    let mut world = World::new();
    let (alice, bob) = (world.spawn_empty().id(), world.spawn_empty().id());
    let (registry, slots) = told_by(Some(bob));
    let seven = version(10, 7);
    let mut incoming = Incoming::default();
    incoming.granted.insert(0);
    let late = Chunk::new(&registry, 10, true).in_term(5).update(0, (0, &seven, None)).finish();
    let changes = decode(&mut incoming, &late, &registry, &Speaker::Owner { connection: alice, slots: &slots });
    assert_eq!(changes, Ok(Vec::new()));
}

/// All kinds of codecs, and a connection that knows two entities of every lane.
fn furnished() -> (Registry, Vec<u8>) {
    let registry = sealed(|app| {
        app.replicate::<OwnedBy>();
        app.replicate::<Health>();
        app.replicate_transform(TransformCodec::default());
        app.replicate_relationship::<ChildOf>();
    });
    let mut values = Vec::new();
    for (index, lane) in registry.lanes.iter().enumerate() {
        let component = &registry.components[lane.components[0]].name;
        let words: &[u32] = if component.ends_with("Transform") {
            &[8, 5, 2_048_000, 4_096_000, 3, 1023, 1023, 1023]
        } else if component.ends_with("ChildOf") {
            &[3, 0, 0]
        } else {
            &[3, 1, 7]
        };
        values.push((index, Version { tick: Tick(100), words: words.to_vec() }));
    }
    let records: Vec<Record> = values.iter().map(|(lane, value)| (*lane, value, None)).collect();
    let chunk = Chunk::new(&registry, 101, true).spawn(0, 0, 1, &records).spawn(2, 3, 9, &records).despawn(7);
    let chunk = values.iter().fold(chunk, |chunk, (lane, value)| chunk.update(2, (*lane, value, None))).finish();
    (registry, chunk)
}

/// Any error is fine; a panic, a hang or a flood of memory is not.
fn decode_after(registry: &Registry, valid: &[u8], hostile: &[u8]) {
    let owner = World::new().spawn_empty().id();
    let mut slots = Slots::default();
    slots.entries.push(SlotEntry { entity: Some(owner), owner: Some(owner), ..default() });
    for speaker in [Speaker::Server, Speaker::Owner { connection: owner, slots: &slots }] {
        let mut incoming = Incoming::default();
        let _ = decode(&mut incoming, valid, registry, &speaker);
        let _ = decode(&mut incoming, hostile, registry, &speaker);
        let _ = decode(&mut incoming, hostile, registry, &speaker);
    }
}

#[test]
fn every_truncated_chunk_is_refused() {
    let (registry, chunk) = furnished();
    let decoded = |bytes: &[u8]| decode(&mut Incoming::default(), bytes, &registry, &Speaker::Server);
    assert!(decoded(&chunk).is_ok());
    for length in 0..chunk.len() - 1 {
        assert!(decoded(&chunk[..length]).is_err(), "{length} of {} bytes", chunk.len());
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let (registry, valid) = furnished();
        decode_after(&registry, &valid, &bytes);
    }

    #[test]
    fn mutated_chunks_never_panic(
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), 0..8_u32), 1..12),
        cut in any::<proptest::sample::Index>(),
    ) {
        let (registry, valid) = furnished();
        let mut hostile = valid.clone();
        for (byte, bit) in flips {
            let byte = byte.index(hostile.len());
            hostile[byte] ^= 1 << bit;
        }
        decode_after(&registry, &valid, &hostile);
        hostile.truncate(cut.index(hostile.len()));
        decode_after(&registry, &valid, &hostile);
    }
}
