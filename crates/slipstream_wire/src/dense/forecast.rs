//! What both sides expect of one body, and how far to trust it.

use super::{
    ballistics::{Ballistics, WINDOWS},
    config::BodyFrameConfig,
    history::{Body, Past},
    octaves::STEP,
    spin::{Quaternion, RotationScale},
};

/// Frames over which a body's motion is judged rough or smooth.
const RECENT: usize = 4;
const LONG: usize = 6;

/// Rounding alone makes an error of about a step on each axis and frame. Below that over the long time, the longest
/// window is best; at five times as much over the recent, something hits the body all the time and only the last frame
/// tells where it goes.
const SMOOTH: i64 = (LONG * 3) as i64 * STEP;
const ROUGH: i64 = (RECENT * 3 * 5) as i64 * STEP;

/// Physics and scales that forecasts are made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forecaster {
    ballistics: Ballistics,
    scale: RotationScale,
    horizon: usize,
}

/// Of one body, at the frame that is coded. Lengths are in 1/256 step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forecast {
    pub position: [i64; 3],
    /// From the last frame's velocity alone.
    pub quick_position: [i64; 3],
    /// From the longest window.
    pub slow_position: [i64; 3],
    /// Whether the body fell freely, rather than being carried.
    pub falls: bool,
    /// How far the newest frames were from where those before them led, on all axes together: the newest, the recent,
    /// the long.
    pub roughness: [i64; 3],
    /// The two newest of those errors, with signs.
    pub step_errors: [[i64; 3]; 2],
    /// How wrong the same forecast was for the newest known frame.
    pub position_error: [i64; 3],
    pub rotation: Quaternion,
    pub quick_rotation: Quaternion,
    pub slow_rotation: Quaternion,
    /// The newest error of rotation from one frame to the next, and the recent ones together.
    pub spin_roughness: [i64; 2],
    /// How wrong the same forecast was for the newest known frame.
    pub rotation_error: [i64; 3],
}

impl Forecaster {
    pub fn new(config: &BodyFrameConfig) -> Self {
        Self {
            ballistics: Ballistics::new(config.horizon, config.gravity, config.damping),
            scale: RotationScale::new(config.rotation_max),
            horizon: config.horizon,
        }
    }

    /// The scale of rotations.
    pub fn scale(&self) -> &RotationScale {
        &self.scale
    }

    /// What is expected of body `index`.
    pub fn forecast(&self, past: &Past<'_>, index: usize) -> Forecast {
        let (falls, roughness, step_errors) = self.judge(past, index);
        let [_, recent, long] = roughness;
        let window = if recent > ROUGH {
            0
        } else if long < SMOOTH {
            2
        } else {
            1
        };
        let place = |age, window| self.ballistics.predict(past, index, age, window, falls);
        let known = past.body(0, index);
        let expected = place(self.horizon, window);

        let forms: [Quaternion; RECENT + 2] = core::array::from_fn(|age| self.quaternion(past.body(age, index)));
        let [now, before, earlier, third, fourth, fifth] = forms;
        let spin_errors =
            [(now, before, earlier), (before, earlier, third), (earlier, third, fourth), (third, fourth, fifth)]
                .map(|(now, before, earlier)| self.scale.steps(now.step_error(before, earlier)));
        let [newest_spin_error, ..] = spin_errors;
        let turn = |age, window| self.turn(past, index, age, window);
        let expected_rotation = self.scale.components(turn(self.horizon, window), known.largest);

        Forecast {
            position: place(0, window),
            quick_position: place(0, 0),
            slow_position: place(0, WINDOWS.len() - 1),
            falls,
            roughness,
            step_errors,
            position_error: difference(known.position.map(|value| i64::from(value) * STEP), expected),
            rotation: turn(0, window),
            quick_rotation: turn(0, 0),
            slow_rotation: turn(0, WINDOWS.len() - 1),
            spin_roughness: [newest_spin_error, spin_errors.iter().sum()],
            rotation_error: difference(known.rotation.map(|value| i64::from(value) * STEP), expected_rotation),
        }
    }

    /// Whether the body falls, and how roughly it moves if that is so.
    fn judge(&self, past: &Past<'_>, index: usize) -> (bool, [i64; 3], [[i64; 3]; 2]) {
        let errors: [([i64; 3], [i64; 3]); LONG] =
            core::array::from_fn(|age| self.ballistics.step_errors(past, index, age));
        let sum = |errors: [[i64; 3]; LONG], frames: usize| -> i64 {
            errors.iter().take(frames).flatten().map(|error| error.abs()).sum()
        };
        let falling = errors.map(|(falling, _)| falling);
        let carried = errors.map(|(_, carried)| carried);
        let falls = sum(falling, RECENT) < sum(carried, RECENT);
        let chosen = if falls { falling } else { carried };
        let [newest, second, ..] = chosen;
        (falls, [sum(chosen, 1), sum(chosen, RECENT), sum(chosen, LONG)], [newest, second])
    }

    fn quaternion(&self, body: Body) -> Quaternion {
        self.scale.quaternion(body.largest, body.rotation)
    }

    fn turn(&self, past: &Past<'_>, index: usize, age: usize, window: usize) -> Quaternion {
        let back = WINDOWS.get(window).copied().unwrap_or(1);
        let now = self.quaternion(past.body(age, index));
        let before = self.quaternion(past.body(age + back, index));
        now.continued(before, window, self.ballistics.gains(window).spin, self.horizon)
    }
}

fn difference(actual: [i64; 3], expected: [i64; 3]) -> [i64; 3] {
    let mut difference = actual;
    for (difference, expected) in difference.iter_mut().zip(expected) {
        *difference -= expected;
    }
    difference
}
