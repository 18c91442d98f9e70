//! What one connection knows of one lane of one entity.

use slipstream_wire::Tick;

use crate::journal::Journal;
use crate::record::{Head, age};

/// A motion is measured over up to so many ticks: over a single one, half a step of error counts most.
const EARLIER_EVERY: u32 = 4;

const HAS_BASELINE: u8 = 1;
const HAS_EARLIER: u8 = 2;
const HAS_SENT: u8 = 4;
const IS_PENDING: u8 = 8;
const IS_LOST: u8 = 16;
const IS_PINNED: u8 = 32;
const IS_CALLED: u8 = 64;

/// Ticks of values rather than values: which of the lane's versions the other side has, and which was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ViewedLane {
    /// The newest value the other side has decoded and stored.
    baseline: Tick,
    /// An older one that it has too.
    earlier: Tick,
    /// The newest value sent.
    sent: Tick,
    flags: u8,
}

impl ViewedLane {
    #[inline]
    fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    #[inline]
    fn put(&mut self, flag: u8, value: bool) {
        self.flags = if value { self.flags | flag } else { self.flags & !flag };
    }

    pub(crate) fn baseline(self) -> Option<Tick> {
        self.has(HAS_BASELINE).then_some(self.baseline)
    }

    pub(crate) fn sent(self) -> Option<Tick> {
        self.has(HAS_SENT).then_some(self.sent)
    }

    /// The newest value is not on its way.
    #[inline]
    pub(crate) fn is_pending(self) -> bool {
        self.has(IS_PENDING)
    }

    /// The pending value was sent before and lost.
    pub(crate) fn is_lost(self) -> bool {
        self.has(IS_LOST)
    }

    /// Its rate has let the pending value go, which it does until it went.
    pub(crate) fn is_called(self) -> bool {
        self.has(IS_CALLED)
    }

    /// The turn of a lane that is not sent in every tick has come.
    pub(crate) fn call(&mut self) {
        self.put(IS_CALLED, self.is_pending());
    }

    /// There is a value that the other side must be sent.
    #[inline]
    pub(crate) fn set_pending(&mut self, pending: bool, lost: bool) {
        self.put(IS_PENDING, pending);
        self.put(IS_LOST, lost);
        if !pending {
            self.put(IS_CALLED, false);
        }
    }

    /// There is nothing for the other side any more, and what was sent last need not have arrived.
    pub(crate) fn withdraw(&mut self) {
        self.flags &= !(HAS_SENT | IS_PENDING | IS_LOST | IS_CALLED);
    }

    /// A value is on its way. Whether it was lost before.
    #[inline]
    pub(crate) fn note_sent(&mut self, value: Tick) -> bool {
        let repeated = self.has(IS_LOST);
        self.sent = value;
        self.flags = (self.flags | HAS_SENT) & !(IS_PENDING | IS_LOST | IS_CALLED);
        repeated
    }

    /// Whether it is as plain as what many have in common: sent, known to the other side, nothing special.
    #[inline]
    pub(crate) fn may_join(self) -> bool {
        self.flags & !HAS_EARLIER == HAS_BASELINE | HAS_SENT
    }

    /// Whether the baseline is so old that it would soon be let go of, and not pinned yet.
    #[inline]
    pub(crate) fn must_pin(self, journal: &Journal) -> bool {
        HAS_BASELINE == self.flags & (HAS_BASELINE | IS_PINNED)
            && age(journal.tick, self.baseline) >= journal.depth() / 2
    }

    /// How a record of `value` is coded for this connection at `now`.
    #[inline]
    pub(crate) fn head(self, value: Tick, now: Tick, continues_motion: bool, depth: u32) -> Head {
        let value_age = age(now, value);
        if !self.has(HAS_BASELINE) || !value.is_newer_than(self.baseline) {
            return Head { value_age, ..Head::default() };
        }
        // The earlier value is not pinned, so it must be young enough to be there.
        let earlier = continues_motion && self.has(HAS_EARLIER) && age(now, self.earlier) < depth;
        Head {
            value_age,
            baseline_age: age(value, self.baseline),
            earlier_age: if earlier { age(self.baseline, self.earlier) } else { 0 },
        }
    }

    /// The other side has a value: it is the baseline from here on, if it is newer and still kept here.
    #[inline]
    pub(crate) fn confirm(&mut self, value: Tick, place: (u32, usize), journal: &mut Journal) {
        if self.has(HAS_BASELINE) && !value.is_newer_than(self.baseline) {
            return;
        }
        if age(journal.tick, value) >= journal.depth() && journal.at(place.0, place.1, value).is_none() {
            return;
        }
        if self.has(HAS_BASELINE) {
            if self.has(IS_PINNED) {
                self.unpin(place, journal);
            }
            // Connections that acknowledge alike take the same ones, and so share their records.
            if !self.has(HAS_EARLIER) || self.baseline.get().is_multiple_of(EARLIER_EVERY) {
                self.earlier = self.baseline;
                self.flags |= HAS_EARLIER;
            }
        }
        self.baseline = value;
        self.flags |= HAS_BASELINE;
    }

    /// Keeps the baseline, where it is so old that it would soon be let go of.
    #[inline]
    pub(crate) fn keep_baseline(&mut self, place: (u32, usize), journal: &mut Journal) {
        if self.must_pin(journal) {
            self.pin(place, journal);
        }
    }

    #[cold]
    fn pin(&mut self, (slot, lane): (u32, usize), journal: &mut Journal) {
        let kept = journal.pin(slot, lane, self.baseline);
        self.put(IS_PINNED, kept);
        self.put(HAS_BASELINE, kept);
    }

    #[cold]
    fn unpin(&mut self, (slot, lane): (u32, usize), journal: &mut Journal) {
        self.put(IS_PINNED, false);
        journal.unpin(slot, lane, self.baseline);
    }

    /// Nothing that was sent counts any more.
    pub(crate) fn forget_baseline(&mut self, place: (u32, usize), journal: &mut Journal) {
        if self.has(IS_PINNED) {
            self.unpin(place, journal);
        }
        self.flags &= !(HAS_BASELINE | HAS_EARLIER | HAS_SENT);
    }
}
