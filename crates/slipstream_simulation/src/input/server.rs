//! The server's systems: receive, buffer by tick, apply, answer.

use core::marker::PhantomData;

use bevy::ecs::component::Mutable;
use bevy::ecs::entity::EntityHashMap;
use bevy::prelude::*;
use slipstream_connection::{Connected, Endpoint, EntityMap, channels};
use slipstream_wire::{BitReader, BitWriter, Tick};

use crate::input::buffer::{InputBuffer, InputSource, MAX_AHEAD_TICKS};
use crate::input::codec::InputCodec;
use crate::input::message::InputInbox;
use crate::input::statistics::{InputStats, InputStream, note_malformed};
use crate::input::{InputError, InputRegistry, RegisteredInput};
use crate::ownership::Owner;
use crate::tick::{SimulationTick, TickRate};

/// One kind of input of every entity of which something was received.
#[derive(Resource)]
pub(crate) struct ReceivedInputs<C: Component, K: InputCodec<C>> {
    entities: EntityHashMap<OwnedBuffer<K::State>>,
    component: PhantomData<fn() -> C>,
}

impl<C: Component, K: InputCodec<C>> Default for ReceivedInputs<C, K> {
    fn default() -> Self {
        Self { entities: EntityHashMap::new(), component: PhantomData }
    }
}

struct OwnedBuffer<S> {
    from: Entity,
    buffer: InputBuffer<S>,
}

/// Begins to count for connections that are new.
pub(crate) fn greet_connections(
    tick: Res<SimulationTick>,
    connections: Query<Entity, (With<Connected>, With<Endpoint>, Without<InputStream>)>,
    mut commands: Commands,
) {
    for connection in &connections {
        commands.entity(connection).try_insert((InputStats::default(), InputStream::new(tick.0)));
    }
}

/// Takes and checks the input messages of all connections.
pub(crate) fn receive_inputs(
    tick: Res<SimulationTick>,
    registry: Res<InputRegistry>,
    mut inbox: ResMut<InputInbox>,
    mut messages: Local<Vec<Vec<u8>>>,
    mut connections: Query<(Entity, &mut Endpoint, &mut InputStream, &mut InputStats), With<Connected>>,
) {
    inbox.clear();
    for (connection, mut endpoint, mut stream, mut stats) in &mut connections {
        endpoint.drain_into(channels::INPUTS, &mut messages);
        for payload in messages.drain(..) {
            let received =
                receive_message(connection, &payload, tick.0, &registry, &mut inbox, &mut stream, &mut stats);
            if let Err(error) = received {
                endpoint.report_violation(note_malformed(&mut stats, &error));
            }
            endpoint.recycle(payload);
        }
    }
}

/// Keeps a message in the inbox, unless it is one too many, too late or too early.
fn receive_message(
    connection: Entity,
    payload: &[u8],
    simulated: Tick,
    registry: &InputRegistry,
    inbox: &mut InputInbox,
    stream: &mut InputStream,
    stats: &mut InputStats,
) -> Result<(), InputError> {
    if !stream.admit(simulated) {
        stats.flooding += 1;
        return Ok(());
    }
    let message = inbox.decode(connection, payload, registry)?;
    let ahead = message.newest.since(simulated);
    let is_early = ahead > MAX_AHEAD_TICKS as i32;
    if let Some(slack) = stream.note(message.newest, simulated, !is_early) {
        stats.slack_ticks = slack;
    }
    if is_early {
        stats.early += 1;
    } else if ahead <= 0 {
        stats.late += 1;
    } else {
        stats.received += 1;
        inbox.keep(message);
    }
    Ok(())
}

/// Puts the received inputs of one kind into the buffers of the entities they are for.
pub(crate) fn buffer_inputs<C, K>(
    tick: Res<SimulationTick>,
    registry: Res<InputRegistry>,
    inbox: Res<InputInbox>,
    entities: Res<EntityMap>,
    input: Res<RegisteredInput<C, K>>,
    mut received: ResMut<ReceivedInputs<C, K>>,
    owners: Query<&Owner, With<C>>,
    mut connections: Query<(&mut Endpoint, &mut InputStats)>,
) where
    C: Component<Mutability = Mutable>,
    K: InputCodec<C>,
{
    let index = registry.index_of::<C>();
    for message in inbox.messages() {
        let from = message.from;
        let Ok((mut endpoint, mut stats)) = connections.get_mut(from) else {
            continue;
        };
        for section in inbox.sections(message) {
            if Some(section.input) != index {
                continue;
            }
            let Some(entity) = entities.local(section.entity) else {
                stats.unknown += 1;
                continue;
            };
            if !owners.get(entity).is_ok_and(|owner| owner.0 == from) {
                stats.foreign += 1;
                continue;
            }
            let owned = received
                .entities
                .entry(entity)
                .or_insert_with(|| OwnedBuffer { from, buffer: InputBuffer::new(input.codec.neutral()) });
            if owned.from != from {
                // Nothing of the owner before is for this one.
                let last = owned.buffer.last().clone();
                *owned = OwnedBuffer { from, buffer: InputBuffer::new(last) };
            }
            let samples = inbox.samples(section, message.newest);
            let buffered = buffer_samples::<C, K>(samples, &mut owned.buffer, &input.codec, tick.0);
            if let Err(error) = buffered {
                endpoint.report_violation(note_malformed(&mut stats, &error));
            }
        }
    }
}

fn buffer_samples<'a, C, K>(
    samples: impl Iterator<Item = (Tick, &'a [u8])>,
    buffer: &mut InputBuffer<K::State>,
    codec: &K,
    simulated: Tick,
) -> Result<(), InputError>
where
    C: Component,
    K: InputCodec<C>,
{
    for (tick, sample) in samples {
        // Most of a message is there already: it repeats what came before.
        if tick.is_newer_than(simulated) && !buffer.contains(tick) {
            buffer.insert(tick, codec.read(&mut BitReader::new(sample))?);
        }
    }
    Ok(())
}

/// Writes the inputs of this tick into the components of the entities that connections own.
pub(crate) fn apply_inputs<C, K>(
    tick: Res<SimulationTick>,
    input: Res<RegisteredInput<C, K>>,
    mut received: ResMut<ReceivedInputs<C, K>>,
    mut owned: Query<(&mut C, Option<&Owner>)>,
    mut stats: Query<&mut InputStats>,
) where
    C: Component<Mutability = Mutable>,
    K: InputCodec<C>,
{
    let codec = &input.codec;
    let neutral = codec.neutral();
    received.entities.retain(|entity, received| {
        let Ok((component, owner)) = owned.get_mut(*entity) else {
            return false;
        };
        if owner.is_none_or(|owner| owner.0 != received.from) {
            // Whoever held the wheel has let go of it.
            codec.apply(received.buffer.last(), &neutral, component);
            return false;
        }
        let input = received.buffer.advance(tick.0, &neutral);
        codec.apply(&input.previous, &input.state, component);
        if input.source == InputSource::Repeated
            && let Ok(mut stats) = stats.get_mut(received.from)
        {
            stats.missing += 1;
        }
        true
    });
}

/// Tells each client how its inputs come, and which tick it is.
pub(crate) fn send_feedback(
    tick: Res<SimulationTick>,
    rate: Res<TickRate>,
    mut written: Local<BitWriter>,
    mut payload: Local<Vec<u8>>,
    mut connections: Query<(&mut Endpoint, &mut InputStream), With<Connected>>,
) {
    for (mut endpoint, mut stream) in &mut connections {
        if let Some(feedback) = stream.take_feedback(tick.0, *rate) {
            written.clear();
            feedback.encode(&mut written);
            payload.clear();
            written.append_to(&mut payload);
            // Feedback that cannot be sent is replaced by the next.
            let _ = endpoint.send(channels::INPUT_FEEDBACK, &payload, None);
        }
    }
}
