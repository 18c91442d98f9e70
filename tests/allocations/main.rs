//! The steady state allocates nothing: 500 moving bodies, a server and a client, tick after tick.
//!
//! Every frame is run schedule by schedule on this thread. What counts is what the schedules in which Slipstream works
//! allocate, less what they allocate in an app without it. Datagrams go from link to link as a transport would carry them,
//! outside of what counts.

use std::collections::VecDeque;
use std::f32::consts::TAU;
use std::fmt;
use std::time::Duration;

use bevy::ecs::schedule::{InternedScheduleLabel, ScheduleLabel, SingleThreadedExecutor};
use bevy::prelude::*;
use bevy::time::TimeUpdateStrategy;
use bevy_slipstream::connection::ConnectionSettings;
use bevy_slipstream::prelude::*;
use bevy_slipstream::protocol::LinkProperties;

const BODIES: usize = 500;
/// `Transform` and [`Wheel`].
const LANES: usize = 2;
/// Frames in which a body goes round once. What happens in a tick has happened before, one round earlier, so that after some
/// rounds all memory is as large as it gets.
const ROUND: u32 = 120;
const WARM_UP: u32 = 6 * ROUND;
const MEASURED: u32 = 60;
/// Frames that a datagram is on its way.
const LATENCY: u32 = 3;

/// How a body is steered, by the codec that it derives.
#[derive(Component, NetworkCodec)]
struct Wheel {
    #[net(range = -1.0..1.0, step = 0.001)]
    turned: f32,
    #[net(bits = 10)]
    heading: f32,
}

/// What the owner of a body tells, and the server judges.
#[derive(Component, NetworkCodec, Clone, Copy)]
struct Throttle {
    #[net(range = 0.0..1.0, step = 0.001)]
    open: f32,
}

/// A rigid body's pose and velocity, where a body has one.
#[derive(Component, Clone, Copy)]
struct Place(Vec3, Quat);

#[derive(Component, Clone, Copy)]
struct Drift {
    linear: Vec3,
    angular: Vec3,
}

struct Hull;

impl KinematicBody for Hull {
    type Pose = Place;
    type Motion = Drift;

    fn body(place: &Place, drift: &Drift) -> BodyState {
        BodyState {
            position: place.0.to_array(),
            rotation: place.1.to_array(),
            linear: drift.linear.to_array(),
            angular: drift.angular.to_array(),
        }
    }

    fn pose(body: &BodyState) -> Place {
        Place(Vec3::from_array(body.position), Quat::from_array(body.rotation))
    }

    fn motion(body: &BodyState) -> Drift {
        Drift { linear: Vec3::from_array(body.linear), angular: Vec3::from_array(body.angular) }
    }
}

/// What was allocated in all measured frames: in `PreUpdate`, in the fixed loop and in `PostUpdate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Allocations([u64; 3]);

impl Allocations {
    fn add(&mut self, other: Self) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum += count;
        }
    }

    fn less(mut self, other: Self) -> Self {
        for (count, taken) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_sub(taken);
        }
        self
    }
}

impl fmt::Display for Allocations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [receive, tick, send] = self.0.map(|count| count as f64 / f64::from(MEASURED));
        let all = receive + tick + send;
        write!(formatter, "{all:.2}: {receive:.2} in PreUpdate, {tick:.2} in the fixed loop, {send:.2} in PostUpdate")
    }
}

/// Runs a frame, and counts.
fn run_frame(app: &mut App) -> Allocations {
    let schedules: [InternedScheduleLabel; 3] = [PreUpdate.intern(), RunFixedMainLoop.intern(), PostUpdate.intern()];
    let world = app.world_mut();
    world.run_schedule(First);
    let counts = schedules.map(|schedule| {
        let counted = allocation_counter::measure(|| {
            // An app without networking has not all of them.
            let _ = world.try_run_schedule(schedule);
        });
        counted.count_total
    });
    world.run_schedule(Last);
    world.clear_trackers();
    Allocations(counts)
}

/// An app of which every frame is a tick and every system runs on the thread that updates it.
fn app(plugins: impl FnOnce(&mut App)) -> App {
    let mut app = App::new();
    app.add_plugins(MinimalPlugins)
        .insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_secs_f64(1.0 / 60.0)))
        .insert_resource(Time::<Fixed>::from_hz(60.0));
    plugins(&mut app);
    app.finish();
    app.cleanup();
    for (_, schedule) in app.world_mut().resource_mut::<Schedules>().iter_mut() {
        schedule.set_executor(SingleThreadedExecutor::new());
    }
    // The schedules of start-up run with the first update.
    app.update();
    app
}

/// An app with networking whose budget is never the limit.
fn peer(networking: NetworkingPlugin) -> App {
    app(|app| {
        app.add_plugins(networking).insert_resource(ConnectionSettings {
            min_budget_bytes_per_second: 2_000_000,
            max_budget_bytes_per_second: 2_000_000,
            ..default()
        });
        app.replicate_transform(TransformCodec::new(-512.0..512.0, 0.001, 11));
        app.replicate_quantised::<Wheel>();
        app.replicate_body::<Hull>(KinematicCodec::new(-512.0..512.0, 0.001));
        app.replicate_quantised::<Throttle>().from_owner().validate(|_| Verdict::Accept);
    })
}

/// A body in a frame: on a circle of its own.
fn body(number: usize, frame: u32) -> (Transform, Wheel) {
    let turn = TAU * ((frame % ROUND) as f32 / ROUND as f32 + number as f32 / BODIES as f32);
    let middle = Vec3::new((number % 25) as f32 * 20.0 - 240.0, 0.0, (number / 25) as f32 * 20.0 - 190.0);
    let radius = 2.0 + (number % 7) as f32;
    let place = middle + Vec3::new(turn.cos(), 0.0, turn.sin()) * radius;
    let transform = Transform::from_translation(place).with_rotation(Quat::from_rotation_y(turn));
    (transform, Wheel { turned: (2.0 * turn + 0.3).sin() * 0.9, heading: turn })
}

fn spawn_bodies(world: &mut World) -> Vec<Entity> {
    (0..BODIES).map(|number| world.spawn((Replicated, body(number, 0))).id()).collect()
}

fn move_bodies(world: &mut World, bodies: &[Entity], frame: u32) {
    for (number, entity) in bodies.iter().enumerate() {
        world.entity_mut(*entity).insert(body(number, frame));
    }
}

/// A body's hull is where it is, and goes round with it.
fn move_hulls(world: &mut World, bodies: &[Entity], frame: u32) {
    for (number, entity) in bodies.iter().enumerate() {
        let ((here, _), (there, _)) = (body(number, frame), body(number, frame + 1));
        let drift = Drift { linear: (there.translation - here.translation) * 60.0, angular: Vec3::ZERO };
        world.entity_mut(*entity).insert((Place(here.translation, here.rotation), drift));
    }
}

/// One direction between two links.
#[derive(Default)]
struct Line(VecDeque<(u32, Vec<u8>)>);

impl Line {
    fn take_from(&mut self, app: &mut App, link: Entity, frame: u32) {
        let mut link = app.world_mut().get_mut::<Link>(link).expect("the link stays");
        while let Some(datagram) = link.take_outgoing() {
            self.0.push_back((frame + LATENCY, datagram.clone()));
            link.recycle(datagram);
        }
    }

    fn deliver_to(&mut self, app: &mut App, link: Entity, frame: u32) {
        let mut link = app.world_mut().get_mut::<Link>(link).expect("the link stays");
        while let Some((_, datagram)) = self.0.pop_front_if(|(due, _)| *due <= frame) {
            link.deliver(datagram);
        }
    }
}

/// A server with bodies, and a client that sees them.
struct Peers {
    server: App,
    client: App,
    /// The link's end, and the connection, in each one's world.
    at_server: Entity,
    at_client: Entity,
    down: Line,
    up: Line,
    bodies: Vec<Entity>,
    /// In the client's world, the body that it owns.
    owned: Option<Entity>,
    /// Bodies have hulls.
    rigid: bool,
    frame: u32,
}

impl Peers {
    fn connect() -> Self {
        let (mut server, mut client) = (peer(NetworkingPlugin::server()), peer(NetworkingPlugin::client()));
        let listener = server.world_mut().spawn_empty().id();
        let link = Link::new(LinkProperties::default());
        let at_server = server.world_mut().spawn((link, LinkOf(listener))).id();
        let at_client = client.world_mut().spawn(Link::new(LinkProperties::default())).id();
        let (down, up, bodies) = (Line::default(), Line::default(), Vec::new());
        let (owned, rigid, frame) = (None, false, 0);
        let mut peers = Self { server, client, at_server, at_client, down, up, bodies, owned, rigid, frame };
        while !peers.are_connected() {
            assert!(peers.frame < 600, "the two did not connect within 600 frames");
            peers.run_frame();
        }
        peers.bodies = spawn_bodies(peers.server.world_mut());
        peers
    }

    fn are_connected(&self) -> bool {
        let is_connected = |app: &App, link: Entity| app.world().get::<Connected>(link).is_some();
        is_connected(&self.server, self.at_server) && is_connected(&self.client, self.at_client)
    }

    /// Gives the first body to the client, and waits until the server hears what it says of it.
    fn give_body(&mut self) {
        let body = self.bodies[0];
        self.server.world_mut().entity_mut(body).insert((Owner(self.at_server), Throttle { open: 0.0 }));
        for _ in 0..2 * ROUND {
            self.run_frame();
            let mut owned = self.client.world_mut().query_filtered::<Entity, With<Controlled>>();
            self.owned = owned.iter(self.client.world()).next();
        }
        let heard = self.server.world().get::<Throttle>(body).is_some_and(|throttle| throttle.open > 0.0);
        assert!(heard, "the server does not hear the owner");
    }

    /// Moves the bodies and runs a frame of both, the server first.
    fn run_frame(&mut self) -> (Allocations, Allocations) {
        self.frame += 1;
        if let Some(owned) = self.owned {
            let open = (self.frame % ROUND + 1) as f32 / (ROUND + 1) as f32;
            self.client.world_mut().entity_mut(owned).insert(Throttle { open });
        }
        move_bodies(self.server.world_mut(), &self.bodies, self.frame);
        if self.rigid {
            move_hulls(self.server.world_mut(), &self.bodies, self.frame);
        }
        self.up.deliver_to(&mut self.server, self.at_server, self.frame);
        let by_server = run_frame(&mut self.server);
        self.down.take_from(&mut self.server, self.at_server, self.frame);
        self.down.deliver_to(&mut self.client, self.at_client, self.frame);
        let by_client = run_frame(&mut self.client);
        self.up.take_from(&mut self.client, self.at_client, self.frame);
        (by_server, by_client)
    }

    /// What server and client allocate beside what Bevy does.
    fn measure(&mut self) -> (Allocations, Allocations) {
        for _ in 0..WARM_UP {
            self.run_frame();
        }
        let before = self.records();
        let (mut by_server, mut by_client) = (Allocations::default(), Allocations::default());
        for _ in 0..MEASURED {
            let (server, client) = self.run_frame();
            by_server.add(server);
            by_client.add(client);
        }
        let lanes = LANES + usize::from(self.rigid);
        let expected = (BODIES * lanes) as u64 * u64::from(MEASURED);
        assert_eq!(self.records() - before, expected, "every body is sent in every tick");
        let current = (0..BODIES).filter(|number| self.shows(*number)).count();
        assert_eq!(current, BODIES, "the client shows every body where it was {LATENCY} frames ago");
        let by_bevy = allocations_of_bevy();
        (by_server.less(by_bevy), by_client.less(by_bevy))
    }

    fn records(&self) -> u64 {
        self.server.world().get::<ReplicationStats>(self.at_server).map_or(0, |stats| stats.records)
    }

    /// Whether the client shows a body where it was when the newest datagram left.
    fn shows(&self, number: usize) -> bool {
        let id = self.server.world().resource::<EntityMap>().network(self.bodies[number]);
        let world = self.client.world();
        let entity = id.and_then(|id| world.resource::<EntityMap>().local(id));
        let (expected, _) = body(number, self.frame - LATENCY);
        entity
            .and_then(|entity| world.get::<Transform>(entity))
            .is_some_and(|shown| shown.translation.distance(expected.translation) < 0.002)
    }
}

/// What an app without networking allocates in the same schedules while as many bodies move.
fn allocations_of_bevy() -> Allocations {
    let mut app = app(|_| {});
    let bodies = spawn_bodies(app.world_mut());
    let mut sum = Allocations::default();
    for frame in 1..=ROUND + MEASURED {
        move_bodies(app.world_mut(), &bodies, frame);
        let counted = run_frame(&mut app);
        if frame > ROUND {
            sum.add(counted);
        }
    }
    println!("Bevy itself, a tick: {sum}");
    sum
}

fn assert_nothing_is_allocated(mut peers: Peers) {
    let (by_server, by_client) = peers.measure();
    assert!(
        by_server == Allocations::default() && by_client == Allocations::default(),
        "allocations a tick\n  of the server: {by_server}\n  of the client: {by_client}"
    );
}

#[test]
fn the_counter_counts_here() {
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(vec![0_u8; 16])));
    assert_eq!(counted.count_total, 1);
}

#[test]
fn moving_bodies_cost_no_allocation() {
    assert_nothing_is_allocated(Peers::connect());
}

#[test]
fn groups_and_priorities_cost_no_allocation() {
    let mut peers = Peers::connect();
    let Peers { server, bodies, at_server, .. } = &mut peers;
    for vehicle in bodies.chunks(4) {
        for wheel in &vehicle[1..] {
            server.world_mut().entity_mut(*wheel).insert(Together(vehicle[0]));
        }
    }
    server.world_mut().entity_mut(*at_server).insert(Priorities::default().with(bodies[0], 4.0));
    assert_nothing_is_allocated(peers);
}

#[test]
fn dense_records_cost_no_allocation() {
    let mut peers = Peers::connect();
    peers.rigid = true;
    peers.server.world_mut().entity_mut(peers.at_server).insert(Compression::Dense);
    let dense = |peers: &Peers| {
        peers.server.world().get::<ReplicationStats>(peers.at_server).map_or(0, |stats| stats.dense_records)
    };
    peers.run_frame();
    assert_eq!(dense(&peers), 0, "nothing is known yet");
    for _ in 0..ROUND {
        peers.run_frame();
    }
    assert!(dense(&peers) > BODIES as u64);
    assert_nothing_is_allocated(peers);
}

#[test]
fn an_owner_that_is_judged_in_every_tick_costs_no_allocation() {
    let mut peers = Peers::connect();
    peers.give_body();
    assert_nothing_is_allocated(peers);
}

#[test]
fn looking_around_costs_no_allocation() {
    let mut peers = Peers::connect();
    peers.server.insert_resource(SpatialInterest::within(2_000.0));
    peers.server.world_mut().entity_mut(peers.at_server).insert((Viewpoint, Transform::default()));
    assert_nothing_is_allocated(peers);
}
