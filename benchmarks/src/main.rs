//! Slipstream beside its peers, on the same work, in one run.
//!
//! ```text
//! cargo run --release --manifest-path benchmarks/Cargo.toml -- replication [--json FILE] [--ticks N] [--only TEXT]
//! ```
//!
//! Both sides exchange messages in process, with real packing and applying. Everything runs on one thread, because Bevy is
//! built without `multi_threaded`: wall time is then the CPU time summed over threads, but for what other processes take,
//! which the median leaves out. `docs/benchmarks.md` says how each row is measured.
#![forbid(unsafe_code)]

mod ours;
mod replication;
mod replicon;
mod row;
mod sample;
mod table;
mod work;

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Slipstream beside its peers, on the same work, in one run.
#[derive(Parser)]
struct CommandLine {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Server and client time, bytes and copies of replication.
    Replication {
        /// Also write the rows to this file, as a JSON list.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Ticks whose median is taken, after the warm-up.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        ticks: u32,
        /// Only the rows whose work contains this text.
        #[arg(long, value_name = "TEXT", default_value = "")]
        only: String,
    },
}

fn main() -> Result<(), Box<dyn Error>> {
    let Benchmark::Replication { json, ticks, only } = CommandLine::parse().benchmark;
    let rows = replication::run(ticks, &only);
    if rows.is_empty() {
        return Err(format!("no row's work contains {only:?}; there are: {}", replication::works().join("; ")).into());
    }
    table::print(&rows, &[ours::SENDS, ours::COUNTS, replicon::SENDS, replicon::COUNTS]);
    if let Some(path) = json {
        fs::write(&path, serde_json::to_string_pretty(&rows)? + "\n")
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}
