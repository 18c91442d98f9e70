//! An owner says which of the server's words it has: see [`precedence`](crate::precedence).
//!
//! ```text
//! confirmation = 3:8 slot:32 epoch:8 term:32 lane:8 word:32 since:32
//! ```
//!
//! The slot and its epoch, the ownership, the lane, the tick of the server's word, and the client's own tick when it took
//! that up: what it writes after that tick is written on top of that word. It travels on the reliable channel of
//! [requests](crate::requests), so that records need not say what their sender knew, and costs nothing while the two agree.

use bevy::prelude::*;
use slipstream_connection::{Endpoint, channels};
use slipstream_simulation::Controlled;
use slipstream_wire::Tick;

use crate::incoming::{Change, Incoming};
use crate::journal::Journal;
use crate::replicated::OwnedBy;
use crate::slots::Slots;
use crate::view::View;

/// The first byte of a confirmation.
pub(crate) const CONFIRMATION: u8 = 3;

/// A server's word that the local peer, who owns the entity, took up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Confirmation {
    pub(crate) slot: u32,
    pub(crate) epoch: u8,
    pub(crate) lane: u8,
    /// The server's tick.
    pub(crate) word: Tick,
    /// The owner's tick: what it journalled up to then was written without knowing of that word.
    pub(crate) since: Tick,
}

impl Confirmation {
    fn write(self, term: u32, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.push(CONFIRMATION);
        bytes.extend(self.slot.to_le_bytes());
        bytes.push(self.epoch);
        bytes.extend(term.to_le_bytes());
        bytes.push(self.lane);
        bytes.extend(self.word.get().to_le_bytes());
        bytes.extend(self.since.get().to_le_bytes());
    }

    /// Reads what follows the first byte: the confirmation and its term. `None` where it is no such thing.
    pub(crate) fn read(mut bytes: &[u8]) -> Option<(Self, u32)> {
        let slot = take(&mut bytes).map(u32::from_le_bytes)?;
        let [epoch] = take(&mut bytes)?;
        let term = take(&mut bytes).map(u32::from_le_bytes)?;
        let [lane] = take(&mut bytes)?;
        let word = take(&mut bytes).map(u32::from_le_bytes).map(Tick::new)?;
        let since = take(&mut bytes).map(u32::from_le_bytes).map(Tick::new)?;
        bytes.is_empty().then_some((Self { slot, epoch, lane, word, since }, term))
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

/// On a client: what it has to confirm. Empty on a server.
#[derive(Resource, Debug, Default)]
pub(crate) struct Confirmations {
    /// Slots that came into the local peer's hands: of these it has what it was told.
    pub(crate) taken: Vec<u32>,
    /// Words that it took up.
    pub(crate) words: Vec<Confirmation>,
    bytes: Vec<u8>,
}

/// On a client: tells the server which of its words the local peer took up as an owner.
pub(crate) fn confirm_server_words(
    mut connections: Query<(&Incoming, &mut Endpoint)>,
    owned: Query<&OwnedBy, With<Controlled>>,
    slots: Res<Slots>,
    journal: Res<Journal>,
    mut confirmations: ResMut<Confirmations>,
) {
    if confirmations.taken.is_empty() && confirmations.words.is_empty() {
        return;
    }
    let Confirmations { taken, words, bytes } = &mut *confirmations;
    for (incoming, _) in &connections {
        for slot in taken.iter() {
            let Some(known) = incoming.present(*slot) else { continue };
            for lane in slots.precedence.lanes() {
                if let Some(word) = incoming.applied(*slot, *lane) {
                    let (epoch, lane) = (known.epoch, *lane as u8);
                    words.push(Confirmation { slot: *slot, epoch, lane, word, since: journal.tick });
                }
            }
        }
    }
    taken.clear();
    words.retain(|word| {
        let entity = slots.get(word.slot).and_then(|entry| entry.entity);
        // What became another's meanwhile is not ours to speak of.
        let Some(owned_by) = entity.and_then(|entity| owned.get(entity).ok()) else { return false };
        let teller = connections
            .iter_mut()
            .find(|(incoming, _)| incoming.present(word.slot).is_some_and(|known| known.epoch == word.epoch));
        let Some((_, mut endpoint)) = teller else { return false };
        word.write(owned_by.term, bytes);
        // Where there is no room now, there is later.
        endpoint.send(channels::RECORD_REQUESTS, bytes, None).is_err()
    });
}

/// On a server: a client says that it has a word of ours. What it told on top of that word counts from now on.
pub(crate) fn take_confirmation(
    connection: Entity,
    (confirmation, term): (Confirmation, u32),
    view: &View,
    incoming: &mut Incoming,
    slots: &mut Slots,
) {
    let Confirmation { slot, epoch, lane, word, since } = confirmation;
    let lane = usize::from(lane);
    let owns = slots.get(slot).is_some_and(|entry| entry.owner == Some(connection) && entry.term == term);
    // One that crossed the news of another ownership, or of a coming and going, is of no account, and no offence.
    if owns
        && view.epoch(slot) == Some(epoch)
        && let Some(value) = slots.precedence.hear(slot, lane, word, since)
    {
        incoming.held.push(Change::Lane { slot, epoch: term as u8, lane, value });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_is_read_as_it_was_written() {
        let written =
            Confirmation { slot: 70_000, epoch: 255, lane: 63, word: Tick(0x0102_0304), since: Tick(u32::MAX) };
        let mut bytes = Vec::new();
        written.write(9, &mut bytes);
        let golden = [3, 0x70, 0x11, 1, 0, 255, 9, 0, 0, 0, 63, 4, 3, 2, 1, 255, 255, 255, 255];
        assert_eq!(bytes, golden);
        assert_eq!(Confirmation::read(&bytes[1..]), Some((written, 9)));
        for length in 0..bytes.len() - 1 {
            assert_eq!(Confirmation::read(&bytes[1..][..length]), None, "{length} bytes");
        }
        bytes.push(0);
        assert_eq!(Confirmation::read(&bytes[1..]), None);
    }
}
