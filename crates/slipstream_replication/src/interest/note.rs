//! Noting what the game says of entities and connections: observers remember whom it is about, and once a tick that is read.

use bevy::prelude::*;
use slipstream_connection::NetworkRole;

use super::{AlwaysRelevant, InRooms, Interest, OnLeave, Reveal, Surroundings, Team};
use crate::replicated::Slot;
use crate::slots::Slots;
use crate::stable_id::StableId;

/// Something was said of an entity or a connection, or it is new.
pub(super) fn note_inserted(
    inserted: On<Insert, (Slot, Interest, ChildOf, InRooms, Team, OnLeave, StableId, Reveal, AlwaysRelevant)>,
    role: Option<Res<NetworkRole>>,
    mut surroundings: ResMut<Surroundings>,
) {
    if role.is_some_and(|role| role.serves()) {
        surroundings.noted.push(inserted.entity);
    }
}

/// Something that was said of it counts no longer.
pub(super) fn note_removed(
    removed: On<Remove, (ChildOf, InRooms, Team, OnLeave, StableId, Reveal, AlwaysRelevant)>,
    role: Option<Res<NetworkRole>>,
    mut surroundings: ResMut<Surroundings>,
) {
    if role.is_some_and(|role| role.serves()) {
        surroundings.noted.push(removed.entity);
    }
}

/// An entity is gone, or replicated no longer.
pub(super) fn vacate_slot(removed: On<Remove, Slot>, slots: Query<&Slot>, mut surroundings: ResMut<Surroundings>) {
    if let Ok(slot) = slots.get(removed.entity) {
        surroundings.vacate(slot.index(), removed.entity);
    }
}

/// Reads what was noted since the last tick, and lists the slots that must be looked at again because of it.
pub(super) fn note_entities(
    entities: Query<(
        &Slot,
        Option<&Transform>,
        Option<&InRooms>,
        Option<&Team>,
        Option<&OnLeave>,
        Has<StableId>,
        Option<&Reveal>,
        Has<AlwaysRelevant>,
    )>,
    mut connections: Query<(&mut Interest, Option<&InRooms>, Option<&Team>)>,
    parents: Query<&ChildOf>,
    children: Query<&Children>,
    mut surroundings: ResMut<Surroundings>,
    mut slots: ResMut<Slots>,
) {
    let (surroundings, slots) = (&mut *surroundings, &mut *slots);
    for (mut interest, ..) in &mut connections {
        interest.reviewed.clear();
    }
    // What hangs on an entity whose owner changed may come into the owner's sight with it.
    for position in 0..slots.reviewed.len() {
        let slot = slots.reviewed[position];
        slots.reviewed.extend_from_slice(surroundings.families.members(slot));
    }
    slots.reviewed.append(&mut surroundings.orphaned);
    let mut noted = core::mem::take(&mut surroundings.noted);
    noted.sort_unstable();
    noted.dedup();
    for entity in noted {
        if let Ok((mut interest, rooms, team)) = connections.get_mut(entity) {
            let rooms = rooms.map(InRooms::rooms).unwrap_or_default();
            note_connection(entity, &mut interest, rooms, team.copied(), surroundings);
        }
        // Its descendants may have another root now.
        for entity in core::iter::once(entity).chain(children.iter_descendants(entity)) {
            let Ok((slot, transform, rooms, team, on_leave, stable, reveal, always)) = entities.get(entity) else {
                continue;
            };
            let slot = slot.index();
            // What clients have by themselves is not theirs to despawn because they look away.
            let on_leave = if stable { OnLeave::Freeze } else { on_leave.copied().unwrap_or_default() };
            let described = surroundings.describe(slot, entity, on_leave, reveal);
            let root = root_of(entity, &parents);
            let root_slot = match entities.get(root) {
                Ok((root_slot, ..)) if root != entity => root_slot.index(),
                _ => slot,
            };
            let regrouped = surroundings.families.join(slot, root_slot);
            let position = transform.filter(|_| root == entity && !always).map(|transform| transform.translation);
            let placed = surroundings.place(slot, position);
            let teamed = surroundings.teams.set(slot, team.map(core::slice::from_ref).unwrap_or_default());
            if described || regrouped || placed || teamed {
                surroundings.review(slot, slots);
            }
            let rooms = rooms.map(InRooms::rooms).unwrap_or_default();
            if let Some(before) = surroundings.rooms.move_slot(slot, rooms) {
                review_move(slot, &before, rooms, &mut connections, surroundings, slots);
            }
        }
    }
}

/// The topmost ancestor.
pub(super) fn root_of(entity: Entity, parents: &Query<&ChildOf>) -> Entity {
    let mut root = entity;
    while let Ok(child) = parents.get(root) {
        root = child.parent();
    }
    root
}

/// A connection changed rooms or its team, or is new: it looks again at the entities that this is about.
fn note_connection(
    connection: Entity,
    interest: &mut Interest,
    rooms: &[Entity],
    team: Option<Team>,
    surroundings: &mut Surroundings,
) {
    interest.phase.get_or_insert_with(|| {
        surroundings.joined = surroundings.joined.wrapping_add(1);
        surroundings.joined
    });
    for room in surroundings.rooms.move_connection(connection, &interest.rooms, rooms) {
        for slot in surroundings.rooms.slots(room) {
            interest.reviewed.push(*slot);
            interest.reviewed.extend_from_slice(surroundings.families.members(*slot));
        }
    }
    interest.rooms.clear();
    interest.rooms.extend_from_slice(rooms);
    if interest.team != team {
        for team in [interest.team, team].into_iter().flatten() {
            interest.reviewed.extend_from_slice(surroundings.teams.slots(team));
        }
        interest.team = team;
    }
}

/// A slot changed rooms: the connections there look again, or all where it was or is for everybody.
fn review_move(
    slot: u32,
    before: &[Entity],
    after: &[Entity],
    connections: &mut Query<(&mut Interest, Option<&InRooms>, Option<&Team>)>,
    surroundings: &Surroundings,
    slots: &mut Slots,
) {
    if before.is_empty() || after.is_empty() {
        surroundings.review(slot, slots);
        return;
    }
    for connection in before.iter().chain(after).flat_map(|room| surroundings.rooms.connections(*room)) {
        if let Ok((mut interest, ..)) = connections.get_mut(*connection) {
            interest.reviewed.push(slot);
            interest.reviewed.extend_from_slice(surroundings.families.members(slot));
        }
    }
}
