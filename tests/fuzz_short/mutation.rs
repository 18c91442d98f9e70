//! Inputs for a short run: what is valid, changed a little, and noise.

/// A seeded sequence of inputs.
pub struct Mutations {
    random: fastrand::Rng,
    corpus: Vec<Vec<u8>>,
}

impl Mutations {
    pub fn new(seed: u64, corpus: Vec<Vec<u8>>) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), corpus }
    }

    pub fn next_input(&mut self) -> Vec<u8> {
        if self.corpus.is_empty() || self.random.u8(..) < 40 {
            return self.noise();
        }
        let mut input = self.entry().clone();
        for _ in 0..self.random.u8(1..5) {
            self.mutate(&mut input);
        }
        input
    }

    fn entry(&mut self) -> &Vec<u8> {
        let index = self.random.usize(0..self.corpus.len());
        &self.corpus[index]
    }

    fn noise(&mut self) -> Vec<u8> {
        let most = if self.random.bool() { 24 } else { 700 };
        let mut input = vec![0; self.random.usize(0..most)];
        self.random.fill(&mut input);
        input
    }

    /// Changes bits, bytes, length or place of a part of the input.
    fn mutate(&mut self, input: &mut Vec<u8>) {
        let length = input.len();
        if length == 0 {
            *input = self.noise();
            return;
        }
        let place = self.random.usize(0..length);
        let end = length.min(place + 1 + self.random.usize(0..16));
        match self.random.u8(0..9) {
            0 => input[place] ^= 1 << self.random.u8(0..8),
            // Near the start, where kinds, counts and lengths are.
            1 => input[place % length.min(12)] ^= 1 << self.random.u8(0..8),
            2 => input[place] = [0, 1, 0x7f, 0x80, 0xfb, 0xfd, 0xff, self.random.u8(..)][self.random.usize(0..8)],
            3 => input.truncate(place),
            // Runs of equal bits, which unary codes and varints fear.
            4 => {
                let byte = [0, 0xff, 0x80][self.random.usize(0..3)];
                input.splice(place..place, vec![byte; self.random.usize(1..20)]);
            }
            5 => input[place..end].fill(0xff),
            6 => {
                let copy = input[place..end].to_vec();
                input.splice(place..place, copy);
            }
            7 => drop(input.drain(place..end)),
            // The head of one and the tail of another.
            _ => {
                let from = self.random.usize(..);
                let other = self.entry();
                let tail = other.get(from % other.len().max(1)..).unwrap_or_default().to_vec();
                input.truncate(place);
                input.extend(tail);
            }
        }
    }
}
