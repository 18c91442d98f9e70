//! What interest knows of every slot, and the one question that is asked of it: who sees what.

use bevy::prelude::*;

use super::family::Families;
use super::grid::Grid;
use super::membership::Memberships;
use super::room::Rooms;
use super::{Interest, OnLeave, Relation, Reveal, Team};
use crate::priority::Weights;
use crate::slots::Slots;

/// All slots as interest sees them. Empty on a client.
#[derive(Resource, Debug, Default)]
pub(crate) struct Surroundings {
    /// Entities and connections whose options changed since the last tick.
    pub(super) noted: Vec<Entity>,
    pub(super) families: Families,
    pub(super) rooms: Rooms,
    pub(super) teams: Memberships<Team>,
    /// Roots by their position. `None` without spatial interest.
    pub(super) grid: Option<Grid>,
    /// Slots that came into the grid, and that went out of it, since connections last looked.
    pub(super) appeared: Vec<u32>,
    pub(super) vanished: Vec<u32>,
    /// Slots whose root is gone.
    pub(super) orphaned: Vec<u32>,
    /// How many connections have been noted, ever.
    pub(super) joined: u32,
    /// By slot.
    occupants: Vec<Occupant>,
}

/// The entity in a slot, and what it says of itself.
#[derive(Debug, Clone, Default)]
struct Occupant {
    entity: Option<Entity>,
    on_leave: OnLeave,
    reveal: Option<Reveal>,
}

impl Surroundings {
    /// Whether a connection should see a slot.
    pub(crate) fn sees(&self, slot: u32, connection: Entity, interest: &Interest, slots: &Slots) -> bool {
        self.is_candidate(slot, connection, interest, slots) && interest.passes(slot)
    }

    /// The same, before the game's filters.
    pub(super) fn is_candidate(&self, slot: u32, connection: Entity, interest: &Interest, slots: &Slots) -> bool {
        let root = self.families.root(slot);
        slots.sees(slot, connection, self.same_team(slot, interest))
            && self.rooms.share(slot, root, &interest.rooms)
            && (self.is_near(root, interest) || owns(slot, connection, slots) || owns(root, connection, slots))
    }

    /// What a connection is to the entity in a slot.
    pub(crate) fn relation(&self, slot: u32, connection: Entity, interest: &Interest, slots: &Slots) -> Relation {
        let owner = slots.get(slot).and_then(|entry| entry.owner);
        let same_team = self.same_team(slot, interest);
        let reveal = self.occupants.get(slot as usize).and_then(|occupant| occupant.reveal.as_ref());
        Relation {
            owned: owner == Some(connection),
            same_team,
            revealed: reveal.is_some_and(|reveal| reveal.0.includes(connection, owner, same_team)),
        }
    }

    /// How much more the entity in a slot matters to a connection than another of the same importance: what it owns
    /// most, what is near its viewpoints more than what is far.
    pub(crate) fn weight(
        &self,
        slot: u32,
        connection: Entity,
        interest: &Interest,
        weights: &Weights,
        slots: &Slots,
    ) -> f32 {
        let root = self.families.root(slot);
        if owns(slot, connection, slots) || owns(root, connection, slots) {
            return weights.own;
        }
        let grid = self.grid.as_ref();
        grid.and_then(|grid| interest.sight.nearness(root, grid, weights.nearest)).unwrap_or(1.0)
    }

    /// Whether clients keep the entity in a slot when it goes out of their sight.
    pub(crate) fn freezes(&self, slot: u32) -> bool {
        self.occupants.get(slot as usize).is_some_and(|occupant| occupant.on_leave == OnLeave::Freeze)
    }

    fn same_team(&self, slot: u32, interest: &Interest) -> bool {
        interest.team.is_some_and(|team| self.teams.groups(slot).any(|other| other == team))
    }

    fn is_near(&self, root: u32, interest: &Interest) -> bool {
        self.grid.as_ref().is_none_or(|grid| !grid.contains(root)) || interest.sight.contains(root)
    }

    /// Every connection looks at the slot again, and at what hangs on it.
    pub(super) fn review(&self, slot: u32, slots: &mut Slots) {
        slots.reviewed.push(slot);
        slots.reviewed.extend_from_slice(self.families.members(slot));
    }

    /// Notes what an entity says of itself; whether connections may be told more or less of it than before.
    pub(super) fn describe(&mut self, slot: u32, entity: Entity, on_leave: OnLeave, reveal: Option<&Reveal>) -> bool {
        let index = slot as usize;
        if let Some(before) = self.occupants.get(index).and_then(|occupant| occupant.entity)
            && before != entity
        {
            self.vacate(slot, before);
        }
        if self.occupants.len() <= index {
            self.occupants.resize_with(index + 1, Occupant::default);
        }
        let occupant = &mut self.occupants[index];
        let changed = occupant.reveal.as_ref() != reveal;
        *occupant = Occupant { entity: Some(entity), on_leave, reveal: reveal.cloned() };
        changed
    }

    /// Notes where an entity is, or that its distance does not matter; whether that begins or ceases to matter.
    pub(super) fn place(&mut self, slot: u32, position: Option<Vec3>) -> bool {
        let Some(grid) = &mut self.grid else { return false };
        let (changed, list) = match position {
            Some(position) => (grid.insert(slot, position), &mut self.appeared),
            None => (grid.remove(slot), &mut self.vanished),
        };
        if changed {
            list.push(slot);
        }
        changed
    }

    /// The entity has the slot no longer.
    pub(super) fn vacate(&mut self, slot: u32, entity: Entity) {
        let Some(occupant) = self.occupants.get_mut(slot as usize) else { return };
        if occupant.entity != Some(entity) {
            return;
        }
        *occupant = Occupant::default();
        self.place(slot, None);
        self.rooms.move_slot(slot, &[]);
        self.teams.set(slot, &[]);
        self.families.join(slot, slot);
        self.orphaned.extend(self.families.disband(slot));
        // What is still below it finds another root.
        self.noted.push(entity);
    }
}

/// Distance hides nothing from its owner.
fn owns(slot: u32, connection: Entity, slots: &Slots) -> bool {
    slots.get(slot).is_some_and(|entry| entry.owner == Some(connection))
}
