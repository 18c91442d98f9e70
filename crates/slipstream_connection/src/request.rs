//! Requests: a message that gets an answer, or a time-out.

use core::marker::PhantomData;
use core::time::Duration;

use bevy::ecs::system::SystemParam;
use bevy::prelude::*;
use thiserror::Error;

use crate::channel::channels;
use crate::codec::{decode, split_number};
use crate::connection::Connected;
use crate::dispatch::{Arrived, Refusal, dispatch_messages};
use crate::error::NetworkError;
use crate::message::{Payload, Sending, Target, TypeOptions, register_type, take_in};
use crate::plugin::ConnectionSystems;
use crate::registry::{TypeKey, TypeKind};

/// No app waits for more answers of one type at once.
const MAX_PENDING: usize = 4096;

/// A type that asks for an answer of another type.
pub trait Request: Payload {
    /// The answer. It carries no entity references; where one is needed, send a [`NetworkId`](crate::NetworkId).
    type Response: Payload;
}

/// Names one request among those that this app has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u32);

/// A request that a peer has sent. Read it with `MessageReader<Incoming<Q>>` and answer through [`Responder`].
#[derive(Message, Debug, Clone, PartialEq)]
pub struct Incoming<Q> {
    /// The connection that asks.
    pub from: Entity,
    /// The asker's number of the request.
    pub id: RequestId,
    /// What is asked.
    pub request: Q,
}

/// What became of a request. Read it with `MessageReader<Answered<Q>>`. Each asked connection yields exactly one.
#[derive(Message, Debug)]
pub struct Answered<Q: Request> {
    /// What [`Requester::send`] returned.
    pub id: RequestId,
    /// The connection that was asked.
    pub from: Entity,
    /// The answer, or why there is none.
    pub result: Result<Q::Response, RequestError>,
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum RequestError {
    /// No answer came in time.
    #[error(
        "expected an answer within {0:?}, got none: the other side is slow, or no system of it answers this request"
    )]
    TimedOut(Duration),
    /// The connection ended first.
    #[error("expected an answer, but the connection ended first")]
    Disconnected,
}

/// The requests of one type that wait for their answers.
#[derive(Resource)]
pub(crate) struct PendingRequests<Q: Request> {
    next: u32,
    pending: Vec<PendingRequest>,
    marker: PhantomData<fn() -> Q>,
}

#[derive(Debug, Clone, Copy)]
struct PendingRequest {
    id: RequestId,
    to: Entity,
    sent: Duration,
    timeout: Duration,
}

/// Sends requests of one type.
#[derive(SystemParam)]
pub struct Requester<'w, 's, Q: Request> {
    sending: Sending<'w, 's>,
    options: Option<Res<'w, TypeOptions<Q>>>,
    pending: Option<ResMut<'w, PendingRequests<Q>>>,
    time: Res<'w, Time<Real>>,
}

impl<Q: Request> Requester<'_, '_, Q> {
    /// Asks one or more peers. Each of them yields one [`Answered`], at the latest after `timeout`.
    ///
    /// # Errors
    /// When the type is not registered, nobody is connected there, or the request cannot be encoded or queued.
    pub fn send(&mut self, target: Target<'_>, request: &Q, timeout: Duration) -> Result<RequestId, NetworkError> {
        let (Some(options), Some(pending)) = (&self.options, &mut self.pending) else {
            return Err(NetworkError::NotRegistered { type_name: core::any::type_name::<Q>() });
        };
        if pending.pending.len() >= MAX_PENDING {
            let queued_bytes = pending.pending.len() * size_of::<PendingRequest>();
            return Err(NetworkError::QueueFull { channel: "requests".to_string(), queued_bytes });
        }
        let id = RequestId(pending.next);
        let key = TypeKey::of::<Q>(TypeKind::Request);
        self.sending.send(key, Some(id.0), target, request, options.name_entities)?;
        pending.next = pending.next.wrapping_add(1);
        let sent = self.time.elapsed();
        let before = pending.pending.len();
        pending.pending.extend(self.sending.recipients().map(|to| PendingRequest { id, to, sent, timeout }));
        if pending.pending.len() == before {
            return Err(NetworkError::NotConnected { target: "anybody who could answer".to_string() });
        }
        Ok(id)
    }
}

/// Answers requests of one type.
#[derive(SystemParam)]
pub struct Responder<'w, 's, Q: Request> {
    sending: Sending<'w, 's>,
    marker: PhantomData<fn() -> Q>,
}

impl<Q: Request> Responder<'_, '_, Q> {
    /// Answers a request. An answer that comes after the asker's time-out is ignored there.
    ///
    /// # Errors
    /// When the asker has left, or the answer cannot be encoded or queued.
    pub fn reply(&mut self, to: &Incoming<Q>, response: Q::Response) -> Result<(), NetworkError> {
        let key = TypeKey::of::<Q>(TypeKind::Response);
        self.sending.send(key, Some(to.id.0), Target::One(to.from), &response, None)
    }
}

/// Registers both directions of a request and the system that watches its time-outs.
pub(crate) fn register_request<Q: Request>(app: &mut App) {
    register_type::<Q, Q>(app, TypeKind::Request, channels::REQUESTS.into(), receive_request::<Q>);
    register_type::<Q, Q::Response>(app, TypeKind::Response, channels::REQUESTS.into(), receive_response::<Q>);
    app.add_message::<Incoming<Q>>()
        .add_message::<Answered<Q>>()
        .insert_resource(PendingRequests::<Q> { next: 0, pending: Vec::new(), marker: PhantomData })
        .add_systems(PreUpdate, give_up_requests::<Q>.after(dispatch_messages).in_set(ConnectionSystems::Dispatch));
}

fn receive_request<Q: Request>(world: &mut World, arrived: &Arrived<'_>) -> Result<(), Refusal> {
    let (id, body) = split_number(arrived.body).map_err(Refusal::Malformed)?;
    let request: Q = take_in(world, arrived, body)?;
    world.write_message(Incoming { from: arrived.from, id: RequestId(id), request });
    Ok(())
}

fn receive_response<Q: Request>(world: &mut World, arrived: &Arrived<'_>) -> Result<(), Refusal> {
    let (id, body) = split_number(arrived.body).map_err(Refusal::Malformed)?;
    let response: Q::Response = decode(body).map_err(Refusal::Malformed)?;
    let (id, from) = (RequestId(id), arrived.from);
    let Some(mut pending) = world.get_resource_mut::<PendingRequests<Q>>() else { return Ok(()) };
    // An answer after the time-out is no error of the peer's.
    let Some(index) = pending.pending.iter().position(|pending| pending.id == id && pending.to == from) else {
        return Ok(());
    };
    pending.pending.swap_remove(index);
    world.write_message(Answered::<Q> { id, from, result: Ok(response) });
    Ok(())
}

/// Reports requests whose time is over, or whose connection ended.
fn give_up_requests<Q: Request>(
    time: Res<Time<Real>>,
    mut pending: ResMut<PendingRequests<Q>>,
    connections: Query<(), With<Connected>>,
    mut answers: MessageWriter<Answered<Q>>,
) {
    if pending.pending.is_empty() {
        return;
    }
    let now = time.elapsed();
    pending.pending.retain(|request| {
        let error = if !connections.contains(request.to) {
            RequestError::Disconnected
        } else if now >= request.sent.saturating_add(request.timeout) {
            RequestError::TimedOut(request.timeout)
        } else {
            return true;
        };
        answers.write(Answered { id: request.id, from: request.to, result: Err(error) });
        false
    });
}
