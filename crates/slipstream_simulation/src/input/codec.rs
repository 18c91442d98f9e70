//! How an input component is read, encoded, decoded and put back.

use core::marker::PhantomData;

use bevy::ecs::component::Mutable;
use bevy::prelude::*;
use bincode::error::EncodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use slipstream_wire::{BitReader, BitWriter};

use crate::input::{InputError, MAX_SAMPLE_BYTES, SampleSize};

/// How component `C` travels as an input.
///
/// A codec separates the component, which may hold anything, from its state at a tick, which is
/// what travels and is compared. Decoding a state that was encoded gives an equal state.
pub trait InputCodec<C: Component>: Send + Sync + 'static {
    /// What the component says at one tick: levels, no edges, already quantised.
    type State: Clone + PartialEq + Send + Sync + 'static;

    /// How long the encoded states are.
    fn size(&self) -> SampleSize;

    /// What client and server must agree on, for the handshake to compare.
    fn parameters(&self) -> String;

    /// The state of a component that nobody sets.
    fn neutral(&self) -> Self::State;

    /// The state of a component now.
    fn sample(&self, component: &C) -> Self::State;

    /// Puts `state` into the component, `previous` being the state of the tick before. What is
    /// true for one tick only (a press) follows from the two.
    ///
    /// Called at each tick, on the server with what was received, on the client with what was
    /// sampled, so that both simulate the same values.
    fn apply(&self, previous: &Self::State, state: &Self::State, component: Mut<'_, C>);

    /// Encodes a state.
    ///
    /// # Errors
    ///
    /// [`InputError::Encode`] when it cannot be encoded within [`size`](Self::size).
    fn write(&self, state: &Self::State, out: &mut BitWriter) -> Result<(), InputError>;

    /// Decodes a state from bits that a peer sent. Must not panic, whatever they are.
    ///
    /// # Errors
    ///
    /// Anything that is no state: the sample is dropped and counted.
    fn read(&self, reader: &mut BitReader<'_>) -> Result<Self::State, InputError>;
}

/// The default codec: the component itself, by `serde` and `bincode`, within [`MAX_SAMPLE_BYTES`].
pub struct BincodeInput<C> {
    accept: fn(&C) -> bool,
    component: PhantomData<fn() -> C>,
}

impl<C> Default for BincodeInput<C> {
    fn default() -> Self {
        Self { accept: |_| true, component: PhantomData }
    }
}

impl<C> BincodeInput<C> {
    /// Drops and counts inputs for which `accept` says no, before a game system sees them: numbers
    /// that are not finite, for instance.
    pub fn accept(mut self, accept: fn(&C) -> bool) -> Self {
        self.accept = accept;
        self
    }
}

impl<C> InputCodec<C> for BincodeInput<C>
where
    C: Component<Mutability = Mutable> + Clone + Default + PartialEq + Serialize + DeserializeOwned,
{
    type State = C;

    fn size(&self) -> SampleSize {
        SampleSize::Bytes
    }

    fn parameters(&self) -> String {
        format!("bincode, at most {MAX_SAMPLE_BYTES} bytes")
    }

    fn neutral(&self) -> C {
        C::default()
    }

    fn sample(&self, component: &C) -> C {
        component.clone()
    }

    fn apply(&self, _previous: &C, state: &C, mut component: Mut<'_, C>) {
        // An input that stays the same is no change that others should react to.
        if *component != *state {
            *component = state.clone();
        }
    }

    fn write(&self, state: &C, out: &mut BitWriter) -> Result<(), InputError> {
        let failed = |reason: String| InputError::Encode { input: core::any::type_name::<C>(), reason };
        let mut bytes = [0; MAX_SAMPLE_BYTES];
        let encoded = bincode::serde::encode_into_slice(state, &mut bytes, bincode::config::standard());
        let length = encoded.map_err(|error| match error {
            EncodeError::UnexpectedEnd => failed(format!("it takes more than {MAX_SAMPLE_BYTES} bytes")),
            error => failed(error.to_string()),
        })?;
        out.write_bytes(bytes.get(..length).unwrap_or_default());
        Ok(())
    }

    fn read(&self, reader: &mut BitReader<'_>) -> Result<C, InputError> {
        let malformed = |reason: String| InputError::Malformed { input: core::any::type_name::<C>(), reason };
        let length = reader.remaining_bits() / 8;
        let mut bytes = [0; MAX_SAMPLE_BYTES];
        let Some(bytes) = bytes.get_mut(..length) else {
            let (length, limit) = (length as u64, MAX_SAMPLE_BYTES as u64);
            return Err(InputError::TooLong { what: "a sample (bytes)", length, limit });
        };
        reader.read_bytes(bytes)?;
        let limits = bincode::config::standard().with_limit::<MAX_SAMPLE_BYTES>();
        let (state, used) =
            bincode::serde::decode_from_slice::<C, _>(bytes, limits).map_err(|error| malformed(error.to_string()))?;
        if used != bytes.len() {
            return Err(malformed(format!("{used} of {} bytes used", bytes.len())));
        }
        if !(self.accept)(&state) {
            return Err(malformed("refused by the game's check".to_owned()));
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Component, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Drive {
        throttle: f32,
        note: String,
    }

    fn encode(drive: &Drive) -> Result<Vec<u8>, InputError> {
        let mut out = BitWriter::new();
        BincodeInput::<Drive>::default().write(drive, &mut out)?;
        Ok(out.to_bytes())
    }

    #[test]
    fn a_component_comes_back_equal() {
        let drive = Drive { throttle: -0.25, note: "left".to_owned() };
        let bytes = encode(&drive).unwrap();
        let decoded = BincodeInput::<Drive>::default().read(&mut BitReader::new(&bytes));
        assert_eq!(decoded, Ok(drive));
    }

    #[test]
    fn bytes_cut_short_and_bytes_left_over_are_errors() {
        let bytes = encode(&Drive::default()).unwrap();
        let codec = BincodeInput::<Drive>::default();
        for length in 0..bytes.len() {
            assert!(codec.read(&mut BitReader::new(&bytes[..length])).is_err());
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(codec.read(&mut BitReader::new(&longer)).is_err());
    }

    #[test]
    fn a_string_that_claims_to_be_huge_is_refused_without_allocating_it() {
        // 0xfd announces a 64-bit length in bincode's variable integer encoding.
        let mut bytes = vec![0, 0, 0, 0, 0xfd];
        bytes.extend_from_slice(&u64::MAX.to_le_bytes());
        let decoded = BincodeInput::<Drive>::default().read(&mut BitReader::new(&bytes));
        assert!(matches!(decoded, Err(InputError::Malformed { .. })), "{decoded:?}");
    }

    #[test]
    fn an_input_that_is_too_big_says_so_when_it_is_sent() {
        let error = encode(&Drive { throttle: 0.0, note: "x".repeat(MAX_SAMPLE_BYTES) }).unwrap_err();
        assert!(error.to_string().contains("Drive"), "{error}");
    }

    #[test]
    fn a_value_that_the_game_refuses_is_an_error() {
        let codec = BincodeInput::<Drive>::default().accept(|drive| drive.throttle.is_finite());
        let bytes = encode(&Drive { throttle: f32::NAN, note: String::new() }).unwrap();
        assert!(codec.read(&mut BitReader::new(&bytes)).is_err());
    }
}
