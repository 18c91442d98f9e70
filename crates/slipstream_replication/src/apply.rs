//! From records to entities: an entity appears whole, parents first, what is of one kind at once, [`Remote`] last.

use std::sync::Arc;

use bevy::prelude::*;
use slipstream_connection::{Endpoint, EntityMap, NetworkId, NetworkRole, Role, channels};
use slipstream_simulation::Controlled;
use slipstream_wire::Tick;

use crate::adoption::{adopt_or_spawn, announced_id, release_adopted};
use crate::ancestry::parents_first;
use crate::batch::Batch;
use crate::carrier::ResourceCarrier;
use crate::confirmation::{Confirmation, Confirmations};
use crate::hearing::hear_owner;
use crate::incoming::{Change, Incoming, LaneNews, Speaker};
use crate::interest::Frozen;
use crate::journal::Journal;
use crate::kind::put_together;
use crate::record::parts;
use crate::registry::{Direction, ErasedComponent, Registry};
use crate::replicated::{Remote, RemoteTick};
use crate::requests::ask_for_everything;
use crate::slots::Slots;
use crate::stable_id::{Adopted, StableId};

/// Applies what arrived on every connection.
pub(crate) fn apply_records(
    world: &mut World,
    connections: &mut QueryState<Entity, (With<Incoming>, With<Endpoint>)>,
    mut arrived: Local<Arrived>,
) {
    let Arrived { connections: present, chunks, changes } = &mut *arrived;
    present.clear();
    present.extend(connections.iter(world));
    for (owner, slot) in core::mem::take(&mut world.resource_mut::<Slots>().granted) {
        if let Some(mut incoming) = world.get_mut::<Incoming>(owner) {
            incoming.granted.insert(slot);
        }
    }
    for connection in present.drain(..) {
        let Some(mut endpoint) = world.get_mut::<Endpoint>(connection) else { continue };
        chunks.clear();
        endpoint.drain_into(channels::RECORDS, chunks);
        let holds = |incoming: &Incoming| !incoming.held.is_empty();
        if chunks.is_empty() && !world.get::<Incoming>(connection).is_some_and(holds) {
            continue;
        }
        let Some(mut incoming) = take_incoming(world, connection) else { continue };
        changes.clear();
        decode_chunks(world, connection, &mut incoming, chunks, changes);
        if let Some(mut endpoint) = world.get_mut::<Endpoint>(connection) {
            for chunk in chunks.drain(..) {
                endpoint.recycle(chunk);
            }
        }
        if world.resource::<NetworkRole>().0 == Role::Client {
            apply_changes(world, &mut incoming, changes);
        } else {
            changes.append(&mut incoming.held);
            hear_owner(world, connection, &mut incoming, changes);
        }
        if let (Some(error), Some(mut endpoint)) = (incoming.refused.take(), world.get_mut::<Endpoint>(connection)) {
            endpoint.report_violation(error.to_string());
        }
        let newest = incoming.newest_tick;
        put_back(world, connection, incoming);
        if let (Some(tick), Ok(mut connection)) = (newest, world.get_entity_mut(connection)) {
            connection.insert(RemoteTick(tick));
        }
    }
}

/// What arrived in a frame, in memory that is used again in the next.
#[derive(Default)]
pub(crate) struct Arrived {
    connections: Vec<Entity>,
    chunks: Vec<Vec<u8>>,
    changes: Vec<Change>,
}

pub(crate) fn take_incoming(world: &mut World, connection: Entity) -> Option<Incoming> {
    world.get_mut::<Incoming>(connection).map(|mut incoming| core::mem::take(&mut *incoming))
}

pub(crate) fn put_back(world: &mut World, connection: Entity, incoming: Incoming) {
    if let Some(mut place) = world.get_mut::<Incoming>(connection) {
        *place = incoming;
    } else if world.resource::<NetworkRole>().0 == Role::Client {
        // An observer ended the connection while its state was applied: what it brought goes with it.
        despawn_all(world, &incoming);
    }
}

fn decode_chunks(
    world: &mut World,
    connection: Entity,
    incoming: &mut Incoming,
    chunks: &[Vec<u8>],
    changes: &mut Vec<Change>,
) {
    let registry = world.resource::<Registry>();
    let speaker = match world.resource::<NetworkRole>().0 {
        Role::Client => Speaker::Server,
        _ => Speaker::Owner { connection, slots: world.resource::<Slots>() },
    };
    let mut failure = None;
    for chunk in chunks {
        if let Err(error) = incoming.decode(chunk, registry, &speaker, changes) {
            failure = Some(error);
        }
    }
    if let Some(error) = failure {
        // The datagram was acknowledged before it was read: what it carried must come again, whatever it was.
        ask_for_everything(world, connection, incoming, &error);
    }
}

fn apply_changes(world: &mut World, incoming: &mut Incoming, changes: &[Change]) {
    let mut appeared = Vec::new();
    for (position, change) in changes.iter().enumerate() {
        if let Change::Appear { slot, epoch } = *change {
            let values = changes.get(position + 1..).unwrap_or_default();
            let id = announced_id(world, incoming, (slot, epoch), values);
            appeared.extend(appear(world, incoming, slot, epoch, id));
        }
    }
    let (mut vanished, mut frozen) = (Vec::new(), Vec::new());
    with_batches(world, |world, batches| {
        for change in changes {
            match *change {
                Change::Appear { .. } => {}
                Change::Lane { slot, epoch, lane, value } => {
                    batch_lane(world, incoming, batches, slot, epoch, lane, value);
                }
                Change::Vanish { slot, at, freezes: false } => vanished.push((slot, at)),
                Change::Vanish { slot, at, freezes: true } => frozen.push((slot, at)),
            }
        }
        flush_all(world, incoming, batches);
    });
    put_together(world);
    if !appeared.is_empty() {
        resolve_references(world, incoming);
    }
    show(world, appeared);
    vanish(world, incoming, &vanished);
    for (slot, at) in frozen {
        if let Some(mut entity) = incoming.announced_by(slot, at).and_then(|entity| world.get_entity_mut(entity).ok()) {
            entity.insert(Frozen);
        }
    }
}

/// Takes away what has left the slots up to these ticks.
fn vanish(world: &mut World, incoming: &mut Incoming, vanished: &[(u32, Tick)]) {
    let gone: Vec<_> = vanished.iter().filter_map(|(slot, at)| incoming.take_vanished(*slot, *at)).collect();
    // First all of them let go: one that goes may hang below another that goes, and take along what stays below it.
    for (id, _) in &gone {
        let_go(world, incoming, *id);
    }
    for (_, entity) in gone {
        despawn(world, entity);
    }
}

/// Ends what refers to an entity that goes: a child that stays in sight must not go with its parent, and is put back when
/// the parent returns. A child that goes too is left to its parent.
pub(crate) fn let_go(world: &mut World, incoming: &mut Incoming, id: NetworkId) {
    for (slot, lane) in incoming.referrers.remove(&id).unwrap_or_default() {
        let Some((entity, words)) = incoming.shown(slot, lane) else { continue };
        for (component, words) in components_of(world, lane).iter().zip(parts(&words)) {
            if let Some(words) = words {
                component.detach(world, entity, words, id);
            }
        }
        incoming.note_unresolved((slot, lane));
    }
}

/// Everything has been announced since `until`: what has not been is gone.
pub(crate) fn drop_announced_until(world: &mut World, connection: Entity, until: Tick) {
    let Some(mut incoming) = take_incoming(world, connection) else { return };
    let gone: Vec<_> = incoming.announced_until(until).into_iter().map(|slot| (slot, until)).collect();
    vanish(world, &mut incoming, &gone);
    put_back(world, connection, incoming);
}

/// Makes the entity of an announced incarnation, still bare, or finds the one that this side has by its `id`. `None`
/// when the incarnation has one, or was superseded.
fn appear(world: &mut World, incoming: &mut Incoming, slot: u32, epoch: u8, id: Option<StableId>) -> Option<Entity> {
    let known = incoming.incarnation(slot, epoch)?;
    let generation = known.generation;
    if known.entity.is_some() || !incoming.is_current(slot, epoch) {
        return None;
    }
    match incoming.take_earlier(slot, epoch) {
        // The same entity, back in sight before its going was noticed: it stays, and sheds what it no longer has.
        Some((entity, before)) if before == generation && world.get_entity(entity).is_ok() => {
            incoming.incarnation(slot, epoch)?.entity = Some(entity);
            world.entity_mut(entity).remove::<Frozen>();
            if world.get::<Controlled>(entity).is_some() {
                // What its owner tells it is told anew.
                for lane in world.resource::<Slots>().precedence.lanes() {
                    incoming.clear_shown_lane(slot, *lane);
                }
            }
            return None;
        }
        Some((entity, before)) => {
            let_go(world, incoming, NetworkId { slot, generation: before });
            despawn(world, entity);
        }
        None => {}
    }
    incoming.clear_shown(slot);
    let entity = adopt_or_spawn(world, id, NetworkId { slot, generation });
    incoming.incarnation(slot, epoch)?.entity = Some(entity);
    Some(entity)
}

/// What is to be put on entities, by component type: a column at a time is faster than an entity at a time.
#[derive(Resource, Default)]
pub(crate) struct Batches {
    components: Vec<Arc<dyn ErasedComponent>>,
    batches: Vec<Batch>,
    /// The components of each lane.
    lanes: Vec<Vec<usize>>,
    /// Lanes of which the owner tells, a bit each.
    from_owners: u64,
}

impl Batches {
    fn open(&mut self, registry: &Registry, slots: &Slots) {
        if self.components.is_empty() {
            self.from_owners = slots.precedence.lanes().iter().fold(0, |mask, lane| mask | 1 << *lane);
            self.components = registry.components.iter().map(|entry| Arc::clone(&entry.erased)).collect();
            self.batches.resize_with(registry.components.len(), Batch::default);
            self.lanes = registry.lanes.iter().map(|lane| lane.components.clone()).collect();
        }
    }
}

fn with_batches(world: &mut World, run: impl FnOnce(&mut World, &mut Batches)) {
    world.resource_scope(|world, mut batches: Mut<Batches>| {
        batches.open(world.resource::<Registry>(), world.resource::<Slots>());
        run(world, &mut batches);
    });
}

/// Notes what a lane's value changes on its entity, unless the entity shows a newer one.
fn batch_lane(
    world: &mut World,
    incoming: &mut Incoming,
    batches: &mut Batches,
    slot: u32,
    epoch: u8,
    lane: usize,
    value: Tick,
) {
    let Some(LaneNews { entity, is_first, shown, words }) = incoming.news(slot, epoch, lane, value) else { return };
    // An owner shows what it says itself. What the server says of that it takes up whole, whatever it was told before.
    let gives_way = batches.from_owners & (1 << lane) != 0 && world.get::<Controlled>(entity).is_some();
    let mut removed = Vec::new();
    // What it had before the first value came, it has no more if the value says so.
    let sheds = is_first && world.get::<Adopted>(entity).is_some();
    let mut old = parts(shown);
    for (component, new) in batches.lanes.get(lane).into_iter().flatten().zip(parts(words)) {
        let old = old.next().flatten();
        match new {
            Some(new) if gives_way || old != Some(new) => {
                batches.batches[*component].push(entity, (slot, lane), new);
            }
            None if gives_way || sheds || old.is_some() => removed.push(*component),
            None if is_first && batches.components[*component].outlives_entity() => removed.push(*component),
            _ => {}
        }
    }
    incoming.show(slot, lane, value);
    if gives_way {
        take_up(world, (slot, lane), epoch, value);
    }
    for component in removed {
        // What came before it must not come after it.
        flush(world, incoming, batches, component);
        batches.components[component].remove(world, entity);
    }
}

fn flush_all(world: &mut World, incoming: &mut Incoming, batches: &mut Batches) {
    for component in 0..batches.components.len() {
        flush(world, incoming, batches, component);
    }
}

/// Puts what a slot shows on its entity, as if it had just come, but for some lanes.
pub(crate) fn put_anew(world: &mut World, incoming: &mut Incoming, slot: u32, but: &[usize]) {
    with_batches(world, |world, batches| {
        for (lane, components) in batches.lanes.iter().enumerate().filter(|(lane, _)| !but.contains(lane)) {
            let Some((entity, words)) = incoming.shown(slot, lane) else { continue };
            for (component, words) in components.iter().zip(parts(&words)) {
                match words {
                    Some(words) => batches.batches[*component].push(entity, (slot, lane), words),
                    None => batches.components[*component].remove(world, entity),
                }
            }
        }
        flush_all(world, incoming, batches);
    });
    put_together(world);
}

/// The server has spoken of what the local peer tells. It says what it shows from here on, and that it has heard.
fn take_up(world: &mut World, (slot, lane): (u32, usize), epoch: u8, word: Tick) {
    let mut journal = world.resource_mut::<Journal>();
    journal.touch(slot, lane);
    let since = journal.tick;
    let confirmation = Confirmation { slot, epoch, lane: lane as u8, word, since };
    world.resource_mut::<Confirmations>().words.push(confirmation);
}

/// Puts what is noted of one component type on its entities.
fn flush(world: &mut World, incoming: &mut Incoming, batches: &mut Batches, component: usize) {
    let batch = &mut batches.batches[component];
    if batch.is_empty() {
        return;
    }
    batches.components[component].apply_batch(world, batch);
    for (place, references) in batch.noted.drain(..) {
        incoming.note_references(place, references);
    }
    if let Some(error) = batch.refused.take() {
        warn_once!("a received component could not be applied: {error}");
        incoming.refused = Some(error);
    }
    batch.clear();
}

/// Puts a lane's value on its entity, component by component, where it differs from what the entity shows.
fn put_lane(
    world: &mut World,
    incoming: &mut Incoming,
    entity: Entity,
    place: (u32, usize),
    shown: Option<&[u32]>,
    words: &[u32],
) {
    let mut old = shown.map(parts);
    for (component, new) in components_of(world, place.1).iter().zip(parts(words)) {
        let old = old.as_mut().and_then(Iterator::next).flatten();
        match new {
            Some(new) if old != Some(new) => match component.apply(world, entity, new) {
                Ok(references) => incoming.note_references(place, references),
                Err(error) => {
                    warn_once!("a received component could not be applied: {error}");
                    incoming.refused = Some(error);
                }
            },
            None if old.is_some() => component.remove(world, entity),
            _ => {}
        }
    }
}

pub(crate) fn components_of(world: &World, lane: usize) -> Vec<Arc<dyn ErasedComponent>> {
    let registry = world.resource::<Registry>();
    let components = registry.lanes.get(lane).map(|lane| lane.components.as_slice()).unwrap_or_default();
    components.iter().map(|component| Arc::clone(&registry.components[*component].erased)).collect()
}

/// Applies again what referred to entities that did not exist here.
pub(crate) fn resolve_references(world: &mut World, incoming: &mut Incoming) {
    for (slot, lane) in core::mem::take(&mut incoming.unresolved) {
        if let Some((entity, words)) = incoming.shown(slot, lane) {
            put_lane(world, incoming, entity, (slot, lane), None, &words);
        }
    }
}

/// What the local peer told of an entity that it no longer owns gives way to what the server says.
pub(crate) fn restore_released(world: &mut World, connections: &mut QueryState<Entity, With<Incoming>>) {
    let released = core::mem::take(&mut world.resource_mut::<Slots>().released);
    if released.is_empty() {
        return;
    }
    let lanes = world.resource::<Registry>().lanes.iter().enumerate();
    let told: Vec<usize> =
        lanes.filter(|(_, lane)| lane.options.direction == Direction::FromOwner).map(|(index, _)| index).collect();
    let connections: Vec<Entity> = connections.iter(world).collect();
    for connection in connections {
        let Some(mut incoming) = take_incoming(world, connection) else { continue };
        for (slot, lane) in released.iter().flat_map(|slot| told.iter().map(|lane| (*slot, *lane))) {
            if let Some((entity, words)) = incoming.shown(slot, lane) {
                put_lane(world, &mut incoming, entity, (slot, lane), None, &words);
            }
        }
        put_back(world, connection, incoming);
    }
}

/// Marks new entities as whole, parents before their children.
fn show(world: &mut World, appeared: Vec<Entity>) {
    for entity in parents_first(world, appeared) {
        if let Ok(mut entity) = world.get_entity_mut(entity)
            && !entity.contains::<ResourceCarrier>()
        {
            entity.insert(Remote);
        }
    }
}

pub(crate) fn despawn(world: &mut World, entity: Entity) {
    world.resource_mut::<EntityMap>().remove_entity(entity);
    // A child may be gone with its parent already.
    if let Ok(entity) = world.get_entity_mut(entity) {
        entity.despawn();
    }
}

/// Takes away everything that a connection brought, and lets go of what it did not.
pub(crate) fn despawn_all(world: &mut World, incoming: &Incoming) {
    let kept = release_adopted(world, incoming);
    for entity in incoming.entities().filter(|entity| !kept.contains(entity)) {
        despawn(world, entity);
    }
}
