use std::collections::BTreeMap;

use ::serde::Deserialize;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use slipstream_connection::EntityMap;

use super::super::testing::{
    assert_bears_any_words, assert_no_drift, assert_survives, bits_of, named_entity, read_words, value_of, words_of,
};
use super::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Order {
    Halt,
    Follow(u8, f32),
    Go { to: (f32, f32), name: String },
    Wait(Option<i64>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    orders: Vec<Order>,
    marks: BTreeMap<u16, char>,
    small: (i8, i16, bool),
    exact: f64,
    nothing: (),
}

fn orders() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::Halt),
        (any::<u8>(), -99.0_f32..99.0).prop_map(|(whom, distance)| Order::Follow(whom, distance)),
        ((-1e9_f32..1e9, 0.0_f32..1.0), ".{0,5}").prop_map(|(to, name)| Order::Go { to, name }),
        any::<Option<i64>>().prop_map(Order::Wait),
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let marks = btree_map(any::<u16>(), any::<char>(), 0..4);
    (vec(orders(), 0..6), marks, any::<(i8, i16, bool)>(), -1e9_f64..1e9)
        .prop_map(|(orders, marks, small, exact)| Everything { orders, marks, small, exact, nothing: () })
}

fn codec() -> SteppedField {
    SteppedField::new(0.01)
}

proptest! {
    #[test]
    fn everything_survives(from in everything(), to in everything()) {
        assert_survives(&codec(), &from, &to);
        let seen = value_of::<Everything>(&codec(), &words_of(&codec(), &to)).expect("what was quantised");
        prop_assert_eq!((seen.marks, seen.small, seen.exact), (to.marks, to.small, to.exact));
    }

    #[test]
    fn the_error_stays_within_what_is_declared(
        value in prop_oneof![-20_000.0_f32..20_000.0, -1.0_f32..1.0],
        step in 0.0001_f32..3.0,
    ) {
        let codec = SteppedField::new(step);
        let seen = value_of::<f32>(&codec, &words_of(&codec, &value)).expect("a float");
        prop_assert!(Some((seen - value).abs()) <= codec.max_error(), "{} became {}", value, seen);
    }

    #[test]
    fn every_float_has_one_form(bits in any::<u32>(), step in 0.0001_f32..3.0) {
        let codec = SteppedField::new(step);
        let words = words_of(&codec, &f32::from_bits(bits));
        let seen = value_of::<f32>(&codec, &words).expect("a float");
        prop_assert_eq!(words_of(&codec, &seen), words);
    }

    /// Bits know no types: words that stand for no value are refused after they were read.
    #[test]
    fn words_have_no_value_or_one_that_does_not_drift(
        from in vec(orders(), 0..6),
        at in any::<proptest::sample::Index>(),
        word in prop_oneof![0_u32..4, any::<u32>()],
    ) {
        let mut words = words_of(&codec(), &from);
        let at = 1 + at.index(words.len() - 1);
        words[at] = word;
        if let Ok(value) = value_of::<Vec<Order>>(&codec(), &words) {
            prop_assert_eq!(words_of(&codec(), &value), words);
        }
    }

    #[test]
    fn whatever_is_read_does_not_drift(bytes in vec(any::<u8>(), 0..60)) {
        assert_no_drift::<Vec<i32>>(&OneList, &vec![1, 2], &bytes);
    }

    #[test]
    fn any_words_are_borne(words in vec(prop_oneof![0_u32..5, any::<u32>()], 0..12)) {
        assert_bears_any_words::<Everything>(&codec(), &words);
    }
}

/// Takes all words for numbers, so that whatever is read has a value.
struct OneList;

impl WordCoder for OneList {
    fn describe(&self) -> String {
        codec().describe()
    }

    fn length(&self, words: &[u32]) -> usize {
        codec().length(words)
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        codec().write(baseline, words, writer);
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        codec().read(baseline, reader, words)
    }
}

impl FieldCodec<Vec<i32>> for OneList {
    fn quantize(&self, value: &Vec<i32>, _: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        words.push(value.len() as u32);
        words.extend(value.iter().map(|number| number.cast_unsigned()));
        Ok(())
    }

    fn dequantize(&self, words: &[u32], _: &mut ResolveEntities) -> Result<Vec<i32>, RecordError> {
        Ok(words.iter().skip(1).map(|word| word.cast_signed()).collect())
    }
}

#[test]
fn what_did_not_change_costs_next_to_nothing() {
    let mut places: Vec<(f32, f32)> = (0..100_u8).map(|place| (f32::from(place), 3.0)).collect();
    let from = words_of(&codec(), &places);
    places[50].1 = 3.01;
    let to = words_of(&codec(), &places);
    // as many words, one changed, after 102 others (the count, 50 pairs, a half), by one step
    assert_eq!(bits_of(&codec(), Some(&from), &to), 1 + 3 + 13 + 5);
    // Whole: the count of words, the places' count, the zero at the start, and 199 numbers of 16 bits at most.
    assert!(bits_of(&codec(), None, &to) <= 14 + 10 + 2 + 199 * 18);
}

#[test]
fn what_is_far_or_no_number_arrives_exactly() {
    for value in [1e9_f32, -20_000.0, f32::INFINITY, f32::NAN, 10_485.77] {
        let seen = value_of::<f32>(&codec(), &words_of(&codec(), &value)).expect("a float");
        assert_eq!(seen.to_bits(), value.to_bits());
    }
    assert_eq!(codec().describe(), "serde, step 0.01");
}

#[test]
fn a_second_form_is_refused() {
    let read = |words: &[u32]| value_of::<f32>(&codec(), words);
    assert_eq!(read(&[1, 100]), Ok(1.0));
    assert!(read(&[2, EXACT, 1.0_f32.to_bits()]).is_err(), "one is in steps");
    assert!(read(&[1, 1 << 21]).is_err(), "too many steps");
    assert!(read(&[2, 100, 0]).is_err(), "a word too many");
    assert!(value_of::<bool>(&codec(), &[1, 2]).is_err());
    assert!(value_of::<u8>(&codec(), &[1, 256]).is_err());
    assert!(value_of::<i8>(&codec(), &[1, 255]).is_err(), "-1 has its sign in all bits");
    assert_eq!(value_of::<i8>(&codec(), &[1, u32::MAX]), Ok(-1));
    assert!(value_of::<String>(&codec(), &[2, 1, 0xff41]).is_err(), "something follows the text within its word");
    assert!(value_of::<Vec<u8>>(&codec(), &[2, 9, 1]).is_err(), "nine of one");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nested(Option<Box<Nested>>);

#[test]
fn a_peer_does_not_decide_how_deep_values_lie() {
    let mut words = vec![1; 4000];
    words[0] = 3999;
    assert!(value_of::<Nested>(&codec(), &words).is_err());
    assert_survives(&codec(), &Nested(None), &Nested(Some(Box::new(Nested(None)))));
}

#[test]
fn elements_without_words_are_not_sent() {
    let map = EntityMap::default();
    let refused = codec().quantize(&vec![(), ()], &mut NameEntities::new(&map), &mut Vec::new());
    assert!(matches!(refused, Err(RecordError::Component { .. })));
}

#[test]
fn more_than_a_component_has_is_neither_sent_nor_taken() {
    let map = EntityMap::default();
    let refused = codec().quantize(&vec![0_u8; 5000], &mut NameEntities::new(&map), &mut Vec::new());
    assert!(matches!(refused, Err(RecordError::TooLarge { .. })));
    let mut writer = BitWriter::new();
    writer.write_exp_golomb(5000, 3);
    writer.write_bytes(&[0; 5000]);
    assert!(read_words(&codec(), None, &writer.to_bytes()).is_err());
}

#[derive(Component, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Aims {
    #[entities]
    at: Entity,
    spread: f32,
}

#[test]
fn marked_entities_of_a_component_are_mapped() {
    let (map, named, nameless) = named_entity();
    let codec = StepCodec::new(0.01);
    let (mut words, mut names) = (Vec::new(), NameEntities::new(&map));
    let aims = Aims { at: named, spread: 0.25 };
    codec.quantize(&aims, &mut names, &mut words).expect("it quantises");
    assert!(!names.is_unnamed());
    let seen: Aims = codec.dequantize(&words, &mut ResolveEntities::new(&map)).expect("it was quantised");
    assert_eq!(seen, aims);
    let lost = Aims { at: nameless, ..aims };
    codec.quantize(&lost, &mut names, &mut Vec::new()).expect("it quantises");
    assert!(names.is_unnamed());
}
