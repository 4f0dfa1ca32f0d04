//! Whether the controller syncs by itself now: the decision table of automated sync.
//!
//! Order and rules: Argo CD `controller/appcontroller.go`, `autoSync`.

use super::application::{App, time};
use super::json;
use super::retry::self_heal_delay;
use crate::domain::status::SyncStatus;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json as make};

/// What a comparison found of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub group: String,
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub status: Option<SyncStatus>,
    pub requires_pruning: bool,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Nothing; the reason is for the log.
    Skip(&'static str),
    /// Nothing, and the Application says why in a `SyncError` condition.
    Refuse(String),
    /// Self-heal, but not before this span has passed.
    Later(TimeDelta),
    /// Write this operation.
    Start(Box<Value>),
}

/// After this long without self-heal, its back-off begins anew.
const SELF_HEAL_COOLDOWN: TimeDelta = TimeDelta::seconds(330);

/// Decides about automated sync after a comparison at `revisions`.
pub fn decide(
    app: &App,
    status: SyncStatus,
    found: &[Found],
    revisions: &[String],
    now: DateTime<Utc>,
) -> Decision {
    let policy = app.automated();
    if !policy.on {
        return Decision::Skip("auto-sync is off");
    }
    if app.operation().is_some() {
        return Decision::Skip("another operation is in progress");
    }
    if app.deleted_at().is_some() {
        return Decision::Skip("deletion is in progress");
    }
    if status != SyncStatus::OutOfSync {
        return Decision::Skip("the Application is not OutOfSync");
    }
    let differs = |one: &&Found| one.status != Some(SyncStatus::Synced);
    if !policy.prune && found.iter().filter(differs).all(|one| one.requires_pruning) {
        return Decision::Skip("only pruning is needed, and pruning is off");
    }
    let mut operation = operation_for(app, revisions);
    if let Some(phase) = attempted(app, revisions) {
        if phase != "Succeeded" {
            let message = app
                .operation_state()
                .map_or("", |state| json::text(state, &["message"]));
            return Decision::Refuse(format!(
                "Failed last sync attempt to {}: {message}",
                shown(revisions)
            ));
        }
        if !policy.self_heal {
            return Decision::Skip("this revision is synced already, and self-heal is off");
        }
        let (attempts, remaining) = heal(app, now);
        if remaining > TimeDelta::zero() {
            return Decision::Later(remaining);
        }
        operation["sync"]["autoHealAttemptsCount"] = (attempts + 1).into();
        operation["sync"]["resources"] = found.iter().filter(differs).map(selected).collect();
    }
    if policy.prune && !policy.allow_empty && found.iter().all(|one| one.requires_pruning) {
        return Decision::Refuse(format!(
            "Skipping sync attempt to {}: auto-sync will wipe out all resources",
            shown(revisions)
        ));
    }
    Decision::Start(Box::new(operation))
}

/// Writes revisions for a message.
pub fn shown(revisions: &[String]) -> String {
    match revisions {
        [one] => one.clone(),
        several => format!("[{}]", several.join(" ")),
    }
}

fn selected(one: &Found) -> Value {
    let mut item = make!({"kind": one.kind, "name": one.name});
    if !one.group.is_empty() {
        item["group"] = one.group.clone().into();
    }
    if !one.namespace.is_empty() {
        item["namespace"] = one.namespace.clone().into();
    }
    item
}

fn operation_for(app: &App, revisions: &[String]) -> Value {
    let mut sync = make!({});
    if app.automated().prune {
        sync["prune"] = true.into();
    }
    if app.is_multi_source() {
        sync["revisions"] = revisions.into();
        sync["sources"] = app.sources().into();
    } else {
        sync["revision"] = revisions.first().cloned().unwrap_or_default().into();
    }
    let options = app.sync_options();
    if !options.words().is_empty() {
        sync["syncOptions"] = options.words().into();
    }
    let retry = json::at(app.spec(), &["syncPolicy", "retry"]).filter(|retry| !retry.is_null());
    make!({
        "initiatedBy": {"automated": true},
        "retry": retry.cloned().unwrap_or_else(|| make!({"limit": 5})),
        "sync": sync,
    })
}

/// Returns how the last attempt at these very revisions and sources ended.
fn attempted<'a>(app: &'a App, revisions: &[String]) -> Option<&'a str> {
    let state = app.operation_state()?;
    json::at(state, &["operation", "sync"])?;
    let phase = json::text(state, &["phase"]);
    let Some(result) = state.get("syncResult").filter(|result| result.is_object()) else {
        return Some(phase);
    };
    let (tried, sources): (Vec<&str>, Vec<&Value>) = if app.is_multi_source() {
        (
            json::texts(result, &["revisions"]),
            json::items(result, &["sources"]).iter().collect(),
        )
    } else {
        (
            vec![json::text(result, &["revision"])],
            result.get("source").into_iter().collect(),
        )
    };
    let wanted: Vec<_> = app.sources().iter().map(without_revision).collect();
    let used: Vec<_> = sources.into_iter().map(without_revision).collect();
    (tried == revisions && wanted == used).then_some(phase)
}

/// The revision is compared as a commit; the branch's name does not matter.
fn without_revision(source: &Value) -> Value {
    let mut source = source.clone();
    json::remove(&mut source, &["targetRevision"]);
    source
}

/// Returns self-heal attempts so far and how long to wait for the next.
fn heal(app: &App, now: DateTime<Utc>) -> (i64, TimeDelta) {
    let Some(state) = app.operation_state() else {
        return (0, TimeDelta::zero());
    };
    let attempts =
        json::integer(state, &["operation", "sync", "autoHealAttemptsCount"]).unwrap_or_default();
    let since = time(state, &["finishedAt"]).map_or(TimeDelta::MAX, |finished| now - finished);
    if since > SELF_HEAL_COOLDOWN {
        return (0, TimeDelta::zero());
    }
    (attempts, self_heal_delay(attempts) - since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const REVISION: &str = "3f2a91c";
    const NOW: &str = "2026-11-21T10:00:00Z";

    fn found(status: SyncStatus, requires_pruning: bool) -> Found {
        Found {
            group: "apps".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
            status: Some(status),
            requires_pruning,
        }
    }

    #[allow(clippy::needless_pass_by_value, reason = "reads better at the call")]
    fn app(automated: Value) -> Value {
        make!({"metadata": {"name": "a", "namespace": "argocd"},
            "spec": {"source": {"repoURL": "r", "targetRevision": "main"},
                "syncPolicy": {"automated": automated, "syncOptions": ["CreateNamespace=true"]}}})
    }

    fn done(mut app: Value, phase: &str, finished: &str, heals: i64) -> Value {
        app["status"]["operationState"] = make!({"phase": phase, "message": "because",
            "finishedAt": finished,
            "operation": {"sync": {"autoHealAttemptsCount": heals}},
            "syncResult": {"revision": REVISION, "source": {"repoURL": "r", "targetRevision": "HEAD"}}});
        app
    }

    fn verdict(app: Value, found: &[Found]) -> Decision {
        decide(
            &App(Arc::new(app)),
            SyncStatus::OutOfSync,
            found,
            &[REVISION.to_owned()],
            NOW.parse().expect("a time"),
        )
    }

    #[test]
    fn a_new_revision_is_synced_with_the_options_of_the_spec() {
        let Decision::Start(operation) = verdict(
            app(make!({"prune": true})),
            &[found(SyncStatus::OutOfSync, false)],
        ) else {
            panic!("it starts");
        };

        assert_eq!(
            *operation,
            make!({"initiatedBy": {"automated": true}, "retry": {"limit": 5},
                "sync": {"prune": true, "revision": REVISION, "syncOptions": ["CreateNamespace=true"]}})
        );
    }

    #[test]
    fn nothing_happens_when_off_or_busy_or_deleting_or_synced() {
        let drift = [found(SyncStatus::OutOfSync, false)];
        let mut busy = app(make!({}));
        busy["operation"] = make!({"sync": {}});
        let mut deleting = app(make!({}));
        deleting["metadata"]["deletionTimestamp"] = NOW.into();

        for app in [
            app(Value::Null),
            app(make!({"enabled": false})),
            busy,
            deleting,
        ] {
            assert!(matches!(verdict(app, &drift), Decision::Skip(_)));
        }
        let synced = decide(
            &App(Arc::new(app(make!({})))),
            SyncStatus::Synced,
            &[],
            &[],
            NOW.parse().expect("a time"),
        );
        assert!(matches!(synced, Decision::Skip(_)));
    }

    #[test]
    fn pruning_alone_is_left_while_prune_is_off() {
        let extra = [
            found(SyncStatus::OutOfSync, true),
            found(SyncStatus::Synced, false),
        ];

        assert!(matches!(verdict(app(make!({})), &extra), Decision::Skip(_)));
        assert!(matches!(
            verdict(app(make!({"prune": true})), &extra),
            Decision::Start(_)
        ));
    }

    #[test]
    fn an_application_is_not_emptied_unless_allowed() {
        let all = [found(SyncStatus::OutOfSync, true)];

        assert!(
            matches!(verdict(app(make!({"prune": true})), &all), Decision::Refuse(why) if why.contains("wipe out"))
        );
        assert!(matches!(
            verdict(app(make!({"prune": true, "allowEmpty": true})), &all),
            Decision::Start(_)
        ));
    }

    #[test]
    fn a_failed_revision_is_not_tried_again() {
        let failed = done(
            app(make!({"selfHeal": true})),
            "Failed",
            "2026-11-21T09:00:00Z",
            0,
        );

        assert_eq!(
            verdict(failed, &[found(SyncStatus::OutOfSync, false)]),
            Decision::Refuse("Failed last sync attempt to 3f2a91c: because".to_owned())
        );
    }

    #[test]
    fn drift_after_success_is_healed_only_when_asked() {
        let drift = [
            found(SyncStatus::OutOfSync, false),
            found(SyncStatus::Synced, false),
        ];
        let off = done(app(make!({})), "Succeeded", "2026-11-21T09:59:00Z", 0);
        let on = done(
            app(make!({"selfHeal": true})),
            "Succeeded",
            "2026-11-21T09:59:00Z",
            0,
        );

        assert!(matches!(verdict(off, &drift), Decision::Skip(_)));
        let Decision::Start(operation) = verdict(on, &drift) else {
            panic!("it heals");
        };
        assert_eq!(operation["sync"]["autoHealAttemptsCount"], 1);
        assert_eq!(
            operation["sync"]["resources"],
            make!([{"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"}])
        );
    }

    #[test]
    fn self_heal_backs_off() {
        let drift = [found(SyncStatus::OutOfSync, false)];
        let at = |finished: &str, heals: i64| {
            verdict(
                done(app(make!({"selfHeal": true})), "Succeeded", finished, heals),
                &drift,
            )
        };

        assert_eq!(
            at("2026-11-21T09:59:55Z", 2),
            Decision::Later(TimeDelta::seconds(1))
        );
        assert!(matches!(at("2026-11-21T09:59:50Z", 2), Decision::Start(_)));
        let Decision::Start(operation) = at("2026-11-21T09:50:00Z", 9) else {
            panic!("it heals");
        };
        assert_eq!(operation["sync"]["autoHealAttemptsCount"], 1);
    }

    #[test]
    fn another_source_is_another_attempt() {
        let mut failed = done(app(make!({})), "Failed", NOW, 0);
        failed["status"]["operationState"]["syncResult"]["source"]["path"] = "elsewhere".into();

        assert!(matches!(
            verdict(failed, &[found(SyncStatus::OutOfSync, false)]),
            Decision::Start(_)
        ));
    }
}
