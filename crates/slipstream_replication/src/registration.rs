//! `app.replicate::<C>()` and its options.

use std::sync::{Arc, Mutex};

use bevy::ecs::component::Mutable;
use bevy::ecs::relationship::Relationship;
use bevy::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use slipstream_connection::EntityMap;
use slipstream_wire::KinematicCodec;

use crate::body::{BodyComponent, KinematicBody, journal_bodies, journal_body_removal};
use crate::codec::{Codec, RelationshipCodec, SerdeCodec, TransformCodec};
use crate::field::{ByField, NetworkCodec, StepCodec};
use crate::interest::Audience;
use crate::journal::{journal_changes, journal_removal};
use crate::kind::{Kind, KindEntry, forget_first};
use crate::registry::{
    Decoded, Direction, ErasedComponent, LaneOptions, Registry, TypedComponent, set_all_anew, set_all_in_place,
};
use crate::resource::ResourceRegistration;
use crate::stable_id::{Adopted, set_all_ids, set_id};
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

    /// Replicates the resource `R`, through bincode and serde: the server's value goes to every connection when it
    /// changes.
    ///
    /// On a client it is written into the resource that is there, or inserted where there is none, and removed when the
    /// server removes its own. It stays when the connection ends. What a client writes into it is its own affair, until
    /// the server's next value comes. On a host it is the server's.
    ///
    /// Entities in it are mapped to the receiver's where the type has `#[component(map_entities)]` and implements
    /// `MapEntities`: the derive of `Resource` does not know `#[entities]` by itself.
    ///
    /// ```
    /// use bevy::prelude::*;
    /// use serde::{Deserialize, Serialize};
    /// use slipstream_replication::AppReplicateExt;
    ///
    /// #[derive(Resource, Clone, Serialize, Deserialize)]
    /// struct Match {
    ///     score: [u32; 2],
    ///     seconds_left: f32,
    /// }
    ///
    /// fn register(app: &mut App) {
    ///     app.replicate_resource::<Match>().step(0.1).send_every(6);
    /// }
    /// ```
    fn replicate_resource<R>(&mut self) -> ResourceRegistration<'_, R>
    where
        R: Resource<Mutability = Mutable> + Clone + Serialize + DeserializeOwned,
    {
        self.replicate_resource_with(SerdeCodec)
    }

    /// Replicates the resource `R` through a codec of your own. One that `R` derives is [`ByField`]`(R::codec())`.
    fn replicate_resource_with<R: Resource<Mutability = Mutable>>(
        &mut self,
        codec: impl Codec<R>,
    ) -> ResourceRegistration<'_, R>;

    /// Puts replicated components on an entity in one insertion where they arrive together, so that component hooks and
    /// observers of any of them find the others. Without it they go on one type after the other, and only
    /// [`Remote`](crate::Remote), which is inserted last, says that all are there.
    ///
    /// It is about first values, when an entity appears or gains several of the components in one frame; what changes
    /// later is written in place. What did not come (the entity has it not, or this connection is not told it) holds
    /// nothing up: the rest goes on together. Parents come before their children.
    ///
    /// * A body is named by its two components, both or neither.
    /// * A relationship may be named: it goes on with the rest where its target is here, and later where it is not. One
    ///   that is not named goes on before.
    /// * A component may be in several kinds. An entity takes the one of which most came.
    /// * Of a kind of more than six components where some did not come, the first six go on at once, then the others.
    ///
    /// Kinds are this program's own affair: other peers need not have the same.
    ///
    /// ```
    /// use bevy::prelude::*;
    /// use serde::{Deserialize, Serialize};
    /// use slipstream_replication::{AppReplicateExt, TransformCodec};
    ///
    /// #[derive(Component, Clone, Serialize, Deserialize)]
    /// struct Health(f32);
    ///
    /// #[derive(Component, Clone, Serialize, Deserialize)]
    /// struct Engine {
    ///     power: f32,
    /// }
    ///
    /// fn register(app: &mut App) {
    ///     app.replicate::<Health>();
    ///     app.replicate::<Engine>();
    ///     app.replicate_transform(TransformCodec::default());
    ///     app.replicate_together::<(Transform, Engine, Health)>()
    ///         .add_observer(|added: On<Add, Engine>, vehicles: Query<(&Engine, &Health, &Transform)>| {
    ///             // All three are there, whichever was registered first.
    ///             let _vehicle = vehicles.get(added.entity);
    ///         });
    /// }
    /// ```
    ///
    /// # Panics
    /// When the app is finished and one of the components is not replicated.
    fn replicate_together<K: Kind>(&mut self) -> &mut Self;
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
        register(self, Arc::new(codec), set_mutable::<C>, set_all_in_place::<C>, None)
    }

    fn replicate_body<B: KinematicBody>(&mut self, codec: KinematicCodec) -> Registration<'_, B> {
        if add(self, name_of::<B>(), BodyComponent::<B>::new(codec)) {
            self.add_systems(FixedPostUpdate, journal_bodies::<B>.in_set(ReplicationSystems::Journal))
                .add_observer(journal_body_removal::<B, B::Pose>)
                .add_observer(journal_body_removal::<B, B::Motion>);
        }
        Registration { app: self, marker: core::marker::PhantomData }
    }

    fn replicate_relationship<R: Relationship>(&mut self) -> Registration<'_, R> {
        register(self, Arc::new(RelationshipCodec), insert_anew::<R>, set_all_anew::<R>, Some(end_relationship::<R>))
    }

    fn replicate_resource_with<R: Resource<Mutability = Mutable>>(
        &mut self,
        codec: impl Codec<R>,
    ) -> ResourceRegistration<'_, R> {
        ResourceRegistration::new(self, codec)
    }

    fn replicate_together<K: Kind>(&mut self) -> &mut Self {
        self.init_resource::<Registry>();
        let world = self.world_mut();
        let kind = KindEntry::of::<K>(world);
        world.resource_mut::<Registry>().add_kind(kind);
        self
    }
}

/// The ids of entities that both sides load, in a lane of their own.
pub(crate) fn replicate_stable_ids(app: &mut App) {
    let _ids = register(app, Arc::new(SerdeCodec), set_id, set_all_ids, None);
}

fn register<C: Component>(
    app: &mut App,
    codec: Arc<dyn Codec<C>>,
    set: fn(&mut EntityWorldMut, C),
    set_all: fn(&mut World, &mut Decoded<C>),
    end: Option<fn(&mut World, Entity)>,
) -> Registration<'_, C> {
    let erased = TypedComponent { codec, set, set_all, end, decoded: Mutex::default() };
    if add(app, name_of::<C>(), Arc::new(erased)) {
        app.add_systems(FixedPostUpdate, journal_changes::<C>.in_set(ReplicationSystems::Journal))
            .add_observer(journal_removal::<C>);
    }
    Registration { app, marker: core::marker::PhantomData }
}

/// Registers something under a name; whether nothing had been before.
pub(crate) fn add(app: &mut App, name: String, erased: Arc<dyn ErasedComponent>) -> bool {
    app.init_resource::<Registry>();
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

/// The relationship is to nothing that is replicated and here. An entity that both sides load keeps the one that it has
/// to another of this side's: its level put it there.
fn end_relationship<R: Relationship>(world: &mut World, entity: Entity) {
    forget_first::<R>(world, entity);
    let adopted = world.get::<Adopted>(entity).is_some();
    let target = world.get::<R>(entity).map(Relationship::get);
    let own = target.is_some_and(|target| world.resource::<EntityMap>().network(target).is_none());
    if adopted && own {
        return;
    }
    if let Ok(mut entity) = world.get_entity_mut(entity) {
        entity.remove::<R>();
    }
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
            end: None,
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
