//! Players: who joins, what they are called, where they start.
//!
//! Any number of players; each has one vehicle entity for as long as it stays, and a wreck is the same entity. Names are
//! trimmed, at most 24 characters, and unique ("Rust", "Rust 2"). Hues lie a golden angle apart. A vehicle starts at the
//! spawn point that is farthest from all others; points are shared when there are more players than points.

use bevy::ecs::system::SystemParam;
use bevy::prelude::*;
use bevy_rapier3d::prelude::Velocity;
use bevy_slipstream::prelude::*;
use leafwing_input_manager::prelude::ActionState;
use serde::{Deserialize, Serialize};

use crate::actions::DriveAction;
use crate::arena::Arena;
use crate::bot::{BOT_DATA, Brain};
use crate::drive::FlipWait;
use crate::health::{Health, LastAttacker, Wreck};
use crate::pace::has_come;
use crate::round::{Round, Score};
use crate::server::ServerConfig;
use crate::turret::Turret;
use crate::vehicle::{RIDE_HEIGHT, Vehicle, WheelPose, vehicle_body};
use crate::weapon::{Ammunition, Trigger};

/// The most characters of a display name.
pub const MAX_NAME_CHARS: usize = 24;

/// Who drives a vehicle.
#[derive(Component, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Player {
    /// The display name, unique on the server.
    pub name: String,
    /// The colour, as a hue in degrees.
    pub hue: u16,
    /// Whether a bot drives, as far as it says so.
    pub bot: bool,
}

/// The player's number on this server: 1 for the first who came. Never given twice.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayerNumber(pub u32);

/// How many players have come so far.
#[derive(Resource, Clone, Copy, Debug, Default)]
pub struct Roster {
    seated: u32,
}

/// Everything that is needed to give somebody a vehicle.
#[derive(SystemParam)]
pub struct Lobby<'w, 's> {
    commands: Commands<'w, 's>,
    arena: Res<'w, Arena>,
    config: Res<'w, ServerConfig>,
    roster: ResMut<'w, Roster>,
    players: Query<'w, 's, (&'static Player, &'static Transform)>,
}

impl Lobby<'_, '_> {
    /// Gives somebody a vehicle, with a name as near to `name` as is free. `None` when all seats are taken.
    ///
    /// Those who were seated by the same run of a system are not seen yet: seat one at a time.
    pub fn seat(&mut self, name: &str, bot: bool) -> Option<Entity> {
        if self.players.iter().count() >= self.config.max_players {
            return None;
        }
        self.roster.seated += 1;
        let number = self.roster.seated;
        let taken: Vec<&str> = self.players.iter().map(|(player, _)| player.name.as_str()).collect();
        let name = unique_name(name, &taken);
        let others: Vec<Vec3> = self.players.iter().map(|(_, transform)| transform.translation).collect();
        let at = choose_spawn(&self.arena, &others, number);
        info!("{name} joins");
        let hue = ((number.wrapping_mul(137)) % 360) as u16;
        let vehicle = self.commands.spawn((
            (Replicated, Vehicle, Player { name, hue, bot }, PlayerNumber(number), Score::default()),
            (Health::FULL, Ammunition::FULL, Turret::default(), WheelPose::default()),
            (Trigger::default(), LastAttacker::default(), FlipWait::default(), ActionState::<DriveAction>::default()),
            vehicle_body(at),
        ));
        Some(vehicle.id())
    }

    fn seat_connection(&mut self, connection: Entity, who: &Connection) {
        let bot = who.remote_data == BOT_DATA;
        match self.seat(&who.remote_name, bot) {
            Some(vehicle) => {
                self.commands.entity(vehicle).insert(Owner(connection));
            }
            None => warn!("{} finds no free seat and watches", who.remote_name),
        }
    }
}

/// A player joins: everyone who connects gets a vehicle.
pub fn welcome_player(joined: On<Add, Connected>, connections: Query<&Connection>, mut lobby: Lobby) {
    if let Ok(connection) = connections.get(joined.entity) {
        lobby.seat_connection(joined.entity, connection);
    }
}

/// Welcomes who was connected before the game was there: a host's own player.
pub fn welcome_early_players(
    connections: Query<(Entity, &Connection), With<Connected>>,
    owners: Query<&Owner>,
    mut lobby: Lobby,
) {
    for (entity, connection) in &connections {
        if !owners.iter().any(|owner| owner.0 == entity) {
            lobby.seat_connection(entity, connection);
        }
    }
}

/// A player leaves, or is lost: the vehicle goes too.
pub fn dismiss_player(left: On<Remove, Connected>, vehicles: Query<(Entity, &Owner)>, mut commands: Commands) {
    for (vehicle, owner) in &vehicles {
        if owner.0 == left.entity {
            commands.entity(vehicle).despawn();
        }
    }
}

/// Seats the server's own bots, one a tick. A host on autopilot has a brain too, and is none of them.
pub fn seat_server_bots(bots: Query<(), (With<Brain>, With<Player>, Without<Controlled>)>, mut lobby: Lobby) {
    if bots.iter().count() >= lobby.config.bots {
        return;
    }
    if let Some(bot) = lobby.seat("Bot", true) {
        let brain = Brain::with_seed(u64::from(lobby.roster.seated));
        lobby.commands.entity(bot).insert(brain);
    }
}

/// Gives wrecks that have burnt long enough a new start, and everyone when a round begins.
pub fn respawn_vehicles(
    tick: Res<SimulationTick>,
    round: Res<Round>,
    arena: Res<Arena>,
    mut commands: Commands,
    mut vehicles: Query<
        (
            Entity,
            &PlayerNumber,
            &mut Transform,
            &mut Velocity,
            &mut Health,
            &mut Ammunition,
            &mut Turret,
            &mut LastAttacker,
            Option<&Wreck>,
        ),
        With<Vehicle>,
    >,
) {
    let now = tick.0.get();
    let is_due = |wreck: Option<&Wreck>| round.begins() || wreck.is_some_and(|wreck| has_come(now, wreck.respawn_at));
    let mut occupied: Vec<Vec3> = vehicles
        .iter()
        .filter(|(.., wreck)| !is_due(*wreck))
        .map(|(_, _, transform, ..)| transform.translation)
        .collect();
    for (entity, number, mut transform, mut velocity, mut health, mut ammunition, mut turret, mut last, wreck) in
        &mut vehicles
    {
        if !is_due(wreck) {
            continue;
        }
        *transform = choose_spawn(&arena, &occupied, number.0);
        occupied.push(transform.translation);
        *velocity = Velocity::zero();
        *health = Health::FULL;
        *ammunition = Ammunition::FULL;
        *turret = Turret::default();
        last.clear();
        commands.entity(entity).remove::<Wreck>();
    }
}

/// Two vehicles nearer than this at a spawn point would push each other: the second drops from above.
const CROWDED: f32 = 5.0;

/// The start that is farthest from all `others`. Among equals `turn` decides, so that a first crowd spreads.
#[must_use]
pub fn choose_spawn(arena: &Arena, others: &[Vec3], turn: u32) -> Transform {
    let points = &arena.spawn_points;
    let first = turn as usize % points.len().max(1);
    let mut best: Option<(f32, Transform)> = None;
    for point in points.iter().cycle().skip(first).take(points.len()) {
        let nearest = others.iter().map(|other| other.distance(point.position)).fold(f32::INFINITY, f32::min);
        if best.is_none_or(|(distance, _)| nearest > distance) {
            best = Some((nearest, point.transform()));
        }
    }
    let (nearest, mut at) = best.unwrap_or((f32::INFINITY, Transform::IDENTITY));
    at.translation.y += RIDE_HEIGHT + 0.05 + if nearest < CROWDED { 2.0 } else { 0.0 };
    at
}

/// A name like `wanted` that nobody in `taken` has: without control characters, trimmed, bounded, numbered if need be.
#[must_use]
pub fn unique_name(wanted: &str, taken: &[&str]) -> String {
    let clean: String = wanted.chars().filter(|letter| !letter.is_control()).collect();
    let base = first_chars(clean.trim(), MAX_NAME_CHARS);
    let base = if base.is_empty() { "Driver" } else { base };
    if !taken.contains(&base) {
        return base.to_owned();
    }
    let mut number = 2_u32;
    loop {
        let suffix = format!(" {number}");
        let name = format!("{}{suffix}", first_chars(base, MAX_NAME_CHARS - suffix.len()).trim_end());
        if !taken.contains(&name.as_str()) {
            return name;
        }
        number += 1;
    }
}

fn first_chars(text: &str, count: usize) -> &str {
    let end = text.char_indices().nth(count).map_or(text.len(), |(index, _)| index);
    text[..end].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_bounded_and_unique() {
        assert_eq!(unique_name("  Rust\n ", &[]), "Rust");
        assert_eq!(unique_name("Rust", &["Rust"]), "Rust 2");
        assert_eq!(unique_name("Rust", &["Rust", "Rust 2"]), "Rust 3");
        assert_eq!(unique_name("\u{7}", &[]), "Driver");
        let long = "ÄÖÜ".repeat(20);
        let name = unique_name(&long, &[]);
        assert_eq!(name.chars().count(), MAX_NAME_CHARS);
        let second = unique_name(&long, &[name.as_str()]);
        assert!(second.chars().count() <= MAX_NAME_CHARS && second.ends_with(" 2"), "{second}");
    }

    #[test]
    fn the_start_is_the_farthest_from_all_others() {
        let arena = Arena::bundled();
        let first = choose_spawn(&arena, &[], 0).translation;
        let second = choose_spawn(&arena, &[first], 0).translation;
        let farthest = arena.spawn_points.iter().map(|point| point.position.distance(first)).fold(0.0, f32::max);
        assert!((second.distance(first) - farthest).abs() < 2.0);
    }

    #[test]
    fn more_players_than_points_share_them_from_above() {
        let arena = Arena::bundled();
        let mut others = Vec::new();
        for turn in 0..arena.spawn_points.len() as u32 {
            others.push(choose_spawn(&arena, &others, turn).translation);
        }
        let late = choose_spawn(&arena, &others, 99);
        assert!(late.translation.y > RIDE_HEIGHT + 1.5, "{late:?}");
    }
}
