//! Values of one lane, those of a tick side by side: whoever goes through the entities of a tick reads memory in order.
//!
//! ```text
//!  TickLog ── Bucket (a tick) ── by page of slots ──> Segment ── rank in its mask ──> words
//! ```

use std::collections::VecDeque;

use slipstream_wire::Tick;

use crate::view::PAGE;

/// Segments of one page in one bucket. Values come page by page in the order of slots, so there are one or two; what a
/// peer sends in another order must not make looking for them slow.
const MAX_SEGMENTS: u32 = 64;
/// Words of one page in one bucket of what a peer sends, unless a single value has more: a few bits can say "as before" of
/// a long value again and again.
pub(crate) const MAX_PAGE_WORDS: usize = 4096;
/// Segments that are looked at for a value that came later than its tick.
const MAX_STEPS: u32 = 2048;
/// The most buckets kept for others: several go at once, one is needed a tick.
const MAX_SPARE: usize = 24;

/// Values of slots of one page, ascending by slot, all of one length and tick.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    page: u32,
    /// A bit for each slot.
    pub(crate) mask: u32,
    tick: Tick,
    start: u32,
    stride: u32,
    /// The one before it of the same page, plus one; 0 where it is the first.
    before: u32,
    /// How many of the page there are with it.
    count: u32,
    /// The words of the page, with its own.
    words: u32,
}

/// What was put in at one tick.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) tick: Tick,
    /// By page, its last segment, plus one.
    heads: Vec<u32>,
    segments: Vec<Segment>,
    words: Vec<u32>,
}

impl Bucket {
    #[inline]
    fn at(&self, slot: u32, tick: Tick, steps: &mut u32) -> Option<&[u32]> {
        let (page, bit) = (slot / PAGE, 1 << (slot % PAGE));
        let mut next = *self.heads.get(page as usize)?;
        loop {
            let segment = self.segments.get((next as usize).checked_sub(1)?)?;
            *steps = steps.checked_sub(1)?;
            if segment.mask & bit != 0 && segment.tick == tick {
                return self.row(segment, (segment.mask & (bit - 1)).count_ones());
            }
            next = segment.before;
        }
    }

    #[inline]
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Slot, tick and words of every value.
    pub(crate) fn values(&self) -> impl Iterator<Item = (u32, Tick, &[u32])> {
        self.segments.iter().flat_map(move |segment| {
            let slots = (0..PAGE).filter(|bit| segment.mask & (1 << bit) != 0);
            let ranked = slots.enumerate();
            ranked.filter_map(|(rank, bit)| {
                Some((segment.page * PAGE + bit, segment.tick, self.row(segment, rank as u32)?))
            })
        })
    }

    /// The `rank`th value of a segment.
    #[inline]
    fn row(&self, segment: &Segment, rank: u32) -> Option<&[u32]> {
        let start = (segment.start + rank * segment.stride) as usize;
        self.words.get(start..start + segment.stride as usize)
    }

    /// Adds a slot's value of a tick. `false` where the page has too many segments, or more than `most_words`.
    #[inline]
    pub(crate) fn put(&mut self, slot: u32, tick: Tick, row: &[u32], most_words: usize) -> bool {
        let (page, bit) = (slot / PAGE, 1 << (slot % PAGE));
        // The usual case: the next slot of the page.
        if let Some(last) = self.segments.last_mut()
            && last.page == page
            && last.mask < bit
            && last.tick == tick
            && last.stride as usize == row.len()
            && last.words as usize + row.len() <= most_words
        {
            last.mask |= bit;
            last.words += row.len() as u32;
            self.words.extend_from_slice(row);
            return true;
        }
        if self.heads.len() <= page as usize {
            self.heads.resize(page as usize + 1, 0);
        }
        let before = self.heads[page as usize];
        let last = (before as usize).checked_sub(1).and_then(|last| self.segments.get(last));
        let (count, words) = last.map_or((0, 0), |last| (last.count, last.words));
        if count >= MAX_SEGMENTS || (count > 0 && words as usize + row.len() > most_words) {
            return false;
        }
        let (start, stride) = (self.words.len() as u32, row.len() as u32);
        let (count, words) = (count + 1, words + stride);
        self.segments.push(Segment { page, mask: bit, tick, start, stride, before, count, words });
        self.heads[page as usize] = self.segments.len() as u32;
        self.words.extend_from_slice(row);
        true
    }

    fn clear(&mut self) {
        self.heads.fill(0);
        self.segments.clear();
        self.words.clear();
    }
}

/// Buckets, ascending by tick.
#[derive(Debug, Default)]
pub(crate) struct TickLog {
    buckets: VecDeque<Bucket>,
    spare: Vec<Bucket>,
}

impl TickLog {
    /// A value that was put in at the tick that it is of.
    #[inline]
    pub(crate) fn at(&self, slot: u32, tick: Tick) -> Option<&[u32]> {
        self.buckets.get(self.find(tick).ok()?)?.at(slot, tick, &mut { MAX_STEPS })
    }

    /// A value that was put in after the tick that it is of.
    pub(crate) fn at_later(&self, slot: u32, tick: Tick) -> Option<&[u32]> {
        let first = self.find(tick).unwrap_or_else(|place| place);
        let mut steps = MAX_STEPS;
        // What is looked for has mostly just come.
        self.buckets.range(first..).rev().find_map(|bucket| bucket.at(slot, tick, &mut steps))
    }

    /// The bucket of a tick; a new one where there is none.
    #[inline]
    pub(crate) fn open(&mut self, tick: Tick) -> &mut Bucket {
        let place = match self.find(tick) {
            Ok(place) => place,
            Err(place) => {
                let mut bucket = self.spare.pop().unwrap_or_default();
                bucket.clear();
                bucket.tick = tick;
                self.buckets.insert(place, bucket);
                place
            }
        };
        &mut self.buckets[place]
    }

    pub(crate) fn oldest(&self) -> Option<&Bucket> {
        self.buckets.front()
    }

    pub(crate) fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Lets go of the oldest bucket. Its memory is used again.
    pub(crate) fn drop_oldest(&mut self) {
        if let Some(bucket) = self.buckets.pop_front() {
            self.recycle(bucket);
        }
    }

    /// Takes the oldest bucket out, to be given [back](Self::recycle).
    pub(crate) fn take_oldest(&mut self) -> Option<Bucket> {
        self.buckets.pop_front()
    }

    pub(crate) fn recycle(&mut self, bucket: Bucket) {
        if self.spare.len() < MAX_SPARE {
            self.spare.push(bucket);
        }
    }

    /// Where the bucket of a tick is, or would be.
    #[inline]
    fn find(&self, tick: Tick) -> Result<usize, usize> {
        let Some(newest) = self.buckets.back() else { return Err(0) };
        // Where it is if there is one for every tick.
        let back = newest.tick.get().wrapping_sub(tick.get()) as usize;
        if let Some(place) = (self.buckets.len() - 1).checked_sub(back)
            && self.buckets[place].tick == tick
        {
            return Ok(place);
        }
        let place = self.buckets.partition_point(|bucket| tick.is_newer_than(bucket.tick));
        match self.buckets.get(place) {
            Some(bucket) if bucket.tick == tick => Ok(place),
            _ => Err(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_slot_and_tick() {
        let mut log = TickLog::default();
        for tick in [5, 6, 9] {
            for slot in [0, 3, 31, 32, 70] {
                assert!(log.open(Tick(tick)).put(slot, Tick(tick), &[tick, slot], MAX_PAGE_WORDS));
            }
        }
        assert_eq!(log.at(31, Tick(6)), Some(&[6, 31][..]));
        assert_eq!(log.at(70, Tick(9)), Some(&[9, 70][..]));
        assert!(log.at(1, Tick(6)).is_none() && log.at(0, Tick(7)).is_none() && log.at(500, Tick(5)).is_none());
        log.drop_oldest();
        assert!(log.at(0, Tick(5)).is_none() && log.at(0, Tick(6)).is_some());
        assert!(log.open(Tick(7)).put(2, Tick(7), &[], MAX_PAGE_WORDS));
        assert_eq!(log.at(2, Tick(7)), Some(&[][..]));
        assert_eq!(log.at(32, Tick(9)), Some(&[9, 32][..]));
    }

    #[test]
    fn values_may_come_in_any_order_and_later() {
        let mut log = TickLog::default();
        let bucket = log.open(Tick(8));
        for (slot, tick, row) in [(9, 8, &[1][..]), (3, 8, &[2, 3]), (9, 2, &[4]), (4, 8, &[5, 6])] {
            assert!(bucket.put(slot, Tick(tick), row, MAX_PAGE_WORDS));
        }
        assert_eq!((log.at(9, Tick(8)), log.at(3, Tick(8))), (Some(&[1][..]), Some(&[2, 3][..])));
        assert_eq!((log.at(4, Tick(8)), log.at(9, Tick(2))), (Some(&[5, 6][..]), None));
        assert_eq!(log.at_later(9, Tick(2)), Some(&[4][..]));
    }

    #[test]
    fn what_is_put_in_twice_is_what_came_last() {
        let mut log = TickLog::default();
        log.open(Tick(1)).put(0, Tick(1), &[1], MAX_PAGE_WORDS);
        log.open(Tick(1)).put(0, Tick(1), &[2], MAX_PAGE_WORDS);
        assert_eq!(log.at(0, Tick(1)), Some(&[2][..]));
    }

    #[test]
    fn a_page_has_no_endless_list_of_segments() {
        let mut log = TickLog::default();
        let bucket = log.open(Tick(1));
        let taken = (0..1_000).filter(|_| bucket.put(7, Tick(1), &[0], MAX_PAGE_WORDS)).count();
        assert_eq!(taken, MAX_SEGMENTS as usize);
        let taken = (0..1_000).filter(|_| bucket.put(40, Tick(1), &[0; 1_000], MAX_PAGE_WORDS)).count();
        assert_eq!(taken, 4, "nor one of endlessly many words");
        assert!(bucket.put(70, Tick(1), &[0; 100_000], MAX_PAGE_WORDS), "a single value is never too long");
    }
}
