//! By how much a client's tick leads the server's.
//!
//! An input for tick *t* must be at the server before it simulates *t*, so the client simulates
//! ahead of it: by the way there and back (the server's tick is old news when it arrives) and a
//! small reserve. The server says how early inputs really came; the lead follows that.

use core::time::Duration;

use bevy::prelude::*;
use slipstream_wire::Tick;

use crate::input::feedback::InputFeedback;
use crate::tick::TickRate;

/// Inputs shall come so many ticks before they are needed, on a steady path: one lost message
/// then harms nothing, because the next one repeats it in time.
const SLACK_TICKS: f64 = 2.0;

/// Slack within this of what is wanted is left alone.
const TOLERANCE_BELOW: f64 = 0.75;
const TOLERANCE_ABOVE: f64 = 1.0;

/// Further off than this, the tick is set at once instead of by one tick a second.
const MAX_DRIFT_TICKS: f64 = 8.0;

/// Round trips beyond this are not followed.
const MAX_RTT: Duration = Duration::from_secs(2);

/// More reserve than this is not kept: after a change of the path the measured jitter is large for a while, and what is
/// too much goes away by one tick a second only.
const MAX_JITTER: Duration = Duration::from_millis(100);

/// How long after the round trip the effect of a correction shows in the feedback: the server's
/// interval, and some reserve.
const FEEDBACK_DELAY: Duration = Duration::from_millis(500);

/// At most one tick is added or dropped in this time.
const CORRECTION_INTERVAL: Duration = Duration::from_secs(1);

/// What the client knows about its lead over the server. Read it for a network panel.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq)]
pub struct TickLead {
    synchronized: bool,
    slack_ticks: Option<f64>,
    wanted_slack_ticks: f64,
    corrections: u64,
    jumps: u64,
    /// The last feedback was far off. One alone may be a hiccup of the network.
    is_suspicious: bool,
    next_correction: Duration,
}

/// What is to be done to the client's tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TickCorrection {
    Keep,
    /// Simulate one tick more than time asks for.
    Add,
    /// Simulate one tick less.
    Drop,
    /// Go on from here.
    Set(Tick),
}

/// The path to the server, as measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathDelay {
    pub(crate) rtt: Duration,
    pub(crate) jitter: Duration,
}

impl TickLead {
    /// Whether the client's tick follows a server; inputs are sent only then.
    pub fn is_synchronized(&self) -> bool {
        self.synchronized
    }

    /// By how many ticks inputs came before the server needed them, as of its last feedback;
    /// negative if they were late.
    pub fn slack_ticks(&self) -> Option<f64> {
        self.slack_ticks
    }

    /// The slack that is aimed at: two ticks and the jitter.
    pub fn wanted_slack_ticks(&self) -> f64 {
        self.wanted_slack_ticks
    }

    /// How many single ticks were added or dropped so far.
    pub fn corrections(&self) -> u64 {
        self.corrections
    }

    /// How often the tick was set, the first time included.
    pub fn jumps(&self) -> u64 {
        self.jumps
    }

    /// Decides what to do about `tick`, the client's, on news from the server. `now` is the time
    /// since an arbitrary start.
    pub(crate) fn follow(
        &mut self,
        now: Duration,
        feedback: &InputFeedback,
        path: PathDelay,
        tick: Tick,
        rate: TickRate,
    ) -> TickCorrection {
        let rtt = path.rtt.min(MAX_RTT);
        self.wanted_slack_ticks = SLACK_TICKS + rate.ticks_in(path.jitter.min(MAX_JITTER));
        // An input for the tick after the server's is just in time with a slack of zero.
        let lead = rate.ticks_in(rtt) + 1.0 + self.wanted_slack_ticks;
        let expected = feedback.server_tick + lead.ceil() as u32;
        if !self.synchronized {
            return self.jump(now, rtt, expected);
        }
        if feedback.slack_ticks.is_some() {
            self.slack_ticks = feedback.slack_ticks;
        }
        if now < self.next_correction {
            return TickCorrection::Keep;
        }
        // What the server measured counts; without inputs there is only the estimate, which does
        // not know where within a tick either side is.
        let (behind, tolerance) = match feedback.slack_ticks {
            Some(slack) => (self.wanted_slack_ticks - slack, 0.0),
            None => (f64::from(expected.since(tick)), 2.0),
        };
        if behind.abs() > MAX_DRIFT_TICKS {
            if self.is_suspicious {
                let target = tick.get().wrapping_add_signed(behind.round() as i32);
                return self.jump(now, rtt, Tick::new(target));
            }
            self.is_suspicious = true;
            return TickCorrection::Keep;
        }
        self.is_suspicious = false;
        let correction = if behind > TOLERANCE_BELOW + tolerance {
            TickCorrection::Add
        } else if behind < -(TOLERANCE_ABOVE + tolerance) {
            TickCorrection::Drop
        } else {
            return TickCorrection::Keep;
        };
        self.corrections += 1;
        self.next_correction = now + CORRECTION_INTERVAL.max(rtt + FEEDBACK_DELAY);
        correction
    }

    fn jump(&mut self, now: Duration, rtt: Duration, target: Tick) -> TickCorrection {
        self.synchronized = true;
        self.is_suspicious = false;
        self.slack_ticks = None;
        self.jumps += 1;
        // Feedback until then is about inputs from before.
        self.next_correction = now + rtt + FEEDBACK_DELAY;
        TickCorrection::Set(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: TickRate = TickRate(60.0);
    const PATH: PathDelay = PathDelay { rtt: Duration::from_millis(100), jitter: Duration::ZERO };

    fn feedback(server_tick: u32, slack_ticks: Option<f64>) -> InputFeedback {
        InputFeedback { server_tick: Tick::new(server_tick), newest_received: None, slack_ticks }
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn synchronized() -> TickLead {
        let mut lead = TickLead::default();
        lead.follow(Duration::ZERO, &feedback(0, None), PATH, Tick::new(0), RATE);
        lead
    }

    #[test]
    fn the_first_feedback_sets_the_tick_ahead_by_the_round_trip_and_a_reserve() {
        let mut lead = TickLead::default();
        let news = feedback(1000, None);
        let correction = lead.follow(Duration::ZERO, &news, PATH, Tick::new(7), RATE);
        // 100 ms are 6 ticks, one is under way, two are the reserve.
        assert_eq!(correction, TickCorrection::Set(Tick::new(1009)));
        assert!(lead.is_synchronized());
    }

    #[test]
    fn jitter_asks_for_more_reserve() {
        let mut lead = TickLead::default();
        let path = PathDelay { jitter: Duration::from_millis(50), ..PATH };
        let news = feedback(1000, None);
        let correction = lead.follow(Duration::ZERO, &news, path, Tick::new(7), RATE);
        assert_eq!(correction, TickCorrection::Set(Tick::new(1012)));
    }

    #[test]
    fn a_small_error_is_corrected_by_one_tick_a_second() {
        let mut lead = synchronized();
        let tick = Tick::new(60);
        let late = feedback(0, Some(-1.0));
        let mut added = 0;
        for quarter in 0..40 {
            let now = seconds(1.0 + f64::from(quarter) * 0.25);
            match lead.follow(now, &late, PATH, tick, RATE) {
                TickCorrection::Add => added += 1,
                TickCorrection::Keep => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(added, 10);
        assert_eq!(lead.corrections(), 10);
    }

    #[test]
    fn too_much_slack_drops_a_tick_and_the_right_slack_keeps_it() {
        let mut lead = synchronized();
        let tick = Tick::new(60);
        let mut follow = |now, slack| lead.follow(seconds(now), &feedback(0, Some(slack)), PATH, tick, RATE);
        assert_eq!(follow(1.0, 2.0), TickCorrection::Keep);
        assert_eq!(follow(1.25, 2.9), TickCorrection::Keep);
        assert_eq!(follow(1.5, 5.0), TickCorrection::Drop);
        assert_eq!(follow(1.75, 5.0), TickCorrection::Keep);
        assert_eq!(follow(2.5, 5.0), TickCorrection::Drop);
    }

    #[test]
    fn a_large_error_sets_the_tick_when_it_shows_twice() {
        let mut lead = synchronized();
        let tick = Tick::new(100);
        let mut follow = |now, slack| lead.follow(seconds(now), &feedback(0, Some(slack)), PATH, tick, RATE);
        assert_eq!(follow(1.0, -18.0), TickCorrection::Keep);
        assert_eq!(follow(1.25, -18.0), TickCorrection::Set(Tick::new(120)));
        // News about inputs from before the jump is ignored.
        assert_eq!(follow(1.5, -18.0), TickCorrection::Keep);
        assert_eq!(follow(1.75, -18.0), TickCorrection::Keep);
    }

    #[test]
    fn one_outlier_moves_nothing() {
        let mut lead = synchronized();
        let tick = Tick::new(100);
        for (now, slack) in [(1.0, 2.0), (1.25, -30.0), (1.5, 2.0), (1.75, -30.0)] {
            let news = feedback(0, Some(slack));
            let correction = lead.follow(seconds(now), &news, PATH, tick, RATE);
            assert_eq!(correction, TickCorrection::Keep);
        }
    }

    #[test]
    fn without_inputs_the_tick_follows_the_estimate() {
        let mut lead = synchronized();
        let near = lead.follow(seconds(1.0), &feedback(91, None), PATH, Tick::new(99), RATE);
        assert_eq!(near, TickCorrection::Keep);
        let behind = lead.follow(seconds(2.0), &feedback(91, None), PATH, Tick::new(96), RATE);
        assert_eq!(behind, TickCorrection::Add);
    }
}
