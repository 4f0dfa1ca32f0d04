//! Why an Application is not synced, not healthy, or does not move.
//!
//! Pure rules over the row alone, so that the cockpit can show the one line for the row under the
//! cursor without asking anybody. What needs the server (the failing Pod, windows of a project)
//! is added by the engine. The order of the rules is the order of importance.

use super::application::{Application, Condition, OperationView, Phase};
use super::duration::short_span;
use super::finding::{Finding, Severity};
use super::object::Text;
use super::status::{Health, SyncStatus};
use chrono::{DateTime, TimeDelta, Utc};

/// How old the last comparison may be before it is worth a word: twice Argo CD's default
/// `timeout.reconciliation` with its jitter (120 s + 60 s).
const OLD_COMPARISON: TimeDelta = TimeDelta::seconds(360);

/// Returns the most important thing to say about a row; `None` when all is well.
pub fn why_row(app: &Application, now: DateTime<Utc>) -> Option<Finding> {
    RULES
        .iter()
        .find_map(|rule| rule(app, now))
        .map(|finding| finding.about(app.object.clone()))
}

/// Returns everything there is to say about a row, most important first.
pub fn why_all(app: &Application, now: DateTime<Utc>) -> Vec<Finding> {
    let said = RULES.iter().filter_map(|rule| rule(app, now));
    said.map(|finding| finding.about(app.object.clone()))
        .chain(app.findings.iter().cloned())
        .collect()
}

type Rule = fn(&Application, DateTime<Utc>) -> Option<Finding>;

const RULES: &[Rule] = &[
    deletion,
    held_operation,
    condition_error,
    failed_operation,
    ill_health,
    difference,
    queued_operation,
    not_reconciled,
    outdated_verdict,
    running_operation,
    progress,
    unread_field,
    condition_warning,
];

fn error(sentence: String) -> Finding {
    Finding::new(Severity::Error, sentence)
}

fn warning(sentence: String) -> Finding {
    Finding::new(Severity::Warning, sentence)
}

fn info(sentence: String) -> Finding {
    Finding::new(Severity::Info, sentence)
}

fn deletion(app: &Application, now: DateTime<Utc>) -> Option<Finding> {
    let deleting = app.deleting.as_ref()?;
    let name = &app.object.name;
    let since = short_span(now - deleting.since);
    if deleting.finalizers.is_empty() {
        return Some(info(format!("`{name}` is being deleted since {since}")));
    }
    let finalizers = quoted(&deleting.finalizers);
    let finding = warning(format!(
        "`{name}` is being deleted since {since} and waits for {finalizers}"
    ));
    Some(finding.with_hint(
        "see which objects are left in its tree; a hook or a finalizer of theirs may hold it",
    ))
}

fn quoted(words: &[Text]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

fn held_operation(app: &Application, now: DateTime<Utc>) -> Option<Finding> {
    match &app.operation {
        OperationView::Stuck { phase } => Some(
            error(format!(
                "the operation state says {} but no operation is there, so nobody will finish it",
                phase.word()
            ))
            .with_hint("start a new sync: it clears the state"),
        ),
        OperationView::NeedsConfirmation { message } => Some(
            warning(format!("the sync waits for a person: {message}"))
                .with_hint("confirm the deletion, or terminate the sync"),
        ),
        OperationView::Blocked { message } => Some(
            warning(format!("a sync window holds the sync back: {message}"))
                .with_hint("wait for the window, or change it in the project"),
        ),
        OperationView::WaitingRetry {
            attempt,
            limit,
            at,
            message,
        } => {
            let of = if *limit < 0 {
                String::from("without end")
            } else {
                format!("of {limit}")
            };
            let wait = if *at > now {
                format!("in {}", short_span(*at - now))
            } else {
                String::from("now")
            };
            Some(error(format!(
                "the sync failed and is tried again {wait} (attempt {attempt} {of}): {message}"
            )))
        }
        OperationView::None
        | OperationView::Queued
        | OperationView::Active { .. }
        | OperationView::Waiting { .. }
        | OperationView::Finished { .. } => None,
    }
}

fn condition_error(app: &Application, _now: DateTime<Utc>) -> Option<Finding> {
    let condition = first_condition(app, "Error")?;
    let hint = match &*condition.kind {
        "ComparisonError" => "check the repository, the path and the revision; then refresh",
        "InvalidSpecError" => "correct the destination, the project or the source of the spec",
        "SyncError" => {
            "see the results of the last operation; a new revision or a manual sync tries again"
        }
        "DeletionError" => "see which object cannot be deleted",
        _ => "see the log of the application controller",
    };
    Some(error(format!("{}: {}", condition.kind, condition.message)).with_hint(hint))
}

fn condition_warning(app: &Application, _now: DateTime<Utc>) -> Option<Finding> {
    let condition = first_condition(app, "Warning")?;
    Some(warning(format!(
        "{}: {}",
        condition.kind, condition.message
    )))
}

fn first_condition<'a>(app: &'a Application, suffix: &str) -> Option<&'a Condition> {
    let mut conditions = app.conditions.iter();
    conditions.find(|condition| condition.kind.ends_with(suffix))
}

fn failed_operation(app: &Application, now: DateTime<Utc>) -> Option<Finding> {
    let OperationView::Finished {
        phase: Phase::Failed | Phase::Error,
        message,
        at,
        ..
    } = &app.operation
    else {
        return None;
    };
    // An old failure says nothing once the objects are as they should be.
    if app.sync == SyncStatus::Synced && app.health == Health::Healthy {
        return None;
    }
    let when = at.map_or(String::new(), |at| format!(" {} ago", short_span(now - at)));
    let finding = error(format!("the last sync failed{when}: {message}"));
    Some(finding.with_hint("see the results of the operation for the object it failed at"))
}

fn ill_health(app: &Application, _now: DateTime<Utc>) -> Option<Finding> {
    let detail = app
        .health_message
        .as_ref()
        .filter(|message| !message.is_empty())
        .map_or(String::new(), |message| format!(": {message}"));
    match app.health {
        Health::Degraded => Some(
            error(format!("it is Degraded{detail}"))
                .with_hint("open its tree and show only what is at fault there"),
        ),
        Health::Missing => Some(warning(format!(
            "it is Missing: none of its {} objects is in the cluster{detail}",
            app.resources
        ))),
        Health::Unknown if app.reconciled_at.is_some() => {
            Some(warning(format!("its health is not known{detail}")))
        }
        Health::Suspended => Some(info(format!(
            "it is Suspended: something in it is paused{detail}"
        ))),
        Health::Healthy | Health::Progressing | Health::Unknown => None,
    }
}

fn difference(app: &Application, _now: DateTime<Utc>) -> Option<Finding> {
    if app.sync != SyncStatus::OutOfSync {
        return None;
    }
    let differs = format!(
        "`{}` differs from git in {} of {} objects",
        app.object.name, app.out_of_sync, app.resources
    );
    if operation_runs(&app.operation) {
        return Some(info(format!("{differs}, and a sync is under way")));
    }
    if !app.auto_sync.on {
        let finding = warning(format!("{differs}, and auto-sync is off"));
        return Some(finding.with_hint("sync it, or look at the diff first"));
    }
    if already_synced(app) && !app.auto_sync.self_heal {
        let finding = warning(format!(
            "{differs}: this revision was synced before, so somebody changed the cluster, and \
             self-heal is off"
        ));
        return Some(finding.with_hint("sync it to restore git, or turn self-heal on"));
    }
    if !app.auto_sync.prune {
        return Some(warning(format!(
            "{differs}; auto-sync is on, but it does not prune"
        )));
    }
    Some(info(format!(
        "{differs}; auto-sync is on and should act soon"
    )))
}

fn already_synced(app: &Application) -> bool {
    matches!(
        &app.operation,
        OperationView::Finished {
            phase: Phase::Succeeded,
            ..
        }
    )
}

fn operation_runs(operation: &OperationView) -> bool {
    match operation {
        OperationView::Queued
        | OperationView::Active { .. }
        | OperationView::Waiting { .. }
        | OperationView::Blocked { .. }
        | OperationView::NeedsConfirmation { .. }
        | OperationView::WaitingRetry { .. } => true,
        OperationView::None | OperationView::Stuck { .. } | OperationView::Finished { .. } => false,
    }
}

fn queued_operation(app: &Application, _now: DateTime<Utc>) -> Option<Finding> {
    (app.operation == OperationView::Queued).then(|| {
        info(String::from(
            "an operation was asked for and the controller has not taken it up yet",
        ))
        .with_hint("when it stays so, the application controller is down or too busy")
    })
}

fn not_reconciled(app: &Application, now: DateTime<Utc>) -> Option<Finding> {
    if app.skip_reconcile {
        let finding = warning(String::from(
            "reconciliation is switched off by `argocd.argoproj.io/skip-reconcile`",
        ));
        return Some(finding.with_hint("remove the annotation to let Argo CD see it again"));
    }
    let Some(at) = app.reconciled_at else {
        let age = now - app.created?;
        return (age > TimeDelta::seconds(60)).then(|| {
            warning(format!(
                "Argo CD has never compared it in {}",
                short_span(age)
            ))
            .with_hint("is the controller running, and is its namespace allowed?")
        });
    };
    let age = now - at;
    if age <= OLD_COMPARISON {
        return None;
    }
    let asked = if app.refresh_pending.is_some() {
        ", and a refresh is unanswered"
    } else {
        ""
    };
    let finding = warning(format!(
        "Argo CD compared it {} ago the last time{asked}",
        short_span(age)
    ));
    Some(finding.with_hint("refresh it; when that stays unanswered, the controller is not running"))
}

fn outdated_verdict(app: &Application, _now: DateTime<Utc>) -> Option<Finding> {
    app.verdict_outdated.then(|| {
        info(String::from(
            "the spec was changed after the last comparison; the verdict is for the old one",
        ))
        .with_hint("refresh it")
    })
}

fn running_operation(app: &Application, now: DateTime<Utc>) -> Option<Finding> {
    let (word, message, started) = match &app.operation {
        OperationView::Active {
            phase,
            message,
            started,
        } => (phase.word(), message, started),
        OperationView::Waiting { message, started } => ("Running", message, started),
        OperationView::None
        | OperationView::Queued
        | OperationView::Blocked { .. }
        | OperationView::NeedsConfirmation { .. }
        | OperationView::WaitingRetry { .. }
        | OperationView::Stuck { .. }
        | OperationView::Finished { .. } => return None,
    };
    let since = started.map_or(String::new(), |at| format!(" for {}", short_span(now - at)));
    let colon = if message.is_empty() { "" } else { ": " };
    Some(info(format!(
        "an operation is {word}{since}{colon}{message}"
    )))
}

fn progress(app: &Application, _now: DateTime<Utc>) -> Option<Finding> {
    (app.health == Health::Progressing).then(|| {
        info(String::from(
            "it is Progressing: not all of its objects are ready yet",
        ))
        .with_hint("open its tree to see which one it waits for")
    })
}

fn unread_field(app: &Application, _now: DateTime<Utc>) -> Option<Finding> {
    app.findings.first().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::application::{AutoSync, Deletion, Destination};
    use crate::domain::object::{Cluster, GroupKind, ObjectRef, ResourceVersion, Uid};

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(1)
    }

    fn healthy() -> Application {
        Application {
            object: ObjectRef {
                cluster: Cluster("demo".into()),
                kind: GroupKind::new("argoproj.io", "Application"),
                namespace: Some("argocd".into()),
                name: "checkout".into(),
            },
            uid: Uid("1".into()),
            resource_version: ResourceVersion("1".into()),
            created: Some(DateTime::UNIX_EPOCH),
            deleting: None,
            labels: Vec::new(),
            project: "default".into(),
            sources: Vec::new(),
            multi_source: false,
            destination: Destination::default(),
            auto_sync: AutoSync::default(),
            sync: SyncStatus::Synced,
            revisions: Vec::new(),
            health: Health::Healthy,
            health_message: None,
            resources: 9,
            out_of_sync: 0,
            operation: OperationView::None,
            conditions: Vec::new(),
            reconciled_at: Some(now()),
            refresh_pending: None,
            verdict_outdated: false,
            skip_reconcile: false,
            owner_set: None,
            parent: None,
            images: Vec::new(),
            rollouts: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn sentence(app: &Application) -> Option<String> {
        why_row(app, now()).map(|finding| finding.sentence.to_string())
    }

    #[test]
    fn nothing_is_said_when_all_is_well() {
        assert_eq!(sentence(&healthy()), None);
    }

    #[test]
    fn a_manual_application_that_differs_is_told_with_its_numbers() {
        let app = Application {
            sync: SyncStatus::OutOfSync,
            out_of_sync: 2,
            ..healthy()
        };

        assert_eq!(
            sentence(&app).as_deref(),
            Some("`checkout` differs from git in 2 of 9 objects, and auto-sync is off")
        );
    }

    #[test]
    fn drift_with_self_heal_off_is_told_apart_from_manual_sync() {
        let app = Application {
            sync: SyncStatus::OutOfSync,
            out_of_sync: 1,
            auto_sync: AutoSync {
                present: true,
                on: true,
                prune: true,
                ..AutoSync::default()
            },
            operation: OperationView::Finished {
                phase: Phase::Succeeded,
                message: "successfully synced".into(),
                at: Some(now()),
                by: "automated".into(),
            },
            ..healthy()
        };

        assert!(sentence(&app).is_some_and(|sentence| sentence.contains("self-heal is off")));
    }

    #[test]
    fn an_old_failure_is_silent_once_all_is_well_again() {
        let failed = OperationView::Finished {
            phase: Phase::Failed,
            message: "one or more objects failed to apply".into(),
            at: Some(now() - TimeDelta::minutes(5)),
            by: "".into(),
        };
        let well = Application {
            operation: failed.clone(),
            ..healthy()
        };
        let ill = Application {
            operation: failed,
            health: Health::Degraded,
            ..healthy()
        };

        assert_eq!(sentence(&well), None);
        assert!(sentence(&ill).is_some_and(|sentence| sentence.contains("failed 5m ago")));
    }

    #[test]
    fn a_deletion_names_the_finalizers_it_waits_for() {
        let app = Application {
            deleting: Some(Deletion {
                since: now() - TimeDelta::minutes(2),
                finalizers: vec!["resources-finalizer.argocd.argoproj.io".into()],
            }),
            ..healthy()
        };

        assert_eq!(
            sentence(&app).as_deref(),
            Some(
                "`checkout` is being deleted since 2m and waits for `resources-finalizer.argocd.argoproj.io`"
            )
        );
    }

    #[test]
    fn a_silent_controller_is_noticed() {
        let app = Application {
            reconciled_at: Some(now() - TimeDelta::hours(2)),
            ..healthy()
        };

        assert!(sentence(&app).is_some_and(|sentence| sentence.contains("2h ago")));
    }
}
