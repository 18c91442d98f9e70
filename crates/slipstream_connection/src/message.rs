//! Typed messages: registered once, sent by type, received by type.

mod registration;
mod sending;

use bevy::ecs::system::SystemParam;
use bevy::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::registration::{AppMessageExt, MessageRegistration};
pub(crate) use self::registration::{TypeOptions, register_type, take_in};
pub use self::sending::{Sending, Target};

use crate::error::NetworkError;
use crate::registry::TypeKey;

/// What can travel in a message. Every serialisable type that the ECS can hold is one.
pub trait Payload: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Payload for T {}

/// A message that a peer has sent. Read it with `MessageReader<Received<M>>`.
#[derive(Message, Debug, Clone, PartialEq)]
pub struct Received<M> {
    /// The connection that it came through.
    pub from: Entity,
    /// The message.
    pub message: M,
}

/// An event that a peer has sent. Observe it with `On<RemoteEvent<E>>`.
#[derive(Event, Debug, Clone, PartialEq)]
pub struct RemoteEvent<E> {
    /// The connection that it came through.
    pub from: Entity,
    /// The event.
    pub event: E,
}

/// Sends messages, and events, of one registered type.
///
/// Messages leave at the end of the frame, in the order in which all systems sent them. On a host, what is addressed to its
/// own player (or by it to the server) arrives in the same frame, at the next point where commands are applied.
///
/// ```
/// use bevy::prelude::*;
/// use serde::{Deserialize, Serialize};
/// use slipstream_connection::{MessageSender, Received, Target};
///
/// #[derive(Message, Serialize, Deserialize, Clone)]
/// struct Chat(String);
///
/// /// On the server: everybody else reads what one player wrote.
/// fn relay(mut chats: MessageReader<Received<Chat>>, mut sender: MessageSender<Chat>) -> Result {
///     for chat in chats.read() {
///         sender.send(Target::AllBut(chat.from), &chat.message)?;
///     }
///     Ok(())
/// }
/// ```
#[derive(SystemParam)]
pub struct MessageSender<'w, 's, M: Payload> {
    sending: Sending<'w, 's>,
    options: Option<Res<'w, TypeOptions<M>>>,
}

impl<M: Payload> MessageSender<'_, '_, M> {
    /// Sends a message to one or more peers.
    ///
    /// # Errors
    /// When the type is not registered, nobody is connected there, the message is too large, cannot be encoded, or names an
    /// entity that is not replicated.
    pub fn send(&mut self, target: Target<'_>, message: &M) -> Result<(), NetworkError> {
        let Some(options) = &self.options else {
            return Err(NetworkError::NotRegistered { type_name: core::any::type_name::<M>() });
        };
        let (kind, name_entities) = (options.kind, options.name_entities);
        self.sending.send(TypeKey::of::<M>(kind), None, target, message, name_entities)
    }
}
