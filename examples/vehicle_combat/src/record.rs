//! Recordings of vehicles that the server's own bots drive: real motion, for benchmarks of what it takes to send it.
//!
//! Nothing is sent and nobody waits for a clock: each update is one tick, and the same seed gives the same recording on
//! the same machine.
//!
//! ```text
//! recording = "SLVR" version:u32 vehicles:u32 tick-rate:f32 { { vehicle } × vehicles }     one group a tick
//! vehicle   = present:u8 { number:f32 } × 13
//! ```
//!
//! Little-endian. The numbers are x, y, z of the position in metres; x, y, z, w of the rotation; the linear velocity in
//! m/s and the angular velocity in rad/s, all in the world. What is not present has zeros. A new start is a jump like
//! any other. Whoever reads a recording takes the ticks that are there: one that was cut short between two is whole.

use std::io::{self, Write};

use bevy::ecs::schedule::SingleThreadedExecutor;
use bevy::prelude::*;
use bevy::time::TimeUpdateStrategy;
use bevy_rapier3d::prelude::Velocity;
use bevy_slipstream::prelude::*;

use crate::bot::Brain;
use crate::pace::TICK_RATE;
use crate::player::PlayerNumber;
use crate::server::{ServerConfig, ServerGamePlugin};
use crate::vehicle::Vehicle;

/// What a recording begins with.
pub const MAGIC: [u8; 4] = *b"SLVR";
/// The version of the form.
pub const VERSION: u32 = 1;

/// Numbers of one vehicle in one tick.
const NUMBERS: usize = 13;
/// A vehicle's bytes in one tick: whether it is there, and its numbers.
const VEHICLE_BYTES: usize = 1 + NUMBERS * size_of::<f32>();
/// Who moved less in a tick, in metres, rested.
const MOVED: f32 = 0.001;

/// What was recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecordingSummary {
    /// Ticks.
    pub ticks: u32,
    /// Vehicles, of which the last come some ticks later than the first: bots are seated one a tick.
    pub vehicles: usize,
    /// Bytes written.
    pub bytes: u64,
    /// The mean speed of all vehicles, resting ones and wrecks too, in m/s.
    pub mean_speed: f64,
    /// The mean speed where a vehicle moved more than 1 mm since the tick before, in m/s: what the benchmark counts.
    pub mean_moving_speed: f64,
}

impl core::fmt::Display for RecordingSummary {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { ticks, vehicles, bytes, mean_speed, mean_moving_speed } = self;
        write!(
            formatter,
            "{vehicles} vehicles, {ticks} ticks, {mean_moving_speed:.1} m/s on average where they moved, \
             {mean_speed:.1} m/s in all, {bytes} bytes"
        )
    }
}

/// Lets bots drive `vehicles` vehicles in the foundry for `ticks` ticks, and writes where they are after each.
///
/// # Errors
/// Those of `out`, and [`io::ErrorKind::InvalidInput`] for more vehicles than a header can say.
pub fn record(ticks: u32, vehicles: usize, seed: u64, out: &mut impl Write) -> io::Result<RecordingSummary> {
    let count = u32::try_from(vehicles).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&count.to_le_bytes())?;
    out.write_all(&(TICK_RATE as f32).to_le_bytes())?;
    let mut bytes = 16_u64;

    let mut app = game(vehicles, seed);
    let mut bodies = app.world_mut().query_filtered::<(&PlayerNumber, &Transform, &Velocity), With<Vehicle>>();
    let mut tick_bytes: Vec<u8> = Vec::with_capacity(vehicles * VEHICLE_BYTES);
    let (mut all, mut moving) = (Mean::default(), Mean::default());
    let mut places: Vec<Option<Vec3>> = vec![None; vehicles];
    for _ in 0..ticks {
        advance(&mut app)?;
        tick_bytes.clear();
        tick_bytes.resize(vehicles * VEHICLE_BYTES, 0);
        for (number, transform, velocity) in bodies.iter(app.world()) {
            // Players are numbered from 1, and bots never leave.
            let index = (number.0 as usize).wrapping_sub(1);
            let Some(before) = places.get_mut(index) else { continue };
            let vehicle = index * VEHICLE_BYTES..(index + 1) * VEHICLE_BYTES;
            let Some([present, numbers @ ..]) = tick_bytes.get_mut(vehicle) else { continue };
            *present = 1;
            for (to, number) in numbers.chunks_exact_mut(size_of::<f32>()).zip(numbers_of(transform, velocity)) {
                to.copy_from_slice(&number.to_le_bytes());
            }
            let speed = f64::from(velocity.linear.length());
            all.add(speed);
            if before.is_some_and(|before| before.distance(transform.translation) > MOVED) {
                moving.add(speed);
            }
            *before = Some(transform.translation);
        }
        out.write_all(&tick_bytes)?;
        bytes += tick_bytes.len() as u64;
    }
    out.flush()?;
    Ok(RecordingSummary { ticks, vehicles, bytes, mean_speed: all.mean(), mean_moving_speed: moving.mean() })
}

/// A mean in the making.
#[derive(Default)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn mean(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }
}

/// The server's game without a network and without a clock, full of bots.
fn game(vehicles: usize, seed: u64) -> App {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, NetworkingPlugin::server()))
        .insert_resource(ServerConfig { max_players: vehicles, bots: vehicles, seed, ..ServerConfig::default() })
        .add_plugins(ServerGamePlugin)
        .add_systems(Update, vary_habits)
        // Virtual time: each update advances the clock by exactly one tick.
        .insert_resource(TimeUpdateStrategy::FixedTimesteps(1));
    app.finish();
    app.cleanup();
    // Systems that may run in any order, or side by side, run in the same one each time.
    for (_, schedule) in app.world_mut().resource_mut::<Schedules>().iter_mut() {
        schedule.set_executor(SingleThreadedExecutor::new());
    }
    app
}

/// Gives bots the habits of this seed: by themselves they have the same in every game.
fn vary_habits(config: Res<ServerConfig>, mut bots: Query<(&PlayerNumber, &mut Brain), Added<Brain>>) {
    for (number, mut brain) in &mut bots {
        *brain = Brain::with_seed(config.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(number.0)));
    }
}

/// One tick.
fn advance(app: &mut App) -> io::Result<()> {
    let before = app.world().resource::<SimulationTick>().0;
    // The first update only starts the clock.
    for _ in 0..3 {
        app.update();
        if app.world().resource::<SimulationTick>().0 != before {
            return Ok(());
        }
    }
    Err(io::Error::other("the game's clock stands still"))
}

fn numbers_of(transform: &Transform, velocity: &Velocity) -> [f32; NUMBERS] {
    let [x, y, z] = transform.translation.to_array();
    let [a, b, c, d] = transform.rotation.to_array();
    let [vx, vy, vz] = velocity.linear.to_array();
    let [wx, wy, wz] = velocity.angular.to_array();
    [x, y, z, a, b, c, d, vx, vy, vz, wx, wy, wz]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(ticks: u32, vehicles: usize, seed: u64) -> (Vec<u8>, RecordingSummary) {
        let mut bytes = Vec::new();
        let summary = record(ticks, vehicles, seed, &mut bytes).expect("memory takes everything");
        (bytes, summary)
    }

    #[test]
    fn a_recording_has_a_head_and_every_vehicle_of_every_tick() {
        let (bytes, summary) = recorded(180, 3, 5);
        assert_eq!(bytes.len(), 16 + 180 * 3 * VEHICLE_BYTES);
        assert_eq!(summary.bytes, bytes.len() as u64);
        assert_eq!(bytes[..8], *b"SLVR\x01\0\0\0");
        let last = &bytes[bytes.len() - 3 * VEHICLE_BYTES..];
        assert!(last.chunks(VEHICLE_BYTES).all(|vehicle| vehicle[0] == 1), "all three are seated by then");
        assert!(summary.mean_speed > 0.5, "{summary}");
    }

    #[test]
    fn the_same_seed_gives_the_same_recording() {
        assert!(recorded(120, 2, 7).0 == recorded(120, 2, 7).0);
    }
}
