//! A Deployment's status and conditions.
//!
//! Follows `pkg/controller/deployment/progress.go` and `sync.go` (`calculateStatus`).

use super::{View, wanted};
use crate::sim::controllers::runtime::time::{api_time, utc};
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};
use std::sync::Arc;

/// What just happened to the new ReplicaSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Created,
    Found,
}

/// Returns the status as it is now, and when the progress deadline falls due.
pub(super) fn status(
    deployment: &Deployment,
    view: &View,
    step: Option<Step>,
    now: DateTime<Utc>,
) -> (DeploymentStatus, Option<DateTime<Utc>>) {
    let old = deployment.status.clone().unwrap_or_default();
    let mut new = counts(deployment, view);
    let mut conditions = Conditions {
        list: old.conditions.clone().unwrap_or_default(),
        now,
    };
    conditions.set_available(deployment, &new);
    let due = conditions.set_progressing(deployment, view, (&old, &new), step);
    conditions.set_failure(view);
    new.conditions = (!conditions.list.is_empty()).then_some(conditions.list);
    new.collision_count = old.collision_count;
    (new, due)
}

fn counts(deployment: &Deployment, view: &View) -> DeploymentStatus {
    let some = |count: i32| Some(count).filter(|count| *count > 0);
    let sum = |count: fn(&ReplicaSet) -> i32| view.all().map(|set| count(set)).sum::<i32>();
    let total = sum(|set| status_of(set).0);
    let available = sum(|set| status_of(set).2);
    let wanted_by_sets: i32 = view.all().map(|set| super::set_wanted(set)).sum();
    DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas: some(total),
        updated_replicas: some(view.new.as_ref().map_or(0, |set| status_of(set).0)),
        ready_replicas: some(sum(|set| status_of(set).1)),
        available_replicas: some(available),
        unavailable_replicas: some(wanted_by_sets.max(wanted(deployment).min(total)) - available),
        ..DeploymentStatus::default()
    }
}

/// Returns a set's replicas, ready and available ones.
fn status_of(set: &ReplicaSet) -> (i32, i32, i32) {
    set.status.as_ref().map_or((0, 0, 0), |status| {
        (
            status.replicas,
            status.ready_replicas.unwrap_or_default(),
            status.available_replicas.unwrap_or_default(),
        )
    })
}

struct Conditions {
    list: Vec<DeploymentCondition>,
    now: DateTime<Utc>,
}

impl Conditions {
    fn get(&self, name: &str) -> Option<&DeploymentCondition> {
        self.list.iter().find(|one| one.type_ == name)
    }

    /// Sets a condition; without a change of status or reason the known one stays as it is.
    fn set(&mut self, name: &str, status: &str, (reason, message): (&str, String)) {
        let known = self.get(name);
        if known.is_some_and(|one| one.status == status && one.reason.as_deref() == Some(reason)) {
            return;
        }
        self.put(name, status, (reason, message));
    }

    /// Sets a condition anew; its transition time stays if its status does.
    fn put(&mut self, name: &str, status: &str, (reason, message): (&str, String)) {
        let since = self
            .get(name)
            .filter(|one| one.status == status)
            .and_then(|one| one.last_transition_time.clone());
        self.list.retain(|one| one.type_ != name);
        self.list.push(DeploymentCondition {
            type_: name.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_transition_time: since.or_else(|| Some(api_time(self.now))),
            last_update_time: Some(api_time(self.now)),
        });
    }

    fn set_available(&mut self, deployment: &Deployment, new: &DeploymentStatus) {
        let slack = super::slack_of(deployment);
        let enough = new.available_replicas.unwrap_or(0) >= wanted(deployment) - slack.unavailable;
        if enough {
            let message = "Deployment has minimum availability.".to_owned();
            self.set("Available", "True", ("MinimumReplicasAvailable", message));
        } else {
            let message = "Deployment does not have minimum availability.".to_owned();
            self.set(
                "Available",
                "False",
                ("MinimumReplicasUnavailable", message),
            );
        }
    }

    fn set_progressing(
        &mut self,
        deployment: &Deployment,
        view: &View,
        (old, new): (&DeploymentStatus, &DeploymentStatus),
        step: Option<Step>,
    ) -> Option<DateTime<Utc>> {
        let Some(deadline) = deadline(deployment) else {
            self.list.retain(|one| one.type_ != "Progressing");
            return None;
        };
        if self.set_paused(deployment) {
            return None;
        }
        let name = view
            .new
            .as_ref()
            .and_then(|set| set.metadata.name.clone())
            .unwrap_or_default();
        match step {
            Some(Step::Created) => self.put(
                "Progressing",
                "True",
                (
                    "NewReplicaSetCreated",
                    format!("Created new replica set \"{name}\""),
                ),
            ),
            Some(Step::Found) if self.get("Progressing").is_none() => self.put(
                "Progressing",
                "True",
                (
                    "FoundNewReplicaSet",
                    format!("Found new replica set \"{name}\""),
                ),
            ),
            Some(Step::Found) | None => {}
        }
        let reason = self.get("Progressing").and_then(|one| one.reason.clone());
        let same = new.replicas == new.updated_replicas;
        if same && reason.as_deref() == Some("NewReplicaSetAvailable") {
            return None;
        }
        if is_complete(deployment, new) {
            let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
            self.set("Progressing", "True", ("NewReplicaSetAvailable", message));
        } else if is_progressing(old, new) {
            let message = format!("ReplicaSet \"{name}\" is progressing.");
            self.put("Progressing", "True", ("ReplicaSetUpdated", message));
        } else if self
            .deadline_at(deadline)
            .is_some_and(|due| due <= self.now)
        {
            let message = format!("ReplicaSet \"{name}\" has timed out progressing.");
            self.set(
                "Progressing",
                "False",
                ("ProgressDeadlineExceeded", message),
            );
        }
        self.deadline_at(deadline)
    }

    /// Returns when progress is overdue; none once it is done or found overdue.
    fn deadline_at(&self, deadline: TimeDelta) -> Option<DateTime<Utc>> {
        let progressing = self.get("Progressing")?;
        let reason = progressing.reason.as_deref();
        if matches!(
            reason,
            Some("NewReplicaSetAvailable" | "ProgressDeadlineExceeded")
        ) {
            return None;
        }
        progressing
            .last_update_time
            .as_ref()
            .map(|since| utc(since) + deadline)
    }

    /// Notes that the Deployment is paused or was resumed; true while it is paused.
    fn set_paused(&mut self, deployment: &Deployment) -> bool {
        let paused = super::is_paused(deployment);
        let reason = self.get("Progressing").and_then(|one| one.reason.clone());
        let noted = reason.as_deref() == Some("DeploymentPaused");
        if reason.as_deref() == Some("ProgressDeadlineExceeded") {
            return paused;
        }
        match (paused, noted) {
            (true, false) => self.put(
                "Progressing",
                "Unknown",
                ("DeploymentPaused", "Deployment is paused".to_owned()),
            ),
            (false, true) => self.put(
                "Progressing",
                "Unknown",
                ("DeploymentResumed", "Deployment is resumed".to_owned()),
            ),
            (true, true) | (false, false) => {}
        }
        paused
    }

    fn set_failure(&mut self, view: &View) {
        let failure = view.all().find_map(replica_failure);
        match failure {
            Some((reason, message)) => self.set("ReplicaFailure", "True", (&reason, message)),
            None => self.list.retain(|one| one.type_ != "ReplicaFailure"),
        }
    }
}

fn replica_failure(set: &Arc<ReplicaSet>) -> Option<(String, String)> {
    let conditions = set.status.as_ref()?.conditions.as_ref()?;
    let failure = conditions
        .iter()
        .find(|one| one.type_ == "ReplicaFailure")?;
    Some((
        failure.reason.clone().unwrap_or_default(),
        failure.message.clone().unwrap_or_default(),
    ))
}

fn deadline(deployment: &Deployment) -> Option<TimeDelta> {
    let seconds = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.progress_deadline_seconds)
        .unwrap_or(600);
    (seconds != i32::MAX).then(|| TimeDelta::seconds(i64::from(seconds)))
}

/// All replicas are of the new template and available.
fn is_complete(deployment: &Deployment, new: &DeploymentStatus) -> bool {
    let wanted = wanted(deployment);
    new.updated_replicas.unwrap_or(0) == wanted
        && new.replicas.unwrap_or(0) == wanted
        && new.available_replicas.unwrap_or(0) == wanted
}

fn is_progressing(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    let count = |count: Option<i32>| count.unwrap_or(0);
    let old_ones = count(old.replicas) - count(old.updated_replicas);
    let new_ones = count(new.replicas) - count(new.updated_replicas);
    count(new.updated_replicas) > count(old.updated_replicas)
        || new_ones < old_ones
        || count(new.ready_replicas) > count(old.ready_replicas)
        || count(new.available_replicas) > count(old.available_replicas)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::{DeploymentSpec, ReplicaSetSpec, ReplicaSetStatus};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    fn set(available: i32) -> View {
        View {
            new: Some(Arc::new(ReplicaSet {
                metadata: ObjectMeta {
                    name: Some("web-1".into()),
                    ..ObjectMeta::default()
                },
                spec: Some(ReplicaSetSpec {
                    replicas: Some(2),
                    ..ReplicaSetSpec::default()
                }),
                status: Some(ReplicaSetStatus {
                    replicas: 2,
                    ready_replicas: Some(available),
                    available_replicas: Some(available),
                    ..ReplicaSetStatus::default()
                }),
            })),
            old: Vec::new(),
        }
    }

    fn deployment(status: Option<DeploymentStatus>) -> Deployment {
        Deployment {
            spec: Some(DeploymentSpec {
                replicas: Some(2),
                progress_deadline_seconds: Some(60),
                ..DeploymentSpec::default()
            }),
            status,
            ..Deployment::default()
        }
    }

    fn reason(status: &DeploymentStatus, name: &str) -> String {
        let mut conditions = status.conditions.iter().flatten();
        let found = conditions.rfind(|one| one.type_ == name);
        found.and_then(|one| one.reason.clone()).unwrap_or_default()
    }

    #[test]
    fn a_rollout_that_stands_still_exceeds_its_deadline() {
        let fresh = deployment(None);
        let (first, due) = status(&fresh, &set(0), Some(Step::Created), at(0));
        assert_eq!(reason(&first, "Progressing"), "ReplicaSetUpdated");
        assert_eq!(due, Some(at(60)));

        let (late, due) = status(&deployment(Some(first)), &set(0), None, at(61));

        assert_eq!(reason(&late, "Progressing"), "ProgressDeadlineExceeded");
        assert_eq!(reason(&late, "Available"), "MinimumReplicasUnavailable");
        assert_eq!(due, None);
    }

    #[test]
    fn a_complete_rollout_says_so_and_does_not_change_any_more() {
        let (first, _) = status(&deployment(None), &set(0), Some(Step::Created), at(0));
        let (done, due) = status(&deployment(Some(first)), &set(2), None, at(5));
        assert_eq!(reason(&done, "Progressing"), "NewReplicaSetAvailable");
        assert_eq!(due, None);

        let (later, _) = status(&deployment(Some(done.clone())), &set(2), None, at(500));

        assert_eq!(later, done);
    }
}
