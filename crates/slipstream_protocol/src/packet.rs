//! The data datagram: a header with the acknowledgement, then frames until the end. Everything is in whole bytes.

use core::time::Duration;

use slipstream_wire::{BitReader, BitWriter, Sequence, WireError};

use crate::ack::{Ack, Range, read_ack, write_ack};
use crate::channel::{ChannelId, Channels, Delivery};
use crate::error::ProtocolError;
use crate::fragment::{Fragment, MAX_FRAGMENTS};
use crate::link::MAX_DATAGRAM_BYTES;
use crate::text::{read_limited, varint_len};

/// The kind of a datagram: the low three bits of its first byte. Other bits are flags of data datagrams.
pub(crate) const KIND_MASK: u8 = 0b0000_0111;
pub(crate) const KIND_DATA: u8 = 0;
pub(crate) const KIND_HELLO: u8 = 1;
pub(crate) const KIND_CHALLENGE: u8 = 2;
pub(crate) const KIND_ACCEPT: u8 = 3;
pub(crate) const KIND_REFUSE: u8 = 4;
pub(crate) const KIND_MANIFEST_REQUEST: u8 = 5;
pub(crate) const KIND_MANIFEST_PART: u8 = 6;
pub(crate) const KIND_CLOSE: u8 = 7;

/// The token of the receiver follows: on links that are not authenticated.
const FLAG_TOKEN: u8 = 1 << 3;
/// An acknowledgement follows the number.
const FLAG_ACK: u8 = 1 << 4;
/// The acknowledgement has more than one range.
const FLAG_RANGES: u8 = 1 << 5;
/// The datagram asks for an acknowledgement though it may carry no frame.
const FLAG_PING: u8 = 1 << 6;
const FLAG_RESERVED: u8 = 1 << 7;

/// What the header takes at most before the acknowledgement: first byte, token, number.
const HEADER_BYTES: usize = 1 + 4 + 2;
/// What is kept free for the acknowledgement; it takes more where frames leave room.
const ACK_RESERVE: usize = 24;
/// What a frame takes at most beside its bytes, when it carries a whole message: channel, number, length.
const FRAME_BYTES: usize = 2 + 4 + 3;
/// What index and count of a fragment take at most.
const FRAGMENT_BYTES: usize = 2 + 2;

/// Bytes for frames in a datagram of `mtu` bytes.
pub(crate) fn frame_room(mtu: usize) -> usize {
    mtu.saturating_sub(HEADER_BYTES + ACK_RESERVE)
}

/// The greatest message that one datagram carries whole.
pub(crate) fn max_whole_bytes(mtu: usize) -> usize {
    frame_room(mtu).saturating_sub(FRAME_BYTES)
}

/// The greatest fragment.
pub(crate) fn max_fragment_bytes(mtu: usize) -> usize {
    max_whole_bytes(mtu).saturating_sub(FRAGMENT_BYTES)
}

/// The header of a datagram to be sent.
#[derive(Debug)]
pub(crate) struct Header<'a> {
    pub(crate) number: u64,
    /// The other side's token.
    pub(crate) token: Option<u32>,
    pub(crate) ping: bool,
    /// What to acknowledge, newest first; nothing if empty.
    pub(crate) ranges: &'a [Range],
    pub(crate) ack_delay: Duration,
}

impl Header<'_> {
    /// Bytes without the acknowledgement.
    pub(crate) fn len_without_ack(&self) -> usize {
        HEADER_BYTES - if self.token.is_some() { 0 } else { 4 }
    }

    pub(crate) fn write(&self, writer: &mut BitWriter) {
        let mut first = KIND_DATA;
        for (set, flag) in [
            (self.token.is_some(), FLAG_TOKEN),
            (!self.ranges.is_empty(), FLAG_ACK),
            (self.ranges.len() > 1, FLAG_RANGES),
            (self.ping, FLAG_PING),
        ] {
            if set {
                first |= flag;
            }
        }
        writer.write_bits(u64::from(first), 8);
        if let Some(token) = self.token {
            writer.write_bits(u64::from(token), 32);
        }
        writer.write_bits(self.number & 0xffff, 16);
        write_ack(writer, self.ranges, self.ack_delay);
    }
}

/// A received data datagram, checked as far as it can be without its channels' state.
#[derive(Debug)]
pub(crate) struct DataPacket<'a> {
    pub(crate) number: Sequence,
    pub(crate) ping: bool,
    pub(crate) ack: Option<Ack>,
    pub(crate) frames: Frames<'a>,
}

impl DataPacket<'_> {
    /// Whether it asks for an acknowledgement.
    pub(crate) fn asks(&self) -> bool {
        self.ping || !self.frames.is_empty()
    }
}

/// The frames of a datagram, read one after the other: a list of them would be memory for each datagram.
#[derive(Clone, Debug)]
pub(crate) struct Frames<'a> {
    datagram: &'a [u8],
    reader: BitReader<'a>,
}

impl<'a> Frames<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.reader.remaining_bits() == 0
    }

    /// The next frame; those of a [`DataPacket`] are without error, because they were read once when it was parsed.
    pub(crate) fn read_next(&mut self, channels: &Channels) -> Result<Option<Frame<'a>>, ProtocolError> {
        if self.is_empty() {
            return Ok(None);
        }
        read_frame(self.datagram, &mut self.reader, channels).map(Some)
    }
}

/// A message, or a fragment of one, in a received datagram.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    /// Index of the channel here.
    pub(crate) index: u16,
    pub(crate) channel: ChannelId,
    /// The low bits of the message's number; zero where none was sent.
    pub(crate) number: u32,
    pub(crate) fragment: Option<Fragment>,
    pub(crate) payload: &'a [u8],
}

/// Reads a data datagram.
///
/// `token` is ours, which the datagram must carry if `token_required`; `next_sent` is the number that our next datagram
/// gets.
pub(crate) fn parse_data<'a>(
    datagram: &'a [u8],
    token: u32,
    token_required: bool,
    next_sent: u64,
    channels: &Channels,
) -> Result<DataPacket<'a>, ProtocolError> {
    let mut reader = BitReader::new(datagram);
    let first = reader.read_bits(8)? as u8;
    if first & FLAG_RESERVED != 0 {
        return Err(ProtocolError::ReservedBits { first_byte: first });
    }
    let has_token = first & FLAG_TOKEN != 0;
    if has_token && reader.read_bits(32)? as u32 != token {
        return Err(ProtocolError::WrongToken);
    }
    if token_required && !has_token {
        return Err(ProtocolError::WrongToken);
    }
    let number = Sequence(reader.read_bits(16)? as u16);
    let several = first & FLAG_RANGES != 0;
    let ack = if first & FLAG_ACK != 0 {
        Some(read_ack(&mut reader, several, next_sent)?)
    } else if several {
        return Err(ProtocolError::ReservedBits { first_byte: first });
    } else {
        None
    };
    let frames = Frames { datagram, reader };
    let mut ahead = frames.clone();
    while ahead.read_next(channels)?.is_some() {}
    Ok(DataPacket { number, ping: first & FLAG_PING != 0, ack, frames })
}

fn read_frame<'a>(
    datagram: &'a [u8],
    reader: &mut BitReader<'a>,
    channels: &Channels,
) -> Result<Frame<'a>, ProtocolError> {
    let head = read_limited(reader, u64::from(ChannelId::LAST.0) * 2 + 1, "channel of a frame")?;
    let id = ChannelId((head / 2) as u16);
    let is_fragment = head % 2 == 1;
    let index = channels.index_of(id).ok_or(ProtocolError::UnknownChannel { channel: id })?;
    let channel = channels.get(index).ok_or(ProtocolError::UnknownChannel { channel: id })?;
    let number = reader.read_bits(number_bits(channel.config.delivery, is_fragment))? as u32;
    let fragment = if is_fragment {
        let place = reader.read_varint()?;
        let count = reader.read_varint()?;
        if count < 2 || count > u64::from(MAX_FRAGMENTS) || place >= count {
            return Err(ProtocolError::BadFragment { channel: id, index: place, count });
        }
        Some(Fragment { index: place as u16, count: count as u16 })
    } else {
        None
    };
    let length = read_limited(reader, MAX_DATAGRAM_BYTES as u64, "length of a frame")? as usize;
    let start = reader.position() / 8;
    reader.skip_bits(length * 8)?;
    let payload = datagram.get(start..start + length).ok_or(WireError::Malformed { what: "frame" })?;
    Ok(Frame { index, channel: id, number, fragment, payload })
}

/// Writes a frame.
pub(crate) fn write_frame(
    writer: &mut BitWriter,
    channel: ChannelId,
    delivery: Delivery,
    number: u64,
    fragment: Option<Fragment>,
    payload: &[u8],
) {
    writer.write_varint(u64::from(channel.0) * 2 + u64::from(fragment.is_some()));
    writer.write_bits(number, number_bits(delivery, fragment.is_some()));
    if let Some(Fragment { index, count }) = fragment {
        writer.write_varint(u64::from(index));
        writer.write_varint(u64::from(count));
    }
    writer.write_varint(payload.len() as u64);
    writer.write_bytes(payload);
}

/// Bytes that a frame takes.
pub(crate) fn frame_len(channel: ChannelId, delivery: Delivery, fragment: Option<Fragment>, length: usize) -> usize {
    let head = varint_len(u64::from(channel.0) * 2 + u64::from(fragment.is_some()));
    let number = number_bits(delivery, fragment.is_some()) as usize / 8;
    let place =
        fragment.map_or(0, |fragment| varint_len(u64::from(fragment.index)) + varint_len(u64::from(fragment.count)));
    head + number + place + varint_len(length as u64) + length
}

/// The counter nearest to `reference` whose low 32 bits are `low`.
pub(crate) fn expand_32(low: u32, reference: u64) -> u64 {
    let offset = low.wrapping_sub(reference as u32) as i32;
    reference.checked_add_signed(i64::from(offset)).unwrap_or_else(|| u64::from(low))
}

/// Bits of a message's number on the wire. A whole unreliable message needs none: its datagram's number orders it, and
/// a datagram is taken once. Expiring messages skip numbers when they are given up, so they need more.
fn number_bits(delivery: Delivery, is_fragment: bool) -> u32 {
    match delivery {
        Delivery::ReliableUnordered | Delivery::ReliableOrdered => 16,
        Delivery::Expiring { .. } => 32,
        Delivery::Unreliable | Delivery::UnreliableSequenced if is_fragment => 16,
        Delivery::Unreliable | Delivery::UnreliableSequenced => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Announced, Channel, ChannelConfig};

    fn channels() -> Channels {
        let mut channels = Channels::default();
        for (id, config) in [(1, ChannelConfig::phys()), (2, ChannelConfig::event()), (2999, ChannelConfig::dispatch())]
        {
            channels.insert(Channel::new(ChannelId(id), config, 10_000, Announced::Known));
        }
        channels
    }

    fn frames_of<'a>(packet: &DataPacket<'a>) -> Vec<Frame<'a>> {
        let (mut frames, channels) = (packet.frames.clone(), channels());
        core::iter::from_fn(|| frames.read_next(&channels).unwrap()).collect()
    }

    fn datagram(frames: &[(u16, Option<Fragment>, &[u8])]) -> Vec<u8> {
        let channels = channels();
        let mut writer = BitWriter::new();
        let header = Header {
            number: 70_000,
            token: Some(0xdead_beef),
            ping: false,
            ranges: &[(7, 9), (1, 2)],
            ack_delay: Duration::from_millis(5),
        };
        header.write(&mut writer);
        for (id, fragment, payload) in frames {
            let channel = channels.find(ChannelId(*id)).unwrap();
            let before = writer.byte_len();
            write_frame(&mut writer, channel.id, channel.config.delivery, 70_001, *fragment, payload);
            assert_eq!(
                writer.byte_len() - before,
                frame_len(channel.id, channel.config.delivery, *fragment, payload.len())
            );
        }
        writer.to_bytes()
    }

    #[test]
    fn a_datagram_survives_the_wire_and_no_part_of_it_is_mistaken_for_more() {
        let fragment = Some(Fragment { index: 3, count: 300 });
        let bytes =
            datagram(&[(1, None, b"pose".as_slice()), (2, None, b"".as_slice()), (2999, fragment, b"part".as_slice())]);
        let packet = parse_data(&bytes, 0xdead_beef, true, 10, &channels()).unwrap();
        assert_eq!(packet.number, Sequence(70_000_u32 as u16));
        assert_eq!(*packet.ack.as_ref().unwrap().ranges, [(7, 9), (1, 2)]);
        let frames: Vec<_> = frames_of(&packet)
            .into_iter()
            .map(|frame| (frame.channel.0, frame.number, frame.fragment, frame.payload))
            .collect();
        assert_eq!(
            frames,
            [
                (1, 0, None, b"pose".as_slice()),
                (2, 70_001, None, b"".as_slice()),
                (2999, 70_001 & 0xffff, fragment, b"part".as_slice()),
            ]
        );
        for end in 0..bytes.len() {
            if let Ok(part) = parse_data(&bytes[..end], 0xdead_beef, true, 10, &channels()) {
                assert!(frames_of(&part).len() < 3);
            }
        }
    }

    #[test]
    fn a_datagram_of_another_connection_is_refused() {
        let bytes = datagram(&[]);
        assert_eq!(parse_data(&bytes, 1, true, 10, &channels()).unwrap_err(), ProtocolError::WrongToken);
    }

    #[test]
    fn a_frame_for_an_unknown_channel_is_an_error() {
        let mut bytes = datagram(&[]);
        bytes.extend([3 * 2, 0]);
        assert_eq!(
            parse_data(&bytes, 0xdead_beef, true, 10, &channels()).unwrap_err(),
            ProtocolError::UnknownChannel { channel: ChannelId(3) }
        );
    }

    #[test]
    fn what_is_said_to_fit_a_datagram_fits() {
        for mtu in [600, 1198, 1200, 9000] {
            let expiring = Delivery::Expiring { max_retransmits: 1, lifetime: Duration::from_secs(1) };
            let whole = max_whole_bytes(mtu);
            assert!(frame_len(ChannelId::LAST, expiring, None, whole) <= frame_room(mtu));
            let last = Some(Fragment { index: MAX_FRAGMENTS - 1, count: MAX_FRAGMENTS });
            let fragment = max_fragment_bytes(mtu);
            assert!(frame_len(ChannelId::LAST, expiring, last, fragment) <= frame_room(mtu));
        }
    }

    #[test]
    fn thirty_two_bits_expand_to_the_nearest_counter() {
        assert_eq!(expand_32(5, 3), 5);
        assert_eq!(expand_32(u32::MAX, (1 << 32) + 2), u64::from(u32::MAX));
        assert_eq!(expand_32(1, u64::from(u32::MAX)), (1 << 32) + 1);
        assert_eq!(expand_32(u32::MAX, 0), u64::from(u32::MAX));
    }
}
