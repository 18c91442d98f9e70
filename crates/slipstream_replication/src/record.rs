//! Records and chunks: the bits of replication.
//!
//! ```text
//! chunk    = long:1 tick:(32|16) { 1 announcement } 0 { 1 section } 0 [ dense ]
//! announcement = gap:eg3 ( 1 generation:eg0 epoch:8 { present:1 [head body] } for every lane | 0 frozen:1 )
//! section  = lane:bits count-less-one:10 { gap:eg0 [term:8, where an owner speaks] same-head:1 [head] body } count times
//! head     = value-age:eg0 delta:1 [ baseline-age:eg2 [ earlier:eg2, lanes that continue motion ] ]
//! body     = { present:1 [codec bits] } for every component         without a baseline
//!          | 1 { changed:1 [codec bits] } for every component there  the same components as in the baseline
//!          | 0 { present:1 [ changed:1, where the baseline has it ] [codec bits] } for every component
//! ```
//!
//! `egK` is exp-Golomb of order K. A gap is the slot's distance from the one before it, less one; in each section it
//! starts anew. The value's age is in ticks before the chunk's tick, the baseline's in ticks before the value, the
//! earlier value's in ticks before the baseline, zero where there is none. A head that is the same as the one before it
//! in its section costs a bit. Where one component alone is there as in the baseline, it has changed, and nothing says so.
//!
//! A body does not depend on who it is for, so it is written once and copied. In a [dense section](crate::dense) it is
//! written for each connection anew.

use slipstream_wire::{Baseline, BitReader, BitWriter, Tick, WireError, exp_golomb_bits};

use crate::error::RecordError;
use crate::registry::{ComponentEntry, Lane, Registry};

pub(crate) const ANNOUNCED_GAP_K: u32 = 3;
pub(crate) const GAP_K: u32 = 0;
pub(crate) const GENERATION_K: u32 = 0;
pub(crate) const EPOCH_BITS: u32 = 8;
/// Bits of an owner's term.
pub(crate) const TERM_BITS: u32 = 8;
/// Bits of a section's count; a section has one entry at least.
pub(crate) const COUNT_BITS: u32 = 10;
pub(crate) const VALUE_AGE_K: u32 = 0;
pub(crate) const BASELINE_AGE_K: u32 = 2;
/// Slots above this are refused: 4 million entities.
pub(crate) const MAX_SLOT: u64 = 1 << 22;
/// The most words one lane may have on a receiver.
const MAX_LANE_WORDS: usize = 64 * 1024;

/// Bits that name one of `lanes` lanes.
pub(crate) fn lane_bits(lanes: usize) -> u32 {
    usize::BITS - lanes.saturating_sub(1).leading_zeros()
}

/// What a record says of itself: how old its value is, and against which older ones it is coded. In ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Head {
    /// From the value to the chunk.
    pub(crate) value_age: u32,
    /// From the baseline to the value; 0 where the record is whole.
    pub(crate) baseline_age: u32,
    /// From the earlier value to the baseline; 0 where there is none.
    pub(crate) earlier_age: u32,
}

impl Head {
    pub(crate) fn write(self, continues_motion: bool, writer: &mut BitWriter) {
        writer.write_exp_golomb(u64::from(self.value_age), VALUE_AGE_K);
        writer.write_bool(self.baseline_age > 0);
        if self.baseline_age > 0 {
            writer.write_exp_golomb(u64::from(self.baseline_age - 1), BASELINE_AGE_K);
            if continues_motion {
                writer.write_exp_golomb(u64::from(self.earlier_age), BASELINE_AGE_K);
            }
        }
    }

    /// How many bits [`write`](Self::write) writes.
    pub(crate) fn bits(self, continues_motion: bool) -> u32 {
        let mut bits = exp_golomb_bits(u64::from(self.value_age), VALUE_AGE_K) + 1;
        if self.baseline_age > 0 {
            bits += exp_golomb_bits(u64::from(self.baseline_age - 1), BASELINE_AGE_K);
            if continues_motion {
                bits += exp_golomb_bits(u64::from(self.earlier_age), BASELINE_AGE_K);
            }
        }
        bits
    }

    pub(crate) fn read(continues_motion: bool, reader: &mut BitReader) -> Result<Self, RecordError> {
        let mut head = Self { value_age: read_age(reader, VALUE_AGE_K, 0)?, ..Self::default() };
        if reader.read_bool()? {
            head.baseline_age = read_age(reader, BASELINE_AGE_K, 1)?;
            if continues_motion {
                head.earlier_age = read_age(reader, BASELINE_AGE_K, 0)?;
            }
        }
        Ok(head)
    }
}

fn read_age(reader: &mut BitReader, k: u32, least: u64) -> Result<u32, RecordError> {
    let value = reader.read_exp_golomb(k)?.saturating_add(least);
    u32::try_from(value)
        .map_err(|_| WireError::ValueOutOfRange { what: "age in ticks", value, max: u64::from(u32::MAX) }.into())
}

/// The parts of a lane's words: each component's length plus one, or 0 where it is absent, and its words.
pub(crate) fn parts(words: &[u32]) -> Parts<'_> {
    Parts { words, position: 0 }
}

/// Where the next component of a lane's value lies, if the entity has it.
#[derive(Clone)]
pub(crate) struct Parts<'a> {
    words: &'a [u32],
    position: usize,
}

impl<'a> Parts<'a> {
    /// The next component's range of words: `Some(None)` where the entity does not have it.
    pub(crate) fn next_range(&mut self) -> Option<Option<core::ops::Range<usize>>> {
        let head = *self.words.get(self.position)?;
        let start = self.position + 1;
        let Some(length) = (head as usize).checked_sub(1) else {
            self.position = start;
            return Some(None);
        };
        let end = start.checked_add(length).filter(|end| *end <= self.words.len())?;
        self.position = end;
        Some(Some(start..end))
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Option<&'a [u32]>;

    fn next(&mut self) -> Option<Self::Item> {
        let range = self.next_range()?;
        Some(range.and_then(|range| self.words.get(range)))
    }
}

/// The baseline of the next component, where the baseline has it.
fn next_baseline<'a>(
    baseline: &Option<Baseline<'a>>,
    old: &mut Option<(Parts<'a>, Option<Parts<'a>>)>,
) -> Option<Baseline<'a>> {
    let (parts, earlier) = old.as_mut()?;
    let words = parts.next().flatten();
    let earlier = earlier.as_mut().and_then(Iterator::next).flatten();
    let whole = baseline.as_ref()?;
    Some(Baseline { words: words?, age: whole.age, earlier: earlier.zip(whole.earlier.map(|(_, age)| age)) })
}

fn parts_of<'a>(baseline: &Option<Baseline<'a>>) -> Option<(Parts<'a>, Option<Parts<'a>>)> {
    baseline.as_ref().map(|old| (parts(old.words), old.earlier.map(|(words, _)| parts(words))))
}

fn has_same_components(old: &[u32], new: &[u32]) -> (bool, usize) {
    let (mut count, mut same) = (0, true);
    let mut old = parts(old);
    for new in parts(new) {
        same &= old.next().flatten().is_some() == new.is_some();
        count += usize::from(new.is_some());
    }
    (same, count)
}

/// Writes a record's body: the lane's value, as a difference where there is a baseline.
pub(crate) fn write_body(
    registry: &Registry,
    lane: &Lane,
    value: &[u32],
    baseline: Option<Baseline>,
    writer: &mut BitWriter,
) {
    let (same, count) = baseline.map_or((false, 0), |old| has_same_components(old.words, value));
    if baseline.is_some() {
        writer.write_bool(same);
    }
    let mut olds = parts_of(&baseline);
    for (component, new) in lane.components.iter().zip(parts(value)) {
        let old = next_baseline(&baseline, &mut olds);
        if !same {
            writer.write_bool(new.is_some());
        }
        let Some(new) = new else { continue };
        if let Some(old) = old
            && !(same && count == 1)
        {
            writer.write_bool(old.words != new);
            if old.words == new {
                continue;
            }
        }
        registry.components[*component].erased.write(old, new, writer);
    }
}

/// Reads a record's body and appends the lane's words.
pub(crate) fn read_body(
    components: &[ComponentEntry],
    lane: &Lane,
    baseline: Option<Baseline>,
    reader: &mut BitReader,
    words: &mut Vec<u32>,
) -> Result<(), RecordError> {
    let first = words.len();
    let same = baseline.is_some() && reader.read_bool()?;
    let count = baseline.map_or(0, |old| parts(old.words).filter(Option::is_some).count());
    let mut olds = parts_of(&baseline);
    for component in &lane.components {
        let old = next_baseline(&baseline, &mut olds);
        let present = if same { old.is_some() } else { reader.read_bool()? };
        let start = words.len();
        words.push(0);
        if !present {
            continue;
        }
        let changed = match old {
            Some(_) if same && count == 1 => true,
            Some(_) => reader.read_bool()?,
            None => true,
        };
        match old {
            Some(old) if !changed => words.extend_from_slice(old.words),
            _ => {
                let Some(entry) = components.get(*component) else {
                    return Err(WireError::Malformed { what: "component of a lane" }.into());
                };
                entry.erased.read(old, reader, words)?;
            }
        }
        let length = words.len() - start;
        if let Some(head) = words.get_mut(start) {
            *head = length as u32;
        }
        if words.len() - first > MAX_LANE_WORDS {
            return Err(RecordError::TooLarge { what: "a lane", length: words.len() - first, limit: MAX_LANE_WORDS });
        }
    }
    Ok(())
}

/// Writes a chunk's tick: 16 bits where the receiver has a recent one to complete it from.
pub(crate) fn write_tick(tick: Tick, long: bool, writer: &mut BitWriter) {
    writer.write_bool(long);
    writer.write_bits(u64::from(tick.get()), if long { 32 } else { 16 });
}

/// Reads a chunk's tick; a short one is the nearest to `reference` with the same low bits.
pub(crate) fn read_tick(reference: Option<Tick>, reader: &mut BitReader) -> Result<Tick, RecordError> {
    if reader.read_bool()? {
        return Ok(Tick::new(reader.read_bits(32)? as u32));
    }
    let low = reader.read_bits(16)? as u16;
    let Some(reference) = reference else {
        return Err(WireError::Malformed { what: "short tick without a long one before it" }.into());
    };
    let difference = low.wrapping_sub(reference.get() as u16) as i16;
    Ok(Tick::new(reference.get().wrapping_add_signed(i32::from(difference))))
}

/// Ticks from `then` to `now`.
#[inline]
pub(crate) fn age(now: Tick, then: Tick) -> u32 {
    now.get().wrapping_sub(then.get())
}
