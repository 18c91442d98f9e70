//! A peer at work: what the benchmarks ask of each library, and how they measure it.

use std::time::Duration;

use bevy::prelude::*;

use crate::cpu::median_microseconds;
use crate::motion;
use crate::scenario::Scenario;

/// Ticks before a measurement: caches, histories and estimates fill.
const WARM_UP_TICKS: usize = 30;
/// A quantised place may differ this much from the true one, in metres.
const TOLERANCE: f32 = 0.002;

/// A server and its clients in one process, exchanging what they would send.
pub trait Session {
    /// One tick of every peer, the server first. With `moves`, the bodies that move do so before.
    fn step(&mut self, moves: bool) -> Step;

    /// Whether every client has every entity.
    fn is_settled(&self) -> bool;

    /// What the server has handed to its links so far, over all connections.
    fn sent(&mut self) -> Sent;

    /// How often the bodies have moved: the tick whose motion the server has now.
    fn motion_tick(&self) -> u64;

    /// Where a client shows a body, if it does.
    fn shown(&self, connection: usize, body: usize) -> Option<Vec3>;

    /// Frees the server, to see what it held. The session is of no use after.
    fn drop_server(&mut self);
}

/// CPU time of one tick.
#[derive(Debug, Clone, Copy, Default)]
pub struct Step {
    pub server: Duration,
    /// Of the first client.
    pub client: Duration,
}

/// Bytes and datagrams handed to links.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent {
    pub bytes: u64,
    pub datagrams: u64,
}

impl Sent {
    pub fn since(self, earlier: Self) -> Self {
        Self { bytes: self.bytes - earlier.bytes, datagrams: self.datagrams - earlier.datagrams }
    }
}

/// What a session cost.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Median CPU time of the server's tick.
    pub server_microseconds: f64,
    /// Median CPU time of the first client's tick.
    pub client_microseconds: f64,
    /// Mean bytes that the server handed to the link of one connection in one tick.
    pub bytes: f64,
}

/// Brings every entity to every client, and then lets the last acknowledgements come.
///
/// # Panics
/// When that takes more than 10,000 ticks.
pub fn settle(session: &mut impl Session) {
    let settled = (0..10_000).any(|_| {
        session.step(false);
        session.is_settled()
    });
    assert!(settled, "not every client had every entity after 10,000 ticks");
    for _ in 0..WARM_UP_TICKS {
        session.step(false);
    }
}

/// Settles, warms up and measures `ticks` ticks.
pub fn measure(session: &mut impl Session, scenario: &Scenario, ticks: usize) -> Measured {
    settle(session);
    for _ in 0..WARM_UP_TICKS {
        session.step(true);
    }
    let before = session.sent();
    let steps: Vec<Step> = (0..ticks).map(|_| session.step(true)).collect();
    let sent = session.sent().since(before);
    check_same_work(&*session, scenario);
    Measured {
        server_microseconds: median_microseconds(steps.iter().map(|step| step.server).collect()),
        client_microseconds: median_microseconds(steps.iter().map(|step| step.client).collect()),
        bytes: sent.bytes as f64 / (ticks * scenario.connections.max(1)) as f64,
    }
}

/// Says so when a client does not show what it should by now: who sends less has less to do.
fn check_same_work(session: &impl Session, scenario: &Scenario) {
    let Some(tick) = session.motion_tick().checked_sub(u64::from(scenario.line.latency_ticks)) else { return };
    let (mut moving, mut current) = (0_u32, 0_u32);
    for body in (0..scenario.bodies).filter(|body| scenario.moving.includes(*body)) {
        moving += 1;
        let shown = session.shown(0, body);
        current += u32::from(shown.is_some_and(|shown| shown.distance(motion::position(body, tick)) < TOLERANCE));
    }
    let expected = (1.0 - 3.0 * f64::from(scenario.line.loss)) * f64::from(moving);
    if f64::from(current) < expected {
        eprintln!(
            "  NOT THE SAME WORK: the first client shows {current} of {moving} moving bodies where they should be"
        );
    }
}
