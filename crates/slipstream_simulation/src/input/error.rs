//! What can be wrong with an input.

use slipstream_wire::WireError;
use thiserror::Error;

/// Why an input could not be sent, or was dropped when it came.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum InputError {
    /// The bits of a message end early or hold a value that is out of range.
    #[error("an input message is damaged ({0}); it is dropped")]
    Wire(#[from] WireError),
    /// A message names a kind of input that is not registered here.
    #[error(
        "an input message names input {index}, but {registered} are registered; \
         register the same inputs on client and server"
    )]
    UnknownInput {
        /// The index in the message.
        index: u64,
        /// How many kinds of input are registered.
        registered: usize,
    },
    /// Something in a message is longer than allowed.
    #[error("an input message has {what} of {length}, at most {limit} are allowed; it is dropped")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// A message goes on after its last section.
    #[error("an input message has {bits} bits after its last section; it is dropped")]
    Trailing {
        /// How many bits are left over.
        bits: usize,
    },
    /// A value decodes, but not to an input.
    #[error("an input of `{input}` does not decode ({reason}); it is dropped")]
    Malformed {
        /// The name of the component type.
        input: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A value cannot be encoded.
    #[error(
        "an input of `{input}` cannot be sent ({reason}); make the component smaller or give it a codec of its own"
    )]
    Encode {
        /// The name of the component type.
        input: &'static str,
        /// What is wrong.
        reason: String,
    },
}
