//! Bars and sparklines in a row of text. They stand beside their value in words, never alone.

use super::plot::Scale;
use crate::ui::canvas::{Span, span};
use crate::ui::glyph;
use crate::ui::theme::Role;

/// The levels of a sparkline, the lowest first.
const LEVELS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// One value of a sparkline; a gap when nothing was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tip {
    pub value: Option<f64>,
    pub role: Role,
}

/// Draws the newest values that fit, the newest at the right; gaps stay empty.
pub fn sparkline(tips: &[Tip], scale: Scale, columns: usize) -> Vec<Span<'static>> {
    let first = tips.len().saturating_sub(columns);
    let shown = tips.get(first..).unwrap_or_default();
    shown
        .iter()
        .map(|tip| match tip.value.filter(|value| value.is_finite()) {
            Some(value) => {
                let level = (scale.share(value) * LEVELS.len() as f64) as usize;
                span(tip.role, LEVELS[level.min(LEVELS.len() - 1)])
            }
            None if tip.value.is_some() => span(tip.role, glyph::UNKNOWN),
            None => span(tip.role, " "),
        })
        .collect()
}

/// Draws a share of 1 as a bar of `columns`; anything above nothing shows at least one cell.
pub fn bar(share: f64, columns: usize, role: Role) -> [Span<'static>; 2] {
    let share = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let mut filled = (share * columns as f64).round() as usize;
    if share > 0.0 {
        filled = filled.max(1);
    }
    if share < 1.0 {
        filled = filled.min(columns.saturating_sub(1));
    }
    let filled = filled.min(columns);
    [
        span(role, glyph::BAR.repeat(filled)),
        span(Role::BarRest, glyph::BAR_REST.repeat(columns - filled)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(spans: &[Span<'_>]) -> String {
        spans.iter().map(|span| &*span.text).collect()
    }

    #[test]
    fn sparkline_keeps_gaps_and_the_newest_values() {
        let values = [Some(0.0), Some(5.0), None, Some(10.0), Some(f64::NAN)];
        let tips = values.map(|value| Tip {
            value,
            role: Role::Text,
        });
        let scale = Scale {
            low: 0.0,
            high: 10.0,
        };

        assert_eq!(drawn(&sparkline(&tips, scale, 9)), "▁▅ █·");
        assert_eq!(drawn(&sparkline(&tips, scale, 2)), "█·");
    }

    #[test]
    fn bar_shows_the_least_share_and_keeps_the_last_cell_for_the_whole() {
        let cells = |share| drawn(&bar(share, 5, Role::Bar));
        assert_eq!(cells(0.4), "▇▇▁▁▁");
        assert_eq!(cells(0.01), "▇▁▁▁▁");
        assert_eq!(cells(0.99), "▇▇▇▇▁");
        assert_eq!(cells(1.0), "▇▇▇▇▇");
        assert_eq!(cells(0.0), "▁▁▁▁▁");
        assert_eq!(cells(f64::NAN), "▁▁▁▁▁");
        assert_eq!(drawn(&bar(0.5, 0, Role::Bar)), "");
    }
}
