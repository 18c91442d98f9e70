//! The lines between the server and its clients, and whether anything still happens on them.

use core::time::Duration;

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::testing::{Client, Harness};
use fastrand::Rng;

use crate::scene::{cut_line, line};

/// The line to one client, which is another every few seconds.
pub struct Line {
    client: Client,
    is_cut: bool,
    /// The step at which it becomes another.
    changes_at: u32,
}

impl Line {
    pub fn to(client: Client) -> Self {
        Self { client, is_cut: false, changes_at: 0 }
    }

    /// A step passes. Cuts are shorter than what ends a connection, and never two in a row.
    pub fn pass(&mut self, step: u32, harness: &mut Harness, random: &mut Rng) {
        if step < self.changes_at {
            return;
        }
        self.is_cut = !self.is_cut && random.u32(..8) == 0;
        self.changes_at = step + random.u32(30..200);
        harness.set_conditions(self.client, if self.is_cut { cut_line() } else { random_line(random) });
    }

    /// Nothing is wrong with it, until the next step.
    pub fn clear(&mut self, harness: &mut Harness) {
        *self = Self::to(self.client);
        harness.set_conditions(self.client, line(20));
    }
}

/// As bad as chance will have it. No datagram is late by more than 16 ticks: a client keeps superseded values for 32.
fn random_line(random: &mut Rng) -> NetworkConditions {
    NetworkConditions {
        latency: Duration::from_millis(random.u64(2..=100)),
        jitter: Duration::from_millis(random.u64(..=30)),
        loss: random.f32() * 0.4,
        duplicate: random.f32() * 0.2,
        reorder: random.f32() * 0.2,
        bandwidth_bytes_per_second: None,
    }
}

/// What should not be on the server's side of a connection when nothing changes any more.
pub fn unrest(world: &World, connection: Entity) -> Vec<String> {
    let replication = world.get::<ReplicationStats>(connection);
    let network = world.get::<NetworkStats>(connection);
    let (Some(replication), Some(network)) = (replication, network) else {
        return vec!["it is not connected any more".to_owned()];
    };
    let counted = [
        (replication.waiting as u64, "entities still have something to send"),
        (replication.resets, "times it could not understand what it was sent"),
        (network.errors, "errors are charged to it, and it is honest"),
    ];
    counted.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
}
