//! What the network does: F1 shows and hides it.

use bevy::prelude::*;
use bevy_slipstream::prelude::{
    Connect, Connected, Connecting, Connection, Disconnected, LocalConnection, NetworkStats, SimulationTick,
};

use super::label::{BRIGHT, DIM, label, panel, show, write};

/// The panel.
#[derive(Component)]
pub(super) struct NetworkPanel;

/// The panel's text.
#[derive(Component)]
pub(super) struct NetworkText;

/// Whether the panel is shown.
#[derive(Resource)]
pub(super) struct NetworkPanelShown(bool);

impl Default for NetworkPanelShown {
    fn default() -> Self {
        Self(true)
    }
}

/// Spawns the panel.
pub(super) fn spawn_network_panel(mut commands: Commands) {
    let layout = Node {
        position_type: PositionType::Absolute,
        top: px(16),
        left: px(20),
        flex_direction: FlexDirection::Column,
        row_gap: px(5),
        padding: UiRect::all(px(11)),
        ..default()
    };
    commands.spawn((panel(layout), NetworkPanel)).with_children(|panel| {
        panel.spawn(label("NETWORK   F1", 13.0, DIM));
        panel.spawn((label("", 14.0, BRIGHT), NetworkText));
    });
}

/// F1.
pub(super) fn toggle_network_panel(
    keys: Res<ButtonInput<KeyCode>>,
    mut shown: ResMut<NetworkPanelShown>,
    mut panels: Query<&mut Visibility, With<NetworkPanel>>,
) {
    if keys.just_pressed(KeyCode::F1) {
        shown.0 = !shown.0;
    }
    for mut visibility in &mut panels {
        show(&mut visibility, shown.0);
    }
}

/// Writes the measurements of the connection to the server, or on a host those of all its connections together.
pub(super) fn update_network_panel(
    shown: Res<NetworkPanelShown>,
    tick: Res<SimulationTick>,
    to_server: Query<(Option<&NetworkStats>, Has<Connected>, Has<Connecting>, Has<Disconnected>), With<Connect>>,
    to_clients: Query<&NetworkStats, (With<Connection>, With<Connected>, Without<LocalConnection>, Without<Connect>)>,
    local: Query<(), With<LocalConnection>>,
    mut texts: Query<&mut Text, With<NetworkText>>,
) {
    if !shown.0 {
        return;
    }
    let tick = tick.0.get();
    let lines = if local.is_empty() {
        let (stats, connected, connecting, ended) = to_server.iter().next().unwrap_or((None, false, false, true));
        let state = match (connected, ended, connecting) {
            (true, ..) => "connected",
            (_, true, _) => "disconnected",
            (_, _, true) => "connecting",
            _ => "opening",
        };
        client_lines(state, tick, &stats.cloned().unwrap_or_default())
    } else {
        let all: Vec<&NetworkStats> = to_clients.iter().collect();
        host_lines(tick, &all)
    };
    for mut text in &mut texts {
        write(&mut text, lines.clone());
    }
}

fn client_lines(state: &str, tick: u32, stats: &NetworkStats) -> String {
    let rtt = stats.rtt.as_secs_f32() * 1e3;
    let jitter = stats.jitter.as_secs_f32() * 1e3;
    format!(
        "state  {state}\ntick   {tick}\nrtt    {rtt:.0} ms\njitter {jitter:.1} ms\nloss   {:.1} %\nin     {}\nout    {}",
        stats.loss * 100.0,
        rate(stats.bytes_in_per_second),
        rate(stats.bytes_out_per_second),
    )
}

fn host_lines(tick: u32, connections: &[&NetworkStats]) -> String {
    let worst = connections.iter().map(|stats| stats.rtt).max().unwrap_or_default();
    let sum = |value: fn(&NetworkStats) -> f32| connections.iter().map(|stats| value(stats)).sum::<f32>();
    let lossiest = connections.iter().map(|stats| stats.loss).fold(0.0, f32::max);
    format!(
        "state  hosting\ntick   {tick}\npeers  {}\nrtt    {:.0} ms at most\nloss   {:.1} % at most\nin     {}\nout    {}",
        connections.len(),
        worst.as_secs_f32() * 1e3,
        lossiest * 100.0,
        rate(sum(|stats| stats.bytes_in_per_second)),
        rate(sum(|stats| stats.bytes_out_per_second)),
    )
}

fn rate(bytes_per_second: f32) -> String {
    // The sum of no rates is minus zero, which nobody wants to read.
    format!("{:.1} KB/s", bytes_per_second.abs() / 1e3)
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn the_lines_say_what_was_measured() {
        let stats =
            NetworkStats { rtt: Duration::from_millis(104), loss: 0.05, bytes_in_per_second: 4_200.0, ..default() };
        let lines = client_lines("connected", 77, &stats);
        for part in ["connected", "77", "104 ms", "5.0 %", "4.2 KB/s"] {
            assert!(lines.contains(part), "{part} is not in\n{lines}");
        }
    }

    #[test]
    fn a_host_adds_its_connections_up() {
        let one = NetworkStats { bytes_out_per_second: 1_500.0, ..default() };
        let lines = host_lines(1, &[&one, &one]);
        assert!(lines.contains("3.0 KB/s") && lines.contains("peers  2"), "{lines}");
    }
}
