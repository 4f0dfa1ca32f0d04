//! The steps of a canary as a flow; for a blue-green, what it waits for.

use super::{label, pause_text};
use crate::domain::rollout::{Rollout, StepState, Strategy};
use crate::ui::canvas::{Canvas, row_of, span};
use crate::ui::glyph;
use crate::ui::theme::Role;
use crate::ui::widgets::flow::{Stop, flow};
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, row: &Rollout, now: DateTime<Utc>) {
    if area.is_empty() {
        return;
    }
    let first = label(canvas, row_of(area, 0), "steps");
    if row.steps.is_empty() {
        canvas.spans(first, &[span(Role::Muted, without_steps(row))]);
        return;
    }
    let stops = stops(row, now);
    let current = row
        .step_index
        .map(|index| (index as usize).min(row.steps.len() - 1));
    let lines = flow(
        &stops,
        current,
        (usize::from(first.width), usize::from(area.height)),
    );
    for (at, line) in lines.iter().enumerate() {
        let place = Rect {
            y: first.y + at as u16,
            ..first
        };
        canvas.spans(place, line);
    }
}

fn without_steps(row: &Rollout) -> String {
    match row.strategy {
        Strategy::BlueGreen => match row.pauses.first() {
            Some(_) => "the preview waits for its promotion".to_owned(),
            None if row.is_fully_promoted() => "active and preview are the same".to_owned(),
            None => row.message.to_string(),
        },
        Strategy::Canary => "none: replicas are replaced at once".to_owned(),
        Strategy::Unknown => "the spec names no strategy".to_owned(),
    }
}

fn stops(row: &Rollout, now: DateTime<Utc>) -> Vec<Stop> {
    let states = row.step_states();
    let steps = row.steps.iter().zip(states);
    steps
        .map(|(step, state)| {
            let mut text = step.words();
            if state == StepState::Current
                && let Some(left) = pause_text(row, now)
            {
                text = format!("{text} ({left})");
            }
            let (glyph, role) = match state {
                StepState::Done => (glyph::STEP_DONE, Role::Muted),
                StepState::Current => (glyph::STEP_NOW, Role::Strong),
                StepState::Ahead => (glyph::STEP_AHEAD, Role::Text),
            };
            Stop { glyph, text, role }
        })
        .collect()
}
