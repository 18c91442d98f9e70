//! What datagrams carried, and what became of it.

use core::time::Duration;

use crate::ack::Range;

/// What a datagram carried, of what anyone wants to know the fate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carried {
    /// Index of the channel.
    pub(crate) channel: u16,
    pub(crate) cargo: Cargo,
}

/// One carried thing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cargo {
    /// A piece of a reliable or expiring message.
    Piece { number: u64, piece: u16 },
    /// A whole unreliable message, by its token.
    Token(u64),
    /// A fragment of a tracked unreliable message.
    Fragment { number: u64 },
}

/// What an acknowledgement or the clock brought to light. Reused, so that nothing is allocated in the steady state.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) acked: Vec<Carried>,
    /// Arrived after all, after it was declared lost.
    pub(crate) late: Vec<Carried>,
    pub(crate) lost: Vec<Carried>,
    pub(crate) acked_datagrams: u32,
    pub(crate) acked_bytes: usize,
    pub(crate) late_datagrams: u32,
    pub(crate) lost_datagrams: u32,
    /// A round-trip sample, without the other side's delay.
    pub(crate) rtt: Option<Duration>,
    /// The other side knows everything up to the first number, by our datagram of the second number.
    pub(crate) retire: Option<Range>,
}

impl Findings {
    pub(crate) fn clear(&mut self) {
        self.acked.clear();
        self.late.clear();
        self.lost.clear();
        self.acked_datagrams = 0;
        self.acked_bytes = 0;
        self.late_datagrams = 0;
        self.lost_datagrams = 0;
        self.rtt = None;
        self.retire = None;
    }
}
