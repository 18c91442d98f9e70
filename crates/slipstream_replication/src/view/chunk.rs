//! Writing chunks: announcements first, then a section for each lane, then a dense one, cut where a datagram is full
//! and may be cut.

use slipstream_connection::{Endpoint, channels};
use slipstream_wire::dense::DenseBodyWriter;
use slipstream_wire::{BitWriter, Tick, exp_golomb_bits};

use super::delivery::{Flight, FlightEntry, FlightKind};
use super::index::PAGE;
use crate::arena::{Body, Run, RunKey};
use crate::dense::{Course, DENSE_HEAD, DenseRecord};
use crate::record::{
    ANNOUNCED_GAP_K, COUNT_BITS, EPOCH_BITS, GAP_K, GENERATION_K, Head, TERM_BITS, lane_bits, write_tick,
};

const MAX_SECTION: u32 = 1 << COUNT_BITS;
/// Bits of a section, a gap and a head at their longest, generously.
const OVERHEAD: usize = 1 + 6 + COUNT_BITS as usize + 64 + 1 + 3 * 64;
/// Bits of a chunk before and after its sections.
pub(super) const CHUNK_HEAD: usize = 40;

/// One lane of an entity, as it goes out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outgoing {
    pub(super) slot: u32,
    pub(super) dense: u32,
    pub(super) lane: u8,
    pub(super) value: Tick,
    pub(super) head: Head,
    pub(super) body: Body,
    /// Of an owner that speaks: its term.
    pub(super) term: Option<u8>,
}

/// What is to be said of an entity that the other side does not know, or shall not know any longer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Announcement {
    pub(super) slot: u32,
    pub(super) dense: u32,
    pub(super) epoch: u8,
    /// `None` for a despawn.
    pub(super) generation: Option<u32>,
    /// It is not despawned, but kept as it is.
    pub(super) freezes: bool,
    /// Its records: a range of those that were picked, ascending by lane.
    pub(super) records: (u32, u32),
}

/// A section that is being written.
#[derive(Debug, Clone, Copy)]
struct Section {
    lane: u8,
    count: u32,
    /// Where the count stands.
    count_at: usize,
    next_slot: u32,
    head: Head,
}

impl Section {
    /// Whether `count` records may follow: of the same lane, a later slot, and within what the count can say.
    #[inline]
    fn continues_with(&self, lane: u8, slot: u32, count: u32) -> bool {
        self.lane == lane && slot >= self.next_slot && self.count + count <= MAX_SECTION
    }
}

/// A dense section that is being written.
#[derive(Debug, Clone, Copy, Default)]
struct DenseSection {
    count: u32,
    course: Course,
}

/// What went to a connection in a tick.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    /// Bytes handed over.
    pub(super) bytes: u64,
    /// Bits of dense sections, and what the records in them would have taken bit-packed.
    pub(super) dense_bits: usize,
    pub(super) packed_bits: usize,
}

/// Memory of a chunk writer that is used again in the next tick.
#[derive(Debug, Default)]
pub(super) struct ChunkMemory {
    writer: BitWriter,
    bytes: Vec<u8>,
    /// The stream of the dense section, and its bytes while there is none.
    dense: DenseBodyWriter,
    dense_bytes: Vec<u8>,
    /// What the connection did not take.
    pub(super) refused: Vec<FlightEntry>,
}

/// Fills chunks of one connection and hands them over.
pub(super) struct ChunkWriter<'a> {
    pub(super) memory: &'a mut ChunkMemory,
    pub(super) endpoint: &'a mut Endpoint,
    pub(super) flights: &'a mut std::collections::VecDeque<Flight>,
    pub(super) spare_entries: &'a mut Vec<Vec<FlightEntry>>,
    pub(super) next_token: &'a mut u64,
    /// Whether each lane's records name an earlier value.
    pub(super) continues_motion: u64,
    lanes: usize,
    now: Tick,
    long_tick: bool,
    /// Bits that fit one datagram, with the closing ones.
    limit: usize,
    /// Bytes that fit one datagram.
    limit_bytes: usize,
    entries: Vec<FlightEntry>,
    is_open: bool,
    /// What is being written must stay in one chunk.
    is_whole: bool,
    announced_until: Option<u32>,
    section: Option<Section>,
    dense: Option<DenseSection>,
    /// Bytes handed over.
    pub(super) sent_bytes: u64,
    dense_bits: usize,
    packed_bits: usize,
}

impl<'a> ChunkWriter<'a> {
    pub(super) fn new(
        memory: &'a mut ChunkMemory,
        endpoint: &'a mut Endpoint,
        flights: &'a mut std::collections::VecDeque<Flight>,
        spare_entries: &'a mut Vec<Vec<FlightEntry>>,
        next_token: &'a mut u64,
        (lanes, continues_motion): (usize, u64),
        (now, long_tick): (Tick, bool),
    ) -> Self {
        let limit_bytes = endpoint.max_unfragmented_bytes();
        let limit = (limit_bytes * 8).saturating_sub(2);
        memory.writer.clear();
        memory.refused.clear();
        let entries = spare_entries.pop().unwrap_or_default();
        Self {
            memory,
            endpoint,
            flights,
            spare_entries,
            next_token,
            continues_motion,
            lanes,
            now,
            long_tick,
            limit,
            limit_bytes,
            entries,
            is_open: false,
            is_whole: false,
            announced_until: None,
            section: None,
            dense: None,
            sent_bytes: 0,
            dense_bits: 0,
            packed_bits: 0,
        }
    }

    /// The token of the chunk that is being written.
    pub(super) fn token(&self) -> u64 {
        *self.next_token
    }

    /// Bits written into the chunk that is open, but for its dense section, and all before it.
    pub(super) fn bits(&self) -> usize {
        self.memory.writer.bit_len() + self.sent_bytes as usize * 8
    }

    /// Bits that fit one datagram.
    pub(super) fn room(&self) -> usize {
        self.limit
    }

    /// What is written from here to [`end_whole`](Self::end_whole), at most so many bits, goes into one chunk: into the
    /// one that is open where it has room, else into another, which the protocol fragments if it is larger than a
    /// datagram. `announces` says whether there are announcements in it.
    pub(super) fn begin_whole(&mut self, bits: usize, announces: bool) {
        let is_full = self.memory.writer.bit_len() + bits > self.limit;
        if self.is_open && (announces || self.dense.is_some() || is_full) {
            self.finish();
        }
        self.is_whole = true;
    }

    pub(super) fn end_whole(&mut self) {
        self.is_whole = false;
    }

    fn open(&mut self) {
        if !self.is_open {
            self.is_open = true;
            self.announced_until = Some(0);
            write_tick(self.now, self.long_tick, &mut self.memory.writer);
        }
    }

    fn reads_on(&self, lane: u8) -> bool {
        self.continues_motion & (1 << lane) != 0
    }

    /// Announces an entity with its records, or that it is gone. Before all updates of the chunk.
    pub(super) fn announce(&mut self, said: &Announcement, records: &[Outgoing], arena: &[u64]) {
        let bits: usize = records.iter().map(|record| record.body.bits as usize + 32).sum::<usize>() + 96;
        let fits = self.is_whole || self.memory.writer.bit_len() + bits <= self.limit;
        if self.is_open && (self.announced_until.is_none() || !fits) {
            self.finish();
        }
        self.open();
        let next_slot = self.announced_until.unwrap_or_default();
        let writer = &mut self.memory.writer;
        writer.write_bool(true);
        writer.write_exp_golomb(u64::from(said.slot.wrapping_sub(next_slot)), ANNOUNCED_GAP_K);
        self.announced_until = Some(said.slot + 1);
        writer.write_bool(said.generation.is_some());
        let kind = if said.generation.is_some() { FlightKind::Spawn } else { FlightKind::Despawn };
        let entry = FlightEntry { slot: said.slot, value: self.now, members: 0, lane: 0, kind };
        self.entries.push(entry);
        let Some(generation) = said.generation else {
            writer.write_bool(said.freezes);
            return;
        };
        writer.write_exp_golomb(u64::from(generation), GENERATION_K);
        writer.write_bits(u64::from(said.epoch), EPOCH_BITS);
        let mut records = records.iter().peekable();
        for lane in 0..self.lanes {
            let record = records.next_if(|record| usize::from(record.lane) == lane);
            let writer = &mut self.memory.writer;
            writer.write_bool(record.is_some());
            if let Some(record) = record {
                record.head.write(self.continues_motion & (1 << lane) != 0, writer);
                writer.copy_bits(arena, record.body.start as usize, record.body.bits as usize);
                self.entries.push(FlightEntry {
                    value: record.value,
                    lane: record.lane,
                    kind: FlightKind::Value,
                    ..entry
                });
            }
        }
    }

    /// Adds one lane's record to its section, or to a new one.
    #[inline]
    pub(super) fn update(&mut self, record: &Outgoing, arena: &[u64]) {
        // The usual case: the section is open, the head as before, the slot the next or near it, and there is room.
        if let Some(section) = &mut self.section
            && section.continues_with(record.lane, record.slot, 1)
            && section.head == record.head
        {
            let gap = u64::from(record.slot.wrapping_sub(section.next_slot));
            let gap_bits = exp_golomb_bits(gap, GAP_K);
            if record.term.is_none()
                && self.memory.writer.bit_len() + (gap_bits + 1 + record.body.bits) as usize <= self.limit
            {
                let writer = &mut self.memory.writer;
                if gap == 0 {
                    // exp-Golomb of 0 is a one; "the same head" is another.
                    writer.write_bits(0b11, 2);
                } else {
                    writer.write_exp_golomb(gap, GAP_K);
                    writer.write_bool(true);
                }
                writer.copy_bits(arena, record.body.start as usize, record.body.bits as usize);
                section.count += 1;
                section.next_slot = record.slot + 1;
                self.entries.push(FlightEntry {
                    slot: record.slot,
                    value: record.value,
                    members: 0,
                    lane: record.lane,
                    kind: FlightKind::Value,
                });
                return;
            }
        }
        self.update_slowly(record, arena);
    }

    /// Adds the records of a group of a page, or not, where they fit no datagram together.
    #[inline]
    pub(super) fn run(&mut self, key: RunKey, run: Run, arena: &[u64]) -> bool {
        let first_slot = key.page * PAGE + key.members.trailing_zeros();
        let count = key.members.count_ones();
        if OVERHEAD + run.bits as usize > self.limit.saturating_sub(CHUNK_HEAD) {
            return false;
        }
        let is_full = self.memory.writer.bit_len() + OVERHEAD + run.bits as usize > self.limit;
        if self.is_open && (self.dense.is_some() || is_full) {
            self.finish();
        }
        let lane = key.lane as u8;
        self.open_section(lane, first_slot, count);
        let reads_on = self.reads_on(lane);
        let Some(section) = &mut self.section else { return false };
        let writer = &mut self.memory.writer;
        writer.write_exp_golomb(u64::from(first_slot.wrapping_sub(section.next_slot)), GAP_K);
        writer.write_bool(section.head == key.head);
        if section.head != key.head {
            key.head.write(reads_on, writer);
            section.head = key.head;
        }
        writer.copy_bits(arena, run.start as usize, run.bits as usize);
        section.count += count;
        section.next_slot = key.page * PAGE + PAGE - key.members.leading_zeros();
        self.entries.push(FlightEntry {
            slot: key.page * PAGE,
            value: self.now,
            members: key.members,
            lane,
            kind: FlightKind::Run,
        });
        true
    }

    /// Opens the chunk and a section of the lane, unless one is open that can go on at `slot` with `count` more records.
    #[inline]
    fn open_section(&mut self, lane: u8, slot: u32, count: u32) {
        self.open();
        if self.section.is_some_and(|section| section.continues_with(lane, slot, count)) {
            return;
        }
        self.close_section();
        if self.announced_until.take().is_some() {
            self.memory.writer.write_bool(false);
        }
        let writer = &mut self.memory.writer;
        writer.write_bool(true);
        writer.write_bits(u64::from(lane), lane_bits(self.lanes));
        let count_at = writer.bit_len();
        writer.write_bits(0, COUNT_BITS);
        let head = Head { value_age: u32::MAX, ..Head::default() };
        self.section = Some(Section { lane, count: 0, count_at, next_slot: 0, head });
    }

    fn update_slowly(&mut self, record: &Outgoing, arena: &[u64]) {
        let longest = record.body.bits as usize + OVERHEAD;
        let is_full = !self.is_whole && self.memory.writer.bit_len() + longest > self.limit;
        if self.is_open && (self.dense.is_some() || is_full) {
            self.finish();
        }
        self.open_section(record.lane, record.slot, 1);
        let reads_on = self.reads_on(record.lane);
        let Some(section) = &mut self.section else { return };
        let writer = &mut self.memory.writer;
        writer.write_exp_golomb(u64::from(record.slot.wrapping_sub(section.next_slot)), GAP_K);
        if let Some(term) = record.term {
            writer.write_bits(u64::from(term), TERM_BITS);
        }
        writer.write_bool(section.head == record.head);
        if section.head != record.head {
            record.head.write(reads_on, writer);
            section.head = record.head;
        }
        writer.copy_bits(arena, record.body.start as usize, record.body.bits as usize);
        section.count += 1;
        section.next_slot = record.slot + 1;
        self.entries.push(FlightEntry {
            slot: record.slot,
            value: record.value,
            members: 0,
            lane: record.lane,
            kind: FlightKind::Value,
        });
    }

    /// Adds a record of a rigid body to the dense section, after which only such may follow in a chunk.
    pub(super) fn update_densely(&mut self, record: &Outgoing, said: &DenseRecord) {
        if self.dense.is_some_and(|section| section.count >= MAX_SECTION) {
            self.finish();
        }
        if !self.try_densely(said) {
            self.finish();
            self.try_densely(said);
        }
        self.packed_bits += record.body.bits as usize;
        self.entries.push(FlightEntry {
            slot: record.slot,
            value: record.value,
            members: 0,
            lane: record.lane,
            kind: FlightKind::Value,
        });
    }

    /// Whether it fits the datagram; alone it always does, and the protocol fragments it.
    fn try_densely(&mut self, said: &DenseRecord) -> bool {
        let mut section = self.open_dense();
        let stream = &mut self.memory.dense;
        let before = stream.checkpoint();
        let begins = if section.count == 0 { DENSE_HEAD + lane_bits(self.lanes) as usize } else { 0 };
        let packed_bits = begins + section.course.packed_bits(said);
        said.write(&mut section.course, stream);
        let bytes = (self.memory.writer.bit_len() + 1 + DENSE_HEAD).div_ceil(8) + stream.max_len();
        if bytes > self.limit_bytes && !self.entries.is_empty() {
            stream.rewind(&before);
            return false;
        }
        section.count += 1;
        self.packed_bits += packed_bits;
        self.dense = Some(section);
        true
    }

    /// Opens the chunk and its dense section, unless they are.
    fn open_dense(&mut self) -> DenseSection {
        if let Some(section) = self.dense {
            return section;
        }
        self.open();
        self.close_section();
        if self.announced_until.take().is_some() {
            self.memory.writer.write_bool(false);
        }
        let bytes = core::mem::take(&mut self.memory.dense_bytes);
        self.memory.dense.begin(bytes);
        *self.dense.insert(DenseSection::default())
    }

    fn close_section(&mut self) {
        if let Some(section) = self.section.take() {
            self.memory.writer.overwrite_bits(section.count_at, u64::from(section.count - 1), COUNT_BITS);
        }
    }

    /// Closes the chunk that is open, if any, and hands it over.
    pub(super) fn finish(&mut self) {
        if !core::mem::take(&mut self.is_open) {
            return;
        }
        self.close_section();
        if self.announced_until.take().is_some() {
            self.memory.writer.write_bool(false);
        }
        self.memory.writer.write_bool(false);
        let dense = self.dense.take();
        let count = dense.map_or(0, |section| section.count);
        if count > 0 {
            self.memory.writer.write_bool(true);
            self.memory.writer.write_bits(u64::from(count - 1), COUNT_BITS);
        }
        self.memory.bytes.clear();
        self.memory.writer.append_to(&mut self.memory.bytes);
        self.memory.writer.clear();
        if dense.is_some() {
            let mut stream = self.memory.dense.finish();
            if count > 0 {
                self.dense_bits += DENSE_HEAD + stream.len() * 8;
                self.memory.bytes.extend_from_slice(&stream);
            }
            stream.clear();
            self.memory.dense_bytes = stream;
        }
        let token = *self.next_token;
        let next = self.spare_entries.pop().unwrap_or_default();
        let mut entries = core::mem::replace(&mut self.entries, next);
        *self.next_token += 1;
        if self.endpoint.send(channels::RECORDS, &self.memory.bytes, Some(token)).is_err() {
            // What the connection does not take now, for want of room, waits for the next tick.
            self.memory.refused.append(&mut entries);
            self.spare_entries.push(entries);
            return;
        }
        self.sent_bytes += self.memory.bytes.len() as u64;
        self.flights.push_back(Flight { token, tick: self.now, entries });
    }

    /// Ends the tick: hands over what is left, and the memory back.
    pub(super) fn end(mut self) -> Sent {
        self.finish();
        let entries = core::mem::take(&mut self.entries);
        self.spare_entries.push(entries);
        Sent { bytes: self.sent_bytes, dense_bits: self.dense_bits, packed_bits: self.packed_bits }
    }
}
