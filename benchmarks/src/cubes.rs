//! 901 cubes (`shared/PEERS.md`, "Compression: 901 cubes"): a recorded physics world, sent losslessly at 60 Hz by a
//! sender that knows only frames acknowledged six frames ago.
//!
//! Each level has an encoder and a decoder of its own. The decoder sees the first six frames, which are known to both,
//! and then packets, nothing else; what it decodes is compared with the recording.

use std::{
    error::Error,
    fs::File,
    io::{BufReader, Read},
    path::Path,
    time::{Duration, Instant},
};

use slipstream_wire::dense::{Body, BodyFrameCodec, BodyFrameConfig, PackedFrameCodec};

const CUBES: usize = 901;
const VALUES: usize = 8;
const HORIZON: usize = 6;
const FRAMES_PER_SECOND: f64 = 60.0;
const DEFAULT_FILE: &str = "data/cubes-18.bin.xz";

/// The scene: 60 Hz, 512 steps a metre, cubes of 0.4 m, an engine that takes 1 % of all velocities each frame and a
/// gravity of 20 m/s², which is 20 · 512 / 60² steps per frame².
const CONFIG: BodyFrameConfig = BodyFrameConfig {
    bodies: CUBES,
    horizon: HORIZON,
    rotation_max: 511,
    gravity: [0, 0, -(20 * 512 * 256 / 3600)],
    damping: 64_881,
    body_size: 205,
    table_bits: 13,
};

/// What a recording takes.
#[derive(Clone, Copy, Debug)]
pub struct CubesReport {
    /// Mean kbit/s at the bit-packed level.
    pub bit_packed_kbits: f64,
    /// Mean kbit/s at the dense level.
    pub dense_kbits: f64,
    /// Mean time that encoder and decoder take for a frame at the dense level, learning included.
    pub dense_ms_per_frame: f64,
    /// The greatest such time.
    pub dense_ms_max: f64,
    /// Frames of the recording.
    pub frames: usize,
    /// Frames that were sent.
    pub packets: usize,
}

/// Sends the recording at `path`, or the one that comes with the benchmarks, at both levels and prints what it took.
///
/// # Errors
/// Where the file cannot be read, or a decoded frame is not the recorded one.
pub fn run(path: Option<&Path>) -> Result<CubesReport, Box<dyn Error>> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join(DEFAULT_FILE);
    let frames = read_frames(path.unwrap_or(&default))?;

    let mut sender = PackedFrameCodec::new(CONFIG);
    let mut receiver = PackedFrameCodec::new(CONFIG);
    let packed = send(
        &frames,
        HORIZON,
        |known, frame| {
            sender.acknowledge(known);
            sender.encode(frame)
        },
        |known, packet| {
            receiver.acknowledge(known);
            Ok(receiver.decode(packet)?)
        },
    )?;
    let mut sender = BodyFrameCodec::new(CONFIG);
    let mut receiver = BodyFrameCodec::new(CONFIG);
    let dense = send(
        &frames,
        HORIZON,
        |known, frame| {
            sender.acknowledge(known);
            sender.encode(frame)
        },
        |known, packet| {
            receiver.acknowledge(known);
            Ok(receiver.decode(packet)?)
        },
    )?;

    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let report = CubesReport {
        bit_packed_kbits: packed.kbits(),
        dense_kbits: dense.kbits(),
        dense_ms_per_frame: milliseconds(dense.total) / dense.packets as f64,
        dense_ms_max: milliseconds(dense.longest),
        frames: frames.len(),
        packets: dense.packets,
    };
    println!("{} frames, {} packets, lossless at both levels", report.frames, report.packets);
    for (name, sent) in [("bit-packed", packed), ("dense", dense)] {
        let mean = milliseconds(sent.total) / sent.packets as f64;
        let longest = milliseconds(sent.longest);
        println!("{name:>10}: {:7.2} kbit/s, encode + decode {mean:.3} ms a frame, at most {longest:.3}", sent.kbits());
    }
    Ok(report)
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub bytes: usize,
    packets: usize,
    total: Duration,
    longest: Duration,
}

impl Sent {
    fn kbits(&self) -> f64 {
        self.bytes as f64 / self.packets as f64 * FRAMES_PER_SECOND * 8.0 / 1000.0
    }
}

/// Sends all frames but the first ones. Both closures get the newest acknowledged frame, `horizon` frames old, first: the
/// sender the recorded one, the receiver the one it decoded.
pub fn send(
    frames: &[Vec<Body>],
    horizon: usize,
    mut encode: impl FnMut(&[Body], &[Body]) -> Vec<u8>,
    mut decode: impl FnMut(&[Body], &[u8]) -> Result<Vec<Body>, Box<dyn Error>>,
) -> Result<Sent, Box<dyn Error>> {
    if frames.len() <= horizon {
        return Err(
            format!("a recording of more than {horizon} frames is needed, this one has {}", frames.len()).into()
        );
    }
    let mut decoded = frames[..horizon].to_vec();
    let mut sent = Sent::default();
    for (number, frame) in frames.iter().enumerate().skip(horizon) {
        let start = Instant::now();
        let packet = encode(&frames[number - horizon], frame);
        let received = decode(&decoded[number - horizon], &packet)?;
        let time = start.elapsed();
        if received != *frame {
            return Err(format!("frame {number} is not what was sent").into());
        }
        decoded.push(received);
        sent.bytes += packet.len();
        sent.packets += 1;
        sent.total += time;
        sent.longest = sent.longest.max(time);
    }
    Ok(sent)
}

fn read_frames(path: &Path) -> Result<Vec<Vec<Body>>, Box<dyn Error>> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut file = BufReader::new(file);
    let mut bytes = Vec::new();
    if path.extension().is_some_and(|extension| extension == "xz") {
        lzma_rs::xz_decompress(&mut file, &mut bytes).map_err(|error| format!("{}: {error:?}", path.display()))?;
    } else {
        file.read_to_end(&mut bytes)?;
    }
    let frame_bytes = CUBES * VALUES * 4;
    if !bytes.len().is_multiple_of(frame_bytes) {
        return Err(format!("{}: {} bytes are no frames of {frame_bytes}", path.display(), bytes.len()).into());
    }
    let cubes = |frame: &[u8]| frame.chunks_exact(VALUES * 4).map(read_cube).collect::<Result<Vec<_>, _>>();
    bytes.chunks_exact(frame_bytes).map(cubes).collect()
}

fn read_cube(bytes: &[u8]) -> Result<Body, Box<dyn Error>> {
    let mut values = [0; VALUES];
    for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(4)) {
        *value = i32::from_le_bytes(bytes.try_into()?);
    }
    let [largest, a, b, c, x, y, z, interacting] = values;
    Ok(Body {
        position: [x, y, z],
        largest: u8::try_from(largest)?,
        rotation: [u16::try_from(a)?, u16::try_from(b)?, u16::try_from(c)?],
        flag: interacting != 0,
    })
}
