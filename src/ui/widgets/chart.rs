//! A line chart in braille: gaps stay gaps, thresholds are drawn under the lines, and each line
//! carries the letter of its legend at its end, so that it is known without colours.
//!
//! What is drawn costs as many steps as there are cells and points; the points come from the
//! caller, already as shares of the time shown.

use super::plot::Scale;
use crate::domain::age::age_text;
use crate::domain::metric::{Unit, value_text};
use crate::ui::canvas::{Canvas, row_of};
use crate::ui::text;
use crate::ui::theme::Role;
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

/// Bits of the dots of a cell, by column and row (Unicode, "Braille Patterns").
const DOTS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    pub letter: char,
    pub role: Role,
    /// Share of the time shown, in order, and the value; absent where there is a gap.
    pub points: Vec<(f64, Option<f64>)>,
}

/// A threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    pub value: f64,
    pub role: Role,
}

/// A chart with its axes.
#[derive(Clone, Copy, Debug)]
pub struct Chart<'a> {
    pub traces: &'a [Trace],
    pub limits: &'a [Limit],
    pub unit: Unit,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Chart<'_> {
    /// Returns the scale that holds all lines and thresholds; absent when there is no value.
    pub fn scale(&self) -> Option<Scale> {
        let points = self.traces.iter().flat_map(|trace| &trace.points);
        let values = points.filter_map(|(_, value)| *value);
        let mut values = values.filter(|value| value.is_finite()).peekable();
        values.peek()?;
        Scale::holding(values.chain(self.limits.iter().map(|limit| limit.value)))
    }

    /// Draws the chart; without a value nothing is drawn and `false` is returned.
    pub fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) -> bool {
        let Some(scale) = self.scale() else {
            return false;
        };
        if area.height < 2 || area.width < 16 {
            return true;
        }
        let axis = u16::from(area.height >= 4);
        let mut ticks = scale.ticks(usize::from((area.height / 3).clamp(1, 5)));
        if ticks.len() < 2 {
            ticks = vec![scale.low, scale.high];
        }
        let labels: Vec<String> = ticks
            .iter()
            .map(|tick| value_text(*tick, self.unit))
            .collect();
        let limits = self
            .limits
            .iter()
            .map(|limit| value_text(limit.value, self.unit));
        let gutter = labels
            .iter()
            .map(|label| text::width(label))
            .chain(limits.map(|label| text::width(&label)))
            .max()
            .unwrap_or_default() as u16;
        let gutter = gutter.min(area.width / 3);
        let plot = Rect::new(
            area.x + gutter + 2,
            area.y,
            area.width.saturating_sub(gutter + 2),
            area.height - axis,
        );
        for y in 0..plot.height {
            let edge = Rect::new(plot.x - 1, plot.y + y, 1, 1);
            canvas.put(edge, "│", Role::Border);
        }
        for (tick, label) in ticks.iter().zip(&labels) {
            let row = line_of(plot, scale.share(*tick));
            let place = Rect::new(area.x, row, gutter, 1);
            canvas.put_right(place, label, Role::Muted);
        }
        self.draw_limits(canvas, (area.x, gutter), (plot, scale));
        self.draw_lines(canvas, plot, scale);
        if axis == 1 {
            self.draw_times(canvas, Rect::new(plot.x, plot.bottom(), plot.width, 1));
        }
        true
    }

    fn draw_limits(
        &self,
        canvas: &mut Canvas<'_>,
        (left, gutter): (u16, u16),
        (plot, scale): (Rect, Scale),
    ) {
        for limit in self.limits {
            let y = line_of(plot, scale.share(limit.value));
            let label = Rect::new(left, y, gutter, 1);
            canvas.clear(label, Role::Text);
            canvas.put_right(label, &value_text(limit.value, self.unit), limit.role);
            let line = "╌".repeat(usize::from(plot.width));
            canvas.put(Rect::new(plot.x, y, plot.width, 1), &line, limit.role);
        }
    }

    fn draw_lines(&self, canvas: &mut Canvas<'_>, plot: Rect, scale: Scale) {
        let mut dots = Dots::new(plot);
        for (number, trace) in self.traces.iter().enumerate() {
            dots.trace(number, trace, scale);
        }
        for (at, (mask, owner)) in dots.cells.iter().enumerate() {
            if *mask == 0 {
                continue;
            }
            let width = usize::from(plot.width);
            let place = Rect::new(
                plot.x + (at % width) as u16,
                plot.y + (at / width) as u16,
                1,
                1,
            );
            let mut letters = [0; 4];
            let glyph = char::from_u32(0x2800 + u32::from(*mask)).unwrap_or(' ');
            let role = self
                .traces
                .get(*owner)
                .map_or(Role::Text, |trace| trace.role);
            canvas.put(place, glyph.encode_utf8(&mut letters), role);
        }
        if self.traces.len() > 1 {
            for trace in self.traces {
                draw_letter(canvas, plot, trace, scale);
            }
        }
    }

    fn draw_times(&self, canvas: &mut Canvas<'_>, row: Rect) {
        let span = self.to - self.from;
        let format = if span.num_hours() >= 24 {
            "%d %b %H:%M"
        } else if span.num_minutes() >= 10 {
            "%H:%M"
        } else {
            "%H:%M:%S"
        };
        let wide = 14_u16;
        let count = (row.width / wide).clamp(1, 7);
        for number in 0..count {
            let share = f64::from(number) / f64::from(count);
            let at = self.from + span * i32::from(number) / i32::from(count);
            let x = (share * f64::from(row.width)) as u16;
            // The end has its own label.
            if x + 2 * wide > row.width + 4 && number > 0 {
                break;
            }
            let room = Rect::new(row.x + x, row.y, (row.width - x).min(wide), 1);
            canvas.put(room, &at.format(format).to_string(), Role::Muted);
        }
        let end = self.to.format(format).to_string();
        if row.width > wide + text::width(&end) as u16 {
            canvas.put_right(row, &end, Role::Muted);
        }
    }
}

/// Returns the row of a plot at a height from 0 (below) to 1 (above).
fn line_of(plot: Rect, share: f64) -> u16 {
    let rows = f64::from(plot.height.max(1));
    let below = (share * rows).min(rows - 0.5);
    plot.bottom() - 1 - (below as u16).min(plot.height.saturating_sub(1))
}

fn draw_letter(canvas: &mut Canvas<'_>, plot: Rect, trace: &Trace, scale: Scale) {
    let mut points = trace.points.iter().rev();
    let last = points.find_map(|(x, value)| Some((*x, value.filter(|value| value.is_finite())?)));
    let Some((x, value)) = last else { return };
    let column = (x * f64::from(plot.width)) as u16;
    let column = column.min(plot.width.saturating_sub(1));
    let place = Rect::new(plot.x + column, line_of(plot, scale.share(value)), 1, 1);
    canvas.put(place, trace.letter.encode_utf8(&mut [0; 4]), trace.role);
}

/// The cells of a plot: which dots are set, and by which line last.
struct Dots {
    width: usize,
    height: usize,
    cells: Vec<(u8, usize)>,
}

impl Dots {
    fn new(plot: Rect) -> Self {
        let (width, height) = (usize::from(plot.width), usize::from(plot.height));
        Self {
            width,
            height,
            cells: vec![(0, 0); width * height],
        }
    }

    fn trace(&mut self, owner: usize, trace: &Trace, scale: Scale) {
        let columns = (self.width * 2).saturating_sub(1) as f64;
        let rows = (self.height * 4).saturating_sub(1) as f64;
        let mut before: Option<(i64, i64)> = None;
        for (x, value) in &trace.points {
            let Some(value) = value.filter(|value| value.is_finite()) else {
                before = None;
                continue;
            };
            if !(0.0..=1.0).contains(x) {
                continue;
            }
            let here = (
                (x * columns).round() as i64,
                ((1.0 - scale.share(value)) * rows).round() as i64,
            );
            self.line(owner, before.unwrap_or(here), here);
            before = Some(here);
        }
    }

    /// Sets the dots of a straight line.
    fn line(&mut self, owner: usize, from: (i64, i64), to: (i64, i64)) {
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).max(1);
        for step in 0..=steps {
            let x = from.0 + (to.0 - from.0) * step / steps;
            let y = from.1 + (to.1 - from.1) * step / steps;
            self.set(owner, x as usize, y as usize);
        }
    }

    fn set(&mut self, owner: usize, x: usize, y: usize) {
        let place = y / 4 * self.width + x / 2;
        if let Some(cell) = self.cells.get_mut(place).filter(|_| x / 2 < self.width) {
            *cell = (cell.0 | DOTS[x % 2][y % 4], owner);
        }
    }
}

/// Draws what stands in for a chart without values.
pub fn draw_empty(canvas: &mut Canvas<'_>, area: Rect, sentence: &str, role: Role) {
    let lines = text::wrap(&text::harmless(sentence), usize::from(area.width.max(1)));
    let top = area.height.saturating_sub(lines.len() as u16) / 2;
    for (at, line) in lines.iter().enumerate() {
        canvas.put(row_of(area, top + at as u16), line, role);
    }
}

/// Returns how long ago the shown time begins, in words.
pub fn span_text(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    format!("last {}", age_text(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::{Capability, Theme};
    use chrono::TimeDelta;
    use ratatui::buffer::Buffer;

    fn drawn(traces: &[Trace], limits: &[Limit], (width, height): (u16, u16)) -> Vec<String> {
        let theme = Theme::named("mono", Capability::default()).expect("a theme");
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        let to = DateTime::UNIX_EPOCH + TimeDelta::minutes(20);
        let chart = Chart {
            traces,
            limits,
            unit: Unit::Plain,
            from: to - TimeDelta::minutes(20),
            to,
        };
        let mut canvas = Canvas {
            buffer: &mut buffer,
            theme: &theme,
        };
        assert!(chart.draw(&mut canvas, area));
        (0..height)
            .map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect())
            .collect()
    }

    fn trace(letter: char, points: Vec<(f64, Option<f64>)>) -> Trace {
        Trace {
            letter,
            role: Role::Text,
            points,
        }
    }

    #[test]
    fn gap_stays_a_gap() {
        let points = vec![
            (0.0, Some(1.0)),
            (0.25, Some(1.0)),
            (0.5, None),
            (0.75, Some(1.0)),
            (1.0, Some(1.0)),
        ];
        let rows = drawn(&[trace('a', points)], &[], (30, 6));
        let line = rows
            .iter()
            .find(|row| row.chars().any(|c| c > '\u{2800}'))
            .expect("a line");
        let empty = line.chars().skip(15).take(5).filter(|c| *c == ' ');
        assert!(empty.count() >= 4, "{rows:#?}");
    }

    #[test]
    fn threshold_lines_and_axes_have_their_values() {
        let points = vec![(0.0, Some(0.2)), (1.0, Some(0.9))];
        let limit = Limit {
            value: 0.95,
            role: Role::Threshold,
        };
        let rows = drawn(&[trace('a', points)], &[limit], (40, 10));
        assert!(rows.iter().any(|row| row.contains("0.95 │╌")), "{rows:#?}");
        assert!(
            rows[9].contains("00:00") && rows[9].ends_with("00:20"),
            "{rows:#?}"
        );
    }

    #[test]
    fn lines_end_in_the_letter_of_their_legend() {
        let rows = drawn(
            &[
                trace('a', vec![(0.0, Some(1.0)), (1.0, Some(1.0))]),
                trace('b', vec![(0.0, Some(4.0)), (0.9, Some(4.0)), (1.0, None)]),
            ],
            &[],
            (40, 10),
        );
        assert!(rows.iter().any(|row| row.ends_with('a')), "{rows:#?}");
        assert!(rows.iter().any(|row| row.contains('b')), "{rows:#?}");
    }

    #[test]
    fn endless_values_draw_nothing_and_break_nothing() {
        let points = vec![
            (0.0, Some(f64::INFINITY)),
            (0.5, Some(3.0)),
            (1.0, Some(f64::NAN)),
            (7.0, Some(1.0)),
        ];
        for size in [(16, 2), (17, 3), (80, 24)] {
            drawn(&[trace('a', points.clone())], &[], size);
        }
    }
}
