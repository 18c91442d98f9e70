//! What the model's entities have, besides what all these tests replicate.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use bevy_slipstream::replication::WordCoder;
use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// Shares a lane with [`Right`]. Mostly both are written at once, with the same stamp.
#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Left(pub u32);

/// See [`Left`].
#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Right(pub u32);

/// Travels in steps, and says of which write it is.
#[derive(Component, NetworkCodec, Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub stamp: u32,
    #[net(range = -256.0..256.0, step = 0.01, steady)]
    pub x: f32,
    #[net(range = -4.0..4.0, step = 0.25)]
    pub y: f32,
}

impl Place {
    /// What is written with a stamp: whoever knows the stamp knows what the server had.
    pub fn of(stamp: u32) -> Self {
        let x = (stamp as f32 * 0.002).sin() * 250.0;
        Self { stamp, x, y: Rng::with_seed(u64::from(stamp)).f32() * 8.0 - 4.0 }
    }

    /// Whether it is what was written with its stamp, within what the codecs declare.
    pub fn is_true(&self) -> bool {
        let truth = Self::of(self.stamp);
        let within = |error: f32, codec: Quantised| codec.max_error().is_some_and(|bound| error.abs() <= bound);
        within(self.x - truth.x, Quantised::new(-256.0..256.0, 0.01))
            && within(self.y - truth.y, Quantised::new(-4.0..4.0, 0.25))
    }
}

/// Registers all of them, on every peer.
pub fn register(app: &mut App) {
    crate::scene::register(app);
    app.replicate::<Left>().lane("hands");
    app.replicate::<Right>().lane("hands");
    app.replicate_quantised::<Place>();
}
