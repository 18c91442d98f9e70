//! Replicated state, and the requests to start over, in both directions.

use bevy_slipstream::prelude::{ChannelId, channels};

use super::guest::with_guest;
use super::host::with_host;
use super::parts;
use super::recording::{RECORDING, corpus};

const OPEN: [ChannelId; 2] = [channels::RECORDS, channels::RECORD_REQUESTS];

/// What a client says it knows of the server's words begins with this byte.
const CONFIRMATION: u8 = 3;

/// A client tells of its own entity, and of others: nothing but its own lanes of its own entity changes.
pub fn records_to_server(data: &[u8]) {
    with_host(|host| host.attack(data, &OPEN));
}

/// A server tells of any entities: they go with it, and another server is understood after it.
pub fn records_to_client(data: &[u8]) {
    with_guest(|guest| guest.attack(data, &OPEN));
}

/// Lets what a client says it knows be about this ownership and this word: what it tells on top of that is heeded.
pub(crate) fn confirm_word(payload: &mut [u8], term: u32, word: u32) {
    if let [CONFIRMATION, _, _, _, _, _epoch, rest @ ..] = payload
        && let Some((said_term, [_lane, rest @ ..])) = rest.split_first_chunk_mut::<4>()
        && let Some(said_word) = rest.first_chunk_mut::<4>()
    {
        *said_term = term.to_le_bytes();
        *said_word = word.to_le_bytes();
    }
}

pub(crate) fn to_server_corpus() -> Vec<Vec<u8>> {
    let mut inputs = corpus(&RECORDING.up, &OPEN);
    inputs.push(requests());
    inputs
}

pub(crate) fn to_client_corpus() -> Vec<Vec<u8>> {
    let mut inputs = corpus(&RECORDING.down, &OPEN);
    inputs.push(requests());
    inputs
}

/// Everything anew, and all that was announced up to tick 5.
fn requests() -> Vec<u8> {
    parts::join([[1_u8, 1].as_slice(), &[1, 2, 5, 0, 0, 0]])
}
