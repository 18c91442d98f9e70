//! Bots: drivers made of code. They see what a player sees and decide what a player decides.
//!
//! [`brain::decide`] is a pure function from a view of the world and a memory to a command and the next memory. It runs
//! on a client over replicated state ([`BotPlugin`]), and on a server for bots of its own ([`Brain`] on a vehicle).
//!
//! Numbers: a bot keeps 14 m from its enemy and circles it, looks for repairs below 40 health and for ammunition below
//! 40 rounds, fires the gun within 80 m and rockets between 9 and 30 m, reverses for 0.9 s after being stuck for 0.7 s.

pub mod brain;
pub mod motion;
pub mod steering;
pub mod terrain;

use bevy::prelude::*;
use bevy_slipstream::connection::ConnectionData;
use bevy_slipstream::prelude::*;
use leafwing_input_manager::prelude::ActionState;

use crate::actions::DriveAction;
use crate::arena::Arena;
use crate::health::{Health, Wreck};
use crate::pace::TICK_SECONDS;
use crate::pickup::Pickup;
use crate::turret::Turret;
use crate::vehicle::Vehicle;
use crate::weapon::Ammunition;

pub use self::brain::{BotView, Brain, Enemy, Me, SeenPickup, decide};
pub use self::motion::Motion;
pub use self::terrain::Terrain;

use self::motion::{give_motion, track_motion};

/// What a bot sends in its hello, so that others see that it is one.
pub const BOT_DATA: &[u8] = b"bot";

/// Thinking for every vehicle that has a [`Brain`], in `FixedPreUpdate`. Part of the server's game and of [`BotPlugin`].
#[derive(Clone, Copy, Debug, Default)]
pub struct BrainPlugin;

impl Plugin for BrainPlugin {
    fn build(&self, app: &mut App) {
        app.add_observer(give_motion)
            .add_systems(Startup, survey_terrain)
            .add_systems(FixedPreUpdate, (track_motion, think).chain().run_if(resource_exists::<Terrain>));
    }
}

/// Makes a bot of a client, or of a host's own player: whatever vehicle it controls, a brain drives.
///
/// After [`ClientGamePlugin`](crate::client::ClientGamePlugin), before connecting.
#[derive(Clone, Copy, Debug, Default)]
pub struct BotPlugin;

impl Plugin for BotPlugin {
    fn build(&self, app: &mut App) {
        if !app.is_plugin_added::<BrainPlugin>() {
            app.add_plugins(BrainPlugin);
        }
        app.insert_resource(ConnectionData(BOT_DATA.to_vec())).add_observer(give_brain);
    }
}

fn give_brain(controlled: On<Add, Controlled>, peer: Option<Res<LocalPeer>>, mut commands: Commands) {
    let seed = peer.map_or(0, |peer| peer.0.0);
    commands.entity(controlled.entity).insert(Brain::with_seed(seed));
}

fn survey_terrain(arena: Res<Arena>, mut commands: Commands) {
    commands.insert_resource(Terrain::of(&arena));
}

/// Lets every brain look around and act.
fn think(
    tick: Res<SimulationTick>,
    terrain: Res<Terrain>,
    servers: Query<&NetworkStats, (With<Connected>, Without<LocalConnection>)>,
    vehicles: Query<(Entity, &Transform, &Motion, &Health, Has<Wreck>), With<Vehicle>>,
    pickups: Query<(&Transform, &Pickup)>,
    mut bots: Query<
        (Entity, &mut Brain, &mut ActionState<DriveAction>, &Turret, &Ammunition, Has<Remote>),
        With<Vehicle>,
    >,
) {
    if bots.is_empty() {
        return;
    }
    let pickups: Vec<SeenPickup> = pickups
        .iter()
        .map(|(transform, pickup)| SeenPickup { position: transform.translation, pickup: *pickup })
        .collect();
    // What a client sees is old, and what it does arrives late: together a round trip.
    let round_trip = servers.iter().next().map_or(0.0, |stats| stats.rtt.as_secs_f32());

    for (bot, mut brain, mut actions, turret, ammunition, remote) in &mut bots {
        let Ok((_, transform, motion, health, wrecked)) = vehicles.get(bot) else {
            continue;
        };
        let enemies: Vec<Enemy> = vehicles
            .iter()
            .filter(|(entity, ..)| *entity != bot)
            .map(|(_, transform, motion, health, wrecked)| Enemy {
                position: transform.translation,
                velocity: motion.velocity(),
                health: health.current,
                wrecked,
            })
            .collect();
        let view = BotView {
            tick: tick.0.get(),
            me: Me {
                transform: *transform,
                velocity: motion.velocity(),
                turret: *turret,
                health: *health,
                ammunition: *ammunition,
                wrecked,
            },
            enemies: &enemies,
            pickups: &pickups,
            terrain: &terrain,
            lead_seconds: TICK_SECONDS + if remote { round_trip.min(0.5) } else { 0.0 },
        };
        let (command, next) = decide(&view, *brain);
        command.write(&mut actions);
        *brain = next;
    }
}
