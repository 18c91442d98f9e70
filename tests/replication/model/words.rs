//! What owners say: it goes to the server, and from there to everyone else. What the server says of it wins.

use std::collections::{HashMap, HashSet};

use bevy_slipstream::prelude::*;

use super::glimpse::Glimpses;

/// Every value of `Steer`, and whose it is.
#[derive(Default)]
pub struct Words {
    /// What clients said while they took themselves for the owner, and what they knew then of what the server had said.
    said: HashMap<(PeerId, NetworkId, i32), Option<i32>>,
    /// Which of the server's own words a client showed last.
    known: HashMap<(PeerId, NetworkId), i32>,
    heard: HashMap<NetworkId, Heard>,
}

/// One entity on the server.
#[derive(Default)]
struct Heard {
    /// At the tick before: by that, the server judges what comes in.
    owner: Option<PeerId>,
    /// At the tick before.
    word: Option<i32>,
    /// All that it ever was.
    values: HashSet<i32>,
}

impl Words {
    pub fn note_said(&mut self, speaker: PeerId, id: NetworkId, word: i32) {
        let known = self.known.get(&(speaker, id)).copied();
        self.said.insert((speaker, id, word), known);
    }

    /// The server has this now: what it did not say itself was said by who owned the entity, knowing what it had said.
    pub fn note(&mut self, truth: &Glimpses, server_words: &HashSet<i32>) -> Result<(), String> {
        for (id, glimpse) in truth {
            let Some(word) = glimpse.steer else { continue };
            let heard = self.heard.entry(*id).or_default();
            let before = heard.word.replace(word);
            let owner = core::mem::replace(&mut heard.owner, glimpse.owner);
            heard.values.insert(word);
            if before == Some(word) || server_words.contains(&word) {
                continue;
            }
            let said = owner.and_then(|owner| self.said.get(&(owner, *id, word)));
            let Some(known) = said else {
                return Err(format!("the server took the word {word} of {id:?}, which {owner:?} never said of it"));
            };
            if let Some(before) = before.filter(|before| server_words.contains(before))
                && *known != Some(before)
            {
                return Err(format!(
                    "the server took the word {word} of {id:?}, of an owner who knew {known:?} and not its own {before}"
                ));
            }
        }
        Ok(())
    }

    /// A client shows this: what it said itself, or what the server had.
    pub fn check(&mut self, peer: PeerId, seen: &Glimpses, server_words: &HashSet<i32>) -> Result<(), String> {
        for (id, glimpse) in seen {
            let Some(word) = glimpse.steer else { continue };
            let was_heard = self.heard.get(id).is_some_and(|heard| heard.values.contains(&word));
            if !was_heard && !self.said.contains_key(&(peer, *id, word)) {
                return Err(format!("it shows the word {word} of {id:?}, which the server never had"));
            }
            if server_words.contains(&word) {
                self.known.insert((peer, *id), word);
            }
        }
        Ok(())
    }

    /// Nobody shows what is gone.
    pub fn forget(&mut self, truth: &Glimpses) {
        self.heard.retain(|id, _| truth.contains_key(id));
        self.known.retain(|(_, id), _| truth.contains_key(id));
        self.said.retain(|(_, id, _), _| truth.contains_key(id));
    }
}
