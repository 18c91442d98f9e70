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

use core::ops::Range;

use bevy::prelude::*;
use slipstream_connection::NetworkId;
use slipstream_wire::{BitReader, BitWriter, Tick};

use crate::input::sample::{EncodedSample, read_sample};
use crate::input::{InputError, InputRegistry, SampleSize};

/// How many ticks a message holds at most; what is older is lost if no message with it arrived.
pub const MAX_REDUNDANT_TICKS: u32 = 16;

/// How many inputs (of one kind and one entity) a message holds at most.
pub(crate) const MAX_SECTIONS: usize = 64;

/// The longest message that is sent or looked at.
pub(crate) const MAX_MESSAGE_BYTES: usize = 4096;

/// What each list of an [`InputInbox`] keeps of its memory, in entries.
const MAX_KEPT: usize = 64 * 1024;

/// One input of one entity over several ticks, as received.
#[derive(Clone, Debug)]
pub(crate) struct InputSection {
    pub(crate) input: usize,
    pub(crate) entity: NetworkId,
    /// In [`InputInbox::ticks`].
    ticks: Range<usize>,
}

/// A whole message, as received.
#[derive(Clone, Debug)]
pub(crate) struct InputMessage {
    /// The connection that it came from.
    pub(crate) from: Entity,
    pub(crate) newest: Tick,
    /// In [`InputInbox::sections`].
    sections: Range<usize>,
}

/// The messages of a frame, in memory that the next frame uses again.
#[derive(Resource, Debug, Default)]
pub(crate) struct InputInbox {
    messages: Vec<InputMessage>,
    sections: Vec<InputSection>,
    /// For each tick of each section, oldest first, where its sample is in `bytes`. A repeated one is there once.
    ticks: Vec<Range<usize>>,
    bytes: Vec<u8>,
}

impl InputInbox {
    /// Begins a frame.
    pub(crate) fn clear(&mut self) {
        self.messages.clear();
        self.sections.clear();
        self.ticks.clear();
        self.bytes.clear();
        // A flood of one frame is not paid for ever.
        self.messages.shrink_to(MAX_KEPT);
        self.sections.shrink_to(MAX_KEPT);
        self.ticks.shrink_to(MAX_KEPT);
        self.bytes.shrink_to(MAX_KEPT);
    }

    /// Decodes what a peer sent. What is not [kept](Self::keep), or is no message, is forgotten with the frame.
    pub(crate) fn decode(
        &mut self,
        from: Entity,
        bytes: &[u8],
        registry: &InputRegistry,
    ) -> Result<InputMessage, InputError> {
        within("bytes", bytes.len() as u64, MAX_MESSAGE_BYTES as u64)?;
        let mut reader = BitReader::new(bytes);
        let newest = Tick::new(reader.read_bits(32)? as u32);
        let count = reader.read_varint()?;
        within("sections", count, MAX_SECTIONS as u64)?;
        let first = self.sections.len();
        for _ in 0..count {
            self.read_section(&mut reader, registry)?;
        }
        match reader.remaining_bits() {
            0..=7 => Ok(InputMessage { from, newest, sections: first..self.sections.len() }),
            bits => Err(InputError::Trailing { bits }),
        }
    }

    /// Adds a message that was decoded in this frame.
    pub(crate) fn keep(&mut self, message: InputMessage) {
        self.messages.push(message);
    }

    /// The messages that were kept in this frame.
    pub(crate) fn messages(&self) -> &[InputMessage] {
        &self.messages
    }

    /// The sections of a message of this frame.
    pub(crate) fn sections(&self, message: &InputMessage) -> &[InputSection] {
        self.sections.get(message.sections.clone()).unwrap_or_default()
    }

    /// Each tick of a section with the bytes of its sample, oldest first; the last tick is `newest`, the message's.
    pub(crate) fn samples(&self, section: &InputSection, newest: Tick) -> impl Iterator<Item = (Tick, &[u8])> {
        let ticks = self.ticks.get(section.ticks.clone()).unwrap_or_default();
        let count = ticks.len() as u32;
        ticks.iter().zip(0_u32..).filter_map(move |(sample, index)| {
            let sample = self.bytes.get(sample.clone())?;
            Some((newest - (count - 1 - index), sample))
        })
    }

    fn read_section(&mut self, reader: &mut BitReader<'_>, registry: &InputRegistry) -> Result<(), InputError> {
        let index = reader.read_varint()?;
        let known = usize::try_from(index).ok().and_then(|input| Some((input, registry.size(input)?)));
        let Some((input, size)) = known else {
            return Err(InputError::UnknownInput { index, registered: registry.len() });
        };
        let entity = NetworkId { slot: read_u32(reader)?, generation: read_u32(reader)? };
        let count = reader.read_bits(4)? + 1;
        let first = self.ticks.len();
        let mut sample = read_sample(size, reader, &mut self.bytes)?;
        self.ticks.push(sample.clone());
        for _ in 1..count {
            if !reader.read_bool()? {
                sample = read_sample(size, reader, &mut self.bytes)?;
            }
            self.ticks.push(sample.clone());
        }
        self.sections.push(InputSection { input, entity, ticks: first..self.ticks.len() });
        Ok(())
    }
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

    fn sample(values: &[(u64, u32)]) -> EncodedSample {
        let mut writer = BitWriter::new();
        for (value, bits) in values {
            writer.write_bits(*value, *bits);
        }
        let mut sample = EncodedSample::default();
        sample.replace(&writer);
        sample
    }

    fn decode(inbox: &mut InputInbox, bytes: &[u8]) -> Result<InputMessage, InputError> {
        inbox.decode(Entity::PLACEHOLDER, bytes, &registry())
    }

    fn message() -> (Vec<u8>, Vec<EncodedSample>, Vec<EncodedSample>) {
        let driven: Vec<_> = [3, 3, 3, 2047, 3].map(|value| sample(&[(value, 11)])).into();
        let named: Vec<_> = [&[(7, 8), (9, 8)][..], &[]].map(sample).into();
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
        let mut inbox = InputInbox::default();
        // Another message, and the rest of one that is none, come before.
        decode(&mut inbox, &bytes).unwrap();
        decode(&mut inbox, &bytes[..bytes.len() - 1]).unwrap_err();
        let decoded = decode(&mut inbox, &bytes).unwrap();
        assert_eq!(decoded.newest, Tick::new(1));
        let [drive, name] = inbox.sections(&decoded) else {
            panic!("two sections were sent");
        };
        assert_eq!((drive.input, drive.entity.slot), (0, 900));
        let first = Tick::new(1) - 4;
        assert_eq!(first, Tick::new(u32::MAX - 2));
        let expected: Vec<_> = (0..5).map(|index| first + index).zip(driven.iter().map(EncodedSample::bytes)).collect();
        let samples: Vec<_> = inbox.samples(drive, decoded.newest).collect();
        assert_eq!(samples, expected);
        let samples: Vec<_> = inbox.samples(name, decoded.newest).collect();
        assert_eq!(samples, [(Tick::new(0), named[0].bytes()), (Tick::new(1), named[1].bytes())]);
    }

    #[test]
    fn a_repeated_sample_takes_memory_once_and_the_next_frame_uses_it_again() {
        let (bytes, ..) = message();
        let mut inbox = InputInbox::default();
        let mut places = Vec::new();
        for _ in 0..2 {
            let decoded = decode(&mut inbox, &bytes).unwrap();
            inbox.keep(decoded);
            assert_eq!(inbox.messages().len(), 1);
            // Three different values of 11 bits, and one of two bytes.
            assert_eq!((inbox.bytes.len(), inbox.ticks.len()), (3 * 2 + 2, 5 + 2));
            places.push(inbox.bytes.as_ptr());
            inbox.clear();
            assert!(inbox.messages().is_empty());
        }
        assert_eq!(places[0], places[1]);
    }

    #[test]
    fn sixteen_ticks_of_the_same_input_cost_a_bit_each() {
        let held = vec![sample(&[(5, 11)]); 16];
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
            let cut = decode(&mut InputInbox::default(), &bytes[..length]);
            assert!(cut.is_err(), "{length} of {} bytes", bytes.len());
        }
        let longer = decode(&mut InputInbox::default(), &[bytes.as_slice(), &[0]].concat());
        assert!(matches!(longer, Err(InputError::Trailing { .. })));
    }

    #[test]
    fn random_and_mutated_bytes_never_panic_and_never_grow() {
        let (valid, ..) = message();
        let (registry, mut inbox) = (registry(), InputInbox::default());
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
            inbox.clear();
            if let Ok(decoded) = inbox.decode(Entity::PLACEHOLDER, &bytes, &registry) {
                assert!(inbox.sections(&decoded).len() <= MAX_SECTIONS);
                for section in inbox.sections(&decoded) {
                    assert!(inbox.samples(section, decoded.newest).count() <= 16);
                }
            }
        }
    }

    #[test]
    fn an_unknown_kind_of_input_is_named_in_the_error() {
        let mut out = BitWriter::new();
        write_header(&mut out, Tick::new(1), 1);
        out.write_varint(9);
        let error = decode(&mut InputInbox::default(), &out.to_bytes()).unwrap_err();
        assert_eq!(error, InputError::UnknownInput { index: 9, registered: 2 });
    }
}
