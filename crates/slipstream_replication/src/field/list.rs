//! Lists.

use slipstream_wire::{Baseline, BitReader, BitWriter, WireError};

use super::{CodedBy, FieldCodec, NetworkCodec, WordCoder, check_growth, malformed};
use crate::codec::{MAX_COMPONENT_WORDS, NameEntities, ResolveEntities};
use crate::error::RecordError;

/// Every element has a word.
const MAX_ELEMENTS: usize = MAX_COMPONENT_WORDS - 1;
const COUNT_K: u32 = 3;
const CHANGES_K: u32 = 0;
/// Gaps between changed elements. With this order, all elements changed cost a bit each, as a mask would.
const GAP_K: u32 = 0;

/// A `Vec` of what `F` codes, compared element by element: of a long list a few changes are short.
///
/// Words: the count, then the elements'. An element is compared with the one of the same index, so that what is put in front
/// changes all others.
///
/// ```text
/// whole      = count:eg3 { element } count times
/// difference = resized:1 [count:eg3] changes:eg0 { gap:eg0 element } changes times { new element }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ListCodec<F>(F);

impl<F: WordCoder> ListCodec<F> {
    /// All elements by the same codec. An element must have something that travels.
    #[must_use]
    pub const fn new(element: F) -> Self {
        Self(element)
    }

    /// Takes both lists' elements of the same index, in step.
    fn pairs<'a>(&self, old: List<'a>, new: List<'a>) -> impl Iterator<Item = (&'a [u32], &'a [u32])> {
        let (mut old_words, mut new_words) = (old.words, new.words);
        (0..old.count.min(new.count)).map(move |_| {
            let (old, old_rest) = self.0.split(old_words);
            let (new, new_rest) = self.0.split(new_words);
            (old_words, new_words) = (old_rest, new_rest);
            (old, new)
        })
    }

    /// The elements from `index` on.
    fn skip<'a>(&self, list: List<'a>, index: usize) -> &'a [u32] {
        (0..index).fold(list.words, |rest, _| self.0.split(rest).1)
    }

    fn write_elements(&self, count: usize, words: &[u32], writer: &mut BitWriter) {
        let mut rest = words;
        for _ in 0..count {
            let (element, after) = self.0.split(rest);
            rest = after;
            self.0.write(None, element, writer);
        }
    }

    /// Reads an element of a list whose words begin at `start`.
    fn read_element(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
        start: usize,
    ) -> Result<(), RecordError> {
        let before = words.len();
        self.0.read(baseline, reader, words)?;
        if words.len() == before {
            // A count of nothings would cost a peer nothing and this side time.
            return Err(malformed("element of a list"));
        }
        check_growth(words, start)
    }

    fn read_difference(
        &self,
        old: List<'_>,
        age: u32,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        let start = words.len();
        let count = if reader.read_bool()? { read_count(reader)? } else { old.count };
        words.push(count as u32);
        let mut old_words = old.words;
        let mut unchanged = old.count.min(count);
        let changes = limited(reader.read_exp_golomb(CHANGES_K)?, unchanged, "changed elements")?;
        for _ in 0..changes {
            let last = unchanged.checked_sub(1).ok_or_else(|| malformed("gap between elements"))?;
            let gap = limited(reader.read_exp_golomb(GAP_K)?, last, "gap between elements")?;
            old_words = self.copy(gap, old_words, words);
            let (element, rest) = self.0.split(old_words);
            old_words = rest;
            self.read_element(Some(Baseline::new(element, age)), reader, words, start)?;
            unchanged -= gap + 1;
        }
        self.copy(unchanged, old_words, words);
        for _ in old.count..count {
            self.read_element(None, reader, words, start)?;
        }
        check_growth(words, start)
    }

    /// Appends elements as they are in the baseline, and gives what follows them there.
    fn copy<'a>(&self, count: usize, old_words: &'a [u32], words: &mut Vec<u32>) -> &'a [u32] {
        (0..count).fold(old_words, |rest, _| {
            let (element, rest) = self.0.split(rest);
            words.extend_from_slice(element);
            rest
        })
    }
}

/// A list's words, taken apart.
#[derive(Clone, Copy)]
struct List<'a> {
    count: usize,
    words: &'a [u32],
}

impl<'a> List<'a> {
    fn of(words: &'a [u32]) -> Option<Self> {
        let (count, words) = words.split_first()?;
        // Each element has a word: a greater count is none that was read.
        Some(Self { count: (*count as usize).min(words.len()), words })
    }
}

fn limited(value: u64, limit: usize, what: &'static str) -> Result<usize, RecordError> {
    let number = usize::try_from(value).ok().filter(|number| *number <= limit);
    number.ok_or_else(|| WireError::TooLong { what, length: value, limit: limit as u64 }.into())
}

fn read_count(reader: &mut BitReader) -> Result<usize, RecordError> {
    limited(reader.read_exp_golomb(COUNT_K)?, MAX_ELEMENTS, "list")
}

impl<F: WordCoder> WordCoder for ListCodec<F> {
    fn describe(&self) -> String {
        format!("list of {}", self.0.describe())
    }

    fn max_error(&self) -> Option<f32> {
        self.0.max_error()
    }

    fn length(&self, words: &[u32]) -> usize {
        let Some(list) = List::of(words) else { return 0 };
        words.len() - self.skip(list, list.count).len()
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        let Some(new) = List::of(words) else { return };
        let Some((old, age)) = baseline.and_then(|baseline| Some((List::of(baseline.words)?, baseline.age))) else {
            writer.write_exp_golomb(new.count as u64, COUNT_K);
            self.write_elements(new.count, new.words, writer);
            return;
        };
        writer.write_bool(old.count != new.count);
        if old.count != new.count {
            writer.write_exp_golomb(new.count as u64, COUNT_K);
        }
        writer.write_exp_golomb(self.pairs(old, new).filter(|(old, new)| old != new).count() as u64, CHANGES_K);
        let mut gap = 0;
        for (old, new) in self.pairs(old, new) {
            if old == new {
                gap += 1;
                continue;
            }
            writer.write_exp_golomb(gap, GAP_K);
            gap = 0;
            self.0.write(Some(Baseline::new(old, age)), new, writer);
        }
        let common = old.count.min(new.count);
        self.write_elements(new.count - common, self.skip(new, common), writer);
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        if let Some((old, age)) = baseline.and_then(|baseline| Some((List::of(baseline.words)?, baseline.age))) {
            return self.read_difference(old, age, reader, words);
        }
        let start = words.len();
        let count = read_count(reader)?;
        words.push(count as u32);
        (0..count).try_for_each(|_| self.read_element(None, reader, words, start))
    }
}

impl<T, F: FieldCodec<T>> FieldCodec<Vec<T>> for ListCodec<F> {
    fn quantize(&self, value: &Vec<T>, entities: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        if value.len() > MAX_ELEMENTS {
            return Err(RecordError::TooLarge { what: "a list", length: value.len(), limit: MAX_ELEMENTS });
        }
        let start = words.len();
        words.push(value.len() as u32);
        for element in value {
            let before = words.len();
            self.0.quantize(element, entities, words)?;
            if words.len() == before {
                let name = core::any::type_name::<T>().to_owned();
                return Err(RecordError::Component { name, reason: "an element of a list needs a value".to_owned() });
            }
            check_growth(words, start)?;
        }
        Ok(())
    }

    fn dequantize(&self, words: &[u32], entities: &mut ResolveEntities) -> Result<Vec<T>, RecordError> {
        let list = List::of(words).ok_or_else(|| malformed("list"))?;
        let mut rest = list.words;
        let mut elements = Vec::with_capacity(list.count);
        for _ in 0..list.count {
            let (element, after) = self.0.split(rest);
            rest = after;
            elements.push(self.0.dequantize(element, entities)?);
        }
        Ok(elements)
    }
}

impl<T: NetworkCodec> NetworkCodec for Vec<T> {
    type Codec = ListCodec<T::Codec>;

    fn codec() -> Self::Codec {
        ListCodec::new(T::codec())
    }
}

impl<P, T: CodedBy<P>> CodedBy<P> for Vec<T> {
    type Codec = ListCodec<T::Codec>;

    fn coded_by(parameters: P) -> Self::Codec {
        ListCodec::new(T::coded_by(parameters))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::testing::{
        assert_bears_any_words, assert_no_drift, assert_survives, bits_of, read_words, words_of,
    };
    use super::*;
    use crate::field::{ArrayCodec, Quantised};

    fn lists() -> impl Strategy<Value = Vec<Option<i16>>> {
        vec(proptest::option::of(-3_i16..3), 0..9)
    }

    proptest! {
        #[test]
        fn lists_survive(from in lists(), to in lists()) {
            assert_survives(&Vec::<Option<i16>>::codec(), &from, &to);
        }

        #[test]
        fn lists_of_lists_survive(from in vec(vec(".{0,3}", 0..4), 0..4), to in vec(vec(".{0,3}", 0..4), 0..4)) {
            assert_survives(&Vec::<Vec<String>>::codec(), &from, &to);
        }

        #[test]
        fn whatever_is_read_does_not_drift(from in lists(), bytes in vec(any::<u8>(), 0..40)) {
            assert_no_drift(&Vec::<Option<i16>>::codec(), &from, &bytes);
            assert_no_drift(&Vec::<Vec<bool>>::codec(), &vec![vec![true], vec![]], &bytes);
        }

        #[test]
        fn any_words_are_borne(words in vec(prop_oneof![0_u32..4, any::<u32>()], 0..9)) {
            assert_bears_any_words(&Vec::<Option<i16>>::codec(), &words);
            assert_bears_any_words(&Vec::<Vec<String>>::codec(), &words);
        }
    }

    #[test]
    fn one_change_among_many_is_short() {
        let codec = Vec::<f32>::coded_by(Quantised::new(0.0..100.0, 0.1));
        let mut heights = vec![3.0_f32; 256];
        let from = words_of(&codec, &heights);
        heights[100] = 3.1;
        let to = words_of(&codec, &heights);
        // as many, one change, after 100 others, by a step
        assert_eq!(bits_of(&codec, Some(&from), &to), 1 + 3 + 13 + 5);
        heights.push(1.0);
        // one more than there were, whole
        assert_eq!(bits_of(&codec, Some(&to), &words_of(&codec, &heights)), 1 + 14 + 1 + 10);
    }

    #[test]
    fn a_count_beyond_the_limit_is_refused_before_memory_is_taken() {
        for baseline in [None, Some([0].as_slice())] {
            let mut writer = BitWriter::new();
            if baseline.is_some() {
                writer.write_bool(true);
            }
            writer.write_exp_golomb(MAX_ELEMENTS as u64 + 1, COUNT_K);
            writer.write_bytes(&[0; 2000]);
            let refused = read_words(&Vec::<bool>::codec(), baseline, &writer.to_bytes());
            assert!(matches!(refused, Err(RecordError::Wire(WireError::TooLong { .. }))), "{refused:?}");
        }
    }

    #[test]
    fn more_words_than_a_component_has_are_refused_while_they_are_read() {
        // 1,000 lists, each of 100.
        let mut writer = BitWriter::new();
        writer.write_exp_golomb(1000, COUNT_K);
        for _ in 0..1000 {
            writer.write_exp_golomb(100, COUNT_K);
            writer.write_bytes(&[0xff; 100]);
        }
        let refused = read_words(&Vec::<Vec<u8>>::codec(), None, &writer.to_bytes());
        assert!(matches!(refused, Err(RecordError::TooLarge { length, .. }) if length < MAX_COMPONENT_WORDS + 200));
        let sent = vec![vec![0_u8; 100]; 1000];
        let map = slipstream_connection::EntityMap::default();
        let refused = Vec::<Vec<u8>>::codec().quantize(&sent, &mut NameEntities::new(&map), &mut Vec::new());
        assert!(matches!(refused, Err(RecordError::TooLarge { .. })));
    }

    #[test]
    fn elements_without_words_are_refused() {
        let codec = ListCodec::new(ArrayCodec::<_, 0>::new(bool::codec()));
        let map = slipstream_connection::EntityMap::default();
        let sent: Vec<[bool; 0]> = vec![[], []];
        assert!(codec.quantize(&sent, &mut NameEntities::new(&map), &mut Vec::new()).is_err());
        assert!(read_words(&codec, None, &[0xff]).is_err());
        assert_survives(&codec, &Vec::<[bool; 0]>::new(), &Vec::new());
    }
}
