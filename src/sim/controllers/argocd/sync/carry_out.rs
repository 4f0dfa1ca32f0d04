//! What a pass does to the cluster: applies, prunes, and takes hooks away.

use super::{Pass, Ran, release};
use crate::sim::controllers::argocd::apply::{self, How};
use crate::sim::controllers::argocd::cluster::{Refusal, Run};
use crate::sim::controllers::argocd::compare::Applied;
use crate::sim::controllers::argocd::hooks::DeletePolicy;
use crate::sim::controllers::argocd::json;
use crate::sim::controllers::argocd::key::{is_crd, is_deleting};
use crate::sim::controllers::argocd::options;
use crate::sim::controllers::argocd::tasks::Task;
use crate::sim::controllers::argocd::thing::Thing;
use crate::sim::controllers::argocd::verdict::applied_by;
use serde_json::Value;
use std::sync::Arc;

impl Pass<'_> {
    pub(super) async fn apply_all(&mut self, tasks: &mut [&mut Task], run: Run) -> Ran {
        let run = if self.request.dry_run { Run::Dry } else { run };
        if let Some(message) = self.unconfirmed(tasks) {
            self.end("Running", message);
            return Ran::Waits;
        }
        let mut ran = Ran::Well;
        for task in tasks.iter_mut().filter(|task| task.is_prune()) {
            if !self.prune(task, run).await {
                ran = Ran::Badly;
            }
        }
        if ran == Ran::Well && run == Run::Wet {
            ran = self.clear_old_hooks(tasks).await;
        }
        if ran != Ran::Well {
            return ran;
        }
        // A failed kind stops nothing of its own kind, and everything after it.
        let mut failed_kind: Option<Arc<str>> = None;
        for task in tasks.iter_mut().filter(|task| !task.is_prune()) {
            if run == Run::Dry && task.skip_dry_run {
                continue;
            }
            if failed_kind
                .as_ref()
                .is_some_and(|kind| *kind != task.key.kind)
                && run == Run::Wet
            {
                break;
            }
            if !self.apply_one(task, run).await {
                failed_kind = Some(Arc::clone(&task.key.kind));
            }
        }
        if failed_kind.is_some() {
            Ran::Badly
        } else {
            Ran::Well
        }
    }

    /// The message for prunes that nobody confirmed yet.
    fn unconfirmed(&self, tasks: &[&mut Task]) -> Option<String> {
        if self.request.prune_confirmed || !self.request.prune {
            return None;
        }
        let waiting: Vec<String> = tasks
            .iter()
            .filter(|task| task.is_prune() && options::object_has(task.object(), "Prune=confirm"))
            .map(|task| {
                format!(
                    "{}/{}/{}",
                    json::text(task.object(), &["apiVersion"]),
                    task.key.kind,
                    task.key.name
                )
            })
            .collect();
        let first = waiting.first()?;
        Some(match waiting.len() {
            1 => format!("waiting for pruning confirmation of {first}"),
            more => format!(
                "waiting for pruning confirmation of {first} and {} more resources",
                more - 1
            ),
        })
    }

    async fn prune(&mut self, task: &mut Task, run: Run) -> bool {
        let (status, state, message) = if !self.request.prune {
            (
                "PruneSkipped",
                "Succeeded",
                "ignored (requires pruning)".to_owned(),
            )
        } else if options::object_has(task.object(), "Prune=false") {
            ("PruneSkipped", "Succeeded", "ignored (no prune)".to_owned())
        } else if run == Run::Dry {
            ("Pruned", "Succeeded", "pruned (dry run)".to_owned())
        } else {
            match self.delete(task).await {
                Ok(()) => ("Pruned", "Succeeded", "pruned".to_owned()),
                Err(refusal) => ("SyncFailed", "Failed", refusal.message),
            }
        };
        if run == Run::Wet || self.request.dry_run || status == "SyncFailed" {
            task.record(&mut self.state.results, status, state, &message);
        }
        status != "SyncFailed"
    }

    /// Hooks of an earlier sync go before they are made again.
    async fn clear_old_hooks(&mut self, tasks: &mut [&mut Task]) -> Ran {
        let mut ran = Ran::Well;
        let mut deleted = Vec::new();
        for task in tasks
            .iter_mut()
            .filter(|task| task.deletes_on(DeletePolicy::BeforeHookCreation))
        {
            self.release(task).await;
            match self.delete(task).await {
                Ok(()) => deleted.push(task.path()),
                Err(refusal) => {
                    let message = format!("failed to delete resource: {refusal}");
                    task.record(&mut self.state.results, "", "Error", &message);
                    ran = Ran::Badly;
                }
            }
        }
        if ran == Ran::Well
            && let Some(first) = deleted.first()
        {
            let more = match deleted.len() {
                1 => String::new(),
                several => format!(" and {} more hooks", several - 1),
            };
            self.end(
                "Running",
                format!("waiting for deletion of hook {first}{more}"),
            );
            return Ran::Waits;
        }
        ran
    }

    async fn apply_one(&mut self, task: &mut Task, run: Run) -> bool {
        let Some(target) = task.target.clone() else {
            return true;
        };
        let live = match self.live_of(task).await {
            Ok(live) => live,
            Err(refusal) => {
                task.record(
                    &mut self.state.results,
                    "SyncFailed",
                    "Failed",
                    &refusal.message,
                );
                return false;
            }
        };
        let how = self.how(&target, run);
        match apply::apply(self.place.cluster, &target, live.as_deref(), how, run).await {
            Ok(outcome) => {
                if let Some(stored) = outcome.stored {
                    if is_crd(&target)
                        && let Err(refusal) = self.place.cluster.discover().await
                    {
                        tracing::debug!("cannot list kinds after a CRD was applied: {refusal}");
                    }
                    self.place.world.put(&Thing::new(stored));
                }
                if run == Run::Wet {
                    let status = if task.hook { "" } else { "Synced" };
                    task.record(&mut self.state.results, status, "Running", &outcome.message);
                } else if self.request.dry_run {
                    task.record(
                        &mut self.state.results,
                        "Synced",
                        "Succeeded",
                        &outcome.message,
                    );
                }
                true
            }
            Err(refusal) => {
                task.record(
                    &mut self.state.results,
                    "SyncFailed",
                    "Failed",
                    &refusal.message,
                );
                false
            }
        }
    }

    fn how(&self, target: &Value, run: Run) -> How {
        let options = &self.request.options;
        let either = |entry: &str| options.has(entry) || options::object_has(target, entry);
        How {
            force: self.request.force || either("Force=true"),
            replace: either("Replace=true"),
            server_side: run == Run::Wet && applied_by(target, options) == Applied::Server,
            validate: !either("Validate=false"),
            ignores: self.request.ignores.clone(),
        }
    }

    /// The whole live object: small copies of untracked ones are read again.
    async fn live_of(&self, task: &Task) -> Result<Option<Arc<Value>>, Refusal> {
        match self.place.world.get(&task.key) {
            Some(live) if live.whole => Ok(Some(live.body)),
            Some(_) => Ok(self.place.cluster.read(&task.key).await?.map(Arc::new)),
            None if task.key.is("", "Namespace") => Ok(task.live.clone()),
            None => Ok(None),
        }
    }

    pub(super) async fn delete(&self, task: &Task) -> Result<(), Refusal> {
        if task.live.as_deref().is_some_and(is_deleting) {
            return Ok(());
        }
        self.place
            .cluster
            .delete(&task.key, self.request.propagation.word())
            .await
    }

    pub(super) async fn delete_hooks(&mut self, tasks: &[Task], policy: DeletePolicy) {
        for task in tasks.iter().filter(|task| task.deletes_on(policy)) {
            self.release(task).await;
            if let Err(refusal) = self.delete(task).await {
                let message = format!("failed to delete resource: {refusal}");
                task.clone()
                    .record(&mut self.state.results, "", "Error", &message);
            }
        }
    }

    /// Takes our finalizer off a hook.
    pub(super) async fn release(&self, task: &Task) {
        release(self.place, &task.key).await;
    }
}
