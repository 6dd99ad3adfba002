//! The baseline: a table of plain text, and what differs between two of them.

use std::fmt::Write;

use crate::outcome::Outcome;

/// Of the longest name.
pub(crate) const NAME_WIDTH: usize = 42;

const HEADING: [&str; 8] = [
    "used %",
    "fall %",
    "queue ms",
    "freeze ms",
    "first ms",
    "lost %",
    "skew ms",
    "share %",
];

/// The heading of a table.
#[must_use]
pub fn heading() -> String {
    row("scenario", HEADING.map(str::to_owned))
}

/// The line of a scenario. Figures are rounded as coarsely as they are of use to somebody who compares two
/// of them: to 1 %, to 5 ms, freezes and first frames to 10 ms, lost sound to 0.1 %.
#[must_use]
pub fn line(name: &str, outcome: &Outcome) -> String {
    let lost = nearest(outcome.sound_lost, 10);
    let cells = [
        nearest(outcome.utilisation, 10).to_string(),
        nearest(outcome.worst_fall, 10).to_string(),
        (nearest(outcome.queue, 5) * 5).to_string(),
        (nearest(outcome.freeze, 10) * 10).to_string(),
        (nearest(outcome.first_frame, 10) * 10).to_string(),
        format!("{}.{}", lost / 10, lost % 10),
        (nearest(outcome.skew, 5) * 5).to_string(),
        match outcome.least_share {
            Some(share) => nearest(share, 10).to_string(),
            None => "-".to_owned(),
        },
    ];
    row(name, cells)
}

/// So many units there are in it, rounded.
fn nearest(value: u64, unit: u64) -> u64 {
    (value + unit / 2) / unit
}

fn row(name: &str, cells: [String; HEADING.len()]) -> String {
    let mut row = format!("{name:NAME_WIDTH$}");
    for (cell, heading) in cells.iter().zip(HEADING) {
        // Writing into a string does not fail.
        let _ = write!(row, "  {cell:>width$}", width = heading.len());
    }
    row
}

/// The lines that differ, as `diff` shows them; empty when none do. Lines belong together that begin with
/// the same word.
#[must_use]
pub fn difference(before: &str, after: &str) -> String {
    let name = |line: &str| line.split_whitespace().next().unwrap_or("").to_owned();
    let mut lines: Vec<(String, char, &str)> = Vec::new();
    for line in before
        .lines()
        .filter(|line| !after.lines().any(|other| other == *line))
    {
        lines.push((name(line), '-', line));
    }
    for line in after
        .lines()
        .filter(|line| !before.lines().any(|other| other == *line))
    {
        lines.push((name(line), '+', line));
    }
    // Stable: of two lines with one name the former one comes first.
    lines.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let lines = lines
        .iter()
        .map(|(_, sign, line)| format!("{sign}{line}\n"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rounded_and_stand_below_each_other() {
        let outcome = Outcome {
            utilisation: 876,
            worst_fall: 124,
            queue: 53,
            freeze: 1234,
            first_frame: 95,
            sound_lost: 126,
            skew: 0,
            least_share: Some(995),
        };
        let line = line("a-name", &outcome);
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            cells,
            ["a-name", "88", "12", "55", "1230", "100", "1.3", "0", "100"]
        );
        assert_eq!(line.len(), heading().len());
    }

    #[test]
    fn a_difference_shows_what_was_and_what_is() {
        assert_eq!(difference("a 1\nb 2\nc 3\n", "a 1\nb 2\nc 3\n"), "");
        let difference = difference("a 1\nb 2\nc 3\n", "a 1\nb 5\nd 4\n");
        assert_eq!(difference, "-b 2\n+b 5\n-c 3\n+d 4\n");
    }
}
