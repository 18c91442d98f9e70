//! The values of one lane of one entity that somebody may still need.

use std::collections::VecDeque;
use std::sync::Arc;

use slipstream_wire::Tick;

/// A lane's value at the tick at which it took it, and how many views refer to it as baseline or in flight.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) tick: Tick,
    pub(crate) words: Arc<[u32]>,
    references: u32,
}

/// The newest value and every older one that is referred to.
///
/// A value lives exactly as long as a connection may be sent a difference from it, so a starved connection still gets
/// differences, and memory grows with what is in use.
#[derive(Debug, Default)]
pub(crate) struct History {
    versions: VecDeque<Version>,
    /// The tick for which `encoded` holds.
    encoded_at: Tick,
    /// Where this tick's record stands in the arena: by baseline, (first bit, bits).
    encoded: Vec<(Option<Tick>, usize, usize)>,
}

impl History {
    pub(crate) fn newest(&self) -> Option<&Version> {
        self.versions.back()
    }

    pub(crate) fn at(&self, tick: Tick) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.tick == tick)
    }

    pub(crate) fn push(&mut self, tick: Tick, words: &[u32]) {
        if let Some(last) = self.versions.back_mut() {
            if last.tick == tick {
                // Two ticks can't share a number; a journal that runs twice in one is a restart of the clock.
                last.words = Arc::from(words);
                return;
            }
            if last.references == 0 {
                self.versions.pop_back();
            }
        }
        self.versions.push_back(Version { tick, words: Arc::from(words), references: 0 });
    }

    pub(crate) fn retain(&mut self, tick: Tick) {
        if let Some(version) = self.versions.iter_mut().rev().find(|version| version.tick == tick) {
            version.references += 1;
        }
    }

    pub(crate) fn release(&mut self, tick: Tick) {
        let newest = self.versions.len().saturating_sub(1);
        let Some(index) = self.versions.iter().position(|version| version.tick == tick) else { return };
        let version = &mut self.versions[index];
        version.references = version.references.saturating_sub(1);
        if version.references == 0 && index != newest {
            self.versions.remove(index);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.versions.clear();
        self.encoded.clear();
    }

    /// This tick's encoded record against `baseline`, if a view asked for it before.
    pub(crate) fn encoded(&self, now: Tick, baseline: Option<Tick>) -> Option<(usize, usize)> {
        if self.encoded_at != now {
            return None;
        }
        self.encoded.iter().find(|(tick, ..)| *tick == baseline).map(|(_, start, bits)| (*start, *bits))
    }

    pub(crate) fn note_encoded(&mut self, now: Tick, baseline: Option<Tick>, start: usize, bits: usize) {
        if self.encoded_at != now {
            self.encoded_at = now;
            self.encoded.clear();
        }
        self.encoded.push((baseline, start, bits));
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
    fn a_value_lives_as_long_as_it_is_referred_to() {
        let mut history = History::default();
        history.push(Tick(1), &[1]);
        history.retain(Tick(1));
        history.push(Tick(2), &[2]);
        history.push(Tick(3), &[3]);
        assert_eq!(history.len(), 2, "tick 2 was never sent, so it is not kept");
        history.release(Tick(1));
        assert_eq!(history.len(), 1);
        history.retain(Tick(3));
        history.release(Tick(3));
        assert_eq!(history.newest().map(|version| version.tick), Some(Tick(3)), "the newest is always kept");
    }
}
