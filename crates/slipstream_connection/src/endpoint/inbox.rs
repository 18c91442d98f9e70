//! Where received messages wait for the systems that read them.

use slipstream_protocol::{ChannelId, DeliveryOutcome};

/// Outcomes that nobody fetched are forgotten beyond this number, oldest first.
const MAX_DELIVERIES: usize = 16 * 1024;

/// The inboxes of one connection.
#[derive(Debug, Default)]
pub(crate) struct Inboxes {
    /// Few, sorted by channel.
    raw: Vec<Inbox>,
    /// One queue for all typed channels, so that messages are handed out in the order of their arrival.
    typed: Vec<(ChannelId, Vec<u8>)>,
    typed_bytes: usize,
}

#[derive(Debug)]
struct Inbox {
    channel: ChannelId,
    messages: Vec<Vec<u8>>,
    bytes: usize,
    deliveries: Vec<(u64, DeliveryOutcome)>,
}

impl Inboxes {
    /// Keeps a message. Never drops one: the protocol has acknowledged it.
    pub(crate) fn push(&mut self, channel: ChannelId, payload: Vec<u8>, typed: bool) {
        let cost = message_cost(payload.capacity());
        if typed {
            self.typed_bytes += cost;
            self.typed.push((channel, payload));
        } else {
            let inbox = self.inbox(channel);
            inbox.bytes += cost;
            inbox.messages.push(payload);
        }
    }

    pub(crate) fn push_delivery(&mut self, channel: ChannelId, token: u64, outcome: DeliveryOutcome) {
        let deliveries = &mut self.inbox(channel).deliveries;
        if deliveries.len() >= MAX_DELIVERIES {
            deliveries.drain(..MAX_DELIVERIES / 2);
        }
        deliveries.push((token, outcome));
    }

    pub(crate) fn drain(&mut self, channel: ChannelId) -> std::vec::Drain<'_, Vec<u8>> {
        let inbox = self.inbox(channel);
        inbox.bytes = 0;
        inbox.messages.drain(..)
    }

    pub(crate) fn drain_into(&mut self, channel: ChannelId, messages: &mut Vec<Vec<u8>>) {
        let inbox = self.inbox(channel);
        inbox.bytes = 0;
        messages.append(&mut inbox.messages);
    }

    pub(crate) fn drain_deliveries(&mut self, channel: ChannelId) -> std::vec::Drain<'_, (u64, DeliveryOutcome)> {
        self.inbox(channel).deliveries.drain(..)
    }

    pub(crate) fn has_typed(&self) -> bool {
        !self.typed.is_empty()
    }

    pub(crate) fn drain_typed_into(&mut self, messages: &mut Vec<(ChannelId, Vec<u8>)>) {
        self.typed_bytes = 0;
        messages.append(&mut self.typed);
    }

    /// Memory of all messages that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.typed_bytes + self.raw.iter().map(|inbox| inbox.bytes).sum::<usize>()
    }

    /// The channel of which most waits, and its bytes.
    pub(crate) fn fullest(&self) -> Option<(ChannelId, usize)> {
        self.raw.iter().max_by_key(|inbox| inbox.bytes).map(|inbox| (inbox.channel, inbox.bytes))
    }

    fn inbox(&mut self, channel: ChannelId) -> &mut Inbox {
        let index = match self.raw.binary_search_by_key(&channel.0, |inbox| inbox.channel.0) {
            Ok(index) => index,
            Err(index) => {
                let inbox = Inbox { channel, messages: Vec::new(), bytes: 0, deliveries: Vec::new() };
                self.raw.insert(index, inbox);
                index
            }
        };
        &mut self.raw[index]
    }
}

/// Memory that a message takes, by the capacity of its payload: an empty one is not free, or a peer could send any number
/// of them.
fn message_cost(capacity: usize) -> usize {
    capacity + size_of::<(ChannelId, Vec<u8>)>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_charged_to_its_channel_until_it_is_read() {
        let mut inboxes = Inboxes::default();
        inboxes.push(ChannelId(1), vec![0; 80], false);
        inboxes.push(ChannelId(1), vec![0; 80], false);
        inboxes.push(ChannelId(2), vec![0; 80], false);
        let all = inboxes.bytes();
        assert!(all >= 240);
        assert_eq!(inboxes.fullest().map(|(channel, _)| channel), Some(ChannelId(1)));
        assert_eq!(inboxes.drain(ChannelId(1)).count(), 2);
        assert_eq!(inboxes.bytes(), all / 3);
    }

    #[test]
    fn empty_messages_are_charged_too() {
        for typed in [false, true] {
            let mut inboxes = Inboxes::default();
            for _ in 0..1000 {
                inboxes.push(ChannelId(1), Vec::new(), typed);
            }
            assert!(inboxes.bytes() >= 1000 * size_of::<Vec<u8>>());
        }
    }

    #[test]
    fn typed_messages_keep_the_order_of_arrival_across_channels() {
        let mut inboxes = Inboxes::default();
        for (channel, byte) in [(12, 1), (10, 2), (12, 3)] {
            inboxes.push(ChannelId(channel), vec![byte], true);
        }
        let mut messages = Vec::new();
        inboxes.drain_typed_into(&mut messages);
        let bytes: Vec<u8> = messages.into_iter().flat_map(|(_, payload)| payload).collect();
        assert_eq!(bytes, [1, 2, 3]);
        assert!(!inboxes.has_typed() && inboxes.bytes() == 0);
    }

    #[test]
    fn messages_are_appended_and_the_inbox_keeps_its_memory() {
        let mut inboxes = Inboxes::default();
        inboxes.push(ChannelId(1), vec![2], false);
        let capacity = inboxes.inbox(ChannelId(1)).messages.capacity();
        let mut messages = vec![vec![1]];
        inboxes.drain_into(ChannelId(1), &mut messages);
        assert_eq!(messages, [[1], [2]]);
        assert_eq!((inboxes.bytes(), inboxes.inbox(ChannelId(1)).messages.capacity()), (0, capacity));
    }

    #[test]
    fn outcomes_that_nobody_fetches_are_bounded() {
        let mut inboxes = Inboxes::default();
        for token in 0..3 * MAX_DELIVERIES as u64 {
            inboxes.push_delivery(ChannelId(1), token, DeliveryOutcome::Acknowledged);
        }
        let newest = inboxes.drain_deliveries(ChannelId(1)).next_back();
        assert_eq!(newest.map(|(token, _)| token), Some(3 * MAX_DELIVERIES as u64 - 1));
    }
}
