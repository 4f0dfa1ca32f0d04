//! CronWorkflows start workflows by their schedules, zones and policies.

use super::bed::Bed;
use crate::oracles;
use serde_json::{Value, json};
use tiphys::api::yaml;
use tiphys::sim::controllers::workflows::model::{CronWorkflow, Workflow};
use tiphys::sim::controllers::workflows::node::Phase;

async fn started_by(bed: &Bed, cron: &str) -> Vec<Workflow> {
    let all = bed
        .workflows()
        .list(&kube::api::ListParams::default())
        .await;
    let all = all.expect("workflows are listed").items;
    all.into_iter()
        .filter(|one| {
            let labels = one.metadata.labels.as_ref();
            let label = labels.and_then(|all| all.get("workflows.argoproj.io/cron-workflow"));
            label.is_some_and(|label| label == cron)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_starts_a_workflow_a_minute_and_forgets_the_old() {
    let Some(folder) = oracles::folder("workflows/examples") else {
        return;
    };
    let bed = Bed::start().await;
    let text = std::fs::read_to_string(folder.join("cron-workflow.yaml")).expect("the example");
    let object: Value = yaml::from_str(&text).expect("good YAML");
    bed.cluster.create(object).await;

    let cron = bed
        .cluster
        .until("six workflows have ended well", async || {
            let cron = bed
                .cluster
                .api::<CronWorkflow>()
                .get("hello-world")
                .await
                .ok()?;
            (cron.status.succeeded >= 6).then_some(cron)
        })
        .await;

    assert_eq!(cron.status.phase, "Active");
    assert_eq!(cron.status.failed, 0);
    let kept = bed
        .cluster
        .until("four are kept", async || {
            let all = started_by(&bed, "hello-world").await;
            let ended = all
                .into_iter()
                .filter(|one| one.status.phase == Some(Phase::Succeeded));
            let ended: Vec<Workflow> = ended.collect();
            (ended.len() == 4).then_some(ended)
        })
        .await;
    let one = &kept[0];
    let name = one.metadata.name.clone().unwrap_or_default();
    let seconds: i64 = name
        .trim_start_matches("hello-world-")
        .parse()
        .expect("a time");
    assert_eq!(seconds % 60, 0);
    let owner = &one.metadata.owner_references.as_ref().expect("an owner")[0];
    assert_eq!(
        (owner.kind.as_str(), owner.controller),
        ("CronWorkflow", Some(true))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_forbid_or_replace_what_still_runs() {
    let bed = Bed::start().await;
    for (name, policy) in [("forbids", "Forbid"), ("replaces", "Replace")] {
        bed.cluster
            .create(json!({
                "apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow",
                "metadata": {"name": name},
                "spec": {
                    "schedules": ["* * * * *"], "concurrencyPolicy": policy,
                    "workflowSpec": {
                        "entrypoint": "nap",
                        "templates": [{"name": "nap", "container": {
                            "image": "busybox", "command": ["sleep", "150"],
                        }}],
                    },
                },
            }))
            .await;
    }

    bed.cluster
        .until("one was replaced", async || {
            let all = started_by(&bed, "replaces").await;
            let stopped = all
                .iter()
                .any(|one| one.status.phase == Some(Phase::Failed));
            (stopped && all.len() >= 2).then_some(())
        })
        .await;

    let forbidden = started_by(&bed, "forbids").await;
    let running = forbidden
        .iter()
        .filter(|one| one.status.phase == Some(Phase::Running));
    assert_eq!(running.count(), 1, "only one runs at a time");
    bed.cluster
        .patch::<CronWorkflow>("replaces", json!({"spec": {"suspend": true}}))
        .await;
    bed.cluster
        .patch::<CronWorkflow>("forbids", json!({"spec": {"schedules": ["61 * * * *"]}}))
        .await;
    let wrong = bed
        .cluster
        .until("the schedule is found wrong", async || {
            let cron = bed
                .cluster
                .api::<CronWorkflow>()
                .get("forbids")
                .await
                .ok()?;
            cron.status
                .conditions
                .iter()
                .find(|one| one.kind == "SpecError")
                .cloned()
        })
        .await;
    assert!(wrong.message.contains("61 * * * *"), "{}", wrong.message);
}
