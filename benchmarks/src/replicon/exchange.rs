//! What a messaging backend does for replicon, in the process: it takes messages from one app and gives them to another,
//! late, lost or not at all where the line says so.
//!
//! - What replicon sends reliably (updates, acknowledgements) is never lost, and not repeated either: a real backend
//!   would have to, which would cost its server more.
//! - replicon has no budget of bytes: `ReplicatePriority` and `PriorityMap` say how often an entity is sent, in ticks, not
//!   how much of all of them goes out. So a cap is a line that carries so many bytes a tick, with the queue of a home
//!   router before it; what finds the queue full is dropped. Slipstream's simulated line has the same rule
//!   (`NetworkConditions::bandwidth_bytes_per_second`). Bytes are those of messages, without any backend's headers.

use std::collections::VecDeque;

use bevy::ecs::entity::EntityHashMap;
use bevy::prelude::*;
use bevy_replicon::bytes::Bytes;
use bevy_replicon::prelude::*;
use bevy_replicon::shared::backend::channels::ServerChannel;
use fastrand::Rng;

use crate::motion::TICKS_PER_SECOND;
use crate::scenario::Line;
use crate::session::Sent;

/// The longest that a message waits for a line with a limit, in seconds.
const LONGEST_WAIT: f64 = 0.5;

/// The lines between a server and its clients.
pub struct Exchange {
    line: Line,
    /// Bytes a tick that each line to a client carries, where it has a limit.
    limit: Option<f64>,
    random: Rng,
    step: u64,
    pipes: Vec<Pipe>,
    by_client: EntityHashMap<usize>,
    sent: Sent,
    mutation_messages: u64,
}

struct Pipe {
    /// The client, in the server's world.
    client: Entity,
    to_client: VecDeque<Message>,
    to_server: VecDeque<Message>,
    /// Bytes that may still pass in this step.
    credit: f64,
    waiting_bytes: usize,
}

struct Message {
    due: u64,
    channel: usize,
    bytes: Bytes,
}

impl Exchange {
    pub fn new(line: Line) -> Self {
        Self {
            line,
            limit: None,
            random: Rng::with_seed(1),
            step: 0,
            pipes: Vec::new(),
            by_client: EntityHashMap::default(),
            sent: Sent::default(),
            mutation_messages: 0,
        }
    }

    /// Adds the line of a client, in the order of the clients' numbers.
    pub fn add(&mut self, client: Entity) {
        self.by_client.insert(client, self.pipes.len());
        let (to_client, to_server) = (VecDeque::new(), VecDeque::new());
        self.pipes.push(Pipe { client, to_client, to_server, credit: 0.0, waiting_bytes: 0 });
    }

    pub fn limit(&mut self, bytes_per_tick: f64) {
        self.limit = Some(bytes_per_tick);
    }

    pub fn sent(&self) -> Sent {
        self.sent
    }

    pub fn mutation_messages(&self) -> u64 {
        self.mutation_messages
    }

    /// Takes what the server sent in its update. A step begins here.
    pub fn take_from_server(&mut self, server: &mut World) {
        self.step += 1;
        let due = self.step + u64::from(self.line.latency_ticks);
        let room = self.limit.map(|limit| (limit * TICKS_PER_SECOND * LONGEST_WAIT) as usize);
        for (client, channel, bytes) in server.resource_mut::<ServerMessages>().drain_sent() {
            let Some(number) = self.by_client.get(&client) else { continue };
            let pipe = &mut self.pipes[*number];
            self.sent.bytes += bytes.len() as u64;
            self.sent.datagrams += 1;
            if channel == usize::from(ServerChannel::Mutations) {
                self.mutation_messages += 1;
                let lost = self.line.loss > 0.0 && self.random.f32() < self.line.loss;
                let queue_is_full = room.is_some_and(|room| pipe.waiting_bytes + bytes.len() > room);
                if lost || queue_is_full {
                    continue;
                }
            }
            pipe.waiting_bytes += bytes.len();
            pipe.to_client.push_back(Message { due, channel, bytes });
        }
    }

    pub fn deliver_to_client(&mut self, number: usize, client: &mut World) {
        let pipe = &mut self.pipes[number];
        pipe.credit = match self.limit {
            None => f64::INFINITY,
            // An idle line saves nothing up.
            Some(_) if pipe.to_client.is_empty() => 0.0,
            Some(limit) => pipe.credit + limit,
        };
        let mut messages = client.resource_mut::<ClientMessages>();
        while let Some(message) = pipe.to_client.front()
            && message.due <= self.step
            && message.bytes.len() as f64 <= pipe.credit
        {
            let Some(message) = pipe.to_client.pop_front() else { break };
            pipe.credit -= message.bytes.len() as f64;
            pipe.waiting_bytes -= message.bytes.len();
            messages.insert_received(message.channel, message.bytes);
        }
    }

    pub fn take_from_client(&mut self, number: usize, client: &mut World) {
        let due = self.step + u64::from(self.line.latency_ticks);
        for (channel, bytes) in client.resource_mut::<ClientMessages>().drain_sent() {
            self.pipes[number].to_server.push_back(Message { due, channel, bytes });
        }
    }

    pub fn deliver_to_server(&mut self, server: &mut World) {
        let mut messages = server.resource_mut::<ServerMessages>();
        for pipe in &mut self.pipes {
            while pipe.to_server.front().is_some_and(|message| message.due <= self.step) {
                let Some(message) = pipe.to_server.pop_front() else { break };
                messages.insert_received(pipe.client, message.channel, message.bytes);
            }
        }
    }
}
