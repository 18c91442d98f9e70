use core::time::Duration;
use std::collections::BTreeMap;

use bevy::prelude::*;

use super::hub::MemoryHub;
use super::pipe::PipeEnd;
use super::pipes::MemoryPipes;
use crate::departed::DepartedLinks;
use crate::{Connect, Link, LinkClosed};

/// Pipes that wait for the listener, by the entity of the [`Connect`].
#[derive(Resource, Debug, Default)]
pub(super) struct MemoryDials {
    dials: BTreeMap<Entity, MemoryDial>,
}

#[derive(Debug)]
struct MemoryDial {
    hub: MemoryHub,
    end: PipeEnd,
    /// By `Time<Real>`.
    deadline: Duration,
}

pub(super) fn start_dials(
    time: Res<Time<Real>>,
    mut dials: ResMut<MemoryDials>,
    mut pipes: ResMut<MemoryPipes>,
    mut departed: ResMut<DepartedLinks>,
    added: Query<(Entity, &Connect), Added<Connect>>,
) {
    for (entity, connect) in &added {
        let Some(hub) = connect.memory_hub() else {
            continue;
        };
        // The same entity may have had a pipe; its end must not be mistaken for the new one's.
        pipes.finish_departed(&mut departed, |departed| departed == entity);
        pipes.close(entity);
        dials.dials.insert(
            entity,
            MemoryDial { hub: hub.clone(), end: hub.dial(), deadline: time.elapsed().saturating_add(connect.timeout) },
        );
    }
}

/// Turns dials into links: open where accepted, closed where refused or too late.
pub(super) fn finish_dials(
    mut commands: Commands,
    time: Res<Time<Real>>,
    mut dials: ResMut<MemoryDials>,
    mut pipes: ResMut<MemoryPipes>,
    connects: Query<&Connect>,
) {
    let waiting = core::mem::take(&mut dials.dials);
    for (entity, dial) in waiting {
        // Without its `Connect` the dial was called off, and dropping it tells the listener.
        let Ok(connect) = connects.get(entity) else {
            continue;
        };
        let properties = dial.hub.properties();
        if dial.end.is_accepted() {
            commands.entity(entity).try_insert(Link::new(properties));
            pipes.insert(entity, dial.end);
        } else if let Some(reason) = dial.end.closed_by_other() {
            commands.entity(entity).try_insert(Link::closed_with(properties, reason));
        } else if time.elapsed() >= dial.deadline {
            let reason = LinkClosed::Failed(format!(
                "nothing listened on this memory hub within {:?}: spawn a `Listen::memory` with a clone of \
                 the same hub, and update its app",
                connect.timeout
            ));
            commands.entity(entity).try_insert(Link::closed_with(properties, reason));
        } else {
            dials.dials.insert(entity, dial);
        }
    }
}
