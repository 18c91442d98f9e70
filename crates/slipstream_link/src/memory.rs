//! Links between the apps of one process: for tests, and for a server and its clients in one executable.

use bevy::prelude::*;

use crate::LinkSystems;
use crate::plugin::add_link_systems;

mod connector;
mod hub;
mod listener;
mod pipe;
mod pipes;

pub use hub::MemoryHub;

use connector::{MemoryDials, finish_dials, start_dials};
use listener::{MemoryListeners, accept_dials, start_listening, stop_listening};
use pipes::{MemoryPipes, flush_on_exit, receive_datagrams, send_datagrams};

/// Links over a [`MemoryHub`]. Part of [`LinkPlugin`](crate::LinkPlugin); may be added more than once.
pub struct MemoryLinkPlugin;

impl Plugin for MemoryLinkPlugin {
    fn build(&self, app: &mut App) {
        add_link_systems(app);
        if app.world().contains_resource::<MemoryPipes>() {
            return;
        }
        app.init_resource::<MemoryPipes>()
            .init_resource::<MemoryListeners>()
            .init_resource::<MemoryDials>()
            .add_systems(
                PreUpdate,
                (stop_listening, start_listening, start_dials, accept_dials, finish_dials, receive_datagrams)
                    .chain()
                    .in_set(LinkSystems::Receive),
            )
            .add_systems(PostUpdate, (send_datagrams, stop_listening).chain().in_set(LinkSystems::Send))
            .add_systems(Last, flush_on_exit.in_set(LinkSystems::Exit));
    }

    fn is_unique(&self) -> bool {
        false
    }
}
