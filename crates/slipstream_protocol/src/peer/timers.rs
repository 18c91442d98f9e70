//! What happens when time passes.

use core::mem;
use core::time::Duration;

use super::{Peer, State};
use crate::channel::Sender;
use crate::close::ClosedReason;
use crate::event::DeliveryOutcome;
use crate::loss::Cargo;

/// A farewell that nobody fetches is given up after this.
const CLOSING_LIMIT: Duration = Duration::from_secs(1);
/// A spare copy is sent this much later than the message, or at the next flush after it: in another frame, so that one
/// burst of loss does not take both.
pub(super) const SPARE_DELAY: Duration = Duration::from_millis(8);

impl Peer {
    /// When [`handle_timeout`](Self::handle_timeout) and [`poll_transmit`](Self::poll_transmit) have something to do
    /// next, as far as time alone decides it. A caller that polls every frame need not ask.
    pub fn next_timeout(&self) -> Option<Duration> {
        let handshake_end = self.created_at.saturating_add(self.config.handshake_timeout);
        match &self.state {
            State::Initiating(initiator) => Some(initiator.next_timeout().min(handshake_end)),
            State::Accepting(acceptor) => Some(acceptor.next_timeout().unwrap_or(handshake_end).min(handshake_end)),
            State::Connected => self.next_connected_timeout(),
            State::Closing { since, .. } => Some(*since),
            State::Closed => self.farewell.as_ref().filter(|farewell| farewell.reply_due).map(|_| Duration::ZERO),
        }
    }

    /// Does what is due at `now`: declares losses, probes, gives up, times out. [`poll_transmit`](Self::poll_transmit)
    /// does it too.
    pub fn handle_timeout(&mut self, now: Duration) {
        match &self.state {
            State::Closed => {}
            State::Initiating(_) | State::Accepting(_) => {
                if now.saturating_sub(self.created_at) >= self.config.handshake_timeout {
                    self.finish(ClosedReason::HandshakeTimedOut);
                }
            }
            State::Closing { since, .. } => {
                if now.saturating_sub(*since) >= CLOSING_LIMIT {
                    self.finish_closing();
                }
            }
            State::Connected => self.upkeep(now),
        }
    }

    fn upkeep(&mut self, now: Duration) {
        if self.last_upkeep_at == Some(now) {
            return;
        }
        self.last_upkeep_at = Some(now);
        if self.silent_since().is_some_and(|since| now.saturating_sub(since) >= self.config.timeout) {
            self.finish(ClosedReason::TimedOut);
            return;
        }
        self.process_time(now);
        let probe_at = self.sent.probe_at(&self.rtt, self.config.max_ack_delay);
        if probe_at.is_some_and(|at| at <= now) {
            self.probe(now);
        }
        self.give_up_messages(now);
        if !self.link.keeps_alive && now.saturating_sub(self.last_asked_at) >= self.config.keep_alive {
            self.ping_due = true;
        }
    }

    /// Since when the other side has been silent though it should have said something.
    fn silent_since(&self) -> Option<Duration> {
        if self.link.keeps_alive { self.unanswered_since } else { Some(self.last_received_at) }
    }

    /// Sends the oldest reliable messages again, or a ping, to learn what arrived.
    fn probe(&mut self, now: Duration) {
        self.probe_due = true;
        let mut pieces = mem::take(&mut self.scratch.pieces);
        self.sent.on_probe(now, &mut pieces);
        for carried in pieces.drain(..) {
            if let Some(channel) = self.channels.get_mut(carried.channel)
                && let Sender::Reliable(sender) = &mut channel.sender
                && let Cargo::Piece { number, piece } = carried.cargo
            {
                sender.probe(number, piece);
            }
        }
        self.scratch.pieces = pieces;
    }

    /// Gives up messages whose time is over, in both directions.
    fn give_up_messages(&mut self, now: Duration) {
        let mut tokens = mem::take(&mut self.scratch.tokens);
        for index in 0..self.channels.len() as u16 {
            let Some(channel) = self.channels.get_mut(index) else {
                continue;
            };
            channel.receiver.expire(now);
            let outcome = match &mut channel.sender {
                Sender::Unreliable(sender) => {
                    sender.give_up_stale(now, &mut tokens);
                    DeliveryOutcome::Lost
                }
                Sender::Reliable(sender) => {
                    sender.give_up_expired(now, &mut tokens);
                    DeliveryOutcome::Expired
                }
            };
            let id = channel.id;
            for token in tokens.drain(..) {
                self.report(id, token, outcome);
            }
        }
        self.scratch.tokens = tokens;
    }

    fn next_connected_timeout(&self) -> Option<Duration> {
        let time_out = self.silent_since().map(|since| since.saturating_add(self.config.timeout));
        let keep_alive = (!self.link.keeps_alive).then(|| self.last_asked_at.saturating_add(self.config.keep_alive));
        let spare = self.spares.front().map(|spare| spare.sent_at.saturating_add(SPARE_DELAY));
        let pace = (self.channels.waiting_bytes() > 0).then(|| self.pace.ready_at(self.congestion.budget()));
        [
            time_out,
            keep_alive,
            spare,
            pace,
            self.received.deadline(),
            self.sent.loss_at(),
            self.sent.probe_at(&self.rtt, self.config.max_ack_delay),
            self.channels.next_expiry(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
