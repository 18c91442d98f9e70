//! What these tests replicate, and how a client's world is compared with the server's.

use std::collections::BTreeMap;
use std::time::Duration;

use bevy::prelude::*;
use bevy_slipstream::connection::ConnectionSettings;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};
use serde::{Deserialize, Serialize};

#[derive(Component, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Health(pub u32);

/// Has no bytes: it is there or it is not.
#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Burning;

#[derive(Component, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label(pub String);

/// Only the owner receives it.
#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Secret(pub u32);

/// The owner sends it.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Steer(pub i32);

#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target(#[entities] pub Entity);

/// Registers all of them, on every peer.
pub fn register(app: &mut App) {
    app.replicate::<Health>();
    app.replicate::<Burning>();
    app.replicate::<Label>();
    app.replicate::<Secret>().to_owner_only();
    app.replicate::<Steer>().from_owner();
    app.replicate::<Target>();
    app.replicate_transform(TransformCodec::new(-512.0..512.0, 0.001, 11));
    app.replicate_relationship::<ChildOf>();
}

/// Each connection may carry so many bytes a second, and the congestion controller is given no choice.
pub fn limit_budget(app: &mut App, bytes_per_second: u32) {
    app.insert_resource(ConnectionSettings {
        min_budget_bytes_per_second: bytes_per_second,
        max_budget_bytes_per_second: bytes_per_second,
        ..default()
    });
}

/// A line with this delay each way, in milliseconds, and nothing else wrong.
pub fn line(milliseconds: u64) -> NetworkConditions {
    NetworkConditions { latency: Duration::from_millis(milliseconds), ..default() }
}

/// A line on which nothing can be relied on.
pub fn bad_line() -> NetworkConditions {
    NetworkConditions { jitter: Duration::from_millis(25), loss: 0.3, duplicate: 0.1, reorder: 0.1, ..line(40) }
}

/// A line that carries nothing.
pub fn cut_line() -> NetworkConditions {
    NetworkConditions { loss: 1.0, ..line(20) }
}

/// A server and one connected client at 40 ms round trip.
pub fn one_client() -> (Harness, Client) {
    let mut harness = Harness::new(register);
    let alice = harness.add_client(line(20));
    harness.connect();
    (harness, alice)
}

/// A server and two connected clients.
pub fn two_clients() -> (Harness, Client, Client) {
    let mut harness = Harness::new(register);
    let (alice, bob) = (harness.add_client(line(20)), harness.add_client(line(20)));
    harness.connect();
    (harness, alice, bob)
}

/// Long enough for anything to settle on a line without loss.
pub const SETTLED: u32 = 60;

/// How many entities a client shows.
pub fn shown(harness: &mut Harness, client: Client) -> usize {
    let world = harness.client(client).world_mut();
    world.query_filtered::<(), With<Remote>>().iter(world).count()
}

/// What the server counted for a client.
pub fn stats(harness: &mut Harness, client: Client) -> ReplicationStats {
    let connection = harness.server_connection(client);
    *harness.server().world().get::<ReplicationStats>(connection).expect("a connected client has statistics")
}

/// An entity as both sides can name it.
#[derive(Debug, PartialEq)]
struct EntityState {
    health: Option<u32>,
    burning: bool,
    label: Option<String>,
    /// The inner `None` is a reference to what is not replicated, or gone.
    target: Option<Option<NetworkId>>,
    millimetres: Option<[i32; 3]>,
    parent: Option<NetworkId>,
}

/// Everything that a world shows under the marker `M`.
fn state<M: Component>(world: &mut World) -> BTreeMap<NetworkId, EntityState> {
    let mut query = world.query_filtered::<(
        Entity,
        Option<&Health>,
        Has<Burning>,
        Option<&Label>,
        Option<&Target>,
        Option<&Transform>,
        Option<&ChildOf>,
    ), With<M>>();
    let map = world.resource::<EntityMap>();
    let entities = query.iter(world).filter_map(|(entity, health, burning, label, target, transform, parent)| {
        let state = EntityState {
            health: health.map(|health| health.0),
            burning,
            label: label.map(|label| label.0.clone()),
            target: target.map(|target| map.network(target.0)),
            millimetres: transform
                .map(|transform| transform.translation.to_array().map(|axis| (axis * 1000.0).round() as i32)),
            parent: parent.and_then(|parent| map.network(parent.parent())),
        };
        Some((map.network(entity)?, state))
    });
    entities.collect()
}

/// What a client shows otherwise than the server has it, where everything is visible to everyone.
pub fn differences(harness: &mut Harness, client: Client) -> Vec<String> {
    let count = shown(harness, client);
    let truth = state::<Replicated>(harness.server().world_mut());
    let view = state::<Remote>(harness.client(client).world_mut());
    let mut found = Vec::new();
    if count != truth.len() {
        found.push(format!("{count} entities instead of {}", truth.len()));
    }
    for (id, expected) in &truth {
        match view.get(id) {
            Some(state) if state == expected => {}
            state => found.push(format!("{id:?} is {state:?} instead of {expected:?}")),
        }
    }
    found.extend(view.keys().filter(|id| !truth.contains_key(id)).map(|id| format!("{id:?} is still there")));
    found
}

/// Nothing differs.
#[track_caller]
pub fn assert_same(harness: &mut Harness, client: Client) {
    let found = differences(harness, client);
    assert!(found.is_empty(), "the client's world is not the server's: {found:#?}");
}
