//! A model test: a random world over random lines, and beside it the list of what each client may have been told.
//!
//! ```text
//! actions ──► server ── lines: loss, jitter, copies, disorder, cuts ──► clients
//!                │                                                         │
//!                └─► told: what each lane was, tick by tick    glimpses ◄──┘
//!                      │      while the client saw the entity      │
//!                      └───────────────── check ◄──────────────────┘
//! ```
//!
//! At every tick, what a client shows of a lane is what the server had there while the client was allowed to see it,
//! and nothing older than what it showed before. Every so many steps the world rests, on good lines: then each client
//! shows exactly what it should see. A value that was lost and taken for delivered is found out there, for nothing
//! changes any more.
//!
//! `SLIPSTREAM_MODEL_SEED` repeats the run of one seed, `SLIPSTREAM_MODEL_STEPS` sets the length of runs.

mod actions;
mod components;
mod glimpse;
mod ledger;
mod network;
mod sight;
mod told;
mod words;

use core::ops::RangeInclusive;
use core::str::FromStr;
use std::collections::{HashMap, HashSet};

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};
use fastrand::Rng;

use self::actions::Actions;
use self::components::register;
use self::glimpse::{Eye, Glimpses};
use self::ledger::Ledger;
use self::network::Line;
use self::words::Words;
use crate::scene::{line, stats};

/// Steps from one rest to the next.
const ROUND: u32 = 500;
/// A rest that takes more ticks than this never ends.
const LONGEST_REST: u32 = 600;
/// A rest is over when nothing was wrong for so many ticks: longer than any datagram is on its way.
const CALM_TICKS: u32 = 30;

#[test]
fn clients_show_what_the_server_had_and_at_rest_what_it_has() {
    live_through_all(1..=4, 2_500);
}

/// The same, long enough for what happens seldom:
///
/// ```text
/// cargo test --release -p slipstream_tests --test replication -- --ignored --nocapture model::
/// ```
#[test]
#[ignore = "takes minutes"]
fn clients_show_what_the_server_had_for_a_hundred_thousand_steps() {
    live_through_all(101..=108, 100_000);
}

/// Each seed in a thread of its own.
fn live_through_all(seeds: RangeInclusive<u64>, steps: u32) {
    let steps = from_environment("SLIPSTREAM_MODEL_STEPS").unwrap_or(steps);
    let one = from_environment::<u64>("SLIPSTREAM_MODEL_SEED");
    let seeds = one.map_or(seeds, |seed| seed..=seed);
    std::thread::scope(|scope| {
        for seed in seeds {
            scope.spawn(move || live_through(seed, steps));
        }
    });
}

fn from_environment<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

fn live_through(seed: u64, steps: u32) {
    let mut model = Model::start(seed);
    for step in 1..=steps {
        model.step = step;
        model.act();
        model.tick();
        if step.is_multiple_of(ROUND) || step == steps {
            model.rest();
        }
    }
    let repeated = model.repeated();
    println!("seed {seed}: {steps} steps, {repeated} records were lost and sent again");
    assert!(repeated > 0 || steps < ROUND, "seed {seed}: nothing was lost, this tested nothing");
}

/// A client, the line to it, and what it may show.
struct Player {
    client: Client,
    line: Line,
    eye: Eye<Remote>,
    ledger: Ledger,
    /// What it showed at the last tick.
    seen: Glimpses,
}

impl Player {
    fn of(harness: &mut Harness, client: Client) -> Self {
        let connection = harness.server_connection(client);
        let world = harness.client(client).world_mut();
        let ledger = Ledger::new(connection, world.resource::<LocalPeer>().0);
        Self { client, line: Line::to(client), eye: Eye::of(world), ledger, seen: Glimpses::new() }
    }

    /// Looks at its world, and whether that may be what it shows.
    fn check(&mut self, world: &World, words: &mut Words, server_words: &HashSet<i32>) -> Result<(), String> {
        let map = world.resource::<EntityMap>();
        self.seen = self.eye.look(world, |entity| map.network(entity))?;
        self.ledger.check(&self.seen)?;
        words.check(self.ledger.peer, &self.seen, server_words)
    }
}

struct Model {
    seed: u64,
    step: u32,
    harness: Harness,
    actions: Actions,
    weather: Rng,
    players: Vec<Player>,
    eye: Eye<Replicated>,
    /// What the server had at the last tick.
    truth: Glimpses,
    /// What each of the server's entities was called, also of those that were despawned since the last rest.
    names: HashMap<Entity, NetworkId>,
    words: Words,
}

impl Model {
    fn start(seed: u64) -> Self {
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let clients: Vec<Client> = (0..2 + seed % 2).map(|_| harness.add_client(line(20))).collect();
        harness.connect();
        let players: Vec<Player> = clients.into_iter().map(|client| Player::of(&mut harness, client)).collect();
        let connections = players.iter().map(|player| player.ledger.connection).collect();
        let world = harness.server().world_mut();
        Self {
            seed,
            step: 0,
            actions: Actions::new(seed, connections, world),
            weather: Rng::with_seed(!seed),
            players,
            eye: Eye::of(world),
            truth: Glimpses::new(),
            names: HashMap::new(),
            words: Words::default(),
            harness,
        }
    }

    /// Something happens on the server, on clients and to lines.
    fn act(&mut self) {
        self.actions.act(self.harness.server().world_mut());
        for player in &mut self.players {
            let world = self.harness.client(player.client).world_mut();
            if let Some((id, word)) = self.actions.speak(world, &player.seen) {
                self.words.note_said(player.ledger.peer, id, word);
            }
            player.line.pass(self.step, &mut self.harness, &mut self.weather);
        }
    }

    fn tick(&mut self) {
        self.harness.run_ticks(1);
        if let Err(wrong) = self.check() {
            panic!("seed {}, step {}: {wrong}", self.seed, self.step);
        }
    }

    fn check(&mut self) -> Result<(), String> {
        let world = self.harness.server().world();
        let map = world.resource::<EntityMap>();
        let names = &self.names;
        self.truth = self.eye.look(world, |entity| map.network(entity).or_else(|| names.get(&entity).copied()))?;
        self.names.extend(self.truth.iter().map(|(id, glimpse)| (glimpse.entity, *id)));
        self.words.note(&self.truth, &self.actions.server_words)?;
        for player in &mut self.players {
            player.ledger.note(world, &self.truth);
        }
        for player in &mut self.players {
            let world = self.harness.client(player.client).world();
            let checked = player.check(world, &mut self.words, &self.actions.server_words);
            checked.map_err(|wrong| format!("{:?}: {wrong}", player.client))?;
        }
        Ok(())
    }

    /// Nothing happens any more, until every client shows what it should see and goes on to.
    fn rest(&mut self) {
        for player in &mut self.players {
            player.line.clear(&mut self.harness);
        }
        let mut calm = 0;
        let mut found = Vec::new();
        for _ in 0..LONGEST_REST {
            self.tick();
            found = self.differences();
            calm = if found.is_empty() { calm + 1 } else { 0 };
            if calm == CALM_TICKS {
                self.forget();
                return;
            }
        }
        panic!("seed {}, step {}: after {LONGEST_REST} ticks of rest {found:#?}", self.seed, self.step);
    }

    /// Where a client does not show what it should see, or the server is not at rest.
    fn differences(&mut self) -> Vec<String> {
        let world = self.harness.server().world();
        let mut found = Vec::new();
        for player in &self.players {
            let wrong = player.ledger.differences(&self.truth, &player.seen);
            let unrest = network::unrest(world, player.ledger.connection);
            found.extend(wrong.into_iter().chain(unrest).map(|what| format!("{:?}: {what}", player.client)));
        }
        found
    }

    /// All clients show what is true now: nothing older may be seen from here on.
    fn forget(&mut self) {
        self.names.retain(|_, id| self.truth.contains_key(id));
        self.words.forget(&self.truth);
        for player in &mut self.players {
            player.ledger.forget();
        }
    }

    fn repeated(&mut self) -> u64 {
        self.players.iter().map(|player| stats(&mut self.harness, player.client).repeated).sum()
    }
}
