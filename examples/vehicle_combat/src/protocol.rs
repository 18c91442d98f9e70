//! What travels: the components, inputs and messages that every peer of the game registers alike.
//!
//! The server sends everything; a client sends only its own [`DriveAction`]s. The arena's fingerprint is part of the
//! handshake, so that two peers with different arenas are told so instead of driving through each other's walls.

use bevy::prelude::*;
use bevy_slipstream::prelude::*;

use crate::actions::DriveAction;
use crate::arena::Arena;
use crate::health::{Health, Wreck};
use crate::pickup::Pickup;
use crate::player::Player;
use crate::round::{RoundState, Score};
use crate::turret::Turret;
use crate::vehicle::{Vehicle, WheelPose};
use crate::weapon::rocket::Rocket;
use crate::weapon::{Ammunition, Explosion, Kill, Shot};

/// Remembers that [`register`] was here.
#[derive(Resource)]
struct Registered;

/// Remembers that [`declare_arena`] was here.
#[derive(Resource)]
struct ArenaDeclared;

/// Registers everything that travels. The game's plugins call it; calling it again does nothing. After
/// `NetworkingPlugin`.
pub fn register(app: &mut App) {
    if app.world().contains_resource::<Registered>() {
        return;
    }
    app.insert_resource(Registered);

    // ±512 m in millimetres, rotation to about 0.05°.
    let _ = app.replicate_transform(TransformCodec::new(-512.0..512.0, 0.001, 11));
    let _ = app.replicate::<Vehicle>();
    let _ = app.replicate::<Player>();
    let _ = app.replicate::<Turret>();
    // Only drawn, and the eye does not count suspensions: 20 a second.
    let _ = app.replicate::<WheelPose>().send_every(3);
    let _ = app.replicate::<Health>();
    let _ = app.replicate::<Wreck>();
    let _ = app.replicate::<Ammunition>();
    let _ = app.replicate::<Score>();
    let _ = app.replicate::<Rocket>();
    let _ = app.replicate::<Pickup>();
    let _ = app.replicate::<RoundState>();

    app.input_actions::<DriveAction>();

    app.register_message::<Shot>(channels::EVENT);
    app.register_message::<Explosion>(channels::EVENT);
    app.register_message::<Kill>(channels::DISPATCH);
}

/// Makes the [`Arena`] resource part of the handshake.
pub fn declare_arena(app: &mut App) {
    if app.world().contains_resource::<ArenaDeclared>() {
        return;
    }
    app.insert_resource(ArenaDeclared);
    let arena = app.world().resource::<Arena>();
    let (name, fingerprint) = (arena.name.clone(), arena.fingerprint());
    app.add_protocol_entry("arena", &name, &fingerprint);
}
