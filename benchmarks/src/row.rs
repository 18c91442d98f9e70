//! Rows of the tables: what was measured, ours beside theirs, and whether it is good enough.

use std::io;
use std::path::Path;

use serde::Serialize;

/// What a row promises.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Ours over theirs is at most this.
    AtMostRatio(f64),
    /// Ours is at most this, in the row's unit.
    AtMost(f64),
}

/// One comparison.
#[derive(Debug, Clone)]
pub struct Row {
    pub work: String,
    pub unit: &'static str,
    pub ours: f64,
    pub peer: Option<f64>,
    /// Who, and how it ran.
    pub peer_name: String,
    pub goal: Option<Goal>,
}

impl Row {
    pub fn new(work: impl Into<String>, unit: &'static str, ours: f64) -> Self {
        Self { work: work.into(), unit, ours, peer: None, peer_name: String::new(), goal: None }
    }

    pub fn beside(mut self, peer_name: impl Into<String>, peer: f64) -> Self {
        self.peer = Some(peer);
        self.peer_name = peer_name.into();
        self
    }

    pub fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }

    /// Ours over theirs.
    pub fn ratio(&self) -> Option<f64> {
        self.peer.map(|peer| self.ours / peer)
    }

    /// Whether the goal is met, from the figures alone. `None` without a goal; a goal that can't be judged is missed.
    pub fn met(&self) -> Option<bool> {
        self.goal.map(|goal| match goal {
            Goal::AtMostRatio(limit) => self.ratio().is_some_and(|ratio| ratio <= limit),
            Goal::AtMost(limit) => self.ours <= limit,
        })
    }
}

/// A row as it is written to a file.
#[derive(Serialize)]
struct Record<'a> {
    work: &'a str,
    unit: &'a str,
    ours: f64,
    peer: Option<f64>,
    peer_name: &'a str,
    ratio: Option<f64>,
    goal: Option<Goal>,
    met: Option<bool>,
}

/// Writes the rows as a list of objects.
pub fn write_json(rows: &[Row], path: &Path) -> io::Result<()> {
    let records: Vec<Record> = rows
        .iter()
        .map(|row| Record {
            work: &row.work,
            unit: row.unit,
            ours: row.ours,
            peer: row.peer,
            peer_name: &row.peer_name,
            ratio: row.ratio(),
            goal: row.goal,
            met: row.met(),
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&records).map_err(io::Error::other)?;
    text.push('\n');
    std::fs::write(path, text)
}

/// Prints the rows as an aligned table that is Markdown, too.
pub fn print_table(rows: &[Row]) {
    let head = ["work", "unit", "ours", "theirs", "whose", "ours / theirs", "goal", "met"].map(str::to_owned);
    let lines = rows.iter().map(|row| {
        [
            row.work.clone(),
            row.unit.to_owned(),
            figure(row.ours),
            row.peer.map_or_else(String::new, figure),
            row.peer_name.clone(),
            row.ratio().map_or_else(String::new, fraction),
            row.goal.map_or_else(String::new, |goal| match goal {
                Goal::AtMostRatio(limit) => format!("<= {}", fraction(limit)),
                Goal::AtMost(limit) => format!("<= {}", figure(limit)),
            }),
            row.met().map_or_else(String::new, |met| if met { "yes" } else { "NO" }.to_owned()),
        ]
    });
    print_aligned(
        &[head].into_iter().chain(lines).collect::<Vec<_>>(),
        &[false, false, true, true, false, true, true, false],
    );
}

/// Prints lines of cells in columns; the first line is the head. `right` says which columns are aligned to the right.
pub fn print_aligned<const N: usize>(lines: &[[String; N]], right: &[bool; N]) {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0).max(3);
    let widths: [usize; N] = core::array::from_fn(width);
    for (number, line) in lines.iter().enumerate() {
        let cells: [String; N] = core::array::from_fn(|column| {
            let (cell, width) = (&line[column], widths[column]);
            if right[column] { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        println!("| {} |", cells.join(" | "));
        if number == 0 {
            let rule: [String; N] = core::array::from_fn(|column| {
                let dashes = "-".repeat(widths[column] - 1);
                if right[column] { format!("{dashes}:") } else { format!("{dashes}-") }
            });
            println!("| {} |", rule.join(" | "));
        }
    }
}

/// Three significant digits, and thousands apart; whole numbers whole.
pub fn figure(value: f64) -> String {
    if !value.is_finite() {
        return "?".to_owned();
    }
    match value.abs() {
        magnitude if magnitude >= 99.95 || magnitude.fract() == 0.0 => thousands(value.round() as i64),
        magnitude if magnitude >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A ratio below one as a share of one.
fn fraction(ratio: f64) -> String {
    match ratio {
        ratio if !ratio.is_finite() => "?".to_owned(),
        ratio if ratio > 0.0 && ratio < 0.95 => {
            let share = 1.0 / ratio;
            if (share - share.round()).abs() < 1e-6 { format!("1/{share:.0}") } else { format!("1/{share:.1}") }
        }
        ratio => format!("{ratio:.2}"),
    }
}

fn thousands(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_judged_by_the_figures() {
        let row = Row::new("work", "us", 10.0).beside("peer", 150.0);
        assert_eq!(row.clone().goal(Goal::AtMostRatio(1.0 / 15.0)).met(), Some(true));
        assert_eq!(row.clone().goal(Goal::AtMostRatio(1.0 / 16.0)).met(), Some(false));
        assert_eq!(row.clone().goal(Goal::AtMost(9.0)).met(), Some(false));
        assert_eq!(row.met(), None);
        assert_eq!(Row::new("work", "us", 1.0).goal(Goal::AtMostRatio(0.5)).met(), Some(false));
    }

    #[test]
    fn figures_are_short_and_readable() {
        assert_eq!(figure(17_911.4), "17,911");
        assert_eq!(figure(416.0), "416");
        assert_eq!(figure(57.25), "57.2");
        assert_eq!(figure(6.904), "6.90");
        assert_eq!(figure(1.0), "1");
        assert_eq!(fraction(1.0 / 15.0), "1/15");
        assert_eq!(fraction(0.06), "1/16.7");
        assert_eq!(fraction(1.5), "1.50");
    }
}
