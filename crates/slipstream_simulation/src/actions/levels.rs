//! The levels of an entity's actions at one tick.

/// So many need no memory of their own: a state is made and copied for each entity in each tick.
const FEW: usize = 16;

/// A list that is long only where a game has many actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Levels {
    /// Those past `count` are zero.
    Few {
        levels: [u32; FEW],
        count: usize,
    },
    Many(Vec<u32>),
}

impl Levels {
    pub(super) const NONE: Self = Self::Few { levels: [0; FEW], count: 0 };

    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            Self::Few { levels, count } => levels.get(..*count).unwrap_or_default(),
            Self::Many(levels) => levels,
        }
    }

    pub(super) fn push(&mut self, level: u32) {
        match self {
            Self::Few { levels, count } => {
                if let Some(free) = levels.get_mut(*count) {
                    *free = level;
                    *count += 1;
                } else {
                    let mut many = levels.to_vec();
                    many.push(level);
                    *self = Self::Many(many);
                }
            }
            Self::Many(levels) => levels.push(level),
        }
    }
}

impl Extend<u32> for Levels {
    fn extend<I: IntoIterator<Item = u32>>(&mut self, levels: I) {
        for level in levels {
            self.push(level);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_levels_and_many_come_back_as_they_were_put_in() {
        for count in [0, 1, 15, 16, 17, 100] {
            let mut levels = Levels::NONE;
            levels.extend(1..=count);
            assert!(levels.as_slice().iter().copied().eq(1..=count));
            assert_eq!(matches!(levels, Levels::Few { .. }), count <= FEW as u32);
        }
    }
}
