//! One look at one Application: operation, comparison, automated sync, status.
//!
//! Order of Argo CD `controller/appcontroller.go`: deletion, then the running operation, then
//! the refresh if anything asks for one. A status that did not change is not written.

use super::application::{App, AppName, CONTROL_NAMESPACE, REFRESH, SKIP_RECONCILE, stamp, time};
use super::autosync::{self, Decision};
use super::cluster::{PatchKind, Run};
use super::conditions;
use super::controller::{ARGO, Argo, Level};
use super::key::{Key, annotation};
use super::thing::Thing;
use super::verdict::{Compared, Condition};
use super::windows::{self, Subject};
use super::{aggregate, hooks, json, project, summary};
use crate::domain::status::{Health, SyncStatus};
use crate::sim::controllers::runtime::{Controller, ReconcileError, Requeue};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json as make};
use std::sync::Arc;

/// Argo CD's default `timeout.reconciliation`, and the jitter on top of it, in seconds.
const RECONCILIATION: i64 = 120;
const JITTER: u64 = 60;

/// One look at an Application: the status to write, and what else comes of it.
struct Look {
    status: Value,
    found: Vec<Condition>,
    later: Option<DateTime<Utc>>,
    operation: Option<Value>,
}

impl Look {
    fn of(app: &App, found: Vec<Condition>) -> Self {
        let status = app.status();
        Self {
            status: if status.is_object() {
                status.clone()
            } else {
                make!({})
            },
            found,
            later: None,
            operation: None,
        }
    }
}

impl Controller for Argo {
    type Key = AppName;
    const NAME: &'static str = "argocd-application-controller";

    async fn reconcile(&self, name: &AppName) -> Result<Requeue, ReconcileError> {
        let Some(app) = self.app(name) else {
            self.forget(name);
            return Ok(Requeue::OnChange);
        };
        if annotation(&app.0, SKIP_RECONCILE) == "true" {
            return Ok(Requeue::OnChange);
        }
        let mut wish = Requeue::OnChange;
        let mut app = app;
        if app.operation().is_some() {
            wish = wish.or_at(self.operate(&app).await?);
            match self.app(name) {
                Some(current) => app = current,
                None => return Ok(wish),
            }
        }
        if app.deleted_at().is_some() {
            let due = if app.operation().is_some() {
                None
            } else {
                self.finalize(&app).await?
            };
            return Ok(wish.or_at(due));
        }
        let due = self.refresh(&app).await?;
        Ok(wish.or_at(Some(due)))
    }
}

impl Argo {
    /// Compares if anything asks for it; returns when the next comparison is due.
    async fn refresh(&self, app: &App) -> Result<DateTime<Utc>, ReconcileError> {
        let name = app.name();
        let now = self.now();
        let level = self.take_level(&name).max(self.due_level(app, now));
        let Some(mut level) = level else {
            return Ok(self.next_reconcile(app));
        };
        let memo = self.memo(&name);
        if memo.compared.is_none() {
            level = level.max(Level::Latest);
        }
        let invalid = self.invalid(app);
        let compared = if level == Level::Tree {
            memo.compared.clone()
        } else if invalid.is_empty() {
            Some(self.compare_app(app, level).await)
        } else {
            None
        };
        let mut look = Look::of(app, invalid);
        self.judge(app, &mut look, (compared.as_deref(), level), now);
        let written = self.write_status(app, &look.status).await?;
        self.report_changes(app, &written);
        if let Some(compared) = &compared {
            let hooks = compared.hooks.iter();
            let types: Vec<_> = hooks
                .flat_map(|hook| hooks::types_of(&hook.object))
                .collect();
            self.guard(&written, &types).await?;
        }
        if let Some(operation) = look.operation {
            self.start_operation(&written, &operation).await?;
        }
        let next = self.next_reconcile(&written);
        Ok(look.later.map_or(next, |later| next.min(later)))
    }

    /// Works a status out, and what automated sync makes of it.
    fn judge(
        &self,
        app: &App,
        look: &mut Look,
        (compared, level): (Option<&Compared>, Level),
        now: DateTime<Utc>,
    ) {
        match compared {
            Some(compared) => {
                look.found.extend(compared.conditions.iter().cloned());
                self.fill(&mut look.status, app, compared);
                if level > Level::Tree && !compared.failed {
                    match self.decide(app, compared, now) {
                        Decision::Refuse(message) => look.found.push(("SyncError", message)),
                        Decision::Later(span) => look.later = Some(now + span),
                        Decision::Start(start) => look.operation = Some(*start),
                        Decision::Skip(_) => {}
                    }
                }
            }
            None => fill_invalid(&mut look.status, app),
        }
        if level > Level::Tree {
            set_conditions(&mut look.status, &look.found, now);
        }
        if level >= Level::Latest || look.status.get("reconciledAt").is_none() {
            look.status["reconciledAt"] = stamp(now);
        }
        settle_health_time(&mut look.status, app.status(), now);
    }

    /// Says in events how sync and health changed.
    fn report_changes(&self, before: &App, after: &App) {
        for (what, path) in [
            ("sync", ["sync", "status"]),
            ("health", ["health", "status"]),
        ] {
            let old = json::text(before.status(), &path);
            let new = json::text(after.status(), &path);
            if old != new {
                let message = format!("Updated {what} status: {old} -> {new}");
                self.event(&before.name(), false, "ResourceUpdated", message);
            }
        }
    }

    /// What the object itself asks for.
    fn due_level(&self, app: &App, now: DateTime<Utc>) -> Option<Level> {
        match app.refresh() {
            Some("hard") => return Some(Level::Hard),
            Some(_) => return Some(Level::Latest),
            None => {}
        }
        let status = app.status();
        if time(status, &["reconciledAt"]).is_none() || self.next_reconcile(app) <= now {
            return Some(Level::Latest);
        }
        let changed = json::at(status, &["sync", "comparedTo"]) != Some(&app.compared_to());
        changed.then_some(Level::Latest)
    }

    fn next_reconcile(&self, app: &App) -> DateTime<Utc> {
        let name = app.name();
        let jitter = self
            .0
            .runtime
            .seed()
            .stream(&["argocd", &name.namespace, &name.name])
            .below(JITTER);
        let last = time(app.status(), &["reconciledAt"]).unwrap_or_else(|| self.now());
        last + TimeDelta::seconds(RECONCILIATION + jitter.cast_signed())
    }

    /// What is wrong with the spec itself; nothing is compared then.
    pub(super) fn invalid(&self, app: &App) -> Vec<Condition> {
        let mut found: Vec<String> = destination_problem(app).into_iter().collect();
        let sources = app.sources();
        if sources.is_empty() {
            found.push("spec.source or spec.sources is required".to_owned());
        }
        for source in &sources {
            let has = |field: &str| !json::text(source, &[field]).is_empty();
            if !has("repoURL") {
                found.push("spec.source.repoURL is required".to_owned());
            } else if !has("path") && !has("chart") && !has("ref") {
                found.push("spec.source.path or spec.source.chart is required".to_owned());
            }
        }
        found.extend(self.project_violations(app, &sources));
        found
            .into_iter()
            .map(|message| ("InvalidSpecError", message))
            .collect()
    }

    fn project_violations(&self, app: &App, sources: &[Value]) -> Vec<String> {
        let name = app.name();
        let Some(project) = self.project(app.project()) else {
            return vec![format!(
                "Application referencing project {} which does not exist",
                app.project()
            )];
        };
        if !project::permits_application_namespace(&project, &name.namespace) {
            return vec![format!(
                "application '{}' in namespace '{}' is not allowed to use project '{}'",
                name.name,
                name.namespace,
                app.project()
            )];
        }
        let repos: Vec<&str> = sources
            .iter()
            .map(|source| json::text(source, &["repoURL"]))
            .collect();
        project::violations(&project, &repos, app.destination_namespace())
    }

    /// Decides about automated sync; a closed window keeps it back.
    fn decide(&self, app: &App, compared: &Compared, now: DateTime<Utc>) -> Decision {
        let project = self.project(app.project()).unwrap_or_default();
        let (windows, _) = windows::matching(&*project, &subject(app, &app.name()));
        if windows::decide(&windows, false, now) == windows::Decision::Blocked {
            return Decision::Skip("a sync window is closed");
        }
        autosync::decide(
            app,
            compared.status,
            &compared.found(),
            &compared.revisions,
            now,
        )
    }

    /// Writes what a comparison found into a status.
    fn fill(&self, status: &mut Value, app: &App, compared: &Compared) {
        let mut sync = make!({"status": compared.status.word(), "comparedTo": app.compared_to()});
        if !compared.revisions.is_empty() {
            put_revisions(&mut sync, app.is_multi_source(), &compared.revisions);
        }
        status["sync"] = sync;
        let parts: Vec<aggregate::Part<'_>> = compared
            .managed
            .iter()
            .map(|one| aggregate::Part {
                target: one.target.as_deref(),
                live: one.live.as_deref(),
            })
            .collect();
        let (health, _) = aggregate::aggregate(&parts);
        status["health"]["status"] = health.word().into();
        status["resources"] = compared.resources();
        status["resourceHealthSource"] = "appTree".into();
        status["controllerNamespace"] = CONTROL_NAMESPACE.into();
        let live: Vec<Arc<Value>> = compared
            .managed
            .iter()
            .filter_map(|one| one.live.clone())
            .collect();
        let keys: Vec<Key> = compared.managed.iter().map(|one| one.key.clone()).collect();
        status["summary"] = summary::summary(&live, &self.0.world.below(&keys));
        json::remove(status, &["sourceType"]);
        json::remove(status, &["sourceTypes"]);
        if app.is_multi_source() {
            status["sourceTypes"] = compared.source_types.clone().into();
        } else if let Some(kind) = compared.source_types.first() {
            status["sourceType"] = (*kind).into();
        }
    }

    /// Writes a status if it changed, and takes an answered refresh request away.
    async fn write_status(&self, app: &App, status: &Value) -> Result<App, ReconcileError> {
        let mut patch = make!({});
        if let Some(change) = json::merge_patch(app.status(), status) {
            patch["status"] = change;
        }
        if app.refresh().is_some() {
            patch["metadata"] = make!({"annotations": {REFRESH: null}});
        }
        self.write(app, &patch).await
    }

    /// Sends a merge patch of an Application; an empty one is not sent.
    pub(super) async fn write(&self, app: &App, patch: &Value) -> Result<App, ReconcileError> {
        if patch.as_object().is_none_or(serde_json::Map::is_empty) {
            return Ok(app.clone());
        }
        let key = app_key(&app.name());
        match self
            .0
            .cluster
            .patch(&key, patch, PatchKind::Merge, Run::Wet)
            .await
        {
            Ok(stored) => {
                let thing = self.0.apps.observe(Thing::new(stored));
                Ok(App(Arc::clone(&thing.body)))
            }
            Err(refusal) if refusal.is_not_found() => Ok(app.clone()),
            Err(refusal) => Err(ReconcileError::Other(format!(
                "cannot update Application `{}/{}`: {refusal}",
                key.namespace, key.name
            ))),
        }
    }

    /// Begins an automated sync.
    async fn start_operation(&self, app: &App, operation: &Value) -> Result<(), ReconcileError> {
        let version = json::text(&app.0, &["metadata", "resourceVersion"]);
        let patch = make!({
            "metadata": {"resourceVersion": version},
            "operation": operation,
            "status": {"operationState": null},
        });
        self.write(app, &patch).await?;
        let revisions: Vec<String> = match json::text(operation, &["sync", "revision"]) {
            "" => json::texts(operation, &["sync", "revisions"])
                .into_iter()
                .map(str::to_owned)
                .collect(),
            one => vec![one.to_owned()],
        };
        let message = format!(
            "Initiated automated sync to '{}'",
            autosync::shown(&revisions)
        );
        self.event(&app.name(), false, "OperationStarted", message);
        Ok(())
    }
}

/// What is wrong with the destination: the platform has one cluster.
pub(super) fn destination_problem(app: &App) -> Option<String> {
    let spec = app.spec();
    let server = json::text(spec, &["destination", "server"]);
    let cluster = json::text(spec, &["destination", "name"]);
    let prefix = format!(
        "application destination spec for {} is invalid",
        app.name().name
    );
    match (server, cluster) {
        ("", "") => Some("Destination server missing from app spec".to_owned()),
        ("", name) if name == project::IN_CLUSTER.1 => None,
        ("", name) => Some(format!(
            "{prefix}: there are no clusters with this name: {name}"
        )),
        (url, "") if url.trim_end_matches('/') == project::IN_CLUSTER.0 => None,
        (url, "") => Some(format!(
            "{prefix}: error getting cluster by server \"{url}\": cluster \"{url}\" not found"
        )),
        (url, name) => Some(format!(
            "application destination can't have both name and server defined: {name} {url}"
        )),
    }
}

/// Returns the key of an Application object.
pub(super) fn app_key(name: &AppName) -> Key {
    Key::new(ARGO, "Application", &name.namespace, &name.name)
}

/// Returns what sync windows are asked about.
pub(super) fn subject<'a>(app: &'a App, name: &'a AppName) -> Subject<'a> {
    Subject {
        application: &name.name,
        namespace: app.destination_namespace(),
        server: project::IN_CLUSTER.0,
        cluster: project::IN_CLUSTER.1,
    }
}

/// Writes revisions into an object, singular or plural.
pub(super) fn put_revisions(value: &mut Value, plural: bool, revisions: &[String]) {
    if plural {
        value["revisions"] = revisions.into();
    } else {
        value["revision"] = revisions.first().cloned().unwrap_or_default().into();
    }
}

fn fill_invalid(status: &mut Value, app: &App) {
    status["sync"] = make!({"status": SyncStatus::Unknown.word(), "comparedTo": app.compared_to()});
    status["health"]["status"] = Health::Unknown.word().into();
    status["controllerNamespace"] = CONTROL_NAMESPACE.into();
}

fn set_conditions(status: &mut Value, found: &[Condition], now: DateTime<Utc>) {
    let renewed = conditions::renewed(status, found, now);
    if renewed.is_empty() {
        json::remove(status, &["conditions"]);
    } else {
        status["conditions"] = renewed.into();
    }
}

fn settle_health_time(status: &mut Value, before: &Value, now: DateTime<Utc>) {
    let same = json::text(status, &["health", "status"])
        == json::text(before, &["health", "status"])
        && json::at(before, &["health", "lastTransitionTime"]).is_some();
    if !same {
        status["health"]["lastTransitionTime"] = stamp(now);
    }
}
