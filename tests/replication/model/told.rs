//! What a client may have been told of one entity, lane by lane.

use bevy_slipstream::prelude::*;

use super::glimpse::Glimpse;

/// The states of one lane, in their order.
#[derive(Debug, Default)]
struct Past<T> {
    states: Vec<T>,
    /// The one that was shown last.
    shown: usize,
}

impl<T: Copy + PartialEq> Past<T> {
    /// The server has this state now.
    fn note(&mut self, state: T) {
        if self.states.last() != Some(&state) {
            self.states.push(state);
        }
    }

    /// A client shows this state: whether it is the one that it showed before, or a later one.
    ///
    /// The earliest that will do is taken: what follows then always follows, where it may.
    fn shows(&mut self, state: T) -> bool {
        let later = self.states.iter().skip(self.shown).position(|had| *had == state);
        self.shown += later.unwrap_or_default();
        later.is_some()
    }

    /// Only what the server has now may be shown from here on.
    fn forget(&mut self) {
        self.states.drain(..self.states.len().saturating_sub(1));
        self.shown = 0;
    }
}

/// One entity, at the ticks at which the client saw it.
#[derive(Debug, Default)]
pub struct Told {
    health: Past<Option<u32>>,
    burning: Past<bool>,
    /// Of two components: a pair is had or not had as a whole.
    hands: Past<(Option<u32>, Option<u32>)>,
    /// By its stamp.
    place: Past<Option<u32>>,
    /// At the ticks at which the client owned the entity.
    secret: Past<Option<u32>>,
    target: Past<Option<Option<NetworkId>>>,
    parent: Past<Option<NetworkId>>,
    owner: Past<Option<PeerId>>,
}

impl Told {
    /// The server has this, and the client sees it.
    pub fn note(&mut self, truth: &Glimpse, owned: bool) {
        self.health.note(truth.health);
        self.burning.note(truth.burning);
        self.hands.note(truth.hands);
        self.place.note(truth.place.map(|place| place.stamp));
        if owned {
            self.secret.note(truth.secret);
        }
        self.target.note(truth.target);
        self.parent.note(truth.parent);
        self.owner.note(truth.owner);
    }

    /// The lane in which a client shows what it was not told, if there is one.
    pub fn wrong(&mut self, seen: &Glimpse) -> Option<&'static str> {
        let lanes = [
            ("health", self.health.shows(seen.health)),
            ("burning", self.burning.shows(seen.burning)),
            ("hands", self.hands.shows(seen.hands)),
            ("place", self.place.shows(seen.place.map(|place| place.stamp))),
            ("place, within its error,", seen.place.is_none_or(|place| place.is_true())),
            // It is not for everyone.
            ("secret", seen.secret.is_none() || self.secret.shows(seen.secret)),
            // The other end may be out of sight.
            ("target", seen.target == Some(None) || self.target.shows(seen.target)),
            ("parent", seen.parent.is_none() || self.parent.shows(seen.parent)),
            ("owner", self.owner.shows(seen.owner)),
        ];
        lanes.into_iter().find(|(_, was_told)| !was_told).map(|(lane, _)| lane)
    }

    /// The client shows what is true now. Of what is secret it may keep what it was told as the owner.
    pub fn forget(&mut self) {
        self.health.forget();
        self.burning.forget();
        self.hands.forget();
        self.place.forget();
        self.target.forget();
        self.parent.forget();
        self.owner.forget();
    }
}
