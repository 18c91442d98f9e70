//! The datagrams of the handshake, and the close.

use slipstream_wire::{BitReader, BitWriter, WireError};

use super::{HELLO_LIMIT, Limits, MAX_PARTS, PART_BYTES};
use crate::WIRE_VERSION;
use crate::close::{
    CloseReason, RefuseReason, read_close_reason, read_refuse_reason, write_close_reason, write_refuse_reason,
};
use crate::error::ProtocolError;
use crate::link::MIN_MTU;
use crate::packet::{
    KIND_ACCEPT, KIND_CHALLENGE, KIND_CLOSE, KIND_HELLO, KIND_MANIFEST_PART, KIND_MANIFEST_REQUEST, KIND_REFUSE,
};
use crate::text::{read_blob, read_limited, write_blob};

/// What a hello begins with after its kind.
const MARK: u64 = u32::from_le_bytes(*b"SLIP") as u64;

/// A received datagram of the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Hello(Hello),
    /// A hello of another wire version, of which only this much is understood.
    OtherVersion {
        token: u32,
        version: u16,
    },
    Challenge {
        token: u32,
        cookie: u64,
    },
    Accept(Accept),
    Refuse {
        token: u32,
        reason: RefuseReason,
    },
    ManifestRequest {
        token: u32,
        first: u16,
    },
    ManifestPart(ManifestPart),
    Close {
        token: u32,
        reason: CloseReason,
    },
}

/// An initiator's wish to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// The initiator's token: what every datagram to it must carry.
    pub(crate) token: u32,
    /// What the acceptor challenged with; zero before.
    pub(crate) cookie: u64,
    pub(crate) manifest_hash: u64,
    pub(crate) limits: Limits,
    pub(crate) hello: Vec<u8>,
}

/// An acceptor's consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accept {
    /// The initiator's token.
    pub(crate) token: u32,
    /// The acceptor's token: what every datagram to it must carry.
    pub(crate) acceptor_token: u32,
    pub(crate) limits: Limits,
    pub(crate) hello: Vec<u8>,
}

/// A part of the initiator's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ManifestPart {
    pub(crate) token: u32,
    pub(crate) cookie: u64,
    pub(crate) index: u16,
    /// Count of parts; zero when the manifest is too large to be sent.
    pub(crate) count: u16,
    pub(crate) bytes: Vec<u8>,
}

impl Message {
    /// Reads a datagram of the handshake.
    pub(crate) fn decode(datagram: &[u8]) -> Result<Self, ProtocolError> {
        let mut reader = BitReader::new(datagram);
        let kind = reader.read_bits(8)? as u8;
        Ok(match kind {
            KIND_HELLO => return decode_hello(&mut reader),
            KIND_CHALLENGE => Self::Challenge { token: reader.read_bits(32)? as u32, cookie: reader.read_bits(64)? },
            KIND_ACCEPT => Self::Accept(Accept {
                token: reader.read_bits(32)? as u32,
                acceptor_token: reader.read_bits(32)? as u32,
                limits: read_limits(&mut reader)?,
                hello: read_blob(&mut reader, HELLO_LIMIT, "application bytes of an accept")?,
            }),
            KIND_REFUSE => {
                Self::Refuse { token: reader.read_bits(32)? as u32, reason: read_refuse_reason(&mut reader)? }
            }
            KIND_MANIFEST_REQUEST => Self::ManifestRequest {
                token: reader.read_bits(32)? as u32,
                first: read_limited(&mut reader, u64::from(MAX_PARTS), "first manifest part")? as u16,
            },
            KIND_MANIFEST_PART => {
                let part = ManifestPart {
                    token: reader.read_bits(32)? as u32,
                    cookie: reader.read_bits(64)?,
                    index: read_limited(&mut reader, u64::from(MAX_PARTS), "index of a manifest part")? as u16,
                    count: read_limited(&mut reader, u64::from(MAX_PARTS), "count of manifest parts")? as u16,
                    bytes: read_blob(&mut reader, PART_BYTES, "manifest part")?,
                };
                if part.count > 0 && part.index >= part.count {
                    return Err(WireError::Malformed { what: "manifest part" }.into());
                }
                Self::ManifestPart(part)
            }
            KIND_CLOSE => Self::Close { token: reader.read_bits(32)? as u32, reason: read_close_reason(&mut reader)? },
            _ => return Err(ProtocolError::ReservedBits { first_byte: kind }),
        })
    }

    /// What it is, for errors.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Hello(_) | Self::OtherVersion { .. } => "hello",
            Self::Challenge { .. } => "challenge",
            Self::Accept(_) => "accept",
            Self::Refuse { .. } => "refusal",
            Self::ManifestRequest { .. } => "manifest request",
            Self::ManifestPart(_) => "manifest part",
            Self::Close { .. } => "close",
        }
    }

    /// The token it carries first.
    pub(crate) fn token(&self) -> u32 {
        match self {
            Self::Hello(hello) => hello.token,
            Self::Accept(accept) => accept.token,
            Self::ManifestPart(part) => part.token,
            Self::OtherVersion { token, .. }
            | Self::Challenge { token, .. }
            | Self::Refuse { token, .. }
            | Self::ManifestRequest { token, .. }
            | Self::Close { token, .. } => *token,
        }
    }
}

impl Hello {
    /// Writes the datagram; `padded` to the least MTU, so that no answer is larger.
    pub(crate) fn write(&self, padded: bool, out: &mut Vec<u8>) {
        let mut writer = BitWriter::new();
        writer.write_bits(u64::from(KIND_HELLO), 8);
        writer.write_bits(MARK, 32);
        writer.write_bits(u64::from(WIRE_VERSION), 16);
        writer.write_bits(u64::from(self.token), 32);
        writer.write_bits(self.cookie, 64);
        writer.write_bits(self.manifest_hash, 64);
        write_limits(&mut writer, self.limits);
        write_blob(&mut writer, &self.hello);
        writer.append_to(out);
        if padded && out.len() < MIN_MTU {
            out.resize(MIN_MTU, 0);
        }
    }
}

impl Accept {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut writer = BitWriter::new();
        writer.write_bits(u64::from(KIND_ACCEPT), 8);
        writer.write_bits(u64::from(self.token), 32);
        writer.write_bits(u64::from(self.acceptor_token), 32);
        write_limits(&mut writer, self.limits);
        write_blob(&mut writer, &self.hello);
        writer.append_to(out);
    }
}

impl ManifestPart {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut writer = BitWriter::new();
        writer.write_bits(u64::from(KIND_MANIFEST_PART), 8);
        writer.write_bits(u64::from(self.token), 32);
        writer.write_bits(self.cookie, 64);
        writer.write_varint(u64::from(self.index));
        writer.write_varint(u64::from(self.count));
        write_blob(&mut writer, &self.bytes);
        writer.append_to(out);
    }
}

pub(crate) fn write_challenge(token: u32, cookie: u64, out: &mut Vec<u8>) {
    let mut writer = BitWriter::new();
    writer.write_bits(u64::from(KIND_CHALLENGE), 8);
    writer.write_bits(u64::from(token), 32);
    writer.write_bits(cookie, 64);
    writer.append_to(out);
}

pub(crate) fn write_manifest_request(token: u32, first: u16, out: &mut Vec<u8>) {
    let mut writer = BitWriter::new();
    writer.write_bits(u64::from(KIND_MANIFEST_REQUEST), 8);
    writer.write_bits(u64::from(token), 32);
    writer.write_varint(u64::from(first));
    writer.append_to(out);
}

/// The datagram that refuses the initiator with this token.
pub(crate) fn write_refuse(token: u32, reason: &RefuseReason) -> Vec<u8> {
    let mut writer = BitWriter::new();
    writer.write_bits(u64::from(KIND_REFUSE), 8);
    writer.write_bits(u64::from(token), 32);
    write_refuse_reason(&mut writer, reason);
    writer.to_bytes()
}

/// The datagram that closes the connection of the other side with this token.
pub(crate) fn write_close(token: u32, reason: &CloseReason) -> Vec<u8> {
    let mut writer = BitWriter::new();
    writer.write_bits(u64::from(KIND_CLOSE), 8);
    writer.write_bits(u64::from(token), 32);
    write_close_reason(&mut writer, reason);
    writer.to_bytes()
}

fn decode_hello(reader: &mut BitReader<'_>) -> Result<Message, ProtocolError> {
    if reader.read_bits(32)? != MARK {
        return Err(ProtocolError::UnknownProtocol);
    }
    // These two fields stay where they are in all versions, so that a refusal can always be understood.
    let version = reader.read_bits(16)? as u16;
    let token = reader.read_bits(32)? as u32;
    if version != WIRE_VERSION {
        return Ok(Message::OtherVersion { token, version });
    }
    Ok(Message::Hello(Hello {
        token,
        cookie: reader.read_bits(64)?,
        manifest_hash: reader.read_bits(64)?,
        limits: read_limits(reader)?,
        hello: read_blob(reader, HELLO_LIMIT, "application bytes of a hello")?,
    }))
}

fn write_limits(writer: &mut BitWriter, limits: Limits) {
    writer.write_bits(u64::from(limits.queued_bytes), 32);
    writer.write_bits(u64::from(limits.message_bytes), 32);
}

fn read_limits(reader: &mut BitReader<'_>) -> Result<Limits, WireError> {
    Ok(Limits { queued_bytes: reader.read_bits(32)? as u32, message_bytes: reader.read_bits(32)? as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { queued_bytes: 1 << 20, message_bytes: 1 << 18 };

    fn all() -> Vec<(Message, Vec<u8>)> {
        let hello =
            Hello { token: 1, cookie: 2, manifest_hash: u64::MAX, limits: LIMITS, hello: b"player one".to_vec() };
        let accept = Accept { token: 1, acceptor_token: 3, limits: LIMITS, hello: vec![7; HELLO_LIMIT] };
        let part = ManifestPart { token: 1, cookie: 2, index: 4, count: 5, bytes: vec![1; PART_BYTES] };
        let refusal = RefuseReason::ServerFull { max: 64 };
        let mut datagrams = vec![Vec::new(); 5];
        hello.write(false, &mut datagrams[0]);
        accept.write(&mut datagrams[1]);
        part.write(&mut datagrams[2]);
        write_challenge(1, 2, &mut datagrams[3]);
        write_manifest_request(1, 16, &mut datagrams[4]);
        datagrams.push(write_refuse(1, &refusal));
        datagrams.push(write_close(1, &CloseReason::Shutdown));
        let messages = [
            Message::Hello(hello),
            Message::Accept(accept),
            Message::ManifestPart(part),
            Message::Challenge { token: 1, cookie: 2 },
            Message::ManifestRequest { token: 1, first: 16 },
            Message::Refuse { token: 1, reason: refusal },
            Message::Close { token: 1, reason: CloseReason::Shutdown },
        ];
        messages.into_iter().zip(datagrams).collect()
    }

    #[test]
    fn every_message_survives_the_wire_and_no_truncation_does() {
        for (message, datagram) in all() {
            assert!(datagram.len() <= MIN_MTU, "{}", message.kind());
            assert_eq!(Message::decode(&datagram).unwrap(), message);
            assert_eq!(message.token(), 1);
            for end in 0..datagram.len() {
                assert!(Message::decode(&datagram[..end]).is_err(), "{} cut to {end} bytes", message.kind());
            }
        }
    }

    #[test]
    fn a_hello_of_another_version_can_still_be_answered() {
        let (_, mut datagram) = all().swap_remove(0);
        datagram[5] = 99;
        datagram.truncate(11);
        assert_eq!(Message::decode(&datagram).unwrap(), Message::OtherVersion { token: 1, version: 99 });
    }
}
