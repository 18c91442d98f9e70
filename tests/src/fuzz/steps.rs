//! An input that says what is to be read, and the stream to read it from.
//!
//! ```text
//! count:1 byte { kind:1 byte parameter:1 byte } count times, then the stream
//! ```

use core::ops::Range;

use bevy_slipstream::wire::{BitReader, BitWriter, WireError};

/// The steps and the stream of an input.
pub(crate) fn split(data: &[u8]) -> (&[[u8; 2]], &[u8]) {
    let Some((count, rest)) = data.split_first() else { return (&[], &[]) };
    let (steps, stream) = rest.split_at((2 * usize::from(*count)).min(rest.len()));
    (steps.as_chunks::<2>().0, stream)
}

/// The input of these steps, of which there are fewer than 256, and this stream.
pub(crate) fn join(steps: &[[u8; 2]], stream: &[u8]) -> Vec<u8> {
    let count = u8::try_from(steps.len()).expect("fewer than 256 steps");
    let mut data = vec![count];
    data.extend(steps.as_flattened());
    data.extend(stream);
    data
}

/// Reads step by step. `read` gives what it read as written anew: the same bits, for each value has one form. A read
/// that fails stays where it was.
pub(crate) fn follow(data: &[u8], read: impl Fn(u8, u8, &mut BitReader<'_>) -> Result<BitWriter, WireError>) {
    let (steps, stream) = split(data);
    let mut reader = BitReader::new(stream);
    for [kind, parameter] in steps {
        let before = reader.position();
        match read(*kind, *parameter, &mut reader) {
            Ok(again) => assert_same_bits(stream, before..reader.position(), &again),
            Err(error) => assert_eq!(reader.position(), before, "a read that failed ({error}) has moved"),
        }
        assert_eq!(reader.position() + reader.remaining_bits(), stream.len() * 8);
    }
}

fn assert_same_bits(stream: &[u8], place: Range<usize>, again: &BitWriter) {
    assert_eq!(again.bit_len(), place.len(), "what was read from {place:?} is written in another length");
    let bytes = again.to_bytes();
    let (mut read, mut written) = (BitReader::new(stream), BitReader::new(&bytes));
    read.skip_bits(place.start).expect("it was read from here");
    let mut left = place.len();
    while left > 0 {
        let bits = left.min(64);
        assert_eq!(written.read_bits(bits as u32), read.read_bits(bits as u32), "what was read from {place:?}");
        left -= bits;
    }
}
