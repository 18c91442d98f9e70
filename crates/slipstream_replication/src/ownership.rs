//! What the local peer owns: `Controlled`, and what it sends of it.

use bevy::prelude::*;
use slipstream_connection::{LocalPeer, NetworkRole, Role};
use slipstream_simulation::Controlled;

use crate::confirmation::Confirmations;
use crate::journal::Journal;
use crate::replicated::{OwnedBy, Slot};
use crate::slots::Slots;
use crate::view::View;

fn is_client(role: Option<Res<NetworkRole>>) -> bool {
    role.is_some_and(|role| role.0 == Role::Client)
}

/// On a client, an entity that the local peer owns is `Controlled`.
pub(crate) fn take_control(
    inserted: On<Insert, OwnedBy>,
    owned: Query<(&OwnedBy, Option<&Slot>, Has<Controlled>)>,
    local: Option<Res<LocalPeer>>,
    role: Option<Res<NetworkRole>>,
    mut slots: ResMut<Slots>,
    mut commands: Commands,
) {
    if is_client(role) {
        note_owner(inserted.entity, &owned, local.as_deref(), &mut slots, &mut commands);
    }
}

/// The same when the owner changes in place.
pub(crate) fn follow_ownership(
    changed: Query<Entity, Changed<OwnedBy>>,
    owned: Query<(&OwnedBy, Option<&Slot>, Has<Controlled>)>,
    local: Option<Res<LocalPeer>>,
    role: Option<Res<NetworkRole>>,
    mut slots: ResMut<Slots>,
    mut commands: Commands,
) {
    if is_client(role) {
        for entity in &changed {
            note_owner(entity, &owned, local.as_deref(), &mut slots, &mut commands);
        }
    }
}

fn note_owner(
    entity: Entity,
    owned: &Query<(&OwnedBy, Option<&Slot>, Has<Controlled>)>,
    local: Option<&LocalPeer>,
    slots: &mut Slots,
    commands: &mut Commands,
) {
    let Ok((owner, slot, controlled)) = owned.get(entity) else { return };
    let ours = local.is_some_and(|local| local.0 == owner.peer);
    let mut regained = false;
    if let Some(entry) = slot.and_then(|slot| slots.entries.get_mut(slot.index as usize)) {
        regained = controlled && entry.term != owner.term;
        entry.term = owner.term;
    }
    if ours && regained {
        // It was somebody else's meanwhile: what was said before counts no more, and is said anew.
        commands.entity(entity).try_remove::<Controlled>();
    }
    if ours && (!controlled || regained) {
        commands.entity(entity).try_insert(Controlled);
    } else if !ours && controlled {
        commands.entity(entity).try_remove::<Controlled>();
    }
}

/// On a client, an entity without an owner is nobody's.
pub(crate) fn lose_control(removed: On<Remove, OwnedBy>, role: Option<Res<NetworkRole>>, mut commands: Commands) {
    if is_client(role) {
        commands.entity(removed.entity).try_remove::<Controlled>();
    }
}

/// A client sends what it owns and may send, and begins with what it shows. That counts where it has heard what the server
/// has: what it said in an earlier ownership, which the server never took, gives way to that.
pub(crate) fn send_owned(
    added: On<Add, Controlled>,
    entities: Query<&Slot>,
    role: Option<Res<NetworkRole>>,
    mut journal: ResMut<Journal>,
    mut slots: ResMut<Slots>,
    mut confirmations: ResMut<Confirmations>,
    mut views: Query<&mut View>,
) {
    let Ok(slot) = entities.get(added.entity) else { return };
    if is_client(role) {
        journal.fresh.push(added.entity);
        confirmations.taken.push(slot.index);
        for lane in slots.precedence.lanes() {
            journal.touch(slot.index, *lane);
        }
        // Lost and regained at once: it goes on showing what it shows, until it hears what the server has.
        slots.released.retain(|released| *released != slot.index);
        for mut view in &mut views {
            view.enter(slot.index, slot.generation, true, &mut slots, journal.tick);
        }
    }
}

/// A client stops sending what it no longer owns.
pub(crate) fn stop_sending_owned(
    removed: On<Remove, Controlled>,
    entities: Query<&Slot>,
    role: Option<Res<NetworkRole>>,
    mut journal: ResMut<Journal>,
    mut slots: ResMut<Slots>,
    mut views: Query<&mut View>,
) {
    let Ok(slot) = entities.get(removed.entity) else { return };
    if is_client(role) {
        slots.released.push(slot.index);
        for mut view in &mut views {
            view.drop_entity(slot.index, &mut slots, &mut journal);
        }
    }
}
