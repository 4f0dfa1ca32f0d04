//! What is on screen as plain text: for a file or the clipboard.

use super::Effects;
use crate::app::columns::{Beside, cell};
use crate::app::effect::Effect;
use crate::app::screens::{
    ChartsOf, ChartsScreen, DiffLine, RunScreen, Screen, TableScreen, plural,
};
use crate::app::state::State;
use crate::domain::analysis::AnalysisRun;
use crate::domain::pipeline::RunDetail;
use crate::domain::rollout::span_text;
use crate::store::Row;
use chrono::DateTime;

/// Writes what is shown to a file.
pub(super) fn save(state: &mut State, out: &mut Effects) {
    let name = file_name(state);
    match text_of(state) {
        Some(text) => out.push(Effect::Save { name, text }),
        None => state.note("there is nothing to save here"),
    }
}

/// Copies all of what is shown.
pub(super) fn copy_all(state: &mut State, out: &mut Effects) {
    match text_of(state) {
        Some(text) => {
            let what = format!("{} lines", text.lines().count()).into();
            out.push(Effect::Copy { text, what });
        }
        None => state.note("there is nothing to copy here"),
    }
}

fn file_name(state: &State) -> String {
    let name = match state.screen() {
        Screen::Applications(screen) | Screen::Namespaces(screen) | Screen::Kind(screen) => {
            plural(&screen.view.kind)
        }
        Screen::Application(screen) => format!("application-{}", screen.object.name),
        Screen::Diff(screen) => format!("diff-{}", screen.application.name),
        Screen::History(screen) => format!("history-{}", screen.object.name),
        Screen::Text(screen) => {
            let word = screen.source.word();
            format!("{word}-{}", screen.source.object().name)
        }
        Screen::Events(screen) => format!("events-{}", screen.object.name),
        Screen::Logs(screen) => format!("logs-{}", screen.object.name),
        Screen::Contexts(_) => "contexts".to_owned(),
        Screen::Help(_) => "help".to_owned(),
        Screen::Ledger(_) => "ledger".to_owned(),
        Screen::Rollout(screen) => format!("rollout-{}", screen.object.name),
        Screen::Analysis(screen) => format!("analysis-{}", screen.object.name),
        Screen::Charts(screen) => format!("metrics-{}", screen_word(screen)),
        Screen::Alerts(_) => "alerts".to_owned(),
        Screen::Dashboards(_) => "dashboards".to_owned(),
        Screen::Run(screen) => format!("run-{}", screen.object.name),
        Screen::Image(screen) => format!("image-{}", screen.crumb()),
        Screen::Flow(_) => "events".to_owned(),
    };
    let end = match state.screen() {
        Screen::Text(screen) if screen.source.word() == "yaml" => "yaml",
        Screen::Diff(_) => "diff",
        Screen::Logs(_) => "log",
        Screen::Text(_)
        | Screen::Applications(_)
        | Screen::Application(_)
        | Screen::History(_)
        | Screen::Events(_)
        | Screen::Contexts(_)
        | Screen::Namespaces(_)
        | Screen::Kind(_)
        | Screen::Help(_)
        | Screen::Ledger(_)
        | Screen::Rollout(_)
        | Screen::Analysis(_)
        | Screen::Charts(_)
        | Screen::Alerts(_)
        | Screen::Dashboards(_)
        | Screen::Run(_)
        | Screen::Image(_)
        | Screen::Flow(_) => "txt",
    };
    format!("{name}.{end}")
}

fn text_of(state: &State) -> Option<String> {
    match state.screen() {
        Screen::Applications(screen) | Screen::Namespaces(screen) | Screen::Kind(screen) => {
            Some(table_text(state, screen))
        }
        Screen::Application(screen) => {
            let rows = screen.rows().iter().map(|row| {
                let indent = "  ".repeat(usize::from(row.depth));
                match screen.node(row) {
                    Some(node) => format!("{indent}{}", node.object),
                    None => format!("{indent}{}", screen.object),
                }
            });
            Some(rows.collect::<Vec<_>>().join("\n") + "\n")
        }
        Screen::Diff(screen) => screen.content.ready().map(|lines| diff_text(lines)),
        Screen::Text(screen) => screen.content.ready().map(|lines| lines.join("\n") + "\n"),
        Screen::Logs(screen) => {
            let lines = screen.visible(0).map(|line| {
                let at = line.at.map(|at| at.to_rfc3339() + " ").unwrap_or_default();
                let gap = if line.origin.is_empty() { "" } else { " " };
                format!("{at}{}{gap}{}", line.origin, line.text)
            });
            Some(lines.collect::<Vec<_>>().join("\n") + "\n")
        }
        Screen::Events(screen) => screen.content.ready().map(|events| {
            let lines = events.iter().map(|event| {
                let at = event
                    .last_seen
                    .map(|at| at.to_rfc3339())
                    .unwrap_or_default();
                format!("{at}\t{}\t{}\t{}", event.count, event.reason, event.message)
            });
            lines.collect::<Vec<_>>().join("\n") + "\n"
        }),
        Screen::Help(screen) => {
            let rows = screen.rows.iter();
            let lines = rows.map(|row| format!("{}\t{}\t:{}", row.keys, row.title, row.word));
            Some(lines.collect::<Vec<_>>().join("\n") + "\n")
        }
        Screen::Charts(screen) => Some(charts_text(screen)),
        Screen::Analysis(screen) => screen.run().map(run_text),
        Screen::Run(screen) => screen.run().map(|run| tree_text(screen, run)),
        Screen::History(_)
        | Screen::Contexts(_)
        | Screen::Ledger(_)
        | Screen::Rollout(_)
        | Screen::Alerts(_)
        | Screen::Dashboards(_)
        | Screen::Image(_)
        | Screen::Flow(_) => None,
    }
}

/// The tree as it is drawn, with phases and messages.
fn tree_text(screen: &RunScreen, run: &RunDetail) -> String {
    let lines = screen.rows().iter().filter_map(|row| {
        let node = run.nodes.get(row.node as usize)?;
        let took = node
            .duration(DateTime::UNIX_EPOCH)
            .filter(|_| node.finished.is_some());
        let took = took.map(span_text).unwrap_or_default();
        let phase = node.phase.word();
        Some(format!(
            "{}{}\t{phase}\t{took}\t{}",
            row.prefix, node.label, node.message
        ))
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn screen_word(screen: &ChartsScreen) -> &str {
    match &screen.what {
        ChartsOf::Object(object) => &object.name,
        ChartsOf::Query(_) => "query",
        ChartsOf::Dashboard(name) => name,
    }
}

/// Every point of every line, as values separated by tabs.
fn charts_text(screen: &ChartsScreen) -> String {
    let mut text = String::from("chart\tline\ttime\tvalue\n");
    for panel in screen.shown() {
        for line in &panel.lines {
            for point in &line.series.points {
                let value = point
                    .value
                    .map(|value| value.to_string())
                    .unwrap_or_default();
                let at = point.at.to_rfc3339();
                text.push_str(&format!(
                    "{}\t{}\t{at}\t{value}\n",
                    panel.title, line.legend
                ));
            }
        }
    }
    text
}

fn run_text(run: &AnalysisRun) -> String {
    let mut text = String::from("metric\tfinished\tphase\tvalue\tmessage\n");
    for metric in &run.metrics {
        for one in &metric.measurements {
            let at = one.finished.map(|at| at.to_rfc3339()).unwrap_or_default();
            let (phase, value, message) = (one.phase.word(), &one.value, &one.message);
            text.push_str(&format!(
                "{}\t{at}\t{phase}\t{value}\t{message}\n",
                metric.name
            ));
        }
    }
    text
}

fn table_text(state: &State, screen: &TableScreen) -> String {
    let columns = screen.view.columns();
    let titles: Vec<&str> = columns.iter().map(|column| &*column.title).collect();
    let mut text = titles.join("\t") + "\n";
    let table = state.store.table(&screen.view.kind);
    let rows = screen.view.visible().iter();
    for row in rows.filter_map(|id| table.and_then(|table| table.row(*id))) {
        text.push_str(&row_text(state, screen, row));
        text.push('\n');
    }
    text
}

fn row_text(state: &State, screen: &TableScreen, row: &Row) -> String {
    let columns = screen.view.columns().iter();
    let cells =
        columns.map(|column| cell(row, column.id, Beside::of(&state.store, state.now.platform)));
    cells.collect::<Vec<_>>().join("\t")
}

fn diff_text(lines: &[DiffLine]) -> String {
    let lines = lines.iter().map(|line| match line {
        DiffLine::Object { object, .. } => format!("--- {object}"),
        DiffLine::Note(text) => format!("# {text}"),
        DiffLine::Same(text) => format!("  {text}"),
        DiffLine::Added(text) => format!("+ {text}"),
        DiffLine::Removed(text) => format!("- {text}"),
        DiffLine::Skipped(count) => format!("@@ {count} equal lines @@"),
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}
