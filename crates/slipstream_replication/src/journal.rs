//! What changed this tick, quantised once and shared by all connections.
//!
//! One system per component type walks `Changed<C>` only. A value that is the same after quantising did not change. At the
//! end of the tick the changed lanes are sealed: each becomes one [`Version`](crate::history::Version) that every connection's
//! records refer to.

use bevy::ecs::entity::EntityHashSet;
use bevy::prelude::*;
use slipstream_connection::{EntityMap, NetworkRole, Role};
use slipstream_simulation::{Controlled, SimulationTick};
use slipstream_wire::Tick;

use crate::codec::NameEntities;
use crate::history::History;
use crate::registry::{ComponentCodec, Direction, Registry};
use crate::replicated::Slot;
use crate::view::View;

/// The quantised present, by component, and the versions that views refer to, by lane; both by slot.
#[derive(Resource, Default)]
pub(crate) struct Journal {
    /// The tick that is being journalled or was journalled last.
    pub(crate) tick: Tick,
    columns: Vec<Column>,
    lanes: Vec<LaneColumn>,
    /// Lanes touched since the last seal: (slot, lane).
    touched: Vec<(u32, usize)>,
    /// Lanes whose value is new in this tick: (slot, lane).
    pub(crate) changed: Vec<(u32, usize)>,
    scratch: Vec<u32>,
}

/// One component type: its words by slot. Empty and absent differ: a unit struct has no words.
#[derive(Default)]
struct Column {
    lane: usize,
    present: Vec<bool>,
    words: Vec<Vec<u32>>,
}

#[derive(Default)]
struct LaneColumn {
    histories: Vec<History>,
    touched: Vec<bool>,
}

impl Journal {
    /// Makes room for the registered components and lanes.
    pub(crate) fn shape(&mut self, registry: &Registry) {
        self.columns = registry.components.iter().map(|entry| Column { lane: entry.lane, ..default() }).collect();
        self.lanes = registry.lanes.iter().map(|_| LaneColumn::default()).collect();
    }

    pub(crate) fn history(&self, slot: u32, lane: usize) -> Option<&History> {
        self.lanes.get(lane)?.histories.get(slot as usize)
    }

    pub(crate) fn history_mut(&mut self, slot: u32, lane: usize) -> Option<&mut History> {
        self.lanes.get_mut(lane)?.histories.get_mut(slot as usize)
    }

    pub(crate) fn clear_slot(&mut self, slot: u32) {
        let index = slot as usize;
        for column in &mut self.columns {
            if let (Some(present), Some(words)) = (column.present.get_mut(index), column.words.get_mut(index)) {
                *present = false;
                words.clear();
            }
        }
        for lane in &mut self.lanes {
            if let Some(history) = lane.histories.get_mut(index) {
                history.clear();
            }
        }
    }

    /// Notes a component's new words; nothing happens when they are what they were.
    fn note(&mut self, slot: u32, component: usize, words: Option<&[u32]>) {
        let index = slot as usize;
        let Some(column) = self.columns.get_mut(component) else { return };
        if column.present.len() <= index {
            column.present.resize(index + 1, false);
            column.words.resize_with(index + 1, Vec::new);
        }
        let (present, stored) = (&mut column.present[index], &mut column.words[index]);
        if *present == words.is_some() && words.is_none_or(|words| words == stored.as_slice()) {
            return;
        }
        *present = words.is_some();
        stored.clear();
        stored.extend_from_slice(words.unwrap_or_default());
        let lane = column.lane;
        self.touch(slot, lane);
    }

    fn touch(&mut self, slot: u32, lane: usize) {
        let index = slot as usize;
        let Some(column) = self.lanes.get_mut(lane) else { return };
        if column.touched.len() <= index {
            column.touched.resize(index + 1, false);
            column.histories.resize_with(index + 1, History::default);
        }
        if !column.touched[index] {
            column.touched[index] = true;
            self.touched.push((slot, lane));
        }
    }

    /// Turns what was touched into versions of this tick.
    fn seal(&mut self, registry: &Registry) {
        self.changed.clear();
        for (slot, lane) in self.touched.drain(..) {
            let index = slot as usize;
            let Some(column) = self.lanes.get_mut(lane) else { continue };
            column.touched[index] = false;
            self.scratch.clear();
            for component in &registry.lanes[lane].components {
                let source = &self.columns[*component];
                if source.present.get(index).copied().unwrap_or_default() {
                    let words = &source.words[index];
                    self.scratch.push(words.len() as u32 + 1);
                    self.scratch.extend_from_slice(words);
                } else {
                    self.scratch.push(0);
                }
            }
            // Nothing where nothing was: the entity is gone from the slot, or came and went within the tick.
            if column.histories[index].newest().is_none() && self.scratch.iter().all(|length| *length == 0) {
                continue;
            }
            column.histories[index].push(self.tick, &self.scratch);
            self.changed.push((slot, lane));
        }
    }
}

/// The components of a lane's value, in the lane's order: `None` where the entity does not have it.
pub(crate) fn parts(mut words: &[u32]) -> impl Iterator<Item = Option<&[u32]>> {
    core::iter::from_fn(move || {
        let (length, rest) = words.split_first()?;
        let Some(length) = (*length as usize).checked_sub(1) else {
            words = rest;
            return Some(None);
        };
        let (part, rest) = rest.split_at_checked(length)?;
        words = rest;
        Some(Some(part))
    })
}

/// Starts the journal of a tick. A server's state is stamped with the simulation's tick, a client's with a count of its own,
/// because its simulation tick may be corrected backwards.
pub(crate) fn open_journal(mut journal: ResMut<Journal>, tick: Res<SimulationTick>, role: Res<NetworkRole>) {
    journal.tick = if role.0 == Role::Client { journal.tick + 1 } else { tick.0 };
}

/// Quantises every `C` that changed since the last tick, and those that named an entity which may be replicated by now.
pub(crate) fn journal_changes<C: Component>(
    changed: Query<Entity, (With<C>, With<Slot>, Or<(Changed<C>, Added<Slot>, Added<Controlled>)>)>,
    components: Query<(&Slot, &C, Has<Controlled>)>,
    mut unnamed: Local<EntityHashSet>,
    codec: Option<Res<ComponentCodec<C>>>,
    entities: Res<EntityMap>,
    role: Res<NetworkRole>,
    mut journal: ResMut<Journal>,
) {
    let Some(codec) = codec else { return };
    // A client is the source of only what it owns and may send.
    let client = role.0 == Role::Client;
    if client && codec.direction != Direction::FromOwner {
        return;
    }
    let mut words = Vec::new();
    let again = core::mem::take(&mut *unnamed);
    for entity in changed.iter().chain(again) {
        let Ok((slot, component, controlled)) = components.get(entity) else { continue };
        if client && !controlled {
            continue;
        }
        words.clear();
        let mut names = NameEntities::new(&entities);
        match codec.codec.quantize(component, &mut names, &mut words) {
            Ok(()) => journal.note(slot.index, codec.component, Some(&words)),
            Err(error) => warn_once!("`{}` is not replicated: {error}", core::any::type_name::<C>()),
        }
        if names.is_unnamed() {
            unnamed.insert(entity);
        }
    }
}

/// A component was taken off a replicated entity.
pub(crate) fn journal_removal<C: Component>(
    removed: On<Remove, C>,
    slots: Query<&Slot>,
    codec: Option<Res<ComponentCodec<C>>>,
    role: Option<Res<NetworkRole>>,
    mut journal: ResMut<Journal>,
) {
    let (Ok(slot), Some(codec), Some(role)) = (slots.get(removed.entity), codec, role) else { return };
    if role.0 != Role::Client || codec.direction == Direction::FromOwner {
        journal.note(slot.index, codec.component, None);
    }
}

/// Ends the journal of a tick and tells every connection what is new.
pub(crate) fn seal_journal(mut journal: ResMut<Journal>, registry: Res<Registry>, mut views: Query<&mut View>) {
    journal.seal(&registry);
    for mut view in &mut views {
        for (slot, lane) in &journal.changed {
            view.mark(*slot, *lane, journal.tick);
        }
    }
}
