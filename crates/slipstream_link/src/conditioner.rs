use bevy::prelude::*;
use slipstream_protocol::NetworkConditions;

use crate::{Link, LinkOf, Links, Listen};

/// Makes a [`Link`] as bad as wished: latency, jitter, loss, duplication, reordering and bandwidth, each way.
///
/// On the entity of a [`Link`] (or of a [`Connect`](crate::Connect), before its link is there) it conditions that link.
/// On the entity of a [`Listen`] it is copied to each of the links, with a seed of its own for each, and copied again
/// when it changes. The conditions may be changed at any time and hold for datagrams sent from then on; the seed is
/// read when the first datagram passes.
///
/// Removing it, or closing the link, delivers at once what it held back.
#[derive(Component, Clone, Debug, Default)]
pub struct Conditioner {
    /// From the other side to this one.
    pub incoming: NetworkConditions,
    /// From this side to the other.
    pub outgoing: NetworkConditions,
    /// The same seed and the same datagrams at the same times meet the same fate.
    pub seed: u64,
}

impl Conditioner {
    /// The same conditions in both directions, drawn apart.
    pub fn both_ways(conditions: NetworkConditions, seed: u64) -> Self {
        Self { incoming: conditions, outgoing: conditions, seed }
    }

    /// The seeds of the incoming and the outgoing direction.
    pub(crate) fn seeds(&self) -> (u64, u64) {
        let mut seeds = fastrand::Rng::with_seed(self.seed);
        (seeds.u64(..), seeds.u64(..))
    }

    /// The copy for one link of a listener: were the seeds the same, all would lose the same datagrams.
    fn for_link(&self, link: Entity) -> Self {
        Self { seed: self.seed ^ link.to_bits().rotate_left(17), ..self.clone() }
    }
}

pub(crate) fn inherit_conditioners(
    mut commands: Commands,
    listeners: Query<(Ref<Conditioner>, &Links), With<Listen>>,
    new_links: Query<(Entity, &LinkOf), (Added<LinkOf>, Without<Conditioner>)>,
) {
    for (conditioner, links) in &listeners {
        if conditioner.is_changed() {
            for link in links.iter() {
                commands.entity(link).try_insert(conditioner.for_link(link));
            }
        }
    }
    for (link, link_of) in &new_links {
        if let Ok((conditioner, _)) = listeners.get(link_of.0) {
            commands.entity(link).try_insert(conditioner.for_link(link));
        }
    }
}

pub(crate) fn condition_incoming(time: Res<Time<Real>>, mut links: Query<(&mut Link, &Conditioner)>) {
    for (mut link, conditioner) in &mut links {
        link.condition_incoming(time.elapsed(), conditioner);
    }
}

pub(crate) fn condition_outgoing(time: Res<Time<Real>>, mut links: Query<(&mut Link, &Conditioner)>) {
    for (mut link, conditioner) in &mut links {
        link.condition_outgoing(time.elapsed(), conditioner);
    }
}

pub(crate) fn lift_conditions(removed: On<Remove, Conditioner>, mut links: Query<&mut Link>) {
    if let Ok(mut link) = links.get_mut(removed.entity) {
        link.lift_conditions();
    }
}
