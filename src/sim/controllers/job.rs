//! Jobs: pods that run to their end, so many at once, so often again.
//!
//! Follows `pkg/controller/job`: completions, parallelism, indexed jobs, back-off limit, active
//! deadline, suspension, time to live; conditions as of 1.33 (`SuccessCriteriaMet` before
//! `Complete`, `FailureTarget` before `Failed`). Pod failure policies are not followed.

mod status;

use super::ownership::{controller_of, owner_keys, reference_to};
use super::pods::{is_active, is_ready, phase, pod_from, restarts};
use super::runtime::time::{api_time, utc};
use super::runtime::{Controller, ObjectKey, ReconcileError, Requeue, Runtime, Writer};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::events::{About, Events, Recorder};
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus};
use k8s_openapi::api::core::v1::{EnvVar, Pod};
use kube::api::DeleteParams;
use status::{is_finished, verdict_of};
use std::collections::BTreeSet;
use std::sync::Arc;

const MANAGER: &str = "kube-controller-manager";
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
const FIRST_BACK_OFF_SECONDS: i64 = 10;
const LONGEST_BACK_OFF_SECONDS: i64 = 600;

/// The Job controller.
#[derive(Debug)]
#[allow(
    clippy::struct_field_names,
    reason = "named as the API names what is written"
)]
pub struct Jobs {
    jobs: Writer<Job>,
    pods: Writer<Pod>,
    recorder: Recorder,
    clock: PlatformClock,
}

/// What a job's pods have come to.
struct Tally {
    active: Vec<Arc<Pod>>,
    ready: i32,
    succeeded: i32,
    failed: i32,
    /// The completed indexes of an indexed job.
    indexes: BTreeSet<i32>,
    /// Restarts of containers in pods that are restarted in place.
    restarts: i32,
    last_failure: Option<DateTime<Utc>>,
}

impl Tally {
    fn new(job: &Job, pods: Vec<Arc<Pod>>) -> Self {
        let old = job.status.clone().unwrap_or_default();
        let count = |wanted: &str| pods.iter().filter(|pod| phase(pod) == wanted).count() as i32;
        let (succeeded, failed) = (count("Succeeded"), count("Failed"));
        let indexes = pods
            .iter()
            .filter(|pod| phase(pod) == "Succeeded")
            .filter_map(|pod| index_of(pod))
            .collect();
        let last_failure = pods
            .iter()
            .filter(|pod| phase(pod) == "Failed")
            .filter_map(|pod| ended_at(pod))
            .max();
        let restarts = pods.iter().map(|pod| restarts(pod)).sum();
        let active: Vec<_> = pods.into_iter().filter(|pod| is_active(pod)).collect();
        Self {
            ready: active.iter().filter(|pod| is_ready(pod)).count() as i32,
            active,
            // Pods that were deleted after they ended still count.
            succeeded: succeeded.max(old.succeeded.unwrap_or(0)),
            failed: failed.max(old.failed.unwrap_or(0)),
            indexes,
            restarts,
            last_failure,
        }
    }
}

impl Jobs {
    /// Starts the controller.
    pub fn start(runtime: &Runtime, events: &Events) {
        let jobs = runtime.informer::<Job>();
        let pods = runtime.informer::<Pod>();
        let queue = runtime.queue();
        jobs.feed(&queue, |change| [change.key()]);
        pods.feed(&queue, |change| owner_keys(change, "Job"));
        let controller = Self {
            jobs: jobs.writer(MANAGER),
            pods: pods.writer(MANAGER),
            recorder: events.recorder("job-controller"),
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }

    async fn expire(&self, job: &Job) -> Result<Requeue, ReconcileError> {
        let ttl = job
            .spec
            .as_ref()
            .and_then(|spec| spec.ttl_seconds_after_finished);
        let (Some(ttl), Some(finished)) = (ttl, status::finished_at(job)) else {
            return Ok(Requeue::OnChange);
        };
        let due = finished + TimeDelta::seconds(i64::from(ttl));
        if due > self.clock.now() {
            return Ok(Requeue::At(due));
        }
        self.jobs.delete(job, &DeleteParams::background()).await?;
        Ok(Requeue::OnChange)
    }

    async fn settle(
        &self,
        job: &Job,
        spec: &JobSpec,
        tally: &mut Tally,
    ) -> Result<Option<DateTime<Utc>>, ReconcileError> {
        let parallelism = spec.parallelism.unwrap_or(1).max(0);
        let wanted = match spec.completions {
            Some(completions) => parallelism.min((completions - tally.succeeded).max(0)),
            None if tally.succeeded > 0 => tally.active.len() as i32,
            None => parallelism,
        };
        let active = tally.active.len() as i32;
        if active > wanted {
            let surplus: Vec<_> = tally.active.drain(wanted as usize..).collect();
            for pod in surplus {
                self.delete(job, &pod).await?;
            }
            return Ok(None);
        }
        if active == wanted {
            return Ok(None);
        }
        let start = tally
            .last_failure
            .map(|last| last + back_off(tally.failed))
            .filter(|start| *start > self.clock.now());
        if start.is_some() {
            return Ok(start);
        }
        let mut taken: BTreeSet<i32> = tally
            .active
            .iter()
            .filter_map(|pod| index_of(pod))
            .collect();
        taken.extend(&tally.indexes);
        for _ in active..wanted {
            let index = is_indexed(spec)
                .then(|| (0..spec.completions.unwrap_or(0)).find(|one| !taken.contains(one)))
                .flatten();
            taken.extend(index);
            let pod = self.create(job, spec, index).await?;
            tally.active.push(pod);
        }
        Ok(None)
    }

    async fn create(
        &self,
        job: &Job,
        spec: &JobSpec,
        index: Option<i32>,
    ) -> Result<Arc<Pod>, ReconcileError> {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let base = match index {
            Some(index) => format!("{name}-{index}-"),
            None => format!("{name}-"),
        };
        let namespace = job.metadata.namespace.clone();
        let mut pod = pod_from(&spec.template, namespace, base, reference_to(job));
        if let Some(index) = index {
            note_index(&mut pod, index);
        }
        match self.pods.create(&pod).await {
            Ok(pod) => {
                self.recorder.normal(
                    About::object(job),
                    "SuccessfulCreate",
                    format!(
                        "Created pod: {}",
                        pod.metadata.name.as_deref().unwrap_or_default()
                    ),
                );
                Ok(pod)
            }
            Err(error) => {
                self.recorder.warning(
                    About::object(job),
                    "FailedCreate",
                    format!("Error creating: {}", error.message()),
                );
                Err(error)
            }
        }
    }

    async fn delete(&self, job: &Job, pod: &Pod) -> Result<(), ReconcileError> {
        self.pods.delete(pod, &DeleteParams::default()).await?;
        self.recorder.normal(
            About::object(job),
            "SuccessfulDelete",
            format!(
                "Deleted pod: {}",
                pod.metadata.name.as_deref().unwrap_or_default()
            ),
        );
        Ok(())
    }

    fn announce(&self, job: &Job, old: &JobStatus, new: &JobStatus) {
        let has = |status: &JobStatus, name: &str, value: &str| {
            let mut conditions = status.conditions.iter().flatten();
            conditions.any(|one| one.type_ == name && one.status == value)
        };
        let became = |name: &str, value: &str| has(new, name, value) && !has(old, name, value);
        if became("Complete", "True") {
            self.recorder
                .normal(About::object(job), "Completed", "Job completed");
        }
        if became("Failed", "True") {
            let failed = new
                .conditions
                .iter()
                .flatten()
                .find(|one| one.type_ == "Failed");
            let reason = failed
                .and_then(|one| one.reason.clone())
                .unwrap_or_default();
            let message = failed
                .and_then(|one| one.message.clone())
                .unwrap_or_default();
            self.recorder.warning(About::object(job), &reason, message);
        }
        if became("Suspended", "True") {
            self.recorder
                .normal(About::object(job), "Suspended", "Job suspended");
        }
        if became("Suspended", "False") {
            self.recorder
                .normal(About::object(job), "Resumed", "Job resumed");
        }
    }

    async fn work(&self, job: &Job, spec: &JobSpec) -> Result<Requeue, ReconcileError> {
        let now = self.clock.now();
        let uid = job.metadata.uid.as_deref().unwrap_or_default();
        let mut pods = self.pods.informer().owned_by(uid);
        pods.retain(|pod| controller_of(&pod.metadata).is_some_and(|owner| owner.uid == uid));
        let mut tally = Tally::new(job, pods);
        let old = job.status.clone().unwrap_or_default();
        let suspended = spec.suspend == Some(true);
        let verdict = verdict_of(job, spec, &tally, now);
        let mut next = None;
        if verdict.is_some() || suspended {
            for pod in std::mem::take(&mut tally.active) {
                self.delete(job, &pod).await?;
            }
        } else if job.metadata.deletion_timestamp.is_none() {
            next = self.settle(job, spec, &mut tally).await?;
        }
        let mut new = JobStatus {
            active: Some(tally.active.len() as i32).filter(|count| *count > 0),
            ready: Some(tally.ready.min(tally.active.len() as i32)),
            succeeded: Some(tally.succeeded).filter(|count| *count > 0),
            failed: Some(tally.failed).filter(|count| *count > 0),
            terminating: Some(0),
            uncounted_terminated_pods: Some(
                k8s_openapi::api::batch::v1::UncountedTerminatedPods::default(),
            ),
            completed_indexes: is_indexed(spec)
                .then(|| status::spell_indexes(&tally.indexes))
                .filter(|text| !text.is_empty()),
            ..old.clone()
        };
        status::set_suspended(&mut new, suspended, now);
        if !suspended && new.start_time.is_none() {
            new.start_time = Some(api_time(now));
        }
        if let Some(verdict) = verdict {
            status::conclude(&mut new, &verdict, now);
        }
        let deadline = spec
            .active_deadline_seconds
            .zip(new.start_time.as_ref().map(utc));
        let deadline = deadline.map(|(seconds, start)| start + TimeDelta::seconds(seconds));
        if self.jobs.update_status(job, &old, &new).await?.is_some() {
            self.announce(job, &old, &new);
        }
        Ok(Requeue::OnChange
            .or_at(next)
            .or_at(deadline.filter(|due| *due > now)))
    }
}

impl Controller for Jobs {
    type Key = ObjectKey;
    const NAME: &'static str = "job";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(job) = self.jobs.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        if is_finished(&job) {
            return self.expire(&job).await;
        }
        let spec = job.spec.clone().unwrap_or_default();
        self.work(&job, &spec).await
    }
}

fn is_indexed(spec: &JobSpec) -> bool {
    spec.completion_mode.as_deref() == Some("Indexed")
}

fn index_of(pod: &Pod) -> Option<i32> {
    pod.metadata.annotations.as_ref()?.get(INDEX)?.parse().ok()
}

fn note_index(pod: &mut Pod, index: i32) {
    let meta = &mut pod.metadata;
    let annotations = meta.annotations.get_or_insert_default();
    annotations.insert(INDEX.to_owned(), index.to_string());
    let labels = meta.labels.get_or_insert_default();
    labels.insert(INDEX.to_owned(), index.to_string());
    for container in pod.spec.iter_mut().flat_map(|spec| &mut spec.containers) {
        container.env.get_or_insert_default().push(EnvVar {
            name: "JOB_COMPLETION_INDEX".to_owned(),
            value: Some(index.to_string()),
            value_from: None,
        });
    }
}

/// Returns when the last container of a pod ended.
fn ended_at(pod: &Pod) -> Option<DateTime<Utc>> {
    pod.status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten())
        .filter_map(|one| {
            one.state
                .as_ref()?
                .terminated
                .as_ref()?
                .finished_at
                .as_ref()
        })
        .map(utc)
        .max()
}

fn back_off(failures: i32) -> TimeDelta {
    let doublings = (failures - 1).clamp(0, 10);
    let seconds = FIRST_BACK_OFF_SECONDS << doublings;
    TimeDelta::seconds(seconds.min(LONGEST_BACK_OFF_SECONDS))
}
