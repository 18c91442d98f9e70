//! How two peers become connected.
//!
//! ```text
//!  initiator                                  acceptor
//!    hello (padded) ───────────────────────────►
//!        ◄─────────────────────────── challenge (cookie)      not on authenticated links
//!    hello (cookie) ───────────────────────────►  versions and manifest hashes compared
//!        ◄──────────────────── manifest request ┐
//!    manifest parts ───────────────────────────►┘ only when the hashes differ; ends in a refusal
//!                                                 application asked: PeerEvent::HelloReceived
//!        ◄───────────────────── accept or refuse
//!    data ─────────────────────────────────────►  connected
//! ```
//!
//! The initiator repeats its hello, and the acceptor its answer, at intervals that double from 100 ms to 1 s.

mod acceptor;
mod initiator;
mod message;

use core::time::Duration;

pub(crate) use acceptor::{Acceptor, AcceptorStep};
pub(crate) use initiator::{Initiator, InitiatorStep};
pub(crate) use message::{Message, write_close, write_refuse};

/// Greatest count of application bytes in a hello or an accept; more are cut off.
pub const HELLO_LIMIT: usize = 512;

/// Bytes of a manifest in one part.
const PART_BYTES: usize = 512;
/// Greatest count of parts: a manifest of 128 KiB.
const MAX_PARTS: u16 = 256;
/// Parts that one request asks for.
const PARTS_PER_REQUEST: u16 = 16;

/// What a side takes, told to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Memory for messages held back, in bytes.
    pub(crate) queued_bytes: u32,
    /// Greatest message, in bytes.
    pub(crate) message_bytes: u32,
}

/// When to try again.
#[derive(Clone, Copy, Debug)]
struct Retry {
    at: Duration,
    interval: Duration,
}

impl Retry {
    const FIRST: Duration = Duration::from_millis(100);
    const LAST: Duration = Duration::from_secs(1);

    /// A first try at `now`.
    fn new(now: Duration) -> Self {
        Self { at: now, interval: Self::FIRST }
    }

    /// Whether a try is due; if so the next is put off.
    fn is_due(&mut self, now: Duration) -> bool {
        if now < self.at {
            return false;
        }
        self.at = now.saturating_add(self.interval);
        self.interval = (self.interval * 2).min(Self::LAST);
        true
    }
}
