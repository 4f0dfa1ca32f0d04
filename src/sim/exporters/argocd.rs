//! The metrics of Argo CD's Application controller (`controller/metrics/metrics.go`).
//!
//! `argocd_app_info` is 1 for the state an Application is in: a change of state is a new series.
//! Syncs are counted as their operations end.

use super::projected::{Projected, argo};
use crate::sim::controllers::runtime::{Change, Informer, Runtime};
use crate::sim::exposition::{Metric, Page};
use chrono::DateTime;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    project: String,
    source: Option<Source>,
    sources: Vec<Source>,
    destination: Destination,
    sync_policy: Option<SyncPolicy>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Source {
    #[serde(rename = "repoURL")]
    repo_url: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Destination {
    server: String,
    name: String,
    namespace: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct SyncPolicy {
    automated: Option<Automated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Automated {
    enabled: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    sync: Word,
    health: Word,
    operation_state: Option<OperationState>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Word {
    status: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OperationState {
    phase: String,
    started_at: Option<String>,
    finished_at: Option<String>,
    operation: Operation,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Operation {
    sync: Option<SyncOperation>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SyncOperation {
    dry_run: bool,
}

type App = Projected<Spec, Status>;

impl App {
    fn project(&self) -> &str {
        if self.spec.project.is_empty() {
            "default"
        } else {
            &self.spec.project
        }
    }

    fn server(&self) -> &str {
        let destination = &self.spec.destination;
        if destination.server.is_empty() {
            &destination.name
        } else {
            &destination.server
        }
    }

    fn repository(&self) -> &str {
        let first = self.spec.source.as_ref().or(self.spec.sources.first());
        first.map_or("", |source| &source.repo_url)
    }

    fn is_automatic(&self) -> bool {
        let policy = self.spec.sync_policy.as_ref();
        policy
            .and_then(|policy| policy.automated.as_ref())
            .is_some_and(|automated| automated.enabled.unwrap_or(true))
    }

    /// Returns the operation that is over, if the last one is.
    fn ended(&self) -> Option<&OperationState> {
        let state = self.status.operation_state.as_ref()?;
        state.finished_at.is_some().then_some(state)
    }
}

/// Which syncs are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SyncKey {
    namespace: String,
    name: String,
    project: String,
    server: String,
    phase: String,
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Syncs {
    count: f64,
    seconds: f64,
}

/// The metrics of Argo CD.
#[derive(Clone, Debug)]
pub struct ArgoCdExporter {
    apps: Informer<App>,
    syncs: Arc<RwLock<BTreeMap<SyncKey, Syncs>>>,
}

impl ArgoCdExporter {
    /// Starts to watch Applications.
    pub fn start(runtime: &Runtime) -> Self {
        let apps = runtime.informer_with(argo("Application"), App::slim);
        let syncs: Arc<RwLock<BTreeMap<SyncKey, Syncs>>> = Arc::default();
        let counted = Arc::clone(&syncs);
        apps.on_change(move |change| {
            let mut syncs = counted.write().unwrap_or_else(PoisonError::into_inner);
            note(change, &mut syncs);
        });
        Self { apps, syncs }
    }

    /// Returns all metrics as text.
    pub fn metrics(&self) -> String {
        let mut page = Page::default();
        self.write_info(&mut page);
        self.write_syncs(&mut page);
        page.into_text()
    }

    fn write_info(&self, page: &mut Page) {
        page.family(
            "argocd_app_info",
            Metric::Gauge,
            "Information about application.",
        );
        for app in self.apps.all() {
            let automatic = if app.is_automatic() { "true" } else { "false" };
            let is_deleted = app.metadata.deletion_timestamp.is_some();
            let operation = match (is_deleted, app.operation.is_some()) {
                (true, _) => "delete",
                (false, true) => "sync",
                (false, false) => "",
            };
            let or_unknown = |word: &str| if word.is_empty() { "Unknown" } else { word }.to_owned();
            let labels = [
                ("namespace", app.namespace()),
                ("name", app.name()),
                ("project", app.project()),
                ("autosync_enabled", automatic),
                ("repo", app.repository()),
                ("dest_server", app.server()),
                ("dest_namespace", &app.spec.destination.namespace),
                ("sync_status", &or_unknown(&app.status.sync.status)),
                ("health_status", &or_unknown(&app.status.health.status)),
                ("operation", operation),
            ];
            page.sample("argocd_app_info", &labels, 1.0);
        }
    }

    fn write_syncs(&self, page: &mut Page) {
        let syncs = self.syncs.read().unwrap_or_else(PoisonError::into_inner);
        let families: [(&str, &str, Reading); 2] = [
            (
                "argocd_app_sync_total",
                "Number of application syncs.",
                |syncs| syncs.count,
            ),
            (
                "argocd_app_sync_duration_seconds_total",
                "Application sync performance in seconds total.",
                |syncs| syncs.seconds,
            ),
        ];
        for (name, help, value) in families {
            page.family(name, Metric::Counter, help);
            for (key, syncs) in &*syncs {
                let dry_run = if key.dry_run { "true" } else { "false" };
                let labels = [
                    ("namespace", key.namespace.as_str()),
                    ("name", &key.name),
                    ("project", &key.project),
                    ("dest_server", &key.server),
                    ("phase", &key.phase),
                    ("dry_run", dry_run),
                ];
                page.sample(name, &labels, value(syncs));
            }
        }
    }
}

/// Reads the value of a family from what was counted.
type Reading = fn(&Syncs) -> f64;

/// Counts an operation that has ended since the object was last seen.
fn note(change: &Change<App>, syncs: &mut BTreeMap<SyncKey, Syncs>) {
    let Some(app) = &change.new else {
        if let Some(gone) = &change.old {
            let is_of =
                |key: &SyncKey| key.namespace == gone.namespace() && key.name == gone.name();
            syncs.retain(|key, _| !is_of(key));
        }
        return;
    };
    let Some(ended) = app.ended() else {
        return;
    };
    let before = change.old.as_ref().and_then(|old| old.ended());
    if before.is_some_and(|before| before.finished_at == ended.finished_at) {
        return;
    }
    let sync = ended.operation.sync.as_ref();
    let key = SyncKey {
        namespace: app.namespace().to_owned(),
        name: app.name().to_owned(),
        project: app.project().to_owned(),
        server: app.server().to_owned(),
        phase: ended.phase.clone(),
        dry_run: sync.is_some_and(|sync| sync.dry_run),
    };
    let entry = syncs.entry(key).or_default();
    entry.count += 1.0;
    entry.seconds += seconds_of(ended);
}

fn seconds_of(state: &OperationState) -> f64 {
    let time = |text: Option<&String>| DateTime::parse_from_rfc3339(text?).ok();
    let (started, finished) = (state.started_at.as_ref(), state.finished_at.as_ref());
    match (time(started), time(finished)) {
        (Some(from), Some(to)) => (to - from).num_milliseconds().max(0) as f64 / 1_000.0,
        (_, None) | (None, Some(_)) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[allow(clippy::needless_pass_by_value, reason = "reads better at the call")]
    fn app(state: Value) -> Arc<App> {
        let app = json!({
            "metadata": {"name": "web", "namespace": "argocd"},
            "spec": {"project": "shop", "destination": {"server": "https://k"}},
            "status": {"operationState": state},
        });
        Arc::new(serde_json::from_value(app).expect("an Application"))
    }

    #[test]
    fn a_sync_is_counted_once_when_it_has_ended() {
        let running = app(json!({"phase": "Running", "startedAt": "2026-01-01T00:00:00Z"}));
        let ended = app(
            json!({"phase": "Succeeded", "startedAt": "2026-01-01T00:00:00Z",
            "finishedAt": "2026-01-01T00:00:03Z", "operation": {"sync": {"dryRun": true}}}),
        );
        let mut syncs = BTreeMap::new();
        let mut seen = |old: &Arc<App>, new: &Arc<App>| {
            let change = Change {
                old: Some(old.clone()),
                new: Some(new.clone()),
            };
            note(&change, &mut syncs);
        };

        seen(&running, &running);
        seen(&running, &ended);
        seen(&ended, &ended);

        let all: Vec<_> = syncs.iter().collect();
        assert_eq!(all.len(), 1);
        let (key, counted) = all.first().expect("one");
        assert_eq!((key.phase.as_str(), key.dry_run), ("Succeeded", true));
        assert!((counted.count - 1.0).abs() < 1e-9 && (counted.seconds - 3.0).abs() < 1e-9);
    }
}
