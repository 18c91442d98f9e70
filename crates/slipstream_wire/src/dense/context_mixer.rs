//! One decision, looked at from several sides: each context remembers how such decisions went, a mixer weighs what they
//! say (Mahoney's lpaq, without its match model).

use crate::range_coder::{AdaptiveBit, BitCoder, Mixer, squash, stretch};

/// Decisions of one value. They are told apart by number, in groups of 16 that share a cache line.
pub(crate) const NODES: u32 = 64;
const LINE: u32 = 16;

/// A constant opinion, which lets the mixer lean to one side by itself.
const BIAS: i32 = 256;

/// Whether models learn from what is coded.
///
/// Models must be the same on both sides, so they may only learn from what both have. What is coded now can be lost;
/// what was acknowledged cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adaptation {
    /// Models stay as they are: the data may be lost.
    Frozen,
    /// Models learn: both sides have the data, or read it in the same order.
    Learning,
}

/// What is known about the value that is coded: a number of hashes, and which weights to use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contexts {
    hashes: [u32; Contexts::MOST],
    count: usize,
    set: u32,
}

impl Contexts {
    /// More are dropped.
    pub const MOST: usize = 10;

    /// No contexts yet; weights of `set`.
    pub fn new(set: u32) -> Self {
        Self { hashes: [0; Self::MOST], count: 0, set }
    }

    /// Adds the context of all `parts` together.
    #[inline]
    pub fn add(&mut self, parts: &[u32]) {
        let hash = parts.iter().fold(self.count as u32 + 1, |hash, part| {
            (hash.rotate_left(5) ^ part.wrapping_add(1)).wrapping_mul(0x9e37_79b1)
        });
        if let Some(slot) = self.hashes.get_mut(self.count) {
            *slot = hash;
            self.count += 1;
        }
    }
}

/// Tables of what happened in each context and the weights that join them.
#[derive(Clone, Debug)]
pub(crate) struct ContextMixer {
    // One for each context, by its place in `Contexts`; hashed, without a check: a collision costs bits, nothing else.
    tables: Vec<Vec<AdaptiveBit>>,
    table_bits: u32,
    mixer: Mixer,
}

impl ContextMixer {
    /// `sets` sets of weights; `2^table_bits` lines of 64 bytes for each context.
    pub fn new(sets: u32, table_bits: u32) -> Self {
        let table_bits = table_bits.clamp(4, 20);
        let table = vec![AdaptiveBit::new(); (LINE as usize) << table_bits];
        Self {
            tables: vec![table; Contexts::MOST],
            table_bits,
            mixer: Mixer::new(Contexts::MOST + 1, (sets * NODES) as usize),
        }
    }

    /// Codes decision number `node` (below [`NODES`]) of a value.
    #[inline]
    pub fn decide<C: BitCoder>(
        &mut self,
        coder: &mut C,
        adaptation: Adaptation,
        contexts: &Contexts,
        node: u32,
        bit: bool,
    ) -> bool {
        let node = node % NODES;
        let mut slots = [0; Contexts::MOST];
        let mut opinions = [0; Contexts::MOST + 1];
        let [bias, rest @ ..] = &mut opinions;
        *bias = BIAS;
        let sources = contexts.hashes.iter().take(contexts.count).zip(&self.tables);
        for ((hash, table), (slot, opinion)) in sources.zip(slots.iter_mut().zip(rest)) {
            let line = (hash ^ (node / LINE).wrapping_mul(0x85eb_ca6b)).wrapping_mul(0xc2b2_ae35);
            *slot = ((line >> (32 - self.table_bits)) * LINE + node % LINE) as usize;
            *opinion = table.get(*slot).map_or(0, |model| stretch(model.p1()));
        }
        let set = (contexts.set * NODES + node) as usize;
        let p1 = squash(self.mixer.mix(set, &opinions));
        let bit = coder.code(bit, p1);
        if adaptation == Adaptation::Learning {
            self.mixer.train(set, &opinions, bit, p1);
            for (table, slot) in self.tables.iter_mut().take(contexts.count).zip(slots) {
                if let Some(model) = table.get_mut(slot) {
                    model.update(bit);
                }
            }
        }
        bit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range_coder::{RangeEncoder, Rehearsal};

    fn contexts(parts: &[u32]) -> Contexts {
        let mut contexts = Contexts::new(0);
        contexts.add(parts);
        contexts.add(&[7]);
        contexts
    }

    #[test]
    fn what_was_learned_makes_it_short() {
        let mut models = ContextMixer::new(1, 6);
        for step in 0..2_000_u32 {
            let contexts = contexts(&[step % 4, 1]);
            models.decide(&mut Rehearsal, Adaptation::Learning, &contexts, 0, step % 4 == 3);
        }
        let mut encoder = RangeEncoder::new();
        for step in 0..2_000_u32 {
            let contexts = contexts(&[step % 4, 1]);
            models.decide(&mut encoder, Adaptation::Frozen, &contexts, 0, step % 4 == 3);
        }
        let length = encoder.finish().len();
        assert!(length < 60, "{length} bytes for 2000 certain decisions");
    }

    #[test]
    fn frozen_models_do_not_change() {
        let mut models = ContextMixer::new(1, 6);
        let before = models.tables.clone();
        models.decide(&mut Rehearsal, Adaptation::Frozen, &contexts(&[1]), 5, true);
        assert_eq!(models.tables, before);
        models.decide(&mut Rehearsal, Adaptation::Learning, &contexts(&[1]), 5, true);
        assert_ne!(models.tables, before);
    }
}
