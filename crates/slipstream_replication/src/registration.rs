//! `app.replicate::<C>()` and its options.

use std::sync::{Arc, Mutex};

use bevy::ecs::component::Mutable;
use bevy::ecs::relationship::Relationship;
use bevy::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use slipstream_wire::KinematicCodec;

use crate::body::{BodyComponent, KinematicBody, journal_bodies, journal_body_removal};
use crate::codec::{Codec, RelationshipCodec, SerdeCodec, TransformCodec};
use crate::field::{ByField, NetworkCodec, StepCodec};
use crate::interest::Audience;
use crate::journal::{journal_changes, journal_removal};
use crate::registry::{
    ApplyMode, Decoded, Direction, ErasedComponent, LaneOptions, Registry, TypedComponent, set_all_anew,
    set_all_in_place,
};
use crate::systems::ReplicationSystems;
use crate::validation::Validate;

/// Registers components for replication. Order never matters; every peer registers the same.
pub trait AppReplicateExt {
    /// Replicates `C` on every [`Replicated`](crate::Replicated) entity that has it, through bincode and serde.
    ///
    /// Fields marked `#[entities]` are mapped to the receiver's entities. Registering a type again changes its options.
    fn replicate<C>(&mut self) -> Registration<'_, C>
    where
        C: Component<Mutability = Mutable> + Clone + Serialize + DeserializeOwned;

    /// Replicates `C` through a codec of your own.
    fn replicate_with<C: Component<Mutability = Mutable>>(&mut self, codec: impl Codec<C>) -> Registration<'_, C>;

    /// Replicates `C` by the codec that it derives: see [`NetworkCodec`].
    fn replicate_quantised<C>(&mut self) -> Registration<'_, C>
    where
        C: Component<Mutability = Mutable> + NetworkCodec,
    {
        self.replicate_with(ByField(C::codec()))
    }

    /// Replicates `Transform`: position in a range with a step, rotation in a few bits. See [`TransformCodec`].
    fn replicate_transform(&mut self, codec: TransformCodec) -> Registration<'_, Transform> {
        self.replicate_with(codec)
    }

    /// Replicates a rigid body: the pose and the velocity of every [`Replicated`](crate::Replicated) entity that has both,
    /// as one value. What the velocity foretells of the pose is not sent. See [`KinematicCodec`].
    ///
    /// Where one of the two is taken off, it is a body no longer, and receivers lose both.
    fn replicate_body<B: KinematicBody>(&mut self, codec: KinematicCodec) -> Registration<'_, B>;

    /// Replicates a relationship, such as `ChildOf`, between replicated entities.
    ///
    /// It appears on the receiver once both ends exist there.
    fn replicate_relationship<R: Relationship>(&mut self) -> Registration<'_, R>;
}

/// The options of one replicated component.
pub struct Registration<'a, C> {
    app: &'a mut App,
    marker: core::marker::PhantomData<fn(C)>,
}

impl AppReplicateExt for App {
    fn replicate<C>(&mut self) -> Registration<'_, C>
    where
        C: Component<Mutability = Mutable> + Clone + Serialize + DeserializeOwned,
    {
        self.replicate_with(SerdeCodec)
    }

    fn replicate_with<C: Component<Mutability = Mutable>>(&mut self, codec: impl Codec<C>) -> Registration<'_, C> {
        register(self, Arc::new(codec), set_mutable::<C>, set_all_in_place::<C>, ApplyMode::Always)
    }

    fn replicate_body<B: KinematicBody>(&mut self, codec: KinematicCodec) -> Registration<'_, B> {
        if add::<B>(self, BodyComponent::<B>::new(codec)) {
            self.add_systems(FixedPostUpdate, journal_bodies::<B>.in_set(ReplicationSystems::Journal))
                .add_observer(journal_body_removal::<B, B::Pose>)
                .add_observer(journal_body_removal::<B, B::Motion>);
        }
        Registration { app: self, marker: core::marker::PhantomData }
    }

    fn replicate_relationship<R: Relationship>(&mut self) -> Registration<'_, R> {
        register(self, Arc::new(RelationshipCodec), insert_anew::<R>, set_all_anew::<R>, ApplyMode::WhenResolved)
    }
}

fn register<C: Component>(
    app: &mut App,
    codec: Arc<dyn Codec<C>>,
    set: fn(&mut EntityWorldMut, C),
    set_all: fn(&mut World, &mut Decoded<C>),
    mode: ApplyMode,
) -> Registration<'_, C> {
    if add::<C>(app, Arc::new(TypedComponent { codec, set, set_all, mode, decoded: Mutex::default() })) {
        app.add_systems(FixedPostUpdate, journal_changes::<C>.in_set(ReplicationSystems::Journal))
            .add_observer(journal_removal::<C>);
    }
    Registration { app, marker: core::marker::PhantomData }
}

/// Whether `C` had not been registered before.
fn add<C>(app: &mut App, erased: Arc<dyn ErasedComponent>) -> bool {
    app.init_resource::<Registry>();
    let name = name_of::<C>();
    let mut registry = app.world_mut().resource_mut::<Registry>();
    let first = registry.entry(&name).is_none();
    registry.add(name, erased);
    first
}

fn set_mutable<C: Component<Mutability = Mutable>>(entity: &mut EntityWorldMut, value: C) {
    if let Some(mut component) = entity.get_mut::<C>() {
        *component = value;
        return;
    }
    entity.insert(value);
}

fn insert_anew<C: Component>(entity: &mut EntityWorldMut, value: C) {
    entity.insert(value);
}

fn name_of<C>() -> String {
    core::any::type_name::<C>().to_owned()
}

impl<C> Registration<'_, C> {
    /// Sends at most every `ticks` ticks. The newest value is always sent in the end.
    pub fn send_every(self, ticks: u32) -> Self {
        self.option(|options| options.send_every = ticks.max(1))
    }

    /// Only the entity's owner receives it: secret health, ammunition, cards in a hand.
    pub fn to_owner_only(self) -> Self {
        self.option(|options| options.audience = Audience::Owner)
    }

    /// Only the entity's owner and connections of the entity's [`Team`](crate::Team) receive it.
    pub fn to_team_only(self) -> Self {
        self.option(|options| options.audience = Audience::Team)
    }

    /// Only the entity's owner and those whom its [`Reveal`](crate::Reveal) names receive it.
    pub fn when_revealed(self) -> Self {
        self.option(|options| options.audience = Audience::Revealed)
    }

    /// The entity's owner sends it to the server, which passes it on. The server must not trust it: see
    /// [`validate`](Self::validate).
    ///
    /// The server may change it too, to teleport, to stun, to give back what was spent: its word goes to the owner like
    /// to everyone else, and wins. **A word of the owner counts if the owner had the server's newest word when it wrote
    /// it**: what crossed the server's word on the line is void, and what the owner's systems write once they see the
    /// server's is taken. That holds by [`lane`](Self::lane). The server's words are what its systems change, what a
    /// validator corrects or refuses, and what there is when the ownership begins or the entity comes into the owner's
    /// sight.
    ///
    /// A system that runs on both sides and writes it must leave alone, on the server, what a client owns: each of its
    /// changes would be a word of the server's.
    pub fn from_owner(self) -> Self {
        self.option(|options| options.direction = Direction::FromOwner)
    }

    /// Puts the component into a named lane: components that change together then share one record, and arrive together.
    pub fn lane(self, name: &str) -> Self {
        if let Some(entry) = self.app.world_mut().resource_mut::<Registry>().entry(&name_of::<C>()) {
            entry.lane_name = name.to_owned();
        }
        self
    }

    /// Values that an owner sends must pass this.
    pub(crate) fn validator(self, validator: Arc<dyn Validate>) -> Self {
        if let Some(entry) = self.app.world_mut().resource_mut::<Registry>().entry(&name_of::<C>()) {
            entry.validator = Some(validator);
        }
        self
    }

    fn option(self, change: impl FnOnce(&mut LaneOptions)) -> Self {
        if let Some(entry) = self.app.world_mut().resource_mut::<Registry>().entry(&name_of::<C>()) {
            change(&mut entry.options);
        }
        self
    }
}

impl<C: Component<Mutability = Mutable>> Registration<'_, C> {
    /// Swaps the codec.
    pub fn codec(self, codec: impl Codec<C>) -> Self {
        let erased = TypedComponent {
            codec: Arc::new(codec),
            set: set_mutable::<C>,
            set_all: set_all_in_place::<C>,
            mode: ApplyMode::Always,
            decoded: Mutex::default(),
        };
        self.app.world_mut().resource_mut::<Registry>().add(name_of::<C>(), Arc::new(erased));
        self
    }
}

impl<C> Registration<'_, C>
where
    C: Component<Mutability = Mutable> + Clone + Serialize + DeserializeOwned,
{
    /// Sends every `f32` in it in steps of `step`, and only what changed by one. See [`StepCodec`].
    pub fn step(self, step: f32) -> Self {
        self.codec(StepCodec::new(step))
    }
}
