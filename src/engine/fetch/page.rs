//! Lays out a describe page: names and values in two columns, sections by indentation.

use crate::domain::object::Text;

/// A page under construction.
#[derive(Debug, Default)]
pub(super) struct Page {
    lines: Vec<String>,
}

impl Page {
    /// Adds `Name:   value`; lines after the first stand below the value.
    pub(super) fn field(&mut self, depth: usize, name: &str, value: &str) {
        let label = format!("{:indent$}{name}:", "", indent = depth * 2);
        let width = (14 + depth * 2).max(label.len() + 1);
        let mut values = value.lines();
        let first = values.next().unwrap_or("<none>");
        self.lines.push(format!("{label:width$} {first}"));
        for more in values {
            self.lines.push(format!("{:width$} {more}", ""));
        }
    }

    pub(super) fn heading(&mut self, depth: usize, name: &str) {
        self.lines
            .push(format!("{:indent$}{name}:", "", indent = depth * 2));
    }

    pub(super) fn line(&mut self, depth: usize, text: &str) {
        self.lines
            .push(format!("{:indent$}{text}", "", indent = depth * 2));
    }

    /// Adds rows in columns as wide as their widest cell.
    pub(super) fn table(&mut self, depth: usize, rows: &[Vec<String>]) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in rows {
            let cells = row.iter().zip(&widths);
            let padded: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            self.line(depth, padded.join("  ").trim_end());
        }
    }

    pub(super) fn into_lines(self) -> Vec<Text> {
        self.lines.into_iter().map(Text::from).collect()
    }
}
