//! A bounded memory of which numbers have been seen.

/// Whether a number has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Not yet.
    New,
    /// Yes.
    Before,
    /// So old that the window has forgotten.
    TooOld,
}

/// A ring of bits over the newest numbers, so that duplicates are told apart in constant time and memory.
#[derive(Clone, Debug)]
pub(crate) struct SeenWindow {
    /// One above the greatest number seen.
    next: u64,
    words: Box<[u64]>,
}

impl SeenWindow {
    /// A window that remembers the newest `bits` numbers; a multiple of 64.
    pub(crate) fn new(bits: usize) -> Self {
        Self { next: 0, words: vec![0; bits / 64].into_boxed_slice() }
    }

    /// One above the greatest number seen.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Numbers that the window spans.
    pub(crate) fn span(&self) -> u64 {
        self.words.len() as u64 * 64
    }

    /// Whether `number` has been seen.
    pub(crate) fn look(&self, number: u64) -> Seen {
        if number >= self.next {
            Seen::New
        } else if self.next - number > self.span() {
            Seen::TooOld
        } else if (self.word(number) >> (number % 64)) & 1 == 1 {
            Seen::Before
        } else {
            Seen::New
        }
    }

    /// Marks `number` as seen. Numbers that are too old are ignored.
    pub(crate) fn insert(&mut self, number: u64) {
        if number >= self.next {
            if number - self.next >= self.span() {
                self.words.fill(0);
            } else {
                for skipped in self.next..number {
                    self.put(skipped, false);
                }
            }
            self.next = number + 1;
        } else if self.next - number > self.span() {
            return;
        }
        self.put(number, true);
    }

    /// Heap bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.words.len() * 8
    }

    fn word(&self, number: u64) -> u64 {
        let index = (number / 64) as usize % self.words.len().max(1);
        self.words.get(index).copied().unwrap_or(0)
    }

    fn put(&mut self, number: u64, seen: bool) {
        let index = (number / 64) as usize % self.words.len().max(1);
        if let Some(word) = self.words.get_mut(index) {
            let bit = 1 << (number % 64);
            if seen {
                *word |= bit;
            } else {
                *word &= !bit;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_new_once() {
        let mut window = SeenWindow::new(128);
        assert_eq!(window.look(5), Seen::New);
        window.insert(5);
        assert_eq!(window.look(5), Seen::Before);
        assert_eq!(window.look(4), Seen::New);
        window.insert(4);
        assert_eq!(window.look(4), Seen::Before);
    }

    #[test]
    fn the_ring_forgets_what_it_reuses() {
        let mut window = SeenWindow::new(128);
        for number in 0..1000 {
            assert_eq!(window.look(number), Seen::New, "{number}");
            window.insert(number);
        }
        assert_eq!(window.look(871), Seen::TooOld);
        assert_eq!(window.look(872), Seen::Before);
        window.insert(10_000);
        assert_eq!(window.look(9_999), Seen::New);
        assert_eq!(window.look(999), Seen::TooOld);
    }
}
