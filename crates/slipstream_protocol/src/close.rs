//! Why connections end, and the datagrams that say so.

use slipstream_wire::{BitReader, BitWriter, WireError};
use thiserror::Error;

use crate::text::{cut, read_limited, read_text, write_text};

/// Greatest text inside a reason, in bytes.
const TEXT_LIMIT: usize = 256;
/// Greatest count of lines of a mismatch.
const LINE_COUNT_LIMIT: usize = 12;
/// Greatest line of a mismatch, in bytes.
const LINE_LIMIT: usize = 160;
/// Greatest sum of a mismatch's lines, so that a refusal fits the least MTU.
const LINES_LIMIT: usize = 480;
/// What the last line, which counts the others, may take beyond that.
const COUNT_LINE_LIMIT: usize = 32;

/// Why one side closes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CloseReason {
    /// The user or the game asked for it.
    #[error("the connection was closed on request")]
    Requested,
    /// The program ends.
    #[error("the program is shutting down")]
    Shutdown,
    /// The other side is thrown out, for the reason given (at most 256 bytes).
    #[error("kicked: {0}")]
    Kicked(String),
    /// The other side made more errors than are allowed.
    #[error("too many errors")]
    TooManyErrors,
    /// The other side broke the protocol in the way given (at most 256 bytes).
    #[error("the protocol was violated: {0}")]
    ProtocolViolation(String),
}

/// Why an acceptor does not let an initiator in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RefuseReason {
    /// No place is left.
    #[error("the server is full ({max} connections)")]
    ServerFull {
        /// Connections it takes.
        max: u32,
    },
    /// The manifests differ.
    #[error("client and server do not match: {}", .differences.join("; "))]
    Mismatch {
        /// What differs, one difference a line, some ten at most.
        differences: Vec<String>,
    },
    /// The wire versions differ.
    #[error("this side speaks wire version {ours}, the other side {theirs}; update the older one")]
    WireVersion {
        /// The version of the side that reads this.
        ours: u16,
        /// The version of the other side.
        theirs: u16,
    },
    /// The application says no, for the reason given (at most 256 bytes).
    #[error("denied: {0}")]
    Denied(String),
}

/// Why a peer has ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClosedReason {
    /// This side closed.
    #[error("closed by this side: {0}")]
    Local(CloseReason),
    /// The other side closed.
    #[error("closed by the other side: {0}")]
    Remote(CloseReason),
    /// The acceptor did not let the initiator in. Reported on both sides.
    #[error("refused: {0}")]
    Refused(RefuseReason),
    /// Nothing was heard for [`PeerConfig::timeout`](crate::PeerConfig::timeout).
    #[error("the other side has not been heard for too long")]
    TimedOut,
    /// The handshake took longer than [`PeerConfig::handshake_timeout`](crate::PeerConfig::handshake_timeout).
    #[error("the other side did not answer the handshake in time")]
    HandshakeTimedOut,
    /// This side closed because the other broke the protocol.
    #[error("the other side violated the protocol: {0}")]
    ProtocolViolation(String),
    /// The link under the peer ended.
    #[error("the link was closed")]
    LinkClosed,
}

/// Writes a close reason.
pub(crate) fn write_close_reason(writer: &mut BitWriter, reason: &CloseReason) {
    match reason {
        CloseReason::Requested => writer.write_bits(0, 8),
        CloseReason::Shutdown => writer.write_bits(1, 8),
        CloseReason::Kicked(why) => {
            writer.write_bits(2, 8);
            write_text(writer, why, TEXT_LIMIT);
        }
        CloseReason::TooManyErrors => writer.write_bits(3, 8),
        CloseReason::ProtocolViolation(what) => {
            writer.write_bits(4, 8);
            write_text(writer, what, TEXT_LIMIT);
        }
    }
}

/// Reads a close reason.
pub(crate) fn read_close_reason(reader: &mut BitReader<'_>) -> Result<CloseReason, WireError> {
    Ok(match reader.read_bits(8)? {
        0 => CloseReason::Requested,
        1 => CloseReason::Shutdown,
        2 => CloseReason::Kicked(read_text(reader, TEXT_LIMIT, "kick reason")?),
        3 => CloseReason::TooManyErrors,
        4 => CloseReason::ProtocolViolation(read_text(reader, TEXT_LIMIT, "violation")?),
        value => {
            return Err(WireError::ValueOutOfRange { what: "close reason", value, max: 4 });
        }
    })
}

/// Writes a refuse reason, with [`RefuseReason::WireVersion`] as the writing side sees it.
pub(crate) fn write_refuse_reason(writer: &mut BitWriter, reason: &RefuseReason) {
    match reason {
        RefuseReason::ServerFull { max } => {
            writer.write_bits(0, 8);
            writer.write_varint(u64::from(*max));
        }
        RefuseReason::Mismatch { differences } => {
            let lines = bounded_lines(differences);
            writer.write_bits(1, 8);
            writer.write_varint(lines.len() as u64);
            for line in &lines {
                write_text(writer, line, LINE_LIMIT);
            }
        }
        RefuseReason::WireVersion { ours, theirs } => {
            writer.write_bits(2, 8);
            writer.write_bits(u64::from(*ours), 16);
            writer.write_bits(u64::from(*theirs), 16);
        }
        RefuseReason::Denied(why) => {
            writer.write_bits(3, 8);
            write_text(writer, why, TEXT_LIMIT);
        }
    }
}

/// Reads a refuse reason; "ours" and "theirs" change places, because the reader is the other side.
pub(crate) fn read_refuse_reason(reader: &mut BitReader<'_>) -> Result<RefuseReason, WireError> {
    Ok(match reader.read_bits(8)? {
        0 => RefuseReason::ServerFull {
            max: read_limited(reader, u64::from(u32::MAX), "greatest count of connections")? as u32,
        },
        1 => {
            let count = read_limited(reader, LINE_COUNT_LIMIT as u64, "count of differences")?;
            let mut differences = Vec::new();
            for _ in 0..count {
                differences.push(read_text(reader, LINE_LIMIT, "difference")?);
            }
            RefuseReason::Mismatch { differences }
        }
        2 => {
            let theirs = reader.read_bits(16)? as u16;
            let ours = reader.read_bits(16)? as u16;
            RefuseReason::WireVersion { ours, theirs }
        }
        3 => RefuseReason::Denied(read_text(reader, TEXT_LIMIT, "refusal")?),
        value => {
            return Err(WireError::ValueOutOfRange { what: "refuse reason", value, max: 3 });
        }
    })
}

/// As many differences as fit a datagram, and a last line that counts the others.
pub(crate) fn bounded_lines(differences: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut bytes = 0;
    for (index, difference) in differences.iter().enumerate() {
        let line = cut(difference, LINE_LIMIT);
        let is_last = index + 1 == differences.len();
        let fits = bytes + line.len() <= LINES_LIMIT || (is_last && line.len() <= COUNT_LINE_LIMIT);
        if !fits || (lines.len() + 1 == LINE_COUNT_LIMIT && !is_last) {
            lines.push(format!("and {} more", differences.len() - lines.len()));
            break;
        }
        bytes += line.len();
        lines.push(line.to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_survive_the_wire() {
        for reason in [
            CloseReason::Requested,
            CloseReason::Shutdown,
            CloseReason::Kicked("cheating".into()),
            CloseReason::TooManyErrors,
            CloseReason::ProtocolViolation("what".into()),
        ] {
            let mut writer = BitWriter::new();
            write_close_reason(&mut writer, &reason);
            let bytes = writer.to_bytes();
            assert_eq!(read_close_reason(&mut BitReader::new(&bytes)).unwrap(), reason);
        }
    }

    #[test]
    fn the_reader_of_a_version_refusal_sees_its_own_version_as_ours() {
        let mut writer = BitWriter::new();
        write_refuse_reason(&mut writer, &RefuseReason::WireVersion { ours: 1, theirs: 2 });
        let bytes = writer.to_bytes();
        assert_eq!(
            read_refuse_reason(&mut BitReader::new(&bytes)).unwrap(),
            RefuseReason::WireVersion { ours: 2, theirs: 1 }
        );
    }

    #[test]
    fn a_long_list_of_differences_is_cut_and_counted() {
        let differences: Vec<String> = (0..100).map(|n| format!("difference {n}")).collect();
        let lines = bounded_lines(&differences);
        assert_eq!(lines.len(), LINE_COUNT_LIMIT);
        assert_eq!(lines.last().unwrap(), "and 89 more");
        assert_eq!(bounded_lines(&lines), lines);
    }
}
