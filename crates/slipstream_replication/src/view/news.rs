//! News of the tick: what changed, sent at once where nothing has to wait.
//!
//! Page by page in order of slots. A group's records are one run, written once and copied to every connection whose
//! entities are alike; what is in no group follows, entity by entity.

use super::chunk::{ChunkWriter, Outgoing};
use super::group::bits;
use super::index::PAGE;
use super::pack::{Shared, encode};
use super::{Phase, View};
use crate::arena::RunKey;

/// Slots of a page that changed and are in no group: the page's place, and a bit for each.
pub(super) type Leftover = (u32, u32);

impl View {
    /// The pages of a lane in which something changed, as far as this view is concerned: all of them where it sees about as
    /// many, else those that it sees. The cost grows with what is visible, not with what there is.
    pub(super) fn news_in_sight<'a>(&self, changed: &'a [u32], seen: &'a mut Vec<u32>) -> &'a [u32] {
        if changed.len() <= 2 * self.index.pages_in_sight() {
            return changed;
        }
        seen.clear();
        seen.extend(self.index.numbers_in_sight());
        seen.sort_unstable();
        seen
    }

    /// What changed in a lane waits, for want of budget or because not everyone may see it.
    pub(super) fn mark_news(&mut self, lane: usize, pages: &[u32], shared: &mut Shared) {
        for page in pages {
            let mask = shared.news[lane].mask(*page, shared.seal);
            for bit in bits(mask) {
                self.mark(page * PAGE + bit, lane, shared.journal);
            }
        }
    }

    /// Sends a lane's new values at once, in order of slots.
    pub(super) fn send_news(
        &mut self,
        lane: usize,
        pages: &[u32],
        budget_bits: usize,
        leftovers: &mut Vec<Leftover>,
        writer: &mut ChunkWriter,
        shared: &mut Shared,
    ) {
        leftovers.clear();
        for page in pages {
            let changed = shared.news[lane].mask(*page, shared.seal);
            // What must not be seen apart is not sent apart.
            let together = changed & shared.slots.convoys.mask(*page);
            for bit in bits(together) {
                self.mark(page * PAGE + bit, lane, shared.journal);
            }
            let changed = changed & !together;
            let Some(place) = self.index.place(*page).filter(|_| changed != 0) else { continue };
            let fits = writer.bits() < budget_bits;
            let sent = if fits { self.send_group(lane, place, changed, writer, shared) } else { 0 };
            if changed & !sent != 0 {
                leftovers.push((place as u32, changed & !sent));
            }
        }
        for (place, mask) in leftovers.iter() {
            for bit in bits(*mask) {
                self.send_one(lane, *place as usize, bit, budget_bits, writer, shared);
            }
        }
    }

    /// Sends the records of a page's group in one run. Which members were sent: all, or none.
    #[inline]
    fn send_group(
        &mut self,
        lane: usize,
        place: usize,
        changed: u32,
        writer: &mut ChunkWriter,
        shared: &mut Shared,
    ) -> u32 {
        let viewed = &mut self.lanes[lane];
        let unchanged = viewed.group(place).members & !changed;
        viewed.release(place, unchanged, &self.index);
        let group = *viewed.group(place);
        if group.members == 0 {
            return 0;
        }
        let reads_on = shared.continues_motion & (1 << lane) != 0;
        let head = group.state.head(shared.now, shared.now, reads_on, shared.journal.depth());
        let key = RunKey { page: self.index.numbers()[place], members: group.members, lane, head };
        // What has to be kept is kept one by one.
        let run = if group.state.must_pin(shared.journal) {
            None
        } else {
            shared.arena.run(key, shared.journal, shared.registry)
        };
        let written = run.is_some_and(|run| writer.run(key, run, shared.arena.run_words()));
        if !written {
            viewed.release(place, group.members, &self.index);
            return 0;
        }
        viewed.group(place).state.note_sent(shared.now);
        self.stats.records += u64::from(group.members.count_ones());
        group.members
    }

    /// Sends the record of one entity, or lets it wait.
    fn send_one(
        &mut self,
        lane: usize,
        place: usize,
        bit: u32,
        budget_bits: usize,
        writer: &mut ChunkWriter,
        shared: &mut Shared,
    ) {
        let cell = self.index.page(place).cell(bit);
        let Some(dense) = cell.dense() else { return };
        let slot = self.index.numbers()[place] * PAGE + bit;
        let viewed = self.lanes[lane].own(dense, slot, &self.index);
        viewed.keep_baseline((slot, lane), shared.journal);
        if cell.phase != Phase::Known || writer.bits() >= budget_bits {
            viewed.set_pending(true, false);
            if cell.phase != Phase::Frozen {
                self.queue(dense, shared.now);
            }
            return;
        }
        let reads_on = shared.continues_motion & (1 << lane) != 0;
        let head = viewed.head(shared.now, shared.now, reads_on, shared.journal.depth());
        let (head, body) = encode(slot, lane, head, shared);
        let Some(body) = body else { return };
        viewed.note_sent(shared.now);
        self.stats.records += 1;
        let record =
            Outgoing { slot, dense: dense as u32, lane: lane as u8, value: shared.now, head, body, term: None };
        writer.update(&record, shared.arena.words());
        self.lanes[lane].join(dense, slot, place);
    }
}
