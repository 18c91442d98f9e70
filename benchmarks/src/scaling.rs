//! How the server's time grows with connections and entities where each connection sees 200 of them.
//!
//! Ours only. All entities move, so that the world's size costs what it must: every value is looked at once a tick.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;

use crate::cpu::median_microseconds;
use crate::motion::TICKS_PER_SECOND;
use crate::peers::{Peers, Terms};
use crate::row::{figure, print_aligned};
use crate::scenario::{AMPLE, Line, Scenario};
use crate::slipstream::{Movers, register, spawn_bodies};

/// Entities that each connection sees.
const INTEREST: usize = 200;
const WARM_UP_TICKS: usize = 30;

/// Measures and prints the table.
pub fn print(quick: bool) {
    let connections: &[usize] = if quick { &[1, 10, 100] } else { &[1, 10, 100, 1_000] };
    let entities: &[usize] = if quick { &[1_000, 10_000] } else { &[1_000, 10_000, 100_000] };
    let head = ["connections", "entities", "server, us/tick", "us/tick and connection", "bytes/tick and connection"];
    let mut lines = vec![head.map(str::to_owned)];
    for &entities in entities {
        for &connections in connections {
            eprintln!("{connections} connections, {entities} entities");
            let cost = cost(connections, entities, if quick { 10 } else { 60 });
            let each = cost.microseconds / connections as f64;
            let figures = [connections as f64, entities as f64, cost.microseconds, each, cost.bytes];
            lines.push(figures.map(figure));
        }
    }
    print_aligned(&lines, &[true; 5]);
}

struct Cost {
    /// Median CPU time of the server's tick.
    microseconds: f64,
    /// Mean, for one connection in one tick.
    bytes: f64,
}

fn cost(connections: usize, entities: usize, ticks: usize) -> Cost {
    let terms = Terms {
        connections,
        ticks_per_second: TICKS_PER_SECOND,
        line: Line::default(),
        budget_bytes_per_second: AMPLE,
    };
    let mut peers = Peers::connect(terms, register);
    show_each_its_own(&mut peers, entities);
    let mut movers = Movers::new(peers.server.world_mut());
    let settled = (0..2_000).any(|_| {
        peers.step();
        (0..connections).all(|client| peers.known_to(client) >= INTEREST.min(entities))
    });
    assert!(settled, "not every client had its {INTEREST} entities after 2,000 ticks");
    for _ in 0..WARM_UP_TICKS {
        movers.advance(peers.server.world_mut());
        peers.step();
    }
    let before = peers.sent();
    let mut times = Vec::new();
    for _ in 0..ticks {
        movers.advance(peers.server.world_mut());
        times.push(peers.step().server);
    }
    let sent = peers.sent().since(before);
    Cost { microseconds: median_microseconds(times), bytes: sent.bytes as f64 / (ticks * connections) as f64 }
}

/// The world: `entities` bodies, of which each connection sees [`INTEREST`], neighbours by their numbers.
///
/// The only place that says who sees what.
fn show_each_its_own(peers: &mut Peers, entities: usize) {
    let mut watchers: Vec<Vec<Entity>> = vec![Vec::new(); entities];
    for (number, connection) in peers.connections.iter().enumerate() {
        for offset in 0..INTEREST.min(entities) {
            watchers[(number * INTEREST + offset) % entities].push(*connection);
        }
    }
    let scenario = Scenario::moving(entities, peers.connections.len());
    spawn_bodies(peers.server.world_mut(), &scenario, |index| {
        let watchers = core::mem::take(&mut watchers[index]);
        if watchers.is_empty() { VisibleTo::Nobody } else { VisibleTo::Only(watchers) }
    });
}
