//! The control message that announces a channel opened at run time.

use core::time::Duration;
use std::borrow::Cow;

use slipstream_wire::{BitReader, BitWriter, WireError};

use super::{ChannelConfig, ChannelId, Delivery, Priority};
use crate::text::{read_limited, read_text, write_text};

/// Greatest name of a channel in bytes.
pub(crate) const NAME_LIMIT: usize = 128;
/// The only kind of control message so far.
const KIND_ANNOUNCEMENT: u64 = 1;
/// Greatest lifetime on the wire: a day.
const LIFETIME_LIMIT_MS: u64 = 86_400_000;

/// A channel that the acceptor opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(crate) id: ChannelId,
    pub(crate) config: ChannelConfig,
}

impl Announcement {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = BitWriter::new();
        writer.write_bits(KIND_ANNOUNCEMENT, 8);
        writer.write_bits(u64::from(self.id.0), 16);
        let delivery = match self.config.delivery {
            Delivery::Unreliable => 0,
            Delivery::UnreliableSequenced => 1,
            Delivery::ReliableUnordered => 2,
            Delivery::ReliableOrdered => 3,
            Delivery::Expiring { .. } => 4,
        };
        writer.write_bits(delivery, 8);
        if let Delivery::Expiring { max_retransmits, lifetime } = self.config.delivery {
            writer.write_bits(u64::from(max_retransmits), 16);
            let millis = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
            writer.write_varint(millis.min(LIFETIME_LIMIT_MS));
        }
        let priority = match self.config.priority {
            Priority::Critical => 0,
            Priority::High => 1,
            Priority::Normal => 2,
            Priority::Low => 3,
        };
        writer.write_bits(priority, 8);
        writer.write_varint(self.config.max_message_bytes as u64);
        write_text(&mut writer, &self.config.name, NAME_LIMIT);
        writer.to_bytes()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = BitReader::new(bytes);
        let kind = reader.read_bits(8)?;
        if kind != KIND_ANNOUNCEMENT {
            return Err(WireError::ValueOutOfRange {
                what: "kind of control message",
                value: kind,
                max: KIND_ANNOUNCEMENT,
            });
        }
        let id = ChannelId(reader.read_bits(16)? as u16);
        if id == ChannelId::CONTROL || id > ChannelId::LAST {
            return Err(WireError::ValueOutOfRange {
                what: "announced channel",
                value: u64::from(id.0),
                max: u64::from(ChannelId::LAST.0),
            });
        }
        let delivery = match reader.read_bits(8)? {
            0 => Delivery::Unreliable,
            1 => Delivery::UnreliableSequenced,
            2 => Delivery::ReliableUnordered,
            3 => Delivery::ReliableOrdered,
            4 => Delivery::Expiring {
                max_retransmits: reader.read_bits(16)? as u16,
                lifetime: Duration::from_millis(read_limited(&mut reader, LIFETIME_LIMIT_MS, "lifetime")?),
            },
            value => {
                return Err(WireError::ValueOutOfRange { what: "delivery", value, max: 4 });
            }
        };
        let priority = match reader.read_bits(8)? {
            0 => Priority::Critical,
            1 => Priority::High,
            2 => Priority::Normal,
            3 => Priority::Low,
            value => {
                return Err(WireError::ValueOutOfRange { what: "priority", value, max: 3 });
            }
        };
        let max_message_bytes = read_limited(&mut reader, u64::from(u32::MAX), "greatest message")? as usize;
        let name = read_text(&mut reader, NAME_LIMIT, "channel name")?;
        Ok(Self { id, config: ChannelConfig { name: Cow::Owned(name), delivery, priority, max_message_bytes } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_survives_the_wire_and_no_truncation_does() {
        for config in [ChannelConfig::phys(), ChannelConfig::event(), ChannelConfig::dispatch()] {
            let announcement = Announcement { id: ChannelId(1234), config };
            let bytes = announcement.encode();
            assert_eq!(Announcement::decode(&bytes).unwrap(), announcement);
            for end in 0..bytes.len() {
                assert!(Announcement::decode(&bytes[..end]).is_err());
            }
        }
    }
}
