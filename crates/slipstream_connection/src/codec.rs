//! Values to bytes and back: bincode with a limit, and a type's number in front.

use bincode::config::Config;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::NetworkError;

/// No decoded value may claim more memory than this. It is also the largest message that any channel carries by default.
pub(crate) const DECODE_LIMIT_BYTES: usize = 256 * 1024;

fn config() -> impl Config {
    bincode::config::standard().with_limit::<DECODE_LIMIT_BYTES>()
}

/// Encodes one value.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, NetworkError> {
    bincode::serde::encode_to_vec(value, config()).map_err(|error| NetworkError::Encode(error.to_string()))
}

/// Replaces `bytes` by numbers and then a value: the form of every typed message.
pub(crate) fn encode_after<T: Serialize>(
    numbers: impl IntoIterator<Item = u32>,
    value: &T,
    bytes: &mut Vec<u8>,
) -> Result<(), NetworkError> {
    bytes.clear();
    for number in numbers {
        append(number, bytes)?;
    }
    append(value, bytes)
}

fn append<T: Serialize>(value: T, bytes: &mut Vec<u8>) -> Result<(), NetworkError> {
    bincode::serde::encode_into_std_write(value, bytes, config())
        .map(|_| ())
        .map_err(|error| NetworkError::Encode(error.to_string()))
}

/// Decodes one value that fills `bytes`. A peer wrote them: anything may be in there.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let (value, used) = bincode::serde::decode_from_slice(bytes, config()).map_err(|error| error.to_string())?;
    if used != bytes.len() {
        return Err(format!("expected a value of {used} bytes, got {} bytes", bytes.len()));
    }
    Ok(value)
}

/// Reads a number off the front and returns it with what follows.
pub(crate) fn split_number(bytes: &[u8]) -> Result<(u32, &[u8]), String> {
    let (number, used) = bincode::serde::decode_from_slice(bytes, config()).map_err(|error| error.to_string())?;
    Ok((number, bytes.get(used..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_value_come_apart_again() {
        let mut bytes = vec![9; 100];
        encode_after([3, 70_000], &("shot", 5_u8), &mut bytes).unwrap();
        let (first, rest) = split_number(&bytes).unwrap();
        let (second, rest) = split_number(rest).unwrap();
        assert_eq!((first, second), (3, 70_000));
        assert_eq!(decode::<(String, u8)>(rest), Ok(("shot".to_string(), 5)));
    }

    #[test]
    fn a_claimed_length_beyond_the_limit_is_an_error() {
        let bytes = encode(&(1_u64 << 40)).unwrap();
        assert!(decode::<Vec<u8>>(&bytes).is_err());
        assert!(decode::<String>(&bytes).is_err());
    }

    #[test]
    fn bytes_left_over_are_an_error() {
        let mut bytes = encode(&5_u32).unwrap();
        bytes.push(0);
        assert!(decode::<u32>(&bytes).is_err());
    }

    #[test]
    fn nothing_is_an_error_and_not_a_panic() {
        assert!(split_number(&[]).is_err());
        assert!(decode::<String>(&[]).is_err());
    }
}
