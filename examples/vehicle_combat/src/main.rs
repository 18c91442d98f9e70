//! The reference game's command. The game is the library beside it.

use std::process::ExitCode;

use clap::Parser;
use vehicle_combat::command_line::CommandLine;

fn main() -> ExitCode {
    vehicle_combat::process::run(&CommandLine::parse().role)
}
