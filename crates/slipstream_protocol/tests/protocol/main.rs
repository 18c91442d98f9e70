//! What the protocol promises, shown on a simulated network with a virtual clock and a seed.
//!
//! Every test prints the seed of its network when it fails; `SLIPSTREAM_SEED=n` runs the tests with another one.
//! The promised figures are printed by `cargo test -p slipstream_protocol --test protocol -- --nocapture figures`.

mod channels;
mod close;
mod congestion;
mod expiring;
mod fragments;
mod handshake;
mod hostile;
mod idle;
mod latency;
mod memory;
mod numbered;
mod packing;
mod pair;
mod priority;
mod reliable;
mod reliable_link;
mod sequenced;
mod tracking;
mod unreliable;
