//! The Pods behind an object.

use super::facts::{items, text};
use super::fault::Fault;
use super::pipelines::pod_label;
use super::session::Session;
use super::transport::{Call, segment};
use crate::domain::kind::ARGO;
use crate::domain::node::Node;
use crate::domain::object::{GroupKind, ObjectRef};
use crate::domain::pipeline::{TEKTON, is_run};
use serde_json::Value;

/// How to find Pods: a namespace and a label selector, or one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodQuery {
    pub(super) namespace: String,
    /// Escaped query parameter, such as `labelSelector=app%3Dweb`.
    pub(super) selector: String,
}

/// Returns how to find the Pods of an object: itself, those it selects, or those of all objects
/// that an Application manages.
pub(super) async fn queries(session: &Session, object: &ObjectRef) -> Result<Vec<PodQuery>, Fault> {
    let live = session.object(object).await?;
    if !object.kind.is(ARGO, "Application") {
        return Ok(query_of(object, &live).into_iter().collect());
    }
    let mut queries = Vec::new();
    for managed in items(&live, &["status", "resources"]) {
        let kind = GroupKind::new(text(managed, &["group"]), text(managed, &["kind"]));
        if !has_pods(&kind) {
            continue;
        }
        let target = session.object_ref(
            kind,
            text(managed, &["namespace"]),
            text(managed, &["name"]),
        );
        // An object that is not there has no Pods; the others still have theirs.
        if let Ok(live) = session.object(&target).await {
            queries.extend(query_of(&target, &live));
        }
    }
    queries.dedup();
    Ok(queries)
}

fn has_pods(kind: &GroupKind) -> bool {
    matches!(
        (&*kind.group, &*kind.kind),
        ("", "Pod" | "ReplicationController")
            | (
                "apps",
                "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet"
            )
            | ("batch", "Job")
            | (ARGO, "Rollout" | "Workflow")
            | (TEKTON, "PipelineRun" | "TaskRun")
    )
}

fn query_of(object: &ObjectRef, live: &Value) -> Option<PodQuery> {
    let namespace = object.namespace.as_deref()?.to_owned();
    let selector = match &*object.kind.kind {
        "Pod" => format!("fieldSelector=metadata.name%3D{}", segment(&object.name)),
        "Service" | "ReplicationController" => labels(live.at(&["spec", "selector"])?)?,
        _ if is_run(&object.kind) => labels_text(&pod_label(object)),
        _ => selector(live.at(&["spec", "selector"])?)?,
    };
    Some(PodQuery {
        namespace,
        selector,
    })
}

fn labels_text(text: &str) -> String {
    format!("labelSelector={}", segment(text))
}

fn labels(map: &Value) -> Option<String> {
    let pairs = map.members().into_iter();
    let pairs: Vec<_> = pairs
        .filter_map(|(key, value)| Some(format!("{key}={}", value.text()?)))
        .collect();
    (!pairs.is_empty()).then(|| labels_text(&pairs.join(",")))
}

/// Writes a `LabelSelector` as a query.
fn selector(selector: &Value) -> Option<String> {
    let mut parts: Vec<String> = selector
        .at(&["matchLabels"])
        .map(Node::members)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.text()?)))
        .collect();
    for expression in items(selector, &["matchExpressions"]) {
        let key = text(expression, &["key"]);
        let values: Vec<&str> = items(expression, &["values"])
            .iter()
            .filter_map(Node::text)
            .collect();
        let values = values.join(",");
        match text(expression, &["operator"]) {
            "In" => parts.push(format!("{key} in ({values})")),
            "NotIn" => parts.push(format!("{key} notin ({values})")),
            "Exists" => parts.push(key.to_owned()),
            "DoesNotExist" => parts.push(format!("!{key}")),
            _ => {}
        }
    }
    (!parts.is_empty()).then(|| labels_text(&parts.join(",")))
}

/// Lists the Pods of a query.
pub(super) async fn list(session: &Session, query: &PodQuery) -> Result<Vec<Value>, Fault> {
    let path = format!(
        "/api/v1/namespaces/{}/pods?{}",
        segment(&query.namespace),
        query.selector
    );
    let list = session.send_json(Call::get(path)).await?;
    Ok(items(&list, &["items"]).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_are_written_as_kubectl_writes_them() {
        let wire = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]},
            {"key": "old", "operator": "DoesNotExist"}]});

        let written = selector(&wire).expect("a selector");

        assert_eq!(
            written,
            "labelSelector=app%3Dweb%2Ctier%20in%20%28a%2Cb%29%2C%21old"
        );
        assert_eq!(selector(&json!({})), None);
    }
}
