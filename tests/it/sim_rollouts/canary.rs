//! Canaries without a router: going back, aborting, restarting, and what is refused.

use super::bed::{Bed, container, rollout, row, text};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

pub(super) const APP: &str = "web";

/// Two steps: a fifth, then a pause that somebody has to end.
pub(super) fn stepped() -> Value {
    json!({"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}})
}

pub(super) async fn deployed(bed: &Bed, rollout: Value) {
    bed.create(rollout).await;
    bed.until_phase(APP, "Healthy", "").await;
}

pub(super) async fn paused(bed: &Bed) -> Value {
    bed.until_row(APP, &row("1/2", (20, 20), "Paused", "CanaryPauseStep"))
        .await;
    bed.get(APP).await
}

#[tokio::test]
async fn the_first_deploy_skips_the_steps() {
    let bed = Bed::start().await;

    deployed(&bed, rollout(APP, 3, stepped())).await;

    let first = bed.get(APP).await;
    assert_eq!(first.pointer("/status/currentStepIndex"), Some(&json!(2)));
    let hash = text(&first, "/status/stableRS").to_owned();
    assert_eq!(text(&first, "/status/currentPodHash"), hash);
    assert_eq!(text(&first, "/status/selector"), "app=web");
    let completed = bed.said(APP, "RolloutCompleted").await;
    let message = format!("Rollout completed update to revision 1 ({hash}): Initial deploy");
    assert_eq!(completed, [message]);
    let created = bed.said(APP, "NewReplicaSetCreated").await;
    assert_eq!(
        created,
        [format!("Created ReplicaSet web-{hash} (revision 1)")]
    );
    let scaled = bed.said(APP, "ScalingReplicaSet").await;
    let message = format!("Scaled up ReplicaSet web-{hash} (revision 1) from 0 to 3");
    assert_eq!(scaled, [message]);
    let conditions = first
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let mut told: Vec<String> = conditions
        .into_iter()
        .flatten()
        .map(|one| {
            format!(
                "{} {} {}",
                text(one, "/type"),
                text(one, "/status"),
                text(one, "/reason")
            )
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "Available True AvailableReason",
            "Completed True RolloutCompleted",
            "Healthy True RolloutHealthy",
            "Progressing True NewReplicaSetAvailable",
        ]
    );
}

#[tokio::test]
async fn going_back_to_stable_in_the_middle_skips_the_steps() {
    let bed = Bed::start().await;
    deployed(&bed, rollout(APP, 5, stepped())).await;
    bed.set_image(APP, "demo-app:def456").await;
    paused(&bed).await;

    bed.set_image(APP, "demo-app:abc123").await;

    bed.until_row(APP, &row("2/2", (100, 100), "Healthy", ""))
        .await;
    let back = bed.get(APP).await;
    assert_eq!(
        text(&back, "/status/stableRS"),
        text(&back, "/status/currentPodHash")
    );
    assert_eq!(
        text(&back, "/metadata/annotations/rollout.argoproj.io~1revision"),
        "3"
    );
    let skipped = bed.said(APP, "SkipSteps").await;
    assert_eq!(skipped, ["Rollback to stable ReplicaSets"]);
}

#[tokio::test]
async fn an_undo_with_the_template_of_a_set_takes_that_set_again() {
    let bed = Bed::start().await;
    deployed(&bed, rollout(APP, 2, json!({"canary": {}}))).await;
    let first = text(&bed.get(APP).await, "/status/stableRS").to_owned();
    bed.set_image(APP, "demo-app:def456").await;
    bed.cluster
        .until("the second revision is stable", async || {
            let now = bed.get(APP).await;
            let changed = text(&now, "/status/stableRS") != first;
            (changed && text(&now, "/status/phase") == "Healthy").then_some(())
        })
        .await;
    let sets = bed.cluster.api::<ReplicaSet>();
    let set = sets
        .get(&format!("web-{first}"))
        .await
        .expect("the first set");
    let mut template = json!(set.spec.and_then(|spec| spec.template));
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove("rollouts-pod-template-hash");
    }

    let undo = json!([{"op": "replace", "path": "/spec/template", "value": template}]);
    let undo = Patch::<()>::Json(serde_json::from_value(undo).expect("a JSON patch"));
    let undone = bed
        .rollouts()
        .patch(APP, &PatchParams::default(), &undo)
        .await;
    undone.expect("the rollout is patched");

    bed.cluster
        .until("the first set is stable again", async || {
            let now = bed.get(APP).await;
            let back = text(&now, "/status/stableRS") == first;
            (back && text(&now, "/status/phase") == "Healthy").then_some(())
        })
        .await;
    let set = sets
        .get(&format!("web-{first}"))
        .await
        .expect("the first set");
    let annotations = set.metadata.annotations.unwrap_or_default();
    let note = |name: &str| {
        annotations
            .get(&format!("rollout.argoproj.io/{name}"))
            .cloned()
    };
    assert_eq!(note("revision").as_deref(), Some("3"));
    assert_eq!(note("revision-history").as_deref(), Some("1"));
    assert_eq!(
        sets.list(&ListParams::default())
            .await
            .expect("sets")
            .items
            .len(),
        2
    );
}

#[tokio::test]
async fn a_rollback_within_the_window_skips_the_steps_and_another_does_not() {
    let bed = Bed::start().await;
    let mut canary = rollout(APP, 2, stepped());
    canary["spec"]["rollbackWindow"] = json!({"revisions": 1});
    deployed(&bed, canary).await;
    let first = text(&bed.get(APP).await, "/status/stableRS").to_owned();
    bed.set_image(APP, "demo-app:def456").await;
    bed.until_phase(APP, "Paused", "CanaryPauseStep").await;
    bed.promote(APP).await;
    bed.until_phase(APP, "Healthy", "").await;

    bed.set_image(APP, "demo-app:abc123").await;

    bed.cluster
        .until(
            "the first revision is stable again, without a pause",
            async || {
                let now = bed.get(APP).await;
                let paused = now.pointer("/status/pauseConditions").is_some();
                assert!(!paused, "it must not pause: {now:#}");
                (text(&now, "/status/stableRS") == first).then_some(())
            },
        )
        .await;
    bed.until_phase(APP, "Healthy", "").await;
    let completed = bed.said(APP, "RolloutCompleted").await;
    assert!(
        completed
            .iter()
            .any(|one| one.ends_with("Rollback within window")),
        "{completed:?}"
    );
}

#[tokio::test]
async fn an_abort_goes_back_at_once_and_a_retry_begins_anew() {
    let bed = Bed::start().await;
    deployed(&bed, rollout(APP, 5, stepped())).await;
    bed.set_image(APP, "demo-app:def456").await;
    paused(&bed).await;

    bed.patch_status(APP, json!({"abort": true})).await;

    let message = "RolloutAborted: Rollout aborted update to revision 2";
    bed.until_row(APP, &row("0/2", (0, 0), "Degraded", message))
        .await;
    let aborted = bed.get(APP).await;
    assert!(aborted.pointer("/status/pauseConditions").is_none());
    assert!(aborted.pointer("/status/controllerPause").is_none());

    bed.patch_status(APP, json!({"abort": false})).await;

    let again = paused(&bed).await;
    assert!(again.pointer("/status/abortedAt").is_none());
    assert_eq!(
        text(
            &again,
            "/metadata/annotations/rollout.argoproj.io~1revision"
        ),
        "2"
    );
}

#[tokio::test]
async fn an_aborted_update_ends_with_the_old_template() {
    let bed = Bed::start().await;
    deployed(&bed, rollout(APP, 2, stepped())).await;
    bed.set_image(APP, "demo-app:def456").await;
    bed.until_phase(APP, "Paused", "CanaryPauseStep").await;
    bed.patch_status(APP, json!({"abort": true})).await;
    let message = "RolloutAborted: Rollout aborted update to revision 2";
    bed.until_phase(APP, "Degraded", message).await;

    bed.set_image(APP, "demo-app:abc123").await;

    bed.until_phase(APP, "Healthy", "").await;
    let healed = bed.get(APP).await;
    assert!(healed.pointer("/status/abort").is_none());
    assert_eq!(healed.pointer("/status/currentStepIndex"), Some(&json!(2)));
}

#[tokio::test]
async fn a_full_promotion_skips_what_is_left() {
    let bed = Bed::start().await;
    deployed(&bed, rollout(APP, 3, stepped())).await;
    bed.set_image(APP, "demo-app:def456").await;
    bed.until_phase(APP, "Paused", "CanaryPauseStep").await;

    bed.patch_status(APP, json!({"promoteFull": true})).await;

    bed.until_phase(APP, "Healthy", "").await;
    let done = bed.get(APP).await;
    assert!(done.pointer("/status/promoteFull").is_none());
    let completed = bed.said(APP, "RolloutCompleted").await;
    assert!(
        completed
            .iter()
            .any(|one| one.ends_with("Full promotion requested"))
    );
}

#[tokio::test]
async fn a_rollout_paused_by_hand_does_not_move_until_it_is_resumed() {
    let bed = Bed::start().await;
    deployed(&bed, rollout(APP, 2, json!({"canary": {}}))).await;
    bed.patch(APP, json!({"spec": {"paused": true}})).await;
    bed.until_phase(APP, "Paused", "manually paused").await;
    bed.set_image(APP, "demo-app:def456").await;
    let hash = bed
        .cluster
        .until("the new revision is known", async || {
            let now = bed.get(APP).await;
            let hash = text(&now, "/status/currentPodHash").to_owned();
            (hash != text(&now, "/status/stableRS")).then_some(hash)
        })
        .await;
    assert_eq!(bed.available(&hash).await, 0);

    bed.patch(APP, json!({"spec": {"paused": false}})).await;

    bed.until_phase(APP, "Healthy", "").await;
    assert_eq!(bed.available(&hash).await, 2);
}

#[tokio::test]
async fn scaling_changes_the_sizes_and_not_the_step() {
    let bed = Bed::start().await;
    deployed(&bed, rollout(APP, 5, stepped())).await;
    bed.set_image(APP, "demo-app:def456").await;
    let known = paused(&bed).await;

    let patch = Patch::Merge(json!({"spec": {"replicas": 10}}));
    let scaled = bed
        .rollouts()
        .patch_scale(APP, &PatchParams::default(), &patch)
        .await;
    scaled.expect("the scale is patched");

    bed.cluster
        .until("a fifth of ten pods are new", async || {
            let new = bed.available(text(&known, "/status/currentPodHash")).await;
            let old = bed.available(text(&known, "/status/stableRS")).await;
            (new == 2 && old == 8).then_some(())
        })
        .await;
    let now = bed.row(APP).await;
    assert_eq!((now.step.as_str(), now.phase.as_str()), ("1/2", "Paused"));
}

#[tokio::test]
async fn an_autoscaler_scales_a_rollout_by_its_scale() {
    let bed = Bed::start().await;
    deployed(&bed, rollout(APP, 1, json!({"canary": {}}))).await;
    bed.create(json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": APP},
        "spec": {
            "minReplicas": 3, "maxReplicas": 5,
            "scaleTargetRef": {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": APP},
        },
    }))
    .await;

    bed.cluster
        .until(
            "three replicas are there and the autoscaler knows it",
            async || {
                let now = bed.get(APP).await;
                let scaler = bed.cluster.api::<HorizontalPodAutoscaler>().get(APP).await;
                let status = scaler.expect("the autoscaler").status.unwrap_or_default();
                let counted = now.pointer("/status/HPAReplicas") == Some(&json!(3));
                (counted && status.current_replicas == Some(3)).then_some(())
            },
        )
        .await;
}

#[tokio::test]
async fn the_template_may_be_that_of_a_deployment() {
    let bed = Bed::start().await;
    bed.create(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "legacy"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "legacy"}},
            "template": {
                "metadata": {"labels": {"app": "legacy"}},
                "spec": {"containers": [container("demo-app:abc123")]},
            },
        },
    }))
    .await;
    let reference = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "legacy", "scaleDown": "onsuccess"});
    bed.create(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": APP},
        "spec": {"replicas": 2, "workloadRef": reference, "strategy": {"canary": {}}},
    }))
    .await;
    bed.until_phase(APP, "Healthy", "").await;
    let deployments = bed.cluster.api::<Deployment>();
    bed.cluster
        .until("the deployment has no pods any more", async || {
            let found = deployments.get("legacy").await.expect("the deployment");
            (found.spec?.replicas == Some(0)).then_some(())
        })
        .await;
    let first = text(&bed.get(APP).await, "/status/stableRS").to_owned();

    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "demo-app:def456"}]}}}});
    let params = PatchParams::default();
    let patched = deployments
        .patch("legacy", &params, &Patch::Strategic(image))
        .await;
    patched.expect("the deployment is patched");

    bed.cluster
        .until("the rollout runs the new template", async || {
            let now = bed.get(APP).await;
            let stable = text(&now, "/status/stableRS");
            let observed = text(&now, "/status/workloadObservedGeneration");
            let noted = text(
                &now,
                "/metadata/annotations/rollout.argoproj.io~1workload-generation",
            );
            (stable != first && observed == noted && text(&now, "/status/phase") == "Healthy")
                .then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_restart_replaces_every_pod_and_keeps_the_revision() {
    let bed = Bed::start().await;
    deployed(&bed, rollout(APP, 3, json!({"canary": {}}))).await;
    let names = async || {
        let pods = bed.cluster.pods("app=web").await;
        let live = pods
            .into_iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none());
        live.filter_map(|pod| pod.metadata.name).collect::<Vec<_>>()
    };
    let old = names().await;
    bed.cluster.clock.step(std::time::Duration::from_secs(60));
    let at = chrono::DateTime::UNIX_EPOCH
        + chrono::TimeDelta::days(20_000)
        + chrono::TimeDelta::seconds(30);

    bed.patch(
        APP,
        json!({"spec": {"restartAt": at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)}}),
    )
    .await;

    bed.cluster
        .until("no old pod is left", async || {
            let now = names().await;
            let replaced = now.len() == 3 && now.iter().all(|name| !old.contains(name));
            let rollout = bed.get(APP).await;
            let noted =
                rollout.pointer("/status/restartedAt") == rollout.pointer("/spec/restartAt");
            (replaced && noted).then_some(())
        })
        .await;
    bed.until_phase(APP, "Healthy", "").await;
    let sets = bed
        .cluster
        .api::<ReplicaSet>()
        .list(&ListParams::default())
        .await;
    assert_eq!(sets.expect("sets").items.len(), 1);
}

#[tokio::test]
async fn old_revisions_beyond_the_limit_are_forgotten() {
    let bed = Bed::start().await;
    let mut canary = rollout(APP, 1, json!({"canary": {}}));
    canary["spec"]["revisionHistoryLimit"] = json!(1);
    deployed(&bed, canary).await;
    for (index, image) in ["demo-app:b", "demo-app:c", "demo-app:d"]
        .into_iter()
        .enumerate()
    {
        bed.set_image(APP, image).await;
        let revision = (index + 2).to_string();
        bed.cluster
            .until("the image is rolled out", async || {
                let now = bed.get(APP).await;
                let at = text(&now, "/metadata/annotations/rollout.argoproj.io~1revision");
                (at == revision && text(&now, "/status/phase") == "Healthy").then_some(())
            })
            .await;
    }

    bed.cluster
        .until("one old set is left", async || {
            let sets = bed
                .cluster
                .api::<ReplicaSet>()
                .list(&ListParams::default())
                .await;
            (sets.expect("sets").items.len() == 2).then_some(())
        })
        .await;
}
