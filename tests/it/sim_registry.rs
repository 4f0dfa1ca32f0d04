//! The registry as a part of the platform: pods pull from it, what goes wrong with it shows on them.

use crate::sim_delivery_canary::only;
use crate::support::step_until;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tiphys::sim::scenario::{self, Component, Scenario};
use tiphys::sim::{Pace, Simulation, SimulationOptions};

/// The demo's registry with pods, and nothing else.
fn small() -> Scenario {
    let faults = scenario::load(scenario::DEFAULT, None)
        .expect("a scenario")
        .faults;
    let mut scenario = only("nothing");
    scenario.starts = vec![Component::Workloads, Component::Harbor];
    scenario.manifests.clear();
    scenario.traffic.clear();
    scenario.faults = faults
        .into_iter()
        .filter(|fault| !fault.name.is_empty())
        .collect();
    scenario
}

async fn start() -> Simulation {
    let start = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
    let options = SimulationOptions {
        pace: Pace::Stepped { start },
        ..SimulationOptions::new(small())
    };
    Simulation::start(options).await.expect("a platform")
}

async fn run(platform: &Simulation, name: &str, image: &str) {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "app", "image": image, "imagePullPolicy": "Always"}]},
    }))
    .expect("a pod");
    let api: Api<Pod> = Api::default_namespaced(platform.client());
    api.create(&PostParams::default(), &pod)
        .await
        .expect("it is created");
}

/// Waits until a pod's container is as wanted, and returns its status.
async fn status(platform: &Simulation, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let api: Api<Pod> = Api::default_namespaced(platform.client());
    step_until(platform.clock(), name, async || {
        let pod = api.get(name).await.ok()?;
        let all = serde_json::to_value(pod.status?.container_statuses?).ok()?;
        let one = all[0].clone();
        wanted(&one).then_some(one)
    })
    .await
}

fn is_running(status: &Value) -> bool {
    status["state"]["running"].is_object()
}

fn is_refused(status: &Value) -> bool {
    status["state"]["waiting"]["reason"] == "ErrImagePull"
}

/// Asks for a fault and waits until it has happened.
async fn happen(platform: &Simulation, name: &str) {
    let api: Api<ConfigMap> = Api::namespaced(platform.client(), "tiphys-faults");
    let patch = Patch::Merge(json!({"data": {"state": "now"}}));
    api.patch(name, &PatchParams::default(), &patch)
        .await
        .expect("it is asked for");
    step_until(platform.clock(), name, async || {
        let data = api.get(name).await.ok()?.data?;
        data.get("state")?.starts_with("happened at").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_runs_the_digest_of_the_index_and_shows_when_robots_end() {
    const IMAGE: &str = "registry.tiphys.local/shop/guestbook-frontend:1.2.0";
    let platform = start().await;
    let harbor = platform.harbor().expect("a registry");
    let digest = |reference: &str| -> String {
        let store = harbor.registry().read();
        let repository = store
            .repository("shop/guestbook-frontend")
            .expect("a repository");
        repository
            .artifact(reference)
            .expect("an artifact")
            .manifest
            .digest
            .clone()
    };
    let before = digest("1.2.0");

    run(&platform, "first", IMAGE).await;
    let first = status(&platform, "first", is_running).await;
    assert_eq!(
        first["imageID"].as_str(),
        Some(format!("registry.tiphys.local/shop/guestbook-frontend@{before}").as_str())
    );

    happen(&platform, "tag-moved").await;
    assert_ne!(digest("1.2.0"), before);
    run(&platform, "second", IMAGE).await;
    let second = status(&platform, "second", is_running).await;
    assert_ne!(second["imageID"], first["imageID"]);

    happen(&platform, "pull-robot-expired").await;
    run(&platform, "third", IMAGE).await;
    let third = status(&platform, "third", is_refused).await;
    let said = third["state"]["waiting"]["message"]
        .as_str()
        .unwrap_or_default();
    assert!(
        said.contains("401 Unauthorized: the robot account is expired: robot$kubelet"),
        "{said}"
    );
    platform.shutdown().await;
}

#[tokio::test]
async fn the_cockpit_finds_its_robot_and_reads_through_the_service_proxy() {
    let platform = start().await;
    let labels = "app.kubernetes.io/part-of=tiphys,tiphys.dev/registry=true";
    let api: Api<Secret> = Api::namespaced(platform.client(), "harbor");
    let found = api
        .list(&ListParams::default().labels(labels))
        .await
        .expect("a list");
    let secret = found.items.first().expect("a secret");
    let data = secret.data.as_ref().expect("data");
    let text = |key: &str| String::from_utf8_lossy(&data[key].0).into_owned();
    assert_eq!(text("username"), "robot$cockpit");

    let encode = base64::Engine::encode;
    let account = format!("{}:{}", text("username"), text("password"));
    let account = encode(&base64::engine::general_purpose::STANDARD, account);
    let path = "/api/v1/namespaces/harbor/services/harbor-core:http-web/proxy/api/v2.0";
    for place in [
        "projects",
        "robots",
        "quotas",
        "security/summary",
        "repositories",
    ] {
        let request = http::Request::get(format!("{path}/{place}"))
            .header("authorization", format!("Basic {account}"))
            .body(Vec::new())
            .expect("a request");
        let answer: Value = platform.client().request(request).await.expect("an answer");
        assert!(!answer.is_null(), "{place}");
    }
    platform.shutdown().await;
}

#[tokio::test]
async fn a_push_is_told_to_those_who_asked_and_what_they_answered_is_kept() {
    let platform = start().await;
    let (tell, mut told) = tokio::sync::mpsc::channel::<Value>(4);
    let receiver = axum::Router::new().fallback(move |axum::Json(event): axum::Json<Value>| {
        let tell = tell.clone();
        async move {
            tell.send(event).await.expect("the test listens");
            http::StatusCode::NO_CONTENT
        }
    });
    platform
        .server()
        .add_service_backend("default", "receiver", receiver);
    let harbor = platform.harbor().expect("a registry").clone();
    let ask = async |method: &str, path: &str, body: String| -> Value {
        let account = format!("admin:{}", harbor.admin_password());
        let account = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, account);
        let request = http::Request::builder()
            .method(method)
            .uri(format!("/api/v2.0/projects/shop/webhook/policies{path}"))
            .header("authorization", format!("Basic {account}"))
            .body(axum::body::Body::from(body))
            .expect("a request");
        let answer = tower::ServiceExt::oneshot(harbor.router(false), request).await;
        let body = answer.expect("an answer").into_body();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
        serde_json::from_slice(&bytes).unwrap_or_default()
    };
    let policy = json!({
        "name": "tell", "enabled": true, "event_types": ["PUSH_ARTIFACT"],
        "targets": [{"type": "http", "address": "http://receiver.default.svc/hook"}],
    });
    ask("POST", "", policy.to_string()).await;

    happen(&platform, "tag-moved").await;
    let event = step_until(platform.clock(), "the event", async || told.try_recv().ok()).await;

    assert_eq!(event["type"], "PUSH_ARTIFACT");
    assert_eq!(event["event_data"]["resources"][0]["tag"], "1.2.0");
    let policies = ask("GET", "", String::new()).await;
    let place = format!("/{}/executions", policies[0]["id"]);
    step_until(platform.clock(), "the delivery is over", async || {
        let executions = ask("GET", &place, String::new()).await;
        (executions[0]["status"] == "Success").then_some(())
    })
    .await;
    platform.shutdown().await;
}
