//! This tick's encoded bodies, shared by all connections.
//!
//! A body depends on the lane's value and on what it is coded against, not on who it is for. The first connection that asks
//! for one has it written; the others copy its bits.

use bevy::prelude::*;
use slipstream_wire::{Baseline, BitWriter, Tick};

use crate::journal::Journal;
use crate::record::{GAP_K, Head, write_body};
use crate::registry::Registry;
use crate::view::PAGE;

/// How many distinct baselines of one lane are remembered within a tick. Ages differ by what was lost and by round-trip
/// times; what is asked for beyond these is written again.
const REMEMBERED: usize = 6;
/// The same for runs, which differ by who sees what, too.
const REMEMBERED_RUNS: usize = 8;

/// Where a body stands in the arena.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) start: u32,
    pub(crate) bits: u32,
}

/// The bodies of one lane of one slot.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    /// Which tick's bodies these are.
    stamp: u32,
    count: u32,
    keys: [(u32, u32); REMEMBERED],
    bodies: [Body; REMEMBERED],
}

/// Records of one lane of several slots of a page, all with one head: what follows the first one's "same head" bit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunKey {
    pub(crate) page: u32,
    /// A bit for each slot.
    pub(crate) members: u32,
    pub(crate) lane: usize,
    pub(crate) head: Head,
}

/// Where a run stands in the arena.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: u32,
    pub(crate) bits: u32,
}

/// The runs of one lane of one page.
#[derive(Debug, Clone, Copy, Default)]
struct RunRow {
    stamp: u32,
    count: u32,
    keys: [(u32, Head); REMEMBERED_RUNS],
    runs: [Run; REMEMBERED_RUNS],
}

/// Bodies by lane and slot.
#[derive(Resource, Default)]
pub(crate) struct Arena {
    writer: BitWriter,
    rows: Vec<Vec<Row>>,
    /// Runs, put together from bodies.
    run_writer: BitWriter,
    /// By lane and page.
    run_rows: Vec<Vec<RunRow>>,
    stamp: u32,
    bodies: usize,
    likely_bits: usize,
}

impl Arena {
    /// Forgets the bodies of the tick before.
    pub(crate) fn open(&mut self, lanes: usize) {
        self.likely_bits = self.writer.bit_len().checked_div(self.bodies).map_or(128, |mean| mean + 2);
        self.bodies = 0;
        self.writer.clear();
        self.rows.resize_with(lanes, Vec::new);
        self.run_writer.clear();
        self.run_rows.resize_with(lanes, Vec::new);
        // A row that was never used has stamp 0.
        self.stamp = self.stamp.checked_add(1).unwrap_or(1);
    }

    /// What a record may need, going by the tick before.
    pub(crate) fn likely_bits(&self) -> usize {
        self.likely_bits
    }

    #[inline]
    pub(crate) fn words(&self) -> &[u64] {
        self.writer.words()
    }

    #[inline]
    pub(crate) fn run_words(&self) -> &[u64] {
        self.run_writer.words()
    }

    /// A run of records. `None` where a value that the head names is not kept of each.
    #[inline]
    pub(crate) fn run(&mut self, key: RunKey, journal: &Journal, registry: &Registry) -> Option<Run> {
        if let Some(row) = self.run_rows.get(key.lane).and_then(|rows| rows.get(key.page as usize))
            && row.stamp == self.stamp
        {
            for index in 0..REMEMBERED_RUNS.min(row.count as usize) {
                if row.keys[index] == (key.members, key.head) {
                    return Some(row.runs[index]);
                }
            }
        }
        self.write_run(key, journal, registry)
    }

    #[cold]
    fn write_run(&mut self, key: RunKey, journal: &Journal, registry: &Registry) -> Option<Run> {
        let start = self.run_writer.bit_len();
        let mut next = None;
        for bit in (0..PAGE).filter(|bit| key.members & (1 << bit) != 0) {
            let body = self.body(key.page * PAGE + bit, key.lane, key.head, journal, registry)?;
            if let Some(next) = next {
                self.run_writer.write_exp_golomb(u64::from(bit - next), GAP_K);
                self.run_writer.write_bool(true);
            }
            self.run_writer.copy_bits(self.writer.words(), body.start as usize, body.bits as usize);
            next = Some(bit + 1);
        }
        let run = Run { start: start as u32, bits: (self.run_writer.bit_len() - start) as u32 };
        let stamp = self.stamp;
        let rows = self.run_rows.get_mut(key.lane)?;
        if rows.len() <= key.page as usize {
            rows.resize(key.page as usize + 1, RunRow::default());
        }
        let row = &mut rows[key.page as usize];
        if row.stamp != stamp {
            *row = RunRow { stamp, ..RunRow::default() };
        }
        let place = row.count as usize % REMEMBERED_RUNS;
        row.keys[place] = (key.members, key.head);
        row.runs[place] = run;
        row.count += 1;
        Some(run)
    }

    /// The body of a lane's newest value, coded as `head` says. `None` where a value that the head names is not kept.
    #[inline]
    pub(crate) fn body(
        &mut self,
        slot: u32,
        lane: usize,
        head: Head,
        journal: &Journal,
        registry: &Registry,
    ) -> Option<Body> {
        let key = (head.baseline_age, head.earlier_age);
        if let Some(row) = self.rows.get(lane).and_then(|rows| rows.get(slot as usize))
            && row.stamp == self.stamp
        {
            for index in 0..REMEMBERED.min(row.count as usize) {
                if row.keys[index] == key {
                    return Some(row.bodies[index]);
                }
            }
        }
        self.encode(slot, lane, head, journal, registry)
    }

    #[cold]
    fn encode(&mut self, slot: u32, lane: usize, head: Head, journal: &Journal, registry: &Registry) -> Option<Body> {
        let (tick, value) = journal.newest(slot, lane)?;
        let baseline = match head.baseline_age {
            0 => None,
            ticks => Some(baseline(journal, (slot, lane), tick, ticks, head.earlier_age)?),
        };
        let start = self.writer.bit_len();
        write_body(registry, registry.lanes.get(lane)?, value, baseline, &mut self.writer);
        self.bodies += 1;
        let body = Body { start: start as u32, bits: (self.writer.bit_len() - start) as u32 };
        self.remember(slot, lane, (head.baseline_age, head.earlier_age), body);
        Some(body)
    }

    fn remember(&mut self, slot: u32, lane: usize, key: (u32, u32), body: Body) {
        let stamp = self.stamp;
        let Some(rows) = self.rows.get_mut(lane) else { return };
        if rows.len() <= slot as usize {
            rows.resize(slot as usize + 1, Row::default());
        }
        let row = &mut rows[slot as usize];
        if row.stamp != stamp {
            *row = Row { stamp, ..Row::default() };
        }
        let place = row.count as usize % REMEMBERED;
        row.keys[place] = key;
        row.bodies[place] = body;
        row.count += 1;
    }
}

/// The values that a head names, as far as they are kept.
#[inline]
pub(crate) fn baseline(
    journal: &Journal,
    (slot, lane): (u32, usize),
    value: Tick,
    ticks: u32,
    earlier: u32,
) -> Option<Baseline<'_>> {
    let at = value - ticks;
    let words = journal.at(slot, lane, at)?;
    let earlier = match earlier {
        0 => None,
        ticks => Some((journal.at(slot, lane, at - ticks)?, ticks)),
    };
    Some(Baseline { words, age: ticks, earlier })
}
