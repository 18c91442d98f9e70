//! What follows from a datagram's fate for what it carried.

use core::mem;
use core::time::Duration;

use super::Peer;
use crate::ack::Ack;
use crate::channel::{Announced, ChannelId, Sender};
use crate::event::{DeliveryOutcome, PeerEvent};
use crate::loss::{Cargo, Carried, Findings};

/// How much more than agreed the other side's acknowledgement delay may be believed to be: it may have waited for a
/// frame.
const DELAY_TOLERANCE: u32 = 4;

impl Peer {
    /// Takes an acknowledgement.
    pub(super) fn process_ack(&mut self, now: Duration, ack: &Ack) {
        let mut findings = mem::take(&mut self.scratch.findings);
        let max_delay = self.config.max_ack_delay * DELAY_TOLERANCE;
        self.sent.on_ack(now, ack, max_delay, &mut self.rtt, &mut findings);
        self.apply(now, findings);
    }

    /// Declares lost what the clock says.
    pub(super) fn process_time(&mut self, now: Duration) {
        let mut findings = mem::take(&mut self.scratch.findings);
        self.sent.on_time(now, &self.rtt, self.config.max_ack_delay, &mut findings);
        self.apply(now, findings);
    }

    /// Makes room for the record of one more datagram.
    pub(super) fn make_room(&mut self, now: Duration) {
        let mut findings = mem::take(&mut self.scratch.findings);
        self.sent.make_room(now, &mut findings);
        self.apply(now, findings);
    }

    /// Reports the fate of a tracked message.
    pub(super) fn report(&mut self, channel: ChannelId, token: u64, outcome: DeliveryOutcome) {
        if channel != ChannelId::CONTROL {
            self.events.push_back(PeerEvent::Delivery { channel, token, outcome });
        } else if let Some(announced) = self.channels.find_mut(ChannelId(token as u16)) {
            announced.announced = Announced::Known; // its messages may go now
        }
    }

    fn apply(&mut self, now: Duration, mut findings: Findings) {
        for carried in findings.acked.drain(..) {
            self.on_acked(carried);
        }
        for carried in findings.late.drain(..) {
            // It was reported lost; there is no taking back. But a piece need not be sent again.
            if matches!(carried.cargo, Cargo::Piece { .. }) {
                self.on_acked(carried);
            }
        }
        for carried in findings.lost.drain(..) {
            self.on_lost(carried);
        }
        self.congestion.on_acked(findings.acked_datagrams, findings.acked_bytes);
        self.congestion.on_lost(findings.lost_datagrams);
        self.congestion.on_recovered(findings.late_datagrams);
        self.stats.packets_lost += u64::from(findings.lost_datagrams);
        self.stats.packets_lost = self.stats.packets_lost.saturating_sub(u64::from(findings.late_datagrams));
        if let Some(sample) = findings.rtt {
            self.congestion.on_sample(sample);
        }
        if let Some((largest, carrier)) = findings.retire {
            self.received.retire(largest, carrier);
        }
        self.congestion.update(now, &self.rtt);
        findings.clear();
        self.scratch.findings = findings;
    }

    fn on_acked(&mut self, carried: Carried) {
        let Some(channel) = self.channels.get_mut(carried.channel) else {
            return;
        };
        let id = channel.id;
        let token = match (carried.cargo, &mut channel.sender) {
            (Cargo::Piece { number, piece }, Sender::Reliable(sender)) => sender.on_acked(number, piece),
            (Cargo::Fragment { number }, Sender::Unreliable(sender)) => sender.on_fragment_acked(number),
            (Cargo::Token(token), _) => Some(token),
            _ => None,
        };
        if let Some(token) = token {
            self.report(id, token, DeliveryOutcome::Acknowledged);
        }
    }

    fn on_lost(&mut self, carried: Carried) {
        let Some(channel) = self.channels.get_mut(carried.channel) else {
            return;
        };
        let id = channel.id;
        let (token, outcome) = match (carried.cargo, &mut channel.sender) {
            (Cargo::Piece { number, piece }, Sender::Reliable(sender)) => {
                (sender.on_lost(number, piece), DeliveryOutcome::Expired)
            }
            (Cargo::Fragment { number }, Sender::Unreliable(sender)) => {
                (sender.on_fragment_lost(number), DeliveryOutcome::Lost)
            }
            (Cargo::Token(token), _) => (Some(token), DeliveryOutcome::Lost),
            _ => (None, DeliveryOutcome::Lost),
        };
        if let Some(token) = token {
            self.report(id, token, outcome);
        }
    }
}
