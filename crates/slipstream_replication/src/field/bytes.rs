//! Byte strings: what text and serialised values are sent as.
//!
//! ```text
//! words      = length, then the bytes, four to a word, the last one filled up with zeros
//! whole      = length:varint { byte:8 }
//! difference = prefix:eg3 suffix:eg3 middle:eg3 { byte:8 }      bytes kept in front, kept behind, and new between them
//! ```

use slipstream_wire::{Baseline, BitReader, BitWriter};

use super::malformed;
use crate::codec::MAX_COMPONENT_WORDS;
use crate::error::RecordError;

/// What fits the words of a component.
pub(super) const MAX_BYTES: usize = (MAX_COMPONENT_WORDS - 1) * 4;
const LENGTH_K: u32 = 3;

/// Appends the words of bytes.
pub(super) fn push_bytes(bytes: &[u8], words: &mut Vec<u32>) -> Result<(), RecordError> {
    if bytes.len() > MAX_BYTES {
        return Err(RecordError::TooLarge { what: "a field", length: bytes.len(), limit: MAX_BYTES });
    }
    words.push(bytes.len() as u32);
    let (whole, rest) = bytes.as_chunks::<4>();
    words.extend(whole.iter().map(|chunk| u32::from_le_bytes(*chunk)));
    if !rest.is_empty() {
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        words.push(u32::from_le_bytes(last));
    }
    Ok(())
}

/// The bytes of words.
pub(super) fn bytes_of(words: &[u32]) -> Vec<u8> {
    let (length, packed) = words.split_first().unwrap_or((&0, &[]));
    let mut bytes: Vec<u8> = packed.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.truncate(*length as usize);
    bytes
}

/// How many words the bytes have that begin here.
pub(super) fn bytes_length(words: &[u32]) -> usize {
    let length = words.first().map_or(0, |length| (*length as usize).div_ceil(4).saturating_add(1));
    length.min(words.len())
}

pub(super) fn write_bytes(baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
    let new = bytes_of(words);
    let Some(old) = old_bytes(baseline) else {
        writer.write_varint(new.len() as u64);
        writer.write_bytes(&new);
        return;
    };
    let prefix = common(old.iter(), new.iter());
    // What is kept in front is not kept behind again: "aa" to "aaa" has a prefix of two and no suffix.
    let (old, new) = (old.get(prefix..).unwrap_or_default(), new.get(prefix..).unwrap_or_default());
    let suffix = common(old.iter().rev(), new.iter().rev());
    let middle = new.get(..new.len() - suffix).unwrap_or_default();
    writer.write_exp_golomb(prefix as u64, LENGTH_K);
    writer.write_exp_golomb(suffix as u64, LENGTH_K);
    writer.write_exp_golomb(middle.len() as u64, LENGTH_K);
    writer.write_bytes(middle);
}

pub(super) fn read_bytes(baseline: Option<Baseline<'_>>, reader: &mut BitReader) -> Result<Vec<u8>, RecordError> {
    let Some(mut bytes) = old_bytes(baseline) else {
        let length = size(reader.read_varint()?);
        return Ok(reader.read_vec(length, MAX_BYTES)?);
    };
    let prefix = size(reader.read_exp_golomb(LENGTH_K)?);
    let suffix = size(reader.read_exp_golomb(LENGTH_K)?);
    let middle = size(reader.read_exp_golomb(LENGTH_K)?);
    let kept = prefix.checked_add(suffix).filter(|kept| *kept <= bytes.len());
    let kept = kept.ok_or_else(|| malformed("kept part of a text"))?;
    let new = reader.read_vec(middle, MAX_BYTES.saturating_sub(kept))?;
    let behind = bytes.split_off(bytes.len() - suffix);
    bytes.truncate(prefix);
    bytes.extend(new);
    bytes.extend(behind);
    Ok(bytes)
}

fn old_bytes(baseline: Option<Baseline<'_>>) -> Option<Vec<u8>> {
    let words = baseline?.words;
    (!words.is_empty()).then(|| bytes_of(words))
}

fn common<'a>(old: impl Iterator<Item = &'a u8>, new: impl Iterator<Item = &'a u8>) -> usize {
    old.zip(new).take_while(|(old, new)| old == new).count()
}

fn size(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
