//! The rows as text.

use crate::row::Row;

const HEADINGS: [&str; 8] = ["work", "unit", "ours", "peer", "peer name", "ratio", "goal", "met"];

/// Prints the rows in columns, then the notes.
pub fn print(rows: &[Row], notes: &[&str]) {
    let lines: Vec<[String; 8]> = core::iter::once(HEADINGS.map(str::to_owned)).chain(rows.iter().map(cells)).collect();
    let widths: [usize; 8] =
        core::array::from_fn(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default());
    for (number, line) in lines.iter().enumerate() {
        println!("{}", aligned(line, &widths));
        if number == 0 {
            println!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
        }
    }
    println!();
    for note in notes {
        println!("- {note}");
    }
}

fn aligned(line: &[String; 8], widths: &[usize; 8]) -> String {
    let cells: Vec<String> = line.iter().zip(widths).map(|(cell, &width)| format!(" {cell:<width$} ")).collect();
    format!("|{}|", cells.join("|"))
}

fn cells(row: &Row) -> [String; 8] {
    let met = match row.met {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "",
    };
    [
        row.work.clone(),
        row.unit.clone(),
        figure(row.ours),
        row.peer.map(figure).unwrap_or_default(),
        row.peer_name.clone().unwrap_or_default(),
        row.ratio.map(ratio).unwrap_or_default(),
        row.goal.clone().unwrap_or_default(),
        met.to_owned(),
    ]
}

fn figure(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// Below one it is read as one part of so many.
fn ratio(value: f64) -> String {
    if value > 0.0 && value < 1.0 { format!("1/{:.1}", 1.0 / value) } else { format!("{value:.2}") }
}
