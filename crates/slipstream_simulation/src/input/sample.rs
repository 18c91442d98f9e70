//! One input at one tick, encoded.

use core::ops::Range;

use slipstream_wire::{BitReader, BitWriter};

use crate::input::InputError;

/// The largest input that a codec of variable size may write, in bytes.
pub const MAX_SAMPLE_BYTES: usize = 512;

/// How long the samples of a codec are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleSize {
    /// Every sample has exactly so many bits; at most `8 * MAX_SAMPLE_BYTES`. Costs no length.
    Bits(u32),
    /// Whole bytes, at most [`MAX_SAMPLE_BYTES`]; the length is sent with each sample.
    Bytes,
}

/// Checks what a codec wrote against the size that it declared.
pub(crate) fn check_size(written: &BitWriter, size: SampleSize) -> Result<(), InputError> {
    let bits = written.bit_len();
    let fits = match size {
        SampleSize::Bits(declared) => bits == declared as usize,
        SampleSize::Bytes => bits.is_multiple_of(8),
    };
    if !fits || bits > MAX_SAMPLE_BYTES * 8 {
        return Err(InputError::TooLong {
            what: "a sample (bits)",
            length: bits as u64,
            limit: match size {
                SampleSize::Bits(declared) => u64::from(declared),
                SampleSize::Bytes => MAX_SAMPLE_BYTES as u64 * 8,
            },
        });
    }
    Ok(())
}

/// Reads a sample and appends it to `bytes`, from a whole byte on. Returns its place there.
pub(crate) fn read_sample(
    size: SampleSize,
    reader: &mut BitReader<'_>,
    bytes: &mut Vec<u8>,
) -> Result<Range<usize>, InputError> {
    let mut left = match size {
        SampleSize::Bits(bits) => bits as usize,
        SampleSize::Bytes => {
            let length = reader.read_varint()?;
            if length > MAX_SAMPLE_BYTES as u64 {
                return Err(InputError::TooLong { what: "a sample (bytes)", length, limit: MAX_SAMPLE_BYTES as u64 });
            }
            length as usize * 8
        }
    };
    let start = bytes.len();
    while left > 0 {
        let take = left.min(8);
        bytes.push(reader.read_bits(take as u32)? as u8);
        left -= take;
    }
    Ok(start..bytes.len())
}

/// The bits of one sample. Unused bits of the last byte are zero, so that equal samples are equal
/// here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EncodedSample {
    bytes: Vec<u8>,
    bits: usize,
}

impl EncodedSample {
    /// Becomes what a codec wrote, in the memory that is here.
    pub(crate) fn replace(&mut self, written: &BitWriter) {
        self.bytes.clear();
        written.append_to(&mut self.bytes);
        self.bits = written.bit_len();
    }

    pub(crate) fn write(&self, size: SampleSize, out: &mut BitWriter) {
        if size == SampleSize::Bytes {
            out.write_varint(self.bits as u64 / 8);
        }
        let mut left = self.bits;
        for byte in &self.bytes {
            let bits = left.min(8);
            out.write_bits(u64::from(*byte), bits as u32);
            left -= bits;
        }
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(values: &[(u64, u32)]) -> BitWriter {
        let mut writer = BitWriter::new();
        for (value, bits) in values {
            writer.write_bits(*value, *bits);
        }
        writer
    }

    #[test]
    fn a_sample_of_odd_size_comes_back_between_other_bits() {
        let size = SampleSize::Bits(13);
        let mut sample = EncodedSample::default();
        sample.replace(&written(&[(0x1a5b, 13)]));
        let mut out = BitWriter::new();
        out.write_bits(5, 3);
        sample.write(size, &mut out);
        out.write_bits(1, 1);
        let bytes = out.to_bytes();
        let mut reader = BitReader::new(&bytes);
        assert_eq!(reader.read_bits(3).unwrap(), 5);
        let mut read = vec![9];
        let place = read_sample(size, &mut reader, &mut read).unwrap();
        assert_eq!(&read[place], sample.bytes());
        assert_eq!(reader.read_bits(1).unwrap(), 1);
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_anything_is_read() {
        let mut out = BitWriter::new();
        out.write_varint(u64::MAX);
        let bytes = out.to_bytes();
        let mut sample = Vec::new();
        let read = read_sample(SampleSize::Bytes, &mut BitReader::new(&bytes), &mut sample);
        assert!(matches!(read, Err(InputError::TooLong { .. })), "{read:?}");
        assert!(sample.is_empty());
    }

    #[test]
    fn a_codec_that_breaks_its_declared_size_is_told() {
        let checked = check_size(&written(&[(1, 4)]), SampleSize::Bits(5));
        assert!(matches!(checked, Err(InputError::TooLong { .. })));
    }
}
