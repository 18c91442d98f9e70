//! The application bytes of the handshake.

use super::guest::with_guest;
use super::host::with_host;
use super::recording::{RECORDING, hello as hello_of};

/// A client says any bytes of itself: it is let in under a name that can be shown, or refused.
pub fn hello(data: &[u8]) {
    with_host(|host| host.greet(data));
}

/// A server says any bytes of itself: the client joins it, or leaves it with the reason.
pub fn welcome(data: &[u8]) {
    with_guest(|guest| guest.greet(data));
}

pub(crate) fn hello_corpus() -> Vec<Vec<u8>> {
    let with_data = [[1, b'a', 5].as_slice(), b"ticket"].concat();
    vec![RECORDING.hello.clone(), hello_of(""), hello_of(" Bob\n\u{1b}[31m "), hello_of(&"ä".repeat(60)), with_data]
}

pub(crate) fn welcome_corpus() -> Vec<Vec<u8>> {
    // Peer 7, 60 ticks a second, a name.
    let small = [[7_u8].as_slice(), &60.0_f64.to_le_bytes(), b"\x05arena"].concat();
    let endless = [[7_u8].as_slice(), &f64::INFINITY.to_le_bytes(), b"\x00"].concat();
    vec![RECORDING.welcome.clone(), small, endless]
}
