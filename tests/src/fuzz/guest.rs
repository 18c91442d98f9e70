//! A client that joins hostile servers, one after the other, and after each of them one that behaves.

use core::cell::RefCell;
use core::mem::ManuallyDrop;

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::protocol::ClosedReason;
use bevy_slipstream::replication::Slot;

use super::game::{Heard, start};
use super::host::{MEMORY_LIMIT, assert_presentable};
use super::parts;
use super::recording::{MOST_PARTS, RECORDING};
use super::stranger::{Stranger, frame};

/// After so many servers the client is another one. A server may name high slots, and a client keeps room for each.
const MOST_SERVERS: u32 = 64;

thread_local! {
    // Not dropped with its thread: see `host`.
    static GUEST: ManuallyDrop<RefCell<Guest>> = ManuallyDrop::new(RefCell::new(Guest::new()));
}

/// Runs against this thread's client.
pub(crate) fn with_guest(attack: impl FnOnce(&mut Guest)) {
    GUEST.with(|guest| {
        let mut guest = guest.borrow_mut();
        if guest.servers >= MOST_SERVERS {
            *guest = Guest::new();
        }
        guest.servers += 1;
        attack(&mut guest);
    });
}

pub(crate) struct Guest {
    app: App,
    servers: u32,
}

impl Guest {
    fn new() -> Self {
        Self { app: start(NetworkingPlugin::client(), |_| {}), servers: 0 }
    }

    /// A server says what the input says, each message on one of these channels.
    ///
    /// It may show the client what it likes, within what it pays for in bytes; with it, all of that goes. It is left
    /// for too many errors if for anything, and the next server is understood.
    pub(crate) fn attack(&mut self, data: &[u8], open: &[ChannelId]) {
        let mut mallory = Stranger::server_of(&mut self.app, &RECORDING.welcome);
        assert!(mallory.connect(&mut self.app), "{:?}", mallory.closed);
        let mut said_bytes = 0;
        for part in parts::split(data, MOST_PARTS) {
            let Some((place, payload)) = part.split_first() else { continue };
            said_bytes += payload.len();
            // What is too large, or comes after the end, does not leave.
            mallory.send(open[usize::from(*place) % open.len()], payload);
            frame(&mut self.app, &mut [&mut mallory]);
        }
        for _ in 0..2 {
            frame(&mut self.app, &mut [&mut mallory]);
        }
        if let Some(reason) = &mallory.closed {
            assert_eq!(*reason, ClosedReason::Remote(CloseReason::TooManyErrors));
        }
        if let Some(endpoint) = self.app.world().get::<Endpoint>(mallory.link) {
            let bytes = endpoint.memory_bytes();
            assert!(bytes <= MEMORY_LIMIT, "{bytes} bytes are kept of a connection");
        }
        // The shortest announcement of an entity has more than a byte.
        let shown = self.count::<Slot>();
        assert!(shown <= said_bytes, "{shown} entities for {said_bytes} bytes");
        self.leave(mallory);
        self.join_a_good_server();
    }

    /// A server says these bytes of itself: the client joins one that has a name that can be shown, or leaves it.
    pub(crate) fn greet(&mut self, welcome: &[u8]) {
        let mut stranger = Stranger::server_of(&mut self.app, welcome);
        for _ in 0..6 {
            frame(&mut self.app, &mut [&mut stranger]);
        }
        let world = self.app.world();
        match (world.get::<Connection>(stranger.link), world.get::<Disconnected>(stranger.link)) {
            (Some(connection), None) => {
                assert_presentable(&connection.remote_name);
                assert!(connection.tick_rate.is_finite() && connection.tick_rate > 0.0);
            }
            (None, Some(Disconnected { reason: DisconnectReason::ProtocolViolation(_) })) => {}
            (connection, ended) => panic!("neither joined nor left: {connection:?}, {ended:?}"),
        }
        self.leave(stranger);
    }

    /// Hears what a server of ours once said, and shows what it showed.
    fn join_a_good_server(&mut self) {
        let mut good = Stranger::server_of(&mut self.app, &RECORDING.welcome);
        assert!(good.connect(&mut self.app), "{:?}", good.closed);
        for (channel, payload) in &RECORDING.down {
            assert!(good.send(*channel, payload), "it was sent like this before");
        }
        for _ in 0..4 {
            frame(&mut self.app, &mut [&mut good]);
        }
        assert!(good.is_connected(self.app.world()), "{:?}", good.closed);
        assert_eq!(self.count::<Remote>(), RECORDING.shown);
        self.leave(good);
    }

    /// The connection ends, and with it goes all that it brought.
    fn leave(&mut self, server: Stranger) {
        self.app.world_mut().despawn(server.link);
        frame(&mut self.app, &mut []);
        assert_eq!((self.count::<Slot>(), self.count::<Remote>()), (0, 0), "entities outlive their server");
        assert!(self.app.world().resource::<EntityMap>().is_empty(), "names outlive their server");
        self.app.world_mut().resource_mut::<Heard>().0.clear();
    }

    fn count<C: Component>(&mut self) -> usize {
        let world = self.app.world_mut();
        world.query_filtered::<(), With<C>>().iter(world).count()
    }
}
