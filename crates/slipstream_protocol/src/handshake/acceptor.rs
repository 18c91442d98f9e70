//! The side that is said hello to.

use core::hash::{Hash, Hasher};
use core::time::Duration;
use std::hash::DefaultHasher;

use super::message::{Accept, Hello, ManifestPart, Message, write_challenge, write_manifest_request};
use super::{HELLO_LIMIT, Limits, MAX_PARTS, PARTS_PER_REQUEST, Retry};
use crate::WIRE_VERSION;
use crate::close::{RefuseReason, bounded_lines};
use crate::error::ProtocolError;
use crate::link::MIN_MTU;
use crate::manifest::Manifest;

/// An acceptor that is not connected yet. Until an initiator has answered the challenge, nothing is kept of it but the
/// one answer that waits to be sent.
#[derive(Debug)]
pub(crate) struct Acceptor {
    /// Our token: what every datagram to us must carry.
    token: u32,
    secret: [u64; 2],
    limits: Limits,
    authenticated: bool,
    challenge: Option<(u32, u64)>,
    phase: Phase,
    retry: Retry,
    /// The validated initiator.
    guest: Option<Guest>,
}

#[derive(Debug)]
struct Guest {
    token: u32,
    limits: Limits,
    hello: Vec<u8>,
}

#[derive(Debug)]
enum Phase {
    /// Nobody has said hello and proved its address.
    Waiting,
    /// The manifests differ; the other one is being fetched, to name the differences.
    Comparing { parts: Vec<Option<Vec<u8>>>, asked_from: u16 },
    /// The application has been asked.
    Asking,
    /// The application agreed; the initiator's first data datagram is waited for.
    Accepted { hello: Vec<u8>, sends: u32, sent_once_at: Option<Duration> },
}

/// What a datagram meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AcceptorStep {
    Nothing,
    /// Ask the application.
    HelloReceived(Vec<u8>),
    /// Refuse the initiator with this token.
    Refuse(u32, RefuseReason),
}

/// An initiator whose first data datagram came.
#[derive(Debug)]
pub(crate) struct Confirmed {
    pub(crate) token: u32,
    pub(crate) limits: Limits,
    pub(crate) hello: Vec<u8>,
    /// A round-trip sample.
    pub(crate) rtt: Option<Duration>,
}

impl Acceptor {
    pub(crate) fn new(now: Duration, token: u32, secret: [u64; 2], limits: Limits, authenticated: bool) -> Self {
        Self {
            token,
            secret,
            limits,
            authenticated,
            challenge: None,
            phase: Phase::Waiting,
            retry: Retry::new(now),
            guest: None,
        }
    }

    pub(crate) fn receive(
        &mut self,
        now: Duration,
        message: Message,
        datagram_bytes: usize,
        manifest: &Manifest,
    ) -> Result<AcceptorStep, ProtocolError> {
        match message {
            Message::Hello(_) | Message::OtherVersion { .. } => {
                if !self.authenticated && datagram_bytes < MIN_MTU {
                    return Err(ProtocolError::HelloTooShort { length: datagram_bytes, required: MIN_MTU });
                }
                Ok(match message {
                    Message::Hello(hello) => self.receive_hello(now, hello, manifest),
                    Message::OtherVersion { token, version } if self.guest.is_none() => {
                        let reason = RefuseReason::WireVersion { ours: WIRE_VERSION, theirs: version };
                        AcceptorStep::Refuse(token, reason)
                    }
                    _ => AcceptorStep::Nothing,
                })
            }
            Message::ManifestPart(part) => {
                let known = self.guest.as_ref().is_some_and(|guest| guest.token == part.token);
                if !known || !self.cookie_is_valid(part.token, part.cookie) {
                    return Err(ProtocolError::WrongToken);
                }
                Ok(self.receive_part(now, part, manifest))
            }
            other => Err(ProtocolError::WrongSide { kind: other.kind() }),
        }
    }

    /// Lets the guest in, if the application was asked.
    pub(crate) fn accept(&mut self, now: Duration, hello: &[u8]) {
        if matches!(self.phase, Phase::Asking) {
            let hello = hello.get(..HELLO_LIMIT).unwrap_or(hello).to_vec();
            self.phase = Phase::Accepted { hello, sends: 0, sent_once_at: None };
            self.retry = Retry::new(now);
        }
    }

    /// The guest's token, once there is a guest.
    pub(crate) fn guest_token(&self) -> Option<u32> {
        self.guest.as_ref().map(|guest| guest.token)
    }

    /// Whether a data datagram from the guest completes the handshake.
    pub(crate) fn awaits_data(&self) -> bool {
        matches!(self.phase, Phase::Accepted { .. })
    }

    /// Takes the guest, whose first data datagram came.
    pub(crate) fn confirm(&mut self, now: Duration) -> Option<Confirmed> {
        let Phase::Accepted { sent_once_at, .. } = &self.phase else {
            return None;
        };
        let rtt = sent_once_at.map(|at| now.saturating_sub(at));
        let Guest { token, limits, hello } = self.guest.take()?;
        Some(Confirmed { token, limits, hello, rtt })
    }

    /// Writes the next datagram.
    pub(crate) fn poll(&mut self, now: Duration, out: &mut Vec<u8>) -> bool {
        if let Some((token, cookie)) = self.challenge.take() {
            write_challenge(token, cookie, out);
            return true;
        }
        let Some(guest) = &self.guest else {
            return false;
        };
        match &mut self.phase {
            Phase::Waiting | Phase::Asking => false,
            Phase::Comparing { parts, asked_from } => {
                if !self.retry.is_due(now) {
                    return false;
                }
                *asked_from = first_missing(parts);
                write_manifest_request(guest.token, *asked_from, out);
                true
            }
            Phase::Accepted { hello, sends, sent_once_at } => {
                if !self.retry.is_due(now) {
                    return false;
                }
                *sends = sends.saturating_add(1);
                *sent_once_at = (*sends == 1).then_some(now);
                let accept = Accept {
                    token: guest.token,
                    acceptor_token: self.token,
                    limits: self.limits,
                    hello: hello.clone(),
                };
                accept.write(out);
                true
            }
        }
    }

    /// When `poll` has something to write.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        if self.challenge.is_some() {
            return Some(Duration::ZERO);
        }
        match self.phase {
            Phase::Waiting | Phase::Asking => None,
            Phase::Comparing { .. } | Phase::Accepted { .. } => Some(self.retry.at),
        }
    }

    /// Heap bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let guest = self.guest.as_ref().map_or(0, |guest| guest.hello.len());
        let phase = match &self.phase {
            Phase::Waiting | Phase::Asking => 0,
            Phase::Comparing { parts, .. } => {
                parts.len() * size_of::<Option<Vec<u8>>>() + parts.iter().flatten().map(Vec::len).sum::<usize>()
            }
            Phase::Accepted { hello, .. } => hello.len(),
        };
        guest + phase
    }

    fn receive_hello(&mut self, now: Duration, hello: Hello, manifest: &Manifest) -> AcceptorStep {
        if !self.cookie_is_valid(hello.token, hello.cookie) {
            if self.guest.is_none() {
                self.challenge = Some((hello.token, self.cookie(hello.token)));
            }
            return AcceptorStep::Nothing;
        }
        match &self.guest {
            Some(guest) if guest.token == hello.token => {
                // Our answer was lost, or is under way: say it again.
                self.retry.at = now;
                return AcceptorStep::Nothing;
            }
            Some(_) => return AcceptorStep::Nothing,
            None => {}
        }
        let same = hello.manifest_hash == manifest.hash();
        let application_bytes = hello.hello.clone();
        self.guest = Some(Guest { token: hello.token, limits: hello.limits, hello: hello.hello });
        self.retry = Retry::new(now);
        if same {
            self.phase = Phase::Asking;
            AcceptorStep::HelloReceived(application_bytes)
        } else {
            self.phase = Phase::Comparing { parts: Vec::new(), asked_from: 0 };
            AcceptorStep::Nothing
        }
    }

    fn receive_part(&mut self, now: Duration, part: ManifestPart, manifest: &Manifest) -> AcceptorStep {
        let Phase::Comparing { parts, asked_from } = &mut self.phase else {
            return AcceptorStep::Nothing;
        };
        if part.count == 0 || part.count > MAX_PARTS {
            let line = "what is registered differs, and the client's list is too long to be compared".to_owned();
            return AcceptorStep::Refuse(part.token, RefuseReason::Mismatch { differences: vec![line] });
        }
        if parts.is_empty() {
            parts.resize(usize::from(part.count), None);
        }
        if parts.len() == usize::from(part.count)
            && let Some(slot) = parts.get_mut(usize::from(part.index))
        {
            *slot = Some(part.bytes);
        }
        let missing = first_missing(parts);
        if usize::from(missing) < parts.len() {
            if missing >= asked_from.saturating_add(PARTS_PER_REQUEST) {
                self.retry = Retry::new(now);
            }
            return AcceptorStep::Nothing;
        }
        let bytes: Vec<u8> = parts.iter().flatten().flatten().copied().collect();
        let differences = match Manifest::decode(&bytes) {
            Ok(theirs) => {
                let lines = manifest.differences_between(&theirs, "the server", "the client");
                if lines.is_empty() {
                    vec!["what is registered differs in parameters too long to be compared".to_owned()]
                } else {
                    bounded_lines(&lines)
                }
            }
            Err(error) => vec![format!("what is registered differs, and the client's list cannot be read: {error}")],
        };
        AcceptorStep::Refuse(part.token, RefuseReason::Mismatch { differences })
    }

    /// Whether the initiator with this token has shown that it receives what is sent to its address.
    fn cookie_is_valid(&self, token: u32, cookie: u64) -> bool {
        self.authenticated || cookie == self.cookie(token)
    }

    /// A keyed hash of the initiator's token, so that nothing needs to be kept of who was challenged.
    fn cookie(&self, token: u32) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.secret.hash(&mut hasher);
        token.hash(&mut hasher);
        hasher.finish().max(1)
    }
}

/// Index of the first part that is missing.
fn first_missing(parts: &[Option<Vec<u8>>]) -> u16 {
    parts.iter().position(Option::is_none).unwrap_or(parts.len()) as u16
}
