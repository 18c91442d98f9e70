//! `#[derive(NetworkCodec)]`. Games have it from `bevy_slipstream`; what it means is told there and at
//! [the macro](derive@NetworkCodec).
//!
//! ```text
//! tokens ── attributes: how a field travels ──> shape: fields, variants ──> expand: a struct of codecs and its impls
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod attributes;
mod expand;
mod shape;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// Says how a struct or enum travels, field by field. A field that is as in the receiver's last value costs a bit.
///
/// A field without an attribute travels as its type does by itself: whole numbers, `bool` and `String` as differences,
/// `f32`, `f64`, vectors and `Quat` exactly, `Entity` mapped to the receiver's, `Option`, `Vec` and arrays element by
/// element, and whatever else derives `NetworkCodec`. Attributes say otherwise; they pass through `Option`, `Vec` and
/// arrays:
///
/// | attribute | for | |
/// |---|---|---|
/// | `#[net(range = -180.0..180.0, step = 0.1)]` | `f32`, `Vec2`, `Vec3`, `Vec4` | in steps; off by half a step at most. What is outside becomes the range's end |
/// | …`, typical = 1.5` | | such changes from one time to the next are the shortest |
/// | …`, steady` | | it mostly goes on as it did, like a position: only what differs from that is sent |
/// | `#[net(typical = 20)]` | `u8` to `u64`, `i8` to `i64` | the same for whole numbers |
/// | `#[net(bits = 11)]` | `f32` | an angle in radians that wraps |
/// | | `Vec3` | a direction, of length one |
/// | | `Quat` | a rotation, as its three smallest components |
/// | `#[net(flags)]` | `u8` to `u64` | a set of flags, of which mostly one changes |
/// | `#[net(serde)]` | what serde can | bincode; sent anew from the first to the last byte that differs |
/// | `#[net(codec = Mine)]` | | a `FieldCodec` of your own that has a `Default` |
/// | `#[net(skip)]` | what has a `Default` | stays here; the receiver has the default |
///
/// On the type, `#[net(crate = path)]` names the crate that the generated code finds everything in, where that is not
/// `::bevy_slipstream`.
///
/// An enum travels as its variant and that variant's fields; another variant is sent whole.
#[proc_macro_derive(NetworkCodec, attributes(net))]
pub fn derive_network_codec(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::expand(&input).unwrap_or_else(Error::into_compile_error).into()
}
