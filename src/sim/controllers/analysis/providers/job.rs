//! Measures by running a Job: its end is the measurement.
//!
//! Follows Argo Rollouts' `metricproviders/job/job.go`.

use super::{Providers, fail};
use crate::domain::clock::Clock;
use crate::sim::controllers::analysis::metric::Metric;
use crate::sim::controllers::analysis::model::{AnalysisRun, Measurement, Phase};
use crate::sim::controllers::ownership::{controller_of, owner_keys, reference_to};
use crate::sim::controllers::runtime::time::{api_time, utc};
use crate::sim::controllers::runtime::{Change, ObjectKey, ReconcileError};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::DeleteParams;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

const JOB_NAME: &str = "job-name";
const RUN_NAME: &str = "analysisrun.argoproj.io/name";
const METRIC_NAME: &str = "analysisrun.argoproj.io/metric-name";
const RUN_UID: &str = "analysisrun.argoproj.io/uid";

/// Returns the run that a job measures for.
pub(in crate::sim::controllers::analysis) fn owner_of_job(change: &Change<Job>) -> Vec<ObjectKey> {
    owner_keys(change, "AnalysisRun")
}

/// Makes the job.
pub(super) async fn begin(
    providers: &Providers,
    run: &AnalysisRun,
    metric: &Metric,
    told: &Json,
    mut measurement: Measurement,
) -> Measurement {
    let job = match job_of(run, metric, told) {
        Ok(job) => job,
        Err(message) => {
            fail(&mut measurement, message);
            return measurement;
        }
    };
    match create(providers, &job).await {
        Ok(created) => {
            let name = created.metadata.name.clone().unwrap_or_default();
            let namespace = created.metadata.namespace.clone().unwrap_or_default();
            measurement.metadata.insert(JOB_NAME.to_owned(), name);
            measurement
                .metadata
                .insert("job-namespace".to_owned(), namespace);
            measurement.phase = Phase::Running;
        }
        Err(error) => fail(&mut measurement, error.message()),
    }
    measurement
}

/// Creates a job, or takes the one that this run has created before.
async fn create(providers: &Providers, job: &Job) -> Result<Arc<Job>, ReconcileError> {
    let error = match providers.jobs.create(job).await {
        Err(error) if error.reason() == "AlreadyExists" => error,
        created => return created,
    };
    let existing = providers.jobs.informer().get(&ObjectKey::of(job));
    let owner = |job: &Job| controller_of(&job.metadata).map(|owner| owner.uid.clone());
    existing
        .filter(|existing| owner(existing) == owner(job))
        .ok_or(error)
}

fn job_of(run: &AnalysisRun, metric: &Metric, told: &Json) -> Result<Job, String> {
    let spec: JobSpec = serde_json::from_value(told.get("spec").cloned().unwrap_or_default())
        .map_err(|error| {
            format!(
                "the job of metric `{}` cannot be read: {error}",
                metric.name
            )
        })?;
    let texts = |path: &str| -> BTreeMap<String, String> {
        let texts = told.pointer(path).cloned().unwrap_or_default();
        serde_json::from_value(texts).unwrap_or_default()
    };
    let taken = run.status.result(&metric.name);
    let number = taken.map_or(1, |taken| taken.count + taken.error + 1);
    let uid = run.metadata.uid.clone().unwrap_or_default();
    let mut labels = texts("/metadata/labels");
    labels.insert(RUN_UID.to_owned(), uid.clone());
    let mut annotations = texts("/metadata/annotations");
    let run_name = run.metadata.name.clone().unwrap_or_default();
    annotations.insert(RUN_NAME.to_owned(), run_name);
    annotations.insert(METRIC_NAME.to_owned(), metric.name.clone());
    Ok(Job {
        metadata: ObjectMeta {
            name: Some(format!("{uid}.{}.{number}", metric.name)),
            namespace: run.metadata.namespace.clone(),
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: Some(vec![reference_to(run)]),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    })
}

fn key_of(run: &AnalysisRun, measurement: &Measurement) -> Option<ObjectKey> {
    let name = measurement.metadata.get(JOB_NAME)?;
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    Some(ObjectKey::new(namespace, name.clone()))
}

/// Looks how far the job is.
pub(super) fn resume(
    providers: &Providers,
    run: &AnalysisRun,
    mut begun: Measurement,
) -> Measurement {
    let Some(key) = key_of(run, &begun) else {
        fail(&mut begun, "job metadata reference missing".to_owned());
        return begun;
    };
    let Some(job) = providers.jobs.informer().get(&key) else {
        fail(&mut begun, format!("jobs.batch \"{}\" not found", key.name));
        return begun;
    };
    let conditions = job
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    for condition in conditions.filter(|one| one.status == "True") {
        match condition.type_.as_str() {
            "Complete" => begun.phase = Phase::Successful,
            "Failed" => begun.phase = Phase::Failed,
            _ => {}
        }
    }
    if begun.phase.has_ended() {
        begun.finished_at = Some(api_time(providers.clock.now()));
    }
    begun
}

/// Takes the job away.
pub(super) async fn terminate(
    providers: &Providers,
    run: &AnalysisRun,
    mut begun: Measurement,
) -> Measurement {
    let Some(key) = key_of(run, &begun) else {
        fail(&mut begun, "job metadata reference missing".to_owned());
        return begun;
    };
    if let Some(job) = providers.jobs.informer().get(&key)
        && let Err(error) = providers
            .jobs
            .delete(&*job, &DeleteParams::foreground())
            .await
    {
        fail(&mut begun, error.message());
        return begun;
    }
    begun.phase = Phase::Successful;
    "Metric Terminated".clone_into(&mut begun.message);
    begun
}

/// Deletes the oldest jobs of a metric beyond those whose measurements are kept.
pub(in crate::sim::controllers::analysis) async fn forget_jobs(
    providers: &Providers,
    run: &AnalysisRun,
    metric: &str,
    kept: usize,
) -> Result<(), ReconcileError> {
    let uid = run.metadata.uid.as_deref().unwrap_or_default();
    let mut jobs = providers.jobs.informer().owned_by(uid);
    jobs.retain(|job| {
        let annotations = job.metadata.annotations.as_ref();
        annotations
            .and_then(|all| all.get(METRIC_NAME))
            .map(String::as_str)
            == Some(metric)
    });
    jobs.sort_by_key(|job| job.metadata.creation_timestamp.as_ref().map(utc));
    let surplus = jobs.len().saturating_sub(kept);
    for job in jobs.into_iter().take(surplus) {
        providers
            .jobs
            .delete(&*job, &DeleteParams::foreground())
            .await?;
    }
    Ok(())
}
