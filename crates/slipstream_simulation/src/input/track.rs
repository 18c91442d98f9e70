//! The client's memory of what it sampled and the server has not acknowledged.

use std::collections::{BTreeMap, VecDeque};

use bevy::prelude::*;
use slipstream_connection::NetworkId;
use slipstream_wire::{BitWriter, Tick};

use crate::input::InputRegistry;
use crate::input::message::{MAX_REDUNDANT_TICKS, MAX_SECTIONS, write_header, write_section};
use crate::input::sample::EncodedSample;

/// The last ticks of one input of one entity, without gaps.
#[derive(Debug)]
struct InputTrack {
    network: NetworkId,
    newest: Tick,
    samples: VecDeque<EncodedSample>,
}

impl InputTrack {
    fn push(&mut self, network: NetworkId, tick: Tick, sample: EncodedSample) {
        if self.network != network || tick.since(self.newest) != 1 {
            self.samples.clear();
            self.network = network;
        }
        self.newest = tick;
        self.samples.push_back(sample);
        while self.samples.len() > MAX_REDUNDANT_TICKS as usize {
            self.samples.pop_front();
        }
    }
}

/// What a client has sampled lately, for every kind of input and every entity it controls.
#[derive(Resource, Debug, Default)]
pub(crate) struct InputTracks {
    tracks: BTreeMap<(usize, Entity), InputTrack>,
    newest: Option<Tick>,
    sent: Option<Tick>,
    acknowledged: Option<Tick>,
    /// Counts jumps of the client's tick, so that acknowledgements from before are recognised.
    epoch: u32,
}

/// A message that is ready to go.
#[derive(Debug)]
pub(crate) struct OutgoingInputs {
    pub(crate) payload: Vec<u8>,
    /// Comes back in [`InputTracks::acknowledge_token`] when the message has arrived.
    pub(crate) token: u64,
}

impl InputTracks {
    pub(crate) fn push(&mut self, input: usize, entity: Entity, network: NetworkId, tick: Tick, sample: EncodedSample) {
        self.newest = Some(tick);
        self.tracks
            .entry((input, entity))
            .or_insert_with(|| InputTrack { network, newest: tick, samples: VecDeque::new() })
            .push(network, tick, sample);
    }

    /// Forgets everything, because ticks have another meaning from now on.
    pub(crate) fn restart(&mut self) {
        *self = Self { epoch: self.epoch.wrapping_add(1), ..Self::default() };
    }

    /// The server has all inputs up to `tick`.
    pub(crate) fn acknowledge(&mut self, tick: Tick) {
        let is_possible = self.newest.is_some_and(|newest| newest.since(tick) >= 0);
        let is_news = self.acknowledged.is_none_or(|known| tick.is_newer_than(known));
        if is_possible && is_news {
            self.acknowledged = Some(tick);
        }
    }

    /// The message that was sent with this token has arrived.
    pub(crate) fn acknowledge_token(&mut self, token: u64) {
        if (token >> 32) as u32 == self.epoch {
            self.acknowledge(Tick::new(token as u32));
        }
    }

    /// The message for the ticks since the last one, or nothing if there are none.
    ///
    /// Holds every tick that is not acknowledged, and fewer if that takes more than
    /// `budget_bytes`: the newest are worth most.
    pub(crate) fn take_message(&mut self, registry: &InputRegistry, budget_bytes: usize) -> Option<OutgoingInputs> {
        let newest = self.newest?;
        if self.sent == Some(newest) {
            return None;
        }
        self.sent = Some(newest);
        // What was not sampled at the newest tick is not controlled any more.
        self.tracks.retain(|_, track| track.newest == newest);
        if self.tracks.is_empty() {
            return None;
        }
        let mut ticks = self.unacknowledged_ticks(newest);
        loop {
            let message = self.encode(registry, newest, ticks);
            if message.byte_len() <= budget_bytes || ticks == 1 {
                return Some(OutgoingInputs {
                    payload: message.to_bytes(),
                    token: (u64::from(self.epoch) << 32) | u64::from(newest.get()),
                });
            }
            ticks /= 2;
        }
    }

    fn unacknowledged_ticks(&self, newest: Tick) -> u32 {
        match self.acknowledged {
            Some(acknowledged) => (newest.since(acknowledged).max(1) as u32).min(MAX_REDUNDANT_TICKS),
            None => MAX_REDUNDANT_TICKS,
        }
    }

    fn encode(&self, registry: &InputRegistry, newest: Tick, ticks: u32) -> BitWriter {
        let mut out = BitWriter::new();
        write_header(&mut out, newest, self.tracks.len().min(MAX_SECTIONS));
        for ((input, _), track) in self.tracks.iter().take(MAX_SECTIONS) {
            let Some(size) = registry.size(*input) else {
                unreachable!("a track has the number of a registered input");
            };
            let skipped = track.samples.len().saturating_sub(ticks as usize);
            write_section(&mut out, *input, track.network, size, track.samples.iter().skip(skipped));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::SampleSize;
    use crate::input::message::InputMessage;

    #[derive(Component)]
    struct Drive;

    const SIZE: SampleSize = SampleSize::Bits(20);
    const CAR: NetworkId = NetworkId { slot: 5, generation: 1 };

    struct Client {
        registry: InputRegistry,
        tracks: InputTracks,
        car: Entity,
    }

    impl Client {
        fn new() -> Self {
            let mut registry = InputRegistry::default();
            registry.register::<Drive>("drive", SIZE);
            Self { registry, tracks: InputTracks::default(), car: World::new().spawn_empty().id() }
        }

        fn sample(&mut self, tick: u32) {
            let mut writer = BitWriter::new();
            writer.write_bits(u64::from(tick), 20);
            let sample = EncodedSample::new(&writer, SIZE).unwrap();
            self.tracks.push(0, self.car, CAR, Tick::new(tick), sample);
        }

        /// The ticks of the message that goes out, and its token.
        fn send(&mut self, budget: usize) -> Option<(Vec<u32>, u64)> {
            let message = self.tracks.take_message(&self.registry, budget)?;
            let decoded = InputMessage::decode(&message.payload, &self.registry).unwrap();
            let section = &decoded.sections[0];
            assert_eq!(section.entity, CAR);
            let ticks = section.samples(decoded.newest).map(|(tick, _)| tick.get());
            Some((ticks.collect(), message.token))
        }
    }

    #[test]
    fn ticks_are_sent_again_until_they_are_acknowledged() {
        let mut client = Client::new();
        client.sample(10);
        let (ticks, token) = client.send(1200).unwrap();
        assert_eq!(ticks, [10]);
        client.sample(11);
        assert_eq!(client.send(1200).unwrap().0, [10, 11]);
        client.tracks.acknowledge_token(token);
        client.sample(12);
        assert_eq!(client.send(1200).unwrap().0, [11, 12]);
        client.tracks.acknowledge(Tick::new(12));
        client.sample(13);
        assert_eq!(client.send(1200).unwrap().0, [13]);
    }

    #[test]
    fn a_message_never_holds_more_than_sixteen_ticks() {
        let mut client = Client::new();
        for tick in 0..100 {
            client.sample(tick);
        }
        let expected: Vec<u32> = (84..100).collect();
        assert_eq!(client.send(1200).unwrap().0, expected);
    }

    #[test]
    fn a_small_budget_leaves_the_newest_ticks() {
        let mut client = Client::new();
        for tick in 0..16 {
            client.sample(tick);
        }
        assert_eq!(client.send(24).unwrap().0, [12, 13, 14, 15]);
    }

    #[test]
    fn a_frame_without_a_tick_sends_nothing_and_one_with_several_sends_one_message() {
        let mut client = Client::new();
        client.sample(1);
        client.sample(2);
        client.sample(3);
        assert_eq!(client.send(1200).unwrap().0, [1, 2, 3]);
        assert!(client.send(1200).is_none());
    }

    #[test]
    fn a_gap_in_the_ticks_starts_the_track_again() {
        let mut client = Client::new();
        client.sample(1);
        client.sample(2);
        client.sample(9);
        assert_eq!(client.send(1200).unwrap().0, [9]);
    }

    #[test]
    fn an_acknowledgement_from_before_a_jump_or_of_the_future_is_ignored() {
        let mut client = Client::new();
        client.sample(100);
        let (_, token) = client.send(1200).unwrap();
        client.tracks.restart();
        client.sample(50);
        client.sample(51);
        client.tracks.acknowledge_token(token);
        client.tracks.acknowledge(Tick::new(100));
        assert_eq!(client.send(1200).unwrap().0, [50, 51]);
    }

    #[test]
    fn an_entity_that_is_not_controlled_any_more_is_left_out() {
        let mut client = Client::new();
        client.sample(1);
        let mut world = World::new();
        world.spawn_empty();
        let boat = world.spawn_empty().id();
        assert_ne!(boat, client.car);
        let mut writer = BitWriter::new();
        writer.write_bits(0, 20);
        let sample = EncodedSample::new(&writer, SIZE).unwrap();
        let network = NetworkId { slot: 6, generation: 0 };
        client.tracks.push(0, boat, network, Tick::new(2), sample);
        let message = client.tracks.take_message(&client.registry, 1200).unwrap();
        let decoded = InputMessage::decode(&message.payload, &client.registry).unwrap();
        assert_eq!(decoded.sections.len(), 1);
        assert_eq!(decoded.sections[0].entity, network);
    }
}
