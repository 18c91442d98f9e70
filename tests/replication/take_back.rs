//! What an owner tells, the server may change: its word goes to the owner too, and wins over all that crossed it on the line.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};

use crate::scene::{Health, SETTLED, Steer, bad_line, line, register, two_clients};

/// What the server says, where owners say numbers from 1 on.
const SERVERS: i32 = -7;

/// A server's entity and two clients who see it, of whom the first owns it.
struct Table {
    seed: u64,
    harness: Harness,
    alice: Client,
    bob: Client,
    entity: Entity,
    /// What the owner said last.
    word: i32,
}

impl Table {
    /// On lines on which nothing can be relied on.
    fn on_bad_lines(seed: u64) -> Self {
        let mut harness = Harness::new(register);
        harness.set_seed(seed);
        let (alice, bob) = (harness.add_client(bad_line()), harness.add_client(bad_line()));
        harness.connect();
        Self::laid(seed, harness, alice, bob)
    }

    /// On lines of 120 ms round trip, where every tick is known.
    fn on_long_lines() -> Self {
        let mut harness = Harness::new(register);
        let (alice, bob) = (harness.add_client(line(60)), harness.add_client(line(60)));
        harness.connect();
        Self::laid(0, harness, alice, bob)
    }

    fn laid(seed: u64, mut harness: Harness, alice: Client, bob: Client) -> Self {
        let owner = harness.server_connection(alice);
        let entity = harness.server().world_mut().spawn((Replicated, Owner(owner), Steer(0), Health(1))).id();
        let mut table = Self { seed, harness, alice, bob, entity, word: 0 };
        let arrived = table.harness.run_until(600, |harness| {
            harness.remote::<Controlled>(alice, entity).is_some() && harness.remote::<Steer>(bob, entity).is_some()
        });
        assert!(arrived, "seed {seed}: the clients never saw the entity");
        table
    }

    fn give(&mut self, client: Client) {
        let owner = self.harness.server_connection(client);
        self.harness.server().world_mut().entity_mut(self.entity).insert(Owner(owner));
    }

    /// The server's systems change it.
    fn change(&mut self, value: i32) {
        self.harness.server().world_mut().entity_mut(self.entity).insert(Steer(value));
    }

    fn controls(&self, client: Client) -> bool {
        self.harness.remote::<Controlled>(client, self.entity).is_some()
    }

    /// A client that takes itself for the owner says the next number; which.
    fn speak(&mut self, client: Client) -> Option<i32> {
        if !self.controls(client) {
            return None;
        }
        self.word += 1;
        let local = self.harness.remote_entity(client, self.entity).expect("who controls it sees it");
        self.harness.client(client).world_mut().entity_mut(local).insert(Steer(self.word));
        Some(self.word)
    }

    fn on_server(&mut self) -> Option<i32> {
        self.harness.server().world().get::<Steer>(self.entity).map(|steer| steer.0)
    }

    fn shown(&self, client: Client) -> Option<i32> {
        self.harness.remote::<Steer>(client, self.entity).map(|steer| steer.0)
    }

    /// Alice speaks in every tick, until she has shown `awaited` at the end of one. Which word she had said by then.
    fn speak_until_heard(&mut self, awaited: i32, mut each: impl FnMut(&mut Self)) -> i32 {
        for _ in 0..600 {
            self.speak(self.alice);
            self.harness.run_ticks(1);
            each(self);
            if self.shown(self.alice) == Some(awaited) {
                return self.word;
            }
        }
        panic!("seed {}: the owner never heard of {awaited}", self.seed);
    }

    /// On good lines, when nobody speaks any more: the server and both clients have the same.
    #[track_caller]
    fn assert_agreed(&mut self) -> Option<i32> {
        for client in [self.alice, self.bob] {
            self.harness.set_conditions(client, line(20));
        }
        self.harness.run_ticks(4 * SETTLED);
        let truth = self.on_server();
        let (alice, bob) = (self.shown(self.alice), self.shown(self.bob));
        assert_eq!((alice, bob), (truth, truth), "seed {}: alice, bob and the server", self.seed);
        truth
    }
}

/// How often a peer's world had another `Steer`.
#[derive(Resource, Default)]
struct Changes(u32);

fn count_changes(changed: Query<(), Changed<Steer>>, mut changes: ResMut<Changes>) {
    changes.0 += changed.iter().count() as u32;
}

#[test]
fn what_the_server_changes_reaches_everyone_once() {
    let mut harness = Harness::new(|app| {
        register(app);
        app.init_resource::<Changes>().add_systems(Update, count_changes);
    });
    let (alice, bob) = (harness.add_client(line(20)), harness.add_client(line(20)));
    harness.connect();
    let mut table = Table::laid(0, harness, alice, bob);
    table.speak(alice);
    table.harness.run_ticks(SETTLED);
    let count = |table: &mut Table| {
        let server = table.harness.server().world().resource::<Changes>().0;
        [alice, bob].map(|client| table.harness.client(client).world().resource::<Changes>().0).into_iter().sum::<u32>()
            + server
    };
    let before = count(&mut table);
    table.change(SERVERS);
    table.harness.run_ticks(SETTLED);
    assert_eq!(table.assert_agreed(), Some(SERVERS));
    assert_eq!(count(&mut table) - before, 3, "once on the server, and once on each client");
}

#[test]
fn the_servers_word_wins_over_what_was_on_its_way_and_the_owner_goes_on_from_there() {
    for seed in 1..=6 {
        let mut table = Table::on_bad_lines(seed);
        let mut heeded = 0;
        for round in 1..=8 {
            let servers = SERVERS * round;
            for _ in 0..20 {
                table.speak(table.alice);
                table.harness.run_ticks(1);
            }
            table.change(servers);
            let heard = table.speak_until_heard(servers, |table| {
                assert_eq!(table.on_server(), Some(servers), "seed {seed}: the owner did not know, and was heeded");
            });
            for _ in 0..60 {
                table.speak(table.alice);
                table.harness.run_ticks(1);
                let truth = table.on_server().expect("it steers");
                assert!(truth == servers || truth > heard, "seed {seed}: {truth} was said before {heard}, and counts");
                heeded += u32::from(truth > heard);
            }
        }
        assert!(
            heeded > 100,
            "seed {seed}: of what the owner said on top of the server's word {heeded} ticks saw some"
        );
        table.speak(table.alice);
        let last = table.word;
        assert_eq!(table.assert_agreed(), Some(last), "seed {seed}");
    }
}

#[test]
fn a_change_wins_over_a_word_that_arrives_in_the_same_frame() {
    let mut table = Table::on_long_lines();
    for _ in 0..60 {
        // A word is on its way to arrive in each of the next ticks.
        table.speak(table.alice);
        table.harness.run_ticks(1);
    }
    table.change(SERVERS);
    table.harness.run_ticks(1);
    assert_eq!(table.on_server(), Some(SERVERS));
    assert_eq!(table.assert_agreed(), Some(SERVERS));
}

#[test]
fn what_the_server_takes_off_or_puts_on_its_owner_has_no_longer_or_has() {
    let mut table = Table::on_long_lines();
    table.speak(table.alice);
    table.harness.run_ticks(SETTLED);
    let entity = table.entity;
    table.harness.server().world_mut().entity_mut(entity).remove::<Steer>();
    table.harness.run_ticks(SETTLED);
    assert_eq!((table.shown(table.alice), table.on_server()), (None, None));
    assert_eq!(table.assert_agreed(), None);
    table.change(SERVERS);
    table.harness.run_ticks(SETTLED);
    assert_eq!(table.shown(table.alice), Some(SERVERS));
    table.speak(table.alice);
    let word = table.word;
    assert_eq!(table.assert_agreed(), Some(word));
}

/// What the key says, a client's system writes in each tick.
fn hold_key(mut own: Query<&mut Steer, With<Controlled>>) {
    for mut steer in &mut own {
        steer.0 = 5;
    }
}

#[test]
fn an_owner_that_says_the_same_again_after_the_server_changed_it_is_heard() {
    let mut harness = Harness::new(|app| {
        register(app);
        app.add_systems(FixedPreUpdate, hold_key.run_if(is_client));
    });
    let (alice, bob) = (harness.add_client(line(20)), harness.add_client(line(20)));
    harness.connect();
    let mut table = Table::laid(0, harness, alice, bob);
    table.harness.run_ticks(SETTLED);
    assert_eq!(table.on_server(), Some(5));
    table.change(SERVERS);
    table.harness.run_ticks(1);
    assert_eq!(table.on_server(), Some(SERVERS));
    table.harness.run_ticks(SETTLED);
    assert_eq!((table.on_server(), table.shown(bob)), (Some(5), Some(5)));
}

#[test]
fn what_was_on_its_way_when_the_entity_was_taken_away_goes_nowhere() {
    for seed in 1..=6 {
        let mut table = Table::on_bad_lines(seed);
        for _ in 0..40 {
            table.speak(table.alice);
            table.harness.run_ticks(1);
        }
        let entity = table.entity;
        table.harness.server().world_mut().entity_mut(entity).remove::<Owner>();
        table.harness.run_ticks(1);
        let taken = table.on_server();
        for _ in 0..120 {
            table.speak(table.alice);
            table.harness.run_ticks(1);
            assert_eq!(table.on_server(), taken, "seed {seed}: a late word was heeded");
        }
        assert_eq!(table.assert_agreed(), taken, "seed {seed}");
    }
}

#[test]
fn an_entity_that_goes_there_and_back_within_a_round_trip_is_as_it_was_when_it_went() {
    for seed in 1..=6 {
        let mut table = Table::on_bad_lines(seed);
        for turn in 0..6 {
            for _ in 0..20 {
                table.speak(table.alice);
                table.harness.run_ticks(1);
            }
            // From here on what alice says is said in an ownership that is over.
            let before = table.word;
            table.give(table.bob);
            table.speak(table.alice);
            table.harness.run_ticks(1 + turn % 3);
            table.give(table.alice);
            table.harness.run_ticks(1);
            let taken = table.on_server();
            assert!(taken.is_none_or(|taken| taken <= before), "seed {seed}: a word of after the end was heeded");
            // It stands until alice has shown it, and what she says after that counts.
            let returned = taken.expect("it steers");
            let heard = table.speak_until_heard(returned, |table| {
                assert_eq!(table.on_server(), taken, "seed {seed}: a word of the earlier ownership was heeded");
            });
            for _ in 0..40 {
                table.speak(table.alice);
                table.harness.run_ticks(1);
                let truth = table.on_server().expect("it steers");
                assert!(truth == returned || truth > heard, "seed {seed}: {truth} was said before {heard}");
            }
        }
        table.speak(table.alice);
        let last = table.word;
        assert_eq!(table.assert_agreed(), Some(last), "seed {seed}");
    }
}

#[test]
fn who_regains_an_entity_within_a_round_trip_does_not_claim_what_it_said_meanwhile() {
    let mut table = Table::on_long_lines();
    table.speak(table.alice);
    table.harness.run_ticks(SETTLED);
    let before = table.on_server();
    assert_eq!(before, Some(1));
    table.give(table.bob);
    table.harness.run_ticks(1);
    // Alice has not heard of it.
    assert_eq!(table.speak(table.alice), Some(2));
    table.give(table.alice);
    table.harness.run_ticks(1);
    assert_eq!(table.shown(table.alice), Some(2));
    assert_eq!(table.assert_agreed(), before);
    assert!(table.controls(table.alice));
}

#[test]
fn a_new_owner_begins_with_what_the_server_has() {
    for seed in 1..=4 {
        let mut table = Table::on_bad_lines(seed);
        for _ in 0..40 {
            table.speak(table.alice);
            table.harness.run_ticks(1);
        }
        table.give(table.bob);
        table.harness.run_ticks(1);
        let taken = table.on_server();
        // Bob, who shows something older, says nothing of his own.
        for _ in 0..120 {
            table.harness.run_ticks(1);
            assert_eq!(table.on_server(), taken, "seed {seed}");
        }
        assert_eq!(table.assert_agreed(), taken, "seed {seed}");
        table.speak(table.bob);
        let word = table.word;
        assert_eq!(table.assert_agreed(), Some(word), "seed {seed}");
    }
}

#[test]
fn an_owner_from_whom_the_entity_is_hidden_a_moment_agrees_with_the_server_again() {
    for seed in 1..=6 {
        let mut table = Table::on_bad_lines(seed);
        for turn in 0..6 {
            for _ in 0..20 {
                table.speak(table.alice);
                table.harness.run_ticks(1);
            }
            let entity = table.entity;
            table.harness.server().world_mut().entity_mut(entity).insert(VisibleTo::Nobody);
            for _ in 0..=2 * turn {
                table.speak(table.alice);
                table.harness.run_ticks(1);
            }
            table.harness.server().world_mut().entity_mut(entity).insert(VisibleTo::Everyone);
            for _ in 0..30 {
                table.speak(table.alice);
                table.harness.run_ticks(1);
            }
            let truth = table.assert_agreed();
            assert!(truth.is_some(), "seed {seed}, turn {turn}");
            for client in [table.alice, table.bob] {
                table.harness.set_conditions(client, bad_line());
            }
        }
    }
}

#[test]
fn a_server_that_changes_it_in_every_tick_has_it_to_itself() {
    let (harness, alice, bob) = two_clients();
    let mut table = Table::laid(0, harness, alice, bob);
    for tick in 1..=60 {
        table.change(-tick);
        table.speak(alice);
        table.harness.run_ticks(1);
        assert_eq!(table.on_server(), Some(-tick));
    }
    assert_eq!(table.assert_agreed(), Some(-60));
}
