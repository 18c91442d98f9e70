//! The client's memory of what it sampled and the server has not acknowledged.

use std::collections::{BTreeMap, VecDeque};

use bevy::prelude::*;
use slipstream_connection::NetworkId;
use slipstream_wire::{BitWriter, Tick};

use crate::input::message::{MAX_REDUNDANT_TICKS, MAX_SECTIONS, write_header, write_section};
use crate::input::sample::{EncodedSample, check_size};
use crate::input::{InputError, InputRegistry, SampleSize};

/// The last ticks of one input of one entity, without gaps.
#[derive(Debug)]
struct InputTrack {
    network: NetworkId,
    newest: Tick,
    samples: VecDeque<EncodedSample>,
}

impl InputTrack {
    fn push(&mut self, network: NetworkId, tick: Tick, written: &BitWriter) {
        if self.network != network || tick.since(self.newest) != 1 {
            self.samples.clear();
            self.network = network;
        }
        self.newest = tick;
        // The oldest makes room, and its memory holds the newest.
        let is_full = self.samples.len() >= MAX_REDUNDANT_TICKS as usize;
        let mut sample = self.samples.pop_front_if(|_| is_full).unwrap_or_default();
        sample.replace(written);
        self.samples.push_back(sample);
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
    /// The message that was made last, as bits and as bytes.
    written: BitWriter,
    payload: Vec<u8>,
}

/// A message that is ready to go.
#[derive(Debug)]
pub(crate) struct OutgoingInputs<'a> {
    pub(crate) payload: &'a [u8],
    /// Comes back in [`InputTracks::acknowledge_token`] when the message has arrived.
    pub(crate) token: u64,
}

impl InputTracks {
    /// Remembers what a codec wrote, after checking it against the `size` that the codec declared.
    pub(crate) fn push(
        &mut self,
        input: usize,
        entity: Entity,
        network: NetworkId,
        tick: Tick,
        written: &BitWriter,
        size: SampleSize,
    ) -> Result<(), InputError> {
        check_size(written, size)?;
        self.newest = Some(tick);
        self.tracks
            .entry((input, entity))
            .or_insert_with(|| InputTrack { network, newest: tick, samples: VecDeque::new() })
            .push(network, tick, written);
        Ok(())
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
    pub(crate) fn take_message(&mut self, registry: &InputRegistry, budget_bytes: usize) -> Option<OutgoingInputs<'_>> {
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
        self.encode(registry, newest, ticks);
        while self.written.byte_len() > budget_bytes && ticks > 1 {
            ticks /= 2;
            self.encode(registry, newest, ticks);
        }
        self.payload.clear();
        self.written.append_to(&mut self.payload);
        let token = (u64::from(self.epoch) << 32) | u64::from(newest.get());
        Some(OutgoingInputs { payload: &self.payload, token })
    }

    fn unacknowledged_ticks(&self, newest: Tick) -> u32 {
        match self.acknowledged {
            Some(acknowledged) => (newest.since(acknowledged).max(1) as u32).min(MAX_REDUNDANT_TICKS),
            None => MAX_REDUNDANT_TICKS,
        }
    }

    fn encode(&mut self, registry: &InputRegistry, newest: Tick, ticks: u32) {
        let out = &mut self.written;
        out.clear();
        write_header(out, newest, self.tracks.len().min(MAX_SECTIONS));
        for ((input, _), track) in self.tracks.iter().take(MAX_SECTIONS) {
            let Some(size) = registry.size(*input) else {
                unreachable!("a track has the number of a registered input");
            };
            let skipped = track.samples.len().saturating_sub(ticks as usize);
            write_section(out, *input, track.network, size, track.samples.iter().skip(skipped));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::message::InputInbox;

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
            self.tracks.push(0, self.car, CAR, Tick::new(tick), &written(tick), SIZE).unwrap();
        }

        /// The ticks of the message that goes out, and its token.
        fn send(&mut self, budget: usize) -> Option<(Vec<u32>, u64)> {
            let message = self.tracks.take_message(&self.registry, budget)?;
            let mut inbox = InputInbox::default();
            let decoded = inbox.decode(Entity::PLACEHOLDER, message.payload, &self.registry).unwrap();
            let section = &inbox.sections(&decoded)[0];
            assert_eq!(section.entity, CAR);
            let ticks = inbox.samples(section, decoded.newest).map(|(tick, sample)| {
                let expected = written(tick.get()).to_bytes();
                assert_eq!(sample, expected, "the sample of another tick");
                tick.get()
            });
            Some((ticks.collect(), message.token))
        }
    }

    fn written(tick: u32) -> BitWriter {
        let mut writer = BitWriter::new();
        writer.write_bits(u64::from(tick), 20);
        writer
    }

    #[test]
    fn what_breaks_its_declared_size_is_no_tick_of_the_track() {
        let mut client = Client::new();
        client.sample(1);
        let wrong = client.tracks.push(0, client.car, CAR, Tick::new(2), &BitWriter::new(), SIZE);
        assert!(matches!(wrong, Err(InputError::TooLong { .. })), "{wrong:?}");
        assert_eq!(client.send(1200).unwrap().0, [1]);
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
        let network = NetworkId { slot: 6, generation: 0 };
        client.tracks.push(0, boat, network, Tick::new(2), &written(0), SIZE).unwrap();
        let message = client.tracks.take_message(&client.registry, 1200).unwrap();
        let mut inbox = InputInbox::default();
        let decoded = inbox.decode(Entity::PLACEHOLDER, message.payload, &client.registry).unwrap();
        let entities: Vec<_> = inbox.sections(&decoded).iter().map(|section| section.entity).collect();
        assert_eq!(entities, [network]);
    }
}
