//! Which datagrams have arrived, and how that is told.

mod ranges;

use core::time::Duration;

use slipstream_wire::{BitReader, BitWriter, Sequence, WireError};

use crate::error::ProtocolError;
use crate::seen::{Seen, SeenWindow};
use crate::text::{read_limited, varint_len};

pub(crate) use ranges::Ranges;

/// Datagrams remembered, so that a duplicate is known.
const REMEMBERED: usize = 4096;
/// Greatest count of ranges in one acknowledgement.
const MAX_RANGES: usize = 33;
/// The unit of the acknowledgement delay on the wire.
const DELAY_UNIT_MICROS: u128 = 256;
/// Greatest delay on the wire, in units: 17 s.
const MAX_DELAY_UNITS: u64 = u16::MAX as u64;
/// Datagrams that ask for an acknowledgement after which it no longer waits (RFC 9000 §13.2.2).
const ACK_EVERY: u32 = 2;

/// A range of datagram numbers, both ends included.
pub(crate) type Range = (u64, u64);

/// A received acknowledgement.
#[derive(Debug)]
pub(crate) struct Ack {
    /// How long the other side waited with it.
    pub(crate) delay: Duration,
    /// Newest first; the first ends with the greatest number received.
    pub(crate) ranges: Ranges,
}

/// What has been received, and what of it the other side does not know yet.
#[derive(Debug)]
pub(crate) struct ReceivedPackets {
    seen: SeenWindow,
    /// Numbers below this are known to be known.
    report_from: u64,
    /// When the greatest number came.
    largest_at: Duration,
    /// A datagram that came late: the least number and the first of our datagrams that tells of it.
    late: Option<(u64, u64)>,
    /// Datagrams that asked for an acknowledgement since the last one was sent.
    unreported: u32,
    deadline: Option<Duration>,
    /// Something is missing or came late: tell at once.
    urgent: bool,
}

impl ReceivedPackets {
    pub(crate) fn new() -> Self {
        Self {
            seen: SeenWindow::new(REMEMBERED),
            report_from: 0,
            largest_at: Duration::ZERO,
            late: None,
            unreported: 0,
            deadline: None,
            urgent: false,
        }
    }

    /// One above the greatest number received.
    pub(crate) fn next(&self) -> u64 {
        self.seen.next()
    }

    /// Whether a datagram of this number has not been taken and still may be.
    pub(crate) fn is_new(&self, number: u64) -> bool {
        self.seen.look(number) == Seen::New
    }

    /// Notes a datagram that was taken. `carrier` is the number of the next datagram that this side sends.
    pub(crate) fn record(&mut self, now: Duration, number: u64, eliciting: bool, max_delay: Duration, carrier: u64) {
        let next = self.seen.next();
        if number >= next {
            self.urgent |= eliciting && number > next;
            self.largest_at = now;
        } else {
            self.urgent |= eliciting;
            let lowest = self.late.map_or(number, |(lowest, _)| lowest.min(number));
            self.late = Some((lowest, carrier));
            self.report_from = self.report_from.min(number);
        }
        self.seen.insert(number);
        if eliciting {
            self.unreported += 1;
            self.deadline.get_or_insert(now.saturating_add(max_delay));
        }
    }

    /// Whether an acknowledgement must not wait any longer for something to ride on.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.unreported > 0
            && (self.urgent || self.unreported >= ACK_EVERY || self.deadline.is_some_and(|deadline| deadline <= now))
    }

    /// When an acknowledgement is due, if one is wanted.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Whether something has come that was not acknowledged yet.
    pub(crate) fn has_news(&self) -> bool {
        self.unreported > 0
    }

    /// What to acknowledge, newest first.
    pub(crate) fn ranges(&self) -> Ranges {
        let next = self.seen.next();
        let first = self.report_from.max(next.saturating_sub(self.seen.span()));
        let mut ranges = Ranges::NONE;
        let mut open: Option<Range> = None;
        for number in (first..next).rev() {
            if self.seen.look(number) == Seen::Before {
                open = Some(open.map_or((number, number), |(_, high)| (number, high)));
            } else if let Some(range) = open.take() {
                ranges.push(range);
                if ranges.is_full() {
                    return ranges;
                }
            }
        }
        if let Some(range) = open {
            ranges.push(range);
        }
        ranges
    }

    /// How long the greatest number has been here.
    pub(crate) fn delay(&self, now: Duration) -> Duration {
        now.saturating_sub(self.largest_at)
    }

    /// Notes that everything was acknowledged just now.
    pub(crate) fn on_reported(&mut self) {
        self.unreported = 0;
        self.deadline = None;
        self.urgent = false;
    }

    /// Our datagram `carrier`, which acknowledged everything up to `largest`, was acknowledged itself: the other side
    /// knows, and those numbers need not be told again.
    pub(crate) fn retire(&mut self, largest: u64, carrier: u64) {
        let mut known = largest + 1;
        if let Some((lowest, first_carrier)) = self.late {
            if carrier >= first_carrier {
                self.late = None;
            } else {
                known = known.min(lowest);
            }
        }
        self.report_from = self.report_from.max(known);
    }

    /// Heap bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.seen.memory_bytes()
    }
}

/// How many of `ranges` fit `room` bytes.
pub(crate) fn fitting_ranges(ranges: &[Range], delay: Duration, room: usize) -> usize {
    let Some(&(mut low, high)) = ranges.first() else {
        return 0;
    };
    let mut bytes = 2 + varint_len(delay_units(delay)) + varint_len(high - low);
    if bytes > room {
        return 0;
    }
    bytes += 1; // the count of further ranges
    let mut fitting = 1;
    for &(next_low, next_high) in ranges.iter().skip(1) {
        bytes += varint_len(low - next_high - 2) + varint_len(next_high - next_low);
        if bytes > room {
            break;
        }
        low = next_low;
        fitting += 1;
    }
    fitting
}

/// Writes an acknowledgement; whether there is more than one range is told elsewhere.
pub(crate) fn write_ack(writer: &mut BitWriter, ranges: &[Range], delay: Duration) {
    let Some(&(mut low, high)) = ranges.first() else {
        return;
    };
    writer.write_bits(high & 0xffff, 16);
    writer.write_varint(delay_units(delay));
    writer.write_varint(high - low);
    if ranges.len() > 1 {
        writer.write_varint(ranges.len() as u64 - 1);
    }
    for &(next_low, next_high) in ranges.iter().skip(1) {
        writer.write_varint(low - next_high - 2);
        writer.write_varint(next_high - next_low);
        low = next_low;
    }
}

/// Reads an acknowledgement. `next_sent` is the number of the next datagram that this side sends.
pub(crate) fn read_ack(reader: &mut BitReader<'_>, several: bool, next_sent: u64) -> Result<Ack, ProtocolError> {
    let malformed = WireError::Malformed { what: "ack range" };
    let largest = Sequence(reader.read_bits(16)? as u16).expand(next_sent.saturating_sub(1));
    if largest >= next_sent {
        return Err(ProtocolError::AckOfUnsent { largest, next: next_sent });
    }
    let units = read_limited(reader, MAX_DELAY_UNITS, "ack delay")?;
    let mut low = largest.checked_sub(reader.read_varint()?).ok_or(malformed)?;
    let mut ranges = Ranges::NONE;
    ranges.push((low, largest));
    if several {
        let count = read_limited(reader, MAX_RANGES as u64 - 1, "count of ack ranges")?;
        for _ in 0..count {
            let high =
                low.checked_sub(reader.read_varint()?).and_then(|number| number.checked_sub(2)).ok_or(malformed)?;
            low = high.checked_sub(reader.read_varint()?).ok_or(malformed)?;
            ranges.push((low, high));
        }
    }
    Ok(Ack { delay: Duration::from_micros(units * DELAY_UNIT_MICROS as u64), ranges })
}

fn delay_units(delay: Duration) -> u64 {
    u64::try_from(delay.as_micros() / DELAY_UNIT_MICROS).unwrap_or(u64::MAX).min(MAX_DELAY_UNITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(25);

    fn received(numbers: &[u64]) -> ReceivedPackets {
        let mut received = ReceivedPackets::new();
        for number in numbers {
            received.record(Duration::ZERO, *number, true, DELAY, 0);
        }
        received
    }

    #[test]
    fn ranges_survive_the_wire() {
        let ranges = received(&[0, 1, 2, 5, 9, 10, 11]).ranges();
        assert_eq!(*ranges, [(9, 11), (5, 5), (0, 2)]);
        let mut writer = BitWriter::new();
        write_ack(&mut writer, &ranges, DELAY);
        let bytes = writer.to_bytes();
        assert_eq!(fitting_ranges(&ranges, DELAY, bytes.len()), 3);
        assert_eq!(fitting_ranges(&ranges, DELAY, bytes.len() - 1), 2);
        let ack = read_ack(&mut BitReader::new(&bytes), true, 12).unwrap();
        assert_eq!(*ack.ranges, *ranges);
        assert!(DELAY - ack.delay < Duration::from_micros(256));
        assert!(read_ack(&mut BitReader::new(&bytes), true, 11).is_err());
        for end in 0..bytes.len() {
            assert!(read_ack(&mut BitReader::new(&bytes[..end]), true, 12).is_err());
        }
    }

    #[test]
    fn an_acknowledgement_waits_for_one_datagram_and_not_for_two() {
        let mut received = received(&[0]);
        assert!(!received.is_due(DELAY / 2));
        assert!(received.is_due(DELAY));
        received.record(Duration::ZERO, 1, true, DELAY, 0);
        assert!(received.is_due(Duration::ZERO));
        received.on_reported();
        assert!(!received.is_due(DELAY));
        received.record(Duration::ZERO, 3, true, DELAY, 0);
        assert!(received.is_due(Duration::ZERO), "a gap is told at once");
    }

    #[test]
    fn what_came_late_is_told_even_after_its_neighbours_were_retired() {
        let mut received = received(&[0, 2, 3]);
        received.record(Duration::ZERO, 1, true, DELAY, 8);
        received.retire(3, 7); // that one was sent before the late one came
        assert_eq!(*received.ranges(), [(1, 3)]);
        received.retire(3, 8);
        assert!(received.ranges().is_empty());
    }

    #[test]
    fn the_newest_ranges_are_told_when_there_are_more_than_fit() {
        let every_other: Vec<u64> = (0..100).map(|number| number * 2).collect();
        let ranges = received(&every_other).ranges();
        assert_eq!(ranges.len(), MAX_RANGES);
        assert_eq!((ranges.first(), ranges.last()), (Some(&(198, 198)), Some(&(134, 134))));
    }
}
