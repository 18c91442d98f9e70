//! What was received of one lane of one entity.

use std::collections::VecDeque;

use slipstream_wire::Tick;

/// How long a value stays after the sender named a newer baseline: datagrams may be reordered by so much.
const REORDER_TICKS: i32 = 32;
/// The most values kept of one lane.
const MAX_VALUES: usize = 512;
/// The most memory of them kept for others.
const MAX_SPARE: usize = 8;

#[derive(Debug)]
struct StoredValue {
    tick: Tick,
    words: Vec<u32>,
    /// The tick of the chunk that named a newer baseline.
    superseded: Tick,
}

/// Values that the sender may still refer to, by tick, and the one that the entity shows.
#[derive(Debug, Default)]
pub(crate) struct LaneInbox {
    values: VecDeque<StoredValue>,
    /// So many values, from the oldest on, are superseded.
    superseded: usize,
    /// Memory of values that were let go of: several go at once where the sender names an older value every few ticks.
    spare: Vec<Vec<u32>>,
    /// The tick of what the entity shows.
    pub(crate) applied: Option<Tick>,
    /// What the entity shows.
    pub(crate) shown: Vec<u32>,
}

impl LaneInbox {
    #[inline]
    pub(crate) fn at(&self, tick: Tick) -> Option<&[u32]> {
        // Where it is if every tick brought one.
        let newest = self.values.back()?;
        let likely = (self.values.len() - 1).checked_sub(newest.tick.get().wrapping_sub(tick.get()) as usize);
        if let Some(value) = likely.and_then(|index| self.values.get(index))
            && value.tick == tick
        {
            return Some(&value.words);
        }
        self.values.iter().rev().find(|value| value.tick == tick).map(|value| value.words.as_slice())
    }

    /// Keeps a value of a chunk of tick `now`. `oldest` is the oldest value that the record named: none before it will be
    /// named in chunks written later.
    pub(crate) fn store(&mut self, now: Tick, tick: Tick, words: &[u32], oldest: Option<Tick>) {
        if let Some(oldest) = oldest {
            while let Some(value) = self.values.get_mut(self.superseded)
                && oldest.is_newer_than(value.tick)
            {
                value.superseded = now;
                self.superseded += 1;
            }
        }
        while self.superseded > 0
            && self.values.front().is_some_and(|value| now.since(value.superseded) > REORDER_TICKS)
        {
            if let Some(gone) = self.values.pop_front()
                && self.spare.len() < MAX_SPARE
            {
                self.spare.push(gone.words);
            }
            self.superseded -= 1;
        }
        let place = self.values.iter().rposition(|value| !value.tick.is_newer_than(tick));
        if place.is_some_and(|index| self.values.get(index).is_some_and(|value| value.tick == tick)) {
            return;
        }
        let place = place.map_or(0, |index| index + 1);
        let mut kept = self.spare.pop().unwrap_or_default();
        kept.clear();
        kept.extend_from_slice(words);
        let value = StoredValue { tick, words: kept, superseded: now };
        if place == self.values.len() {
            self.values.push_back(value);
        } else {
            self.values.insert(place, value);
            // Among superseded ones it is one of them.
            self.superseded += usize::from(place < self.superseded);
        }
        if self.values.len() > MAX_VALUES {
            self.values.pop_front();
            self.superseded = self.superseded.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(inbox: &LaneInbox) -> Vec<u32> {
        inbox.values.iter().map(|value| value.tick.get()).collect()
    }

    #[test]
    fn values_stay_while_they_may_be_named() {
        let mut inbox = LaneInbox::default();
        for tick in 1..=3 {
            inbox.store(Tick(tick), Tick(tick), &[tick], None);
        }
        inbox.store(Tick(10), Tick(10), &[10], Some(Tick(3)));
        assert_eq!(ticks(&inbox), [1, 2, 3, 10], "a late chunk may still name 1");
        inbox.store(Tick(9), Tick(2), &[2], Some(Tick(1)));
        inbox.store(Tick(50), Tick(50), &[50], Some(Tick(3)));
        assert_eq!(ticks(&inbox), [3, 10, 50]);
        assert_eq!(inbox.at(Tick(10)), Some(&[10][..]));
    }

    #[test]
    fn late_values_take_their_place() {
        let mut inbox = LaneInbox::default();
        for tick in [5, 3, 4, 4, 9] {
            inbox.store(Tick(tick), Tick(tick), &[tick], None);
        }
        assert_eq!(ticks(&inbox), [3, 4, 5, 9]);
    }

    #[test]
    fn a_sender_that_names_nothing_cannot_fill_the_memory() {
        let mut inbox = LaneInbox::default();
        for tick in 0..2_000 {
            inbox.store(Tick(tick), Tick(tick), &[tick], None);
        }
        assert_eq!(inbox.values.len(), MAX_VALUES);
    }
}
