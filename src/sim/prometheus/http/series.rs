//! Which series, labels and values there are.

use super::params::Params;
use super::{Shared, answer};
use crate::sim::prometheus::labels::Labels;
use crate::sim::prometheus::matcher::Matcher;
use crate::sim::prometheus::{Core, QueryError, read};
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// `GET|POST /api/v1/series`
pub(super) async fn series(State(core): Shared, params: Params) -> Result<Response, QueryError> {
    let selectors = params.selectors()?;
    if selectors.is_empty() {
        return Err(QueryError::bad_data("no match[] parameter provided"));
    }
    let found = found(&core, &selectors, &params)?;
    let data: Vec<Value> = found.iter().map(labels_json).collect();
    Ok(cut(data, params.limit()?))
}

/// `GET|POST /api/v1/labels`
pub(super) async fn labels(State(core): Shared, params: Params) -> Result<Response, QueryError> {
    let selectors = params.selectors()?;
    let names: BTreeSet<Arc<str>> = if is_everything(&selectors, &params) {
        read(&core.store).label_names()
    } else {
        let found = found(&core, &selectors, &params)?;
        found
            .iter()
            .flat_map(|labels| labels.iter().map(|(name, _)| Arc::clone(name)))
            .collect()
    };
    Ok(texts(names, params.limit()?))
}

/// `GET /api/v1/label/NAME/values`
pub(super) async fn label_values(
    State(core): Shared,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, QueryError> {
    if name.is_empty() {
        return Err(QueryError::bad_data("invalid label name: \"\""));
    }
    // `U__` spells a name with other letters; we have no such names, so none is found.
    let selectors = params.selectors()?;
    let values: BTreeSet<Arc<str>> = if is_everything(&selectors, &params) {
        read(&core.store).label_values(&name)
    } else {
        let found = found(&core, &selectors, &params)?;
        let values = found.iter().map(|labels| labels.get(&name));
        values
            .filter(|value| !value.is_empty())
            .map(Arc::from)
            .collect()
    };
    Ok(texts(values, params.limit()?))
}

fn texts(texts: BTreeSet<Arc<str>>, most: usize) -> Response {
    cut(texts.into_iter().map(|text| json!(&*text)).collect(), most)
}

fn cut(mut data: Vec<Value>, most: usize) -> Response {
    let cut = most > 0 && data.len() > most;
    if cut {
        data.truncate(most);
    }
    answer::limited(&Value::Array(data), cut)
}

fn is_everything(selectors: &[Vec<Matcher>], params: &Params) -> bool {
    selectors.is_empty() && params.get("start").is_empty() && params.get("end").is_empty()
}

/// Returns the series that meet any of the selectors, or all when there is none.
fn found(
    core: &Core,
    selectors: &[Vec<Matcher>],
    params: &Params,
) -> Result<BTreeSet<Labels>, QueryError> {
    let from = params.time("start", i64::MIN)?;
    let to = params.time("end", i64::MAX)?;
    let store = read(&core.store);
    if selectors.is_empty() {
        return Ok(store.series(&[], from, to).into_iter().collect());
    }
    let found = selectors
        .iter()
        .flat_map(|selector| store.series(selector, from, to));
    Ok(found.collect())
}

pub(super) fn labels_json(labels: &Labels) -> Value {
    let pairs: Map<String, Value> = labels
        .iter()
        .map(|(name, value)| (name.to_string(), json!(&**value)))
        .collect();
    Value::Object(pairs)
}

/// `GET /api/v1/metadata`
pub(super) async fn metadata(State(core): Shared, params: Params) -> Result<Response, QueryError> {
    let most = params.limit()?;
    let wanted = params.get("metric");
    let metadata = read(&core.metadata);
    let entries = metadata
        .iter()
        .filter(|(name, _)| wanted.is_empty() || *name == wanted)
        .take(if most == 0 { usize::MAX } else { most });
    let data: Map<String, Value> = entries
        .map(|(name, entry)| {
            let entry = json!([{ "type": entry.kind, "help": entry.help, "unit": entry.unit }]);
            (name.clone(), entry)
        })
        .collect();
    Ok(answer::success(&Value::Object(data)))
}
