//! Bounded strings and byte strings inside a datagram: a varint length and that many bytes.

use slipstream_wire::{BitReader, BitWriter, WireError};

/// The longest prefix of `text` that has at most `limit` bytes and ends at a character.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Writes `text`, cut to `limit` bytes.
pub(crate) fn write_text(writer: &mut BitWriter, text: &str, limit: usize) {
    write_blob(writer, cut(text, limit).as_bytes());
}

/// Reads a string of at most `limit` bytes.
pub(crate) fn read_text(reader: &mut BitReader<'_>, limit: usize, what: &'static str) -> Result<String, WireError> {
    let bytes = read_blob(reader, limit, what)?;
    String::from_utf8(bytes).map_err(|_| WireError::Malformed { what })
}

/// Writes a length and the bytes.
pub(crate) fn write_blob(writer: &mut BitWriter, bytes: &[u8]) {
    writer.write_varint(bytes.len() as u64);
    writer.write_bytes(bytes);
}

/// Reads at most `limit` bytes.
pub(crate) fn read_blob(reader: &mut BitReader<'_>, limit: usize, what: &'static str) -> Result<Vec<u8>, WireError> {
    let length = read_limited(reader, limit as u64, what)?;
    reader.read_vec(length as usize, limit)
}

/// Reads a varint that must not exceed `limit`.
pub(crate) fn read_limited(reader: &mut BitReader<'_>, limit: u64, what: &'static str) -> Result<u64, WireError> {
    let value = reader.read_varint()?;
    if value > limit {
        return Err(WireError::ValueOutOfRange { what, value, max: limit });
    }
    Ok(value)
}

/// Bytes that a varint takes.
pub(crate) fn varint_len(value: u64) -> usize {
    let bits = 64 - value.leading_zeros() as usize;
    bits.div_ceil(7).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("", 3), "");
    }

    #[test]
    fn varint_lengths_match_the_writer() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::MAX] {
            let mut writer = BitWriter::new();
            writer.write_varint(value);
            assert_eq!(writer.byte_len(), varint_len(value), "{value}");
        }
    }

    #[test]
    fn a_string_longer_than_its_limit_is_an_error() {
        let mut writer = BitWriter::new();
        write_text(&mut writer, "hello", 100);
        let bytes = writer.to_bytes();
        assert!(read_text(&mut BitReader::new(&bytes), 4, "greeting").is_err());
        assert_eq!(read_text(&mut BitReader::new(&bytes), 5, "greeting").unwrap(), "hello");
    }
}
