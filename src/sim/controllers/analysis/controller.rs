//! The loop over AnalysisRuns.

use super::arguments::resolve;
use super::assessment::{self, Rules, Task};
use super::metric::{self, Metric};
use super::model::{AnalysisRun, Measurement, MetricResult, Phase, RunStatus};
use super::providers::{self, Providers};
use crate::domain::clock::Clock;
use crate::sim::controllers::runtime::time::api_time;
use crate::sim::controllers::runtime::{
    Controller, ObjectKey, ReconcileError, Requeue, Runtime, Writer, merge_patch,
};
use crate::sim::events::{About, Events, Recorder};
use crate::sim::network::Network;
use futures::future::join_all;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, DeleteParams};
use serde_json::{Value, json};
use std::sync::Arc;

const MANAGER: &str = "rollouts-controller";
/// What stands for a secret where only the rest of a metric matters.
const SECRET_STAND_IN: &str = "temp-for-secret";

/// The AnalysisRun controller.
pub struct Analyses {
    runs: Writer<AnalysisRun>,
    client: Client,
    providers: Providers,
    recorder: Recorder,
}

impl Analyses {
    /// Starts the controller.
    pub fn start(runtime: &Runtime, events: &Events, network: Network) {
        let runs = runtime.informer::<AnalysisRun>();
        let jobs = runtime.informer::<Job>();
        let queue = runtime.queue();
        runs.feed(&queue, |change| [change.key()]);
        jobs.feed(&queue, providers::owner_of_job);
        let controller = Self {
            runs: runs.writer(MANAGER),
            client: runtime.client().clone(),
            providers: Providers {
                network,
                clock: runtime.clock().clone(),
                jobs: jobs.writer(MANAGER),
            },
            recorder: events.recorder(MANAGER),
        };
        runtime.run(controller, queue);
    }

    /// Takes the measurements that are due and brings the run's status up to date.
    async fn advance(&self, run: &mut AnalysisRun) -> Result<Requeue, ReconcileError> {
        let spec = run.spec.clone();
        let metrics = match readable_metrics(&spec.metrics, &spec.args) {
            Ok(metrics) => metrics,
            Err(message) => return Ok(self.give_up(run, message)),
        };
        let rules = metric::matched(&spec.dry_run, &metrics, "dryRun").and_then(|dry_run| {
            let rules = &spec.measurement_retention;
            let retention = metric::matched(rules, &metrics, "measurementRetention")?;
            Ok(Rules { dry_run, retention })
        });
        let rules = match rules {
            Ok(rules) => rules,
            Err(why) => return Ok(self.give_up(run, format!("Analysis spec invalid: {why}"))),
        };
        run.status.metric_results.get_or_insert_default();
        let tasks = assessment::tasks(run, &metrics, self.providers.clock.now());
        if let Err(why) = self.work(run, tasks, &rules).await? {
            let message = format!("Unable to resolve metric arguments: {why}");
            return Ok(self.give_up(run, message));
        }
        let before = run.status.phase;
        let now = self.providers.clock.now();
        let ended = assessment::assess(run, &metrics, &rules, now);
        for one in ended {
            let (reason, message) = (
                format!("Metric{}", one.phase),
                format!("Metric '{}' Completed. Result: {}", one.metric, one.phase),
            );
            self.tell(run, one.phase, &reason, message);
        }
        if run.status.phase != before && run.status.phase.has_ended() {
            self.tell_end(run);
        }
        for name in assessment::trim(&mut run.status, &rules) {
            let kept = assessment::kept(&rules, &name);
            providers::forget_jobs(&self.providers, run, &name, kept).await?;
        }
        let due = assessment::next_look(&run.status, &metrics, now);
        Ok(Requeue::OnChange.or_at(due))
    }

    /// Ends a run that cannot be measured.
    fn give_up(&self, run: &mut AnalysisRun, message: String) -> Requeue {
        run.status.phase = Phase::Error;
        run.status.message = message;
        run.status.completed_at = Some(api_time(self.providers.clock.now()));
        self.tell_end(run);
        Requeue::OnChange
    }

    fn tell_end(&self, run: &AnalysisRun) {
        let phase = run.status.phase;
        let message = format!("Analysis Completed. Result: {phase}");
        self.tell(run, phase, &format!("AnalysisRun{phase}"), message);
    }

    fn tell(&self, run: &AnalysisRun, phase: Phase, reason: &str, message: String) {
        let about = About::object(run);
        if phase.is_bad() {
            self.recorder.warning(about, reason, message);
        } else {
            self.recorder.normal(about, reason, message);
        }
    }

    /// Works on measurements, all at once; the inner error says which argument has no value.
    async fn work(
        &self,
        run: &mut AnalysisRun,
        tasks: Vec<Task>,
        rules: &Rules<'_>,
    ) -> Result<Result<(), String>, ReconcileError> {
        if tasks.is_empty() {
            return Ok(Ok(()));
        }
        let (args, secrets) = match self.arguments(run).await? {
            Ok(found) => found,
            Err(why) => return Ok(Err(why)),
        };
        let mut work = Vec::new();
        for task in tasks {
            let json = run.spec.metrics.get(task.index).unwrap_or(&Value::Null);
            match resolve(json, &args).and_then(|json| Metric::read(&json)) {
                Ok(metric) => work.push((metric, task.begun)),
                Err(why) => return Ok(Err(why)),
            }
        }
        let terminating = assessment::is_terminating(run);
        let frozen = &*run;
        let measuring = work.into_iter().map(async |(metric, begun)| {
            let is_begun = begun.is_some();
            let measurement = match begun {
                None => self.providers.measure(frozen, &metric).await,
                Some(begun) if terminating => self.providers.terminate(frozen, begun).await,
                Some(begun) => self.providers.resume(frozen, begun),
            };
            (metric, measurement, is_begun)
        });
        let measured = join_all(measuring).await;
        for (metric, mut measurement, begun) in measured {
            self.finish(&mut measurement, &secrets);
            let known = run.status.result(&metric.name).cloned();
            let mut result = known.unwrap_or_else(|| MetricResult {
                name: metric.name.clone(),
                phase: Phase::Running,
                dry_run: rules.dry_run.contains_key(&metric.name),
                metadata: providers::metadata(&metric)
                    .into_iter()
                    .map(|(name, text)| (name, redacted(text, &secrets)))
                    .collect(),
                ..MetricResult::default()
            });
            assessment::record(&mut result, measurement, begun);
            run.status.set_result(result);
        }
        Ok(Ok(()))
    }

    fn finish(&self, measurement: &mut Measurement, secrets: &[String]) {
        if measurement.phase.has_ended() {
            let now = || api_time(self.providers.clock.now());
            measurement.finished_at.get_or_insert_with(now);
        }
        let message = std::mem::take(&mut measurement.message);
        measurement.message = redacted(message, secrets);
    }

    /// Returns the arguments with the values of their secrets, and those values.
    async fn arguments(
        &self,
        run: &AnalysisRun,
    ) -> Result<Result<(Vec<Value>, Vec<String>), String>, ReconcileError> {
        let namespace = run.metadata.namespace.clone().unwrap_or_default();
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &namespace);
        let (mut args, mut secrets) = (run.spec.args.clone(), Vec::new());
        for arg in &mut args {
            let Some((name, key)) = secret_of(arg) else {
                continue;
            };
            let doing = || format!("read the secret `{namespace}/{name}`");
            let found = api.get_opt(&name).await;
            let found = found.map_err(|source| ReconcileError::api(doing(), source))?;
            let Some(secret) = found else {
                return Ok(Err(format!("secrets \"{name}\" not found")));
            };
            let value = secret.data.as_ref().and_then(|data| data.get(&key));
            let Some(value) = value else {
                return Ok(Err(format!(
                    "key '{key}' does not exist in secret '{name}'"
                )));
            };
            let value = String::from_utf8_lossy(&value.0).into_owned();
            arg["value"] = Value::String(value.clone());
            secrets.push(value);
        }
        Ok(Ok((args, secrets)))
    }

    /// Writes what has changed in the status; a run has no status subresource.
    async fn save(&self, run: &AnalysisRun, old: &RunStatus) -> Result<(), ReconcileError> {
        let value = |status: &RunStatus| {
            serde_json::to_value(status).map_err(|source| ReconcileError::Encoding {
                doing: format!("update analysisruns `{}`", ObjectKey::of(run)),
                source,
            })
        };
        let Some(patch) = merge_patch(&value(old)?, &value(&run.status)?) else {
            return Ok(());
        };
        let patch = json!({"metadata": {"uid": run.metadata.uid}, "status": patch});
        self.runs.patch(&ObjectKey::of(run), &patch).await?;
        Ok(())
    }

    async fn bury(&self, run: &Arc<AnalysisRun>) -> Result<Requeue, ReconcileError> {
        match assessment::expires(run) {
            Some(due) if due <= self.providers.clock.now() => {
                self.runs.delete(run, &DeleteParams::background()).await?;
                Ok(Requeue::OnChange)
            }
            due => Ok(Requeue::OnChange.or_at(due)),
        }
    }
}

/// Reads the metrics with what is known without looking into secrets.
fn readable_metrics(metrics: &[Value], args: &[Value]) -> Result<Vec<Metric>, String> {
    let mut args = args.to_vec();
    for arg in &mut args {
        if secret_of(arg).is_some() {
            arg["value"] = SECRET_STAND_IN.into();
        }
    }
    let resolved: Result<Vec<Value>, String> = metrics
        .iter()
        .map(|metric| resolve(metric, &args))
        .collect();
    let resolved = resolved.map_err(|why| format!("Unable to resolve metric arguments: {why}"))?;
    metric::read_all(&resolved).map_err(|why| format!("Analysis spec invalid: {why}"))
}

/// Returns name and key of the secret that an argument comes from.
fn secret_of(arg: &Value) -> Option<(String, String)> {
    let secret = arg.pointer("/valueFrom/secretKeyRef")?;
    let text = |field: &str| {
        let text = secret.get(field).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    Some((text("name"), text("key")))
}

fn redacted(text: String, secrets: &[String]) -> String {
    let known = secrets.iter().filter(|secret| !secret.is_empty());
    known.fold(text, |text, secret| text.replace(secret.as_str(), "*****"))
}

impl Controller for Analyses {
    type Key = ObjectKey;
    const NAME: &'static str = "analysis";
    /// A run waits while a server is slow; the others must not.
    const CONCURRENCY: usize = 64;

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(found) = self.runs.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        if found.metadata.deletion_timestamp.is_some() {
            return Ok(Requeue::OnChange);
        }
        if found.status.phase.has_ended() {
            return self.bury(&found).await;
        }
        let mut run = (*found).clone();
        let requeue = self.advance(&mut run).await?;
        self.save(&run, &found.status).await?;
        if run.status.phase.has_ended() {
            return Ok(Requeue::OnChange.or_at(assessment::expires(&run)));
        }
        Ok(requeue)
    }
}
