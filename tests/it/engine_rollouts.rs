//! The engine and Rollouts: rows, the whole picture, and intents, over the duplex stream and TLS.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the one case it waits for"
)]

use crate::engine_bed::{Bed, merge, on_both};
use serde_json::{Value, json};
use tiphys::domain::analysis::AnalysisPhase;
use tiphys::domain::intent::{Stage, Verb};
use tiphys::domain::kind::ARGO;
use tiphys::domain::object::{GroupKind, ObjectRef};
use tiphys::domain::rollout::{Role, RolloutDetail, RolloutPhase};
use tiphys::domain::rows::Rows;
use tiphys::engine::protocol::{Answer, Fetch, Topic, Update};

on_both!(
    rows_and_picture_follow_the_objects,
    a_promotion_clears_the_pause_and_a_second_one_is_refused,
    intents_send_what_the_controller_expects,
);

const ROLLOUTS: &str = "/apis/argoproj.io/v1alpha1/namespaces/prod/rollouts";
const SETS: &str = "/apis/apps/v1/namespaces/prod/replicasets";

fn kind() -> GroupKind {
    GroupKind::new(ARGO, "Rollout")
}

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "image": image}]}})
}

fn paused() -> Value {
    json!({"observedGeneration": "1", "phase": "Paused", "message": "CanaryPauseStep",
        "currentPodHash": "b", "stableRS": "a", "currentStepIndex": 1, "controllerPause": true,
        "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}],
        "replicas": 5, "updatedReplicas": 1, "readyReplicas": 5, "availableReplicas": 5})
}

/// A canary at its pause, with two revisions and an analysis.
async fn canary(bed: &Bed) -> String {
    let rollout = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "prod", "annotations": {
            "argocd.argoproj.io/tracking-id": "shop:argoproj.io/Rollout:prod/web"}},
        "spec": {"replicas": 5, "selector": {"matchLabels": {"app": "web"}},
            "template": template("web:2"),
            "strategy": {"canary": {"canaryService": "web-canary", "stableService": "web-stable",
                "steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 40}]}}}});
    let made = bed.create(ROLLOUTS, &rollout).await;
    let uid = made["metadata"]["uid"].as_str().expect("a uid").to_owned();
    merge(
        &bed.client,
        &format!("{ROLLOUTS}/web/status"),
        &json!({"status": paused()}),
    )
    .await;
    for (hash, revision, image) in [("a", "1", "web:1"), ("b", "2", "web:2")] {
        replica_set(bed, (hash, revision, image), &uid).await;
    }
    let run = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun",
        "metadata": {"name": "web-b-2-1", "namespace": "prod",
            "labels": {"rollout-type": "Step", "step-index": "1", "rollouts-pod-template-hash": "b"},
            "annotations": {"rollout.argoproj.io/revision": "2"},
            "ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
                "name": "web", "uid": uid, "controller": true}]},
        "spec": {"metrics": [{"name": "success-rate", "successCondition": "result[0] >= 0.95",
            "provider": {"prometheus": {"address": "http://prometheus:9090", "query": "up"}}}]},
        "status": {"phase": "Running", "metricResults": [{"name": "success-rate",
            "phase": "Running", "count": 1, "successful": 1, "measurements": [
                {"phase": "Successful", "value": "[0.993]"}]}]}});
    let runs = "/apis/argoproj.io/v1alpha1/namespaces/prod/analysisruns";
    bed.create(runs, &run).await;
    uid
}

async fn replica_set(bed: &Bed, (hash, revision, image): (&str, &str, &str), uid: &str) {
    let mut template = template(image);
    template["metadata"]["labels"]["rollouts-pod-template-hash"] = hash.into();
    let body = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": format!("web-{hash}"), "namespace": "prod",
            "labels": {"app": "web", "rollouts-pod-template-hash": hash},
            "annotations": {"rollout.argoproj.io/revision": revision},
            "ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
                "name": "web", "uid": uid, "controller": true}]},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web", "rollouts-pod-template-hash": hash}},
            "template": template}});
    bed.create(SETS, &body).await;
}

async fn play(bed: &Bed, status: &Value) {
    let path = format!("{ROLLOUTS}/web/status");
    merge(&bed.client, &path, &json!({ "status": status })).await;
}

fn seen(stage: &Stage) -> bool {
    matches!(stage, Stage::Observed { .. })
}

async fn picture(
    engine: &mut crate::engine_bed::Engine,
    object: &ObjectRef,
    wanted: impl Fn(&RolloutDetail) -> bool,
) -> RolloutDetail {
    let ours = engine.subscribe(Topic::Rollout(object.clone()));
    engine
        .until("the picture", |update| match update {
            Update::Rollout {
                ticket,
                detail: Some(detail),
                ..
            } if *ticket == ours && wanted(detail) => Some((**detail).clone()),
            _ => None,
        })
        .await
}

mod cases {
    use super::*;

    pub(super) async fn rows_and_picture_follow_the_objects(bed: Bed) {
        canary(&bed).await;
        let mut engine = bed.engine().await;
        let object = engine.object(kind(), "prod", "web");

        let ticket = engine.subscribe(Topic::Kind(kind()));
        let row = engine
            .delta(ticket, "the row", |delta| match &delta.rows {
                Rows::Rollouts(rows) => rows.first().cloned(),
                _ => None,
            })
            .await;
        assert_eq!(
            (row.phase, row.progress()),
            (RolloutPhase::Paused, Some((1, 3)))
        );
        assert_eq!(
            (row.weights.set, row.application.as_deref()),
            (20, Some("shop"))
        );

        let detail = picture(&mut engine, &object, |detail| {
            detail.revisions.len() == 2 && detail.analyses().count() == 1
        })
        .await;
        assert_eq!(detail.revisions[0].number, 2);
        let canary = detail.with_role(Role::Canary).expect("a canary");
        assert_eq!(&*canary.images[0].image, "web:2");
        let run = detail.analyses().next().expect("a run");
        assert_eq!(run.phase, AnalysisPhase::Running);
        assert_eq!(run.metrics[0].wish(), ">= 0.95");
        assert_eq!(run.metrics[0].last_number(), Some(0.993));

        let why = engine.fetch(Fetch::Why { object }).await;
        let Ok(Answer::Why(findings)) = why else {
            panic!("findings were expected: {why:?}");
        };
        assert!(
            findings[0].sentence.contains("waits for a promotion"),
            "{findings:?}"
        );
    }

    pub(super) async fn a_promotion_clears_the_pause_and_a_second_one_is_refused(bed: Bed) {
        canary(&bed).await;
        let mut engine = bed.engine().await;
        let object = engine.object(kind(), "prod", "web");

        let first = engine.act(&object, None, Verb::Promote);
        assert!(matches!(
            engine.outcome(first).await,
            Stage::Accepted { .. }
        ));
        let live = bed.read(&format!("{ROLLOUTS}/web")).await;
        assert_eq!(live["status"]["pauseConditions"], Value::Null);
        assert_eq!(
            live["status"]["currentStepIndex"], 1,
            "the controller moves, not we"
        );

        let second = engine.act(&object, None, Verb::Promote);
        let refused = engine.outcome(second).await;
        let Stage::Failed { sentence, .. } = &refused else {
            panic!("a refusal was expected: {refused:?}");
        };
        assert!(sentence.contains("skip a step"), "{sentence}");

        play(
            &bed,
            &json!({"currentStepIndex": 2, "controllerPause": false, "phase": "Progressing"}),
        )
        .await;
        let moved = engine
            .until("the step", |update| match update {
                Update::Outcome { id, stage, .. } if *id == first && seen(stage) => {
                    Some(stage.clone())
                }
                _ => None,
            })
            .await;
        let Stage::Observed { detail } = moved else {
            return;
        };
        assert_eq!(&*detail, "it is at step 3 of 3: weight 40");
    }

    pub(super) async fn intents_send_what_the_controller_expects(bed: Bed) {
        canary(&bed).await;
        let mut engine = bed.engine().await;
        let object = engine.object(kind(), "prod", "web");
        let path = format!("{ROLLOUTS}/web");

        let paused = engine.act(&object, None, Verb::Pause);
        assert!(matches!(
            engine.outcome(paused).await,
            Stage::Accepted { .. }
        ));
        assert_eq!(bed.read(&path).await["spec"]["paused"], true);

        play(&bed, &json!({"observedGeneration": "2"})).await;
        let abort = engine.act(&object, None, Verb::Abort);
        assert!(matches!(
            engine.outcome(abort).await,
            Stage::Accepted { .. }
        ));
        assert_eq!(bed.read(&path).await["status"]["abort"], true);

        let undo = engine.act(&object, None, Verb::Undo { revision: None });
        let outcome = engine.outcome(undo).await;
        assert!(matches!(outcome, Stage::Accepted { .. }), "{outcome:?}");
        let live = bed.read(&path).await;
        let template = &live["spec"]["template"];
        assert_eq!(template["spec"]["containers"][0]["image"], "web:1");
        assert_eq!(
            template["metadata"]["labels"],
            json!({"app": "web"}),
            "without the hash"
        );

        let image = Verb::SetImage {
            container: "app".into(),
            image: "web:3".into(),
        };
        let image = engine.act(&object, None, image);
        let outcome = engine.outcome(image).await;
        assert!(matches!(outcome, Stage::Accepted { .. }), "{outcome:?}");
        let live = bed.read(&path).await;
        assert_eq!(
            live["spec"]["template"]["spec"]["containers"][0]["image"],
            "web:3"
        );

        let run = engine.object(GroupKind::new(ARGO, "AnalysisRun"), "prod", "web-b-2-1");
        let end = engine.act(&run, None, Verb::TerminateAnalysis);
        assert!(matches!(engine.outcome(end).await, Stage::Accepted { .. }));
        let runs = "/apis/argoproj.io/v1alpha1/namespaces/prod/analysisruns/web-b-2-1";
        assert_eq!(bed.read(runs).await["spec"]["terminate"], true);
    }
}
