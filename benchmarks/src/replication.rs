//! The rows of `replication`: ours beside the peers', each on the same work in the same run.

use crate::executor::Executor;
use crate::lightyear::Lightyear;
use crate::replicon::{Codecs, Replicon};
use crate::row::{Goal, Row};
use crate::scenario::{Line, Moving, Scenario};
use crate::session::{Measured, Session, measure, settle};
use crate::slipstream::Slipstream;
use crate::{bandwidth, memory, recording, staleness};

const REPLICON: &str = "bevy_replicon 0.44.3";
const LIGHTYEAR: &str = "lightyear 0.30.1";
/// Median of so many ticks.
const TICKS: usize = 60;
const QUICK_TICKS: usize = 10;
const FIFTEENTH: Option<Goal> = Some(Goal::AtMostRatio(1.0 / 15.0));
/// It changes when a benchmark says so. Acknowledgements come 100 ms late.
const ONE_STILL_BODY: Scenario = Scenario { moving: Moving::Nothing, line: Line::SIX_TICKS, ..Scenario::moving(1, 1) };

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Few ticks: to see that it runs, not to claim anything.
    pub quick: bool,
    /// Peers on one thread only, instead of whichever of both executors is faster for them.
    pub single_threaded: bool,
}

impl Options {
    fn ticks(self) -> usize {
        if self.quick { QUICK_TICKS } else { TICKS }
    }
}

/// Some rows that are measured together; `--only` looks at the name.
struct Case {
    name: &'static str,
    run: fn(&str, Options) -> Vec<Row>,
}

const CASES: &[Case] = &[
    Case { name: "1,000 moving x 1", run: thousand_by_1 },
    Case { name: "1,000 moving x 20", run: thousand_by_20 },
    Case { name: "1,000 moving x 64", run: thousand_by_64 },
    Case { name: "1,000 moving x 64, acks six ticks late, 5 % loss", run: thousand_by_64_lossy },
    Case { name: "1,000 moving x 64, peer quantised", run: thousand_by_64_quantised },
    Case { name: "10,000 moving x 1", run: ten_thousand_by_1 },
    Case { name: "10,000 moving x 20", run: ten_thousand_by_20 },
    Case { name: "1,000 x 64, one in ten moving", run: one_in_ten },
    Case { name: "static, 10,000 of four components x 100", run: static_for_100 },
    Case { name: "static, 10,000 of four components x 1", run: static_for_1 },
    Case { name: "client applies 1,000 moving", run: client },
    Case { name: "one change at 100 ms", run: one_change },
    Case { name: "500 objects at 20 Hz", run: |_, options| bandwidth::rows(options.quick) },
    Case { name: "a recorded vehicle", run: |_, _| recording::rows() },
    Case { name: "memory at 10,000 x 100", run: |_, options| memory::rows(options.quick) },
    Case {
        name: "staleness, 1,000 moving at 3 kB/s",
        run: |name, options| staleness::beside_replicon(name, options.quick),
    },
    Case { name: "1,000 moving x 64, peer lightyear", run: thousand_by_64_lightyear },
    Case { name: "client applies 1,000 moving, peer lightyear", run: client_lightyear },
    Case { name: "one change at 100 ms, peer lightyear", run: one_change_lightyear },
    Case {
        name: "staleness, 1,000 moving at 3 kB/s, peer lightyear",
        run: |name, options| staleness::beside_lightyear(name, options.quick),
    },
];

/// Runs the cases whose names contain `only`, all without it.
pub fn run(only: Option<&str>, options: Options) -> Vec<Row> {
    let wanted = CASES.iter().filter(|case| only.is_none_or(|only| case.name.contains(only)));
    let rows = wanted.flat_map(|case| {
        eprintln!("{}", case.name);
        (case.run)(case.name, options)
    });
    rows.collect()
}

fn thousand_by_1(name: &str, options: Options) -> Vec<Row> {
    beside_replicon(name, &Scenario::moving(1_000, 1), Codecs::Plain, None, options)
}

fn thousand_by_20(name: &str, options: Options) -> Vec<Row> {
    beside_replicon(name, &Scenario::moving(1_000, 20), Codecs::Plain, None, options)
}

fn thousand_by_64(name: &str, options: Options) -> Vec<Row> {
    let scenario = Scenario::moving(1_000, 64);
    let ours = ours(&scenario, options);
    let (theirs, executor) = replicon(&scenario, Codecs::Plain, server_time, options);
    let mut rows = server_and_bytes(name, ours, theirs, &named(REPLICON, executor), FIFTEENTH);
    rows.push(a_moving_body(name, &scenario, ours, theirs, REPLICON).goal(Goal::AtMost(7.0)));
    rows
}

fn thousand_by_64_lightyear(name: &str, options: Options) -> Vec<Row> {
    let scenario = Scenario::moving(1_000, 64);
    let ours = ours(&scenario, options);
    let (theirs, executor) = lightyear(&scenario, server_time, options);
    let mut rows = server_and_bytes(name, ours, theirs, &named(LIGHTYEAR, executor), None);
    rows.push(a_moving_body(name, &scenario, ours, theirs, LIGHTYEAR));
    rows
}

fn thousand_by_64_lossy(name: &str, options: Options) -> Vec<Row> {
    let line = Line { loss: 0.05, ..Line::SIX_TICKS };
    let scenario = Scenario { line, ..Scenario::moving(1_000, 64) };
    beside_replicon(name, &scenario, Codecs::Plain, FIFTEENTH, options)
}

fn thousand_by_64_quantised(name: &str, options: Options) -> Vec<Row> {
    beside_replicon(name, &Scenario::moving(1_000, 64), Codecs::Quantised, FIFTEENTH, options)
}

fn ten_thousand_by_1(name: &str, options: Options) -> Vec<Row> {
    beside_replicon(name, &Scenario::moving(10_000, 1), Codecs::Plain, None, options)
}

fn ten_thousand_by_20(name: &str, options: Options) -> Vec<Row> {
    beside_replicon(name, &Scenario::moving(10_000, 20), Codecs::Plain, FIFTEENTH, options)
}

fn one_in_ten(name: &str, options: Options) -> Vec<Row> {
    let scenario = Scenario { moving: Moving::OneIn(10), ..Scenario::moving(1_000, 64) };
    beside_replicon(name, &scenario, Codecs::Plain, Some(Goal::AtMostRatio(1.0 / 10.0)), options)
}

fn static_for_100(name: &str, options: Options) -> Vec<Row> {
    static_world(name, 100, options)
}

fn static_for_1(name: &str, options: Options) -> Vec<Row> {
    static_world(name, 1, options)
}

fn static_world(name: &str, connections: usize, options: Options) -> Vec<Row> {
    let scenario = Scenario { moving: Moving::Nothing, has_team: true, ..Scenario::moving(10_000, connections) };
    let ours = ours(&scenario, options);
    let (theirs, executor) = replicon(&scenario, Codecs::Plain, server_time, options);
    let row = Row::new(format!("{name}: server"), "us/tick", ours.server_microseconds)
        .beside(named(REPLICON, executor), theirs.server_microseconds);
    vec![row.goal(Goal::AtMost(50.0))]
}

fn client(name: &str, options: Options) -> Vec<Row> {
    let scenario = Scenario::moving(1_000, 1);
    let ours = ours(&scenario, options);
    let (theirs, executor) = replicon(&scenario, Codecs::Plain, client_time, options);
    vec![client_row(name, ours, theirs, &named(REPLICON, executor)).goal(Goal::AtMostRatio(1.0 / 3.0))]
}

fn client_lightyear(name: &str, options: Options) -> Vec<Row> {
    let scenario = Scenario::moving(1_000, 1);
    let ours = ours(&scenario, options);
    let (theirs, executor) = lightyear(&scenario, client_time, options);
    vec![client_row(name, ours, theirs, &named(LIGHTYEAR, executor))]
}

/// How often one change of one component is sent until it is acknowledged, on a line without loss.
fn one_change(name: &str, _: Options) -> Vec<Row> {
    let ours = our_copies();
    let theirs = {
        let mut session = Replicon::open(&ONE_STILL_BODY, Codecs::Plain, Executor::SingleThreaded);
        settle(&mut session);
        let before = session.mutation_messages();
        session.hurt(0);
        // Nothing else changes, so that each message with mutations carries this one.
        long_enough(&mut session);
        session.mutation_messages() - before
    };
    vec![copies_row(name, ours, theirs, REPLICON).goal(Goal::AtMost(1.0))]
}

/// The same of lightyear.
fn one_change_lightyear(name: &str, _: Options) -> Vec<Row> {
    let ours = our_copies();
    let theirs = {
        let mut session = Lightyear::open(&ONE_STILL_BODY, Executor::SingleThreaded);
        settle(&mut session);
        let before = session.messages();
        session.hurt(0);
        // Nothing else changes, so that each message of replication carries this change.
        long_enough(&mut session);
        session.messages() - before
    };
    vec![copies_row(name, ours, theirs, LIGHTYEAR)]
}

fn our_copies() -> u64 {
    let mut session = Slipstream::open(&ONE_STILL_BODY);
    settle(&mut session);
    let before = session.records();
    session.hurt(0);
    long_enough(&mut session);
    session.records() - before
}

/// Steps until everybody has long acknowledged what changed before.
fn long_enough(session: &mut impl Session) {
    for _ in 0..60 {
        session.step(false);
    }
}

fn copies_row(name: &str, ours: u64, theirs: u64, peer_name: &str) -> Row {
    Row::new(format!("{name}: copies sent"), "copies", ours as f64).beside(peer_name, theirs as f64)
}

fn client_row(name: &str, ours: Measured, theirs: Measured, peer_name: &str) -> Row {
    Row::new(format!("{name}: client"), "us/tick", ours.client_microseconds)
        .beside(peer_name, theirs.client_microseconds)
}

fn a_moving_body(name: &str, scenario: &Scenario, ours: Measured, theirs: Measured, peer_name: &str) -> Row {
    let each = |measured: Measured| measured.bytes / scenario.bodies as f64;
    Row::new(format!("{name}: a moving body"), "bytes", each(ours)).beside(peer_name, each(theirs))
}

fn beside_replicon(name: &str, scenario: &Scenario, codecs: Codecs, goal: Option<Goal>, options: Options) -> Vec<Row> {
    let ours = ours(scenario, options);
    let (theirs, executor) = replicon(scenario, codecs, server_time, options);
    server_and_bytes(name, ours, theirs, &named(REPLICON, executor), goal)
}

/// The goal is for the server's time.
fn server_and_bytes(name: &str, ours: Measured, theirs: Measured, peer_name: &str, goal: Option<Goal>) -> Vec<Row> {
    let server = Row::new(format!("{name}: server"), "us/tick", ours.server_microseconds);
    let bytes = Row::new(format!("{name}: to a client"), "bytes/tick", ours.bytes);
    vec![Row { goal, ..server.beside(peer_name, theirs.server_microseconds) }, bytes.beside(peer_name, theirs.bytes)]
}

fn ours(scenario: &Scenario, options: Options) -> Measured {
    measure(&mut Slipstream::open(scenario), scenario, options.ticks())
}

/// replicon with the executor that suits it better, by `cost`.
fn replicon(scenario: &Scenario, codecs: Codecs, cost: fn(&Measured) -> f64, options: Options) -> (Measured, Executor) {
    let with = |executor| measure(&mut Replicon::open(scenario, codecs, executor), scenario, options.ticks());
    with_better_executor(with, cost, options)
}

/// lightyear with the executor that suits it better, by `cost`.
fn lightyear(scenario: &Scenario, cost: fn(&Measured) -> f64, options: Options) -> (Measured, Executor) {
    let with = |executor| measure(&mut Lightyear::open(scenario, executor), scenario, options.ticks());
    with_better_executor(with, cost, options)
}

fn with_better_executor(
    with: impl Fn(Executor) -> Measured,
    cost: fn(&Measured) -> f64,
    options: Options,
) -> (Measured, Executor) {
    let single = (with(Executor::SingleThreaded), Executor::SingleThreaded);
    if options.single_threaded {
        return single;
    }
    let default = (with(Executor::Default), Executor::Default);
    if cost(&default.0) < cost(&single.0) { default } else { single }
}

fn server_time(measured: &Measured) -> f64 {
    measured.server_microseconds
}

fn client_time(measured: &Measured) -> f64 {
    measured.client_microseconds
}

fn named(peer: &str, executor: Executor) -> String {
    format!("{peer}, {}", executor.name())
}
