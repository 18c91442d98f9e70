//! `app.replicate_resource::<R>()` and its options, and how a received value gets into the resource.

use core::any::TypeId;
use core::marker::PhantomData;
use std::sync::Arc;

use bevy::ecs::component::Mutable;
use bevy::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use slipstream_connection::NetworkId;
use slipstream_wire::{Baseline, BitReader, BitWriter};

use crate::batch::Batch;
use crate::carrier::{ResourceCarrier, ResourceCodec, journal_resource};
use crate::codec::{Codec, ResolveEntities};
use crate::error::RecordError;
use crate::field::StepCodec;
use crate::registration::add;
use crate::registry::{ErasedComponent, References, Registry, read_within_limit};
use crate::systems::ReplicationSystems;

/// Stands before a resource's name among those of components: a type may be both.
const RESOURCE: &str = "resource ";

fn name_of<R>() -> String {
    format!("{RESOURCE}{}", core::any::type_name::<R>())
}

/// The kind and name under which the handshake compares what is registered.
pub(crate) fn protocol_name(registered: &str) -> (&'static str, &str) {
    registered.strip_prefix(RESOURCE).map_or(("component", registered), |resource| ("resource", resource))
}

/// The options of one replicated resource.
pub struct ResourceRegistration<'a, R> {
    app: &'a mut App,
    marker: PhantomData<fn(R)>,
}

impl<'a, R: Resource<Mutability = Mutable>> ResourceRegistration<'a, R> {
    pub(crate) fn new(app: &'a mut App, codec: impl Codec<R>) -> Self {
        if add(app, name_of::<R>(), Arc::new(ReplicatedResource { codec: Arc::new(codec) })) {
            app.add_systems(FixedPostUpdate, journal_resource::<R>.in_set(ReplicationSystems::Journal));
        }
        Self { app, marker: PhantomData }
    }

    /// Sends at most every `ticks` ticks. The newest value is always sent in the end.
    pub fn send_every(self, ticks: u32) -> Self {
        if let Some(entry) = self.app.world_mut().resource_mut::<Registry>().entry(&name_of::<R>()) {
            entry.options.send_every = ticks.max(1);
        }
        self
    }

    /// Puts the resource into a named lane, with other resources of the same rate. Each still travels by itself: this
    /// saves lanes, of which a program has [`MAX_LANES`](crate::MAX_LANES).
    pub fn lane(self, name: &str) -> Self {
        if let Some(entry) = self.app.world_mut().resource_mut::<Registry>().entry(&name_of::<R>()) {
            entry.lane_name = name.to_owned();
        }
        self
    }

    /// Swaps the codec.
    pub fn codec(self, codec: impl Codec<R>) -> Self {
        add(self.app, name_of::<R>(), Arc::new(ReplicatedResource { codec: Arc::new(codec) }));
        self
    }
}

impl<R> ResourceRegistration<'_, R>
where
    R: Resource<Mutability = Mutable> + Clone + Serialize + DeserializeOwned,
{
    /// Sends every `f32` in it in steps of `step`, and only what changed by one. See [`StepCodec`].
    pub fn step(self, step: f32) -> Self {
        self.codec(StepCodec::new(step))
    }
}

/// A resource behind `dyn`.
struct ReplicatedResource<R: Resource> {
    codec: Arc<dyn Codec<R>>,
}

/// An entity that carries a resource is nothing that the game should see.
fn hide(world: &mut World, carrier: Entity) {
    if let Ok(mut carrier) = world.get_entity_mut(carrier)
        && !carrier.contains::<ResourceCarrier>()
    {
        carrier.insert(ResourceCarrier);
    }
}

impl<R: Resource<Mutability = Mutable>> ErasedComponent for ReplicatedResource<R> {
    fn describe(&self) -> String {
        self.codec.describe()
    }

    fn continues_motion(&self) -> bool {
        self.codec.continues_motion()
    }

    fn puts(&self) -> Vec<TypeId> {
        Vec::new()
    }

    fn outlives_entity(&self) -> bool {
        true
    }

    fn write(&self, baseline: Option<Baseline>, words: &[u32], writer: &mut BitWriter) {
        self.codec.write(baseline, words, writer);
    }

    fn read(
        &self,
        baseline: Option<Baseline>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        read_within_limit(self.codec.as_ref(), baseline, reader, words)
    }

    fn apply(&self, world: &mut World, entity: Entity, words: &[u32]) -> Result<References, RecordError> {
        let mut resolve = ResolveEntities::new(world.resource());
        let value = self.codec.dequantize(words, &mut resolve)?;
        let references = References { resolved: !resolve.is_unresolved(), found: core::mem::take(&mut resolve.found) };
        hide(world, entity);
        if let Some(mut resource) = world.get_resource_mut::<R>() {
            *resource = value;
        } else {
            world.insert_resource(value);
        }
        Ok(references)
    }

    fn apply_batch(&self, world: &mut World, batch: &mut Batch) {
        let mut noted = core::mem::take(&mut batch.noted);
        let mut refused = None;
        for (entity, place, words) in batch.iter() {
            match self.apply(world, entity, words) {
                Ok(references) => noted.push((place, references)),
                Err(error) => refused = Some(error),
            }
        }
        batch.noted = noted;
        batch.refused = refused;
    }

    fn detach(&self, _: &mut World, _: Entity, _: &[u32], _: NetworkId) {}

    fn remove(&self, world: &mut World, entity: Entity) {
        hide(world, entity);
        world.remove_resource::<R>();
    }

    fn carry(&self, _: &mut World, _: Entity, _: Entity) {}

    fn number(&self, world: &mut World, component: usize) {
        world.insert_resource(ResourceCodec::<R> { codec: Arc::clone(&self.codec), component });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_told_apart_from_a_component_of_its_name() {
        assert_eq!(protocol_name("game::Score"), ("component", "game::Score"));
        assert_eq!(protocol_name(&name_of::<u32>()), ("resource", "u32"));
    }
}
