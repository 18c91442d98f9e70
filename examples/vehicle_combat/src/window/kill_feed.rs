//! Who wrecked whom, newest at the bottom, fading away.

use bevy::prelude::*;
use bevy_slipstream::prelude::Received;

use super::label::{BRIGHT, DIM, PANEL, label};
use super::vehicle_model::light_color;
use crate::player::Player;
use crate::weapon::Kill;

const SHOWN_SECONDS: f32 = 7.0;
const FADING_SECONDS: f32 = 1.5;
const MOST_ENTRIES: usize = 6;

/// The column of entries.
#[derive(Component)]
pub(super) struct KillFeed;

/// One line of the feed.
#[derive(Component)]
pub(super) struct FeedEntry {
    age: f32,
}

/// A text of a line, and its colour when fresh.
#[derive(Component)]
pub(super) struct FeedText(Color);

/// Spawns the empty column.
pub(super) fn spawn_kill_feed(mut commands: Commands) {
    let column = Node {
        position_type: PositionType::Absolute,
        top: px(20),
        right: px(20),
        flex_direction: FlexDirection::Column,
        align_items: AlignItems::FlexEnd,
        row_gap: px(5),
        ..default()
    };
    commands.spawn((column, KillFeed));
}

/// Adds a line for each kill.
pub(super) fn report_kills(
    mut commands: Commands,
    mut kills: MessageReader<Received<Kill>>,
    feed: Single<Entity, With<KillFeed>>,
    players: Query<&Player>,
) {
    for received in kills.read() {
        let Kill { killer, victim, weapon } = &received.message;
        let hue_of = |name: &String| {
            let known = players.iter().find(|player| player.name == *name);
            known.map_or(BRIGHT, |player| light_color(player.hue))
        };
        let row = Node { padding: UiRect::axes(px(10), px(4)), column_gap: px(8), ..default() };
        let entry = (row, BackgroundColor(PANEL), FeedEntry { age: 0.0 }, ChildOf(*feed));
        commands.spawn(entry).with_children(|line| {
            let mut word = |text: String, color: Color| {
                line.spawn((label(text, 16.0, color), FeedText(color)));
            };
            // Nobody else's doing: the victim alone is named.
            if killer != victim {
                word(killer.clone(), hue_of(killer));
            }
            word(format!("[{}]", weapon.name()), DIM);
            word(victim.clone(), hue_of(victim));
        });
    }
}

/// Fades old lines and removes them, and the oldest when there are too many.
pub(super) fn fade_kill_feed(
    time: Res<Time>,
    mut commands: Commands,
    mut entries: Query<(Entity, &mut FeedEntry, &mut BackgroundColor)>,
    mut texts: Query<(&ChildOf, &FeedText, &mut TextColor)>,
) {
    let count = entries.iter().count();
    let mut by_age: Vec<(f32, Entity)> = entries.iter().map(|(entity, entry, _)| (entry.age, entity)).collect();
    by_age.sort_by(|left, right| right.0.total_cmp(&left.0));
    for (_, entity) in by_age.iter().take(count.saturating_sub(MOST_ENTRIES)) {
        commands.entity(*entity).despawn();
    }
    for (entity, mut entry, mut background) in &mut entries {
        entry.age += time.delta_secs();
        if entry.age > SHOWN_SECONDS {
            commands.entity(entity).try_despawn();
            continue;
        }
        let alpha = strength(entry.age);
        background.set_if_neq(BackgroundColor(PANEL.with_alpha(PANEL.alpha() * alpha)));
    }
    for (line, text, mut color) in &mut texts {
        if let Ok((_, entry, _)) = entries.get(line.parent()) {
            color.set_if_neq(TextColor(text.0.with_alpha(strength(entry.age))));
        }
    }
}

fn strength(age: f32) -> f32 {
    ((SHOWN_SECONDS - age) / FADING_SECONDS).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_bright_at_first_and_gone_at_the_end() {
        assert_eq!(strength(0.0), 1.0);
        assert_eq!(strength(SHOWN_SECONDS), 0.0);
    }
}
