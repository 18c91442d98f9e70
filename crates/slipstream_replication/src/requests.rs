//! Asking for everything anew, when what arrived cannot be understood; and what owners [confirm](crate::confirmation).
//!
//! To ask should never be needed: a sender only refers to what was acknowledged. It is the way out when a datagram was delayed
//! beyond all bounds, and it costs a hostile peer one entry of its error budget each time.
//!
//! ```text
//! request = 1                what was sent did not make sense: announce everything again
//! answer  = 2 tick:32        everything has arrived anew; what was announced up to that tick, and not since, is gone
//! ```

use bevy::prelude::*;
use core::time::Duration;
use slipstream_connection::{Endpoint, NetworkRole, Role, channels};
use slipstream_wire::Tick;

use crate::apply::drop_announced_until;
use crate::confirmation::{CONFIRMATION, Confirmation, take_confirmation};
use crate::error::RecordError;
use crate::incoming::Incoming;
use crate::journal::Journal;
use crate::slots::Slots;
use crate::view::View;

/// The request: announce everything again.
const EVERYTHING: u8 = 1;
/// The answer: everything has been announced again.
const ALL_ANNOUNCED: u8 = 2;
/// A peer that asks more often than this is not served. Less than [`PATIENCE`], for two requests may bunch up on their way.
const MIN_TICKS_BETWEEN: i32 = 10;
/// Between two requests, so that what was on its way before the first does not cause a second.
const PATIENCE: Duration = Duration::from_secs(1);

/// Notes the failure, and asks the other side to start over.
pub(crate) fn ask_for_everything(world: &mut World, connection: Entity, incoming: &mut Incoming, error: &RecordError) {
    let now = world.resource::<Time<Real>>().elapsed();
    let server = world.resource::<NetworkRole>().0 == Role::Client;
    let Some(mut endpoint) = world.get_mut::<Endpoint>(connection) else { return };
    if !server
        || matches!(error, RecordError::Wire(_) | RecordError::Component { .. } | RecordError::NotAuthorised { .. })
    {
        endpoint.report_violation(error.to_string());
    }
    if incoming.reset_requested.is_some_and(|last| now.saturating_sub(last) < PATIENCE) {
        return;
    }
    incoming.reset_requested = Some(now);
    if endpoint.send(channels::RECORD_REQUESTS, &[EVERYTHING], None).is_err() {
        incoming.reset_requested = None;
    }
}

/// Tells the other side that what it has not been told again is gone.
pub(crate) fn tell_all_announced(endpoint: &mut Endpoint, until: Tick) {
    let [a, b, c, d] = until.get().to_le_bytes();
    // A connection that refuses this is closing.
    let _ = endpoint.send(channels::RECORD_REQUESTS, &[ALL_ANNOUNCED, a, b, c, d], None);
}

/// Starts over where the other side asked for it, and takes note of what owners confirm.
pub(crate) fn answer_requests(
    mut views: Query<(Entity, &mut View, &mut Incoming, &mut Endpoint)>,
    role: Res<NetworkRole>,
    mut journal: ResMut<Journal>,
    mut slots: ResMut<Slots>,
    mut requests: Local<Vec<Vec<u8>>>,
    mut commands: Commands,
) {
    let now = journal.tick;
    for (connection, mut view, mut incoming, mut endpoint) in &mut views {
        endpoint.drain_into(channels::RECORD_REQUESTS, &mut requests);
        let mut asked = false;
        for request in requests.drain(..) {
            if let [CONFIRMATION, said @ ..] = request.as_slice()
                && role.0 != Role::Client
                && let Some(confirmed) = Confirmation::read(said)
            {
                take_confirmation(connection, confirmed, &view, &mut incoming, &mut slots);
                continue;
            }
            match request[..] {
                [EVERYTHING] if !asked && !view.was_reset_within(MIN_TICKS_BETWEEN, now) => asked = true,
                [ALL_ANNOUNCED, a, b, c, d] if role.0 == Role::Client => {
                    let until = Tick::new(u32::from_le_bytes([a, b, c, d]));
                    commands.queue(move |world: &mut World| drop_announced_until(world, connection, until));
                }
                _ => endpoint.report_violation(format!(
                    "a request must be the byte {EVERYTHING}, once a second at most, or a confirmation; {} bytes came",
                    request.len()
                )),
            }
        }
        if !asked {
            continue;
        }
        if role.0 == Role::Client {
            view.reset_known(&mut journal);
        } else {
            view.reset(&mut journal);
            for slot in view.slots() {
                if slots.get(slot).is_some_and(|entry| entry.owner == Some(connection)) {
                    slots.precedence.tell_anew(slot, &journal);
                }
            }
        }
    }
}
