//! Datagrams on a connection over which both sides talk.

use bevy_slipstream::protocol::{ChannelConfig, ChannelId, Delivery, LinkProperties};

use super::pair::{CHANNELS, Exchange, KNOWN_SEED, MESSAGE_LIMIT, ORDERED, OTHER_SEED, Pair, config, offer};
use super::parts;

/// Bits of the first byte.
const AUTHENTICATED: u8 = 1;
const IS_STRANGER: u8 = 2;
const TO_INITIATOR: u8 = 4;

const MOST_DATAGRAMS: usize = 24;
/// Frames in which both sides say something new.
const CHATTY_FRAMES: u32 = 12;

/// Both sides talk on every kind of channel while one of them gets any datagrams between the other's own.
///
/// Where all of those were refused, each message that must arrive does, once and in order.
pub fn datagrams(data: &[u8]) {
    let Some((flags, rest)) = data.split_first() else { return };
    let link = LinkProperties { authenticated: flags & AUTHENTICATED != 0, ..LinkProperties::default() };
    let mut talk = Talk::new(link, if flags & IS_STRANGER == 0 { KNOWN_SEED } else { OTHER_SEED });
    let mut taken = false;
    for datagram in parts::split(rest, MOST_DATAGRAMS) {
        let now = talk.pair.now;
        taken |= offer(talk.pair.end(flags & TO_INITIATOR != 0), now, datagram);
        talk.frame();
    }
    for _ in 0..CHATTY_FRAMES + 20 {
        talk.frame();
    }
    if !taken {
        assert!(talk.pair.is_connected());
        for (sent, heard) in talk.sent.iter().zip(talk.heard.iter().rev()) {
            assert!(
                *sent == CHATTY_FRAMES && heard.iter().copied().eq(0..*sent),
                "{sent} were sent, {heard:?} arrived"
            );
        }
    }
}

/// A connected pair; the arrays are those of `a` and of `b`.
struct Talk {
    pair: Pair,
    frames: u32,
    /// Ordered messages that were accepted.
    sent: [u32; 2],
    /// The numbers of those that arrived.
    heard: [Vec<u32>; 2],
}

impl Talk {
    fn new(link: LinkProperties, seed: u64) -> Self {
        let mut pair = Pair::new(config(), config(), link, seed);
        pair.connect().expect("nobody disturbs the handshake");
        Self { pair, frames: 0, sent: [0; 2], heard: [Vec::new(), Vec::new()] }
    }

    fn frame(&mut self) -> Exchange {
        if self.frames < CHATTY_FRAMES {
            self.say();
        }
        self.frames += 1;
        let exchange = self.pair.frame();
        for (is_a, heard) in [true, false].into_iter().zip(&mut self.heard) {
            while let Some(message) = self.pair.end(is_a).poll_message() {
                // A stranger may have opened others in the acceptor's name.
                assert!(message.payload.len() <= MESSAGE_LIMIT || !CHANNELS.contains(&message.channel));
                if message.channel == ORDERED
                    && let Some(number) = message.payload.first_chunk::<4>()
                {
                    heard.push(u32::from_le_bytes(*number));
                }
            }
        }
        exchange
    }

    /// A message on each channel both ways, now and then one in fragments.
    fn say(&mut self) {
        let now = self.pair.now;
        for (is_a, sent) in [true, false].into_iter().zip(&mut self.sent) {
            let mut payload = sent.to_le_bytes().to_vec();
            payload.resize(if self.frames % 4 == 3 { 2_500 } else { 30 }, is_a.into());
            for channel in CHANNELS {
                // A side that ended, because a stranger said so in the other's name, says that it did.
                let result = self.pair.end(is_a).send(now, channel, &payload, Some(self.frames.into()));
                *sent += u32::from(channel == ORDERED && result.is_ok());
            }
        }
    }
}

/// What each side said, in order and some by themselves; the acceptor opens a channel, too.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let mut corpus = Vec::new();
    for authenticated in [0, AUTHENTICATED] {
        let link = LinkProperties { authenticated: authenticated != 0, ..LinkProperties::default() };
        let mut talk = Talk::new(link, KNOWN_SEED);
        let tool = ChannelConfig::new("tool", Delivery::ReliableOrdered);
        talk.pair.b.add_channel(ChannelId::FIRST_TOOL, tool).expect("the number is free");
        let exchanges: Vec<Exchange> = (0..CHATTY_FRAMES).map(|_| talk.frame()).collect();
        let from_a: Vec<&Vec<u8>> = exchanges.iter().flat_map(|exchange| &exchange.from_a).collect();
        let from_b: Vec<&Vec<u8>> = exchanges.iter().flat_map(|exchange| &exchange.from_b).collect();
        for (flags, said) in [(0, from_a), (TO_INITIATOR, from_b)] {
            for datagrams in said.chunks(4).chain([said.as_slice()]) {
                let joined = parts::join(datagrams.iter().take(MOST_DATAGRAMS));
                for is_stranger in [0, IS_STRANGER] {
                    corpus.push([[authenticated | flags | is_stranger].as_slice(), &joined].concat());
                }
            }
        }
    }
    corpus
}
