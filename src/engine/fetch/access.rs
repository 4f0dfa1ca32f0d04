//! What the user may do with an object, by asking the server.

use crate::domain::kind::ARGO;
use crate::domain::node::Node;
use crate::domain::object::{ObjectRef, Text};
use crate::engine::session::Session;
use crate::engine::transport::{Call, JSON};
use futures::future::join_all;
use http::Method;
use serde_json::json;

/// A verb of ours, and the verb and subresource of Kubernetes that it needs.
type Need = (&'static str, &'static str, &'static str);

const APPLICATION: &[Need] = &[
    ("refresh", "patch", ""),
    ("hard-refresh", "patch", ""),
    ("sync", "patch", ""),
    ("terminate", "patch", ""),
    ("rollback", "patch", ""),
    ("auto-sync", "patch", ""),
    ("self-heal", "patch", ""),
    ("prune", "patch", ""),
    ("confirm-deletion", "patch", ""),
    ("delete-app", "delete", ""),
    ("edit", "update", ""),
];
const ROLLOUT: &[Need] = &[
    ("promote", "patch", "status"),
    ("promote-full", "patch", "status"),
    ("abort", "patch", "status"),
    ("retry", "patch", "status"),
    ("resume", "patch", "status"),
    ("pause", "patch", ""),
    ("restart", "patch", ""),
    ("undo", "patch", ""),
    ("set-image", "update", ""),
    ("scale", "patch", "scale"),
    ("delete", "delete", ""),
    ("edit", "update", ""),
];
const ANALYSIS: &[Need] = &[
    ("terminate", "patch", ""),
    ("delete", "delete", ""),
    ("edit", "update", ""),
];
const OBJECT: &[Need] = &[
    ("restart", "patch", ""),
    ("scale", "patch", "scale"),
    ("delete", "delete", ""),
    ("edit", "update", ""),
];

/// Asks for every verb that applies to the object. A review that cannot be made counts as
/// allowed: the server has the last word anyway.
pub(super) async fn of(session: &Session, object: &ObjectRef) -> Vec<(Text, bool)> {
    let needs = if object.kind.is(ARGO, "Application") {
        APPLICATION
    } else if object.kind.is(ARGO, "Rollout") {
        ROLLOUT
    } else if object.kind.is(ARGO, "AnalysisRun") || object.kind.is(ARGO, "Experiment") {
        ANALYSIS
    } else {
        OBJECT
    };
    let mut asked: Vec<(&str, &str)> = needs.iter().map(|need| (need.1, need.2)).collect();
    asked.sort_unstable();
    asked.dedup();
    let answers = asked
        .iter()
        .map(|(verb, subresource)| may(session, object, verb, subresource));
    let answers = join_all(answers).await;
    let allowed = |need: &Need| {
        let index = asked.iter().position(|one| *one == (need.1, need.2));
        index
            .and_then(|index| answers.get(index))
            .copied()
            .unwrap_or(true)
    };
    needs
        .iter()
        .map(|need| (Text::from(need.0), allowed(need)))
        .collect()
}

async fn may(session: &Session, object: &ObjectRef, verb: &str, subresource: &str) -> bool {
    let Ok(resource) = session.resource(&object.kind).await else {
        return true;
    };
    let key = (
        object.kind.clone(),
        object.namespace.clone(),
        format!("{verb}/{subresource}"),
    );
    if let Some(known) = session.access.read().await.get(&key) {
        return *known;
    }
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": {
            "group": &*object.kind.group,
            "resource": &*resource.plural,
            "subresource": subresource,
            "verb": verb,
            "namespace": object.namespace.as_deref().unwrap_or_default(),
        } },
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let call = Call::new(Method::POST, path).body(JSON, &review);
    let Ok(answer) = session.send_json(call).await else {
        return true;
    };
    let allowed = answer.at(&["status", "allowed"]).and_then(Node::boolean);
    let allowed = allowed.unwrap_or(true);
    session.access.write().await.insert(key, allowed);
    allowed
}
