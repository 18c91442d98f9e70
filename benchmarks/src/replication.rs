//! The rows of `replication`: which work, whose figures, which goal.

use crate::ours::{self, Ours};
use crate::replicon::{self, Replicon};
use crate::row::{Goal, Row};
use crate::sample::Measured;
use crate::work::Work;

/// A row to be measured: its work, and how it is measured from that and a number of ticks.
struct Job {
    work: &'static str,
    measure: fn(&'static str, u32) -> Row,
}

const JOBS: [Job; 8] = [
    Job {
        work: "1,000 moving × 64 connections, server",
        measure: |work, ticks| server_row(work, ticks, moving(1_000, 64, 1), 15.0),
    },
    Job {
        work: "10,000 moving × 20 connections, server",
        measure: |work, ticks| server_row(work, ticks, moving(10_000, 20, 1), 15.0),
    },
    Job {
        work: "1,000 × 64 connections, one in ten moving, server",
        measure: |work, ticks| server_row(work, ticks, moving(1_000, 64, 10), 10.0),
    },
    Job {
        work: "static 10,000 of four components × 100 connections, server",
        measure: |work, ticks| static_row(work, ticks, 100),
    },
    Job {
        work: "static 10,000 of four components × 1 connection, server",
        measure: |work, ticks| static_row(work, ticks, 1),
    },
    Job { work: "1,000 moving, client apply", measure: client_row },
    Job { work: "1,000 moving, bytes", measure: bytes_row },
    Job { work: "one change at 100 ms RTT and 60 Hz, no loss", measure: copies_row },
];

/// Measures the rows whose work contains `only`, and says on stderr which is being measured.
pub fn run(ticks: u32, only: &str) -> Vec<Row> {
    let wanted = JOBS.iter().filter(|job| job.work.contains(only));
    wanted
        .map(|job| {
            eprintln!("measuring: {}", job.work);
            (job.measure)(job.work, ticks)
        })
        .collect()
}

/// The works of all rows.
pub fn works() -> Vec<&'static str> {
    JOBS.iter().map(|job| job.work).collect()
}

fn moving(entities: u32, connections: u32, one_in: u32) -> Work {
    Work { entities, connections, moving_one_in: Some(one_in) }
}

/// Ours, then the peer's, one after the other: neither is in memory while the other runs.
fn both(work: Work, ticks: u32) -> (Measured, Measured) {
    let ours = Ours::new(work).measure(ticks);
    let peer = Replicon::new(work).measure(ticks);
    (ours, peer)
}

fn server_row(name: &str, ticks: u32, work: Work, goal: f64) -> Row {
    let (ours, peer) = both(work, ticks);
    let peer = Some((replicon::NAME, peer.server_microseconds));
    Row::new(name, "µs/tick", ours.server_microseconds, peer, Some(Goal::OneIn(goal)))
}

fn static_row(name: &str, ticks: u32, connections: u32) -> Row {
    let work = Work { entities: 10_000, connections, moving_one_in: None };
    let ours = Ours::new(work).measure(ticks);
    Row::new(name, "µs/tick", ours.server_microseconds, None, Some(Goal::AtMost(50.0)))
}

fn client_row(name: &'static str, ticks: u32) -> Row {
    let (ours, peer) = both(moving(1_000, 1, 1), ticks);
    let peer = Some((replicon::NAME, peer.client_microseconds));
    Row::new(name, "µs/tick", ours.client_microseconds, peer, Some(Goal::OneIn(3.0)))
}

/// Without a goal: that of the bytes belongs to the recording of the game's vehicles, not to this motion.
fn bytes_row(name: &'static str, ticks: u32) -> Row {
    let (ours, peer) = both(moving(1_000, 1, 1), ticks);
    let peer = Some((replicon::NAME, peer.bytes_per_moving_body));
    Row::new(name, "bytes/body", ours.bytes_per_moving_body, peer, None)
}

fn copies_row(name: &'static str, _: u32) -> Row {
    let peer = Some((replicon::NAME, replicon::copies_of_one_change()));
    Row::new(name, "copies", ours::copies_of_one_change(), peer, Some(Goal::AtMost(1.0)))
}
