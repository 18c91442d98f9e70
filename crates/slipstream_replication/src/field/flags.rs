//! Sets of flags in a whole number.

use core::marker::PhantomData;

use slipstream_wire::{Baseline, BitReader, BitWriter};

use super::integer::{number_length, number_of, push_number};
use super::{CodedBy, FieldCodec, Integer, WordCoder, malformed};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;

/// Says that a whole number is a set of flags: `#[net(flags)]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags;

/// A set of flags in an unsigned number, of which mostly one changes at a time.
///
/// Words: those of the number. Bits: all of them, or which one flipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagsCodec<T>(PhantomData<fn() -> T>);

impl<T: Integer> FlagsCodec<T> {
    /// All bits of the number.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Integer> Default for FlagsCodec<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Bits that tell the flags of `T` apart.
fn position_bits<T: Integer>() -> u32 {
    T::BITS.ilog2()
}

impl<T: Integer> WordCoder for FlagsCodec<T> {
    fn describe(&self) -> String {
        format!("{} flags", T::BITS)
    }

    fn length(&self, words: &[u32]) -> usize {
        number_length::<T>(words)
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        let Some(new) = number_of::<T>(words).map(T::extended) else { return };
        if let Some(old) = baseline.and_then(|baseline| number_of::<T>(baseline.words)) {
            let flipped = old.extended() ^ new;
            let one = flipped.is_power_of_two();
            writer.write_bool(one);
            if one {
                writer.write_bits(u64::from(flipped.trailing_zeros()), position_bits::<T>());
                return;
            }
        }
        writer.write_bits(new, T::BITS);
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        if let Some(old) = baseline.and_then(|baseline| number_of::<T>(baseline.words))
            && reader.read_bool()?
        {
            let position = reader.read_bits(position_bits::<T>())?;
            push_number(T::truncated(old.extended() ^ (1 << position)), words);
            return Ok(());
        }
        push_number(T::truncated(reader.read_bits(T::BITS)?), words);
        Ok(())
    }
}

impl<T: Integer> FieldCodec<T> for FlagsCodec<T> {
    fn quantize(&self, value: &T, _: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        push_number(*value, words);
        Ok(())
    }

    fn dequantize(&self, words: &[u32], _: &mut ResolveEntities) -> Result<T, RecordError> {
        number_of(words).ok_or_else(|| malformed("flags"))
    }
}

macro_rules! flags {
    ($($type:ident),*) => {$(
        impl CodedBy<Flags> for $type {
            type Codec = FlagsCodec<$type>;

            fn coded_by(_: Flags) -> FlagsCodec<$type> {
                FlagsCodec::new()
            }
        }
    )*};
}

flags!(u8, u16, u32, u64);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{assert_bears_any_words, assert_no_drift, assert_survives, bits_of};
    use super::*;

    proptest! {
        #[test]
        fn a_set_survives(
            from in any::<u64>(),
            to in any::<u64>(),
            flipped in 0_u32..64,
            bytes in proptest::collection::vec(any::<u8>(), 0..10),
        ) {
            for to in [to, from ^ (1 << flipped)] {
                assert_survives(&FlagsCodec::<u8>::new(), &(from as u8), &(to as u8));
                assert_survives(&FlagsCodec::<u16>::new(), &(from as u16), &(to as u16));
                assert_survives(&FlagsCodec::<u32>::new(), &(from as u32), &(to as u32));
                assert_survives(&FlagsCodec::<u64>::new(), &from, &to);
            }
            assert_no_drift(&FlagsCodec::<u8>::new(), &(from as u8), &bytes);
            assert_no_drift(&FlagsCodec::<u64>::new(), &from, &bytes);
        }
    }

    #[test]
    fn one_flag_is_its_number() {
        let codec = FlagsCodec::<u32>::new();
        assert_eq!(bits_of(&codec, Some(&[0b1001]), &[0b1000]), 1 + 5);
        assert_eq!(bits_of(&codec, Some(&[0b1001]), &[0b0110]), 1 + 32);
        assert_eq!(codec.describe(), "32 flags");
        assert_bears_any_words(&FlagsCodec::<u64>::new(), &[1]);
    }
}
