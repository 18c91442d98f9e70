//! What `#[derive(NetworkCodec)]` writes down does what it says.

use bevy::prelude::*;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use slipstream_connection::{EntityMap, NetworkId};
use slipstream_replication::{
    ByField, Codec, FieldCodec, NameEntities, NetworkCodec, Quantised, ResolveEntities, TextCodec, WordCoder,
};
use slipstream_wire::{Baseline, BitReader, BitWriter};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Label(String);

const FINE: f32 = 0.01;

/// Every attribute, and most of what travels by itself.
#[derive(NetworkCodec, Debug, Clone, PartialEq)]
#[net(crate = slipstream_replication)]
struct Turret {
    #[net(range = -180.0..180.0, step = 0.1, typical = 1.5)]
    yaw: f32,
    #[net(bits = 8)]
    pitch: f32,
    #[net(range = -100.0..100.0, step = FINE, steady)]
    at: Vec3,
    #[net(bits = 12)]
    up: Vec3,
    #[net(bits = 11)]
    turned: Quat,
    #[net(range = 0.0..10.0, step = 0.5)]
    path: Vec<Vec2>,
    ammo: u16,
    #[net(typical = 100)]
    score: Option<i64>,
    #[net(flags)]
    flags: u32,
    r#type: String,
    #[net(serde)]
    name: Label,
    #[net(codec = TextCodec)]
    note: String,
    barrels: [Barrel; 2],
    aims: Entity,
    #[net(skip)]
    local: f32,
}

#[derive(NetworkCodec, Debug, Clone, Copy, PartialEq)]
#[net(crate = "slipstream_replication")]
enum Barrel {
    Cold,
    Firing {
        #[net(range = 0.0..1.0, step = 0.01)]
        heat: f32,
        #[net(skip)]
        sound: u8,
        loud: bool,
    },
    Worn(u8, f64),
}

#[derive(NetworkCodec, Debug, Clone, Copy, PartialEq)]
#[net(crate = slipstream_replication)]
enum Mood {
    Calm,
    Alert,
    Angry,
}

#[derive(NetworkCodec, Debug, Clone, Copy, PartialEq)]
#[net(crate = slipstream_replication)]
struct Marker;

#[derive(NetworkCodec, Debug, Clone, Copy, PartialEq)]
#[net(crate = slipstream_replication)]
struct Pair(u8, #[net(bits = 10)] f32);

fn barrels() -> impl Strategy<Value = Barrel> {
    prop_oneof![
        Just(Barrel::Cold),
        (0.0_f32..1.0, any::<u8>(), any::<bool>()).prop_map(|(heat, sound, loud)| Barrel::Firing { heat, sound, loud }),
        (any::<u8>(), -9.0_f64..9.0).prop_map(|(wear, since)| Barrel::Worn(wear, since)),
    ]
}

fn axes(limit: f32) -> impl Strategy<Value = Vec3> {
    [-limit..limit, -limit..limit, -limit..limit].prop_map(Vec3::from_array)
}

fn turrets() -> impl Strategy<Value = Turret> {
    let angles = (-180.0_f32..180.0, -3.0_f32..3.0);
    let path = proptest::collection::vec([0.0_f32..10.0, 0.0_f32..10.0].prop_map(Vec2::from_array), 0..5);
    let texts = (".{0,5}", ".{0,5}", ".{0,5}");
    let numbers = (any::<u16>(), any::<Option<i64>>(), any::<u32>(), any::<f32>());
    (angles, axes(100.0), axes(1.0), path, texts, numbers, [barrels(), barrels()]).prop_map(
        |((yaw, pitch), at, up, path, (kind, name, note), (ammo, score, flags, local), barrels)| Turret {
            yaw,
            pitch,
            at,
            up,
            turned: Quat::from_scaled_axis(up),
            path,
            ammo,
            score,
            flags,
            r#type: kind,
            name: Label(name),
            note,
            barrels,
            aims: Entity::PLACEHOLDER,
            local,
        },
    )
}

fn words_of<T: NetworkCodec>(value: &T) -> Vec<u32> {
    let mut words = Vec::new();
    T::codec().quantize(value, &mut NameEntities::new(&EntityMap::default()), &mut words).expect("it quantises");
    words
}

fn value_of<T: NetworkCodec>(words: &[u32]) -> T {
    let map = EntityMap::default();
    T::codec().dequantize(words, &mut ResolveEntities::new(&map)).expect("words of a value")
}

fn encode<T: NetworkCodec>(baseline: Option<&[u32]>, words: &[u32]) -> BitWriter {
    let mut writer = BitWriter::new();
    T::codec().write(baseline.map(|words| Baseline::new(words, 1)), words, &mut writer);
    writer
}

fn bits_of<T: NetworkCodec>(from: &T, to: &T) -> usize {
    encode::<T>(Some(&words_of(from)), &words_of(to)).bit_len()
}

fn assert_survives<T: NetworkCodec>(from: &T, to: &T) {
    let (from, to) = (words_of(from), words_of(to));
    for baseline in [None, Some(from.as_slice()), Some(to.as_slice())] {
        let writer = encode::<T>(baseline, &to);
        let bytes = writer.to_bytes();
        let (mut reader, mut read) = (BitReader::new(&bytes), Vec::new());
        let baseline = baseline.map(|words| Baseline::new(words, 1));
        T::codec().read(baseline, &mut reader, &mut read).expect("what was just written");
        assert_eq!((&read, reader.position()), (&to, writer.bit_len()));
    }
    assert_eq!(words_of(&value_of::<T>(&to)), to);
    assert_eq!(T::codec().length(&to), to.len());
}

proptest! {
    #[test]
    fn a_struct_survives(from in turrets(), to in turrets()) {
        assert_survives(&from, &to);
    }

    #[test]
    fn an_enum_survives(from in barrels(), to in barrels()) {
        assert_survives(&from, &to);
    }

    #[test]
    fn each_field_stays_within_its_error(turret in turrets()) {
        let seen: Turret = value_of(&words_of(&turret));
        let yaw = Quantised::new(-180.0..180.0, 0.1);
        let at = Quantised::new(-100.0..100.0, FINE);
        prop_assert!(Some((seen.yaw - turret.yaw).abs()) <= yaw.max_error());
        prop_assert!(Some((seen.at - turret.at).abs().max_element()) <= at.max_error());
        prop_assert!((seen.pitch - turret.pitch).abs() <= core::f32::consts::PI / 256.0 + 1e-5);
        prop_assert_eq!(seen.path.len(), turret.path.len());
        prop_assert_eq!((seen.ammo, seen.score, seen.flags), (turret.ammo, turret.score, turret.flags));
        prop_assert_eq!((seen.r#type, seen.name, seen.note), (turret.r#type, turret.name, turret.note));
        prop_assert_eq!(seen.local, 0.0, "what is skipped is its default");
    }

    /// A peer may send any bits: what is taken from them must survive a relay.
    #[test]
    fn whatever_is_read_does_not_drift(
        from in turrets(),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        against in any::<bool>(),
    ) {
        let from = words_of(&from);
        let baseline = against.then(|| Baseline::new(&from, 1));
        let mut words = Vec::new();
        if Turret::codec().read(baseline, &mut BitReader::new(&bytes), &mut words).is_ok() {
            let map = EntityMap::default();
            // Bytes that bincode refuses are refused only here.
            let Ok(turret) = Turret::codec().dequantize(&words, &mut ResolveEntities::new(&map)) else { return Ok(()) };
            // An entity that is not here becomes the placeholder, and that is no drift of the rest.
            let mut again = words_of(&turret);
            let aims = words.len() - usize::from(words.len() > again.len());
            words.truncate(aims);
            if let (Some(left), Some(right)) = (words.last_mut(), again.last_mut()) {
                (*left, *right) = (0, 0);
            }
            prop_assert_eq!(again, words);
        }
    }

    #[test]
    fn any_words_are_borne(words in proptest::collection::vec(prop_oneof![0_u32..4, any::<u32>()], 0..60)) {
        let map = EntityMap::default();
        let _ = ByField(Turret::codec()).dequantize(&words, &mut ResolveEntities::new(&map));
        let _ = ByField(Barrel::codec()).dequantize(&words, &mut ResolveEntities::new(&map));
        let baseline = Some(Baseline { words: &words, age: 2, earlier: Some((words.as_slice(), 3)) });
        let _ = Turret::codec().read(baseline, &mut BitReader::new(&[0xa5; 200]), &mut Vec::new());
    }
}

fn turret() -> Turret {
    Turret {
        yaw: 0.0,
        pitch: 0.0,
        at: Vec3::ZERO,
        up: Vec3::Y,
        turned: Quat::IDENTITY,
        path: Vec::new(),
        ammo: 7,
        score: None,
        flags: 0,
        r#type: "heavy".to_owned(),
        name: Label("left".to_owned()),
        note: String::new(),
        barrels: [Barrel::Cold; 2],
        aims: Entity::PLACEHOLDER,
        local: 3.0,
    }
}

#[test]
fn a_field_that_did_not_change_costs_a_bit() {
    let fields = 14;
    let ammo = Turret { ammo: 6, ..turret() };
    assert_eq!(bits_of(&turret(), &ammo), fields + 3);
    let local = Turret { local: 9.0, ..turret() };
    assert_eq!(words_of(&local), words_of(&turret()), "what is skipped is no change");
}

#[test]
fn another_variant_is_whole_and_the_same_one_a_difference() {
    let firing = |heat, loud| Barrel::Firing { heat, sound: 0, loud };
    assert_eq!(bits_of(&Barrel::Cold, &firing(0.5, true)), 1 + 2 + 7 + 1);
    assert_eq!(bits_of(&firing(0.49, true), &firing(0.5, true)), 1 + (1 + 5) + 1);
    assert_eq!(bits_of(&Mood::Calm, &Mood::Angry), 2);
    assert_survives(&Mood::Calm, &Mood::Alert);
    assert_survives(&Pair(1, 0.2), &Pair(9, 0.3));
}

#[test]
fn a_struct_without_fields_has_no_words() {
    assert!(words_of(&Marker).is_empty());
    assert_survives(&Marker, &Marker);
}

#[test]
fn entities_are_mapped() {
    let mut world = World::new();
    let target = world.spawn_empty().id();
    let mut map = EntityMap::default();
    map.insert(NetworkId { slot: 4, generation: 2 }, target);
    let codec = ByField(Turret::codec());
    let mut words = Vec::new();
    codec
        .quantize(&Turret { aims: target, ..turret() }, &mut NameEntities::new(&map), &mut words)
        .expect("it quantises");
    assert!(words.ends_with(&[5, 2]));
    let seen: Turret = codec.dequantize(&words, &mut ResolveEntities::new(&map)).expect("it was quantised");
    assert_eq!(seen.aims, target);
}

#[test]
fn both_sides_compare_every_parameter() {
    assert_eq!(
        Barrel::codec().describe(),
        "<Cold | Firing {heat: range(0..1, step 0.01) k 4, loud: bool} | Worn {0: u8 k 2, 1: exact, 64 bits}>"
    );
    assert_eq!(Mood::codec().describe(), "<Calm | Alert | Angry>");
    let described = Turret::codec().describe();
    for part in
        ["yaw: range(-180..180, step 0.1) k 4, ", "at: 3 of range(-100..100, step 0.01) k 4 steady", "type: text"]
    {
        assert!(described.contains(part), "{part:?} is not in {described}");
    }
    assert!(!described.contains("local"));
    assert!(Turret::codec().continues_motion() && !Barrel::codec().continues_motion());
    assert_eq!(Barrel::codec().max_error(), Quantised::new(0.0..1.0, 0.01).max_error());
}
