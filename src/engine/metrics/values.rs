//! The values that a dashboard's variable can have.
//!
//! Grafana's Prometheus query variables: `label_names()`, `label_values(label)`,
//! `label_values(metric, label)`, `metrics(regex)`, `query_result(query)`, or a query alone.

use super::ask;
use crate::api::convert::metric::texts;
use crate::domain::finding::{Finding, Severity};
use crate::domain::metric::{QueryResult, labels_text};
use crate::domain::object::Text;
use crate::engine::session::Session;
use crate::engine::transport::segment;

/// Asks for the values.
pub(in crate::engine) async fn values(
    session: &Session,
    query: &str,
) -> Result<Vec<Text>, Finding> {
    let query = query.trim();
    let inside = |name: &str| {
        query
            .strip_prefix(name)?
            .strip_prefix('(')?
            .strip_suffix(')')
    };
    if let Some(inner) = inside("label_values") {
        // The label is behind the last comma: selectors have commas too.
        let (selector, label) = match inner.rsplit_once(',') {
            Some((selector, label)) => (Some(selector.trim()), label.trim()),
            None => (None, inner.trim()),
        };
        return of_label(session, label, selector).await;
    }
    if inside("label_names").is_some() {
        return asked(session, "/api/v1/labels", &[]).await;
    }
    if let Some(pattern) = inside("metrics") {
        let selector = format!("{{__name__=~{:?}}}", pattern.trim());
        return of_label(session, "__name__", Some(&selector)).await;
    }
    let expr = inside("query_result").unwrap_or(query);
    let answer = ask::instant(session, expr).await.map_err(|error| {
        let sentence = format!("cannot ask for the values of a variable: {}", error.message);
        Finding::new(Severity::Error, sentence)
    })?;
    let QueryResult::Vector(samples) = answer.result else {
        return Ok(Vec::new());
    };
    Ok(samples
        .iter()
        .map(|one| labels_text(&one.labels).into())
        .collect())
}

async fn of_label(
    session: &Session,
    label: &str,
    selector: Option<&str>,
) -> Result<Vec<Text>, Finding> {
    let path = format!("/api/v1/label/{}/values", segment(label));
    let selector: Vec<(&str, String)> = selector
        .map(|selector| ("match[]", selector.to_owned()))
        .into_iter()
        .collect();
    asked(session, &path, &selector).await
}

async fn asked(
    session: &Session,
    path: &str,
    parameters: &[(&str, String)],
) -> Result<Vec<Text>, Finding> {
    let data = ask::prometheus(session, path, parameters).await;
    let data = data.map_err(|trouble| {
        let sentence = format!(
            "cannot ask for the values of a variable: {}",
            trouble.sentence
        );
        Finding::new(Severity::Error, sentence).with_hint(trouble.hint)
    })?;
    Ok(texts(&data))
}
