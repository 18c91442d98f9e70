use core::time::Duration;

use bevy::ecs::system::SystemState;
use bevy::prelude::*;
use serde::{Deserialize, Serialize};
use slipstream_connection::{
    Answered, AppMessageExt, Incoming, NetworkError, Request, RequestError, RequestId, Requester, Responder, Role,
    Target, is_server,
};

use crate::fixture::{LinkKind, Network, each_link};

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Sum(u32, u32);

impl Request for Sum {
    type Response = u32;
}

#[derive(Resource, Default)]
struct Answers(Vec<(RequestId, Result<u32, RequestError>)>);

fn register(app: &mut App) {
    app.register_request::<Sum>();
    app.init_resource::<Answers>().add_systems(
        Update,
        |mut answered: MessageReader<Answered<Sum>>, mut answers: ResMut<Answers>| {
            answers.0.extend(answered.read().map(|answer| (answer.id, answer.result)));
        },
    );
}

fn register_with_answers(app: &mut App) {
    register(app);
    app.add_systems(Update, answer.run_if(is_server));
}

fn answer(mut sums: MessageReader<Incoming<Sum>>, mut responder: Responder<Sum>) {
    for sum in sums.read() {
        responder.reply(sum, sum.request.0 + sum.request.1).expect("the asker is connected");
    }
}

fn ask(app: &mut App, target: Target<'_>, sum: &Sum, timeout: Duration) -> Result<RequestId, NetworkError> {
    let world = app.world_mut();
    let mut state = SystemState::<Requester<'static, 'static, Sum>>::new(world);
    let result = state.get_mut(world).expect("the parameters are valid").send(target, sum, timeout);
    state.apply(world);
    result
}

const TIMEOUT: Duration = Duration::from_secs(2);

#[test]
fn a_request_is_answered() {
    each_link(|link| {
        let mut network = Network::new(link, register_with_answers);
        let alice = network.connect("alice");
        let first = ask(&mut network.clients[alice].app, Target::Server, &Sum(1, 2), TIMEOUT).unwrap();
        let second = ask(&mut network.clients[alice].app, Target::Server, &Sum(30, 4), TIMEOUT).unwrap();
        assert_ne!(first, second);
        network.run(20);
        let mut answers = network.clients[alice].app.world().resource::<Answers>().0.clone();
        answers.sort_by_key(|(id, _)| *id);
        assert_eq!(answers, [(first, Ok(3)), (second, Ok(34))]);
    });
}

#[test]
fn a_server_may_ask_its_clients() {
    let mut network = Network::new(LinkKind::Memory, |app| {
        register(app);
        app.add_systems(Update, answer.run_if(not(is_server)));
    });
    network.connect("alice");
    network.connect("bob");
    let id = ask(&mut network.server, Target::All, &Sum(5, 6), TIMEOUT).unwrap();
    network.run(20);
    assert_eq!(network.server.world().resource::<Answers>().0, [(id, Ok(11)), (id, Ok(11))]);
}

#[test]
fn a_request_that_nobody_answers_times_out_once() {
    let mut network = Network::new(LinkKind::Memory, register);
    let alice = network.connect("alice");
    let id = ask(&mut network.clients[alice].app, Target::Server, &Sum(1, 2), TIMEOUT).unwrap();
    network.run(100);
    assert!(network.clients[alice].app.world().resource::<Answers>().0.is_empty());
    network.run(60);
    let answers = &network.clients[alice].app.world().resource::<Answers>().0;
    assert_eq!(*answers, [(id, Err(RequestError::TimedOut(TIMEOUT)))]);
}

#[test]
fn a_request_ends_with_the_connection() {
    let mut network = Network::new(LinkKind::Memory, register);
    let alice = network.connect("alice");
    let id = ask(&mut network.clients[alice].app, Target::Server, &Sum(1, 2), Duration::from_secs(600)).unwrap();
    let connection = network.server_connection(alice).unwrap();
    network.run(5);
    network.server.world_mut().despawn(connection);
    network.run(10);
    let answers = &network.clients[alice].app.world().resource::<Answers>().0;
    assert_eq!(*answers, [(id, Err(RequestError::Disconnected))]);
}

#[test]
fn a_host_answers_its_own_player() {
    let mut network = Network::with_role(LinkKind::Memory, Role::Host, register_with_answers);
    network.run(2);
    let id = ask(&mut network.server, Target::Server, &Sum(2, 2), TIMEOUT).unwrap();
    network.run(3);
    assert_eq!(network.server.world().resource::<Answers>().0, [(id, Ok(4))]);
}

#[test]
fn asking_nobody_is_an_error() {
    let mut network = Network::new(LinkKind::Memory, register);
    network.run(2);
    let error = ask(&mut network.server, Target::All, &Sum(1, 1), TIMEOUT).unwrap_err();
    assert!(matches!(error, NetworkError::NotConnected { .. }), "{error}");
}
