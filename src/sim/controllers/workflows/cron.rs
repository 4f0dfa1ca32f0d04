//! CronWorkflows: starts a workflow whenever a schedule falls due (`workflow/cron/operator.go`).

use super::model::{Condition, CronStatus, CronWorkflow, Workflow};
use super::node::Phase;
use super::substitute::{Values, holds};
use crate::domain::clock::Clock;
use crate::domain::cron::Schedule;
use crate::sim::clock::PlatformClock;
use crate::sim::controllers::ownership::{owner_keys, reference_to};
use crate::sim::controllers::runtime::time::{api_time, utc};
use crate::sim::controllers::runtime::{
    Controller, ObjectKey, ReconcileError, Requeue, Runtime, Writer, merge_patch,
};
use crate::sim::events::{About, Events, Recorder};
use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeDelta, Utc};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const MANAGER: &str = "workflow-controller";
const CRON: &str = "workflows.argoproj.io/cron-workflow";
/// A schedule is still on time this long after it fell due.
const PUNCTUAL: TimeDelta = TimeDelta::seconds(30);
/// Schedules that were missed are looked back for at most so often.
const MOST_MISSED: usize = 1000;

/// The CronWorkflow controller.
#[derive(Debug)]
pub(super) struct CronWorkflows {
    crons: Writer<CronWorkflow>,
    workflows: Writer<Workflow>,
    recorder: Recorder,
    clock: PlatformClock,
}

impl CronWorkflows {
    pub(super) fn start(runtime: &Runtime, events: &Events) {
        let crons = runtime.informer::<CronWorkflow>();
        let workflows = runtime.informer::<Workflow>();
        let queue = runtime.queue();
        crons.feed(&queue, |change| [change.key()]);
        workflows.feed(&queue, |change| owner_keys(change, "CronWorkflow"));
        let controller = Self {
            crons: crons.writer(MANAGER),
            workflows: workflows.writer(MANAGER),
            recorder: events.recorder(MANAGER),
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }

    /// Starts what is due; returns the workflows that run afterwards.
    async fn start_due(
        &self,
        cron: &CronWorkflow,
        status: &mut CronStatus,
        active: &mut Vec<Arc<Workflow>>,
        times: &[DateTime<Utc>],
    ) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let deadline = cron.spec.starting_deadline_seconds.unwrap_or(0);
        let patience = PUNCTUAL.max(TimeDelta::seconds(deadline));
        let Some(due) = times.last().copied().filter(|due| now - *due <= patience) else {
            return Ok(());
        };
        status.last_scheduled_time = Some(api_time(due));
        if !self.may_start(cron, status, due) {
            return Ok(());
        }
        match cron.spec.concurrency_policy.as_str() {
            "Forbid" if !active.is_empty() => return Ok(()),
            "Replace" => {
                for workflow in active.drain(..) {
                    let patch = json!({"spec": {"shutdown": "Terminate"}});
                    self.workflows
                        .patch(&ObjectKey::of(&*workflow), &patch)
                        .await?;
                }
            }
            _ => {}
        }
        match self.workflows.create(&workflow_of(cron, due)).await {
            Ok(workflow) => active.push(workflow),
            Err(error) if error.is_conflict() => {}
            Err(error) if matches!(error.code(), Some(400 | 403 | 404 | 422)) => {
                let message = format!("Failed to submit Workflow: {}", error.message());
                let about = About::object(cron);
                self.recorder
                    .warning(about, "WorkflowFailed", message.clone());
                set_condition(status, "SubmissionError", Some(message));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn may_start(&self, cron: &CronWorkflow, status: &mut CronStatus, due: DateTime<Utc>) -> bool {
        if cron.spec.when.is_empty() {
            return true;
        }
        let expression = cron.spec.when.trim();
        let inner = expression
            .strip_prefix("{{=")
            .and_then(|rest| rest.strip_suffix("}}"))
            .unwrap_or(expression);
        match holds(
            inner.trim(),
            &values(cron, status, Some(due)),
            self.clock.now(),
        ) {
            Ok(answer) => answer,
            Err(why) => {
                set_condition(status, "SpecError", Some(why));
                false
            }
        }
    }

    /// Deletes the oldest workflows beyond what is to be kept.
    async fn forget(
        &self,
        cron: &CronWorkflow,
        ended: &[Arc<Workflow>],
    ) -> Result<(), ReconcileError> {
        let kept = [
            (true, cron.spec.successful_jobs_history_limit.unwrap_or(3)),
            (false, cron.spec.failed_jobs_history_limit.unwrap_or(1)),
        ];
        for (good, limit) in kept {
            let mut list: Vec<&Arc<Workflow>> = ended
                .iter()
                .filter(|one| (one.status.phase == Some(Phase::Succeeded)) == good)
                .collect();
            list.sort_by_key(|one| one.status.finished_at.as_ref().map(utc));
            let beyond = list
                .len()
                .saturating_sub(usize::try_from(limit).unwrap_or(0));
            for workflow in list.into_iter().take(beyond) {
                let how = DeleteParams::background();
                self.workflows.delete(workflow, &how).await?;
            }
        }
        Ok(())
    }

    async fn save(&self, cron: &CronWorkflow, status: &CronStatus) -> Result<(), ReconcileError> {
        let key = ObjectKey::of(cron);
        let value = |status: &CronStatus| {
            serde_json::to_value(status).map_err(|source| ReconcileError::Encoding {
                doing: format!("update cronworkflows `{key}`"),
                source,
            })
        };
        let Some(patch) = merge_patch(&value(&cron.status)?, &value(status)?) else {
            return Ok(());
        };
        let patch = json!({"metadata": {"uid": cron.metadata.uid}, "status": patch});
        self.crons.patch(&key, &patch).await?;
        Ok(())
    }
}

impl Controller for CronWorkflows {
    type Key = ObjectKey;
    const NAME: &'static str = "cron-workflows";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(cron) = self.crons.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        if cron.metadata.deletion_timestamp.is_some() {
            return Ok(Requeue::OnChange);
        }
        let mut status = cron.status.clone();
        if status.phase.is_empty() {
            "Active".clone_into(&mut status.phase);
        }
        let uid = cron.metadata.uid.as_deref().unwrap_or_default();
        let own = self.workflows.informer().owned_by(uid);
        let is_over = |one: &Arc<Workflow>| one.status.phase.is_some_and(Phase::is_fulfilled);
        let (ended, mut active): (Vec<_>, Vec<_>) = own.into_iter().partition(is_over);
        count_ended(&mut status, &ended);
        let mut next = None;
        match plan(&cron, self.clock.now()) {
            Err(why) => set_condition(&mut status, "SpecError", Some(why)),
            Ok(plan) => {
                set_condition(&mut status, "SpecError", None);
                if cron.spec.suspend || has_stopped(&cron, &mut status, self.clock.now()) {
                    next = None;
                } else {
                    self.start_due(&cron, &mut status, &mut active, &plan.missed)
                        .await?;
                    next = plan.next;
                }
            }
        }
        status.active = active.iter().map(|one| reference(one)).collect();
        self.save(&cron, &status).await?;
        self.forget(&cron, &ended).await?;
        Ok(Requeue::OnChange.or_at(next))
    }
}

/// When a cron workflow's schedules fell due, and when they do next.
struct Plan {
    missed: Vec<DateTime<Utc>>,
    next: Option<DateTime<Utc>>,
}

fn plan(cron: &CronWorkflow, now: DateTime<Utc>) -> Result<Plan, String> {
    let mut texts = cron.spec.schedules.clone();
    if texts.is_empty() && !cron.spec.schedule.is_empty() {
        texts.push(cron.spec.schedule.clone());
    }
    if texts.is_empty() {
        return Err("cron workflow must have at least one schedule".to_owned());
    }
    let zone = match cron.spec.timezone.as_str() {
        "" => TimeZone::UTC,
        name => TimeZone::get(name).map_err(|_unknown| format!("unknown time zone {name}"))?,
    };
    let since = cron.status.last_scheduled_time.as_ref();
    let since = since
        .or(cron.metadata.creation_timestamp.as_ref())
        .map_or(now, utc);
    // Without this, a schedule of a minute that slept for a year would be walked through.
    let since = since.max(now - TimeDelta::days(1));
    let mut plan = Plan {
        missed: Vec::new(),
        next: None,
    };
    for text in texts {
        let schedule = Schedule::parse(&text)
            .map_err(|why| format!("cron schedule {text} is malformed: {why}"))?;
        let mut at = since;
        for _ in 0..MOST_MISSED * 2 {
            let Some(due) = next_in(&schedule, at, &zone) else {
                break;
            };
            if due > now {
                plan.next = Some(plan.next.map_or(due, |known| known.min(due)));
                break;
            }
            plan.missed.push(due);
            at = due;
        }
    }
    plan.missed.sort();
    Ok(plan)
}

/// Returns when a schedule falls due next, as clocks on the wall of the zone show it.
fn next_in(schedule: &Schedule, after: DateTime<Utc>, zone: &TimeZone) -> Option<DateTime<Utc>> {
    let local = |time: DateTime<Utc>| -> Option<NaiveDateTime> {
        let stamp = Timestamp::from_second(time.timestamp()).ok()?;
        let offset = i64::from(zone.to_offset(stamp).seconds());
        Some(time.naive_utc() + TimeDelta::seconds(offset))
    };
    let due = schedule.next(local(after)?)?;
    // The offset at that time is found by trying the one of its guess.
    let guess = Timestamp::from_second(due.and_utc().timestamp()).ok()?;
    let offset = i64::from(zone.to_offset(guess).seconds());
    let first = due.and_utc() - TimeDelta::seconds(offset);
    let stamp = Timestamp::from_second(first.timestamp()).ok()?;
    let offset = i64::from(zone.to_offset(stamp).seconds());
    let exact = due.and_utc() - TimeDelta::seconds(offset);
    Some(exact.max(after + TimeDelta::seconds(1)))
}

fn set_condition(status: &mut CronStatus, kind: &str, message: Option<String>) {
    status.conditions.retain(|one| one.kind != kind);
    if let Some(message) = message {
        status.conditions.push(Condition {
            kind: kind.to_owned(),
            status: "True".to_owned(),
            message,
        });
    }
}

/// Counts those that were active when last looked and have ended since.
fn count_ended(status: &mut CronStatus, ended: &[Arc<Workflow>]) {
    let was_active = |one: &&Arc<Workflow>| {
        let uid = one.metadata.uid.as_deref();
        status
            .active
            .iter()
            .any(|known| known["uid"].as_str() == uid)
    };
    let (mut good, mut bad) = (0, 0);
    for one in ended.iter().filter(was_active) {
        if one.status.phase == Some(Phase::Succeeded) {
            good += 1;
        } else {
            bad += 1;
        }
    }
    status.succeeded += good;
    status.failed += bad;
}

/// The cron workflow's own condition for stopping holds.
fn has_stopped(cron: &CronWorkflow, status: &mut CronStatus, now: DateTime<Utc>) -> bool {
    let expression = cron
        .spec
        .stop_strategy
        .as_ref()
        .and_then(|strategy| strategy.get("expression"))
        .and_then(Value::as_str);
    let Some(expression) = expression else {
        return false;
    };
    let expression = expression
        .replace("cronworkflow.failed", "int(cronworkflow.failed)")
        .replace("cronworkflow.succeeded", "int(cronworkflow.succeeded)");
    if holds(&expression, &values(cron, status, None), now) == Ok(true) {
        "Stopped".clone_into(&mut status.phase);
        return true;
    }
    false
}

fn values(cron: &CronWorkflow, status: &CronStatus, due: Option<DateTime<Utc>>) -> Values {
    let meta = &cron.metadata;
    let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let last = status.last_scheduled_time.as_ref().map(utc);
    BTreeMap::from([
        (
            "cronworkflow.name".to_owned(),
            meta.name.clone().unwrap_or_default(),
        ),
        (
            "cronworkflow.namespace".to_owned(),
            meta.namespace.clone().unwrap_or_default(),
        ),
        ("cronworkflow.failed".to_owned(), status.failed.to_string()),
        (
            "cronworkflow.succeeded".to_owned(),
            status.succeeded.to_string(),
        ),
        (
            "cronworkflow.lastScheduledTime".to_owned(),
            due.or(last).map(time).unwrap_or_default(),
        ),
    ])
}

/// Returns the workflow that a cron workflow starts.
fn workflow_of(cron: &CronWorkflow, due: DateTime<Utc>) -> Workflow {
    let name = cron.metadata.name.clone().unwrap_or_default();
    let mut workflow = Workflow {
        spec: cron.spec.workflow_spec.clone(),
        ..Workflow::default()
    };
    let extra = cron.spec.workflow_metadata.clone().unwrap_or_default();
    let mut labels = extra.labels.unwrap_or_default();
    labels.insert(CRON.to_owned(), name.clone());
    let mut annotations = extra.annotations.unwrap_or_default();
    annotations.insert(
        "workflows.argoproj.io/scheduled-time".to_owned(),
        due.to_rfc3339_opts(SecondsFormat::Secs, true),
    );
    workflow.metadata.name = Some(format!("{name}-{}", due.timestamp()));
    workflow
        .metadata
        .namespace
        .clone_from(&cron.metadata.namespace);
    workflow.metadata.labels = Some(labels);
    workflow.metadata.annotations = Some(annotations);
    workflow.metadata.owner_references = Some(vec![reference_to(cron)]);
    workflow
}

fn reference(workflow: &Workflow) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "name": workflow.metadata.name,
        "namespace": workflow.metadata.namespace,
        "uid": workflow.metadata.uid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cron(schedule: &str, zone: &str, created: &str) -> CronWorkflow {
        let mut cron = CronWorkflow::default();
        cron.spec.schedules = vec![schedule.to_owned()];
        cron.spec.timezone = zone.to_owned();
        cron.metadata.creation_timestamp = Some(api_time(time(created)));
        cron
    }

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn schedules_follow_the_clocks_of_their_zone() {
        let cron = cron("30 9 * * *", "America/Los_Angeles", "2026-11-21T10:00:00Z");

        let plan = plan(&cron, time("2026-11-21T10:00:30Z")).expect("a plan");

        assert_eq!(plan.next, Some(time("2026-11-21T17:30:00Z")));
        assert!(plan.missed.is_empty());
    }

    #[test]
    fn what_fell_due_is_listed_and_mistakes_are_named() {
        let every = cron("* * * * *", "", "2026-11-21T10:00:10Z");

        let found = plan(&every, time("2026-11-21T10:02:30Z")).expect("a plan");

        assert_eq!(found.missed.len(), 2);
        assert!(
            plan(
                &cron("* * *", "", "2026-11-21T10:00:10Z"),
                time("2026-11-21T10:02:30Z")
            )
            .is_err()
        );
        assert!(
            plan(
                &cron("* * * * *", "Mars/Base", "2026-11-21T10:00:10Z"),
                time("2026-11-21T10:02:30Z")
            )
            .is_err()
        );
    }
}
