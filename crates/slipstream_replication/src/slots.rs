//! Slots: dense numbers for replicated entities, handed out again only when nobody can mistake them.

use std::collections::VecDeque;

use bevy::ecs::system::SystemChangeTick;
use bevy::prelude::*;
use slipstream_connection::{Connection, EntityMap, NetworkId, NetworkRole, Role};
use slipstream_simulation::Owner;

use crate::changes::visit_changed;
use crate::convoy::Convoys;
use crate::journal::Journal;
use crate::precedence::Precedence;
use crate::priority::factor;
use crate::replicated::{Importance, OwnedBy, Replicated, Slot, VisibleTo};

/// One slot's entity and what packing asks of it.
#[derive(Debug, Default)]
pub(crate) struct SlotEntry {
    pub(crate) generation: u32,
    /// `None` once despawned, until every connection that knew it has acknowledged that.
    pub(crate) entity: Option<Entity>,
    pub(crate) owner: Option<Entity>,
    /// Which ownership this is, of all that there were.
    pub(crate) term: u32,
    pub(crate) importance: f32,
    pub(crate) visible: VisibleTo,
    /// How many views hold the slot.
    pub(crate) viewers: u32,
    /// The number of the group that the entity is in; 0 where it is in none.
    pub(crate) convoy: u32,
}

/// All slots of this world. On a client it only mirrors what the server announced.
#[derive(Resource, Default)]
pub(crate) struct Slots {
    pub(crate) entries: Vec<SlotEntry>,
    free: VecDeque<u32>,
    /// Slots whose visibility must be looked at again by every view in the next pack.
    pub(crate) reviewed: Vec<u32>,
    /// On a client: slots that the local peer no longer owns, and whose entities may show what it told last.
    pub(crate) released: Vec<u32>,
    /// Ownerships so far.
    terms: u32,
    /// Which connections became owners of which slots, until their inboxes know.
    pub(crate) granted: Vec<(Entity, u32)>,
    /// Groups of entities that no client sees apart.
    pub(crate) convoys: Convoys,
    /// Whose word counts where owners tell.
    pub(crate) precedence: Precedence,
}

impl Slots {
    pub(crate) fn get(&self, slot: u32) -> Option<&SlotEntry> {
        self.entries.get(slot as usize)
    }

    /// Whether `VisibleTo` lets a connection see a slot; the other rules of interest come on top.
    pub(crate) fn sees(&self, slot: u32, connection: Entity, same_team: bool) -> bool {
        self.get(slot)
            .is_some_and(|entry| entry.entity.is_some() && entry.visible.includes(connection, entry.owner, same_team))
    }

    fn allocate(&mut self, entity: Entity) -> Slot {
        let index = self.free.pop_front().unwrap_or_else(|| {
            self.entries.push(SlotEntry::default());
            self.entries.len() as u32 - 1
        });
        let entry = &mut self.entries[index as usize];
        entry.entity = Some(entity);
        entry.owner = None;
        entry.importance = 1.0;
        // Until its own `VisibleTo` is noted: nobody must see for a tick what they should not.
        entry.visible = VisibleTo::Nobody;
        self.reviewed.push(index);
        Slot { index, generation: entry.generation }
    }

    fn retire(&mut self, slot: Slot, journal: &mut Journal) {
        let Some(entry) = self.entries.get_mut(slot.index as usize) else { return };
        if entry.generation != slot.generation || entry.entity.take().is_none() {
            return;
        }
        self.reviewed.push(slot.index);
        self.reuse_if_forgotten(slot.index, journal);
    }

    /// A view dropped the slot: the client acknowledged the despawn, or left.
    pub(crate) fn release(&mut self, slot: u32, journal: &mut Journal) {
        if let Some(entry) = self.entries.get_mut(slot as usize) {
            entry.viewers = entry.viewers.saturating_sub(1);
            self.reuse_if_forgotten(slot, journal);
        }
    }

    fn reuse_if_forgotten(&mut self, slot: u32, journal: &mut Journal) {
        let Some(entry) = self.entries.get_mut(slot as usize) else { return };
        if entry.entity.is_none() && entry.viewers == 0 {
            entry.generation = entry.generation.wrapping_add(1);
            journal.clear_slot(slot);
            self.leave_convoy(slot);
            self.free.push_back(slot);
        }
    }

    /// On a client: the server announced this slot.
    pub(crate) fn mirror(&mut self, slot: u32, generation: u32, entity: Entity) {
        let needed = slot as usize + 1;
        if self.entries.len() < needed {
            self.entries.resize_with(needed, SlotEntry::default);
        }
        self.entries[slot as usize] = SlotEntry { generation, entity: Some(entity), importance: 1.0, ..default() };
    }
}

fn serves(role: Option<Res<NetworkRole>>) -> bool {
    role.is_some_and(|role| role.0 != Role::Client)
}

/// `Replicated` was added on a server: the entity gets a slot.
pub(crate) fn assign_slot(
    added: On<Add, Replicated>,
    role: Option<Res<NetworkRole>>,
    mut slots: ResMut<Slots>,
    mut map: ResMut<EntityMap>,
    mut journal: ResMut<Journal>,
    mut commands: Commands,
) {
    if !serves(role) {
        return;
    }
    journal.fresh.push(added.entity);
    let slot = slots.allocate(added.entity);
    map.insert(NetworkId { slot: slot.index, generation: slot.generation }, added.entity);
    commands.entity(added.entity).insert(slot);
}

/// The entity is despawned, or no longer replicated: its viewers are told.
pub(crate) fn retire_slot(
    removed: On<Remove, Replicated>,
    entities: Query<&Slot>,
    role: Option<Res<NetworkRole>>,
    mut slots: ResMut<Slots>,
    mut journal: ResMut<Journal>,
    mut map: ResMut<EntityMap>,
    mut commands: Commands,
) {
    let Ok(slot) = entities.get(removed.entity) else { return };
    // A client's slots are the server's to give.
    if !serves(role) {
        return;
    }
    slots.retire(*slot, &mut journal);
    map.remove_entity(removed.entity);
    commands.entity(removed.entity).try_remove::<Slot>();
}

/// Copies what packing needs to know of an entity into its slot.
pub(crate) fn note_slot_options(
    tables: Query<(Entity, Ref<Slot>, Ref<Importance>, Ref<VisibleTo>), With<Replicated>>,
    owners: Query<Entity, (With<Replicated>, Or<(Changed<Owner>, Changed<OwnedBy>)>)>,
    options: Query<(&Slot, &Importance, &VisibleTo, Option<&Owner>, Option<&OwnedBy>), With<Replicated>>,
    since: SystemChangeTick,
    mut changed: Local<Vec<Entity>>,
    mut slots: ResMut<Slots>,
) {
    changed.clear();
    changed.extend(&owners);
    for (entities, slots, importances, visibilities) in tables.contiguous_iter().into_iter().flatten() {
        let ticks =
            [slots.changed_ticks_slice(), importances.changed_ticks_slice(), visibilities.changed_ticks_slice()];
        visit_changed(ticks, &since, |row| changed.push(entities[row]));
    }
    let slots = &mut *slots;
    for (slot, importance, visible, owner, owned_by) in changed.iter().filter_map(|entity| options.get(*entity).ok()) {
        let Some(entry) = slots.entries.get_mut(slot.index as usize) else { continue };
        let owner = owner.map(|owner| owner.0);
        let term = owned_by.map_or(entry.term, |owned_by| owned_by.term);
        entry.importance = factor(importance.0);
        if owner.is_some() && (entry.owner != owner || entry.term != term) {
            slots.precedence.begin_term(slot.index);
        }
        if entry.visible != *visible || entry.owner != owner || entry.term != term {
            entry.visible = visible.clone();
            (entry.owner, entry.term) = (owner, term);
            if let Some(owner) = owner {
                slots.granted.push((owner, slot.index));
            }
            slots.reviewed.push(slot.index);
        }
    }
}

/// An entity got an owner: every peer is told which.
pub(crate) fn name_owner(
    inserted: On<Insert, Owner>,
    owners: Query<(&Owner, Option<&OwnedBy>)>,
    connections: Query<&Connection>,
    mut slots: ResMut<Slots>,
    mut commands: Commands,
) {
    let mut entity = commands.entity(inserted.entity);
    let Ok((owner, owned_by)) = owners.get(inserted.entity) else { return };
    match connections.get(owner.0) {
        Ok(connection) if owned_by.is_some_and(|owned_by| owned_by.peer == connection.peer) => {}
        Ok(connection) => {
            slots.terms = slots.terms.wrapping_add(1);
            entity.try_insert(OwnedBy { peer: connection.peer, term: slots.terms });
        }
        // Its owner before is its owner no longer.
        Err(_) => {
            entity.try_remove::<OwnedBy>();
        }
    }
}

/// An entity lost its owner.
pub(crate) fn unname_owner(
    removed: On<Remove, Owner>,
    entities: Query<&Slot>,
    mut slots: ResMut<Slots>,
    mut commands: Commands,
) {
    commands.entity(removed.entity).try_remove::<OwnedBy>();
    if let Ok(slot) = entities.get(removed.entity)
        && let Some(entry) = slots.entries.get_mut(slot.index as usize)
    {
        entry.owner = None;
        slots.reviewed.push(slot.index);
    }
}

/// An entity with a slot is gone, whoever despawned it: its name means nothing here any more.
pub(crate) fn forget_name(removed: On<Remove, Slot>, mut map: ResMut<EntityMap>) {
    map.remove_entity(removed.entity);
}
