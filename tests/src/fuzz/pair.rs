//! Two peers without a network: what one says, the other hears at once.

use core::time::Duration;

use bevy_slipstream::protocol::{
    ChannelConfig, ChannelId, Delivery, LinkProperties, Manifest, Peer, PeerConfig, PeerEvent, Side, WIRE_VERSION,
};

pub(crate) const FRAME: Duration = Duration::from_nanos(16_666_667);

pub(crate) const UNRELIABLE: ChannelId = ChannelId(1);
pub(crate) const SEQUENCED: ChannelId = ChannelId(2);
pub(crate) const UNORDERED: ChannelId = ChannelId(3);
pub(crate) const ORDERED: ChannelId = ChannelId(4);
pub(crate) const EXPIRING: ChannelId = ChannelId(5);
pub(crate) const CHANNELS: [ChannelId; 5] = [UNRELIABLE, SEQUENCED, UNORDERED, ORDERED, EXPIRING];

/// Greatest message of each channel, in bytes.
pub(crate) const MESSAGE_LIMIT: usize = 4_000;
/// Datagrams that one flush has at most.
const FLUSH_LIMIT: usize = 2_000;

/// What the tokens and cookies of a corpus were made from: with this seed its datagrams are those of the connection.
pub(crate) const KNOWN_SEED: u64 = 7;
/// With this one they are a stranger's.
pub(crate) const OTHER_SEED: u64 = 70;

/// The initiator `a` and the acceptor `b`.
pub(crate) struct Pair {
    pub(crate) a: Peer,
    pub(crate) b: Peer,
    pub(crate) now: Duration,
}

/// What was said in a frame.
pub(crate) struct Exchange {
    pub(crate) from_a: Vec<Vec<u8>>,
    pub(crate) from_b: Vec<Vec<u8>>,
}

/// A channel of each kind, little room, and a budget that holds nothing back.
pub(crate) fn config() -> PeerConfig {
    let expiring = Delivery::Expiring { max_retransmits: 3, lifetime: Duration::from_millis(250) };
    let channels = [
        (UNRELIABLE, "unreliable", Delivery::Unreliable),
        (SEQUENCED, "sequenced", Delivery::UnreliableSequenced),
        (UNORDERED, "unordered", Delivery::ReliableUnordered),
        (ORDERED, "ordered", Delivery::ReliableOrdered),
        (EXPIRING, "expiring", expiring),
    ];
    let channels = channels
        .map(|(id, name, delivery)| (id, ChannelConfig::new(name, delivery).with_max_message_bytes(MESSAGE_LIMIT)));
    PeerConfig {
        manifest: Manifest::new(WIRE_VERSION, 60.0),
        channels: channels.into(),
        timeout: Duration::from_secs(3_600),
        min_budget_bytes_per_second: 2_000_000,
        max_queued_bytes: 64 << 10,
        hello: b"from the initiator".to_vec(),
        ..PeerConfig::default()
    }
}

impl Pair {
    pub(crate) fn new(a: PeerConfig, b: PeerConfig, link: LinkProperties, seed: u64) -> Self {
        let now = Duration::ZERO;
        Self {
            a: Peer::new(Side::Initiator, a, link, now, seed),
            b: Peer::new(Side::Acceptor, b, link, now, seed + 1),
            now,
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.a.is_connected() && self.b.is_connected()
    }

    /// Each hears what the other has to say, and a sixtieth of a second passes.
    pub(crate) fn frame(&mut self) -> Exchange {
        let from_a = flush(&mut self.a, self.now);
        hear(&mut self.b, self.now, &from_a);
        admit(&mut self.b, self.now);
        let from_b = flush(&mut self.b, self.now);
        hear(&mut self.a, self.now, &from_b);
        while self.a.poll_event().is_some() {}
        self.now += FRAME;
        Exchange { from_a, from_b }
    }

    /// Shakes hands; what was said, if both are connected within two seconds.
    pub(crate) fn connect(&mut self) -> Option<Vec<Exchange>> {
        let mut exchanges = Vec::new();
        for _ in 0..120 {
            exchanges.push(self.frame());
            if self.is_connected() {
                return Some(exchanges);
            }
        }
        None
    }

    /// One end: `a`, or `b`.
    pub(crate) fn end(&mut self, is_a: bool) -> &mut Peer {
        if is_a { &mut self.a } else { &mut self.b }
    }
}

/// Takes events, and lets in whoever asks.
pub(crate) fn admit(peer: &mut Peer, now: Duration) {
    while let Some(event) = peer.poll_event() {
        if let PeerEvent::HelloReceived { .. } = event {
            peer.accept(now, b"from the acceptor");
        }
    }
}

/// All that a peer has to say now.
pub(crate) fn flush(peer: &mut Peer, now: Duration) -> Vec<Vec<u8>> {
    let mtu = LinkProperties::default().mtu;
    let mut datagrams = Vec::new();
    let mut datagram = Vec::new();
    while peer.poll_transmit(now, &mut datagram) {
        assert!(!datagram.is_empty() && datagram.len() <= mtu, "a datagram of {} bytes was sent", datagram.len());
        datagrams.push(datagram.clone());
        assert!(datagrams.len() < FLUSH_LIMIT, "a peer does not stop talking");
    }
    datagrams
}

fn hear(peer: &mut Peer, now: Duration, datagrams: &[Vec<u8>]) {
    for datagram in datagrams {
        // After what a stranger said in its name, this side may refuse the other one; whether it should have is asked
        // elsewhere.
        let _ = peer.receive(now, datagram);
        check_memory(peer);
    }
}

/// Gives a peer what a stranger sent, and says whether it was taken. Where it was not, nothing has changed.
pub(crate) fn offer(peer: &mut Peer, now: Duration, datagram: &[u8]) -> bool {
    let state = |peer: &Peer| (peer.stats().clone(), peer.memory_bytes(), peer.is_connected(), peer.is_closed());
    let before = state(peer);
    let result = peer.receive(now, datagram);
    if let Err(error) = &result {
        assert_eq!(state(peer), before, "a datagram that was refused ({error}) has changed something");
    }
    check_memory(peer);
    result.is_ok()
}

pub(crate) fn check_memory(peer: &Peer) {
    let (bytes, ceiling) = (peer.memory_bytes(), peer.memory_ceiling_bytes());
    assert!(bytes <= ceiling, "{bytes} bytes of memory are above the stated ceiling of {ceiling}");
}
