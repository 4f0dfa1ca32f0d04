//! The AnalysisRuns of a Rollout: made when their time has come, and reacted on by their phase.
//!
//! Follows Argo Rollouts' `rollout/analysis.go`. Who measures is another controller's business.

use super::model::{
    Analysis, BLUE_GREEN_PAUSE, CANARY_PAUSE, HASH_LABEL, INCONCLUSIVE_ANALYSIS, REVISION,
    RunStatus,
};
use super::pass::{CurrentRuns, Outcome, Pass};
use super::replica_sets::{hash_of, size};
use super::run::Run;
use super::steps;
use crate::sim::controllers::analysis::arguments::{Hashes, of_rollout};
use crate::sim::controllers::analysis::templates::{
    Additions, MergeError, TemplateRef, create_run, merge,
};
use crate::sim::controllers::ownership::reference_to;
use crate::sim::controllers::runtime::{ObjectKey, ReconcileError, Writer};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The times at which analyses run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occasion {
    Step(usize),
    Background,
    BeforeSwitch,
    AfterSwitch,
}

impl Occasion {
    /// How labels and events name it.
    fn name(self) -> &'static str {
        match self {
            Self::Step(_) => "Step",
            Self::Background => "Background",
            Self::BeforeSwitch => "PrePromotion",
            Self::AfterSwitch => "PostPromotion",
        }
    }

    /// What a failure is called.
    fn failure(self) -> &'static str {
        match self {
            Self::Step(_) => "Step-based analysis",
            Self::Background => "Background analysis",
            Self::BeforeSwitch => "Blue/green pre-promotion analysis",
            Self::AfterSwitch => "Blue/green post-promotion analysis",
        }
    }

    /// What ends the name of its run.
    fn suffix(self) -> String {
        match self {
            Self::Step(index) => format!("-{index}"),
            Self::Background => String::new(),
            Self::BeforeSwitch => "-pre".to_owned(),
            Self::AfterSwitch => "-post".to_owned(),
        }
    }
}

/// Says which template of an analysis is missing, or what is wrong with them together: the value
/// and the problem.
pub(super) async fn missing_template(
    pass: &Pass<'_>,
    analysis: &Analysis,
) -> Outcome<Result<(), (String, String)>> {
    let names = || {
        let names: Vec<&str> = analysis
            .templates
            .iter()
            .map(|one| one.template_name.as_str())
            .collect();
        format!("templateNames: [{}]", names.join(" "))
    };
    match pass.run_spec(analysis).await {
        Ok(_) => Ok(Ok(())),
        Err(MergeError::NotFound(template)) => {
            let kind = if template.cluster_scope {
                "ClusterAnalysisTemplate"
            } else {
                "AnalysisTemplate"
            };
            let detail = format!("{kind} '{}' not found", template.name);
            Ok(Err((template.name, detail)))
        }
        Err(MergeError::Invalid(problem)) => Ok(Err((names(), problem))),
        Err(error @ MergeError::Api { .. }) => Err(ReconcileError::Other(error.to_string())),
    }
}

impl Pass<'_> {
    /// Returns the spec of a run of an analysis.
    async fn run_spec(&self, analysis: &Analysis) -> Result<Value, MergeError> {
        let value = serde_json::to_value(analysis).unwrap_or_default();
        let templates = value.get("templates").map(TemplateRef::list);
        let mut additions = Additions::read(&value);
        additions.args = self
            .settled_args(&additions.args)
            .map_err(MergeError::Invalid)?;
        merge(
            self.controller.client(),
            self.rollout.namespace(),
            &templates.unwrap_or_default(),
            &additions,
        )
        .await
    }

    /// Gives arguments that name hashes or fields of the Rollout their values.
    pub(super) fn settled_args(&self, args: &[Value]) -> Result<Vec<Value>, String> {
        let rollout = serde_json::to_value(&self.rollout).unwrap_or_default();
        let hashes = Hashes {
            stable: &self.rollout.status.stable_rs,
            latest: &self.hash,
        };
        of_rollout(&rollout, args, hashes)
    }

    /// Starts, ends and follows the analyses.
    pub(super) async fn sync_runs(&mut self) -> Outcome {
        let skipped = self.is_aborted()
            || self.rollout.status.promote_full
            || self.rollout.status.stable_rs.is_empty()
            || self.is_rollback_within_window()
            || self.returns_in_time;
        if skipped {
            let all: Vec<_> = self.runs.all().chain(&self.other_runs).cloned().collect();
            self.note_runs();
            return self.cancel_all(&all).await;
        }
        let known = std::mem::take(&mut self.runs);
        let runs = if self.rollout.canary().is_some() {
            CurrentRuns {
                step: self.step_run(known.step).await?,
                background: self.background_run(known.background).await?,
                ..CurrentRuns::default()
            }
        } else {
            CurrentRuns {
                before: self.run_before(known.before).await?,
                after: self.run_after(known.after).await?,
                ..CurrentRuns::default()
            }
        };
        self.runs = runs;
        self.note_runs();
        let mut others = std::mem::take(&mut self.other_runs);
        others.retain(|run| self.runs.all().all(|current| current.name() != run.name()));
        self.cancel_all(&others).await?;
        self.forget_runs(&others, &self.controller.runs).await?;
        self.other_runs = others;
        self.tell_of_runs();
        Ok(())
    }

    /// Writes the state of the current runs into the new status.
    fn note_runs(&mut self) {
        let state = |run: &Option<Arc<Run>>| {
            run.as_ref().map(|run| RunStatus {
                name: run.name().to_owned(),
                status: run.status.phase.clone(),
                message: run.status.message.clone(),
            })
        };
        self.new.canary.current_step_analysis_run_status = state(&self.runs.step);
        self.new.canary.current_background_analysis_run_status = state(&self.runs.background);
        self.new.blue_green.pre_promotion_analysis_run_status = state(&self.runs.before);
        self.new.blue_green.post_promotion_analysis_run_status = state(&self.runs.after);
    }

    /// Tells of runs whose phase is not the one that the status knows.
    fn tell_of_runs(&self) {
        let (old, new) = (&self.rollout.status, &self.new);
        for (occasion, known, now) in [
            (
                Occasion::AfterSwitch,
                &old.blue_green.post_promotion_analysis_run_status,
                &new.blue_green.post_promotion_analysis_run_status,
            ),
            (
                Occasion::BeforeSwitch,
                &old.blue_green.pre_promotion_analysis_run_status,
                &new.blue_green.pre_promotion_analysis_run_status,
            ),
            (
                Occasion::Step(0),
                &old.canary.current_step_analysis_run_status,
                &new.canary.current_step_analysis_run_status,
            ),
            (
                Occasion::Background,
                &old.canary.current_background_analysis_run_status,
                &new.canary.current_background_analysis_run_status,
            ),
        ] {
            let Some(now) = now.as_ref().filter(|now| !now.status.is_empty()) else {
                continue;
            };
            let changed = known
                .as_ref()
                .is_none_or(|known| known.name == now.name && known.status != now.status);
            if !changed {
                continue;
            }
            let before = known.as_ref().map_or("NoPreviousStatus", |one| &one.status);
            let message = format!(
                "{} Analysis Run '{}' Status New: '{}' Previous: '{before}'",
                occasion.name(),
                now.name,
                now.status
            );
            let reason = format!("AnalysisRun{}", now.status);
            if matches!(now.status.as_str(), "Failed" | "Error") {
                self.warn(&reason, message);
            } else {
                self.tell(&reason, message);
            }
        }
    }

    /// A run has to be started: there is none, its result was inconclusive and somebody has
    /// resumed, or the update was aborted and is tried again.
    fn needs_new_run(&self, known: Option<&Arc<Run>>) -> bool {
        let Some(known) = known else {
            return true;
        };
        let status = &self.rollout.status;
        let resumed = status.controller_pause
            && status.pause(CANARY_PAUSE).is_none()
            && status.pause(BLUE_GREEN_PAUSE).is_none();
        if resumed {
            return known.status.phase == "Inconclusive";
        }
        status.aborted_at.is_some()
    }

    async fn step_run(&mut self, known: Option<Arc<Run>>) -> Outcome<Option<Arc<Run>>> {
        if !self.rollout.status.pause_conditions.is_empty() {
            return Ok(known);
        }
        let step = steps::current(&self.rollout)
            .and_then(|(index, step)| Some((index, step.analysis.clone()?)));
        let Some((index, analysis)) = step else {
            self.cancel_all(known.as_slice()).await?;
            return Ok(None);
        };
        let occasion = Occasion::Step(index);
        // Somebody may have skipped the step that this run belongs to.
        let wanted = index.to_string();
        let is_of_step = |run: &Arc<Run>| {
            let labels = run.metadata.labels.as_ref();
            labels.and_then(|all| all.get("step-index")) == Some(&wanted)
        };
        let kept = known.as_ref().filter(|run| is_of_step(run)).cloned();
        if known.is_some() && kept.is_none() {
            self.cancel_all(known.as_slice()).await?;
        }
        self.follow(kept, occasion, &analysis).await
    }

    async fn background_run(&mut self, known: Option<Arc<Run>>) -> Outcome<Option<Arc<Run>>> {
        let analysis = self
            .rollout
            .canary()
            .and_then(|canary| canary.analysis.as_ref())
            .map(|one| one.analysis.clone())
            .filter(|analysis| !analysis.templates.is_empty());
        let Some(analysis) = analysis else {
            self.cancel_all(known.as_slice()).await?;
            return Ok(None);
        };
        let status = &self.rollout.status;
        if self.rollout.is_fully_promoted()
            || status.current_pod_hash.is_empty()
            || steps::is_before_starting_step(&self.rollout)
        {
            // It ends with the update.
            self.cancel_all(known.as_slice()).await?;
            return Ok(None);
        }
        if status.pause(INCONCLUSIVE_ANALYSIS).is_some() {
            return Ok(known);
        }
        self.follow(known, Occasion::Background, &analysis).await
    }

    async fn run_before(&mut self, known: Option<Arc<Run>>) -> Outcome<Option<Arc<Run>>> {
        let strategy = self.rollout.blue_green();
        let Some(analysis) = strategy.and_then(|one| one.pre_promotion_analysis.clone()) else {
            self.cancel_all(known.as_slice()).await?;
            return Ok(None);
        };
        if self.skips_analysis_before() {
            self.cancel_all(known.as_slice()).await?;
            return Ok(known);
        }
        if self.rollout.status.pause(INCONCLUSIVE_ANALYSIS).is_some() {
            return Ok(known);
        }
        self.follow(known, Occasion::BeforeSwitch, &analysis).await
    }

    async fn run_after(&mut self, known: Option<Arc<Run>>) -> Outcome<Option<Arc<Run>>> {
        let strategy = self.rollout.blue_green();
        let Some(analysis) = strategy.and_then(|one| one.post_promotion_analysis.clone()) else {
            self.cancel_all(known.as_slice()).await?;
            return Ok(None);
        };
        if self.skips_analysis_after() {
            self.cancel_all(known.as_slice()).await?;
            return Ok(known);
        }
        if self.rollout.status.pause(INCONCLUSIVE_ANALYSIS).is_some() {
            return Ok(known);
        }
        self.follow(known, Occasion::AfterSwitch, &analysis).await
    }

    /// The switch has been made, or the new pods are not all there yet.
    fn skips_analysis_before(&self) -> bool {
        let status = &self.rollout.status;
        let active = &status.blue_green.active_selector;
        let Some(set) = self.sets.new_set() else {
            return true;
        };
        let hash = hash_of(set);
        if status.stable_rs == hash || active.is_empty() || active == hash {
            return true;
        }
        let preview = self
            .rollout
            .blue_green()
            .and_then(|strategy| strategy.preview_replica_count);
        match preview {
            Some(preview) => size(set).wanted != preview || size(set).available != preview,
            None => !self.is_saturated(set),
        }
    }

    /// The switch has not been made, or has been approved already.
    pub(super) fn skips_analysis_after(&self) -> bool {
        let status = &self.rollout.status;
        let Some(set) = self.sets.new_set() else {
            return true;
        };
        let hash = hash_of(set);
        status.stable_rs == hash
            || status.blue_green.active_selector != hash
            || !self.is_saturated(set)
    }

    /// Starts a run if one is due; otherwise reacts on how the known one goes.
    async fn follow(
        &mut self,
        known: Option<Arc<Run>>,
        occasion: Occasion,
        analysis: &Analysis,
    ) -> Outcome<Option<Arc<Run>>> {
        let known = match known {
            Some(known) if !self.needs_new_run(Some(&known)) => known,
            Some(_) | None => return self.start(occasion, analysis).await.map(Some),
        };
        match known.status.phase.as_str() {
            "Inconclusive" => self.pauses.add(INCONCLUSIVE_ANALYSIS),
            "Error" | "Failed" => {
                let message = &known.status.message;
                let what = occasion.failure();
                self.pauses
                    .abort(format!("{what} phase error/failed: {message}"));
            }
            _ => {}
        }
        Ok(Some(known))
    }

    async fn start(&self, occasion: Occasion, analysis: &Analysis) -> Outcome<Arc<Run>> {
        let spec = self.run_spec(analysis).await;
        let spec = spec.map_err(|error| ReconcileError::Other(error.to_string()))?;
        let revision = self.rollout.revision();
        let (name, hash) = (self.rollout.name(), &self.hash);
        let name = format!("{name}-{hash}-{revision}{}", occasion.suffix());
        let mut labels = Map::new();
        labels.insert(HASH_LABEL.to_owned(), json!(hash));
        labels.insert("rollout-type".to_owned(), json!(occasion.name()));
        if let Occasion::Step(index) = occasion {
            labels.insert("step-index".to_owned(), json!(index.to_string()));
        }
        let own = &analysis.analysis_run_metadata;
        let selector = self.rollout.spec.selector.as_ref();
        let selected = selector.and_then(|one| one.match_labels.as_ref());
        for (label, value) in own.labels.iter().chain(selected.into_iter().flatten()) {
            labels.insert(label.clone(), json!(value));
        }
        let mut annotations = json!({REVISION: revision.to_string()});
        for (name, value) in &own.annotations {
            annotations[name] = json!(value);
        }
        let run = json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AnalysisRun",
            "metadata": {
                "name": name,
                "namespace": self.rollout.namespace(),
                "labels": labels,
                "annotations": annotations,
                "ownerReferences": [reference_to(&self.rollout)],
            },
            "spec": spec,
        });
        let doing = || format!("create the analysis run `{name}`");
        let made = create_run(self.controller.client(), &run).await;
        let made = made.map_err(|source| ReconcileError::api(doing(), source))?;
        let made: Run = serde_json::from_value(made).map_err(|source| {
            let doing = doing();
            ReconcileError::Encoding { doing, source }
        })?;
        Ok(self.controller.runs.informer().observe(made))
    }

    async fn cancel_all(&self, runs: &[Arc<Run>]) -> Outcome {
        cancel(&self.controller.runs, runs).await
    }
}

/// Tells runs that have not ended to do so.
pub(super) async fn cancel(writer: &Writer<Run>, runs: &[Arc<Run>]) -> Outcome {
    for run in runs {
        if run.is_finished() || run.is_terminated() {
            continue;
        }
        let patch = json!({"spec": {"terminate": true}});
        match writer.patch(&ObjectKey::of(&**run), &patch).await {
            Err(error) if error.is_not_found() => {}
            other => other.map(|_| ())?,
        }
    }
    Ok(())
}
