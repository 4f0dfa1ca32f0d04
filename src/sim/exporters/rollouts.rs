//! The metrics of the Argo Rollouts controller (`controller/metrics/prommetrics.go`).

use super::projected::{Projected, argo};
use crate::sim::controllers::runtime::{Informer, Runtime};
use crate::sim::exposition::{Metric, Page};
use serde::Deserialize;
use serde_json::{Map, Value};

const PHASES: [&str; 7] = [
    "Completed",
    "Progressing",
    "Paused",
    "Timeout",
    "Error",
    "Abort",
    "InvalidSpec",
];
const ANALYSIS_PHASES: [&str; 6] = [
    "Pending",
    "Running",
    "Successful",
    "Failed",
    "Error",
    "Inconclusive",
];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RolloutSpec {
    replicas: Option<i64>,
    strategy: Strategy,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Strategy {
    canary: Option<Canary>,
    blue_green: Option<serde::de::IgnoredAny>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Canary {
    traffic_routing: Map<String, Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RolloutStatus {
    phase: String,
    abort: bool,
    available_replicas: i64,
    updated_replicas: i64,
    replicas: i64,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    r#type: String,
    reason: String,
}

type Rollout = Projected<RolloutSpec, RolloutStatus>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct AnalysisSpec {
    metrics: Vec<MetricSpec>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct MetricSpec {
    name: String,
    provider: Map<String, Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AnalysisStatus {
    phase: String,
    metric_results: Vec<MetricResult>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct MetricResult {
    name: String,
    phase: String,
    dry_run: bool,
}

type AnalysisRun = Projected<AnalysisSpec, AnalysisStatus>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Phase {
    phase: String,
}

type Experiment = Projected<serde::de::IgnoredAny, Phase>;

impl Rollout {
    fn strategy(&self) -> &'static str {
        let strategy = &self.spec.strategy;
        match (&strategy.blue_green, &strategy.canary) {
            (Some(_), _) => "blueGreen",
            (None, Some(_)) => "canary",
            (None, None) => "none",
        }
    }

    /// Routers that are plugins have no name here, as upstream.
    fn router(&self) -> &'static str {
        let canary = self.spec.strategy.canary.as_ref();
        let has =
            |name: &str| canary.is_some_and(|canary| canary.traffic_routing.contains_key(name));
        [
            ("alb", "ALB"),
            ("ambassador", "Ambassador"),
            ("istio", "Istio"),
            ("nginx", "Nginx"),
            ("smi", "SMI"),
            ("appMesh", "AppMesh"),
        ]
        .into_iter()
        .find(|(field, _)| has(field))
        .map_or("", |(_, word)| word)
    }

    fn phase(&self) -> &'static str {
        let status = &self.status;
        let has = |kind: &str, reason: &str| {
            status
                .conditions
                .iter()
                .any(|one| one.r#type == kind && (reason.is_empty() || one.reason == reason))
        };
        if has("InvalidSpec", "") {
            "InvalidSpec"
        } else if status.abort {
            "Abort"
        } else if has("Progressing", "ProgressDeadlineExceeded") {
            "Timeout"
        } else {
            match status.phase.as_str() {
                "Healthy" => "Completed",
                "Paused" => "Paused",
                "Degraded" => "Error",
                _ => "Progressing",
            }
        }
    }
}

/// The metrics of Argo Rollouts.
#[derive(Clone, Debug)]
pub struct RolloutsExporter {
    rollouts: Informer<Rollout>,
    analyses: Informer<AnalysisRun>,
    experiments: Informer<Experiment>,
}

/// Reads a number of replicas from a Rollout.
type Count = fn(&Rollout) -> i64;

impl RolloutsExporter {
    /// Starts to watch Rollouts, AnalysisRuns and Experiments.
    pub fn start(runtime: &Runtime) -> Self {
        Self {
            rollouts: runtime.informer_with(argo("Rollout"), Rollout::slim),
            analyses: runtime.informer_with(argo("AnalysisRun"), AnalysisRun::slim),
            experiments: runtime.informer_with(argo("Experiment"), Experiment::slim),
        }
    }

    /// Returns all metrics as text.
    pub fn metrics(&self) -> String {
        let mut page = Page::default();
        self.write_rollouts(&mut page);
        self.write_replicas(&mut page);
        self.write_analyses(&mut page);
        self.write_analysis_metrics(&mut page);
        let help = "Information about Experiment.";
        page.family("experiment_info", Metric::Gauge, help);
        for experiment in self.experiments.all() {
            let names = (experiment.namespace(), experiment.name());
            write_phase(
                &mut page,
                "experiment_info",
                names,
                &experiment.status.phase,
            );
        }
        page.into_text()
    }

    fn write_rollouts(&self, page: &mut Page) {
        page.family("rollout_info", Metric::Gauge, "Information about rollout.");
        for rollout in self.rollouts.all() {
            let now = rollout.phase();
            for phase in PHASES {
                let labels = [
                    ("namespace", rollout.namespace()),
                    ("name", rollout.name()),
                    ("strategy", rollout.strategy()),
                    ("traffic_router", rollout.router()),
                    ("phase", phase),
                ];
                page.sample("rollout_info", &labels, f64::from(phase == now));
            }
        }
    }

    fn write_replicas(&self, page: &mut Page) {
        let rollouts = self.rollouts.all();
        let families: [(&str, &str, Count); 4] = [
            (
                "rollout_info_replicas_available",
                "The number of available replicas per rollout.",
                |rollout| rollout.status.available_replicas,
            ),
            (
                "rollout_info_replicas_unavailable",
                "The number of unavailable replicas per rollout.",
                |rollout| rollout.status.replicas - rollout.status.available_replicas,
            ),
            (
                "rollout_info_replicas_desired",
                "The number of desired replicas per rollout.",
                |rollout| rollout.spec.replicas.unwrap_or(1),
            ),
            (
                "rollout_info_replicas_updated",
                "The number of updated replicas per rollout.",
                |rollout| rollout.status.updated_replicas,
            ),
        ];
        for (name, help, value) in families {
            page.family(name, Metric::Gauge, help);
            for rollout in &rollouts {
                let labels = [("namespace", rollout.namespace()), ("name", rollout.name())];
                page.sample(name, &labels, value(rollout).max(0) as f64);
            }
        }
    }

    fn write_analyses(&self, page: &mut Page) {
        let help = "Information about analysis run.";
        page.family("analysis_run_info", Metric::Gauge, help);
        for run in self.analyses.all() {
            let names = (run.namespace(), run.name());
            write_phase(page, "analysis_run_info", names, &run.status.phase);
        }
    }

    fn write_analysis_metrics(&self, page: &mut Page) {
        let name = "analysis_run_metric_phase";
        let help = "Information on the duration of a specific metric in the Analysis Run.";
        page.family(name, Metric::Gauge, help);
        for run in self.analyses.all() {
            for result in &run.status.metric_results {
                let spec = run.spec.metrics.iter().find(|one| one.name == result.name);
                let provider = spec.and_then(|spec| spec.provider.keys().next());
                let dry_run = if result.dry_run { "true" } else { "false" };
                for phase in ANALYSIS_PHASES {
                    let labels = [
                        ("namespace", run.namespace()),
                        ("name", run.name()),
                        ("metric", &result.name),
                        ("type", provider.map_or("", |word| provider_word(word))),
                        ("dry_run", dry_run),
                        ("phase", phase),
                    ];
                    page.sample(name, &labels, f64::from(phase == result.phase));
                }
            }
        }
    }
}

fn provider_word(field: &str) -> &str {
    match field {
        "prometheus" => "Prometheus",
        "web" => "WebMetric",
        "job" => "Job",
        other => other,
    }
}

fn write_phase(page: &mut Page, family: &str, (namespace, name): (&str, &str), now: &str) {
    let now = if now.is_empty() { "Pending" } else { now };
    for phase in ANALYSIS_PHASES {
        let labels = [("namespace", namespace), ("name", name), ("phase", phase)];
        page.sample(family, &labels, f64::from(phase == now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rollouts_phase_is_told_in_the_words_of_the_metrics() {
        let rollout = |status: Value| -> Rollout {
            serde_json::from_value(json!({"metadata": {"name": "a"}, "status": status,
                "spec": {"strategy": {"canary": {"trafficRouting": {"istio": {}}}}}}))
            .expect("a Rollout")
        };

        assert_eq!(rollout(json!({"phase": "Healthy"})).phase(), "Completed");
        assert_eq!(
            rollout(json!({"phase": "Degraded", "abort": true})).phase(),
            "Abort"
        );
        let late = json!({"phase": "Degraded", "conditions": [
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]});
        assert_eq!(rollout(late).phase(), "Timeout");
        assert_eq!(rollout(json!({})).router(), "Istio");
        assert_eq!(rollout(json!({})).strategy(), "canary");
    }
}
