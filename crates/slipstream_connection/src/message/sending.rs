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
use crate::outbox::{LocalMessage, Outbox, OutgoingMessage};
use crate::registry::{ChannelEntry, NetworkProtocol, TypeKey};

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
    pub(crate) remote: Vec<Entity>,
    pub(crate) local: Option<Entity>,
}

impl Recipients {
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

    pub(crate) fn iter(&self) -> impl Iterator<Item = Entity> {
        self.remote.iter().copied().chain(self.local)
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
    ) -> Result<Recipients, NetworkError> {
        let unregistered = || NetworkError::NotRegistered { type_name: core::any::type_name::<T>() };
        let protocol = self.protocol.as_deref().ok_or_else(unregistered)?;
        let outbox = self.outbox.as_deref().ok_or_else(unregistered)?;
        let index = protocol.type_index(key).ok_or_else(unregistered)?;
        let channel = protocol
            .type_entry(index)
            .and_then(|entry| protocol.channel_entry(entry.channel))
            .ok_or_else(unregistered)?;
        let recipients = self.recipients(target)?;

        let mut numbers = vec![index];
        numbers.extend(number);
        if !recipients.remote.is_empty() {
            let payload = match (name_entities, self.entities.as_deref()) {
                (Some(name_entities), Some(map)) => {
                    let mut names = NameEntities::new(map);
                    let named = name_entities(value, &mut names);
                    names.finish()?;
                    encode_after(&numbers, &named)?
                }
                _ => encode_after(&numbers, value)?,
            };
            check_size(channel, &payload)?;
            let message = OutgoingMessage { to: recipients.remote.clone(), channel: channel.id, payload };
            outbox.push(message, &channel.config.name)?;
        }
        if let Some(connection) = recipients.local {
            let payload = encode_after(&numbers, value)?;
            check_size(channel, &payload)?;
            outbox.push_local(LocalMessage { connection, payload });
            self.commands.queue(deliver_local);
        }
        Ok(recipients)
    }

    fn recipients(&self, target: Target<'_>) -> Result<Recipients, NetworkError> {
        let mut recipients = Recipients::default();
        match target {
            Target::Server => {
                for (entity, connection, is_local) in &self.connections {
                    if is_local || connection.peer == PeerId::SERVER {
                        recipients.add(entity, is_local);
                    }
                }
                if recipients.is_empty() {
                    return Err(NetworkError::NotConnected { target: "a server".to_string() });
                }
            }
            Target::All | Target::AllBut(_) => {
                for (entity, _, is_local) in &self.connections {
                    if target != Target::AllBut(entity) {
                        recipients.add(entity, is_local);
                    }
                }
            }
            Target::One(one) => match self.connections.get(one) {
                Ok((entity, _, is_local)) => recipients.add(entity, is_local),
                Err(_) => return Err(NetworkError::NotConnected { target: format!("connection {one}") }),
            },
            Target::Many(many) => {
                for (entity, _, is_local) in many.iter().filter_map(|entity| self.connections.get(*entity).ok()) {
                    recipients.add(entity, is_local);
                }
                if recipients.is_empty() && !many.is_empty() {
                    let target = format!("any of {} connections", many.len());
                    return Err(NetworkError::NotConnected { target });
                }
            }
        }
        Ok(recipients)
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
