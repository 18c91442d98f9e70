//! Several fields in a row: structs, and the fields of an enum's variant.
//!
//! ```text
//! whole      = { field } for each
//! difference = { changed:1 [field] } for each; where there is only one field, it has no changed bit
//! ```

use slipstream_wire::{Baseline, BitReader, BitWriter};

use super::{WordCoder, check_growth};
use crate::error::RecordError;

/// The words of all fields.
#[must_use]
pub fn fields_length(fields: &[&dyn WordCoder], words: &[u32]) -> usize {
    let mut rest = words;
    for field in fields {
        rest = field.split(rest).1;
    }
    words.len() - rest.len()
}

/// Writes all fields, those that did not change as a bit.
pub fn write_fields(fields: &[&dyn WordCoder], baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
    let mut baseline = BaselineParts(baseline);
    let mut rest = words;
    for field in fields {
        let (part, after) = field.split(rest);
        rest = after;
        let old = baseline.take(*field);
        if fields.len() == 1 {
            field.write(old, part, writer);
        } else {
            write_changed(*field, old, part, writer);
        }
    }
}

/// Reads what [`write_fields`] wrote.
///
/// # Errors
/// Those of the fields, and more words than a component may have.
pub fn read_fields(
    fields: &[&dyn WordCoder],
    baseline: Option<Baseline<'_>>,
    reader: &mut BitReader,
    words: &mut Vec<u32>,
) -> Result<(), RecordError> {
    let start = words.len();
    let mut baseline = BaselineParts(baseline);
    for field in fields {
        let old = baseline.take(*field);
        if fields.len() == 1 {
            field.read(old, reader, words)?;
        } else {
            read_changed(*field, old, reader, words)?;
        }
        check_growth(words, start)?;
    }
    Ok(())
}

/// `{yaw: range(-180..180, step 0.1) k 4, ammo: u16 k 2}`
#[must_use]
pub fn describe_fields(names: &[&str], fields: &[&dyn WordCoder]) -> String {
    let described: Vec<String> =
        names.iter().zip(fields).map(|(name, field)| format!("{name}: {}", field.describe())).collect();
    format!("{{{}}}", described.join(", "))
}

/// The greatest distance that any of the fields declares.
#[must_use]
pub fn greatest_error(fields: &[&dyn WordCoder]) -> Option<f32> {
    fields.iter().filter_map(|field| field.max_error()).reduce(f32::max)
}

/// Whether any of the fields continues its motion.
#[must_use]
pub fn any_continues_motion(fields: &[&dyn WordCoder]) -> bool {
    fields.iter().any(|field| field.continues_motion())
}

/// A bit that says whether the words differ from the baseline, where there is one, and the words where they do.
fn write_changed(coder: &dyn WordCoder, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
    if let Some(baseline) = baseline {
        let changed = baseline.words != words;
        writer.write_bool(changed);
        if !changed {
            return;
        }
    }
    coder.write(baseline, words, writer);
}

/// Reads what [`write_changed`] wrote.
fn read_changed(
    coder: &dyn WordCoder,
    baseline: Option<Baseline<'_>>,
    reader: &mut BitReader,
    words: &mut Vec<u32>,
) -> Result<(), RecordError> {
    if let Some(baseline) = baseline
        && !reader.read_bool()?
    {
        words.extend_from_slice(baseline.words);
        return Ok(());
    }
    coder.read(baseline, reader, words)
}

/// A baseline that is taken apart field by field, in step with the words.
struct BaselineParts<'a>(Option<Baseline<'a>>);

impl<'a> BaselineParts<'a> {
    fn take(&mut self, field: &dyn WordCoder) -> Option<Baseline<'a>> {
        let whole = self.0.as_mut()?;
        let (words, rest) = field.split(whole.words);
        whole.words = rest;
        let earlier = whole.earlier.map(|(words, age)| (field.split(words), age));
        whole.earlier = earlier.map(|((_, rest), age)| (rest, age));
        Some(Baseline { words, age: whole.age, earlier: earlier.map(|((part, _), age)| (part, age)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::testing::{bits_of, words_of};
    use crate::field::{ArrayCodec, NetworkCodec, Quantised};

    /// What continues from an earlier value must see its own part of it.
    struct Continues;

    impl WordCoder for Continues {
        fn describe(&self) -> String {
            "continues".to_owned()
        }

        fn length(&self, words: &[u32]) -> usize {
            words.len().min(1)
        }

        fn write(&self, baseline: Option<Baseline<'_>>, _: &[u32], writer: &mut BitWriter) {
            let earlier = baseline.and_then(|baseline| baseline.earlier);
            let (word, age) = earlier.map_or((0, 0), |(words, age)| (words.first().copied().unwrap_or_default(), age));
            writer.write_bits(u64::from(word), 8);
            writer.write_bits(u64::from(age), 8);
        }

        fn read(
            &self,
            _: Option<Baseline<'_>>,
            reader: &mut BitReader,
            words: &mut Vec<u32>,
        ) -> Result<(), RecordError> {
            words.push(reader.read_bits(16)? as u32);
            Ok(())
        }
    }

    #[test]
    fn each_field_sees_its_part_of_every_value() {
        let baseline = Baseline { words: &[10, 11], age: 3, earlier: Some((&[20, 21], 5)) };
        let mut writer = BitWriter::new();
        write_fields(&[&Continues, &Continues], Some(baseline), &[10, 12], &mut writer);
        // the first is unchanged; the second is changed and sees 21, five ticks earlier
        let expected: u64 = (1 << 1) | (21 << 2) | (5 << 10);
        assert_eq!((writer.words(), writer.bit_len()), ([expected].as_slice(), 18));
    }

    #[test]
    fn what_did_not_change_costs_a_bit() {
        let position = ArrayCodec::new(Quantised::new(-512.0..512.0, 0.001));
        let from = words_of(&position, &[1.0_f32, 2.0, 3.0]);
        let to = words_of(&position, &[1.0_f32, 2.001, 3.0]);
        // two unchanged axes, and a changed one by one step in order 4
        assert_eq!(bits_of(&position, Some(&from), &to), 1 + (1 + 5) + 1);
    }

    #[test]
    fn one_field_has_no_changed_bit() {
        let one = <[bool; 1]>::codec();
        assert_eq!(bits_of(&one, Some(&[0]), &[1]), 1);
    }

    #[test]
    fn the_greatest_error_is_that_of_the_coarsest_field() {
        let (fine, coarse) = (Quantised::new(0.0..1.0, 0.01), Quantised::new(0.0..1.0, 0.1));
        assert_eq!(greatest_error(&[&fine, &coarse, &bool::codec()]), coarse.max_error());
        assert_eq!(greatest_error(&[&bool::codec()]), None);
    }
}
