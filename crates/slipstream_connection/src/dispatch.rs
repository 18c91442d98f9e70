//! From received bytes to typed messages in the world.

use bevy::prelude::*;
use slipstream_protocol::ChannelId;

use crate::codec::split_number;
use crate::endpoint::Endpoint;
use crate::entity_map::EntityMap;
use crate::limits::ConnectionLimits;
use crate::outbox::{MessageQueue, Outbox, OutgoingMessage};
use crate::registry::{NetworkProtocol, TypeEntry};
use crate::statistics::NetworkStats;
use crate::waiting::{WaitingMessage, may_wait};

/// A typed message on its way into the world.
#[derive(Debug)]
pub(crate) struct Arrived<'a> {
    /// The connection that it came through.
    pub(crate) from: Entity,
    /// What follows the type's number.
    pub(crate) body: &'a [u8],
    /// Whether it crossed the network: entities in a host's own messages are local already.
    pub(crate) remote: bool,
}

/// Why a message did not reach the world.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It could not be read.
    Malformed(String),
    /// More of this type than its rate limit allows.
    TooMany(String),
    /// The type's validation hook said no.
    Rejected(&'static str),
    /// It names an entity that does not exist here (yet).
    Unresolved,
}

/// Reads one message of one type and hands it to the world. One function a type.
pub(crate) type ReceiveMessage = fn(&mut World, &Arrived<'_>) -> Result<(), Refusal>;

/// How often a host's messages may cause further messages to itself within one frame. What goes on beyond comes with the
/// next frame, so that an answer to an answer cannot hang the process.
const MAX_LOCAL_ROUNDS: usize = 16;

/// What a host delivers to itself.
#[derive(Resource, Default)]
pub(crate) struct DeliveringLocally {
    /// Set meanwhile, so that deliveries do not nest.
    is_delivering: bool,
    /// Empty; kept for its memory.
    messages: MessageQueue,
}

/// Messages with their channels, in the order of their arrival.
type ArrivedMessages = Vec<(ChannelId, Vec<u8>)>;

/// Turns the frame's received bytes into messages and events.
pub(crate) fn dispatch_messages(
    world: &mut World,
    endpoints: &mut QueryState<(Entity, &'static Endpoint)>,
    mut busy: Local<Vec<Entity>>,
    mut arrived: Local<ArrivedMessages>,
) {
    deliver_local(world);
    let with_messages = endpoints
        .iter(world)
        .filter(|(_, endpoint)| endpoint.was_connected() && endpoint.has_typed_messages())
        .map(|(entity, _)| entity);
    busy.extend(with_messages);
    if busy.is_empty() {
        return;
    }
    let protocol = world.resource::<NetworkProtocol>().clone();
    let limits = *world.resource::<ConnectionLimits>();
    for connection in busy.drain(..) {
        dispatch_connection(world, &protocol, &limits, connection, &mut arrived);
        // Left over where the connection ended on the way.
        arrived.clear();
    }
    world.flush();
}

fn dispatch_connection(
    world: &mut World,
    protocol: &NetworkProtocol,
    limits: &ConnectionLimits,
    from: Entity,
    arrived: &mut ArrivedMessages,
) {
    let named = world.get_resource::<EntityMap>().map_or(0, EntityMap::insertions);
    let Some(mut endpoint) = world.get_mut::<Endpoint>(from) else { return };
    let now = endpoint.now();
    endpoint.drain_typed_into(arrived);
    let mut waiting = core::mem::take(&mut endpoint.waiting);
    let mut dropped = 0;
    let mut open = true;

    if waiting.is_due(now, named, limits.waiting_time) {
        for message in waiting.take(named) {
            if waiting.holds_up(protocol, message.channel) {
                waiting.keep(message, named);
                continue;
            }
            match read_and_deliver(world, protocol, from, message.channel, &message.payload) {
                Ok(()) => {}
                Err(Refusal::Unresolved) if now < message.since.saturating_add(limits.waiting_time) => {
                    waiting.keep(message, named)
                }
                Err(Refusal::Unresolved) => dropped += 1,
                Err(refusal) => open &= charge(world, from, refusal),
            }
        }
    }
    for (channel, payload) in arrived.iter_mut() {
        if !open {
            break;
        }
        let channel = *channel;
        // Each arrival looks through what waits: that must stay short within a frame, too.
        dropped += waiting.shrink_to(limits.waiting_bytes);
        if let Err(refusal) = admit(world, protocol, from, payload) {
            open &= charge(world, from, refusal);
            continue;
        }
        if waiting.holds_up(protocol, channel) {
            let payload = core::mem::take(payload);
            waiting.keep(WaitingMessage { since: now, channel, payload }, named);
            continue;
        }
        match read_and_deliver(world, protocol, from, channel, payload) {
            Ok(()) => {}
            Err(Refusal::Unresolved) if may_wait(protocol, channel) => {
                let payload = core::mem::take(payload);
                waiting.keep(WaitingMessage { since: now, channel, payload }, named);
            }
            Err(Refusal::Unresolved) => dropped += 1,
            Err(refusal) => open &= charge(world, from, refusal),
        }
    }
    dropped += waiting.shrink_to(limits.waiting_bytes);

    // An observer of a message may have despawned the connection.
    if let Some(mut endpoint) = world.get_mut::<Endpoint>(from) {
        endpoint.waiting = waiting;
        endpoint.note_dropped(dropped);
        for (_, payload) in arrived.drain(..) {
            endpoint.recycle(payload);
        }
    }
}

/// Charges the message to its type's rate limit, before anything of it is decoded.
fn admit(world: &mut World, protocol: &NetworkProtocol, from: Entity, payload: &[u8]) -> Result<(), Refusal> {
    let (index, _) = split_number(payload).map_err(Refusal::Malformed)?;
    let entry = known_type(protocol, index)?;
    let Some(mut endpoint) = world.get_mut::<Endpoint>(from) else { return Ok(()) };
    if endpoint.admits(index, entry.rate) { Ok(()) } else { Err(Refusal::TooMany(entry.name.clone())) }
}

fn read_and_deliver(
    world: &mut World,
    protocol: &NetworkProtocol,
    from: Entity,
    channel: ChannelId,
    payload: &[u8],
) -> Result<(), Refusal> {
    let (index, body) = split_number(payload).map_err(Refusal::Malformed)?;
    let entry = known_type(protocol, index)?;
    if entry.channel != channel {
        return Err(Refusal::Malformed(format!(
            "expected type `{}` on channel {}, it came on {}",
            entry.name, entry.channel.0, channel.0
        )));
    }
    (entry.receive)(world, &Arrived { from, body, remote: true })
}

fn known_type(protocol: &NetworkProtocol, index: u32) -> Result<&TypeEntry, Refusal> {
    protocol
        .type_entry(index)
        .ok_or_else(|| Refusal::Malformed(format!("expected a type below {}, got {index}", protocol.type_count())))
}

/// Counts a refused message against its sender; returns whether the connection is still open.
fn charge(world: &mut World, from: Entity, refusal: Refusal) -> bool {
    let Some(mut endpoint) = world.get_mut::<Endpoint>(from) else { return false };
    endpoint.note_dropped(1);
    endpoint.report_violation(match refusal {
        Refusal::Malformed(what) => what,
        Refusal::TooMany(name) => format!("more messages of type `{name}` than its rate limit allows"),
        Refusal::Rejected(type_name) => format!("a `{type_name}` that the game does not allow"),
        Refusal::Unresolved => "a message about an unknown entity".to_string(),
    });
    endpoint.is_connected()
}

/// Delivers what a host has sent to itself. Queued as a command by each such send, so that it arrives in the same frame.
pub(crate) fn deliver_local(world: &mut World) {
    let mut messages = match world.get_resource_mut::<DeliveringLocally>() {
        Some(mut delivering) if !delivering.is_delivering => {
            delivering.is_delivering = true;
            core::mem::take(&mut delivering.messages)
        }
        _ => return,
    };
    for _ in 0..MAX_LOCAL_ROUNDS {
        if let Some(outbox) = world.get_resource::<Outbox>() {
            outbox.swap_local(&mut messages);
        }
        if messages.is_empty() {
            break;
        }
        for message in messages.iter() {
            deliver_local_message(world, &message);
        }
        messages.clear();
        world.flush();
    }
    *world.resource_mut::<DeliveringLocally>() = DeliveringLocally { is_delivering: false, messages };
}

fn deliver_local_message(world: &mut World, message: &OutgoingMessage<'_>) {
    let Some(&from) = message.to.first() else { return };
    let receive = split_number(message.payload).ok().and_then(|(index, body)| {
        let entry = world.resource::<NetworkProtocol>().type_entry(index)?;
        Some((entry.receive, body))
    });
    let Some((receive, body)) = receive else { return };
    if receive(world, &Arrived { from, body, remote: false }).is_err()
        && let Some(mut stats) = world.get_mut::<NetworkStats>(from)
    {
        stats.messages_dropped += 1;
    }
}
