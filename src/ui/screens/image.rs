//! One image: a few facts above, and below them everything else as one list under headings.

use super::images::{found, role_of};
use super::{Visible, state_of};
use crate::app::commands::Command;
use crate::app::screens::{ImageLine, ImageScreen, Loaded};
use crate::app::state::State;
use crate::domain::age::age_text;
use crate::domain::image::{
    ArtifactDetail, ArtifactRow, HistoryStep, ImageState, Place, Scan, Vulnerability, bytes_text,
    loudest,
};
use crate::domain::status::Health;
use crate::ui::canvas::{Boxed, Canvas, Span, row_of, span};
use crate::ui::glyph;
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::notice::Notice;
use crate::ui::widgets::table::draw_scroll;
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &ImageScreen,
    state: &State,
) -> Visible {
    let boxed = Boxed {
        title: title(screen),
        corner: corner(screen),
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    let now = state.now.platform;
    let facts = screen.image().map(|image| facts(image, now));
    let facts = facts.unwrap_or_default();
    let head = facts.len() as u16 + u16::from(!facts.is_empty());
    let list = Rect::new(
        inside.x,
        inside.y + head.min(inside.height),
        inside.width,
        inside.height.saturating_sub(head),
    );
    match &screen.detail {
        Loaded::Waiting => state_of::loading("Reading the image").draw(canvas, inside),
        Loaded::Failed(finding) => state_of::failed(finding, state).draw(canvas, inside),
        Loaded::Ready(None) => unknown(screen, state).draw(canvas, inside),
        Loaded::Ready(Some(image)) => {
            for (at, line) in facts.iter().enumerate() {
                let row = row_of(inside, at as u16);
                let row = Rect::new(row.x + 1, row.y, row.width.saturating_sub(2), 1);
                canvas.spans(row, line);
            }
            draw_lines(canvas, list, (screen, image), now);
        }
    }
    Visible {
        rows: list.height,
        columns: inside.width,
    }
}

fn title(screen: &ImageScreen) -> Vec<Span<'static>> {
    let title = screen.image().map(|image| image.row.title());
    let title = title.unwrap_or_else(|| screen.crumb());
    let mut spans = vec![
        span(Role::Title, " Image "),
        span(Role::Strong, format!("{} ", text::harmless(&title))),
    ];
    if !screen.filter.is_empty() {
        spans.push(span(Role::Filter, format!("/{} ", screen.filter)));
    }
    spans
}

fn corner(screen: &ImageScreen) -> Vec<Span<'static>> {
    let Some(image) = screen.image() else {
        return Vec::new();
    };
    let states = &image.row.states;
    let mut spans: Vec<Span<'static>> = Vec::new();
    for state in states.iter().take(3) {
        spans.push(span(role_of_state(state), format!(" {} ", state.text())));
    }
    spans
}

pub(super) fn role_of_state(state: &ImageState) -> Role {
    match state {
        ImageState::Gone | ImageState::Mixed => Role::Degraded,
        ImageState::MovedTag => Role::Warning,
        ImageState::Vulnerable { severity, .. } => role_of(*severity),
        ImageState::Behind(_) | ImageState::NotScanned | ImageState::Unsigned => Role::Text,
        ImageState::Unknown | ImageState::Pinned | ImageState::Newest => Role::Muted,
    }
}

/// The loudest of the states of images, in words; nothing when there is nothing to say.
pub(super) fn loudest_span(states: &[ImageState]) -> Option<Span<'static>> {
    let state = loudest(states)?;
    Some(span(role_of_state(state), state.text()))
}

/// A remark beside a Pod, only when its image asks for a person: at once, or some day.
pub(super) fn trouble_span(states: &[ImageState], urgent: bool) -> Option<Span<'static>> {
    let state = loudest(states).filter(|state| state.is_trouble())?;
    if urgent != state.is_about_version() {
        return None;
    }
    let word = match state {
        ImageState::Vulnerable { severity, .. } => {
            format!("{} CVEs", severity.word().to_lowercase())
        }
        state @ (ImageState::Gone | ImageState::Mixed) => format!("image {}", state.text()),
        state @ (ImageState::MovedTag
        | ImageState::Behind(_)
        | ImageState::NotScanned
        | ImageState::Unsigned
        | ImageState::Unknown
        | ImageState::Pinned
        | ImageState::Newest) => state.text(),
    };
    Some(span(
        role_of_state(state),
        format!("{} {word}", glyph::WARNING),
    ))
}

fn unknown(screen: &ImageScreen, state: &State) -> Notice<'static> {
    Notice {
        headline: vec![span(
            Role::Stale,
            format!(
                "{} No registry that is asked has this image",
                glyph::WARNING
            ),
        )],
        sentences: vec![screen.object.path()],
        tries: state_of::key(state, Command::Reload, "ask again")
            .into_iter()
            .collect(),
    }
}

fn label(text: &str) -> Span<'static> {
    span(Role::Muted, format!("{text:<9} "))
}

fn facts(image: &ArtifactDetail, now: DateTime<Utc>) -> Vec<Vec<Span<'static>>> {
    let row = &image.row;
    let clean = |text: &str| text::harmless(text).into_owned();
    let digest = row
        .digest
        .as_ref()
        .map_or_else(|| String::from("unknown"), ToString::to_string);
    let mut tags: Vec<&str> = row.tags.iter().take(6).map(|tag| &**tag).collect();
    if tags.is_empty() {
        tags.push("none");
    }
    let more = row.tags.len().saturating_sub(6);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let mut lines = vec![
        vec![label("digest"), span(Role::Text, clean(&digest))],
        vec![
            label("tags"),
            span(Role::Text, clean(&tags.join("  "))),
            span(Role::Muted, more),
        ],
    ];
    // A registry that is not asked tells neither.
    if row.size.is_some() || row.pushed.is_some() {
        lines.push(age_line(row, now));
    }
    if row.scan != Scan::Untold {
        lines.push(scan_line(row, now));
    }
    lines.extend(commit_line(image));
    if let Some(finding) = image.findings.first().or(row.findings.first()) {
        lines.push(vec![
            span(Role::Warning, format!("{} ", glyph::WARNING)),
            span(Role::Text, clean(&finding.sentence)),
        ]);
    }
    lines
}

fn scan_line(row: &ArtifactRow, now: DateTime<Utc>) -> Vec<Span<'static>> {
    let mut line = vec![label("found")];
    line.extend(found(&row.scan));
    if let Some(summary) = row.scan.summary() {
        let ended = summary
            .ended
            .map(|at| format!(", {} ago", age_text(at, now)));
        let words = format!(
            "   {} in all, {} with a fix   {}{}",
            summary.total,
            summary.fixable,
            text::harmless(&summary.scanner),
            ended.unwrap_or_default()
        );
        line.push(span(Role::Muted, words));
    }
    line
}

fn commit_line(image: &ArtifactDetail) -> Option<Vec<Span<'static>>> {
    let revision = text::harmless(text::short_revision(image.revision()?)).into_owned();
    let mut line = vec![label("commit"), span(Role::Text, revision)];
    if let Some(source) = image.label("org.opencontainers.image.source") {
        line.push(span(Role::Muted, format!("   {}", text::harmless(source))));
    }
    Some(line)
}

fn age_line(row: &ArtifactRow, now: DateTime<Utc>) -> Vec<Span<'static>> {
    let mut words = Vec::new();
    if let Some(size) = row.size {
        words.push(bytes_text(size));
    }
    if let Some(at) = row.pushed {
        words.push(format!("pushed {} ago", age_text(at, now)));
    }
    if let Some(at) = row.built {
        words.push(format!("built {} ago", age_text(at, now)));
    }
    match row.pulled {
        Some(at) => words.push(format!("pulled {} ago", age_text(at, now))),
        None if row.pushed.is_some() => words.push(String::from("never pulled")),
        None => {}
    }
    match row.signed {
        Some(true) => words.push(String::from("signed")),
        Some(false) => words.push(String::from("not signed")),
        None => {}
    }
    let mut line = vec![label("size"), span(Role::Text, words.join("   "))];
    if !row.newest.is_empty() {
        let newest = text::harmless(&row.newest).into_owned();
        line.push(span(
            Role::Accent,
            format!("   {} {newest} exists", glyph::NEWER),
        ));
    }
    line
}

fn draw_lines(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (screen, image): (&ImageScreen, &ArtifactDetail),
    now: DateTime<Utc>,
) {
    let lines = screen.lines();
    let offset = screen.cursor.offset;
    let window = usize::from(area.height);
    for (at, line) in lines.iter().enumerate().skip(offset).take(window) {
        let row = row_of(area, (at - offset) as u16);
        let selected = at == screen.cursor.position;
        let lead = if selected { glyph::CURSOR } else { " " };
        let inner = Rect::new(row.x + 2, row.y, row.width.saturating_sub(4), 1);
        if selected {
            canvas.tint(row, Role::Cursor);
        }
        canvas.put(Rect::new(row.x, row.y, 1, 1), lead, Role::Accent);
        draw_line(canvas, inner, (line, image), now);
        if selected {
            canvas.tint(row, Role::Cursor);
        }
    }
    let edge = Rect::new(area.right().saturating_sub(1), area.y, 1, area.height);
    draw_scroll(canvas, edge, (offset, window, lines.len()));
}

fn draw_line(
    canvas: &mut Canvas<'_>,
    row: Rect,
    (line, image): (&ImageLine, &ArtifactDetail),
    now: DateTime<Utc>,
) {
    match line {
        ImageLine::Heading(part, count) => {
            let row = Rect::new(row.x.saturating_sub(1), row.y, row.width, 1);
            canvas.spans(
                row,
                &[
                    span(Role::Header, part.title()),
                    span(Role::Muted, format!("  {count}")),
                ],
            );
        }
        ImageLine::Note(note) => {
            canvas.put(row, &text::harmless(note), Role::Muted);
        }
        ImageLine::Place(at) => {
            if let Some(place) = image.row.places.get(*at) {
                draw_place(canvas, row, place);
            }
        }
        ImageLine::Vulnerability(at) => {
            let report = image.report.report();
            if let Some(one) = report.and_then(|report| report.vulnerabilities.get(*at)) {
                let mended = image.mended.as_ref().is_some_and(|(_, ids)| {
                    ids.iter()
                        .any(|(id, package)| *id == one.id && *package == one.package)
                });
                draw_vulnerability(canvas, row, (one, mended));
            }
        }
        ImageLine::Platform(_)
        | ImageLine::Step(_)
        | ImageLine::Label(_)
        | ImageLine::Accessory(_) => draw_content(canvas, row, (line, image), now),
        ImageLine::Sibling(at) => {
            if let Some(other) = image.siblings.get(*at) {
                draw_sibling(canvas, row, (other, image), now);
            }
        }
    }
}

/// Draws what is inside the image, and beside it.
fn draw_content(
    canvas: &mut Canvas<'_>,
    row: Rect,
    (line, image): (&ImageLine, &ArtifactDetail),
    now: DateTime<Utc>,
) {
    match line {
        ImageLine::Platform(at) => {
            if let Some(one) = image.platforms.get(*at) {
                cells(
                    canvas,
                    row,
                    &[
                        (&one.name, 22, Role::Text),
                        (one.digest.short(), 20, Role::Muted),
                    ],
                );
            }
        }
        ImageLine::Step(at) => {
            if let Some(step) = image.history.get(*at) {
                draw_step(canvas, row, step);
            }
        }
        ImageLine::Label(at) => {
            if let Some((name, value)) = image.labels.get(*at) {
                cells(
                    canvas,
                    row,
                    &[(name, 36, Role::Muted), (value, 200, Role::Text)],
                );
            }
        }
        ImageLine::Accessory(at) => {
            if let Some(one) = image.accessories.get(*at) {
                let age = one.created.map(|at| age_text(at, now)).unwrap_or_default();
                let digest = one.digest.split(':').next_back().unwrap_or_default();
                let digest: String = digest.chars().take(12).collect();
                cells(
                    canvas,
                    row,
                    &[
                        (&one.kind, 22, Role::Text),
                        (&digest, 14, Role::Muted),
                        (&age, 6, Role::Muted),
                    ],
                );
            }
        }
        ImageLine::Heading(..)
        | ImageLine::Note(_)
        | ImageLine::Place(_)
        | ImageLine::Vulnerability(_)
        | ImageLine::Sibling(_) => {}
    }
}

/// Writes cells one after the other, each cut to its width.
fn cells(canvas: &mut Canvas<'_>, row: Rect, cells: &[(&str, u16, Role)]) {
    let mut x = row.x;
    for (content, width, role) in cells {
        let width = (*width).min(row.right().saturating_sub(x));
        canvas.put(
            Rect::new(x, row.y, width.saturating_sub(1), 1),
            &text::harmless(content),
            *role,
        );
        x += width;
    }
}

fn draw_place(canvas: &mut Canvas<'_>, row: Rect, place: &Place) {
    let trouble = !place.trouble.is_empty();
    let (mark, role) = if trouble {
        (glyph::DEGRADED, Role::Degraded)
    } else if place.states.iter().any(ImageState::is_trouble) {
        (glyph::WARNING, Role::Warning)
    } else {
        (glyph::of_health(Health::Healthy), Role::Healthy)
    };
    canvas.put(Rect::new(row.x, row.y, 1, 1), mark, role);
    let row = Rect::new(row.x + 2, row.y, row.width.saturating_sub(2), 1);
    let app = place.application.as_ref().map_or("", |app| &*app.name);
    let workload = format!("{} {}", place.workload.kind.kind, place.workload.name);
    let states: Vec<String> = place.states.iter().map(ImageState::text).collect();
    let says = if trouble {
        place.trouble.to_string()
    } else {
        states.join(", ")
    };
    let namespace = place.pod.namespace.as_deref().unwrap_or_default();
    // The Pod is always there: without it, two replicas are the same row. Its name tells of what
    // keeps it, where there is no room to say that as well.
    let width = match row.width {
        150.. => 38,
        100.. => 36,
        _ => 34,
    };
    // Replicas differ at the end of their names.
    let pod = text::fit_middle(&place.pod.name, usize::from(width) - 1);
    let (pod, app) = ((&*pod, Role::Text), (app, Role::Text));
    let (namespace, container) = ((namespace, Role::Muted), (&*place.container, Role::Muted));
    let workload = (&*workload, Role::Text);
    let shown: &[((&str, Role), u16)] = match row.width {
        150.. => &[
            (app, 24),
            (workload, 32),
            (pod, width),
            (namespace, 18),
            (container, 14),
        ],
        100.. => &[(pod, width), (app, 20), (namespace, 18), (container, 12)],
        _ => &[(pod, width), (app, 20)],
    };
    let says_role = if trouble { Role::Degraded } else { Role::Muted };
    let shown = shown
        .iter()
        .map(|((text, role), width)| (*text, *width, *role));
    let all: Vec<(&str, u16, Role)> = shown.chain([(&*says, 80, says_role)]).collect();
    cells(canvas, row, &all);
}

fn draw_vulnerability(canvas: &mut Canvas<'_>, row: Rect, (one, mended): (&Vulnerability, bool)) {
    let score = one
        .score
        .map(|score| format!("{score:.1}"))
        .unwrap_or_default();
    let package = format!("{} {}", one.package, one.version);
    let fix = if one.fix.is_empty() {
        String::from("no fix")
    } else {
        format!("{} {}", glyph::NEWER, one.fix)
    };
    let mark = if mended { glyph::SYNCED } else { "" };
    let wide = row.width >= 100;
    let sizes = if wide {
        [18, 11, 5, 34, 24]
    } else {
        [17, 9, 5, 24, 18]
    };
    cells(
        canvas,
        row,
        &[
            (&one.id, sizes[0], Role::Text),
            (one.severity.word(), sizes[1], role_of(one.severity)),
            (&score, sizes[2], Role::Muted),
            (&package, sizes[3], Role::Text),
            (
                &fix,
                sizes[4],
                if one.fix.is_empty() {
                    Role::Muted
                } else {
                    Role::Text
                },
            ),
            (mark, 2, Role::Healthy),
            (&one.description, 200, Role::Muted),
        ],
    );
}

fn draw_step(canvas: &mut Canvas<'_>, row: Rect, step: &HistoryStep) {
    let size = match step.size {
        Some(size) => bytes_text(size),
        None if step.empty => String::from("-"),
        None => String::new(),
    };
    let command = step.created_by.trim_start_matches("/bin/sh -c ");
    let command = command.trim_start_matches("#(nop) ").trim();
    let command: String = command.split_whitespace().collect::<Vec<_>>().join(" ");
    let role = if step.empty { Role::Muted } else { Role::Text };
    cells(
        canvas,
        row,
        &[(&size, 11, Role::Muted), (&command, 400, role)],
    );
}

fn draw_sibling(
    canvas: &mut Canvas<'_>,
    row: Rect,
    (other, image): (&ArtifactRow, &ArtifactDetail),
    now: DateTime<Utc>,
) {
    let tags = crate::app::columns::tags_text(other);
    let digest = other.digest.as_ref().map_or("", |digest| digest.short());
    let age = other.pushed.or(other.built);
    let age = age.map(|at| age_text(at, now)).unwrap_or_default();
    let is_newest = !image.row.newest.is_empty() && other.tags.contains(&image.row.newest);
    let newest = if is_newest { glyph::NEWER } else { " " };
    cells(
        canvas,
        row,
        &[
            (newest, 2, Role::Accent),
            (&tags, 26, Role::Text),
            (digest, 14, Role::Muted),
            (&age, 6, Role::Muted),
        ],
    );
    let rest = Rect::new(row.x + 48, row.y, row.width.saturating_sub(48), 1);
    canvas.spans(rest, &found(&other.scan));
}
