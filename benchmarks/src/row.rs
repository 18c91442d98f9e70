//! One row of the table. Whether its goal is met is computed, never written.

use serde::Serialize;

/// What a row must reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// Ours divided by the peer's is at most one in so many.
    OneIn(f64),
    /// Ours is at most this, in the row's unit.
    AtMost(f64),
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What was done.
    pub work: String,
    /// What the figures count.
    pub unit: String,
    /// Our figure.
    pub ours: f64,
    /// The peer's figure; `None` where only ours was measured.
    pub peer: Option<f64>,
    /// Whose figure that is.
    pub peer_name: Option<String>,
    /// Ours divided by the peer's.
    pub ratio: Option<f64>,
    /// The goal in words: `ratio <= 1/15` or `ours <= 50`.
    pub goal: Option<String>,
    /// Whether the figures reach the goal; `None` where there is none, or no peer to compare with.
    pub met: Option<bool>,
}

impl Row {
    /// The row of these figures; the peer with its name.
    pub fn new(work: &str, unit: &str, ours: f64, peer: Option<(&str, f64)>, goal: Option<Goal>) -> Self {
        let ratio = peer.map(|(_, peer)| ours / peer);
        let met = goal.and_then(|goal| match goal {
            Goal::OneIn(parts) => ratio.map(|ratio| ratio <= 1.0 / parts),
            Goal::AtMost(limit) => Some(ours <= limit),
        });
        Self {
            work: work.to_owned(),
            unit: unit.to_owned(),
            ours,
            peer: peer.map(|(_, peer)| peer),
            peer_name: peer.map(|(name, _)| name.to_owned()),
            ratio,
            goal: goal.map(|goal| match goal {
                Goal::OneIn(parts) => format!("ratio <= 1/{parts}"),
                Goal::AtMost(limit) => format!("ours <= {limit}"),
            }),
            met,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn met_follows_from_the_figures() {
        let row = |ours| Row::new("work", "µs", ours, Some(("peer", 150.0)), Some(Goal::OneIn(15.0)));
        assert_eq!(row(10.0).met, Some(true));
        assert_eq!(row(10.1).met, Some(false));
        let row = |ours| Row::new("work", "µs", ours, None, Some(Goal::AtMost(50.0)));
        assert_eq!(row(50.0).met, Some(true));
        assert_eq!(row(50.1).met, Some(false));
    }

    #[test]
    fn without_a_peer_there_is_no_ratio_to_meet() {
        let row = Row::new("work", "µs", 1.0, None, Some(Goal::OneIn(15.0)));
        assert_eq!((row.ratio, row.met), (None, None));
        assert_eq!(row.goal.as_deref(), Some("ratio <= 1/15"));
    }
}
