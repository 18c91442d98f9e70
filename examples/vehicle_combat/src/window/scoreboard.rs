//! The round's line at the top and the table of players.

use bevy::prelude::*;
use bevy_slipstream::prelude::Controlled;

use super::label::{BRIGHT, DIM, WARN, label, panel, write};
use super::vehicle_model::light_color;
use crate::player::Player;
use crate::round::{RoundPhase, RoundState, Score};
use crate::vehicle::Vehicle;

/// Rows of the table; more players than that are not shown.
const ROWS: usize = 10;

/// The line with round, phase and time.
#[derive(Component)]
pub(super) struct RoundLine;

/// A row of the table, from the best player down.
#[derive(Component)]
pub(super) struct ScoreRow(usize);

/// A row's spot of colour.
#[derive(Component)]
pub(super) struct ScoreSwatch(usize);

/// A row's text.
#[derive(Component)]
pub(super) struct ScoreText(usize);

/// Spawns the line and the empty table.
pub(super) fn spawn_scoreboard(mut commands: Commands) {
    let strip = Node {
        position_type: PositionType::Absolute,
        top: px(16),
        width: percent(100),
        justify_content: JustifyContent::Center,
        ..default()
    };
    commands.spawn(strip).with_children(|strip| {
        let padded = Node { padding: UiRect::axes(px(18), px(6)), ..default() };
        strip.spawn(panel(padded)).with_children(|line| {
            line.spawn((label("", 20.0, BRIGHT), RoundLine));
        });
    });

    let table = Node {
        position_type: PositionType::Absolute,
        right: px(20),
        bottom: px(20),
        flex_direction: FlexDirection::Column,
        row_gap: px(3),
        padding: UiRect::all(px(12)),
        ..default()
    };
    commands.spawn(panel(table)).with_children(|table| {
        table.spawn(score_row(Display::Flex)).with_children(|row| {
            row.spawn(Node { width: px(10), ..default() });
            row.spawn(label(columns("PLAYER", "K", "D", "DMG"), 14.0, DIM));
        });
        for index in 0..ROWS {
            table.spawn((score_row(Display::None), ScoreRow(index))).with_children(|row| {
                let swatch = Node { width: px(10), height: px(10), ..default() };
                row.spawn((swatch, BackgroundColor(DIM), ScoreSwatch(index)));
                row.spawn((label("", 16.0, BRIGHT), ScoreText(index)));
            });
        }
    });
}

fn score_row(display: Display) -> Node {
    Node { display, align_items: AlignItems::Center, column_gap: px(8), ..default() }
}

/// The built-in font has one width for all characters.
fn columns(name: &str, kills: &str, deaths: &str, damage: &str) -> String {
    format!("{name:<14.14} {kills:>3} {deaths:>3} {damage:>5}")
}

/// Writes the round's line.
pub(super) fn update_round_line(rounds: Query<&RoundState>, mut lines: Query<&mut Text, With<RoundLine>>) {
    let wanted = rounds.iter().next().map_or_else(String::new, round_line);
    for mut text in &mut lines {
        write(&mut text, wanted.clone());
    }
}

fn round_line(round: &RoundState) -> String {
    let phase = match round.phase {
        RoundPhase::Warmup => "WARM-UP",
        RoundPhase::Fighting => "FIGHT",
        RoundPhase::Over => "OVER",
    };
    let (minutes, seconds) = (round.seconds_left / 60, round.seconds_left % 60);
    format!("ROUND {}   {phase}   {minutes}:{seconds:02}", round.number)
}

/// Sorts the players and writes the table.
pub(super) fn update_scores(
    players: Query<(&Player, &Score, Has<Controlled>), With<Vehicle>>,
    mut rows: Query<(&ScoreRow, &mut Node)>,
    mut swatches: Query<(&ScoreSwatch, &mut BackgroundColor)>,
    mut texts: Query<(&ScoreText, &mut Text, &mut TextColor)>,
) {
    let mut ranking: Vec<(&Player, &Score, bool)> = players.iter().collect();
    ranking.sort_by(|(left_player, left, _), (right_player, right, _)| {
        right.rank().cmp(&left.rank()).then_with(|| left_player.name.cmp(&right_player.name))
    });
    for (row, mut node) in &mut rows {
        let display = if row.0 < ranking.len() { Display::Flex } else { Display::None };
        if node.display != display {
            node.display = display;
        }
    }
    for (swatch, mut color) in &mut swatches {
        if let Some((player, _, _)) = ranking.get(swatch.0) {
            color.set_if_neq(BackgroundColor(light_color(player.hue)));
        }
    }
    for (row, mut text, mut color) in &mut texts {
        let Some((player, score, own)) = ranking.get(row.0) else { continue };
        let (kills, deaths) = (score.kills.to_string(), score.deaths.to_string());
        write(&mut text, columns(&player.name, &kills, &deaths, &score.damage.to_string()));
        color.set_if_neq(TextColor(if *own { WARN } else { BRIGHT }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_the_name() {
        let short = columns("Al", "1", "2", "30");
        let long = columns("A very long player name", "10", "2", "30");
        assert_eq!(short.chars().count(), long.chars().count());
    }
}
