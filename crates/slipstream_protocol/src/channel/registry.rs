//! The channels of a connection, by number and by a dense index that records use.

use core::time::Duration;

use super::receive::Receiver;
use super::send::Sender;
use super::{ChannelConfig, ChannelId};

/// Greatest count of channels of one connection.
pub(crate) const MAX_CHANNELS: usize = 1024;

/// Whether the other side knows a channel, so that messages on it may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announced {
    /// It does.
    Known,
    /// It has been told and has not acknowledged it.
    Told,
    /// It has not been told.
    Untold,
}

/// One channel with both its halves.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) id: ChannelId,
    pub(crate) config: ChannelConfig,
    pub(crate) announced: Announced,
    /// Greatest message in bytes, with all limits of this side considered.
    pub(crate) limit: usize,
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
}

impl Channel {
    pub(crate) fn new(id: ChannelId, config: ChannelConfig, limit: usize, announced: Announced) -> Self {
        Self {
            id,
            announced,
            limit,
            sender: Sender::new(config.delivery),
            receiver: Receiver::new(config.delivery, limit),
            config,
        }
    }

    /// Whether it has these settings, as far as both sides can tell them apart.
    pub(crate) fn is_like(&self, config: &ChannelConfig) -> bool {
        self.config.name == config.name && self.config.describe(self.id) == config.describe(self.id)
    }

    /// Whether messages may be put into datagrams.
    pub(crate) fn is_open(&self) -> bool {
        self.announced == Announced::Known
    }
}

/// All channels of a connection. An index is given out once and stays.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    list: Vec<Channel>,
    /// Sorted by number.
    by_id: Vec<(ChannelId, u16)>,
}

impl Channels {
    /// Adds a channel whose number is free; returns its index.
    pub(crate) fn insert(&mut self, channel: Channel) -> u16 {
        let index = self.list.len() as u16;
        if let Err(place) = self.by_id.binary_search_by_key(&channel.id, |entry| entry.0) {
            self.by_id.insert(place, (channel.id, index));
        }
        self.list.push(channel);
        index
    }

    pub(crate) fn index_of(&self, id: ChannelId) -> Option<u16> {
        let place = self.by_id.binary_search_by_key(&id, |entry| entry.0).ok()?;
        self.by_id.get(place).map(|entry| entry.1)
    }

    pub(crate) fn find(&self, id: ChannelId) -> Option<&Channel> {
        self.get(self.index_of(id)?)
    }

    pub(crate) fn find_mut(&mut self, id: ChannelId) -> Option<&mut Channel> {
        self.get_mut(self.index_of(id)?)
    }

    pub(crate) fn get(&self, index: u16) -> Option<&Channel> {
        self.list.get(usize::from(index))
    }

    pub(crate) fn get_mut(&mut self, index: u16) -> Option<&mut Channel> {
        self.list.get_mut(usize::from(index))
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Channel> {
        self.list.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Channel> {
        self.list.iter_mut()
    }

    /// Bytes of the budget that open channels want.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.iter().filter(|channel| channel.is_open()).map(|channel| channel.sender.waiting_bytes()).sum()
    }

    /// Memory charged for messages to be sent: of reliable channels and of all.
    pub(crate) fn send_costs(&self) -> (usize, usize) {
        let mut reliable = 0;
        let mut all = 0;
        for channel in self.iter() {
            let cost = channel.sender.cost();
            all += cost;
            if channel.config.delivery.is_reliable() {
                reliable += cost;
            }
        }
        (reliable, all)
    }

    /// Memory held back on arrival that the other side accounts for.
    pub(crate) fn held_bytes(&self) -> usize {
        self.iter().map(|channel| channel.receiver.held_bytes()).sum()
    }

    /// Memory of unfinished messages that nobody accounts for.
    pub(crate) fn partial_bytes(&self) -> usize {
        self.iter().map(|channel| channel.receiver.partial_bytes()).sum()
    }

    /// When the first message expires.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        self.iter()
            .filter_map(|channel| match &channel.sender {
                Sender::Reliable(sender) => sender.next_expiry(),
                Sender::Unreliable(_) => None,
            })
            .min()
    }
}
