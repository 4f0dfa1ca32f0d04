//! A frame as text with SGR sequences, one reset at the end of each line.

use super::row_cells;
use crate::ui::theme::colour::sgr;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Modifier;
use std::fmt::Write as _;

/// Returns the frame as ANSI text.
pub fn ansi(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in buffer.area.top()..buffer.area.bottom() {
        let mut last = String::from("0");
        let mut blanks = 0;
        for (_, _, cell) in row_cells(buffer, y) {
            let sgr = sgr_of(cell);
            if sgr == "0" && cell.symbol() == " " {
                blanks += 1;
                continue;
            }
            if blanks > 0 && last != "0" {
                out.push_str("\u{1b}[0m");
                last = String::from("0");
            }
            out.extend(std::iter::repeat_n(' ', blanks));
            blanks = 0;
            if sgr != last {
                if last != "0" {
                    out.push_str("\u{1b}[0m");
                }
                if sgr != "0" {
                    // Writing into a String cannot be refused.
                    let _written = write!(out, "\u{1b}[{sgr}m").is_ok();
                }
                last = sgr;
            }
            out.push_str(cell.symbol());
        }
        out.push_str("\u{1b}[0m\n");
    }
    out
}

fn sgr_of(cell: &Cell) -> String {
    const CODES: [(Modifier, &str); 6] = [
        (Modifier::BOLD, "1"),
        (Modifier::DIM, "2"),
        (Modifier::ITALIC, "3"),
        (Modifier::UNDERLINED, "4"),
        (Modifier::REVERSED, "7"),
        (Modifier::CROSSED_OUT, "9"),
    ];
    let mut codes: Vec<String> = CODES
        .iter()
        .filter(|(modifier, _)| cell.modifier.contains(*modifier))
        .map(|(_, code)| (*code).to_owned())
        .collect();
    codes.extend(sgr(cell.fg, 30));
    codes.extend(sgr(cell.bg, 40));
    if codes.is_empty() {
        return "0".to_owned();
    }
    codes.join(";")
}
