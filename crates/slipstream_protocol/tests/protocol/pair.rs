//! Two peers over a simulated network, stepped at 60 Hz by a virtual clock.

use core::time::Duration;

use slipstream_protocol::{
    ChannelConfig, ChannelId, ClosedReason, Delivery, DeliveryOutcome, LinkProperties, Manifest, NetworkConditions,
    Peer, PeerConfig, PeerEvent, Priority, Side, SimulatedNetwork, WIRE_VERSION,
};

/// One step of the clock. A nanosecond above a sixtieth, so that three of them are not short of 50 ms.
pub const FRAME: Duration = Duration::from_nanos(16_666_667);

pub const UNRELIABLE: ChannelId = ChannelId(1);
pub const SEQUENCED: ChannelId = ChannelId(2);
pub const UNORDERED: ChannelId = ChannelId(3);
pub const ORDERED: ChannelId = ChannelId(4);
pub const EXPIRING: ChannelId = ChannelId(5);
pub const CRITICAL: ChannelId = ChannelId(6);
pub const HIGH: ChannelId = ChannelId(7);
pub const LOW: ChannelId = ChannelId(8);

/// The given seed, or that of the environment.
pub fn seed(default: u64) -> u64 {
    match std::env::var("SLIPSTREAM_SEED") {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("SLIPSTREAM_SEED is a number, not {text:?}")),
        Err(_) => default,
    }
}

pub fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A line with this one-way latency and this loss, perfect otherwise.
pub fn line(latency_milliseconds: u64, loss: f32) -> NetworkConditions {
    NetworkConditions { latency: milliseconds(latency_milliseconds), loss, ..NetworkConditions::default() }
}

/// A line that loses, doubles and reorders what it carries.
pub fn bad_line(loss: f32) -> NetworkConditions {
    NetworkConditions {
        latency: milliseconds(40),
        jitter: milliseconds(10),
        loss,
        duplicate: 0.1,
        reorder: 0.1,
        bandwidth_bytes_per_second: None,
    }
}

/// What the application behind an end does when a hello asks to be let in.
pub type Admission = Box<dyn FnMut(&mut Peer, Duration, &[u8])>;

/// What arrives at a side in place of a datagram.
pub type Mangle = Box<dyn FnMut(Side, Vec<u8>) -> Vec<Vec<u8>>>;

/// All that a [`Pair`] is made from; a test changes what it is about.
pub struct Setup {
    /// The initiator's configuration.
    pub a: PeerConfig,
    /// The acceptor's configuration.
    pub b: PeerConfig,
    pub link: LinkProperties,
    pub conditions: NetworkConditions,
    pub admission: Admission,
}

impl Setup {
    pub fn new(conditions: NetworkConditions) -> Self {
        let mut a = peer_config(manifest(60));
        a.hello = b"from the initiator".to_vec();
        Self {
            a,
            b: peer_config(manifest(60)),
            link: LinkProperties::default(),
            conditions,
            admission: Box::new(|peer, now, _hello| peer.accept(now, b"from the acceptor")),
        }
    }

    /// Changes the configuration of both ends.
    pub fn both(mut self, change: impl Fn(&mut PeerConfig)) -> Self {
        change(&mut self.a);
        change(&mut self.b);
        self
    }
}

/// A manifest with a few entries, as a small game has.
pub fn manifest(tick_rate: u32) -> Manifest {
    let mut manifest = Manifest::new(WIRE_VERSION, f64::from(tick_rate));
    manifest.add("component", "Position", "range -512..512 step 0.001");
    manifest.add("component", "Health", "bincode");
    manifest.add("message", "Chat", "bincode");
    manifest
}

fn peer_config(manifest: Manifest) -> PeerConfig {
    let deliveries = [
        (UNRELIABLE, "unreliable", Delivery::Unreliable),
        (SEQUENCED, "sequenced", Delivery::UnreliableSequenced),
        (UNORDERED, "unordered", Delivery::ReliableUnordered),
        (ORDERED, "ordered", Delivery::ReliableOrdered),
        (EXPIRING, "expiring", Delivery::Expiring { max_retransmits: 3, lifetime: milliseconds(250) }),
        (CRITICAL, "critical", Delivery::ReliableUnordered),
        (HIGH, "high", Delivery::ReliableUnordered),
        (LOW, "low", Delivery::ReliableUnordered),
    ];
    let channels = deliveries.map(|(id, name, delivery)| {
        let mut config = ChannelConfig::new(name, delivery);
        config.priority = match id {
            CRITICAL => Priority::Critical,
            HIGH => Priority::High,
            LOW => Priority::Low,
            _ => Priority::Normal,
        };
        config.max_message_bytes = 256 * 1024;
        (id, config)
    });
    PeerConfig { manifest, channels: channels.into(), ..PeerConfig::default() }
}

/// A message that arrived at an end.
pub struct Arrival {
    pub at: Duration,
    pub channel: ChannelId,
    pub payload: Vec<u8>,
}

/// One peer and everything that came out of it.
pub struct End {
    pub peer: Peer,
    pub events: Vec<(Duration, PeerEvent)>,
    pub inbox: Vec<Arrival>,
    /// When each datagram left, and its bytes.
    pub datagrams: Vec<(Duration, usize)>,
    /// Datagrams that the peer refused with an error.
    pub rejected: usize,
    /// Whether the application takes its messages; an application that hangs does not.
    pub takes_messages: bool,
    max_datagram_bytes: usize,
}

impl End {
    pub fn new(side: Side, config: PeerConfig, link: LinkProperties, seed: u64) -> Self {
        Self {
            peer: Peer::new(side, config, link, Duration::ZERO, seed),
            events: Vec::new(),
            inbox: Vec::new(),
            datagrams: Vec::new(),
            rejected: 0,
            takes_messages: true,
            max_datagram_bytes: link.mtu,
        }
    }

    /// Every datagram that the peer has to send now.
    pub fn flush(&mut self, now: Duration) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        let mut datagram = Vec::new();
        while self.peer.poll_transmit(now, &mut datagram) {
            assert!(!datagram.is_empty(), "an empty datagram was sent");
            assert!(
                datagram.len() <= self.max_datagram_bytes,
                "a datagram of {} bytes was sent over a link with an MTU of {}",
                datagram.len(),
                self.max_datagram_bytes
            );
            self.datagrams.push((now, datagram.len()));
            datagrams.push(datagram.clone());
            assert!(datagrams.len() < 10_000, "poll_transmit never ends");
        }
        datagrams
    }

    pub fn receive(&mut self, now: Duration, datagram: &[u8]) {
        if self.peer.receive(now, datagram).is_err() {
            self.rejected += 1;
        }
    }

    /// Lets timers fire, answers hellos, takes events and messages.
    pub fn update(&mut self, now: Duration, admission: &mut Admission) {
        if self.peer.next_timeout().is_some_and(|at| at <= now) {
            self.peer.handle_timeout(now);
        }
        while let Some(event) = self.peer.poll_event() {
            if let PeerEvent::HelloReceived { hello } = &event {
                admission(&mut self.peer, now, hello);
            }
            self.events.push((now, event));
        }
        while self.takes_messages {
            let Some(message) = self.peer.poll_message() else {
                break;
            };
            self.inbox.push(Arrival { at: now, channel: message.channel, payload: message.payload });
        }
    }

    pub fn check_memory(&self) {
        let (bytes, ceiling) = (self.peer.memory_bytes(), self.peer.memory_ceiling_bytes());
        assert!(bytes <= ceiling, "{bytes} bytes of memory are above the stated ceiling of {ceiling}");
    }

    /// When and why the connection ended.
    pub fn closed(&self) -> Option<(Duration, &ClosedReason)> {
        self.events.iter().find_map(|(at, event)| match event {
            PeerEvent::Closed { reason } => Some((*at, reason)),
            _ => None,
        })
    }

    /// Channel, token and outcome of every message whose fate is known.
    pub fn outcomes(&self) -> impl Iterator<Item = (ChannelId, u64, &DeliveryOutcome)> {
        self.events.iter().filter_map(|(_, event)| match event {
            PeerEvent::Delivery { channel, token, outcome } => Some((*channel, *token, outcome)),
            _ => None,
        })
    }

    pub fn bytes_sent_since(&self, since: Duration) -> usize {
        self.datagrams.iter().filter(|(at, _)| *at >= since).map(|(_, bytes)| bytes).sum()
    }

    pub fn datagrams_sent_since(&self, since: Duration) -> usize {
        self.datagrams.iter().filter(|(at, _)| *at >= since).count()
    }
}

/// The initiator `a` and the acceptor `b`, and the network between them.
pub struct Pair {
    pub a: End,
    pub b: End,
    pub network: SimulatedNetwork,
    pub admission: Admission,
    pub mangle: Option<Mangle>,
    seed: u64,
    frames: u64,
}

impl Pair {
    pub fn new(setup: Setup, default_seed: u64) -> Self {
        let seed = seed(default_seed);
        let mut seeds = fastrand::Rng::with_seed(seed);
        Self {
            a: End::new(Side::Initiator, setup.a, setup.link, seeds.u64(..)),
            b: End::new(Side::Acceptor, setup.b, setup.link, seeds.u64(..)),
            network: SimulatedNetwork::new(setup.conditions, setup.conditions, seeds.u64(..)),
            admission: setup.admission,
            mangle: None,
            seed,
            frames: 0,
        }
    }

    /// A pair that has shaken hands, over the same latency without the line's faults.
    pub fn connected(setup: Setup, default_seed: u64) -> Self {
        let conditions = setup.conditions;
        let mut pair = Self::new(setup, default_seed);
        pair.set_conditions(NetworkConditions { latency: conditions.latency, ..NetworkConditions::default() });
        pair.connect(Duration::from_secs(5));
        pair.set_conditions(conditions);
        pair
    }

    pub fn now(&self) -> Duration {
        self.network.now()
    }

    /// The same conditions both ways, for what is sent from now on.
    pub fn set_conditions(&mut self, conditions: NetworkConditions) {
        self.network.set_conditions(conditions, conditions);
    }

    /// One frame: what was queued leaves, time passes, what arrived is taken.
    pub fn step(&mut self) {
        self.flush();
        self.network.advance(FRAME);
        self.receive();
        self.frames += 1;
        if self.frames.is_multiple_of(64) {
            self.a.check_memory();
            self.b.check_memory();
        }
    }

    fn flush(&mut self) {
        let now = self.now();
        for datagram in self.a.flush(now) {
            self.network.send_from_a(datagram);
        }
        for datagram in self.b.flush(now) {
            self.network.send_from_b(datagram);
        }
    }

    fn receive(&mut self) {
        let now = self.now();
        while let Some(datagram) = self.network.receive_at_a() {
            for datagram in mangled(&mut self.mangle, Side::Initiator, datagram) {
                self.a.receive(now, &datagram);
            }
        }
        while let Some(datagram) = self.network.receive_at_b() {
            for datagram in mangled(&mut self.mangle, Side::Acceptor, datagram) {
                self.b.receive(now, &datagram);
            }
        }
        self.a.update(now, &mut self.admission);
        self.b.update(now, &mut self.admission);
    }

    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now() + duration;
        while self.now() < end {
            self.step();
        }
    }

    /// Steps until `condition` holds and gives the time it took; fails when `limit` has passed.
    pub fn run_until(&mut self, what: &str, limit: Duration, mut condition: impl FnMut(&mut Self) -> bool) -> Duration {
        let start = self.now();
        while !condition(self) {
            assert!(
                self.now() - start < limit,
                "{what}: not within {limit:?}; a: {:?}; b: {:?}",
                self.a.closed(),
                self.b.closed()
            );
            self.step();
        }
        self.now() - start
    }

    /// Steps until both ends are connected and gives the time it took.
    pub fn connect(&mut self, limit: Duration) -> Duration {
        self.run_until("both ends connect", limit, |pair| pair.a.peer.is_connected() && pair.b.peer.is_connected())
    }
}

fn mangled(mangle: &mut Option<Mangle>, to: Side, datagram: Vec<u8>) -> Vec<Vec<u8>> {
    match mangle {
        Some(mangle) => mangle(to, datagram),
        None => vec![datagram],
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed {:?} into the run; run again with SLIPSTREAM_SEED={}", self.network.now(), self.seed);
        }
    }
}
