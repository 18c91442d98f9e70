//! Which kinds of input there are.

use core::any::TypeId;
use core::marker::PhantomData;

use bevy::ecs::entity::EntityHashMap;
use bevy::prelude::*;
use slipstream_wire::Tick;

use crate::input::{InputCodec, SampleSize};

/// The kinds of input, sorted by name. A kind's place in that order is its number on the wire, so
/// the order of registration does not matter.
#[derive(Resource, Debug, Default)]
pub struct InputRegistry {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    component: TypeId,
    size: SampleSize,
}

impl InputRegistry {
    /// The names of all registered inputs, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// Adds a kind of input; `false` if the component is registered already.
    pub(crate) fn register<C: Component>(&mut self, name: &str, size: SampleSize) -> bool {
        if self.index_of::<C>().is_some() {
            return false;
        }
        let place = self.entries.partition_point(|entry| entry.name.as_str() < name);
        self.entries.insert(place, Entry { name: name.to_owned(), component: TypeId::of::<C>(), size });
        true
    }

    pub(crate) fn index_of<C: Component>(&self) -> Option<usize> {
        let component = TypeId::of::<C>();
        self.entries.iter().position(|entry| entry.component == component)
    }

    pub(crate) fn size(&self, index: usize) -> Option<SampleSize> {
        self.entries.get(index).map(|entry| entry.size)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// The codec of one kind of input, and what the last tick's sample of each controlled entity was.
#[derive(Resource)]
pub(crate) struct RegisteredInput<C: Component, K: InputCodec<C>> {
    pub(crate) codec: K,
    pub(crate) sampled: EntityHashMap<(Tick, K::State)>,
    component: PhantomData<fn() -> C>,
}

impl<C: Component, K: InputCodec<C>> RegisteredInput<C, K> {
    pub(crate) fn new(codec: K) -> Self {
        Self { codec, sampled: EntityHashMap::new(), component: PhantomData }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Component)]
    struct Aim;
    #[derive(Component)]
    struct Drive;

    #[test]
    fn numbers_do_not_depend_on_the_order_of_registration() {
        let mut one = InputRegistry::default();
        assert!(one.register::<Drive>("drive", SampleSize::Bytes));
        assert!(one.register::<Aim>("aim", SampleSize::Bits(3)));
        let mut other = InputRegistry::default();
        assert!(other.register::<Aim>("aim", SampleSize::Bits(3)));
        assert!(other.register::<Drive>("drive", SampleSize::Bytes));
        assert_eq!(one.index_of::<Drive>(), Some(1));
        assert_eq!(other.index_of::<Drive>(), Some(1));
        assert_eq!(one.size(0), Some(SampleSize::Bits(3)));
        assert!(one.names().eq(["aim", "drive"]));
    }

    #[test]
    fn a_component_is_registered_once() {
        let mut registry = InputRegistry::default();
        assert!(registry.register::<Drive>("drive", SampleSize::Bytes));
        assert!(!registry.register::<Drive>("again", SampleSize::Bytes));
        assert_eq!(registry.len(), 1);
    }
}
