//! How densely a connection's records are coded: chosen by the game, or by how short bandwidth is.

use bevy::prelude::*;

/// Bandwidth has been short for so many ticks in a row when [`Compression::Auto`] turns to the dense level.
const SHORT_TICKS: u32 = 30;
/// The bit-packed level would have fitted for so many ticks in a row when it turns back.
const ROOMY_TICKS: u32 = 120;
/// The dense level has hardly saved anything for so many ticks in a row when it is left, and for how long.
const USELESS_TICKS: u32 = 60;
const REST_TICKS: u32 = 600;
/// It hardly saves anything where it does not save one part in so many.
const LEAST_SAVING: usize = 32;
/// It fits where so much more would: a level that only just fits would be left again at once.
const MARGIN: f32 = 1.25;
/// What the bit-packed level would need is averaged over about so many ticks.
const AVERAGE_TICKS: f32 = 16.0;
/// What a datagram takes besides its chunk, generously, and what a chunk may hold, in bytes.
const ENVELOPE: f32 = 40.0;
const DATAGRAM: f32 = 1000.0;
/// Shares are counted in parts of this.
const WHOLE: usize = 256;

/// How densely records of rigid bodies (`replicate_body`) are coded for a connection. Put it on a connection's entity
/// on the server; without it a connection is [`Auto`](Self::Auto).
///
/// What the other side decodes is the same to the bit; it follows by itself. Only updates of lanes that hold a body
/// and nothing else are coded densely; spawns, groups ([`Together`](crate::Together)), all other components, and what
/// clients send as owners stay bit-packed.
///
/// ```
/// use bevy::prelude::*;
/// use slipstream_replication::Compression;
///
/// fn spare_bytes(connection: Entity, commands: &mut Commands) {
///     commands.entity(connection).insert(Compression::Dense);
/// }
/// ```
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Each record is coded once and its bits are copied to every connection with the same baseline: a few nanoseconds
    /// a body and connection.
    BitPacked,
    /// Bodies go through an adaptive range coder, for each connection anew: about 0.6 µs a body and connection to
    /// write, about as much to read. It saves about a third of a body's bytes where acknowledgements come each tick,
    /// and a tenth where they come six ticks late.
    Dense,
    /// Bit-packed, until something that was due has waited for want of bandwidth in 30 ticks in a row; then dense,
    /// until nothing has waited for 120 ticks in a row in which the bit-packed level, with a quarter more than it would have
    /// needed, would have fitted the budget as well. Connections with enough bandwidth stay bit-packed and pay nothing.
    ///
    /// Where the dense level saves less than one part in 32 for 60 ticks in a row, as on the narrowest lines, whose
    /// chunks hold but a few old bodies, it is left for 600 ticks.
    #[default]
    Auto,
}

/// What a connection was sent in a tick.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    /// Something that was due waits for want of budget.
    pub(crate) is_short: bool,
    /// Bits of all but dense sections.
    pub(crate) other_bits: usize,
    /// Bits of dense sections.
    pub(crate) dense_bits: usize,
    /// What the records in these would have taken bit-packed.
    pub(crate) packed_bits: usize,
}

/// The level that a connection is at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level {
    is_dense: bool,
    short_ticks: u32,
    roomy_ticks: u32,
    useless_ticks: u32,
    rest_ticks: u32,
    /// Bits a tick that the bit-packed level would need, on average since the connection is at the dense one.
    need: Option<f32>,
    /// What dense records take of what they would take bit-packed, in parts of [`WHOLE`].
    share: usize,
}

impl Default for Level {
    fn default() -> Self {
        Self {
            is_dense: false,
            short_ticks: 0,
            roomy_ticks: 0,
            useless_ticks: 0,
            rest_ticks: 0,
            need: None,
            share: WHOLE,
        }
    }
}

impl Level {
    /// Whether the next tick is coded densely.
    pub(crate) fn settle(&mut self, chosen: Compression) -> bool {
        let is_dense = match chosen {
            Compression::BitPacked => false,
            Compression::Dense => true,
            Compression::Auto if self.is_dense => self.roomy_ticks < ROOMY_TICKS && !self.is_useless(),
            Compression::Auto => self.short_ticks >= SHORT_TICKS && self.rest_ticks == 0,
        };
        if is_dense != self.is_dense {
            let rest_ticks = if self.is_useless() { REST_TICKS } else { 0 };
            *self = Self { is_dense, rest_ticks, share: self.share, ..Self::default() };
        }
        is_dense
    }

    fn is_useless(&self) -> bool {
        self.useless_ticks >= USELESS_TICKS
    }

    /// What records may take that take so many bits at the bit-packed level, going by the ticks before.
    pub(crate) fn estimate(&self, packed_bits: usize) -> usize {
        packed_bits * self.share / WHOLE
    }

    /// Takes in a tick, of which the budget is a share of that of a second.
    pub(crate) fn note(&mut self, load: &Load, budget_bytes: f32) {
        self.short_ticks = if load.is_short { self.short_ticks.saturating_add(1) } else { 0 };
        self.rest_ticks = self.rest_ticks.saturating_sub(1);
        if !self.is_dense {
            return;
        }
        if let Some(share) = (load.dense_bits * WHOLE).checked_div(load.packed_bits) {
            self.share = (7 * self.share + share.clamp(WHOLE / 4, WHOLE + WHOLE / 4)) / 8;
            let saves = self.share <= WHOLE - WHOLE / LEAST_SAVING;
            self.useless_ticks = if saves { 0 } else { self.useless_ticks.saturating_add(1) };
        }
        let now = (load.other_bits + load.packed_bits) as f32;
        let need = self.need.map_or(now, |need| need + (now - need) / AVERAGE_TICKS);
        self.need = Some(need);
        let bytes = need * MARGIN / 8.0;
        let fits = bytes + ENVELOPE * (1.0 + bytes / DATAGRAM) <= budget_bytes;
        self.roomy_ticks = if fits && !load.is_short { self.roomy_ticks.saturating_add(1) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of a tick.
    const BUDGET: f32 = 500.0;

    fn load(is_short: bool, packed_bytes: usize) -> Load {
        Load { is_short, other_bits: 0, dense_bits: packed_bytes * 4, packed_bits: packed_bytes * 8 }
    }

    fn run(level: &mut Level, ticks: u32, load: Load) -> bool {
        let mut is_dense = level.settle(Compression::Auto);
        for _ in 0..ticks {
            level.note(&load, BUDGET);
            is_dense = level.settle(Compression::Auto);
        }
        is_dense
    }

    #[test]
    fn it_turns_dense_when_bandwidth_was_short_in_a_row_and_back_when_all_would_fit() {
        let mut level = Level::default();
        assert!(!run(&mut level, SHORT_TICKS - 1, load(true, 500)));
        assert!(!run(&mut level, 1, load(false, 0)), "not in a row");
        assert!(!run(&mut level, SHORT_TICKS - 1, load(true, 500)));
        assert!(run(&mut level, 1, load(true, 500)));
        assert!(run(&mut level, 1000, load(false, 450)), "bit-packed would only just fit");
        assert!(run(&mut level, ROOMY_TICKS - 1, load(false, 100)));
        assert!(!run(&mut level, 100, load(false, 100)));
        assert!(!run(&mut level, 1000, load(false, 490)), "it fits");
    }

    #[test]
    fn it_rests_where_it_saves_nothing() {
        let useless = Load { dense_bits: 4000, ..load(true, 500) };
        let mut level = Level::default();
        assert!(run(&mut level, SHORT_TICKS + USELESS_TICKS - 1, useless));
        assert!(!run(&mut level, REST_TICKS, useless));
        assert!(run(&mut level, 1, useless));
    }

    #[test]
    fn what_the_game_chooses_counts_at_once() {
        let mut level = Level::default();
        assert!(level.settle(Compression::Dense));
        level.note(&load(false, 1), BUDGET);
        assert!(!level.settle(Compression::BitPacked));
        assert!(!level.settle(Compression::Auto));
    }

    #[test]
    fn what_dense_records_take_is_learned() {
        let mut level = Level::default();
        level.settle(Compression::Dense);
        assert_eq!(level.estimate(1000), 1000);
        for _ in 0..100 {
            level.note(&load(false, 100), BUDGET);
        }
        assert!((480..=520).contains(&level.estimate(1000)), "{}", level.estimate(1000));
    }
}
