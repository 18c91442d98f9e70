//! A connection's replication begins and ends with it.

use bevy::prelude::*;
use slipstream_connection::{Connected, Endpoint, NetworkRole, Role};

use crate::apply::despawn_all;
use crate::incoming::Incoming;
use crate::interest::Interest;
use crate::journal::Journal;
use crate::registry::Registry;
use crate::slots::Slots;
use crate::view::{ReplicationStats, View};

/// A connection with a link gets a view of the world.
pub(crate) fn open_view(
    added: On<Add, Connected>,
    endpoints: Query<(), With<Endpoint>>,
    registry: Res<Registry>,
    mut commands: Commands,
) {
    if endpoints.contains(added.entity) {
        let view = View::new(registry.lanes.len());
        commands.entity(added.entity).try_insert((view, Incoming::default(), ReplicationStats::default()));
    }
}

/// A connection ended: what it saw is no longer referred to, and what a server brought to a client goes.
pub(crate) fn close_view(
    removed: On<Remove, Connected>,
    mut views: Query<(&mut View, &mut Incoming)>,
    role: Res<NetworkRole>,
    mut journal: ResMut<Journal>,
    mut slots: ResMut<Slots>,
    mut commands: Commands,
) {
    let Ok((mut view, mut incoming)) = views.get_mut(removed.entity) else { return };
    view.close(&mut slots, &mut journal);
    if role.0 == Role::Client {
        let brought = core::mem::take(&mut *incoming);
        commands.queue(move |world: &mut World| despawn_all(world, &brought));
    }
    commands.entity(removed.entity).try_remove::<(View, Incoming, Interest)>();
}
