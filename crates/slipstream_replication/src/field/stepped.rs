//! Anything that serde can serialise, with its floats in steps.

mod deserializer;
mod serializer;
#[cfg(test)]
mod tests;

use core::fmt::{self, Display};

use ::serde::{Serialize, de::DeserializeOwned};
use bevy::prelude::*;
use slipstream_wire::{Baseline, BitReader, BitWriter, Quantizer, zigzag_decode, zigzag_encode};

use self::deserializer::WordDeserializer;
use self::serializer::WordSerializer;
use super::{FieldCodec, ListCodec, WordCoder, first_word, malformed};
use crate::codec::{Codec, NameEntities, ResolveEntities};
use crate::error::RecordError;

/// Floats of more steps than this, either way, travel exactly.
const MOST_STEPS: f32 = (1 << 20) as f32;
const DIFFERENCE_K: u32 = 4;

/// A component through serde, with every `f32` in it in steps: `app.replicate::<C>().step(0.01)`.
///
/// No range is needed. A float is off by at most half a step (and the rounding of `f32`); one of more than 2^20 steps, and what
/// is no number, arrives exactly. Everything else arrives as it is, `f64` too. What did not change costs next to nothing: values
/// are compared one by one. Fields marked `#[entities]` are mapped.
///
/// The words are those of [`SteppedField`].
#[derive(Debug, Clone, Copy)]
pub struct StepCodec(SteppedField);

impl StepCodec {
    /// Floats in steps of `step`.
    ///
    /// # Panics
    /// At start-up, where `step` is not above zero or not finite.
    #[must_use]
    pub fn new(step: f32) -> Self {
        Self(SteppedField::new(step))
    }
}

/// The same for a field. Entities in it are not mapped.
///
/// Words: how many follow; then the values as serde visits them. A number, bool or char is a word, one of 64 bits two, low first;
/// a text its bytes' count and its bytes, four to a word; a sequence or map its count and its elements; an option 0, or 1 and
/// the value; an enum its variant's number and the content; a struct or tuple its fields. An `f32` is the number of its step from
/// zero, or -2^31 and its bits. A map has the order that its type gives it: one that has none, such as a `HashMap`, is sent
/// again without need.
#[derive(Debug, Clone, Copy)]
pub struct SteppedField {
    steps: Steps,
    list: ListCodec<Word>,
}

impl SteppedField {
    /// Floats in steps of `step`.
    ///
    /// # Panics
    /// At start-up, where `step` is not above zero or not finite.
    #[must_use]
    pub fn new(step: f32) -> Self {
        assert!(step > 0.0 && step * MOST_STEPS < f32::MAX, "a step must be above zero and finite, not {step}");
        let steps = Steps { quantizer: Quantizer::range(-MOST_STEPS * step..MOST_STEPS * step).step(step), step };
        Self { steps, list: ListCodec::new(Word) }
    }
}

/// Floats as numbers of steps from zero.
#[derive(Debug, Clone, Copy)]
struct Steps {
    quantizer: Quantizer,
    step: f32,
}

/// Stands before the bits of a float that is not in steps. No number of steps is as low.
const EXACT: u32 = 1 << 31;

impl Steps {
    /// The word of a float, where it is one in steps.
    fn word(self, value: f32) -> Option<u32> {
        let in_steps = value.abs() <= MOST_STEPS * self.step;
        in_steps.then(|| self.quantizer.quantize(value).wrapping_sub(self.zero()))
    }

    /// The float of a word, where the word is a number of steps.
    fn value(self, word: u32) -> Option<f32> {
        let step = word.wrapping_add(self.zero());
        (step <= self.quantizer.max()).then(|| self.quantizer.dequantize(step))
    }

    fn zero(self) -> u32 {
        self.quantizer.quantize(0.0)
    }
}

/// One word of unknown meaning, mostly a small number of either sign.
#[derive(Debug, Clone, Copy)]
struct Word;

/// Bits of the four sizes of a word.
const SIZES: [u32; 4] = [0, 8, 16, 32];

impl WordCoder for Word {
    fn describe(&self) -> String {
        "word".to_owned()
    }

    fn length(&self, words: &[u32]) -> usize {
        words.len().min(1)
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        let new = words.first().copied().unwrap_or_default();
        if let Some(old) = first_word(baseline) {
            let difference = new.wrapping_sub(old).cast_signed();
            writer.write_signed_exp_golomb(i64::from(difference), DIFFERENCE_K);
            return;
        }
        let folded = zigzag_encode(i64::from(new.cast_signed()));
        let size = SIZES.iter().position(|bits| folded >> bits == 0).unwrap_or_default();
        writer.write_bits(size as u64, 2);
        writer.write_bits(folded, SIZES[size]);
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        if let Some(old) = first_word(baseline) {
            let difference = i32::try_from(reader.read_signed_exp_golomb(DIFFERENCE_K)?);
            let difference = difference.map_err(|_| malformed("difference of a word"))?;
            words.push(old.wrapping_add(difference.cast_unsigned()));
            return Ok(());
        }
        let size = reader.read_bits(2)? as usize;
        let folded = reader.read_bits(SIZES.get(size).copied().unwrap_or_default())?;
        // A fold of 32 bits is a number of 32 bits.
        words.push(zigzag_decode(folded) as u32);
        Ok(())
    }
}

impl WordCoder for SteppedField {
    fn describe(&self) -> String {
        format!("serde, step {}", self.steps.step)
    }

    fn max_error(&self) -> Option<f32> {
        Some(self.steps.quantizer.max_error())
    }

    fn length(&self, words: &[u32]) -> usize {
        self.list.length(words)
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        self.list.write(baseline, words, writer);
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        self.list.read(baseline, reader, words)
    }
}

impl<T: Serialize + DeserializeOwned> FieldCodec<T> for SteppedField {
    fn quantize(&self, value: &T, _: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        let start = words.len();
        words.push(0);
        value.serialize(&mut WordSerializer::new(self.steps, words)).map_err(StepError::of::<T>)?;
        let count = words.len() - start - 1;
        if let Some(head) = words.get_mut(start) {
            *head = count as u32;
        }
        super::check_growth(words, start)
    }

    fn dequantize(&self, words: &[u32], _: &mut ResolveEntities) -> Result<T, RecordError> {
        let values = words.get(1..).unwrap_or_default();
        let mut deserializer = WordDeserializer::new(self.steps, values);
        let value = T::deserialize(&mut deserializer).map_err(StepError::of::<T>)?;
        deserializer.finish().map_err(StepError::of::<T>)?;
        Ok(value)
    }
}

impl<C> Codec<C> for StepCodec
where
    C: Component + Clone + Serialize + DeserializeOwned,
{
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn quantize(&self, component: &C, entities: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        let mut named = component.clone();
        C::map_entities(&mut named, entities);
        self.0.quantize(&named, entities, words)
    }

    fn dequantize(&self, words: &[u32], entities: &mut ResolveEntities) -> Result<C, RecordError> {
        if self.0.length(words) != words.len() {
            return Err(malformed("number of words of a component"));
        }
        let mut component: C = self.0.dequantize(words, entities)?;
        C::map_entities(&mut component, entities);
        Ok(component)
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        self.0.write(baseline, words, writer);
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        self.0.read(baseline, reader, words)
    }
}

/// Why serde stopped.
#[derive(Debug)]
struct StepError(String);

impl StepError {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    fn of<T>(self) -> RecordError {
        RecordError::Component { name: core::any::type_name::<T>().to_owned(), reason: self.0 }
    }
}

impl Display for StepError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl core::error::Error for StepError {}

impl ::serde::ser::Error for StepError {
    fn custom<T: Display>(reason: T) -> Self {
        Self(reason.to_string())
    }
}

impl ::serde::de::Error for StepError {
    fn custom<T: Display>(reason: T) -> Self {
        Self(reason.to_string())
    }
}
