//! The dense section of a chunk: records of rigid bodies through the range coder.
//!
//! ```text
//! dense  = 1 count-less-one:10, zeros up to a byte, then one stream of the range coder, up to the chunk's end
//! stream = { [other-lane [lane:even]] other-slot [gap:eg0] other-head [head] absent [body] } count times
//! head   = value-age:eg0 delta:1 [ baseline-age-less-one:eg2 earlier-age:eg2 ]
//! ```
//!
//! Flags are learned within the chunk, all else but bodies takes even bits. One walk, [`Course`], is encoder and
//! decoder, by the [`Decisions`] that it is given: the two cannot drift apart.

use slipstream_wire::dense::{DenseBodyReader, DenseBodyWriter};
use slipstream_wire::{Baseline, KinematicCodec, WireError, exp_golomb_bits};

use crate::error::RecordError;
use crate::record::{BASELINE_AGE_K, COUNT_BITS, GAP_K, Head, MAX_SLOT, VALUE_AGE_K, lane_bits, parts};

/// Bits of a dense section before its stream: that there is one, and its count.
pub(crate) const DENSE_HEAD: usize = 1 + COUNT_BITS as usize;

// The contexts of the flags.
const OTHER_LANE: usize = 0;
const OTHER_SLOT: usize = 1;
const OTHER_HEAD: usize = 2;
const ABSENT: usize = 3;

/// What writes decisions, or reads them and ignores what it is told.
pub(crate) trait Decisions {
    /// A flag that is mostly not set.
    fn decide(&mut self, context: usize, flag: bool) -> bool;

    /// The low `bits` bits of a value, at most 32.
    fn even(&mut self, value: u32, bits: u32) -> u32;
}

impl Decisions for DenseBodyWriter {
    #[inline]
    fn decide(&mut self, context: usize, flag: bool) -> bool {
        self.flag(context, flag);
        flag
    }

    #[inline]
    fn even(&mut self, value: u32, bits: u32) -> u32 {
        self.bits(value, bits);
        value & 1_u32.checked_shl(bits).map_or(u32::MAX, |above| above - 1)
    }
}

impl Decisions for DenseBodyReader<'_> {
    #[inline]
    fn decide(&mut self, context: usize, _flag: bool) -> bool {
        self.flag(context)
    }

    #[inline]
    fn even(&mut self, _value: u32, bits: u32) -> u32 {
        self.bits(bits)
    }
}

/// What a dense record says before its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Preamble {
    /// The lane's place among those that have a dense form.
    pub(crate) ordinal: u32,
    pub(crate) slot: u32,
    pub(crate) head: Head,
    /// The entity has no body any more.
    pub(crate) is_absent: bool,
}

/// How far a dense section has come: what the next record need not say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Course {
    has_begun: bool,
    ordinal: u32,
    next_slot: u32,
    head: Head,
}

impl Course {
    /// Bits that the same would take in an ordinary section.
    pub(crate) fn packed_bits(&self, said: &DenseRecord) -> usize {
        let gap = u64::from(said.slot.saturating_sub(self.next_slot));
        let head = if self.has_begun && said.head == self.head { 0 } else { said.head.bits(true) };
        (exp_golomb_bits(gap, GAP_K) + 1 + head) as usize
    }

    /// Codes what stands before a body, and returns it. A decoder ignores `said`. `lanes` is how many have a dense
    /// form.
    pub(crate) fn code(
        &mut self,
        said: &Preamble,
        lanes: usize,
        stream: &mut impl Decisions,
    ) -> Result<Preamble, RecordError> {
        let is_first = !self.has_begun;
        let mut ordinal = self.ordinal;
        if lanes > 1 && (is_first || stream.decide(OTHER_LANE, said.ordinal != self.ordinal)) {
            ordinal = stream.even(said.ordinal, lane_bits(lanes));
            self.next_slot = 0;
        }
        if ordinal as usize >= lanes {
            let max = lanes.saturating_sub(1) as u64;
            return Err(out_of_range("lane of a dense section", u64::from(ordinal), max));
        }
        let gap = said.slot.wrapping_sub(self.next_slot);
        let gap = match stream.decide(OTHER_SLOT, gap > 0) {
            true => 1 + u64::from(number(gap.wrapping_sub(1), GAP_K, stream)?),
            false => 0,
        };
        let slot = u64::from(self.next_slot) + gap;
        if slot > MAX_SLOT {
            return Err(out_of_range("slot", slot, MAX_SLOT));
        }
        let slot = slot as u32;
        let head = match is_first || stream.decide(OTHER_HEAD, said.head != self.head) {
            true => code_head(said.head, stream)?,
            false => self.head,
        };
        let is_absent = stream.decide(ABSENT, said.is_absent);
        *self = Self { has_begun: true, ordinal, next_slot: slot + 1, head };
        Ok(Preamble { ordinal, slot, head, is_absent })
    }
}

/// All lanes with a dense form continue motion.
fn code_head(said: Head, stream: &mut impl Decisions) -> Result<Head, RecordError> {
    let value_age = number(said.value_age, VALUE_AGE_K, stream)?;
    if stream.even(u32::from(said.baseline_age > 0), 1) == 0 {
        return Ok(Head { value_age, ..Head::default() });
    }
    let less_one = number(said.baseline_age.wrapping_sub(1), BASELINE_AGE_K, stream)?;
    let Some(baseline_age) = less_one.checked_add(1) else {
        return Err(out_of_range("age in ticks", 1 << 32, u64::from(u32::MAX)));
    };
    let earlier_age = number(said.earlier_age, BASELINE_AGE_K, stream)?;
    Ok(Head { value_age, baseline_age, earlier_age })
}

/// A number in exp-Golomb of order `k`, of even bits.
fn number(value: u32, k: u32, stream: &mut impl Decisions) -> Result<u32, RecordError> {
    let coded = u64::from(value) + (1 << k);
    let length = coded.ilog2() - k;
    let mut zeros = 0;
    while zeros < u32::BITS - k && stream.even(u32::from(zeros == length), 1) == 0 {
        zeros += 1;
    }
    let bits = zeros + k;
    let low = stream.even(coded as u32, bits);
    let value = (1_u64 << bits) + u64::from(low) - (1 << k);
    u32::try_from(value).map_err(|_| out_of_range("number of a dense section", value, u64::from(u32::MAX)))
}

fn out_of_range(what: &'static str, value: u64, max: u64) -> RecordError {
    WireError::ValueOutOfRange { what, value, max }.into()
}

/// A record of a lane whose one component is a rigid body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DenseRecord<'a> {
    pub(crate) codec: &'a KinematicCodec,
    /// The lane's place among those that have a dense form, and how many there are.
    pub(crate) ordinal: u32,
    pub(crate) lanes: usize,
    pub(crate) slot: u32,
    pub(crate) head: Head,
    /// The lane's words, and what they are coded against.
    pub(crate) value: &'a [u32],
    pub(crate) baseline: Option<Baseline<'a>>,
}

impl DenseRecord<'_> {
    pub(crate) fn write(&self, course: &mut Course, stream: &mut DenseBodyWriter) {
        let words = parts(self.value).next().flatten();
        let said = Preamble { ordinal: self.ordinal, slot: self.slot, head: self.head, is_absent: words.is_none() };
        let written = course.code(&said, self.lanes, stream);
        debug_assert_eq!(written, Ok(said), "slots ascend within a lane");
        if let Some(words) = words {
            stream.write(self.codec, body(self.baseline), words);
        }
    }
}

/// Reads the value of a dense record and appends the lane's words.
pub(crate) fn read_value(
    codec: &KinematicCodec,
    is_absent: bool,
    baseline: Option<Baseline<'_>>,
    stream: &mut DenseBodyReader<'_>,
    words: &mut Vec<u32>,
) -> Result<(), RecordError> {
    let start = words.len();
    words.push(0);
    if is_absent {
        return Ok(());
    }
    stream.read(codec, body(baseline), words)?;
    let length = words.len() - start;
    if let Some(head) = words.get_mut(start) {
        *head = length as u32;
    }
    Ok(())
}

/// The body of what a lane's value is coded against, where there was one.
fn body(lane: Option<Baseline<'_>>) -> Option<Baseline<'_>> {
    let lane = lane?;
    let words = parts(lane.words).next().flatten()?;
    let earlier = lane.earlier.and_then(|(words, age)| Some((parts(words).next().flatten()?, age)));
    Some(Baseline { words, age: lane.age, earlier })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_bodies_is_read_as_it_was_written() {
        let head = |value_age, baseline_age, earlier_age| Head { value_age, baseline_age, earlier_age };
        let said = [
            (0, 0, head(0, 3, 1), false),
            (0, 1, head(0, 3, 1), false),
            (0, 7, head(0, 3, 0), true),
            (0, 4_000_000, head(200, 0, 0), false),
            (1, 3, head(200, 0, 0), false),
            (2, 3, head(u32::MAX, u32::MAX, u32::MAX), false),
            (2, MAX_SLOT as u32, head(0, 1, 0), false),
        ];
        let said = said.map(|(ordinal, slot, head, is_absent)| Preamble { ordinal, slot, head, is_absent });
        let mut writer = DenseBodyWriter::new();
        writer.begin(Vec::new());
        let mut course = Course::default();
        for said in &said {
            assert_eq!(course.code(said, 3, &mut writer), Ok(*said));
        }
        let bytes = writer.finish();
        let (mut reader, mut course) = (DenseBodyReader::new(&bytes), Course::default());
        for said in &said {
            assert_eq!(course.code(&Preamble::default(), 3, &mut reader), Ok(*said));
        }
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn a_lane_that_is_not_there_is_refused() {
        let mut writer = DenseBodyWriter::new();
        writer.begin(Vec::new());
        let said = Preamble { ordinal: 3, ..Preamble::default() };
        assert!(Course::default().code(&said, 4, &mut writer).is_ok());
        let bytes = writer.finish();
        let read = |lanes| Course::default().code(&Preamble::default(), lanes, &mut DenseBodyReader::new(&bytes));
        assert_eq!(read(4), Ok(said));
        assert!(matches!(read(3), Err(RecordError::Wire(WireError::ValueOutOfRange { .. }))));
        assert!(matches!(read(0), Err(RecordError::Wire(WireError::ValueOutOfRange { .. }))));
    }
}
