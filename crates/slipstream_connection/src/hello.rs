//! What the two sides tell each other inside the handshake.

use serde::{Deserialize, Serialize};

use crate::codec::{decode, encode};
use crate::connection::{MAX_HELLO_DATA_BYTES, MAX_NAME_BYTES, PeerId};

/// What a client says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hello {
    /// The player's display name: at most [`MAX_NAME_BYTES`] bytes, without control characters.
    pub name: String,
    /// Bytes of the application: at most [`MAX_HELLO_DATA_BYTES`].
    pub data: Vec<u8>,
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Welcome {
    pub(crate) peer: PeerId,
    pub(crate) tick_rate: f64,
    pub(crate) name: String,
}

impl Hello {
    pub(crate) fn new(name: &str, data: &[u8]) -> Self {
        let data = data.get(..MAX_HELLO_DATA_BYTES).unwrap_or(data).to_vec();
        Self { name: presentable(name), data }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        encode(self).unwrap_or_default()
    }

    /// Reads a peer's hello; nothing in it is trusted to be presentable or short.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let hello: Self = decode(bytes)?;
        if hello.data.len() > MAX_HELLO_DATA_BYTES {
            return Err(format!(
                "expected at most {MAX_HELLO_DATA_BYTES} application bytes in the hello, got {}",
                hello.data.len()
            ));
        }
        Ok(Self { name: presentable(&hello.name), ..hello })
    }
}

impl Welcome {
    pub(crate) fn new(peer: PeerId, tick_rate: f64, name: &str) -> Self {
        Self { peer, tick_rate, name: presentable(name) }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        encode(self).unwrap_or_default()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let welcome: Self = decode(bytes)?;
        if !(welcome.tick_rate.is_finite() && welcome.tick_rate > 0.0) {
            return Err(format!("expected a tick rate above zero from the server, got {}", welcome.tick_rate));
        }
        Ok(Self { name: presentable(&welcome.name), ..welcome })
    }
}

/// A name that can be printed into a log or a scoreboard: short, on one line.
fn presentable(name: &str) -> String {
    let mut shown = String::new();
    for character in name.trim().chars().filter(|character| !character.is_control()) {
        if shown.len() + character.len_utf8() > MAX_NAME_BYTES {
            break;
        }
        shown.push(character);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_survives_the_wire() {
        let hello = Hello::new("Alice", &[1, 2, 3]);
        assert_eq!(Hello::from_bytes(&hello.to_bytes()), Ok(hello));
        let welcome = Welcome::new(PeerId(7), 60.0, "arena");
        assert_eq!(Welcome::from_bytes(&welcome.to_bytes()), Ok(welcome));
    }

    #[test]
    fn the_longest_hello_fits_the_handshake() {
        let hello = Hello::new(&"ä".repeat(200), &[9; 1000]);
        assert!(hello.name.len() <= MAX_NAME_BYTES);
        assert!(hello.to_bytes().len() <= 512);
    }

    #[test]
    fn a_name_is_one_printable_line() {
        assert_eq!(Hello::new(" Bob\n\u{1b}[31m ", &[]).name, "Bob[31m");
    }

    #[test]
    fn a_welcome_with_a_senseless_tick_rate_is_refused() {
        for rate in [0.0, -60.0, f64::NAN, f64::INFINITY] {
            assert!(Welcome::from_bytes(&Welcome::new(PeerId(1), rate, "").to_bytes()).is_err());
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = Hello::new("Alice", &[1, 2, 3]).to_bytes();
        for length in 0..bytes.len() {
            assert!(Hello::from_bytes(&bytes[..length]).is_err());
        }
    }
}
