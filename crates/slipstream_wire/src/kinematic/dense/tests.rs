use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    BodyState,
    kinematic::{
        on_each_axis,
        tests::{ages, bits_of, bodies, codecs, drive, vehicles, words_of},
    },
};

fn written(codec: &KinematicCodec, all: &[(Option<Baseline<'_>>, &[u32])]) -> Vec<u8> {
    let mut writer = DenseBodyWriter::new();
    writer.begin(Vec::new());
    for (baseline, words) in all {
        writer.write(codec, *baseline, words);
    }
    let most = writer.max_len();
    let bytes = writer.finish();
    assert!(bytes.len() <= most && bytes.len() + 4 >= most.min(bytes.len() + 4), "{} of {most}", bytes.len());
    bytes
}

fn assert_round_trip(codec: &KinematicCodec, all: &[(Option<Baseline<'_>>, &[u32])]) {
    let bytes = written(codec, all);
    let mut reader = DenseBodyReader::new(&bytes);
    for (baseline, words) in all {
        let mut read = vec![7];
        reader.read(codec, *baseline, &mut read).expect("what was just written");
        assert_eq!((read.remove(0), read.as_slice()), (7, *words), "what was there stays");
    }
    reader.finish().expect("all of it is read, and nothing else");
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        codec in codecs(),
        bodies in [bodies(), bodies(), bodies()],
        age in ages(),
        between in ages(),
    ) {
        let [before, from, to] = bodies.map(|body| words_of(&codec, &body));
        let known = Baseline { words: &from, age, earlier: Some((&before, between)) };
        let cut = Baseline::new(&from[..3], age);
        let baselines = [None, Some(Baseline::new(&from, age)), Some(known), Some(Baseline::new(&to, age)), Some(cut)];
        assert_round_trip(&codec, &baselines.map(|baseline| (baseline, to.as_slice())));
    }

    /// Bodies that move as bodies do, by the time that the baseline is old: small differences, every decision.
    #[test]
    fn motion_that_goes_on_is_read(
        codec in codecs(),
        body in bodies(),
        push in [-20.0_f32..20.0, -20.0_f32..20.0, -20.0_f32..20.0],
        age in 1..20_u32,
        between in 1..20_u32,
    ) {
        let at = |ticks: f32| {
            let seconds = ticks / 60.0;
            let along = |from: [f32; 3], by: [f32; 3], times: f32| {
                core::array::from_fn::<f32, 3, _>(|axis| from[axis] + by[axis] * times)
            };
            let linear = along(body.linear, push, seconds);
            BodyState { position: along(body.position, linear, seconds), linear, ..body }
        };
        let [before, from, to] = [0, between, between + age].map(|ticks| words_of(&codec, &at(ticks as f32)));
        let known = Baseline { words: &from, age, earlier: Some((&before, between)) };
        assert_round_trip(&codec, &[(Some(known), &to), (Some(Baseline::new(&from, age)), &to), (Some(known), &from)]);
    }

    /// A peer may send any bytes: what is taken from them must survive a relay.
    #[test]
    fn whatever_is_read_is_what_a_body_quantises_to(
        codec in codecs(),
        bodies in [bodies(), bodies()],
        bytes in vec(prop_oneof![any::<u8>(), Just(0), Just(255)], 0..80),
        against in 0..3_u32,
        age in ages(),
    ) {
        let [before, from] = bodies.map(|body| words_of(&codec, &body));
        let baseline = match against {
            0 => None,
            1 => Some(Baseline::new(&from, age)),
            _ => Some(Baseline { words: &from, age, earlier: Some((&before, 2)) }),
        };
        let mut reader = DenseBodyReader::new(&bytes);
        // However long one reads on.
        for _ in 0..20 {
            let mut words = Vec::new();
            match reader.read(&codec, baseline, &mut words) {
                Ok(()) => {
                    let body = codec.dequantize(&words);
                    prop_assert!(body.is_ok(), "{words:?}: {body:?}");
                    prop_assert_eq!(words_of(&codec, &body.unwrap()), words);
                }
                Err(_) => prop_assert!(words.is_empty()),
            }
        }
    }

    /// Words that no body quantises to may come as a baseline from whoever has a bug: no panic.
    #[test]
    fn baselines_of_any_words_are_borne(
        codec in codecs(),
        words in [vec(any::<u32>(), 13), vec(any::<u32>(), 13)],
        age in any::<u32>(),
        between in any::<u32>(),
        bytes in vec(any::<u8>(), 0..80),
    ) {
        let [before, from] = words.map(|words| words[..codec.word_count()].to_vec());
        let baseline = Baseline { words: &from, age, earlier: Some((&before, between)) };
        let _ = DenseBodyReader::new(&bytes).read(&codec, Some(baseline), &mut Vec::new());
        let near = Baseline { age: age % 20, earlier: Some((&before, between % 20)), ..baseline };
        let _ = DenseBodyReader::new(&bytes).read(&codec, Some(near), &mut Vec::new());
    }

    #[test]
    fn a_datagram_that_was_rewound_is_as_it_was(
        bodies in [bodies(), bodies(), bodies()],
        flags in vec(any::<bool>(), 0..20),
        age in ages(),
    ) {
        let codec = vehicles();
        let [from, to, other] = bodies.map(|body| words_of(&codec, &body));
        let baseline = Some(Baseline::new(&from, age));
        let mut writer = DenseBodyWriter::new();
        writer.begin(vec![1, 2]);
        let mut straight = writer.clone();
        for writer in [&mut writer, &mut straight] {
            writer.write(&codec, baseline, &to);
            flags.iter().enumerate().for_each(|(index, flag)| writer.flag(index, *flag));
        }
        let checkpoint = writer.checkpoint();
        writer.write(&codec, baseline, &other);
        writer.flag(0, true);
        writer.rewind(&checkpoint);
        for writer in [&mut writer, &mut straight] {
            writer.flag(0, false);
            writer.bits(5, 9);
            writer.write(&codec, baseline, &from);
        }
        let bytes = straight.finish();
        prop_assert_eq!(&writer.finish(), &bytes);

        let mut reader = DenseBodyReader::new(&bytes[2..]);
        let mut words = Vec::new();
        prop_assert!(reader.read(&codec, baseline, &mut words).is_ok());
        for (index, flag) in flags.iter().enumerate() {
            prop_assert_eq!(reader.flag(index), *flag);
        }
        prop_assert_eq!((reader.flag(0), reader.bits(9)), (false, 5));
        prop_assert!(reader.read(&codec, baseline, &mut words).is_ok() && reader.finish().is_ok());
        prop_assert_eq!(words, [to, from].concat());
    }
}

#[test]
fn cut_datagrams_and_such_with_more_are_told() {
    let codec = vehicles();
    let words: Vec<Vec<u32>> = drive(60).iter().map(|body| words_of(&codec, body)).collect();
    let all: Vec<_> = words.windows(5).map(|words| (Some(Baseline::new(&words[0], 4)), words[4].as_slice())).collect();
    let bytes = written(&codec, &all);
    let read = |bytes: &[u8]| {
        let mut reader = DenseBodyReader::new(bytes);
        for (baseline, _) in &all {
            reader.read(&codec, *baseline, &mut Vec::new())?;
        }
        reader.finish()
    };
    assert_eq!(read(&bytes), Ok(()));
    // Half of a datagram is not only cut but mostly no body before its end is reached.
    assert!(read(&bytes[..bytes.len() / 2]).is_err());
    assert!(matches!(read(&[bytes.as_slice(), &[1; 9]].concat()), Err(WireError::Malformed { .. })));
    assert!(written(&codec, &[]).is_empty() && DenseBodyReader::new(&[]).finish().is_ok());
}

/// Marsaglia's xorshift, from -1 to 1.
fn random(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// Forces on a body: what is added to its velocities in a tick, where it was so long in so many ticks.
type Forces = fn(u32, &mut BodyState, &mut u64);

/// A body that forces move, as solvers do it: velocities first, then the pose.
fn moved(forces: Forces, seed: u64) -> Vec<BodyState> {
    let mut state = seed;
    let mut body = BodyState { position: [0.0, 5.0, 0.0], ..BodyState::default() };
    let mut bodies = Vec::new();
    for tick in 0..600 {
        forces(tick, &mut body, &mut state);
        body.position = on_each_axis(body.position, body.linear, |from, velocity| from + velocity / 60.0);
        let [a, b, c] = body.angular.map(|axis| axis / 120.0);
        let [x, y, z, w] = body.rotation;
        let turned = [
            x + w * a + b * z - c * y,
            y + w * b + c * x - a * z,
            z + w * c + a * y - b * x,
            w - a * x - b * y - c * z,
        ];
        let length = turned.iter().map(|component| component * component).sum::<f32>().sqrt();
        body.rotation = turned.map(|component| component / length);
        bodies.push(body);
    }
    bodies
}

/// Pushed another way about twice a second.
fn wander(_: u32, body: &mut BodyState, state: &mut u64) {
    let mut kicked = |velocity: f32, most: f64| velocity * 0.99 + (random(state) * most).powi(5) as f32;
    body.linear = body.linear.map(|axis| kicked(axis, 1.2));
    body.angular = body.angular.map(|axis| kicked(axis, 1.3));
}

/// On circles of changing width, facing ahead.
fn circle(tick: u32, body: &mut BodyState, _: &mut u64) {
    let time = f64::from(tick) / 60.0;
    let spin = 1.5 + (0.7 * time).sin();
    let heading = 1.5 * time - (0.7 * time).cos() / 0.7;
    body.linear = [8.0 * heading.cos(), 0.0, -8.0 * heading.sin()].map(|axis| axis as f32);
    body.angular = [0.0, spin as f32, 0.0];
}

/// Falls, tumbles, and is thrown back by the ground.
fn fall(_: u32, body: &mut BodyState, state: &mut u64) {
    let [x, y, z] = &mut body.linear;
    *y -= 9.81 / 60.0;
    if body.position[1] < 0.5 && *y < 0.0 {
        *y *= -0.7;
        *x += random(state) as f32;
        *z += random(state) as f32;
        body.angular = body.angular.map(|axis| axis * 0.5 + 3.0 * random(state) as f32);
        if *y < 0.8 {
            body.position[1] = 5.0;
        }
    }
}

/// Somewhere else each tick.
fn jump(_: u32, body: &mut BodyState, state: &mut u64) {
    let axes = |state: &mut u64, most: f64| [0; 3].map(|_| (random(state) * most) as f32);
    *body = BodyState {
        position: axes(state, 500.0),
        rotation: [0; 4].map(|_| random(state) as f32),
        linear: axes(state, 60.0),
        angular: axes(state, 30.0),
    };
}

/// Rests, and is kicked now and then.
fn rest(tick: u32, body: &mut BodyState, state: &mut u64) {
    let kicked = tick % 40 == 7;
    let [linear, angular] = [&mut body.linear, &mut body.angular];
    for axis in linear.iter_mut().chain(angular) {
        *axis = if kicked {
            random(state) as f32
        } else if axis.abs() < 0.02 {
            0.0
        } else {
            *axis * 0.8
        };
    }
}

/// Bits of a body at the bit-packed level and at the dense one, sixteen in a datagram.
fn both_levels(codec: &KinematicCodec, forces: Forces, age: usize, earlier: Option<usize>) -> [f64; 2] {
    let words: Vec<Vec<u32>> = moved(forces, 42).iter().map(|body| words_of(codec, body)).collect();
    let start = age + earlier.unwrap_or(0);
    let all: Vec<_> = (start..words.len())
        .map(|now| {
            let earlier = earlier.map(|ticks| (words[now - age - ticks].as_slice(), ticks as u32));
            (Some(Baseline { words: &words[now - age], age: age as u32, earlier }), words[now].as_slice())
        })
        .collect();
    let packed: usize = all.iter().map(|(baseline, words)| bits_of(codec, baseline.unwrap(), words)).sum();
    let dense: usize = all.chunks(16).map(|bodies| written(codec, bodies).len() * 8).sum();
    [packed, dense].map(|bits| bits as f64 / all.len() as f64)
}

#[test]
fn it_is_never_much_worse_than_the_bit_packed_level() {
    let codec = KinematicCodec::new(-512.0..512.0, 0.001);
    let fine = KinematicCodec::new(-512.0..512.0, 0.0001).rotation_bits(14).linear(64.0, 1.0 / 512.0);
    let motions: [(&str, Forces); 5] =
        [("wander", wander), ("circle", circle), ("fall", fall), ("jump", jump), ("rest", rest)];
    for codec in [codec, fine, codec.without_velocities(), codec.tick_rate(20.0)] {
        for (name, forces) in motions {
            for (age, earlier) in
                [(1, Some(2)), (1, None), (3, Some(4)), (6, Some(1)), (6, None), (20, None), (70, None)]
            {
                let [packed, dense] = both_levels(&codec, forces, age, earlier);
                assert!(dense <= 1.1 * packed + 3.0, "{name}, {age} old, {earlier:?}: {packed:.1}, {dense:.1} bits");
            }
        }
    }
}

#[test]
fn a_driven_vehicle_takes_less() {
    let codec = KinematicCodec::new(-512.0..512.0, 0.001);
    let words: Vec<_> = drive(1200).iter().map(|body| words_of(&codec, body)).collect();
    let (mut packed, mut dense) = (0, 0);
    for age in 1..=6 {
        let baseline = |now: usize| {
            let from = now - age;
            Baseline { words: &words[from], age: age as u32, earlier: Some((words[from - 2].as_slice(), 2)) }
        };
        let all: Vec<_> = (age + 2..words.len()).map(|now| (Some(baseline(now)), words[now].as_slice())).collect();
        packed += all.iter().map(|(baseline, words)| bits_of(&codec, baseline.unwrap(), words)).sum::<usize>();
        dense += all.chunks(16).map(|bodies| written(&codec, bodies).len() * 8).sum::<usize>();
    }
    assert!(dense * 20 <= packed * 19, "{dense} bits and {packed}");
}

/// The bytes of `docs/wire-format.md`. They were made by another implementation of that page, in Python.
#[test]
fn the_bytes_are_those_of_the_format() {
    let codec = vehicles();
    let from: [u32; 13] = [532_000, 512_700, 507_000, 3, 1023, 1577, 1023, 3584, 4092, 3520, 4097, 4173, 4093];
    let to: [u32; 13] = [531_450, 512_702, 506_380, 3, 1024, 1602, 1024, 3565, 4094, 3494, 4100, 4192, 4090];
    let before: [u32; 13] = [532_270, 512_699, 507_300, 3, 1023, 1563, 1023, 3590, 4092, 3533, 4096, 4168, 4095];
    let turned_over: [u32; 13] = [531_450, 512_702, 506_380, 1, 1170, 1170, 1834, 3565, 4094, 3494, 4100, 4192, 4090];
    let rests: [u32; 13] = [532_000, 512_700, 507_000, 3, 1023, 1577, 1023, 4096, 4092, 4096, 4096, 4096, 4096];
    let steers: [u32; 13] = [532_000, 512_700, 507_000, 3, 1023, 1577, 1023, 3584, 4092, 3520, 4097, 4473, 4093];
    let pose = codec.without_velocities();

    let hex = |codec: &KinematicCodec, all: &[(Option<Baseline<'_>>, &[u32])]| {
        assert_round_trip(codec, all);
        written(codec, all).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let single = Some(Baseline::new(&from, 4));
    let pushed = Some(Baseline { words: &from, age: 4, earlier: Some((&before, 2)) });
    let steered = Some(Baseline { words: &steers, age: 4, earlier: Some((&before, 2)) });
    let lost = Some(Baseline::new(&from, 100));
    let resting = Some(Baseline::new(&rests, 9));
    assert_eq!(hex(&codec, &[(single, &to)]), "3783fd5d569e66f2");
    assert_eq!(hex(&codec, &[(pushed, &to)]), "4b2be9edd38c3320");
    assert_eq!(hex(&codec, &[(steered, &to)]), "1cd7a9dc3c074ed40643");
    assert_eq!(hex(&codec, &[(lost, &to)]), "d5f1038066ffb9cf8e9fc2201e80");
    let all: [(Option<Baseline<'_>>, &[u32]); 5] =
        [(None, &to), (pushed, &turned_over), (resting, &rests), (resting, &to), (pushed, &to)];
    assert_eq!(
        hex(&codec, &all),
        "81bf8bd0414fb913f38421bdef5c1286da45a481f19f097c508c5d5521e273e8cf7f6ffc57c8f28f592f024d4ee5e22b925de0609ecf\
         641bd1"
    );
    let went = Some(Baseline { words: &from[..7], age: 4, earlier: Some((&before[..7], 2)) });
    let unknown = Some(Baseline::new(&from[..7], 4));
    let all: [(Option<Baseline<'_>>, &[u32]); 4] =
        [(went, &to[..7]), (unknown, &to[..7]), (unknown, &from[..7]), (None, &to[..7])];
    assert_eq!(hex(&pose, &all), "a14af106808c618fc041104c9faf54fbdf5c4a36aee0");
}
