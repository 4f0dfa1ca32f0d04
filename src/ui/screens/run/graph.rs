//! The nodes of a run as a graph: columns from left to right, edges in box characters.
//!
//! Edges that go to the same nodes share a track between two columns; others have their own, so
//! that every way along a line is an edge. Only what is visible is put into cells.

use super::{glyph_of, role_of};
use crate::app::screens::RunScreen;
use crate::domain::pipeline::graph::{Cell, RunGraph};
use crate::domain::pipeline::{RunDetail, RunNode};
use crate::domain::rollout::span_text;
use crate::ui::canvas::{Canvas, row_of};
use crate::ui::text;
use crate::ui::theme::Role;
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;
use std::collections::BTreeMap;

/// The widest name in a column.
const NAME: usize = 24;
/// More tracks than this share the last one.
const TRACKS: usize = 8;

const UP: u8 = 1;
const DOWN: u8 = 2;
const LEFT: u8 = 4;
const RIGHT: u8 = 8;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (screen, run): (&RunScreen, &RunDetail),
    now: DateTime<Utc>,
) {
    let graph = screen.graph();
    if graph.columns.is_empty() {
        canvas.put(row_of(area, 0), " no step so far", Role::Muted);
        return;
    }
    let area = Rect::new(
        area.x + 1,
        area.y,
        area.width.saturating_sub(2),
        area.height,
    );
    let layout = Layout::of(graph, &run.nodes, now);
    let cursor = screen.current_index();
    let place = cursor.and_then(|cursor| graph.place_of(cursor));
    let view = View::around(place, &layout, (area, graph.height()));
    let painter = Painter { area, view, now };
    for (number, column) in graph.columns.iter().enumerate() {
        let Some((x, width)) = layout.columns.get(number).copied() else {
            continue;
        };
        let rows = column.iter().enumerate().skip(view.top);
        for (row, cell) in rows.take(usize::from(area.height)) {
            let goes_on = layout.leaves(number, row);
            match cell {
                Cell::Passing => painter.line(canvas, (x, row), width),
                Cell::Node(node) => {
                    let Some(found) = run.nodes.get(*node as usize) else {
                        continue;
                    };
                    let at_cursor = cursor == Some(*node);
                    painter.node(canvas, (x, row, width), found, (at_cursor, goes_on));
                }
            }
        }
        if let Some(gutter) = layout.gutters.get(number) {
            painter.gutter(canvas, x + width, gutter);
        }
    }
    if graph.untold > 0 {
        let text = format!("{} long edges are not drawn", graph.untold);
        canvas.put_right(
            row_of(area, area.height.saturating_sub(1)),
            &text,
            Role::Muted,
        );
    }
}

/// Edges between two columns: what each cell leads to, by row and track.
struct Gutter {
    width: usize,
    cells: BTreeMap<(usize, usize), u8>,
}

struct Layout {
    /// Start and width of each column.
    columns: Vec<(usize, usize)>,
    gutters: Vec<Gutter>,
    width: usize,
}

impl Layout {
    fn of(graph: &RunGraph, nodes: &[RunNode], now: DateTime<Utc>) -> Self {
        let mut columns = Vec::new();
        let mut gutters = Vec::new();
        let mut x = 0;
        for (number, column) in graph.columns.iter().enumerate() {
            let widths = column.iter().map(|cell| match cell {
                Cell::Node(node) => nodes
                    .get(*node as usize)
                    .map_or(0, |node| text::width(&words(node, now))),
                Cell::Passing => 0,
            });
            let width = widths.max().unwrap_or_default() + 1;
            columns.push((x, width));
            x += width;
            if let Some(links) = graph.links.get(number) {
                let gutter = Gutter::of(links);
                x += gutter.width;
                gutters.push(gutter);
            }
        }
        Self {
            columns,
            gutters,
            width: x,
        }
    }

    /// Whether an edge begins at a place.
    fn leaves(&self, column: usize, row: usize) -> bool {
        let gutter = self.gutters.get(column);
        gutter.is_some_and(|gutter| {
            let cell = gutter.cells.get(&(row, 0));
            cell.is_some_and(|mask| mask & LEFT != 0)
        })
    }
}

impl Gutter {
    fn of(links: &[(usize, usize)]) -> Self {
        let mut targets: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (from, to) in links {
            targets.entry(*from).or_default().push(*to);
        }
        // Who leads to the same places shares a track.
        let mut groups: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for (from, to) in targets {
            groups.entry(to).or_default().push(from);
        }
        let mut ordered: Vec<(usize, usize, Vec<usize>, Vec<usize>)> = groups
            .into_iter()
            .map(|(to, from)| {
                let all = from.iter().chain(&to);
                let least = all.clone().min().copied().unwrap_or_default();
                let most = all.max().copied().unwrap_or_default();
                (least, most, from, to)
            })
            .collect();
        ordered.sort();
        let mut ends: Vec<usize> = Vec::new();
        let mut tracks: Vec<usize> = Vec::new();
        for (least, most, ..) in &ordered {
            let free = ends.iter().position(|end| end < least);
            let track = free.unwrap_or(ends.len()).min(TRACKS - 1);
            match ends.get_mut(track) {
                Some(end) => *end = (*end).max(*most),
                None => ends.push(*most),
            }
            tracks.push(track);
        }
        let width = ends.len().max(1) + 2;
        let mut gutter = Self {
            width,
            cells: BTreeMap::new(),
        };
        for ((least, most, from, to), track) in ordered.into_iter().zip(tracks) {
            gutter.connect((least, most), (&from, &to), track + 1);
        }
        gutter
    }

    fn connect(
        &mut self,
        (least, most): (usize, usize),
        (from, to): (&[usize], &[usize]),
        track: usize,
    ) {
        for row in from {
            for x in 0..track {
                self.add((*row, x), LEFT | RIGHT);
            }
            self.add((*row, track), LEFT);
        }
        for row in to {
            self.add((*row, track), RIGHT);
            for x in track + 1..self.width {
                self.add((*row, x), LEFT | RIGHT);
            }
        }
        for row in least..=most {
            if row > least {
                self.add((row, track), UP);
            }
            if row < most {
                self.add((row, track), DOWN);
            }
        }
    }

    fn add(&mut self, at: (usize, usize), mask: u8) {
        *self.cells.entry(at).or_default() |= mask;
    }
}

/// Which part of the graph is visible.
#[derive(Clone, Copy)]
struct View {
    left: usize,
    top: usize,
}

impl View {
    fn around(
        place: Option<(usize, usize)>,
        layout: &Layout,
        (area, height): (Rect, usize),
    ) -> Self {
        let (column, row) = place.unwrap_or_default();
        let (x, width) = layout.columns.get(column).copied().unwrap_or_default();
        let within = |centre: usize, room: usize, all: usize| {
            let most = all.saturating_sub(room);
            centre.saturating_sub(room / 2).min(most)
        };
        Self {
            left: within(x + width / 2, usize::from(area.width), layout.width),
            top: within(row, usize::from(area.height), height),
        }
    }
}

struct Painter {
    area: Rect,
    view: View,
    now: DateTime<Utc>,
}

impl Painter {
    /// Returns the cells of a row from a column on, as far as they are visible, and how many of
    /// them are hidden at the left.
    fn cells(&self, (x, row): (usize, usize), width: usize) -> Option<(Rect, usize)> {
        let y = row.checked_sub(self.view.top)?;
        if y >= usize::from(self.area.height) {
            return None;
        }
        let hidden = self.view.left.saturating_sub(x);
        let start = x.saturating_sub(self.view.left);
        let room = usize::from(self.area.width).checked_sub(start)?;
        let width = width.checked_sub(hidden)?.min(room);
        let rect = Rect::new(
            self.area.x + start as u16,
            self.area.y + y as u16,
            width as u16,
            1,
        );
        (width > 0).then_some((rect, hidden))
    }

    fn line(&self, canvas: &mut Canvas<'_>, at: (usize, usize), width: usize) {
        if let Some((rect, _)) = self.cells(at, width) {
            canvas.put(rect, &"─".repeat(usize::from(rect.width)), Role::Border);
        }
    }

    fn node(
        &self,
        canvas: &mut Canvas<'_>,
        (x, row, width): (usize, usize, usize),
        node: &RunNode,
        (at_cursor, goes_on): (bool, bool),
    ) {
        let Some((rect, hidden)) = self.cells((x, row), width) else {
            return;
        };
        let all = words(node, self.now);
        let shown = text::after_columns(&all, hidden);
        let used = canvas.put(rect, &shown, role_of(node.phase));
        if at_cursor {
            canvas.tint(Rect::new(rect.x, rect.y, used, 1), Role::Cursor);
        }
        let left = rect.width.saturating_sub(used);
        if goes_on && left > 0 {
            let line = Rect::new(rect.x + used, rect.y, left, 1);
            canvas.put(line, &"─".repeat(usize::from(left)), Role::Border);
        }
    }

    fn gutter(&self, canvas: &mut Canvas<'_>, x: usize, gutter: &Gutter) {
        let last = self.view.top + usize::from(self.area.height);
        for ((row, at), mask) in gutter.cells.range((self.view.top, 0)..(last, 0)) {
            if let Some((rect, _)) = self.cells((x + at, *row), 1) {
                canvas.put(rect, corner(*mask), Role::Border);
            }
        }
    }
}

/// A node in one line: its phase, its name, how long it took.
fn words(node: &RunNode, now: DateTime<Utc>) -> String {
    let label = text::harmless(&node.label);
    let label = text::fit_middle(&label, NAME);
    let took = node.duration(now).map(span_text).unwrap_or_default();
    let tries = match node.retries.max(node.children.len() as u32) {
        tries if tries > 1 && node.kind == crate::domain::pipeline::NodeKind::Retry => {
            format!(" ×{tries}")
        }
        _ if node.retries > 0 => format!(" ×{}", node.retries + 1),
        _ => String::new(),
    };
    format!("{} {label}{tries} {took}", glyph_of(node.phase))
        .trim_end()
        .to_owned()
}

fn corner(mask: u8) -> &'static str {
    const ALL: [&str; 16] = [
        " ", "│", "│", "│", "─", "┘", "┐", "┤", "─", "└", "┌", "├", "─", "┴", "┬", "┼",
    ];
    ALL.get(usize::from(mask)).copied().unwrap_or(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(links: &[(usize, usize)], height: usize) -> Vec<String> {
        let gutter = Gutter::of(links);
        let rows = (0..height).map(|row| {
            let cells = (0..gutter.width).map(|x| {
                let mask = gutter.cells.get(&(row, x)).copied();
                corner(mask.unwrap_or_default())
            });
            cells.collect::<String>()
        });
        rows.collect()
    }

    #[test]
    fn a_fork_and_a_join_share_their_tracks() {
        assert_eq!(drawn(&[(0, 0), (0, 1), (0, 2)], 3), ["─┬─", " ├─", " └─"]);
        assert_eq!(drawn(&[(0, 0), (1, 0)], 2), ["─┬─", "─┘ "]);
        assert_eq!(drawn(&[(0, 0)], 1), ["───"]);
    }

    #[test]
    fn who_leads_elsewhere_has_a_track_of_its_own() {
        let all = drawn(&[(0, 0), (0, 1), (1, 1)], 2);
        // The second row comes in on its own track, and goes on with what the first brings.
        assert_eq!(all, ["─┬──", "─┴──"]);
    }
}
