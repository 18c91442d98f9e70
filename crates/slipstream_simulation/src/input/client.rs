//! The client's systems: sample, send, follow the server's tick.

use bevy::ecs::component::Mutable;
use bevy::prelude::*;
use slipstream_connection::{Connected, Endpoint, EntityMap, LocalConnection, NetworkStats, channels};
use slipstream_protocol::DeliveryOutcome;
use slipstream_wire::BitWriter;

use crate::input::codec::InputCodec;
use crate::input::feedback::InputFeedback;
use crate::input::lead::{PathDelay, TickCorrection, TickLead};
use crate::input::message::MAX_MESSAGE_BYTES;
use crate::input::statistics::InputFaults;
use crate::input::track::InputTracks;
use crate::input::{InputRegistry, RegisteredInput};
use crate::ownership::Controlled;
use crate::tick::{SimulationTick, TickPacing, TickRate};

/// Samples one kind of input of every controlled entity, and gives it the edges of this tick.
pub(crate) fn gather_inputs<C, K>(
    tick: Res<SimulationTick>,
    registry: Res<InputRegistry>,
    lead: Res<TickLead>,
    entities: Res<EntityMap>,
    mut input: ResMut<RegisteredInput<C, K>>,
    mut tracks: ResMut<InputTracks>,
    mut faults: ResMut<InputFaults>,
    mut written: Local<BitWriter>,
    mut controlled: Query<(Entity, &mut C), With<Controlled>>,
) where
    C: Component<Mutability = Mutable>,
    K: InputCodec<C>,
{
    let Some(index) = registry.index_of::<C>() else {
        return;
    };
    let Some(size) = registry.size(index) else {
        return;
    };
    let RegisteredInput { codec, sampled, .. } = &mut *input;
    for (entity, component) in &mut controlled {
        let state = codec.sample(&component);
        let (sampled_at, last) = sampled.entry(entity).or_insert_with(|| (tick.0, codec.neutral()));
        codec.apply(last, &state, component);
        // A host is never synchronised with anyone: it only needs the edges.
        if lead.is_synchronized()
            && let Some(network) = entities.network(entity)
        {
            written.clear();
            let encoded = codec.write(&state, &mut written);
            let kept = encoded.and_then(|()| tracks.push(index, entity, network, tick.0, &written, size));
            if let Err(error) = kept {
                faults.report(error);
            }
        }
        (*sampled_at, *last) = (tick.0, state);
    }
    sampled.retain(|_, (sampled_at, _)| *sampled_at == tick.0);
}

/// Sends what was sampled since the last frame, with all that is not acknowledged.
pub(crate) fn send_inputs(
    registry: Res<InputRegistry>,
    mut tracks: ResMut<InputTracks>,
    mut faults: ResMut<InputFaults>,
    mut server: Query<&mut Endpoint, (With<Connected>, Without<LocalConnection>)>,
) {
    for mut endpoint in &mut server {
        let budget = endpoint.max_unfragmented_bytes().min(MAX_MESSAGE_BYTES);
        let Some(message) = tracks.take_message(&registry, budget) else {
            return;
        };
        // What cannot be sent now goes with the next tick: every message repeats the ones before.
        if let Err(error) = endpoint.send(channels::INPUTS, message.payload, Some(message.token)) {
            faults.report(error);
        }
    }
}

/// Reads the server's feedback and keeps the client's tick ahead of the server's.
pub(crate) fn follow_server(
    time: Res<Time<Real>>,
    rate: Res<TickRate>,
    mut fixed: ResMut<Time<Fixed>>,
    mut tick: ResMut<SimulationTick>,
    mut pacing: ResMut<TickPacing>,
    mut lead: ResMut<TickLead>,
    mut tracks: ResMut<InputTracks>,
    mut messages: Local<Vec<Vec<u8>>>,
    mut server: Query<(&mut Endpoint, &NetworkStats), (With<Connected>, Without<LocalConnection>)>,
) {
    if server.is_empty() {
        if lead.is_synchronized() {
            *lead = TickLead::default();
            tracks.restart();
        }
        return;
    }
    for (mut endpoint, stats) in &mut server {
        for (token, outcome) in endpoint.drain_deliveries(channels::INPUTS) {
            if matches!(outcome, DeliveryOutcome::Acknowledged) {
                tracks.acknowledge_token(token);
            }
        }
        let Some(feedback) = newest_feedback(&mut endpoint, &mut messages) else {
            continue;
        };
        if let Some(received) = feedback.newest_received {
            tracks.acknowledge(received);
        }
        let path = PathDelay { rtt: stats.rtt, jitter: stats.jitter };
        match lead.follow(time.elapsed(), &feedback, path, tick.0, *rate) {
            TickCorrection::Keep => {}
            TickCorrection::Add => {
                let timestep = fixed.timestep();
                fixed.accumulate_overstep(timestep);
            }
            TickCorrection::Drop => pacing.hold_next_pass(),
            TickCorrection::Set(target) => {
                tick.0 = target;
                tracks.restart();
            }
        }
    }
}

fn newest_feedback(endpoint: &mut Endpoint, messages: &mut Vec<Vec<u8>>) -> Option<InputFeedback> {
    let mut newest = None;
    endpoint.drain_into(channels::INPUT_FEEDBACK, messages);
    for payload in messages.drain(..) {
        match InputFeedback::decode(&payload) {
            Ok(feedback) => newest = Some(feedback),
            Err(error) => endpoint.report_violation(error.to_string()),
        }
        endpoint.recycle(payload);
    }
    newest
}
