//! The codecs of the wire, all of them together: values survive, strangers' bytes are refused, and the bytes stay the
//! same.

mod item;
mod pin_bytes;
mod refuse;
mod round_trip;
