/// What a value is coded against: one that the receiver has decoded and stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baseline<'a> {
    /// The words of the value that the receiver has.
    pub words: &'a [u32],
    /// Ticks from the baseline to the value that is coded; at least 1.
    pub age: u32,
    /// An older value that the receiver has too, and how many ticks before the baseline it was; at least 1. With it a
    /// codec can continue a motion whose velocity does not travel.
    pub earlier: Option<(&'a [u32], u32)>,
}

impl<'a> Baseline<'a> {
    /// A baseline of `words`, `age` ticks before the value, with nothing known from before it.
    #[inline]
    #[must_use]
    pub const fn new(words: &'a [u32], age: u32) -> Self {
        Self { words, age, earlier: None }
    }

    /// The same for a part of the words, such as one component of several. Parts that do not exist are empty.
    #[inline]
    #[must_use]
    pub fn part(&self, range: core::ops::Range<usize>) -> Self {
        let cut = |words: &'a [u32]| words.get(range.clone()).unwrap_or_default();
        Self { words: cut(self.words), age: self.age, earlier: self.earlier.map(|(words, age)| (cut(words), age)) }
    }
}
