//! What a process saw, one JSON object a second.
//!
//! `docs/statistics.md` documents the fields. A server writes when its tick passes a whole second, a client when the newest
//! server tick that it has state of does: lines of the same `tick` from different processes speak of the same moment.

use std::fs::File;
use std::io::{self, LineWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use serde::{Deserialize, Serialize};

use crate::health::{Health, Wreck};
use crate::player::Player;
use crate::round::{RoundState, Score};
use crate::vehicle::Vehicle;

/// One line of statistics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Milliseconds since 1970, by this machine's clock.
    pub unix_ms: u64,
    /// Seconds since this process started.
    pub time_s: f64,
    /// `server`, `host`, `client` or `bot`.
    pub role: String,
    /// The player's name; a server's is `server`.
    pub name: String,
    /// A server's tick, or the newest server tick whose state has arrived.
    pub tick: u32,
    /// Connections: all of a server, the one of a client.
    pub connections: Vec<ConnectionSample>,
    /// Every vehicle that is seen here.
    pub players: Vec<PlayerSample>,
    /// The round that is played.
    pub round: Option<RoundSample>,
}

/// A connection in a [`Sample`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ConnectionSample {
    /// The other side's name; on a client, `server`.
    pub name: String,
    /// Round-trip time in milliseconds, smoothed.
    pub rtt_ms: f64,
    /// Mean deviation of the round-trip time in milliseconds.
    pub jitter_ms: f64,
    /// Share of datagrams lost on the way out, 0 to 1.
    pub loss: f64,
    /// Bytes received in the last second.
    pub bytes_in_per_s: f64,
    /// Bytes sent in the last second.
    pub bytes_out_per_s: f64,
    /// What the congestion controller allows, in bytes a second.
    pub budget_bytes_per_s: u32,
}

/// A vehicle in a [`Sample`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PlayerSample {
    /// The player's name.
    pub name: String,
    /// The vehicle is this process's own.
    pub own: bool,
    /// Position in metres: right, up, back.
    pub position: [f32; 3],
    /// Health; 0 while wrecked.
    pub health: f32,
    /// A wreck that waits for its respawn.
    pub wrecked: bool,
    /// Enemies destroyed in this round.
    pub kills: u32,
    /// Times destroyed in this round.
    pub deaths: u32,
    /// Damage dealt to enemies in this round.
    pub damage: u32,
}

/// The round in a [`Sample`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RoundSample {
    /// Counted from 1.
    pub number: u32,
    /// `Warmup`, `Fighting` or `Over`.
    pub phase: String,
    /// Until the phase ends by the clock.
    pub seconds_left: u32,
    /// The winner's name, once there is one.
    pub winner: String,
}

/// Where samples go. Shared by the bots of one process.
#[derive(Debug, Clone)]
pub struct SampleWriter(Arc<Mutex<Output>>);

#[derive(Debug)]
enum Output {
    File(LineWriter<File>),
    Standard,
}

impl SampleWriter {
    /// Opens the file, or standard output for `-`.
    ///
    /// # Errors
    /// When the file can't be created.
    pub fn open(path: &Path) -> io::Result<Self> {
        let output =
            if path == Path::new("-") { Output::Standard } else { Output::File(LineWriter::new(File::create(path)?)) };
        Ok(Self(Arc::new(Mutex::new(output))))
    }

    /// Writes one line.
    ///
    /// # Errors
    /// When the file or standard output takes no more.
    pub fn write(&self, sample: &Sample) -> io::Result<()> {
        let line = serde_json::to_string(sample)?;
        let mut output = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &mut *output {
            Output::File(file) => writeln!(file, "{line}"),
            Output::Standard => writeln!(io::stdout().lock(), "{line}"),
        }
    }
}

/// Writes a [`Sample`] a second.
pub struct StatisticsPlugin {
    /// Where to.
    pub writer: SampleWriter,
    /// The role's name.
    pub role: &'static str,
    /// The player's name.
    pub name: String,
}

#[derive(Resource)]
struct Recorder {
    writer: SampleWriter,
    role: &'static str,
    name: String,
    last_second: Option<u32>,
    last_at: Duration,
}

impl Plugin for StatisticsPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(Recorder {
            writer: self.writer.clone(),
            role: self.role,
            name: self.name.clone(),
            last_second: None,
            last_at: Duration::ZERO,
        })
        .add_systems(Last, write_samples);
    }
}

fn write_samples(
    mut recorder: ResMut<Recorder>,
    time: Res<Time<Real>>,
    role: Res<NetworkRole>,
    tick: Res<SimulationTick>,
    remote_ticks: Query<&RemoteTick>,
    connections: Query<(&Connection, &NetworkStats, Has<LocalConnection>)>,
    vehicles: Query<(&Player, &Transform, &Health, &Score, Has<Wreck>, Has<Controlled>), With<Vehicle>>,
    rounds: Query<&RoundState>,
) {
    let server = role.0 != Role::Client;
    let tick = if server { Some(tick.0) } else { remote_ticks.iter().next().map(|tick| tick.0) };
    let second = tick.map(|tick| tick.get() / 60);
    // Without news of the server, by the clock: a line a second that says so.
    let due = second != recorder.last_second && second.is_some();
    if !due && time.elapsed().saturating_sub(recorder.last_at) < Duration::from_millis(1500) {
        return;
    }
    recorder.last_second = second;
    recorder.last_at = time.elapsed();
    let mut sample = Sample {
        unix_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64),
        time_s: time.elapsed_secs_f64(),
        role: recorder.role.to_owned(),
        name: recorder.name.clone(),
        tick: tick.map_or(0, Tick::get),
        connections: connections
            .iter()
            .filter(|(.., local)| !local)
            .map(|(connection, stats, _)| connection_sample(server, connection, stats))
            .collect(),
        players: vehicles
            .iter()
            .map(|(player, transform, health, score, wrecked, own)| PlayerSample {
                name: player.name.clone(),
                own,
                position: transform.translation.to_array(),
                health: health.current,
                wrecked,
                kills: u32::from(score.kills),
                deaths: u32::from(score.deaths),
                damage: score.damage,
            })
            .collect(),
        round: rounds.iter().next().map(|round| RoundSample {
            number: u32::from(round.number),
            phase: format!("{:?}", round.phase),
            seconds_left: u32::from(round.seconds_left),
            winner: round.winner.clone(),
        }),
    };
    sample.players.sort_by(|a, b| a.name.cmp(&b.name));
    if let Err(error) = recorder.writer.write(&sample) {
        warn_once!("statistics can't be written: {error}");
    }
}

fn connection_sample(server: bool, connection: &Connection, stats: &NetworkStats) -> ConnectionSample {
    ConnectionSample {
        name: if server { connection.remote_name.clone() } else { "server".to_owned() },
        rtt_ms: stats.rtt.as_secs_f64() * 1000.0,
        jitter_ms: stats.jitter.as_secs_f64() * 1000.0,
        loss: f64::from(stats.loss),
        bytes_in_per_s: f64::from(stats.bytes_in_per_second),
        bytes_out_per_s: f64::from(stats.bytes_out_per_second),
        budget_bytes_per_s: stats.budget_bytes_per_second,
    }
}
