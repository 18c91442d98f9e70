//! The input message: the last ticks of every input that a client controls.
//!
//! ```text
//! 32 bits            newest tick of the message
//! varint             number of sections, at most 64
//! per section        one input of one entity:
//!   varint           kind of input: its place among the registered names, sorted
//!   varint, varint   network id of the entity: slot and generation
//!   4 bits           number of ticks less one; the last of them is the newest tick
//!   per tick, oldest first:
//!     1 bit          same as the tick before (not for the first)
//!     sample         if not the same; variable sizes start with a varint of bytes
//! 0 to 7 bits        padding
//! ```

use slipstream_connection::NetworkId;
use slipstream_wire::{BitReader, BitWriter, Tick};

use crate::input::sample::EncodedSample;
use crate::input::{InputError, InputRegistry, SampleSize};

/// How many ticks a message holds at most; what is older is lost if no message with it arrived.
pub const MAX_REDUNDANT_TICKS: u32 = 16;

/// How many inputs (of one kind and one entity) a message holds at most.
pub(crate) const MAX_SECTIONS: usize = 64;

/// The longest message that is sent or looked at.
pub(crate) const MAX_MESSAGE_BYTES: usize = 4096;

/// One input of one entity over several ticks, as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputSection {
    pub(crate) input: usize,
    pub(crate) entity: NetworkId,
    /// The different samples, each once, so that a repeated one costs neither memory nor decoding.
    values: Vec<EncodedSample>,
    /// For each tick, oldest first, which of `values` it has.
    ticks: Vec<u8>,
}

impl InputSection {
    /// Each tick with its sample, oldest first; the last tick is `newest`, the message's.
    pub(crate) fn samples(&self, newest: Tick) -> impl Iterator<Item = (Tick, &EncodedSample)> {
        let count = self.ticks.len() as u32;
        self.ticks.iter().zip(0_u32..).filter_map(move |(value, index)| {
            let sample = self.values.get(usize::from(*value))?;
            Some((newest - (count - 1 - index), sample))
        })
    }
}

/// A whole message, as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputMessage {
    pub(crate) newest: Tick,
    pub(crate) sections: Vec<InputSection>,
}

/// Begins a message; `sections` sections must follow.
pub(crate) fn write_header(out: &mut BitWriter, newest: Tick, sections: usize) {
    out.write_bits(u64::from(newest.get()), 32);
    out.write_varint(sections as u64);
}

/// Writes one section. `samples` holds 1 to [`MAX_REDUNDANT_TICKS`], oldest first.
pub(crate) fn write_section<'a>(
    out: &mut BitWriter,
    input: usize,
    entity: NetworkId,
    size: SampleSize,
    samples: impl ExactSizeIterator<Item = &'a EncodedSample>,
) {
    out.write_varint(input as u64);
    out.write_varint(u64::from(entity.slot));
    out.write_varint(u64::from(entity.generation));
    out.write_bits((samples.len() as u64).saturating_sub(1), 4);
    let mut previous: Option<&EncodedSample> = None;
    for sample in samples {
        let same = previous == Some(sample);
        if previous.is_some() {
            out.write_bool(same);
        }
        if !same {
            sample.write(size, out);
        }
        previous = Some(sample);
    }
}

impl InputMessage {
    /// Decodes what a peer sent.
    pub(crate) fn decode(bytes: &[u8], registry: &InputRegistry) -> Result<Self, InputError> {
        within("bytes", bytes.len() as u64, MAX_MESSAGE_BYTES as u64)?;
        let mut reader = BitReader::new(bytes);
        let newest = Tick::new(reader.read_bits(32)? as u32);
        let count = reader.read_varint()?;
        within("sections", count, MAX_SECTIONS as u64)?;
        let mut sections = Vec::new();
        for _ in 0..count {
            sections.push(read_section(&mut reader, registry)?);
        }
        match reader.remaining_bits() {
            0..=7 => Ok(Self { newest, sections }),
            bits => Err(InputError::Trailing { bits }),
        }
    }
}

fn read_section(reader: &mut BitReader<'_>, registry: &InputRegistry) -> Result<InputSection, InputError> {
    let index = reader.read_varint()?;
    let known = usize::try_from(index).ok().and_then(|input| Some((input, registry.size(input)?)));
    let Some((input, size)) = known else {
        return Err(InputError::UnknownInput { index, registered: registry.len() });
    };
    let entity = NetworkId { slot: read_u32(reader)?, generation: read_u32(reader)? };
    let count = reader.read_bits(4)? + 1;
    let mut values = vec![EncodedSample::read(size, reader)?];
    let mut ticks = vec![0];
    for _ in 1..count {
        if !reader.read_bool()? {
            values.push(EncodedSample::read(size, reader)?);
        }
        // At most 16 values: the index fits a byte.
        ticks.push((values.len() - 1) as u8);
    }
    Ok(InputSection { input, entity, values, ticks })
}

fn read_u32(reader: &mut BitReader<'_>) -> Result<u32, InputError> {
    let value = reader.read_varint()?;
    within("a network id", value, u64::from(u32::MAX))?;
    Ok(value as u32)
}

fn within(what: &'static str, length: u64, limit: u64) -> Result<(), InputError> {
    if length > limit {
        return Err(InputError::TooLong { what, length, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bevy::prelude::*;

    use super::*;

    #[derive(Component)]
    struct Drive;
    #[derive(Component)]
    struct Name;

    fn registry() -> InputRegistry {
        let mut registry = InputRegistry::default();
        registry.register::<Drive>("drive", SampleSize::Bits(11));
        registry.register::<Name>("name", SampleSize::Bytes);
        registry
    }

    fn sample(size: SampleSize, values: &[(u64, u32)]) -> EncodedSample {
        let mut writer = BitWriter::new();
        for (value, bits) in values {
            writer.write_bits(*value, *bits);
        }
        EncodedSample::new(&writer, size).unwrap()
    }

    fn message() -> (Vec<u8>, Vec<EncodedSample>, Vec<EncodedSample>) {
        let driven: Vec<_> = [3, 3, 3, 2047, 3].map(|value| sample(SampleSize::Bits(11), &[(value, 11)])).into();
        let named: Vec<_> = [&[(7, 8), (9, 8)][..], &[]].map(|values| sample(SampleSize::Bytes, values)).into();
        let mut out = BitWriter::new();
        write_header(&mut out, Tick::new(1), 2);
        let car = NetworkId { slot: 900, generation: 2 };
        write_section(&mut out, 0, car, SampleSize::Bits(11), driven.iter());
        write_section(&mut out, 1, car, SampleSize::Bytes, named.iter());
        (out.to_bytes(), driven, named)
    }

    #[test]
    fn a_message_comes_back_with_each_tick_and_its_sample_also_over_the_wrap_of_ticks() {
        let (bytes, driven, named) = message();
        let decoded = InputMessage::decode(&bytes, &registry()).unwrap();
        assert_eq!(decoded.newest, Tick::new(1));
        let drive = &decoded.sections[0];
        assert_eq!((drive.input, drive.entity.slot), (0, 900));
        let first = Tick::new(1) - 4;
        assert_eq!(first, Tick::new(u32::MAX - 2));
        let expected: Vec<_> = (0..5).map(|index| first + index).zip(&driven).collect();
        let samples: Vec<_> = drive.samples(decoded.newest).collect();
        assert_eq!(samples, expected);
        let samples: Vec<_> = decoded.sections[1].samples(decoded.newest).collect();
        assert_eq!(samples, vec![(Tick::new(0), &named[0]), (Tick::new(1), &named[1])]);
    }

    #[test]
    fn sixteen_ticks_of_the_same_input_cost_a_bit_each() {
        let held = vec![sample(SampleSize::Bits(11), &[(5, 11)]); 16];
        let mut out = BitWriter::new();
        write_header(&mut out, Tick::new(40), 1);
        let car = NetworkId { slot: 3, generation: 0 };
        write_section(&mut out, 0, car, SampleSize::Bits(11), held.iter());
        assert_eq!(out.bit_len(), 32 + 8 + 3 * 8 + 4 + 11 + 15);
    }

    #[test]
    fn every_message_that_ends_early_or_goes_on_is_an_error() {
        let (bytes, ..) = message();
        for length in 0..bytes.len() {
            let cut = InputMessage::decode(&bytes[..length], &registry());
            assert!(cut.is_err(), "{length} of {} bytes", bytes.len());
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(matches!(InputMessage::decode(&longer, &registry()), Err(InputError::Trailing { .. })));
    }

    #[test]
    fn random_and_mutated_bytes_never_panic_and_never_grow() {
        let (valid, ..) = message();
        let registry = registry();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            // xorshift64*, Vigna 2016.
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            state.wrapping_mul(0x2545_f491_4f6c_dd1d)
        };
        for _ in 0..20_000 {
            let mut bytes =
                if random() % 2 == 0 { valid.clone() } else { (0..random() % 64).map(|_| random() as u8).collect() };
            for _ in 0..random() % 4 {
                let place = random() as usize % (bytes.len() + 1);
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = random() as u8;
                }
            }
            if let Ok(decoded) = InputMessage::decode(&bytes, &registry) {
                assert!(decoded.sections.len() <= MAX_SECTIONS);
                for section in &decoded.sections {
                    assert!(section.samples(decoded.newest).count() <= 16);
                }
            }
        }
    }

    #[test]
    fn an_unknown_kind_of_input_is_named_in_the_error() {
        let mut out = BitWriter::new();
        write_header(&mut out, Tick::new(1), 1);
        out.write_varint(9);
        let error = InputMessage::decode(&out.to_bytes(), &registry()).unwrap_err();
        assert_eq!(error, InputError::UnknownInput { index: 9, registered: 2 });
    }
}
