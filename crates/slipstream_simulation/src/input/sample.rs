//! One input at one tick, encoded.

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

/// The bits of one sample. Unused bits of the last byte are zero, so that equal samples are equal
/// here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EncodedSample {
    bytes: Vec<u8>,
    bits: usize,
}

impl EncodedSample {
    /// Takes what a codec wrote, after checking it against the size that the codec declared.
    pub(crate) fn new(written: &BitWriter, size: SampleSize) -> Result<Self, InputError> {
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
        Ok(Self { bytes: written.to_bytes(), bits })
    }

    pub(crate) fn reader(&self) -> BitReader<'_> {
        BitReader::new(&self.bytes)
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

    pub(crate) fn read(size: SampleSize, reader: &mut BitReader<'_>) -> Result<Self, InputError> {
        let bits = match size {
            SampleSize::Bits(bits) => bits as usize,
            SampleSize::Bytes => {
                let length = reader.read_varint()?;
                if length > MAX_SAMPLE_BYTES as u64 {
                    return Err(InputError::TooLong {
                        what: "a sample (bytes)",
                        length,
                        limit: MAX_SAMPLE_BYTES as u64,
                    });
                }
                length as usize * 8
            }
        };
        let mut bytes = Vec::with_capacity(bits.div_ceil(8));
        let mut left = bits;
        while left > 0 {
            let take = left.min(8);
            bytes.push(reader.read_bits(take as u32)? as u8);
            left -= take;
        }
        Ok(Self { bytes, bits })
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
        let sample = EncodedSample::new(&written(&[(0x1a5b, 13)]), size).unwrap();
        let mut out = BitWriter::new();
        out.write_bits(5, 3);
        sample.write(size, &mut out);
        out.write_bits(1, 1);
        let bytes = out.to_bytes();
        let mut reader = BitReader::new(&bytes);
        assert_eq!(reader.read_bits(3).unwrap(), 5);
        assert_eq!(EncodedSample::read(size, &mut reader).unwrap(), sample);
        assert_eq!(reader.read_bits(1).unwrap(), 1);
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_anything_is_read() {
        let mut out = BitWriter::new();
        out.write_varint(u64::MAX);
        let bytes = out.to_bytes();
        let read = EncodedSample::read(SampleSize::Bytes, &mut BitReader::new(&bytes));
        assert!(matches!(read, Err(InputError::TooLong { .. })), "{read:?}");
    }

    #[test]
    fn a_codec_that_breaks_its_declared_size_is_told() {
        let sample = EncodedSample::new(&written(&[(1, 4)]), SampleSize::Bits(5));
        assert!(matches!(sample, Err(InputError::TooLong { .. })));
    }
}
