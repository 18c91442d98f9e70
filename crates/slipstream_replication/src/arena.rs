//! This tick's encoded bodies, shared by all connections.
//!
//! A body depends on the lane's value and on what it is coded against, not on who it is for. The first connection that asks
//! for one has it written; the others copy its bits.

use bevy::prelude::*;
use slipstream_wire::{Baseline, BitWriter, Tick};

use crate::history::History;
use crate::journal::Journal;
use crate::record::{Head, age, write_body};
use crate::registry::Registry;

/// How many distinct baselines of one lane are remembered within a tick. Ages differ by what was lost and by round-trip
/// times; what is asked for beyond these is written again.
const REMEMBERED: usize = 6;

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

/// Bodies by lane and slot.
#[derive(Resource, Default)]
pub(crate) struct Arena {
    writer: BitWriter,
    rows: Vec<Vec<Row>>,
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
        let history = journal.history(slot, lane)?;
        let value = history.newest()?;
        let baseline = match head.baseline_age {
            0 => None,
            ticks => Some(baseline(history, value.tick, ticks, head.earlier_age)?),
        };
        let start = self.writer.bit_len();
        write_body(registry, registry.lanes.get(lane)?, &value.words, baseline, &mut self.writer);
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
fn baseline(history: &History, value: Tick, ticks: u32, earlier: u32) -> Option<Baseline<'_>> {
    let at = value - ticks;
    let words = &history.at(at)?.words;
    let earlier = match earlier {
        0 => None,
        ticks => Some((history.at(at - ticks)?.words.as_slice(), ticks)),
    };
    debug_assert_eq!(age(value, at), ticks);
    Some(Baseline { words, age: ticks, earlier })
}
