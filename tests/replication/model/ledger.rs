//! What one client should see, and what it may show meanwhile.

use std::collections::{BTreeSet, HashMap};

use bevy::prelude::*;
use bevy_slipstream::prelude::*;

use super::glimpse::{Glimpse, Glimpses};
use super::sight::sees;
use super::told::Told;

pub struct Ledger {
    /// On the server.
    pub connection: Entity,
    pub peer: PeerId,
    in_sight: BTreeSet<NetworkId>,
    told: HashMap<NetworkId, Told>,
}

impl Ledger {
    pub fn new(connection: Entity, peer: PeerId) -> Self {
        Self { connection, peer, in_sight: BTreeSet::new(), told: HashMap::new() }
    }

    /// The server has this now.
    pub fn note(&mut self, world: &World, truth: &Glimpses) {
        self.in_sight.clear();
        for (id, glimpse) in truth {
            if sees(world, self.connection, glimpse.entity) {
                self.in_sight.insert(*id);
                self.told.entry(*id).or_default().note(glimpse, glimpse.owner == Some(self.peer));
            }
        }
    }

    /// The client shows this now.
    pub fn check(&mut self, seen: &Glimpses) -> Result<(), String> {
        for (id, glimpse) in seen {
            let Some(told) = self.told.get_mut(id) else {
                return Err(format!("it shows what it should never have seen, {id:?}: {glimpse:?}"));
            };
            if let Some(lane) = told.wrong(glimpse) {
                return Err(format!("the {lane} of {id:?} was not told or is older: {glimpse:?} of {told:#?}"));
            }
            if glimpse.controlled != (glimpse.owner == Some(self.peer)) {
                return Err(format!("control of {id:?} is not with its owner: {glimpse:?}"));
            }
        }
        Ok(())
    }

    /// Where the client does not show what it should see, now that it has had the time.
    pub fn differences(&self, truth: &Glimpses, seen: &Glimpses) -> Vec<String> {
        let mut found = Vec::new();
        for (id, truth) in truth.iter().filter(|(id, _)| self.in_sight.contains(id)) {
            let Some(seen) = seen.get(id) else {
                found.push(format!("{id:?} is missing: {truth:?}"));
                continue;
            };
            let expected = self.expected(truth, seen);
            if *seen != expected {
                found.push(format!("{id:?} is {seen:?} instead of {expected:?}"));
            }
        }
        let ghosts = seen.iter().filter(|(id, _)| !self.in_sight.contains(id));
        found.extend(ghosts.map(|(id, glimpse)| format!("{id:?} is still there: {glimpse:?}")));
        found
    }

    /// What of the truth this client should see, where that is not `seen` already.
    fn expected(&self, truth: &Glimpse, seen: &Glimpse) -> Glimpse {
        let owned = truth.owner == Some(self.peer);
        let place = match (truth.place, seen.place) {
            (Some(truth), Some(seen)) if truth.stamp == seen.stamp && seen.is_true() => Some(seen),
            (truth, _) => truth,
        };
        Glimpse {
            entity: seen.entity,
            place,
            // Who owned it once may keep what it was told then.
            secret: if owned { truth.secret } else { seen.secret },
            target: truth.target.map(|target| target.filter(|target| self.in_sight.contains(target))),
            parent: truth.parent.filter(|parent| self.in_sight.contains(parent)),
            controlled: owned,
            ..*truth
        }
    }

    /// The client shows what it should see, and nothing of before may be shown again.
    pub fn forget(&mut self) {
        self.told.retain(|id, _| self.in_sight.contains(id));
        for told in self.told.values_mut() {
            told.forget();
        }
    }
}
