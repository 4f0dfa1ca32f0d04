//! `tiphys get`: rows of a kind, once or as they change.

use super::session::Session;
use super::{ReportError, documents, images, names, rollouts, runs, table, write_json, write_yaml};
use crate::cli::{Get, Output};
use crate::domain::age::age_text;
use crate::domain::application::{Application, OperationView};
use crate::domain::kind::ARGO;
use crate::domain::object::{ObjectRef, Text};
use crate::domain::pipeline::runs_kind;
use crate::domain::rows::Column;
use crate::engine::protocol::{Answer, Fetch, KindEntry};
use crate::store::Row;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

/// What to print, and the platform's time for ages.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub get: &'a Get,
    /// Print namespaces: the scope is all of them.
    pub all_namespaces: bool,
}

/// Prints what was asked for. With `--watch` it ends with the connection only.
pub async fn run(
    session: &mut Session,
    query: Query<'_>,
    now: impl Fn() -> DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let entry = session.kind_named(&query.get.kind).await?;
    session.watch(&entry.kind).await?;
    let rows = selected(session, &entry, query);
    if rows.is_empty() && query.get.name.is_some() && !query.get.watch {
        let name = query.get.name.as_deref().unwrap_or_default();
        return Err(names::absent(session, &entry.kind, name));
    }
    let single = query.get.name.is_some();
    let full = matches!(query.get.output, Output::Yaml | Output::Json)
        && single
        && !["applications", "rollouts", "analysisruns", "runs"].contains(&&*entry.plural)
        && !crate::domain::image::is_of_registries(&entry.kind);
    if single && !query.get.watch && entry.kind.is(ARGO, "Rollout") {
        let objects: Vec<ObjectRef> = rows.iter().map(|row| row.object().clone()).collect();
        for object in objects {
            rollouts::detail(session, object, (query.get.output, now()), out).await?;
        }
        return Ok(());
    }
    if single && !query.get.watch && entry.kind == runs_kind() {
        let objects: Vec<ObjectRef> = rows.iter().map(|row| row.object().clone()).collect();
        for object in objects {
            runs::detail(session, object, (query.get.output, now()), out).await?;
        }
        return Ok(());
    }
    if full {
        let objects: Vec<ObjectRef> = rows.iter().map(|row| row.object().clone()).collect();
        print_full(session, &objects, query.get.output, out).await?;
    } else {
        print_rows(session, &entry, query, now(), out)?;
        session.notes = images::notes(session.store.table(&entry.kind));
    }
    if query.get.watch {
        follow(session, &entry, query, now, out).await
    } else {
        Ok(())
    }
}

/// Returns the rows that the query names, by namespace and name.
fn selected<'s>(session: &'s Session, entry: &KindEntry, query: Query<'_>) -> Vec<&'s Row> {
    let Some(table) = session.store.table(&entry.kind) else {
        return Vec::new();
    };
    let wanted = query
        .get
        .name
        .as_deref()
        .map(|name| match name.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, name),
        });
    let named = |row: &&Row| {
        wanted.is_none_or(|(namespace, name)| {
            let object = row.object();
            *object.name == *name
                && (namespace.is_none() || object.namespace.as_deref() == namespace)
        })
    };
    let mut rows: Vec<&Row> = table.rows().filter(named).collect();
    rows.sort_by(|a, b| {
        let key = |row: &Row| (row.object().namespace.clone(), row.object().name.clone());
        key(a).cmp(&key(b))
    });
    rows
}

fn columns_of(session: &Session, entry: &KindEntry) -> Vec<Column> {
    let table = session.store.table(&entry.kind);
    table
        .and_then(|table| table.columns())
        .map(<[Column]>::to_vec)
        .unwrap_or_default()
}

fn print_rows(
    session: &Session,
    entry: &KindEntry,
    query: Query<'_>,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let rows = selected(session, entry, query);
    let columns = columns_of(session, entry);
    match query.get.output {
        Output::Table | Output::Wide => print_table(&rows, &columns, query, now, out)?,
        Output::Name => {
            for row in rows {
                writeln!(out, "{}", documents::path(row.object()))?;
            }
        }
        Output::Json => write_json(out, &list(&rows, &columns, now))?,
        Output::Yaml => write_yaml(out, &list(&rows, &columns, now))?,
    }
    Ok(())
}

fn list(rows: &[&Row], columns: &[Column], now: DateTime<Utc>) -> Value {
    let items: Vec<Value> = rows.iter().map(|row| document(row, columns, now)).collect();
    json!({ "items": items })
}

fn document(row: &Row, columns: &[Column], now: DateTime<Utc>) -> Value {
    match row {
        Row::Application(app) => documents::application(app, now),
        Row::Rollout(row) => rollouts::rollout(row, now),
        Row::AnalysisRun(row) => rollouts::analysis_run(row),
        Row::Run(row) => runs::run(row, now),
        Row::Cron(row) => runs::cron(row, now),
        Row::Registry(row) => images::document(row, now),
        Row::Object(object) => documents::object(object, columns),
    }
}

fn print_table(
    rows: &[&Row],
    columns: &[Column],
    query: Query<'_>,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let wide = query.get.output == Output::Wide;
    let namespaced = query.all_namespaces;
    let shown = |column: &Column| wide || column.priority == 0;
    let (mut header, mut cells) = if columns.is_empty() {
        typed_table(rows, now, wide)
    } else {
        let header = columns
            .iter()
            .filter(|one| shown(one))
            .map(|one| one.name.to_uppercase());
        let objects = rows.iter().filter_map(|row| row.generic());
        let cells = objects.map(|object| {
            let cells = columns
                .iter()
                .zip(&object.cells)
                .filter(|(column, _)| shown(column));
            cells.map(|(_, cell)| cell.to_string()).collect()
        });
        (header.collect(), cells.collect())
    };
    if namespaced {
        header.insert(0, String::from("NAMESPACE"));
        for (row, cells) in rows.iter().zip(&mut cells) {
            cells.insert(
                0,
                row.object()
                    .namespace
                    .as_deref()
                    .unwrap_or_default()
                    .to_owned(),
            );
        }
    }
    if rows.is_empty() {
        writeln!(out, "nothing found")?;
        return Ok(());
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    Ok(table::write(out, &header, &cells)?)
}

/// Returns headings and cells of rows that have a projection of their own.
fn typed_table(rows: &[&Row], now: DateTime<Utc>, wide: bool) -> (Vec<String>, Vec<Vec<String>>) {
    let header: &[&str] = match rows.first() {
        Some(Row::Rollout(_)) => &rollouts::ROLLOUT_COLUMNS,
        Some(Row::AnalysisRun(_)) => &rollouts::ANALYSIS_COLUMNS,
        Some(Row::Run(_)) => &runs::RUN_COLUMNS,
        Some(Row::Cron(_)) => &runs::CRON_COLUMNS,
        Some(Row::Registry(row)) => images::columns(row),
        Some(Row::Application(_) | Row::Object(_)) | None => &APPLICATION_COLUMNS,
    };
    let cells = rows.iter().map(|row| match row {
        Row::Application(app) => application_cells(app, now, wide),
        Row::Rollout(row) => rollouts::rollout_cells(row, now),
        Row::AnalysisRun(run) => rollouts::analysis_cells(run, now),
        Row::Run(row) => runs::run_cells(row, now),
        Row::Cron(row) => runs::cron_cells(row, now),
        Row::Registry(row) => images::cells(row, now),
        Row::Object(object) => vec![object.object.name.to_string()],
    });
    let header = header.iter().map(|name| (*name).to_owned()).collect();
    (header, cells.collect())
}

const APPLICATION_COLUMNS: [&str; 8] = [
    "NAME",
    "PROJECT",
    "SYNC",
    "HEALTH",
    "AUTO",
    "REVISION",
    "LAST OPERATION",
    "AGE",
];

fn application_cells(app: &Application, now: DateTime<Utc>, wide: bool) -> Vec<String> {
    let sync = match app.out_of_sync {
        0 => app.sync.word().to_owned(),
        differing => format!("{} {differing}", app.sync.word()),
    };
    let revisions: Vec<&str> = app
        .revisions
        .iter()
        .map(|one| {
            if wide {
                &**one
            } else {
                crate::ui::text::short_revision(one)
            }
        })
        .collect();
    vec![
        app.object.name.to_string(),
        app.project.to_string(),
        sync,
        app.health.word().to_owned(),
        auto_text(app),
        revisions.join(","),
        operation_text(&app.operation, now),
        app.created
            .map(|created| age_text(created, now))
            .unwrap_or_default(),
    ]
}

fn auto_text(app: &Application) -> String {
    let auto = app.auto_sync;
    if !auto.on {
        return String::from("manual");
    }
    let parts = [
        Some("auto"),
        auto.self_heal.then_some("heal"),
        auto.prune.then_some("prune"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn operation_text(view: &OperationView, now: DateTime<Utc>) -> String {
    let since = |at: &Option<DateTime<Utc>>| at.map(|at| age_text(at, now)).unwrap_or_default();
    let text = match view {
        OperationView::None => String::new(),
        OperationView::Queued => String::from("Queued"),
        OperationView::Active { phase, started, .. } => format!("{phase:?} {}", since(started)),
        OperationView::Waiting { started, .. } => format!("Waiting {}", since(started)),
        OperationView::Blocked { .. } => String::from("Blocked"),
        OperationView::NeedsConfirmation { .. } => String::from("NeedsConfirmation"),
        OperationView::WaitingRetry { attempt, .. } => format!("WaitingRetry {attempt}"),
        OperationView::Stuck { .. } => String::from("Stuck"),
        OperationView::Finished { phase, at, .. } => format!("{phase:?} {}", since(at)),
    };
    text.trim_end().to_owned()
}

/// Prints whole objects as the server has them.
async fn print_full(
    session: &mut Session,
    objects: &[ObjectRef],
    output: Output,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    for (at, object) in objects.iter().enumerate() {
        let what = Fetch::Yaml {
            object: object.clone(),
            reveal_secrets: false,
        };
        let Answer::Text { lines, .. } = session.fetch(what).await? else {
            continue;
        };
        let text = lines.join("\n");
        if output == Output::Json {
            let value: Value = crate::api::yaml::from_str(&text).map_err(std::io::Error::other)?;
            write_json(out, &value)?;
        } else {
            if at > 0 {
                writeln!(out, "---")?;
            }
            writeln!(out, "{text}")?;
        }
    }
    Ok(())
}

/// Prints rows whenever they change: a line of the table, or a document on one line.
async fn follow(
    session: &mut Session,
    entry: &KindEntry,
    query: Query<'_>,
    now: impl Fn() -> DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let mut seen: HashMap<ObjectRef, Vec<String>> = HashMap::new();
    let cells_of = |row: &Row| match row {
        Row::Application(app) => {
            let mut cells = application_cells(app, DateTime::UNIX_EPOCH, true);
            let _age = cells.pop();
            cells
        }
        Row::Rollout(row) => vec![rollouts::rollout(row, DateTime::UNIX_EPOCH).to_string()],
        Row::AnalysisRun(row) => vec![rollouts::analysis_run(row).to_string()],
        Row::Run(row) => vec![runs::run(row, DateTime::UNIX_EPOCH).to_string()],
        Row::Cron(row) => vec![runs::cron(row, DateTime::UNIX_EPOCH).to_string()],
        Row::Registry(row) => vec![images::document(row, DateTime::UNIX_EPOCH).to_string()],
        Row::Object(object) => object.cells.iter().map(Text::to_string).collect(),
    };
    for row in selected(session, entry, query) {
        let _new = seen.insert(row.object().clone(), cells_of(row));
    }
    loop {
        out.flush()?;
        let update = session
            .next(Duration::from_secs(u64::from(u32::MAX)))
            .await?;
        session.take(update)?;
        session.unread.clear();
        let columns = columns_of(session, entry);
        let rows = selected(session, entry, query);
        for row in &rows {
            let cells = cells_of(row);
            if seen.get(row.object()) == Some(&cells) {
                continue;
            }
            let _old = seen.insert(row.object().clone(), cells);
            print_change(row, &columns, query, now(), out)?;
        }
        let present: Vec<&ObjectRef> = rows.iter().map(|row| row.object()).collect();
        let gone: Vec<ObjectRef> = seen
            .keys()
            .filter(|object| !present.contains(object))
            .cloned()
            .collect();
        for object in gone {
            let _cells = seen.remove(&object);
            writeln!(out, "{} deleted", documents::path(&object))?;
        }
    }
}

fn print_change(
    row: &Row,
    columns: &[Column],
    query: Query<'_>,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    match query.get.output {
        Output::Json => writeln!(out, "{}", document(row, columns, now))?,
        Output::Yaml => {
            writeln!(out, "---")?;
            write_yaml(out, &document(row, columns, now))?;
        }
        Output::Name => writeln!(out, "{}", documents::path(row.object()))?,
        Output::Table | Output::Wide => {
            let mut text = Vec::new();
            print_table(&[row], columns, query, now, &mut text)?;
            // The header is already above; only the row is new.
            let text = String::from_utf8_lossy(&text).into_owned();
            for line in text.lines().skip(1) {
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(())
}
