//! Recorded vehicles (`vehicle_combat record`), and what it takes to send one of them with the kinematic codec.
//!
//! Every vehicle is written in every tick against its value so many ticks before, as a receiver whose acknowledgements
//! are so late has it, and read again: what is read must be what was written. Counted is where a vehicle moved more than
//! 1 mm since the tick before. New starts are counted, too: they are part of the game.
//!
//! A body takes the codec's bits and the three of its record: its slot follows the one before, the head is the same, and so
//! are the components. What is not counted is what records share: the head of a run, the chunk's tick, the datagram.
//!
//! The same bodies are sent at the dense level, too, in [datagrams] of one tick each.

mod datagrams;

use std::{
    error::Error,
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    time::Instant,
};

use slipstream_wire::{
    Baseline, BitReader, BitWriter, BodyState, KinematicCodec, Quantizer, SmallestThree,
    dense::{Body, BodyFrameCodec, BodyFrameConfig},
};

use self::datagrams::{DenseFigures, Sent};
use crate::cubes;
use crate::row::{Goal, Row};

const DEFAULT_FILE: &str = "data/vehicles.bin.xz";

const MAGIC: &[u8] = b"SLVR";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 16;
const NUMBERS: usize = 13;
const VEHICLE_BYTES: usize = 1 + NUMBERS * 4;

/// Who moved less in a tick, in metres, rested.
const MOVED: f32 = 0.001;
/// The mean speed of which the promise speaks, in m/s.
const PROMISED_SPEED: f64 = 8.0;
/// What a record takes besides its value where it follows others of its kind: gap, same head, same components.
const RECORD_BITS: f64 = 3.0;
/// Replication keeps for the earlier value what was the baseline in each tick that is a multiple of this.
const EARLIER_EVERY: usize = 4;
/// The ages that are printed, in ticks.
const AGES: std::ops::RangeInclusive<u32> = 1..=8;
/// Those of the rows: acknowledged each tick, and 100 ms late.
const ROW_AGES: [(u32, &str); 2] = [(1, "acks each tick"), (6, "acks six ticks late")];

const REPLICON: &str = "bevy_replicon 0.44.3, seen in 1,000 moving x 1";
const REPLICON_BYTES: f64 = 57.2;

/// Millimetres.
const STEP: f32 = 0.001;
const ROTATION_BITS: u32 = 11;

/// The codec of the promise: 1 mm, 11 bits, 1/64 m/s, 1/128 rad/s. The drift is Rapier's, see
/// [`KinematicCodec::drift`].
fn codec(ticks_a_second: f32) -> KinematicCodec {
    KinematicCodec::new(-512.0..512.0, STEP)
        .rotation_bits(ROTATION_BITS)
        .drift([0.0, 0.0613, 0.0])
        .tick_rate(f64::from(ticks_a_second))
}

/// What a moving vehicle takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Figures {
    /// Vehicles times ticks that were counted.
    counted: usize,
    /// Slower ones were not counted, in m/s: the least whole number with which the mean speed is that of the promise.
    /// Zero where it is without leaving out any.
    minimum_speed: f64,
    /// The mean speed of those counted, in m/s.
    mean_speed: f64,
    /// Mean bits of one value as replication writes it: the value before the baseline is known, too.
    mean_bits: f64,
    /// The same against the baseline alone.
    mean_bits_alone: f64,
    /// What the parts have of `mean_bits`: position, linear velocity, rotation, angular velocity.
    parts: [f64; 4],
    /// How much faster they moved in a tick than their velocity after it says, in m/s: what the codec's drift should
    /// be.
    drift: [f64; 3],
    /// Mean nanoseconds to write one.
    write_nanoseconds: f64,
    /// The same bodies and baselines at the dense level.
    dense: DenseFigures,
}

impl Figures {
    /// Mean bytes of one with its record.
    fn mean_bytes(&self) -> f64 {
        (self.mean_bits + RECORD_BITS) / 8.0
    }
}

/// Rows of `replication`, from the recording that comes with the benchmarks; none where there is no such file.
///
/// # Panics
/// Where the file is no recording, or something read is not what was written.
pub fn rows() -> Vec<Row> {
    let path = default_path();
    if !path.exists() {
        eprintln!("  no recording at {}: `vehicle_combat record` makes one", path.display());
        return Vec::new();
    }
    let measured = Recording::open(&path).and_then(|recording| rows_of(&recording));
    measured.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rows_of(recording: &Recording) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for (age, acks) in ROW_AGES {
        let figures = recording.figures(age)?;
        let which = match figures.minimum_speed {
            least if least > 0.0 => format!("from {least} m/s on, "),
            _ => String::new(),
        };
        let work = format!("a recorded vehicle, {which}{:.1} m/s, {acks}: bit-packed", figures.mean_speed);
        let row = Row::new(work, "bytes", figures.mean_bytes()).beside(REPLICON, REPLICON_BYTES);
        rows.push(row.goal(Goal::AtMost(7.0)));
        let work = format!("vehicles, range-coded, {acks}");
        let row = Row::new(work.clone(), "bytes", figures.dense.mean_bytes).beside(REPLICON, REPLICON_BYTES);
        rows.push(row.goal(Goal::AtMost(5.0)));
        rows.push(
            Row::new(format!("{work}: write and read"), "µs", figures.dense.microseconds).goal(Goal::AtMost(2.0)),
        );
    }
    for (age, acks) in ROW_AGES {
        let work = format!("a recorded vehicle, {acks}: frames of poses alone, range-coded");
        rows.push(Row::new(work, "bytes", recording.bytes_of_a_pose_in_frames(age as usize)?));
    }
    Ok(rows)
}

/// Prints what a moving vehicle takes for baselines of several ages: of the recording at `path`, or of the one that comes
/// with the benchmarks.
///
/// # Errors
/// Where the file cannot be read, is no recording, or something read is not what was written.
pub fn run(path: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let path = path.map_or_else(default_path, Path::to_owned);
    let recording = Recording::open(&path)?;
    println!("{} with {}", path.display(), codec(recording.ticks_a_second));
    println!("bytes are those of the value and its record ({RECORD_BITS} bits); bits are the value's");
    println!("dense bytes are those of datagrams with one tick's bodies, records and all, µs to write and to read one");
    println!(
        "{:>4} {:>8} {:>9} {:>6} {:>6} {:>6} {:>6} {:>9} {:>7} {:>9} {:>8} {:>6} {:>6} {:>5}",
        "age",
        "counted",
        "from m/s",
        "m/s",
        "bytes",
        "bits",
        "alone",
        "position",
        "linear",
        "rotation",
        "angular",
        "ns",
        "dense",
        "µs"
    );
    let mut drift = [0.0; 3];
    for age in AGES {
        let figures = recording.figures(age)?;
        drift = figures.drift;
        let [position, linear, rotation, angular] = figures.parts;
        println!(
            "{age:>4} {:>8} {:>9.1} {:>6.1} {:>6.2} {:>6.1} {:>6.1} {position:>9.1} {linear:>7.1} {rotation:>9.1} \
             {angular:>8.1} {:>6.0} {:>6.2} {:>5.2}",
            figures.counted,
            figures.minimum_speed,
            figures.mean_speed,
            figures.mean_bytes(),
            figures.mean_bits,
            figures.mean_bits_alone,
            figures.write_nanoseconds,
            figures.dense.mean_bytes,
            figures.dense.microseconds,
        );
    }
    let [x, y, z] = drift;
    println!("moved faster than they said by {x:.4} {y:.4} {z:.4} m/s");
    for (age, acks) in ROW_AGES {
        let bytes = recording.bytes_of_a_pose_in_frames(age as usize)?;
        println!("{acks}: {bytes:.2} bytes of a moving body's pose alone, in range-coded frames of all of them");
    }
    Ok(())
}

fn default_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(DEFAULT_FILE)
}

/// What was recorded: for each tick each vehicle, where it was there.
struct Recording {
    ticks_a_second: f32,
    ticks: Vec<Vec<Option<BodyState>>>,
}

/// One vehicle in a tick in which it moved.
struct Moved {
    tick: usize,
    now: BodyState,
    before: BodyState,
    baseline: BodyState,
    earlier: BodyState,
    /// Ticks from the earlier value to the baseline.
    between: u32,
    /// m/s.
    speed: f64,
}

/// The words of a [`Moved`].
struct Value {
    tick: usize,
    now: Vec<u32>,
    baseline: Vec<u32>,
    earlier: Vec<u32>,
    age: u32,
    between: u32,
}

impl Value {
    fn alone(&self) -> Baseline<'_> {
        Baseline::new(&self.baseline, self.age)
    }

    fn with_earlier(&self) -> Baseline<'_> {
        Baseline { earlier: Some((self.earlier.as_slice(), self.between)), ..self.alone() }
    }

    fn sent(&self) -> Sent<'_> {
        Sent { tick: self.tick, baseline: self.with_earlier(), words: &self.now }
    }
}

impl Recording {
    /// Reads a recording; unpacks it where its name ends in `.xz`.
    fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut file = BufReader::new(file);
        let mut bytes = Vec::new();
        if path.extension().is_some_and(|extension| extension == "xz") {
            lzma_rs::xz_decompress(&mut file, &mut bytes).map_err(|error| format!("{}: {error:?}", path.display()))?;
        } else {
            file.read_to_end(&mut bytes)?;
        }
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Box<dyn Error>> {
        let no_recording = || "these bytes are no recording of vehicles";
        let (head, records) = bytes.split_at_checked(HEAD_BYTES).ok_or_else(no_recording)?;
        let word =
            |at: usize| -> [u8; 4] { head.get(at..at + 4).and_then(|word| word.try_into().ok()).unwrap_or_default() };
        if head.get(..4) != Some(MAGIC) {
            return Err(no_recording().into());
        }
        let version = u32::from_le_bytes(word(4));
        if version != VERSION {
            return Err(format!("expected a recording of version {VERSION} and got {version}").into());
        }
        let tick_bytes = u32::from_le_bytes(word(8)) as usize * VEHICLE_BYTES;
        let ticks_a_second = f32::from_le_bytes(word(12));
        if tick_bytes == 0 || !records.len().is_multiple_of(tick_bytes) {
            return Err(format!("{} bytes are no ticks of {tick_bytes}", records.len()).into());
        }
        let ticks = records
            .chunks_exact(tick_bytes)
            .map(|tick| tick.chunks_exact(VEHICLE_BYTES).map(body_of).collect())
            .collect();
        Ok(Self { ticks_a_second, ticks })
    }

    /// Writes every vehicle in every tick against its value `age` ticks before.
    ///
    /// Counted are those that moved more than 1 mm in the tick; where these are slower on average than 8 m/s, slow ones
    /// are left out until they are not, and [`Figures::minimum_speed`] tells from where on.
    fn figures(&self, age: u32) -> Result<Figures, Box<dyn Error>> {
        let codec = codec(self.ticks_a_second);
        let moved = self.moved(age.max(1) as usize);
        let (minimum_speed, mean_speed) = fast_enough(&moved);
        let counted: Vec<&Moved> = moved.iter().filter(|moved| moved.speed >= minimum_speed).collect();
        if counted.is_empty() {
            return Err("nothing moves long enough in this recording".into());
        }
        let words = |body: &BodyState| {
            let mut words = Vec::with_capacity(codec.word_count());
            codec.quantize(body, &mut words);
            words
        };
        let value = |moved: &&Moved| Value {
            tick: moved.tick,
            now: words(&moved.now),
            baseline: words(&moved.baseline),
            earlier: words(&moved.earlier),
            age: age.max(1),
            between: moved.between,
        };
        let values: Vec<Value> = counted.iter().map(value).collect();

        let (mut bits, mut bits_alone) = (0, 0);
        let mut parts = [0; 4];
        for value in &values {
            bits += sent(&codec, value.with_earlier(), &value.now)?;
            bits_alone += sent(&codec, value.alone(), &value.now)?;
            let taken = codec.bits_by_part(value.with_earlier(), &value.now).unwrap_or_default();
            for (sum, part) in parts.iter_mut().zip([taken.position, taken.linear, taken.rotation, taken.angular]) {
                *sum += part;
            }
        }
        let in_datagrams: Vec<Sent<'_>> = values.iter().map(Value::sent).collect();
        let dense = datagrams::measure(&codec, &in_datagrams)?;
        let mean = |sum: usize| sum as f64 / values.len() as f64;
        Ok(Figures {
            counted: counted.len(),
            minimum_speed,
            mean_speed,
            mean_bits: mean(bits),
            mean_bits_alone: mean(bits_alone),
            parts: parts.map(mean),
            drift: drift_of(&counted, f64::from(self.ticks_a_second)),
            write_nanoseconds: time_of_writing(&codec, &values),
            dense,
        })
    }

    /// Every vehicle in every tick in which it moved, where it was there for long enough.
    fn moved(&self, age: usize) -> Vec<Moved> {
        let body = |tick: usize, vehicle: usize| self.ticks.get(tick)?.get(vehicle).copied().flatten();
        let vehicles = self.ticks.first().map_or(0, Vec::len);
        let mut moved = Vec::new();
        for tick in age + EARLIER_EVERY..self.ticks.len() {
            let from = tick - age;
            // The last multiple before the baseline.
            let earlier_tick = (from - 1) / EARLIER_EVERY * EARLIER_EVERY;
            for vehicle in 0..vehicles {
                let known = [tick, tick - 1, from, earlier_tick].map(|tick| body(tick, vehicle));
                let [Some(now), Some(before), Some(baseline), Some(earlier)] = known else { continue };
                if has_moved(&before, &now) {
                    let speed = f64::from(distance(now.linear, [0.0; 3]));
                    let between = (from - earlier_tick) as u32;
                    moved.push(Moved { tick, now, before, baseline, earlier, between, speed });
                }
            }
        }
        moved
    }

    /// What a moving vehicle has of range-coded frames of all vehicles' poses, each coded from frames `horizon` ticks
    /// older and before; what rests is paid by what moves. Velocities do not travel: this is not the work of
    /// [`figures`](Self::figures).
    fn bytes_of_a_pose_in_frames(&self, horizon: usize) -> Result<f64, Box<dyn Error>> {
        // Vehicles come one a tick, and none leaves.
        let all_are_there = |tick: &Vec<Option<BodyState>>| tick.iter().all(Option::is_some);
        let first = self.ticks.iter().position(all_are_there).ok_or("not all vehicles are there in any tick")?;
        let ticks = self.ticks.get(first..).unwrap_or_default();
        let bodies: Vec<Vec<BodyState>> = ticks.iter().map(|tick| tick.iter().flatten().copied().collect()).collect();
        let frames: Vec<Vec<Body>> = bodies.iter().map(|tick| tick.iter().map(pose_of).collect()).collect();

        // Springs carry them, so that they do not fall; 2 m are between their width and their length.
        let config = BodyFrameConfig {
            bodies: bodies.first().map_or(0, Vec::len),
            horizon,
            rotation_max: SmallestThree::new(ROTATION_BITS).max() as u16,
            gravity: [0; 3],
            damping: u16::MAX,
            body_size: 2_000,
            table_bits: 13,
        };
        let mut sender = BodyFrameCodec::new(config);
        let mut receiver = BodyFrameCodec::new(config);
        let sent = cubes::send(
            &frames,
            horizon,
            |known, frame| {
                sender.acknowledge(known);
                sender.encode(frame)
            },
            |known, packet| {
                receiver.acknowledge(known);
                Ok(receiver.decode(packet)?)
            },
        )?;
        let moved = |pair: &[Vec<BodyState>]| match pair {
            [before, now] => before.iter().zip(now).filter(|(before, now)| has_moved(before, now)).count(),
            _ => 0,
        };
        let moving: usize = bodies.windows(2).skip(horizon - 1).map(moved).sum();
        Ok(sent.bytes as f64 / moving.max(1) as f64)
    }
}

/// The bits that a body takes, after it has been read as what it was.
fn sent(codec: &KinematicCodec, baseline: Baseline<'_>, words: &[u32]) -> Result<usize, Box<dyn Error>> {
    let mut writer = BitWriter::new();
    codec.write(Some(baseline), words, &mut writer);
    let bytes = writer.to_bytes();
    let mut read = Vec::new();
    codec.read(Some(baseline), &mut BitReader::new(&bytes), &mut read)?;
    if read != words {
        return Err(format!("{words:?} against {baseline:?} became {read:?}").into());
    }
    Ok(writer.bit_len())
}

/// All of them into one stream, as a datagram has it; the best of five rounds, in nanoseconds a body.
fn time_of_writing(codec: &KinematicCodec, values: &[Value]) -> f64 {
    let mut writer = BitWriter::with_capacity(values.len() * 64);
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        writer.clear();
        let start = Instant::now();
        for value in values {
            codec.write(Some(value.with_earlier()), &value.now, &mut writer);
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    // So that the work is not left out.
    std::hint::black_box(writer.bit_len());
    best * 1e9 / values.len() as f64
}

/// The least whole speed from which on the mean is that of the promise, and the mean.
fn fast_enough(moved: &[Moved]) -> (f64, f64) {
    let mean_from = |least: f64| {
        let fast = moved.iter().filter(|moved| moved.speed >= least);
        let (count, sum) = fast.fold((0_usize, 0.0), |(count, sum), moved| (count + 1, sum + moved.speed));
        sum / count.max(1) as f64
    };
    let least = (0..PROMISED_SPEED as u8).map(f64::from).find(|least| mean_from(*least) >= PROMISED_SPEED);
    let least = least.unwrap_or(PROMISED_SPEED);
    (least, mean_from(least))
}

/// What the way of a tick is more than the velocity after it. Jumps say nothing.
fn drift_of(counted: &[&Moved], ticks_a_second: f64) -> [f64; 3] {
    let mut sums = [0.0; 3];
    let mut count = 0_usize;
    for Moved { now, before, .. } in counted {
        if distance(now.position, before.position) > 1.0 {
            continue;
        }
        count += 1;
        for (axis, sum) in sums.iter_mut().enumerate() {
            let went = f64::from(now.position[axis]) - f64::from(before.position[axis]);
            *sum += went * ticks_a_second - f64::from(now.linear[axis]);
        }
    }
    sums.map(|sum| sum / count.max(1) as f64)
}

fn body_of(bytes: &[u8]) -> Option<BodyState> {
    let (present, numbers) = bytes.split_first()?;
    let (numbers, _) = numbers.as_chunks::<4>();
    let [x, y, z, a, b, c, d, vx, vy, vz, wx, wy, wz] = *numbers.first_chunk::<NUMBERS>()?;
    let number = f32::from_le_bytes;
    (*present != 0).then(|| BodyState {
        position: [x, y, z].map(number),
        rotation: [a, b, c, d].map(number),
        linear: [vx, vy, vz].map(number),
        angular: [wx, wy, wz].map(number),
    })
}

/// The pose in steps; frames have their last axis up.
fn pose_of(body: &BodyState) -> Body {
    let ([x, y, z], [a, b, c, d]) = (body.position, body.rotation);
    let metres = Quantizer::range(-512.0..512.0).step(STEP);
    let rotation = SmallestThree::new(ROTATION_BITS).quantize([a, -c, b, d]);
    Body {
        position: [x, -z, y].map(|axis| metres.quantize(axis) as i32),
        largest: rotation.largest,
        rotation: rotation.components.map(|component| component as u16),
        flag: false,
    }
}

fn has_moved(before: &BodyState, now: &BodyState) -> bool {
    distance(now.position, before.position) > MOVED
}

fn distance([a, b, c]: [f32; 3], [x, y, z]: [f32; 3]) -> f32 {
    ((a - x).powi(2) + (b - y).powi(2) + (c - z).powi(2)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One vehicle that drives at 10 m/s, and, where there are more, others that are not there.
    fn recording(ticks: u16, vehicles: u32) -> Vec<u8> {
        let mut bytes = Vec::from(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(vehicles.to_le_bytes());
        bytes.extend(60.0_f32.to_le_bytes());
        for tick in 0..ticks {
            let x = f32::from(tick) / 6.0;
            bytes.push(1);
            let numbers = [x, 0.7, 0.0, 0.0, 0.0, 0.0, 1.0, 10.0, 0.0, 0.0, 0.0, 0.0, 0.0_f32];
            bytes.extend(numbers.map(f32::to_le_bytes).concat());
            bytes.extend(vec![0; VEHICLE_BYTES * (vehicles as usize - 1)]);
        }
        bytes
    }

    #[test]
    fn what_moved_is_counted() {
        let recording = Recording::parse(&recording(60, 2)).expect("a recording");
        let figures = recording.figures(4).expect("it moves");
        assert_eq!(figures.counted, 60 - 4 - EARLIER_EVERY);
        assert_eq!((figures.minimum_speed, figures.mean_speed), (0.0, 10.0));
        assert!(figures.mean_bits < 45.0 && figures.mean_bytes() * 8.0 == figures.mean_bits + 3.0, "{figures:?}");
        assert!(figures.drift.iter().all(|axis| axis.abs() < 1e-3), "{figures:?}");
    }

    #[test]
    fn frames_of_poses_are_what_they_were() {
        let alone = Recording::parse(&recording(60, 1)).expect("a recording");
        assert!(alone.bytes_of_a_pose_in_frames(6).expect("frames") > 0.0);
        let other_is_missing = Recording::parse(&recording(60, 2)).expect("a recording");
        assert!(other_is_missing.bytes_of_a_pose_in_frames(6).is_err());
    }

    #[test]
    fn what_is_no_recording_says_so() {
        assert!(Recording::parse(&[]).is_err());
        assert!(Recording::parse(b"SLVR\x02\0\0\0\x01\0\0\0\0\0\x70\x42").is_err());
        assert!(Recording::parse(&recording(3, 1)[..100]).is_err());
    }
}
