//! Entities that a client has by itself, as replicated ones: taken by their [`StableId`], kept when a connection ends.

use bevy::ecs::entity::EntityHashSet;
use bevy::platform::collections::HashMap;
use bevy::prelude::*;
use slipstream_connection::{EntityMap, NetworkId, NetworkRole, Role};
use slipstream_simulation::Controlled;

use crate::apply::{components_of, despawn, let_go, put_anew, put_back, resolve_references, take_incoming};
use crate::codec::ResolveEntities;
use crate::incoming::{Change, Incoming};
use crate::interest::Frozen;
use crate::journal::Journal;
use crate::record::parts;
use crate::registry::{ComponentCodec, Direction, Registry};
use crate::replicated::{OwnedBy, Remote, Slot};
use crate::slots::Slots;
use crate::stable_id::{Adopted, StableEntities, StableId, local_of};

/// The lane in which ids travel.
fn id_lane(world: &World) -> Option<usize> {
    let component = world.get_resource::<ComponentCodec<StableId>>()?.component;
    world.resource::<Registry>().components.get(component).map(|entry| entry.lane)
}

/// The id that a lane's value says.
fn read_id(world: &World, lane: usize, words: &[u32]) -> Option<StableId> {
    let codec = world.get_resource::<ComponentCodec<StableId>>()?;
    let lane = world.resource::<Registry>().lanes.get(lane)?;
    let place = lane.components.iter().position(|component| *component == codec.component)?;
    let words = parts(words).nth(place)??;
    codec.codec.dequantize(words, &mut ResolveEntities::new(world.resource())).ok()
}

/// The id that an announcement gives its entity: `values` are the changes that follow it.
pub(crate) fn announced_id(
    world: &World,
    incoming: &mut Incoming,
    (slot, epoch): (u32, u8),
    values: &[Change],
) -> Option<StableId> {
    let lane = id_lane(world)?;
    let mut own = values.iter().map_while(|change| match change {
        Change::Lane { slot: of, epoch: at, lane, value } if (*of, *at) == (slot, epoch) => Some((*lane, *value)),
        _ => None,
    });
    let (_, value) = own.find(|(of, _)| *of == lane)?;
    incoming.incarnation(slot, epoch)?;
    let words = incoming.value(slot, lane, value)?;
    read_id(world, lane, words)
}

/// Entities that came after their spawns: each takes the place of what stood in for it.
pub(crate) fn adopt_latecomers(world: &mut World, connections: &mut QueryState<Entity, With<Incoming>>) {
    let mut noted = core::mem::take(&mut world.resource_mut::<StableEntities>().noted);
    if noted.is_empty() || world.resource::<NetworkRole>().0 != Role::Client {
        return;
    }
    noted.sort_unstable();
    noted.dedup();
    let late: Vec<(StableId, Entity)> =
        noted.into_iter().filter_map(|id| local_of(world, id).map(|local| (id, local))).collect();
    if late.is_empty() {
        return;
    }
    let connections: Vec<Entity> = connections.iter(world).collect();
    for connection in connections {
        let Some(mut incoming) = take_incoming(world, connection) else { continue };
        let shown = ids_shown(world, &incoming);
        for (id, local) in &late {
            if let Some(slot) = shown.get(id) {
                take_place(world, &mut incoming, *slot, *local);
            }
        }
        put_back(world, connection, incoming);
    }
}

/// The slots that show ids, but for those whose entity is the level's already; of several with one id the first.
fn ids_shown(world: &World, incoming: &Incoming) -> HashMap<StableId, u32> {
    let mut shown = HashMap::default();
    let Some(lane) = id_lane(world) else { return shown };
    for slot in incoming.present_slots() {
        let Some((entity, words)) = incoming.shown(slot, lane) else { continue };
        if world.get::<Adopted>(entity).is_some() {
            continue;
        }
        if let Some(id) = read_id(world, lane, &words) {
            let first = shown.entry(id).or_insert(slot);
            *first = slot.min(*first);
        }
    }
    shown
}

/// A local entity becomes a slot's, with everything that the one before it shows. That one goes.
fn take_place(world: &mut World, incoming: &mut Incoming, slot: u32, local: Entity) {
    let Some(known) = incoming.present(slot) else { return };
    let (generation, before) = (known.generation, known.entity);
    let free = world.get_entity(local).is_ok_and(|entity| !entity.contains::<Slot>());
    let Some(before) = before.filter(|_| free) else { return };
    let id = NetworkId { slot, generation };
    let frozen = world.get::<Frozen>(before).is_some();
    let told = lanes_told_of(world, before);
    for component in told.iter().flat_map(|lane| components_of(world, *lane)).collect::<Vec<_>>() {
        component.carry(world, before, local);
    }
    let_go(world, incoming, id);
    incoming.rehome(slot, local);
    despawn(world, before);
    // What hung on the one before went with it.
    if !adopt(world, local, id) {
        return;
    }
    put_anew(world, incoming, slot, &told);
    resolve_references(world, incoming);
    if let Ok(mut entity) = world.get_entity_mut(local) {
        if frozen {
            entity.insert((Frozen, Remote));
        } else {
            entity.insert(Remote);
        }
    }
}

/// The lanes of an entity that the local peer tells: its own word is newer than what it was told.
fn lanes_told_of(world: &World, entity: Entity) -> Vec<usize> {
    if world.get::<Controlled>(entity).is_none() {
        return Vec::new();
    }
    let lanes = world.resource::<Registry>().lanes.iter().enumerate();
    lanes.filter(|(_, lane)| lane.options.direction == Direction::FromOwner).map(|(index, _)| index).collect()
}

/// Gives an entity the slot and name of a replicated one; whether it is there.
fn adopt(world: &mut World, local: Entity, id: NetworkId) -> bool {
    let Ok(mut entity) = world.get_entity_mut(local) else { return false };
    entity.insert((Slot { index: id.slot, generation: id.generation }, Adopted));
    name(world, id, local);
    true
}

/// The local entity of an announced id as that of a slot, or a new one; still without state.
pub(crate) fn adopt_or_spawn(world: &mut World, stable: Option<StableId>, id: NetworkId) -> Entity {
    if let Some(local) = stable.and_then(|stable| local_of(world, stable))
        && adopt(world, local, id)
    {
        return local;
    }
    let entity = world.spawn(Slot { index: id.slot, generation: id.generation }).id();
    name(world, id, entity);
    entity
}

/// Everything here knows the entity by its slot from here on.
fn name(world: &mut World, id: NetworkId, entity: Entity) {
    world.resource_mut::<EntityMap>().insert(id, entity);
    world.resource_mut::<Journal>().clear_slot(id.slot);
    world.resource_mut::<Slots>().mirror(id.slot, id.generation, entity);
}

/// The connection ended: what it did not bring stays, and is this side's alone. Returns what that is.
pub(crate) fn release_adopted(world: &mut World, incoming: &Incoming) -> EntityHashSet {
    let adopted: Vec<Entity> = incoming.entities().filter(|entity| world.get::<Adopted>(*entity).is_some()).collect();
    for entity in &adopted {
        if let Some(slot) = world.get::<Slot>(*entity).copied() {
            let_go_of_brought(world, incoming, *entity, slot.index);
        }
    }
    for entity in &adopted {
        if let Ok(mut entity) = world.get_entity_mut(*entity) {
            entity.remove::<(Slot, Remote, OwnedBy, Frozen, Adopted)>();
        }
    }
    adopted.into_iter().collect()
}

/// Ends an adopted entity's relationships to what goes with the connection, which would take it along.
fn let_go_of_brought(world: &mut World, incoming: &Incoming, entity: Entity, slot: u32) {
    for lane in 0..world.resource::<Registry>().lanes.len() {
        let Some((_, words)) = incoming.shown(slot, lane) else { continue };
        for (component, words) in components_of(world, lane).iter().zip(parts(&words)) {
            let Some(words) = words else { continue };
            let [target, generation] = words else { continue };
            let id = NetworkId { slot: *target, generation: *generation };
            let target = world.resource::<EntityMap>().local(id);
            let stays = target.is_some_and(|target| world.get::<Adopted>(target).is_some());
            if !stays {
                component.detach(world, entity, words, id);
            }
        }
    }
}
