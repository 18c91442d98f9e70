//! Whole apps over the memory link: a server and a client, stepped by hand on a virtual clock.

mod carry;
mod control;
mod follow;
mod peers;
#[cfg(feature = "leafwing")]
mod press;
mod refuse;
