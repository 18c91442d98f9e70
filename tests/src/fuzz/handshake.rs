//! Datagrams before there is a connection.

use bevy_slipstream::protocol::{CloseReason, LinkProperties, PeerConfig};

use super::pair::{Exchange, KNOWN_SEED, OTHER_SEED, Pair, admit, config, flush, offer};
use super::parts;

/// Bits of the first byte.
const AUTHENTICATED: u8 = 1;
const IS_STRANGER: u8 = 2;
const TO_INITIATOR: u8 = 4;

const MOST_DATAGRAMS: usize = 32;
/// The low three bits of a challenge's first byte.
const CHALLENGE: u8 = 2;

/// A side that waits for its handshake gets any datagrams, and then the other side's own.
///
/// Noise is not answered. Unless somebody who proved an address came first, the handshake still works.
pub fn handshake(data: &[u8]) {
    let Some((flags, rest)) = data.split_first() else { return };
    let link = LinkProperties { authenticated: flags & AUTHENTICATED != 0, ..LinkProperties::default() };
    let seed = if flags & IS_STRANGER == 0 { KNOWN_SEED } else { OTHER_SEED };
    let to_initiator = flags & TO_INITIATOR != 0;
    let mut pair = Pair::new(config(), config(), link, seed);
    let now = pair.now;
    let victim = pair.end(to_initiator);
    let (mut taken, mut said, mut challenges) = (0, 0, 0);
    for datagram in parts::split(rest, MOST_DATAGRAMS) {
        taken += usize::from(offer(victim, now, datagram));
        admit(victim, now);
        for answer in flush(victim, now) {
            said += 1;
            challenges += usize::from(answer.first().is_some_and(|kind| kind & 7 == CHALLENGE));
        }
    }
    if !to_initiator && taken == 0 {
        assert_eq!(said, 0, "noise was answered, which makes a mirror for attacks");
    }
    // An acceptor keeps nothing of whom it only challenged; whoever got another answer has taken its place.
    let is_free = if to_initiator { taken == 0 } else { taken == challenges };
    if is_free {
        assert!(pair.connect().is_some(), "{taken} datagrams of strangers keep others from connecting");
        return;
    }
    for _ in 0..30 {
        pair.frame();
    }
}

/// Whole handshakes, from both sides: over both kinds of link, with manifests that differ, and broken off.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let mut corpus = Vec::new();
    for flags in [0, AUTHENTICATED] {
        let link = LinkProperties { authenticated: flags != 0, ..LinkProperties::default() };
        let mut other = config();
        other.manifest.add("component", "Health", "bincode");
        for a in [config(), other] {
            let exchanges = talk(a, link);
            let from_a: Vec<&Vec<u8>> = exchanges.iter().flat_map(|exchange| &exchange.from_a).collect();
            let from_b: Vec<&Vec<u8>> = exchanges.iter().flat_map(|exchange| &exchange.from_b).collect();
            for is_stranger in [0, IS_STRANGER] {
                corpus.push(input(flags | is_stranger, &from_a));
                corpus.push(input(flags | is_stranger | TO_INITIATOR, &from_b));
            }
        }
    }
    corpus
}

/// A handshake, a few frames, and a close.
fn talk(a: PeerConfig, link: LinkProperties) -> Vec<Exchange> {
    let mut pair = Pair::new(a, config(), link, KNOWN_SEED);
    let mut exchanges: Vec<Exchange> = (0..6).map(|_| pair.frame()).collect();
    let now = pair.now;
    pair.a.close(now, CloseReason::Kicked("enough".to_owned()));
    exchanges.extend((0..2).map(|_| pair.frame()));
    exchanges
}

fn input(flags: u8, datagrams: &[&Vec<u8>]) -> Vec<u8> {
    let mut data = vec![flags];
    data.extend(parts::join(datagrams.iter().take(MOST_DATAGRAMS)));
    data
}
