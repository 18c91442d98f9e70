use proptest::prelude::*;

use super::*;

/// The reference game's vehicles.
pub(super) fn vehicles() -> KinematicCodec {
    KinematicCodec::new(-512.0..512.0, 0.001).drift([0.0, 0.0613, 0.0])
}

pub(super) fn words_of(codec: &KinematicCodec, body: &BodyState) -> Vec<u32> {
    let mut words = Vec::new();
    codec.quantize(body, &mut words);
    assert_eq!(words.len(), codec.word_count());
    words
}

fn written(codec: &KinematicCodec, baseline: Option<Baseline<'_>>, words: &[u32]) -> BitWriter {
    let mut writer = BitWriter::new();
    codec.write(baseline, words, &mut writer);
    writer
}

pub(super) fn bits_of(codec: &KinematicCodec, baseline: Baseline<'_>, words: &[u32]) -> usize {
    written(codec, Some(baseline), words).bit_len()
}

fn round_trip(codec: &KinematicCodec, baseline: Option<Baseline<'_>>, words: &[u32]) -> Vec<u32> {
    let writer = written(codec, baseline, words);
    let bytes = writer.to_bytes();
    let mut reader = BitReader::new(&bytes);
    let mut read = vec![7];
    codec.read(baseline, &mut reader, &mut read).expect("what was just written");
    assert_eq!(reader.position(), writer.bit_len(), "all of it is read, and nothing else");
    assert_eq!(read.remove(0), 7, "what was there stays");
    read
}

pub(super) fn bodies() -> impl Strategy<Value = BodyState> {
    let axis = |most: f32| prop_oneof![-most..most, -most / 100.0..most / 100.0, Just(0.0)];
    let axes = move |most: f32| [axis(most), axis(most), axis(most)];
    let rotation = [-1.0_f32..1.0, -1.0_f32..1.0, -1.0_f32..1.0, -1.0_f32..1.0];
    (axes(600.0), rotation, axes(80.0), axes(40.0)).prop_map(|(position, rotation, linear, angular)| BodyState {
        position,
        rotation,
        linear,
        angular,
    })
}

pub(super) fn codecs() -> impl Strategy<Value = KinematicCodec> {
    let position = prop_oneof![Just(0.001_f32), Just(0.01), Just(0.25), Just(1e-9)];
    let linear = prop_oneof![Just((64.0_f32, 1.0_f32 / 64.0)), Just((1000.0, 0.1)), Just((20.0, 1.0 / 512.0))];
    let angular = prop_oneof![Just((32.0_f32, 1.0_f32 / 128.0)), Just((6.3, 0.01)), Just((100.0, 0.0))];
    let rate = prop_oneof![Just(60.0), Just(20.0), Just(128.0), Just(0.0)];
    (position, 0..20_u32, linear, angular, rate, -1.0_f32..1.0, any::<bool>()).prop_map(
        |(position, bits, linear, angular, rate, drift, velocities)| {
            let codec = KinematicCodec::new(-512.0..512.0, position)
                .rotation_bits(bits)
                .linear(linear.0, linear.1)
                .angular(angular.0, angular.1)
                .tick_rate(rate)
                .drift([0.0, drift, 0.0]);
            if velocities { codec } else { codec.without_velocities() }
        },
    )
}

pub(super) fn ages() -> impl Strategy<Value = u32> {
    prop_oneof![1..9_u32, 9..70_u32, any::<u32>()]
}

proptest! {
    #[test]
    fn quantising_what_was_dequantised_changes_nothing(codec in codecs(), body in bodies()) {
        let words = words_of(&codec, &body);
        let again = codec.dequantize(&words).expect("words of a body");
        prop_assert_eq!(words_of(&codec, &again), words);
    }

    #[test]
    fn what_is_written_is_read(
        codec in codecs(),
        bodies in [bodies(), bodies(), bodies()],
        age in ages(),
        between in ages(),
    ) {
        let [before, from, to] = bodies.map(|body| words_of(&codec, &body));
        let known = Baseline { words: &from, age, earlier: Some((&before, between)) };
        prop_assert_eq!(&round_trip(&codec, None, &to), &to);
        for baseline in [Baseline::new(&from, age), known, Baseline::new(&to, age)] {
            prop_assert_eq!(&round_trip(&codec, Some(baseline), &to), &to);
        }
    }

    /// A body that moves as bodies do, by the time that the baseline is old: small differences, every code.
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
        let [before, from, to] =
            [0, between, between + age].map(|ticks| words_of(&codec, &at(ticks as f32)));
        let baseline = Baseline { words: &from, age, earlier: Some((&before, between)) };
        prop_assert_eq!(&round_trip(&codec, Some(baseline), &to), &to);
        prop_assert_eq!(&round_trip(&codec, Some(Baseline::new(&from, age)), &to), &to);
    }

    /// A peer may send any bits: what is taken from them must survive a relay.
    #[test]
    fn whatever_is_read_is_what_a_body_quantises_to(
        codec in codecs(),
        bodies in [bodies(), bodies()],
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
        zeros in 0..8_usize,
        against in 0..3_u32,
        age in ages(),
    ) {
        let [before, from] = bodies.map(|body| words_of(&codec, &body));
        let baseline = match against {
            0 => None,
            1 => Some(Baseline::new(&from, age)),
            _ => Some(Baseline { words: &from, age, earlier: Some((&before, 2)) }),
        };
        // With leading zeros great classes come, too.
        let bytes: Vec<u8> = core::iter::repeat_n(0, zeros).chain(bytes).collect();
        let mut reader = BitReader::new(&bytes);
        let mut words = Vec::new();
        match codec.read(baseline, &mut reader, &mut words) {
            Ok(()) => {
                let body = codec.dequantize(&words);
                prop_assert!(body.is_ok(), "{words:?}: {body:?}");
                prop_assert_eq!(words_of(&codec, &body.unwrap()), words);
            }
            Err(_) => prop_assert_eq!((reader.position(), words.len()), (0, 0)),
        }
    }

    #[test]
    fn errors_are_as_declared(codec in codecs(), body in bodies()) {
        let got = codec.dequantize(&words_of(&codec, &body)).expect("words of a body");
        for (is, was) in got.position.into_iter().zip(body.position) {
            prop_assert!((is - was.clamp(-512.0, 512.0)).abs() <= codec.max_position_error());
        }
        let length = |rotation: [f32; 4]| rotation.iter().map(|c| f64::from(*c).powi(2)).sum::<f64>().sqrt();
        let dot: f64 = got.rotation.iter().zip(body.rotation).map(|(a, b)| f64::from(*a) * f64::from(b)).sum();
        if length(body.rotation) > 0.01 {
            let angle = 2.0 * (dot.abs() / length(got.rotation) / length(body.rotation)).min(1.0).acos();
            prop_assert!(angle <= f64::from(codec.max_rotation_error()) + 1e-6, "{angle}");
        }
        if codec.velocities {
            let most = |quantizer: &Quantizer| quantizer.dequantize(quantizer.max());
            for (is, was) in got.linear.into_iter().zip(body.linear) {
                let held = was.clamp(-most(&codec.linear), most(&codec.linear));
                prop_assert!((is - held).abs() <= codec.max_linear_error());
            }
            for (is, was) in got.angular.into_iter().zip(body.angular) {
                let held = was.clamp(-most(&codec.angular), most(&codec.angular));
                prop_assert!((is - held).abs() <= codec.max_angular_error());
            }
        }
    }

    #[test]
    fn a_body_at_rest_costs_at_most_two_bits(codec in codecs(), body in bodies(), age in ages()) {
        let rests = BodyState { linear: [0.0; 3], angular: [0.0; 3], ..body };
        // What rests does not drift.
        let codec = codec.drift([0.0; 3]);
        let words = words_of(&codec, &rests);
        prop_assert!(bits_of(&codec, Baseline::new(&words, age), &words) <= 2);
        let known = Baseline { words: &words, age: 3, earlier: Some((&words, 3)) };
        prop_assert!(bits_of(&codec, known, &words) <= 2);
    }
}

#[test]
fn a_vehicle_that_stands_on_its_springs_costs_one_bit() {
    let codec = vehicles();
    // As Rapier reports it, see `drift`.
    let stands = BodyState { position: [3.0, 0.7, -4.0], linear: [0.0, -0.0613, 0.0], ..BodyState::default() };
    let words = words_of(&codec, &stands);
    assert_eq!(bits_of(&codec, Baseline::new(&words, 5), &words), 1);
}

#[test]
fn steady_flight_costs_at_most_40_bits() {
    let codec = KinematicCodec::new(-512.0..512.0, 0.001);
    let mut bits = Vec::new();
    for age in 1..=8_u32 {
        for step in 0..200_u8 {
            let turn = f32::from(step) * 0.07;
            let linear = [12.0 * turn.cos(), -1.5, 12.0 * turn.sin()].map(|axis: f32| (axis * 64.0).round() / 64.0);
            let from = BodyState { position: [turn, 2.5, -turn], linear, ..BodyState::default() };
            let travelled = linear.map(|axis| axis * age as f32 / 60.0);
            let to = BodyState { position: on_each_axis(from.position, travelled, |a, b| a + b), ..from };
            bits.push(bits_of(&codec, Baseline::new(&words_of(&codec, &from), age), &words_of(&codec, &to)));
        }
    }
    let most = bits.iter().max().copied().unwrap_or_default();
    let mean = bits.iter().sum::<usize>() as f64 / bits.len() as f64;
    assert!(most <= 40 && mean <= 29.0, "at most {most}, {mean:.1} on average");
}

/// A vehicle on a winding road at 9 to 15 m/s, one tick after the other.
pub(super) fn drive(ticks: u16) -> Vec<BodyState> {
    let (mut heading, mut position, mut rotation) = (0.0_f64, [0.0, 0.7, 0.0_f64], [0.0, 0.0, 0.0, 1.0_f64]);
    let mut bodies = Vec::new();
    for tick in 0..ticks {
        let time = f64::from(tick) / 60.0;
        let speed = 12.0 + 3.0 * (0.9 * time).sin();
        let angular =
            [0.1 * (4.0 * time).sin(), 0.8 * (1.3 * time).sin() + 0.4 * (3.1 * time).sin(), 0.1 * (5.0 * time).cos()];
        let [a, b, c] = angular.map(|axis| axis / 120.0);
        let [x, y, z, w] = rotation;
        let turned = [
            x + w * a + b * z - c * y,
            y + w * b + c * x - a * z,
            z + w * c + a * y - b * x,
            w - a * x - b * y - c * z,
        ];
        let length = turned.iter().map(|component| component * component).sum::<f64>().sqrt();
        rotation = turned.map(|component| component / length);
        heading += angular[1] / 60.0;
        let linear = [-speed * heading.sin(), 0.06 * (6.0 * time).cos(), -speed * heading.cos()];
        position = on_each_axis(position, linear, |from, by| from + by / 60.0);
        bodies.push(BodyState {
            position: position.map(|axis| axis as f32),
            rotation: rotation.map(|component| component as f32),
            linear: linear.map(|axis| axis as f32),
            angular: angular.map(|axis| axis as f32),
        });
    }
    bodies
}

#[test]
fn a_driven_vehicle_costs_seven_bytes_and_less_where_its_push_is_known() {
    let codec = KinematicCodec::new(-512.0..512.0, 0.001);
    let words: Vec<_> = drive(1200).iter().map(|body| words_of(&codec, body)).collect();
    let mean = |between: Option<usize>| {
        let mut bits = Vec::new();
        for age in 2..=6 {
            for now in age + 2..words.len() {
                let from = now - age;
                let earlier = between.map(|ticks| (words[from - ticks].as_slice(), ticks as u32));
                let baseline = Baseline { words: &words[from], age: age as u32, earlier };
                bits.push(bits_of(&codec, baseline, &words[now]));
            }
        }
        bits.iter().sum::<usize>() as f64 / bits.len() as f64
    };
    // 42.8 and 34.2 bits.
    let (alone, pushed) = (mean(None), mean(Some(2)));
    assert!(alone <= 46.0 && pushed <= 38.0, "{alone:.1} bits, {pushed:.1} with an earlier value");
}

#[test]
fn a_whole_body_takes_the_bits_of_its_words() {
    let (body, pose) = (vehicles(), vehicles().without_velocities());
    let bits = |codec: &KinematicCodec| written(codec, None, &words_of(codec, &BodyState::default())).bit_len();
    assert_eq!(bits(&pose), 3 * 20 + 2 + 3 * 11);
    assert_eq!(bits(&body), bits(&pose) + 6 * 14);
}

/// The bits of `docs/wire-format.md`. They were made by another implementation of that page, in Python.
#[test]
fn the_bits_are_those_of_the_format() {
    let codec = vehicles();
    let from: [u32; 13] = [532_000, 512_700, 507_000, 3, 1023, 1577, 1023, 3584, 4092, 3520, 4097, 4173, 4093];
    let to: [u32; 13] = [531_450, 512_702, 506_380, 3, 1024, 1602, 1024, 3565, 4094, 3494, 4100, 4192, 4090];
    let before: [u32; 13] = [532_270, 512_699, 507_300, 3, 1023, 1563, 1023, 3590, 4092, 3533, 4096, 4168, 4095];
    let turned_over: [u32; 13] = [531_450, 512_702, 506_380, 1, 1170, 1170, 1834, 3565, 4094, 3494, 4100, 4192, 4090];
    let pose = codec.without_velocities();

    let hex = |codec: &KinematicCodec, baseline: Option<Baseline<'_>>, words: &[u32]| {
        let writer = written(codec, baseline, words);
        let bytes = writer.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        (writer.bit_len(), bytes)
    };
    let expected = |bits, bytes: &str| (bits, bytes.to_owned());
    let single = Some(Baseline::new(&from, 4));
    let pushed = Some(Baseline { words: &from, age: 4, earlier: Some((&before, 2)) });
    let lost = Some(Baseline::new(&from, 100));
    assert_eq!(hex(&codec, single, &to), expected(65, "06c4831ef588a0e401"));
    assert_eq!(hex(&codec, pushed, &to), expected(62, "1888e9510d11a43c"));
    assert_eq!(hex(&codec, lost, &to), expected(101, "972801bca62572565056a0340c"));
    assert_eq!(hex(&codec, single, &turned_over), expected(141, "06c4831e0500062009802880a7f0c9267808"));
    assert_eq!(hex(&codec, None, &to), expected(179, "fa1be82b7d0cba3700850cc0f6c6ff316d08203048ff01"));

    let went = Some(Baseline { words: &from[..7], age: 4, earlier: Some((&before[..7], 2)) });
    let unknown = Some(Baseline::new(&from[..7], 4));
    assert_eq!(hex(&pose, went, &to[..7]), expected(27, "671e5a02"));
    assert_eq!(hex(&pose, unknown, &to[..7]), expected(57, "708904784da12c00"));
    assert_eq!(hex(&pose, None, &to[..7]), expected(95, "fa1be82b7d0cba3700850c40"));
}

#[test]
fn the_parts_are_the_whole() {
    let codec = KinematicCodec::new(-512.0..512.0, 0.001);
    let words: Vec<_> = drive(100).iter().map(|body| words_of(&codec, body)).collect();
    let baseline = Baseline::new(&words[50], 4);
    let parts = codec.bits_by_part(baseline, &words[54]).expect("a baseline of this codec");
    assert_eq!(parts.total(), bits_of(&codec, baseline, &words[54]));
    assert!(parts.position > 0 && parts.linear > 0 && parts.rotation > 0 && parts.angular > 0, "{parts:?}");
    assert_eq!(codec.bits_by_part(Baseline::new(&[], 4), &words[54]), None);

    let rests = words_of(&codec, &BodyState::default());
    let parts = codec.bits_by_part(Baseline::new(&rests, 4), &rests);
    assert_eq!(parts, Some(BitsByPart { head: 1, ..BitsByPart::default() }));
}

#[test]
fn what_is_no_body_is_refused() {
    let codec = vehicles();
    let good = words_of(&codec, &BodyState::default());
    let with = |index: usize, word: u32| {
        let mut words = good.clone();
        words[index] = word;
        codec.dequantize(&words)
    };
    assert!(codec.dequantize(&good).is_ok());
    assert!(matches!(codec.dequantize(&good[..7]), Err(WireError::Malformed { .. })));
    assert!(matches!(codec.dequantize(&[]), Err(WireError::Malformed { .. })));
    assert!(matches!(with(1, 1_024_001), Err(WireError::ValueOutOfRange { max: 1_024_000, .. })));
    assert!(matches!(with(3, 4 + 3), Err(WireError::Malformed { .. })));
    assert!(matches!(with(5, 2047), Err(WireError::Malformed { .. })));
    assert!(matches!(with(12, 8193), Err(WireError::ValueOutOfRange { max: 8192, .. })));
}

#[test]
fn a_baseline_of_other_words_is_none() {
    let codec = vehicles();
    let words = words_of(&codec, &BodyState::default());
    let cut = Some(Baseline::new(&words[..7], 3));
    assert_eq!(written(&codec, cut, &words).to_bytes(), written(&codec, None, &words).to_bytes());
    assert_eq!(round_trip(&codec, cut, &words), words);
}

#[test]
fn the_description_is_stable() {
    assert_eq!(
        vehicles().describe(),
        "kinematic(position range(-512..512, step 0.001), rotation smallest_three(11 bits), linear range(-64..64, step \
         0.015625), angular range(-32..32, step 0.0078125), drift 0 0.0613 0, 60 ticks a second)"
    );
    assert_eq!(
        KinematicCodec::new(0.0..10.0, 0.5).without_velocities().tick_rate(30.0).describe(),
        "kinematic(position range(0..10, step 0.5), rotation smallest_three(11 bits), 30 ticks a second)"
    );
}
