//! A server that hostile clients connect to, one after the other, while one that behaves plays on.

use core::cell::RefCell;
use core::mem::ManuallyDrop;

use bevy::prelude::*;
use bevy_slipstream::connection::{MAX_HELLO_DATA_BYTES, MAX_NAME_BYTES};
use bevy_slipstream::prelude::*;
use bevy_slipstream::protocol::ClosedReason;

use super::game::{Heard, Scene, furnish, start, truth};
use super::inputs::shift_newest;
use super::parts;
use super::recording::{MOST_PARTS, hello};
use super::records::confirm_word;
use super::stranger::{Stranger, frame};

/// What a connection may hold when its inboxes are empty again, in bytes.
pub(crate) const MEMORY_LIMIT: usize = 1 << 20;

/// Terms of owners that are told apart on the wire.
const TERMS: u32 = 256;

/// Frames after an attack, so that it has come to an end.
const AFTERMATH_FRAMES: usize = 2;

thread_local! {
    // Not dropped with its thread: what an app drops may ask for other things of the thread, which are gone by then.
    static HOST: ManuallyDrop<RefCell<Host>> = ManuallyDrop::new(RefCell::new(Host::new()));
}

/// Runs against this thread's server.
pub(crate) fn with_host(attack: impl FnOnce(&mut Host)) {
    HOST.with(|host| attack(&mut host.borrow_mut()));
}

pub(crate) struct Host {
    app: App,
    listener: Entity,
    scene: Scene,
    truth: String,
    /// The client that behaves.
    good: Stranger,
    /// How often it said something.
    said: u32,
    /// How often the vehicle got another owner.
    terms: u32,
    /// The tick at which it was given away last: of that tick is what its owner must know to be heeded.
    given_at: u32,
}

impl Host {
    fn new() -> Self {
        let mut app = start(NetworkingPlugin::server(), |_| {});
        let scene = furnish(app.world_mut());
        let listener = app.world_mut().spawn_empty().id();
        let mut good = Stranger::client_of(&mut app, listener, &hello("good"));
        assert!(good.connect(&mut app), "a server lets in who behaves");
        let truth = truth(app.world_mut(), &scene);
        Self { app, listener, scene, truth, good, said: 0, terms: 0, given_at: 0 }
    }

    /// A client connects, owns the vehicle, and says what the input says, each message on one of these channels.
    ///
    /// It may steer its own vehicle. It changes nothing else, it is thrown out for too many errors if for anything, and
    /// the other client is not disturbed.
    pub(crate) fn attack(&mut self, data: &[u8], open: &[ChannelId]) {
        let mut mallory = Stranger::client_of(&mut self.app, self.listener, &hello("mallory"));
        self.run(&mut mallory, 4);
        assert!(mallory.is_connected(self.app.world()), "{:?}", mallory.closed);
        self.give_vehicle(mallory.link);
        self.run(&mut mallory, 2);
        for part in parts::split(data, MOST_PARTS) {
            let Some((place, payload)) = part.split_first() else { continue };
            let channel = open[usize::from(*place) % open.len()];
            let mut payload = payload.to_vec();
            if channel == channels::INPUTS {
                shift_newest(&mut payload, self.app.world().resource::<SimulationTick>().0.get());
            }
            if channel == channels::RECORD_REQUESTS {
                confirm_word(&mut payload, self.terms, self.given_at);
            }
            // What is too large, or comes after the end, does not leave.
            mallory.send(channel, &payload);
            self.run(&mut mallory, 1);
        }
        self.run(&mut mallory, AFTERMATH_FRAMES);
        if let Some(reason) = &mallory.closed {
            assert_eq!(*reason, ClosedReason::Remote(CloseReason::TooManyErrors));
        }
        if let Some(endpoint) = self.app.world().get::<Endpoint>(mallory.link) {
            let bytes = endpoint.memory_bytes();
            assert!(bytes <= MEMORY_LIMIT, "{bytes} bytes are kept of a connection");
        }
        assert_eq!(truth(self.app.world_mut(), &self.scene), self.truth, "a client changed what is not its own");
        self.dismiss(mallory);
    }

    /// A client says these bytes of itself: it is let in under a name that can be shown, or told why not.
    pub(crate) fn greet(&mut self, hello: &[u8]) {
        let mut stranger = Stranger::client_of(&mut self.app, self.listener, hello);
        self.run(&mut stranger, 4);
        match (&stranger.closed, self.app.world().get::<Connection>(stranger.link)) {
            (None, Some(connection)) => {
                assert_presentable(&connection.remote_name);
                assert!(connection.remote_data.len() <= MAX_HELLO_DATA_BYTES);
            }
            (Some(ClosedReason::Refused(RefuseReason::Denied(_))), None) => {}
            (closed, connection) => panic!("neither let in nor refused: {closed:?}, {connection:?}"),
        }
        self.dismiss(stranger);
    }

    /// Gives a client the vehicle, in a term whose low bits are those of the recording's: an owner's records say them.
    /// Until they are, the other client has it in turn.
    fn give_vehicle(&mut self, client: Entity) {
        loop {
            self.terms += 1;
            let owner = if self.terms % 2 == 1 { client } else { self.good.link };
            self.app.world_mut().entity_mut(self.scene.vehicle).insert(Owner(owner));
            if self.terms % TERMS == 1 {
                // The next frame is its tick.
                self.given_at = self.app.world().resource::<SimulationTick>().0.get().wrapping_add(1);
                return;
            }
        }
    }

    fn run(&mut self, stranger: &mut Stranger, frames: usize) {
        for _ in 0..frames {
            frame(&mut self.app, &mut [&mut self.good, &mut *stranger]);
        }
    }

    /// The stranger leaves. Nothing of it stays, and the client that behaves is heard.
    fn dismiss(&mut self, stranger: Stranger) {
        if let Ok(connection) = self.app.world_mut().get_entity_mut(stranger.link) {
            connection.despawn();
        }
        self.said += 1;
        let text = self.said.to_string();
        assert!(self.good.send(channels::DISPATCH, &chat(&text)));
        for _ in 0..2 {
            frame(&mut self.app, &mut [&mut self.good]);
        }
        self.good.inbox.clear();
        assert!(self.good.is_connected(self.app.world()), "{:?}", self.good.closed);
        let world = self.app.world_mut();
        let heard = core::mem::take(&mut world.resource_mut::<Heard>().0);
        assert!(heard.contains(&(self.good.link, text)), "{heard:?}");
        assert_eq!(world.query::<&Endpoint>().iter(world).count(), 1, "a connection outlives its peer");
        assert!(world.get::<Owner>(self.scene.vehicle).is_none());
    }
}

/// A `Chat` on the wire: of the types, sorted by name, it is the third after `Ask` and its response.
fn chat(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short text");
    [[2, length].as_slice(), text.as_bytes()].concat()
}

/// A name that fits a line.
pub(crate) fn assert_presentable(name: &str) {
    assert!(name.len() <= MAX_NAME_BYTES && !name.contains(char::is_control), "{name:?}");
}

#[cfg(test)]
mod tests {
    use super::super::game::Steer;
    use super::super::recording::RECORDING;
    use super::*;

    #[test]
    fn what_a_client_of_ours_said_steers_the_vehicle_every_time() {
        let open = [channels::RECORD_REQUESTS, channels::RECORDS];
        // That it knows what the server had, and what it says on top of that.
        let said = (0_u8..).zip(open).zip([1, MOST_PARTS - 1]).flat_map(|((place, open), most)| {
            let said = RECORDING.up.iter().filter(move |(channel, _)| *channel == open).take(most);
            said.map(move |(_, payload)| [[place].as_slice(), payload].concat())
        });
        let input = parts::join(said);
        with_host(|host| {
            for _ in 0..3 {
                host.app.world_mut().entity_mut(host.scene.vehicle).insert(Steer(-7));
                host.attack(&input, &open);
                assert_ne!(host.app.world().get::<Steer>(host.scene.vehicle), Some(&Steer(-7)));
            }
        });
    }
}
