//! Behaviour tests that need several crates: see the folders beside this one. The library itself is empty.
