//! One pass of a sync: what can be done now is done, the rest waits for objects to become ready.
//!
//! The passes of an operation follow gitops-engine `pkg/sync/sync_context.go`: dry run of
//! everything, then phase by phase and wave by wave. Between passes all state is in the
//! operation's result.

mod carry_out;

use super::apply;
use super::cluster::{Cluster, Run, unknown_kind};
use super::hooks::{self, DeletePolicy, HookType};
use super::ignore::Ignores;
use super::key::{Key, is_crd, is_deleting};
use super::options::{self, Propagation, SyncOptions};
use super::tasks::{self, Task};
use super::thing::Thing;
use super::verdict::Compared;
use super::world::World;
use super::{json, project};
use crate::domain::health::{Verdict, health_of};
use crate::domain::status::Health;
use serde_json::Value;
use std::sync::Arc;

/// What an operation asks for.
#[derive(Clone, Debug)]
pub struct Request {
    pub dry_run: bool,
    pub prune: bool,
    pub force: bool,
    pub skip_hooks: bool,
    pub options: SyncOptions,
    pub propagation: Propagation,
    /// `None` for everything.
    pub selected: Option<Vec<Value>>,
    /// A person approved prunes that need it.
    pub prune_confirmed: bool,
    pub revision: String,
    /// When the operation began, in Unix seconds.
    pub started: i64,
    /// Parts of live objects to leave alone.
    pub ignores: Option<Arc<Ignores>>,
}

/// Where the sync happens.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    pub cluster: &'a Cluster,
    pub world: &'a World,
    pub project: &'a Value,
    pub namespace: &'a str,
    pub managed_namespace: Option<&'a Value>,
}

/// State of an operation after a pass.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Running, Succeeded, Failed or Error.
    pub phase: &'static str,
    pub message: String,
    pub results: Vec<Value>,
    /// A wave was applied: the next pass waits a moment.
    pub applied: bool,
}

/// How applying a group of tasks went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ran {
    Well,
    Waits,
    Badly,
}

struct Pass<'a> {
    request: &'a Request,
    place: &'a Place<'a>,
    state: State,
}

/// Runs one pass over an operation's tasks.
pub async fn run(
    request: &Request,
    place: &Place<'_>,
    compared: &Compared,
    results: Vec<Value>,
) -> State {
    let mut pass = Pass {
        request,
        place,
        state: State {
            phase: "Running",
            message: String::new(),
            results,
            applied: false,
        },
    };
    pass.go(compared).await;
    pass.state
}

/// Ends an operation: hooks that run are deleted.
pub async fn terminate(
    request: &Request,
    place: &Place<'_>,
    compared: &Compared,
    results: Vec<Value>,
) -> State {
    let mut pass = Pass {
        request,
        place,
        state: State {
            phase: "Failed",
            message: "Operation terminated".to_owned(),
            results,
            applied: false,
        },
    };
    let (mut tasks, _) = pass.tasks(compared).await;
    for task in tasks.iter_mut().filter(|task| task.hook) {
        let Some(live) = task.live.clone() else {
            continue;
        };
        pass.release(task).await;
        let (state, message) = hook_outcome(&live);
        if state == "Running" {
            match pass.delete(task).await {
                Ok(()) => task.record(&mut pass.state.results, "", "Succeeded", "Deleted"),
                Err(refusal) => {
                    let message = format!("Failed to delete: {refusal}");
                    task.record(&mut pass.state.results, "", "Failed", &message);
                    pass.end("Error", "Operation termination had errors");
                }
            }
        } else {
            task.record(&mut pass.state.results, "", state, &message);
        }
    }
    pass.state
}

impl Pass<'_> {
    fn end(&mut self, phase: &'static str, message: impl Into<String>) {
        self.state.phase = phase;
        self.state.message = message.into();
    }

    async fn go(&mut self, compared: &Compared) {
        let started = !self.state.results.is_empty();
        let (mut tasks, valid) = self.tasks(compared).await;
        if !valid {
            return self.end("Failed", "one or more synchronization tasks are not valid");
        }
        if !started {
            let mut rehearsed: Vec<&mut Task> =
                tasks.iter_mut().filter(|task| self.is_due(task)).collect();
            if self.apply_all(&mut rehearsed, Run::Dry).await == Ran::Badly {
                return self.end("Failed", "one or more objects failed to apply (dry run)");
            }
            if self.request.dry_run {
                return self.end("Succeeded", "successfully synced (dry run)");
            }
        }
        self.observe(&mut tasks);
        let multi = tasks::is_multi_step(&tasks);
        let running: Vec<&Task> = tasks
            .iter()
            .filter(|task| (multi || task.hook) && task.is_running())
            .collect();
        if !running.is_empty() {
            let message = waiting_for(&running);
            return self.end("Running", message);
        }
        let going: Vec<&Task> = tasks
            .iter()
            .filter(|task| task.status == "Pruned" && task.live.as_deref().is_some_and(is_deleting))
            .collect();
        if !going.is_empty() {
            let message = deletion_of(&going);
            return self.end("Running", message);
        }
        for task in tasks.iter().filter(|task| task.hook && task.is_completed()) {
            self.release(task).await;
        }
        self.step(tasks).await;
    }

    /// Runs the next wave, or ends the operation.
    async fn step(&mut self, tasks: Vec<Task>) {
        let finished: Vec<Task> = tasks
            .iter()
            .filter(|task| task.hook && !task.is_running() && !task.is_pending())
            .cloned()
            .collect();
        let (mut on_failure, mut tasks): (Vec<_>, Vec<_>) = tasks
            .into_iter()
            .partition(|task| task.phase == HookType::SyncFail);
        if tasks.iter().any(Task::is_failed) {
            self.delete_hooks(&finished, DeletePolicy::HookFailed).await;
            let why = reasons(
                &tasks,
                "one or more synchronization tasks completed unsuccessfully",
            );
            return self.fail(&mut on_failure, why).await;
        }
        tasks.retain(|task| task.is_pending() && self.is_due(task));
        let Some(first) = tasks.first().map(|task| (task.phase, task.wave)) else {
            self.delete_hooks(&finished, DeletePolicy::HookSucceeded)
                .await;
            return self.end("Succeeded", "successfully synced (no more tasks)");
        };
        let (mut now, later): (Vec<_>, Vec<_>) = tasks
            .into_iter()
            .partition(|task| (task.phase, task.wave) == first);
        let last = later.is_empty() && !now.iter().any(|task| task.hook);
        self.end("Running", "one or more tasks are running");
        let ran = {
            let mut group: Vec<&mut Task> = now.iter_mut().collect();
            self.apply_all(&mut group, Run::Wet).await
        };
        self.state.applied = !last;
        match ran {
            Ran::Badly => {
                self.delete_hooks(&finished, DeletePolicy::HookFailed).await;
                let why = reasons(&now, "one or more objects failed to apply");
                self.fail(&mut on_failure, why).await;
            }
            Ran::Well if last => {
                self.delete_hooks(&finished, DeletePolicy::HookSucceeded)
                    .await;
                self.end("Succeeded", "successfully synced (all tasks run)");
            }
            Ran::Well => {
                let remaining: Vec<&Task> =
                    now.iter().filter(|task| task.hook).chain(&later).collect();
                let message = waiting_for(&remaining);
                self.end("Running", message);
            }
            // The message says already what is waited for.
            Ran::Waits => {}
        }
    }

    /// Ends in failure, after the hooks that are for that case.
    async fn fail(&mut self, on_failure: &mut [Task], why: String) {
        if on_failure.iter().all(Task::is_completed) {
            return self.end("Failed", why);
        }
        if on_failure.iter().any(Task::is_running) {
            let message = waiting_for(&on_failure.iter().collect::<Vec<_>>());
            return self.end("Running", message);
        }
        let mut pending: Vec<&mut Task> = on_failure
            .iter_mut()
            .filter(|task| task.is_pending())
            .collect();
        if self.apply_all(&mut pending, Run::Wet).await == Ran::Badly {
            let failed = reasons(on_failure, "one or more SyncFail hooks failed");
            self.end("Failed", format!("{why}\n{failed}"));
        } else {
            let message = waiting_for(&on_failure.iter().collect::<Vec<_>>());
            self.end("Running", message);
        }
    }

    /// With `ApplyOutOfSyncOnly`, what does not differ is left out.
    fn is_due(&self, task: &Task) -> bool {
        task.hook || task.differs || !self.request.options.has("ApplyOutOfSyncOnly=true")
    }

    async fn tasks(&mut self, compared: &Compared) -> (Vec<Task>, bool) {
        let request = self.request;
        let mut tasks: Vec<Task> = compared
            .managed
            .iter()
            .filter(|managed| !managed.hook && !hooks::is_hook(managed.object()))
            .map(Task::of)
            .filter(|task| {
                request
                    .selected
                    .as_ref()
                    .is_none_or(|selected| is_selected(task, selected))
            })
            .collect();
        if !request.skip_hooks {
            tasks.extend(compared.hooks.iter().flat_map(|hook| {
                tasks::hook_tasks(&hook.object, &hook.key, &request.revision, request.started)
            }));
        }
        if request.options.has("CreateNamespace=true") {
            tasks.extend(self.namespace_task(&tasks).await);
        }
        for task in tasks
            .iter_mut()
            .filter(|task| task.live.is_none() && task.target.is_some())
        {
            task.live = self.place.world.get(&task.key).map(|live| live.body);
        }
        let crds: Vec<(String, String)> = tasks
            .iter()
            .filter_map(|task| provided(task.object()))
            .collect();
        let mut valid = true;
        for task in &mut tasks {
            valid &= self.check(task, &crds);
        }
        tasks::arrange(&mut tasks, request.options.has("PruneLast=true"));
        for task in &mut tasks {
            task.recall(&self.state.results);
        }
        (tasks, valid)
    }

    /// The destination namespace, when it is missing or has not the metadata it should have.
    async fn namespace_task(&self, tasks: &[Task]) -> Option<Task> {
        let name = self.place.namespace;
        let key = Key::new("", "Namespace", "", name);
        if name.is_empty() || tasks.iter().any(|task| task.key == key) {
            return None;
        }
        let target = apply::namespace_manifest(name, self.place.managed_namespace);
        let live = self.place.cluster.read(&key).await.ok()?;
        let mut task = Task {
            phase: HookType::PreSync,
            key,
            wave: 0,
            hook: false,
            skip_dry_run: false,
            differs: true,
            status: String::new(),
            state: String::new(),
            message: String::new(),
            live: live.map(Arc::new),
            target: Some(Arc::new(target)),
        };
        task.recall(&self.state.results);
        let lacks = |live: &Value| json::merge_patch(live, &merged(live, task.object())).is_some();
        let needed = task.live.as_deref().is_none_or(lacks) || !task.is_pending();
        needed.then_some(task)
    }

    fn check(&mut self, task: &mut Task, crds: &[(String, String)]) -> bool {
        let key = task.key.clone();
        let Some(served) = self.place.cluster.served(&key.group, &key.kind) else {
            let excused = self.request.options.has("SkipDryRunOnMissingResource=true")
                || options::object_has(task.object(), "SkipDryRunOnMissingResource=true")
                || crds.iter().any(|(group, kind)| key.is(group, kind));
            if excused {
                task.skip_dry_run = true;
                return true;
            }
            let message = unknown_kind(&key).message;
            task.record(&mut self.state.results, "SyncFailed", "", &message);
            return false;
        };
        let name = json::text(self.place.project, &["metadata", "name"]);
        let created = key.is("", "Namespace") && *key.name == *self.place.namespace;
        let permitted =
            created || project::permits_kind(self.place.project, &key, served.namespaced);
        let message = if !permitted {
            format!(
                "resource {}:{} is not permitted in project {name}",
                key.group, key.kind
            )
        } else if served.namespaced
            && !project::permits_destination(self.place.project, &key.namespace)
        {
            format!(
                "namespace {} is not permitted in project '{name}'",
                key.namespace
            )
        } else {
            return true;
        };
        task.record(&mut self.state.results, "SyncFailed", "", &message);
        false
    }

    /// Reads how far running tasks have come.
    fn observe(&mut self, tasks: &mut [Task]) {
        for task in tasks.iter_mut().filter(|task| task.is_running()) {
            let Some(live) = task.live.clone() else {
                let message = format!(
                    "{} {} was deleted while it was waited for",
                    task.key.kind, task.key.name
                );
                let status = task.status.clone();
                task.record(&mut self.state.results, &status, "Error", &message);
                continue;
            };
            if task.hook {
                let (state, message) = hook_outcome(&live);
                task.record(&mut self.state.results, "", state, &message);
                continue;
            }
            let status = task.status.clone();
            match health_of(&*live) {
                None => {
                    let message = task.message.clone();
                    task.record(&mut self.state.results, &status, "Succeeded", &message);
                }
                Some(Verdict {
                    health: Health::Healthy,
                    message,
                }) => {
                    task.record(&mut self.state.results, &status, "Succeeded", &message);
                }
                Some(Verdict {
                    health: Health::Degraded,
                    message,
                }) => {
                    task.record(&mut self.state.results, &status, "Failed", &message);
                }
                Some(_) => {}
            }
        }
    }
}

/// Takes the hook finalizer off an object, as it is now.
pub async fn release(place: &Place<'_>, key: &Key) {
    let Some(live) = place.world.get(key) else {
        return;
    };
    let finalizers = json::texts(&live.body, &["metadata", "finalizers"]);
    if !finalizers.contains(&hooks::HOOK_FINALIZER) {
        return;
    }
    let kept: Vec<&str> = finalizers
        .into_iter()
        .filter(|one| *one != hooks::HOOK_FINALIZER)
        .collect();
    let patch = serde_json::json!({"metadata": {"finalizers": kept}});
    match place
        .cluster
        .patch(key, &patch, super::cluster::PatchKind::Merge, Run::Wet)
        .await
    {
        Ok(stored) => {
            place.world.put(&Thing::new(stored));
        }
        Err(refusal) => tracing::debug!("cannot release hook {key}: {refusal}"),
    }
}

fn merged(live: &Value, wanted: &Value) -> Value {
    let mut merged = live.clone();
    json_patch::merge(&mut merged, wanted);
    merged
}

fn provided(object: &Value) -> Option<(String, String)> {
    is_crd(object).then(|| {
        (
            json::text(object, &["spec", "group"]).to_owned(),
            json::text(object, &["spec", "names", "kind"]).to_owned(),
        )
    })
}

fn is_selected(task: &Task, selected: &[Value]) -> bool {
    selected.iter().any(|one| {
        let is = |field: &str, text: &str| json::text(one, &[field]) == text;
        let namespace = json::text(one, &["namespace"]);
        is("group", &task.key.group)
            && is("kind", &task.key.kind)
            && is("name", &task.key.name)
            && (namespace.is_empty() || namespace == &*task.key.namespace)
    })
}

/// Returns a hook's operation phase and message from its health.
fn hook_outcome(live: &Value) -> (&'static str, String) {
    let Some(verdict) = health_of(live) else {
        return (
            "Succeeded",
            format!("{} created", super::key::name_of(live)),
        );
    };
    let state = match verdict.health {
        Health::Unknown | Health::Degraded => "Failed",
        Health::Progressing | Health::Suspended | Health::Missing => "Running",
        Health::Healthy => "Succeeded",
    };
    (state, verdict.message)
}

fn waiting_for(tasks: &[&Task]) -> String {
    let Some(first) = tasks.first() else {
        return String::new();
    };
    let (what, kind) = if first.hook {
        ("completion of hook", "hooks")
    } else {
        ("healthy state of", "resources")
    };
    counted(what, first, tasks.len(), kind)
}

fn deletion_of(tasks: &[&Task]) -> String {
    tasks.first().map_or_else(String::new, |first| {
        counted("deletion of", first, tasks.len(), "resources")
    })
}

fn counted(what: &str, first: &Task, count: usize, kind: &str) -> String {
    let path = first.path();
    match count {
        1 => format!("waiting for {what} {path}"),
        more => format!("waiting for {what} {path} and {} more {kind}", more - 1),
    }
}

fn reasons(tasks: &[Task], message: &str) -> String {
    let why: Vec<&str> = tasks
        .iter()
        .filter(|task| task.status == "SyncFailed")
        .map(|task| task.message.as_str())
        .collect();
    if why.is_empty() {
        message.to_owned()
    } else {
        format!("{message}, reason: {}", why.join(","))
    }
}
