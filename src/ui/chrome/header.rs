//! The first line: which cluster and namespace, how current each source is, where help is.

use crate::app::commands::Command;
use crate::app::screens::Screen;
use crate::app::state::{SourceName, State};
use crate::domain::age::age_text;
use crate::domain::image::is_of_registries;
use crate::domain::pipeline::System;
use crate::domain::status::Freshness;
use crate::ui::canvas::{Canvas, Span, span, width_of};
use crate::ui::glyph;
use crate::ui::theme::Role;
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

/// Draws the header. What matters least leaves first when the window is narrow.
pub fn draw(canvas: &mut Canvas<'_>, row: Rect, state: &State) {
    if row.is_empty() {
        return;
    }
    if state.link.nothing.is_some() {
        canvas.put(row, " tiphys", Role::Title);
        canvas.spans_right(row, &help(state));
        return;
    }
    let mut left = place(state);
    let mut right = Vec::new();
    let sources = sources(state);
    let versions = versions(state);
    let help = help(state);
    let room = |left: &[Span<'_>], right: &[Span<'_>], more: &[Span<'_>]| {
        width_of(left) + width_of(right) + width_of(more) + 2 <= row.width
    };
    right.extend(sources);
    if room(&left, &right, &help) {
        right.extend(help);
    }
    if row.width >= 110 && room(&left, &right, &versions) {
        left.extend(versions);
    }
    let right_width = width_of(&right).min(row.width);
    let left_row = Rect::new(row.x, row.y, row.width.saturating_sub(right_width + 1), 1);
    canvas.spans(left_row, &left);
    canvas.spans_right(row, &right);
}

fn place(state: &State) -> Vec<Span<'_>> {
    let namespace = match state.link.namespace() {
        Some(namespace) => namespace.to_string(),
        None => "all namespaces".to_owned(),
    };
    let mut spans = vec![span(Role::Title, " tiphys  ")];
    // What keeps hands off is never cut off.
    if state.is_read_only() {
        spans.push(span(Role::Warning, "read-only  "));
    }
    spans.extend([
        span(Role::Strong, state.link.context_name()),
        span(Role::Muted, format!(" {} ", glyph::SEPARATOR)),
        span(Role::Text, namespace),
    ]);
    let restricted = state.link.connection.as_ref();
    if let Some(only) = restricted.and_then(|connection| connection.restricted_to.as_ref()) {
        spans.push(span(Role::Warning, format!("  only {only}")));
    }
    spans
}

fn versions(state: &State) -> Vec<Span<'_>> {
    let Some(connection) = &state.link.connection else {
        return Vec::new();
    };
    let mut spans = Vec::new();
    if !connection.server_version.is_empty() {
        let text = format!("   Kubernetes {}", connection.server_version);
        spans.push(span(Role::Muted, text));
    }
    if !connection.argocd_version.is_empty() {
        let text = format!("   Argo CD {}", connection.argocd_version);
        spans.push(span(Role::Muted, text));
    }
    spans
}

fn sources(state: &State) -> Vec<Span<'_>> {
    let now = state.now.platform;
    let mut spans = Vec::new();
    let server = state
        .link
        .server_freshness()
        .unwrap_or(&Freshness::Connecting);
    if matches!(server, Freshness::Absent { .. }) {
        let text = format!("{} no context", glyph::DEGRADED);
        spans.push(span(Role::Muted, "kube "));
        spans.push(span(Role::Lost, text));
    } else {
        push_source(&mut spans, "kube", server, now);
    }
    let shown = state.screen().table().map(|screen| &screen.view.kind);
    if let Some(kind) = shown
        && let Some(freshness) = state.link.freshness_of(kind)
        && !matches!(freshness, Freshness::Live)
        // What is not known of registries the table says itself; it is not a kind of the cluster.
        && !(matches!(freshness, Freshness::Absent { .. }) && is_of_registries(kind))
        && matches!(server, Freshness::Live)
    {
        push_source(&mut spans, &kind.kind, freshness, now);
    }
    push_metrics(&mut spans, state);
    let pending = state.ledger.pending();
    if pending > 0 {
        let text = format!("   {} {pending} asked", glyph::PROGRESSING);
        spans.push(span(Role::Running, text));
    }
    spans
}

/// The metrics server is named where its numbers are shown, and wherever it is out of reach.
fn push_metrics(spans: &mut Vec<Span<'_>>, state: &State) {
    let now = state.now.platform;
    let shows_numbers = match state.screen() {
        Screen::Rollout(_) | Screen::Analysis(_) | Screen::Charts(_) | Screen::Alerts(_) => true,
        Screen::Applications(_)
        | Screen::Application(_)
        | Screen::Diff(_)
        | Screen::History(_)
        | Screen::Text(_)
        | Screen::Events(_)
        | Screen::Logs(_)
        | Screen::Contexts(_)
        | Screen::Namespaces(_)
        | Screen::Kind(_)
        | Screen::Help(_)
        | Screen::Ledger(_)
        | Screen::Dashboards(_)
        | Screen::Run(_)
        | Screen::Image(_)
        | Screen::Flow(_) => false,
    };
    if let Some(freshness) = state.link.freshness_at(&SourceName::Prometheus)
        && (shows_numbers || matches!(freshness, Freshness::Stale { .. }))
    {
        push_source(spans, "prom", freshness, now);
    }
    push_registries(spans, state);
    if let Some(freshness) = state.link.freshness_at(&SourceName::GitHub)
        && matches!(state.screen(), Screen::Run(screen) if System::of_kind(&screen.object.kind) == Some(System::Actions))
    {
        push_source(spans, "github", freshness, now);
    }
    if let Some(freshness) = state.link.freshness_at(&SourceName::Alertmanager)
        && matches!(state.screen(), Screen::Alerts(_))
    {
        push_source(spans, "alerts", freshness, now);
    }
}

/// Registries are named where what they have is shown: the one that is in trouble, else the first.
fn push_registries(spans: &mut Vec<Span<'_>>, state: &State) {
    let screen = state.screen();
    let table = screen.table();
    let shown = table.is_some_and(|table| is_of_registries(&table.view.kind));
    if !shown && !matches!(screen, Screen::Image(_)) {
        return;
    }
    let known = state.link.freshness.iter();
    let mut known = known.filter_map(|(source, freshness)| match source {
        SourceName::Registry(host) => Some((host, freshness)),
        SourceName::Kubernetes
        | SourceName::Kind(_)
        | SourceName::Prometheus
        | SourceName::Alertmanager
        | SourceName::GitHub => None,
    });
    let ill = known
        .clone()
        .find(|(_, freshness)| **freshness != Freshness::Live);
    if let Some((host, freshness)) = ill.or_else(|| known.next()) {
        push_source(spans, host, freshness, state.now.platform);
    }
}

fn push_source(spans: &mut Vec<Span<'_>>, name: &str, freshness: &Freshness, now: DateTime<Utc>) {
    let role = Role::of_freshness(freshness);
    let gap = if spans.is_empty() { "" } else { "   " };
    spans.push(span(Role::Muted, format!("{gap}{name} ")));
    spans.push(span(role, freshness_text(freshness, now)));
}

/// Returns a freshness as symbol, word and age.
pub fn freshness_text(freshness: &Freshness, now: DateTime<Utc>) -> String {
    match freshness {
        Freshness::Connecting => format!("{} connecting", glyph::PROGRESSING),
        Freshness::Loading { rows } => format!("{} loading {rows}", glyph::PROGRESSING),
        Freshness::Live => format!("{} live", glyph::HEALTHY),
        Freshness::Stale { since, .. } => {
            format!("{} {} old", glyph::WARNING, age_text(*since, now))
        }
        Freshness::NeedsCredentials { .. } => format!("{} sign in again", glyph::DEGRADED),
        Freshness::Forbidden { .. } => format!("{} forbidden", glyph::DEGRADED),
        Freshness::Absent { .. } => format!("{} not installed", glyph::UNKNOWN),
    }
}

fn help(state: &State) -> Vec<Span<'_>> {
    let key = state.keymap.key_hint(state.screen(), Command::Help);
    vec![
        span(Role::Muted, format!("   {} keys", state.keymap.name)),
        span(Role::Muted, " · "),
        span(Role::Key, key),
        span(Role::Hint, " help "),
    ]
}
