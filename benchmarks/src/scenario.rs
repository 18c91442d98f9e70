//! What a benchmark asks of every peer.

/// Bytes a second for a connection that is not short of bandwidth.
pub const AMPLE: u32 = 100_000_000;

/// How many bodies there are, how many of them move, who watches and over what line.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    pub bodies: usize,
    pub connections: usize,
    pub moving: Moving,
    pub line: Line,
    /// Every entity has a fourth component.
    pub has_team: bool,
    /// What a connection may carry from the server, for peers that keep to a budget.
    pub budget_bytes_per_second: u32,
}

/// Which bodies move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moving {
    All,
    /// One body in so many, spread over their numbers.
    OneIn(usize),
    Nothing,
}

/// How a line differs from a perfect one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Line {
    /// Ticks on the way, in each direction.
    pub latency_ticks: u32,
    /// Chance that what may be lost is lost, from the server to the client.
    pub loss: f32,
}

impl Line {
    /// Acknowledgements come six ticks late, 100 ms at 60 Hz.
    pub const SIX_TICKS: Self = Self { latency_ticks: 3, loss: 0.0 };
}

impl Scenario {
    /// Bodies that all move, over perfect lines with ample budgets.
    pub const fn moving(bodies: usize, connections: usize) -> Self {
        let line = Line { latency_ticks: 0, loss: 0.0 };
        let moving = Moving::All;
        Self { bodies, connections, moving, line, has_team: false, budget_bytes_per_second: AMPLE }
    }
}

impl Moving {
    pub fn includes(self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::OneIn(n) => index.is_multiple_of(n),
            Self::Nothing => false,
        }
    }
}
