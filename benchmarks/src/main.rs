//! Slipstream next to its peers: the same work, in the same run, on the same machine.
//!
//! ```text
//! scenario ──► session: Slipstream, Replicon, Lightyear ──► steps, timed by the process's CPU clock
//!                 the same components (`components`), the same motion (`motion`)      │
//!                                                                                     ▼
//!                               replication, staleness, memory, bandwidth ──► rows, with goals
//! ```
//!
//! `cargo run --release --manifest-path benchmarks/Cargo.toml -- replication` prints the table; `docs/benchmarks.md` says what
//! each row means.

mod allocator;
mod bandwidth;
mod bodies;
mod components;
mod cpu;
mod cubes;
mod executor;
mod lightyear;
mod memory;
mod motion;
mod peers;
mod profile;
mod recording;
mod replication;
mod replicon;
mod row;
mod scaling;
mod scenario;
mod session;
mod slipstream;
mod staleness;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Benchmarks of Slipstream beside other libraries. Build with `--release`.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Server and client time, bytes, copies, memory and staleness, beside bevy_replicon and lightyear.
    Replication {
        /// Write the rows to this file, too.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Only what has this in its name.
        #[arg(long, value_name = "SUBSTRING")]
        only: Option<String>,
        /// Few ticks: to see that it runs.
        #[arg(long)]
        quick: bool,
        /// Peers on one thread only, instead of the executor that is faster for them.
        #[arg(long)]
        single_threaded: bool,
    },
    /// Slipstream alone on one piece of work, for a profiler to look at.
    Profile(profile::Work),
    /// How small the recording of 901 cubes gets.
    Cubes {
        /// A recording, compressed with xz where its name ends so.
        #[arg(long, value_name = "PATH")]
        file: Option<PathBuf>,
    },
    /// What a moving vehicle of a recording of the game takes with the kinematic codec.
    Recording {
        /// A recording of `vehicle_combat record`, compressed with xz where its name ends so.
        #[arg(long, value_name = "PATH")]
        file: Option<PathBuf>,
    },
    /// How the server's time grows with connections and entities.
    Scaling {
        /// Small worlds and few ticks: to see that it runs.
        #[arg(long)]
        quick: bool,
    },
}

fn main() -> Result<(), Box<dyn Error>> {
    match Arguments::parse().benchmark {
        Benchmark::Replication { json, only, quick, single_threaded } => {
            let rows = replication::run(only.as_deref(), replication::Options { quick, single_threaded });
            if quick {
                println!("Few ticks: these figures prove nothing.\n");
            }
            row::print_table(&rows);
            if let Some(path) = json {
                row::write_json(&rows, &path)?;
            }
        }
        Benchmark::Cubes { file } => {
            cubes::run(file.as_deref())?;
        }
        Benchmark::Recording { file } => recording::run(file.as_deref())?,
        Benchmark::Profile(work) => profile::run(&work),
        Benchmark::Scaling { quick } => scaling::print(quick),
    }
    Ok(())
}
