//! Deleting an Application: hooks before, its objects wave by wave, hooks after.
//!
//! What happens is told by finalizers (Argo CD `finalizeApplicationDeletion` and
//! `controller/sort_delete.go`); each is taken off when its part is done.

use super::application::{App, DELETION_APPROVED};
use super::controller::Argo;
use super::hooks::{self, DeletePolicy, HookType};
use super::key::{Key, annotation, is_crd, is_deleting};
use super::options;
use super::sync::{self, Place};
use super::tasks::hook_task;
use super::thing::Thing;
use super::waves::wave_of;
use super::{apply, json};
use crate::domain::health::health_of;
use crate::domain::status::Health;
use crate::sim::controllers::argocd::cluster::Run;
use crate::sim::controllers::runtime::ReconcileError;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json as make};
use std::sync::Arc;

const RESOURCES: &str = "resources-finalizer.argocd.argoproj.io";
const BACKGROUND: &str = "resources-finalizer.argocd.argoproj.io/background";
const FOREGROUND: &str = "resources-finalizer.argocd.argoproj.io/foreground";
const PRE_DELETE: &str = "pre-delete-finalizer.argocd.argoproj.io";
const POST_DELETE: &str = "post-delete-finalizer.argocd.argoproj.io";
const PRE_CLEANUP: &str = "pre-delete-finalizer.argocd.argoproj.io/cleanup";
const POST_CLEANUP: &str = "post-delete-finalizer.argocd.argoproj.io/cleanup";
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(5);

/// What comes next of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Hooks(HookType, &'static str),
    Cleanup(HookType, &'static str),
    Background,
    Foreground,
}

/// Returns the stage that the finalizers left over ask for.
fn stage_of(finalizers: &[&str]) -> Option<Stage> {
    let stages = [
        (PRE_DELETE, Stage::Hooks(HookType::PreDelete, PRE_DELETE)),
        (
            PRE_CLEANUP,
            Stage::Cleanup(HookType::PreDelete, PRE_CLEANUP),
        ),
        (BACKGROUND, Stage::Background),
        (RESOURCES, Stage::Foreground),
        (FOREGROUND, Stage::Foreground),
        (POST_DELETE, Stage::Hooks(HookType::PostDelete, POST_DELETE)),
        (
            POST_CLEANUP,
            Stage::Cleanup(HookType::PostDelete, POST_CLEANUP),
        ),
    ];
    let mut stages = stages.into_iter();
    stages
        .find(|(finalizer, _)| finalizers.contains(finalizer))
        .map(|(_, stage)| stage)
}

fn is_ours(finalizer: &str) -> bool {
    [PRE_DELETE, RESOURCES, POST_DELETE]
        .iter()
        .any(|ours| finalizer.starts_with(ours))
}

/// How far a part of a deletion is.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Done,
    Waiting,
    Failed(String),
}

impl Argo {
    /// Goes on with a deletion; returns when to look again.
    pub(super) async fn finalize(
        &self,
        app: &App,
    ) -> Result<Option<DateTime<Utc>>, ReconcileError> {
        let finalizers = app.finalizers();
        let (ours, part) = if super::reconcile::destination_problem(app).is_some() {
            // Without a valid destination there is nothing that could be cleaned up.
            let ours = finalizers
                .iter()
                .copied()
                .filter(|one| is_ours(one))
                .collect();
            (ours, Part::Done)
        } else {
            let Some(stage) = stage_of(&finalizers) else {
                return Ok(None);
            };
            self.run_stage(app, stage).await
        };
        let kept: Vec<&str> = finalizers
            .iter()
            .copied()
            .filter(|one| !ours.contains(one))
            .collect();
        match part {
            Part::Done if kept.len() < finalizers.len() => {
                let version = json::text(&app.0, &["metadata", "resourceVersion"]);
                let patch = make!({"metadata": {"resourceVersion": version, "finalizers": kept}});
                self.write(app, &patch).await?;
                Ok(Some(self.now()))
            }
            Part::Done => Ok(None),
            Part::Waiting => Ok(Some(self.now() + LOOK_AGAIN)),
            Part::Failed(message) => {
                self.report_failure(app, &message).await?;
                Ok(Some(self.now() + LOOK_AGAIN))
            }
        }
    }

    async fn run_stage(&self, app: &App, stage: Stage) -> (Vec<&'static str>, Part) {
        match stage {
            Stage::Hooks(phase, finalizer) => (vec![finalizer], self.run_hooks(app, phase).await),
            Stage::Cleanup(phase, finalizer) => {
                (vec![finalizer], self.clean_hooks(app, phase).await)
            }
            Stage::Background => (
                vec![BACKGROUND],
                self.delete_objects(app, "Background").await,
            ),
            Stage::Foreground => (
                vec![RESOURCES, FOREGROUND],
                self.delete_objects(app, "Foreground").await,
            ),
        }
    }

    async fn report_failure(&self, app: &App, message: &str) -> Result<(), ReconcileError> {
        let mut conditions = json::items(app.status(), &["conditions"]).to_vec();
        let known = conditions.iter().any(|one| {
            json::text(one, &["type"]) == "DeletionError"
                && json::text(one, &["message"]) == message
        });
        if known {
            return Ok(());
        }
        conditions.retain(|one| json::text(one, &["type"]) != "DeletionError");
        conditions.push(make!({"type": "DeletionError", "message": message,
            "lastTransitionTime": super::application::stamp(self.now())}));
        self.write(app, &make!({"status": {"conditions": conditions}}))
            .await?;
        Ok(())
    }

    /// Deletes what is left, the highest wave first.
    async fn delete_objects(&self, app: &App, propagation: &str) -> Part {
        let instance = app.name().instance();
        let live = self.live(app, &instance, &[]).await;
        let left: Vec<(&Key, &Arc<Value>)> =
            live.iter().filter(|(_, object)| goes(object)).collect();
        let Some(wave) = left.iter().map(|(_, object)| wave_of(object)).max() else {
            return Part::Done;
        };
        let approved = annotation(&app.0, DELETION_APPROVED)
            .parse::<DateTime<Utc>>()
            .is_ok_and(|at| app.deleted_at().is_none_or(|deleted| at >= deleted));
        let unconfirmed =
            |object: &Value| options::object_has(object, "Delete=confirm") && !approved;
        if left.iter().any(|(_, object)| unconfirmed(object)) {
            return Part::Waiting;
        }
        for (key, object) in left
            .into_iter()
            .filter(|(_, object)| wave_of(object) == wave)
        {
            if hooks::is_hook(object) {
                sync::release(&self.place(app, &Value::Null), key).await;
            }
            if is_deleting(object) {
                continue;
            }
            if let Err(refusal) = self.0.cluster.delete(key, propagation).await {
                return Part::Failed(format!("cannot delete {key}: {refusal}"));
            }
        }
        Part::Waiting
    }

    fn place<'a>(&'a self, app: &'a App, project: &'a Value) -> Place<'a> {
        Place {
            cluster: &self.0.cluster,
            world: &self.0.world,
            project,
            namespace: app.destination_namespace(),
            managed_namespace: None,
        }
    }

    /// The hooks of a kind that the Application's manifests hold.
    async fn deletion_hooks(
        &self,
        app: &App,
        phase: HookType,
    ) -> Result<Vec<(Key, Arc<Value>)>, String> {
        let loaded = self.load(app, &app.sources(), &[]).await?;
        let (compared, _) = self
            .compare_loaded(app, Ok(loaded), self.memo(&app.name()))
            .await;
        let of_phase = compared
            .hooks
            .iter()
            .filter(|hook| hooks::types_of(&hook.object).contains(&phase))
            .map(|hook| {
                let started = app.deleted_at().unwrap_or_default().timestamp();
                let revision = compared.revisions.first().map_or("", String::as_str);
                let task = hook_task(&hook.object, &hook.key, phase, (revision, started));
                (task.key, task.target.unwrap_or_default())
            });
        Ok(of_phase.collect())
    }

    /// Runs hooks, lowest wave first, until all have succeeded.
    async fn run_hooks(&self, app: &App, phase: HookType) -> Part {
        let mut hooks = match self.deletion_hooks(app, phase).await {
            Ok(hooks) => hooks,
            Err(message) => return Part::Failed(message),
        };
        hooks.sort_by_key(|(_, object)| wave_of(object));
        for (key, object) in &hooks {
            if !self.watch(&key.group, &key.kind).await {
                return Part::Failed(super::cluster::unknown_kind(key).message);
            }
            let Some(live) = self.0.world.get(key) else {
                let how = apply::How {
                    validate: true,
                    ..apply::How::default()
                };
                return match apply::apply(&self.0.cluster, object, None, how, Run::Wet).await {
                    Ok(outcome) => {
                        if let Some(stored) = outcome.stored {
                            self.0.world.put(&Thing::new(stored));
                        }
                        Part::Waiting
                    }
                    Err(refusal) => Part::Failed(format!(
                        "cannot create {} hook {key}: {refusal}",
                        phase.word()
                    )),
                };
            };
            match health_of(&*live.body).map(|verdict| (verdict.health, verdict.message)) {
                None | Some((Health::Healthy, _)) => {}
                Some((Health::Degraded | Health::Unknown, message)) => {
                    return Part::Failed(format!("{} hook {key} failed: {message}", phase.word()));
                }
                Some((Health::Progressing | Health::Suspended | Health::Missing, _)) => {
                    return Part::Waiting;
                }
            }
        }
        Part::Done
    }

    /// Deletes hooks that succeeded, as their policies say.
    async fn clean_hooks(&self, app: &App, phase: HookType) -> Part {
        let Ok(hooks) = self.deletion_hooks(app, phase).await else {
            return Part::Done;
        };
        for (key, object) in &hooks {
            sync::release(&self.place(app, &Value::Null), key).await;
            let goes = hooks::delete_policies(object).contains(&DeletePolicy::HookSucceeded);
            if goes && let Err(refusal) = self.0.cluster.delete(key, "Foreground").await {
                return Part::Failed(format!("cannot delete {key}: {refusal}"));
            }
        }
        Part::Done
    }

    /// Adds the finalizers that hooks around a deletion need.
    pub(super) async fn guard(&self, app: &App, types: &[HookType]) -> Result<(), ReconcileError> {
        let mut finalizers: Vec<String> = app.finalizers().into_iter().map(str::to_owned).collect();
        let before = finalizers.len();
        for (phase, finalizer, cleanup) in [
            (HookType::PreDelete, PRE_DELETE, PRE_CLEANUP),
            (HookType::PostDelete, POST_DELETE, POST_CLEANUP),
        ] {
            let known = finalizers.iter().any(|one| one.starts_with(finalizer));
            if types.contains(&phase) && !known {
                finalizers.push(finalizer.to_owned());
                finalizers.push(cleanup.to_owned());
            }
        }
        if finalizers.len() == before {
            return Ok(());
        }
        let version = json::text(&app.0, &["metadata", "resourceVersion"]);
        let patch = make!({"metadata": {"resourceVersion": version, "finalizers": finalizers}});
        self.write(app, &patch).await?;
        Ok(())
    }
}

/// Returns whether a cascade deletes an object.
fn goes(object: &Value) -> bool {
    !is_crd(object)
        && !options::object_has(object, "Delete=false")
        && annotation(object, "helm.sh/resource-policy") != "keep"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cascade_spares_what_asks_to_be_kept() {
        let annotated = |name: &str, value: &str| make!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"annotations": {name: value}}});

        assert!(goes(&annotated("x", "y")));
        assert!(!goes(&annotated(options::SYNC_OPTIONS, "Delete=false")));
        assert!(!goes(&annotated("helm.sh/resource-policy", "keep")));
        assert!(!goes(
            &make!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"})
        ));
    }
}
