//! How old what a client shows is, where the line carries far less than everything.
//!
//! The staleness of a body is the number of ticks since the place at which the client shows it was its place on the server;
//! zero is the best. It is taken of every body every few ticks, once the pattern of who waits has settled.

use bevy::prelude::*;

use crate::motion;
use crate::replicon::{Codecs, Executor, Replicon};
use crate::row::Row;
use crate::scenario::Scenario;
use crate::session::{Session, settle};
use crate::slipstream::Slipstream;

/// What the line to the client carries.
const BYTES_PER_SECOND: u32 = 3_000;
const BODIES: usize = 1_000;
/// Ticks of motion before the measurement, and as many during it: what nobody sends grows no older than both together.
const TICKS: usize = 1_800;
const TICKS_BETWEEN_SAMPLES: usize = 10;
/// A quantised place may differ this much from the true one, in metres; bodies move 140 mm a tick and more.
const TOLERANCE: f32 = 0.002;
const PERCENTILES: [(&str, f64); 4] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)];

/// All peers' rows: percentiles of ours beside each.
pub fn rows(quick: bool) -> Vec<Row> {
    let scenario = Scenario { budget_bytes_per_second: BYTES_PER_SECOND, ..Scenario::moving(BODIES, 1) };
    let ticks = if quick { TICKS / 6 } else { TICKS };
    let ours = {
        let mut session = Slipstream::open(&scenario);
        settle(&mut session);
        staleness(&mut session, ticks)
    };
    let (replicon, priority) = best_of_replicon(&scenario, ticks);
    let name = format!("staleness, {} moving at 3 kB/s", crate::row::figure(BODIES as f64));
    let peers = [(format!("bevy_replicon 0.44.3, {priority}"), replicon)];
    let mut rows = Vec::new();
    for (peer_name, theirs) in &peers {
        for (percentile, share) in PERCENTILES {
            let row = Row::new(format!("{name}: {percentile}"), "ticks", at_percentile(&ours, share));
            rows.push(row.beside(peer_name.as_str(), at_percentile(theirs, share)));
        }
    }
    rows
}

/// replicon with its default priority, and with one that lets an acknowledged body wait for as long as the line needs for all
/// of them, which makes the others' turns. The better of the two, with its description.
fn best_of_replicon(scenario: &Scenario, ticks: usize) -> (Vec<u64>, String) {
    // 57 bytes a body, as `Codecs::Plain` has them.
    let round = BODIES as f64 * 57.0 / (f64::from(BYTES_PER_SECOND) / motion::TICKS_PER_SECOND);
    let runs = [None, Some((1.0 / round) as f32)].map(|priority| {
        let mut session = Replicon::open(scenario, Codecs::Plain, Executor::SingleThreaded);
        settle(&mut session);
        session.limit(BYTES_PER_SECOND);
        let name = match priority {
            None => "default priority".to_owned(),
            Some(priority) => {
                session.prioritise(priority);
                format!("priority 1/{round:.0}")
            }
        };
        (staleness(&mut session, ticks), name)
    });
    let [plain, prioritised] = runs;
    if at_percentile(&prioritised.0, 0.95) < at_percentile(&plain.0, 0.95) { prioritised } else { plain }
}

/// Moves everything and returns what was seen, sorted.
fn staleness(session: &mut impl Session, ticks: usize) -> Vec<u64> {
    let mut watch = Watch { shown: vec![None; BODIES], samples: Vec::new() };
    let before = session.sent();
    for step in 0..2 * ticks {
        session.step(true);
        if step % TICKS_BETWEEN_SAMPLES == 0 {
            watch.sample(&*session, step >= ticks);
        }
    }
    let sent = session.sent().since(before);
    let per_second = sent.bytes as f64 * motion::TICKS_PER_SECOND / (2 * ticks) as f64;
    eprintln!("  the server handed {per_second:.0} bytes a second to the link");
    watch.samples.sort_unstable();
    watch.samples
}

/// Remembers which tick each body was shown at, to find the next one quickly.
struct Watch {
    shown: Vec<Option<(Vec3, u64)>>,
    samples: Vec<u64>,
}

impl Watch {
    fn sample(&mut self, session: &impl Session, counts: bool) {
        let now = session.motion_tick();
        for (body, known) in self.shown.iter_mut().enumerate() {
            let Some(position) = session.shown(0, body) else { continue };
            let tick = match *known {
                Some((same, tick)) if same == position => tick,
                _ => tick_of(body, position, known.map_or(0, |(_, tick)| tick), now),
            };
            *known = Some((position, tick));
            if counts {
                self.samples.push(now - tick);
            }
        }
    }
}

/// The newest tick from `earliest` to `now` at which the body was there; `earliest` if none was.
fn tick_of(body: usize, position: Vec3, earliest: u64, now: u64) -> u64 {
    let was_there = |tick: &u64| motion::position(body, *tick).distance(position) < TOLERANCE;
    (earliest..=now).rev().find(was_there).unwrap_or(earliest)
}

fn at_percentile(sorted: &[u64], share: f64) -> f64 {
    let position = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(position).map_or(f64::NAN, |staleness| *staleness as f64)
}
