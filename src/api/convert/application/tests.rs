//! Rows from ordinary and from broken objects.

use super::*;
use crate::domain::application::{OperationView, Phase};
use chrono::TimeDelta;

fn row(json: &serde_json::Value) -> Application {
    let mut reader = ApplicationReader::new(Cluster("test".into()));
    reader.row(&json.to_string())
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_default()
}

#[test]
fn an_ordinary_application_becomes_a_row_without_findings() {
    let source = serde_json::json!({"repoURL": "https://git/x", "path": "prod"});
    let app = row(&serde_json::json!({
        "metadata": {"name": "checkout", "namespace": "argocd", "uid": "u", "resourceVersion": "7",
            "labels": {"team": "shop", "app": "x"},
            "ownerReferences": [{"kind": "ApplicationSet", "name": "shops"}]},
        "spec": {"source": source, "destination": {"name": "in-cluster", "namespace": "shop"},
            "syncPolicy": {"automated": {"selfHeal": true}}},
        "status": {
            "sync": {"status": "OutOfSync", "revision": "3f2a91c",
                "comparedTo": {"source": source, "destination": {"name": "in-cluster", "namespace": "shop"}}},
            "health": {"status": "Healthy"},
            "resources": [{"status": "Synced"}, {"status": "OutOfSync"}, {"hook": true}]}
    }));

    assert_eq!(app.findings, []);
    assert_eq!(&*app.project, "default");
    assert_eq!(&*app.sources[0].target_revision, "HEAD");
    assert_eq!((app.resources, app.out_of_sync), (3, 1));
    assert_eq!(app.revisions, [Text::from("3f2a91c")]);
    assert_eq!(app.owner_set.as_deref(), Some("shops"));
    assert!(app.auto_sync.on && app.auto_sync.self_heal && !app.auto_sync.prune);
    assert!(!app.verdict_outdated);
    assert_eq!(&*app.labels[0].0, "app");
}

#[test]
fn every_unreadable_field_is_a_finding_and_the_row_stays() {
    let app = row(&serde_json::json!({
        "metadata": {"name": "broken", "namespace": "argocd", "labels": ["a"]},
        "spec": {"project": 7, "source": "nowhere", "destination": [],
            "syncPolicy": {"automated": {"prune": "yes"}}},
        "status": {"sync": "Synced", "health": {"status": {}}, "resources": {"a": 1},
            "reconciledAt": "yesterday"}
    }));

    assert_eq!(&*app.object.name, "broken");
    assert_eq!(app.sync, SyncStatus::Unknown);
    assert!(app.auto_sync.on && !app.auto_sync.prune);
    let told: Vec<_> = app
        .findings
        .iter()
        .map(|one| one.sentence.to_string())
        .collect();
    assert_eq!(told.len(), 9, "{told:#?}");
    assert!(told.contains(&String::from(
        "`spec.project` is a number; text was expected"
    )));
    assert!(
        told.last().is_some_and(|last| last.contains("more fields")),
        "{told:#?}"
    );
    assert!(
        app.findings
            .iter()
            .all(|one| one.subject.as_ref() == Some(&app.object))
    );
}

#[test]
fn what_is_no_object_at_all_is_still_a_row() {
    assert_eq!(row(&serde_json::json!([1, 2])).findings.len(), 1);
    assert_eq!(row(&serde_json::json!({})).findings.len(), 0);
}

#[test]
fn a_one_element_sources_list_is_multi_source() {
    let app = row(&serde_json::json!({
            "spec": {"sources": [{"repoURL": "a"}], "source": {"repoURL": "ignored"}},
            "status": {"sync": {"revision": "wrong", "revisions": ["r1"]}}}));

    assert!(app.multi_source);
    assert_eq!(app.revisions, [Text::from("r1")]);
    assert_eq!(&*app.sources[0].repo, "a");
}

#[test]
fn a_changed_spec_outdates_the_verdict_but_an_empty_field_does_not() {
    let with = |source: serde_json::Value| {
        row(&serde_json::json!({
                "spec": {"source": source, "destination": {"server": "s"}},
                "status": {"sync": {"comparedTo": {"destination": {"server": "s"},
                    "source": {"repoURL": "a", "path": "p"}, "ignoreDifferences": []}}}}))
    };

    assert!(!with(serde_json::json!({"path": "p", "repoURL": "a", "chart": ""})).verdict_outdated);
    assert!(with(serde_json::json!({"path": "q", "repoURL": "a"})).verdict_outdated);
}

#[test]
fn a_copied_tracking_id_does_not_make_a_parent() {
    assert_eq!(
        tracked_by(
            "root:argoproj.io/Application:argocd/child",
            "argocd",
            "child"
        ),
        Some("root")
    );
    assert_eq!(
        tracked_by(
            "root:argoproj.io/Application:argocd/other",
            "argocd",
            "child"
        ),
        None
    );
    assert_eq!(
        tracked_by("root:apps/Deployment:a/b", "argocd", "child"),
        None
    );
    assert_eq!(tracked_by("nonsense", "argocd", "child"), None);
}

fn operation(json: &serde_json::Value) -> OperationView {
    row(json).operation
}

#[test]
fn operations_are_told_apart() {
    let running = |extra: serde_json::Value, requested: bool| {
        let mut state =
            serde_json::json!({"phase": "Running", "startedAt": "2026-01-01T00:00:00Z"});
        if let (Some(state), Some(extra)) = (state.as_object_mut(), extra.as_object()) {
            state.extend(extra.clone());
        }
        let mut app = serde_json::json!({"status": {"operationState": state}});
        if requested {
            app["operation"] = serde_json::json!({"sync": {}});
        }
        operation(&app)
    };
    let message = |text: &str| running(serde_json::json!({"message": text}), true);

    assert_eq!(operation(&serde_json::json!({})), OperationView::None);
    assert_eq!(
        operation(&serde_json::json!({"operation": {}})),
        OperationView::Queued
    );
    assert_eq!(
        operation(&serde_json::json!({"operation": null})),
        OperationView::None
    );
    assert_eq!(
        operation(
            &serde_json::json!({"operation": {}, "status": {"operationState": {"phase": "Succeeded"}}})
        ),
        OperationView::Queued
    );
    assert_eq!(
        running(serde_json::json!({}), false),
        OperationView::Stuck {
            phase: Phase::Running
        }
    );
    assert!(matches!(
        message("Sync operation blocked by sync window"),
        OperationView::Blocked { .. }
    ));
    assert!(matches!(
        message("waiting for healthy state of apps/Deployment/x"),
        OperationView::Waiting { .. }
    ));
    assert!(matches!(
        message("waiting for pruning confirmation of /ConfigMap/x"),
        OperationView::NeedsConfirmation { .. }
    ));
}

#[test]
fn a_retry_is_due_at_finish_plus_back_off() {
    let view = operation(
        &serde_json::json!({"operation": {}, "status": {"operationState": {
            "phase": "Running", "finishedAt": "2026-01-01T00:00:00Z", "retryCount": 2, "message": "no",
            "operation": {"retry": {"limit": 5, "backoff": {"duration": "10s", "factor": 3, "maxDuration": "1m"}}}}}}),
    );

    let OperationView::WaitingRetry {
        attempt,
        limit,
        at: due,
        ..
    } = view
    else {
        panic!("it waits for a retry: {view:?}");
    };
    assert_eq!((attempt, limit), (2, 5));
    assert_eq!(due, at("2026-01-01T00:00:00Z") + TimeDelta::seconds(60));
}
