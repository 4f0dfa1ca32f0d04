//! Steps one after the other, wrapped into a few lines; the current one is always in sight.

use crate::ui::canvas::{Span, span, width_of};
use crate::ui::text;
use crate::ui::theme::Role;

/// What stands between two steps.
const LINK: &str = " ── ";

/// One step with its glyph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    pub glyph: &'static str,
    pub text: String,
    pub role: Role,
}

/// Lays steps out in at most `lines` lines of `columns`. Steps that do not fit are counted at
/// the ends: those long past go first.
pub fn flow(
    stops: &[Stop],
    current: Option<usize>,
    (columns, lines): (usize, usize),
) -> Vec<Vec<Span<'static>>> {
    // One step before the current one says where it came from.
    let mut first = 0;
    loop {
        let (drawn, end) = laid_out(stops, first, (columns, lines));
        let seen = current.is_none_or(|current| current < end);
        if seen || first + 1 >= stops.len() {
            return drawn;
        }
        first += 1;
    }
}

fn laid_out(
    stops: &[Stop],
    first: usize,
    (columns, lines): (usize, usize),
) -> (Vec<Vec<Span<'static>>>, usize) {
    let mut drawn: Vec<Vec<Span<'static>>> = Vec::new();
    let mut line: Vec<Span<'static>> = Vec::new();
    if first > 0 {
        line.push(span(Role::Muted, format!("{first} before")));
    }
    for (at, stop) in stops.iter().enumerate().skip(first) {
        let is_last_line = drawn.len() + 1 >= lines;
        let left = stops.len() - at - 1;
        let note = if left > 0 && is_last_line {
            text::width(&more(left))
        } else {
            0
        };
        let link = if line.is_empty() { "" } else { LINK };
        let wide = text::width(link) + text::width(stop.glyph) + 1 + text::width(&stop.text);
        if usize::from(width_of(&line)) + wide + note > columns && at > first {
            if is_last_line {
                line.push(span(Role::Muted, more(left + 1)));
                drawn.push(line);
                return (drawn, at);
            }
            drawn.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(span(Role::Muted, LINK));
        }
        line.push(span(stop.role, format!("{} {}", stop.glyph, stop.text)));
    }
    drawn.push(line);
    (drawn, stops.len())
}

fn more(count: usize) -> String {
    format!("{LINK}and {count} more")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops(count: usize) -> Vec<Stop> {
        (0..count)
            .map(|number| Stop {
                glyph: "○",
                text: format!("weight {number}"),
                role: Role::Muted,
            })
            .collect()
    }

    fn drawn(lines: &[Vec<Span<'_>>]) -> Vec<String> {
        let text = |line: &Vec<Span<'_>>| line.iter().map(|span| &*span.text).collect();
        lines.iter().map(text).collect()
    }

    #[test]
    fn steps_follow_each_other_and_wrap() {
        let lines = drawn(&flow(&stops(3), Some(0), (30, 2)));
        assert_eq!(lines, ["○ weight 0 ── ○ weight 1", "○ weight 2"]);
    }

    #[test]
    fn current_step_is_always_in_sight() {
        for current in 0..12 {
            for columns in [20, 40, 76] {
                let lines = drawn(&flow(&stops(12), Some(current), (columns, 1)));
                assert_eq!(lines.len(), 1);
                assert!(lines[0].contains(&format!("weight {current}")), "{lines:?}");
            }
        }
    }

    #[test]
    fn steps_left_out_are_counted() {
        let lines = drawn(&flow(&stops(9), Some(4), (50, 1)));
        assert_eq!(
            lines,
            ["3 before ── ○ weight 3 ── ○ weight 4 ── and 4 more"]
        );
    }
}
