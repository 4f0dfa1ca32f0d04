//! `tiphys query`, and alerts and silences for `tiphys get`.
//!
//! The JSON is stable: members are only ever added.

use super::session::Session;
use super::{Ending, ReportError, table, write_json, write_yaml};
use crate::cli::{Get, Output, Query};
use crate::domain::age::age_text;
use crate::domain::alert::{Alert, AlertBoard, Matcher, Silence};
use crate::domain::finding::{Finding, Severity};
use crate::domain::metric::{
    Labels, QueryAnswer, QueryError, QueryResult, RangeWish, labels_text, number_text,
};
use crate::engine::protocol::{Answer, Fetch, Request, Topic, Update};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(40);
/// Points of a range when no step was asked for.
const COLUMNS: u16 = 120;

/// Returns whether `get` finds the kind in an Alertmanager instead of the API server.
pub fn knows(kind: &str) -> bool {
    matches!(kind, "alerts" | "alert" | "silences" | "silence")
}

/// Prints alerts or silences.
pub async fn get(
    session: &mut Session,
    get: &Get,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let board = board(session).await?;
    let silences = get.kind.starts_with("silence");
    let named = |name: &str| get.name.as_deref().is_none_or(|wanted| wanted == name);
    let items: Vec<Value> = if silences {
        let chosen = board.silences.iter().filter(|one| named(&one.id));
        chosen.map(silence).collect()
    } else {
        let chosen = board.alerts.iter().filter(|one| named(one.name()));
        chosen.map(alert).collect()
    };
    match get.output {
        Output::Json => write_json(out, &json!({ "items": items, "notes": board.notes }))?,
        Output::Yaml => write_yaml(out, &json!({ "items": items, "notes": board.notes }))?,
        Output::Name => {
            for item in &items {
                let name = item["id"].as_str().or_else(|| item["name"].as_str());
                writeln!(out, "{}", name.unwrap_or_default())?;
            }
        }
        Output::Table | Output::Wide if items.is_empty() => writeln!(out, "nothing found")?,
        Output::Table | Output::Wide if silences => {
            let chosen = board.silences.iter().filter(|one| named(&one.id));
            let rows: Vec<_> = chosen.map(|one| silence_cells(one, now)).collect();
            table::write(
                out,
                &["ID", "STATE", "MATCHERS", "ENDS", "BY", "COMMENT"],
                &rows,
            )?;
        }
        Output::Table | Output::Wide => {
            let chosen = board.alerts.iter().filter(|one| named(one.name()));
            let rows: Vec<_> = chosen.map(|one| alert_cells(one, now)).collect();
            table::write(
                out,
                &["NAME", "STATE", "SEVERITY", "LABELS", "SINCE", "SUMMARY"],
                &rows,
            )?;
        }
    }
    if matches!(get.output, Output::Table | Output::Wide) {
        for note in &board.notes {
            writeln!(out, "note: {}", crate::ui::text::harmless(note))?;
        }
    }
    Ok(())
}

pub(super) async fn board(session: &mut Session) -> Result<AlertBoard, ReportError> {
    let ours = session.ticket();
    let topic = Topic::Alerts;
    session
        .send(Request::Subscribe {
            ticket: ours,
            topic,
        })
        .await?;
    loop {
        let update = session.next(PATIENCE).await?;
        if let Update::Alerts { ticket, board, .. } = update {
            if ticket == ours {
                session.send(Request::Unsubscribe { ticket: ours }).await?;
                return Ok(*board);
            }
        } else {
            session.take(update)?;
        }
    }
}

fn alert_cells(alert: &Alert, now: DateTime<Utc>) -> Vec<String> {
    let labels = alert.labels.iter();
    let labels = labels.filter(|(name, _)| !["alertname", "severity"].contains(&&**name));
    let labels: Vec<String> = labels
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    vec![
        alert.name().to_owned(),
        alert.state.word().to_owned(),
        alert.severity().to_owned(),
        labels.join(","),
        alert.since.map(|at| age_text(at, now)).unwrap_or_default(),
        alert.summary().to_owned(),
    ]
}

fn silence_cells(silence: &Silence, now: DateTime<Utc>) -> Vec<String> {
    let matchers: Vec<String> = silence.matchers.iter().map(Matcher::words).collect();
    let ends = silence.ends.map_or(String::new(), |at| {
        if at > now {
            format!("in {}", age_text(now, at))
        } else {
            format!("{} ago", age_text(at, now))
        }
    });
    vec![
        silence.id.to_string(),
        silence.state.word().to_owned(),
        matchers.join(","),
        ends,
        silence.created_by.to_string(),
        silence.comment.to_string(),
    ]
}

fn object(labels: &Labels) -> Value {
    let members: Map<String, Value> = labels
        .iter()
        .map(|(name, value)| (name.to_string(), Value::from(&**value)))
        .collect();
    Value::Object(members)
}

/// Returns one alert.
pub fn alert(alert: &Alert) -> Value {
    json!({
        "name": alert.name(), "state": alert.state.word(), "severity": alert.severity(),
        "labels": object(&alert.labels), "annotations": object(&alert.annotations),
        "since": alert.since, "value": alert.value, "fingerprint": *alert.fingerprint,
        "silencedBy": alert.silenced_by, "receivers": alert.receivers,
    })
}

/// Returns one silence.
pub fn silence(silence: &Silence) -> Value {
    let matchers: Vec<String> = silence.matchers.iter().map(Matcher::words).collect();
    json!({
        "id": *silence.id, "state": silence.state.word(), "matchers": matchers,
        "starts": silence.starts, "ends": silence.ends, "createdBy": *silence.created_by,
        "comment": *silence.comment,
    })
}

/// Asks an expression and prints its answer.
pub async fn query(
    session: &mut Session,
    query: &Query,
    out: &mut dyn Write,
) -> Result<Ending, ReportError> {
    let answer = match query.range {
        None => {
            let expr = query.expr.as_str().into();
            let Answer::Query(answer) = session.fetch(Fetch::Query { expr }).await? else {
                return Ok(Ending::Failed);
            };
            answer.map(|answer| *answer)
        }
        Some(range) => {
            let seconds = |span: Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
            let wish = RangeWish {
                length_seconds: seconds(range),
                columns: COLUMNS,
                step_seconds: query.step.map(seconds),
            };
            ranged(session, &query.expr, wish).await?
        }
    };
    let answer = answer.map_err(|error| refused(&query.expr, &error))?;
    match query.output {
        Output::Json => write_json(out, &document(&answer))?,
        Output::Yaml => write_yaml(out, &document(&answer))?,
        Output::Table | Output::Wide | Output::Name => print(&answer, out)?,
    }
    Ok(Ending::Done)
}

async fn ranged(
    session: &mut Session,
    expr: &str,
    wish: RangeWish,
) -> Result<Result<QueryAnswer, QueryError>, ReportError> {
    let ours = session.ticket();
    let topic = Topic::Query {
        expr: expr.into(),
        wish,
    };
    session
        .send(Request::Subscribe {
            ticket: ours,
            topic,
        })
        .await?;
    loop {
        let update = session.next(PATIENCE).await?;
        if let Update::Query { ticket, answer, .. } = update {
            if ticket == ours {
                session.send(Request::Unsubscribe { ticket: ours }).await?;
                return Ok(answer.map(|answer| *answer));
            }
        } else {
            session.take(update)?;
        }
    }
}

/// Shows the place of a mistake below the expression.
fn refused(expr: &str, error: &QueryError) -> ReportError {
    let mut sentence = format!("cannot ask `{expr}`: {}", error.message);
    if let Some(place) = error.position {
        let line = expr.lines().nth(place.line.saturating_sub(1) as usize);
        let indent = " ".repeat(place.column.saturating_sub(1) as usize);
        sentence = format!(
            "{sentence} (line {}, column {})\n  {}\n  {indent}^",
            place.line,
            place.column,
            line.unwrap_or_default()
        );
    }
    let finding = Finding::new(Severity::Error, sentence);
    match &error.hint {
        Some(hint) => finding.with_hint(hint.clone()).into(),
        None => finding.into(),
    }
}

/// Returns an answer: `type`, then what belongs to it; gaps are `null`.
pub fn document(answer: &QueryAnswer) -> Value {
    let series = |all: &[crate::domain::metric::Series]| -> Vec<Value> {
        let all = all.iter().map(|one| {
            let points: Vec<Value> = one
                .points
                .iter()
                .map(|point| json!([point.at, number(point.value)]))
                .collect();
            json!({ "labels": object(&one.labels), "points": points })
        });
        all.collect()
    };
    let mut document = match &answer.result {
        QueryResult::Vector(samples) => {
            let samples = samples.iter().map(|one| {
                json!({ "labels": object(&one.labels), "at": one.at, "value": number(one.value) })
            });
            json!({ "type": "vector", "samples": samples.collect::<Vec<_>>() })
        }
        QueryResult::Scalar(point) => {
            json!({ "type": "scalar", "at": point.at, "value": number(point.value) })
        }
        QueryResult::Text(text) => json!({ "type": "string", "value": **text }),
        QueryResult::Range { grid, series: all } => json!({
            "type": "range", "start": grid.start, "end": grid.end,
            "stepSeconds": grid.step.num_seconds(), "series": series(all),
        }),
        QueryResult::Raw(all) => json!({ "type": "matrix", "series": series(all) }),
    };
    document["notes"] = answer
        .notes
        .iter()
        .map(|note| Value::from(&**note))
        .collect();
    document
}

/// JSON has no infinities: they are words.
fn number(value: Option<f64>) -> Value {
    match value {
        None => Value::Null,
        Some(value) if value.is_finite() => value.into(),
        Some(value) => number_text(value).into(),
    }
}

fn print(answer: &QueryAnswer, out: &mut dyn Write) -> Result<(), ReportError> {
    let shown = |value: Option<f64>| value.map_or_else(|| String::from("gap"), number_text);
    match &answer.result {
        QueryResult::Vector(samples) if samples.is_empty() => writeln!(out, "nothing found")?,
        QueryResult::Vector(samples) => {
            let rows: Vec<Vec<String>> = samples
                .iter()
                .map(|one| vec![labels_text(&one.labels), shown(one.value)])
                .collect();
            table::write(out, &["SERIES", "VALUE"], &rows)?;
        }
        QueryResult::Scalar(point) => writeln!(out, "{}", shown(point.value))?,
        QueryResult::Text(text) => writeln!(out, "{}", crate::ui::text::harmless(text))?,
        QueryResult::Range { series, .. } | QueryResult::Raw(series) if series.is_empty() => {
            writeln!(out, "nothing found")?;
        }
        QueryResult::Range { series, .. } | QueryResult::Raw(series) => {
            let rows: Vec<Vec<String>> = series
                .iter()
                .map(|one| {
                    let (low, high) = one
                        .extremes()
                        .map_or((None, None), |(a, b)| (Some(a), Some(b)));
                    let gaps = one
                        .points
                        .iter()
                        .filter(|point| point.value.is_none())
                        .count();
                    vec![
                        labels_text(&one.labels),
                        shown(low),
                        shown(high),
                        shown(one.last()),
                        one.points.len().to_string(),
                        gaps.to_string(),
                    ]
                })
                .collect();
            table::write(
                out,
                &["SERIES", "LOWEST", "HIGHEST", "LAST", "POINTS", "GAPS"],
                &rows,
            )?;
        }
    }
    for note in &answer.notes {
        writeln!(out, "note: {}", crate::ui::text::harmless(note))?;
    }
    Ok(())
}
