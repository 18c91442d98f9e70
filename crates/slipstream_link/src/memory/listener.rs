use std::collections::BTreeMap;

use bevy::prelude::*;

use super::hub::HubListener;
use super::pipes::MemoryPipes;
use crate::{Link, LinkClosed, LinkOf, Links, Listen, ListenFailed, Listening};

/// By the entity of the [`Listen`].
#[derive(Resource, Debug, Default)]
pub(super) struct MemoryListeners {
    hubs: BTreeMap<Entity, HubListener>,
}

pub(super) fn start_listening(
    mut commands: Commands,
    mut listeners: ResMut<MemoryListeners>,
    added: Query<(Entity, &Listen), Added<Listen>>,
) {
    for (entity, listen) in &added {
        let Some(hub) = listen.memory_hub() else {
            continue;
        };
        // Its own former hub must be free before it may be taken again.
        listeners.hubs.remove(&entity);
        if let Some(listener) = hub.listen() {
            listeners.hubs.insert(entity, listener);
            commands.entity(entity).try_remove::<ListenFailed>().try_insert(Listening { address: None });
        } else {
            commands.entity(entity).try_insert(ListenFailed(String::from(
                "cannot listen on this memory hub: another entity or app listens on it already; \
                 despawn that listener or use another `MemoryHub`",
            )));
        }
    }
}

/// Ends the listeners that are gone, and the links of those whose entity stays without its `Listen`.
pub(super) fn stop_listening(
    mut commands: Commands,
    mut listeners: ResMut<MemoryListeners>,
    listens: Query<(), With<Listen>>,
    links: Query<(Entity, &LinkOf)>,
) {
    let gone: Vec<Entity> = listeners.hubs.keys().copied().filter(|&listener| !listens.contains(listener)).collect();
    for listener in gone {
        listeners.hubs.remove(&listener);
        for (link, link_of) in &links {
            if link_of.0 == listener {
                commands.entity(link).try_despawn();
            }
        }
        if let Ok(mut entity) = commands.get_entity(listener) {
            entity.try_remove::<Listening>();
        }
    }
}

pub(super) fn accept_dials(
    mut commands: Commands,
    listeners: Res<MemoryListeners>,
    mut pipes: ResMut<MemoryPipes>,
    listens: Query<(&Listen, Option<&Links>)>,
) {
    for (&listener, hub) in &listeners.hubs {
        let Ok((listen, links)) = listens.get(listener) else {
            continue;
        };
        let mut open_links = links.map_or(0, |links| links.len());
        for end in hub.hub().take_waiting() {
            // The connector may have given up meanwhile.
            if end.closed_by_other().is_some() {
                continue;
            }
            if open_links >= listen.max_links {
                end.close(LinkClosed::Refused(format!(
                    "the memory hub's listener is full: it takes at most {} links",
                    listen.max_links
                )));
                continue;
            }
            open_links += 1;
            let link = commands.spawn((Link::new(hub.hub().properties()), LinkOf(listener))).id();
            end.accept();
            pipes.insert(link, end);
        }
    }
}
