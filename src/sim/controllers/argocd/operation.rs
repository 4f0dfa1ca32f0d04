//! Operations: taking one up, running its passes, trying again, ending it, writing it down.
//!
//! Follows Argo CD `controller/appcontroller.go`, `processRequestedAppOperation`, and
//! `controller/sync.go`. Patches name only what changed, so that a `Terminating` written
//! meanwhile by someone else survives.

use super::application::{App, DELETION_APPROVED, stamp, time};
use super::compared::options_of;
use super::conditions::{is_error, written};
use super::controller::{Argo, Level};
use super::ignore::Ignores;
use super::key::annotation;
use super::reconcile::{put_revisions, subject};
use super::retry::Retry;
use super::sync::{self, Place, Request};
use super::verdict::{Compared, Condition};
use super::{autosync, json, windows};
use crate::sim::controllers::runtime::ReconcileError;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json as make};
use std::sync::Arc;

/// Argo CD's default `ARGOCD_SYNC_WAVE_DELAY`.
const WAVE_DELAY: TimeDelta = TimeDelta::seconds(2);
/// How often an operation that waits is looked at, whatever happens.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(30);

/// What a pass made of an operation's state.
struct Passed {
    state: Value,
    /// A wave was applied; the next pass waits.
    applied: bool,
    terminated: bool,
}

impl Argo {
    /// Works on the operation of an Application; returns when to look again.
    pub(super) async fn operate(&self, app: &App) -> Result<Option<DateTime<Utc>>, ReconcileError> {
        let now = self.now();
        let name = app.name();
        let Some(asked) = app.operation() else {
            return Ok(None);
        };
        let resumed = app
            .operation_state()
            .filter(|state| matches!(json::text(state, &["phase"]), "Running" | "Terminating"));
        let mut state = resumed.cloned().unwrap_or_else(
            || make!({"operation": asked, "phase": "Running", "startedAt": stamp(now)}),
        );
        let terminating = json::text(&state, &["phase"]) == "Terminating";
        if let Some(due) = self.memo(&name).not_before
            && due > now
            && !terminating
        {
            return Ok(Some(due));
        }
        let retry = Retry::read(json::at(&state, &["operation", "retry"]));
        if let (Some(finished), false) = (time(&state, &["finishedAt"]), terminating) {
            let tried = json::integer(&state, &["retryCount"]).unwrap_or_default();
            let due = retry
                .as_ref()
                .map_or(finished, |retry| finished + retry.delay(tried));
            if due > now {
                return Ok(Some(due));
            }
            state["message"] = format!("Retrying operation. Attempt #{tried}").into();
            json::remove(&mut state, &["finishedAt"]);
            let refresh = retry.as_ref().is_ok_and(|retry| retry.refresh);
            restart(&mut state, refresh);
        }
        let mut passed = self.pass(app, state, terminating).await;
        self.conclude(app, &mut passed, retry).await
    }

    /// Settles what comes after a pass, and writes it.
    async fn conclude(
        &self,
        app: &App,
        passed: &mut Passed,
        retry: Result<Retry, String>,
    ) -> Result<Option<DateTime<Utc>>, ReconcileError> {
        let now = self.now();
        let name = app.name();
        let state = &mut passed.state;
        let phase = json::text(state, &["phase"]).to_owned();
        if matches!(phase.as_str(), "Failed" | "Error") && !passed.terminated {
            match retry {
                Ok(retry) => plan_retry(state, &retry, now),
                Err(error) => {
                    let message = json::text(state, &["message"]);
                    state["message"] = format!("{message} (failed to retry: {error})").into();
                }
            }
        }
        let over = json::text(state, &["phase"]) != "Running";
        let mut patch = make!({});
        if over {
            state["finishedAt"] = stamp(now);
            patch["operation"] = Value::Null;
        }
        let before = app.operation_state().cloned().unwrap_or_else(|| make!({}));
        let mut status = make!({});
        if let Some(change) = json::merge_patch(&before, state) {
            status["operationState"] = change;
        }
        if over && phase == "Succeeded" && is_recorded(state) {
            status["history"] = history(app, state, now).into();
        }
        if status.as_object().is_some_and(|status| !status.is_empty()) {
            patch["status"] = status;
        }
        let mut memo = self.memo(&name);
        let due = passed.applied.then(|| now + WAVE_DELAY);
        memo.not_before = if over { None } else { due };
        self.remember(&name, memo);
        self.write(app, &patch).await?;
        if !over {
            let retry_at = time(state, &["finishedAt"]).map(|_| now);
            return Ok(Some(retry_at.or(due).unwrap_or(now + LOOK_AGAIN)));
        }
        self.announce(app, state);
        if !is_dry(state) {
            self.request(&name, Level::Latest);
        }
        Ok(None)
    }

    fn announce(&self, app: &App, state: &Value) {
        let result = state.get("syncResult").unwrap_or(&Value::Null);
        let revisions: Vec<String> = match json::text(result, &["revision"]) {
            "" => json::texts(result, &["revisions"])
                .into_iter()
                .map(str::to_owned)
                .collect(),
            one => vec![one.to_owned()],
        };
        let kind = if is_dry(state) {
            "Dry-run sync"
        } else {
            "Sync"
        };
        let revision = autosync::shown(&revisions);
        let message = json::text(state, &["message"]);
        if json::text(state, &["phase"]) == "Succeeded" {
            let text = format!("{kind} operation to {revision} succeeded");
            self.event(&app.name(), false, "OperationCompleted", text);
        } else {
            let text = format!("{kind} operation to {revision} failed: {message}");
            self.event(&app.name(), true, "OperationCompleted", text);
        }
    }

    /// Runs one pass of an operation.
    async fn pass(&self, app: &App, mut state: Value, terminating: bool) -> Passed {
        let fail = |mut state: Value, phase: &str, message: String| {
            state["phase"] = phase.into();
            state["message"] = message.into();
            Passed {
                state,
                applied: false,
                terminated: terminating,
            }
        };
        let Some(operation) = state
            .get("operation")
            .filter(|one| one.get("sync").is_some())
            .cloned()
        else {
            return fail(
                state,
                "Failed",
                "Invalid operation request: no operation specified".to_owned(),
            );
        };
        let invalid = self.invalid(app);
        if !invalid.is_empty() {
            return fail(state, "Error", written(&invalid));
        }
        if !terminating && self.is_blocked(app, &operation, &state) {
            state["phase"] = "Running".into();
            state["message"] = "Sync operation blocked by sync window".into();
            return Passed {
                state,
                applied: false,
                terminated: false,
            };
        }
        let (sources, plural) = sources_of(app, &operation);
        let revisions = revisions_of(&operation, &state, plural);
        let loaded = self.load(app, &sources, &revisions).await;
        let memo = self.memo(&app.name());
        let (compared, _) = self.compare_loaded(app, loaded, memo).await;
        if !compared.failed || state.get("syncResult").is_none() {
            note_result(&mut state, &sources, &compared, plural);
        }
        if let Some((phase, message)) = obstacle(&operation, &compared).filter(|_| !terminating) {
            return fail(state, phase, message);
        }
        match request(app, &operation, &state, &compared) {
            Ok(request) => {
                self.pass_over(app, state, (&request, &compared, terminating))
                    .await
            }
            Err(message) => fail(state, "Failed", message),
        }
    }

    async fn pass_over(
        &self,
        app: &App,
        mut state: Value,
        (request, compared, terminating): (&Request, &Compared, bool),
    ) -> Passed {
        let project = self.project(app.project()).unwrap_or_default();
        let place = Place {
            cluster: &self.0.cluster,
            world: &self.0.world,
            project: &project,
            namespace: app.destination_namespace(),
            managed_namespace: json::at(app.spec(), &["syncPolicy", "managedNamespaceMetadata"]),
        };
        for hook in &compared.hooks {
            self.watch(&hook.key.group, &hook.key.kind).await;
        }
        let results = json::items(&state, &["syncResult", "resources"]).to_vec();
        let outcome = if terminating {
            sync::terminate(request, &place, compared, results).await
        } else {
            sync::run(request, &place, compared, results).await
        };
        state["phase"] = outcome.phase.into();
        state["message"] = outcome.message.into();
        if !outcome.results.is_empty() {
            state["syncResult"]["resources"] = outcome.results.into();
        }
        if let Some(metadata) = place.managed_namespace.filter(|one| one.is_object()) {
            state["syncResult"]["managedNamespaceMetadata"] = metadata.clone();
        }
        Passed {
            state,
            applied: outcome.applied,
            terminated: terminating,
        }
    }

    fn is_blocked(&self, app: &App, operation: &Value, state: &Value) -> bool {
        let project = self.project(app.project()).unwrap_or_default();
        let name = app.name();
        let (windows, _) = windows::matching(&*project, &subject(app, &name));
        let manual = !json::flag(operation, &["initiatedBy", "automated"]);
        let now = self.now();
        let started = time(state, &["startedAt"]).unwrap_or(now);
        windows::decide_running(&windows, manual, started, now) == windows::Decision::Blocked
    }
}

/// What a comparison found that stands in a sync's way.
fn obstacle(operation: &Value, compared: &Compared) -> Option<(&'static str, String)> {
    let of = |wanted: &dyn Fn(&str) -> bool| -> Vec<Condition> {
        let conditions = compared.conditions.iter();
        conditions
            .filter(|(kind, _)| wanted(kind))
            .cloned()
            .collect()
    };
    let errors = of(&is_error);
    if !errors.is_empty() {
        return Some(("Error", written(&errors)));
    }
    let shared = of(&|kind| kind == "SharedResourceWarning");
    if shared.is_empty() || !options_of(operation).has("FailOnSharedResource=true") {
        return None;
    }
    let messages: Vec<&str> = shared.iter().map(|(_, message)| message.as_str()).collect();
    let message = format!("Shared resource found: {}", messages.join(", "));
    Some(("Failed", message))
}

/// A retry begins from nothing; with `refresh` it takes the newest revision, too.
fn restart(state: &mut Value, refresh: bool) {
    if refresh {
        json::remove(state, &["syncResult"]);
        return;
    }
    json::remove(state, &["syncResult", "resources"]);
}

fn plan_retry(state: &mut Value, retry: &Retry, now: DateTime<Utc>) {
    let tried = json::integer(state, &["retryCount"]).unwrap_or_default();
    let message = json::text(state, &["message"]).to_owned();
    if retry.allows(tried) {
        let at = now + retry.delay(tried);
        state["phase"] = "Running".into();
        state["finishedAt"] = stamp(now);
        state["retryCount"] = (tried + 1).into();
        state["message"] = format!(
            "{message}. Retrying attempt #{} at {}.",
            tried + 1,
            at.format("%-I:%M%p")
        )
        .into();
    } else if tried > 0 {
        state["message"] = format!("{message} (retried {tried} times).").into();
    }
}

fn is_dry(state: &Value) -> bool {
    json::flag(state, &["operation", "sync", "dryRun"])
}

/// Only whole, real syncs make history.
fn is_recorded(state: &Value) -> bool {
    !is_dry(state) && json::items(state, &["operation", "sync", "resources"]).is_empty()
}

fn history(app: &App, state: &Value, now: DateTime<Utc>) -> Vec<Value> {
    let mut history = json::items(app.status(), &["history"]).to_vec();
    let id = history
        .last()
        .and_then(|last| json::integer(last, &["id"]))
        .map_or(0, |id| id + 1);
    let mut entry =
        make!({"id": id, "deployedAt": stamp(now), "deployStartedAt": state["startedAt"]});
    for field in ["revision", "revisions", "source", "sources"] {
        if let Some(value) = json::at(state, &["syncResult", field]) {
            entry[field] = value.clone();
        }
    }
    if let Some(by) = json::at(state, &["operation", "initiatedBy"]) {
        entry["initiatedBy"] = by.clone();
    }
    history.push(entry);
    let surplus = history.len().saturating_sub(app.history_limit());
    history.split_off(surplus)
}

fn sources_of(app: &App, operation: &Value) -> (Vec<Value>, bool) {
    let given = json::items(operation, &["sync", "sources"]);
    if !given.is_empty() {
        return (given.to_vec(), true);
    }
    match json::at(operation, &["sync", "source"]).filter(|one| one.is_object()) {
        Some(source) => (vec![source.clone()], false),
        None => (app.sources(), app.is_multi_source()),
    }
}

/// What an earlier pass resolved counts first, so that an operation stays at its commit.
fn revisions_of(operation: &Value, state: &Value, plural: bool) -> Vec<String> {
    let read = |value: &Value| -> Vec<String> {
        if plural {
            json::texts(value, &["revisions"])
                .into_iter()
                .map(str::to_owned)
                .collect()
        } else {
            vec![json::text(value, &["revision"]).to_owned()]
        }
    };
    let resolved = state.get("syncResult").map(read).unwrap_or_default();
    if resolved.iter().any(|revision| !revision.is_empty()) {
        return resolved;
    }
    operation.get("sync").map(read).unwrap_or_default()
}

fn note_result(state: &mut Value, sources: &[Value], compared: &Compared, plural: bool) {
    let mut result = state
        .get("syncResult")
        .cloned()
        .unwrap_or_else(|| make!({}));
    put_revisions(&mut result, plural, &compared.revisions);
    if plural {
        result["sources"] = sources.to_vec().into();
    } else if let Some(source) = sources.first() {
        result["source"] = source.clone();
    }
    state["syncResult"] = result;
}

fn request(
    app: &App,
    operation: &Value,
    state: &Value,
    compared: &Compared,
) -> Result<Request, String> {
    let sync = operation.get("sync").unwrap_or(&Value::Null);
    let options = options_of(operation);
    let strategy = sync.get("syncStrategy").unwrap_or(&Value::Null);
    let selected = json::items(sync, &["resources"]);
    let started = time(state, &["startedAt"]).unwrap_or_default();
    let approved = annotation(&app.0, DELETION_APPROVED).parse::<DateTime<Utc>>();
    Ok(Request {
        dry_run: json::flag(sync, &["dryRun"]),
        prune: json::flag(sync, &["prune"]),
        force: json::flag(strategy, &["apply", "force"])
            || json::flag(strategy, &["hook", "force"]),
        skip_hooks: strategy.get("apply").is_some_and(Value::is_object) || !selected.is_empty(),
        propagation: options.propagation()?,
        ignores: if options.has("RespectIgnoreDifferences=true") {
            Some(Arc::new(Ignores::read(app.spec())?))
        } else {
            None
        },
        options,
        selected: (!selected.is_empty()).then(|| selected.to_vec()),
        prune_confirmed: approved.is_ok_and(|at| at >= started),
        revision: compared.revisions.first().cloned().unwrap_or_default(),
        started: started.timestamp(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_keeps_the_newest_and_counts_on() {
        let old: Vec<Value> = (3..6).map(|id| make!({"id": id})).collect();
        let app = App(Arc::new(
            make!({"spec": {"revisionHistoryLimit": 2}, "status": {"history": old}}),
        ));
        let state = make!({"startedAt": "x", "syncResult": {"revision": "abc", "source": {"repoURL": "r"}},
            "operation": {"initiatedBy": {"username": "oncall"}}});

        let history = history(&app, &state, DateTime::UNIX_EPOCH);

        let ids: Vec<_> = history.iter().map(|entry| entry["id"].clone()).collect();
        assert_eq!(ids, [make!(5), make!(6)]);
        assert_eq!(history[1]["initiatedBy"]["username"], "oncall");
        assert_eq!(history[1]["revision"], "abc");
    }

    #[test]
    fn partial_and_dry_syncs_make_no_history() {
        let state = |sync: Value| make!({"operation": {"sync": sync}});

        assert!(is_recorded(&state(make!({}))));
        assert!(!is_recorded(&state(make!({"dryRun": true}))));
        assert!(!is_recorded(&state(
            make!({"resources": [{"kind": "Job"}]})
        )));
    }

    #[test]
    fn a_failure_is_tried_again_until_the_limit() {
        let retry = Retry::read(Some(&make!({"limit": 1}))).expect("it reads");
        let mut state = make!({"phase": "Failed", "message": "no"});

        plan_retry(&mut state, &retry, DateTime::UNIX_EPOCH);
        assert_eq!(state["phase"], "Running");
        assert_eq!(state["retryCount"], 1);
        assert_eq!(state["message"], "no. Retrying attempt #1 at 12:00AM.");

        state["phase"] = "Failed".into();
        state["message"] = "no".into();
        plan_retry(&mut state, &retry, DateTime::UNIX_EPOCH);
        assert_eq!(state["phase"], "Failed");
        assert_eq!(state["message"], "no (retried 1 times).");
    }
}
