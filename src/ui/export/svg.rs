//! A frame as a picture: one `text` element for each run of one style, on a fixed grid.
//!
//! Each run says how wide it is (`textLength`), so that columns stay aligned with any font.

use super::row_cells;
use crate::ui::theme::{Theme, colour};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;
use unicode_segmentation::UnicodeSegmentation;

const CELL_WIDTH: f32 = 8.4;
const CELL_HEIGHT: f32 = 18.0;
const FONT_SIZE: f32 = 14.0;
/// From the top of a cell to the line that letters stand on.
const BASELINE: f32 = 13.5;
const MARGIN: f32 = 14.0;
const FONTS: &str = "ui-monospace, 'JetBrains Mono', 'Cascadia Mono', Menlo, Consolas, \
                     'DejaVu Sans Mono', monospace";

/// Cells of one look beside each other.
struct Run {
    x: u16,
    columns: usize,
    text: String,
    fg: String,
    bg: Option<String>,
    modifier: Modifier,
}

/// Returns the frame as an SVG document.
pub fn svg(buffer: &Buffer, theme: &Theme) -> String {
    let area = buffer.area;
    let width = f32::from(area.width) * CELL_WIDTH + 2.0 * MARGIN;
    let height = f32::from(area.height) * CELL_HEIGHT + 2.0 * MARGIN;
    let paper = hex(theme.canvas.1).unwrap_or_else(|| "#101010".to_owned());
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"{FONTS}\" \
         font-size=\"{FONT_SIZE:.0}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"10\" fill=\"{paper}\"/>\n"
    );
    for y in area.top()..area.bottom() {
        let runs = runs_of(buffer, y, theme);
        for run in &runs {
            push_background(&mut out, run, y);
        }
        for run in &runs {
            push_text(&mut out, run, y);
        }
    }
    out.push_str("</svg>\n");
    out
}

fn runs_of(buffer: &Buffer, y: u16, theme: &Theme) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (x, columns, cell) in row_cells(buffer, y) {
        let (fg, bg) = colours(cell, theme);
        let joins = runs.last().is_some_and(|run| {
            run.fg == fg
                && run.bg == bg
                && run.modifier == cell.modifier
                && usize::from(run.x) + run.columns == usize::from(x)
                // A glyph of another font may have another width: it stands alone.
                && (run.text.is_ascii() && cell.symbol().is_ascii()
                    || cell.symbol() == "─" && run.text.starts_with('─'))
        });
        match runs.last_mut().filter(|_| joins) {
            Some(run) => {
                run.text.push_str(cell.symbol());
                run.columns += columns;
            }
            None => runs.push(Run {
                x,
                columns,
                text: cell.symbol().to_owned(),
                fg,
                bg,
                modifier: cell.modifier,
            }),
        }
    }
    runs
}

fn colours(cell: &Cell, theme: &Theme) -> (String, Option<String>) {
    let ink = hex(theme.canvas.0).unwrap_or_else(|| "#d0d0d0".to_owned());
    let fg = hex(cell.fg).unwrap_or(ink);
    let bg = hex(cell.bg);
    if cell.modifier.contains(Modifier::REVERSED) {
        let paper = hex(theme.canvas.1).unwrap_or_else(|| "#101010".to_owned());
        return (bg.unwrap_or(paper), Some(fg));
    }
    (fg, bg)
}

fn hex(colour: Color) -> Option<String> {
    colour::to_rgb(colour).map(|(r, g, b)| format!("#{r:02x}{g:02x}{b:02x}"))
}

fn place(x: u16, y: u16) -> (f32, f32) {
    (
        f32::from(x) * CELL_WIDTH + MARGIN,
        f32::from(y) * CELL_HEIGHT + MARGIN,
    )
}

fn push_background(out: &mut String, run: &Run, y: u16) {
    let Some(bg) = &run.bg else { return };
    let (left, top) = place(run.x, y);
    let width = run.columns as f32 * CELL_WIDTH;
    // Writing into a String cannot be refused.
    let _written = writeln!(
        out,
        "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{CELL_HEIGHT:.0}\" \
         fill=\"{bg}\"/>"
    )
    .is_ok();
}

/// Returns which arms a box character has: left, right, up, down.
fn arms(symbol: &str) -> Option<[bool; 4]> {
    Some(match symbol {
        "─" => [true, true, false, false],
        "│" | "┃" => [false, false, true, true],
        "┌" => [false, true, false, true],
        "┐" => [true, false, false, true],
        "└" => [false, true, true, false],
        "┘" => [true, false, true, false],
        "├" => [false, true, true, true],
        _ => return None,
    })
}

// Lines drawn as lines meet, whatever the font does.
fn push_lines(out: &mut String, run: &Run, y: u16, [left, right, up, down]: [bool; 4]) {
    let (x, top) = place(run.x, y);
    let end = x + run.columns as f32 * CELL_WIDTH;
    let middle = (x + CELL_WIDTH / 2.0, top + CELL_HEIGHT / 2.0);
    let mut path = String::new();
    let mut line = |from: (f32, f32), to: (f32, f32)| {
        let piece = format!("M{:.1} {:.1}L{:.1} {:.1}", from.0, from.1, to.0, to.1);
        path.push_str(&piece);
    };
    if left {
        line(middle, (x, middle.1));
    }
    if right {
        line(middle, (end, middle.1));
    }
    if up {
        line(middle, (middle.0, top));
    }
    if down {
        line(middle, (middle.0, top + CELL_HEIGHT));
    }
    let width = if run.text == "┃" { 3.0 } else { 1.2 };
    let fg = &run.fg;
    let _written = writeln!(
        out,
        "<path d=\"{path}\" stroke=\"{fg}\" stroke-width=\"{width}\"/>"
    )
    .is_ok();
}

fn push_text(out: &mut String, run: &Run, y: u16) {
    if let Some(arms) = run.text.graphemes(true).next().and_then(arms) {
        push_lines(out, run, y, arms);
        return;
    }
    let shown = run.text.trim_end();
    let start = shown.len() - shown.trim_start().len();
    let shown = shown.trim_start();
    if shown.is_empty() {
        return;
    }
    let (left, top) = place(run.x + start as u16, y);
    let baseline = top + BASELINE;
    let width = crate::ui::text::width(shown) as f32 * CELL_WIDTH;
    let mut extra = String::new();
    if run.modifier.contains(Modifier::BOLD) {
        extra.push_str(" font-weight=\"600\"");
    }
    if run.modifier.contains(Modifier::DIM) {
        extra.push_str(" opacity=\"0.6\"");
    }
    if run.modifier.contains(Modifier::ITALIC) {
        extra.push_str(" font-style=\"italic\"");
    }
    if run.modifier.contains(Modifier::UNDERLINED) {
        extra.push_str(" text-decoration=\"underline\"");
    }
    let fg = &run.fg;
    let text = escaped(shown);
    let _written = writeln!(
        out,
        "<text x=\"{left:.1}\" y=\"{baseline:.1}\" fill=\"{fg}\" textLength=\"{width:.1}\" \
         lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\"{extra}>{text}</text>"
    )
    .is_ok();
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
