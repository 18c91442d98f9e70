//! Records and chunks: the bits of replication.
//!
//! ```text
//! chunk   = long:1 tick:(32|16) { 1 entity } 0
//! entity  = gap:eg3 kind:2 (update | spawn | despawn)
//! spawn   = generation:eg0 epoch:8 { lane present:1 [record] } for every lane
//! update  = { lane present:1 [record] } for every lane
//! despawn = (nothing: the slot is empty as of the chunk's tick)
//! record  = value-age:eg0 delta:1 [baseline-age:eg2] { component } for every component of the lane
//! component = present:1 [ changed:1, only where the baseline has it too ] [ the codec's bits ]
//! ```
//!
//! `egK` is exp-Golomb of order K. The gap is the slot's distance from the one before it, less one. The value's age is in
//! ticks before the chunk's tick, the baseline's in ticks before the value.

use std::sync::Arc;

use slipstream_wire::{BitReader, BitWriter, Tick, WireError};

use crate::error::RecordError;
use crate::history::Version;
use crate::journal::parts;
use crate::registry::{ComponentEntry, Lane, Registry};

pub(crate) const GAP_K: u32 = 3;
pub(crate) const GENERATION_K: u32 = 0;
pub(crate) const EPOCH_BITS: u32 = 8;
const VALUE_AGE_K: u32 = 0;
const BASELINE_AGE_K: u32 = 2;
/// The most words one lane may have on a receiver.
const MAX_LANE_WORDS: usize = 64 * 1024;

/// What an entity's entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Update,
    Spawn,
    Despawn,
}

impl EntryKind {
    pub(crate) fn write(self, writer: &mut BitWriter) {
        writer.write_bits(self as u64, 2);
    }

    pub(crate) fn read(reader: &mut BitReader) -> Result<Self, RecordError> {
        match reader.read_bits(2)? {
            0 => Ok(Self::Update),
            1 => Ok(Self::Spawn),
            2 => Ok(Self::Despawn),
            value => Err(WireError::ValueOutOfRange { what: "entry kind", value, max: 2 }.into()),
        }
    }
}

/// Writes the record of one lane at `now`, as a difference from `baseline` where there is one.
pub(crate) fn write_record(
    registry: &Registry,
    lane: &Lane,
    version: &Version,
    baseline: Option<&Version>,
    now: Tick,
    writer: &mut BitWriter,
) {
    writer.write_exp_golomb(age(now, version.tick), VALUE_AGE_K);
    writer.write_bool(baseline.is_some());
    if let Some(baseline) = baseline {
        writer.write_exp_golomb(age(version.tick, baseline.tick), BASELINE_AGE_K);
    }
    let mut old = baseline.map(|baseline| parts(&baseline.words));
    for (component, new) in lane.components.iter().zip(parts(&version.words)) {
        let old = old.as_mut().and_then(Iterator::next).flatten();
        writer.write_bool(new.is_some());
        let Some(new) = new else { continue };
        if let Some(old) = old {
            writer.write_bool(old != new);
            if old == new {
                continue;
            }
        }
        registry.components[*component].erased.write(old, new, writer);
    }
}

/// A record's head: which value it carries and against which baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHead {
    pub(crate) value: Tick,
    pub(crate) baseline: Option<Tick>,
}

pub(crate) fn read_head(now: Tick, reader: &mut BitReader) -> Result<RecordHead, RecordError> {
    let value = now - read_age(reader, VALUE_AGE_K)?;
    let baseline = if reader.read_bool()? { Some(value - read_age(reader, BASELINE_AGE_K)?) } else { None };
    Ok(RecordHead { value, baseline })
}

/// Reads a record's components. `baseline` is the value that the head names.
pub(crate) fn read_value(
    components: &[ComponentEntry],
    lane: &Lane,
    baseline: Option<&[u32]>,
    reader: &mut BitReader,
) -> Result<Arc<[u32]>, RecordError> {
    let mut words = Vec::new();
    let mut old = baseline.map(parts);
    for component in &lane.components {
        let old = old.as_mut().and_then(Iterator::next).flatten();
        if !reader.read_bool()? {
            words.push(0);
            continue;
        }
        let start = words.len();
        words.push(0);
        match old {
            Some(old) if !reader.read_bool()? => words.extend_from_slice(old),
            _ => {
                let Some(entry) = components.get(*component) else {
                    return Err(WireError::Malformed { what: "component of a lane" }.into());
                };
                entry.erased.read(old, reader, &mut words)?;
            }
        }
        let length = words.len() - start;
        if let Some(head) = words.get_mut(start) {
            *head = length as u32;
        }
        if words.len() > MAX_LANE_WORDS {
            return Err(RecordError::TooLarge { what: "a lane", length: words.len(), limit: MAX_LANE_WORDS });
        }
    }
    Ok(Arc::from(words))
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

fn age(now: Tick, then: Tick) -> u64 {
    u64::from(now.get().wrapping_sub(then.get()))
}

fn read_age(reader: &mut BitReader, k: u32) -> Result<u32, RecordError> {
    let value = reader.read_exp_golomb(k)?;
    u32::try_from(value)
        .map_err(|_| WireError::ValueOutOfRange { what: "age in ticks", value, max: u64::from(u32::MAX) }.into())
}
