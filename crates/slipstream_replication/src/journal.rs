//! What changed this tick, quantised once and shared by all connections.
//!
//! One system per component type walks `Changed<C>` only. A value that is the same after quantising did not change. At the
//! end of the tick the changed lanes are sealed: their values join the [log](crate::tick_log) that every connection's records
//! refer to.

mod lane;

use core::time::Duration;

use bevy::ecs::system::SystemChangeTick;
use bevy::prelude::*;
use slipstream_connection::{Endpoint, EntityMap, NetworkRole, Role};
use slipstream_simulation::{Controlled, SimulationTick};
use slipstream_wire::Tick;

use self::lane::LaneJournal;
use crate::changes::visit_changed;
use crate::codec::NameEntities;
use crate::news::News;
use crate::registry::{ComponentCodec, Direction, Registry};
use crate::replicated::Slot;
use crate::slots::Slots;

/// Values of so many ticks stay for acknowledgements that are still on their way; more where round trips are longer.
const MIN_DEPTH: usize = 32;
/// At 60 Hz, a round trip of two seconds. Who is farther away gets differences only from what it pinned.
const MAX_DEPTH: usize = 128;
/// Ticks between two looks at the connections' round trips.
const DEPTH_REVIEW_TICKS: u32 = 16;

/// The quantised present, and the values before it that views refer to, by lane and slot.
#[derive(Resource)]
pub(crate) struct Journal {
    /// The tick that is being journalled or was journalled last.
    pub(crate) tick: Tick,
    /// For how many ticks values stay without being asked for.
    depth: usize,
    columns: Vec<Column>,
    lanes: Vec<LaneJournal>,
    /// By lane, what is new in this tick.
    pub(crate) news: Vec<News>,
    /// Entities that got a slot, or came into the local peer's hands, since the last seal: all of them is news.
    pub(crate) fresh: Vec<Entity>,
    /// Lanes of which the owner tells, a bit each.
    from_owners: u64,
    /// Slots and lanes of these in which something was noted since they were last looked through.
    pub(crate) spoken: Vec<(u32, usize)>,
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
            from_owners: 0,
            spoken: Vec::new(),
            scratch: Vec::new(),
            seals: 0,
        }
    }
}

/// Where one component type is: which lane, and which part of its values.
#[derive(Clone, Copy, Default)]
struct Column {
    lane: usize,
    part: usize,
}

impl Journal {
    /// Makes room for the registered components and lanes.
    pub(crate) fn shape(&mut self, registry: &Registry) {
        self.columns = registry.components.iter().map(|entry| Column { lane: entry.lane, part: 0 }).collect();
        for lane in &registry.lanes {
            for (part, component) in lane.components.iter().enumerate() {
                self.columns[*component].part = part;
            }
        }
        self.lanes = registry.lanes.iter().map(|lane| LaneJournal::new(lane.components.len())).collect();
        self.news = registry.lanes.iter().map(|_| News::default()).collect();
        let from_owners = registry.lanes.iter().enumerate();
        let from_owners = from_owners.filter(|(_, lane)| lane.options.direction == Direction::FromOwner);
        self.from_owners = from_owners.fold(0, |mask, (index, _)| mask | 1 << index);
    }

    /// The newest value of a lane and the tick at which it took it.
    #[inline]
    pub(crate) fn newest(&self, slot: u32, lane: usize) -> Option<(Tick, &[u32])> {
        self.lanes.get(lane)?.newest(slot)
    }

    /// The tick at which a lane took its newest value.
    #[inline]
    pub(crate) fn newest_tick(&self, slot: u32, lane: usize) -> Option<Tick> {
        self.lanes.get(lane)?.newest_tick(slot)
    }

    /// The value that a lane took at a tick, while it is kept.
    #[inline]
    pub(crate) fn at(&self, slot: u32, lane: usize, tick: Tick) -> Option<&[u32]> {
        self.lanes.get(lane)?.at(slot, tick)
    }

    /// Keeps a value until it is released. Whether it is still here.
    pub(crate) fn pin(&mut self, slot: u32, lane: usize, tick: Tick) -> bool {
        self.lanes.get_mut(lane).is_some_and(|lane| lane.pin(slot, tick))
    }

    pub(crate) fn unpin(&mut self, slot: u32, lane: usize, tick: Tick) {
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.unpin(slot, tick);
        }
    }

    pub(crate) fn clear_slot(&mut self, slot: u32) {
        for lane in &mut self.lanes {
            lane.clear(slot);
        }
    }

    /// Notes a component's new words; nothing happens when they are what they were.
    #[inline]
    pub(crate) fn note(&mut self, slot: u32, component: usize, words: Option<&[u32]>) {
        if let Some(lane) = self.note_claim(slot, component, words)
            && self.from_owners & (1 << lane) != 0
        {
            self.spoken.push((slot, lane));
        }
    }

    /// Notes new words of which the owner told, so that they are not taken for this peer's own. The lane, where they are
    /// others than before.
    #[inline]
    pub(crate) fn note_claim(&mut self, slot: u32, component: usize, words: Option<&[u32]>) -> Option<usize> {
        let Column { lane, part } = *self.columns.get(component)?;
        let (column, at) = (self.lanes.get_mut(lane)?, (self.tick, self.depth as u32));
        column.note(slot, part, words, at, &mut self.scratch).then_some(lane)
    }

    /// A component's words, as they were noted last.
    pub(crate) fn part(&self, slot: u32, component: usize) -> Option<&[u32]> {
        let Column { lane, part } = *self.columns.get(component)?;
        self.lanes.get(lane)?.part(slot, part)
    }

    /// A lane takes a value in the next tick, be it the one that it has.
    pub(crate) fn touch(&mut self, slot: u32, lane: usize) {
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.touch(slot, self.tick, self.depth as u32);
        }
    }

    /// The server says once more what a lane of an owner's is.
    pub(crate) fn say_again(&mut self, slot: u32, lane: usize) {
        self.touch(slot, lane);
        self.spoken.push((slot, lane));
    }

    /// Turns what was touched into values of this tick.
    fn seal(&mut self) {
        self.fresh.clear();
        self.seals += 1;
        for (lane, changed) in self.lanes.iter_mut().zip(&mut self.news) {
            lane.seal(self.tick, self.depth as u32, self.seals, changed);
        }
    }

    /// Which seal this is.
    pub(crate) fn seals(&self) -> u64 {
        self.seals
    }

    /// A value fewer ticks old than this is still kept, even if nobody pinned it.
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
    tables: Query<(Entity, &Slot, Ref<C>)>,
    components: Query<(Entity, &Slot, &C, Has<Controlled>)>,
    since: SystemChangeTick,
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
    unnamed.again.sort_unstable();
    unnamed.again.dedup();
    let fresh = core::mem::take(&mut journal.fresh);
    let Unnamed { entities: unnamed, again, words } = unnamed;
    let again = fresh.iter().chain(&*again).filter_map(|entity| components.get(*entity).ok());
    let mut note = |entity: Entity, slot: &Slot, component: &C| {
        words.clear();
        let mut names = NameEntities::new(&entities);
        match codec.codec.quantize(component, &mut names, words) {
            Ok(()) => journal.note(slot.index, codec.component, Some(words)),
            Err(error) => warn_once!("`{}` is not replicated: {error}", core::any::type_name::<C>()),
        }
        if names.is_unnamed() {
            unnamed.push(entity);
        }
    };
    match tables.contiguous_iter() {
        Ok(tables) if !client => {
            for (entities, slots, components) in tables {
                let (ticks, components) = (components.changed_ticks_slice(), components.into_inner());
                visit_changed([ticks], &since, |row| note(entities[row], &slots[row], &components[row]));
            }
        }
        // Not in tables, or few of many.
        _ => {
            for (entity, slot, component, controlled) in &changed {
                if !client || controlled {
                    note(entity, slot, component);
                }
            }
        }
    }
    for (entity, slot, component, controlled) in again {
        if !client || controlled {
            note(entity, slot, component);
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

/// Ends the journal of a tick. On a server, what it said itself of owners' lanes is a word as of this tick.
pub(crate) fn seal_journal(mut journal: ResMut<Journal>, mut slots: ResMut<Slots>, role: Res<NetworkRole>) {
    if role.0 == Role::Client {
        journal.spoken.clear();
        journal.seal();
        return;
    }
    slots.precedence.begin_terms(&mut journal);
    journal.seal();
    slots.precedence.date(&mut journal);
}
