//! The dense level: frames of bodies, each decision predicted by what both sides know.
//!
//! One walk over the bodies, [`Walk`], is encoder, decoder and trainer, by the [`BitCoder`] it is given. Models are
//! frozen while a frame is coded and learn it once it is acknowledged, so they depend on acknowledged data alone, and a
//! lost packet harms nothing.

use super::{
    config::BodyFrameConfig,
    context_mixer::{Adaptation, ContextMixer, Contexts},
    forecast::{Forecast, Forecaster},
    history::{Body, BodyHistory, Past},
    neighbours::Neighbours,
    octaves::{FRACTION_BITS, STEP, half_octaves, octaves, signed_octaves},
    residual::code_residual,
};
use crate::{
    WireError,
    range_coder::{BitCoder, RangeDecoder, RangeEncoder, Rehearsal},
};

/// Weight sets of each kind of value.
const SETS: u32 = 16;

/// What is coded of a body; each kind has its own contexts and weights.
#[derive(Clone, Copy)]
enum Kind {
    Changed,
    FlagFlipped,
    Moved,
    Largest,
    Position(u32),
    Rotation(u32),
}

impl Kind {
    const COUNT: u32 = 10;

    fn number(self) -> u32 {
        match self {
            Self::Changed => 0,
            Self::FlagFlipped => 1,
            Self::Moved => 2,
            Self::Largest => 3,
            Self::Position(axis) => 4 + axis % 3,
            Self::Rotation(component) => 7 + component % 3,
        }
    }

    fn contexts(self, set: u32) -> Contexts {
        Contexts::new(self.number() * SETS + set.min(SETS - 1))
    }
}

/// Both ends of a stream of frames at the dense level.
///
/// Frames are numbered by their acknowledgement: after `n` of them were [acknowledged](Self::acknowledge), what is coded
/// is frame `n - 1 + horizon`. Both ends acknowledge the same frames in the same order.
#[derive(Clone, Debug)]
pub struct BodyFrameCodec {
    config: BodyFrameConfig,
    forecaster: Forecaster,
    history: BodyHistory,
    models: ContextMixer,
}

impl BodyFrameCodec {
    /// A codec that knows no frame. Values of `config` out of their range are brought into it.
    #[must_use]
    pub fn new(config: BodyFrameConfig) -> Self {
        let config = config.clamped();
        Self {
            config,
            forecaster: Forecaster::new(&config),
            history: BodyHistory::new(config.bodies, 3 * config.horizon + 8),
            models: ContextMixer::new(Kind::COUNT * SETS, config.table_bits),
        }
    }

    /// Adds the next frame that both sides have, and learns from it.
    pub fn acknowledge(&mut self, frame: &[Body]) {
        self.history.push(frame);
        let Some(newest) = self.history.newest() else {
            return;
        };
        // What it was coded against, if it was.
        let Some(known) = newest.checked_sub(self.config.horizon) else {
            return;
        };
        let actual = self.history.bodies(newest);
        let past = Past::new(&self.history, known);
        let mut walk = Walk {
            config: &self.config,
            forecaster: &self.forecaster,
            past: &past,
            models: &mut self.models,
            coder: &mut Rehearsal,
            adaptation: Adaptation::Learning,
        };
        walk.frame(Some(actual));
    }

    /// Codes the frame that is `horizon` after the newest acknowledged one. Missing bodies are taken to be as they were.
    #[must_use]
    pub fn encode(&mut self, frame: &[Body]) -> Vec<u8> {
        let mut coder = RangeEncoder::new();
        self.walk(&mut coder, Some(frame));
        coder.finish()
    }

    /// Reads a frame that [`encode`](Self::encode) wrote with the same frames acknowledged.
    ///
    /// # Errors
    /// [`WireError::UnexpectedEnd`] or [`WireError::Malformed`] where the length is wrong, and
    /// [`WireError::ValueOutOfRange`] for a rotation that does not exist.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Vec<Body>, WireError> {
        let mut coder = RangeDecoder::new(bytes);
        let frame = self.walk(&mut coder, None);
        coder.check()?;
        if coder.remaining_bytes() > 0 {
            return Err(WireError::Malformed { what: "dense frame of bodies" });
        }
        frame.iter().try_for_each(|body| body.validate(&self.config))?;
        Ok(frame)
    }

    fn walk<C: BitCoder>(&mut self, coder: &mut C, actual: Option<&[Body]>) -> Vec<Body> {
        let past = Past::new(&self.history, self.history.newest().unwrap_or(0));
        let mut walk = Walk {
            config: &self.config,
            forecaster: &self.forecaster,
            past: &past,
            models: &mut self.models,
            coder,
            adaptation: Adaptation::Frozen,
        };
        walk.frame(actual)
    }
}

/// Over the bodies of one frame.
struct Walk<'a, C> {
    config: &'a BodyFrameConfig,
    forecaster: &'a Forecaster,
    past: &'a Past<'a>,
    models: &'a mut ContextMixer,
    coder: &'a mut C,
    adaptation: Adaptation,
}

impl<C: BitCoder> Walk<'_, C> {
    /// Codes a frame and returns it. `actual` is ignored by decoders.
    fn frame(&mut self, actual: Option<&[Body]>) -> Vec<Body> {
        let mut neighbours = Neighbours::new(self.config, self.past);
        let mut bodies = Vec::with_capacity(self.past.newest().len());
        let mut previous_changed = false;
        for index in 0..self.past.newest().len() {
            let before = self.past.body(0, index);
            let actual = actual.and_then(|bodies| bodies.get(index)).copied().unwrap_or(before);
            let body = self.body(index, &before, &actual, &neighbours, previous_changed);
            previous_changed = body != before;
            neighbours.coded(&body, !body.rests_at(&before));
            bodies.push(body);
        }
        bodies
    }

    fn body(
        &mut self,
        index: usize,
        before: &Body,
        actual: &Body,
        neighbours: &Neighbours,
        previous_changed: bool,
    ) -> Body {
        let rested = u32::from(self.past.rested(index));
        let flag = u32::from(before.flag);
        let near = neighbours.of(before.position);
        let nearest = near.expected.min(near.coded);
        let age = rested.min(7);
        let newest_step = self.travelled(index, 1);
        let way = self.travelled(index, self.config.horizon);
        let next_lively = u32::from(self.past.rested(index + 1) < 3);

        let mut contexts = Kind::Changed.contexts(age * 2 + flag);
        contexts.add(&[rested, flag]);
        contexts.add(&[near.leader, near.leader_before, age]);
        contexts.add(&[near.expected, near.coded, age.min(3), flag]);
        contexts.add(&[half_octaves(newest_step), half_octaves(way), age.min(3)]);
        contexts.add(&[nearest, near.leader]);
        contexts.add(&[u32::from(previous_changed), next_lively, age]);
        contexts.add(&[near.coded_finely, age.min(3), flag]);
        if !self.decide(&contexts, 0, actual != before) {
            return *before;
        }

        let mut contexts = Kind::FlagFlipped.contexts(age * 2 + flag);
        contexts.add(&[flag, rested]);
        contexts.add(&[flag, near.leader]);
        contexts.add(&[flag, nearest]);
        contexts.add(&[flag, half_octaves(way)]);
        let flipped = self.decide(&contexts, 0, actual.flag != before.flag);
        let mut body = Body { flag: before.flag != flipped, ..*before };
        if flipped {
            let mut contexts = Kind::Moved.contexts(flag);
            contexts.add(&[flag, rested]);
            contexts.add(&[flag, near.leader]);
            if !self.decide(&contexts, 0, !actual.rests_at(before)) {
                return body;
            }
        }
        let forecast = self.forecaster.forecast(self.past, index);
        let class = if index == 0 { 2 } else { u32::from(forecast.falls) };
        let way = self.went(index);
        let surprise = self.position(&mut body, before, actual, &forecast, class, way);
        self.rotation(&mut body, before, actual, &forecast, class, way, surprise);
        body
    }

    /// Codes the position and returns how surprising it was, in 1/256 step.
    fn position(
        &mut self,
        body: &mut Body,
        before: &Body,
        actual: &Body,
        forecast: &Forecast,
        class: u32,
        way: i64,
    ) -> i64 {
        let [newest, recent, long] = forecast.roughness;
        let error_sum: i64 = forecast.position_error.iter().map(|error| error.abs()).sum();
        let [.., expected_height] = forecast.position;
        let [.., height] = before.position;
        // In twelfths of a body: it touches the ground at half its width.
        let twelfths = |height: i64| (height * 12 / i64::from(self.config.body_size)).clamp(-3, 28) as u32;
        let expected_height = twelfths(expected_height >> FRACTION_BITS);
        let height = twelfths(i64::from(height));
        let [first_errors, second_errors] = forecast.step_errors;

        let mut surprises = [0_i64; 2];
        let axes = before.position.into_iter().zip(actual.position).zip(forecast.position);
        let others = forecast.quick_position.into_iter().zip(forecast.slow_position).zip(forecast.position_error);
        let errors = first_errors.into_iter().zip(second_errors);
        let mut coded = body.position;
        for (axis, ((((before, actual), expected), ((quick, slow), error)), (first, second))) in
            (0_u32..).zip(axes.zip(others).zip(errors))
        {
            let motion = expected - i64::from(before) * STEP;
            let sign = if motion < 0 { -1 } else { 1 };
            let (base, fraction) = rounded(expected);
            let [last, earlier] = surprises;
            let selector = if axis == 0 { octaves(recent) } else { octaves(last.abs() + earlier.abs()) };

            let mut contexts = Kind::Position(axis).contexts(selector);
            contexts.add(&[axis, class, half_octaves(recent), half_octaves(way)]);
            contexts.add(&[axis, class, half_octaves(motion), half_octaves(newest)]);
            contexts.add(&[axis, class, half_octaves(last), half_octaves(earlier)]);
            let alternatives = [quick, slow].map(|other| signed_octaves((other - expected) * sign, 5));
            let [quick, slow] = alternatives;
            contexts.add(&[axis, class, quick, slow, octaves(recent)]);
            let third = if axis == 2 { height } else { octaves(recent) };
            contexts.add(&[axis, class, expected_height, octaves(motion), third]);
            contexts.add(&[axis, class, half_octaves(error), half_octaves(error_sum)]);
            contexts.add(&[axis, class, half_octaves(last), half_octaves(recent)]);
            contexts.add(&[axis, class, half_octaves(long), fraction]);
            let [first, second] = [first, second].map(|error| signed_octaves(error * sign * 3 / 2, 6));
            contexts.add(&[axis, class, first, second, octaves(motion)]);

            let residual = actual.wrapping_sub(base).wrapping_mul(sign as i32);
            let residual = self.residual(&contexts, residual);
            surprises = [i64::from(residual) * STEP, last];
            let value = base.wrapping_add(residual.wrapping_mul(sign as i32));
            if let Some(coordinate) = coded.get_mut(axis as usize) {
                *coordinate = value;
            }
        }
        body.position = coded;
        let mut total = 0;
        for (actual, expected) in coded.into_iter().zip(forecast.position) {
            total += (i64::from(actual) * STEP - expected).abs();
        }
        total
    }

    fn rotation(
        &mut self,
        body: &mut Body,
        before: &Body,
        actual: &Body,
        forecast: &Forecast,
        class: u32,
        way: i64,
        surprise: i64,
    ) {
        let [newest, recent] = forecast.spin_roughness;
        let [_, _, long] = forecast.roughness;
        body.largest = self.largest(actual, forecast, class, surprise);

        let scale = self.forecaster.scale();
        let expected = scale.components(forecast.rotation, body.largest);
        let quick = scale.components(forecast.quick_rotation, body.largest);
        let slow = scale.components(forecast.slow_rotation, body.largest);
        let stood = scale.components(scale.quaternion(before.largest, before.rotation), body.largest);
        let error_sum: i64 = forecast.rotation_error.iter().map(|error| error.abs()).sum();

        let mut surprises = [0_i64; 2];
        let components = expected.into_iter().zip(stood).zip(actual.rotation);
        let others = quick.into_iter().zip(slow).zip(forecast.rotation_error);
        let mut coded = body.rotation;
        for (number, (((expected, stood), actual), ((quick, slow), error))) in (0_u32..).zip(components.zip(others)) {
            let motion = expected - stood;
            let sign = if motion < 0 { -1 } else { 1 };
            let (base, fraction) = rounded(expected);
            let [last, earlier] = surprises;
            let selector = if number == 0 { octaves(surprise) } else { octaves(last.abs() + earlier.abs()) };

            let mut contexts = Kind::Rotation(number).contexts(selector);
            contexts.add(&[number, class, half_octaves(recent), half_octaves(way)]);
            contexts.add(&[number, class, half_octaves(motion), half_octaves(newest)]);
            contexts.add(&[number, class, half_octaves(last), half_octaves(earlier)]);
            let [quick, slow] = [quick, slow].map(|other| signed_octaves((other - expected) * sign, 5));
            contexts.add(&[number, class, quick, slow, octaves(recent)]);
            contexts.add(&[number, class, half_octaves(surprise), half_octaves(motion)]);
            contexts.add(&[number, class, half_octaves(error), half_octaves(error_sum)]);
            contexts.add(&[number, class, half_octaves(last), half_octaves(surprise)]);
            contexts.add(&[number, class, half_octaves(surprise), half_octaves(recent)]);
            contexts.add(&[number, class, half_octaves(long), fraction, half_octaves(last)]);

            let residual = i32::from(actual).wrapping_sub(base).wrapping_mul(sign as i32);
            let residual = self.residual(&contexts, residual);
            surprises = [i64::from(residual) * STEP, last];
            let value = base.wrapping_add(residual.wrapping_mul(sign as i32));
            if let Some(component) = coded.get_mut(number as usize) {
                // What is out of range for the type is out of range for the scale, and refused as such.
                *component = u16::try_from(value).unwrap_or(u16::MAX);
            }
        }
        body.rotation = coded;
    }

    /// The greatest component: likely the greatest of the forecast, else the second.
    fn largest(&mut self, actual: &Body, forecast: &Forecast, class: u32, surprise: i64) -> u8 {
        let ([first, second, third, fourth], lead) = forecast.rotation.ranking();
        let lead = self.forecaster.scale().steps(lead);
        let [_, recent] = forecast.spin_roughness;
        let mut contexts = Kind::Largest.contexts(octaves(lead));
        contexts.add(&[class, half_octaves(lead)]);
        contexts.add(&[class, half_octaves(lead), half_octaves(surprise)]);
        contexts.add(&[class, half_octaves(lead), half_octaves(recent)]);
        if !self.decide(&contexts, 0, actual.largest != first) {
            first
        } else if !self.decide(&contexts, 1, actual.largest != second) {
            second
        } else if !self.decide(&contexts, 2, actual.largest != third) {
            third
        } else {
            fourth
        }
    }

    fn decide(&mut self, contexts: &Contexts, node: u32, bit: bool) -> bool {
        self.models.decide(self.coder, self.adaptation, contexts, node, bit)
    }

    fn residual(&mut self, contexts: &Contexts, value: i32) -> i32 {
        code_residual(self.models, self.coder, self.adaptation, contexts, value)
    }

    /// How much all values changed over the last `frames` known frames, in 1/256 step.
    fn travelled(&self, index: usize, frames: usize) -> i64 {
        let [now, then] = [0, frames].map(|age| self.past.body(age, index));
        let turned = now.rotation.iter().zip(then.rotation).map(|(now, then)| i64::from(now.abs_diff(then)));
        self.way(now, then) + turned.sum::<i64>() * STEP
    }

    /// How far the body went over the last horizon of known frames, in 1/256 step.
    fn went(&self, index: usize) -> i64 {
        self.way(self.past.body(0, index), self.past.body(self.config.horizon, index))
    }

    fn way(&self, now: Body, then: Body) -> i64 {
        let moved = now.position.iter().zip(then.position).map(|(now, then)| i64::from(now.abs_diff(then)));
        moved.sum::<i64>() * STEP
    }
}

/// The nearest whole step, and in which quarter of it the value lies.
fn rounded(value: i64) -> (i32, u32) {
    let raised = value + STEP / 2;
    ((raised >> FRACTION_BITS) as i32, ((raised & (STEP - 1)) * 4 / STEP) as u32)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    pub(crate) const CONFIG: BodyFrameConfig = BodyFrameConfig {
        bodies: 5,
        horizon: 6,
        rotation_max: 511,
        gravity: [0, 0, -728],
        damping: 64_881,
        body_size: 205,
        table_bits: 8,
    };

    /// Bodies that walk, turn and rest, as far as that needs no physics.
    pub(crate) fn frames(count: usize) -> Vec<Vec<Body>> {
        let mut state = 0x1234_5678_9abc_def1_u64;
        let mut random = move |below: i32| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as i32
        };
        let mut bodies = vec![Body { rotation: [256; 3], largest: 3, ..Body::default() }; CONFIG.bodies];
        (0..count)
            .map(|_| {
                for (index, body) in bodies.iter_mut().enumerate() {
                    if random(8) < index as i32 {
                        continue;
                    }
                    body.position = body.position.map(|coordinate| coordinate + random(200) - 90);
                    body.rotation = body.rotation.map(|_| random(512) as u16);
                    body.largest = random(4) as u8;
                    body.flag = random(3) == 0;
                }
                bodies.clone()
            })
            .collect()
    }

    #[test]
    fn frames_survive_though_models_learn_only_what_is_acknowledged() {
        let frames = frames(60);
        let mut encoder = BodyFrameCodec::new(CONFIG);
        let mut decoder = BodyFrameCodec::new(CONFIG);
        let mut decoded = frames[..6].to_vec();
        for (number, frame) in frames.iter().enumerate().skip(6) {
            encoder.acknowledge(&frames[number - 6]);
            decoder.acknowledge(&decoded[number - 6]);
            let packet = encoder.encode(frame);
            // A packet that is read twice or never changes nothing.
            assert_eq!(encoder.encode(frame), packet);
            decoded.push(decoder.decode(&packet).unwrap());
        }
        assert_eq!(decoded, frames);
    }

    #[test]
    fn a_world_at_rest_takes_a_few_bytes() {
        let still = vec![Body { rotation: [256; 3], largest: 3, ..Body::default() }; 900];
        let mut encoder = BodyFrameCodec::new(BodyFrameConfig { bodies: 900, ..CONFIG });
        for _ in 0..40 {
            encoder.acknowledge(&still);
        }
        assert!(encoder.encode(&still).len() < 20);
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_frame_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
            let mut decoder = BodyFrameCodec::new(CONFIG);
            for frame in frames(8) {
                decoder.acknowledge(&frame);
            }
            if let Ok(frame) = decoder.decode(&bytes) {
                prop_assert_eq!(frame.len(), CONFIG.bodies);
                // What a stranger makes us believe must not break what comes after.
                for _ in 0..14 {
                    decoder.acknowledge(&frame);
                }
                let _ = decoder.encode(&frame);
            }
        }
    }
}
