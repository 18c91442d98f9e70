//! The words across the picture: connecting, disconnected and why, wrecked, round won.

use bevy::prelude::*;
use bevy_slipstream::prelude::{
    Connect, Connected, Controlled, Disconnected, LocalConnection, SimulationTick, TickRate,
};

use super::label::{BAD, BRIGHT, DIM, PANEL, WARN, label, show, write};
use super::{GameTitle, WindowBot};
use crate::health::Wreck;
use crate::round::{RoundPhase, RoundState};

/// The banner's panel.
#[derive(Component)]
pub(super) struct Banner;

/// The banner's two lines.
#[derive(Component, Clone, Copy, PartialEq)]
pub(super) enum BannerLine {
    Title,
    Detail,
}

/// What the banner says.
struct Message {
    title: String,
    detail: String,
    color: Color,
}

/// Spawns the hidden banner.
pub(super) fn spawn_banner(mut commands: Commands) {
    let strip = Node {
        position_type: PositionType::Absolute,
        top: percent(26),
        width: percent(100),
        justify_content: JustifyContent::Center,
        ..default()
    };
    commands.spawn((strip, Banner, Visibility::Hidden)).with_children(|strip| {
        let card = Node {
            flex_direction: FlexDirection::Column,
            align_items: AlignItems::Center,
            row_gap: px(8),
            max_width: px(760),
            padding: UiRect::axes(px(34), px(16)),
            border_radius: BorderRadius::all(px(9)),
            ..default()
        };
        strip.spawn((card, BackgroundColor(PANEL.with_alpha(0.78)))).with_children(|card| {
            card.spawn((label("", 34.0, BRIGHT), BannerLine::Title));
            // Reasons are sentences: they may need more than one line.
            let wrapped = TextLayout::new(Justify::Center, LineBreak::WordBoundary);
            let font = TextFont::from_font_size(18.0);
            card.spawn((Text::default(), font, TextColor(DIM), wrapped, BannerLine::Detail));
        });
    });
}

/// Says what is most worth saying, or nothing.
pub(super) fn update_banner(
    title: Res<GameTitle>,
    bot: Option<Res<WindowBot>>,
    tick: Res<SimulationTick>,
    rate: Res<TickRate>,
    connections: Query<(Has<Connected>, Option<&Disconnected>), With<Connect>>,
    local: Query<(), With<LocalConnection>>,
    rounds: Query<&RoundState>,
    own: Query<Option<&Wreck>, With<Controlled>>,
    mut banners: Query<&mut Visibility, With<Banner>>,
    mut lines: Query<(&BannerLine, &mut Text, &mut TextColor)>,
) {
    let own = own.iter().next();
    let message = connection_message(&title.0, &connections, !local.is_empty())
        .or_else(|| rounds.iter().next().and_then(round_message))
        .or_else(|| own.flatten().map(|wreck| wreck_message(*wreck, &tick, &rate)))
        .or_else(|| if own.is_none() { Some(waiting_message(&title.0, bot.is_some())) } else { None });

    for mut visibility in &mut banners {
        show(&mut visibility, message.is_some());
    }
    let Some(message) = message else { return };
    for (line, mut text, mut color) in &mut lines {
        match line {
            BannerLine::Title => {
                write(&mut text, message.title.clone());
                color.set_if_neq(TextColor(message.color));
            }
            BannerLine::Detail => write(&mut text, message.detail.clone()),
        }
    }
}

fn connection_message(
    title: &str,
    connections: &Query<(Has<Connected>, Option<&Disconnected>), With<Connect>>,
    hosting: bool,
) -> Option<Message> {
    if hosting || connections.iter().any(|(connected, _)| connected) {
        return None;
    }
    let ended = connections.iter().find_map(|(_, disconnected)| disconnected);
    Some(match ended {
        Some(disconnected) => Message {
            title: "DISCONNECTED".to_owned(),
            detail: format!("{}\n\nEsc quits.", disconnected.reason),
            color: BAD,
        },
        None => {
            Message { title: title.to_uppercase(), detail: "Connecting to the server ...".to_owned(), color: BRIGHT }
        }
    })
}

fn round_message(round: &RoundState) -> Option<Message> {
    if round.phase != RoundPhase::Over {
        return None;
    }
    let winner = if round.winner.is_empty() { "NOBODY" } else { &round.winner };
    Some(Message {
        title: format!("{winner} WINS ROUND {}", round.number),
        detail: format!("Next round in {} s", round.seconds_left),
        color: WARN,
    })
}

fn wreck_message(wreck: Wreck, tick: &SimulationTick, rate: &TickRate) -> Message {
    Message {
        title: "WRECKED".to_owned(),
        detail: format!("Back in {:.1} s", seconds_until(wreck.respawn_at, tick.0.get(), rate.0)),
        color: BAD,
    }
}

fn waiting_message(title: &str, bot: bool) -> Message {
    let keys = "WASD drive   Space handbrake   mouse aims   left fires   right rocket   F flip   F1 network";
    Message {
        title: title.to_uppercase(),
        detail: if bot {
            "A bot takes the wheel ...".to_owned()
        } else {
            format!("Waiting for a vehicle ...\n\n{keys}")
        },
        color: BRIGHT,
    }
}

/// Ticks wrap around: the difference counts, not the order of the numbers.
fn seconds_until(then: u32, now: u32, ticks_per_second: f64) -> f64 {
    let ticks = then.wrapping_sub(now).cast_signed().max(0);
    f64::from(ticks) / ticks_per_second.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_countdown_ends_at_zero_and_survives_wrapping_ticks() {
        assert_eq!(seconds_until(180, 120, 60.0), 1.0);
        assert_eq!(seconds_until(100, 160, 60.0), 0.0);
        assert_eq!(seconds_until(29, u32::MAX - 30, 60.0), 1.0);
    }
}
