//! The real binary as real processes over UDP on loopback, judged by what they write.

mod demonstrate;
mod fight;
mod process;
mod refuse;
mod shut_down;
