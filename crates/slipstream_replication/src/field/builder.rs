//! A codec put together at run time, for types that are not yours to derive on.

use slipstream_wire::{Baseline, BitReader, BitWriter};

use super::structure::{
    any_continues_motion, describe_fields, fields_length, greatest_error, read_fields, write_fields,
};
use super::{ByField, FieldCodec, WordCoder};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;

/// Names the fields of `C` that travel, and how. Those that are not named are as `C::default()` has them on the receiver.
///
/// ```
/// use bevy::prelude::*;
/// use slipstream_replication::{AppReplicateExt, CodedBy, FieldsCodec, NetworkCodec, Quantised};
///
/// # #[derive(Component, Default)]
/// # struct Velocity { linear: Vec3, angular: Vec3, sleeping: bool }
/// fn register(app: &mut App) {
///     let linear = Vec3::coded_by(Quantised::new(-200.0..200.0, 1.0 / 64.0));
///     let angular = Vec3::coded_by(Quantised::new(-50.0..50.0, 1.0 / 128.0));
///     let velocity = FieldsCodec::<Velocity>::new()
///         .field("linear", |it| &it.linear, |it| &mut it.linear, linear)
///         .field("angular", |it| &it.angular, |it| &mut it.angular, angular)
///         .field("sleeping", |it| &it.sleeping, |it| &mut it.sleeping, bool::codec());
///     app.replicate_with(velocity.build());
/// }
/// ```
pub struct FieldsCodec<C> {
    names: Vec<String>,
    parts: Vec<Box<dyn PartOf<C>>>,
}

impl<C: Default + 'static> FieldsCodec<C> {
    /// Without any fields: presence is all that travels.
    #[must_use]
    pub fn new() -> Self {
        Self { names: Vec::new(), parts: Vec::new() }
    }

    /// Adds a field: its name, which both sides compare, where it is, and its codec, such as `Vec3::coded_by(...)` or
    /// `u16::codec()`.
    #[must_use]
    pub fn field<T: 'static>(
        mut self,
        name: &str,
        get: fn(&C) -> &T,
        get_mut: fn(&mut C) -> &mut T,
        codec: impl FieldCodec<T>,
    ) -> Self {
        self.names.push(name.to_owned());
        self.parts.push(Box::new(Part { get, get_mut, codec }));
        self
    }

    /// The codec of the component.
    #[must_use]
    pub fn build(self) -> ByField<Self> {
        ByField(self)
    }

    fn coders(&self) -> Vec<&dyn WordCoder> {
        self.parts.iter().map(|part| part.coder()).collect()
    }
}

impl<C: Default + 'static> Default for FieldsCodec<C> {
    fn default() -> Self {
        Self::new()
    }
}

/// One field of a `C`, of whatever type.
trait PartOf<C>: Send + Sync {
    fn coder(&self) -> &dyn WordCoder;
    fn quantize(&self, whole: &C, entities: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError>;
    fn dequantize(&self, words: &[u32], entities: &mut ResolveEntities, whole: &mut C) -> Result<(), RecordError>;
}

struct Part<C, T, F> {
    get: fn(&C) -> &T,
    get_mut: fn(&mut C) -> &mut T,
    codec: F,
}

impl<C, T, F: FieldCodec<T>> PartOf<C> for Part<C, T, F> {
    fn coder(&self) -> &dyn WordCoder {
        &self.codec
    }

    fn quantize(&self, whole: &C, entities: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        self.codec.quantize((self.get)(whole), entities, words)
    }

    fn dequantize(&self, words: &[u32], entities: &mut ResolveEntities, whole: &mut C) -> Result<(), RecordError> {
        *(self.get_mut)(whole) = self.codec.dequantize(words, entities)?;
        Ok(())
    }
}

impl<C: Default + 'static> WordCoder for FieldsCodec<C> {
    fn describe(&self) -> String {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        describe_fields(&names, &self.coders())
    }

    fn max_error(&self) -> Option<f32> {
        greatest_error(&self.coders())
    }

    fn continues_motion(&self) -> bool {
        any_continues_motion(&self.coders())
    }

    fn length(&self, words: &[u32]) -> usize {
        fields_length(&self.coders(), words)
    }

    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter) {
        write_fields(&self.coders(), baseline, words, writer);
    }

    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        read_fields(&self.coders(), baseline, reader, words)
    }
}

impl<C: Default + 'static> FieldCodec<C> for FieldsCodec<C> {
    fn quantize(&self, value: &C, entities: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        self.parts.iter().try_for_each(|part| part.quantize(value, entities, words))
    }

    fn dequantize(&self, words: &[u32], entities: &mut ResolveEntities) -> Result<C, RecordError> {
        let mut whole = C::default();
        let mut rest = words;
        for part in &self.parts {
            let (words, after) = part.coder().split(rest);
            rest = after;
            part.dequantize(words, entities, &mut whole)?;
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use bevy::prelude::*;
    use proptest::prelude::*;

    use super::super::testing::{assert_no_drift, assert_survives, bits_of, value_of, words_of};
    use super::*;
    use crate::field::{CodedBy, NetworkCodec, Quantised};

    #[derive(Debug, Clone, Default, PartialEq)]
    struct Velocity {
        linear: Vec3,
        frozen: bool,
        local: u32,
    }

    fn codec() -> FieldsCodec<Velocity> {
        FieldsCodec::new()
            .field(
                "linear",
                |it: &Velocity| &it.linear,
                |it: &mut Velocity| &mut it.linear,
                Vec3::coded_by(Quantised::new(-200.0..200.0, 1.0 / 64.0)),
            )
            .field("frozen", |it: &Velocity| &it.frozen, |it: &mut Velocity| &mut it.frozen, bool::codec())
    }

    fn velocities() -> impl Strategy<Value = Velocity> {
        ([-210.0_f32..210.0, -9.0_f32..9.0, -0.02_f32..0.02], any::<bool>(), any::<u32>())
            .prop_map(|(linear, frozen, local)| Velocity { linear: Vec3::from_array(linear), frozen, local })
    }

    proptest! {
        #[test]
        fn what_is_named_survives(from in velocities(), to in velocities()) {
            assert_survives(&codec(), &from, &to);
            let seen = value_of(&codec(), &words_of(&codec(), &to)).expect("a velocity");
            prop_assert_eq!((seen.frozen, seen.local), (to.frozen, 0));
        }

        #[test]
        fn whatever_is_read_does_not_drift(
            from in velocities(),
            bytes in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            assert_no_drift(&codec(), &from, &bytes);
        }
    }

    #[test]
    fn fields_that_did_not_change_cost_a_bit() {
        let from = words_of(&codec(), &Velocity::default());
        let to = words_of(&codec(), &Velocity { frozen: true, ..default() });
        assert_eq!(bits_of(&codec(), Some(&from), &to), 1 + 2);
        assert_eq!(codec().describe(), "{linear: 3 of range(-200..200, step 0.015625) k 4, frozen: bool}");
        assert_eq!(codec().max_error(), Quantised::new(-200.0..200.0, 1.0 / 64.0).max_error());
    }
}
