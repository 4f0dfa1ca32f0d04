//! Aligned columns of plain text.

use crate::ui::text;
use std::io::{self, Write};

/// Writes rows under a header, each column as wide as its widest cell; the last is not padded.
pub fn write(out: &mut dyn Write, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            row.iter()
                .map(|cell| text::harmless(cell).into_owned())
                .collect()
        })
        .collect();
    let width_of = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| text::width(cell));
        cells
            .chain(header.get(column).map(|name| name.len()))
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..header.len()).map(width_of).collect();
    let names: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    for row in std::iter::once(&names).chain(&rows) {
        writeln!(out, "{}", line(row, &widths))?;
    }
    Ok(())
}

fn line(row: &[String], widths: &[usize]) -> String {
    let last = row.len().saturating_sub(1);
    let cells: Vec<String> = row
        .iter()
        .zip(widths)
        .enumerate()
        .map(|(at, (cell, width))| {
            if at == last {
                cell.clone()
            } else {
                text::pad(cell, *width)
            }
        })
        .collect();
    cells.join("   ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_hostile_text_is_harmless() {
        let rows = vec![
            vec![String::from("a\u{1b}[31m"), String::from("1")],
            vec![String::from("longer-name"), String::from("2")],
        ];
        let mut out = Vec::new();

        let written = write(&mut out, &["NAME", "N"], &rows);

        let text = String::from_utf8_lossy(&out).into_owned();
        assert!(written.is_ok());
        assert!(!text.contains('\u{1b}'), "{text:?}");
        let ends: Vec<_> = text.lines().map(|line| line.chars().count()).collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "{text}");
    }
}
