//! Carriers: entities that nobody sees, each with the slot in which a resource's value travels.
//!
//! A resource is not replicated where Bevy keeps it, on an entity of its own: each `World::resource_scope` takes it off and
//! puts it back, which observers see as a removal and an insertion, and that entity must not be despawned. A carrier is
//! like any replicated entity. The value goes straight from the resource to the journal, and from the record to the
//! resource.

use core::marker::PhantomData;
use std::sync::Arc;

use bevy::prelude::*;
use slipstream_connection::{EntityMap, NetworkRole, Role};

use crate::codec::{Codec, NameEntities};
use crate::journal::Journal;
use crate::replicated::{Replicated, Slot};

/// The entity is there for a resource: it is nothing of the game's.
#[derive(Component, Debug, Clone, Copy, Default)]
pub(crate) struct ResourceCarrier;

/// On a server: which resource the carrier carries.
#[derive(Component)]
pub(crate) struct Carries<R: Resource>(PhantomData<fn(R)>);

/// The codec and number of the resource `R`, for its journal system.
#[derive(Resource)]
pub(crate) struct ResourceCodec<R: Resource> {
    pub(crate) codec: Arc<dyn Codec<R>>,
    pub(crate) component: usize,
}

/// What the journal of one resource keeps between ticks.
#[derive(Default)]
pub(crate) struct Told {
    /// The carrier's slot: where it is another, nothing is told yet.
    slot: Option<Slot>,
    /// The value names an entity which may be replicated by now.
    unnamed: bool,
    words: Vec<u32>,
}

/// Quantises the resource where it changed since the last tick. The first time that it is there it gets a carrier,
/// which stays when it goes: that it is gone is news too.
pub(crate) fn journal_resource<R: Resource>(
    resource: Option<Res<R>>,
    carriers: Query<Option<&Slot>, With<Carries<R>>>,
    codec: Option<Res<ResourceCodec<R>>>,
    entities: Res<EntityMap>,
    role: Res<NetworkRole>,
    mut told: Local<Told>,
    mut journal: ResMut<Journal>,
    mut commands: Commands,
) {
    let Some(codec) = codec else { return };
    if role.0 == Role::Client {
        return;
    }
    let Some(slot) = carriers.iter().next() else {
        if resource.is_some() {
            commands.spawn((Replicated, ResourceCarrier, Carries::<R>(PhantomData)));
        }
        return;
    };
    let Some(slot) = slot else { return };
    let told = &mut *told;
    let anew = told.slot.replace(*slot) != Some(*slot);
    let Some(resource) = resource else {
        journal.note(slot.index, codec.component, None);
        return;
    };
    if !anew && !told.unnamed && !resource.is_changed() {
        return;
    }
    told.words.clear();
    let mut names = NameEntities::new(&entities);
    match codec.codec.quantize(&resource, &mut names, &mut told.words) {
        Ok(()) => journal.note(slot.index, codec.component, Some(&told.words)),
        Err(error) => warn_once!("the resource `{}` is not replicated: {error}", core::any::type_name::<R>()),
    }
    told.unnamed = names.is_unnamed();
}
