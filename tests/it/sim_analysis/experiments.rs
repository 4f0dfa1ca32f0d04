//! Experiments: pods beside each other, measured, and taken away.

use super::bed::{Bed, metric, vector};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Service;
use kube::api::ListParams;
use serde_json::{Value, json};

fn template(name: &str, extra: Value) -> Value {
    let container = json!({"name": "app", "image": "nginx:1", "ports": [{"name": "http", "containerPort": 80}]});
    let mut template = json!({
        "name": name,
        "replicas": 1,
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [container]},
        },
    });
    json_patch::merge(&mut template, &extra);
    template
}

async fn start(bed: &Bed, name: &str, spec: Value) {
    bed.create(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
        "metadata": {"name": "success-rate"},
        "spec": {
            "args": [{"name": "hash"}],
            "metrics": [metric("rate-{{args.hash}}", json!({"name": "rate", "interval": "2s", "count": 2,
                "provider": {"prometheus": {"query": "rate{hash=\"{{args.hash}}\"}"}}}))],
        },
    }))
    .await;
    bed.create(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment",
        "metadata": {"name": name}, "spec": spec,
    }))
    .await;
}

fn analysis(required: bool) -> Value {
    json!([{
        "name": "rate", "templateName": "success-rate", "requiredForCompletion": required,
        "args": [{"name": "hash", "value": "{{templates.canary.podTemplateHash}}"}],
    }])
}

async fn sizes(bed: &Bed) -> Vec<(String, i32)> {
    let sets = bed
        .cluster
        .api::<ReplicaSet>()
        .list(&ListParams::default())
        .await;
    let sets = sets.expect("sets").items.into_iter();
    sets.map(|set| {
        let size = set.spec.and_then(|spec| spec.replicas);
        (set.metadata.name.unwrap_or_default(), size.unwrap_or(1))
    })
    .collect()
}

#[tokio::test]
async fn an_experiment_runs_for_its_time_and_takes_its_pods_away() {
    let bed = Bed::start().await;
    let templates = json!([
        template("baseline", json!({})),
        template("canary", json!({"service": {}}))
    ]);
    start(
        &bed,
        "compare",
        json!({
            "templates": templates, "duration": "8s", "scaleDownDelaySeconds": 3, "analyses": analysis(false),
        }),
    )
    .await;

    let running = bed
        .status("Experiment", "compare", "runs", |status| {
            status["phase"] == "Running" && status["availableAt"].is_string()
        })
        .await;
    assert_eq!(running["templateStatuses"][0]["status"], "Running");
    assert_eq!(running["templateStatuses"][1]["availableReplicas"], 1);
    assert_eq!(
        running["templateStatuses"][1]["serviceName"],
        "compare-canary"
    );
    let service = bed
        .cluster
        .api::<Service>()
        .get("compare-canary")
        .await
        .expect("a service");
    let selector = service
        .spec
        .and_then(|spec| spec.selector)
        .unwrap_or_default();
    let hash = selector["rollouts-pod-template-hash"].clone();
    let ended = bed.end("Experiment", "compare").await;

    assert_eq!(ended["phase"], "Successful", "{ended}");
    assert_eq!(ended["analysisRuns"][0]["analysisRun"], "compare-rate");
    assert_eq!(ended["analysisRuns"][0]["phase"], "Successful");
    let asked = bed.prometheus.asked();
    assert!(
        asked[0].body.contains(&hash),
        "{} in {}",
        hash,
        asked[0].body
    );
    assert_eq!(ended["conditions"][0]["reason"], "ExperimentCompleted");
    bed.cluster
        .until("the pods are gone", async || {
            let sizes = sizes(&bed).await;
            sizes.iter().all(|(_, size)| *size == 0).then_some(())
        })
        .await;
    bed.cluster
        .until("the service is gone", async || {
            let service = bed.cluster.api::<Service>().get_opt("compare-canary").await;
            service.expect("an answer").is_none().then_some(())
        })
        .await;
}

#[tokio::test]
async fn an_experiment_without_an_end_waits_for_what_is_required() {
    let bed = Bed::start().await;
    start(
        &bed,
        "required",
        json!({"templates": [template("canary", json!({}))], "analyses": analysis(true)}),
    )
    .await;

    let ended = bed.end("Experiment", "required").await;

    assert_eq!(ended["phase"], "Successful");
    assert_eq!(ended["message"], "Required AnalysisRuns completed");
}

#[tokio::test]
async fn a_failing_analysis_fails_its_experiment() {
    let bed = Bed::start().await;
    bed.prometheus.say(vector(&[0.1]));
    start(
        &bed,
        "fails",
        json!({"templates": [template("canary", json!({}))], "duration": "1h", "analyses": analysis(false)}),
    )
    .await;

    let ended = bed.end("Experiment", "fails").await;

    assert_eq!(ended["phase"], "Failed");
    assert_eq!(
        ended["message"],
        "Metric \"rate\" assessed Failed due to failed (1) > failureLimit (0)"
    );
}

#[tokio::test]
async fn a_missing_template_or_pods_that_do_not_come_end_an_experiment() {
    let bed = Bed::start().await;
    let missing = json!([{"name": "rate", "templateName": "nothing"}]);
    start(
        &bed,
        "missing",
        json!({"templates": [template("canary", json!({}))], "analyses": missing}),
    )
    .await;
    let image = json!([{"name": "app", "image": "registry.demo/none:1"}]);
    let stuck = template(
        "stuck",
        json!({"template": {"spec": {"containers": image}}}),
    );
    bed.create(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment", "metadata": {"name": "late"},
        "spec": {"templates": [stuck], "progressDeadlineSeconds": 5},
    }))
    .await;

    let (missing, late) = (
        bed.end("Experiment", "missing").await,
        bed.end("Experiment", "late").await,
    );

    assert_eq!(missing["phase"], "Error");
    assert_eq!(
        missing["message"],
        "AnalysisTemplate verification failed for analysis 'rate': analysistemplate.argoproj.io \"nothing\" not found"
    );
    assert_eq!(late["phase"], "Failed");
    assert_eq!(
        late["message"],
        "Template 'stuck' exceeded its progressDeadlineSeconds (5)"
    );
}

#[tokio::test]
async fn an_experiment_is_terminated_with_its_analyses() {
    let bed = Bed::start().await;
    start(
        &bed,
        "ended",
        json!({"templates": [template("canary", json!({}))], "analyses": analysis(false)}),
    )
    .await;
    bed.status("Experiment", "ended", "measures", |status| {
        status["analysisRuns"][0]["phase"] == "Running"
    })
    .await;

    bed.patch("Experiment", "ended", json!({"spec": {"terminate": true}}))
        .await;
    let ended = bed.end("Experiment", "ended").await;
    let run = bed.end("AnalysisRun", "ended-rate").await;

    assert_eq!(ended["phase"], "Successful");
    assert_eq!(run["phase"], "Successful");
}
