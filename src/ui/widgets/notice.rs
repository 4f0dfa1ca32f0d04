//! What a screen says when it has nothing to show: a glyph, a sentence, and what to try.
//!
//! Empty, loading, forbidden, failed and disconnected are different notices, never a blank page.

use crate::ui::canvas::{Canvas, Span, centred, row_of, span, width_of};
use crate::ui::text;
use crate::ui::theme::Role;
use ratatui::layout::Rect;

/// A message in the middle of an area.
#[derive(Clone, Debug, Default)]
pub struct Notice<'a> {
    /// One line, loud or quiet by its role.
    pub headline: Vec<Span<'a>>,
    /// Sentences, wrapped.
    pub sentences: Vec<String>,
    /// Keys and commands to try: key, what it does.
    pub tries: Vec<(String, String)>,
}

impl Notice<'_> {
    /// Draws the message; what does not fit is cut from below.
    pub fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let width = area.width.saturating_sub(4).min(72);
        let sentences: Vec<String> = self
            .sentences
            .iter()
            .flat_map(|sentence| text::wrap(&text::harmless(sentence), usize::from(width)))
            .collect();
        let mut lines: Vec<Vec<Span<'_>>> = vec![self.headline.clone()];
        if !sentences.is_empty() {
            lines.push(Vec::new());
            lines.extend(
                sentences
                    .into_iter()
                    .map(|line| vec![span(Role::Text, line)]),
            );
        }
        if !self.tries.is_empty() {
            lines.push(Vec::new());
            let keys = self.tries.iter().map(|(key, _)| text::width(key)).max();
            let keys = keys.unwrap_or_default();
            for (key, what) in &self.tries {
                lines.push(vec![
                    span(Role::Key, text::pad(key, keys)),
                    span(Role::Hint, format!("  {what}")),
                ]);
            }
        }
        let widest = lines
            .iter()
            .map(|line| width_of(line))
            .max()
            .unwrap_or_default();
        let mut place = centred(area, widest.min(area.width), lines.len() as u16);
        // A little above the middle reads as the middle.
        place.y -= (place.y - area.y) / 4;
        for (at, line) in lines.iter().enumerate() {
            canvas.spans(row_of(place, at as u16), line);
        }
    }
}
