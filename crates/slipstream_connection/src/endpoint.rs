//! One end of a connection: the protocol's state machine and what it received.

mod inbox;

use core::time::Duration;

use bevy::prelude::*;
use slipstream_link::Link;
use slipstream_protocol::{
    ChannelConfig, ChannelId, CloseReason, DeliveryOutcome, Peer, PeerConfig, PeerEvent, PeerStats, RefuseReason, Side,
};

use crate::connection::{PeerId, random_u64};
use crate::error::NetworkError;
use crate::hello::{Hello, Welcome};
use crate::limits::{ConnectionLimits, ConnectionSettings, RateLimit, TokenBucket};
use crate::registry::NetworkProtocol;
use crate::statistics::{NetworkStats, StatsSampler};
use crate::waiting::WaitingMessages;

use self::inbox::Inboxes;

/// More datagrams than this in one frame mean a mistake in the budget; the rest leaves with the next frame.
const MAX_DATAGRAMS_A_FRAME: usize = 4096;

/// One end of a connection that has a link: the protocol's state machine, and inboxes of the channels.
///
/// Games use [`MessageSender`](crate::MessageSender) and read [`Received`](crate::Received). Systems with a codec of their
/// own send and drain raw bytes here.
#[derive(Component)]
pub struct Endpoint {
    peer: Peer,
    protocol: NetworkProtocol,
    limits: ConnectionLimits,
    side: Side,
    link_is_authenticated: bool,
    now: Duration,
    inboxes: Inboxes,
    pub(crate) waiting: WaitingMessages,
    announced: Vec<(ChannelId, String)>,
    guest: Option<Guest>,
    connected: bool,
    closing: bool,
    said_farewell: bool,
    errors: TokenBucket,
    rates: Vec<Option<TokenBucket>>,
    error_count: u64,
    dropped_count: u64,
    stands_still: bool,
    sampler: StatsSampler,
}

/// A client that this server has accepted.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    pub(crate) peer: PeerId,
    pub(crate) hello: Hello,
}

impl Endpoint {
    pub(crate) fn new(
        side: Side,
        protocol: &NetworkProtocol,
        settings: &ConnectionSettings,
        limits: &ConnectionLimits,
        hello: Vec<u8>,
        link: &Link,
        now: Duration,
    ) -> Self {
        let config = PeerConfig {
            manifest: protocol.manifest().clone(),
            channels: protocol.channels().map(|(id, config)| (id, config.clone())).collect(),
            keep_alive: settings.keep_alive,
            timeout: settings.timeout,
            handshake_timeout: settings.handshake_timeout,
            min_budget_bytes_per_second: settings.min_budget_bytes_per_second,
            max_budget_bytes_per_second: settings.max_budget_bytes_per_second,
            hello,
            ..PeerConfig::default()
        };
        let properties = link.properties();
        Self {
            peer: Peer::new(side, config, properties, now, random_u64()),
            protocol: protocol.clone(),
            limits: *limits,
            side,
            link_is_authenticated: properties.authenticated,
            now,
            inboxes: Inboxes::default(),
            waiting: WaitingMessages::default(),
            announced: Vec::new(),
            guest: None,
            connected: false,
            closing: false,
            said_farewell: false,
            errors: TokenBucket::full(limits.errors, now),
            rates: vec![None; protocol.type_count()],
            error_count: 0,
            dropped_count: 0,
            stands_still: false,
            sampler: StatsSampler::default(),
        }
    }

    /// Queues one message. It leaves at the end of the frame, or when the budget allows. With `tracking` the token comes
    /// back through [`Endpoint::drain_deliveries`] once it is known what became of the message.
    ///
    /// # Errors
    /// When the connection is not open, the channel unknown, the message too large, or the queue full.
    pub fn send(&mut self, channel: ChannelId, payload: &[u8], tracking: Option<u64>) -> Result<(), NetworkError> {
        if !self.is_connected() {
            return Err(NetworkError::NotConnected { target: "this peer".to_string() });
        }
        match self.protocol.channel_entry(channel) {
            Some(entry) if payload.len() > entry.config.max_message_bytes => {
                return Err(NetworkError::MessageTooLarge {
                    channel: entry.config.name.to_string(),
                    bytes: payload.len(),
                    limit: entry.config.max_message_bytes,
                });
            }
            Some(_) => {}
            None if self.announced.iter().any(|(id, _)| *id == channel) => {}
            None => return Err(NetworkError::ChannelNotFound { channel: format!("number {}", channel.0) }),
        }
        let queued = self.peer.send(self.now, channel, payload, tracking);
        queued.map_err(|error| NetworkError::from_protocol(error, self.channel_name(channel)))
    }

    /// Takes the received messages of one raw channel, oldest first.
    ///
    /// What is drained in each tick costs no allocation with [`drain_into`](Self::drain_into).
    pub fn drain(&mut self, channel: ChannelId) -> std::vec::Drain<'_, Vec<u8>> {
        self.inboxes.drain(channel)
    }

    /// Appends the received messages of one raw channel to `messages`, oldest first.
    ///
    /// A system that keeps `messages` in a `Local` and gives each message back allocates nothing:
    ///
    /// ```
    /// use bevy::prelude::*;
    /// use slipstream_connection::{Endpoint, channels};
    ///
    /// fn read(mut endpoints: Query<&mut Endpoint>, mut messages: Local<Vec<Vec<u8>>>) {
    ///     for mut endpoint in &mut endpoints {
    ///         endpoint.drain_into(channels::INPUTS, &mut messages);
    ///         for message in messages.drain(..) {
    ///             // ... decode `message` ...
    ///             endpoint.recycle(message);
    ///         }
    ///     }
    /// }
    /// ```
    pub fn drain_into(&mut self, channel: ChannelId, messages: &mut Vec<Vec<u8>>) {
        self.inboxes.drain_into(channel, messages);
    }

    /// Gives back the bytes of a message that was read; the next ones arrive in them. What is kept is bounded.
    pub fn recycle(&mut self, message: Vec<u8>) {
        self.peer.recycle(message);
    }

    /// Takes what became of the tracked messages of one channel.
    pub fn drain_deliveries(&mut self, channel: ChannelId) -> std::vec::Drain<'_, (u64, DeliveryOutcome)> {
        self.inboxes.drain_deliveries(channel)
    }

    /// How many payload bytes may still be queued in this frame, within the byte budget and after what is queued already.
    #[must_use]
    pub fn available_bytes(&self) -> usize {
        self.peer.available_bytes(self.now)
    }

    /// How large one message may be and still travel in one datagram, in bytes.
    #[must_use]
    pub fn max_unfragmented_bytes(&self) -> usize {
        self.peer.max_unfragmented_bytes()
    }

    /// What the protocol measures.
    #[must_use]
    pub fn stats(&self) -> &PeerStats {
        self.peer.stats()
    }

    /// What this connection's state machine holds, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.peer.memory_bytes() + self.inboxes.bytes() + self.waiting.bytes()
    }

    /// Whether messages can be sent now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected && !self.closing && self.peer.is_connected()
    }

    /// Opens a channel on this connection after the handshake and tells the other side its number and name. Only the
    /// accepting side may; ids of tool sessions start at 2000.
    ///
    /// # Errors
    /// When the id is taken, or this is not the accepting side.
    pub fn announce_channel(&mut self, id: ChannelId, config: ChannelConfig) -> Result<(), NetworkError> {
        if self.side == Side::Initiator {
            return Err(NetworkError::ChannelRefused("only a server opens channels at run time".to_string()));
        }
        let name = config.name.to_string();
        self.peer.add_channel(id, config).map_err(|error| NetworkError::ChannelRefused(error.to_string()))?;
        self.note_announced(id, name);
        Ok(())
    }

    /// The number of a channel, registered or announced.
    #[must_use]
    pub fn channel_named(&self, name: &str) -> Option<ChannelId> {
        self.protocol
            .channel_named(name)
            .or_else(|| self.announced.iter().find(|(_, announced)| announced == name).map(|(id, _)| *id))
    }

    /// Notes that the peer sent what it must not. It counts toward the error budget; over it the connection ends.
    pub fn report_violation(&mut self, what: String) {
        self.error_count += 1;
        trace!("a peer sent what it must not: {what}");
        if self.errors.take(self.limits.errors, self.now) || self.closing {
            return;
        }
        debug!("a connection ends because of too many errors, at last: {what}");
        self.disconnect(CloseReason::TooManyErrors);
    }

    /// Ends the connection and tells the peer why. The entity gets [`Disconnected`](crate::Disconnected) once that is done.
    pub fn disconnect(&mut self, reason: CloseReason) {
        if !self.closing {
            self.closing = true;
            self.peer.close(self.now, reason);
        }
    }

    fn channel_name(&self, channel: ChannelId) -> String {
        let registered = self.protocol.channel_entry(channel).map(|entry| entry.config.name.to_string());
        let announced = || self.announced.iter().find(|(id, _)| *id == channel).map(|(_, name)| name.clone());
        registered.or_else(announced).unwrap_or_else(|| format!("number {}", channel.0))
    }
}

/// What the systems of this crate ask of an endpoint.
impl Endpoint {
    pub(crate) fn begin_frame(&mut self, now: Duration) {
        self.advance(now);
        // What was acknowledged is never dropped here, so the peer must not be acknowledged more than there is room for.
        let is_full = self.inboxes.bytes() > self.limits.inbox_bytes;
        self.peer.refuse_messages(is_full);
        if is_full
            && !core::mem::replace(&mut self.stands_still, true)
            && let Some((channel, bytes)) = self.inboxes.fullest()
        {
            let channel = self.channel_name(channel);
            warn!("a connection stands still: {bytes} bytes wait on channel `{channel}`, and no system drains it");
        }
    }

    /// Lets time pass, after what came meanwhile was read: a frame that took long is no silence of the peer.
    pub(crate) fn pass_time(&mut self) {
        if self.peer.next_timeout().is_some_and(|timeout| timeout <= self.now) {
            self.peer.handle_timeout(self.now);
        }
    }

    /// Time never goes back, not even after a farewell that ran ahead.
    fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    pub(crate) fn receive(&mut self, datagram: &[u8]) {
        if self.peer.is_closed() {
            return;
        }
        let Err(error) = self.peer.receive(self.now, datagram) else { return };
        // On a link that does not authenticate its datagrams anybody may have sent this one: it must not end the connection.
        if self.link_is_authenticated && self.connected {
            self.report_violation(error.to_string());
        } else {
            self.error_count += 1;
        }
    }

    pub(crate) fn poll_event(&mut self) -> Option<PeerEvent> {
        self.peer.poll_event()
    }

    /// Moves received messages into the inboxes.
    pub(crate) fn collect_messages(&mut self) {
        while let Some(message) = self.peer.poll_message() {
            let typed = self.protocol.channel_entry(message.channel).is_some_and(|channel| channel.typed);
            self.inboxes.push(message.channel, message.payload, typed);
        }
    }

    pub(crate) fn has_typed_messages(&self) -> bool {
        self.inboxes.has_typed() || !self.waiting.is_empty()
    }

    /// Appends the messages of typed channels to `messages`, in the order in which they arrived.
    pub(crate) fn drain_typed_into(&mut self, messages: &mut Vec<(ChannelId, Vec<u8>)>) {
        self.inboxes.drain_typed_into(messages);
    }

    /// Whether the peer may send one more message of this type now. What a server sends is not limited.
    pub(crate) fn admits(&mut self, type_index: u32, limit: Option<RateLimit>) -> bool {
        if self.side == Side::Initiator {
            return true;
        }
        let (limit, now) = (limit.unwrap_or(self.limits.message_rate), self.now);
        match self.rates.get_mut(type_index as usize) {
            Some(bucket) => bucket.get_or_insert_with(|| TokenBucket::full(limit, now)).take(limit, now),
            None => false,
        }
    }

    pub(crate) fn note_dropped(&mut self, messages: u64) {
        self.dropped_count += messages;
    }

    pub(crate) fn note_delivery(&mut self, channel: ChannelId, token: u64, outcome: DeliveryOutcome) {
        self.inboxes.push_delivery(channel, token, outcome);
    }

    /// Remembers a channel once, however often it is announced.
    pub(crate) fn note_announced(&mut self, id: ChannelId, name: String) {
        if !self.announced.iter().any(|(known, _)| *known == id) {
            self.announced.push((id, name));
        }
    }

    /// A message that was accepted for this connection could not be queued. Where its channel promises that it arrives, the
    /// connection ends: to go on without it would break that promise silently.
    pub(crate) fn note_unsent(&mut self, channel: ChannelId, error: &NetworkError) {
        self.dropped_count += 1;
        let is_reliable = self.protocol.channel_entry(channel).is_some_and(|entry| entry.config.delivery.is_reliable());
        if is_reliable && self.is_connected() {
            let why = format!("a message that must arrive could not be sent: {error}");
            self.disconnect(CloseReason::Kicked(why));
        }
    }

    /// On a server: lets a client in.
    pub(crate) fn accept(&mut self, hello: Hello, welcome: &Welcome) {
        self.guest = Some(Guest { peer: welcome.peer, hello });
        self.peer.accept(self.now, &welcome.to_bytes());
    }

    /// On a server: sends a client away.
    pub(crate) fn refuse(&mut self, reason: RefuseReason) {
        self.closing = true;
        self.peer.refuse(self.now, reason);
    }

    pub(crate) fn guest(&self) -> Option<&Guest> {
        self.guest.as_ref()
    }

    pub(crate) fn accepts(&self) -> bool {
        self.side == Side::Acceptor
    }

    /// Whether this endpoint takes one of the places of a server.
    pub(crate) fn holds_a_place(&self) -> bool {
        self.guest.is_some() && !self.closing && !self.peer.is_closed()
    }

    pub(crate) fn mark_connected(&mut self) {
        self.connected = true;
    }

    pub(crate) fn was_connected(&self) -> bool {
        self.connected
    }

    /// The connection has ended. What the state machine still has to say, such as why it refused, leaves now.
    pub(crate) fn end(&mut self, link: &mut Link) {
        self.closing = true;
        self.said_farewell = true;
        self.transmit_the_rest(link);
    }

    /// Hands over every datagram that may leave now.
    pub(crate) fn transmit(&mut self, now: Duration, link: &mut Link) {
        self.advance(now);
        self.transmit_due(link);
    }

    fn transmit_due(&mut self, link: &mut Link) {
        let mut datagram = link.spare();
        for _ in 0..MAX_DATAGRAMS_A_FRAME {
            if !self.peer.poll_transmit(self.now, &mut datagram) {
                break;
            }
            link.send(datagram);
            datagram = link.spare();
        }
        link.recycle(datagram);
    }

    /// Closes at once: the entity or the process will not be there for another frame.
    pub(crate) fn say_farewell(&mut self, link: &mut Link, reason: CloseReason) {
        if self.said_farewell {
            return;
        }
        self.said_farewell = true;
        self.transmit_due(link);
        self.disconnect(reason);
        self.transmit_the_rest(link);
    }

    /// The copies of a last word leave over some frames; here they leave at once, because there will be no more frames.
    fn transmit_the_rest(&mut self, link: &mut Link) {
        for _ in 0..4 {
            self.peer.handle_timeout(self.now);
            self.transmit_due(link);
            self.advance(self.now + Duration::from_millis(100));
        }
    }

    pub(crate) fn sample_stats(&mut self, stats: &mut NetworkStats) {
        self.sampler.sample(stats, self.peer.stats(), self.now);
        stats.errors = self.error_count;
        stats.messages_dropped = self.dropped_count;
    }

    pub(crate) fn now(&self) -> Duration {
        self.now
    }
}
