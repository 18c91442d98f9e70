use std::collections::BTreeMap;

use bevy::prelude::*;

use super::pipe::PipeEnd;
use crate::departed::DepartedLinks;
use crate::{Link, LinkClosed};

/// The open pipes of this app, by the entity of the [`Link`]; in order, so that runs repeat.
#[derive(Resource, Debug, Default)]
pub(super) struct MemoryPipes {
    pipes: BTreeMap<Entity, PipeEnd>,
}

impl MemoryPipes {
    pub fn insert(&mut self, link: Entity, end: PipeEnd) {
        self.pipes.insert(link, end);
    }

    pub fn close(&mut self, link: Entity) {
        self.pipes.remove(&link);
    }

    /// Sends what the departed links among these had left, and closes their pipes.
    pub fn finish_departed(&mut self, departed: &mut DepartedLinks, mut among: impl FnMut(Entity) -> bool) {
        let claimed = departed.claim(|link| among(link) && self.pipes.contains_key(&link));
        for link in claimed {
            if let Some(end) = self.pipes.remove(&link.entity) {
                for datagram in link.datagrams {
                    end.send(&datagram);
                }
            }
        }
    }
}

pub(super) fn receive_datagrams(pipes: Res<MemoryPipes>, mut links: Query<&mut Link>) {
    for (&entity, end) in &pipes.pipes {
        let Ok(mut link) = links.get_mut(entity) else {
            continue;
        };
        let mut datagram = link.spare();
        while end.receive(&mut datagram) {
            link.deliver(datagram);
            datagram = link.spare();
        }
        link.recycle(datagram);
        if let Some(reason) = end.closed_by_other() {
            link.close(reason);
        }
    }
}

pub(super) fn send_datagrams(
    mut pipes: ResMut<MemoryPipes>,
    mut departed: ResMut<DepartedLinks>,
    mut links: Query<&mut Link>,
) {
    pipes.finish_departed(&mut departed, |_| true);
    pipes.pipes.retain(|&entity, end| {
        let Ok(mut link) = links.get_mut(entity) else {
            return false;
        };
        if link.closed().is_none() {
            while let Some(datagram) = link.take_outgoing() {
                end.send(&datagram);
                link.recycle(datagram);
            }
            return true;
        }
        for datagram in link.take_remaining() {
            end.send(&datagram);
        }
        false
    });
}

pub(super) fn flush_on_exit(
    mut pipes: ResMut<MemoryPipes>,
    mut departed: ResMut<DepartedLinks>,
    mut links: Query<&mut Link>,
) {
    pipes.finish_departed(&mut departed, |_| true);
    for (&entity, end) in &pipes.pipes {
        if let Ok(mut link) = links.get_mut(entity) {
            for datagram in link.take_remaining() {
                end.send(&datagram);
            }
            link.close(LinkClosed::Local);
        }
    }
    pipes.pipes.clear();
}
