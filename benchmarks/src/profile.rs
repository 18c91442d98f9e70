//! `profile`: Slipstream alone, long enough for a profiler.

use crate::scenario::{Line, Moving, Scenario};
use crate::session::measure;
use crate::slipstream::Slipstream;

/// What is to be done, and how long.
#[derive(Debug, Clone, clap::Args)]
pub struct Work {
    #[arg(long, default_value_t = 1_000)]
    bodies: usize,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// One body in so many moves; 0 for none.
    #[arg(long, default_value_t = 1)]
    one_in: usize,
    /// Ticks in each direction.
    #[arg(long, default_value_t = 0)]
    latency: u32,
    /// Chance of a loss on the way to a client, 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    loss: f32,
    #[arg(long, default_value_t = 600)]
    ticks: usize,
    /// Bodies have a fourth component.
    #[arg(long)]
    team: bool,
}

/// Does it and prints what a tick cost.
pub fn run(work: &Work) {
    let moving = match work.one_in {
        0 => Moving::Nothing,
        1 => Moving::All,
        n => Moving::OneIn(n),
    };
    let line = Line { latency_ticks: work.latency, loss: work.loss };
    let scenario = Scenario { moving, line, has_team: work.team, ..Scenario::moving(work.bodies, work.connections) };
    let measured = measure(&mut Slipstream::open(&scenario), &scenario, work.ticks);
    println!(
        "server {:.0} us, client {:.0} us a tick; {:.0} bytes to a client",
        measured.server_microseconds, measured.client_microseconds, measured.bytes
    );
}
