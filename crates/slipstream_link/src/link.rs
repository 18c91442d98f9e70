use core::time::Duration;

use bevy::ecs::lifecycle::HookContext;
use bevy::ecs::world::DeferredWorld;
use bevy::prelude::*;
use slipstream_protocol::LinkProperties;

use crate::conditioner::Conditioner;
use crate::departed::{DepartedLink, DepartedLinks};
use crate::{LinkClosed, path::DatagramPath};

/// A pipe of datagrams to one other process: an inbox, an outbox, and what the pipe promises.
///
/// Put on entities by the transports; see [`Listen`](crate::Listen) and [`Connect`](crate::Connect). The layer above
/// uses [`receive`](Self::receive), [`send`](Self::send) and [`closed`](Self::closed); transports use the rest. Both
/// queues are bounded to 4096 datagrams, and what does not fit is dropped and counted.
///
/// Both make datagrams in the memory of a [`spare`](Self::spare) one and give those that are done with back by
/// [`recycle`](Self::recycle), so that a link at work allocates nothing.
///
/// Removing the component, or despawning its entity, closes the pipe after what is in the outbox has left.
/// A link closed by the other side stays, closed, until its entity is despawned.
#[derive(Component, Debug)]
#[component(on_remove = record_departure)]
pub struct Link {
    properties: LinkProperties,
    state: LinkState,
    incoming: DatagramPath,
    outgoing: DatagramPath,
    oversized: u64,
    /// Empty, each with room for a datagram.
    spare: Vec<Vec<u8>>,
}

/// What the memory kept for datagrams to come takes at most, in bytes: those of some frames.
const MAX_SPARE_BYTES: usize = 128 << 10;

#[derive(Debug)]
enum LinkState {
    Opening,
    Open,
    Closed(LinkClosed),
}

/// Datagrams that a [`Link`] dropped because a queue was full, the link was closed, or they exceeded its MTU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DroppedDatagrams {
    /// Received, but nobody took datagrams out of the inbox in time.
    pub incoming: u64,
    /// Sent faster than the transport takes them, or into a closed link.
    pub outgoing: u64,
    /// Sent with more bytes than [`LinkProperties::mtu`].
    pub oversized: u64,
}

impl Link {
    /// An open link.
    pub fn new(properties: LinkProperties) -> Self {
        Self {
            properties,
            state: LinkState::Open,
            incoming: DatagramPath::default(),
            outgoing: DatagramPath::default(),
            oversized: 0,
            spare: Vec::new(),
        }
    }

    /// A link whose pipe is not there yet: it keeps what is sent, up to its bound, until
    /// [`set_open`](Self::set_open).
    pub fn opening(properties: LinkProperties) -> Self {
        Self { state: LinkState::Opening, ..Self::new(properties) }
    }

    /// A link that never opened, with the reason.
    pub(crate) fn closed_with(properties: LinkProperties, reason: LinkClosed) -> Self {
        Self { state: LinkState::Closed(reason), ..Self::new(properties) }
    }

    /// What the pipe promises, and the most bytes of one datagram.
    pub fn properties(&self) -> LinkProperties {
        self.properties
    }

    /// The next datagram from the other side.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        self.incoming.pop()
    }

    /// Queues one datagram; it leaves in this frame's [`LinkSystems::Send`](crate::LinkSystems::Send). Nothing is
    /// promised about its arrival. Dropped and counted when the link is closed, the queue full or the datagram above
    /// the MTU.
    pub fn send(&mut self, datagram: Vec<u8>) {
        if datagram.len() > self.properties.mtu {
            self.oversized += 1;
        } else if self.closed().is_some() {
            self.outgoing.count_dropped();
        } else {
            self.outgoing.push(datagram);
        }
    }

    /// An empty buffer with room for a datagram.
    pub fn spare(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(self.room()))
    }

    /// Takes the memory of a datagram that was read or has left, for [`spare`](Self::spare). What is kept is bounded, and
    /// of one size: a buffer that was not made by `spare` is freed.
    pub fn recycle(&mut self, mut datagram: Vec<u8>) {
        let room = self.room();
        if datagram.capacity() == room && (self.spare.len() + 1) * room <= MAX_SPARE_BYTES {
            datagram.clear();
            self.spare.push(datagram);
        }
    }

    /// Capacity of a datagram's buffer: a word more than the MTU, because whoever writes bits appends whole words.
    fn room(&self) -> usize {
        self.properties.mtu.min(usize::from(u16::MAX)) + size_of::<u64>()
    }

    /// Why the link is closed; `None` while it is not. Empty the inbox before acting on it.
    pub fn closed(&self) -> Option<&LinkClosed> {
        match &self.state {
            LinkState::Closed(reason) => Some(reason),
            LinkState::Opening | LinkState::Open => None,
        }
    }

    /// Whether datagrams pass now.
    pub fn is_open(&self) -> bool {
        matches!(self.state, LinkState::Open)
    }

    /// What this link has dropped so far.
    pub fn dropped(&self) -> DroppedDatagrams {
        DroppedDatagrams {
            incoming: self.incoming.dropped(),
            outgoing: self.outgoing.dropped(),
            oversized: self.oversized,
        }
    }

    /// Closes the link. The first reason stays. With [`LinkClosed::Local`] the transport sends what is queued and then
    /// closes the pipe, in this frame's [`LinkSystems::Send`](crate::LinkSystems::Send). What a conditioner holds of
    /// the received datagrams is in the inbox at once, so that it can be read before the end is acted on.
    pub fn close(&mut self, reason: LinkClosed) {
        if self.closed().is_none() {
            self.state = LinkState::Closed(reason);
            self.incoming.release();
        }
    }

    /// For transports: the pipe is there. A closed link stays closed.
    pub fn set_open(&mut self) {
        if self.closed().is_none() {
            self.state = LinkState::Open;
        }
    }

    /// For transports: puts one received datagram into the inbox.
    pub fn deliver(&mut self, datagram: Vec<u8>) {
        if self.closed().is_some() {
            self.incoming.count_dropped();
        } else {
            self.incoming.push(datagram);
        }
    }

    /// For transports: the next datagram to send, if one is due.
    pub fn take_outgoing(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop()
    }

    /// For transports: the bytes of what [`take_outgoing`](Self::take_outgoing) gives next, to stop before a limit.
    pub fn next_outgoing_bytes(&self) -> Option<usize> {
        self.outgoing.next_bytes()
    }

    /// For transports, when the pipe is about to close: everything that is left to send, also what a conditioner holds.
    pub fn take_remaining(&mut self) -> Vec<Vec<u8>> {
        self.outgoing.take_all()
    }

    pub(crate) fn condition_incoming(&mut self, now: Duration, conditioner: &Conditioner) {
        // A closed link has released what was held; nothing comes any more.
        if self.closed().is_none() {
            let (seed, _) = conditioner.seeds();
            self.incoming.condition(now, conditioner.incoming, seed);
        }
    }

    pub(crate) fn condition_outgoing(&mut self, now: Duration, conditioner: &Conditioner) {
        if self.closed().is_none() {
            let (_, seed) = conditioner.seeds();
            self.outgoing.condition(now, conditioner.outgoing, seed);
        }
    }

    pub(crate) fn lift_conditions(&mut self) {
        self.incoming.release();
        self.outgoing.release();
    }
}

/// Hands what is left in the outbox to the transport. A hook and not an observer: it runs after every observer of the
/// same despawn, so that those may still write.
fn record_departure(mut world: DeferredWorld, context: HookContext) {
    let Some(mut link) = world.get_mut::<Link>(context.entity) else {
        return;
    };
    let datagrams = link.take_remaining();
    if let Some(mut departed) = world.get_resource_mut::<DepartedLinks>() {
        departed.push(DepartedLink::new(context.entity, datagrams));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> LinkProperties {
        LinkProperties { mtu: 4, ..LinkProperties::default() }
    }

    #[test]
    fn a_datagram_above_the_mtu_is_dropped_and_counted() {
        let mut link = Link::new(small());
        link.send(vec![0; 5]);
        link.send(vec![0; 4]);
        assert_eq!(link.dropped().oversized, 1);
        assert_eq!(link.take_remaining().len(), 1);
    }

    #[test]
    fn the_memory_of_a_datagram_that_has_left_holds_the_next_and_what_is_kept_is_bounded() {
        let mut link = Link::new(LinkProperties::default());
        let mut datagram = link.spare();
        datagram.extend_from_slice(&[7; 1200]);
        let place = datagram.as_ptr();
        link.send(datagram);
        let sent = link.take_outgoing().unwrap();
        link.recycle(sent);
        let next = link.spare();
        assert!(next.is_empty() && next.as_ptr() == place);

        let many: Vec<Vec<u8>> = (0..1000).map(|_| link.spare()).collect();
        for datagram in many {
            link.recycle(datagram);
        }
        link.recycle(vec![7; 100_000]);
        assert!(link.spare.iter().map(Vec::capacity).sum::<usize>() <= MAX_SPARE_BYTES);
        assert!(link.spare.len() > 64);
    }

    #[test]
    fn the_first_reason_of_closing_stays() {
        let mut link = Link::new(small());
        link.close(LinkClosed::TimedOut);
        link.close(LinkClosed::Local);
        link.set_open();
        assert_eq!(link.closed(), Some(&LinkClosed::TimedOut));
        assert!(!link.is_open());
    }

    #[test]
    fn what_came_before_the_end_is_still_read() {
        let mut link = Link::new(small());
        link.deliver(vec![1]);
        link.close(LinkClosed::TimedOut);
        link.deliver(vec![2]);
        assert_eq!(link.receive(), Some(vec![1]));
        assert_eq!(link.receive(), None);
    }

    #[test]
    fn an_observer_of_the_despawn_may_still_write() {
        #[derive(Component)]
        struct Farewell;

        let mut world = World::new();
        world.init_resource::<DepartedLinks>();
        world.add_observer(|removed: On<Remove, Farewell>, mut links: Query<&mut Link>| {
            if let Ok(mut link) = links.get_mut(removed.entity) {
                link.send(vec![2]);
            }
        });
        let mut link = Link::new(small());
        link.send(vec![1]);
        let entity = world.spawn((link, Farewell)).id();
        world.despawn(entity);
        let departed = world.resource_mut::<DepartedLinks>().claim(|_| true);
        assert_eq!(departed.len(), 1);
        assert_eq!(departed[0].entity, entity);
        assert_eq!(departed[0].datagrams, vec![vec![1], vec![2]]);
    }
}
