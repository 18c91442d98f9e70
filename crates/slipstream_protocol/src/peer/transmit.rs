//! Making datagrams.

use core::mem;
use core::time::Duration;

use super::limits::MAX_SPARES;
use super::timers::SPARE_DELAY;
use super::{Peer, Spare, State};
use crate::ack::{Ranges, fitting_ranges};
use crate::channel::Sender;
use crate::loss::{Cargo, Carried};
use crate::packet::{Header, frame_room};
use crate::schedule::Draft;

/// A spare copy that did not go by then is of no use: losses are known by then.
const SPARE_LIFETIME: Duration = Duration::from_millis(200);
/// The share of the budget that spare copies may take, as a divisor.
const SPARE_SHARE: f64 = 8.0;
/// Datagrams without any acknowledgement after which only probes are sent. Numbers on the wire have 16 bits.
const MAX_SPAN: u64 = 16_384;
/// When a bare acknowledgement has more ranges than this, it asks for one itself, so that they can be retired.
const RANGES_TO_RETIRE: usize = 8;
/// And when so many of them went in a row.
const UNASKING_LIMIT: u32 = 64;

impl Peer {
    /// Clears `out` and writes the next datagram into it. False when there is nothing more to send now. To be called
    /// until then at the end of each frame.
    pub fn poll_transmit(&mut self, now: Duration, out: &mut Vec<u8>) -> bool {
        out.clear();
        self.handle_timeout(now);
        let wrote = match &mut self.state {
            State::Initiating(initiator) => initiator.poll(now, out),
            State::Accepting(acceptor) => acceptor.poll(now, out),
            State::Connected => self.poll_data(now, out),
            State::Closing { .. } => self.poll_closing(now, out),
            State::Closed => self.poll_reply(out),
        };
        if wrote {
            self.stats.packets_sent += 1;
            self.stats.bytes_sent += out.len() as u64;
        }
        self.refresh_stats();
        wrote
    }

    /// Brings the figures up to date.
    pub(super) fn refresh_stats(&mut self) {
        let stats = &mut self.stats;
        if self.rtt.is_measured() {
            stats.rtt = self.rtt.smoothed();
            stats.jitter = self.rtt.variation();
            stats.min_rtt = self.rtt.least().min(stats.rtt);
            stats.latest_rtt = self.rtt.latest();
        }
        stats.loss = self.congestion.loss();
        stats.budget_bytes_per_second = self.congestion.budget() as u32;
        stats.bytes_in_flight = self.sent.bytes_in_flight();
    }

    /// Queued messages first, then the copies of the farewell.
    fn poll_closing(&mut self, now: Duration, out: &mut Vec<u8>) -> bool {
        let flush = matches!(self.state, State::Closing { flush: true, .. });
        if flush && self.channels.waiting_bytes() > 0 && self.poll_data(now, out) {
            return true;
        }
        let Some(farewell) = &mut self.farewell else {
            self.finish_closing();
            return false;
        };
        out.extend_from_slice(&farewell.datagram);
        farewell.copies = farewell.copies.saturating_sub(1);
        if farewell.copies == 0 {
            self.finish_closing();
        }
        true
    }

    /// One more copy of the farewell, for another side that goes on talking.
    fn poll_reply(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(farewell) = self.farewell.as_mut().filter(|farewell| farewell.reply_due) else {
            return false;
        };
        farewell.reply_due = false;
        farewell.replies = farewell.replies.saturating_sub(1);
        out.extend_from_slice(&farewell.datagram);
        true
    }

    fn poll_data(&mut self, now: Duration, out: &mut Vec<u8>) -> bool {
        self.make_room(now);
        let mut draft = Draft {
            writer: mem::take(&mut self.scratch.frames),
            carried: mem::take(&mut self.scratch.carried),
            spares: mem::take(&mut self.scratch.spares),
            room: frame_room(self.link.mtu),
        };
        draft.writer.clear();
        draft.carried.clear();
        self.pack(now, &mut draft);
        let wrote = self.write_datagram(now, &mut draft, out);
        self.scratch.frames = draft.writer;
        self.scratch.carried = draft.carried;
        self.scratch.spares = draft.spares;
        wrote
    }

    /// Fills a datagram with what may go by budget and priority.
    fn pack(&mut self, now: Duration, draft: &mut Draft) {
        let (budget, ceiling) = (self.congestion.budget(), self.congestion.greatest());
        let (burst, ceiling_burst) = (self.burst(budget), self.burst(ceiling));
        let may_share = self.pace.refill(now, budget, burst) > 0.0;
        let below_ceiling = self.ceiling.refill(now, ceiling, ceiling_burst) > 0.0;
        self.spare_allowance.refill(now, budget / SPARE_SHARE, super::limits::SPARE_BURST);
        // A probe goes whatever the budget says (RFC 9002 §7.5), or an exhausted budget would never recover.
        let probing = self.probe_due;
        if !probing && (!below_ceiling || self.sent.unacknowledged_span() >= MAX_SPAN) {
            return;
        }
        self.schedule.pack_critical(&mut self.channels, draft);
        self.pack_spares(now, draft);
        if probing || may_share {
            self.schedule.pack_shared(&mut self.channels, draft);
        } else if self.channels.waiting_bytes() > 0 {
            self.congestion.on_limited();
        }
    }

    /// Adds the copies of small reliable messages that left in an earlier frame.
    fn pack_spares(&mut self, now: Duration, draft: &mut Draft) {
        while let Some(spare) = self.spares.front().copied() {
            if spare.sent_at.saturating_add(SPARE_DELAY) > now {
                break;
            }
            let useful = spare.sent_at.saturating_add(SPARE_LIFETIME) >= now;
            let candidate = match self.channels.get(spare.channel).map(|channel| &channel.sender) {
                Some(Sender::Reliable(sender)) if useful => sender.spare(spare.number),
                _ => None,
            };
            if let Some(candidate) = candidate
                && let Some(channel) = self.channels.get_mut(spare.channel)
            {
                if !self.spare_allowance.has_tokens() || !draft.fits(channel, &candidate) {
                    break;
                }
                let before = draft.writer.byte_len();
                draft.write(channel, &candidate);
                if let Sender::Reliable(sender) = &mut channel.sender {
                    sender.mark_sent(&candidate);
                }
                let cargo = Cargo::Piece { number: candidate.number, piece: candidate.piece };
                draft.carried.push(Carried { channel: spare.channel, cargo });
                let bytes = draft.writer.byte_len() - before;
                self.spare_allowance.spend(bytes, super::limits::SPARE_BURST);
            }
            self.spares.pop_front();
        }
    }

    /// Puts header and frames together, if there is anything to say.
    fn write_datagram(&mut self, now: Duration, draft: &mut Draft, out: &mut Vec<u8>) -> bool {
        let is_empty = draft.is_empty();
        let ping_wanted = is_empty && (self.ping_due || self.probe_due);
        if is_empty && !ping_wanted && !self.received.is_due(now) {
            return false;
        }
        // Further datagrams of the same flush need not say the same again.
        let mut ranges = if self.received.has_news() || self.last_ack_at != Some(now) {
            self.received.ranges()
        } else {
            Ranges::NONE
        };
        let retire = is_empty && (ranges.len() > RANGES_TO_RETIRE || self.unasking >= UNASKING_LIMIT);
        let ack_delay = self.received.delay(now);
        let mut header = Header {
            number: self.sent.next_number(),
            token: (!self.link.authenticated).then_some(self.remote_token),
            ping: ping_wanted || retire,
            ranges: &[],
            ack_delay,
        };
        let used = header.len_without_ack() + draft.writer.byte_len();
        ranges.truncate(fitting_ranges(&ranges, ack_delay, self.link.mtu.saturating_sub(used)));
        header.ranges = &ranges;
        let asks = header.ping || !is_empty;
        self.scratch.header.clear();
        header.write(&mut self.scratch.header);
        self.scratch.header.append_to(out);
        draft.writer.append_to(out);

        let reported = ranges.first().map(|range| range.1);
        if reported.is_some() {
            self.received.on_reported();
            self.last_ack_at = Some(now);
        }
        self.sent.on_sent(now, out.len(), asks, reported, &draft.carried);
        self.note_spares(now, draft);
        self.spend(out.len());
        if asks {
            self.last_asked_at = now;
            self.unanswered_since.get_or_insert(now);
            self.unasking = 0;
            self.ping_due = false;
            self.probe_due = false;
        } else {
            self.unasking += 1;
        }
        true
    }

    /// Remembers messages of which a spare copy may follow.
    fn note_spares(&mut self, now: Duration, draft: &mut Draft) {
        let wanted = self.config.spare_copies && !self.link.reliable;
        for (channel, number) in draft.spares.drain(..) {
            if wanted && self.spares.len() < MAX_SPARES {
                self.spares.push_back(Spare { channel, number, sent_at: now });
            }
        }
    }

    fn spend(&mut self, bytes: usize) {
        let (budget, ceiling) = (self.congestion.budget(), self.congestion.greatest());
        let (burst, ceiling_burst) = (self.burst(budget), self.burst(ceiling));
        self.pace.spend(bytes, burst);
        self.ceiling.spend(bytes, ceiling_burst);
        self.congestion.on_sent(bytes);
    }
}
