//! One row of words for each index, side by side.

use bevy::platform::collections::HashMap;

/// Longer rows are kept apart: one long name must not make all others long.
const MAX_STRIDE: usize = 32;

/// Rows by a dense index. Going through them in order reads memory in order.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Words between two rows: what the longest so far took.
    stride: usize,
    lengths: Vec<u32>,
    words: Vec<u32>,
    long: HashMap<u32, Vec<u32>>,
}

impl Rows {
    /// The row; empty where there is none.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> &[u32] {
        let length = self.lengths.get(index as usize).copied().unwrap_or_default() as usize;
        if length > self.stride {
            return self.long.get(&index).map(Vec::as_slice).unwrap_or_default();
        }
        let start = index as usize * self.stride;
        self.words.get(start..start + length).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn set(&mut self, index: u32, row: &[u32]) {
        let place = index as usize;
        if self.lengths.len() <= place || row.len() > self.stride {
            self.make_room(place, row.len());
        }
        let before = core::mem::replace(&mut self.lengths[place], row.len() as u32);
        if before as usize > self.stride && row.len() <= self.stride {
            self.long.remove(&index);
        }
        if row.len() > self.stride {
            let long = self.long.entry(index).or_default();
            long.clear();
            long.extend_from_slice(row);
            return;
        }
        let start = place * self.stride;
        self.words[start..start + row.len()].copy_from_slice(row);
    }

    /// Leaves the row empty.
    pub(crate) fn clear(&mut self, index: u32) {
        if let Some(length) = self.lengths.get_mut(index as usize)
            && core::mem::take(length) as usize > self.stride
        {
            self.long.remove(&index);
        }
    }

    #[cold]
    fn make_room(&mut self, place: usize, length: usize) {
        if self.lengths.len() <= place {
            self.lengths.resize(place + 1, 0);
        }
        if length > self.stride && length <= MAX_STRIDE {
            let mut words = vec![0; self.lengths.len() * length];
            for (index, (row, words)) in self.lengths.iter().zip(words.chunks_exact_mut(length)).enumerate() {
                let (row, start) = (*row as usize, index * self.stride);
                if row <= self.stride {
                    // Indices that are new have no words yet, nor a length.
                    let kept = self.words.get(start..start + row).unwrap_or_default();
                    words[..kept.len()].copy_from_slice(kept);
                } else if row <= length
                    && let Some(long) = self.long.remove(&(index as u32))
                {
                    words[..row].copy_from_slice(&long);
                }
            }
            self.stride = length;
            self.words = words;
        }
        self.words.resize(self.lengths.len() * self.stride, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_what_they_have_while_others_grow() {
        let mut rows = Rows::default();
        let long: Vec<u32> = (0..100).collect();
        rows.set(3, &[1, 2]);
        rows.set(5, &long);
        rows.set(0, &[7, 8, 9]);
        assert_eq!((rows.get(3), rows.get(0), rows.get(5)), (&[1, 2][..], &[7, 8, 9][..], &long[..]));
        assert!(rows.get(1).is_empty() && rows.get(99).is_empty());
        rows.set(9, &[1; 10]);
        assert_eq!((rows.get(3), rows.get(9)), (&[1, 2][..], &[1; 10][..]));
        rows.set(5, &[4]);
        rows.clear(3);
        assert_eq!((rows.get(5), rows.get(3)), (&[4][..], &[][..]));
        assert!(rows.long.is_empty());
    }

    #[test]
    fn a_row_that_was_long_is_short_again() {
        let mut rows = Rows::default();
        rows.set(0, &[1; 40]);
        rows.set(0, &[2; 20]);
        rows.set(1, &[3; 32]);
        assert_eq!((rows.get(0), rows.get(1)), (&[2; 20][..], &[3; 32][..]));
        rows.set(0, &[4; 50]);
        rows.clear(0);
        assert!(rows.get(0).is_empty());
    }
}
