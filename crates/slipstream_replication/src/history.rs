//! The values of one lane of one entity that somebody may still need.
//!
//! Values of the last [`depth`](crate::journal::Journal::depth) versions stay without being asked for, long enough for an
//! acknowledgement to come back. A view whose baseline grows older than that **pins** it, so a starved connection still
//! gets differences; memory grows with what is in use.

use std::collections::VecDeque;

use slipstream_wire::Tick;

/// A lane's value at the tick at which it took it.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) tick: Tick,
    pub(crate) words: Vec<u32>,
    /// How many views hold it as an old baseline.
    pins: u32,
}

/// The newest value, those shortly before it, and every older one that is pinned. Oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    versions: VecDeque<Version>,
}

impl History {
    #[inline]
    pub(crate) fn newest(&self) -> Option<&Version> {
        self.versions.back()
    }

    #[inline]
    pub(crate) fn at(&self, tick: Tick) -> Option<&Version> {
        // Where it is if the lane changed in every tick.
        let newest = self.versions.back()?;
        let likely = (self.versions.len() - 1).checked_sub(newest.tick.get().wrapping_sub(tick.get()) as usize);
        if let Some(version) = likely.and_then(|index| self.versions.get(index))
            && version.tick == tick
        {
            return Some(version);
        }
        self.versions.iter().rev().find(|version| version.tick == tick)
    }

    /// Adds a value and lets go of what lies more than `depth` versions back. The memory of what goes is used again.
    pub(crate) fn push(&mut self, tick: Tick, words: &[u32], depth: usize) {
        if let Some(last) = self.versions.back_mut()
            && last.tick == tick
        {
            // Two ticks can't share a number; a journal that runs twice in one is a restart of the clock.
            last.words.clear();
            last.words.extend_from_slice(words);
            return;
        }
        let spare = if self.versions.len() >= depth.max(1) { self.take_oldest() } else { None };
        let mut version = spare.unwrap_or_else(|| Version { tick, words: Vec::new(), pins: 0 });
        version.tick = tick;
        version.words.clear();
        version.words.extend_from_slice(words);
        self.versions.push_back(version);
    }

    /// The oldest value that nobody has pinned, but for the newest.
    fn take_oldest(&mut self) -> Option<Version> {
        let index = self.versions.iter().position(|version| version.pins == 0)?;
        if index + 1 >= self.versions.len() { None } else { self.versions.remove(index) }
    }

    /// Keeps a value until it is released. Whether it is still here.
    pub(crate) fn pin(&mut self, tick: Tick) -> bool {
        let version = self.versions.iter_mut().find(|version| version.tick == tick);
        if let Some(version) = version {
            version.pins += 1;
            return true;
        }
        false
    }

    pub(crate) fn unpin(&mut self, tick: Tick) {
        if let Some(version) = self.versions.iter_mut().find(|version| version.tick == tick) {
            version.pins = version.pins.saturating_sub(1);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.versions.clear();
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.versions.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lives_while_it_is_recent_or_pinned() {
        let mut history = History::default();
        for tick in 1..=3 {
            history.push(Tick(tick), &[tick], 3);
        }
        assert!(history.pin(Tick(1)));
        for tick in 4..=10 {
            history.push(Tick(tick), &[tick], 3);
        }
        assert_eq!(history.len(), 3);
        assert_eq!(history.at(Tick(1)).map(|version| version.words.clone()), Some(vec![1]));
        assert!(history.at(Tick(8)).is_none() && history.at(Tick(9)).is_some());
        history.unpin(Tick(1));
        history.push(Tick(11), &[11], 3);
        assert!(history.at(Tick(1)).is_none());
        assert!(!history.pin(Tick(1)));
        assert_eq!(history.newest().map(|version| version.tick), Some(Tick(11)));
    }

    #[test]
    fn the_newest_is_always_kept() {
        let mut history = History::default();
        for tick in 1..=4 {
            history.push(Tick(tick), &[], 1);
            history.pin(Tick(tick));
        }
        assert_eq!(history.len(), 4);
    }
}
