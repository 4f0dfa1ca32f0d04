//! The patches of Argo CD's intents, and what must be true before each; pure.
//!
//! Sources: Argo CD `server/application/application.go` for the preconditions that its server
//! checks, `pkg/apis/application/v1alpha1/types.go` for the fields, `controller/appcontroller.go`
//! for what the controller makes of them.

use crate::domain::application::Refresh;
use crate::domain::intent::{Cascade, Switch, SyncRequest};
use crate::domain::node::Node;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

/// Why something is not asked of the server, and what to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) hint: &'static str,
}

fn refuse<T>(reason: impl Into<String>, hint: &'static str) -> Result<T, Refusal> {
    Err(Refusal {
        reason: reason.into(),
        hint,
    })
}

/// A patch ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Patch {
    Merge(Value),
    Json(Value),
}

/// Who asks, in which request: lands in `operation`.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) username: String,
    /// Unique; tells our operation from another one's.
    pub(super) request: String,
}

const FINALIZER: &str = "resources-finalizer.argocd.argoproj.io";

fn text<'v>(object: &'v Value, path: &[&str]) -> &'v str {
    object.at(path).and_then(Node::text).unwrap_or_default()
}

fn there<'v>(object: &'v Value, path: &[&str]) -> Option<&'v Value> {
    object.at(path).filter(|value| !value.is_null())
}

fn version(live: &Value) -> &str {
    text(live, &["metadata", "resourceVersion"])
}

fn automated(live: &Value) -> Option<&Value> {
    there(live, &["spec", "syncPolicy", "automated"])
}

/// On means present and not switched off.
pub(super) fn auto_sync_is_on(live: &Value) -> bool {
    let automated = automated(live);
    automated.is_some_and(|one| one.member("enabled").and_then(Node::boolean) != Some(false))
}

pub(super) fn is_deleting(live: &Value) -> bool {
    there(live, &["metadata", "deletionTimestamp"]).is_some()
}

fn not_deleting(live: &Value) -> Result<(), Refusal> {
    if is_deleting(live) {
        return refuse("it is being deleted", "wait until it is gone");
    }
    Ok(())
}

fn no_operation(live: &Value, now: DateTime<Utc>) -> Result<(), Refusal> {
    let Some(operation) = there(live, &["operation"]) else {
        return Ok(());
    };
    let by = if operation
        .at(&["initiatedBy", "automated"])
        .and_then(Node::boolean)
        == Some(true)
    {
        "auto-sync"
    } else {
        text(operation, &["initiatedBy", "username"])
    };
    let by = if by.is_empty() {
        String::new()
    } else {
        format!(" by `{by}`")
    };
    let started = text(live, &["status", "operationState", "startedAt"]);
    let since = started
        .parse::<DateTime<Utc>>()
        .map_or(String::new(), |at| {
            let span = crate::domain::duration::short_span(now - at);
            format!(" (started {span} ago{by})")
        });
    refuse(
        format!("another operation is running{since}"),
        "terminate it, or wait until it is over",
    )
}

/// Asks the controller to compare again.
pub(super) fn refresh(live: &Value, kind: Refresh) -> Result<Patch, Refusal> {
    let skip = [
        "metadata",
        "annotations",
        "argocd.argoproj.io/skip-reconcile",
    ];
    if text(live, &skip) == "true" {
        return refuse(
            "reconciliation is switched off by `argocd.argoproj.io/skip-reconcile`",
            "remove the annotation first",
        );
    }
    let word = match kind {
        Refresh::Normal => "normal",
        Refresh::Hard => "hard",
    };
    let mut annotations = json!({ "argocd.argoproj.io/refresh": word });
    if there(live, &["spec", "sourceHydrator"]).is_some() {
        annotations["argocd.argoproj.io/hydrate"] = "normal".into();
    }
    Ok(Patch::Merge(
        json!({ "metadata": { "annotations": annotations } }),
    ))
}

/// Asks for a sync. Windows of the project are checked by the caller.
pub(super) fn sync(
    live: &Value,
    request: &SyncRequest,
    asker: &Asker,
    now: DateTime<Utc>,
) -> Result<Patch, Refusal> {
    not_deleting(live)?;
    no_operation(live, now)?;
    let mut sync = Map::new();
    if let Some(revision) = &request.revision {
        revision_is_allowed(live, revision, request.dry_run)?;
        sync.insert("revision".into(), (**revision).into());
    }
    sync.insert("prune".into(), request.prune.into());
    if request.dry_run {
        sync.insert("dryRun".into(), true.into());
    }
    let strategy = if request.apply_only { "apply" } else { "hook" };
    let how = if request.force {
        json!({"force": true})
    } else {
        json!({})
    };
    sync.insert("syncStrategy".into(), json!({ strategy: how }));
    if !request.resources.is_empty() {
        let resources = request.resources.iter().map(|one| {
            json!({"group": &*one.kind.group, "kind": &*one.kind.kind,
                "namespace": &*one.namespace, "name": &*one.name})
        });
        sync.insert("resources".into(), resources.collect());
    }
    let options = match &request.sync_options {
        Some(options) => Some(
            options
                .iter()
                .map(|option| Value::from(&**option))
                .collect(),
        ),
        None => spec_options(live),
    };
    if let Some(options) = options {
        sync.insert("syncOptions".into(), options);
    }
    let retry = there(live, &["spec", "syncPolicy", "retry"]).cloned();
    Ok(operation(live, &sync.into(), retry, asker))
}

fn revision_is_allowed(live: &Value, revision: &str, dry_run: bool) -> Result<(), Refusal> {
    let sources = live.at(&["spec", "sources"]).map(Node::items);
    if sources.is_some_and(|sources| !sources.is_empty()) {
        return refuse(
            "it has several sources, and one revision cannot be meant for all",
            "sync without a revision, or change the spec",
        );
    }
    let target = text(live, &["spec", "source", "targetRevision"]);
    let target = if target.is_empty() { "HEAD" } else { target };
    if auto_sync_is_on(live) && revision != target && !dry_run {
        return refuse(
            format!("auto-sync is on and set to `{target}`, so `{revision}` would not stay"),
            "turn auto-sync off first, or change the target revision",
        );
    }
    Ok(())
}

fn spec_options(live: &Value) -> Option<Value> {
    there(live, &["spec", "syncPolicy", "syncOptions"]).cloned()
}

/// The state is cleared with it: a stale one would be resumed instead of this operation.
fn operation(live: &Value, sync: &Value, retry: Option<Value>, asker: &Asker) -> Patch {
    let mut operation = json!({
        "initiatedBy": { "username": asker.username },
        "info": [{ "name": "Request", "value": asker.request }],
        "sync": sync,
    });
    if let Some(retry) = retry {
        operation["retry"] = retry;
    }
    Patch::Merge(json!({
        "metadata": { "resourceVersion": version(live) },
        "operation": operation,
        "status": { "operationState": null },
    }))
}

/// Asks for a history entry to be applied again.
pub(super) fn rollback(
    live: &Value,
    (history_id, prune, dry_run): (i64, bool, bool),
    asker: &Asker,
    now: DateTime<Utc>,
) -> Result<Patch, Refusal> {
    not_deleting(live)?;
    if auto_sync_is_on(live) {
        return refuse(
            "auto-sync is on and would undo it within minutes",
            "turn auto-sync off first",
        );
    }
    no_operation(live, now)?;
    let history = live
        .at(&["status", "history"])
        .map(Node::items)
        .unwrap_or_default();
    let entry = history
        .iter()
        .find(|entry| entry.member("id").and_then(Node::integer) == Some(history_id));
    let Some(entry) = entry else {
        return refuse(
            format!("its history has no entry {history_id} any more"),
            "look at the history again",
        );
    };
    let mut sync = Map::new();
    let plural = there(entry, &["sources"]).is_some_and(|sources| !sources.items().is_empty());
    let fields: [&str; 2] = if plural {
        ["revisions", "sources"]
    } else {
        ["revision", "source"]
    };
    for field in fields {
        if let Some(value) = there(entry, &[field]) {
            sync.insert(field.into(), value.clone());
        }
    }
    if !sync.contains_key(fields[1]) {
        return refuse(
            format!("entry {history_id} does not say which source it came from"),
            "choose a later entry",
        );
    }
    sync.insert("prune".into(), prune.into());
    if dry_run {
        sync.insert("dryRun".into(), true.into());
    }
    if let Some(options) = spec_options(live) {
        sync.insert("syncOptions".into(), options);
    }
    sync.insert("syncStrategy".into(), json!({ "apply": {} }));
    Ok(operation(live, &sync.into(), None, asker))
}

/// Asks the controller to stop the running operation.
pub(super) fn terminate(live: &Value) -> Result<Patch, Refusal> {
    if there(live, &["operation"]).is_none() {
        return refuse("no operation is in progress", "nothing has to be stopped");
    }
    let state = ["status", "operationState"];
    let started = text(live, &["status", "operationState", "startedAt"]);
    if there(live, &state).is_none() || started.is_empty() {
        return refuse(
            "the operation is queued and the controller has not begun it",
            "wait until it runs; when it never does, the controller is down",
        );
    }
    match text(live, &["status", "operationState", "phase"]) {
        "Running" => Ok(Patch::Json(json!([
            { "op": "test", "path": "/status/operationState/startedAt", "value": started },
            { "op": "test", "path": "/status/operationState/phase", "value": "Running" },
            { "op": "replace", "path": "/status/operationState/phase", "value": "Terminating" },
        ]))),
        "Terminating" => refuse("it is being terminated already", "wait until it is over"),
        _ => refuse(
            "the operation is queued and the controller has not begun it",
            "wait until it runs, then terminate it",
        ),
    }
}

/// Turns a switch of `automated`. `has_enabled` is whether the CRD knows `automated.enabled`.
pub(super) fn switch(
    live: &Value,
    switch: Switch,
    on: bool,
    has_enabled: bool,
) -> Result<Patch, Refusal> {
    not_deleting(live)?;
    let present = automated(live).is_some();
    let automated = match switch {
        Switch::AutoSync if auto_sync_is_on(live) == on => {
            let word = if on { "on" } else { "off" };
            return refuse(
                format!("auto-sync is {word} already"),
                "nothing has to change",
            );
        }
        Switch::AutoSync if has_enabled => json!({ "enabled": on }),
        Switch::AutoSync if on => json!({}),
        Switch::AutoSync => Value::Null,
        Switch::SelfHeal | Switch::Prune => {
            let field = match switch {
                Switch::Prune => "prune",
                Switch::SelfHeal | Switch::AutoSync => "selfHeal",
            };
            if present {
                json!({ field: on })
            } else if has_enabled {
                // Alone, the field would create `automated` and so turn auto-sync on.
                json!({ "enabled": false, field: on })
            } else {
                return refuse(
                    "auto-sync is off, and this Argo CD would turn it on with it",
                    "turn auto-sync on first",
                );
            }
        }
    };
    Ok(Patch::Merge(json!({
        "metadata": { "resourceVersion": version(live) },
        "spec": { "syncPolicy": { "automated": automated } },
    })))
}

/// Returns whether an answer shows a switch as it was wanted.
pub(super) fn switch_is(live: &Value, switch: Switch, on: bool) -> bool {
    let flag = |name| {
        automated(live)
            .and_then(|one| one.member(name))
            .and_then(Node::boolean)
    };
    match switch {
        Switch::AutoSync => auto_sync_is_on(live) == on,
        Switch::SelfHeal => flag("selfHeal").unwrap_or(false) == on,
        Switch::Prune => flag("prune").unwrap_or(false) == on,
    }
}

/// Approves deletions and prunes that wait for a person.
pub(super) fn confirm(now: DateTime<Utc>) -> Patch {
    let at = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    Patch::Merge(json!({
        "metadata": { "annotations": { "argocd.argoproj.io/deletion-approved": at } }
    }))
}

/// Returns the patch of the finalizers before a delete; `None` when they are right already.
pub(super) fn finalizers(live: &Value, cascade: Cascade) -> Result<Option<Patch>, Refusal> {
    let now: Vec<&str> = live
        .at(&["metadata", "finalizers"])
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .filter_map(Node::text)
        .collect();
    let ours = |finalizer: &&&str| {
        **finalizer == FINALIZER || finalizer.starts_with("resources-finalizer.argocd.argoproj.io/")
    };
    let mut wanted: Vec<String> = now
        .iter()
        .filter(|finalizer| !ours(finalizer))
        .map(ToString::to_string)
        .collect();
    match cascade {
        Cascade::Foreground => wanted.push(FINALIZER.to_owned()),
        Cascade::Background => wanted.push(format!("{FINALIZER}/background")),
        Cascade::NonCascading => {}
    }
    if is_deleting(live) && wanted.iter().any(|one| !now.contains(&one.as_str())) {
        return refuse(
            "it is being deleted already, and no finalizer can be added then",
            "wait until it is gone, or delete it without its objects",
        );
    }
    if wanted.iter().map(String::as_str).eq(now.iter().copied()) {
        return Ok(None);
    }
    Ok(Some(Patch::Merge(json!({
        "metadata": { "resourceVersion": version(live), "finalizers": wanted }
    }))))
}

#[cfg(test)]
mod tests;
