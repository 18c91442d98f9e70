//! Where a body goes that nothing touches: velocity, gravity and damping, in whole numbers.
//!
//! An engine that steps `v ← d·v + g`, `p ← p + v` has, looking `k` frames back and `n` frames ahead,
//!
//! ```text
//! S   = p₀ - p₋ₖ = v·D - g·G      D = Σ d⁻ʲ (0 ≤ j < k),   G = Σ Σ d⁻ᵐ (1 ≤ m ≤ j < k)
//! p₊ₙ = p₀ + v·A + g·B            A = Σ dʲ  (1 ≤ j ≤ n),   B = Σ Σ dᵐ  (0 ≤ m < j ≤ n)
//!     = p₀ + S·A/D + g·(G·A/D + B)
//! ```
//!
//! so a prediction is two multiplications. A long look back (`k`) evens out the rounding of positions, a short one is
//! quick to see that something was hit: hence several [`WINDOWS`].

use super::{
    history::Past,
    octaves::{FRACTION_BITS, STEP},
};

/// Frames that predictions look back. Powers of two, so that rotations can be divided by halving.
pub(crate) const WINDOWS: [usize; 3] = [1, 2, 4];

/// 1 in the fixed point of powers of the damping.
const ONE: u64 = 1 << 30;
const GAIN_BITS: u32 = 16;

#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowGains {
    /// `A/D` in 1/65,536.
    pub velocity: i64,
    /// `G·A/D + B` in 1/65,536.
    pub gravity: i64,
    /// By how much a step of rotation is less, on average over the horizon, than it was over the window; in 1/65,536.
    pub spin: i64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ballistics {
    gains: [WindowGains; WINDOWS.len()],
    /// In 1/256 step per frame².
    gravity: [i64; 3],
    /// `d` in 1/65,536.
    damping: i64,
}

impl Ballistics {
    /// `horizon` frames ahead; `gravity` in 1/256 step per frame² and `damping` in 1/65,536.
    pub fn new(horizon: usize, gravity: [i32; 3], damping: u16) -> Self {
        let factor = u64::from(damping.max(1 << 15)) << 14;
        let (mut ahead, mut fallen, mut power) = (0, 0, ONE);
        for _ in 0..horizon {
            // `fallen` adds up Σ dᵐ (m < j) for each j; that sum is one more than `ahead` before this step.
            fallen += ahead + ONE;
            power = multiply(power, factor);
            ahead += power;
        }
        let gains = WINDOWS.map(|window| {
            let (mut behind, mut risen, mut inverse, mut sum) = (0, 0, ONE, 0);
            for _ in 0..window {
                behind += inverse;
                risen += sum;
                inverse = divide(inverse, factor);
                sum += inverse;
            }
            let velocity = divide(ahead, behind);
            let gravity = multiply(velocity, risen) + fallen;
            let spin = divide(divide(ahead * window as u64, behind), horizon.max(1) as u64 * ONE);
            let gain = |value: u64| (value >> (30 - GAIN_BITS)) as i64;
            WindowGains { velocity: gain(velocity), gravity: gain(gravity), spin: gain(spin) }
        });
        Self { gains, gravity: gravity.map(i64::from), damping: i64::from(damping.max(1 << 15)) }
    }

    /// The gains of window number `window`.
    #[inline]
    pub fn gains(&self, window: usize) -> WindowGains {
        let [first, ..] = self.gains;
        self.gains.get(window).copied().unwrap_or(first)
    }

    /// Where the body will be a horizon after `age`, in 1/256 step; without gravity where something carries it.
    pub fn predict(&self, past: &Past<'_>, index: usize, age: usize, window: usize, falls: bool) -> [i64; 3] {
        let gains = self.gains(window);
        let back = WINDOWS.get(window).copied().unwrap_or(1);
        let from = past.body(age, index).position;
        let before = past.body(age + back, index).position;
        let mut predicted = [0; 3];
        for (((to, from), before), gravity) in predicted.iter_mut().zip(from).zip(before).zip(self.gravity) {
            let moved = i64::from(from) - i64::from(before);
            let fall = if falls { gains.gravity * gravity } else { 0 };
            *to = i64::from(from) * STEP + ((moved * (gains.velocity << FRACTION_BITS) + fall) >> GAIN_BITS);
        }
        predicted
    }

    /// How far a body at `age` was from where the two frames before it led, in 1/256 step: falling, and carried.
    pub fn step_errors(&self, past: &Past<'_>, index: usize, age: usize) -> ([i64; 3], [i64; 3]) {
        let [now, before, earlier] = [age, age + 1, age + 2].map(|age| past.body(age, index).position.map(i64::from));
        let mut falling = [0; 3];
        let mut carried = [0; 3];
        let points = now.into_iter().zip(before).zip(earlier);
        let errors = falling.iter_mut().zip(carried.iter_mut()).zip(self.gravity);
        for (((now, before), earlier), ((falling, carried), gravity)) in points.zip(errors) {
            let velocity = ((before - earlier) * self.damping) >> (16 - FRACTION_BITS);
            *carried = (now - before) * STEP - velocity;
            *falling = *carried - gravity;
        }
        (falling, carried)
    }
}

/// Of numbers below 2^36: the horizon and the windows are short.
fn multiply(a: u64, b: u64) -> u64 {
    ((u128::from(a) * u128::from(b)) >> 30) as u64
}

fn divide(a: u64, b: u64) -> u64 {
    ((u128::from(a) << 30) / u128::from(b.max(1))) as u64
}

#[cfg(test)]
mod tests {
    use super::{super::history::tests::throw, *};

    #[test]
    fn a_thrown_body_is_where_it_is_expected() {
        // 20 m/s², 512 steps a metre, 60 Hz, 1 % of velocity lost a frame.
        let history = throw([40.0, -25.0, 60.0], -2.8444, 0.99, 30);
        let ballistics = Ballistics::new(6, [0, 0, -728], 64_881);
        let past = Past::new(&history, 20);
        for window in 0..WINDOWS.len() {
            let predicted = ballistics.predict(&past, 0, 0, window, true);
            let actual = history.body(26, 0).position;
            for (predicted, actual) in predicted.into_iter().zip(actual) {
                // Half a step of rounding at both ends of the window, six times over in the shortest.
                let error = (predicted - i64::from(actual) * STEP).abs();
                assert!(error < 9 * STEP, "window {window}: {error}");
            }
        }
        let (falling, carried) = ballistics.step_errors(&past, 0, 0);
        assert!(falling.iter().all(|error| error.abs() <= 2 * STEP + 1));
        assert!(carried.iter().map(|error| error.abs()).sum::<i64>() > 0);
    }

    #[test]
    fn without_damping_the_gains_are_whole() {
        let ballistics = Ballistics::new(6, [0; 3], u16::MAX);
        let gains = ballistics.gains(0);
        assert!((gains.velocity - (6 << 16)).abs() < 64);
        assert!((gains.gravity - (21 << 16)).abs() < 128);
        assert!((gains.spin - (1 << 16)).abs() < 8);
    }
}
