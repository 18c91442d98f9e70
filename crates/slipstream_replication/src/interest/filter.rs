//! Filters: functions of the game that keep entities from connections.

use bevy::prelude::*;
use slipstream_simulation::SimulationTick;

use super::slot_map::SlotMap;
use super::{Interest, Surroundings};
use crate::carrier::ResourceCarrier;
use crate::slots::Slots;

/// Each candidate is judged anew once in so many ticks; slots take turns.
const JUDGED_EVERY_TICKS: u32 = 8;

/// Adds rules of one's own about who sees what.
pub trait AppInterestExt {
    /// Adds a filter: given an entity and a connection, whether the connection may see it. Every filter must agree.
    ///
    /// It is asked about candidates only: entities that [`VisibleTo`](crate::VisibleTo), rooms and distance let the
    /// connection see, those that it owns among them. It is asked when one becomes a candidate or changes in what these
    /// depend on, before anything of it is sent, and again every 8 ticks. A tick thus costs about an eighth of a call for
    /// each entity and connection that sees it, one after the other: a filter should read a component or two, and leave a
    /// ray through the level to a system that writes its result into one.
    ///
    /// ```
    /// use bevy::prelude::*;
    /// use slipstream_replication::AppInterestExt;
    ///
    /// #[derive(Component)]
    /// struct Cloaked;
    ///
    /// #[derive(Component)]
    /// struct Sensors;
    ///
    /// fn hide_what_is_cloaked(app: &mut App) {
    ///     app.add_interest_filter(|entity, connection| !entity.contains::<Cloaked>() || connection.contains::<Sensors>());
    /// }
    /// ```
    fn add_interest_filter(
        &mut self,
        filter: impl Fn(EntityRef<'_>, EntityRef<'_>) -> bool + Send + Sync + 'static,
    ) -> &mut Self;
}

impl AppInterestExt for App {
    fn add_interest_filter(
        &mut self,
        filter: impl Fn(EntityRef<'_>, EntityRef<'_>) -> bool + Send + Sync + 'static,
    ) -> &mut Self {
        self.init_resource::<InterestFilters>();
        self.world_mut().resource_mut::<InterestFilters>().0.push(Box::new(filter));
        self
    }
}

type Filter = Box<dyn Fn(EntityRef<'_>, EntityRef<'_>) -> bool + Send + Sync>;

/// The game's filters. The resource is there when there is one.
#[derive(Resource, Default)]
pub(super) struct InterestFilters(Vec<Filter>);

/// Asks the filters about what is new among each connection's candidates, and about some of the others.
pub(super) fn judge_candidates(world: &mut World, connections: &mut QueryState<Entity, With<Interest>>) {
    let connections: Vec<Entity> = connections.iter(world).collect();
    for connection in connections {
        // It is taken off meanwhile, for the filters read the whole world.
        let Some(mut interest) =
            world.get_mut::<Interest>(connection).map(|mut interest| core::mem::take(&mut *interest))
        else {
            continue;
        };
        judge(world, connection, &mut interest);
        if let Some(mut place) = world.get_mut::<Interest>(connection) {
            *place = interest;
        }
    }
}

fn judge(world: &World, connection: Entity, interest: &mut Interest) {
    let filters = world.resource::<InterestFilters>();
    let surroundings = world.resource::<Surroundings>();
    let slots = world.resource::<Slots>();
    let now = world.resource::<SimulationTick>().0.get();
    let passes = |slot: u32| {
        let entity = slots.get(slot).and_then(|entry| entry.entity);
        let (Some(entity), Ok(watcher)) = (entity, world.get_entity(connection)) else { return false };
        // What carries a resource is nothing that a game's filter could judge.
        world.get_entity(entity).is_ok_and(|entity| {
            entity.contains::<ResourceCarrier>() || filters.0.iter().all(|filter| filter(entity, watcher))
        })
    };
    // The first time every slot is new, as it is to the view.
    let fresh = interest.verdicts.is_none();
    let mut verdicts: SlotMap<bool> = interest.verdicts.take().unwrap_or_default();
    let mut judge_one = |slot: u32, interest: &Interest| {
        if surroundings.is_candidate(slot, connection, interest, slots) {
            verdicts.insert(slot, passes(slot));
        } else {
            verdicts.remove(slot);
        }
    };
    if fresh {
        for slot in 0..slots.entries.len() as u32 {
            judge_one(slot, interest);
        }
    } else {
        for slot in slots.reviewed.iter().chain(&interest.reviewed) {
            judge_one(*slot, interest);
        }
    }
    verdicts.retain(|slot, verdict| {
        if slot % JUDGED_EVERY_TICKS == now % JUDGED_EVERY_TICKS {
            let before = core::mem::replace(verdict, passes(slot));
            if before != *verdict {
                interest.reviewed.push(slot);
            }
        }
        true
    });
    interest.verdicts = Some(verdicts);
}
