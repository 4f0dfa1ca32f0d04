//! Subresources of pods: `log`, `binding`, `eviction`.

use super::call::{self, Call};
use super::delete::{self, DeleteOptions};
use super::error::ApiError;
use super::json;
use super::logs::{LogRequest, no_kubelet};
use super::selector::LabelSelector;
use super::store::Stored;
use super::write;
use axum::body::Body;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use http::{HeaderValue, header};
use serde_json::{Value, json};
use std::convert::Infallible;

/// Answers `GET pods/NAME/log`.
pub(super) async fn log(call: &Call) -> Result<Response, ApiError> {
    let pod = call.core.require(&call.kind, &call.key())?;
    let value = pod.value();
    let container = container_of(call, &value)?;
    let logs = call.core.logs().ok_or_else(no_kubelet)?;
    let request = LogRequest {
        namespace: call.path.namespace.clone(),
        pod: call.path.name.clone(),
        pod_uid: pod.uid.to_string(),
        container,
        previous: call.query.flag("previous"),
        follow: call.query.flag("follow"),
        tail_lines: unsigned(call, "tailLines")?,
        since: since(call)?,
        timestamps: call.query.flag("timestamps"),
        limit_bytes: unsigned(call, "limitBytes")?,
    };
    let stream = logs
        .read(request)
        .await
        .map_err(ApiError::bad_request)?
        .map(Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(stream));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

fn unsigned(call: &Call, name: &str) -> Result<Option<u64>, ApiError> {
    Ok(call
        .query
        .number(name)?
        .map(|number| u64::try_from(number).unwrap_or_default()))
}

fn since(call: &Call) -> Result<Option<DateTime<Utc>>, ApiError> {
    if let Some(seconds) = call.query.number("sinceSeconds")? {
        return Ok(TimeDelta::try_seconds(seconds).map(|span| call.core.now() - span));
    }
    call.query
        .text("sinceTime")
        .map(|text| {
            DateTime::parse_from_rfc3339(text)
                .map(|time| time.to_utc())
                .map_err(|error| ApiError::bad_request(format!("sinceTime: {error}")))
        })
        .transpose()
}

fn container_of(call: &Call, pod: &Value) -> Result<String, ApiError> {
    let names = |list: &str| -> Vec<String> {
        json::at(pod, &["spec", list])
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|one| json::text_at(one, &["name"]).map(str::to_owned))
            .collect()
    };
    let (plain, init) = (names("containers"), names("initContainers"));
    let pod_name = &call.path.name;
    match call.query.text("container") {
        Some(wanted) if plain.iter().chain(&init).any(|one| one == wanted) => Ok(wanted.to_owned()),
        Some(wanted) => Err(ApiError::bad_request(format!(
            "container {wanted} is not valid for pod {pod_name}"
        ))),
        None => match plain.as_slice() {
            [only] => Ok(only.clone()),
            several => {
                let others = if init.is_empty() {
                    String::new()
                } else {
                    format!(" or one of the init containers: [{}]", init.join(" "))
                };
                Err(ApiError::bad_request(format!(
                    "a container name must be specified for pod {pod_name}, choose one of: \
                     [{}]{others}",
                    several.join(" ")
                )))
            }
        },
    }
}

fn done() -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
    });
    call::json_response(201, status.to_string())
}

/// Answers `POST pods/NAME/binding`: puts the pod on a node.
pub(super) fn bind(call: &Call, binding: &Value) -> Result<Response, ApiError> {
    let node = json::text_at(binding, &["target", "name"])
        .ok_or_else(|| ApiError::bad_request("Binding: target.name: Required value"))?;
    let now = json::timestamp(call.core.now());
    let mut main = call.clone();
    main.path.subresource.clear();
    let options = call.options()?;
    write::update_with(&main, &options, |old| {
        if let Some(there) = json::text_at(old, &["spec", "nodeName"]) {
            let why = format!(
                "pod {} is already assigned to node \"{there}\"",
                call.path.name
            );
            return Err(ApiError::conflict(&call.kind, &call.path.name, &why));
        }
        let mut new = old.clone();
        json::object_mut(&mut new, "spec").insert("nodeName".to_owned(), node.into());
        Ok(new)
    })?;
    "status".clone_into(&mut main.path.subresource);
    write::update_with(&main, &options, |old| {
        let mut new = old.clone();
        let conditions = json::object_mut(&mut new, "status")
            .entry("conditions")
            .or_insert_with(|| json!([]));
        if let Value::Array(list) = conditions {
            list.retain(|one| one["type"] != "PodScheduled");
            list.push(json!({
                "type": "PodScheduled", "status": "True",
                "lastProbeTime": null, "lastTransitionTime": now,
            }));
        }
        Ok(new)
    })?;
    Ok(done())
}

/// Answers `POST pods/NAME/eviction`: deletes the pod when its disruption budgets allow it.
pub(super) fn evict(call: &Call, eviction: &Value) -> Result<Response, ApiError> {
    let pod = call.core.require(&call.kind, &call.key())?;
    let budgets = call
        .core
        .store
        .snapshot("poddisruptionbudgets.policy", &call.path.namespace, None)
        .map(|all| all.objects)
        .unwrap_or_default();
    for budget in &budgets {
        if !allows(&budget.value(), &pod) {
            let why = format!(
                "The disruption budget {} does not allow evicting pods currently",
                budget.key.name
            );
            return Err(ApiError::too_many_requests(
                "Cannot evict pod as it would violate the pod's disruption budget.",
                0,
            )
            .because("DisruptionBudget", &why));
        }
    }
    let given = eviction.get("deleteOptions").cloned().unwrap_or_default();
    let mut options = DeleteOptions::read(&given, &call.query)?;
    options.dry_run |= call.options()?.dry_run;
    delete::delete_object(call, pod, &options)?;
    Ok(done())
}

fn allows(budget: &Value, pod: &Stored) -> bool {
    let Some(selector) = json::at(budget, &["spec", "selector"]) else {
        return true;
    };
    let allowed = json::at(budget, &["status", "disruptionsAllowed"])
        .and_then(Value::as_i64)
        .unwrap_or(0);
    !LabelSelector::from_object(selector).matches(pod) || allowed > 0
}
