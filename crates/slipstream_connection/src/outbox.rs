//! Where typed messages wait for the end of the frame.
//!
//! Many systems send in the same frame, in parallel and several types each. They share one queue behind a lock, so that
//! no two senders exclude each other and messages leave in the order in which they were sent.

use std::sync::{Mutex, PoisonError};

use bevy::prelude::*;
use slipstream_protocol::ChannelId;

use crate::error::NetworkError;

/// More bytes than this in one frame are a mistake that should be noticed where it is made.
const MAX_QUEUED_BYTES: usize = 8 * 1024 * 1024;

/// Typed messages of this frame.
#[derive(Resource, Debug, Default)]
pub(crate) struct Outbox {
    remote: Mutex<RemoteQueue>,
    local: Mutex<Vec<LocalMessage>>,
}

#[derive(Debug, Default)]
struct RemoteQueue {
    messages: Vec<OutgoingMessage>,
    bytes: usize,
}

/// An encoded message and the connections that get it.
#[derive(Debug)]
pub(crate) struct OutgoingMessage {
    pub(crate) to: Vec<Entity>,
    pub(crate) channel: ChannelId,
    pub(crate) payload: Vec<u8>,
}

/// An encoded message from a host to itself, through its local connection.
#[derive(Debug)]
pub(crate) struct LocalMessage {
    pub(crate) connection: Entity,
    pub(crate) payload: Vec<u8>,
}

impl Outbox {
    pub(crate) fn push(&self, message: OutgoingMessage, channel_name: &str) -> Result<(), NetworkError> {
        let mut queue = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.bytes + message.payload.len() > MAX_QUEUED_BYTES {
            return Err(NetworkError::QueueFull { channel: channel_name.to_string(), queued_bytes: queue.bytes });
        }
        queue.bytes += message.payload.len();
        queue.messages.push(message);
        Ok(())
    }

    pub(crate) fn push_local(&self, message: LocalMessage) {
        self.local.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }

    pub(crate) fn take(&self) -> Vec<OutgoingMessage> {
        let mut queue = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        queue.bytes = 0;
        core::mem::take(&mut queue.messages)
    }

    pub(crate) fn take_local(&self) -> Vec<LocalMessage> {
        core::mem::take(&mut *self.local.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
