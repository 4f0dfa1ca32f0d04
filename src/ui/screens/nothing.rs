//! There is no platform at all: says why, and offers the demo.

use super::Visible;
use crate::app::state::State;
use crate::domain::finding::Finding;
use crate::ui::canvas::{Canvas, span};
use crate::ui::theme::Role;
use crate::ui::widgets::notice::Notice;
use ratatui::layout::Rect;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    finding: &Finding,
    state: &State,
) -> Visible {
    let mut sentences = vec![finding.sentence.to_string()];
    sentences.extend(finding.hint.as_ref().map(ToString::to_string));
    sentences.push(String::new());
    sentences.push(
        "Tiphys carries a whole GitOps platform inside itself. It needs no cluster, no network \
         and no configuration:"
            .to_owned(),
    );
    let mut tries = vec![(
        "tiphys demo".to_owned(),
        "start the embedded platform".to_owned(),
    )];
    tries.push((
        "tiphys doctor".to_owned(),
        "say what this machine can and cannot do".to_owned(),
    ));
    tries.extend(super::state_of::key(
        state,
        crate::app::commands::Command::Contexts,
        "choose a context",
    ));
    tries.push((":q".to_owned(), "quit".to_owned()));
    let notice = Notice {
        headline: vec![span(Role::Title, "No cluster to watch yet")],
        sentences,
        tries,
    };
    notice.draw(canvas, area);
    Visible {
        rows: area.height,
        columns: area.width,
    }
}
