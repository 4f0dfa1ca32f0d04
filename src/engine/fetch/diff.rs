//! How live objects differ from what they should be.
//!
//! The true target is known to argocd-server alone; it is asked through the API server's service
//! proxy. Where that is not possible the last applied configuration is compared, and said to be
//! that. Secrets: argocd-server masks them itself, ours are masked here.

use super::manifest::{presentable, yaml_text};
use crate::domain::finding::Finding;
use crate::domain::node::Node;
use crate::domain::object::{GroupKind, ObjectRef};
use crate::engine::facts::{items, number, text};
use crate::engine::fault::Fault;
use crate::engine::protocol::{DiffBase, ObjectDiff};
use crate::engine::session::Session;
use crate::engine::transport::{Call, segment};
use serde_json::Value;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Compares one object, or everything of an Application that differs.
pub(super) async fn of(
    session: &Session,
    application: &ObjectRef,
    object: Option<&ObjectRef>,
) -> Result<Vec<ObjectDiff>, Finding> {
    match from_argocd(session, application, object).await {
        Ok(diffs) => return Ok(diffs),
        Err(fault) => tracing::info!(%fault, "argocd-server cannot be asked; comparing otherwise"),
    }
    let mut diffs = Vec::new();
    for target in targets(session, application, object).await? {
        diffs.push(from_last_applied(session, target).await?);
    }
    Ok(diffs)
}

async fn from_argocd(
    session: &Session,
    application: &ObjectRef,
    object: Option<&ObjectRef>,
) -> Result<Vec<ObjectDiff>, Fault> {
    let namespace = segment(&session.options.argocd_namespace);
    let services = format!(
        "/api/v1/namespaces/{namespace}/services?labelSelector=app.kubernetes.io%2Fname%3Dargocd-server"
    );
    let services = session.send_json(Call::get(services)).await?;
    let absent = || Fault::NotFound(String::from("there is no argocd-server"));
    let service = items(&services, &["items"]).first().ok_or_else(absent)?;
    let token = session.options.argocd_token.as_deref();
    let cookie = token.map(|token| format!("argocd.token={token}"));
    let mut query = format!(
        "appNamespace={}",
        segment(application.namespace.as_deref().unwrap_or_default())
    );
    if let Some(object) = object {
        let parts = [
            ("namespace", object.namespace.as_deref().unwrap_or_default()),
            ("name", &*object.name),
            ("kind", &*object.kind.kind),
            ("group", &*object.kind.group),
        ];
        for (key, value) in parts {
            for part in ["&", key, "=", &segment(value)] {
                query.push_str(part);
            }
        }
    }
    let mut last = absent();
    for endpoint in endpoints(service) {
        let path = format!(
            "/api/v1/namespaces/{namespace}/services/{endpoint}/proxy/api/v1/applications/{}/managed-resources?{query}",
            segment(&application.name)
        );
        match session
            .send_json(Call::get(path).cookie(cookie.clone()))
            .await
        {
            Ok(answer) => return Ok(read(session, &answer, object)),
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

/// Names a service for the proxy, `https:name:443` first.
fn endpoints(service: &Value) -> Vec<String> {
    let name = segment(text(service, &["metadata", "name"]));
    let ports = items(service, &["spec", "ports"]).iter();
    let mut endpoints: Vec<(bool, String)> = ports
        .map(|port| {
            let number = number(port, &["port"]);
            let secure = text(port, &["name"]) == "https" || number == 443;
            let scheme = if secure { "https:" } else { "" };
            (!secure, format!("{scheme}{name}:{number}"))
        })
        .collect();
    endpoints.sort();
    endpoints
        .into_iter()
        .map(|(_, endpoint)| endpoint)
        .collect()
}

fn read(session: &Session, answer: &Value, only: Option<&ObjectRef>) -> Vec<ObjectDiff> {
    let mut diffs = Vec::new();
    for item in items(answer, &["items"]) {
        let kind = GroupKind::new(text(item, &["group"]), text(item, &["kind"]));
        let object = session.object_ref(kind, text(item, &["namespace"]), text(item, &["name"]));
        if item.at(&["hook"]).and_then(Node::boolean) == Some(true)
            || only.is_some_and(|only| *only != object)
        {
            continue;
        }
        let state = |fields: [&str; 2]| {
            let states = fields.into_iter().map(|field| text(item, &[field]));
            let state = states
                .filter(|text| !text.is_empty())
                .find_map(Value::parse)?;
            (!state.is_null()).then_some(state)
        };
        let live = Value::parse(text(item, &["liveState"]))
            .filter(|live| !live.is_null())
            .and_then(|_| state(["normalizedLiveState", "liveState"]));
        let target = Value::parse(text(item, &["targetState"]))
            .filter(|target| !target.is_null())
            .and_then(|_| state(["predictedLiveState", "targetState"]));
        if live == target && only.is_none() {
            continue;
        }
        diffs.push(diff(object, DiffBase::Git, live, target));
    }
    diffs
}

fn diff(
    object: ObjectRef,
    against: DiffBase,
    live: Option<Value>,
    target: Option<Value>,
) -> ObjectDiff {
    let written = |state: Option<Value>| {
        let state = presentable(state?, false);
        yaml_text(&state).ok().map(Into::into)
    };
    ObjectDiff {
        object,
        against,
        live: written(live),
        target: written(target),
    }
}

/// The object asked for, or everything that the Application says is not Synced.
async fn targets(
    session: &Session,
    application: &ObjectRef,
    object: Option<&ObjectRef>,
) -> Result<Vec<ObjectRef>, Finding> {
    if let Some(object) = object {
        return Ok(vec![object.clone()]);
    }
    let live = session.object_or_finding(application).await?;
    let differing = items(&live, &["status", "resources"]).iter();
    let differing = differing.filter(|one| !matches!(text(one, &["status"]), "Synced" | ""));
    let named = differing.map(|one| {
        let kind = GroupKind::new(text(one, &["group"]), text(one, &["kind"]));
        session.object_ref(kind, text(one, &["namespace"]), text(one, &["name"]))
    });
    Ok(named.collect())
}

async fn from_last_applied(session: &Session, object: ObjectRef) -> Result<ObjectDiff, Finding> {
    let live = match session.object(&object).await {
        Ok(live) => live,
        Err(Fault::NotFound(_)) => return Ok(diff(object, DiffBase::Nothing, None, None)),
        Err(fault) => {
            let doing = format!("cannot read `{}` to compare it", object.path());
            return Err(fault.into_finding(&doing));
        }
    };
    let annotation = text(&live, &["metadata", "annotations", LAST_APPLIED]);
    let Some(applied) = Value::parse(annotation) else {
        return Ok(diff(
            object,
            DiffBase::Nothing,
            Some(own_fields(live)),
            None,
        ));
    };
    let live = own_fields(live);
    let target = overlaid(live.clone(), &own_fields(applied));
    Ok(diff(
        object,
        DiffBase::LastApplied,
        Some(live),
        Some(target),
    ))
}

/// Takes out what the server sets itself.
fn own_fields(mut object: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.remove("status");
    }
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in [
            "managedFields",
            "resourceVersion",
            "uid",
            "generation",
            "creationTimestamp",
            "selfLink",
        ] {
            meta.remove(field);
        }
        if let Some(notes) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
            notes.remove(LAST_APPLIED);
        }
    }
    object
}

/// Lays the applied fields over the live ones; what was not applied stays as it lives.
fn overlaid(live: Value, applied: &Value) -> Value {
    match (live, applied) {
        (Value::Object(mut live), Value::Object(applied)) => {
            for (key, value) in applied {
                let below = live.remove(key).unwrap_or_default();
                live.insert(key.clone(), overlaid(below, value));
            }
            Value::Object(live)
        }
        (Value::Array(live), Value::Array(applied)) if live.len() == applied.len() => {
            let pairs = live.into_iter().zip(applied);
            pairs
                .map(|(live, applied)| overlaid(live, applied))
                .collect()
        }
        (_, applied) => applied.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_of_the_server_are_no_difference() {
        let live =
            json!({"spec": {"replicas": 3, "template": {"c": [{"image": "b", "pull": "Always"}]}}});
        let applied = json!({"spec": {"replicas": 2, "template": {"c": [{"image": "b"}]}}});

        assert_eq!(
            overlaid(live, &applied),
            json!({"spec": {"replicas": 2, "template": {"c": [{"image": "b", "pull": "Always"}]}}})
        );
    }

    #[test]
    fn a_secure_port_is_asked_first() {
        let service = json!({"metadata": {"name": "argocd-server"},
            "spec": {"ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}]}});

        assert_eq!(
            endpoints(&service),
            ["https:argocd-server:443", "argocd-server:80"]
        );
    }
}
