//! The server's buffer of one input of one entity.

use slipstream_wire::Tick;

/// How far ahead of the server's tick an input may be; what is further is dropped.
pub const MAX_AHEAD_TICKS: u32 = 64;

/// For how many ticks a missing input is replaced by the one before it; then by the default.
pub const MAX_REPEATED_TICKS: u32 = 15;

/// Inputs that arrived before their tick, and what the last tick had.
#[derive(Clone, Debug)]
pub(crate) struct InputBuffer<S> {
    /// By tick, modulo [`MAX_AHEAD_TICKS`]; empty until something arrives.
    slots: Vec<Option<(Tick, S)>>,
    last: S,
    /// Whether a tick has had an input yet: before that, nothing is missing.
    started: bool,
    missing_run: u32,
}

/// Where the input of a tick came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputSource {
    /// It arrived in time.
    Received,
    /// It is missing: the one before stands in.
    Repeated,
    /// It is missing for too long, or never began: the default stands in.
    Neutral,
}

/// The input of one tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TickInput<S> {
    pub(crate) previous: S,
    pub(crate) state: S,
    pub(crate) source: InputSource,
}

impl<S: Clone> InputBuffer<S> {
    pub(crate) fn new(neutral: S) -> Self {
        Self { slots: Vec::new(), last: neutral, started: false, missing_run: 0 }
    }

    fn slot(tick: Tick) -> usize {
        (tick.get() % MAX_AHEAD_TICKS) as usize
    }

    /// What the last simulated tick had.
    pub(crate) fn last(&self) -> &S {
        &self.last
    }

    pub(crate) fn contains(&self, tick: Tick) -> bool {
        matches!(self.slots.get(Self::slot(tick)), Some(Some((held, _))) if *held == tick)
    }

    /// Keeps an input for its tick, which must be among the next [`MAX_AHEAD_TICKS`].
    pub(crate) fn insert(&mut self, tick: Tick, state: S) {
        if self.slots.is_empty() {
            self.slots.resize_with(MAX_AHEAD_TICKS as usize, || None);
        }
        if let Some(slot) = self.slots.get_mut(Self::slot(tick)) {
            *slot = Some((tick, state));
        }
    }

    /// The input for `tick`, which is being simulated now.
    pub(crate) fn advance(&mut self, tick: Tick, neutral: &S) -> TickInput<S> {
        let received = self.slots.get_mut(Self::slot(tick)).and_then(|slot| slot.take_if(|(held, _)| *held == tick));
        let (state, source) = match received {
            Some((_, state)) => {
                self.started = true;
                self.missing_run = 0;
                (state, InputSource::Received)
            }
            None if self.started && self.missing_run < MAX_REPEATED_TICKS => {
                self.missing_run += 1;
                (self.last.clone(), InputSource::Repeated)
            }
            None => {
                self.started = false;
                (neutral.clone(), InputSource::Neutral)
            }
        };
        let previous = core::mem::replace(&mut self.last, state.clone());
        TickInput { previous, state, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(buffer: &mut InputBuffer<u8>, tick: u32) -> (u8, InputSource) {
        let input = buffer.advance(Tick::new(tick), &0);
        (input.state, input.source)
    }

    #[test]
    fn each_tick_gets_its_own_input_whatever_order_they_came_in() {
        let mut buffer = InputBuffer::new(0);
        buffer.insert(Tick::new(3), 30);
        buffer.insert(Tick::new(1), 10);
        buffer.insert(Tick::new(2), 20);
        assert!(buffer.contains(Tick::new(3)));
        assert!(!buffer.contains(Tick::new(3 + 64)));
        assert_eq!(take(&mut buffer, 1), (10, InputSource::Received));
        let second = buffer.advance(Tick::new(2), &0);
        assert_eq!((second.previous, second.state), (10, 20));
        assert_eq!(take(&mut buffer, 3), (30, InputSource::Received));
        assert!(!buffer.contains(Tick::new(3)), "an input is used once");
    }

    #[test]
    fn a_missing_input_is_repeated_for_a_while_and_then_is_neutral() {
        let mut buffer = InputBuffer::new(0);
        buffer.insert(Tick::new(1), 9);
        assert_eq!(take(&mut buffer, 1), (9, InputSource::Received));
        for tick in 2..2 + MAX_REPEATED_TICKS {
            assert_eq!(take(&mut buffer, tick), (9, InputSource::Repeated));
        }
        let after = 2 + MAX_REPEATED_TICKS;
        assert_eq!(take(&mut buffer, after), (0, InputSource::Neutral));
        assert_eq!(take(&mut buffer, after + 1), (0, InputSource::Neutral));
        buffer.insert(Tick::new(after + 2), 4);
        assert_eq!(take(&mut buffer, after + 2), (4, InputSource::Received));
    }

    #[test]
    fn nothing_is_missing_before_the_first_input() {
        let mut buffer = InputBuffer::new(0);
        buffer.insert(Tick::new(5), 1);
        assert_eq!(take(&mut buffer, 4), (0, InputSource::Neutral));
        assert_eq!(take(&mut buffer, 5), (1, InputSource::Received));
    }

    #[test]
    fn an_input_that_was_never_used_does_not_come_up_sixty_four_ticks_later() {
        let mut buffer = InputBuffer::new(0);
        buffer.insert(Tick::new(5), 1);
        assert_eq!(take(&mut buffer, 5 + 64), (0, InputSource::Neutral));
    }

    #[test]
    fn ticks_may_wrap() {
        let mut buffer = InputBuffer::new(0);
        buffer.insert(Tick::new(u32::MAX), 7);
        buffer.insert(Tick::new(0), 8);
        assert_eq!(take(&mut buffer, u32::MAX), (7, InputSource::Received));
        assert_eq!(take(&mut buffer, 0), (8, InputSource::Received));
    }
}
