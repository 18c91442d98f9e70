//! What was received of one lane, by slot.
//!
//! Values come tick by tick in the order of slots, and so they are kept ([`TickLog`]): until the sender can't name them any
//! more. What must be kept for longer than its bucket is, is kept apart.

use bevy::platform::collections::HashMap;
use slipstream_wire::Tick;

use super::slots::Place;
use crate::rows::Rows;
use crate::tick_log::{Bucket, MAX_PAGE_WORDS, TickLog};

/// How long a value stays after the sender named a newer baseline: datagrams may be reordered by so much.
const REORDER_TICKS: i32 = 32;
/// Ticks between two looks at what is named.
const LOOK_TICKS: i32 = REORDER_TICKS / 2;
/// So many ticks pass before it is asked whether a bucket can go.
const BUCKET_TICKS: i32 = 48;
/// The most buckets: two seconds and more. Who is farther away has values kept apart.
const MAX_BUCKETS: usize = 128;
/// The most values kept apart of one slot.
const MAX_KEPT: usize = 64;
/// The most memory of them kept for others.
const MAX_SPARE: usize = 256;

/// What one slot shows, and what the sender named.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// The tick of what the entity shows.
    applied: Option<Tick>,
    /// The oldest value that the sender named last; it names none before it in what it writes later.
    named: Option<Tick>,
    /// The same when was looked the last times, the last of them at least [`REORDER_TICKS`] ago.
    was_named: [Option<Tick>; 3],
}

impl State {
    /// Whether the sender can't name a value any more, not even in a datagram that was overtaken.
    #[inline]
    fn is_past(&self, tick: Tick) -> bool {
        self.was_named[2].is_some_and(|named| named.is_newer_than(tick))
    }
}

/// A value that outlived its bucket.
#[derive(Debug)]
struct Kept {
    tick: Tick,
    words: Vec<u32>,
}

/// Values that the sender may still refer to, by slot and tick, and those that the entities show.
#[derive(Debug, Default)]
pub(crate) struct LaneInbox {
    log: TickLog,
    shown: Rows,
    states: Vec<State>,
    kept: HashMap<u32, Vec<Kept>>,
    spare: Vec<Vec<u32>>,
    /// The tick of the chunk that was read last.
    now: Option<Tick>,
    /// When was last looked what is named.
    looked: Option<Tick>,
}

impl LaneInbox {
    /// The value of a slot at a tick, while it is kept.
    #[inline]
    pub(crate) fn at(&self, place: Place, tick: Tick) -> Option<&[u32]> {
        if let Some(words) = self.log.at(place.position, tick) {
            return Some(words);
        }
        if self.applied(place) == Some(tick) {
            return Some(self.shown.get(place.dense));
        }
        if !self.kept.is_empty()
            && let Some(kept) = self.kept.get(&place.dense)
            && let Some(kept) = kept.iter().find(|kept| kept.tick == tick)
        {
            return Some(&kept.words);
        }
        self.log.at_later(place.position, tick)
    }

    /// The tick of what the entity shows.
    #[inline]
    pub(crate) fn applied(&self, place: Place) -> Option<Tick> {
        self.states.get(place.dense as usize).and_then(|state| state.applied)
    }

    /// What the entity shows.
    #[inline]
    pub(crate) fn shown(&self, place: Place) -> &[u32] {
        self.shown.get(place.dense)
    }

    /// The entity shows this value from here on.
    #[inline]
    pub(crate) fn show(&mut self, place: Place, tick: Tick, words: &[u32]) {
        self.keep_shown(place);
        self.state(place).applied = Some(tick);
        self.shown.set(place.dense, words);
    }

    /// The slot shows nothing any more. A datagram that was overtaken may still name what it showed.
    pub(crate) fn clear_shown(&mut self, place: Place) {
        self.keep_shown(place);
        if let Some(state) = self.states.get_mut(place.dense as usize) {
            state.applied = None;
        }
        self.shown.clear(place.dense);
    }

    /// Keeps apart what is shown, where it is nowhere else and may still be named.
    #[inline]
    fn keep_shown(&mut self, place: Place) {
        let Some(state) = self.states.get(place.dense as usize) else { return };
        if let Some(tick) = state.applied
            && !state.is_past(tick)
            && self.log.at(place.position, tick).is_none()
            && self.log.at_later(place.position, tick).is_none()
        {
            let mut kept = self.spare.pop().unwrap_or_default();
            kept.clear();
            kept.extend_from_slice(self.shown.get(place.dense));
            self.keep(place.dense, tick, kept);
        }
    }

    /// Nothing is known of the slot any more.
    pub(crate) fn forget(&mut self, place: Place) {
        if let Some(state) = self.states.get_mut(place.dense as usize) {
            *state = State::default();
        }
        self.shown.clear(place.dense);
        self.kept.remove(&place.dense);
    }

    /// Keeps a value of a chunk of tick `now`. `oldest` is the oldest value that the record named: none before it will be
    /// named in chunks written later. `dense` says where a position's slot is.
    #[inline]
    pub(crate) fn store(
        &mut self,
        now: Tick,
        place: Place,
        tick: Tick,
        words: &[u32],
        oldest: Option<Tick>,
        dense: impl Fn(u32) -> Option<u32>,
    ) {
        if self.now.replace(now) != Some(now) {
            self.turn(now, dense);
        }
        let state = self.state(place);
        if let Some(oldest) = oldest
            && state.named.is_none_or(|named| oldest.is_newer_than(named))
        {
            state.named = Some(oldest);
        }
        if self.at(place, tick).is_some() {
            return;
        }
        if !self.log.open(now).put(place.position, tick, words, MAX_PAGE_WORDS) {
            let mut kept = self.spare.pop().unwrap_or_default();
            kept.clear();
            kept.extend_from_slice(words);
            self.keep(place.dense, tick, kept);
        }
    }

    #[inline]
    fn state(&mut self, place: Place) -> &mut State {
        let index = place.dense as usize;
        if self.states.len() <= index {
            self.states.resize(index + 1, State::default());
        }
        &mut self.states[index]
    }

    /// Keeps a value apart.
    fn keep(&mut self, dense: u32, tick: Tick, words: Vec<u32>) {
        let kept = self.kept.entry(dense).or_default();
        if kept.len() >= MAX_KEPT {
            kept.remove(0);
        }
        kept.push(Kept { tick, words });
    }

    /// A chunk of another tick: what can't be named any more goes.
    fn turn(&mut self, now: Tick, dense: impl Fn(u32) -> Option<u32>) {
        if self.looked.is_none_or(|looked| now.since(looked) >= LOOK_TICKS) {
            self.looked = Some(now);
            for state in &mut self.states {
                state.was_named = [state.named, state.was_named[0], state.was_named[1]];
            }
            self.drop_past();
        }
        while let Some(oldest) = self.log.oldest() {
            let may_go = now.since(oldest.tick) >= BUCKET_TICKS && self.is_hardly_needed(oldest, &dense);
            if self.log.len() < MAX_BUCKETS && !may_go {
                break;
            }
            let Some(bucket) = self.log.take_oldest() else { break };
            for (dense, tick, words) in needed(&bucket, &self.states, &dense) {
                let mut kept = self.spare.pop().unwrap_or_default();
                kept.clear();
                kept.extend_from_slice(words);
                let values = self.kept.entry(dense).or_default();
                if values.len() < MAX_KEPT {
                    values.push(Kept { tick, words: kept });
                }
            }
            self.log.recycle(bucket);
        }
    }

    /// Whether few of a bucket's values would have to be kept apart.
    fn is_hardly_needed(&self, bucket: &Bucket, dense: &impl Fn(u32) -> Option<u32>) -> bool {
        let all: u32 = bucket.segments().iter().map(|segment| segment.mask.count_ones()).sum();
        needed(bucket, &self.states, dense).take(all as usize / 4 + 2).count() <= all as usize / 4
    }

    /// Lets go of what was kept apart and is past.
    fn drop_past(&mut self) {
        let (states, spare) = (&self.states, &mut self.spare);
        self.kept.retain(|dense, values| {
            let state = states.get(*dense as usize).copied().unwrap_or_default();
            let mut index = 0;
            while let Some(value) = values.get(index) {
                if !state.is_past(value.tick) {
                    index += 1;
                    continue;
                }
                let gone = values.remove(index);
                if spare.len() < MAX_SPARE {
                    spare.push(gone.words);
                }
            }
            !values.is_empty()
        });
    }
}

/// The values of a bucket that may still be named and are not shown: dense index, tick and words.
fn needed<'a>(
    bucket: &'a Bucket,
    states: &'a [State],
    dense: &'a impl Fn(u32) -> Option<u32>,
) -> impl Iterator<Item = (u32, Tick, &'a [u32])> {
    bucket.values().filter_map(|(position, tick, words)| {
        let dense = dense(position)?;
        let state = states.get(dense as usize)?;
        (!state.is_past(tick) && state.applied != Some(tick)).then_some((dense, tick, words))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { position: 37, dense: 2 };

    fn dense(position: u32) -> Option<u32> {
        (position == PLACE.position).then_some(PLACE.dense)
    }

    fn store(inbox: &mut LaneInbox, now: u32, tick: u32, oldest: Option<u32>) {
        inbox.store(Tick(now), PLACE, Tick(tick), &[tick], oldest.map(Tick), dense);
    }

    fn has(inbox: &LaneInbox, tick: u32) -> bool {
        let found = inbox.at(PLACE, Tick(tick));
        assert!(found.is_none_or(|words| words == [tick]));
        found.is_some()
    }

    #[test]
    fn values_stay_while_they_may_be_named() {
        let mut inbox = LaneInbox::default();
        for tick in 1..=3 {
            store(&mut inbox, tick, tick, None);
        }
        store(&mut inbox, 10, 10, Some(3));
        assert!(has(&inbox, 1) && has(&inbox, 2) && has(&inbox, 3));
        for tick in 11..40 {
            store(&mut inbox, tick, tick, Some(3));
        }
        assert!(has(&inbox, 1), "a late chunk may still name it");
        for tick in 40..400 {
            store(&mut inbox, tick, tick, Some(3));
        }
        assert!(!has(&inbox, 2) && has(&inbox, 3) && has(&inbox, 390), "3 is the baseline yet");
        for tick in 400..600 {
            store(&mut inbox, tick, tick, Some(tick - 6));
        }
        assert!(!has(&inbox, 3) && !has(&inbox, 500) && has(&inbox, 593));
        assert!(inbox.kept.is_empty() && inbox.log.len() < 100, "{} buckets", inbox.log.len());
    }

    #[test]
    fn late_values_take_their_place() {
        let mut inbox = LaneInbox::default();
        for tick in [5, 3, 4, 4, 9] {
            store(&mut inbox, tick, tick, None);
        }
        store(&mut inbox, 9, 7, None);
        assert!([3, 4, 5, 7, 9].into_iter().all(|tick| has(&inbox, tick)) && !has(&inbox, 6));
    }

    #[test]
    fn what_is_shown_stays_though_its_bucket_goes() {
        let mut inbox = LaneInbox::default();
        store(&mut inbox, 1, 1, None);
        inbox.show(PLACE, Tick(1), &[1]);
        let other = Place { position: 3, dense: 0 };
        for tick in 2..200 {
            inbox.store(Tick(tick), other, Tick(tick), &[0], Some(Tick(tick - 1)), |position| {
                dense(position).or(Some(0))
            });
        }
        assert!(has(&inbox, 1) && inbox.kept.is_empty());
        store(&mut inbox, 200, 200, Some(1));
        inbox.show(PLACE, Tick(200), &[200]);
        assert!(has(&inbox, 1) && has(&inbox, 200), "a copy of a chunk may name the baseline again");
        inbox.clear_shown(PLACE);
        assert_eq!((inbox.applied(PLACE), inbox.shown(PLACE)), (None, &[][..]));
        assert!(has(&inbox, 1) && has(&inbox, 200), "it is gone, and was overtaken by its going");
    }

    #[test]
    fn a_sender_that_names_nothing_cannot_fill_the_memory() {
        let mut inbox = LaneInbox::default();
        for tick in 0..2_000 {
            store(&mut inbox, tick, tick, None);
        }
        assert!(inbox.log.len() <= MAX_BUCKETS && inbox.kept.values().all(|kept| kept.len() <= MAX_KEPT));
        // Nor one that says its chunks in any order.
        for tick in 0..2_000_u32 {
            store(&mut inbox, tick.wrapping_mul(0x9e37_79b9), tick, None);
        }
        assert!(inbox.log.len() <= MAX_BUCKETS && inbox.kept.values().all(|kept| kept.len() <= MAX_KEPT));
    }
}
