//! Taking datagrams: judge all of one first, take it afterwards.

use core::mem;
use core::time::Duration;

use slipstream_wire::WireError;

use super::limits::{MAX_EVENTS, inbox_cost};
use super::{Peer, State};
use crate::channel::{Announced, Announcement, ChannelId, Verdict};
use crate::close::{CloseReason, ClosedReason};
use crate::config::Side;
use crate::error::ProtocolError;
use crate::event::{PeerEvent, ReceivedMessage};
use crate::handshake::{AcceptorStep, InitiatorStep, Message};
use crate::link::MAX_DATAGRAM_BYTES;
use crate::packet::{DataPacket, Frame, KIND_DATA, KIND_MASK, parse_data};

impl Peer {
    /// Takes a datagram that came at `now`.
    ///
    /// # Errors
    /// When the datagram is malformed, forged or breaks a rule. The state is as before then, and the datagram is not
    /// acknowledged. A datagram that is valid but comes at a time when it cannot be taken is dropped without an error.
    pub fn receive(&mut self, now: Duration, datagram: &[u8]) -> Result<(), ProtocolError> {
        if datagram.len() > MAX_DATAGRAM_BYTES {
            return Err(ProtocolError::DatagramTooLarge { length: datagram.len(), limit: MAX_DATAGRAM_BYTES });
        }
        let Some(first) = datagram.first() else {
            return Err(WireError::UnexpectedEnd { needed_bits: 8, remaining_bits: 0 }.into());
        };
        if first & KIND_MASK == KIND_DATA {
            self.receive_data(now, datagram)?;
        } else {
            self.receive_handshake(now, datagram)?;
        }
        self.stats.packets_received += 1;
        self.stats.bytes_received += datagram.len() as u64;
        self.refresh_stats();
        Ok(())
    }

    fn receive_handshake(&mut self, now: Duration, datagram: &[u8]) -> Result<(), ProtocolError> {
        let message = Message::decode(datagram)?;
        match &mut self.state {
            State::Initiating(initiator) => {
                let step = initiator.receive(now, message, &self.config.manifest)?;
                self.follow_initiator(now, step);
            }
            State::Accepting(acceptor) => {
                // A guest that has been let in, and gives up before its first data, closes by our token.
                if let Message::Close { token, reason } = message {
                    if token != self.local_token || !acceptor.awaits_data() {
                        return Err(ProtocolError::WrongToken);
                    }
                    self.finish(ClosedReason::Remote(reason));
                    return Ok(());
                }
                let step = acceptor.receive(now, message, datagram.len(), &self.config.manifest)?;
                self.follow_acceptor(now, step);
            }
            State::Connected | State::Closing { .. } | State::Closed => self.receive_late(&message)?,
        }
        Ok(())
    }

    fn follow_initiator(&mut self, now: Duration, step: InitiatorStep) {
        match step {
            InitiatorStep::Nothing => {}
            InitiatorStep::Accepted { acceptor_token, limits, hello, rtt } => {
                self.become_connected(now, acceptor_token, limits, hello, rtt);
                self.ping_due = true; // the acceptor waits for a first data datagram
            }
            InitiatorStep::Refused(reason) => self.finish(ClosedReason::Refused(reason)),
            InitiatorStep::Closed(reason) => self.finish(ClosedReason::Remote(reason)),
        }
    }

    fn follow_acceptor(&mut self, now: Duration, step: AcceptorStep) {
        match step {
            AcceptorStep::Nothing => {}
            AcceptorStep::HelloReceived(hello) => self.events.push_back(PeerEvent::HelloReceived { hello }),
            AcceptorStep::Refuse(token, reason) => self.refuse_token(now, token, reason),
        }
    }

    /// A datagram of the handshake that comes when it is over: a copy, or a close.
    fn receive_late(&mut self, message: &Message) -> Result<(), ProtocolError> {
        let from_initiator =
            matches!(message, Message::Hello(_) | Message::OtherVersion { .. } | Message::ManifestPart(_));
        match message {
            Message::Close { token, reason } => {
                if *token != self.local_token {
                    return Err(ProtocolError::WrongToken);
                }
                self.receive_close(reason);
            }
            _ if from_initiator != (self.side == Side::Acceptor) => {
                return Err(ProtocolError::WrongSide { kind: message.kind() });
            }
            Message::Accept(accept) if accept.token == self.local_token => {
                // Our first data datagram was lost.
                self.ping_due |= self.is_connected();
            }
            // An initiator that was refused, or that has not heard the close, goes on saying hello.
            Message::Hello(_) | Message::OtherVersion { .. } => self.want_reply(),
            _ => {}
        }
        Ok(())
    }

    fn receive_close(&mut self, reason: &CloseReason) {
        match self.state {
            State::Closing { .. } => self.finish_closing(),
            State::Closed => {}
            _ => self.finish(ClosedReason::Remote(reason.clone())),
        }
    }

    /// The other side goes on though this one has ended: say so again, a few times.
    fn want_reply(&mut self) {
        if self.is_closed()
            && let Some(farewell) = &mut self.farewell
            && farewell.replies > 0
        {
            farewell.reply_due = true;
        }
    }

    fn receive_data(&mut self, now: Duration, datagram: &[u8]) -> Result<(), ProtocolError> {
        let token_required = !self.link.authenticated;
        if self.is_closed() {
            // The channels are gone; only the token can still be judged.
            let token = datagram.get(1..5).and_then(|bytes| bytes.first_chunk::<4>());
            let token = token.map_or(0, |bytes| u32::from_le_bytes(*bytes));
            if token_required && token != self.local_token {
                return Err(ProtocolError::WrongToken);
            }
            self.want_reply();
            return Ok(());
        }
        let next_sent = self.sent.next_number();
        let packet = parse_data(datagram, self.local_token, token_required, next_sent, &self.channels)?;
        let expected = match &self.state {
            State::Connected => true,
            State::Accepting(acceptor) => acceptor.awaits_data(),
            _ => false,
        };
        let number = packet.number.expand(self.received.next());
        if !expected {
            self.stats.packets_dropped += 1;
            return Ok(());
        }
        let is_new = self.received.is_new(number);
        if is_new && !self.judge(&packet)? {
            self.stats.packets_dropped += 1;
            // It was not taken, but whoever sent it lives.
            self.last_received_at = now;
            self.unanswered_since = None;
            if self.link.reliable {
                // Nobody sends it again over such a link: to go on without it would be to lose it silently.
                let what = "more came over a reliable link than this side has room for".to_owned();
                self.close(now, CloseReason::ProtocolViolation(what));
            }
            return Ok(());
        }

        // Everything was judged: from here on nothing fails.
        if let State::Accepting(acceptor) = &mut self.state
            && let Some(guest) = acceptor.confirm(now)
        {
            self.become_connected(now, guest.token, guest.limits, guest.hello, guest.rtt);
        }
        self.last_received_at = now;
        self.unanswered_since = None;
        if is_new {
            self.take(now, number, &packet);
        }
        Ok(())
    }

    /// Whether all frames of a datagram can be taken; an error if one breaks a rule.
    fn judge(&self, packet: &DataPacket<'_>) -> Result<bool, ProtocolError> {
        let (mut held, mut partial, mut refused) = (0, 0, false);
        let mut frames = packet.frames.clone();
        while let Some(frame) = frames.read_next(&self.channels)? {
            let unknown = ProtocolError::UnknownChannel { channel: frame.channel };
            let channel = self.channels.get(frame.index).ok_or(unknown)?;
            match channel.receiver.check(frame.channel, &frame, channel.limit)? {
                Verdict::Accept { held: more_held, partial: more_partial } => {
                    held += more_held;
                    partial += more_partial;
                }
                Verdict::Duplicate => {}
                Verdict::Refuse => refused = true,
            }
            if frame.channel == ChannelId::CONTROL {
                self.judge_control(&frame)?;
            }
        }
        if packet.frames.is_empty() {
            return Ok(true);
        }
        let room = self.config.max_queued_bytes;
        let fits = !self.refuses_messages
            && self.inbox_bytes <= room
            && self.channels.held_bytes() + held <= room
            && (partial == 0 || self.channels.partial_bytes() + partial <= self.partial_limit());
        Ok(fits && !refused)
    }

    fn judge_control(&self, frame: &Frame<'_>) -> Result<(), ProtocolError> {
        if self.side == Side::Acceptor {
            return Err(ProtocolError::WrongSide { kind: "channel announcement" });
        }
        if frame.fragment.is_some() {
            return Err(ProtocolError::BadControl { what: "it is in fragments" });
        }
        let announcement = Announcement::decode(frame.payload)?;
        match self.check_new_channel(announcement.id, &announcement.config) {
            Ok(_) => Ok(()),
            Err(_) => Err(ProtocolError::BadControl { what: "an announced channel cannot be added here" }),
        }
    }

    /// Takes a datagram that was judged good.
    fn take(&mut self, now: Duration, number: u64, packet: &DataPacket<'_>) {
        if let Some(ack) = &packet.ack {
            self.process_ack(now, ack);
        }
        let carrier = self.sent.next_number();
        self.received.record(now, number, packet.asks(), self.config.max_ack_delay, carrier);
        let mut delivered = mem::take(&mut self.scratch.delivered);
        let mut frames = packet.frames.clone();
        let mut place = 0;
        // Each was read once when the datagram was parsed, so none is an error.
        while let Ok(Some(frame)) = frames.read_next(&self.channels) {
            let key = (number, place);
            place += 1;
            let Some(channel) = self.channels.get_mut(frame.index) else {
                continue;
            };
            channel.receiver.accept(now, &frame, key, channel.limit, &mut self.pool, &mut delivered);
            for payload in delivered.drain(..) {
                self.deliver(frame.channel, payload);
            }
        }
        self.scratch.delivered = delivered;
    }

    fn deliver(&mut self, channel: ChannelId, payload: Vec<u8>) {
        if channel != ChannelId::CONTROL {
            self.inbox_bytes += inbox_cost(payload.capacity());
            self.stats.messages_received += 1;
            self.inbox.push_back(ReceivedMessage { channel, payload });
            return;
        }
        // It was judged when it came, but another of the same datagram may have taken its number.
        let Ok(Announcement { id, config }) = Announcement::decode(&payload) else {
            return;
        };
        let Ok(is_new) = self.check_new_channel(id, &config) else {
            return;
        };
        let name = config.name.clone().into_owned();
        if is_new {
            self.insert_channel(id, config, Announced::Known);
        }
        // The same announcement again is worth an event only while that costs little.
        if is_new || self.events.len() < MAX_EVENTS {
            self.events.push_back(PeerEvent::ChannelAnnounced { id, name });
        }
    }
}
