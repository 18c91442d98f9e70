//! First values by component type, and the bundles that they become.

use core::any::TypeId;

use bevy::ecs::entity::EntityHashMap;
use bevy::prelude::*;

use super::Gathered;

/// First values of one component type, by entity, until those of their kind are here. Types that a kind names have it.
#[derive(Resource)]
pub(crate) struct FirstValues<C: Component>(EntityHashMap<C>);

impl<C: Component> Default for FirstValues<C> {
    fn default() -> Self {
        Self(EntityHashMap::new())
    }
}

/// Whether a kind names `C`: its first values wait for others.
pub(crate) fn is_of_a_kind<C: Component>(world: &World) -> bool {
    world.contains_resource::<FirstValues<C>>()
}

/// Puts first values on their entities, or keeps them until those of their kind are here. Of several of an entity the
/// last one counts.
pub(crate) fn put_first<C: Component>(world: &mut World, values: Vec<(Entity, C)>) {
    if values.is_empty() {
        return;
    }
    if is_of_a_kind::<C>(world) {
        if let Some(mut gathered) = world.get_resource_mut::<Gathered>() {
            gathered.0.extend(values.iter().map(|(entity, _)| *entity));
        }
        if let Some(mut first) = world.get_resource_mut::<FirstValues<C>>() {
            for (entity, value) in values {
                first.0.insert(entity, value);
            }
        }
        return;
    }
    for (entity, value) in values {
        // An entity that the game despawned by itself takes no more state.
        if let Ok(mut entity) = world.get_entity_mut(entity) {
            entity.insert(value);
        }
    }
}

/// The first value that an entity waits with.
pub(crate) fn first_value<C: Component>(world: &World, entity: Entity) -> Option<&C> {
    world.get_resource::<FirstValues<C>>()?.0.get(&entity)
}

/// The component was taken off before its first value was on.
pub(crate) fn forget_first<C: Component>(world: &mut World, entity: Entity) {
    take_first::<C>(world, entity);
}

fn take_first<C: Component>(world: &mut World, entity: Entity) -> Option<C> {
    world.get_resource_mut::<FirstValues<C>>()?.0.remove(&entity)
}

/// A tuple of component types, in two parts.
///
/// A part is put on an entity in one insertion whatever of it came, which takes a bundle type for each subset of it: 64
/// for six components. Both parts go on in one insertion where all of them came; there are two insertions only where
/// the tuple has more than six components and some did not come.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no kind of entity",
    label = "not a tuple of 2 to 12 component types",
    note = "a kind is a tuple of 2 to 12 component types, such as `(Transform, Velocity, Health)`"
)]
pub trait Tuple: 'static {
    /// The first six.
    type First: Values;
    /// What is more than six.
    type Rest: Values;
}

/// Some of an entity's first values: a list of options.
pub trait Values: Sized {
    /// The bundle of all of them, after that of `B`.
    type Whole<B: Bundle>: Bundle;

    /// Makes room for first values.
    fn prepare(world: &mut World);

    /// Adds the component types and their names.
    fn list(members: &mut Vec<(TypeId, &'static str)>);

    /// How many of them an entity waits with.
    fn count(world: &World, entity: Entity) -> usize;

    /// Takes those that an entity waits with.
    fn take(world: &mut World, entity: Entity) -> Self;

    /// Whether all of them came.
    fn is_whole(&self) -> bool;

    /// All of them, where all came.
    fn join<B: Bundle>(self, bundle: B) -> Option<Self::Whole<B>>;

    /// Puts those that came on an entity, together with a bundle.
    fn insert_present<B: Bundle>(self, bundle: B, world: &mut World, entity: Entity);
}

impl Values for () {
    type Whole<B: Bundle> = B;

    fn prepare(_: &mut World) {}

    fn list(_: &mut Vec<(TypeId, &'static str)>) {}

    fn count(_: &World, _: Entity) -> usize {
        0
    }

    fn take(_: &mut World, _: Entity) -> Self {}

    fn is_whole(&self) -> bool {
        true
    }

    fn join<B: Bundle>(self, bundle: B) -> Option<B> {
        Some(bundle)
    }

    fn insert_present<B: Bundle>(self, bundle: B, world: &mut World, entity: Entity) {
        // An entity that the game despawned by itself takes no more state.
        if let Ok(mut entity) = world.get_entity_mut(entity) {
            entity.insert(bundle);
        }
    }
}

impl<C: Component, Others: Values> Values for (Option<C>, Others) {
    type Whole<B: Bundle> = Others::Whole<(B, C)>;

    fn prepare(world: &mut World) {
        world.init_resource::<FirstValues<C>>();
        Others::prepare(world);
    }

    fn list(members: &mut Vec<(TypeId, &'static str)>) {
        members.push((TypeId::of::<C>(), core::any::type_name::<C>()));
        Others::list(members);
    }

    fn count(world: &World, entity: Entity) -> usize {
        usize::from(first_value::<C>(world, entity).is_some()) + Others::count(world, entity)
    }

    fn take(world: &mut World, entity: Entity) -> Self {
        (take_first(world, entity), Others::take(world, entity))
    }

    fn is_whole(&self) -> bool {
        self.0.is_some() && self.1.is_whole()
    }

    fn join<B: Bundle>(self, bundle: B) -> Option<Self::Whole<B>> {
        let (value, others) = self;
        others.join((bundle, value?))
    }

    fn insert_present<B: Bundle>(self, bundle: B, world: &mut World, entity: Entity) {
        match self {
            (Some(value), others) => others.insert_present((bundle, value), world, entity),
            (None, others) => others.insert_present(bundle, world, entity),
        }
    }
}

macro_rules! list {
    () => { () };
    ($first:ident $($others:ident)*) => { (Option<$first>, list!($($others)*)) };
}

macro_rules! tuple {
    (($($first:ident)*) ($($rest:ident)*)) => {
        impl<$($first: Component,)* $($rest: Component,)*> Tuple for ($($first,)* $($rest,)*) {
            type First = list!($($first)*);
            type Rest = list!($($rest)*);
        }
    };
}

tuple!((A B) ());
tuple!((A B C) ());
tuple!((A B C D) ());
tuple!((A B C D E) ());
tuple!((A B C D E F) ());
tuple!((A B C D E F) (G));
tuple!((A B C D E F) (G H));
tuple!((A B C D E F) (G H I));
tuple!((A B C D E F) (G H I J));
tuple!((A B C D E F) (G H I J K));
tuple!((A B C D E F) (G H I J K L));
