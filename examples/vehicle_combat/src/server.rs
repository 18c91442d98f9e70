//! The server's game: physics, rules, players. A host adds it too.
//!
//! ```text
//! FixedPreUpdate   bots think (server-side ones), inputs are applied
//! FixedUpdate      Simulation:  right vehicles, fly rockets -> Rapier reads -> drive -> Rapier steps -> slew turrets
//!                  Rules:       round -> new starts -> fire -> explode -> damage -> pick-ups -> show the round
//! FixedPostUpdate  replication
//! ```
//!
//! `Simulation` holds what moves bodies, for that is what a client will one day predict and replay; the rules are the
//! server's alone and are never replayed.

use bevy::prelude::*;
use bevy_rapier3d::prelude::{
    Collider, CollisionEvent, ContactForceEvent, Friction, MassModifiedMessage, NoUserData, PhysicsSet,
    RapierPhysicsPlugin, TimestepMode,
};
use bevy_slipstream::prelude::*;

use crate::arena::Arena;
use crate::bot::BrainPlugin;
use crate::drive::{drive_vehicles, right_vehicles};
use crate::health::{Damage, apply_damage, condemn_the_lost};
use crate::pace::TICK_SECONDS;
use crate::pickup::{collect_pickups, restock_pickups, spawn_pickups};
use crate::player::{
    Roster, dismiss_player, respawn_vehicles, seat_server_bots, welcome_early_players, welcome_player,
};
use crate::protocol;
use crate::round::{Round, RoundRules, advance_round, show_round, spawn_round};
use crate::turret::slew_turrets;
use crate::weapon::cool_weapons;
use crate::weapon::machine_gun::fire_machine_guns;
use crate::weapon::rocket::{clear_rockets, explode_rockets, fire_rockets, fly_rockets};

/// What a server is started with. Insert it before [`ServerGamePlugin`]; otherwise the default holds.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct ServerConfig {
    /// The most vehicles, bots included. Who connects beyond them watches. Default 64.
    pub max_players: usize,
    /// Decides the spread of every shot. Default 0.
    pub seed: u64,
    /// Where the game is played. It becomes the [`Arena`] resource. Default: the foundry.
    pub arena: Arena,
    /// When a round ends.
    pub rules: RoundRules,
    /// Bots that the server drives itself. Default 0.
    pub bots: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self { max_players: 64, seed: 0, arena: Arena::bundled(), rules: RoundRules::default(), bots: 0 }
    }
}

/// The phases of the server's game.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GameSystems {
    /// In `Simulation`, before Rapier reads the components: what moves bodies by hand.
    Move,
    /// In `Simulation`, between Rapier's `SyncBackend` and `StepSimulation`: wheel forces.
    Drive,
    /// In `Simulation`, once Rapier has written the new poses: turrets.
    Aim,
    /// In `FixedUpdate`, after `Simulation`: shots, damage, scores, rounds, players.
    Rules,
}

/// The server's game. After `NetworkingPlugin::server()` or `::host()`; on a host before
/// [`ClientGamePlugin`](crate::client::ClientGamePlugin), for it brings the arena.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerGamePlugin;

impl Plugin for ServerGamePlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<ServerConfig>().init_resource::<Round>().init_resource::<Roster>();
        let arena = app.world().resource::<ServerConfig>().arena.clone();
        app.insert_resource(arena);
        protocol::register(app);
        protocol::declare_arena(app);
        add_physics(app);
        if !app.is_plugin_added::<BrainPlugin>() {
            app.add_plugins(BrainPlugin);
        }

        app.add_message::<Damage>()
            .add_observer(welcome_player)
            .add_observer(dismiss_player)
            .add_systems(Startup, (spawn_ground, spawn_pickups, spawn_round, welcome_early_players))
            .add_systems(Simulation, (right_vehicles, fly_rockets).in_set(GameSystems::Move))
            .add_systems(Simulation, drive_vehicles.in_set(GameSystems::Drive))
            .add_systems(Simulation, slew_turrets.in_set(GameSystems::Aim))
            .add_systems(
                FixedUpdate,
                (
                    (seat_server_bots, advance_round, clear_rockets, respawn_vehicles).chain(),
                    (cool_weapons, fire_machine_guns, fire_rockets, explode_rockets).chain(),
                    (condemn_the_lost, apply_damage).chain(),
                    (restock_pickups, collect_pickups, show_round).chain(),
                )
                    .chain()
                    .in_set(GameSystems::Rules),
            )
            .configure_sets(
                Simulation,
                (
                    GameSystems::Move.before(PhysicsSet::SyncBackend),
                    GameSystems::Drive.after(PhysicsSet::SyncBackend).before(PhysicsSet::StepSimulation),
                    GameSystems::Aim.after(PhysicsSet::Writeback),
                ),
            )
            .configure_sets(FixedUpdate, GameSystems::Rules.after(SimulationSystems::Run));
    }
}

/// Rapier inside `Simulation`, at the game's pace.
fn add_physics(app: &mut App) {
    if !app.is_plugin_added::<TransformPlugin>() {
        app.add_plugins(TransformPlugin);
    }
    // Rapier inserts its buffers without registering them, and unregistered ones grow for ever.
    app.add_message::<CollisionEvent>()
        .add_message::<ContactForceEvent>()
        .add_message::<MassModifiedMessage>()
        .insert_resource(TimestepMode::Fixed { dt: TICK_SECONDS, substeps: 1 })
        .add_plugins(RapierPhysicsPlugin::<NoUserData>::default().in_schedule(Simulation));
}

/// The arena's solid parts: one collider without a body, which Rapier neither writes back nor wakes.
fn spawn_ground(mut commands: Commands, arena: Res<Arena>) {
    let collider: Collider = arena.collider();
    commands.spawn((Name::new("Arena"), Transform::IDENTITY, collider, Friction::coefficient(0.6)));
}
