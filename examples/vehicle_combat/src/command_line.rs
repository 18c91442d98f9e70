//! The command line: which role, which address, which network.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bevy_slipstream::prelude::NetworkConditions;
use clap::{Args, Parser, Subcommand};

/// The port that a server takes where none is given.
pub const DEFAULT_PORT: u16 = 41_414;

/// The key of development builds: public, so it keeps out nobody. Give `--key` to play with more than friends.
pub const DEVELOPMENT_KEY: [u8; 32] = *b"slipstream-vehicle-combat-devkey";

/// Vehicle combat over Slipstream: four wheels, a turret, and everyone else in the way.
///
/// `vehicle_combat demo` shows it all: a server and two players on this machine, in two windows, or in the terminal where
/// there is no display.
#[derive(Parser, Debug, Clone)]
#[command(name = "vehicle_combat", version, max_term_width = 100)]
pub struct CommandLine {
    /// What this process is.
    #[command(subcommand)]
    pub role: RoleCommand,
}

/// What this process is.
#[derive(Subcommand, Debug, Clone)]
pub enum RoleCommand {
    /// A dedicated server, without a window. Players join it with `client` or `bot`.
    Server(ServerCommand),
    /// A player in a window.
    Client(ClientCommand),
    /// A server and a player in one process: one window that others can join.
    Host(HostCommand),
    /// Players without a window that drive by themselves.
    Bot(BotCommand),
    /// A server and two players on this machine. Windows where there is a display, bots and a live table where there is none.
    Demo(DemoCommand),
    /// A recording of vehicles that bots drive, for benchmarks: no network, no window, and no waiting.
    Record(RecordCommand),
}

/// `server`
#[derive(Args, Debug, Clone)]
pub struct ServerCommand {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub listen: ListenOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub arena: ArenaOption,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: CommonOptions,
}

/// What a server is, with or without a window.
#[derive(Args, Debug, Clone)]
pub struct ListenOptions {
    /// The UDP address to listen on; port 0 takes a free one and prints it.
    #[arg(long, value_name = "ADDR", default_value_t = SocketAddr::from(([0, 0, 0, 0], DEFAULT_PORT)))]
    pub bind: SocketAddr,
    /// How many players may join; one more is refused and told so.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub max_players: u32,
    /// Drive this many vehicles by the server itself, besides the players.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub server_bots: u32,
}

/// `client`
#[derive(Args, Debug, Clone)]
pub struct ClientCommand {
    /// The server's UDP address.
    #[arg(long, value_name = "ADDR")]
    pub connect: SocketAddr,
    /// The name that others see.
    #[arg(long, value_name = "NAME", default_value = "Driver")]
    pub name: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub window: WindowOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub arena: ArenaOption,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: CommonOptions,
}

/// `host`
#[derive(Args, Debug, Clone)]
pub struct HostCommand {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub listen: ListenOptions,
    /// The name that others see.
    #[arg(long, value_name = "NAME", default_value = "Host")]
    pub name: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub window: WindowOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub arena: ArenaOption,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: CommonOptions,
}

/// `bot`
#[derive(Args, Debug, Clone)]
pub struct BotCommand {
    /// The server's UDP address.
    #[arg(long, value_name = "ADDR")]
    pub connect: SocketAddr,
    /// How many bots drive in this process, each with a connection of its own.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub count: u32,
    /// The name that others see; with several bots, a number follows it.
    #[arg(long, value_name = "NAME", default_value = "Bot")]
    pub name: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub arena: ArenaOption,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: CommonOptions,
}

/// `demo`
#[derive(Args, Debug, Clone)]
pub struct DemoCommand {
    /// Open no windows, even where there is a display.
    #[arg(long)]
    pub headless: bool,
    /// How many players take part.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub players: u32,
    /// The windows drive by themselves too: something to watch.
    #[arg(long)]
    pub autopilot: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub arena: ArenaOption,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: CommonOptions,
}

/// `record`
#[derive(Args, Debug, Clone)]
pub struct RecordCommand {
    /// How many ticks to record, 60 a second.
    #[arg(long, value_name = "N", default_value_t = 3_600, value_parser = clap::value_parser!(u32).range(1..))]
    pub ticks: u32,
    /// How many vehicles drive.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub vehicles: u32,
    /// The seed of the bots' habits and of the spread of shots.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// The arena that is played in.
#[derive(Args, Debug, Clone, Default)]
pub struct ArenaOption {
    /// An arena file (RON); the foundry, which is built in, where none is given. Everyone must play in the same.
    #[arg(long, value_name = "FILE")]
    pub arena: Option<PathBuf>,
}

/// What only a window has.
#[derive(Args, Debug, Clone, Default)]
pub struct WindowOptions {
    /// Drive by itself: nobody at the keys.
    #[arg(long)]
    pub autopilot: bool,
    /// Save a picture of the window to this PNG file, `--screenshot-after` seconds after the vehicle appeared.
    #[arg(long, value_name = "FILE")]
    pub screenshot: Option<PathBuf>,
    /// When the picture is taken.
    #[arg(long, value_name = "SECONDS", default_value_t = 8.0)]
    pub screenshot_after: f32,
    /// The window's size in pixels.
    #[arg(long, value_name = "WxH", default_value = "960x540", value_parser = parse_size)]
    pub window_size: WindowSize,
    /// The window's top left corner on the screen.
    #[arg(long, value_name = "X,Y", value_parser = parse_position, allow_hyphen_values = true)]
    pub window_position: Option<WindowPosition>,
}

/// A window's size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSize {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Default for WindowSize {
    fn default() -> Self {
        Self { width: 960, height: 540 }
    }
}

/// A window's top left corner in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowPosition {
    /// From the screen's left.
    pub x: i32,
    /// From the screen's top.
    pub y: i32,
}

fn parse_size(text: &str) -> Result<WindowSize, String> {
    let size = text.split_once(['x', 'X']).and_then(|(width, height)| {
        Some(WindowSize { width: width.trim().parse().ok()?, height: height.trim().parse().ok()? })
    });
    size.filter(|size| (160..=7680).contains(&size.width) && (120..=4320).contains(&size.height))
        .ok_or_else(|| format!("expected WIDTHxHEIGHT in pixels, such as 960x540, and got `{text}`"))
}

fn parse_position(text: &str) -> Result<WindowPosition, String> {
    let position = text
        .split_once(',')
        .and_then(|(x, y)| Some(WindowPosition { x: x.trim().parse().ok()?, y: y.trim().parse().ok()? }));
    position.ok_or_else(|| format!("expected X,Y in pixels, such as 0,40, and got `{text}`"))
}

/// What every role has.
#[derive(Args, Debug, Clone, Default)]
pub struct CommonOptions {
    /// End by itself after this many seconds, with exit code 0.
    #[arg(long, value_name = "N")]
    pub seconds: Option<f64>,
    /// Write one JSON object a second to this file, or to standard output for `-`. docs/statistics.md names its fields.
    #[arg(long, value_name = "FILE")]
    pub stats_json: Option<PathBuf>,
    /// The seed of everything random here: bots, spread, spawn points, the simulated network. Printed where none is given.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The secret that server and players share, 64 hexadecimal digits. Without it a public development key is used.
    #[arg(long, value_name = "HEX", env = "VEHICLE_COMBAT_KEY", hide_env_values = true, value_parser = parse_key)]
    pub key: Option<Key>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub network: NetworkOptions,
    /// End when standard input ends: how the demo's processes follow it.
    #[arg(long, hide = true)]
    pub exit_with_stdin: bool,
}

/// A shared secret. Its `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(pub [u8; 32]);

impl core::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("Key(secret)")
    }
}

impl Key {
    /// The key as 64 hexadecimal digits, as `--key` takes it.
    #[must_use]
    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn parse_key(text: &str) -> Result<Key, String> {
    let mut key = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return Err(format!("expected 64 hexadecimal digits, and got {} characters", text.chars().count()));
    }
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = core::str::from_utf8(digits).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).map_err(|_| format!("`{digits}` is not hexadecimal"))?;
    }
    Ok(Key(key))
}

impl CommonOptions {
    /// The key in force.
    #[must_use]
    pub fn key(&self) -> [u8; 32] {
        self.key.map_or(DEVELOPMENT_KEY, |key| key.0)
    }
}

/// A simulated bad network, on top of the real one, in both directions of this process's links.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Simulated network (each way)")]
pub struct NetworkOptions {
    /// Added one-way delay.
    #[arg(long, value_name = "MS", default_value_t = 0.0, value_parser = parse_milliseconds)]
    pub latency_ms: f64,
    /// Random variation of the delay, up and down.
    #[arg(long, value_name = "MS", default_value_t = 0.0, value_parser = parse_milliseconds)]
    pub jitter_ms: f64,
    /// Datagrams that never arrive.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = parse_percent)]
    pub loss_percent: f32,
    /// Datagrams that arrive twice.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = parse_percent)]
    pub duplicate_percent: f32,
    /// Datagrams that are overtaken by later ones.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = parse_percent)]
    pub reorder_percent: f32,
}

fn parse_percent(text: &str) -> Result<f32, String> {
    let percent: f32 = text.parse().map_err(|_| format!("expected a number of per cent, and got `{text}`"))?;
    if (0.0..=100.0).contains(&percent) {
        Ok(percent)
    } else {
        Err(format!("expected 0 to 100 per cent, and got {percent}"))
    }
}

fn parse_milliseconds(text: &str) -> Result<f64, String> {
    let milliseconds: f64 = text.parse().map_err(|_| format!("expected a number of milliseconds, and got `{text}`"))?;
    if (0.0..=10_000.0).contains(&milliseconds) {
        Ok(milliseconds)
    } else {
        Err(format!("expected 0 to 10000 milliseconds, and got {milliseconds}"))
    }
}

impl NetworkOptions {
    /// The conditions, or `None` where the network is left as it is.
    #[must_use]
    pub fn conditions(&self) -> Option<NetworkConditions> {
        let conditions = NetworkConditions {
            latency: Duration::from_secs_f64(self.latency_ms / 1000.0),
            jitter: Duration::from_secs_f64(self.jitter_ms / 1000.0),
            loss: self.loss_percent / 100.0,
            duplicate: self.duplicate_percent / 100.0,
            reorder: self.reorder_percent / 100.0,
            ..NetworkConditions::default()
        };
        let touched = self.latency_ms > 0.0
            || self.jitter_ms > 0.0
            || self.loss_percent > 0.0
            || self.duplicate_percent > 0.0
            || self.reorder_percent > 0.0;
        touched.then_some(conditions)
    }

    /// The same options as arguments, for a process that this one starts.
    #[must_use]
    pub fn to_arguments(&self) -> Vec<String> {
        let options = [
            ("--latency-ms", self.latency_ms),
            ("--jitter-ms", self.jitter_ms),
            ("--loss-percent", f64::from(self.loss_percent)),
            ("--duplicate-percent", f64::from(self.duplicate_percent)),
            ("--reorder-percent", f64::from(self.reorder_percent)),
        ];
        let given = options.into_iter().filter(|(_, value)| *value > 0.0);
        given.flat_map(|(name, value)| [name.to_owned(), value.to_string()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn a_bad_number_is_told_with_what_was_expected() {
        let error = CommandLine::try_parse_from(["vehicle_combat", "server", "--loss-percent", "150"]).unwrap_err();
        assert!(error.to_string().contains("0 to 100 per cent"), "{error}");
    }

    #[test]
    fn conditions_survive_the_way_to_a_child_process() {
        let arguments = ["vehicle_combat", "demo", "--latency-ms", "50", "--loss-percent", "5"];
        let RoleCommand::Demo(demo) = CommandLine::parse_from(arguments).role else { panic!("not a demo") };
        let again =
            ["vehicle_combat", "server"].map(str::to_owned).into_iter().chain(demo.common.network.to_arguments());
        let RoleCommand::Server(server) = CommandLine::parse_from(again).role else { panic!("not a server") };
        assert_eq!(server.common.network.conditions(), demo.common.network.conditions());
    }
}
