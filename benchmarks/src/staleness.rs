//! How old what a client shows is, where the line carries far less than everything.
//!
//! The staleness of a body is the number of ticks since the place at which the client shows it was its place on the server;
//! zero is the best. It is taken of every body every few ticks, once the pattern of who waits has settled.

use bevy::prelude::*;

use crate::executor::Executor;
use crate::lightyear::Lightyear;
use crate::motion;
use crate::replicon::{Codecs, Replicon};
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

/// What each peer is given: the cap is its own where it has one.
const SCENARIO: Scenario = Scenario { budget_bytes_per_second: BYTES_PER_SECOND, ..Scenario::moving(BODIES, 1) };

/// Percentiles of ours beside replicon's.
pub fn beside_replicon(name: &str, quick: bool) -> Vec<Row> {
    let ticks = ticks(quick);
    let ours = ours(ticks);
    let (theirs, priority) = better_priority(|priority| {
        let mut session = Replicon::open(&SCENARIO, Codecs::Plain, Executor::SingleThreaded);
        settle(&mut session);
        // It keeps to no budget: the line does.
        session.limit(BYTES_PER_SECOND);
        if let Some(priority) = priority {
            session.prioritise(priority);
        }
        staleness(&mut session, ticks)
    });
    rows(name, &ours, &theirs, &format!("bevy_replicon 0.44.3, {priority}"))
}

/// Percentiles of ours beside those of lightyear, which keeps to the budget itself.
pub fn beside_lightyear(name: &str, quick: bool) -> Vec<Row> {
    let ticks = ticks(quick);
    let ours = ours(ticks);
    let (theirs, priority) = better_priority(|priority| {
        let mut session = Lightyear::open(&SCENARIO, Executor::SingleThreaded);
        settle(&mut session);
        if let Some(priority) = priority {
            session.prioritise(priority);
        }
        staleness(&mut session, ticks)
    });
    rows(name, &ours, &theirs, &format!("lightyear 0.30.1, {priority}"))
}

fn ours(ticks: usize) -> Vec<u64> {
    let mut session = Slipstream::open(&SCENARIO);
    settle(&mut session);
    staleness(&mut session, ticks)
}

fn rows(name: &str, ours: &[u64], theirs: &[u64], peer_name: &str) -> Vec<Row> {
    let row = |(percentile, share): (&str, f64)| {
        let row = Row::new(format!("{name}: {percentile}"), "ticks", at_percentile(ours, share));
        row.beside(peer_name, at_percentile(theirs, share))
    };
    PERCENTILES.map(row).into()
}

fn ticks(quick: bool) -> usize {
    if quick { TICKS / 6 } else { TICKS }
}

/// What a peer shows with its default priority, and with one that lets an acknowledged body wait for as long as the
/// line needs for all of them, which makes the others' turns. The better of the two, with its description.
fn better_priority(run: impl Fn(Option<f32>) -> Vec<u64>) -> (Vec<u64>, String) {
    // 57 bytes a body, as `Codecs::Plain` has them, and lightyear before its packets' headers.
    let round = BODIES as f64 * 57.0 / (f64::from(BYTES_PER_SECOND) / motion::TICKS_PER_SECOND);
    let plain = (run(None), "default priority".to_owned());
    let prioritised = (run(Some((1.0 / round) as f32)), format!("priority 1/{round:.0}"));
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
