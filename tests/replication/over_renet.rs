//! The same over real sockets: spawn, change and despawn through netcode on the loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_slipstream::prelude::*;

use crate::scene::{Health, register};

/// Real time, for sockets know no other; far more than it takes.
const PATIENCE: Duration = Duration::from_secs(15);

struct Pair {
    server: App,
    client: App,
}

fn peer(networking: NetworkingPlugin) -> App {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, networking));
    register(&mut app);
    app.finish();
    app.cleanup();
    app
}

impl Pair {
    #[track_caller]
    fn run_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
            self.server.update();
            self.client.update();
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn healths(&mut self) -> Vec<u32> {
        let world = self.client.world_mut();
        let mut healths: Vec<u32> =
            world.query_filtered::<&Health, With<Remote>>().iter(world).map(|health| health.0).collect();
        healths.sort_unstable();
        healths
    }
}

fn listening_address(app: &mut App) -> Option<SocketAddr> {
    let world = app.world_mut();
    world.query::<&Listening>().iter(world).find_map(|listening| listening.address)
}

#[test]
fn entities_come_change_and_go_over_udp() {
    let mut pair = Pair { server: peer(NetworkingPlugin::server()), client: peer(NetworkingPlugin::client()) };
    let key = [7; 32];
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    pair.server.world_mut().spawn(Listen::udp(any_port).key(key));
    pair.run_until("the server listens", |pair| listening_address(&mut pair.server).is_some());
    let address = listening_address(&mut pair.server).expect("it listens");
    pair.client.world_mut().spawn(Connect::udp(address).key(key));
    pair.run_until("the client connects", |pair| {
        let world = pair.client.world_mut();
        world.query_filtered::<(), With<Connected>>().iter(world).count() == 1
    });

    let world = pair.server.world_mut();
    let entities: Vec<Entity> = (0..50).map(|health| world.spawn((Replicated, Health(health))).id()).collect();
    pair.run_until("all entities appear", |pair| pair.healths() == Vec::from_iter(0..50));

    for entity in &entities {
        pair.server.world_mut().entity_mut(*entity).insert(Health(100));
    }
    pair.run_until("all entities change", |pair| pair.healths() == [100; 50]);

    for entity in &entities[1..] {
        pair.server.world_mut().despawn(*entity);
    }
    pair.run_until("all but one go", |pair| pair.healths() == [100]);
}
