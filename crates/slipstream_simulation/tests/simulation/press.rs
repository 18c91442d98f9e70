//! leafwing's actions: presses belong to ticks, on both sides.

use std::time::Duration;

use bevy::input::InputPlugin;
use bevy::prelude::*;
use bevy::time::TimeUpdateStrategy;
use leafwing_input_manager::prelude::*;
use slipstream_connection::Role;
use slipstream_simulation::{AppInputExt, Controlled, NetworkActions, Simulation, SimulationTick};

use crate::peers::{Peers, app, path, tick};

#[derive(Actionlike, Clone, Copy, Debug, PartialEq, Eq, Hash, Reflect)]
enum Action {
    #[actionlike(Axis)]
    Throttle,
    Fire,
}

impl NetworkActions for Action {
    fn actions() -> &'static [Self] {
        &[Self::Throttle, Self::Fire]
    }
}

/// The ticks in which `Simulation` saw the button go down, come up, and be down.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
struct Presses {
    pressed: Vec<u32>,
    released: Vec<u32>,
    held: Vec<u32>,
}

fn actions(app: &mut App) {
    app.input_actions::<Action>();
    app.init_resource::<Presses>().add_systems(Simulation, record);
}

fn record(tick: Res<SimulationTick>, driven: Query<&ActionState<Action>>, mut presses: ResMut<Presses>) {
    let Ok(actions) = driven.single() else { return };
    let tick = tick.0.get();
    if actions.just_pressed(&Action::Fire) {
        presses.pressed.push(tick);
    }
    if actions.just_released(&Action::Fire) {
        presses.released.push(tick);
    }
    if actions.pressed(&Action::Fire) {
        presses.held.push(tick);
    }
}

/// A driver without a keyboard: fires for three ticks of every ten.
fn bot(app: &mut App) {
    actions(app);
    app.add_systems(FixedPreUpdate, act);
}

fn act(tick: Res<SimulationTick>, mut mine: Query<&mut ActionState<Action>, With<Controlled>>) {
    for mut actions in &mut mine {
        if tick.0.get() % 10 < 3 {
            actions.press(&Action::Fire);
        } else {
            actions.release(&Action::Fire);
        }
        actions.set_value(&Action::Throttle, 0.5);
    }
}

#[test]
fn the_server_sees_each_press_in_the_tick_in_which_the_client_saw_it() {
    let mut peers = Peers::connected(bot, path(40), 30);
    let (owned, _) = peers.give_vehicle::<ActionState<Action>>();
    peers.run_seconds(10);
    let client = peers.client.world().resource::<Presses>().clone();
    let server = peers.server.world().resource::<Presses>().clone();
    let settled = tick(&peers.server) - 240;
    let since = |ticks: &[u32]| -> Vec<u32> { ticks.iter().copied().filter(|tick| *tick > settled).collect() };
    let until = tick(&peers.server);
    for (on_client, on_server) in
        [(&client.pressed, &server.pressed), (&client.released, &server.released), (&client.held, &server.held)]
    {
        let mut expected = since(on_client);
        expected.retain(|tick| *tick <= until);
        assert_eq!(since(on_server), expected);
        assert!(expected.len() >= 20, "{expected:?}");
    }
    assert!(since(&server.pressed).iter().all(|tick| tick % 10 == 0));
    assert!(since(&server.released).iter().all(|tick| tick % 10 == 3));
    let throttle = peers.server.world().get::<ActionState<Action>>(owned).map(|state| state.value(&Action::Throttle));
    assert!(throttle.is_some_and(|value| (value - 0.5).abs() < 0.001), "{throttle:?}");
}

/// A client with a keyboard, `parts` frames a tick or `ticks` ticks a frame.
fn at_the_keyboard(frame: impl Fn(Duration) -> Duration) -> App {
    let mut client = app(Role::Client, |app| {
        app.add_plugins(InputPlugin);
        actions(app);
    });
    let timestep = client.world().resource::<Time<Fixed>>().timestep();
    client.insert_resource(TimeUpdateStrategy::ManualDuration(frame(timestep)));
    client.world_mut().spawn((Controlled, InputMap::<Action>::new([(Action::Fire, KeyCode::Space)])));
    client
}

#[test]
fn a_tap_between_two_ticks_is_a_press_of_one_tick() {
    let mut client = at_the_keyboard(|timestep| timestep / 8);
    for _ in 0..80 {
        client.update();
    }
    // Right after a tick there are some frames without one.
    let mut last = tick(&client);
    while tick(&client) == last {
        client.update();
    }
    last = tick(&client);
    KeyCode::Space.press(client.world_mut());
    client.update();
    KeyCode::Space.release(client.world_mut());
    client.update();
    client.update();
    assert_eq!(tick(&client), last, "the tap is over before the next tick");
    assert_eq!(*client.world().resource::<Presses>(), Presses::default());
    for _ in 0..80 {
        client.update();
    }
    let expected = Presses { pressed: vec![last + 1], released: vec![last + 2], held: vec![last + 1] };
    assert_eq!(*client.world().resource::<Presses>(), expected);
}

#[test]
fn with_several_ticks_a_frame_a_press_is_new_in_the_first_only() {
    let mut client = at_the_keyboard(|timestep| timestep * 4);
    client.update();
    client.update();
    KeyCode::Space.press(client.world_mut());
    let before = tick(&client);
    client.update();
    client.update();
    assert_eq!(tick(&client), before + 8);
    KeyCode::Space.release(client.world_mut());
    client.update();
    let expected =
        Presses { pressed: vec![before + 1], released: vec![before + 9], held: (before + 1..before + 9).collect() };
    assert_eq!(*client.world().resource::<Presses>(), expected);
}

#[test]
fn without_an_input_backend_there_is_no_input_manager_and_actions_still_work() {
    let mut server = app(Role::Server, actions);
    assert!(!server.is_plugin_added::<InputManagerPlugin<Action>>());
    server.world_mut().spawn(ActionState::<Action>::default());
    server.update();
    server.update();
    assert_eq!(*server.world().resource::<Presses>(), Presses::default());
}
