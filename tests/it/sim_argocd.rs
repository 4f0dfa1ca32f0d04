//! The application controller against the embedded API server, on stepped time.

#![allow(
    clippy::needless_pass_by_value,
    reason = "calls with `json!` read better"
)]

mod rig;
mod syncing;

use rig::{Rig, config_map, tracked_maps};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn automated(policy: Value) -> Value {
    json!({"syncPolicy": {"automated": policy, "syncOptions": ["CreateNamespace=true"]}})
}

#[tokio::test]
async fn an_automated_application_becomes_synced_and_healthy() {
    let rig = Rig::start().await;
    rig.commit(&[
        ("web/a.yaml", config_map("a", "1")),
        ("web/b.yaml", config_map("b", "1")),
    ]);

    rig.create_app("argocd", "web", automated(json!({}))).await;

    let app = rig
        .app_until("web", 10 * SECOND, |app| {
            is(app, "Synced", "Healthy") && app["operation"].is_null()
        })
        .await;
    assert_eq!(app["status"]["operationState"]["phase"], "Succeeded");
    assert_eq!(
        app["status"]["operationState"]["message"],
        "successfully synced (all tasks run)"
    );
    assert_eq!(
        app["status"]["operationState"]["syncResult"]["resources"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    assert_eq!(app["status"]["history"][0]["id"], 0);
    assert_eq!(
        app["status"]["history"][0]["initiatedBy"]["automated"],
        true
    );
    assert_eq!(app["status"]["resourceHealthSource"], "appTree");
    assert_eq!(app["status"]["sourceType"], "Directory");
    assert_eq!(app["status"]["resources"].as_array().map(Vec::len), Some(2));
    let sha = rig.git.resolve(rig::REPO, "main").expect("resolves");
    assert_eq!(app["status"]["sync"]["revision"], sha.as_str());
}

pub(crate) fn is(app: &Value, sync: &str, health: &str) -> bool {
    app["status"]["sync"]["status"] == sync && app["status"]["health"]["status"] == health
}

#[tokio::test]
async fn an_edit_is_drift_within_a_second_and_stays_without_self_heal() {
    let rig = Rig::start().await;
    rig.commit(&[("web/a.yaml", config_map("a", "1"))]);
    rig.create_app("argocd", "web", automated(json!({}))).await;
    rig.app_until("web", 10 * SECOND, |app| is(app, "Synced", "Healthy"))
        .await;
    rig.pass(3 * SECOND).await;

    rig.patch_map("web", "a", json!({"data": {"k": "edited"}}))
        .await;

    rig.app_until("web", SECOND, |app| is(app, "OutOfSync", "Healthy"))
        .await;
    rig.pass(30 * SECOND).await;
    assert_eq!(rig.map("web", "a").await["data"]["k"], "edited");
}

#[tokio::test]
async fn an_edit_is_reverted_with_self_heal() {
    let rig = Rig::start().await;
    rig.commit(&[("web/a.yaml", config_map("a", "1"))]);
    rig.create_app("argocd", "web", automated(json!({"selfHeal": true})))
        .await;
    rig.app_until("web", 10 * SECOND, |app| is(app, "Synced", "Healthy"))
        .await;

    rig.patch_map("web", "a", json!({"data": {"k": "edited"}}))
        .await;

    rig.until("the edit is reverted", 10 * SECOND, async || {
        rig.map("web", "a").await["data"]["k"] == "1"
    })
    .await;
    rig.app_until("web", 10 * SECOND, |app| is(app, "Synced", "Healthy"))
        .await;
}

#[tokio::test]
async fn a_push_is_seen_at_once() {
    let rig = Rig::start().await;
    rig.commit(&[("web/a.yaml", config_map("a", "1"))]);
    rig.create_app("argocd", "web", automated(json!({}))).await;
    rig.app_until("web", 10 * SECOND, |app| is(app, "Synced", "Healthy"))
        .await;
    rig.pass(3 * SECOND).await;

    let sha = rig.commit(&[("web/a.yaml", config_map("a", "2"))]);

    rig.app_until("web", 5 * SECOND, |app| {
        is(app, "Synced", "Healthy") && app["status"]["sync"]["revision"] == sha
    })
    .await;
    assert_eq!(rig.map("web", "a").await["data"]["k"], "2");
    assert_eq!(
        rig.app("argocd", "web").await["status"]["history"][1]["id"],
        1
    );
}

#[tokio::test]
async fn what_left_git_is_pruned_only_when_asked() {
    let rig = Rig::start().await;
    rig.commit(&[
        ("web/a.yaml", config_map("a", "1")),
        ("web/b.yaml", config_map("b", "1")),
    ]);
    rig.create_app("argocd", "web", automated(json!({}))).await;
    rig.app_until("web", 10 * SECOND, |app| is(app, "Synced", "Healthy"))
        .await;

    rig.remove("web/b.yaml");
    let app = rig
        .app_until("web", 5 * SECOND, |app| is(app, "OutOfSync", "Healthy"))
        .await;
    assert_eq!(app["status"]["resources"][1]["requiresPruning"], true);
    rig.pass(10 * SECOND).await;
    assert_eq!(tracked_maps(&rig, "web").await, ["a", "b"]);

    rig.sync("web", json!({"prune": true})).await;
    rig.app_until("web", 10 * SECOND, |app| is(app, "Synced", "Healthy"))
        .await;
    assert_eq!(tracked_maps(&rig, "web").await, ["a"]);
}

#[tokio::test]
async fn a_cascading_delete_takes_the_objects_along_and_another_leaves_them() {
    let rig = Rig::start().await;
    rig.commit(&[
        ("web/a.yaml", config_map("a", "1")),
        (
            "web/b.yaml",
            rig::annotated_map("b", json!({"argocd.argoproj.io/sync-wave": "1"})),
        ),
    ]);
    for (name, finalizer) in [("web", true), ("kept", false)] {
        rig.create_app("argocd", name, automated(json!({}))).await;
        rig.app_until(name, 20 * SECOND, |app| is(app, "Synced", "Healthy"))
            .await;
        if finalizer {
            rig.patch_app(
                name,
                json!({"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}}),
            )
            .await;
        }
        rig.delete_app(name).await;
        rig.until("the Application is gone", 30 * SECOND, async || {
            rig.app("argocd", name).await.is_null()
        })
        .await;
    }

    assert!(tracked_maps(&rig, "web").await.is_empty());
    assert_eq!(tracked_maps(&rig, "kept").await, ["a", "b"]);
}

#[tokio::test]
async fn two_applications_with_one_name_stay_distinct() {
    let rig = Rig::start().await;
    rig.commit(&[("web/a.yaml", config_map("a", "1"))]);
    rig.allow_namespace("team-a").await;

    for (namespace, target) in [("argocd", "web"), ("team-a", "other")] {
        let mut spec = automated(json!({}));
        spec["destination"] = json!({"name": "in-cluster", "namespace": target});
        rig.create_app(namespace, "web", spec).await;
    }

    for (namespace, target, instance) in
        [("argocd", "web", "web"), ("team-a", "other", "team-a_web")]
    {
        rig.until("both are synced", 10 * SECOND, async || {
            is(&rig.app(namespace, "web").await, "Synced", "Healthy")
        })
        .await;
        let map = rig.map(target, "a").await;
        assert_eq!(
            map["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"],
            format!("{instance}:/ConfigMap:{target}/a")
        );
    }
    let app = rig.app("argocd", "web").await;
    assert_eq!(app["status"]["resources"].as_array().map(Vec::len), Some(1));
    assert!(app["status"]["conditions"].is_null());
}

#[tokio::test]
async fn trouble_with_the_source_is_a_comparison_error() {
    let rig = Rig::start().await;
    rig.commit(&[("web/a.yaml", config_map("a", "1"))]);
    let source = |path: &str, revision: &str| json!({"source": {"repoURL": rig::REPO, "path": path, "targetRevision": revision}});

    rig.create_app("argocd", "nopath", source("nowhere", "main"))
        .await;
    rig.create_app("argocd", "nobranch", source("web", "nowhere"))
        .await;
    let mut project = source("web", "main");
    project["project"] = json!("unknown");
    rig.create_app("argocd", "noproject", project).await;

    for (name, kind, part) in [
        ("nopath", "ComparisonError", "app path does not exist"),
        (
            "nobranch",
            "ComparisonError",
            "unable to resolve 'nowhere' to a commit SHA",
        ),
        (
            "noproject",
            "InvalidSpecError",
            "Application referencing project unknown which does not exist",
        ),
    ] {
        let app = rig
            .app_until(name, 5 * SECOND, |app| {
                app["status"]["sync"]["status"] == "Unknown"
            })
            .await;
        let condition = &app["status"]["conditions"][0];
        assert_eq!(condition["type"], kind);
        assert!(
            condition["message"]
                .as_str()
                .unwrap_or_default()
                .contains(part),
            "{condition}"
        );
    }
}

#[tokio::test]
async fn a_refresh_annotation_is_answered_and_a_settled_platform_is_silent() {
    let rig = Rig::start().await;
    rig.commit(&[("web/a.yaml", config_map("a", "1"))]);
    rig.create_app("argocd", "web", automated(json!({}))).await;
    rig.app_until("web", 10 * SECOND, |app| is(app, "Synced", "Healthy"))
        .await;
    rig.pass(5 * SECOND).await;

    for kind in ["normal", "hard"] {
        rig.patch_app(
            "web",
            json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": kind}}}),
        )
        .await;
        rig.app_until("web", SECOND, |app| {
            app["metadata"]["annotations"]["argocd.argoproj.io/refresh"].is_null()
        })
        .await;
    }

    rig.pass(2 * SECOND).await;
    let before = rig.app("argocd", "web").await["metadata"]["resourceVersion"].clone();
    rig.pass(60 * SECOND).await;
    assert_eq!(
        rig.app("argocd", "web").await["metadata"]["resourceVersion"],
        before
    );

    let reconciled = rig.app("argocd", "web").await["status"]["reconciledAt"].clone();
    rig.app_until("web", 180 * SECOND, |app| {
        app["status"]["reconciledAt"] != reconciled
    })
    .await;
}

#[tokio::test]
async fn an_application_of_applications_works() {
    let rig = Rig::start().await;
    let child = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "child", "namespace": "argocd"},
        "spec": {"project": "default", "source": {"repoURL": rig::REPO, "path": "web", "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "child"},
            "syncPolicy": {"automated": {}, "syncOptions": ["CreateNamespace=true"]}}});
    rig.commit(&[
        ("web/a.yaml", config_map("a", "1")),
        ("apps/child.yaml", child.to_string()),
    ]);

    let mut spec = automated(json!({"prune": true, "selfHeal": true}));
    spec["source"] = json!({"repoURL": rig::REPO, "path": "apps", "targetRevision": "main"});
    spec["destination"] =
        json!({"server": "https://kubernetes.default.svc", "namespace": "argocd"});
    rig.create_app("argocd", "parent", spec).await;

    rig.app_until("child", 15 * SECOND, |app| is(app, "Synced", "Healthy"))
        .await;
    let parent = rig
        .app_until("parent", 15 * SECOND, |app| is(app, "Synced", "Healthy"))
        .await;
    assert_eq!(parent["status"]["summary"]["isAppOfApps"], true);
}

#[tokio::test]
async fn the_server_shows_target_and_live_state_with_secrets_masked() {
    let rig = Rig::start().await;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "hunter2"}});
    rig.commit(&[
        ("web/a.yaml", config_map("a", "1")),
        ("web/s.yaml", secret.to_string()),
    ]);
    rig.create_app("argocd", "web", automated(json!({}))).await;
    rig.app_until("web", 10 * SECOND, |app| is(app, "Synced", "Healthy"))
        .await;
    rig.patch_map("web", "a", json!({"data": {"k": "edited"}}))
        .await;
    rig.app_until("web", SECOND, |app| is(app, "OutOfSync", "Healthy"))
        .await;

    let answer = rig
        .server("/api/v1/applications/web/managed-resources?appNamespace=argocd")
        .await;

    let items = answer["items"].as_array().expect("items");
    let parse = |item: &Value, field: &str| -> Value {
        serde_json::from_str(item[field].as_str().unwrap_or_default()).unwrap_or_default()
    };
    let map = items
        .iter()
        .find(|item| item["kind"] == "ConfigMap")
        .expect("the map");
    assert_eq!(map["modified"], true);
    assert_eq!(parse(map, "normalizedLiveState")["data"]["k"], "edited");
    assert_eq!(parse(map, "predictedLiveState")["data"]["k"], "1");
    assert_eq!(parse(map, "targetState")["data"]["k"], "1");
    let secret = items
        .iter()
        .find(|item| item["kind"] == "Secret")
        .expect("the secret");
    assert_eq!(parse(secret, "liveState")["data"]["password"], "++++++++");
    assert!(!answer.to_string().contains("hunter2") && !answer.to_string().contains("aHVudGVyMg"));

    let version = rig.server("/api/version").await;
    assert_eq!(version["Version"], server_version());
    let revision = rig.git.resolve(rig::REPO, "main").expect("resolves");
    let metadata = rig
        .server(&format!(
            "/api/v1/applications/web/revisions/{revision}/metadata"
        ))
        .await;
    assert_eq!(metadata["author"], "On Call <oncall@example.com>");
    let manifests = rig.server("/api/v1/applications/web/manifests").await;
    assert_eq!(manifests["manifests"].as_array().map(Vec::len), Some(2));
}

fn server_version() -> &'static str {
    tiphys::sim::controllers::argocd::server::VERSION
}

#[tokio::test]
async fn a_deployment_goes_from_git_to_healthy_pods_and_follows_a_push() {
    let rig = Rig::start_with_workloads().await;
    let deployment = |image: &str| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "web", "image": image,
                        "resources": {"requests": {"cpu": "1000m"}}}]}}}})
        .to_string()
    };
    rig.commit(&[("web/d.yaml", deployment("docker.io/library/nginx:1"))]);
    rig.create_app("argocd", "web", automated(json!({}))).await;

    let app = rig
        .app_until("web", 60 * SECOND, |app| {
            is(app, "Synced", "Healthy") && !app["status"]["summary"]["images"].is_null()
        })
        .await;
    assert_eq!(
        app["status"]["summary"]["images"],
        json!(["docker.io/library/nginx:1"])
    );

    rig.commit(&[("web/d.yaml", deployment("docker.io/library/nginx:2"))]);
    let app = rig
        .app_until("web", 120 * SECOND, |app| {
            is(app, "Synced", "Healthy")
                && app["status"]["summary"]["images"] == json!(["docker.io/library/nginx:2"])
        })
        .await;
    assert_eq!(app["status"]["history"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
#[ignore = "a measurement: run with --ignored --nocapture"]
async fn a_fleet_settles_and_stays_cheap() {
    let count = 300;
    let rig = Rig::start().await;
    rig.commit(&[
        (
            "fleet/kustomization.yaml",
            "resources: [a.yaml, b.yaml]\n".to_owned(),
        ),
        ("fleet/a.yaml", config_map("a", "1")),
        ("fleet/b.yaml", config_map("b", "1")),
    ]);
    let begun = tokio::time::Instant::now();
    rig.create_fleet(count).await;
    println!("{count} Applications created in {:?}", begun.elapsed());
    rig.until("all are settled", 600 * SECOND, async || {
        rig.settled().await == (count, count)
    })
    .await;
    println!("all Synced and Healthy after {:?}", begun.elapsed());

    let begun = tokio::time::Instant::now();
    rig.patch_map("ns-7", "app-7-a", json!({"data": {"k": "edited"}}))
        .await;
    rig.until("the edit is reverted", 20 * SECOND, async || {
        rig.map("ns-7", "app-7-a").await["data"]["k"] == "1"
    })
    .await;
    println!("an edit is reverted after {:?}", begun.elapsed());

    let begun = tokio::time::Instant::now();
    rig.commit(&[("fleet/a.yaml", config_map("a", "2"))]);
    rig.until(
        "the push has arrived everywhere",
        600 * SECOND,
        async || {
            rig.map("ns-19", "app-299-a").await["data"]["k"] == "2"
                && rig.runtime.busy() == 0
                && rig.settled().await == (count, count)
        },
    )
    .await;
    println!("a push to all is synced after {:?}", begun.elapsed());

    let begun = tokio::time::Instant::now();
    rig.pass(200 * SECOND).await;
    println!(
        "200 s of platform time with a periodic reconcile of each took {:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn ignored_differences_are_left_alone_when_asked() {
    let rig = Rig::start().await;
    rig.commit(&[("web/a.yaml", config_map("a", "1"))]);
    let mut spec = automated(json!({"selfHeal": true}));
    spec["ignoreDifferences"] = json!([{"kind": "ConfigMap", "jsonPointers": ["/data/k"]}]);
    spec["syncPolicy"]["syncOptions"] =
        json!(["CreateNamespace=true", "RespectIgnoreDifferences=true"]);
    rig.create_app("argocd", "web", spec).await;
    rig.app_until("web", 10 * SECOND, |app| is(app, "Synced", "Healthy"))
        .await;

    rig.patch_map("web", "a", json!({"data": {"k": "edited"}}))
        .await;
    rig.pass(5 * SECOND).await;
    assert!(is(&rig.app("argocd", "web").await, "Synced", "Healthy"));

    rig.sync(
        "web",
        json!({"syncOptions": ["RespectIgnoreDifferences=true"]}),
    )
    .await;
    rig.app_until("web", 10 * SECOND, |app| app["operation"].is_null())
        .await;
    assert_eq!(rig.map("web", "a").await["data"]["k"], "edited");

    rig.sync("web", json!({})).await;
    rig.app_until("web", 10 * SECOND, |app| app["operation"].is_null())
        .await;
    assert_eq!(rig.map("web", "a").await["data"]["k"], "1");
}

#[tokio::test]
async fn objects_applied_by_the_server_show_what_git_dropped() {
    let rig = Rig::start().await;
    let map = |data: Value| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
            .to_string()
    };
    rig.commit(&[("web/a.yaml", map(json!({"k": "1", "old": "2"})))]);
    let mut spec = automated(json!({}));
    spec["syncPolicy"]["syncOptions"] = json!(["CreateNamespace=true", "ServerSideApply=true"]);
    rig.create_app("argocd", "web", spec).await;
    rig.app_until("web", 10 * SECOND, |app| is(app, "Synced", "Healthy"))
        .await;
    rig.patch_map("web", "a", json!({"data": {"foreign": "3"}}))
        .await;
    rig.pass(2 * SECOND).await;
    assert!(is(&rig.app("argocd", "web").await, "Synced", "Healthy"));

    let sha = rig.commit(&[("web/a.yaml", map(json!({"k": "1"})))]);

    rig.app_until("web", 10 * SECOND, |app| {
        is(app, "Synced", "Healthy") && app["status"]["sync"]["revision"] == sha
    })
    .await;
    assert_eq!(
        rig.map("web", "a").await["data"],
        json!({"k": "1", "foreign": "3"})
    );
}
