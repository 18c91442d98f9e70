//! The side that says hello.

use core::time::Duration;

use super::message::{Accept, Hello, ManifestPart, Message};
use super::{Limits, MAX_PARTS, PART_BYTES, PARTS_PER_REQUEST, Retry};
use crate::close::{CloseReason, RefuseReason};
use crate::error::ProtocolError;
use crate::manifest::Manifest;

/// An initiator that is not connected yet.
#[derive(Debug)]
pub(crate) struct Initiator {
    hello: Hello,
    padded: bool,
    retry: Retry,
    /// When the hello was sent, if it was sent once only since the last answer: a round trip can be measured then.
    sent_once_at: Option<Duration>,
    sends: u32,
    /// The manifest as bytes, once it was asked for.
    manifest: Option<Vec<u8>>,
    /// Parts still to be sent: the next, and the end.
    parts: (u16, u16),
}

/// What a datagram meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InitiatorStep {
    Nothing,
    /// The acceptor let us in.
    Accepted {
        acceptor_token: u32,
        limits: Limits,
        hello: Vec<u8>,
        /// A round-trip sample.
        rtt: Option<Duration>,
    },
    Refused(RefuseReason),
    Closed(CloseReason),
}

impl Initiator {
    pub(crate) fn new(
        now: Duration,
        token: u32,
        manifest: &Manifest,
        limits: Limits,
        hello: Vec<u8>,
        padded: bool,
    ) -> Self {
        Self {
            hello: Hello { token, cookie: 0, manifest_hash: manifest.hash(), limits, hello },
            padded,
            retry: Retry::new(now),
            sent_once_at: None,
            sends: 0,
            manifest: None,
            parts: (0, 0),
        }
    }

    pub(crate) fn receive(
        &mut self,
        now: Duration,
        message: Message,
        manifest: &Manifest,
    ) -> Result<InitiatorStep, ProtocolError> {
        if matches!(message, Message::Hello(_) | Message::OtherVersion { .. } | Message::ManifestPart(_)) {
            return Err(ProtocolError::WrongSide { kind: message.kind() });
        }
        if message.token() != self.hello.token {
            return Err(ProtocolError::WrongToken);
        }
        Ok(match message {
            Message::Challenge { cookie, .. } => {
                if self.hello.cookie != cookie {
                    self.hello.cookie = cookie;
                    self.retry = Retry::new(now);
                    self.sends = 0;
                }
                InitiatorStep::Nothing
            }
            Message::Accept(Accept { acceptor_token, limits, hello, .. }) => {
                let rtt = self.sent_once_at.map(|at| now.saturating_sub(at));
                InitiatorStep::Accepted { acceptor_token, limits, hello, rtt }
            }
            Message::Refuse { reason, .. } => InitiatorStep::Refused(reason),
            Message::Close { reason, .. } => InitiatorStep::Closed(reason),
            Message::ManifestRequest { first, .. } => {
                let count = self.part_count(manifest);
                self.parts = (first, first.saturating_add(PARTS_PER_REQUEST).min(count.max(1)));
                InitiatorStep::Nothing
            }
            Message::Hello(_) | Message::OtherVersion { .. } | Message::ManifestPart(_) => InitiatorStep::Nothing,
        })
    }

    /// Writes the next datagram.
    pub(crate) fn poll(&mut self, now: Duration, out: &mut Vec<u8>) -> bool {
        let (index, end) = self.parts;
        if index < end {
            self.parts = (index + 1, end);
            self.part(index).write(out);
            return true;
        }
        if !self.retry.is_due(now) {
            return false;
        }
        self.sends = self.sends.saturating_add(1);
        self.sent_once_at = (self.sends == 1).then_some(now);
        self.hello.write(self.padded, out);
        true
    }

    /// When `poll` has something to write.
    pub(crate) fn next_timeout(&self) -> Duration {
        let (index, end) = self.parts;
        if index < end { Duration::ZERO } else { self.retry.at }
    }

    /// Heap bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.hello.hello.len() + self.manifest.as_ref().map_or(0, Vec::len)
    }

    /// Count of the manifest's parts; zero when it is too large.
    fn part_count(&mut self, manifest: &Manifest) -> u16 {
        let bytes = self.manifest.get_or_insert_with(|| {
            let bytes = manifest.encode();
            if bytes.len() > usize::from(MAX_PARTS) * PART_BYTES { Vec::new() } else { bytes }
        });
        bytes.len().div_ceil(PART_BYTES) as u16
    }

    fn part(&self, index: u16) -> ManifestPart {
        let bytes = self.manifest.as_deref().unwrap_or_default();
        ManifestPart {
            token: self.hello.token,
            cookie: self.hello.cookie,
            index,
            count: bytes.len().div_ceil(PART_BYTES) as u16,
            bytes: bytes.chunks(PART_BYTES).nth(usize::from(index)).unwrap_or_default().to_vec(),
        }
    }
}
