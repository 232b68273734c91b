use std::io::{self, Write};

use anyhow::Context as _;
use serde::Serialize;

/// How a command prints its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people: aligned columns.
    #[default]
    Text,
    /// For programs: one JSON document.
    Json,
}

/// Writes one line of data to stdout.
pub(crate) fn line(text: &str) -> Result<(), anyhow::Error> {
    bytes(format!("{text}\n").as_bytes())
}

/// Writes bytes of data to stdout and flushes them.
pub(crate) fn bytes(data: &[u8]) -> Result<(), anyhow::Error> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(data)
        .and_then(|()| stdout.flush())
        .context("writing to stdout")
}

/// Writes a value as indented JSON to stdout.
pub(crate) fn json(value: &impl Serialize) -> Result<(), anyhow::Error> {
    line(&serde_json::to_string_pretty(value)?)
}

/// Says something to the person in front of the terminal, on stderr.
pub(crate) fn say(text: &str) {
    // Talk is not data: where nobody listens the command goes on.
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Writes rows under their headings, as columns.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> Result<(), anyhow::Error> {
    bytes(columns(headings, rows).as_bytes())
}

/// Writes names and values, a line each.
pub(crate) fn pairs(rows: &[Vec<String>]) -> Result<(), anyhow::Error> {
    let text = columns(&[], rows);
    bytes(text.trim_start_matches('\n').as_bytes())
}

fn columns(headings: &[&str], rows: &[Vec<String>]) -> String {
    let headings = headings.iter().map(|heading| (*heading).to_owned()).collect::<Vec<_>>();
    let all = || std::iter::once(&headings).chain(rows);
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len).max(headings.len()))
        .map(|column| {
            all()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in all() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let cell: String = cell
                .chars()
                .map(|c| if c.is_control() { '\u{fffd}' } else { c })
                .collect();
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["ann".into(), "admin".into()],
            vec!["bartholomew".into(), "user".into()],
        ];
        assert_eq!(
            columns(&["NAME", "ROLE"], &rows),
            "NAME         ROLE\nann          admin\nbartholomew  user\n"
        );
    }

    #[test]
    fn a_cell_cannot_steer_the_terminal() {
        assert_eq!(columns(&["A"], &[vec!["\x1b[2J".into()]]), "A\n\u{fffd}[2J\n");
    }
}
