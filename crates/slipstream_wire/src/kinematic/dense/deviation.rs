//! Whole numbers that are likely small, and of which both sides know how small: their spread.
//!
//! What is left after a prediction has a sharp middle and a long tail, because most of the time nothing happens and
//! sometimes something hits. The odds here are those of a mean of two Pareto laws of the second kind (Lomax 1954): with
//! `t = 1 + x/s` a number is as great as `x` with the odds `7/8 t⁻⁴ + 1/8 t⁻¹`. The first is the usual deviation of
//! spread `s`; the second costs a number one bit for each doubling, however wrong the spread was. Any tail between
//! takes about as much.

use crate::range_coder::BitCoder;

/// Steps of a spread in a doubling.
pub(super) const DOUBLING: i64 = 16;

/// Octaves above this have no bits of their own that are worth odds: they are those of this one, with another spread.
const LAST_ODDS: u32 = 4;
/// No difference of two words of a quantiser has more bits.
const LAST_OCTAVE: u32 = 25;

/// Rows in a doubling of the spread, and the doublings of the table: from 1/32 to 2^19 steps.
const ROWS: i64 = 4;
const LEAST: i64 = -5;
const MOST: i64 = 19;
const ROW_COUNT: usize = ((MOST - LEAST) * ROWS + 1) as usize;

/// What is decided, by its place in a row. Whether the number is not zero.
const SOME: usize = 0;
/// Whether it lies above octave 0 to 4.
const ABOVE: usize = 1;
/// The bit below the highest, in octaves 1 to 4.
const SECOND: usize = 6;
/// And the one below that, in octaves 2 to 4, after a 0 or a 1.
const THIRD: usize = 10;
const DECISIONS: usize = 16;

type Row = [u16; DECISIONS];

static ODDS: [Row; ROW_COUNT] = odds();

/// Codes `value`, whose spread is `2^(spread / 16)`, or reads one where `coder` is a decoder: any bytes give one below
/// `2^26`, both ways, after at most 30 decisions.
#[inline]
pub(super) fn code<C: BitCoder>(coder: &mut C, spread: i64, value: i64) -> i64 {
    let row = (((spread + 2) >> 2) - LEAST * ROWS).clamp(0, ROW_COUNT as i64 - 1) as usize;
    let at =
        |row: usize, decision: usize| ODDS.get(row).and_then(|row| row.get(decision)).map_or(1 << 15, |odds| *odds);
    if !coder.code(value != 0, at(row, SOME)) {
        return 0;
    }
    let magnitude = value.unsigned_abs().min((1 << (LAST_OCTAVE + 1)) - 1) as u32;

    // The row and the octave whose odds are those of `octave`.
    let alike = |octave: u32| {
        let above = octave.saturating_sub(LAST_ODDS);
        (row.saturating_sub(ROWS as usize * above as usize), (octave - above) as usize)
    };
    let mut octave = 0;
    while octave < LAST_OCTAVE {
        let (row, odds_of) = alike(octave);
        if !coder.code(magnitude >> (octave + 1) != 0, at(row, ABOVE + odds_of)) {
            break;
        }
        octave += 1;
    }

    let (row, odds_of) = alike(octave);
    let (mut read, mut below) = (1, octave);
    if below > 0 {
        below -= 1;
        let bit = coder.code((magnitude >> below) & 1 != 0, at(row, SECOND + odds_of - 1));
        read = (read << 1) | u32::from(bit);
    }
    if below > 0 {
        below -= 1;
        let decision = THIRD + 2 * (odds_of - 2) + (read & 1) as usize;
        let bit = coder.code((magnitude >> below) & 1 != 0, at(row, decision));
        read = (read << 1) | u32::from(bit);
    }
    // What is left, and the sign, is even.
    let rest = coder.code_bits((magnitude & mask(below)) << 1 | u32::from(value < 0), below + 1);
    let read = i64::from((read << below) | (rest >> 1));
    if rest & 1 != 0 { -read } else { read }
}

const fn mask(bits: u32) -> u32 {
    crate::bit_writer::low_mask(bits) as u32
}

#[allow(clippy::indexing_slicing, reason = "the compiler runs this: a wrong index is an error of the build")]
const fn odds() -> [Row; ROW_COUNT] {
    let mut table = [[0; DECISIONS]; ROW_COUNT];
    let mut row = 0;
    while row < ROW_COUNT {
        // Bounds between numbers lie in the middle, so all is in halves: `2x - 1` for a magnitude of `x`.
        let odds = &mut table[row];
        odds[SOME] = share(0, survivors(row, 1), ONE);
        let mut octave = 0;
        while octave <= LAST_ODDS as usize {
            let (from, to) = (1_u128 << octave, 2_u128 << octave);
            let (all, beyond) = (survivors(row, 2 * from - 1), survivors(row, 2 * to - 1));
            odds[ABOVE + octave] = share(0, beyond, all);
            let middle = survivors(row, 2 * (from + from / 2) - 1);
            if octave >= 1 {
                odds[SECOND + octave - 1] = share(beyond, middle, all);
            }
            if octave >= 2 {
                let lower = survivors(row, 2 * (from + from / 4) - 1);
                let upper = survivors(row, 2 * (from + from / 2 + from / 4) - 1);
                odds[THIRD + 2 * (octave - 2)] = share(middle, lower, all);
                odds[THIRD + 2 * (octave - 2) + 1] = share(beyond, upper, middle);
            }
            octave += 1;
        }
        row += 1;
    }
    table
}

const PLACES: u32 = 48;
const ONE: u128 = 1 << PLACES;

/// Quarters of a doubling: `2^(i/4)` with 16 places.
const QUARTERS: [u128; 4] = [65_536, 77_936, 92_682, 110_218];

/// The odds, with [`PLACES`], of at least `halves / 2` with the spread of `row`.
#[allow(clippy::indexing_slicing, reason = "the compiler runs this: a wrong index is an error of the build")]
const fn survivors(row: usize, halves: u128) -> u128 {
    // In halves, with 16 places and those of the least spread, 2^-5.
    let spread = QUARTERS[row % 4] << (row / 4 + 1);
    let ratio = (spread << PLACES) / (spread + (halves << (16 - LEAST as i32)));
    let square = (ratio * ratio) >> PLACES;
    let fourth = (square * square) >> PLACES;
    (7 * fourth + ratio) / 8
}

/// Of what lies between `from` and `to`, what lies between `from` and `part`; in 65,536, and never certain.
const fn share(from: u128, part: u128, to: u128) -> u16 {
    let share = ((part - from) << 16) / (to - from);
    if share < 32 {
        32
    } else if share > 65_504 {
        65_504
    } else {
        share as u16
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::range_coder::{RangeDecoder, RangeEncoder, Rehearsal};

    /// Counts what is coded, in bits.
    #[derive(Default)]
    struct Cost(f64);

    impl BitCoder for Cost {
        fn code(&mut self, bit: bool, p1: u16) -> bool {
            let odds = f64::from(p1) / 65_536.0;
            self.0 -= if bit { odds } else { 1.0 - odds }.log2();
            bit
        }

        fn code_bits(&mut self, value: u32, bits: u32) -> u32 {
            self.0 += f64::from(bits);
            Rehearsal.code_bits(value, bits)
        }
    }

    fn cost(spread: i64, value: i64) -> f64 {
        let mut cost = Cost::default();
        assert_eq!(code(&mut cost, spread, value), value);
        cost.0
    }

    #[test]
    fn the_odds_are_those_of_the_law() {
        // Compared where the law is calculated in floats.
        for doublings in [-4, 0, 1, 3, 6] {
            let spread = f64::from(doublings).exp2();
            let survivors = |x: f64| 0.875 * (1.0 + x / spread).powi(-4) + 0.125 / (1.0 + x / spread);
            // Below the third bit all is taken as even, so greater ones are a little off.
            for value in 0..16_i32 {
                let magnitude = f64::from(value);
                let odds = if value == 0 {
                    1.0 - survivors(0.5)
                } else {
                    (survivors(magnitude - 0.5) - survivors(magnitude + 0.5)) / 2.0
                };
                let bits = cost(i64::from(doublings) * DOUBLING, i64::from(value));
                assert!((bits + odds.log2()).abs() < 0.25, "{value} of 2^{doublings}: {bits} bits, {}", -odds.log2());
            }
        }
    }

    #[test]
    fn a_spread_that_is_wrong_costs_two_bits_a_doubling_at_most() {
        for doublings in 0..25 {
            let bits = cost(LEAST * DOUBLING, 1 << doublings);
            assert!(bits <= 10.0 + 2.0 * f64::from(doublings), "{bits} bits for 2^{doublings}");
            let bits = cost(i64::from(doublings) * DOUBLING, 0);
            assert!(bits <= 2.0 + f64::from(doublings), "{bits} bits for 0 where 2^{doublings} was usual");
        }
    }

    fn numbers() -> impl Strategy<Value = Vec<(i64, i64)>> {
        let number = (-(1_i64 << 26) + 1..1 << 26, 0..26_u32).prop_map(|(number, shift)| number >> shift);
        vec((-200..500_i64, number), 0..60)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(numbers in numbers()) {
            let mut encoder = RangeEncoder::new();
            for (spread, number) in &numbers {
                prop_assert_eq!(code(&mut encoder, *spread, *number), *number);
            }
            let bytes = encoder.finish();
            let mut decoder = RangeDecoder::new(&bytes);
            for (spread, number) in &numbers {
                prop_assert_eq!(code(&mut decoder, *spread, 0), *number);
            }
            prop_assert!(decoder.check().is_ok());
        }

        #[test]
        fn any_bytes_give_numbers(bytes in vec(any::<u8>(), 0..64), spreads in vec(any::<i32>(), 0..60)) {
            let mut decoder = RangeDecoder::new(&bytes);
            for spread in spreads {
                prop_assert!(code(&mut decoder, i64::from(spread), 0).abs() < 1 << 26);
            }
        }
    }
}
