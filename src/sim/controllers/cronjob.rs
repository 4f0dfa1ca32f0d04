//! CronJobs: makes a Job each time the schedule falls due.
//!
//! Follows `pkg/controller/cronjob/cronjob_controllerv2.go`. Schedules are read in UTC; another
//! time zone is reported as an event and refused, rather than run at the wrong hour.

pub mod schedule;

use super::ownership::{controller_of, owner_keys, reference_to};
use super::runtime::time::{api_time, utc};
use super::runtime::{Controller, ObjectKey, ReconcileError, Requeue, Runtime, Writer};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::events::{About, Events, Recorder};
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, CronJobStatus, Job};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::DeleteParams;
use schedule::Schedule;
use std::sync::Arc;

const MANAGER: &str = "kube-controller-manager";
/// More missed starts than this are not caught up with one by one.
const MOST_MISSED: usize = 100;

/// The CronJob controller.
#[derive(Debug)]
pub struct CronJobs {
    crons: Writer<CronJob>,
    jobs: Writer<Job>,
    recorder: Recorder,
    clock: PlatformClock,
}

impl CronJobs {
    /// Starts the controller.
    pub fn start(runtime: &Runtime, events: &Events) {
        let crons = runtime.informer::<CronJob>();
        let jobs = runtime.informer::<Job>();
        let queue = runtime.queue();
        crons.feed(&queue, |change| [change.key()]);
        jobs.feed(&queue, |change| owner_keys(change, "CronJob"));
        let controller = Self {
            crons: crons.writer(MANAGER),
            jobs: jobs.writer(MANAGER),
            recorder: events.recorder("cronjob-controller"),
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }

    fn schedule(&self, cron: &CronJob, spec: &CronJobSpec) -> Option<Schedule> {
        let about = || About::object(cron);
        if let Some(zone) = spec.time_zone.as_deref().filter(|zone| !is_utc(zone)) {
            let message = format!("invalid timeZone: {zone:?}: only UTC is known here");
            self.recorder.warning(about(), "UnknownTimeZone", message);
            return None;
        }
        match Schedule::parse(&spec.schedule) {
            Ok(schedule) => Some(schedule),
            Err(why) => {
                let message = format!("unparseable schedule {:?}: {why}", spec.schedule);
                self.recorder
                    .warning(about(), "UnparseableSchedule", message);
                None
            }
        }
    }

    /// Starts the job that is due, if the policy allows; returns when to look again.
    async fn start_due(
        &self,
        cron: &CronJob,
        spec: &CronJobSpec,
        active: &mut Vec<Arc<Job>>,
    ) -> Result<(Option<DateTime<Utc>>, Option<DateTime<Utc>>), ReconcileError> {
        if spec.suspend == Some(true) || cron.metadata.deletion_timestamp.is_some() {
            return Ok((None, None));
        }
        let Some(schedule) = self.schedule(cron, spec) else {
            return Ok((None, None));
        };
        let now = self.clock.now();
        let next = schedule.next(now);
        let Some(due) = last_due(cron, spec, &schedule, now) else {
            return Ok((None, next));
        };
        match spec.concurrency_policy.as_deref() {
            Some("Forbid") if !active.is_empty() => {
                self.recorder.normal(
                    About::object(cron),
                    "JobAlreadyActive",
                    "Not starting job because prior execution is running and concurrency policy \
                     is Forbid",
                );
                return Ok((None, next));
            }
            Some("Replace") => {
                for job in active.drain(..) {
                    self.jobs.delete(&*job, &DeleteParams::background()).await?;
                }
            }
            Some(_) | None => {}
        }
        match self.jobs.create(&job_of(cron, spec, due)).await {
            Ok(job) => {
                self.recorder.normal(
                    About::object(cron),
                    "SuccessfulCreate",
                    format!(
                        "Created job {}",
                        job.metadata.name.as_deref().unwrap_or_default()
                    ),
                );
                active.push(job);
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
        Ok((Some(due), next))
    }

    /// Deletes the oldest finished jobs beyond the history limits.
    async fn forget(&self, spec: &CronJobSpec, jobs: &[Arc<Job>]) -> Result<(), ReconcileError> {
        let limits = [
            ("Complete", spec.successful_jobs_history_limit.unwrap_or(3)),
            ("Failed", spec.failed_jobs_history_limit.unwrap_or(1)),
        ];
        for (outcome, limit) in limits {
            let mut ended: Vec<_> = jobs.iter().filter(|job| has_ended(job, outcome)).collect();
            ended.sort_by_key(|job| job.metadata.creation_timestamp.as_ref().map(utc));
            let surplus = ended.len().saturating_sub(limit.max(0) as usize);
            for job in ended.into_iter().take(surplus) {
                self.jobs
                    .delete(&**job, &DeleteParams::background())
                    .await?;
            }
        }
        Ok(())
    }
}

impl Controller for CronJobs {
    type Key = ObjectKey;
    const NAME: &'static str = "cronjob";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(cron) = self.crons.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        let spec = cron.spec.clone().unwrap_or_default();
        let uid = cron.metadata.uid.as_deref().unwrap_or_default();
        let jobs: Vec<_> = self
            .jobs
            .informer()
            .owned_by(uid)
            .into_iter()
            .filter(|job| controller_of(&job.metadata).is_some_and(|owner| owner.uid == uid))
            .collect();
        let ended = |job: &Arc<Job>| has_ended(job, "Complete") || has_ended(job, "Failed");
        let mut active: Vec<_> = jobs.iter().filter(|job| !ended(job)).cloned().collect();
        let old = cron.status.clone().unwrap_or_default();
        self.announce(&cron, &old, &jobs);
        let (started, next) = self.start_due(&cron, &spec, &mut active).await?;
        self.forget(&spec, &jobs).await?;
        let succeeded = jobs
            .iter()
            .filter_map(|job| job.status.as_ref()?.completion_time.clone())
            .chain(old.last_successful_time.clone())
            .max();
        let status = CronJobStatus {
            active: (!active.is_empty()).then(|| active.iter().map(|job| reference(job)).collect()),
            last_schedule_time: started.map(api_time).or(old.last_schedule_time.clone()),
            last_successful_time: succeeded,
        };
        self.crons.update_status(&*cron, &old, &status).await?;
        Ok(Requeue::OnChange.or_at(next))
    }
}

impl CronJobs {
    /// Says which of the jobs that were active have ended.
    fn announce(&self, cron: &CronJob, old: &CronJobStatus, jobs: &[Arc<Job>]) {
        for was_active in old.active.iter().flatten() {
            let job = jobs.iter().find(|job| job.metadata.uid == was_active.uid);
            let outcome = ["Complete", "Failed"]
                .into_iter()
                .find(|outcome| job.is_some_and(|job| has_ended(job, outcome)));
            if let Some(outcome) = outcome {
                self.recorder.normal(
                    About::object(cron),
                    "SawCompletedJob",
                    format!(
                        "Saw completed job: {}, condition: {outcome}",
                        was_active.name.as_deref().unwrap_or_default()
                    ),
                );
            }
        }
    }
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "Etc/UTC" | "GMT" | "Etc/GMT" | "Z")
}

/// Returns the last time the schedule fell due that has not been acted on and is not too late.
fn last_due(
    cron: &CronJob,
    spec: &CronJobSpec,
    schedule: &Schedule,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let status = cron.status.as_ref();
    let mut since = status
        .and_then(|status| status.last_schedule_time.as_ref())
        .or(cron.metadata.creation_timestamp.as_ref())
        .map_or(now, utc);
    if let Some(seconds) = spec.starting_deadline_seconds {
        since = since.max(now - TimeDelta::seconds(seconds));
    }
    let mut due = None;
    for _ in 0..MOST_MISSED {
        match schedule.next(since).filter(|next| *next <= now) {
            Some(next) => {
                due = Some(next);
                since = next;
            }
            None => return due,
        }
    }
    // So many were missed that only the latest matters: look back from now.
    (1..=60)
        .rev()
        .map(|minutes| now - TimeDelta::minutes(minutes))
        .filter_map(|from| schedule.next(from).filter(|next| *next <= now))
        .max()
        .or(due)
}

fn job_of(cron: &CronJob, spec: &CronJobSpec, due: DateTime<Utc>) -> Job {
    let meta = spec.job_template.metadata.clone().unwrap_or_default();
    let mut annotations = meta.annotations.unwrap_or_default();
    annotations.insert(
        "batch.kubernetes.io/cronjob-scheduled-timestamp".to_owned(),
        due.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    );
    Job {
        metadata: ObjectMeta {
            name: Some(format!(
                "{}-{}",
                cron.metadata.name.as_deref().unwrap_or_default(),
                due.timestamp().div_euclid(60)
            )),
            namespace: cron.metadata.namespace.clone(),
            labels: meta.labels,
            annotations: Some(annotations),
            owner_references: Some(vec![reference_to(cron)]),
            ..ObjectMeta::default()
        },
        spec: spec.job_template.spec.clone(),
        status: None,
    }
}

fn has_ended(job: &Job, outcome: &str) -> bool {
    let conditions = job
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .filter(|one| one.type_ == outcome)
        .any(|one| one.status == "True")
}

fn reference(job: &Job) -> ObjectReference {
    ObjectReference {
        api_version: Some("batch/v1".to_owned()),
        kind: Some("Job".to_owned()),
        name: job.metadata.name.clone(),
        namespace: job.metadata.namespace.clone(),
        uid: job.metadata.uid.clone(),
        resource_version: job.metadata.resource_version.clone(),
        field_path: None,
    }
}
