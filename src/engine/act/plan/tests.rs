//! The exact patches, and what is refused.

use super::*;
use crate::domain::intent::SyncResource;
use crate::domain::object::GroupKind;

fn asker() -> Asker {
    Asker {
        username: String::from("oncall"),
        request: String::from("r1"),
    }
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

fn merge(patch: Result<Patch, Refusal>) -> Value {
    match patch {
        Ok(Patch::Merge(body)) => body,
        other => panic!("a merge patch was expected: {other:?}"),
    }
}

fn reason<T: std::fmt::Debug>(result: Result<T, Refusal>) -> String {
    result.expect_err("it is refused").reason
}

fn live() -> Value {
    json!({
        "metadata": {"name": "shop", "resourceVersion": "7"},
        "spec": {"source": {"targetRevision": "main"},
            "syncPolicy": {"syncOptions": ["CreateNamespace=true"], "retry": {"limit": 3}}},
    })
}

#[test]
fn a_sync_copies_options_and_retry_and_clears_the_old_state() {
    let body = merge(sync(&live(), &SyncRequest::default(), &asker(), now()));

    assert_eq!(
        body,
        json!({
            "metadata": {"resourceVersion": "7"},
            "operation": {
                "initiatedBy": {"username": "oncall"},
                "info": [{"name": "Request", "value": "r1"}],
                "retry": {"limit": 3},
                "sync": {"prune": false, "syncStrategy": {"hook": {}},
                    "syncOptions": ["CreateNamespace=true"]},
            },
            "status": {"operationState": null},
        })
    );
}

#[test]
fn a_selective_forced_sync_says_so() {
    let request = SyncRequest {
        force: true,
        apply_only: true,
        sync_options: Some(vec!["Replace=true".into()]),
        resources: vec![SyncResource {
            kind: GroupKind::new("apps", "Deployment"),
            namespace: "prod".into(),
            name: "web".into(),
        }],
        ..SyncRequest::default()
    };

    let body = merge(sync(&live(), &request, &asker(), now()));

    let sync = &body["operation"]["sync"];
    assert_eq!(sync["syncStrategy"], json!({"apply": {"force": true}}));
    assert_eq!(sync["syncOptions"], json!(["Replace=true"]));
    assert_eq!(
        sync["resources"],
        json!([{"group": "apps", "kind": "Deployment", "namespace": "prod", "name": "web"}])
    );
}

#[test]
fn a_running_operation_is_named_in_the_refusal() {
    let mut busy = live();
    busy["operation"] = json!({"initiatedBy": {"username": "argocd-image-updater"}});
    busy["status"] = json!({"operationState": {"startedAt": "1969-12-31T23:59:20Z"}});

    assert_eq!(
        reason(sync(&busy, &SyncRequest::default(), &asker(), now())),
        "another operation is running (started 40s ago by `argocd-image-updater`)"
    );
    busy["operation"] = Value::Null;
    assert!(sync(&busy, &SyncRequest::default(), &asker(), now()).is_ok());
}

#[test]
fn another_revision_is_refused_while_auto_sync_is_on() {
    let mut auto = live();
    auto["spec"]["syncPolicy"]["automated"] = json!({});
    let request = SyncRequest {
        revision: Some("v2".into()),
        ..SyncRequest::default()
    };
    let dry = SyncRequest {
        dry_run: true,
        ..request.clone()
    };

    assert!(reason(sync(&auto, &request, &asker(), now())).contains("auto-sync is on"));
    assert!(sync(&auto, &dry, &asker(), now()).is_ok());
    auto["spec"]["syncPolicy"]["automated"]["enabled"] = json!(false);
    assert!(sync(&auto, &request, &asker(), now()).is_ok());
}

#[test]
fn a_rollback_takes_everything_from_the_history_entry() {
    let mut app = live();
    app["status"] = json!({"history": [{"id": 4, "revision": "abc", "source": {"repoURL": "r"}}]});

    let body = merge(rollback(&app, (4, true, false), &asker(), now()));

    assert_eq!(
        body["operation"]["sync"],
        json!({"revision": "abc", "source": {"repoURL": "r"}, "prune": true,
            "syncOptions": ["CreateNamespace=true"], "syncStrategy": {"apply": {}}})
    );
    assert_eq!(body["operation"].get("retry"), None);
    assert!(reason(rollback(&app, (5, true, false), &asker(), now())).contains("no entry 5"));
    app["spec"]["syncPolicy"]["automated"] = json!({});
    assert!(reason(rollback(&app, (4, true, false), &asker(), now())).contains("auto-sync is on"));
}

#[test]
fn terminate_never_touches_a_state_without_an_operation() {
    let mut app = live();
    app["status"] = json!({"operationState": {"phase": "Running", "startedAt": "t"}});
    assert!(reason(terminate(&app)).contains("no operation"));

    app["operation"] = json!({"sync": {}});
    let Ok(Patch::Json(patch)) = terminate(&app) else {
        panic!("a JSON patch was expected");
    };
    assert_eq!(patch[0]["value"], "t");
    assert_eq!(patch[2]["value"], "Terminating");

    app["status"] = json!({});
    assert!(reason(terminate(&app)).contains("queued"));
}

#[test]
fn switches_never_turn_auto_sync_on_by_accident() {
    let manual = live();
    let field = |body: Value| body["spec"]["syncPolicy"]["automated"].clone();

    let heal = switch(&manual, Switch::SelfHeal, true, true);
    assert_eq!(
        field(merge(heal)),
        json!({"enabled": false, "selfHeal": true})
    );
    assert!(reason(switch(&manual, Switch::Prune, true, false)).contains("would turn it on"));
    let on = switch(&manual, Switch::AutoSync, true, false);
    assert_eq!(field(merge(on)), json!({}));

    let mut auto = live();
    auto["spec"]["syncPolicy"]["automated"] = json!({"prune": true});
    let off = |has_enabled| field(merge(switch(&auto, Switch::AutoSync, false, has_enabled)));
    assert_eq!(off(true), json!({"enabled": false}));
    assert_eq!(off(false), Value::Null);
    assert!(reason(switch(&auto, Switch::AutoSync, true, true)).contains("on already"));
}

#[test]
fn a_delete_replaces_only_its_own_finalizers() {
    let mut app = live();
    app["metadata"]["finalizers"] =
        json!(["keep.example.com", "resources-finalizer.argocd.argoproj.io"]);
    let wanted = |cascade| finalizers(&app, cascade).expect("allowed");

    assert_eq!(wanted(Cascade::Foreground), None);
    assert_eq!(
        merge(wanted(Cascade::Background).ok_or(Refusal {
            reason: String::new(),
            hint: ""
        })),
        json!({"metadata": {"resourceVersion": "7", "finalizers":
            ["keep.example.com", "resources-finalizer.argocd.argoproj.io/background"]}})
    );
    assert_eq!(
        merge(wanted(Cascade::NonCascading).ok_or(Refusal {
            reason: String::new(),
            hint: ""
        })),
        json!({"metadata": {"resourceVersion": "7", "finalizers": ["keep.example.com"]}})
    );
    app["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert!(finalizers(&app, Cascade::Background).is_err());
    assert!(finalizers(&app, Cascade::NonCascading).is_ok());
}
