//! The `scale` subresource: how many replicas, of whatever kind.

use super::call::{self, Call};
use super::error::{ApiError, Cause};
use super::json;
use super::kinds::ScalePaths;
use super::patch;
use super::write::{self, Written};
use axum::response::Response;
use serde_json::{Map, Value, json};

/// Answers `GET`, `PUT` and `PATCH` of a scale.
pub(super) fn answer(call: &Call, sent: Option<&Value>) -> Result<Response, ApiError> {
    let paths = call
        .kind
        .scale
        .as_ref()
        .ok_or_else(ApiError::no_such_path)?;
    let object = call.core.require(&call.kind, &call.key())?;
    let value = call.convert(object.value());
    match call.verb {
        "get" => Ok(json_scale(&scale_of(&value, paths))),
        "update" => {
            let wanted = sent.cloned().unwrap_or_default();
            write_scale(call, paths, |_| Ok(wanted.clone()))
        }
        "patch" => {
            let change = patch::change(call)?;
            write_scale(call, paths, change)
        }
        _ => Err(ApiError::method_not_allowed(&call.kind, call.verb)),
    }
}

fn json_scale(scale: &Value) -> Response {
    call::json_response(200, scale.to_string())
}

fn write_scale(
    call: &Call,
    paths: &ScalePaths,
    change: impl Fn(&Value) -> Result<Value, ApiError>,
) -> Result<Response, ApiError> {
    let options = call.options()?;
    let mut main = call.clone();
    main.path.subresource.clear();
    let (written, _) = write::update_with(&main, &options, |old| {
        let wanted = change(&scale_of(old, paths))?;
        if let Some(given) = json::text_at(&wanted, &["kind"])
            && given != "Scale"
        {
            return Err(ApiError::bad_request(format!(
                "expected a Scale, got a {given}"
            )));
        }
        let replicas = json::at(&wanted, &["spec", "replicas"])
            .and_then(Value::as_i64)
            .unwrap_or(0);
        if replicas < 0 {
            return Err(negative(call, replicas));
        }
        let mut new = old.clone();
        if let Some(version) = json::at(&wanted, &["metadata", "resourceVersion"]) {
            json::metadata_mut(&mut new).insert("resourceVersion".to_owned(), version.clone());
        }
        set(&mut new, &paths.spec, replicas.into());
        Ok(new)
    })?;
    let value = match &written {
        Written::Stored(stored) => call.convert(stored.value()),
        Written::Tried(value) => value.clone(),
    };
    Ok(json_scale(&scale_of(&value, paths)))
}

fn negative(call: &Call, replicas: i64) -> ApiError {
    let cause = Cause {
        reason: "FieldValueInvalid".to_owned(),
        message: format!("Invalid value: {replicas}: must be greater than or equal to 0"),
        field: "spec.replicas".to_owned(),
    };
    let about = (call.path.name.as_str(), "autoscaling", "Scale");
    ApiError::invalid_as("Scale.autoscaling", about, &[cause])
}

fn steps(path: &str) -> Vec<&str> {
    path.split('.').filter(|step| !step.is_empty()).collect()
}

fn set(object: &mut Value, path: &str, value: Value) {
    let mut here = object;
    for step in steps(path) {
        here = json::map_mut(here)
            .entry(step)
            .or_insert_with(|| Value::Object(Map::new()));
    }
    *here = value;
}

fn scale_of(object: &Value, paths: &ScalePaths) -> Value {
    let number = |path: &str| {
        json::at(object, &steps(path))
            .and_then(Value::as_i64)
            .unwrap_or(0)
    };
    let mut metadata = Map::new();
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        if let Some(value) = json::at(object, &["metadata", field]) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    let mut status = json!({ "replicas": number(&paths.status) });
    let selector = match &paths.selector {
        Some(path) => json::text_at(object, &steps(path)).map(str::to_owned),
        None => json::at(object, &["spec", "selector"]).map(selector_text),
    };
    if let Some(selector) = selector {
        status["selector"] = selector.into();
    }
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": { "replicas": number(&paths.spec) },
        "status": status,
    })
}

/// Writes a label selector as text, as in a `labelSelector` parameter.
pub(super) fn selector_text(selector: &Value) -> String {
    let labels = selector.get("matchLabels").unwrap_or(selector);
    let mut terms: Vec<String> = labels
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)))
        .collect();
    for one in json::at(selector, &["matchExpressions"])
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let key = json::text_at(one, &["key"]).unwrap_or_default();
        let values = json::texts_at(one, &["values"]).join(",");
        terms.push(match json::text_at(one, &["operator"]) {
            Some("In") => format!("{key} in ({values})"),
            Some("NotIn") => format!("{key} notin ({values})"),
            Some("DoesNotExist") => format!("!{key}"),
            Some(_) | None => key.to_owned(),
        });
    }
    terms.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_written_as_kubectl_reads_them() {
        let selector = json!({
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["a", "b"]},
                {"key": "old", "operator": "DoesNotExist"},
            ],
        });

        assert_eq!(selector_text(&selector), "app=web,tier in (a,b),!old");
    }
}
