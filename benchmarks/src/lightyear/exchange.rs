//! What a transport does for lightyear, in the process: it takes the packets that the links of one app have queued and
//! hands them to the links of another, late or lost where the line says so, and outside of what is timed.
//!
//! Every packet may be lost: lightyear itself sends reliable messages again. A cap is lightyear's own
//! (`PriorityConfig`), not the line's.

use std::collections::VecDeque;

use bevy::prelude::*;
use fastrand::Rng;
use lightyear::link::{Link, SendPayload, recv_payload_from_bytes};

use crate::scenario::Line;
use crate::session::Sent;

/// The lines between a server and its clients.
pub struct Exchange {
    line: Line,
    random: Rng,
    step: u64,
    pipes: Vec<Pipe>,
    sent: Sent,
}

struct Pipe {
    /// The link to the client, in the server's world.
    server_end: Entity,
    /// The link to the server, in the client's world.
    client_end: Entity,
    to_client: VecDeque<Packet>,
    to_server: VecDeque<Packet>,
}

struct Packet {
    due: u64,
    bytes: SendPayload,
}

impl Exchange {
    pub fn new(line: Line) -> Self {
        Self { line, random: Rng::with_seed(1), step: 0, pipes: Vec::new(), sent: Sent::default() }
    }

    /// Adds the line of a client, in the order of the clients' numbers.
    pub fn add(&mut self, server_end: Entity, client_end: Entity) {
        let (to_client, to_server) = (VecDeque::new(), VecDeque::new());
        self.pipes.push(Pipe { server_end, client_end, to_client, to_server });
    }

    pub fn sent(&self) -> Sent {
        self.sent
    }

    /// Takes what the server sent in its update. A step begins here.
    pub fn take_from_server(&mut self, server: &mut World) {
        self.step += 1;
        let due = self.step + u64::from(self.line.latency_ticks);
        for pipe in &mut self.pipes {
            for bytes in link(server, pipe.server_end).send.drain() {
                self.sent.bytes += bytes.len() as u64;
                self.sent.datagrams += 1;
                let lost = self.line.loss > 0.0 && self.random.f32() < self.line.loss;
                if !lost {
                    pipe.to_client.push_back(Packet { due, bytes });
                }
            }
        }
    }

    pub fn deliver_to_client(&mut self, number: usize, client: &mut World) {
        let pipe = &mut self.pipes[number];
        deliver(&mut pipe.to_client, self.step, &mut link(client, pipe.client_end));
    }

    pub fn take_from_client(&mut self, number: usize, client: &mut World) {
        let due = self.step + u64::from(self.line.latency_ticks);
        let pipe = &mut self.pipes[number];
        let mut link = link(client, pipe.client_end);
        pipe.to_server.extend(link.send.drain().map(|bytes| Packet { due, bytes }));
    }

    pub fn deliver_to_server(&mut self, server: &mut World) {
        for pipe in &mut self.pipes {
            deliver(&mut pipe.to_server, self.step, &mut link(server, pipe.server_end));
        }
    }
}

fn link(world: &mut World, entity: Entity) -> Mut<'_, Link> {
    world.get_mut(entity).expect("no link is removed: nobody disconnects, and nothing times out")
}

/// Hands over what has come by `step`.
fn deliver(packets: &mut VecDeque<Packet>, step: u64, link: &mut Link) {
    while packets.front().is_some_and(|packet| packet.due <= step) {
        let Some(packet) = packets.pop_front() else { break };
        link.recv.push_raw(recv_payload_from_bytes(packet.bytes));
    }
}
