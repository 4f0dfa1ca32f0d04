//! Tables of one kind: Applications, namespaces, and any other kind by the server's columns.
//!
//! Cells with a status get their glyph and colour from the typed status of the row.

use super::{Visible, state_of};
use crate::app::columns::{BAR_CELLS, Beside, ColumnId, bar_share, cell, is_event, loudest};
use crate::app::screens::{TableScreen, plural};
use crate::app::state::State;
use crate::app::view::TableView;
use crate::domain::application::{Application, OperationView, Phase};
use crate::domain::image::{cves_kind, is_of_registries};
use crate::domain::rollout::Rollout;
use crate::domain::status::{Freshness, Health};
use crate::store::Row;
use crate::ui::canvas::{Boxed, Canvas, Span, span};
use crate::ui::glyph;
use crate::ui::theme::Role;
use crate::ui::widgets::notice::Notice;
use crate::ui::widgets::spark::bar;
use crate::ui::widgets::table::{Direction, MARGIN, RowPainter, Slot, Table};
use ratatui::layout::Rect;
use std::borrow::Cow;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &TableScreen,
    state: &State,
) -> Visible {
    let view = &screen.view;
    let boxed = Boxed {
        title: title(screen, state),
        corner: corner(view, state),
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    let visible = Visible {
        rows: inside.height.saturating_sub(1),
        columns: inside.width,
    };
    if view.visible().is_empty() {
        let kind = if view.kind == cves_kind() {
            String::from("vulnerabilities")
        } else {
            plural(&view.kind)
        };
        let notice = if view.total() > 0 {
            state_of::all_hidden(view.total(), &kind, state)
        } else {
            without_rows(&kind, view, state)
        };
        notice.draw(canvas, inside);
        return visible;
    }
    draw_rows(canvas, inside, view, state);
    visible
}

fn without_rows(kind: &str, view: &TableView, state: &State) -> Notice<'static> {
    if let Some(Freshness::Absent { reason }) = state.link.server_freshness() {
        return state_of::no_context(reason, state);
    }
    match freshness(view, state) {
        Some(Freshness::Absent { reason }) if is_of_registries(&view.kind) => {
            state_of::not_known(kind, reason, state)
        }
        freshness => state_of::without_rows(kind, freshness, state),
    }
}

/// How current the rows are: the kind's own watch, or the server when it has never been heard of.
fn freshness<'s>(view: &TableView, state: &'s State) -> Option<&'s Freshness> {
    let server = state.link.server_freshness();
    match server {
        Some(
            Freshness::Stale { .. } | Freshness::NeedsCredentials { .. } | Freshness::Connecting,
        ) => server,
        Some(
            Freshness::Loading { .. }
            | Freshness::Live
            | Freshness::Forbidden { .. }
            | Freshness::Absent { .. },
        )
        | None => state.link.freshness_of(&view.kind).or(match server {
            Some(Freshness::Live) => Some(&Freshness::Loading { rows: 0 }),
            other => other,
        }),
    }
}

fn title(screen: &TableScreen, state: &State) -> Vec<Span<'static>> {
    let view = &screen.view;
    let scope = match state.link.namespace() {
        Some(namespace) => namespace.to_string(),
        None => "all".to_owned(),
    };
    let shown = view.visible().len();
    // What is read page by page may have more than has come.
    let all = view.total().max(screen.extent.unwrap_or_default());
    let count = if shown == all {
        format!("[{shown}]")
    } else {
        format!("[{shown} of {all}]")
    };
    let mut spans = vec![
        span(Role::Title, format!(" {}", heading(view))),
        span(Role::Muted, format!("({scope})")),
        span(Role::Text, count),
    ];
    if !view.filter.is_empty() {
        spans.push(span(Role::Filter, format!(" /{}", view.filter.text())));
    }
    if view.faults_only {
        spans.push(span(Role::Filter, " only faults"));
    }
    spans.push(span(Role::Text, " "));
    spans
}

/// The title of the table: `Applications`, `Pods`.
fn heading(view: &TableView) -> String {
    if let Some(title) = super::images::heading(&view.kind) {
        return title.to_owned();
    }
    let plural = plural(&view.kind);
    if plural.eq_ignore_ascii_case(&format!("{}s", view.kind.kind)) {
        return format!("{}s", view.kind.kind);
    }
    let mut letters = plural.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => plural,
    }
}

fn corner(view: &TableView, state: &State) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    if view.marked() > 0 {
        let text = format!(" {} {} marked ", glyph::MARK, view.marked());
        spans.push(span(Role::Mark, text));
    }
    let stale = matches!(
        state.link.server_freshness(),
        Some(Freshness::Stale { .. } | Freshness::NeedsCredentials { .. })
    );
    if stale {
        spans.push(span(
            Role::Stale,
            format!(" {} not current ", glyph::WARNING),
        ));
    }
    spans
}

fn draw_rows(canvas: &mut Canvas<'_>, area: Rect, view: &TableView, state: &State) {
    // One column stays free before the border.
    let placed = view.placed(area.width.saturating_sub(MARGIN + 1));
    let columns = view.columns();
    let shown: Vec<_> = placed
        .iter()
        .filter_map(|place| Some((columns.get(place.index)?, place)))
        .collect();
    let mut slots: Vec<Slot<'_>> = shown
        .iter()
        .map(|(spec, place)| Slot {
            title: Cow::Borrowed(&*spec.title),
            x: place.x + MARGIN,
            width: place.width,
            right: spec.numeric,
            sort: (spec.id == view.sort.column).then_some(if view.sort.descending {
                Direction::Descending
            } else {
                Direction::Ascending
            }),
        })
        .collect();
    let name = shown.iter().position(|(spec, _)| spec.id == ColumnId::Name);
    let name = name.unwrap_or_default();
    let store = state.store.table(&view.kind);
    let row_at = |index: usize| store?.row(*view.visible().get(index)?);
    let namespaces = shown.iter().any(|(spec, _)| spec.id == ColumnId::Namespace);
    let last = view.offset + usize::from(area.height);
    let clashes = |name: &str| {
        let rows = (view.offset..last).filter_map(row_at);
        !namespaces && rows.filter(|row| &*row.object().name == name).count() > 1
    };
    let any_clash = (view.offset..last)
        .filter_map(row_at)
        .any(|row| clashes(&row.object().name));
    if any_clash {
        widen(&mut slots, name, area.width.saturating_sub(1));
    }
    let table = Table {
        slots: &slots,
        name,
        len: view.visible().len(),
        offset: view.offset,
        cursor: view.position(),
    };
    table.draw(canvas, area, |index, painter| {
        let Some(row) = row_at(index) else { return };
        for (at, (spec, _)) in shown.iter().enumerate() {
            if spec.id == ColumnId::Name && clashes(&row.object().name) {
                draw_full_name(painter, at, row);
                continue;
            }
            draw_cell(painter, at, (row, spec.id), state);
        }
        if view.is_marked(row.object(), row.uid()) {
            painter.mark();
        }
    });
}

fn draw_cell(
    painter: &mut RowPainter<'_, '_>,
    at: usize,
    (row, column): (&Row, ColumnId),
    state: &State,
) {
    let beside = Beside::of(&state.store, state.now.platform);
    let content = cell(row, column, beside);
    match (column, row.application()) {
        (ColumnId::Health, _) if row.analysis_run().is_some() => {
            draw_run_phase(painter, at, row, &content);
        }
        (ColumnId::Rollout, Some(app)) => {
            draw_rollout(painter, at, loudest(app, beside.rollouts), &content);
        }
        (ColumnId::Health, _) if row.run().is_some() => {
            super::runs::draw_phase(painter, at, row, &content);
        }
        (ColumnId::Duration, _) => super::runs::draw_took(painter, at, (row, beside.now), &content),
        (ColumnId::Weight, None) => draw_weight(painter, at, row, &content),
        (ColumnId::Replicas, None) => {
            let short = row
                .rollout()
                .is_some_and(|row| row.replicas.ready < row.replicas.desired);
            let role = if short { Role::Progressing } else { Role::Text };
            painter.text(at, &content, role);
        }
        (ColumnId::Health, _) => draw_health(painter, at, row.health(), &content),
        (ColumnId::Sync, Some(app)) => draw_sync(painter, at, app, &content),
        (ColumnId::Operation, Some(app)) => {
            painter.text(at, &content, role_of_operation(&app.operation));
        }
        (ColumnId::Auto, Some(app)) => {
            let role = if app.auto_sync.on {
                Role::Muted
            } else {
                Role::Text
            };
            painter.text(at, &content, role);
        }
        (ColumnId::Name, _) => draw_name(painter, at, row, &content),
        (
            ColumnId::Age
            | ColumnId::Revision
            | ColumnId::Labels
            | ColumnId::Project
            | ColumnId::Namespace
            | ColumnId::Destination
            | ColumnId::Source
            | ColumnId::Strategy
            | ColumnId::System
            | ColumnId::Trigger
            | ColumnId::LastRun
            | ColumnId::Images,
            _,
        ) => painter.text(at, &content, Role::Muted),
        (ColumnId::Cell(_), _) => painter.text(at, &content, role_of_cells(row)),
        (ColumnId::Registry(column), _) => {
            super::images::draw_cell(painter, at, (row, column), &content);
        }
        (ColumnId::Step | ColumnId::Message | ColumnId::Schedule | ColumnId::NextRun, _)
        | (ColumnId::Sync | ColumnId::Operation | ColumnId::Auto | ColumnId::Rollout, None)
        | (ColumnId::Weight | ColumnId::Replicas, Some(_)) => {
            painter.text(at, &content, Role::Text);
        }
    }
}

/// The weight as a bar and in words; a loud word when something is wrong.
fn draw_rollout(
    painter: &mut RowPainter<'_, '_>,
    at: usize,
    loudest: Option<&Rollout>,
    content: &str,
) {
    let Some(row) = loudest else { return };
    let health = row.phase.health();
    let role = Role::of_health(health);
    let mut spans = Vec::new();
    match bar_share(row) {
        Some(share) => {
            let wide = usize::from(BAR_CELLS) + 4;
            if painter.width(at) >= wide {
                spans.extend(bar(share, usize::from(BAR_CELLS) - 1, Role::Canary));
                spans.push(span(Role::Text, " "));
            }
            spans.push(span(role, content));
        }
        None if content.is_empty() => return,
        None => {
            // What was aborted has stopped; nothing more happens by itself.
            let glyph = if row.aborted {
                glyph::SUSPENDED
            } else {
                glyph::of_health(health)
            };
            spans.push(span(role, format!("{glyph} {content}")));
        }
    }
    painter.spans(at, &spans);
}

fn draw_weight(painter: &mut RowPainter<'_, '_>, at: usize, row: &Row, content: &str) {
    let Some(row) = row.rollout() else {
        painter.text(at, content, Role::Text);
        return;
    };
    let mut spans = Vec::new();
    if let Some(share) = bar_share(row)
        && painter.width(at) >= usize::from(BAR_CELLS) + 2
    {
        spans.extend(bar(share, usize::from(BAR_CELLS) - 1, Role::Canary));
        spans.push(span(Role::Text, " "));
    }
    let role = if row.is_fully_promoted() {
        Role::Muted
    } else {
        Role::Text
    };
    spans.push(span(role, content));
    painter.spans(at, &spans);
}

fn draw_run_phase(painter: &mut RowPainter<'_, '_>, at: usize, row: &Row, content: &str) {
    let Some(run) = row.analysis_run() else {
        return;
    };
    let role = super::rollout::role_of(run.phase);
    let glyph = super::rollout::glyph_of(run.phase);
    painter.spans(at, &[span(role, format!("{glyph} {content}"))]);
}

fn draw_name(painter: &mut RowPainter<'_, '_>, at: usize, row: &Row, content: &str) {
    if row.is_deleting() {
        let spans = [
            span(Role::Muted, content),
            span(Role::Warning, format!(" {} deleting", glyph::DELETING)),
        ];
        painter.spans(at, &spans);
        return;
    }
    painter.text(at, content, Role::Text);
}

/// Gives a column what is left of the row, up to what a namespace and a name need.
fn widen(slots: &mut [Slot<'_>], column: usize, width: u16) {
    const MOST: u16 = 48;
    let end = slots.last().map_or(width, |slot| slot.x + slot.width);
    let Some(slot) = slots.get_mut(column) else {
        return;
    };
    let more = width
        .saturating_sub(end)
        .min(MOST.saturating_sub(slot.width));
    slot.width += more;
    for slot in slots.iter_mut().skip(column + 1) {
        slot.x += more;
    }
}

// Two objects of one name, and no room for the column that tells them apart.
fn draw_full_name(painter: &mut RowPainter<'_, '_>, at: usize, row: &Row) {
    let object = row.object();
    let namespace = object.namespace.as_deref().unwrap_or_default();
    painter.spans(
        at,
        &[
            span(Role::Muted, format!("{namespace}/")),
            span(Role::Text, &*object.name),
        ],
    );
}

fn draw_health(painter: &mut RowPainter<'_, '_>, at: usize, health: Option<Health>, content: &str) {
    let Some(health) = health else { return };
    let role = Role::of_health(health);
    let word = if health == Health::Healthy {
        Role::Muted
    } else {
        role
    };
    let spans = [
        span(role, format!("{} ", glyph::of_health(health))),
        span(word, content),
    ];
    painter.spans(at, &spans);
}

fn draw_sync(painter: &mut RowPainter<'_, '_>, at: usize, app: &Application, content: &str) {
    use crate::domain::status::SyncStatus;
    let role = Role::of_sync(app.sync);
    let word = if app.sync == SyncStatus::Synced {
        Role::Muted
    } else {
        role
    };
    let mut spans = vec![
        span(role, format!("{} ", glyph::of_sync(app.sync))),
        span(word, content),
    ];
    if app.refresh_pending.is_some() {
        spans.push(span(Role::Progressing, format!(" {}", glyph::PROGRESSING)));
    } else if app.verdict_outdated {
        spans.push(span(Role::Muted, " ?"));
    }
    painter.spans(at, &spans);
}

/// Returns the role of an operation, from what it is doing.
pub(super) fn role_of_operation(operation: &OperationView) -> Role {
    match operation {
        OperationView::None => Role::Muted,
        OperationView::Queued | OperationView::Active { .. } | OperationView::Waiting { .. } => {
            Role::Running
        }
        OperationView::Blocked { .. }
        | OperationView::NeedsConfirmation { .. }
        | OperationView::WaitingRetry { .. } => Role::Warning,
        OperationView::Stuck { .. } => Role::Failed,
        OperationView::Finished { phase, .. } => match phase {
            Phase::Succeeded => Role::Succeeded,
            Phase::Failed | Phase::Error => Role::Failed,
            Phase::Running | Phase::Terminating | Phase::Unknown => Role::Warning,
        },
    }
}

/// The server's own cells take the colour of the object's health, when that says anything.
fn role_of_cells(row: &Row) -> Role {
    let object = row.object();
    let cells = row.generic().map(|row| row.cells.as_slice());
    if is_event(&object.kind)
        && cells
            .unwrap_or_default()
            .iter()
            .any(|cell| &**cell == "Warning")
    {
        return Role::Warning;
    }
    match row.health() {
        None | Some(Health::Healthy | Health::Unknown) => Role::Text,
        Some(
            health @ (Health::Suspended | Health::Progressing | Health::Missing | Health::Degraded),
        ) => Role::of_health(health),
    }
}
