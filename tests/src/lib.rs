//! Behaviour tests that need several crates: see the folders beside this one. The library holds the entry points of
//! fuzzing, which both the short run on stable (`fuzz_short`) and `cargo fuzz` (`fuzz`) call.
#![forbid(unsafe_code)]

pub mod fuzz;
