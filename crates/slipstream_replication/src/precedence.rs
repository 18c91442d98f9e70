//! Who has the last word on what an owner tells.
//!
//! Two write such a lane: the owner, and now and then the server, which teleports, corrects, refuses, or gives the entity to
//! somebody else. Their words cross on the line. One rule decides:
//!
//! > **A word of the owner counts if, when it was written, the owner had the server's newest word of that lane.**
//!
//! ```text
//!           server                                   owner
//! word T ── changed by the server ────────╮   ╭──── word of its tick 40, written without knowing T
//!           Spoken, then Told(T)          ╰───│───►  shows T, whatever it showed; its tick is 41
//!           it does not count  ◄──────────────╯ ╭─── "I have T; what I write after 41 is about it"
//!           Heard(41)          ◄────────────────╯╭── word of its tick 42
//!           it counts          ◄─────────────────╯
//! ```
//!
//! The server's words are: what its own systems changed, what a validator corrected or refused, and what there was when the
//! ownership began or the entity came into the owner's sight. Each has the tick at which it was said. As long as the owner
//! has not [confirmed](crate::confirmation) the newest, it is sent that lane like everyone else, and what it tells is kept
//! but not heeded. From then on everything that the owner wrote earlier is void, and everything later counts: the server's
//! word has won for good, and no word that was written on top of it is lost.

use slipstream_wire::Tick;

use crate::journal::Journal;
use crate::record::age;
use crate::registry::{Direction, Registry};

/// How server and owner stand with one lane of one entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Standing {
    /// The server has said nothing of it.
    #[default]
    Open,
    /// The server has said something, in a tick that is not over.
    Spoken,
    /// The server's word is of this tick, and the owner has not said that it has it.
    Told(Tick),
    /// The owner has the server's word: what it wrote after this tick of its own counts.
    Heard(Tick),
}

#[derive(Debug, Clone, Copy, Default)]
struct Ground {
    standing: Standing,
    /// The newest value that the owner told in this term, heeded or not.
    newest: Option<Tick>,
    /// When the lane took a word that counts, of either side.
    settled: Tick,
}

/// On a server: how it stands with the owners, by lane and slot. On a client, only which lanes owners tell.
#[derive(Debug, Default)]
pub(crate) struct Precedence {
    /// The lanes of which owners tell, ascending.
    lanes: Vec<usize>,
    /// By lane, empty where the server tells it; then by slot.
    grounds: Vec<Vec<Ground>>,
    /// Where the server has spoken in a tick that is not over.
    spoken: Vec<(u32, usize)>,
    /// Slots that got another owner in this tick.
    begun: Vec<u32>,
}

impl Precedence {
    pub(crate) fn shape(&mut self, registry: &Registry) {
        let lanes = registry.lanes.iter().enumerate();
        let from_owners = lanes.filter(|(_, lane)| lane.options.direction == Direction::FromOwner);
        self.lanes = from_owners.map(|(index, _)| index).collect();
        self.grounds = registry.lanes.iter().map(|_| Vec::new()).collect();
    }

    /// The lanes of which owners tell, ascending.
    pub(crate) fn lanes(&self) -> &[usize] {
        &self.lanes
    }

    fn ground(&self, slot: u32, lane: usize) -> Ground {
        self.grounds.get(lane).and_then(|grounds| grounds.get(slot as usize)).copied().unwrap_or_default()
    }

    /// Of a slot that exists, and a lane of which owners tell.
    fn ground_mut(&mut self, slot: u32, lane: usize) -> Option<&mut Ground> {
        let grounds = self.grounds.get_mut(lane)?;
        if grounds.len() <= slot as usize {
            grounds.resize(slot as usize + 1, Ground::default());
        }
        grounds.get_mut(slot as usize)
    }

    /// The entity in a slot has another owner: it begins with what there is.
    pub(crate) fn begin_term(&mut self, slot: u32) {
        self.begun.push(slot);
    }

    /// Before a tick is sealed: what new owners find is said to them.
    pub(crate) fn begin_terms(&mut self, journal: &mut Journal) {
        let mut begun = core::mem::take(&mut self.begun);
        let lanes = core::mem::take(&mut self.lanes);
        for slot in begun.drain(..) {
            for lane in &lanes {
                journal.say_again(slot, *lane);
                if let Some(ground) = self.ground_mut(slot, *lane) {
                    // Another owner counts its ticks from elsewhere.
                    ground.newest = None;
                }
            }
        }
        (self.begun, self.lanes) = (begun, lanes);
    }

    /// The server has said something of these slots and lanes. No word of an owner that has come counts from here on.
    pub(crate) fn take_in(&mut self, spoken: &mut Vec<(u32, usize)>) {
        for (slot, lane) in spoken.drain(..) {
            if let Some(ground) = self.ground_mut(slot, lane) {
                ground.standing = Standing::Spoken;
                self.spoken.push((slot, lane));
            }
        }
    }

    /// After a tick is sealed: what the server said in it is of its tick.
    pub(crate) fn date(&mut self, journal: &mut Journal) {
        self.take_in(&mut journal.spoken);
        let mut spoken = core::mem::take(&mut self.spoken);
        for (slot, lane) in spoken.drain(..) {
            let newest = journal.newest_tick(slot, lane);
            if let Some(ground) = self.ground_mut(slot, lane) {
                // Of what the entity never had there is nothing to say.
                ground.standing = newest.map_or(Standing::Open, Standing::Told);
                ground.settled = journal.tick;
            }
        }
        self.spoken = spoken;
    }

    /// The entity comes into its owner's sight, perhaps again: what it told of the one that it had before is void.
    pub(crate) fn tell_anew(&mut self, slot: u32, journal: &Journal) {
        for index in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get(index).copied() else { continue };
            if let Some(ground) = self.ground_mut(slot, lane)
                && ground.standing != Standing::Spoken
            {
                ground.standing = journal.newest_tick(slot, lane).map_or(Standing::Open, Standing::Told);
            }
        }
    }

    /// Whether the owner has to be told a lane which it tells itself: it has not got the server's newest word.
    #[inline]
    pub(crate) fn is_telling(&self, slot: u32, lane: usize) -> bool {
        matches!(self.ground(slot, lane).standing, Standing::Spoken | Standing::Told(_))
    }

    /// The owner has told a value of its tick `value`.
    pub(crate) fn note_claim(&mut self, slot: u32, lane: usize, value: Tick) {
        if let Some(ground) = self.ground_mut(slot, lane)
            && ground.newest.is_none_or(|newest| value.is_newer_than(newest))
        {
            ground.newest = Some(value);
        }
    }

    /// Whether that value counts: no newer one has come, and it was written on top of the server's newest word.
    pub(crate) fn counts(&self, slot: u32, lane: usize, value: Tick) -> bool {
        let ground = self.ground(slot, lane);
        let on_top = match ground.standing {
            Standing::Open => true,
            Standing::Spoken | Standing::Told(_) => false,
            Standing::Heard(since) => value.is_newer_than(since),
        };
        on_top && ground.newest == Some(value)
    }

    /// The owner says that it has the server's word of tick `word`, and that what it writes after its own tick `since` is
    /// about that. Which value that it has told already counts now.
    pub(crate) fn hear(&mut self, slot: u32, lane: usize, word: Tick, since: Tick) -> Option<Tick> {
        // Of a slot that was never owned there is nothing, and nothing is made for whoever says so.
        let ground = self.grounds.get_mut(lane)?.get_mut(slot as usize)?;
        if ground.standing != Standing::Told(word) {
            return None;
        }
        ground.standing = Standing::Heard(since);
        ground.newest.filter(|newest| newest.is_newer_than(since))
    }

    /// A word of the owner was taken at `now`.
    pub(crate) fn settle(&mut self, slot: u32, lane: usize, now: Tick) {
        if let Some(ground) = self.ground_mut(slot, lane) {
            ground.settled = now;
        }
    }

    /// Ticks since the lane last took a word that counts.
    pub(crate) fn ticks_since_settled(&self, slot: u32, lane: usize, now: Tick) -> u32 {
        age(now, self.ground(slot, lane).settled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: u32 = 3;
    const LANE: usize = 1;

    /// Lane 1 is the owner's to tell.
    fn precedence() -> Precedence {
        Precedence { lanes: vec![LANE], grounds: vec![Vec::new(), Vec::new()], ..Precedence::default() }
    }

    fn told(at: u32) -> Precedence {
        let mut precedence = precedence();
        precedence.ground_mut(SLOT, LANE).expect("the lane is there").standing = Standing::Told(Tick(at));
        precedence
    }

    /// Whether a value of the owner's tick counts once it has come.
    fn claim(precedence: &mut Precedence, value: u32) -> bool {
        precedence.note_claim(SLOT, LANE, Tick(value));
        precedence.counts(SLOT, LANE, Tick(value))
    }

    #[test]
    fn where_the_server_said_nothing_the_owners_newest_word_counts() {
        let mut precedence = precedence();
        assert!(claim(&mut precedence, 5) && claim(&mut precedence, 7));
        assert!(!claim(&mut precedence, 6), "7 has come");
        assert!(!precedence.is_telling(SLOT, LANE));
    }

    #[test]
    fn a_word_that_crossed_the_servers_is_void_and_the_next_counts() {
        let mut precedence = told(100);
        assert!(precedence.is_telling(SLOT, LANE));
        assert!(!claim(&mut precedence, 40), "written before the owner had heard");
        assert_eq!(precedence.hear(SLOT, LANE, Tick(100), Tick(41)), None);
        assert!(!precedence.is_telling(SLOT, LANE));
        assert!(!precedence.counts(SLOT, LANE, Tick(40)) && !claim(&mut precedence, 41));
        assert!(claim(&mut precedence, 42));
    }

    #[test]
    fn a_word_that_overtook_the_confirmation_counts_when_that_comes() {
        let mut precedence = told(100);
        assert!(!claim(&mut precedence, 42));
        assert_eq!(precedence.hear(SLOT, LANE, Tick(100), Tick(41)), Some(Tick(42)));
        assert!(precedence.counts(SLOT, LANE, Tick(42)));
    }

    #[test]
    fn to_have_heard_an_older_word_is_not_enough() {
        let mut precedence = told(100);
        assert_eq!(precedence.hear(SLOT, LANE, Tick(90), Tick(41)), None);
        assert!(!claim(&mut precedence, 50) && precedence.is_telling(SLOT, LANE));
        precedence.take_in(&mut vec![(SLOT, LANE)]);
        assert_eq!(precedence.hear(SLOT, LANE, Tick(100), Tick(41)), None, "the server has spoken again");
    }

    #[test]
    fn who_hears_of_what_does_not_exist_takes_no_memory() {
        let mut precedence = precedence();
        assert_eq!(precedence.hear(u32::MAX, LANE, Tick(1), Tick(1)), None);
        assert_eq!(precedence.hear(SLOT, usize::MAX, Tick(1), Tick(1)), None);
        assert!(precedence.grounds.iter().all(Vec::is_empty));
    }
}
