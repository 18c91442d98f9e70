//! What matters how much to whom, where bandwidth is short: weights for all connections or for one, and factors of
//! single entities for one connection.

use core::time::Duration;

use bevy::prelude::*;

use crate::replicated::Slot;

/// The greatest importance, weight or factor.
const GREATEST: f32 = 1e6;
/// State is due to go first once it has waited for so much of what it may be stale: the rest is for the queue of those
/// that are due, and for the way.
const WAIT_SHARE: f64 = 0.75;

/// What the game says something matters, as packing counts with it: nothing where that is less than nothing or no
/// number, and a million at most.
pub(crate) fn factor(said: f32) -> f32 {
    // Not a number is not greater than anything.
    if said > 0.0 { said.min(GREATEST) } else { 0.0 }
}

/// What makes state more urgent to a connection, and how stale any of it may become.
///
/// The urgency of an entity is its [`Importance`](crate::Importance), times one of these weights, times the
/// connection's factor for it ([`Priorities`]), times the ticks that it has waited. So twice the importance waits half
/// as long.
///
/// All connections have those of [`DefaultPriorityWeights`]. Put this component on a connection's entity to give it
/// others: a spectator to whom nothing is its own, a sniper to whom distance matters less.
///
/// A weight that is negative or not a number counts as 0, one above a million as a million.
///
/// ```
/// use bevy::prelude::*;
/// use slipstream_replication::PriorityWeights;
///
/// fn become_sniper(connection: Entity, commands: &mut Commands) {
///     commands.entity(connection).insert(PriorityWeights { nearest: 2.0, ..default() });
/// }
/// ```
#[derive(Component, Debug, Clone, Copy, PartialEq)]
pub struct PriorityWeights {
    /// What a connection owns, and what hangs on that, matters so many times more to it than what is right at its
    /// viewpoint. Default 4.
    pub own: f32,
    /// What is right at a connection's [`Viewpoint`](crate::Viewpoint) matters so many times more to it than what is
    /// about to go out of its sight; what lies between, in proportion. At least 1, where distance does not matter.
    /// Default 9. It counts where there is [`SpatialInterest`](crate::SpatialInterest).
    pub nearest: f32,
    /// Nothing that a connection sees becomes staler than this, whatever its importance, as long as the budget carries
    /// everything in that time and its own rate lets it go. Default 2 s.
    ///
    /// What has waited for three quarters of it goes first, oldest first. Where the budget does not suffice even for
    /// that, all that waits takes turns with three quarters of the budget, and the rest of the budget goes by urgency.
    pub max_staleness: Duration,
}

impl Default for PriorityWeights {
    fn default() -> Self {
        Self { own: 4.0, nearest: 9.0, max_staleness: Duration::from_secs(2) }
    }
}

impl PriorityWeights {
    /// As packing counts with them.
    pub(crate) fn resolve(&self, tick_length: Duration) -> Weights {
        let ticks = self.max_staleness.as_secs_f64() * WAIT_SHARE / tick_length.as_secs_f64().max(0.001);
        Weights {
            own: factor(self.own),
            nearest: factor(self.nearest).max(1.0),
            // A float beyond the range becomes the nearest integer.
            longest_wait: (ticks as i32).max(1),
        }
    }
}

/// The [`PriorityWeights`] of connections that have none of their own.
#[derive(Resource, Debug, Clone, Copy, PartialEq, Default)]
pub struct DefaultPriorityWeights(pub PriorityWeights);

/// [`PriorityWeights`] that were looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weights {
    pub(crate) own: f32,
    /// At least 1.
    pub(crate) nearest: f32,
    /// What has waited for more ticks than these is overdue.
    pub(crate) longest_wait: i32,
}

/// On a connection: entities that matter more to it, or less, than to others. What its player aims at, who its player
/// talks to, the vehicle that it follows with the camera.
///
/// A factor multiplies the entity's [`Importance`](crate::Importance) for this connection. One that is negative or not
/// a number counts as 0, one above a million as a million. Of a group ([`Together`](crate::Together)) the member that
/// matters most counts.
///
/// There are at most [`Priorities::MAX`] factors: the one that was set longest ago gives way. Those of entities that
/// are despawned go by themselves. A connection without factors costs nothing, one with some a binary search for each
/// entity that waits.
///
/// ```
/// use bevy::prelude::*;
/// use slipstream_replication::Priorities;
///
/// fn lock_on(mut connections: Query<&mut Priorities>, connection: Entity, before: Entity, now: Entity) {
///     if let Ok(mut priorities) = connections.get_mut(connection) {
///         priorities.clear(before);
///         priorities.set(now, 8.0);
///     }
/// }
/// ```
#[derive(Component, Debug, Clone, PartialEq, Default)]
pub struct Priorities {
    /// The one that was set longest ago first.
    factors: Vec<(Entity, f32)>,
}

impl Priorities {
    /// How many factors there may be.
    pub const MAX: usize = 64;

    /// The entity matters so many times more to this connection than its importance says, until that is cleared.
    pub fn set(&mut self, entity: Entity, factor: f32) {
        self.clear(entity);
        if self.factors.len() >= Self::MAX {
            self.factors.remove(0);
        }
        self.factors.push((entity, self::factor(factor)));
    }

    /// The same, for where the component is made.
    #[must_use]
    pub fn with(mut self, entity: Entity, factor: f32) -> Self {
        self.set(entity, factor);
        self
    }

    /// The entity matters to this connection as its importance says.
    pub fn clear(&mut self, entity: Entity) {
        self.factors.retain(|(other, _)| *other != entity);
    }

    /// How many times more the entity matters to this connection: 1 where nothing was set.
    #[must_use]
    pub fn get(&self, entity: Entity) -> f32 {
        self.factors.iter().find(|(other, _)| *other == entity).map_or(1.0, |(_, factor)| *factor)
    }
}

/// Adds a connection's factors by slot, ascending, and forgets those of entities that are gone.
pub(crate) fn resolve_factors(
    mut priorities: Mut<Priorities>,
    entities: &Query<Option<&Slot>>,
    factors: &mut Vec<(u32, f32)>,
) {
    if priorities.factors.iter().any(|(entity, _)| !entities.contains(*entity)) {
        priorities.factors.retain(|(entity, _)| entities.contains(*entity));
    }
    for (entity, factor) in &priorities.factors {
        if let Ok(Some(slot)) = entities.get(*entity) {
            factors.push((slot.index(), *factor));
        }
    }
    factors.sort_unstable_by_key(|(slot, _)| *slot);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    fn entities<const N: usize>() -> [Entity; N] {
        let mut world = World::new();
        [(); N].map(|()| world.spawn_empty().id())
    }

    #[test]
    fn what_is_no_number_or_less_than_nothing_is_nothing() {
        assert_eq!([f32::NAN, f32::NEG_INFINITY, -1.0, -0.0, 0.0].map(factor), [0.0; 5]);
        assert_eq!([0.25, 3.0, f32::MAX, f32::INFINITY].map(factor), [0.25, 3.0, GREATEST, GREATEST]);
    }

    #[test]
    fn three_quarters_of_the_staleness_are_for_the_wait() {
        assert_eq!(PriorityWeights::default().resolve(TICK).longest_wait, 150);
        let staleness = |max_staleness| PriorityWeights { max_staleness, ..default() }.resolve(TICK).longest_wait;
        assert_eq!((staleness(Duration::ZERO), staleness(Duration::MAX)), (1, i32::MAX));
        let nearest = |nearest| PriorityWeights { nearest, ..default() }.resolve(TICK).nearest;
        assert_eq!([f32::NAN, 0.5, 1.0, 20.0].map(nearest), [1.0, 1.0, 1.0, 20.0]);
    }

    #[test]
    fn a_factor_counts_until_it_is_cleared() {
        let [target, other] = entities();
        let mut priorities = Priorities::default().with(target, 4.0);
        assert_eq!((priorities.get(target), priorities.get(other)), (4.0, 1.0));
        priorities.set(target, f32::NAN);
        assert_eq!(priorities.get(target), 0.0);
        priorities.clear(target);
        assert_eq!(priorities, Priorities::default());
    }

    #[test]
    fn the_factor_that_was_set_longest_ago_gives_way() {
        let targets: [Entity; Priorities::MAX + 1] = entities();
        let mut priorities = Priorities::default();
        for target in &targets[..Priorities::MAX] {
            priorities.set(*target, 2.0);
        }
        // Set again, it is the newest.
        priorities.set(targets[0], 3.0);
        priorities.set(targets[Priorities::MAX], 2.0);
        let kept: Vec<f32> = targets.iter().map(|target| priorities.get(*target)).collect();
        assert_eq!((kept[0], kept[1], kept[2], kept[Priorities::MAX]), (3.0, 1.0, 2.0, 2.0));
        assert_eq!(priorities.factors.len(), Priorities::MAX);
    }
}
