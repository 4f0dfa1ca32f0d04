//! The tasks of a sync: what is to be applied, pruned or run as a hook, in which order.
//!
//! Follows gitops-engine `pkg/sync/sync_context.go`, `getSyncTasks`. A task's progress is kept in
//! the operation's result, so that a sync goes on where it was after a restart.

use super::hooks::{self, DeletePolicy, HookType};
use super::json;
use super::key::{Key, kind_of, name_of, version_of};
use super::options;
use super::verdict::Managed;
use super::waves::{self, Place, wave_of};
use serde_json::{Value, json as make};
use std::sync::Arc;

/// One step of a sync.
#[derive(Clone, Debug)]
pub struct Task {
    pub phase: HookType,
    pub key: Key,
    pub target: Option<Arc<Value>>,
    pub live: Option<Arc<Value>>,
    pub hook: bool,
    pub wave: i64,
    /// The kind is not there yet; its CRD comes in this sync.
    pub skip_dry_run: bool,
    /// Whether the comparison found a difference.
    pub differs: bool,
    /// Synced, `SyncFailed`, Pruned, `PruneSkipped`; empty for hooks and before.
    pub status: String,
    /// Running, Succeeded, Failed, Error; empty before.
    pub state: String,
    pub message: String,
}

impl Task {
    /// Builds the task of a managed object.
    pub fn of(managed: &Managed) -> Self {
        Self {
            phase: HookType::Sync,
            key: managed.key.clone(),
            target: managed.target.clone(),
            live: managed.live.clone(),
            hook: false,
            wave: wave_of(managed.object()),
            skip_dry_run: false,
            differs: managed.differs,
            status: String::new(),
            state: String::new(),
            message: String::new(),
        }
    }

    /// Returns the object, wanted or live.
    pub fn object(&self) -> &Value {
        static NOTHING: Value = Value::Null;
        self.target
            .as_deref()
            .or(self.live.as_deref())
            .unwrap_or(&NOTHING)
    }

    /// Returns whether the object is to go.
    pub fn is_prune(&self) -> bool {
        self.target.is_none()
    }

    /// Returns whether nothing was done yet.
    pub fn is_pending(&self) -> bool {
        self.state.is_empty()
    }

    /// Returns whether it was applied and is waited for.
    pub fn is_running(&self) -> bool {
        self.state == "Running"
    }

    /// Returns whether it came to an end.
    pub fn is_completed(&self) -> bool {
        matches!(self.state.as_str(), "Succeeded" | "Failed" | "Error")
    }

    /// Returns whether it came to a bad end.
    pub fn is_failed(&self) -> bool {
        self.is_completed() && self.state != "Succeeded"
    }

    /// Returns whether a hook is to be deleted now.
    pub fn deletes_on(&self, policy: DeletePolicy) -> bool {
        self.hook && self.live.is_some() && hooks::delete_policies(self.object()).contains(&policy)
    }

    /// Returns how messages name the object.
    pub fn path(&self) -> String {
        format!("{}/{}/{}", self.key.group, self.key.kind, self.key.name)
    }

    fn place(&self) -> Place<'_> {
        Place {
            phase: self.phase,
            wave: self.wave,
            kind: kind_of(self.object()),
            name: name_of(self.object()),
        }
    }

    /// Returns whether a result is this task's.
    fn is_result(&self, result: &Value) -> bool {
        json::text(result, &["kind"]) == &*self.key.kind
            && json::text(result, &["name"]) == &*self.key.name
            && json::text(result, &["namespace"]) == &*self.key.namespace
            && json::text(result, &["group"]) == &*self.key.group
            && json::text(result, &["syncPhase"]) == self.phase.word()
    }

    /// Takes over what earlier passes recorded.
    pub fn recall(&mut self, results: &[Value]) {
        if let Some(result) = results.iter().find(|result| self.is_result(result)) {
            json::text(result, &["status"]).clone_into(&mut self.status);
            json::text(result, &["hookPhase"]).clone_into(&mut self.state);
            json::text(result, &["message"]).clone_into(&mut self.message);
        }
    }

    /// Records progress, here and in the operation's result.
    pub fn record(&mut self, results: &mut Vec<Value>, status: &str, state: &str, message: &str) {
        status.clone_into(&mut self.status);
        state.clone_into(&mut self.state);
        if !message.is_empty() {
            message.clone_into(&mut self.message);
        }
        let mut result = make!({
            "group": &*self.key.group,
            "version": version_of(self.object()),
            "kind": &*self.key.kind,
            "namespace": &*self.key.namespace,
            "name": &*self.key.name,
            "syncPhase": self.phase.word(),
            "message": self.message,
            "hookPhase": self.state,
        });
        if !self.status.is_empty() {
            result["status"] = self.status.clone().into();
        }
        if self.hook {
            result["hookType"] = self.phase.word().into();
        }
        let images = template_images(self.object());
        if !images.is_empty() {
            result["images"] = images.into();
        }
        match results.iter_mut().find(|known| self.is_result(known)) {
            Some(known) => *known = result,
            None => results.push(result),
        }
    }
}

fn template_images(object: &Value) -> Vec<String> {
    let pod = json::at(object, &["spec", "template", "spec"]).or_else(|| object.get("spec"));
    let mut images: Vec<String> = pod
        .into_iter()
        .flat_map(|pod| json::items(pod, &["containers"]))
        .map(|container| json::text(container, &["image"]).to_owned())
        .filter(|image| !image.is_empty())
        .collect();
    images.dedup();
    images
}

/// Builds the tasks of a hook, one for each of its phases.
pub fn hook_tasks(object: &Value, key: &Key, revision: &str, started: i64) -> Vec<Task> {
    hooks::types_of(object)
        .into_iter()
        .filter(|phase| *phase <= HookType::SyncFail)
        .map(|phase| hook_task(object, key, phase, (revision, started)))
        .collect()
}

/// Builds one hook's task; a generated name becomes a fixed one for this operation.
pub fn hook_task(
    object: &Value,
    key: &Key,
    phase: HookType,
    (revision, started): (&str, i64),
) -> Task {
    let mut target = object.clone();
    let mut key = key.clone();
    if key.name.is_empty() {
        let short: String = revision.chars().take(7).collect();
        let prefix = json::text(object, &["metadata", "generateName"]);
        let suffix = format!("{short}-{}-{started}", phase.word()).to_lowercase();
        let name = format!("{prefix}{suffix}");
        key.name = name.as_str().into();
        json::put(&mut target, &["metadata", "name"], name.into());
        json::remove(&mut target, &["metadata", "generateName"]);
        retrack(&mut target, &key);
    }
    let mut finalizers = json::items(&target, &["metadata", "finalizers"]).to_vec();
    if !finalizers.iter().any(|one| one == hooks::HOOK_FINALIZER) {
        finalizers.push(hooks::HOOK_FINALIZER.into());
        json::put(&mut target, &["metadata", "finalizers"], finalizers.into());
    }
    Task {
        phase,
        wave: wave_of(&target),
        key,
        target: Some(Arc::new(target)),
        live: None,
        hook: true,
        skip_dry_run: false,
        differs: true,
        status: String::new(),
        state: String::new(),
        message: String::new(),
    }
}

/// A tracking id names its object, so a generated name has to get into it.
fn retrack(target: &mut Value, key: &Key) {
    use super::tracking::{TRACKING_ID, TrackingId};
    if let Some(mut id) = TrackingId::parse(super::key::annotation(target, TRACKING_ID)) {
        id.object.name = Arc::clone(&key.name);
        json::put(
            target,
            &["metadata", "annotations", TRACKING_ID],
            id.format().into(),
        );
    }
}

/// Puts tasks in order; pruning goes through the waves backwards, and last when asked to.
pub fn arrange(tasks: &mut [Task], prune_last: bool) {
    let waves: Vec<i64> = tasks
        .iter()
        .filter(|task| task.is_prune())
        .map(|task| task.wave)
        .collect();
    let swapped = waves::reversed(&waves);
    for task in tasks.iter_mut().filter(|task| task.is_prune()) {
        if let Some((_, wave)) = swapped.iter().find(|(from, _)| *from == task.wave) {
            task.wave = *wave;
        }
    }
    let last = tasks
        .iter()
        .filter(|task| task.phase == HookType::Sync)
        .map(|task| task.wave)
        .fold(0, i64::max)
        + 1;
    for task in tasks.iter_mut().filter(|task| task.is_prune()) {
        if prune_last || options::object_has(task.object(), "PruneLast=true") {
            task.wave = last;
        }
    }
    pull_forward(tasks);
    tasks.sort_by(|one, other| waves::compare(&one.place(), &other.place()));
}

/// A namespace or CRD that comes in the same sync has to be there before what needs it.
fn pull_forward(tasks: &mut [Task]) {
    let mut moves: Vec<(usize, HookType, i64)> = Vec::new();
    for (index, provider) in tasks
        .iter()
        .enumerate()
        .filter(|(_, task)| !task.is_prune())
    {
        let object = provider.object();
        let needs = |task: &&Task| {
            if kind_of(object) == "Namespace" {
                *task.key.namespace == *provider.key.name
            } else {
                super::key::is_crd(object)
                    && json::text(object, &["spec", "group"]) == &*task.key.group
                    && json::text(object, &["spec", "names", "kind"]) == &*task.key.kind
            }
        };
        let first = tasks
            .iter()
            .filter(|task| !task.is_prune())
            .filter(needs)
            .map(|task| (task.phase, task.wave))
            .min();
        if let Some((phase, wave)) = first
            && (phase, wave) < (provider.phase, provider.wave)
        {
            moves.push((index, phase, wave));
        }
    }
    for (index, phase, wave) in moves {
        if let Some(task) = tasks.get_mut(index) {
            task.phase = phase;
            task.wave = wave;
        }
    }
}

/// Returns whether the tasks spread over several phases or waves.
pub fn is_multi_step(tasks: &[Task]) -> bool {
    let steps = || tasks.iter().map(|task| (task.phase, task.wave));
    steps().min() != steps().max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(kind: &str, name: &str, wave: i64, prune: bool) -> Task {
        let object =
            Arc::new(make!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}));
        Task {
            phase: HookType::Sync,
            key: Key::new("", kind, "n", name),
            target: (!prune).then(|| Arc::clone(&object)),
            live: Some(object),
            hook: false,
            wave,
            skip_dry_run: false,
            differs: true,
            status: String::new(),
            state: String::new(),
            message: String::new(),
        }
    }

    fn names(tasks: &[Task]) -> Vec<&str> {
        tasks.iter().map(|task| &*task.key.name).collect()
    }

    #[test]
    fn pruning_reverses_the_waves() {
        let mut tasks = [task("A", "first", 0, true), task("A", "second", 1, true)];

        arrange(&mut tasks, false);

        assert_eq!(names(&tasks), ["second", "first"]);
    }

    #[test]
    fn pruning_last_comes_after_every_wave() {
        let mut tasks = [task("A", "gone", 0, true), task("A", "kept", 5, false)];

        arrange(&mut tasks, true);

        assert_eq!(names(&tasks), ["kept", "gone"]);
        assert!(is_multi_step(&tasks));
    }

    #[test]
    fn a_namespace_comes_before_what_lives_in_it() {
        let mut tasks = [
            task("ConfigMap", "a", -5, false),
            task("Namespace", "n", 0, false),
        ];

        arrange(&mut tasks, false);

        assert_eq!(names(&tasks), ["n", "a"]);
        assert!(!is_multi_step(&tasks));
    }

    #[test]
    fn progress_is_recalled_from_results() {
        let mut results = Vec::new();
        task("A", "a", 0, false).record(&mut results, "Synced", "Running", "a created");

        let mut again = task("A", "a", 0, false);
        again.recall(&results);

        assert!(again.is_running());
        assert_eq!(again.message, "a created");
    }

    #[test]
    fn a_generated_hook_name_is_fixed_for_the_operation() {
        let object = make!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "migrate-",
            "namespace": "n", "annotations": {hooks::HOOK: "PreSync,PostSync,PostDelete"}}});

        let tasks = hook_tasks(&object, &Key::of(&object), "0123456789", 1_700_000_000);

        assert_eq!(
            names(&tasks),
            [
                "migrate-0123456-presync-1700000000",
                "migrate-0123456-postsync-1700000000"
            ]
        );
        assert_eq!(
            json::texts(tasks[0].object(), &["metadata", "finalizers"]),
            [hooks::HOOK_FINALIZER]
        );
    }
}
