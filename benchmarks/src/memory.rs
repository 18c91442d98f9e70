//! What a server holds for an entity, and for an entity that a connection sees.
//!
//! Of each of four servers it is counted how many bytes are free after it is dropped: with and without entities, with and
//! without connections. The differences leave out what an empty server takes.

use crate::allocator::bytes_freed_by;
use crate::executor::Executor;
use crate::replicon::{Codecs, Replicon};
use crate::row::Row;
use crate::scenario::{Moving, Scenario};
use crate::session::{Session, settle};
use crate::slipstream::Slipstream;

/// Ticks of motion before the server is dropped, so that histories are as long as they get.
const TICKS: usize = 30;

/// Rows for 10,000 entities, of which one in ten moves, and 100 connections.
pub fn rows(quick: bool) -> Vec<Row> {
    let (entities, connections) = if quick { (1_000, 20) } else { (10_000, 100) };
    let ours = Memory::of(entities, connections, Slipstream::open);
    let theirs =
        Memory::of(entities, connections, |scenario| Replicon::open(scenario, Codecs::Plain, Executor::SingleThreaded));
    let size = format!("{} x {connections}", crate::row::figure(entities as f64));
    let peer = "bevy_replicon 0.44.3";
    vec![
        Row::new(format!("memory at {size}: an entity"), "bytes", ours.per_entity).beside(peer, theirs.per_entity),
        Row::new(format!("memory at {size}: an entity and connection"), "bytes", ours.per_pair)
            .beside(peer, theirs.per_pair),
    ]
}

struct Memory {
    per_entity: f64,
    per_pair: f64,
}

impl Memory {
    fn of<S: Session>(entities: usize, connections: usize, open: impl Fn(&Scenario) -> S) -> Self {
        let held = |bodies: usize, connections: usize| {
            let scenario = Scenario { moving: Moving::OneIn(10), ..Scenario::moving(bodies, connections) };
            held_by_server(&mut open(&scenario))
        };
        let empty = held(0, 0);
        let alone = held(entities, 0);
        let watched_nothing = held(0, connections);
        let watched = held(entities, connections);
        Self {
            per_entity: (alone - empty) / entities as f64,
            per_pair: (watched - alone - (watched_nothing - empty)) / (entities * connections) as f64,
        }
    }
}

fn held_by_server(session: &mut impl Session) -> f64 {
    settle(session);
    for _ in 0..TICKS {
        session.step(true);
    }
    bytes_freed_by(|| session.drop_server())
}
