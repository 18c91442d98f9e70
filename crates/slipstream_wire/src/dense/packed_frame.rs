//! The bit-packed level: frames of bodies without models that learn. The same forecasts, residuals as exp-Golomb codes
//! whose order follows from how well the body was forecast before.

use super::{
    config::BodyFrameConfig,
    forecast::{Forecast, Forecaster},
    history::{Body, BodyHistory, Past},
    octaves::{FRACTION_BITS, STEP},
};
use crate::{BitReader, BitWriter, WireError};

/// A body that moved within so many frames has a bit of its own; the others that change are listed.
const LIVELY: u8 = 4;

/// Order of the exp-Golomb codes for the gaps between listed bodies, and for how many there are.
const GAP_ORDER: u32 = 6;
const COUNT_ORDER: u32 = 2;

/// Both ends of a stream of frames at the bit-packed level; used as
/// [`BodyFrameCodec`](super::BodyFrameCodec).
#[derive(Clone, Debug)]
pub struct PackedFrameCodec {
    config: BodyFrameConfig,
    forecaster: Forecaster,
    history: BodyHistory,
}

impl PackedFrameCodec {
    /// A codec that knows no frame. Values of `config` out of their range are brought into it.
    #[must_use]
    pub fn new(config: BodyFrameConfig) -> Self {
        let config = config.clamped();
        Self {
            config,
            forecaster: Forecaster::new(&config),
            history: BodyHistory::new(config.bodies, 2 * config.horizon + 8),
        }
    }

    /// Adds the next frame that both sides have.
    pub fn acknowledge(&mut self, frame: &[Body]) {
        self.history.push(frame);
    }

    /// Codes the frame that is `horizon` after the newest acknowledged one. Missing bodies are taken to be as they were.
    #[must_use]
    pub fn encode(&self, frame: &[Body]) -> Vec<u8> {
        let mut writer = BitWriter::new();
        let past = self.past();
        let pairs = || {
            let now = past.newest().iter().enumerate();
            now.map(move |(index, before)| (index, before, frame.get(index).unwrap_or(before)))
        };
        let lively = |index: usize| past.rested(index) < LIVELY;

        // A moving body that had its flag keeps it, nearly always: one bit says so for all of them.
        let regular = pairs()
            .filter(|(index, before, now)| lively(*index) && before.flag && before != now)
            .all(|(_, before, now)| now.flag && !now.rests_at(before));
        writer.write_bool(regular);
        for (index, before, now) in pairs().filter(|(index, ..)| lively(*index)) {
            writer.write_bool(before != now);
            if before != now {
                if !(regular && before.flag) {
                    write_flag(&mut writer, before, now);
                }
                self.write_motion(&mut writer, &past, index, before, now);
            }
        }

        let woken = || pairs().filter(move |(index, before, now)| !lively(*index) && before != now);
        writer.write_exp_golomb(woken().count() as u64, COUNT_ORDER);
        let mut next = 0;
        for (index, before, now) in woken() {
            writer.write_exp_golomb((index - next) as u64, GAP_ORDER);
            next = index + 1;
            write_flag(&mut writer, before, now);
            self.write_motion(&mut writer, &past, index, before, now);
        }
        writer.to_bytes()
    }

    /// Reads a frame that [`encode`](Self::encode) wrote with the same frames acknowledged.
    ///
    /// # Errors
    /// What [`BitReader`] reports, and [`WireError::ValueOutOfRange`] for a body or a rotation that does not exist.
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<Body>, WireError> {
        let mut reader = BitReader::new(bytes);
        let past = self.past();
        let mut frame = past.newest().to_vec();
        let regular = reader.read_bool()?;
        for (index, body) in frame.iter_mut().enumerate() {
            if past.rested(index) < LIVELY && reader.read_bool()? {
                let moved = if regular && body.flag { true } else { read_flag(&mut reader, body)? };
                self.read_motion(&mut reader, &past, index, moved, body)?;
            }
        }

        let woken = reader.read_exp_golomb(COUNT_ORDER)?;
        let bodies = frame.len() as u64;
        if woken > bodies {
            return Err(WireError::TooLong { what: "list of bodies", length: woken, limit: bodies });
        }
        let mut next = 0_u64;
        for _ in 0..woken {
            let number = next.saturating_add(reader.read_exp_golomb(GAP_ORDER)?);
            let index = usize::try_from(number).unwrap_or(usize::MAX);
            let Some(body) = frame.get_mut(index) else {
                return Err(WireError::ValueOutOfRange { what: "number of a body", value: number, max: bodies });
            };
            next = number.saturating_add(1);
            let moved = read_flag(&mut reader, body)?;
            self.read_motion(&mut reader, &past, index, moved, body)?;
        }
        Ok(frame)
    }

    fn past(&self) -> Past<'_> {
        Past::new(&self.history, self.history.newest().unwrap_or(0))
    }

    fn write_motion(&self, writer: &mut BitWriter, past: &Past<'_>, index: usize, before: &Body, now: &Body) {
        if now.rests_at(before) {
            return;
        }
        let forecast = self.forecaster.forecast(past, index);
        let order = order(&forecast);
        for (now, expected) in now.position.into_iter().zip(forecast.position) {
            writer.write_signed_exp_golomb(i64::from(now) - nearest(expected), order);
        }
        let ([likely, ..], _) = forecast.rotation.ranking();
        writer.write_bool(now.largest == likely);
        if now.largest != likely {
            writer.write_bits(u64::from(now.largest), 2);
        }
        let expected = self.forecaster.scale().components(forecast.rotation, now.largest);
        for (now, expected) in now.rotation.into_iter().zip(expected) {
            writer.write_signed_exp_golomb(i64::from(now) - nearest(expected), order);
        }
    }

    fn read_motion(
        &self,
        reader: &mut BitReader<'_>,
        past: &Past<'_>,
        index: usize,
        moved: bool,
        body: &mut Body,
    ) -> Result<(), WireError> {
        if !moved {
            return Ok(());
        }
        let forecast = self.forecaster.forecast(past, index);
        let order = order(&forecast);
        for (coordinate, expected) in body.position.iter_mut().zip(forecast.position) {
            let value = reader.read_signed_exp_golomb(order)?.saturating_add(nearest(expected));
            *coordinate = i32::try_from(value).map_err(|_| WireError::Malformed { what: "position of a body" })?;
        }
        let ([likely, ..], _) = forecast.rotation.ranking();
        body.largest = if reader.read_bool()? { likely } else { reader.read_bits(2)? as u8 };
        let expected = self.forecaster.scale().components(forecast.rotation, body.largest);
        for (component, expected) in body.rotation.iter_mut().zip(expected) {
            let value = reader.read_signed_exp_golomb(order)?.saturating_add(nearest(expected));
            *component = u16::try_from(value).unwrap_or(u16::MAX);
        }
        body.validate(&self.config)
    }
}

/// One bit whether the body moved, one for its flag; where it did not move the flag must have changed.
fn write_flag(writer: &mut BitWriter, before: &Body, now: &Body) {
    let moved = !now.rests_at(before);
    writer.write_bool(moved);
    if moved {
        writer.write_bool(now.flag);
    }
}

/// Reads what [`write_flag`] wrote and returns whether the body moved.
fn read_flag(reader: &mut BitReader<'_>, body: &mut Body) -> Result<bool, WireError> {
    let moved = reader.read_bool()?;
    body.flag = if moved { reader.read_bool()? } else { !body.flag };
    Ok(moved)
}

/// About the base-2 logarithm of an error that is usual for this body.
fn order(forecast: &Forecast) -> u32 {
    let [_, recent, _] = forecast.roughness;
    let error: i64 = forecast.position_error.iter().map(|error| error.abs()).sum();
    // Three axes each, and half of that: signs are folded in, and most errors are smaller than their mean.
    (1 + ((recent.saturating_add(error)) >> (FRACTION_BITS + 2))).unsigned_abs().ilog2().min(20)
}

fn nearest(value: i64) -> i64 {
    (value + STEP / 2) >> FRACTION_BITS
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{
        super::body_frame::tests::{CONFIG, frames},
        *,
    };

    #[test]
    fn frames_survive() {
        let frames = frames(60);
        let mut codec = PackedFrameCodec::new(CONFIG);
        for (number, frame) in frames.iter().enumerate().skip(6) {
            codec.acknowledge(&frames[number - 6]);
            assert_eq!(codec.decode(&codec.encode(frame)).as_ref(), Ok(frame), "frame {number}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_frame_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
            let mut codec = PackedFrameCodec::new(CONFIG);
            for frame in frames(8) {
                codec.acknowledge(&frame);
            }
            if let Ok(frame) = codec.decode(&bytes) {
                prop_assert_eq!(frame.len(), CONFIG.bodies);
                for _ in 0..14 {
                    codec.acknowledge(&frame);
                }
                let _ = codec.encode(&frame);
            }
        }
    }
}
