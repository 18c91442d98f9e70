//! How an app says which types travel, on which channel, and what must hold for them.

use core::marker::PhantomData;

use bevy::ecs::entity::MapEntities;
use bevy::prelude::*;

use super::{Payload, Received, RemoteEvent};
use crate::channel::ChannelRef;
use crate::codec::decode;
use crate::connection::Connection;
use crate::dispatch::{Arrived, ReceiveMessage, Refusal};
use crate::entity_map::{EntityMap, NameEntities, ResolveEntities};
use crate::limits::RateLimit;
use crate::registry::{Registrations, TypeKey, TypeKind, TypeRegistration};
use crate::request::{Request, register_request};

pub(crate) type NameEntitiesIn<T> = fn(&T, &mut NameEntities<'_>) -> T;
pub(crate) type ResolveEntitiesIn<T> = fn(&mut T, &mut ResolveEntities<'_>);

/// What a registration said about a type.
#[derive(Resource)]
pub(crate) struct TypeOptions<T: Payload> {
    pub(crate) kind: TypeKind,
    pub(crate) name_entities: Option<NameEntitiesIn<T>>,
    resolve_entities: Option<ResolveEntitiesIn<T>>,
    validate: Option<fn(&T, &Connection) -> bool>,
}

/// Registers typed messages, events and requests. Do it on both sides, before the app starts, in any order.
pub trait AppMessageExt {
    /// Registers a message. Send it with [`MessageSender`](crate::MessageSender), read it as [`Received`].
    ///
    /// # Panics
    /// When the type is registered already, or the app has started.
    fn register_message<M: Payload>(&mut self, channel: impl Into<ChannelRef>) -> MessageRegistration<'_, M>;

    /// Registers an event. Send it with [`MessageSender`](crate::MessageSender); at the other end it triggers observers of
    /// [`RemoteEvent`].
    ///
    /// # Panics
    /// When the type is registered already, or the app has started.
    fn register_event<E: Payload>(&mut self, channel: impl Into<ChannelRef>) -> MessageRegistration<'_, E>;

    /// Registers a request and its response, on [`channels::REQUESTS`](crate::channels::REQUESTS).
    ///
    /// # Panics
    /// When the type is registered already, or the app has started.
    fn register_request<Q: Request>(&mut self) -> MessageRegistration<'_, Q>;
}

impl AppMessageExt for App {
    fn register_message<M: Payload>(&mut self, channel: impl Into<ChannelRef>) -> MessageRegistration<'_, M> {
        self.add_message::<Received<M>>();
        register_type::<M, M>(self, TypeKind::Message, channel.into(), receive_message::<M>);
        MessageRegistration::new(self, TypeKind::Message, vec![TypeKey::of::<M>(TypeKind::Message)])
    }

    fn register_event<E: Payload>(&mut self, channel: impl Into<ChannelRef>) -> MessageRegistration<'_, E> {
        register_type::<E, E>(self, TypeKind::Event, channel.into(), receive_event::<E>);
        MessageRegistration::new(self, TypeKind::Event, vec![TypeKey::of::<E>(TypeKind::Event)])
    }

    fn register_request<Q: Request>(&mut self) -> MessageRegistration<'_, Q> {
        register_request::<Q>(self);
        let keys = vec![TypeKey::of::<Q>(TypeKind::Request), TypeKey::of::<Q>(TypeKind::Response)];
        MessageRegistration::new(self, TypeKind::Request, keys)
    }
}

/// Adds the type `T` to the lists, under the identity of `K`: a response is found by its request.
pub(crate) fn register_type<K: 'static, T: 'static>(
    app: &mut App,
    kind: TypeKind,
    channel: ChannelRef,
    receive: ReceiveMessage,
) {
    Registrations::of(app).add_type(TypeRegistration {
        key: TypeKey::of::<K>(kind),
        name: ShortName::of::<K>().to_string(),
        rust_name: core::any::type_name::<T>(),
        channel,
        rate: None,
        receive,
    });
}

/// Refines the registration of one type.
pub struct MessageRegistration<'a, M: Payload> {
    app: &'a mut App,
    keys: Vec<TypeKey>,
    marker: PhantomData<fn() -> M>,
}

impl<'a, M: Payload> MessageRegistration<'a, M> {
    fn new(app: &'a mut App, kind: TypeKind, keys: Vec<TypeKey>) -> Self {
        let existing = app.world().get_resource::<TypeOptions<M>>();
        assert!(
            existing.is_none(),
            "expected `{}` to be registered in one way, but it was registered as two of message, event and request: use two types",
            core::any::type_name::<M>()
        );
        app.insert_resource(TypeOptions::<M> { kind, name_entities: None, resolve_entities: None, validate: None });
        Self { app, keys, marker: PhantomData }
    }

    /// The name under which the type is known on the wire: both sides compare it. Without it the Rust type's name without its
    /// path is used.
    pub fn named(self, name: impl Into<String>) -> Self {
        let name = name.into();
        Registrations::of(self.app).edit_types(&self.keys, |registration| registration.name.clone_from(&name));
        self
    }

    /// How many of these a server takes from one connection, instead of
    /// [`ConnectionLimits::message_rate`](crate::ConnectionLimits::message_rate).
    pub fn rate_limit(self, limit: RateLimit) -> Self {
        Registrations::of(self.app).edit_types(&self.keys, |registration| registration.rate = Some(limit));
        self
    }

    /// Messages for which `is_allowed` says `false` never reach the game. They are counted, and charged to the sender's
    /// error budget.
    pub fn validate(mut self, is_allowed: fn(&M, &Connection) -> bool) -> Self {
        self.options().validate = Some(is_allowed);
        self
    }

    /// The message holds entities: they are translated into those of the receiver. A message about an entity that the receiver
    /// does not have yet waits for it, at most [`ConnectionLimits::waiting_time`](crate::ConnectionLimits::waiting_time), and
    /// is dropped and counted if it does not come. `Entity::PLACEHOLDER` passes as it is.
    pub fn map_entities(mut self) -> Self
    where
        M: MapEntities + Clone,
    {
        let mut options = self.options();
        options.name_entities = Some(name_entities_in::<M>);
        options.resolve_entities = Some(resolve_entities_in::<M>);
        self
    }

    fn options(&mut self) -> Mut<'_, TypeOptions<M>> {
        self.app.world_mut().resource_mut::<TypeOptions<M>>()
    }
}

fn name_entities_in<T: MapEntities + Clone>(value: &T, names: &mut NameEntities<'_>) -> T {
    let mut named = value.clone();
    MapEntities::map_entities(&mut named, names);
    named
}

fn resolve_entities_in<T: MapEntities>(value: &mut T, entities: &mut ResolveEntities<'_>) {
    MapEntities::map_entities(value, entities);
}

/// Decodes a value, translates its entities and asks the type's validation hook.
pub(crate) fn take_in<T: Payload>(world: &World, arrived: &Arrived<'_>, body: &[u8]) -> Result<T, Refusal> {
    let mut value: T = decode(body).map_err(Refusal::Malformed)?;
    let Some(options) = world.get_resource::<TypeOptions<T>>() else { return Ok(value) };
    if arrived.remote
        && let Some(resolve_entities) = options.resolve_entities
        && let Some(map) = world.get_resource::<EntityMap>()
    {
        let mut entities = ResolveEntities::new(map);
        resolve_entities(&mut value, &mut entities);
        if entities.is_unresolved() {
            return Err(Refusal::Unresolved);
        }
    }
    if let Some(is_allowed) = options.validate
        && let Some(connection) = world.get::<Connection>(arrived.from)
        && !is_allowed(&value, connection)
    {
        return Err(Refusal::Rejected(core::any::type_name::<T>()));
    }
    Ok(value)
}

fn receive_message<M: Payload>(world: &mut World, arrived: &Arrived<'_>) -> Result<(), Refusal> {
    let message: M = take_in(world, arrived, arrived.body)?;
    world.write_message(Received { from: arrived.from, message });
    Ok(())
}

fn receive_event<E: Payload>(world: &mut World, arrived: &Arrived<'_>) -> Result<(), Refusal> {
    let event: E = take_in(world, arrived, arrived.body)?;
    world.trigger(RemoteEvent { from: arrived.from, event });
    Ok(())
}
