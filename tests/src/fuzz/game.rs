//! The game that hostile peers are let loose on: something of every kind that travels.

use bevy::ecs::entity::MapEntities;
use bevy::ecs::schedule::SingleThreadedExecutor;
use bevy::prelude::*;
use bevy::time::TimeUpdateStrategy;
use bevy_slipstream::prelude::*;
use serde::{Deserialize, Serialize};

use super::pair::FRAME;

#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Health(pub(crate) u32);

#[derive(Component, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Label(pub(crate) String);

/// Only the owner receives it.
#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Secret(pub(crate) u32);

/// The owner sends it.
#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Steer(pub(crate) i32);

#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Aims(#[entities] pub(crate) Entity);

/// Its floats travel in steps.
#[derive(Component, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Order {
    Halt,
    Follow(u8, f32),
    Go { to: (f32, f32), name: String },
    Wait(Option<i64>),
}

/// Coded by field, with every attribute that leaves a value one form.
#[derive(Component, NetworkCodec, Clone, Debug, PartialEq)]
pub(crate) struct Turret {
    #[net(range = -180.0..180.0, step = 0.1, typical = 1.5)]
    pub(crate) yaw: f32,
    #[net(bits = 8)]
    pub(crate) pitch: f32,
    #[net(range = -100.0..100.0, step = 0.01, steady)]
    pub(crate) at: Vec3,
    #[net(bits = 12)]
    pub(crate) up: Vec3,
    #[net(bits = 11)]
    pub(crate) turned: Quat,
    #[net(range = 0.0..10.0, step = 0.5)]
    pub(crate) path: Vec<Vec2>,
    pub(crate) ammo: u16,
    #[net(typical = 100)]
    pub(crate) score: Option<i64>,
    #[net(flags)]
    pub(crate) flags: u32,
    pub(crate) note: String,
    pub(crate) barrels: [Barrel; 2],
}

#[derive(NetworkCodec, Clone, Copy, Debug, PartialEq)]
pub(crate) enum Barrel {
    Cold,
    Firing {
        #[net(range = 0.0..1.0, step = 0.01)]
        heat: f32,
        loud: bool,
    },
    Worn(u8, f64),
}

/// A rigid body's pose and velocity, which travel as one value.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub(crate) struct Hull(pub(crate) Vec3, pub(crate) Quat);

#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub(crate) struct Velocity {
    pub(crate) linear: Vec3,
    pub(crate) angular: Vec3,
}

struct RigidBody;

impl KinematicBody for RigidBody {
    type Pose = Hull;
    type Motion = Velocity;

    fn body(hull: &Hull, velocity: &Velocity) -> BodyState {
        BodyState {
            position: hull.0.to_array(),
            rotation: hull.1.to_array(),
            linear: velocity.linear.to_array(),
            angular: velocity.angular.to_array(),
        }
    }

    fn pose(body: &BodyState) -> Hull {
        Hull(Vec3::from_array(body.position), Quat::from_array(body.rotation))
    }

    fn motion(body: &BodyState) -> Velocity {
        Velocity { linear: Vec3::from_array(body.linear), angular: Vec3::from_array(body.angular) }
    }
}

/// What the owner of an entity puts in.
#[derive(Component, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Drive {
    pub(crate) throttle: f32,
    pub(crate) shout: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Chat(pub(crate) String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pose(pub(crate) f32, pub(crate) Vec<i16>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, MapEntities)]
pub(crate) struct Shot {
    #[entities]
    pub(crate) at: Entity,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ask(pub(crate) u32);

impl Request for Ask {
    type Response = String;
}

/// The chats that came, with the connections they came through.
#[derive(Resource, Default)]
pub(crate) struct Heard(pub(crate) Vec<(Entity, String)>);

/// The entities of a server that has [furnished](furnish) its world.
pub(crate) struct Scene {
    /// Who attacks owns it.
    pub(crate) vehicle: Entity,
    /// Nobody owns it.
    pub(crate) bystander: Entity,
}

/// An app that has run for one frame; `register` adds to the game.
pub(crate) fn start(networking: NetworkingPlugin, register: impl FnOnce(&mut App)) -> App {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, networking)).insert_resource(TimeUpdateStrategy::ManualDuration(FRAME));
    add_game(&mut app);
    register(&mut app);
    app.finish();
    app.cleanup();
    for (_, schedule) in app.world_mut().resource_mut::<Schedules>().iter_mut() {
        schedule.set_executor(SingleThreadedExecutor::new());
    }
    app.update();
    app
}

fn add_game(app: &mut App) {
    app.replicate::<Health>();
    app.replicate::<Label>();
    app.replicate::<Secret>().to_owner_only();
    app.replicate::<Steer>().from_owner();
    app.replicate::<Aims>();
    app.replicate::<Order>().step(0.01);
    app.replicate_quantised::<Turret>();
    app.replicate_transform(TransformCodec::new(-512.0..512.0, 0.001, 11));
    app.replicate_body::<RigidBody>(KinematicCodec::new(-512.0..512.0, 0.001));
    app.replicate_relationship::<ChildOf>();
    app.input::<Drive>();
    app.register_message::<Chat>(channels::DISPATCH);
    app.register_message::<Pose>(channels::PHYS);
    app.register_event::<Shot>(channels::EVENT).map_entities();
    app.register_request::<Ask>();
    app.init_resource::<Heard>().add_systems(Update, (hear, answer));
}

fn hear(mut chats: MessageReader<Received<Chat>>, mut heard: ResMut<Heard>) {
    heard.0.extend(chats.read().map(|chat| (chat.from, chat.message.0.clone())));
}

fn answer(mut asked: MessageReader<Incoming<Ask>>, mut responder: Responder<Ask>) {
    for ask in asked.read() {
        // Whoever asked may have gone.
        let _ = responder.reply(ask, "x".repeat(ask.request.0 as usize % 50));
    }
}

/// Spawns a vehicle and a bystander that rides on it, with all that is replicated.
pub(crate) fn furnish(world: &mut World) -> Scene {
    let place = Transform::from_xyz(1.0, 2.0, 3.0);
    let owned = (Secret(7), Steer(0), Drive::default());
    let vehicle = world.spawn((Replicated, Health(3), owned, Order::Halt, turret(0), place, body(0))).id();
    let rider = (Replicated, ChildOf(vehicle), Aims(vehicle), Health(5), Label("rider".to_owned()), Steer(1));
    let bystander = world.spawn((rider, Drive::default(), Transform::default())).id();
    Scene { vehicle, bystander }
}

/// What no client may change: nothing of the bystander, and of the vehicle what its owner does not send.
pub(crate) fn truth(world: &mut World, scene: &Scene) -> String {
    let count = world.query_filtered::<(), With<Replicated>>().iter(world).count();
    let world = &*world;
    let told = |entity: Entity| {
        let kept = (world.get::<Health>(entity), world.get::<Secret>(entity), world.get::<Label>(entity));
        let coded = (world.get::<Order>(entity), world.get::<Turret>(entity), world.get::<Transform>(entity));
        let moved = (world.get::<Hull>(entity), world.get::<Velocity>(entity));
        format!("{kept:?} {coded:?} {moved:?} {:?} {:?}", world.get::<Aims>(entity), world.get::<ChildOf>(entity))
    };
    let steered = (world.get::<Steer>(scene.bystander), world.get::<Drive>(scene.bystander));
    format!("{count} entities: {}; {}; {steered:?}", told(scene.vehicle), told(scene.bystander))
}

/// A turret as it is at some moment: each field changes at another pace.
pub(crate) fn turret(moment: u32) -> Turret {
    let turn = moment as f32 * 0.1;
    let heat = (moment % 10) as f32 / 10.0;
    Turret {
        yaw: turn * 5.0 - 90.0,
        pitch: turn,
        at: Vec3::new(turn, 2.0, -turn),
        up: Vec3::new(turn.sin(), 1.0, turn.cos()),
        turned: Quat::from_rotation_y(turn),
        path: (0..moment % 4).map(|step| Vec2::new(step as f32, turn % 9.0)).collect(),
        ammo: 500 - (moment % 500) as u16,
        score: (!moment.is_multiple_of(3)).then(|| i64::from(moment) * 100 - 1_000),
        flags: 1 << (moment % 32),
        note: format!("{} kills", moment / 5),
        barrels: [
            if moment.is_multiple_of(2) {
                Barrel::Cold
            } else {
                Barrel::Firing { heat, loud: moment.is_multiple_of(3) }
            },
            Barrel::Worn(moment as u8, f64::from(turn)),
        ],
    }
}

/// An order for each moment.
pub(crate) fn order(moment: u32) -> Order {
    let way = moment as f32 * 0.37;
    match moment % 4 {
        0 => Order::Halt,
        1 => Order::Follow(moment as u8, way),
        2 => Order::Go { to: (way, -1e9), name: format!("place {moment}") },
        _ => Order::Wait(Some(i64::from(moment) * -1_000_000)),
    }
}

/// A body that drives in a circle.
pub(crate) fn body(moment: u32) -> (Hull, Velocity) {
    let turn = moment as f32 * 0.02;
    let hull = Hull(Vec3::new(turn.sin() * 10.0, 0.7, turn.cos() * 10.0), Quat::from_rotation_y(turn));
    (hull, Velocity { linear: Vec3::new(turn.cos() * 12.0, 0.0, turn.sin() * -12.0), angular: Vec3::Y * 1.2 })
}
