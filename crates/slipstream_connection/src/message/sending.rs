//! Who gets a message, and how it gets into the outbox.

use bevy::ecs::system::SystemParam;
use bevy::prelude::*;
use serde::Serialize;

use super::registration::NameEntitiesIn;
use crate::codec::{DECODE_LIMIT_BYTES, encode_after};
use crate::connection::{Connected, Connection, LocalConnection, PeerId};
use crate::dispatch::deliver_local;
use crate::entity_map::{EntityMap, NameEntities};
use crate::error::NetworkError;
use crate::outbox::{Outbox, OutgoingMessage};
use crate::registry::{ChannelEntry, NetworkProtocol, TypeKey};

/// What each sender keeps of the memory in which it encodes.
const KEPT_PAYLOAD_BYTES: usize = 4096;

/// Who gets a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// The server; on a host, this process.
    Server,
    /// Every open connection, a host's own player included. Nobody being there is no error.
    All,
    /// One connection.
    One(Entity),
    /// Every open connection but this one.
    AllBut(Entity),
    /// These connections. Those that are not open any more are left out.
    Many(&'a [Entity]),
}

/// The connections that a target means.
#[derive(Debug, Default)]
pub(crate) struct Recipients {
    remote: Vec<Entity>,
    local: Option<Entity>,
}

type Connections<'w, 's> = Query<'w, 's, (Entity, &'static Connection, Has<LocalConnection>), With<Connected>>;

impl Recipients {
    fn find(&mut self, target: Target<'_>, connections: &Connections<'_, '_>) -> Result<(), NetworkError> {
        self.remote.clear();
        self.local = None;
        match target {
            Target::Server => {
                for (entity, connection, is_local) in connections {
                    if is_local || connection.peer == PeerId::SERVER {
                        self.add(entity, is_local);
                    }
                }
                if self.is_empty() {
                    return Err(NetworkError::NotConnected { target: "a server".to_string() });
                }
            }
            Target::All | Target::AllBut(_) => {
                for (entity, _, is_local) in connections {
                    if target != Target::AllBut(entity) {
                        self.add(entity, is_local);
                    }
                }
            }
            Target::One(one) => match connections.get(one) {
                Ok((entity, _, is_local)) => self.add(entity, is_local),
                Err(_) => return Err(NetworkError::NotConnected { target: format!("connection {one}") }),
            },
            Target::Many(many) => {
                for (entity, _, is_local) in many.iter().filter_map(|entity| connections.get(*entity).ok()) {
                    self.add(entity, is_local);
                }
                if self.is_empty() && !many.is_empty() {
                    let target = format!("any of {} connections", many.len());
                    return Err(NetworkError::NotConnected { target });
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, connection: Entity, is_local: bool) {
        if is_local {
            self.local = Some(connection);
        } else {
            self.remote.push(connection);
        }
    }

    fn is_empty(&self) -> bool {
        self.remote.is_empty() && self.local.is_none()
    }
}

/// What all typed senders share. It only reads, so that no two senders exclude each other.
#[derive(SystemParam)]
pub struct Sending<'w, 's> {
    outbox: Option<Res<'w, Outbox>>,
    protocol: Option<Res<'w, NetworkProtocol>>,
    entities: Option<Res<'w, EntityMap>>,
    connections: Query<'w, 's, (Entity, &'static Connection, Has<LocalConnection>), With<Connected>>,
    commands: Commands<'w, 's>,
    /// Those of the message that was sent last, and its bytes: kept for their memory.
    recipients: Local<'s, Recipients>,
    payload: Local<'s, Vec<u8>>,
}

impl Sending<'_, '_> {
    /// Encodes a value, after its type's number and another one where given, and queues it.
    pub(crate) fn send<T: Serialize>(
        &mut self,
        key: TypeKey,
        number: Option<u32>,
        target: Target<'_>,
        value: &T,
        name_entities: Option<NameEntitiesIn<T>>,
    ) -> Result<(), NetworkError> {
        let unregistered = || NetworkError::NotRegistered { type_name: core::any::type_name::<T>() };
        let protocol = self.protocol.as_deref().ok_or_else(unregistered)?;
        let outbox = self.outbox.as_deref().ok_or_else(unregistered)?;
        let index = protocol.type_index(key).ok_or_else(unregistered)?;
        let channel = protocol
            .type_entry(index)
            .and_then(|entry| protocol.channel_entry(entry.channel))
            .ok_or_else(unregistered)?;
        let recipients: &mut Recipients = &mut self.recipients;
        recipients.find(target, &self.connections)?;

        let payload: &mut Vec<u8> = &mut self.payload;
        let numbers = [Some(index), number].into_iter().flatten();
        if !recipients.remote.is_empty() {
            match (name_entities, self.entities.as_deref()) {
                (Some(name_entities), Some(map)) => {
                    let mut names = NameEntities::new(map);
                    let named = name_entities(value, &mut names);
                    names.finish()?;
                    encode_after(numbers.clone(), &named, payload)?;
                }
                _ => encode_after(numbers.clone(), value, payload)?,
            }
            check_size(channel, payload)?;
            let message = OutgoingMessage { to: &recipients.remote, channel: channel.id, payload: payload.as_slice() };
            outbox.push(&message, &channel.config.name)?;
        }
        if let Some(connection) = recipients.local {
            encode_after(numbers, value, payload)?;
            check_size(channel, payload)?;
            let message = OutgoingMessage { to: &[connection], channel: channel.id, payload: payload.as_slice() };
            outbox.push_local(&message);
            self.commands.queue(deliver_local);
        }
        payload.shrink_to(KEPT_PAYLOAD_BYTES);
        Ok(())
    }

    /// Who got what was sent last.
    pub(crate) fn recipients(&self) -> impl Iterator<Item = Entity> {
        self.recipients.remote.iter().copied().chain(self.recipients.local)
    }
}

fn check_size(channel: &ChannelEntry, payload: &[u8]) -> Result<(), NetworkError> {
    // Whatever the channel says, neither the protocol nor the decoder takes more.
    let limit = channel.config.max_message_bytes.min(DECODE_LIMIT_BYTES);
    if payload.len() > limit {
        return Err(NetworkError::MessageTooLarge {
            channel: channel.config.name.to_string(),
            bytes: payload.len(),
            limit,
        });
    }
    Ok(())
}
