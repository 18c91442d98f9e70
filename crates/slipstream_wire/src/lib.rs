//! The bits of Slipstream: how values become a stream of bits and how a stream of bits becomes values again.
//!
//! Nothing here knows Bevy, sockets, clocks or connections. Writers never fail; readers take bytes that a stranger
//! sent and give a value or a [`WireError`], never a panic, an endless loop or more memory than the caller allowed.
//! Quantised values are the truth: they are compared, stored and delta-coded, so for every codec
//! `quantize(dequantize(q)) == q`, and equal on the wire means equal in history.
//!
//! ```text
//!  game value      quantiser            code                     stream
//!  f32       ───►  Quantizer      ───►  write_bits         ───►  BitWriter, u64 words, little-endian
//!  radians         AngleQuantizer       varint, zig-zag              │  copy_bits: a record is encoded
//!  direction       UnitVector…          exp-Golomb, Rice             │  once and copied into many streams
//!  rotation        SmallestThree        (small is short)             ▼  append_to
//!                                                                  bytes
//!                                                                    ▼
//!  game value ◄───  dequantize    ◄───  read_… -> Result   ◄───  BitReader
//! ```
//!
//! # Contents
//!
//! | what | where |
//! |---|---|
//! | the stream | [`BitWriter`], [`BitReader`], [`WireError`] |
//! | whole numbers | `write_varint`, `write_exp_golomb`, `write_rice`, their signed and reading halves, [`zigzag_encode`] |
//! | wrapping counters | [`Tick`], [`Sequence`] |
//! | quantisers | [`Quantizer`], [`AngleQuantizer`], [`UnitVectorQuantizer`], [`SmallestThree`] |
//! | rigid bodies | [`KinematicCodec`], and denser [`dense::DenseBodyWriter`], [`dense::DenseBodyReader`] |
//!
//! # Example
//!
//! ```
//! use slipstream_wire::{BitReader, BitWriter, Quantizer, WireError};
//!
//! let position = Quantizer::range(-512.0..512.0).step(0.001);
//! let baseline = position.quantize(20.0);
//! let now = position.quantize(20.123);
//!
//! // A delta against what the receiver already has: 123 steps, in 13 bits instead of 20 or 32.
//! let mut writer = BitWriter::new();
//! writer.write_signed_exp_golomb(i64::from(now) - i64::from(baseline), 4);
//! assert_eq!(writer.bit_len(), 13);
//!
//! let bytes = writer.to_bytes();
//! let delta = BitReader::new(&bytes).read_signed_exp_golomb(4)?;
//! let received = position.dequantize((i64::from(baseline) + delta) as u32);
//! assert!((received - 20.123).abs() <= position.max_error());
//! # Ok::<(), WireError>(())
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod angle;
mod baseline;
mod bit_reader;
mod bit_writer;
pub mod dense;
mod error;
mod exp_golomb;
mod kinematic;
mod quantizer;
pub mod range_coder;
mod rice;
mod sequence;
mod smallest_three;
mod tick;
mod unit_vector;
mod varint;
mod zigzag;

pub use angle::AngleQuantizer;
pub use baseline::Baseline;
pub use bit_reader::BitReader;
pub use bit_writer::BitWriter;
pub use error::WireError;
pub use exp_golomb::exp_golomb_bits;
pub use kinematic::{BitsByPart, BodyState, KinematicCodec};
pub use quantizer::{Quantizer, QuantizerRange};
pub use sequence::Sequence;
pub use smallest_three::{QuantizedRotation, SmallestThree};
pub use tick::Tick;
pub use unit_vector::UnitVectorQuantizer;
pub use zigzag::{zigzag_decode, zigzag_encode};
