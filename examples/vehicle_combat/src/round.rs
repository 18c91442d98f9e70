//! Rounds and scores.
//!
//! Numbers: a round is won with 5 kills, or by the best score after 180 s; the result stands for 6 s, and then a new
//! round begins with all scores at zero, everyone whole at a spawn point. A server waits in warm-up until two players
//! are there, and 3 s more; what is shot in the warm-up does not count.

use std::cmp::Reverse;

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use crate::pace::{seconds_shown, ticks};
use crate::player::Player;
use crate::server::ServerConfig;

/// What a player has done in this round.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Enemies wrecked.
    pub kills: u16,
    /// How often this player was wrecked.
    pub deaths: u16,
    /// Points of health taken from enemies.
    pub damage: u32,
}

impl Score {
    /// Orders scores: kills first, then fewer deaths, then damage.
    #[must_use]
    pub fn rank(self) -> (u16, Reverse<u16>, u32) {
        (self.kills, Reverse(self.deaths), self.damage)
    }
}

/// What a round is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RoundPhase {
    /// Waiting for players.
    #[default]
    Warmup,
    /// It counts.
    Fighting,
    /// Somebody has won; nothing hurts.
    Over,
}

/// The round as everyone sees it, on one replicated entity.
#[derive(Component, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundState {
    /// Counts from 1; 0 in the first warm-up.
    pub number: u16,
    /// What it is doing.
    pub phase: RoundPhase,
    /// Seconds until the phase ends, started seconds counting whole.
    pub seconds_left: u16,
    /// Who has won, in [`RoundPhase::Over`]; empty for a draw and in other phases.
    pub winner: String,
}

/// When a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundRules {
    /// So many kills win.
    pub kills_to_win: u16,
    /// The longest round, in seconds.
    pub time_limit_seconds: u32,
    /// How long the result stands, in seconds.
    pub over_seconds: u32,
    /// How long the warm-up lasts once two players are there, in seconds.
    pub warmup_seconds: u32,
}

impl Default for RoundRules {
    fn default() -> Self {
        Self { kills_to_win: 5, time_limit_seconds: 180, over_seconds: 6, warmup_seconds: 3 }
    }
}

/// The round as the server keeps it.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    number: u16,
    phase: RoundPhase,
    ticks_left: u32,
    winner: String,
    begins: bool,
}

impl Round {
    /// Whether a round begins in this tick: everything is put in its place.
    #[must_use]
    pub fn begins(&self) -> bool {
        self.begins
    }

    /// Whether weapons hurt now.
    #[must_use]
    pub fn hurts(&self) -> bool {
        self.phase != RoundPhase::Over
    }

    /// What it is doing.
    #[must_use]
    pub fn phase(&self) -> RoundPhase {
        self.phase
    }

    fn enter(&mut self, phase: RoundPhase, seconds: u32) {
        self.phase = phase;
        self.ticks_left = ticks(seconds);
    }

    fn start(&mut self, rules: &RoundRules) {
        self.number = self.number.wrapping_add(1);
        self.winner.clear();
        self.begins = true;
        self.enter(RoundPhase::Fighting, rules.time_limit_seconds);
    }
}

/// Lets a tick of the round pass: begins it, ends it, names the winner.
pub fn advance_round(config: Res<ServerConfig>, mut round: ResMut<Round>, mut players: Query<(&Player, &mut Score)>) {
    let rules = config.rules;
    let enough = players.iter().count() >= 2;
    round.begins = false;
    round.ticks_left = round.ticks_left.saturating_sub(1);
    let ended = round.ticks_left == 0;
    match round.phase {
        RoundPhase::Warmup if !enough => round.enter(RoundPhase::Warmup, rules.warmup_seconds),
        RoundPhase::Warmup if ended => round.start(&rules),
        RoundPhase::Fighting => {
            let most = players.iter().map(|(_, score)| score.kills).max().unwrap_or(0);
            if ended || most >= rules.kills_to_win {
                round.winner = winner(players.iter().map(|(player, score)| (player.name.as_str(), *score)));
                round.enter(RoundPhase::Over, rules.over_seconds);
            }
        }
        RoundPhase::Over if ended && enough => round.start(&rules),
        RoundPhase::Over if ended => {
            round.winner.clear();
            round.enter(RoundPhase::Warmup, rules.warmup_seconds);
        }
        RoundPhase::Warmup | RoundPhase::Over => {}
    }
    if round.begins {
        for (_, mut score) in &mut players {
            score.set_if_neq(Score::default());
        }
    }
}

/// The name with the best score; nobody's when the best are equal or nobody has done anything.
fn winner<'a>(scores: impl Iterator<Item = (&'a str, Score)>) -> String {
    let mut ranked: Vec<_> = scores.map(|(name, score)| (score.rank(), name)).collect();
    ranked.sort_by_key(|entry| core::cmp::Reverse(entry.0));
    match ranked.as_slice() {
        [(best, _), (second, _), ..] if best == second => String::new(),
        [(best, _), ..] if best.0 == 0 && best.2 == 0 => String::new(),
        [(_, name), ..] => (*name).to_owned(),
        [] => String::new(),
    }
}

/// Puts the round where everyone can see it.
pub fn spawn_round(mut commands: Commands) {
    commands.spawn((bevy_slipstream::prelude::Replicated, RoundState::default()));
}

/// Shows what the server knows of the round.
pub fn show_round(round: Res<Round>, mut states: Query<&mut RoundState>) {
    for mut state in &mut states {
        state.set_if_neq(RoundState {
            number: round.number,
            phase: round.phase,
            seconds_left: seconds_shown(round.ticks_left),
            winner: round.winner.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(kills: u16, deaths: u16, damage: u32) -> Score {
        Score { kills, deaths, damage }
    }

    #[test]
    fn kills_win_then_fewer_deaths_then_damage() {
        assert_eq!(winner([("a", score(2, 9, 0)), ("b", score(1, 0, 900))].into_iter()), "a");
        assert_eq!(winner([("a", score(2, 2, 0)), ("b", score(2, 1, 0))].into_iter()), "b");
        assert_eq!(winner([("a", score(0, 0, 6)), ("b", score(0, 0, 12))].into_iter()), "b");
    }

    #[test]
    fn equal_scores_and_idle_rounds_are_a_draw() {
        assert_eq!(winner([("a", score(1, 1, 5)), ("b", score(1, 1, 5))].into_iter()), "");
        assert_eq!(winner([("a", score(0, 0, 0)), ("b", score(0, 1, 0))].into_iter()), "");
        assert_eq!(winner(std::iter::empty()), "");
    }
}
