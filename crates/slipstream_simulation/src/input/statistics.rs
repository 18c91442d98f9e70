//! What is counted about inputs, and the limits that go with it.

use bevy::prelude::*;
use slipstream_wire::Tick;

use crate::input::InputError;
use crate::input::feedback::{FEEDBACK_RATE, IDLE_FEEDBACK_RATE, InputFeedback};
use crate::tick::TickRate;

/// How many input messages a connection may send per tick, on average.
const MESSAGES_PER_TICK: u32 = 2;

/// How many may come at once, after a pause of the network.
const MAX_MESSAGE_BURST: u32 = 128;

/// A message older than the newest by more than this, and still of use, is no late arrival: the client's tick was set
/// back.
const MAX_REORDER_TICKS: i32 = 16;

/// The inputs that came over a connection; on the connection entity of the server.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct InputStats {
    /// Messages that were taken.
    pub received: u64,
    /// Messages whose newest tick was over already.
    pub late: u64,
    /// Messages that were more than [`MAX_AHEAD_TICKS`](crate::MAX_AHEAD_TICKS) ahead; dropped.
    pub early: u64,
    /// Ticks of an input that had to do with the one before.
    pub missing: u64,
    /// Inputs for entities that the sender does not own; dropped.
    pub foreign: u64,
    /// Inputs for entities that do not exist (any more); dropped.
    pub unknown: u64,
    /// Messages that were too many; dropped unread.
    pub flooding: u64,
    /// Messages or inputs that do not decode; dropped, and held against the connection.
    pub malformed: u64,
    /// By how many ticks the newest message came before it was needed; negative if late.
    pub slack_ticks: i32,
}

/// Inputs that this client could not send.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct InputFaults {
    /// How many samples or messages.
    pub count: u64,
    /// Why, the last time.
    pub last: Option<String>,
}

impl InputFaults {
    pub(crate) fn report(&mut self, error: impl core::fmt::Display) {
        self.count += 1;
        self.last = Some(error.to_string());
    }
}

/// The server's side of one connection's inputs.
#[derive(Component, Clone, Debug)]
pub(crate) struct InputStream {
    newest: Option<Tick>,
    slack_sum: f64,
    slack_count: u32,
    allowance: u32,
    allowance_tick: Tick,
    greeted: Tick,
    last_feedback: Option<Tick>,
}

impl InputStream {
    pub(crate) fn new(tick: Tick) -> Self {
        Self {
            newest: None,
            slack_sum: 0.0,
            slack_count: 0,
            allowance: MAX_MESSAGE_BURST,
            allowance_tick: tick,
            greeted: tick,
            last_feedback: None,
        }
    }

    /// May another message be looked at?
    pub(crate) fn admit(&mut self, tick: Tick) -> bool {
        let passed = tick.since(self.allowance_tick).max(0) as u32;
        self.allowance_tick = tick;
        self.allowance = self.allowance.saturating_add(passed.saturating_mul(MESSAGES_PER_TICK)).min(MAX_MESSAGE_BURST);
        match self.allowance.checked_sub(1) {
            Some(left) => {
                self.allowance = left;
                true
            }
            None => false,
        }
    }

    /// Notes that a message with inputs up to `newest` arrived after the server simulated `tick`;
    /// `usable` unless it is too far ahead. Returns the slack if the message is news.
    pub(crate) fn note(&mut self, newest: Tick, tick: Tick, usable: bool) -> Option<i32> {
        let is_news = self.newest.is_none_or(|known| {
            let was_set_back = known.since(newest) > MAX_REORDER_TICKS && newest.is_newer_than(tick);
            newest.is_newer_than(known) || was_set_back
        });
        if !is_news {
            return None;
        }
        if usable {
            self.newest = Some(newest);
        }
        let slack = newest.since(tick).saturating_sub(1);
        self.slack_sum += f64::from(slack.clamp(-1000, 1000));
        self.slack_count += 1;
        Some(slack)
    }

    /// The feedback to send after `tick`, if it is time.
    pub(crate) fn take_feedback(&mut self, tick: Tick, rate: TickRate) -> Option<InputFeedback> {
        let is_new = tick.since(self.greeted) < rate.ticks_between(0.5) as i32;
        let interval = if is_new || self.slack_count > 0 {
            rate.ticks_between(FEEDBACK_RATE)
        } else {
            rate.ticks_between(IDLE_FEEDBACK_RATE)
        };
        let is_due = self.last_feedback.is_none_or(|last| tick.since(last) >= interval as i32);
        if !is_due {
            return None;
        }
        self.last_feedback = Some(tick);
        let slack_ticks = (self.slack_count > 0).then(|| self.slack_sum / f64::from(self.slack_count));
        self.slack_sum = 0.0;
        self.slack_count = 0;
        Some(InputFeedback { server_tick: tick, newest_received: self.newest, slack_ticks })
    }
}

/// Counts an input that does not decode, and returns what to hold against the connection.
pub(crate) fn note_malformed(stats: &mut InputStats, error: &InputError) -> String {
    stats.malformed += 1;
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_off_and_an_honest_rate_is_not() {
        let mut stream = InputStream::new(Tick::new(0));
        let admitted = (0..10_000).filter(|_| stream.admit(Tick::new(0))).count();
        assert_eq!(admitted, MAX_MESSAGE_BURST as usize);
        for tick in 1..1000 {
            assert!(stream.admit(Tick::new(tick)));
            assert!(stream.admit(Tick::new(tick)));
            assert!(!stream.admit(Tick::new(tick)));
        }
    }

    #[test]
    fn slack_counts_from_the_tick_that_is_simulated_next() {
        let mut stream = InputStream::new(Tick::new(0));
        assert_eq!(stream.note(Tick::new(11), Tick::new(10), true), Some(0));
        assert_eq!(stream.note(Tick::new(14), Tick::new(10), true), Some(3));
        let again = stream.note(Tick::new(12), Tick::new(10), true);
        assert_eq!(again, None, "an older message says nothing new");
        let feedback = stream.take_feedback(Tick::new(10), TickRate(60.0)).unwrap();
        assert_eq!(feedback.newest_received, Some(Tick::new(14)));
        assert_eq!(feedback.slack_ticks, Some(1.5));
    }

    #[test]
    fn a_client_that_was_set_back_is_followed() {
        let mut stream = InputStream::new(Tick::new(0));
        stream.note(Tick::new(60), Tick::new(10), true);
        let slack = stream.note(Tick::new(14), Tick::new(10), true);
        assert_eq!(slack, Some(3));
    }

    #[test]
    fn a_message_that_was_under_way_for_ages_says_nothing() {
        let mut stream = InputStream::new(Tick::new(0));
        stream.note(Tick::new(60), Tick::new(58), true);
        assert_eq!(stream.note(Tick::new(20), Tick::new(58), true), None);
    }

    #[test]
    fn feedback_goes_out_at_once_then_four_times_a_second_and_once_when_idle() {
        let mut stream = InputStream::new(Tick::new(0));
        let mut times = Vec::new();
        for tick in 0..=420 {
            if stream.take_feedback(Tick::new(tick), TickRate(60.0)).is_some() {
                times.push(tick);
            }
        }
        assert_eq!(times[..4], [0, 15, 30, 45]);
        let idle: Vec<_> = times.iter().filter(|tick| **tick > 180).collect();
        assert_eq!(idle.len(), 4, "{times:?}");
    }
}
