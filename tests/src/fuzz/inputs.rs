//! Inputs of a client, and the feedback of a server.

use bevy_slipstream::prelude::{ChannelId, channels};

use super::guest::with_guest;
use super::host::with_host;
use super::recording::{RECORDING, corpus};

const INPUTS: [ChannelId; 1] = [channels::INPUTS];
const FEEDBACK: [ChannelId; 1] = [channels::INPUT_FEEDBACK];

/// A client sends inputs for its own entity, and for others: only its own is driven. The newest tick of a message is
/// told from the server's, so that an input means the same whenever it comes.
pub fn inputs(data: &[u8]) {
    with_host(|host| host.attack(data, &INPUTS));
}

/// A server says when inputs came: the client's tick goes where it is sent, and nothing breaks.
pub fn feedback(data: &[u8]) {
    with_guest(|guest| guest.attack(data, &FEEDBACK));
}

/// Moves the newest tick of a message of inputs, with which it begins.
pub(crate) fn shift_newest(payload: &mut [u8], ticks: u32) {
    if let Some(newest) = payload.first_chunk_mut::<4>() {
        *newest = u32::from_le_bytes(*newest).wrapping_add(ticks).to_le_bytes();
    }
}

pub(crate) fn inputs_corpus() -> Vec<Vec<u8>> {
    corpus(&RECORDING.up, &INPUTS)
}

pub(crate) fn feedback_corpus() -> Vec<Vec<u8>> {
    corpus(&RECORDING.down, &FEEDBACK)
}
