//! Whole numbers.

use core::marker::PhantomData;

use slipstream_wire::{Baseline, BitReader, BitWriter, WireError};

use super::{CodedBy, FieldCodec, NetworkCodec, WordCoder, malformed, order_of};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;

/// The order in which numbers of more than 16 bits are written whole: most are small.
const WHOLE_K: u32 = 8;
/// Where nothing is said about changes: they are around four.
const DEFAULT_K: u32 = 2;

/// A whole number of fixed width: `u8` to `u64`, `i8` to `i64`. (`usize` is not the same on every machine.)
pub trait Integer: Copy + Send + Sync + 'static {
    /// Its name in Rust.
    const NAME: &'static str;
    /// Its width.
    const BITS: u32;
    /// Whether it may be negative.
    const SIGNED: bool;

    /// The number in 64 bits, with its sign.
    fn extended(self) -> u64;

    /// The number that the low bits stand for.
    fn truncated(bits: u64) -> Self;

    /// The number that is these 64 bits, if it is within this type.
    fn checked(bits: u64) -> Option<Self> {
        let number = Self::truncated(bits);
        (number.extended() == bits).then_some(number)
    }
}

/// How much a whole number usually changes from one time it is sent to the next: such changes are coded shortest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Typical(pub u64);

/// A whole number, sent as its difference.
///
/// Words: the low 32 bits, and the high ones of a type of 64. Bits: up to 16 bits as they are, wider ones in exp-Golomb code;
/// differences in exp-Golomb code, modulo 2^64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntegerCodec<T> {
    k: u32,
    of: PhantomData<fn() -> T>,
}

impl<T: Integer> IntegerCodec<T> {
    /// For changes of about four.
    #[must_use]
    pub const fn new() -> Self {
        Self { k: DEFAULT_K, of: PhantomData }
    }

    /// For changes of about `change`.
    #[must_use]
    pub fn typical(change: u64) -> Self {
        Self { k: order_of(change).min(T::BITS - 1), of: PhantomData }
    }
}

impl<T: Integer> Default for IntegerCodec<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Appends a number's words.
pub(super) fn push_number<T: Integer>(number: T, words: &mut Vec<u32>) {
    let bits = number.extended();
    words.push(bits as u32);
    if T::BITS > 32 {
        words.push((bits >> 32) as u32);
    }
}

/// The number of words, where there are enough.
pub(super) fn number_of<T: Integer>(words: &[u32]) -> Option<T> {
    let low = words.first()?;
    let high = if T::BITS > 32 { words.get(1)? } else { &0 };
    Some(T::truncated(u64::from(*low) | (u64::from(*high) << 32)))
}

/// How many words a number has, if they are there.
pub(super) fn number_length<T: Integer>(words: &[u32]) -> usize {
    words.len().min(if T::BITS > 32 { 2 } else { 1 })
}

impl<T: Integer> WordCoder for IntegerCodec<T> {
    fn describe(&self) -> String {
        format!("{} k {}", T::NAME, self.k)
    }

    fn length(&self, words: &[u32]) -> usize {
        number_length::<T>(words)
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        let Some(new) = number_of::<T>(words).map(T::extended) else { return };
        if let Some(old) = baseline.and_then(|baseline| number_of::<T>(baseline.words)) {
            writer.write_signed_exp_golomb(new.wrapping_sub(old.extended()).cast_signed(), self.k);
        } else if T::BITS <= 16 {
            writer.write_bits(new, T::BITS);
        } else if T::SIGNED {
            writer.write_signed_exp_golomb(new.cast_signed(), WHOLE_K);
        } else {
            writer.write_exp_golomb(new, WHOLE_K);
        }
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        let number = if let Some(old) = baseline.and_then(|baseline| number_of::<T>(baseline.words)) {
            let difference = reader.read_signed_exp_golomb(self.k)?;
            T::checked(old.extended().wrapping_add(difference.cast_unsigned()))
        } else if T::BITS <= 16 {
            Some(T::truncated(reader.read_bits(T::BITS)?))
        } else if T::SIGNED {
            T::checked(reader.read_signed_exp_golomb(WHOLE_K)?.cast_unsigned())
        } else {
            T::checked(reader.read_exp_golomb(WHOLE_K)?)
        };
        push_number(number.ok_or(WireError::Malformed { what: T::NAME })?, words);
        Ok(())
    }
}

impl<T: Integer> FieldCodec<T> for IntegerCodec<T> {
    fn quantize(&self, value: &T, _: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        push_number(*value, words);
        Ok(())
    }

    fn dequantize(&self, words: &[u32], _: &mut ResolveEntities) -> Result<T, RecordError> {
        number_of(words).ok_or_else(|| malformed(T::NAME))
    }
}

macro_rules! integers {
    ($($type:ident $signed:literal),*) => {$(
        #[allow(clippy::unnecessary_cast, reason = "for one of the types each of the casts does nothing")]
        impl Integer for $type {
            const NAME: &'static str = stringify!($type);
            const BITS: u32 = $type::BITS;
            const SIGNED: bool = $signed;

            fn extended(self) -> u64 {
                self as i64 as u64
            }

            fn truncated(bits: u64) -> Self {
                bits as $type
            }
        }

        impl NetworkCodec for $type {
            type Codec = IntegerCodec<$type>;

            fn codec() -> IntegerCodec<$type> {
                IntegerCodec::new()
            }
        }

        impl CodedBy<Typical> for $type {
            type Codec = IntegerCodec<$type>;

            fn coded_by(Typical(change): Typical) -> IntegerCodec<$type> {
                IntegerCodec::typical(change)
            }
        }
    )*};
}

integers!(u8 false, u16 false, u32 false, u64 false, i8 true, i16 true, i32 true, i64 true);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{
        assert_bears_any_words, assert_no_drift, assert_survives, bits_of, read_words, value_of, words_of,
    };
    use super::*;

    fn assert_holds<T: Integer + NetworkCodec<Codec = IntegerCodec<T>> + PartialEq + core::fmt::Debug>(
        from: u64,
        to: u64,
        typical: u64,
        bytes: &[u8],
    ) {
        let (from, to) = (T::truncated(from), T::truncated(to));
        for codec in [T::codec(), IntegerCodec::typical(typical)] {
            assert_survives(&codec, &from, &to);
            assert_no_drift(&codec, &from, bytes);
            assert_eq!(value_of(&codec, &words_of(&codec, &to)), Ok(to));
        }
    }

    proptest! {
        #[test]
        fn every_number_of_every_type_survives(
            from in any::<u64>(),
            to in any::<u64>(),
            typical in any::<u64>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            assert_holds::<u8>(from, to, typical, &bytes);
            assert_holds::<u16>(from, to, typical, &bytes);
            assert_holds::<u32>(from, to, typical, &bytes);
            assert_holds::<u64>(from, to, typical, &bytes);
            assert_holds::<i8>(from, to, typical, &bytes);
            assert_holds::<i16>(from, to, typical, &bytes);
            assert_holds::<i32>(from, to, typical, &bytes);
            assert_holds::<i64>(from, to, typical, &bytes);
        }

        #[test]
        fn any_words_are_borne(words in proptest::collection::vec(any::<u32>(), 0..4)) {
            assert_bears_any_words(&u8::codec(), &words);
            assert_bears_any_words(&i64::codec(), &words);
        }
    }

    #[test]
    fn the_ends_survive() {
        assert_survives(&u64::codec(), &0, &u64::MAX);
        assert_survives(&i64::codec(), &i64::MIN, &i64::MAX);
        assert_survives(&i8::codec(), &i8::MIN, &i8::MAX);
        assert_survives(&u32::codec(), &u32::MAX, &0);
    }

    #[test]
    fn a_difference_out_of_the_type_is_refused() {
        let mut writer = BitWriter::new();
        writer.write_signed_exp_golomb(1, DEFAULT_K);
        let bytes = writer.to_bytes();
        assert_eq!(read_words(&u8::codec(), Some(&[254]), &bytes), Ok(vec![255]));
        assert!(read_words(&u8::codec(), Some(&[255]), &bytes).is_err());
    }

    #[test]
    fn one_less_is_three_bits() {
        assert_eq!(bits_of(&u16::codec(), Some(&[300]), &[299]), 3);
        assert_eq!(bits_of(&u16::codec(), None, &[299]), 16);
        assert_eq!(bits_of(&u32::codec(), None, &[299]), 11);
        assert_eq!(bits_of(&IntegerCodec::<u16>::typical(100), Some(&[300]), &[200]), 10);
    }
}
