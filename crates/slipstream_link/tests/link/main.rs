//! Links between apps: over memory with a virtual clock, over UDP with real sockets on loopback.

mod close;
mod condition;
mod deliver;
mod listen;
mod pair;
#[cfg(feature = "renet")]
mod refuse;
