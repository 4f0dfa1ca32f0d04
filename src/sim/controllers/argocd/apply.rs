//! Bringing one object to its target: what `kubectl apply`, `replace` and server-side apply do.
//!
//! Messages are kubectl's (`deployment.apps/web configured`), because they show up in operation
//! results. Dry runs check a manifest before anything is changed; what only the order of the
//! sync explains (a namespace that comes first) is not held against it.

use super::cluster::{Cluster, PatchKind, Refusal, Run};
use super::compare::MANAGER;
use super::ignore::Ignores;
use super::key::{Key, is_crd, kind_of};
use super::threeway::{self, Lists};
use super::{json, normal};
use serde_json::Value;
use std::sync::Arc;

/// Conflicts with other writers are settled by reading again, this often.
const TRIES: usize = 5;

/// How an object is to be applied.
#[derive(Clone, Debug, Default)]
pub struct How {
    /// Delete and create again what cannot be changed in place.
    pub force: bool,
    pub replace: bool,
    pub server_side: bool,
    pub validate: bool,
    /// With `RespectIgnoreDifferences`: parts that stay as they are on a live object.
    pub ignores: Option<Arc<Ignores>>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub message: String,
    /// The object as the server stored it; absent after a dry run or when nothing changed.
    pub stored: Option<Value>,
}

/// Applies a target over the live object.
pub async fn apply(
    cluster: &Cluster,
    target: &Value,
    live: Option<&Value>,
    how: How,
    run: Run,
) -> Result<Outcome, Refusal> {
    let mut target = target.clone();
    normal::settle(&mut target);
    if let (Some(ignores), Some(live)) = (&how.ignores, live) {
        ignores.remove(&Key::of(&target), live, &mut target);
    }
    let job = Job {
        cluster,
        key: Key::of(&target),
        target,
        how,
        run,
    };
    if run == Run::Dry {
        return job.rehearse(live).await;
    }
    if job.how.replace {
        return job.replace(live).await;
    }
    if job.how.server_side {
        return job.server_side().await;
    }
    match job.merge(live).await {
        Err(refusal) if job.how.force && is_immutable(&refusal) => job.recreate().await,
        outcome => outcome,
    }
}

/// Returns whether a change was refused because a field cannot be changed in place.
fn is_immutable(refusal: &Refusal) -> bool {
    refusal.code == 422 && refusal.message.contains("immutable")
}

struct Job<'a> {
    cluster: &'a Cluster,
    key: Key,
    target: Value,
    how: How,
    run: Run,
}

impl Job<'_> {
    fn said(&self, verb: &str) -> String {
        let kind = self.key.kind.to_lowercase();
        if self.key.group.is_empty() {
            format!("{kind}/{} {verb}", self.key.name)
        } else {
            format!("{kind}.{}/{} {verb}", self.key.group, self.key.name)
        }
    }

    fn done(&self, verb: &str, stored: Value) -> Outcome {
        Outcome {
            message: self.said(verb),
            stored: (self.run == Run::Wet).then_some(stored),
        }
    }

    /// The target with the annotation that the next three-way merge needs.
    fn annotated(&self) -> Value {
        let mut target = self.target.clone();
        let manifest = self.target.to_string();
        json::put(
            &mut target,
            &["metadata", "annotations", normal::LAST_APPLIED],
            Value::String(format!("{manifest}\n")),
        );
        target
    }

    async fn create(&self) -> Result<Outcome, Refusal> {
        let object = if self.how.server_side || self.how.replace {
            self.target.clone()
        } else {
            self.annotated()
        };
        let stored = self
            .cluster
            .create(&self.key, &object, self.run, self.how.validate)
            .await?;
        Ok(self.done("created", stored))
    }

    async fn merge(&self, live: Option<&Value>) -> Result<Outcome, Refusal> {
        let Some(live) = live else {
            return match self.create().await {
                Err(refusal) if refusal.is_conflict() => self.merge_current().await,
                outcome => outcome,
            };
        };
        match self.merge_into(live).await {
            Err(refusal) if refusal.is_conflict() => self.merge_current().await,
            Err(refusal)
                if refusal.is_not_found() && !refusal.message.contains("could not find") =>
            {
                self.create().await
            }
            outcome => outcome,
        }
    }

    async fn merge_current(&self) -> Result<Outcome, Refusal> {
        for _ in 1..TRIES {
            let Some(live) = self.cluster.read(&self.key).await? else {
                return self.create().await;
            };
            match self.merge_into(&live).await {
                Err(refusal) if refusal.is_conflict() => {}
                outcome => return outcome,
            }
        }
        let live = self.cluster.read(&self.key).await?;
        self.merge_into(live.as_ref().unwrap_or(&Value::Null)).await
    }

    async fn merge_into(&self, live: &Value) -> Result<Outcome, Refusal> {
        let mut last = normal::last_applied(live);
        if let (Some(ignores), Some(last)) = (&self.how.ignores, &mut last) {
            // What is to stay must not look like something that git dropped.
            ignores.remove(&self.key, live, last);
        }
        let mut wanted = threeway::predict(last.as_ref(), &self.target, live, Lists::Replace);
        if !self.how.server_side {
            json::put(
                &mut wanted,
                &["metadata", "annotations", normal::LAST_APPLIED],
                Value::String(format!("{}\n", self.target)),
            );
        }
        let Some(mut patch) = json::merge_patch(live, &wanted) else {
            return Ok(Outcome {
                message: self.said("unchanged"),
                stored: None,
            });
        };
        // The patch replaces lists whole, so it must not meet another object than the one read.
        let version = json::text(live, &["metadata", "resourceVersion"]);
        if !version.is_empty() {
            json::put(&mut patch, &["metadata", "resourceVersion"], version.into());
        }
        // Reading an object through another version of its API is no change of it.
        json::remove(&mut patch, &["apiVersion"]);
        let stored = self
            .cluster
            .patch(&self.key, &patch, PatchKind::Merge, self.run)
            .await?;
        Ok(self.done("configured", stored))
    }

    async fn server_side(&self) -> Result<Outcome, Refusal> {
        let stored = self
            .cluster
            .patch(&self.key, &self.target, PatchKind::Apply, self.run)
            .await?;
        Ok(self.done("serverside-applied", stored))
    }

    async fn replace(&self, live: Option<&Value>) -> Result<Outcome, Refusal> {
        let Some(live) = live else {
            return self.create().await;
        };
        let mut object = self.target.clone();
        let version = json::text(live, &["metadata", "resourceVersion"]);
        json::put(
            &mut object,
            &["metadata", "resourceVersion"],
            version.into(),
        );
        match self.cluster.replace(&self.key, &object, self.run).await {
            Ok(stored) if is_crd(&self.target) || kind_of(&self.target) == "Namespace" => {
                Ok(Outcome {
                    message: format!("{}/{} updated", self.key.kind, self.key.name),
                    stored: Some(stored),
                })
            }
            Ok(stored) => Ok(self.done("replaced", stored)),
            Err(refusal) if refusal.is_conflict() => {
                json::remove(&mut object, &["metadata", "resourceVersion"]);
                let current = self.cluster.read(&self.key).await?.unwrap_or_default();
                let version = json::text(&current, &["metadata", "resourceVersion"]);
                json::put(
                    &mut object,
                    &["metadata", "resourceVersion"],
                    version.into(),
                );
                let stored = self.cluster.replace(&self.key, &object, self.run).await?;
                Ok(self.done("replaced", stored))
            }
            Err(refusal) if self.how.force && is_immutable(&refusal) => self.recreate().await,
            Err(refusal) => Err(refusal),
        }
    }

    async fn recreate(&self) -> Result<Outcome, Refusal> {
        self.cluster.delete(&self.key, "Background").await?;
        match self.create().await {
            Ok(outcome) => Ok(outcome),
            Err(refusal) if refusal.is_conflict() => Err(Refusal {
                message: format!("{}: the old object is still being deleted", refusal.message),
                ..refusal
            }),
            Err(refusal) => Err(refusal),
        }
    }

    async fn rehearse(&self, live: Option<&Value>) -> Result<Outcome, Refusal> {
        let outcome = match live {
            None => self.create().await,
            Some(live) => self.merge_into(live).await,
        };
        match outcome {
            Err(refusal) if is_excused(&refusal) => Ok(Outcome {
                message: format!("{} (dry run)", self.said("created")),
                stored: None,
            }),
            Err(refusal) => Err(refusal),
            Ok(outcome) => Ok(Outcome {
                message: format!("{} (dry run)", outcome.message),
                stored: None,
            }),
        }
    }
}

/// Upstream rehearses on the client, where these do not show.
fn is_excused(refusal: &Refusal) -> bool {
    let message = &refusal.message;
    refusal.is_conflict()
        || is_immutable(refusal)
        || (refusal.is_not_found() && message.contains("namespaces"))
        || (refusal.code == 403 && message.contains("being terminated"))
}

/// Returns the patch that gives a namespace the metadata an Application manages.
pub fn namespace_manifest(name: &str, managed: Option<&Value>) -> Value {
    let mut object =
        serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    for part in ["labels", "annotations"] {
        if let Some(map) = managed
            .and_then(|managed| managed.get(part))
            .filter(|map| map.is_object())
        {
            json::put(&mut object, &["metadata", part], map.clone());
        }
    }
    object
}

/// The field manager of everything applied here.
pub const FIELD_MANAGER: &str = MANAGER;
