//! The analyses of an experiment.
//!
//! Follows `reconcileAnalysisRun` in Argo Rollouts' `experiments/experiment.go`.

use super::Experiments;
use super::assessment;
use super::model::{AnalysisSpec, Experiment, ExperimentStatus, RunState};
use crate::sim::controllers::analysis::arguments::fill_text;
use crate::sim::controllers::analysis::model::Phase;
use crate::sim::controllers::analysis::templates::{
    Additions, MergeError, TemplateRef, create_run, merge,
};
use crate::sim::controllers::ownership::reference_to;
use crate::sim::controllers::runtime::time::utc;
use crate::sim::controllers::runtime::{ObjectKey, ReconcileError};
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

impl Experiments {
    /// Starts, follows or ends one analysis.
    pub(super) async fn follow(
        &self,
        experiment: &Experiment,
        analysis: &AnalysisSpec,
        status: &mut ExperimentStatus,
    ) -> Result<(), ReconcileError> {
        let before = experiment.status.run(&analysis.name).cloned();
        let before = before.unwrap_or_else(|| RunState {
            name: analysis.name.clone(),
            ..RunState::default()
        });
        let mut state = before.clone();
        if experiment.status.available_at.is_none() {
            self.verify(experiment, analysis, &mut state).await?;
        } else if before.analysis_run.is_empty() {
            if !assessment::is_terminating(experiment) {
                self.begin(experiment, analysis, &mut state).await?;
            }
        } else if !before.phase.has_ended() {
            self.look(experiment, &mut state).await?;
        }
        if state.phase != before.phase && state.phase != Phase::Unset {
            let mut message = format!(
                "AnalysisRun '{}' transitioned from {} -> {}",
                analysis.name, before.phase, state.phase
            );
            if !state.message.is_empty() {
                message = format!("{message}: {}", state.message);
            }
            let bad = state.phase.is_bad() || state.phase == Phase::Inconclusive;
            self.tell(
                experiment,
                bad,
                &format!("AnalysisRun{}", state.phase),
                message,
            );
        }
        status.set_run(state);
        Ok(())
    }

    /// Says early that a template is not there, or that an argument of it has no value.
    async fn verify(
        &self,
        experiment: &Experiment,
        analysis: &AnalysisSpec,
        state: &mut RunState,
    ) -> Result<(), ReconcileError> {
        let outcome = self
            .run_spec(experiment, analysis, analysis.args.clone())
            .await;
        let kind = if analysis.cluster_scope {
            "ClusterAnalysisTemplate"
        } else {
            "AnalysisTemplate"
        };
        match outcome {
            Ok(_) => Ok(()),
            Err(MergeError::Api { source, what }) => {
                Err(ReconcileError::api(format!("read {what}"), *source))
            }
            Err(why @ (MergeError::NotFound(_) | MergeError::Invalid(_))) => {
                state.phase = Phase::Error;
                state.message = format!(
                    "{kind} verification failed for analysis '{}': {why}",
                    analysis.name
                );
                Ok(())
            }
        }
    }

    async fn begin(
        &self,
        experiment: &Experiment,
        analysis: &AnalysisSpec,
        state: &mut RunState,
    ) -> Result<(), ReconcileError> {
        let spec = match self.filled_args(experiment, analysis) {
            Ok(args) => match self.run_spec(experiment, analysis, args).await {
                Ok(spec) => Ok(spec),
                Err(MergeError::Api { source, what }) => {
                    return Err(ReconcileError::api(format!("read {what}"), *source));
                }
                Err(why @ (MergeError::NotFound(_) | MergeError::Invalid(_))) => {
                    Err(why.to_string())
                }
            },
            Err(why) => Err(why),
        };
        let spec = match spec {
            Ok(spec) => spec,
            Err(why) => {
                state.phase = Phase::Error;
                state.message = format!(
                    "Failed to create AnalysisRun for analysis '{}': {why}",
                    analysis.name
                );
                return Ok(());
            }
        };
        let name = experiment.metadata.name.as_deref().unwrap_or_default();
        let own = &experiment.spec.analysis_run_metadata;
        let run = json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AnalysisRun",
            "metadata": {
                "name": format!("{name}-{}", analysis.name),
                "namespace": experiment.metadata.namespace,
                "labels": own.labels,
                "annotations": own.annotations,
                "ownerReferences": [reference_to(experiment)],
            },
            "spec": spec,
        });
        let doing = || {
            format!(
                "create the AnalysisRun `{}` of experiment `{name}`",
                analysis.name
            )
        };
        let created = create_run(&self.client, &run).await;
        let created = created.map_err(|source| ReconcileError::api(doing(), source))?;
        let created = created.pointer("/metadata/name").and_then(Value::as_str);
        created
            .unwrap_or_default()
            .clone_into(&mut state.analysis_run);
        state.phase = Phase::Pending;
        Ok(())
    }

    async fn run_spec(
        &self,
        experiment: &Experiment,
        analysis: &AnalysisSpec,
        args: Vec<Value>,
    ) -> Result<Value, MergeError> {
        let namespace = experiment.metadata.namespace.as_deref().unwrap_or_default();
        let template = TemplateRef {
            name: analysis.template_name.clone(),
            cluster_scope: analysis.cluster_scope,
        };
        let additions = Additions {
            args,
            dry_run: experiment.spec.dry_run.clone(),
            measurement_retention: experiment.spec.measurement_retention.clone(),
        };
        merge(&self.client, namespace, &[template], &additions).await
    }

    /// Puts what is known of the experiment into the arguments' values.
    fn filled_args(
        &self,
        experiment: &Experiment,
        analysis: &AnalysisSpec,
    ) -> Result<Vec<Value>, String> {
        let mut values = Map::new();
        let time = |time: chrono::DateTime<chrono::Utc>| {
            Value::String(time.to_rfc3339_opts(SecondsFormat::Secs, true))
        };
        if let Some(available) = &experiment.status.available_at {
            values.insert("experiment.availableAt".to_owned(), time(utc(available)));
        }
        if let Some(end) = assessment::ends_at(experiment, &experiment.status) {
            values.insert("experiment.finishedAt".to_owned(), time(end));
        }
        for template in &experiment.spec.templates {
            if let Some(set) = self.set(experiment, &template.name) {
                let part = |what: &str| format!("templates.{}.{what}", template.name);
                let name = set.metadata.name.clone().unwrap_or_default();
                values.insert(part("podTemplateHash"), super::sets::hash_of(&set).into());
                values.insert(part("replicaset.name"), name.into());
            }
        }
        let mut args = analysis.args.clone();
        for arg in &mut args {
            if let Some(value) = arg.get("value").and_then(Value::as_str) {
                arg["value"] = fill_text(value, &values)?.into();
            }
        }
        Ok(args)
    }

    async fn look(
        &self,
        experiment: &Experiment,
        state: &mut RunState,
    ) -> Result<(), ReconcileError> {
        let namespace = experiment.metadata.namespace.clone().unwrap_or_default();
        let key = ObjectKey::new(namespace, state.analysis_run.clone());
        let Some(run) = self.runs.informer().get(&key) else {
            // Made a moment ago, through another client: the cache has yet to hear of it.
            if state.phase != Phase::Pending {
                state.phase = Phase::Error;
                state.message = format!("analysisrun.argoproj.io \"{}\" not found", key.name);
            }
            return Ok(());
        };
        if assessment::is_terminating(experiment) && !run.status.phase.has_ended() {
            if !run.spec.terminate {
                let message = format!("Terminating {} ({})", state.name, key.name);
                self.tell(experiment, false, "AnalysisRunTerminating", message);
                let patch = json!({"spec": {"terminate": true}});
                self.runs.patch(&key, &patch).await?;
            }
            return Ok(());
        }
        if run.status.phase != Phase::Unset {
            state.phase = run.status.phase;
            state.message.clone_from(&run.status.message);
        }
        Ok(())
    }
}
