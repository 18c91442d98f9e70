use thiserror::Error;

/// Why bytes could not be read.
///
/// It holds no text from the peer and is `Copy`, so counting or logging it costs nothing that the peer decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// The stream ends inside a value.
    #[error(
        "expected {needed_bits} more bits but {remaining_bits} remain: the data is truncated or was written in another \
         layout; drop it"
    )]
    UnexpectedEnd {
        /// Bits that the value being read needs, from where it starts.
        needed_bits: usize,
        /// Bits left from where the value starts.
        remaining_bits: usize,
    },
    /// A number is above what its codec or field allows.
    #[error(
        "expected {what} of at most {max} but got {value}: drop the data, and check that both sides use the same codec \
         parameters"
    )]
    ValueOutOfRange {
        /// The field or codec.
        what: &'static str,
        /// What came.
        value: u64,
        /// The greatest value allowed.
        max: u64,
    },
    /// A length is above the limit that the reader set before allocating.
    #[error(
        "expected {what} of at most {limit} elements but {length} are announced: drop the data, or raise the limit on \
         the reading side"
    )]
    TooLong {
        /// The field.
        what: &'static str,
        /// The announced length.
        length: u64,
        /// The greatest length allowed.
        limit: u64,
    },
    /// The bits are no form that a correct writer produces.
    #[error("expected a well-formed {what}: no correct writer produces what came; drop the data")]
    Malformed {
        /// The field or code.
        what: &'static str,
    },
}
