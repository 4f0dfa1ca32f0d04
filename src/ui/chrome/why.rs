//! The line that says why: first of the connection, then of the row under the cursor.

use crate::app::commands::Command;
use crate::app::screens::{AlertItem, Screen};
use crate::app::state::State;
use crate::domain::age::age_text;
use crate::domain::analysis::{AnalysisPhase, AnalysisRun};
use crate::domain::finding::{Finding, Severity};
use crate::domain::graph::TreeNode;
use crate::domain::image::{ArtifactDetail, RegistryRow, why_image};
use crate::domain::image_update::UpdateRow;
use crate::domain::intent::Stage;
use crate::domain::pipeline::{RunRow, why_run};
use crate::domain::rollout::{Rollout, RolloutPhase, forecast, message_of};
use crate::domain::status::{Freshness, Health};
use crate::domain::why::why_row;
use crate::store::Row;
use crate::ui::canvas::{Canvas, Span, indented, span, width_of};
use crate::ui::theme::Role;
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

/// Draws the line; it stays empty when there is nothing to explain.
pub fn draw(canvas: &mut Canvas<'_>, row: Rect, state: &State) {
    if row.is_empty() {
        return;
    }
    let spans = connection(state)
        .or_else(|| subject(state))
        .unwrap_or_default();
    if spans.is_empty() {
        return;
    }
    let used = canvas.put(row, " why ", Role::Accent);
    canvas.spans(
        indented(row, used + 1),
        &fitted(spans, row.width - used - 1),
    );
}

// The hint is left out whole rather than cut.
fn fitted(mut spans: Vec<Span<'_>>, columns: u16) -> Vec<Span<'_>> {
    while spans.len() > 1 && width_of(&spans) > columns {
        spans.pop();
    }
    spans
}

fn connection(state: &State) -> Option<Vec<Span<'_>>> {
    let now = state.now.platform;
    let retry = state.keymap.key_hint(state.screen(), Command::Reload);
    match state.link.server_freshness()? {
        Freshness::Stale {
            since,
            retry_at,
            reason,
        } => {
            let wait = (*retry_at - now).num_seconds().max(0);
            Some(vec![
                span(Role::Stale, reason.to_string()),
                span(
                    Role::Text,
                    format!(
                        "; showing what was true {} ago, trying again in {wait}s",
                        age_text(*since, now)
                    ),
                ),
                span(Role::Key, format!("  {retry}")),
                span(Role::Hint, " now"),
            ])
        }
        Freshness::NeedsCredentials { reason } => Some(vec![
            span(Role::Lost, reason.to_string()),
            span(Role::Text, ". Renew your credentials, then"),
            span(Role::Key, format!(" {retry}")),
        ]),
        Freshness::Connecting
        | Freshness::Loading { .. }
        | Freshness::Live
        | Freshness::Forbidden { .. }
        | Freshness::Absent { .. } => None,
    }
}

fn subject(state: &State) -> Option<Vec<Span<'_>>> {
    let now = state.now.platform;
    match state.screen() {
        Screen::Applications(screen) | Screen::Namespaces(screen) | Screen::Kind(screen) => {
            if let Some(problem) = screen.view.filter.problem() {
                let text = format!("{}; the filter goes without it", problem.sentence);
                return Some(vec![span(Role::WhyError, text)]);
            }
            of_row(screen.view.current(&state.store)?, now)
        }
        Screen::Application(screen) => {
            if let Some(node) = screen.current() {
                return of_node(node);
            }
            let detail = screen.application()?;
            of_finding(&why_row(&detail.row, now)?)
        }
        Screen::Events(screen) => {
            let event = screen.content.ready()?.get(screen.cursor.position)?;
            let role = if event.warning {
                Role::WhyWarning
            } else {
                Role::Why
            };
            Some(vec![span(role, event.message.to_string())])
        }
        Screen::Ledger(screen) => of_entry(state, screen.cursor.position),
        Screen::Rollout(screen) => of_rollout(&screen.rollout()?.row, now),
        Screen::Analysis(screen) => of_run(screen.run()?),
        Screen::Alerts(screen) => match screen.current()? {
            AlertItem::Alert(alert) => Some(vec![span(Role::Why, alert.summary().to_owned())]),
            AlertItem::Silence(_) => None,
        },
        Screen::Run(screen) => {
            let run = screen.run()?;
            of_finding(why_run(run, now).first()?)
        }
        Screen::Image(screen) => of_finding(why_image(screen.image()?).first()?),
        Screen::Flow(screen) => {
            let flow = screen.flow.ready()?;
            of_finding(flow.findings.first()?)
        }
        Screen::Charts(screen) => {
            let panel = screen.current()?;
            match &panel.problem {
                Some(problem) => Some(vec![span(Role::WhyWarning, problem.message.to_string())]),
                None if panel.expr.is_empty() => None,
                None => Some(vec![span(Role::Muted, panel.expr.to_string())]),
            }
        }
        Screen::Dashboards(screen) => {
            let problem = screen.current()?.problems.first()?;
            Some(vec![span(Role::WhyWarning, problem.to_string())])
        }
        Screen::Diff(_)
        | Screen::History(_)
        | Screen::Text(_)
        | Screen::Logs(_)
        | Screen::Contexts(_)
        | Screen::Help(_) => None,
    }
}

fn of_registry(row: &RegistryRow) -> Option<Vec<Span<'static>>> {
    match row {
        RegistryRow::Robot(row) => of_finding(row.findings.first()?),
        RegistryRow::Project(row) => of_finding(row.findings.first()?),
        RegistryRow::Registry(row) => of_finding(row.findings.first()?),
        RegistryRow::Cve(row) => Some(vec![span(Role::Why, row.description.to_string())]),
        RegistryRow::Image(row) => of_finding(row.findings.first()?),
        RegistryRow::Update(row) => of_update(row),
    }
}

fn of_update(row: &UpdateRow) -> Option<Vec<Span<'static>>> {
    if let Some(finding) = row.findings.first() {
        return of_finding(finding);
    }
    let role = match row.health() {
        Health::Degraded | Health::Missing => Role::WhyWarning,
        Health::Healthy | Health::Suspended | Health::Progressing | Health::Unknown => Role::Why,
    };
    let why = row.why();
    (!why.is_empty()).then(|| vec![span(role, why.to_owned())])
}

fn of_entry(state: &State, position: usize) -> Option<Vec<Span<'static>>> {
    let entries = state.ledger.entries();
    let entry = entries.get(entries.len().checked_sub(position + 1)?)?;
    let Stage::Failed { sentence, hint } = entry.stage() else {
        return None;
    };
    let mut spans = vec![span(Role::WhyError, sentence.to_string())];
    if let Some(hint) = hint {
        spans.push(span(Role::Muted, format!("  {hint}")));
    }
    Some(spans)
}

fn of_row(row: &Row, now: DateTime<Utc>) -> Option<Vec<Span<'static>>> {
    if let Some(app) = row.application() {
        return of_finding(&why_row(app, now)?);
    }
    if let Some(row) = row.rollout() {
        return of_rollout(row, now);
    }
    if let Some(run) = row.analysis_run() {
        return of_run(run);
    }
    if let Some(run) = row.run() {
        return of_pipeline(run);
    }
    if let Some(cron) = row.cron() {
        let problem = (!cron.problem.is_empty()).then(|| cron.problem.to_string())?;
        return Some(vec![span(Role::WhyError, problem)]);
    }
    if let Some(row) = row.image() {
        let detail = ArtifactDetail::of(row.clone());
        return of_finding(why_image(&detail).first()?);
    }
    if let Some(row) = row.registry() {
        return of_registry(row);
    }
    let verdict = row.generic()?.verdict.as_ref()?;
    if verdict.message.is_empty() || verdict.health == Health::Healthy {
        return None;
    }
    Some(of_health(verdict.health, &verdict.message))
}

/// What it waits for comes first: it is what a person can do something about.
fn of_rollout(row: &Rollout, now: DateTime<Utc>) -> Option<Vec<Span<'static>>> {
    if row.phase == RolloutPhase::Healthy && row.message.is_empty() {
        return None;
    }
    let role = match row.phase.health() {
        Health::Degraded => Role::WhyError,
        Health::Missing | Health::Unknown => Role::WhyWarning,
        Health::Healthy | Health::Suspended | Health::Progressing => Role::Why,
    };
    let mut text = row.phase.word().to_owned();
    if !row.message.is_empty() {
        text = format!("{text}: {}", message_of(row));
    }
    let waits = forecast::waits_for(row, now);
    let mut spans = vec![span(role, text)];
    if !waits.is_empty() {
        spans.push(span(Role::Text, format!(" · waits for {waits}")));
    }
    Some(spans)
}

fn of_pipeline(row: &RunRow) -> Option<Vec<Span<'static>>> {
    let role = if row.phase.is_bad() {
        Role::WhyError
    } else {
        Role::Why
    };
    let mut text = row.message.to_string();
    if !row.failing.is_empty() {
        text = format!("failed at {}: {text}", row.failing);
    }
    (!text.is_empty()).then(|| vec![span(role, text)])
}

fn of_run(run: &AnalysisRun) -> Option<Vec<Span<'static>>> {
    if run.message.is_empty() {
        return None;
    }
    let role = if run.phase >= AnalysisPhase::Inconclusive {
        Role::WhyError
    } else {
        Role::Why
    };
    Some(vec![span(role, run.message.to_string())])
}

fn of_health(health: Health, message: &str) -> Vec<Span<'static>> {
    let role = match health {
        Health::Degraded => Role::WhyError,
        Health::Missing | Health::Unknown => Role::WhyWarning,
        Health::Healthy | Health::Suspended | Health::Progressing => Role::Why,
    };
    vec![span(role, format!("{}: {message}", health.word()))]
}

fn of_node(node: &TreeNode) -> Option<Vec<Span<'static>>> {
    if let Some(message) = node.health_message.as_ref().filter(|text| !text.is_empty()) {
        let health = node.health.unwrap_or(Health::Unknown);
        return Some(of_health(health, message));
    }
    let name = &node.object.name;
    if node.requires_pruning {
        let text = format!("`{name}` is no longer in git; a sync with prune deletes it");
        return Some(vec![span(Role::WhyWarning, text)]);
    }
    if node.sync == Some(crate::domain::status::SyncStatus::OutOfSync) {
        let text = match node.uid {
            Some(_) => format!("`{name}` differs from git"),
            None => format!("`{name}` is in git and not in the cluster; a sync makes it"),
        };
        return Some(vec![span(Role::WhyWarning, text)]);
    }
    None
}

/// Returns a finding as spans: the sentence by its severity, then what to try.
pub fn of_finding(finding: &Finding) -> Option<Vec<Span<'static>>> {
    let role = match finding.severity {
        Severity::Info => Role::Why,
        Severity::Warning => Role::WhyWarning,
        Severity::Error => Role::WhyError,
    };
    let mut spans = vec![span(role, finding.sentence.to_string())];
    if let Some(hint) = &finding.hint {
        spans.push(span(Role::Muted, format!("  {hint}")));
    }
    Some(spans)
}
