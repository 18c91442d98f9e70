use super::{STRETCH_LIMIT, stretch};

/// Buckets over the stretched odds; their borders are interpolated between.
const BUCKETS: i32 = 32;
const WIDTH: i32 = 2 * STRETCH_LIMIT / BUCKETS;
const BORDERS: usize = BUCKETS as usize + 1;
const RATE_SHIFT: u32 = 6;

/// Adaptive probability map, or secondary symbol estimation (Mahoney's paq6 and later): per context, what became of
/// decisions that were said to be so likely. It corrects a model that is sure too early or too late.
#[derive(Clone, Debug)]
pub struct Apm {
    // `BORDERS` estimates a context.
    borders: Vec<u16>,
}

impl Apm {
    /// A map for `contexts` contexts that changes nothing yet.
    #[must_use]
    pub fn new(contexts: usize) -> Self {
        let row = (0..=BUCKETS).map(|border| super::squash(border * WIDTH - STRETCH_LIMIT));
        Self { borders: row.cycle().take(BORDERS * contexts).collect() }
    }

    /// What stretched odds have meant in `context`, as a probability in 65,536. A context that does not exist changes
    /// nothing.
    #[must_use]
    pub fn refine(&self, context: usize, stretched: i32) -> u16 {
        let (at, weight) = place(context, stretched);
        match (self.borders.get(at), self.borders.get(at + 1)) {
            (Some(low), Some(high)) => {
                ((i32::from(*low) * (WIDTH - weight) + i32::from(*high) * weight) / WIDTH) as u16
            }
            _ => super::squash(stretched),
        }
    }

    /// Learns how the decision went that [`refine`](Self::refine) was asked about.
    pub fn update(&mut self, context: usize, stretched: i32, bit: bool) {
        let (at, weight) = place(context, stretched);
        let nearer = at + usize::from(weight > WIDTH / 2);
        if let Some(border) = self.borders.get_mut(nearer) {
            if bit {
                *border += (u16::MAX - *border) >> RATE_SHIFT;
            } else {
                *border -= *border >> RATE_SHIFT;
            }
        }
    }

    /// [`refine`](Self::refine) averaged with the odds it was given, in the logistic domain: the usual last stage.
    #[must_use]
    pub fn temper(&self, context: usize, stretched: i32) -> u16 {
        super::squash((stretched + stretch(self.refine(context, stretched))) / 2)
    }
}

/// The border below and how far the odds are above it, of `WIDTH`.
fn place(context: usize, stretched: i32) -> (usize, i32) {
    let offset = stretched.clamp(-STRETCH_LIMIT, STRETCH_LIMIT - 1) + STRETCH_LIMIT;
    (context.saturating_mul(BORDERS).saturating_add((offset / WIDTH) as usize), offset % WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_nothing_at_first_and_learns_the_truth() {
        let mut apm = Apm::new(2);
        for stretched in (-2_000..2_000).step_by(50) {
            let difference = i32::from(apm.refine(1, stretched)) - i32::from(super::super::squash(stretched));
            assert!(difference.abs() < 1_500);
        }
        for step in 0..4_000 {
            apm.update(1, 880, step % 2 == 0);
        }
        assert!((28_000..38_000).contains(&apm.refine(1, 880)));
        assert!(apm.refine(0, 880) > 60_000, "the other context is untouched");
        assert!(apm.temper(1, 880) < apm.temper(0, 880));
        assert_eq!(apm.refine(7, 0), 1 << 15);
    }
}
