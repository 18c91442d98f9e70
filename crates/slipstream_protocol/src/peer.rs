//! One end of one connection: ties the parts together.

mod limits;
mod receive;
mod settle;
mod timers;
mod transmit;

use core::mem;
use core::time::Duration;
use std::collections::VecDeque;

use slipstream_wire::BitWriter;

use crate::ack::ReceivedPackets;
use crate::bucket::TokenBucket;
use crate::buffer_pool::BufferPool;
use crate::channel::{
    Announced, Announcement, Channel, ChannelConfig, ChannelId, Channels, Chunking, Delivery, MAX_CHANNELS, NAME_LIMIT,
    Priority,
};
use crate::close::{CloseReason, ClosedReason, RefuseReason};
use crate::config::{PeerConfig, Side};
use crate::congestion::Congestion;
use crate::error::{ChannelError, SendError};
use crate::event::{PeerEvent, ReceivedMessage};
use crate::handshake::{Acceptor, HELLO_LIMIT, Initiator, Limits, write_close, write_refuse};
use crate::link::{LinkProperties, MAX_DATAGRAM_BYTES, MIN_MTU};
use crate::loss::{Carried, Findings, SentPackets};
use crate::packet::{max_fragment_bytes, max_whole_bytes};
use crate::rtt::RttEstimator;
use crate::schedule::Schedule;
use crate::stats::PeerStats;
use crate::text::cut;

/// Copies of a close or a refusal.
const FAREWELL_COPIES: u8 = 3;
/// Further copies, each in answer to a datagram of an other side that has not understood.
const FAREWELL_REPLIES: u8 = 8;
/// The greatest acknowledgement delay that makes sense.
const MAX_ACK_DELAY: Duration = Duration::from_secs(1);
/// Greatest control message in bytes.
const CONTROL_MESSAGE_BYTES: usize = 1024;

/// One end of one connection, without IO: see the [crate] documentation for how it is driven.
///
/// In each frame of the caller: [`receive`](Self::receive) for each datagram that came, then
/// [`poll_event`](Self::poll_event) and [`poll_message`](Self::poll_message) until they are empty, then
/// [`send`](Self::send) as wanted, then [`poll_transmit`](Self::poll_transmit) until it gives false. Time never goes
/// backwards; its zero is arbitrary, and the same for all calls.
#[derive(Debug)]
pub struct Peer {
    side: Side,
    config: PeerConfig,
    link: LinkProperties,
    chunking: Chunking,
    created_at: Duration,
    state: State,
    /// What every datagram to us must carry, unless the link is authenticated.
    local_token: u32,
    /// What every datagram from us must carry.
    remote_token: u32,
    remote_limits: Limits,
    channels: Channels,
    schedule: Schedule,
    received: ReceivedPackets,
    sent: SentPackets,
    rtt: RttEstimator,
    congestion: Congestion,
    pace: TokenBucket,
    ceiling: TokenBucket,
    spare_allowance: TokenBucket,
    spares: VecDeque<Spare>,
    inbox: VecDeque<ReceivedMessage>,
    inbox_bytes: usize,
    /// Memory for messages that arrive.
    pool: BufferPool,
    /// The owner has no room for further messages.
    refuses_messages: bool,
    events: VecDeque<PeerEvent>,
    last_received_at: Duration,
    /// When a datagram that asks for an acknowledgement was sent last.
    last_asked_at: Duration,
    /// Since when such a datagram has been without any answer.
    unanswered_since: Option<Duration>,
    last_ack_at: Option<Duration>,
    last_upkeep_at: Option<Duration>,
    /// Datagrams in a row that asked for nothing.
    unasking: u32,
    ping_due: bool,
    probe_due: bool,
    farewell: Option<Farewell>,
    scratch: Scratch,
    stats: PeerStats,
}

#[derive(Debug)]
enum State {
    Initiating(Box<Initiator>),
    Accepting(Box<Acceptor>),
    Connected,
    /// The farewell is being sent; `flush` is whether queued messages go first.
    Closing {
        reason: ClosedReason,
        since: Duration,
        flush: bool,
    },
    Closed,
}

/// A small reliable message whose copy may ride the next frame's datagram.
#[derive(Clone, Copy, Debug)]
struct Spare {
    channel: u16,
    number: u64,
    sent_at: Duration,
}

/// The datagram that says that this side has ended.
#[derive(Debug)]
struct Farewell {
    datagram: Vec<u8>,
    copies: u8,
    replies: u8,
    reply_due: bool,
}

/// Memory that is reused, so that the steady state allocates nothing.
#[derive(Debug, Default)]
struct Scratch {
    header: BitWriter,
    frames: BitWriter,
    carried: Vec<Carried>,
    spares: Vec<(u16, u64)>,
    findings: Findings,
    tokens: Vec<u64>,
    pieces: Vec<Carried>,
    delivered: Vec<Vec<u8>>,
}

impl Peer {
    /// A peer at the start of its handshake. An initiator's first datagram is ready at once.
    ///
    /// `seed` feeds the tokens and the cookie, which keep strangers out over a link that is not authenticated: take it
    /// from a good source there. Everything else is deterministic.
    pub fn new(side: Side, mut config: PeerConfig, mut link: LinkProperties, now: Duration, seed: u64) -> Peer {
        link.mtu = link.mtu.clamp(MIN_MTU, MAX_DATAGRAM_BYTES);
        config.hello.truncate(HELLO_LIMIT);
        config.max_ack_delay = config.max_ack_delay.min(MAX_ACK_DELAY);
        for (id, channel) in &config.channels {
            config.manifest.add("channel", &channel.name, &channel.describe(*id));
        }
        let mut random = fastrand::Rng::with_seed(seed);
        let local_token = random.u32(1..);
        let secret = [random.u64(..), random.u64(..)];
        let limits = Limits {
            queued_bytes: u32::try_from(config.max_queued_bytes).unwrap_or(u32::MAX),
            message_bytes: u32::try_from(config.max_message_bytes).unwrap_or(u32::MAX),
        };
        let state = match side {
            Side::Initiator => State::Initiating(Box::new(Initiator::new(
                now,
                local_token,
                &config.manifest,
                limits,
                config.hello.clone(),
                !link.authenticated,
            ))),
            Side::Acceptor => {
                State::Accepting(Box::new(Acceptor::new(now, local_token, secret, limits, link.authenticated)))
            }
        };
        let (least, greatest) = (config.min_budget_bytes_per_second, config.max_budget_bytes_per_second);
        let congestion = Congestion::new(now, least, greatest);
        let listed = mem::take(&mut config.channels);
        let mut peer = Peer {
            side,
            link,
            chunking: Chunking { whole: max_whole_bytes(link.mtu), piece: max_fragment_bytes(link.mtu) },
            created_at: now,
            state,
            local_token,
            remote_token: 0,
            remote_limits: limits,
            channels: Channels::default(),
            schedule: Schedule::default(),
            received: ReceivedPackets::new(),
            sent: SentPackets::new(link.reliable),
            rtt: RttEstimator::new(now),
            congestion,
            pace: TokenBucket::new(now, 0.0),
            ceiling: TokenBucket::new(now, 0.0),
            spare_allowance: TokenBucket::new(now, 0.0),
            spares: VecDeque::new(),
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            pool: BufferPool::default(),
            refuses_messages: false,
            events: VecDeque::new(),
            last_received_at: now,
            last_asked_at: now,
            unanswered_since: None,
            last_ack_at: None,
            last_upkeep_at: None,
            unasking: 0,
            ping_due: false,
            probe_due: false,
            farewell: None,
            scratch: Scratch::default(),
            stats: PeerStats::default(),
            config,
        };
        let control = ChannelConfig::new("control", Delivery::ReliableOrdered)
            .with_priority(Priority::Critical)
            .with_max_message_bytes(CONTROL_MESSAGE_BYTES);
        peer.insert_channel(ChannelId::CONTROL, control, Announced::Known);
        for (id, config) in listed {
            if peer.check_new_channel(id, &config).is_ok_and(|is_new| is_new) {
                peer.insert_channel(id, config, Announced::Known);
            }
        }
        peer.refresh_stats();
        peer
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    /// The next message that arrived.
    pub fn poll_message(&mut self) -> Option<ReceivedMessage> {
        let message = self.inbox.pop_front()?;
        self.inbox_bytes = self.inbox_bytes.saturating_sub(limits::inbox_cost(message.payload.capacity()));
        Some(message)
    }

    /// Gives back the bytes of a message that was read, so that the next ones need no allocation. What is kept is bounded
    /// and counted in [`memory_bytes`](Self::memory_bytes).
    pub fn recycle(&mut self, payload: Vec<u8>) {
        if !self.is_closed() {
            self.pool.put(payload);
        }
    }

    /// Says whether the owner has no room for further messages: those taken with [`poll_message`](Self::poll_message) wait
    /// for somebody to read them. While that is so, datagrams with messages are dropped and not acknowledged, as with a
    /// full inbox: the other side keeps what must arrive and sends it again.
    pub fn refuse_messages(&mut self, refuse: bool) {
        self.refuses_messages = refuse;
    }

    /// Queues a message for the datagrams of this and later flushes. With a `tracking` token its fate is told by
    /// [`PeerEvent::Delivery`], whatever the delivery is.
    ///
    /// # Errors
    /// When not connected, when there is no such channel, when the message is too large, or when too much is queued.
    pub fn send(
        &mut self,
        now: Duration,
        channel: ChannelId,
        payload: &[u8],
        tracking: Option<u64>,
    ) -> Result<(), SendError> {
        if !self.is_connected() {
            return Err(SendError::NotConnected);
        }
        if channel == ChannelId::CONTROL {
            return Err(SendError::UnknownChannel { channel });
        }
        let index = self.channels.index_of(channel).ok_or(SendError::UnknownChannel { channel })?;
        self.check_room(channel, index, payload.len(), tracking.is_some())?;
        if let Some(found) = self.channels.get_mut(index) {
            found.sender.push(now, payload, tracking, self.chunking);
            self.stats.messages_sent += 1;
        }
        Ok(())
    }

    /// Payload bytes that may still be queued and will leave with this flush, within the byte budget and after what is
    /// queued already. Overheads are taken off by estimate.
    pub fn available_bytes(&self, now: Duration) -> usize {
        if !self.is_connected() {
            return 0;
        }
        let budget = self.congestion.budget();
        let tokens = self.pace.at(now, budget, self.burst(budget));
        let free = tokens - self.channels.waiting_bytes() as f64;
        if free <= 0.0 {
            return 0;
        }
        let free = free as usize;
        let datagrams = free / self.link.mtu + 1;
        free.saturating_sub(datagrams * limits::DATAGRAM_OVERHEAD)
    }

    /// Payload bytes of the greatest message that fits one datagram. Larger ones are sent in fragments.
    pub fn max_unfragmented_bytes(&self) -> usize {
        self.chunking.whole
    }

    /// Adds a channel at run time. An acceptor announces it to the other side, before any message on it; an initiator
    /// learns of it by [`PeerEvent::ChannelAnnounced`] and need not add it. Adding a channel again with the same
    /// settings does nothing.
    ///
    /// # Errors
    /// When the number is out of range or taken, the name is too long, or there are too many channels.
    pub fn add_channel(&mut self, id: ChannelId, config: ChannelConfig) -> Result<(), ChannelError> {
        if !self.check_new_channel(id, &config)? {
            return Ok(());
        }
        match self.side {
            Side::Initiator => self.insert_channel(id, config, Announced::Known),
            Side::Acceptor => {
                self.insert_channel(id, config, Announced::Untold);
                if self.is_connected() {
                    self.announce_channels();
                }
            }
        }
        Ok(())
    }

    /// Ends the connection: messages that fit the budget of the next flush still leave, then the close is sent three
    /// times, and [`PeerEvent::Closed`] follows. An initiator without an answer ends at once.
    pub fn close(&mut self, now: Duration, reason: CloseReason) {
        let closed = match &reason {
            CloseReason::ProtocolViolation(what) => ClosedReason::ProtocolViolation(what.clone()),
            _ => ClosedReason::Local(reason.clone()),
        };
        match &self.state {
            State::Connected => self.say_farewell(now, write_close(self.remote_token, &reason), closed, true),
            State::Accepting(acceptor) => match acceptor.guest_token() {
                Some(token) => self.say_farewell(now, write_close(token, &reason), closed, false),
                None => self.finish(closed),
            },
            State::Initiating(_) => self.finish(closed),
            State::Closing { .. } | State::Closed => {}
        }
    }

    /// The link under this peer ended: nothing can be sent any more. [`PeerEvent::Closed`] follows at once.
    pub fn link_closed(&mut self) {
        if !self.is_closed() {
            self.finish(ClosedReason::LinkClosed);
        }
    }

    /// Lets the initiator in that [`PeerEvent::HelloReceived`] told of; `hello` goes back to it (at most
    /// [`HELLO_LIMIT`] bytes, the rest is cut off). Does nothing at any other time.
    pub fn accept(&mut self, now: Duration, hello: &[u8]) {
        if let State::Accepting(acceptor) = &mut self.state {
            acceptor.accept(now, hello);
        }
    }

    /// Refuses the initiator that [`PeerEvent::HelloReceived`] told of. [`PeerEvent::Closed`] follows. Does nothing at
    /// any other time.
    pub fn refuse(&mut self, now: Duration, reason: RefuseReason) {
        if let State::Accepting(acceptor) = &self.state
            && let Some(token) = acceptor.guest_token()
        {
            self.refuse_token(now, token, reason);
        }
    }

    /// Whether messages may be sent.
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected)
    }

    /// Whether this peer has ended.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Figures of the connection.
    pub fn stats(&self) -> &PeerStats {
        &self.stats
    }

    fn refuse_token(&mut self, now: Duration, token: u32, reason: RefuseReason) {
        let datagram = write_refuse(token, &reason);
        self.say_farewell(now, datagram, ClosedReason::Refused(reason), false);
    }

    fn say_farewell(&mut self, now: Duration, datagram: Vec<u8>, reason: ClosedReason, flush: bool) {
        self.farewell =
            Some(Farewell { datagram, copies: FAREWELL_COPIES, replies: FAREWELL_REPLIES, reply_due: false });
        self.state = State::Closing { reason, since: now, flush };
    }

    /// Ends for good.
    fn finish(&mut self, reason: ClosedReason) {
        self.state = State::Closed;
        // Nothing of this is needed any more; messages that arrived may still be taken.
        self.channels = Channels::default();
        self.schedule = Schedule::default();
        self.sent = SentPackets::new(self.link.reliable);
        self.spares = VecDeque::new();
        self.pool = BufferPool::default();
        self.scratch = Scratch::default();
        self.events.push_back(PeerEvent::Closed { reason });
    }

    fn finish_closing(&mut self) {
        if let State::Closing { reason, .. } = mem::replace(&mut self.state, State::Closed) {
            self.finish(reason);
        }
    }

    fn become_connected(
        &mut self,
        now: Duration,
        token: u32,
        limits: Limits,
        hello: Vec<u8>,
        round_trip: Option<Duration>,
    ) {
        self.state = State::Connected;
        self.remote_token = token;
        self.remote_limits = limits;
        self.last_received_at = now;
        self.last_asked_at = now;
        self.pace = TokenBucket::new(now, self.burst(self.congestion.budget()));
        self.ceiling = TokenBucket::new(now, self.burst(self.congestion.greatest()));
        self.spare_allowance = TokenBucket::new(now, limits::SPARE_BURST);
        if let Some(round_trip) = round_trip.filter(|_| !self.rtt.is_measured()) {
            self.rtt.sample(now, round_trip, Duration::ZERO);
        }
        self.events.push_back(PeerEvent::Connected { hello });
        if self.side == Side::Acceptor {
            self.announce_channels();
        }
    }

    /// Whether a channel is new; an error if it cannot be added.
    fn check_new_channel(&self, id: ChannelId, config: &ChannelConfig) -> Result<bool, ChannelError> {
        if id == ChannelId::CONTROL || id > ChannelId::LAST {
            return Err(ChannelError::InvalidId { channel: id, last: ChannelId::LAST });
        }
        if config.name.len() > NAME_LIMIT {
            return Err(ChannelError::NameTooLong { channel: id, length: config.name.len(), limit: NAME_LIMIT });
        }
        match self.channels.find(id) {
            Some(channel) if channel.is_like(config) => Ok(false),
            Some(channel) => {
                let name = cut(&channel.config.name, NAME_LIMIT).to_owned();
                Err(ChannelError::IdTaken { channel: id, name })
            }
            None if self.channels.len() >= MAX_CHANNELS => Err(ChannelError::TooMany { limit: MAX_CHANNELS }),
            None => Ok(true),
        }
    }

    fn insert_channel(&mut self, id: ChannelId, config: ChannelConfig, announced: Announced) {
        let limit = self.channel_limit(config.max_message_bytes);
        let priority = config.priority;
        let index = self.channels.insert(Channel::new(id, config, limit, announced));
        self.schedule.insert(index, priority);
    }

    /// Tells the other side of channels that it does not know.
    fn announce_channels(&mut self) {
        let mut announcements = Vec::new();
        for channel in self.channels.iter_mut() {
            if channel.announced == Announced::Untold {
                channel.announced = Announced::Told;
                announcements.push(Announcement { id: channel.id, config: channel.config.clone() });
            }
        }
        if let Some(control) = self.channels.find_mut(ChannelId::CONTROL) {
            for announcement in announcements {
                let token = u64::from(announcement.id.0);
                control.sender.push(Duration::ZERO, &announcement.encode(), Some(token), self.chunking);
            }
        }
    }
}
