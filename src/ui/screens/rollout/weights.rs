//! Who gets the traffic: a bar for each side, its image, its Pods, and the three views of the
//! weight beside each other.

use super::{LABEL, ROOMY, WIDE, label};
use crate::domain::metric::number_text;
use crate::domain::rollout::{ReplicaSetView, Role as Side, RolloutDetail, Strategy};
use crate::ui::canvas::{Canvas, Span, row_of, span};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::spark::bar;
use ratatui::layout::Rect;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, detail: &RolloutDetail) {
    let row = &detail.row;
    let sides: &[(Side, Role)] = match row.strategy {
        Strategy::BlueGreen => &[(Side::Active, Role::Stable), (Side::Preview, Role::Preview)],
        Strategy::Canary | Strategy::Unknown => {
            &[(Side::Stable, Role::Stable), (Side::Canary, Role::Canary)]
        }
    };
    let roomy = area.width + 2 >= ROOMY;
    let views = views(detail);
    for (number, (side, role)) in sides.iter().enumerate() {
        let line = label(canvas, row_of(area, number as u16), side.word());
        let mut spans = side_spans(detail, (*side, *role), line.width);
        if roomy && number == 1 {
            spans.push(span(Role::Text, "   "));
            spans.extend(views.iter().cloned());
        }
        canvas.spans(line, &spans);
    }
    if !roomy {
        let line = label(canvas, row_of(area, 2), "weight");
        canvas.spans(line, &views);
    }
}

fn side_spans(
    detail: &RolloutDetail,
    (side, role): (Side, Role),
    columns: u16,
) -> Vec<Span<'static>> {
    let Some(set) = detail.with_role(side) else {
        return vec![span(Role::Muted, nothing_there(detail, side))];
    };
    // What is left beside hash, share and Pods is shared by the image and the bar.
    let room = usize::from(columns).saturating_sub(11 + 1 + 6 + 9);
    let roomy = columns + LABEL >= ROOMY - 2;
    let (image, bars) = if columns + LABEL >= WIDE {
        (36, 30)
    } else if roomy {
        (22, 16)
    } else {
        (room * 3 / 5, room.saturating_sub(room * 3 / 5 + 2).min(24))
    };
    let share = share_of(detail, side);
    let mut spans = vec![
        span(Role::Muted, text::pad(&set.hash, 10)),
        span(Role::Text, " "),
        span(
            Role::Strong,
            text::pad(&text::fit_middle(&image_of(set), image), image),
        ),
        span(Role::Text, " "),
    ];
    spans.extend(bar(share, bars, role));
    spans.push(span(
        role,
        format!("{:>4} %", number_text((share * 1_000.0).round() / 10.0)),
    ));
    let ready = format!("  {}/{}", set.ready, set.desired);
    let pods = if set.ready < set.desired {
        Role::Progressing
    } else {
        Role::Text
    };
    spans.push(span(pods, ready));
    spans
}

fn nothing_there(detail: &RolloutDetail, side: Side) -> String {
    match side {
        Side::Canary | Side::Preview if detail.row.is_fully_promoted() => {
            "nothing is being rolled out".to_owned()
        }
        Side::Canary | Side::Preview => "not there yet".to_owned(),
        Side::Stable | Side::Active => "nothing serves yet".to_owned(),
    }
}

/// Returns the share of the traffic that a side is told to get, as far as is known: the route,
/// else what the controller says.
fn share_of(detail: &RolloutDetail, side: Side) -> f64 {
    let weights = &detail.row.weights;
    match side {
        Side::Active => 1.0,
        Side::Preview => 0.0,
        Side::Stable | Side::Canary => {
            let told = weights.routed.unwrap_or(weights.actual);
            let canary = f64::from(told) / f64::from(weights.max.max(1));
            let canary = if detail.row.is_fully_promoted() {
                0.0
            } else {
                canary
            };
            if side == Side::Canary {
                canary
            } else {
                1.0 - canary
            }
        }
    }
}

/// `wanted 20 · routed 20 · measured 19.6`, loud where they disagree.
fn views(detail: &RolloutDetail) -> Vec<Span<'static>> {
    let row = &detail.row;
    if row.strategy != Strategy::Canary {
        let auto = row
            .blue_green
            .as_ref()
            .is_some_and(|one| one.auto_promotion);
        let text = if auto {
            "switches by itself"
        } else {
            "switches when promoted"
        };
        return vec![span(Role::Muted, text)];
    }
    if row.is_fully_promoted() {
        return vec![span(Role::Muted, "all traffic goes to the stable revision")];
    }
    let weights = &row.weights;
    let loud = if weights.disagree() {
        Role::Warning
    } else {
        Role::Text
    };
    let told = match (weights.routed, &row.router) {
        (Some(routed), _) => format!("routed {routed}"),
        (None, Some(_)) => format!("told {}", weights.actual),
        (None, None) => format!("by Pods {}", weights.actual),
    };
    let measured = match weights.measured {
        Some(measured) => format!("measured {}", number_text((measured * 10.0).round() / 10.0)),
        None => "not measured".to_owned(),
    };
    let quiet = if weights.measured.is_some() {
        loud
    } else {
        Role::Muted
    };
    let mut spans = vec![
        span(Role::Text, format!("wanted {}", weights.set)),
        span(Role::Muted, " · "),
        span(loud, told),
        span(Role::Muted, " · "),
        span(quiet, measured),
    ];
    if weights.max != 100 {
        spans.push(span(Role::Muted, format!(" of {}", weights.max)));
    }
    if weights.verified == Some(false) {
        spans.push(span(Role::Warning, " · the router has not confirmed"));
    }
    spans
}

/// The first container's image without its registry: what tells revisions apart is at the end.
pub(super) fn image_of(set: &ReplicaSetView) -> String {
    let first = set
        .images
        .iter()
        .find(|image| !image.init)
        .or(set.images.first());
    first.map(|one| short_image(&one.image)).unwrap_or_default()
}

pub(super) fn short_image(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once("@sha256:") {
        Some((name, digest)) => {
            let digest: String = digest.chars().take(12).collect();
            format!("{name}@{digest}")
        }
        None => name.to_owned(),
    }
}
