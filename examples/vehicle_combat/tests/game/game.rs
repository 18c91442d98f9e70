//! A server's app that is stepped by hand.

use bevy::ecs::component::Mutable;
use bevy::ecs::system::RunSystemOnce;
use bevy::prelude::*;
use bevy::time::TimeUpdateStrategy;
use bevy_rapier3d::prelude::Velocity;
use bevy_slipstream::prelude::*;
use leafwing_input_manager::prelude::ActionState;
use vehicle_combat::actions::{DriveAction, DriveCommand};
use vehicle_combat::bot::Brain;
use vehicle_combat::health::Damage;
use vehicle_combat::player::Lobby;
use vehicle_combat::round::{RoundPhase, RoundRules, RoundState};
use vehicle_combat::server::{ServerConfig, ServerGamePlugin};

/// The game, with all that a test does to it.
pub struct Game {
    app: App,
}

/// No warm-up, and otherwise the game's own rules: a round begins with the second player.
pub fn at_once() -> ServerConfig {
    ServerConfig { rules: RoundRules { warmup_seconds: 0, ..RoundRules::default() }, ..ServerConfig::default() }
}

impl Game {
    /// A dedicated server's game.
    pub fn new(config: ServerConfig) -> Self {
        Self::with(NetworkingPlugin::server(), config)
    }

    /// The game on top of the given networking.
    pub fn with(networking: NetworkingPlugin, config: ServerConfig) -> Self {
        let mut app = App::new();
        app.add_plugins((MinimalPlugins, networking))
            .insert_resource(config)
            .add_plugins(ServerGamePlugin)
            // Virtual time: each update advances the clock by exactly one tick.
            .insert_resource(TimeUpdateStrategy::FixedTimesteps(1));
        app.finish();
        app.cleanup();
        let mut game = Self { app };
        game.ticks(1);
        game
    }

    /// Lets so many ticks pass.
    pub fn ticks(&mut self, count: u32) {
        let until = self.tick().wrapping_add(count);
        // The first update only starts the clock.
        for _ in 0..=count {
            if self.tick() == until {
                return;
            }
            self.app.update();
        }
        assert_eq!(self.tick(), until, "every update is a tick");
    }

    /// Lets ticks pass until `is_done`, at most `limit`. Says whether it was.
    pub fn ticks_until(&mut self, limit: u32, mut is_done: impl FnMut(&mut Self) -> bool) -> bool {
        for _ in 0..limit {
            if is_done(self) {
                return true;
            }
            self.ticks(1);
        }
        is_done(self)
    }

    fn tick(&self) -> u32 {
        self.app.world().resource::<SimulationTick>().0.get()
    }

    /// A player whom only the test drives; `None` when the game is full.
    pub fn try_seat(&mut self, name: &str) -> Option<Entity> {
        let name = name.to_owned();
        self.world().run_system_once(move |mut lobby: Lobby| lobby.seat(&name, false)).expect("the lobby is open")
    }

    /// A player whom only the test drives.
    pub fn seat(&mut self, name: &str) -> Entity {
        self.try_seat(name).expect("there is a free seat")
    }

    /// A player whom a bot drives.
    pub fn seat_bot(&mut self, name: &str, seed: u64) -> Entity {
        let bot = self.seat(name);
        self.world().entity_mut(bot).insert(Brain::with_seed(seed));
        bot
    }

    /// Two players in a round that has begun.
    pub fn seat_two(&mut self) -> (Entity, Entity) {
        let pair = (self.seat("Ada"), self.seat("Bo"));
        self.ticks(2);
        assert_eq!(self.round().phase, RoundPhase::Fighting);
        pair
    }

    /// What the vehicle's driver does from now on.
    pub fn command(&mut self, vehicle: Entity, command: DriveCommand) {
        let mut vehicle = self.world().entity_mut(vehicle);
        let mut actions = vehicle.get_mut::<ActionState<DriveAction>>().expect("a vehicle has actions");
        command.write(&mut actions);
    }

    /// Puts a vehicle on the ground, at rest, looking along a yaw in degrees.
    pub fn place(&mut self, vehicle: Entity, x: f32, z: f32, yaw_degrees: f32) {
        let rotation = Quat::from_rotation_y(yaw_degrees.to_radians());
        self.set(vehicle, Transform::from_xyz(x, 0.7, z).with_rotation(rotation));
        self.set(vehicle, Velocity::zero());
    }

    /// Sets a component.
    pub fn set<C: Component<Mutability = Mutable>>(&mut self, entity: Entity, value: C) {
        let mut entity = self.world().entity_mut(entity);
        *entity.get_mut::<C>().expect("the entity has the component") = value;
    }

    /// A copy of a component.
    pub fn get<C: Component + Clone>(&self, entity: Entity) -> C {
        self.try_get(entity).expect("the entity has the component")
    }

    /// A copy of a component, if it is there.
    pub fn try_get<C: Component + Clone>(&self, entity: Entity) -> Option<C> {
        self.app.world().get::<C>(entity).cloned()
    }

    /// Deals damage as a weapon would.
    pub fn deal(&mut self, damage: Damage) {
        self.world().write_message(damage);
        self.ticks(1);
    }

    /// The round as everyone sees it.
    pub fn round(&mut self) -> RoundState {
        let mut rounds = self.world().query::<&RoundState>();
        rounds.single(self.app.world()).expect("there is one round").clone()
    }

    /// The whole world.
    pub fn world(&mut self) -> &mut World {
        self.app.world_mut()
    }
}
