//! Frames of rigid bodies in few bits: both sides forecast where each body will be, and only what differs is coded.
//!
//! ```text
//!  acknowledged frames ──► BodyHistory ──► Forecaster (ballistics, spin) ──► forecast, how far to trust it
//!                                                                               │
//!  frame to send ───────────────────────────────────────────────────────────► residuals
//!                                             bit-packed level: exp-Golomb codes ◄──┴──► dense level: contexts,
//!                                                                                        mixer, range coder
//! ```
//!
//! | what | where |
//! |---|---|
//! | the dense level | [`BodyFrameCodec`] |
//! | the bit-packed level | [`PackedFrameCodec`] |
//! | what both sides agree on | [`BodyFrameConfig`] |
//! | single bodies against baselines | [`DenseBodyWriter`], [`DenseBodyReader`] |
//!
//! Single bodies, each against a baseline of its own, are the work of [`DenseBodyWriter`] and [`DenseBodyReader`].
//!
//! Predictions and models are whole-number arithmetic on frames that both sides have, so both sides agree to the bit.

mod ballistics;
mod body_frame;
mod config;
mod context_mixer;
mod forecast;
mod history;
mod neighbours;
mod octaves;
mod packed_frame;
mod residual;
mod spin;

pub use crate::kinematic::{BodyCheckpoint, DenseBodyReader, DenseBodyWriter};
pub use body_frame::BodyFrameCodec;
pub use config::BodyFrameConfig;
pub use context_mixer::Adaptation;
pub use history::Body;
pub use packed_frame::PackedFrameCodec;
