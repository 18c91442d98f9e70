//! Typed messages, events, requests and responses, in both directions.

use bevy_slipstream::prelude::{ChannelId, channels};

use super::guest::with_guest;
use super::host::with_host;
use super::recording::{RECORDING, corpus};

/// The channels that have types.
const OPEN: [ChannelId; 4] = [channels::DISPATCH, channels::EVENT, channels::PHYS, channels::REQUESTS];

/// A client says anything on channels of typed messages.
pub fn messages_to_server(data: &[u8]) {
    with_host(|host| host.attack(data, &OPEN));
}

/// A server says anything on channels of typed messages.
pub fn messages_to_client(data: &[u8]) {
    with_guest(|guest| guest.attack(data, &OPEN));
}

pub(crate) fn to_server_corpus() -> Vec<Vec<u8>> {
    corpus(&RECORDING.up, &OPEN)
}

pub(crate) fn to_client_corpus() -> Vec<Vec<u8>> {
    corpus(&RECORDING.down, &OPEN)
}
