//! The last line: crumbs and the keys that matter here; the prompt while one is open; the
//! continuations of a half-typed sequence of keys.

use crate::app::commands::Command;
use crate::app::screens::{Screen, rollouts};
use crate::app::state::State;
use crate::domain::image::{cves_kind, has_images, is_of_registries, robots_kind};
use crate::domain::image_update::updates_kind;
use crate::domain::object::GroupKind;
use crate::domain::pipeline::cron::cron_kind;
use crate::domain::pipeline::template::is_template;
use crate::domain::pipeline::{System, runs_kind};
use crate::ui::canvas::{Canvas, Span, span};
use crate::ui::glyph;
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::hints::{Hint, draw_right, hint};
use ratatui::layout::Rect;

/// Draws the footer.
pub fn draw(canvas: &mut Canvas<'_>, row: Rect, state: &State) {
    if !state.pending.keys.is_empty() {
        draw_pending(canvas, row, state);
        return;
    }
    let used = canvas.spans(row, &crumbs(state, usize::from(row.width / 2)));
    let rest = Rect::new(row.x + used, row.y, row.width.saturating_sub(used + 1), 1);
    let room = Rect::new(
        rest.x + 2.min(rest.width),
        rest.y,
        rest.width.saturating_sub(2),
        1,
    );
    draw_right(canvas, room, &hints(state));
}

fn crumbs(state: &State, room: usize) -> Vec<Span<'static>> {
    let mut crumbs: Vec<String> = state.crumbs().collect();
    // The keys need the rest of the line: the outermost crumbs leave first, and `q` leads there.
    let width =
        |crumbs: &[String]| -> usize { crumbs.iter().map(|crumb| text::width(crumb) + 3).sum() };
    let mut left_out = false;
    while crumbs.len() > 1 && width(&crumbs) > room {
        crumbs.remove(0);
        left_out = true;
    }
    if left_out {
        crumbs.insert(0, text::ELLIPSIS.to_owned());
    }
    let last = crumbs.len().saturating_sub(1);
    let mut spans = vec![span(Role::Crumb, " ")];
    for (at, crumb) in crumbs.into_iter().enumerate() {
        if at > 0 {
            spans.push(span(Role::Muted, format!(" {} ", glyph::SEPARATOR)));
        }
        let role = if at == last {
            Role::CrumbActive
        } else {
            Role::Crumb
        };
        spans.push(span(role, crumb));
    }
    spans
}

fn draw_pending(canvas: &mut Canvas<'_>, row: Rect, state: &State) {
    let typed = crate::app::keymap::sequence_text(&state.pending.keys);
    let mut spans = vec![span(Role::Key, format!(" {typed} "))];
    for (key, meaning) in &state.pending.continuations {
        spans.push(span(Role::Key, format!("  {key}")));
        spans.push(span(Role::Hint, format!(" {meaning}")));
    }
    canvas.spans(row, &spans);
}

/// Returns the commands worth a place on the last line, the most useful first.
fn hints(state: &State) -> Vec<Hint> {
    let screen = state.screen();
    let own = if state.link.nothing.is_some() {
        &[]
    } else {
        commands_of(screen)
    };
    let words = own.iter().chain(&EVERYWHERE);
    words
        .map(|(command, word)| (state.keymap.key_hint(screen, *command), *word))
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, word)| hint(short(&key), word))
        .collect()
}

/// Returns a key in the shortest form that keymaps take: `D` for `shift-d`.
fn short(key: &str) -> String {
    match key.strip_prefix("shift-") {
        Some(letter) if letter.len() == 1 => letter.to_uppercase(),
        Some(_) | None => key.to_owned(),
    }
}

const EVERYWHERE: [(Command, &str); 2] =
    [(Command::Menu, "more"), (Command::CommandPrompt, "command")];

fn commands_of(screen: &Screen) -> Offered {
    match screen {
        Screen::Applications(_) => APPLICATIONS,
        Screen::Application(_) => APPLICATION,
        Screen::Diff(_) => &[
            (Command::Sync, "sync"),
            (Command::ToggleFull, "full"),
            (Command::Back, "back"),
        ],
        Screen::History(_) => &[(Command::Rollback, "roll back"), (Command::Back, "back")],
        Screen::Text(_) => TEXT,
        Screen::Events(_) => &[(Command::Reload, "read again"), (Command::Back, "back")],
        Screen::Logs(_) => LOGS,
        Screen::Contexts(_) => &[(Command::Open, "connect"), (Command::Back, "back")],
        Screen::Namespaces(_) => &[
            (Command::Open, "watch this namespace"),
            (Command::Back, "back"),
        ],
        Screen::Kind(table) if table.view.kind == runs_kind() => runs_of(
            table
                .view
                .cursor()
                .and_then(|(run, _)| System::of_kind(&run.kind)),
        ),
        Screen::Kind(table) => commands_of_kind(&table.view.kind),
        Screen::Run(run) => commands_of_run(System::of_kind(&run.object.kind)),
        Screen::Flow(_) => FLOW,
        Screen::Image(_) => IMAGE,
        Screen::Rollout(rollout) => {
            let detail = rollout.detail.ready().and_then(Option::as_ref);
            let aborted = detail.is_some_and(|detail| detail.row.aborted);
            if aborted { ROLLOUT_ABORTED } else { ROLLOUT }
        }
        Screen::Analysis(_) => &[
            (Command::Open, "ask its query"),
            (Command::Terminate, "terminate"),
            (Command::Back, "back"),
        ],
        Screen::Charts(_) => CHARTS,
        Screen::Alerts(_) => &[
            (Command::Open, "chart"),
            (Command::Silence, "silence"),
            (Command::ExpireSilence, "end silence"),
            (Command::FilterPrompt, "filter"),
            (Command::Back, "back"),
        ],
        Screen::Dashboards(_) => &[(Command::Open, "open"), (Command::Back, "back")],
        Screen::Help(_) | Screen::Ledger(_) => &[(Command::Back, "back")],
    }
}

fn runs_of(system: Option<System>) -> Offered {
    match system {
        Some(System::Actions) => RUNS_OF_ACTIONS,
        Some(System::Tekton) => RUNS_OF_TEKTON,
        Some(System::Workflows) | None => RUNS,
    }
}

fn commands_of_run(system: Option<System>) -> Offered {
    match system {
        Some(System::Actions) => RUN_OF_ACTIONS,
        Some(System::Tekton) => RUN_OF_TEKTON,
        Some(System::Workflows) | None => RUN,
    }
}

fn commands_of_kind(kind: &GroupKind) -> Offered {
    match kind {
        kind if *kind == rollouts() => ROLLOUTS,
        kind if *kind == cron_kind() => CRONS,
        kind if is_template(kind) => TEMPLATES,
        kind if has_images(kind) => IMAGES,
        kind if *kind == updates_kind() => UPDATES,
        kind if *kind == robots_kind() => ROBOTS,
        kind if *kind == cves_kind() => CVES,
        kind if is_of_registries(kind) => REGISTRIES,
        _ => OBJECTS,
    }
}

type Offered = &'static [(Command, &'static str)];

const OBJECTS: Offered = &[
    (Command::Describe, "describe"),
    (Command::Yaml, "yaml"),
    (Command::Logs, "logs"),
    (Command::Delete, "delete"),
    (Command::FilterPrompt, "filter"),
];
const FLOW: Offered = &[
    (Command::Open, "open"),
    (Command::TestEvent, "test event"),
    (Command::Replay, "replay"),
    (Command::Yaml, "yaml"),
    (Command::Back, "back"),
];
const UPDATES: Offered = &[
    (Command::Open, "Application"),
    (Command::Describe, "describe"),
    (Command::Reload, "ask again"),
    (Command::FilterPrompt, "filter"),
];

const CVES: Offered = &[
    (Command::Open, "open"),
    (Command::Reload, "ask again"),
    (Command::FilterPrompt, "filter"),
];
const REGISTRIES: Offered = &[
    (Command::Open, "open"),
    (Command::ScanAll, "scan all"),
    (Command::CreateRobot, "new robot"),
    (Command::FilterPrompt, "filter"),
];
const ROBOTS: Offered = &[
    (Command::Open, "open"),
    (Command::CreateRobot, "new robot"),
    (Command::RefreshRobot, "new secret"),
    (Command::SwitchRobot, "on or off"),
    (Command::FilterPrompt, "filter"),
];
const IMAGES: Offered = &[
    (Command::Open, "open"),
    (Command::Scan, "scan"),
    (Command::DeployImage, "set image"),
    (Command::Tag, "tag"),
    (Command::Repository, "repository"),
    (Command::FilterPrompt, "filter"),
];
const IMAGE: Offered = &[
    (Command::Open, "open"),
    (Command::Scan, "scan"),
    (Command::DeployImage, "set image"),
    (Command::Tag, "tag"),
    (Command::CopyImage, "copy"),
    (Command::FilterPrompt, "filter"),
    (Command::Back, "back"),
];
const RUNS: Offered = &[
    (Command::Open, "open"),
    (Command::Logs, "logs"),
    (Command::Resubmit, "run again"),
    (Command::RetryRun, "retry"),
    (Command::StopRun, "stop"),
    (Command::FilterPrompt, "filter"),
];
const RUNS_OF_TEKTON: Offered = &[
    (Command::Open, "open"),
    (Command::Logs, "logs"),
    (Command::Resubmit, "run again"),
    (Command::CancelRun, "cancel"),
    (Command::FilterPrompt, "filter"),
];
const RUNS_OF_ACTIONS: Offered = &[
    (Command::Open, "open"),
    (Command::Logs, "logs"),
    (Command::Resubmit, "run again"),
    (Command::RetryRun, "retry"),
    (Command::CancelRun, "cancel"),
    (Command::FilterPrompt, "filter"),
];
const RUN: Offered = &[
    (Command::ToggleGraph, "graph"),
    (Command::Logs, "logs"),
    (Command::ResumeRun, "resume"),
    (Command::RetryRun, "retry"),
    (Command::Resubmit, "run again"),
    (Command::StopRun, "stop"),
    (Command::Fold, "fold"),
];
const RUN_OF_TEKTON: Offered = &[
    (Command::ToggleGraph, "graph"),
    (Command::Logs, "logs"),
    (Command::Resubmit, "run again"),
    (Command::CancelRun, "cancel"),
    (Command::Fold, "fold"),
];
const RUN_OF_ACTIONS: Offered = &[
    (Command::ToggleGraph, "graph"),
    (Command::Logs, "logs"),
    (Command::RetryRun, "retry"),
    (Command::Resubmit, "run again"),
    (Command::CancelRun, "cancel"),
    (Command::Fold, "fold"),
];
const CRONS: Offered = &[
    (Command::TriggerCron, "run now"),
    (Command::SwitchCron, "suspend or resume"),
    (Command::Yaml, "yaml"),
    (Command::FilterPrompt, "filter"),
];
const TEMPLATES: Offered = &[
    (Command::Submit, "submit"),
    (Command::Describe, "describe"),
    (Command::Yaml, "yaml"),
    (Command::FilterPrompt, "filter"),
];

const APPLICATIONS: Offered = &[
    (Command::Sync, "sync"),
    (Command::Diff, "diff"),
    (Command::Refresh, "refresh"),
    (Command::Switches, "switches"),
    (Command::History, "history"),
    (Command::FilterPrompt, "filter"),
];
const APPLICATION: Offered = &[
    (Command::Sync, "sync"),
    (Command::Diff, "diff"),
    (Command::Logs, "logs"),
    (Command::Yaml, "yaml"),
    (Command::Describe, "describe"),
    (Command::Fold, "fold"),
];
const TEXT: Offered = &[
    (Command::FilterPrompt, "search"),
    (Command::SearchNext, "next"),
    (Command::ToggleWrap, "wrap"),
    (Command::CopyAll, "copy"),
    (Command::Back, "back"),
];
const LOGS: Offered = &[
    (Command::ToggleAutoscroll, "follow"),
    (Command::ToggleWrap, "wrap"),
    (Command::ToggleTimestamps, "time"),
    (Command::FilterPrompt, "filter"),
    (Command::Back, "back"),
];
const ROLLOUTS: Offered = &[
    (Command::Promote, "promote"),
    (Command::Abort, "abort"),
    (Command::Metrics, "metrics"),
    (Command::Restart, "restart"),
    (Command::Undo, "undo"),
    (Command::FilterPrompt, "filter"),
];
const ROLLOUT_ABORTED: Offered = &[
    (Command::RetryRollout, "retry"),
    (Command::Undo, "undo"),
    (Command::SetImage, "image"),
    (Command::Metrics, "metrics"),
    (Command::Logs, "logs"),
];
const ROLLOUT: Offered = &[
    (Command::Promote, "promote"),
    (Command::Abort, "abort"),
    (Command::Metrics, "metrics"),
    (Command::Undo, "undo"),
    (Command::SetImage, "image"),
    (Command::Restart, "restart"),
    (Command::Logs, "logs"),
];
const CHARTS: Offered = &[
    (Command::LongerSpan, "longer"),
    (Command::ShorterSpan, "shorter"),
    (Command::ZoomPanel, "zoom"),
    (Command::EditQuery, "query"),
    (Command::Back, "back"),
];
