//! A window onto log lines: origin and level coloured, the text harmless.

use super::table::draw_scroll;
use super::viewer::{cut, mark_hits};
use crate::app::state::LogLine;
use crate::ui::canvas::{Canvas, row_of};
use crate::ui::text;
use crate::ui::theme::Role;
use ratatui::layout::Rect;
use std::borrow::Cow;

/// How the lines are shown.
#[derive(Clone, Copy, Debug)]
pub struct Log<'a> {
    /// The first visible line.
    pub offset: usize,
    /// Columns hidden on the left.
    pub left: usize,
    pub wrap: bool,
    pub timestamps: bool,
    /// Whether lines of several containers say where they are from.
    pub origins: bool,
    pub search: &'a str,
}

impl Log<'_> {
    /// Draws the visible lines of `count`; `line` is called for those only.
    pub fn draw<'t>(
        &self,
        canvas: &mut Canvas<'_>,
        area: Rect,
        count: usize,
        line: impl Fn(usize) -> Option<&'t LogLine>,
    ) {
        let mut y = 0;
        let mut index = self.offset;
        while y < area.height && index < count {
            if let Some(line) = line(index) {
                y += self.draw_line(
                    canvas,
                    Rect::new(area.x, area.y + y, area.width, area.height - y),
                    line,
                );
            }
            index += 1;
        }
        let edge = Rect::new(area.right(), area.y, 1, area.height);
        draw_scroll(canvas, edge, (self.offset, usize::from(area.height), count));
    }

    fn draw_line(&self, canvas: &mut Canvas<'_>, area: Rect, line: &LogLine) -> u16 {
        let mut row = row_of(area, 0);
        if self.timestamps
            && let Some(at) = line.at
        {
            let stamp = at.format("%H:%M:%S%.3f ").to_string();
            row = after(row, canvas.put(row, &stamp, Role::LogTime));
        }
        if self.origins && !line.origin.is_empty() {
            let origin = text::harmless(&line.origin);
            let origin = text::fit_middle(&origin, 24);
            row = after(row, canvas.put(row, &format!("{origin} "), Role::LogOrigin));
        }
        let (content, role) = read(text::document_line(&line.text));
        if !self.wrap {
            let content = text::after_columns(&content, self.left);
            canvas.put(row, &content, role);
            mark_hits(canvas, row, (&content, self.search), Role::SearchHit);
            return 1;
        }
        let pieces = cut(&content, usize::from(row.width));
        let shown = pieces.len().min(usize::from(area.height));
        for (at, piece) in pieces.iter().take(shown).enumerate() {
            let row = Rect::new(row.x, row.y + at as u16, row.width, 1);
            canvas.put(row, piece, role);
            mark_hits(canvas, row, (piece, self.search), Role::SearchHit);
        }
        shown as u16
    }
}

fn after(row: Rect, used: u16) -> Rect {
    Rect::new(row.x + used, row.y, row.width - used, 1)
}

/// What GitHub Actions puts before a line instead of a level, and the word that its pages show.
const WORKFLOW_COMMANDS: &[(&str, &str, Role)] = &[
    ("##[group]", "", Role::Strong),
    ("##[endgroup]", "", Role::Muted),
    ("##[command]", "", Role::Info),
    ("##[error]", "Error: ", Role::LogError),
    ("##[warning]", "Warning: ", Role::LogWarning),
    ("##[notice]", "Notice: ", Role::Info),
    ("##[debug]", "", Role::LogDebug),
];

/// Returns what is to be shown of a line, and its role.
fn read(line: Cow<'_, str>) -> (Cow<'_, str>, Role) {
    let mut commands = WORKFLOW_COMMANDS.iter();
    let command = commands.find_map(|(sign, word, role)| {
        let rest = line.strip_prefix(sign)?;
        Some((format!("{word}{rest}"), *role))
    });
    match command {
        Some((text, role)) => (text.into(), role),
        None => {
            let role = role_of(&line);
            (line, role)
        }
    }
}

/// Returns the role of a line by the level it names near its beginning. A log line is the one
/// text that has no typed status; a wrong guess costs a colour and nothing else.
fn role_of(line: &str) -> Role {
    let start = text::beginning(line, 96);
    let mut words = start.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .find_map(|word| match word.to_ascii_lowercase().as_str() {
            "error" | "err" | "fatal" | "panic" | "critical" => Some(Role::LogError),
            "warn" | "warning" => Some(Role::LogWarning),
            "debug" | "trace" => Some(Role::LogDebug),
            "info" => Some(Role::LogInfo),
            _ => None,
        })
        .unwrap_or(Role::LogInfo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_level_named_decides() {
        assert_eq!(role_of("level=error msg=\"no info\""), Role::LogError);
        assert_eq!(role_of("INFO 12:00 started without error"), Role::LogInfo);
        assert_eq!(role_of("informational"), Role::LogInfo);
        assert_eq!(role_of("2026 WARN slow"), Role::LogWarning);
    }

    #[test]
    fn commands_of_actions_become_headings_and_levels() {
        let read = |line: &'static str| read(line.into());
        assert_eq!(
            read("##[group]Run tests"),
            ("Run tests".into(), Role::Strong)
        );
        let error = ("Error: exit code 1".into(), Role::LogError);
        assert_eq!(read("##[error]exit code 1"), error);
        assert_eq!(read("## [group]"), ("## [group]".into(), Role::LogInfo));
    }
}
