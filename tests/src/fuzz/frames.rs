//! Frames that are well-formed one by one and come in any order: fragments, windows, duplicates.

use std::collections::BTreeSet;

use bevy_slipstream::protocol::{ChannelId, LinkProperties};
use bevy_slipstream::wire::BitWriter;

use super::pair::{
    CHANNELS, EXPIRING, FRAME, KNOWN_SEED, MESSAGE_LIMIT, ORDERED, Pair, UNORDERED, config, flush, offer,
};

const MOST_PIECES: usize = 200;
/// A piece begins with its number, place, count and length.
const HEAD_BYTES: usize = 10;
/// What a pause lasts in frames: unfinished messages are given up after two of them.
const PAUSE_FRAMES: u32 = 180;

/// Bits of a piece's last byte; the low three shift its number.
const IS_FRAGMENT: u8 = 1 << 3;
const IS_EMPTY: u8 = 1 << 4;
const ENDS_DATAGRAM: u8 = 1 << 5;
const SHIFT: u32 = 6;

/// A connected peer sends what no sender of ours would: any frames with any numbers, fragments and lengths.
///
/// What is delivered is whole, of one message, within its channel's limit, once where that is promised, and in order
/// where that is. Memory stays under its ceiling, and the connection lives.
pub fn frames(data: &[u8]) {
    let mut pair = Pair::new(config(), config(), LinkProperties::default(), KNOWN_SEED);
    let mut sender = Sender::after_handshake(&mut pair);
    let mut delivered = Delivered::default();
    for bytes in data.as_chunks::<6>().0.iter().take(MOST_PIECES) {
        let piece = Piece::new(bytes);
        sender.write(&piece);
        if piece.ends_datagram {
            let (datagram, now) = (sender.take(), pair.now);
            offer(&mut pair.b, now, &datagram);
            while let Some(message) = pair.b.poll_message() {
                delivered.check(message.channel, &message.payload);
            }
            pair.now += FRAME * piece.pause_frames;
            flush(&mut pair.b, pair.now);
        }
    }
    assert!(pair.b.is_connected());
}

/// A whole message (its count is 0), or a fragment of one.
struct Piece {
    channel: ChannelId,
    number: u32,
    place: u16,
    count: u16,
    payload: Vec<u8>,
    ends_datagram: bool,
    pause_frames: u32,
}

impl Piece {
    /// The piece that six bytes say.
    fn new(&[channel, number, place, count, length, flags]: &[u8; 6]) -> Self {
        let pause_frames = if channel >= 250 { PAUSE_FRAMES } else { 1 };
        let channel = CHANNELS[usize::from(channel) % CHANNELS.len()];
        // Never so far that the low 16 bits would be those of another number.
        let number = u32::from(number) << (flags & 7).min(6);
        let is_fragment = flags & IS_FRAGMENT != 0;
        let (place, count) = (u16::from(place) << (flags >> SHIFT), u16::from(count) << (flags >> SHIFT));
        let (place, count) = if is_fragment && count > 0 { (place, count) } else { (0, 0) };
        let length = if flags & IS_EMPTY == 0 { HEAD_BYTES + usize::from(length) * 5 } else { 0 };
        let mut payload = number.to_le_bytes().to_vec();
        for field in [place, count, length as u16] {
            payload.extend(field.to_le_bytes());
        }
        payload.resize(length, channel.0 as u8);
        Self { channel, number, place, count, payload, ends_datagram: flags & ENDS_DATAGRAM != 0, pause_frames }
    }

    /// Bits of the number that travels.
    fn number_bits(&self) -> u32 {
        match self.channel {
            EXPIRING => 32,
            UNORDERED | ORDERED => 16,
            _ if self.count > 0 => 16,
            _ => 0,
        }
    }
}

/// Datagrams as `a` would send them.
struct Sender {
    token: [u8; 4],
    number: u16,
    datagram: BitWriter,
}

impl Sender {
    /// Connects the pair and takes `a`'s place.
    fn after_handshake(pair: &mut Pair) -> Self {
        let exchanges = pair.connect().expect("nobody disturbs the handshake");
        let said = exchanges.iter().rev().flat_map(|exchange| exchange.from_a.iter().rev());
        let mut data = said.filter(|datagram| datagram.first().is_some_and(|first| first & 7 == 0));
        let Some([_, a, b, c, d, low, high, ..]) = data.next().map(Vec::as_slice) else {
            panic!("an initiator's handshake ends with a data datagram");
        };
        let mut sender =
            Self { token: [*a, *b, *c, *d], number: u16::from_le_bytes([*low, *high]), datagram: BitWriter::new() };
        sender.begin();
        sender
    }

    /// The header: a token follows, and nothing else but the next number.
    fn begin(&mut self) {
        self.number = self.number.wrapping_add(1);
        self.datagram.clear();
        self.datagram.write_bits(1 << 3, 8);
        self.datagram.write_bytes(&self.token);
        self.datagram.write_bits(self.number.into(), 16);
    }

    fn write(&mut self, piece: &Piece) {
        let is_fragment = piece.count > 0;
        self.datagram.write_varint(u64::from(piece.channel.0) * 2 + u64::from(is_fragment));
        self.datagram.write_bits(piece.number.into(), piece.number_bits());
        if is_fragment {
            self.datagram.write_varint(piece.place.into());
            self.datagram.write_varint(piece.count.into());
        }
        self.datagram.write_varint(piece.payload.len() as u64);
        self.datagram.write_bytes(&piece.payload);
    }

    fn take(&mut self) -> Vec<u8> {
        let datagram = self.datagram.to_bytes();
        self.begin();
        datagram
    }
}

/// What has arrived so far.
#[derive(Default)]
struct Delivered {
    /// Channels and numbers of which no message may come again.
    once: BTreeSet<(u16, u32)>,
    /// The next one in order.
    next: u32,
}

impl Delivered {
    fn check(&mut self, channel: ChannelId, message: &[u8]) {
        assert!(message.len() <= MESSAGE_LIMIT, "{} bytes on channel {channel}", message.len());
        let number = number_of(message);
        match channel {
            ORDERED => {
                assert!(number.is_none_or(|number| number == self.next), "{number:?} instead of {}", self.next);
                self.next += 1;
            }
            UNORDERED | EXPIRING => {
                let is_new = number.is_none_or(|number| self.once.insert((channel.0, number)));
                assert!(is_new, "{number:?} came twice on channel {channel}");
            }
            _ => {}
        }
    }
}

/// The number that all pieces of a message have, which are there in order. An empty message says none.
fn number_of(message: &[u8]) -> Option<u32> {
    let mut rest = message;
    let mut pieces = 0;
    let mut first = None;
    while let Some((head, after)) = rest.split_first_chunk::<HEAD_BYTES>() {
        let [a, b, c, d, place_low, place_high, count_low, count_high, length_low, length_high] = *head;
        let number = u32::from_le_bytes([a, b, c, d]);
        let place = u16::from_le_bytes([place_low, place_high]);
        let count = u16::from_le_bytes([count_low, count_high]);
        let length = usize::from(u16::from_le_bytes([length_low, length_high]));
        assert_eq!((number, count), *first.get_or_insert((number, count)), "a piece of another message");
        assert_eq!(place, pieces, "a piece out of order");
        pieces += 1;
        rest = after.get(length - HEAD_BYTES..).expect("a piece is whole");
    }
    assert!(rest.is_empty(), "something follows the last piece");
    let (number, count) = first?;
    assert_eq!(pieces, count.max(1), "pieces are missing");
    Some(number)
}

/// Messages of each channel: whole, doubled, out of order, in fragments, too many, too large, far ahead.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let mut corpus = Vec::new();
    for channel in 0..5 {
        let whole = |number: u8| [channel, number, 0, 0, 3, ENDS_DATAGRAM];
        corpus.push([0, 1, 2, 1, 5, 4, 3, 0].map(whole).concat());
        let part = |(number, place): (u8, u8)| [channel, number, place, 3, 60, IS_FRAGMENT | ENDS_DATAGRAM];
        corpus.push([(0, 0), (0, 1), (0, 2), (1, 2), (2, 0), (1, 0), (1, 0), (1, 1)].map(part).concat());
        let large = |place: u8| [channel, 0, place, 4, 250, IS_FRAGMENT | ENDS_DATAGRAM];
        corpus.push([0, 1, 2, 3].map(large).concat());
        let unfinished = |number: u8| [channel, number, 0, 2, 200, IS_FRAGMENT | ENDS_DATAGRAM];
        corpus.push((0..80).flat_map(unfinished).collect());
        let far = |number: u8| [channel + 250, number, 0, 0, 0, ENDS_DATAGRAM | IS_EMPTY | 6];
        corpus.push([250, 1, 140, 0].map(far).concat());
        // All in one datagram.
        corpus.push((0..20_u8).flat_map(|number| [channel, number % 7, 0, 0, 0, 0]).chain(whole(9)).collect());
    }
    corpus
}
