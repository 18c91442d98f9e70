//! What owners say: it goes to the server, and from there to everyone else.

use std::collections::{HashMap, HashSet};

use bevy_slipstream::prelude::*;

use super::glimpse::Glimpses;

/// Every value of `Steer`, and whose it is.
#[derive(Default)]
pub struct Words {
    /// What clients said while they took themselves for the owner.
    said: HashSet<(PeerId, NetworkId, i32)>,
    heard: HashMap<NetworkId, Heard>,
}

/// One entity on the server.
#[derive(Default)]
struct Heard {
    /// At the tick before: by that, the server judges what comes in.
    owner: Option<PeerId>,
    /// All that it ever was.
    values: HashSet<i32>,
}

impl Words {
    pub fn note_said(&mut self, speaker: PeerId, id: NetworkId, word: i32) {
        self.said.insert((speaker, id, word));
    }

    /// The server has this now: what is new was said by who owned the entity.
    pub fn note(&mut self, truth: &Glimpses) -> Result<(), String> {
        for (id, glimpse) in truth {
            let Some(word) = glimpse.steer else { continue };
            let heard = self.heard.entry(*id).or_default();
            let is_first = heard.values.is_empty();
            let is_new = heard.values.insert(word);
            let was_said = heard.owner.is_some_and(|owner| self.said.contains(&(owner, *id, word)));
            if is_new && !is_first && !was_said {
                let owner = heard.owner;
                return Err(format!("the server took the word {word} of {id:?}, which {owner:?} never said of it"));
            }
            heard.owner = glimpse.owner;
        }
        Ok(())
    }

    /// A client shows this: what it said itself, or what the server had.
    pub fn check(&self, peer: PeerId, seen: &Glimpses) -> Result<(), String> {
        for (id, glimpse) in seen {
            let Some(word) = glimpse.steer else { continue };
            let was_heard = self.heard.get(id).is_some_and(|heard| heard.values.contains(&word));
            if !was_heard && !self.said.contains(&(peer, *id, word)) {
                return Err(format!("it shows the word {word} of {id:?}, which the server never had"));
            }
        }
        Ok(())
    }

    /// Nobody shows what is gone.
    pub fn forget(&mut self, truth: &Glimpses) {
        self.heard.retain(|id, _| truth.contains_key(id));
        self.said.retain(|(_, id, _)| truth.contains_key(id));
    }
}
