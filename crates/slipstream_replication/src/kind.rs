//! Kinds: components whose first values go on an entity in one insertion.
//!
//! ```text
//! records ── decode ──┬─ the entity has the component ──► written in place
//!                     ├─ it lacks it, no kind names it ──► inserted
//!                     └─ it lacks it, a kind names it ──► FirstValues<C>, by entity
//!                                                            │ when all records of the frame are decoded
//!                     one insertion an entity, parents first ◄┘
//! ```
//!
//! An entity takes the kind of which most components came; what that one does not name goes on with the next best.
//! Kinds are this program's own affair: they change nothing on the wire, and peers need not have the same.

mod values;

use core::any::TypeId;
use core::cmp::Reverse;

use bevy::prelude::*;

use self::values::{Tuple, Values};
use crate::ancestry::parents_first;
use crate::registry::{ComponentEntry, Registry};

pub(crate) use self::values::{first_value, forget_first, is_of_a_kind, put_first};

/// The component types of one kind of entity, for
/// [`replicate_together`](crate::AppReplicateExt::replicate_together): a tuple of two to twelve.
pub trait Kind: Tuple {}

impl<T: Tuple> Kind for T {}

/// A component type of a kind, and its name.
type Member = (TypeId, &'static str);

/// A kind behind function pointers.
#[derive(Debug, Clone)]
pub(crate) struct KindEntry {
    members: Vec<Member>,
    /// How many first values of these components an entity waits with.
    count: fn(&World, Entity) -> usize,
    /// Puts them on it.
    put: fn(&mut World, Entity),
}

impl KindEntry {
    /// The kind `K`, and room for first values of its components.
    ///
    /// # Panics
    /// At start-up, when `K` names a component twice.
    pub(crate) fn of<K: Kind>(world: &mut World) -> Self {
        K::First::prepare(world);
        K::Rest::prepare(world);
        world.init_resource::<Gathered>();
        let mut members = Vec::new();
        K::First::list(&mut members);
        K::Rest::list(&mut members);
        for (position, (id, name)) in members.iter().enumerate() {
            assert!(
                !members.iter().take(position).any(|(other, _)| other == id),
                "`{name}` is named twice in one `replicate_together`: name every component once"
            );
        }
        Self { members, count: count::<K>, put: put::<K> }
    }

    /// # Panics
    /// When something that it names is not replicated.
    pub(crate) fn check(&self, components: &[ComponentEntry]) {
        for (id, name) in &self.members {
            let mut sources = components.iter().filter(|entry| entry.erased.puts().contains(id)).peekable();
            let source = sources.peek().map(|entry| entry.name.as_str()).unwrap_or_default().to_owned();
            assert!(
                !source.is_empty(),
                "`{name}` is named in `replicate_together` and is not replicated: register it, as with \
                 `app.replicate::<{name}>()`, or leave it out"
            );
            let names = |id: &TypeId| self.members.iter().any(|(member, _)| member == id);
            assert!(
                sources.any(|entry| entry.erased.puts().iter().all(names)),
                "`{name}` is named in `replicate_together` without the other half of the body `{source}`: name its \
                 pose and its motion, or neither"
            );
        }
    }
}

/// Entities that wait with first values, in the order in which these came.
#[derive(Resource, Debug, Default)]
pub(crate) struct Gathered(Vec<Entity>);

fn count<K: Kind>(world: &World, entity: Entity) -> usize {
    K::First::count(world, entity) + K::Rest::count(world, entity)
}

fn put<K: Kind>(world: &mut World, entity: Entity) {
    let first = K::First::take(world, entity);
    let rest = K::Rest::take(world, entity);
    if !first.is_whole() || !rest.is_whole() {
        first.insert_present((), world, entity);
        rest.insert_present((), world, entity);
        return;
    }
    let bundle = first.join(()).and_then(|bundle| rest.join(bundle));
    // An entity that the game despawned by itself takes no more state.
    if let (Some(bundle), Ok(mut entity)) = (bundle, world.get_entity_mut(entity)) {
        entity.insert(bundle);
    }
}

/// Puts first values that have been gathered on their entities: each entity's in one insertion, parents first.
pub(crate) fn put_together(world: &mut World) {
    let Some(mut gathered) = world.get_resource_mut::<Gathered>() else { return };
    let entities = core::mem::take(&mut gathered.0);
    if entities.is_empty() {
        return;
    }
    let kinds = world.resource::<Registry>().kinds.clone();
    for entity in parents_first(world, entities) {
        loop {
            let waiting = kinds.iter().map(|kind| ((kind.count)(world, entity), kind));
            // Of kinds of which as much came, the one of which less is missing.
            let best = waiting.max_by_key(|(count, kind)| (*count, Reverse(kind.members.len())));
            match best {
                Some((1.., kind)) => (kind.put)(world, entity),
                _ => break,
            }
        }
    }
}
