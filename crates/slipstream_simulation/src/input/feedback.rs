//! What the server tells a client about its inputs, a few times a second.
//!
//! ```text
//! 32 bits         tick that the server simulated last
//! 1 bit           has it received inputs?
//!   signed varint   the newest of them, less the server's tick
//! 1 bit           did inputs arrive since the last feedback?
//!   signed varint   how many eighths of a tick early they came on average, negative if late
//! 0 to 7 bits     padding
//! ```

use slipstream_wire::{BitReader, BitWriter, Tick};

use crate::input::InputError;

/// The longest feedback that is looked at.
pub(crate) const MAX_FEEDBACK_BYTES: usize = 32;

/// Feedback is sent so often while inputs arrive, per second.
pub(crate) const FEEDBACK_RATE: f64 = 4.0;

/// Feedback is sent so often while none arrive, per second: the client's tick still follows.
pub(crate) const IDLE_FEEDBACK_RATE: f64 = 1.0;

const SLACK_STEPS_PER_TICK: f64 = 8.0;
/// Bounds both signed numbers: about ten days of ticks, two of slack.
const MAX_OFFSET: u64 = 1 << 26;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct InputFeedback {
    /// The tick that the server simulated last when it sent this.
    pub(crate) server_tick: Tick,
    /// The newest tick of which the server has an input.
    pub(crate) newest_received: Option<Tick>,
    /// By how many ticks the inputs since the last feedback came before they were needed.
    pub(crate) slack_ticks: Option<f64>,
}

impl InputFeedback {
    pub(crate) fn encode(&self, out: &mut BitWriter) {
        out.write_bits(u64::from(self.server_tick.get()), 32);
        out.write_bool(self.newest_received.is_some());
        if let Some(newest) = self.newest_received {
            out.write_signed_varint(i64::from(newest.since(self.server_tick)));
        }
        out.write_bool(self.slack_ticks.is_some());
        if let Some(slack) = self.slack_ticks {
            out.write_signed_varint((slack * SLACK_STEPS_PER_TICK).round() as i64);
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, InputError> {
        let mut reader = BitReader::new(bytes);
        let server_tick = Tick::new(reader.read_bits(32)? as u32);
        let newest_received = if reader.read_bool()? {
            let offset = read_offset(&mut reader, "a tick")?;
            Some(Tick::new(server_tick.get().wrapping_add_signed(offset)))
        } else {
            None
        };
        let slack_ticks = if reader.read_bool()? {
            let steps = read_offset(&mut reader, "a slack")?;
            Some(f64::from(steps) / SLACK_STEPS_PER_TICK)
        } else {
            None
        };
        Ok(Self { server_tick, newest_received, slack_ticks })
    }
}

fn read_offset(reader: &mut BitReader<'_>, what: &'static str) -> Result<i32, InputError> {
    let offset = reader.read_signed_varint()?;
    if offset.unsigned_abs() > MAX_OFFSET {
        return Err(InputError::TooLong { what, length: offset.unsigned_abs(), limit: MAX_OFFSET });
    }
    Ok(offset as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(feedback: InputFeedback) -> Vec<u8> {
        let mut out = BitWriter::new();
        feedback.encode(&mut out);
        out.to_bytes()
    }

    #[test]
    fn feedback_comes_back_equal() {
        let empty = InputFeedback { server_tick: Tick::new(u32::MAX), newest_received: None, slack_ticks: None };
        let full = InputFeedback { newest_received: Some(Tick::new(3)), slack_ticks: Some(-2.125), ..empty };
        for feedback in [empty, full] {
            assert_eq!(InputFeedback::decode(&encoded(feedback)), Ok(feedback));
        }
    }

    #[test]
    fn short_and_absurd_feedback_is_an_error() {
        let feedback =
            InputFeedback { server_tick: Tick::new(1), newest_received: Some(Tick::new(3)), slack_ticks: Some(1.0) };
        let bytes = encoded(feedback);
        for length in 0..bytes.len() {
            assert!(InputFeedback::decode(&bytes[..length]).is_err());
        }
        let mut out = BitWriter::new();
        out.write_bits(1, 32);
        out.write_bool(true);
        out.write_signed_varint(i64::MIN);
        assert!(InputFeedback::decode(&out.to_bytes()).is_err());
    }
}
