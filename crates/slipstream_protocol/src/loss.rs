//! The datagrams that were sent: what they carried, whether they arrived, and when they count as lost (RFC 9002 §6).

mod findings;

use core::time::Duration;
use std::collections::VecDeque;

use crate::ack::Ack;
use crate::rtt::RttEstimator;

pub(crate) use findings::{Cargo, Carried, Findings};

/// Datagrams that are remembered.
pub(crate) const MAX_SENT: usize = 4096;
/// Messages and fragments that are remembered with them.
pub(crate) const MAX_CARRIED: usize = 16_384;
/// A datagram is lost when one this much later was acknowledged (RFC 9002 §6.1.1), until reordering teaches otherwise.
const PACKET_THRESHOLD: u64 = 3;
/// Where the lesson ends.
const MAX_PACKET_THRESHOLD: u64 = 64;
/// The greatest part of a round trip, in eighths, that is waited beyond a round trip. The least is one (RFC 9002
/// §6.1.2).
const MAX_SLACK_EIGHTHS: u32 = 8;
/// The least time between two lessons, and the time after which one is forgotten.
const LEARN_INTERVAL: Duration = Duration::from_millis(100);
const UNLEARN_INTERVAL: Duration = Duration::from_secs(5);
/// Probes never wait longer than this for each other, so that an outage is noticed to be over.
const MAX_PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// The least age at which a datagram is given up without any acknowledgement.
const LEAST_GIVE_UP_AGE: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct SentPacket {
    sent_at: Duration,
    bytes: usize,
    status: Status,
    /// The greatest number that it acknowledged.
    reported: Option<u64>,
    cargo: Span,
}

/// What a datagram carried, in [`SentPackets::carried`].
#[derive(Clone, Copy, Debug)]
struct Span {
    /// Where it begins, counted from the first thing ever carried.
    start: u64,
    len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    InFlight,
    Lost {
        at: Duration,
        by: Cause,
    },
    Acked,
    /// It asked for no acknowledgement, so none may ever come.
    Unasked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Count,
    Time,
    Age,
}

/// All datagrams that are in flight or were lately.
#[derive(Debug)]
pub(crate) struct SentPackets {
    packets: VecDeque<SentPacket>,
    /// Number of the first of them.
    first: u64,
    /// None below this is in flight.
    oldest_in_flight: u64,
    largest_acked: Option<u64>,
    in_flight: usize,
    bytes_in_flight: usize,
    /// What they carried, in the same order.
    carried: VecDeque<Carried>,
    /// What those before them carried, as a count.
    carried_before: u64,
    /// When the oldest datagram in flight before an acknowledged one is lost.
    loss_at: Option<Duration>,
    last_asked_at: Duration,
    probes: u32,
    packet_threshold: u64,
    slack_eighths: u32,
    /// When either of them changed last.
    learned_at: Duration,
    /// The link loses nothing, so nothing is ever declared lost and nothing is probed.
    reliable: bool,
}

impl SentPackets {
    pub(crate) fn new(reliable: bool) -> Self {
        Self {
            packets: VecDeque::new(),
            first: 0,
            oldest_in_flight: 0,
            largest_acked: None,
            in_flight: 0,
            bytes_in_flight: 0,
            carried: VecDeque::new(),
            carried_before: 0,
            loss_at: None,
            last_asked_at: Duration::ZERO,
            probes: 0,
            packet_threshold: PACKET_THRESHOLD,
            slack_eighths: 1,
            learned_at: Duration::ZERO,
            reliable,
        }
    }

    /// The number of the next datagram.
    pub(crate) fn next_number(&self) -> u64 {
        self.first + self.packets.len() as u64
    }

    /// Datagrams sent since the newest acknowledged one. The 16 bits on the wire are unambiguous far beyond the limit
    /// that the sender puts on this.
    pub(crate) fn unacknowledged_span(&self) -> u64 {
        self.next_number() - self.largest_acked.map_or(0, |largest| largest + 1)
    }

    pub(crate) fn bytes_in_flight(&self) -> usize {
        self.bytes_in_flight
    }

    /// Notes that the next datagram was sent. `asks` is whether it asks for an acknowledgement.
    pub(crate) fn on_sent(
        &mut self,
        now: Duration,
        bytes: usize,
        asks: bool,
        reported: Option<u64>,
        carried: &[Carried],
    ) {
        if asks {
            self.in_flight += 1;
            self.bytes_in_flight += bytes;
            self.last_asked_at = now;
        }
        let start = self.carried_before + self.carried.len() as u64;
        self.carried.extend(carried);
        self.packets.push_back(SentPacket {
            sent_at: now,
            bytes,
            status: if asks { Status::InFlight } else { Status::Unasked },
            reported,
            cargo: Span { start, len: carried.len() },
        });
    }

    /// Takes an acknowledgement, and the round-trip sample that it may give. `max_delay` bounds what is believed of the
    /// other side's delay.
    pub(crate) fn on_ack(
        &mut self,
        now: Duration,
        ack: &Ack,
        max_delay: Duration,
        rtt: &mut RttEstimator,
        findings: &mut Findings,
    ) {
        let largest = ack.ranges.first().map_or(0, |range| range.1);
        let newest_before = self.largest_acked;
        let end = self.next_number();
        for &(low, high) in ack.ranges.iter() {
            for number in (low.max(self.first)..(high + 1).min(end)).rev() {
                self.acknowledge(now, number, largest, findings);
            }
        }
        let is_newest = newest_before.is_none_or(|newest| largest > newest);
        if is_newest {
            self.largest_acked = Some(largest);
        }
        if findings.acked_datagrams > 0 {
            self.probes = 0;
        }
        // RFC 9002 §5.1: a sample only when the largest is newly acknowledged, and something had asked for it.
        let sample = findings.rtt.filter(|_| is_newest && findings.acked_datagrams > 0);
        findings.rtt = sample.map(|latest| rtt.sample(now, latest, ack.delay.min(max_delay)));
        self.detect_losses(now, rtt, findings);
    }

    /// Declares lost what the clock says. `findings` gets what they carried.
    pub(crate) fn on_time(
        &mut self,
        now: Duration,
        rtt: &RttEstimator,
        max_ack_delay: Duration,
        findings: &mut Findings,
    ) {
        if !self.reliable {
            self.unlearn_reordering(now);
            if self.loss_at.is_some_and(|at| at <= now) {
                self.detect_losses(now, rtt, findings);
            }
            let age = (rtt.probe_time_out(max_ack_delay) * 4).max(LEAST_GIVE_UP_AGE);
            self.give_up_older_than(now.saturating_sub(age), now, findings);
        }
        self.forget(now, rtt.probe_time_out(max_ack_delay) * 2);
    }

    /// When the probe time-out fires, if anything is in flight (RFC 9002 §6.2).
    pub(crate) fn probe_at(&self, rtt: &RttEstimator, max_ack_delay: Duration) -> Option<Duration> {
        if self.reliable || self.in_flight == 0 || self.loss_at.is_some() {
            return None;
        }
        let time_out = rtt.probe_time_out(max_ack_delay);
        let backed_off = time_out * (1 << self.probes.min(6));
        let interval = backed_off.min(MAX_PROBE_INTERVAL.max(time_out));
        Some(self.last_asked_at.saturating_add(interval))
    }

    /// Notes that the probe time-out fired; returns the reliable pieces that the oldest datagrams carried.
    pub(crate) fn on_probe(&mut self, now: Duration, pieces: &mut Vec<Carried>) {
        self.probes = self.probes.saturating_add(1);
        // Until the probe itself is sent, the clock starts anew here.
        self.last_asked_at = now;
        let skip = (self.oldest_in_flight.saturating_sub(self.first)) as usize;
        let mut datagrams = 0;
        for packet in self.packets.iter().skip(skip) {
            if packet.status != Status::InFlight {
                continue;
            }
            let before = pieces.len();
            let cargo = self.carried_in(packet.cargo);
            pieces.extend(cargo.filter(|carried| matches!(carried.cargo, Cargo::Piece { .. })));
            datagrams += usize::from(pieces.len() > before);
            if datagrams == 2 {
                break;
            }
        }
    }

    /// When `on_time` has something to declare lost.
    pub(crate) fn loss_at(&self) -> Option<Duration> {
        self.loss_at
    }

    /// Forgets the oldest datagrams while there are too many; those in flight count as lost.
    pub(crate) fn make_room(&mut self, now: Duration, findings: &mut Findings) {
        while self.packets.len() >= MAX_SENT || self.carried.len() >= MAX_CARRIED {
            if self.packets.is_empty() {
                return;
            }
            self.lose(self.first, now, Cause::Age, findings);
            self.forget_front();
        }
    }

    /// Heap bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.packets.len() * size_of::<SentPacket>() + self.carried.len() * size_of::<Carried>()
    }

    /// Greatest value of `memory_bytes`, with what one datagram more may carry.
    pub(crate) fn memory_ceiling() -> usize {
        MAX_SENT * size_of::<SentPacket>() + 2 * MAX_CARRIED * size_of::<Carried>()
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut SentPacket> {
        let index = number.checked_sub(self.first)?;
        self.packets.get_mut(index as usize)
    }

    fn carried_in(&self, span: Span) -> impl Iterator<Item = &Carried> {
        let skip = span.start.saturating_sub(self.carried_before) as usize;
        self.carried.iter().skip(skip).take(span.len)
    }

    fn acknowledge(&mut self, now: Duration, number: u64, largest: u64, findings: &mut Findings) {
        let Some(packet) = self.get_mut(number) else {
            return;
        };
        let before = packet.status;
        if before == Status::Acked {
            return;
        }
        packet.status = Status::Acked;
        let sent_at = packet.sent_at;
        let bytes = packet.bytes;
        let cargo = packet.cargo;
        if let Some(reported) = packet.reported {
            // Later datagrams report at least as much, so the newest is the one to keep.
            if findings.retire.is_none_or(|(_, carrier)| number > carrier) {
                findings.retire = Some((reported, number));
            }
        }
        match before {
            Status::InFlight => {
                findings.acked.extend(self.carried_in(cargo));
                findings.acked_datagrams += 1;
                findings.acked_bytes += bytes;
                self.in_flight -= 1;
                self.bytes_in_flight = self.bytes_in_flight.saturating_sub(bytes);
            }
            Status::Lost { by, .. } => {
                findings.late.extend(self.carried_in(cargo));
                findings.late_datagrams += 1;
                self.learn_reordering(now, by, largest - number);
            }
            Status::Unasked | Status::Acked => {}
        }
        if number == largest {
            findings.rtt = Some(now.saturating_sub(sent_at));
        }
    }

    /// A datagram that was declared lost arrived: be more patient with the next (RFC 9002 §6.1.1 and RACK, RFC 8985
    /// §6.2).
    fn learn_reordering(&mut self, now: Duration, by: Cause, distance: u64) {
        match by {
            Cause::Count => {
                self.packet_threshold = self.packet_threshold.max(distance + 1).min(MAX_PACKET_THRESHOLD);
                self.learned_at = now;
            }
            // One step for what was late together: a single jump of the round trip says little.
            Cause::Time if now.saturating_sub(self.learned_at) >= LEARN_INTERVAL => {
                self.slack_eighths = (self.slack_eighths + 1).min(MAX_SLACK_EIGHTHS);
                self.learned_at = now;
            }
            Cause::Time | Cause::Age => {}
        }
    }

    /// Becomes less patient again when nothing has been late for some time.
    fn unlearn_reordering(&mut self, now: Duration) {
        if now.saturating_sub(self.learned_at) >= UNLEARN_INTERVAL {
            self.learned_at = now;
            self.slack_eighths = self.slack_eighths.saturating_sub(1).max(1);
            self.packet_threshold = (self.packet_threshold / 4 * 3).max(PACKET_THRESHOLD);
        }
    }

    fn detect_losses(&mut self, now: Duration, rtt: &RttEstimator, findings: &mut Findings) {
        self.loss_at = None;
        let Some(largest) = self.largest_acked.filter(|_| !self.reliable) else {
            return;
        };
        let delay = rtt.loss_delay(self.slack_eighths);
        let mut number = self.oldest_in_flight.max(self.first);
        let mut oldest = None;
        while number < largest {
            let Some(packet) = self.get_mut(number) else {
                break;
            };
            if packet.status == Status::InFlight {
                let lost_at = packet.sent_at.saturating_add(delay);
                let by_count = largest - number >= self.packet_threshold;
                if by_count || lost_at <= now {
                    let cause = if lost_at <= now { Cause::Time } else { Cause::Count };
                    self.lose(number, now, cause, findings);
                } else {
                    // Those after it were sent later and are nearer: none of them is lost if this one is not.
                    self.loss_at = Some(lost_at);
                    oldest = Some(number);
                    break;
                }
            }
            number += 1;
        }
        self.oldest_in_flight = oldest.unwrap_or(number);
    }

    /// Gives up what has been in flight since before `time`. RFC 9002 would keep it until something is acknowledged;
    /// but then a silent path would let memory grow, and nobody would learn what became of their messages.
    fn give_up_older_than(&mut self, time: Duration, now: Duration, findings: &mut Findings) {
        let mut number = self.oldest_in_flight.max(self.first);
        while let Some(packet) = self.get_mut(number) {
            if packet.sent_at >= time {
                break;
            }
            if packet.status == Status::InFlight {
                self.lose(number, now, Cause::Age, findings);
            }
            number += 1;
        }
        self.oldest_in_flight = self.oldest_in_flight.max(number);
    }

    fn lose(&mut self, number: u64, now: Duration, by: Cause, findings: &mut Findings) {
        let Some(packet) = self.get_mut(number) else {
            return;
        };
        if packet.status != Status::InFlight {
            return;
        }
        packet.status = Status::Lost { at: now, by };
        let bytes = packet.bytes;
        let cargo = packet.cargo;
        // Kept as well: if it turns up late, the pieces need not be sent again.
        findings.lost.extend(self.carried_in(cargo));
        findings.lost_datagrams += 1;
        self.in_flight -= 1;
        self.bytes_in_flight = self.bytes_in_flight.saturating_sub(bytes);
    }

    /// Forgets datagrams whose fate is settled; lost ones after `linger`.
    fn forget(&mut self, now: Duration, linger: Duration) {
        while let Some(packet) = self.packets.front() {
            let settled = match packet.status {
                Status::InFlight => false,
                Status::Acked => true,
                Status::Lost { at, .. } => at.saturating_add(linger) <= now,
                Status::Unasked => packet.sent_at.saturating_add(linger) <= now,
            };
            if !settled {
                break;
            }
            self.forget_front();
        }
    }

    fn forget_front(&mut self) {
        if let Some(packet) = self.packets.pop_front() {
            self.first += 1;
            self.oldest_in_flight = self.oldest_in_flight.max(self.first);
            self.carried.drain(..packet.cargo.len.min(self.carried.len()));
            self.carried_before += packet.cargo.len as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ack::{Range, Ranges};

    const DELAY: Duration = Duration::from_millis(25);

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn measured() -> RttEstimator {
        let mut rtt = RttEstimator::new(ms(0));
        for _ in 0..50 {
            rtt.sample(ms(0), ms(80), ms(0));
        }
        rtt
    }

    fn send(sent: &mut SentPackets, now: Duration) {
        let number = sent.next_number();
        let cargo = Cargo::Piece { number, piece: 0 };
        sent.on_sent(now, 100, true, None, &[Carried { channel: 0, cargo }]);
    }

    fn ack(ranges: &[Range]) -> Ack {
        let mut ack = Ack { delay: ms(0), ranges: Ranges::NONE };
        for range in ranges {
            ack.ranges.push(*range);
        }
        ack
    }

    fn numbers(carried: &[Carried]) -> Vec<u64> {
        carried
            .iter()
            .map(|carried| match carried.cargo {
                Cargo::Piece { number, .. } | Cargo::Fragment { number } | Cargo::Token(number) => number,
            })
            .collect()
    }

    #[test]
    fn a_datagram_is_lost_when_three_later_ones_arrived() {
        let (mut sent, mut rtt, mut findings) = (SentPackets::new(false), measured(), Findings::default());
        for _ in 0..5 {
            send(&mut sent, ms(0));
        }
        sent.on_ack(ms(80), &ack(&[(2, 3)]), DELAY, &mut rtt, &mut findings);
        assert_eq!((numbers(&findings.acked), numbers(&findings.lost)), (vec![3, 2], vec![0]));
        assert_eq!(findings.rtt, Some(ms(80)));
        assert_eq!(sent.loss_at(), Some(ms(90)));
        findings.clear();
        sent.on_time(ms(90), &rtt, DELAY, &mut findings);
        assert_eq!(numbers(&findings.lost), [1]);
        assert_eq!(sent.bytes_in_flight(), 100);
    }

    #[test]
    fn a_datagram_that_turns_up_late_teaches_patience() {
        let (mut sent, mut rtt, mut findings) = (SentPackets::new(false), measured(), Findings::default());
        for _ in 0..8 {
            send(&mut sent, ms(0));
        }
        sent.on_ack(ms(80), &ack(&[(3, 3)]), DELAY, &mut rtt, &mut findings);
        assert_eq!(numbers(&findings.lost), [0]);
        findings.clear();
        sent.on_ack(ms(82), &ack(&[(0, 5)]), DELAY, &mut rtt, &mut findings);
        assert_eq!(numbers(&findings.late), [0]);
        assert!(findings.lost.is_empty());
        findings.clear();
        sent.on_time(ms(1000), &rtt, DELAY, &mut findings);
        assert_eq!(sent.memory_bytes(), 2 * size_of::<SentPacket>() + 2 * size_of::<Carried>());
    }

    #[test]
    fn silence_is_probed_with_what_is_oldest_and_then_given_up() {
        let (mut sent, rtt, mut findings) = (SentPackets::new(false), measured(), Findings::default());
        send(&mut sent, ms(0));
        let probe_at = sent.probe_at(&rtt, DELAY).unwrap();
        assert_eq!(probe_at, ms(80 + 20 + 25));
        let mut pieces = Vec::new();
        sent.on_probe(probe_at, &mut pieces);
        assert_eq!(numbers(&pieces), [0]);
        assert_eq!(sent.probe_at(&rtt, DELAY), Some(probe_at * 3));
        sent.on_time(ms(2001), &rtt, DELAY, &mut findings);
        assert_eq!(numbers(&findings.lost), [0]);
        assert_eq!(sent.probe_at(&rtt, DELAY), None);
    }

    #[test]
    fn nothing_is_lost_on_a_reliable_link() {
        let (mut sent, mut rtt, mut findings) = (SentPackets::new(true), measured(), Findings::default());
        for _ in 0..8 {
            send(&mut sent, ms(0));
        }
        sent.on_ack(ms(80), &ack(&[(7, 7)]), DELAY, &mut rtt, &mut findings);
        sent.on_time(ms(5000), &rtt, DELAY, &mut findings);
        assert!(findings.lost.is_empty());
        assert_eq!(sent.probe_at(&rtt, DELAY), None);
    }

    #[test]
    fn what_each_datagram_carried_is_told_when_others_are_forgotten() {
        let (mut sent, mut rtt, mut findings) = (SentPackets::new(false), measured(), Findings::default());
        let cargo = |number, count| -> Vec<Carried> {
            (0..count).map(|piece| Carried { channel: 0, cargo: Cargo::Piece { number, piece } }).collect()
        };
        for number in 0..6 {
            sent.on_sent(ms(0), 100, true, None, &cargo(number, number as u16));
        }
        sent.on_ack(ms(80), &ack(&[(0, 2)]), DELAY, &mut rtt, &mut findings);
        sent.on_time(ms(80), &rtt, DELAY, &mut findings);
        assert_eq!(numbers(&findings.acked), [2, 2, 1]);
        assert_eq!(sent.memory_bytes(), 3 * size_of::<SentPacket>() + (3 + 4 + 5) * size_of::<Carried>());
        findings.clear();
        sent.on_sent(ms(80), 100, true, None, &cargo(6, 1));
        sent.on_ack(ms(160), &ack(&[(6, 6), (4, 4)]), DELAY, &mut rtt, &mut findings);
        assert_eq!(numbers(&findings.acked), [6, 4, 4, 4, 4]);
        assert_eq!(numbers(&findings.lost), [3, 3, 3, 5, 5, 5, 5, 5]);
    }

    #[test]
    fn the_record_is_bounded() {
        let (mut sent, mut findings) = (SentPackets::new(false), Findings::default());
        for _ in 0..MAX_SENT + 10 {
            sent.make_room(ms(0), &mut findings);
            send(&mut sent, ms(0));
        }
        assert_eq!(findings.lost_datagrams, 10);
        assert!(sent.memory_bytes() <= SentPackets::memory_ceiling());
    }
}
