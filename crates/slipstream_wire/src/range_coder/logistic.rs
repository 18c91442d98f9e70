//! The logistic domain, where opinions add up: `stretch(p) = ln(p / (1 - p))` and its inverse `squash` (Mahoney, "Data
//! Compression Explained" §4.3.2). Stretched odds are whole numbers of 1/256; probabilities have 16 bits.

/// Greatest stretched odds, in 1/256: e^11 to one, near what 16 bits can say.
pub const STRETCH_LIMIT: i32 = 11 * 256;

const SQUASH_LEN: usize = 2 * STRETCH_LIMIT as usize + 1;
/// Probabilities below 1/16 and above 15/16 are looked up exactly, those between in steps of 16.
const TAIL: usize = 1 << 12;

/// e^(-1/256) in 1/2^60.
const DECAY: u128 = 1_148_426_689_630_428_643;
const ONE: u128 = 1 << 60;

static SQUASH: [u16; SQUASH_LEN] = squash_table();
static STRETCH_TAIL: [i16; TAIL] = stretch_table(1, 0);
static STRETCH_MIDDLE: [i16; TAIL] = stretch_table(16, 8);

/// The probability, in 65,536, of stretched odds.
#[inline]
#[must_use]
pub fn squash(stretched: i32) -> u16 {
    let index = stretched.clamp(-STRETCH_LIMIT, STRETCH_LIMIT) + STRETCH_LIMIT;
    SQUASH.get(index as usize).copied().unwrap_or(1 << 15)
}

/// The stretched odds of a probability in 65,536.
#[inline]
#[must_use]
pub fn stretch(probability: u16) -> i32 {
    let index = usize::from(probability);
    let mirrored = (1 << 16) - index;
    let (table, index, sign) = if index < TAIL {
        (&STRETCH_TAIL, index, 1)
    } else if mirrored < TAIL {
        (&STRETCH_TAIL, mirrored, -1)
    } else {
        (&STRETCH_MIDDLE, index / 16, 1)
    };
    table.get(index).map_or(0, |stretched| i32::from(*stretched) * sign)
}

#[allow(clippy::indexing_slicing, reason = "the compiler runs this: a wrong index is an error of the build")]
const fn squash_table() -> [u16; SQUASH_LEN] {
    let middle = STRETCH_LIMIT as usize;
    let mut table = [0; SQUASH_LEN];
    let mut decay = ONE;
    let mut distance = 0;
    while distance <= middle {
        let above = (ONE << 16) / (ONE + decay);
        let above = if above > 65_535 { 65_535 } else { above as u32 };
        table[middle + distance] = above as u16;
        table[middle - distance] = (65_536 - above) as u16;
        decay = (decay * DECAY) >> 60;
        distance += 1;
    }
    table
}

/// Entry `i` is the first stretched value whose squash reaches `i * step + offset`.
#[allow(clippy::indexing_slicing, reason = "the compiler runs this: a wrong index is an error of the build")]
const fn stretch_table(step: usize, offset: usize) -> [i16; TAIL] {
    let squashed = squash_table();
    let mut table = [0; TAIL];
    let mut at = 0;
    let mut index = 0;
    while index < TAIL {
        while at + 1 < SQUASH_LEN && (squashed[at] as usize) < index * step + offset {
            at += 1;
        }
        table[index] = (at as i32 - STRETCH_LIMIT) as i16;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squash_is_the_logistic_function() {
        for stretched in -STRETCH_LIMIT..=STRETCH_LIMIT {
            let exact = 65_536.0 / (1.0 + (-f64::from(stretched) / 256.0).exp());
            assert!((f64::from(squash(stretched)) - exact).abs() <= 1.0, "{stretched}");
        }
        assert_eq!(squash(0), 1 << 15);
        assert_eq!(squash(i32::MAX), squash(STRETCH_LIMIT));
        assert!(squash(i32::MIN) >= 1);
    }

    #[test]
    fn stretch_is_its_inverse() {
        for probability in 1..=u16::MAX {
            let again = i32::from(squash(stretch(probability)));
            let wrong = (again - i32::from(probability)).abs();
            let rarer = i32::from(probability).min(65_536 - i32::from(probability));
            assert!(wrong <= 9 + rarer / 200, "{probability} -> {again}");
        }
        assert_eq!(stretch(0), -STRETCH_LIMIT);
    }
}
