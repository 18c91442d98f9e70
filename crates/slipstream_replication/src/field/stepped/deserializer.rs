//! Words to values, as serde asks for them. The words come from a peer: what is not their one form is an error.

use ::serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::super::bytes::{bytes_length, bytes_of, push_bytes};
use super::super::integer::{Integer, number_length, number_of};
use super::{EXACT, StepError, Steps};

type Result<T> = core::result::Result<T, StepError>;

/// How deep values may lie in each other: a type that contains itself must not let a peer decide how much stack it takes.
const MOST_LEVELS: u32 = 64;

pub(super) struct WordDeserializer<'w> {
    steps: Steps,
    words: &'w [u32],
    level: u32,
}

impl<'w> WordDeserializer<'w> {
    pub(super) fn new(steps: Steps, words: &'w [u32]) -> Self {
        Self { steps, words, level: 0 }
    }

    /// Nothing may follow the value.
    pub(super) fn finish(self) -> Result<()> {
        if !self.words.is_empty() {
            return Err(StepError::new(format!("{} words follow its end", self.words.len())));
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&'w [u32]> {
        let (taken, rest) =
            self.words.split_at_checked(count).ok_or_else(|| StepError::new("the words end within a value"))?;
        self.words = rest;
        Ok(taken)
    }

    fn number<T: Integer>(&mut self) -> Result<T> {
        let words = self.take(number_length::<T>(&[0, 0]))?;
        let number = number_of::<T>(words).ok_or_else(|| StepError::new("the words end within a number"))?;
        // The word of a narrow number holds its sign or zeros above it.
        let form = number.extended() as u32;
        if words.first() != Some(&form) {
            return Err(StepError::new(format!("expected a number of {} bits", T::BITS)));
        }
        Ok(number)
    }

    fn flag(&mut self) -> Result<bool> {
        match self.number::<u32>()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(StepError::new(format!("expected 0 or 1, got {other}"))),
        }
    }

    fn float(&mut self) -> Result<f32> {
        let word = self.number::<u32>()?;
        if word != EXACT {
            return self.steps.value(word).ok_or_else(|| StepError::new("expected a number of steps"));
        }
        let value = f32::from_bits(self.number()?);
        if self.steps.word(value).is_some() {
            return Err(StepError::new("a float that is in steps came exactly"));
        }
        Ok(value)
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        let words = self.take(bytes_length(self.words))?;
        let bytes = bytes_of(words);
        let mut form = Vec::with_capacity(words.len());
        push_bytes(&bytes, &mut form).map_err(|error| StepError::new(error.to_string()))?;
        if form != words {
            return Err(StepError::new("the bytes are not in their one form"));
        }
        Ok(bytes)
    }

    fn text(&mut self) -> Result<String> {
        String::from_utf8(self.bytes()?).map_err(|error| StepError::new(error.to_string()))
    }

    /// The elements of a sequence or map.
    fn counted(&mut self) -> Result<usize> {
        let count = self.number::<u32>()? as usize;
        if count > self.words.len() {
            return Err(StepError::new(format!("{count} elements are announced in {} words", self.words.len())));
        }
        Ok(count)
    }

    /// A value within a value.
    fn within<T>(&mut self, value: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.level == MOST_LEVELS {
            return Err(StepError::new(format!("values lie more than {MOST_LEVELS} deep in each other")));
        }
        self.level += 1;
        let value = value(self);
        self.level -= 1;
        value
    }
}

macro_rules! numbers {
    ($($deserialize:ident $visit:ident)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            visitor.$visit(self.number()?)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut WordDeserializer<'_> {
    type Error = StepError;

    fn is_human_readable(&self) -> bool {
        false
    }

    numbers! {
        deserialize_i8 visit_i8
        deserialize_i16 visit_i16
        deserialize_i32 visit_i32
        deserialize_i64 visit_i64
        deserialize_u8 visit_u8
        deserialize_u16 visit_u16
        deserialize_u32 visit_u32
        deserialize_u64 visit_u64
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(StepError::new("words do not say what they are: the type must say what it expects"))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_bool(self.flag()?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_f32(self.float()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_f64(f64::from_bits(self.number()?))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let value = char::from_u32(self.number()?).ok_or_else(|| StepError::new("expected a char"))?;
        visitor.visit_char(value)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_byte_buf(self.bytes()?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_byte_buf(self.bytes()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if !self.flag()? {
            return visitor.visit_none();
        }
        self.within(|inner| visitor.visit_some(inner))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        self.within(|inner| visitor.visit_newtype_struct(inner))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let left = self.counted()?;
        self.within(|deserializer| visitor.visit_seq(Elements { deserializer, left }))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value> {
        self.within(|deserializer| visitor.visit_seq(Elements { deserializer, left }))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, length: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let left = self.counted()?;
        self.within(|deserializer| visitor.visit_map(Elements { deserializer, left }))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.within(|inner| visitor.visit_enum(inner))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(StepError::new("words have no names of fields"))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(StepError::new("a value of unknown type can't be passed over"))
    }
}

/// So many elements that are still to come.
struct Elements<'d, 'w> {
    deserializer: &'d mut WordDeserializer<'w>,
    left: usize,
}

impl Elements<'_, '_> {
    fn next<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.deserializer).map(Some)
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, '_> {
    type Error = StepError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for Elements<'_, '_> {
    type Error = StepError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        self.next(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value> {
        seed.deserialize(&mut *self.deserializer)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> EnumAccess<'de> for &mut WordDeserializer<'_> {
    type Error = StepError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self)> {
        let index = self.number::<u32>()?;
        let variant = seed.deserialize(IntoDeserializer::<StepError>::into_deserializer(index))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for &mut WordDeserializer<'_> {
    type Error = StepError;

    fn unit_variant(self) -> Result<()> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}
