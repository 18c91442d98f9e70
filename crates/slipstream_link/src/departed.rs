use core::mem;

use bevy::prelude::*;

/// Links that are gone, with what they had still to send: a transport claims its own, sends that, and closes the pipe.
///
/// Filled by [`Link`](crate::Link)'s `on_remove` hook, which Bevy runs after every observer of the same despawn.
/// Transports claim in [`LinkSystems::Send`](crate::LinkSystems::Send) and
/// [`LinkSystems::Exit`](crate::LinkSystems::Exit); what nobody claimed is forgotten a frame later.
#[derive(Resource, Debug, Default)]
pub struct DepartedLinks {
    links: Vec<DepartedLink>,
}

/// One link that is gone.
#[derive(Debug)]
pub struct DepartedLink {
    /// The entity that carried the [`Link`](crate::Link); usually despawned by now.
    pub entity: Entity,
    /// What its outbox held, oldest first.
    pub datagrams: Vec<Vec<u8>>,
    /// Whether a whole frame's transports had the chance to claim it.
    is_old: bool,
}

impl DepartedLink {
    pub(crate) fn new(entity: Entity, datagrams: Vec<Vec<u8>>) -> Self {
        Self { entity, datagrams, is_old: false }
    }
}

impl DepartedLinks {
    /// Takes out the links whose entity the caller carried.
    pub fn claim(&mut self, mut owns: impl FnMut(Entity) -> bool) -> Vec<DepartedLink> {
        if self.links.is_empty() {
            return Vec::new();
        }
        let (claimed, others) = mem::take(&mut self.links).into_iter().partition(|departed| owns(departed.entity));
        self.links = others;
        claimed
    }

    pub(crate) fn push(&mut self, link: DepartedLink) {
        self.links.push(link);
    }
}

pub(crate) fn forget_departed_links(mut departed: ResMut<DepartedLinks>) {
    if !departed.links.is_empty() {
        // Those that came after the transports ran stay for the next frame's.
        departed.links.retain_mut(|link| !mem::replace(&mut link.is_old, true));
    }
}
