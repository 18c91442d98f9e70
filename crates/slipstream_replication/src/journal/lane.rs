//! The values of one lane that somebody may still need.
//!
//! Those of the last ticks stay without being asked for, long enough for an acknowledgement to come back. A view whose
//! baseline grows older than that **pins** it, so a starved connection still gets differences; memory grows with what is in
//! use.

use std::collections::VecDeque;

use bevy::platform::collections::HashMap;
use slipstream_wire::Tick;

use crate::news::News;
use crate::record::{age, parts};
use crate::rows::Rows;
use crate::tick_log::TickLog;
use crate::view::PAGE;

/// The most memory of values kept for others.
const MAX_SPARE: usize = 64;

/// A value that is kept beyond its time.
#[derive(Debug)]
struct Pinned {
    tick: Tick,
    /// How many hold it.
    pins: u32,
    words: Vec<u32>,
}

/// What the journal keeps of one slot.
#[derive(Debug, Clone, Copy, Default)]
struct Newest {
    /// When the lane took its newest value.
    tick: Tick,
    /// Whether it ever took one.
    is_known: bool,
    /// Whether what is present was changed since the last seal.
    is_touched: bool,
}

/// One lane, by slot.
#[derive(Debug, Default)]
pub(crate) struct LaneJournal {
    /// How many components it has.
    parts: usize,
    /// The newest values, with what has changed since the last seal.
    present: Rows,
    newest: Vec<Newest>,
    /// Slots touched since the last seal.
    touched: Vec<u32>,
    /// The values of the last ticks.
    log: TickLog,
    pinned: HashMap<u32, Vec<Pinned>>,
    /// Values that were superseded after they had left the log: acknowledgements of them may still come. Until when.
    superseded: VecDeque<(Tick, u32, Tick)>,
    spare: Vec<Vec<u32>>,
}

impl LaneJournal {
    pub(crate) fn new(parts: usize) -> Self {
        Self { parts, ..Self::default() }
    }

    #[inline]
    pub(crate) fn newest(&self, slot: u32) -> Option<(Tick, &[u32])> {
        let newest = self.newest.get(slot as usize).filter(|newest| newest.is_known)?;
        Some((newest.tick, self.present.get(slot)))
    }

    #[inline]
    pub(crate) fn newest_tick(&self, slot: u32) -> Option<Tick> {
        self.newest.get(slot as usize).filter(|newest| newest.is_known).map(|newest| newest.tick)
    }

    #[inline]
    pub(crate) fn at(&self, slot: u32, tick: Tick) -> Option<&[u32]> {
        if let Some(words) = self.log.at(slot, tick) {
            return Some(words);
        }
        let newest = self.newest.get(slot as usize)?;
        if newest.is_known && newest.tick == tick && !newest.is_touched {
            return Some(self.present.get(slot));
        }
        let pinned = self.pinned.get(&slot)?.iter().find(|pinned| pinned.tick == tick)?;
        Some(&pinned.words)
    }

    /// Keeps a value until it is released. Whether it is still here.
    pub(crate) fn pin(&mut self, slot: u32, tick: Tick) -> bool {
        let known = self.pinned.get_mut(&slot).and_then(|pinned| pinned.iter_mut().find(|pinned| pinned.tick == tick));
        if let Some(known) = known {
            known.pins += 1;
            return true;
        }
        let mut words = self.spare.pop().unwrap_or_default();
        words.clear();
        let Some(found) = self.at(slot, tick) else {
            self.spare.push(words);
            return false;
        };
        words.extend_from_slice(found);
        self.pinned.entry(slot).or_default().push(Pinned { tick, pins: 1, words });
        true
    }

    pub(crate) fn unpin(&mut self, slot: u32, tick: Tick) {
        let Some(pinned) = self.pinned.get_mut(&slot) else { return };
        let Some(place) = pinned.iter().position(|pinned| pinned.tick == tick) else { return };
        pinned[place].pins -= 1;
        if pinned[place].pins > 0 {
            return;
        }
        let gone = pinned.swap_remove(place);
        if pinned.is_empty() {
            self.pinned.remove(&slot);
        }
        if self.spare.len() < MAX_SPARE {
            self.spare.push(gone.words);
        }
    }

    /// Nothing is known of the slot any more.
    pub(crate) fn clear(&mut self, slot: u32) {
        self.present.clear(slot);
        if let Some(newest) = self.newest.get_mut(slot as usize) {
            newest.is_known = false;
        }
        self.pinned.remove(&slot);
        // Should the slot be used again, its values have other ticks.
    }

    /// One component's words, as they were noted last.
    #[inline]
    pub(crate) fn part(&self, slot: u32, part: usize) -> Option<&[u32]> {
        parts(self.present.get(slot)).nth(part).flatten()
    }

    /// Notes one component's new words, at `now`. Whether they are others than before.
    #[inline]
    pub(crate) fn note(
        &mut self,
        slot: u32,
        part: usize,
        words: Option<&[u32]>,
        (now, depth): (Tick, u32),
        scratch: &mut Vec<u32>,
    ) -> bool {
        let before = self.present.get(slot);
        if parts(before).nth(part).flatten() == words {
            return false;
        }
        scratch.clear();
        let mut others = parts(before);
        for index in 0..self.parts {
            let other = others.next().flatten();
            match if index == part { words } else { other } {
                Some(words) => {
                    scratch.push(words.len() as u32 + 1);
                    scratch.extend_from_slice(words);
                }
                None => scratch.push(0),
            }
        }
        self.touch(slot, now, depth);
        self.present.set(slot, scratch);
        true
    }

    /// The lane takes a value with the next seal, be it the one that it has.
    #[inline]
    pub(crate) fn touch(&mut self, slot: u32, now: Tick, depth: u32) {
        let index = slot as usize;
        if self.newest.len() <= index {
            self.newest.resize(index + 1, Newest::default());
        }
        let newest = self.newest[index];
        if newest.is_touched {
            return;
        }
        if newest.is_known && age(now, newest.tick) >= depth - depth / 4 && self.pin(slot, newest.tick) {
            self.superseded.push_back((now + depth, slot, newest.tick));
        }
        self.newest[index].is_touched = true;
        self.touched.push(slot);
    }

    /// Turns what was touched into values of tick `now`, and lets go of what is `depth` ticks old.
    pub(crate) fn seal(&mut self, now: Tick, depth: u32, seal: u64, news: &mut News) {
        news.clear();
        while let Some((until, slot, tick)) = self.superseded.front().copied()
            && !until.is_newer_than(now)
        {
            self.superseded.pop_front();
            self.unpin(slot, tick);
        }
        while self.log.oldest().is_some_and(|oldest| age(now, oldest.tick) >= depth) {
            self.log.drop_oldest();
        }
        for slot in self.touched.drain(..) {
            let newest = &mut self.newest[slot as usize];
            newest.is_touched = false;
            // Nothing where nothing was: the entity is gone from the slot, or came and went within the tick.
            if !newest.is_known && self.present.get(slot).iter().all(|length| *length == 0) {
                continue;
            }
            (newest.tick, newest.is_known) = (now, true);
            news.add(slot, seal);
        }
        if news.count == 0 {
            return;
        }
        news.pages.sort_unstable();
        let bucket = self.log.open(now);
        for page in &news.pages {
            let mut mask = news.mask(*page, seal);
            while mask != 0 {
                let slot = page * PAGE + mask.trailing_zeros();
                mask &= mask - 1;
                bucket.put(slot, now, self.present.get(slot), usize::MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPTH: u32 = 4;

    /// Takes `words` at `tick`.
    fn take(lane: &mut LaneJournal, news: &mut News, tick: u32, words: Option<&[u32]>) {
        lane.note(3, 0, words, (Tick(tick), DEPTH), &mut Vec::new());
        lane.seal(Tick(tick), DEPTH, u64::from(tick), news);
    }

    #[test]
    fn a_value_lives_while_it_is_recent_or_pinned() {
        let (mut lane, mut news) = (LaneJournal::new(1), News::default());
        for tick in 1..=3 {
            take(&mut lane, &mut news, tick, Some(&[tick]));
        }
        assert!(lane.pin(3, Tick(1)) && lane.pin(3, Tick(1)));
        for tick in 4..=10 {
            take(&mut lane, &mut news, tick, Some(&[tick]));
        }
        assert_eq!(lane.at(3, Tick(1)), Some(&[2, 1][..]));
        assert!(lane.at(3, Tick(6)).is_none() && lane.at(3, Tick(7)).is_some());
        lane.unpin(3, Tick(1));
        assert!(lane.at(3, Tick(1)).is_some());
        lane.unpin(3, Tick(1));
        assert!(lane.at(3, Tick(1)).is_none() && !lane.pin(3, Tick(1)));
        assert_eq!(lane.newest(3), Some((Tick(10), &[2, 10][..])));
    }

    #[test]
    fn a_value_that_stood_for_long_is_kept_a_while_when_it_is_superseded() {
        let (mut lane, mut news) = (LaneJournal::new(1), News::default());
        take(&mut lane, &mut news, 1, Some(&[1]));
        take(&mut lane, &mut news, 100, Some(&[1]));
        assert_eq!(lane.newest_tick(3), Some(Tick(1)), "nothing changed");
        assert!(lane.at(3, Tick(1)).is_some());
        take(&mut lane, &mut news, 101, Some(&[2]));
        assert_eq!(lane.at(3, Tick(1)), Some(&[2, 1][..]));
        assert!(lane.pin(3, Tick(1)));
        take(&mut lane, &mut news, 101 + DEPTH, Some(&[3]));
        assert!(lane.at(3, Tick(1)).is_some(), "it is pinned");
        lane.unpin(3, Tick(1));
        assert!(lane.at(3, Tick(1)).is_none());
    }

    #[test]
    fn components_of_a_lane_change_apart() {
        let (mut lane, mut news, mut scratch) = (LaneJournal::new(2), News::default(), Vec::new());
        let at = (Tick(1), DEPTH);
        lane.note(0, 1, Some(&[5, 6]), at, &mut scratch);
        lane.note(0, 0, Some(&[]), at, &mut scratch);
        lane.note(0, 1, None, at, &mut scratch);
        lane.seal(Tick(1), DEPTH, 1, &mut news);
        assert_eq!(lane.newest(0), Some((Tick(1), &[1, 0][..])));
        assert_eq!((news.count, news.mask(0, 1)), (1, 1));
        lane.note(0, 0, Some(&[]), (Tick(2), DEPTH), &mut scratch);
        lane.seal(Tick(2), DEPTH, 2, &mut news);
        assert_eq!(news.count, 0);
        lane.note(7, 1, None, (Tick(2), DEPTH), &mut scratch);
        assert!(lane.newest(7).is_none());
    }

    #[test]
    fn a_cleared_slot_knows_nothing() {
        let (mut lane, mut news) = (LaneJournal::new(1), News::default());
        take(&mut lane, &mut news, 1, Some(&[1]));
        lane.clear(3);
        take(&mut lane, &mut news, 2, None);
        assert!(lane.newest(3).is_none() && news.count == 0);
    }
}
