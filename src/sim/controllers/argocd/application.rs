//! An Application object as the controller reads it.
//!
//! Keeps the whole wire object; every absent field is settled by a method here.

use super::json;
use super::options::SyncOptions;
use super::tracking;
use chrono::{DateTime, Utc};
use serde_json::{Value, json as make};
use std::sync::Arc;

/// Namespace of the control plane: Applications here have short instance names.
pub const CONTROL_NAMESPACE: &str = "argocd";
/// Annotation that asks for a new comparison.
pub const REFRESH: &str = "argocd.argoproj.io/refresh";
/// Annotation that keeps the controller's hands off.
pub const SKIP_RECONCILE: &str = "argocd.argoproj.io/skip-reconcile";
/// Annotation that approves deletions and prunes that need confirmation.
pub const DELETION_APPROVED: &str = "argocd.argoproj.io/deletion-approved";

/// Namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppName {
    pub namespace: Arc<str>,
    pub name: Arc<str>,
}

impl AppName {
    /// Builds a name from its parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Returns how tracking ids call this Application.
    pub fn instance(&self) -> String {
        tracking::instance_name(&self.namespace, &self.name, CONTROL_NAMESPACE)
    }
}

/// `spec.syncPolicy.automated`, settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Automated {
    pub on: bool,
    pub prune: bool,
    pub self_heal: bool,
    pub allow_empty: bool,
}

/// A wire object with readers.
#[derive(Clone, Debug)]
pub struct App(pub Arc<Value>);

impl App {
    /// Returns namespace and name.
    pub fn name(&self) -> AppName {
        AppName::new(
            json::text(&self.0, &["metadata", "namespace"]),
            json::text(&self.0, &["metadata", "name"]),
        )
    }

    /// Returns `spec`.
    pub fn spec(&self) -> &Value {
        self.0.get("spec").unwrap_or(&Value::Null)
    }

    /// Returns `status`.
    pub fn status(&self) -> &Value {
        self.0.get("status").unwrap_or(&Value::Null)
    }

    /// Returns the project; `default` when the spec leaves it out.
    pub fn project(&self) -> &str {
        match json::text(self.spec(), &["project"]) {
            "" => "default",
            project => project,
        }
    }

    /// Returns whether revisions and sources are plural.
    pub fn is_multi_source(&self) -> bool {
        self.hydrated().is_none() && !json::items(self.spec(), &["sources"]).is_empty()
    }

    /// Returns the sources, the effective one first.
    pub fn sources(&self) -> Vec<Value> {
        if let Some(source) = self.hydrated() {
            return vec![source];
        }
        if self.is_multi_source() {
            return json::items(self.spec(), &["sources"]).to_vec();
        }
        self.spec().get("source").cloned().into_iter().collect()
    }

    /// The source that a hydrator writes to.
    fn hydrated(&self) -> Option<Value> {
        let hydrator = self
            .spec()
            .get("sourceHydrator")
            .filter(|one| !one.is_null())?;
        Some(make!({
            "repoURL": json::text(hydrator, &["drySource", "repoURL"]),
            "path": json::text(hydrator, &["syncSource", "path"]),
            "targetRevision": json::text(hydrator, &["syncSource", "targetBranch"]),
        }))
    }

    /// Returns the destination namespace.
    pub fn destination_namespace(&self) -> &str {
        json::text(self.spec(), &["destination", "namespace"])
    }

    /// Returns the settled `automated` policy.
    pub fn automated(&self) -> Automated {
        let policy =
            json::at(self.spec(), &["syncPolicy", "automated"]).filter(|one| !one.is_null());
        policy.map_or_else(Automated::default, |policy| Automated {
            on: policy
                .get("enabled")
                .and_then(Value::as_bool)
                .unwrap_or(true),
            prune: json::flag(policy, &["prune"]),
            self_heal: json::flag(policy, &["selfHeal"]),
            allow_empty: json::flag(policy, &["allowEmpty"]),
        })
    }

    /// Returns `spec.syncPolicy.syncOptions`.
    pub fn sync_options(&self) -> SyncOptions {
        SyncOptions::new(json::texts(self.spec(), &["syncPolicy", "syncOptions"]))
    }

    /// Returns the operation asked for, if there is one.
    pub fn operation(&self) -> Option<&Value> {
        self.0.get("operation").filter(|one| one.is_object())
    }

    /// Returns the state of the last or current operation.
    pub fn operation_state(&self) -> Option<&Value> {
        self.status()
            .get("operationState")
            .filter(|one| one.is_object())
    }

    /// Returns when deletion was asked for.
    pub fn deleted_at(&self) -> Option<DateTime<Utc>> {
        time(&self.0, &["metadata", "deletionTimestamp"])
    }

    /// Returns the finalizers.
    pub fn finalizers(&self) -> Vec<&str> {
        json::texts(&self.0, &["metadata", "finalizers"])
    }

    /// Returns the refresh that is asked for: `normal` or `hard`.
    pub fn refresh(&self) -> Option<&str> {
        match super::key::annotation(&self.0, REFRESH) {
            "" => None,
            "hard" => Some("hard"),
            _ => Some("normal"),
        }
    }

    /// Returns what a verdict was made for: `status.sync.comparedTo` of the present spec.
    pub fn compared_to(&self) -> Value {
        let mut compared = make!({"destination": self.spec().get("destination").cloned().unwrap_or_else(|| make!({}))});
        if self.is_multi_source() {
            compared["sources"] = Value::Array(self.sources());
        } else if let Some(source) = self.sources().into_iter().next() {
            compared["source"] = source;
        }
        let ignored = json::items(self.spec(), &["ignoreDifferences"]);
        if !ignored.is_empty() {
            compared["ignoreDifferences"] = Value::Array(ignored.to_vec());
        }
        compared
    }

    /// Returns how many history entries are kept.
    pub fn history_limit(&self) -> usize {
        json::integer(self.spec(), &["revisionHistoryLimit"])
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(10)
    }
}

/// Reads a timestamp.
pub fn time(value: &Value, path: &[&str]) -> Option<DateTime<Utc>> {
    json::text(value, path).parse().ok()
}

/// Writes a timestamp as the API does: whole seconds, `Z`.
pub fn stamp(time: DateTime<Utc>) -> Value {
    Value::String(time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::needless_pass_by_value, reason = "reads better at the call")]
    fn app(spec: Value) -> App {
        App(Arc::new(
            make!({"metadata": {"name": "a", "namespace": "argocd"}, "spec": spec}),
        ))
    }

    #[test]
    fn auto_sync_is_on_when_present_and_not_disabled() {
        let on = |automated: Value| {
            app(make!({"syncPolicy": {"automated": automated}}))
                .automated()
                .on
        };

        assert!(on(make!({})));
        assert!(on(make!({"enabled": true})));
        assert!(on(make!({"enabled": null})));
        assert!(!on(make!({"enabled": false})));
        assert!(!on(Value::Null));
    }

    #[test]
    fn one_entry_in_sources_is_already_multi_source() {
        let app = app(make!({"source": {"repoURL": "x"}, "sources": [{"repoURL": "y"}]}));

        assert!(app.is_multi_source());
        assert_eq!(app.sources(), [make!({"repoURL": "y"})]);
    }

    #[test]
    fn a_hydrated_source_wins() {
        let app = app(make!({"sources": [{"repoURL": "y"}], "sourceHydrator": {
            "drySource": {"repoURL": "x"}, "syncSource": {"targetBranch": "env", "path": "p"}}}));

        assert!(!app.is_multi_source());
        assert_eq!(
            app.sources(),
            [make!({"repoURL": "x", "path": "p", "targetRevision": "env"})]
        );
    }
}
