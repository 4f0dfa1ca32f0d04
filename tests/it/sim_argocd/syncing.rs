//! How a sync goes: hooks, waves, retries, its end, and going back.

use super::rig::{self, Rig, config_map, tracked_maps};
use super::{SECOND, automated, is};
use serde_json::json;

#[tokio::test]
async fn hooks_and_waves_run_in_order_and_wait() {
    let rig = Rig::start().await;
    rig.commit(&[
        ("web/a.yaml", config_map("a", "1")),
        (
            "web/hook.yaml",
            rig::job("migrate", json!({"argocd.argoproj.io/hook": "PreSync"})),
        ),
        (
            "web/late.yaml",
            rig::job("late", json!({"argocd.argoproj.io/sync-wave": "5"})),
        ),
        (
            "web/last.yaml",
            rig::annotated_map("last", json!({"argocd.argoproj.io/sync-wave": "9"})),
        ),
    ]);
    rig.create_app(
        "argocd",
        "web",
        json!({"syncPolicy": {"syncOptions": ["CreateNamespace=true"]}}),
    )
    .await;
    rig.app_until("web", 10 * SECOND, |app| is(app, "OutOfSync", "Missing"))
        .await;
    rig.sync("web", json!({"syncOptions": ["CreateNamespace=true"]}))
        .await;

    rig.app_until("web", 10 * SECOND, |app| {
        app["status"]["operationState"]["message"]
            == "waiting for completion of hook batch/Job/migrate"
    })
    .await;
    assert!(tracked_maps(&rig, "web").await.is_empty());

    rig.finish_job("web", "migrate", "Complete").await;
    rig.app_until("web", 10 * SECOND, |app| {
        app["status"]["operationState"]["message"] == "waiting for healthy state of batch/Job/late"
    })
    .await;
    assert_eq!(tracked_maps(&rig, "web").await, ["a"]);

    rig.finish_job("web", "late", "Complete").await;
    let app = rig
        .app_until("web", 20 * SECOND, |app| {
            is(app, "Synced", "Healthy") && app["operation"].is_null()
        })
        .await;
    assert_eq!(app["status"]["operationState"]["phase"], "Succeeded");
    let order: Vec<_> = app["status"]["operationState"]["syncResult"]["resources"]
        .as_array()
        .expect("results")
        .iter()
        .map(|result| result["name"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(order, ["web", "migrate", "a", "late", "last"]);
}

#[tokio::test]
async fn a_failing_hook_fails_the_sync_and_runs_the_fail_hook() {
    let rig = Rig::start().await;
    rig.commit(&[
        ("web/a.yaml", config_map("a", "1")),
        (
            "web/hook.yaml",
            rig::job("migrate", json!({"argocd.argoproj.io/hook": "PreSync"})),
        ),
        (
            "web/fail.yaml",
            rig::job("alarm", json!({"argocd.argoproj.io/hook": "SyncFail"})),
        ),
    ]);
    rig.create_app("argocd", "web", json!({})).await;
    rig.sync("web", json!({"syncOptions": ["CreateNamespace=true"]}))
        .await;
    rig.until("the hook runs", 10 * SECOND, async || {
        rig.job_exists("web", "migrate").await
    })
    .await;

    rig.finish_job("web", "migrate", "Failed").await;
    rig.until("the fail hook runs", 10 * SECOND, async || {
        rig.job_exists("web", "alarm").await
    })
    .await;
    rig.finish_job("web", "alarm", "Complete").await;

    let app = rig
        .app_until("web", 20 * SECOND, |app| {
            app["status"]["operationState"]["phase"] == "Failed"
        })
        .await;
    assert_eq!(
        app["status"]["operationState"]["message"],
        "one or more synchronization tasks completed unsuccessfully"
    );
    assert!(app["status"]["history"].is_null());
    assert!(tracked_maps(&rig, "web").await.is_empty());
}

#[tokio::test]
async fn a_failed_sync_is_tried_again_with_back_off() {
    let rig = Rig::start().await;
    rig.commit(&[(
        "web/w.yaml",
        "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n".to_owned(),
    )]);
    rig.create_app("argocd", "web", json!({})).await;

    rig.sync_with(
        "web",
        json!({"sync": {}, "retry": {"limit": 2, "backoff": {"duration": "5s"}}}),
    )
    .await;

    let app = rig
        .app_until("web", 3 * SECOND, |app| {
            app["status"]["operationState"]["retryCount"] == 1
        })
        .await;
    assert_eq!(app["status"]["operationState"]["phase"], "Running");
    let message = app["status"]["operationState"]["message"]
        .as_str()
        .unwrap_or_default();
    assert!(
        message
            .starts_with("one or more synchronization tasks are not valid. Retrying attempt #1 at"),
        "{message}"
    );
    let result = &app["status"]["operationState"]["syncResult"]["resources"][0];
    assert!(
        result["message"]
            .as_str()
            .unwrap_or_default()
            .contains("Make sure the \"Widget\" CRD is installed")
    );

    let app = rig
        .app_until("web", 60 * SECOND, |app| app["operation"].is_null())
        .await;
    assert_eq!(app["status"]["operationState"]["phase"], "Failed");
    assert_eq!(
        app["status"]["operationState"]["message"],
        "one or more synchronization tasks are not valid (retried 2 times)."
    );
}

#[tokio::test]
async fn a_sync_that_waits_can_be_terminated() {
    let rig = Rig::start().await;
    rig.commit(&[(
        "web/hook.yaml",
        rig::job("migrate", json!({"argocd.argoproj.io/hook": "PreSync"})),
    )]);
    rig.create_app("argocd", "web", json!({})).await;
    rig.sync("web", json!({"syncOptions": ["CreateNamespace=true"]}))
        .await;
    rig.app_until("web", 10 * SECOND, |app| {
        app["status"]["operationState"]["phase"] == "Running"
    })
    .await;
    rig.until("the hook runs", 10 * SECOND, async || {
        rig.job_exists("web", "migrate").await
    })
    .await;

    rig.patch_app(
        "web",
        json!({"status": {"operationState": {"phase": "Terminating"}}}),
    )
    .await;

    let app = rig
        .app_until("web", 10 * SECOND, |app| app["operation"].is_null())
        .await;
    assert_eq!(app["status"]["operationState"]["phase"], "Failed");
    assert_eq!(
        app["status"]["operationState"]["message"],
        "Operation terminated"
    );
    rig.until("the hook is gone", 5 * SECOND, async || {
        !rig.job_exists("web", "migrate").await
    })
    .await;
}

#[tokio::test]
async fn a_rollback_applies_an_old_revision_and_leaves_drift() {
    let rig = Rig::start().await;
    let first = rig.commit(&[("web/a.yaml", config_map("a", "1"))]);
    rig.create_app("argocd", "web", json!({})).await;
    rig.sync("web", json!({"syncOptions": ["CreateNamespace=true"]}))
        .await;
    rig.app_until("web", 10 * SECOND, |app| is(app, "Synced", "Healthy"))
        .await;
    rig.commit(&[("web/a.yaml", config_map("a", "2"))]);
    rig.sync("web", json!({})).await;
    let app = rig
        .app_until("web", 10 * SECOND, |app| {
            app["status"]["history"][1]["id"] == 1 && is(app, "Synced", "Healthy")
        })
        .await;

    let old = &app["status"]["history"][0];
    assert_eq!(old["revision"], first);
    rig.sync("web", json!({"revision": old["revision"], "source": old["source"], "syncStrategy": {"apply": {}}})).await;

    rig.app_until("web", 10 * SECOND, |app| {
        is(app, "OutOfSync", "Healthy") && app["status"]["history"][2]["revision"] == first
    })
    .await;
    assert_eq!(rig.map("web", "a").await["data"]["k"], "1");
}

#[tokio::test]
async fn a_closed_window_holds_a_sync_back() {
    let rig = Rig::start().await;
    rig.commit(&[("web/a.yaml", config_map("a", "1"))]);
    rig.patch_project(json!({"spec": {"syncWindows": [
        {"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}]}}))
        .await;
    rig.create_app("argocd", "web", automated(json!({}))).await;

    rig.sync("web", json!({"syncOptions": ["CreateNamespace=true"]}))
        .await;
    rig.app_until("web", 5 * SECOND, |app| {
        app["status"]["operationState"]["message"] == "Sync operation blocked by sync window"
            && app["status"]["operationState"]["phase"] == "Running"
    })
    .await;

    rig.patch_project(json!({"spec": {"syncWindows": null}}))
        .await;
    rig.app_until("web", 60 * SECOND, |app| is(app, "Synced", "Healthy"))
        .await;
}
