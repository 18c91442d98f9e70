//! The table in the terminal: who plays, how it stands, what the network does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use crate::statistics::{ConnectionSample, PlayerSample, Sample};

/// The newest sample of each process, drawn as a table that stays in place on a terminal.
#[derive(Debug, Default)]
pub struct LiveTable {
    server: Option<Sample>,
    /// By the player's name, what its own process says.
    players: BTreeMap<String, Sample>,
    best: BTreeMap<String, PlayerSample>,
    totals: BTreeMap<String, Totals>,
    lines_drawn: usize,
}

#[derive(Debug, Default, Clone)]
struct Totals {
    samples: u32,
    rtt_ms: f64,
    loss: f64,
    bytes_in: f64,
    bytes_out: f64,
    kills: u32,
    deaths: u32,
    damage: u32,
}

impl LiveTable {
    /// Takes in a process's newest sample.
    pub fn note(&mut self, sample: Sample) {
        if sample.role == "server" || sample.role == "host" {
            for player in &sample.players {
                self.note_score(player);
            }
            self.server = Some(sample);
            return;
        }
        if let Some(connection) = sample.connections.first() {
            let totals = self.totals.entry(sample.name.clone()).or_default();
            totals.samples += 1;
            totals.rtt_ms += connection.rtt_ms;
            totals.loss += connection.loss;
            totals.bytes_in += connection.bytes_in_per_s;
            totals.bytes_out += connection.bytes_out_per_s;
        }
        self.players.insert(sample.name.clone(), sample);
    }

    /// Scores start anew each round; the summary counts them all.
    fn note_score(&mut self, player: &PlayerSample) {
        let before = self.best.insert(player.name.clone(), player.clone()).unwrap_or_default();
        let totals = self.totals.entry(player.name.clone()).or_default();
        let gained = |now: u32, before: u32| if now >= before { now - before } else { now };
        totals.kills += gained(player.kills, before.kills);
        totals.deaths += gained(player.deaths, before.deaths);
        totals.damage += gained(player.damage, before.damage);
    }

    fn connection_of(&self, name: &str) -> Option<&ConnectionSample> {
        self.players.get(name).and_then(|sample| sample.connections.first())
    }

    /// The table as text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        let Some(server) = &self.server else { return "waiting for the server's first second\n".to_owned() };
        if let Some(round) = &server.round {
            let winner = if round.winner.is_empty() { String::new() } else { format!(", winner {}", round.winner) };
            let _ = writeln!(
                text,
                "tick {:>7}   round {} {} {:>3} s left{winner}",
                server.tick,
                round.number,
                round.phase.to_lowercase(),
                round.seconds_left
            );
        }
        let _ = writeln!(
            text,
            "{:<18} {:>6} {:>6} {:>6} {:>7} | {:>7} {:>7} {:>7} {:>9} {:>9}",
            "player", "health", "kills", "deaths", "damage", "rtt ms", "jitter", "loss %", "in B/s", "out B/s"
        );
        for player in &server.players {
            let health = if player.wrecked { "wreck".to_owned() } else { format!("{:.0}", player.health) };
            let _ = write!(
                text,
                "{:<18} {:>6} {:>6} {:>6} {:>7} |",
                player.name, health, player.kills, player.deaths, player.damage
            );
            match self.connection_of(&player.name) {
                Some(connection) => {
                    let _ = writeln!(
                        text,
                        " {:>7.1} {:>7.1} {:>7.1} {:>9.0} {:>9.0}",
                        connection.rtt_ms,
                        connection.jitter_ms,
                        connection.loss * 100.0,
                        connection.bytes_in_per_s,
                        connection.bytes_out_per_s
                    );
                }
                None => text.push_str("       -       -       -         -         -\n"),
            }
        }
        text
    }

    /// Draws the table, over the last one on a terminal.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn draw(&mut self) -> io::Result<()> {
        let text = self.render();
        let mut output = io::stdout().lock();
        if output.is_terminal() && self.lines_drawn > 0 {
            write!(output, "\x1b[{}A\x1b[J", self.lines_drawn)?;
        }
        self.lines_drawn = text.lines().count();
        write!(output, "{text}")?;
        if !output.is_terminal() {
            writeln!(output)?;
        }
        output.flush()
    }

    /// What is left to say at the end.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = String::from("summary\n");
        for (name, totals) in &self.totals {
            let samples = f64::from(totals.samples.max(1));
            let _ = writeln!(
                text,
                "{name:<18} {} kills, {} deaths, {} damage; rtt {:.1} ms, loss {:.1} %, {:.0} B/s in, {:.0} B/s out",
                totals.kills,
                totals.deaths,
                totals.damage,
                totals.rtt_ms / samples,
                totals.loss / samples * 100.0,
                totals.bytes_in / samples,
                totals.bytes_out / samples
            );
        }
        text
    }
}
