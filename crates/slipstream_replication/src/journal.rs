//! What changed this tick, quantised once and shared by all connections.
//!
//! One system per component type walks `Changed<C>` only. A value that is the same after quantising did not change. At the
//! end of the tick the changed lanes are sealed: each becomes one [`Version`](crate::history::Version) that every connection's
//! records refer to.

use core::time::Duration;

use bevy::prelude::*;
use slipstream_connection::{Endpoint, EntityMap, NetworkRole, Role};
use slipstream_simulation::{Controlled, SimulationTick};
use slipstream_wire::Tick;

use crate::codec::NameEntities;
use crate::history::History;
use crate::news::News;
use crate::registry::{ComponentCodec, Direction, Registry};
use crate::replicated::Slot;

/// Values of so many ticks stay for acknowledgements that are still on their way; more where round trips are longer.
const MIN_DEPTH: usize = 32;
/// At 60 Hz, a round trip of two seconds. Who is farther away gets differences only from what it pinned.
const MAX_DEPTH: usize = 128;
/// Ticks between two looks at the connections' round trips.
const DEPTH_REVIEW_TICKS: u32 = 16;

/// The quantised present, by component, and the versions that views refer to, by lane; both by slot.
#[derive(Resource)]
pub(crate) struct Journal {
    /// The tick that is being journalled or was journalled last.
    pub(crate) tick: Tick,
    /// How many versions of a lane stay without being asked for.
    depth: usize,
    columns: Vec<Column>,
    lanes: Vec<LaneColumn>,
    /// By lane, what is new in this tick.
    pub(crate) news: Vec<News>,
    /// Entities that got a slot, or came into the local peer's hands, since the last seal: all of them is news.
    pub(crate) fresh: Vec<Entity>,
    scratch: Vec<u32>,
    /// Counts the seals; the first is 1.
    seals: u64,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            tick: Tick::default(),
            depth: MIN_DEPTH,
            columns: Vec::new(),
            lanes: Vec::new(),
            news: Vec::new(),
            fresh: Vec::new(),
            scratch: Vec::new(),
            seals: 0,
        }
    }
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
    is_touched: Vec<bool>,
    /// Slots touched since the last seal.
    touched: Vec<u32>,
}

impl Journal {
    /// Makes room for the registered components and lanes.
    pub(crate) fn shape(&mut self, registry: &Registry) {
        self.columns = registry.components.iter().map(|entry| Column { lane: entry.lane, ..default() }).collect();
        self.lanes = registry.lanes.iter().map(|_| LaneColumn::default()).collect();
        self.news = registry.lanes.iter().map(|_| News::default()).collect();
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
    pub(crate) fn note(&mut self, slot: u32, component: usize, words: Option<&[u32]>) {
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
        if column.is_touched.len() <= index {
            column.is_touched.resize(index + 1, false);
            column.histories.resize_with(index + 1, History::default);
        }
        if !core::mem::replace(&mut column.is_touched[index], true) {
            column.touched.push(slot);
        }
    }

    /// Turns what was touched into versions of this tick.
    fn seal(&mut self, registry: &Registry) {
        self.fresh.clear();
        self.seals += 1;
        for ((lane, column), changed) in registry.lanes.iter().zip(&mut self.lanes).zip(&mut self.news) {
            changed.clear();
            for slot in column.touched.drain(..) {
                let index = slot as usize;
                column.is_touched[index] = false;
                self.scratch.clear();
                for component in &lane.components {
                    let source = &self.columns[*component];
                    if source.present.get(index).copied().unwrap_or_default() {
                        let words = &source.words[index];
                        self.scratch.push(words.len() as u32 + 1);
                        self.scratch.extend_from_slice(words);
                    } else {
                        self.scratch.push(0);
                    }
                }
                let history = &mut column.histories[index];
                // Nothing where nothing was: the entity is gone from the slot, or came and went within the tick.
                if history.newest().is_none() && self.scratch.iter().all(|length| *length == 0) {
                    continue;
                }
                history.push(self.tick, &self.scratch, self.depth);
                changed.add(slot, self.seals);
            }
            changed.pages.sort_unstable();
        }
    }

    /// Which seal this is.
    pub(crate) fn seals(&self) -> u64 {
        self.seals
    }

    /// A value this many ticks old is still kept, even if nobody pinned it.
    pub(crate) fn depth(&self) -> u32 {
        self.depth as u32
    }
}

/// Starts the journal of a tick. A server's state is stamped with the simulation's tick, a client's with a count of its own,
/// because its simulation tick may be corrected backwards.
pub(crate) fn open_journal(mut journal: ResMut<Journal>, tick: Res<SimulationTick>, role: Res<NetworkRole>) {
    journal.tick = if role.0 == Role::Client { journal.tick + 1 } else { tick.0 };
}

/// Values stay as long as the slowest connection's acknowledgements take, within bounds.
pub(crate) fn review_depth(endpoints: Query<&Endpoint>, tick_length: Res<Time<Fixed>>, mut journal: ResMut<Journal>) {
    if !journal.tick.get().is_multiple_of(DEPTH_REVIEW_TICKS) {
        return;
    }
    let slowest = endpoints.iter().map(|endpoint| endpoint.stats().rtt).max().unwrap_or(Duration::ZERO);
    let ticks = slowest.as_secs_f64() / tick_length.timestep().as_secs_f64().max(0.001);
    journal.depth = (2 * ticks.min(1000.0) as usize + MIN_DEPTH / 2).clamp(MIN_DEPTH, MAX_DEPTH);
}

/// What one component type's journal keeps between ticks.
#[derive(Default)]
pub(crate) struct Unnamed {
    /// Entities whose value named an entity which may be replicated by now.
    entities: Vec<Entity>,
    again: Vec<Entity>,
    words: Vec<u32>,
}

/// Quantises every `C` that changed since the last tick, those that named an entity which may be replicated by now, and all
/// of entities that are new.
pub(crate) fn journal_changes<C: Component>(
    changed: Query<(Entity, &Slot, &C, Has<Controlled>), Changed<C>>,
    components: Query<(Entity, &Slot, &C, Has<Controlled>)>,
    mut unnamed: Local<Unnamed>,
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
    let unnamed = &mut *unnamed;
    core::mem::swap(&mut unnamed.entities, &mut unnamed.again);
    unnamed.entities.clear();
    let fresh = core::mem::take(&mut journal.fresh);
    let again = fresh.iter().chain(&unnamed.again).filter_map(|entity| components.get(*entity).ok());
    for (entity, slot, component, controlled) in changed.iter().chain(again) {
        if client && !controlled {
            continue;
        }
        unnamed.words.clear();
        let mut names = NameEntities::new(&entities);
        match codec.codec.quantize(component, &mut names, &mut unnamed.words) {
            Ok(()) => journal.note(slot.index, codec.component, Some(&unnamed.words)),
            Err(error) => warn_once!("`{}` is not replicated: {error}", core::any::type_name::<C>()),
        }
        if names.is_unnamed() && !unnamed.entities.contains(&entity) {
            unnamed.entities.push(entity);
        }
    }
    journal.fresh = fresh;
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

/// Ends the journal of a tick.
pub(crate) fn seal_journal(mut journal: ResMut<Journal>, registry: Res<Registry>) {
    journal.seal(&registry);
}
