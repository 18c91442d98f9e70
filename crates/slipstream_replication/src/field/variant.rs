//! Enums: which variant, and its fields.
//!
//! ```text
//! whole      = variant:N fields                              N bits tell the variants apart
//! difference = another:1 ( variant:N fields | difference of the fields )
//! ```
//!
//! An enum without any fields is the variant alone, always.

use slipstream_wire::{Baseline, BitReader, BitWriter, WireError};

use super::structure::{describe_fields, fields_length, read_fields, write_fields};
use super::{WordCoder, malformed};
use crate::error::RecordError;

/// The fields of one variant.
type Fields<'a> = &'a [&'a dyn WordCoder];

/// The words of a variant and its fields.
#[must_use]
pub fn variant_length(variants: &[Fields<'_>], words: &[u32]) -> usize {
    let Some((variant, fields)) = words.split_first() else { return 0 };
    1 + fields_length(fields_of(variants, *variant), fields)
}

/// Writes a variant and its fields; where it is the variant of the baseline, only the fields that changed.
pub fn write_variant(variants: &[Fields<'_>], baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
    let Some((variant, fields)) = words.split_first() else { return };
    if let Some((old, part)) = take_variant(variants, baseline) {
        writer.write_bool(old != *variant);
        if old == *variant {
            write_fields(fields_of(variants, old), Some(part), fields, writer);
            return;
        }
    }
    writer.write_bits(u64::from(*variant), variant_bits(variants));
    write_fields(fields_of(variants, *variant), None, fields, writer);
}

/// Reads what [`write_variant`] wrote.
///
/// # Errors
/// A variant that does not exist, and those of the fields.
pub fn read_variant(
    variants: &[Fields<'_>],
    baseline: Option<Baseline<'_>>,
    reader: &mut BitReader,
    words: &mut Vec<u32>,
) -> Result<(), RecordError> {
    if let Some((old, part)) = take_variant(variants, baseline)
        && !reader.read_bool()?
    {
        words.push(old);
        return read_fields(fields_of(variants, old), Some(part), reader, words);
    }
    let value = reader.read_bits(variant_bits(variants))?;
    let variant = u32::try_from(value).ok().filter(|variant| (*variant as usize) < variants.len());
    let Some(variant) = variant else {
        let max = variants.len().saturating_sub(1) as u64;
        return Err(WireError::ValueOutOfRange { what: "variant", value, max }.into());
    };
    words.push(variant);
    read_fields(fields_of(variants, variant), None, reader, words)
}

/// The variant that words stand for, and the words of its fields.
///
/// # Errors
/// Where there are no words.
pub fn split_variant(words: &[u32]) -> Result<(u32, &[u32]), RecordError> {
    let (variant, fields) = words.split_first().ok_or_else(no_variant)?;
    Ok((*variant, fields))
}

/// What to say of words that stand for no variant.
#[must_use]
pub fn no_variant() -> RecordError {
    malformed("variant")
}

/// `<Idle | Firing {at: entity, heat: range(0..1, step 0.01) k 4}>`
#[must_use]
pub fn describe_variants(names: &[(&str, &[&str])], variants: &[Fields<'_>]) -> String {
    let described: Vec<String> =
        names
            .iter()
            .zip(variants)
            .map(|((name, fields), coders)| {
                if coders.is_empty() {
                    (*name).to_owned()
                } else {
                    format!("{name} {}", describe_fields(fields, coders))
                }
            })
            .collect();
    format!("<{}>", described.join(" | "))
}

fn fields_of<'a>(variants: &[Fields<'a>], variant: u32) -> Fields<'a> {
    variants.get(variant as usize).copied().unwrap_or_default()
}

/// The baseline's variant and fields, where comparing with them can save anything.
fn take_variant<'a>(variants: &[Fields<'_>], baseline: Option<Baseline<'a>>) -> Option<(u32, Baseline<'a>)> {
    if variants.iter().all(|fields| fields.is_empty()) {
        return None;
    }
    let baseline = baseline?;
    let (variant, fields) = baseline.words.split_first()?;
    Some((*variant, Baseline::new(fields, baseline.age)))
}

fn variant_bits(variants: &[Fields<'_>]) -> u32 {
    usize::BITS - variants.len().saturating_sub(1).leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{NetworkCodec, Quantised};

    fn write(variants: &[Fields<'_>], baseline: Option<&[u32]>, words: &[u32]) -> (Vec<u8>, usize) {
        let mut writer = BitWriter::new();
        write_variant(variants, baseline.map(|words| Baseline::new(words, 1)), words, &mut writer);
        (writer.to_bytes(), writer.bit_len())
    }

    fn read(variants: &[Fields<'_>], baseline: Option<&[u32]>, bytes: &[u8]) -> Result<Vec<u32>, RecordError> {
        let mut words = Vec::new();
        let baseline = baseline.map(|words| Baseline::new(words, 1));
        read_variant(variants, baseline, &mut BitReader::new(bytes), &mut words)?;
        Ok(words)
    }

    #[test]
    fn another_variant_is_written_whole_and_the_same_one_by_its_changes() {
        let (heat, lit) = (Quantised::new(0.0..1.0, 0.1), bool::codec());
        let variants: [Fields<'_>; 3] = [&[], &[&heat, &lit], &[&lit]];
        for (from, to, bits) in [
            (None, vec![1, 4, 1], 2 + 4 + 1),
            (Some(vec![0]), vec![1, 4, 1], 1 + 2 + 4 + 1),
            (Some(vec![1, 3, 1]), vec![1, 4, 1], 1 + (1 + 5) + 1),
            (Some(vec![1, 3, 1]), vec![0], 1 + 2),
            (Some(vec![2, 1]), vec![2, 0], 1 + 1),
        ] {
            let (bytes, length) = write(&variants, from.as_deref(), &to);
            assert_eq!(length, bits, "{from:?} -> {to:?}");
            assert_eq!(read(&variants, from.as_deref(), &bytes), Ok(to));
        }
    }

    #[test]
    fn an_enum_without_fields_is_its_variant() {
        let variants: [Fields<'_>; 5] = [&[]; 5];
        let (bytes, length) = write(&variants, Some(&[1]), &[4]);
        assert_eq!(length, 3);
        assert_eq!(read(&variants, Some(&[1]), &bytes), Ok(vec![4]));
        assert!(matches!(read(&variants, None, &[5]), Err(RecordError::Wire(WireError::ValueOutOfRange { .. }))));
        assert_eq!(variant_bits(&variants[..1]), 0);
    }

    #[test]
    fn the_description_names_all_of_it() {
        let lit = bool::codec();
        let described = describe_variants(&[("Idle", &[]), ("Lit", &["on"])], &[&[], &[&lit]]);
        assert_eq!(described, "<Idle | Lit {on: bool}>");
    }
}
