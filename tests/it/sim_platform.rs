//! The embedded platform as a whole: it starts, converges and tells what happened.

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use serde_json::Value;
use std::time::Duration;
use tiphys::sim::{Simulation, SimulationOptions, scenario};

fn applications(simulation: &Simulation) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
    Api::all_with(simulation.client(), &ApiResource::from_gvk(&kind))
}

async fn states(simulation: &Simulation) -> Vec<(String, String, String)> {
    let list = applications(simulation)
        .list(&kube::api::ListParams::default())
        .await
        .expect("a list");
    list.into_iter()
        .map(|application| {
            let text = |pointer: &str| {
                let value = application.data.pointer(pointer);
                value.and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let name = application.metadata.name.clone().unwrap_or_default();
            (
                name,
                text("/status/sync/status"),
                text("/status/health/status"),
            )
        })
        .collect()
}

/// What the pods that are not ready say, for the message of a failure.
async fn unready_pods(simulation: &Simulation) -> String {
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::all(simulation.client());
    let list = pods
        .list(&kube::api::ListParams::default())
        .await
        .expect("a list");
    let mut text = String::new();
    for pod in list.items.into_iter().take(6) {
        text.push_str(&serde_json::to_string(&pod.status).unwrap_or_default());
        text.push_str(&format!(
            " {:?} {:?}\n",
            pod.metadata.name,
            pod.spec.and_then(|spec| spec.node_name)
        ));
    }
    text
}

/// Waits until every Application is as wanted, or fails with what it is then.
async fn wait_for(simulation: &Simulation, wanted: &[(&str, &str, &str)], seconds: u64) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(seconds);
    loop {
        let now = states(simulation).await;
        let missing: Vec<_> = wanted
            .iter()
            .filter(|(name, sync, health)| {
                !now.iter().any(|one| {
                    (one.0.as_str(), one.1.as_str(), one.2.as_str()) == (name, sync, health)
                })
            })
            .collect();
        if missing.is_empty() {
            return;
        }
        if tokio::time::Instant::now() >= deadline {
            println!("{}", unready_pods(simulation).await);
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "not in {seconds} s: {missing:?}\nnow: {now:#?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_scenario_converges_as_told() {
    let scenario = scenario::load(scenario::DEFAULT, None).expect("a scenario");

    let simulation = Simulation::start(SimulationOptions::new(scenario))
        .await
        .expect("a platform");
    let started = tokio::time::Instant::now();

    let healthy = [
        "guestbook-dev",
        "guestbook-staging",
        "demo-app-dev",
        "demo-app-staging",
        "monitoring",
        "orders",
        "platform",
        "log-collector",
        "nightly-reports",
        "edge",
    ];
    let mut wanted: Vec<_> = healthy
        .iter()
        .map(|name| (*name, "Synced", "Healthy"))
        .collect();
    wanted.push(("guestbook-prod", "OutOfSync", "Healthy"));
    wanted.push(("payments", "Synced", "Degraded"));
    // One release waits for a person, one was sent back by its analysis.
    wanted.push(("demo-app-prod", "Synced", "Suspended"));
    wanted.push(("checkout", "Synced", "Degraded"));
    wait_for(&simulation, &wanted, 60).await;
    println!("converged in {:.1} s", started.elapsed().as_secs_f64());
    simulation.shutdown().await;
}
