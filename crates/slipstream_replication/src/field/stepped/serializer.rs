//! Values to words, as serde visits them.

use ::serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::super::bytes::push_bytes;
use super::super::integer::{Integer, push_number};
use super::{EXACT, StepError, Steps};

type Result<T> = core::result::Result<T, StepError>;

pub(super) struct WordSerializer<'w> {
    steps: Steps,
    words: &'w mut Vec<u32>,
}

impl<'w> WordSerializer<'w> {
    pub(super) fn new(steps: Steps, words: &'w mut Vec<u32>) -> Self {
        Self { steps, words }
    }

    fn number<T: Integer>(&mut self, number: T) -> Result<()> {
        push_number(number, self.words);
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        push_bytes(bytes, self.words).map_err(|error| StepError::new(error.to_string()))
    }
}

/// A sequence or map whose count is filled in at its end.
pub(super) struct Counted<'s, 'w> {
    serializer: &'s mut WordSerializer<'w>,
    count_at: usize,
    count: u32,
}

impl<'s, 'w> Counted<'s, 'w> {
    fn begin(serializer: &'s mut WordSerializer<'w>) -> Self {
        let count_at = serializer.words.len();
        serializer.words.push(0);
        Self { serializer, count_at, count: 0 }
    }

    fn element<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<()> {
        self.count += 1;
        element.serialize(&mut *self.serializer)
    }

    fn finish(self) -> Result<()> {
        let words = &mut *self.serializer.words;
        // The receiver bounds a count by the words that are there.
        if words.len() - self.count_at - 1 < self.count as usize {
            return Err(StepError::new("an element of a list needs a value"));
        }
        if let Some(count) = words.get_mut(self.count_at) {
            *count = self.count;
        }
        Ok(())
    }
}

impl<'s, 'w> Serializer for &'s mut WordSerializer<'w> {
    type Ok = ();
    type Error = StepError;
    type SerializeSeq = Counted<'s, 'w>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Counted<'s, 'w>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<()> {
        self.number(u32::from(value))
    }

    fn serialize_i8(self, value: i8) -> Result<()> {
        self.number(value)
    }

    fn serialize_i16(self, value: i16) -> Result<()> {
        self.number(value)
    }

    fn serialize_i32(self, value: i32) -> Result<()> {
        self.number(value)
    }

    fn serialize_i64(self, value: i64) -> Result<()> {
        self.number(value)
    }

    fn serialize_u8(self, value: u8) -> Result<()> {
        self.number(value)
    }

    fn serialize_u16(self, value: u16) -> Result<()> {
        self.number(value)
    }

    fn serialize_u32(self, value: u32) -> Result<()> {
        self.number(value)
    }

    fn serialize_u64(self, value: u64) -> Result<()> {
        self.number(value)
    }

    fn serialize_f32(self, value: f32) -> Result<()> {
        match self.steps.word(value) {
            Some(word) => self.words.push(word),
            None => self.words.extend([EXACT, value.to_bits()]),
        }
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<()> {
        self.number(value.to_bits())
    }

    fn serialize_char(self, value: char) -> Result<()> {
        self.number(u32::from(value))
    }

    fn serialize_str(self, value: &str) -> Result<()> {
        self.bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        self.bytes(value)
    }

    fn serialize_none(self) -> Result<()> {
        self.number(0_u32)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        self.number(1_u32)?;
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result<()> {
        self.number(index)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<()> {
        self.number(index)?;
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq> {
        Ok(Counted::begin(self))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self> {
        Ok(self)
    }

    fn serialize_tuple_variant(self, _: &'static str, index: u32, _: &'static str, _: usize) -> Result<Self> {
        self.number(index)?;
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap> {
        Ok(Counted::begin(self))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self> {
        Ok(self)
    }

    fn serialize_struct_variant(self, _: &'static str, index: u32, _: &'static str, _: usize) -> Result<Self> {
        self.number(index)?;
        Ok(self)
    }
}

impl SerializeSeq for Counted<'_, '_> {
    type Ok = ();
    type Error = StepError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.element(value)
    }

    fn end(self) -> Result<()> {
        self.finish()
    }
}

impl SerializeMap for Counted<'_, '_> {
    type Ok = ();
    type Error = StepError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.element(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(&mut *self.serializer)
    }

    fn end(self) -> Result<()> {
        self.finish()
    }
}

/// The fields of what has as many as its type says: one after the other.
macro_rules! in_a_row {
    ($($of:ident $each:ident $(($name:ty))?),*) => {$(
        impl $of for &mut WordSerializer<'_> {
            type Ok = ();
            type Error = StepError;

            fn $each<T: Serialize + ?Sized>(&mut self, $(_: $name,)? value: &T) -> Result<()> {
                value.serialize(&mut **self)
            }

            fn end(self) -> Result<()> {
                Ok(())
            }
        }
    )*};
}

in_a_row!(
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field,
    SerializeStruct serialize_field (&'static str),
    SerializeStructVariant serialize_field (&'static str)
);
