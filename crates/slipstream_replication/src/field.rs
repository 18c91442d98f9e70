//! Codecs of fields: what the codec of a component is put together from.
//!
//! A component's words are its fields' words, one after the other. A field's words know their own end, so that two values
//! can be walked in step and only the fields that differ are written: an unchanged one costs a bit.
//!
//! ```text
//!  component ──► field ── FieldCodec::quantize ──► words ── WordCoder::write ──► bits
//!            ──► field ──          "           ──►   "   ──        "        ──►  "
//! ```
//!
//! * [`NetworkCodec`]: a type that knows its codec. Derive it, or implement it for a type of your own.
//! * [`CodedBy`]: a type that can be coded with parameters, such as a range and a step, or a number of bits.
//! * [`FieldsCodec`]: a builder, for types that are not yours.

mod angle;
mod array;
mod boolean;
mod builder;
mod bytes;
mod direction;
mod entity;
mod exact;
mod flags;
#[doc(hidden)]
pub mod generated;
mod integer;
mod list;
mod option;
mod quantised;
mod rotation;
mod serde;
mod stepped;
mod structure;
#[cfg(test)]
mod testing;
mod text;
mod variant;

pub use self::angle::Angle;
pub use self::array::ArrayCodec;
pub use self::boolean::BoolCodec;
pub use self::builder::FieldsCodec;
pub use self::direction::Direction3;
pub use self::entity::EntityCodec;
pub use self::exact::Exact;
pub use self::flags::{Flags, FlagsCodec};
pub use self::integer::{Integer, IntegerCodec, Typical};
pub use self::list::ListCodec;
pub use self::option::OptionCodec;
pub use self::quantised::Quantised;
pub use self::rotation::Rotation;
pub use self::serde::SerdeField;
pub use self::stepped::{StepCodec, SteppedField};
pub use self::text::TextCodec;

use slipstream_wire::{Baseline, BitReader, BitWriter, WireError};

use crate::codec::{Codec, MAX_COMPONENT_WORDS, NameEntities, ResolveEntities};
use crate::error::RecordError;

/// Turns the words of a field into bits and back. It does not know the field's type.
///
/// `write` and `read` are each other's inverse against the same baseline. A baseline that holds no words of this coder, as
/// an [`earlier`](Baseline::earlier) value of another variant may, counts as none.
pub trait WordCoder: Send + Sync + 'static {
    /// The parameters, as text that is the same on every machine. Both sides compare it in the handshake.
    fn describe(&self) -> String;

    /// The greatest distance between a value of the declared range and what it becomes on the receiver: in the value's unit,
    /// on each axis of a vector, in radians for angles, directions and rotations. `None`: it arrives exactly as it is.
    ///
    /// Of what is put together it is the greatest of the parts' distances.
    fn max_error(&self) -> Option<f32> {
        None
    }

    /// Whether a difference is smaller where the value [`earlier`](Baseline::earlier) than the baseline is known too.
    fn continues_motion(&self) -> bool {
        false
    }

    /// How many of the leading words are this field's.
    fn length(&self, words: &[u32]) -> usize;

    /// Writes exactly the field's words, as a difference from `baseline` where there is one.
    ///
    /// Whether the words differ at all is written before, by whatever holds the field: this is called where they do.
    fn write(&self, baseline: Option<Baseline<'_>>, words: &[u32], writer: &mut BitWriter);

    /// Reads what [`WordCoder::write`] wrote against the same baseline and appends the words.
    ///
    /// # Errors
    /// When the bits do not stand for words that [`FieldCodec::quantize`] gives. Never panics, and takes no memory that the
    /// bits do not pay for or [`MAX_COMPONENT_WORDS`] does not bound.
    fn read(
        &self,
        baseline: Option<Baseline<'_>>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError>;

    /// The field's words, and what follows them.
    fn split<'a>(&self, words: &'a [u32]) -> (&'a [u32], &'a [u32]) {
        words.split_at(self.length(words).min(words.len()))
    }
}

/// Turns a value into words and back; the words become bits by [`WordCoder`].
///
/// `quantize(dequantize(words)) == words` must hold for all words that `read` accepts: a relayed value must not drift.
pub trait FieldCodec<T>: WordCoder {
    /// Appends the value's words.
    ///
    /// # Errors
    /// When the value can't be represented, with the reason in words.
    fn quantize(&self, value: &T, entities: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError>;

    /// The value that exactly these words stand for.
    ///
    /// # Errors
    /// When the words do not stand for a value of `T`.
    fn dequantize(&self, words: &[u32], entities: &mut ResolveEntities) -> Result<T, RecordError>;
}

/// A type that knows how it travels: `#[derive(NetworkCodec)]`, or by hand.
///
/// ```
/// use bevy::prelude::*;
/// use slipstream_replication::{AppReplicateExt, NetworkCodec};
///
/// #[derive(Component, NetworkCodec)]
/// # #[net(crate = slipstream_replication)]
/// struct Turret {
///     #[net(range = -180.0..180.0, step = 0.1)]
///     yaw: f32,
///     ammo: u16,
///     target: Option<Entity>,
///     #[net(range = 0.0..1.0, step = 0.01)]
///     heat_of_barrels: Vec<f32>,
///     state: State,
///     #[net(skip)]
///     time_since_shot: f32,
/// }
///
/// #[derive(NetworkCodec)]
/// # #[net(crate = slipstream_replication)]
/// enum State {
///     Idle,
///     Reloading { ticks_left: u8 },
/// }
///
/// fn register(app: &mut App) {
///     app.replicate_quantised::<Turret>();
/// }
/// ```
///
/// A type that does not say how it travels is told at compile time:
///
/// ```compile_fail
/// #[derive(slipstream_replication::NetworkCodec)]
/// #[net(crate = slipstream_replication)]
/// struct Turret {
///     name: std::path::PathBuf,
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no codec of its own",
    label = "this does not say how it travels",
    note = "derive `NetworkCodec` for it, or give the field `#[net(serde)]`, `#[net(codec = ...)]` or `#[net(skip)]`"
)]
pub trait NetworkCodec: Sized {
    /// Its codec.
    type Codec: FieldCodec<Self>;

    /// Makes the codec; called once for each registration.
    fn codec() -> Self::Codec;
}

/// A type that travels with parameters `P`: `f32` by [`Quantised`], `Quat` by [`Bits`]. Options, lists and arrays pass them on
/// to their elements.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be coded by `{P}`",
    label = "these `#[net(...)]` attributes do not fit this type",
    note = "`range` and `step` are for f32 and vectors; `bits` for f32 (an angle), Vec3 (a direction) and Quat; `typical` for \
            whole numbers; `flags` for unsigned ones; all of them also for Option, Vec and arrays of these"
)]
pub trait CodedBy<P>: Sized {
    /// The codec with those parameters.
    type Codec: FieldCodec<Self>;

    /// Makes the codec.
    fn coded_by(parameters: P) -> Self::Codec;
}

/// The parameter of angles (a turn in `2^bits` steps), directions (bits for each of two numbers) and rotations (bits for each of
/// three numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bits(pub u32);

/// A component through a field codec, such as the one of its [`NetworkCodec`].
#[derive(Debug, Clone, Copy)]
pub struct ByField<F>(pub F);

impl<C, F: FieldCodec<C>> Codec<C> for ByField<F> {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn continues_motion(&self) -> bool {
        self.0.continues_motion()
    }

    fn quantize(&self, component: &C, entities: &mut NameEntities, words: &mut Vec<u32>) -> Result<(), RecordError> {
        let start = words.len();
        self.0.quantize(component, entities, words)?;
        check_growth(words, start)
    }

    fn dequantize(&self, words: &[u32], entities: &mut ResolveEntities) -> Result<C, RecordError> {
        if self.0.length(words) != words.len() {
            return Err(malformed("number of words of a component"));
        }
        self.0.dequantize(words, entities)
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

fn malformed(what: &'static str) -> RecordError {
    WireError::Malformed { what }.into()
}

/// The baseline's first word, where it has one.
fn first_word(baseline: Option<Baseline<'_>>) -> Option<u32> {
    baseline?.words.first().copied()
}

/// Refuses what has appended more words than a component may have.
fn check_growth(words: &[u32], start: usize) -> Result<(), RecordError> {
    let length = words.len().saturating_sub(start);
    if length > MAX_COMPONENT_WORDS {
        return Err(RecordError::TooLarge { what: "a component", length, limit: MAX_COMPONENT_WORDS });
    }
    Ok(())
}

/// The order of the exp-Golomb code for differences that are usually of this many steps: the best for Laplacian ones is near
/// log2(2 ln 2 · steps) (Gallager and van Voorhis 1975, for numbers that are zig-zag folded).
fn order_of(steps: u64) -> u32 {
    steps.saturating_add(steps / 2).max(1).ilog2()
}

/// Reads a difference and adds it to `old`, where the sum is within `0..=max`.
fn read_sum(reader: &mut BitReader, k: u32, old: u32, max: u32, what: &'static str) -> Result<u32, RecordError> {
    let sum = i64::from(old).checked_add(reader.read_signed_exp_golomb(k)?);
    let value = sum.and_then(|sum| u32::try_from(sum).ok()).filter(|value| *value <= max);
    value.ok_or_else(|| malformed(what))
}

fn write_difference(writer: &mut BitWriter, k: u32, old: u32, new: u32) {
    writer.write_signed_exp_golomb(i64::from(new) - i64::from(old), k);
}
