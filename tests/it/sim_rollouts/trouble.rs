//! Canaries that go wrong: images that never come up, specifications that say nothing sensible,
//! analyses and experiments beside the steps.

use super::bed::{Bed, container, rollout, service, text};
use super::canary::{APP, deployed};
use kube::api::{Patch, PatchParams};
use serde_json::json;

#[tokio::test]
async fn a_new_image_that_never_comes_up_exceeds_the_deadline_and_may_abort() {
    let bed = Bed::start().await;
    bed.cluster.images.add("registry.demo/app:v1");
    let mut canary = rollout(APP, 2, json!({"canary": {}}));
    canary["spec"]["template"]["spec"]["containers"] = json!([container("registry.demo/app:v1")]);
    canary["spec"]["progressDeadlineSeconds"] = json!(30);
    deployed(&bed, canary).await;

    bed.set_image(APP, "registry.demo/app:missing").await;

    let hash = bed
        .cluster
        .until("the new revision is known", async || {
            let now = bed.get(APP).await;
            let hash = text(&now, "/status/currentPodHash").to_owned();
            (hash != text(&now, "/status/stableRS")).then_some(hash)
        })
        .await;
    let message =
        format!("ProgressDeadlineExceeded: ReplicaSet \"web-{hash}\" has timed out progressing.");
    bed.until_phase(APP, "Degraded", &message).await;

    bed.patch(APP, json!({"spec": {"progressDeadlineAbort": true}}))
        .await;

    bed.cluster
        .until("it is aborted", async || {
            let now = bed.get(APP).await;
            (now.pointer("/status/abort") == Some(&json!(true))).then_some(())
        })
        .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_rollout_is_told_until_it_is_mended() {
    let bed = Bed::start().await;
    let mut canary = rollout(APP, 1, json!({"canary": {"steps": [{"setWeight": 110}]}}));
    canary["spec"]["strategy"]["canary"]["stableService"] = json!("web");
    bed.create(canary).await;
    let invalid = |problem: &str| format!("InvalidSpec: The Rollout \"web\" is invalid: {problem}");
    bed.until_phase(
        APP,
        "Degraded",
        &invalid("spec.strategy.steps[0].setWeight: Invalid value: 110: SetWeight needs to be between 0 and 100"),
    )
    .await;
    bed.patch(
        APP,
        json!({"spec": {"strategy": {"canary": {"steps": [{"setWeight": 10}]}}}}),
    )
    .await;
    bed.until_phase(
        APP,
        "Degraded",
        &invalid(
            "spec.strategy.canary.stableService: Invalid value: \"web\": service \"web\" not found",
        ),
    )
    .await;

    bed.create(service("web", APP)).await;

    bed.until_phase(APP, "Healthy", "").await;
    assert_eq!(
        bed.selected("web").await,
        text(&bed.get(APP).await, "/status/stableRS")
    );
}

#[tokio::test]
async fn a_missing_analysis_template_is_named() {
    let bed = Bed::start().await;
    let steps = json!([{"analysis": {"templates": [{"templateName": "success-rate"}]}}]);
    bed.create(rollout(APP, 1, json!({"canary": {"steps": steps}})))
        .await;

    bed.until_phase(
        APP,
        "Degraded",
        "InvalidSpec: The Rollout \"web\" is invalid: spec.strategy.canary.steps[0].analysis.templates: Invalid value: \"success-rate\": AnalysisTemplate 'success-rate' not found",
    )
    .await;
}

#[tokio::test]
async fn a_plugin_step_aborts_and_says_that_it_is_not_simulated() {
    let bed = Bed::start().await;
    let steps = json!([{"setWeight": 50}, {"plugin": {"name": "acme/wait"}}]);
    deployed(&bed, rollout(APP, 2, json!({"canary": {"steps": steps}}))).await;

    bed.set_image(APP, "demo-app:def456").await;

    bed.until_phase(
        APP,
        "Degraded",
        "RolloutAborted: Rollout aborted update to revision 2: Step plugin \"acme/wait\" is not simulated: no step plugins run here",
    )
    .await;
}

#[tokio::test]
async fn a_background_analysis_runs_beside_the_steps_and_its_failure_aborts() {
    let bed = Bed::start().await;
    bed.create(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": "errors"},
        "spec": {"metrics": [{"name": "errors", "interval": "5s", "provider": {"web": {"url": "http://x"}}}]},
    }))
    .await;
    let strategy = json!({"canary": {
        "analysis": {"startingStep": 1, "templates": [{"templateName": "errors"}]},
        "steps": [{"setWeight": 50}, {"pause": {}}],
    }});
    deployed(&bed, rollout(APP, 2, strategy)).await;
    bed.set_image(APP, "demo-app:def456").await;
    bed.until_phase(APP, "Paused", "CanaryPauseStep").await;
    let runs = bed.kind("argoproj.io/v1alpha1", "AnalysisRun");
    let name = bed
        .cluster
        .until("the run is there", async || {
            let status = bed.get(APP).await;
            let name = text(
                &status,
                "/status/canary/currentBackgroundAnalysisRunStatus/name",
            );
            (!name.is_empty()).then(|| name.to_owned())
        })
        .await;
    let hash = text(&bed.get(APP).await, "/status/currentPodHash").to_owned();
    assert_eq!(name, format!("web-{hash}-2"));

    let failed = Patch::Merge(json!({"status": {"phase": "Error", "message": "nobody answers"}}));
    let patched = runs.patch(&name, &PatchParams::default(), &failed).await;
    patched.expect("the run is patched");

    bed.until_phase(
        APP,
        "Degraded",
        "RolloutAborted: Rollout aborted update to revision 2: Background analysis phase error/failed: nobody answers",
    )
    .await;
    let said = bed.said(APP, "AnalysisRunError").await;
    let message = format!("Background Analysis Run '{name}' Status New: 'Error' Previous: ");
    assert!(said.iter().any(|one| one.starts_with(&message)), "{said:?}");
}

#[tokio::test]
async fn an_experiment_step_makes_an_experiment_and_waits_for_it() {
    let bed = Bed::start().await;
    let steps = json!([{"experiment": {
        "duration": "1m",
        "templates": [
            {"name": "baseline", "specRef": "stable", "replicas": 1},
            {"name": "canary", "specRef": "canary", "metadata": {"labels": {"role": "trial"}}},
        ],
    }}]);
    deployed(&bed, rollout(APP, 1, json!({"canary": {"steps": steps}}))).await;
    bed.set_image(APP, "demo-app:def456").await;
    let experiments = bed.kind("argoproj.io/v1alpha1", "Experiment");
    let name = bed
        .cluster
        .until("the experiment is there", async || {
            let status = bed.get(APP).await;
            let name = text(&status, "/status/canary/currentExperiment");
            (!name.is_empty()).then(|| name.to_owned())
        })
        .await;
    let made = experiments.get(&name).await.expect("the experiment");
    let images: Vec<&str> = made.data["spec"]["templates"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| text(one, "/template/spec/containers/0/image"))
        .collect();
    assert_eq!(images, ["demo-app:abc123", "demo-app:def456"]);
    let selector = &made.data["spec"]["templates"][1]["selector"]["matchLabels"];
    assert_eq!(selector["role"], json!("trial"));

    let done = Patch::Merge(json!({"status": {"phase": "Successful"}}));
    let patched = experiments
        .patch(&name, &PatchParams::default(), &done)
        .await;
    patched.expect("the experiment is patched");

    bed.until_phase(APP, "Healthy", "").await;
    let told = bed.said(APP, "ExperimentCreated").await;
    assert_eq!(told, [format!("Created Experiment '{name}'")]);
}
