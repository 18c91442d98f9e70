use super::STRETCH_LIMIT;

/// Weights are in 1/65,536; beyond 16 a single input would decide alone.
const WEIGHT_LIMIT: i64 = 16 << 16;

/// Joins several opinions on a decision: a weighted sum of stretched odds, whose weights are learned online by the
/// gradient of coding cost (Mahoney 2005, "Adaptive weighing of context models for lossless data compression").
///
/// A context selects one of several weight sets, because who is right depends on the situation.
///
/// ```
/// use slipstream_wire::range_coder::{Mixer, squash, stretch};
///
/// // The first input is always right, the second knows nothing.
/// let mut mixer = Mixer::new(2, 1);
/// for step in 0..10_000 {
///     let bit = step % 3 == 0;
///     let inputs = [stretch(if bit { 50_000 } else { 15_536 }), 0];
///     let p1 = squash(mixer.mix(0, &inputs));
///     mixer.train(0, &inputs, bit, p1);
/// }
/// assert!(squash(mixer.mix(0, &[stretch(50_000), 0])) > 50_000);
/// ```
#[derive(Clone, Debug)]
pub struct Mixer {
    inputs: usize,
    // `inputs` weights a set.
    weights: Vec<i32>,
}

impl Mixer {
    /// In 1/2^20 of the gradient; lpaq's 0.0017 in these units.
    const RATE: i64 = 7;
    const RATE_SHIFT: u32 = 20;

    /// `sets` weight sets for `inputs` inputs. All start at 0.3: opinions of one thing are not independent, so together
    /// they should count for a few of them, not for their sum.
    #[must_use]
    pub fn new(inputs: usize, sets: usize) -> Self {
        Self { inputs, weights: vec![(3 << 16) / 10; inputs.saturating_mul(sets)] }
    }

    /// The stretched odds that the weights of `set` give. Inputs without a weight count for nothing.
    #[inline]
    #[must_use]
    pub fn mix(&self, set: usize, stretched: &[i32]) -> i32 {
        let start = set.saturating_mul(self.inputs);
        let weights = self.weights.get(start..start.saturating_add(self.inputs)).unwrap_or_default();
        let sum: i64 =
            weights.iter().zip(stretched).map(|(weight, input)| i64::from(*weight) * i64::from(*input)).sum();
        let limit = i64::from(STRETCH_LIMIT);
        (sum >> 16).clamp(-limit, limit) as i32
    }

    /// Moves the weights of `set` towards the inputs that were right. `p1` is what [`mix`](Self::mix) made of these
    /// inputs, squashed.
    #[inline]
    pub fn train(&mut self, set: usize, stretched: &[i32], bit: bool, p1: u16) {
        let start = set.saturating_mul(self.inputs);
        let error = (i64::from(bit) << 16) - i64::from(p1);
        let Some(weights) = self.weights.get_mut(start..start.saturating_add(self.inputs)) else {
            return;
        };
        for (weight, input) in weights.iter_mut().zip(stretched) {
            let step = (error * i64::from(*input) * Self::RATE + (1 << (Self::RATE_SHIFT - 1))) >> Self::RATE_SHIFT;
            *weight = (i64::from(*weight) + step).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT) as i32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::squash, *};

    #[test]
    fn a_set_that_does_not_exist_says_even_odds() {
        let mut mixer = Mixer::new(3, 2);
        assert_eq!(mixer.mix(2, &[500, 500, 500]), 0);
        mixer.train(usize::MAX, &[1, 2, 3], true, 9);
        assert!(mixer.mix(1, &[500, 500, 500]) > 400);
    }

    #[test]
    fn sets_learn_apart() {
        let mut mixer = Mixer::new(1, 2);
        for _ in 0..4_000 {
            // In set 0 the input is right, in set 1 it is wrong.
            for (set, bit) in [(0, true), (1, false)] {
                let p1 = squash(mixer.mix(set, &[512]));
                mixer.train(set, &[512], bit, p1);
            }
        }
        assert!(mixer.mix(0, &[512]) > 700);
        assert!(mixer.mix(1, &[512]) < -700);
    }
}
