//! One Application: what it is, then the tree of its objects down to Pods.
//!
//! The summary has a fixed height, so that the tree never moves when a message comes or goes.

mod outline;

use super::image::{loudest_span, trouble_span};
use super::{Visible, state_of};
use crate::app::columns::{bar_share, operation_text, revision_text, rollout_text, switches_text};
use crate::app::screens::{ApplicationScreen, Loaded, TreeRow};
use crate::app::state::State;
use crate::domain::age::age_text;
use crate::domain::application::{Application, ApplicationDetail, OperationView};
use crate::domain::graph::{ResourceTree, TreeNode};
use crate::domain::kind::info_of;
use crate::domain::object::Text;
use crate::domain::rollout::Rollout;
use crate::domain::status::{Health, SyncStatus};
use crate::ui::canvas::{Boxed, Canvas, Span, row_of, span, width_of};
use crate::ui::glyph;
use crate::ui::theme::Role;
use crate::ui::widgets::spark::bar;
use crate::ui::widgets::table::{Column, RowPainter, Slot, Table, slots};
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

/// Lines of the summary above the tree.
const SUMMARY: u16 = 4;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &ApplicationScreen,
    state: &State,
) -> Visible {
    let boxed = Boxed {
        title: title(screen),
        corner: corner(screen),
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    let tree = Rect::new(
        inside.x,
        inside.y + SUMMARY.min(inside.height),
        inside.width,
        inside.height.saturating_sub(SUMMARY),
    );
    let visible = Visible {
        rows: tree.height.saturating_sub(1),
        columns: inside.width,
    };
    match &screen.detail {
        Loaded::Waiting => {
            let name = &screen.object.name;
            state_of::loading(&format!("Loading {name}")).draw(canvas, inside);
        }
        Loaded::Failed(finding) => state_of::failed(finding, state).draw(canvas, inside),
        Loaded::Ready(None) => gone(screen, state).draw(canvas, inside),
        Loaded::Ready(Some(detail)) => {
            draw_summary(canvas, inside, detail, state.now.platform);
            draw_tree(canvas, tree, (screen, detail), state);
        }
    }
    visible
}

fn gone(screen: &ApplicationScreen, state: &State) -> crate::ui::widgets::notice::Notice<'static> {
    let text = format!("`{}` was deleted.", screen.object.name);
    crate::ui::widgets::notice::Notice {
        headline: vec![span(Role::Muted, text)],
        sentences: Vec::new(),
        tries: state_of::key(state, crate::app::commands::Command::Back, "go back")
            .into_iter()
            .collect(),
    }
}

fn title(screen: &ApplicationScreen) -> Vec<Span<'static>> {
    let mut spans = vec![
        span(Role::Title, " Application "),
        span(Role::Strong, screen.object.name.to_string()),
    ];
    if let Some(namespace) = &screen.object.namespace {
        spans.push(span(Role::Muted, format!(" ({namespace})")));
    }
    if !screen.filter.is_empty() {
        spans.push(span(Role::Filter, format!(" /{}", screen.filter)));
    }
    if screen.faults_only {
        spans.push(span(Role::Filter, " only faults"));
    }
    spans.push(span(Role::Text, " "));
    spans
}

fn corner(screen: &ApplicationScreen) -> Vec<Span<'static>> {
    let marked = screen.marked().len();
    if marked == 0 {
        return Vec::new();
    }
    vec![span(
        Role::Mark,
        format!(" {} {marked} marked ", glyph::MARK),
    )]
}

fn draw_summary(
    canvas: &mut Canvas<'_>,
    area: Rect,
    detail: &ApplicationDetail,
    now: DateTime<Utc>,
) {
    let app = &detail.row;
    let line = |index: u16| {
        let row = row_of(area, index);
        Rect::new(row.x + 1, row.y, row.width.saturating_sub(2), row.height)
    };
    canvas.spans(line(0), &state_line(app));
    canvas.spans(line(1), &source_line(app));
    canvas.spans(line(2), &operation_line(app, now));
    canvas.spans(line(3), &message_line(app));
}

fn state_line(app: &Application) -> Vec<Span<'_>> {
    let health = Role::of_health(app.health);
    let sync = Role::of_sync(app.sync);
    let mut spans = vec![
        span(
            health,
            format!("{} {}", glyph::of_health(app.health), app.health.word()),
        ),
        span(
            sync,
            format!("   {} {}", glyph::of_sync(app.sync), app.sync.word()),
        ),
    ];
    if app.out_of_sync > 0 {
        let text = format!(" {} of {}", app.out_of_sync, app.resources);
        spans.push(span(sync, text));
    }
    let switches = switches_text(app.auto_sync);
    spans.push(span(Role::Muted, "   sync "));
    spans.push(span(Role::Text, switches));
    spans.push(span(Role::Muted, "   project "));
    spans.push(span(Role::Text, &*app.project));
    spans
}

fn source_line(app: &Application) -> Vec<Span<'_>> {
    let mut spans = vec![span(Role::Muted, "from ")];
    if let Some(source) = app.sources.first() {
        let place = if source.chart.is_empty() {
            &source.path
        } else {
            &source.chart
        };
        spans.push(span(Role::Text, &*source.repo));
        spans.push(span(Role::Muted, " "));
        spans.push(span(Role::Text, &**place));
        spans.push(span(Role::Muted, " at "));
        spans.push(span(Role::Text, &*source.target_revision));
    }
    let revision = revision_text(app);
    if !revision.is_empty() {
        spans.push(span(Role::Muted, format!(" = {revision}")));
    }
    if app.sources.len() > 1 {
        let text = format!("   and {} more sources", app.sources.len() - 1);
        spans.push(span(Role::Muted, text));
    }
    spans
}

fn operation_line(app: &Application, now: DateTime<Utc>) -> Vec<Span<'_>> {
    let destination = &app.destination;
    let cluster = match (&*destination.name, &*destination.server) {
        ("", "https://kubernetes.default.svc") => "in-cluster",
        ("", server) => server,
        (name, _) => name,
    };
    let mut spans = vec![
        span(Role::Muted, "into "),
        span(Role::Text, &*destination.namespace),
        span(Role::Muted, " on "),
        span(Role::Text, cluster),
    ];
    let operation = operation_text(&app.operation, now);
    if !operation.is_empty() {
        spans.push(span(Role::Muted, "   last operation "));
        spans.push(span(
            super::table::role_of_operation(&app.operation),
            operation,
        ));
    }
    if let OperationView::Finished { by, .. } = &app.operation
        && !by.is_empty()
    {
        spans.push(span(Role::Muted, format!(" by {by}")));
    }
    spans
}

// The first condition, else what the operation says; empty when there is nothing to say.
fn message_line(app: &Application) -> Vec<Span<'_>> {
    if let Some(condition) = app.conditions.first() {
        let role = if condition.kind.ends_with("Error") {
            Role::Error
        } else {
            Role::Warning
        };
        return vec![
            span(role, format!("{} {} ", glyph::WARNING, condition.kind)),
            span(Role::Text, &*condition.message),
        ];
    }
    let message = match &app.operation {
        OperationView::Active { message, .. }
        | OperationView::Waiting { message, .. }
        | OperationView::Blocked { message }
        | OperationView::NeedsConfirmation { message }
        | OperationView::WaitingRetry { message, .. } => message,
        OperationView::Finished { phase, message, .. }
            if *phase != crate::domain::application::Phase::Succeeded =>
        {
            message
        }
        OperationView::None
        | OperationView::Queued
        | OperationView::Stuck { .. }
        | OperationView::Finished { .. } => return Vec::new(),
    };
    vec![span(
        super::table::role_of_operation(&app.operation),
        &**message,
    )]
}

fn columns(wide: bool, area: Rect) -> Vec<Slot<'static>> {
    let mut columns = vec![
        Column::flexible("OBJECT", (26, 72), 0),
        Column::fixed("SYNC", 11, 2),
        Column::fixed("HEALTH", 13, 0),
        Column::flexible("STATE", (12, 36), 3),
        Column::fixed("AGE", 4, 1).right(),
    ];
    if wide || area.width >= 150 {
        columns.push(Column::flexible("IMAGES", (20, 80), 4));
    }
    slots(columns, area.width)
}

fn draw_tree(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (screen, detail): (&ApplicationScreen, &ApplicationDetail),
    state: &State,
) {
    let slots = columns(screen.wide, area);
    let rows = screen.rows();
    let table = Table {
        slots: &slots,
        name: 0,
        len: rows.len(),
        offset: screen.offset,
        cursor: Some(screen.position()),
    };
    draw_objects(canvas, area, &slots, screen);
    let now = state.now.platform;
    table.draw(canvas, area, |index, painter| {
        let Some(row) = rows.get(index) else { return };
        match screen.node(row) {
            Some(node) => {
                draw_node(painter, (node, rollout_of(state, node)), (row, now));
                if screen.is_marked(node) {
                    painter.mark();
                }
            }
            None => draw_root(painter, (&detail.row, &screen.tree), now),
        }
    });
    if !screen.tree_known {
        let below = Rect::new(
            area.x,
            area.y + 2,
            area.width,
            area.height.saturating_sub(2),
        );
        state_of::loading("Loading its objects").draw(canvas, below);
    }
}

fn draw_objects(
    canvas: &mut Canvas<'_>,
    area: Rect,
    slots: &[Slot<'_>],
    screen: &ApplicationScreen,
) {
    let Some(slot) = slots.first() else { return };
    let below_header = Rect::new(
        area.x + slot.x,
        area.y + 1,
        slot.width,
        area.height.saturating_sub(1),
    );
    let column = usize::from(slot.width);
    outline::draw(
        canvas,
        below_header.intersection(area),
        (screen.rows(), screen.offset),
        |row, room| match screen.node(row) {
            Some(node) => node_label(node, column, room),
            None => vec![
                span(Role::Muted, "Application "),
                span(Role::Strong, &*screen.object.name),
            ],
        },
    );
}

fn node_label(node: &TreeNode, column: usize, room: usize) -> Vec<Span<'_>> {
    let kind = span(Role::Muted, format!("{} ", kind_word(node, column)));
    let role = if node.uid.is_some() {
        Role::Text
    } else {
        Role::Missing
    };
    let room = room.saturating_sub(crate::ui::text::width(&kind.text));
    let shown = crate::ui::text::harmless(&node.object.name);
    let name = crate::ui::text::fit_middle(&shown, room).into_owned();
    vec![kind, span(role, name)]
}

fn draw_root(
    painter: &mut RowPainter<'_, '_>,
    (app, tree): (&Application, &ResourceTree),
    now: DateTime<Utc>,
) {
    draw_sync(painter, Some(app.sync), false);
    draw_health(painter, Some(app.health));
    let states = tree.image_states();
    let mut spans = Vec::new();
    if painter.shows(5) {
        painter.spans(5, loudest_span(&states).as_slice());
    } else {
        spans.extend(trouble_span(&states, true));
        spans.extend((!spans.is_empty()).then(|| span(Role::Text, " ")));
    }
    spans.push(span(Role::Muted, format!("{} objects ", app.resources)));
    spans.extend(trouble_span(&states, false).filter(|_| !painter.shows(5)));
    painter.spans(3, &spans);
    draw_age(painter, app.created, now);
}

/// The row of a Rollout among the objects.
fn rollout_of<'state>(state: &'state State, node: &TreeNode) -> Option<&'state Rollout> {
    if node.object.kind != crate::app::screens::rollouts() {
        return None;
    }
    state.store.row(&node.object)?.rollout()
}

fn draw_node(
    painter: &mut RowPainter<'_, '_>,
    (node, rollout): (&TreeNode, Option<&Rollout>),
    (row, now): (&TreeRow, DateTime<Utc>),
) {
    draw_sync(painter, node.sync, node.requires_pruning);
    draw_health(painter, node.health);
    match rollout {
        Some(row) if !rollout_text(row).is_empty() => draw_rollout(painter, row),
        Some(_) | None => draw_facts(painter, (row, node), now),
    }
    draw_age(painter, node.created, now);
    if painter.shows(5) {
        let mut spans = Vec::from_iter(loudest_span(&node.image_states));
        spans.extend((!spans.is_empty()).then(|| span(Role::Text, "  ")));
        let room = painter
            .width(5)
            .saturating_sub(usize::from(width_of(&spans)));
        spans.push(span(Role::Muted, images_text(&node.images, room)));
        painter.spans(5, &spans);
    }
}

/// The images as they are asked for, or by their last part where there is no room for all.
fn images_text(images: &[Text], room: usize) -> String {
    let whole = images.join(" ");
    if crate::ui::text::width(&whole) <= room {
        return whole;
    }
    let short = images.iter().filter_map(|image| image.rsplit('/').next());
    let short: Vec<&str> = short.collect();
    short.join(" ")
}

/// The kind, or what people type for it when the column is narrow and the kind long.
fn kind_word(node: &TreeNode, columns: usize) -> &str {
    let kind = &node.object.kind;
    if columns >= 40 || kind.kind.len() <= 7 {
        return &kind.kind;
    }
    let short = info_of(kind).and_then(|info| info.short_names.first());
    short.copied().unwrap_or(&kind.kind)
}

/// Weight and step, or what is wrong: what a Rollout is doing says more than its replica count.
fn draw_rollout(painter: &mut RowPainter<'_, '_>, row: &Rollout) {
    let mut spans = Vec::new();
    if let Some(share) = bar_share(row) {
        spans.extend(bar(share, 5, Role::Canary));
        spans.push(span(Role::Text, " "));
    }
    let role = Role::of_health(row.phase.health());
    spans.push(span(role, rollout_text(row)));
    painter.spans(3, &spans);
}

fn draw_facts(
    painter: &mut RowPainter<'_, '_>,
    (row, node): (&TreeRow, &TreeNode),
    now: DateTime<Utc>,
) {
    let mut spans = Vec::new();
    if let Some(since) = node.deleting {
        let text = format!("{} deleting {} ", glyph::DELETING, age_text(since, now));
        spans.push(span(Role::Warning, text));
    }
    if node.hook {
        spans.push(span(Role::Muted, "hook "));
    }
    if let Some(wave) = node.wave.filter(|wave| *wave != 0) {
        spans.push(span(Role::Muted, format!("wave {wave} ")));
    }
    let role = match node.health {
        Some(Health::Degraded) => Role::Degraded,
        Some(Health::Progressing) => Role::Progressing,
        Some(Health::Healthy | Health::Suspended | Health::Missing | Health::Unknown) | None => {
            Role::Muted
        }
    };
    // Once for each Pod, not for everything above it.
    let lowest = (row.folded || !row.has_children) && !painter.shows(5);
    let trouble = |urgent| trouble_span(&node.image_states, urgent).filter(|_| lowest);
    if let Some(trouble) = trouble(true) {
        spans.extend([trouble, span(Role::Text, " ")]);
    }
    spans.push(span(role, node.info.join(" ")));
    if let Some(trouble) = trouble(false) {
        spans.extend([span(Role::Text, " "), trouble]);
    }
    painter.spans(3, &spans);
}

fn draw_sync(painter: &mut RowPainter<'_, '_>, sync: Option<SyncStatus>, prune: bool) {
    let Some(sync) = sync else { return };
    let role = Role::of_sync(sync);
    let word = match (prune, sync) {
        (true, _) => "prune",
        (false, sync) => sync.word(),
    };
    let word_role = if sync == SyncStatus::Synced {
        Role::Muted
    } else {
        role
    };
    let spans = [
        span(role, format!("{} ", glyph::of_sync(sync))),
        span(word_role, word),
    ];
    painter.spans(1, &spans);
}

fn draw_health(painter: &mut RowPainter<'_, '_>, health: Option<Health>) {
    let Some(health) = health else { return };
    let role = Role::of_health(health);
    let word = if health == Health::Healthy {
        Role::Muted
    } else {
        role
    };
    let spans = [
        span(role, format!("{} ", glyph::of_health(health))),
        span(word, health.word()),
    ];
    painter.spans(2, &spans);
}

fn draw_age(painter: &mut RowPainter<'_, '_>, at: Option<DateTime<Utc>>, now: DateTime<Utc>) {
    if let Some(at) = at {
        painter.text(4, &age_text(at, now), Role::Muted);
    }
}
